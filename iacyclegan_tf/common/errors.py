"""The one error type that commands show to a user as a sentence."""


class UserError(Exception):
    """Something that the user can mend: a wrong path, setting, file or size.

    The message is one or more whole sentences that name the thing, its value and what is allowed.
    Commands print it without a stack trace and exit with code 2 (see ``commands.py``).
    """


def shortened(text: str, longest: int = 2000) -> str:
    """``text``, without its middle where it is longer: messages quote what a file holds, however long that is.

    >>> shortened("abcdefgh" * 9, 20)
    'abcdefghab [...] ghabcdefgh'
    """
    return text if len(text) <= longest else f"{text[: longest // 2]} [...] {text[-longest // 2 :]}"
