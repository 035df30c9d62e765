"""The one error type that commands show to a user as a sentence."""


class UserError(Exception):
    """Something that the user can mend: a wrong path, setting, file or size.

    The message is one or more whole sentences that name the thing, its value and what is allowed.
    Commands print it without a stack trace and exit with code 2 (see ``commands.py``).
    """
