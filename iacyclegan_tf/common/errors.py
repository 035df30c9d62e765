"""The one error type that commands show to a user as a sentence."""


class UserError(Exception):
    """Something that the user can mend: a wrong path, setting, file or size.

    The message is one or more whole sentences that name the thing, its value and what is allowed.
    Commands print it without a stack trace and exit with code 2 (see ``run_command.py``).
    """


def shortened(text: str, longest: int = 2000) -> str:
    """``text``, without its middle where it is longer: messages quote what a file holds, however long that is.

    >>> shortened("abcdefgh" * 9, 20)
    'abcdefghab [...] ghabcdefgh'
    """
    return text if len(text) <= longest else f"{text[: longest // 2]} [...] {text[-longest // 2 :]}"


def not_all(failed: int, total: int, what: str) -> str:
    """How a list of failures begins; ``what`` ends the sentence: ``could not be translated``.

    >>> not_all(1, 1, "could not be read")
    'The image could not be read:'
    >>> not_all(2, 2, "could not be read")
    'None of the 2 images could be read:'
    >>> not_all(1, 3, "could not be read")
    '1 of 3 images could not be read; the others are done:'
    """
    if total == 1:
        return f"The image {what}:"
    if failed == total:
        return f"None of the {total} images {what.replace('could not', 'could')}:"
    return f"{failed} of {total} images {what}; the others are done:"
