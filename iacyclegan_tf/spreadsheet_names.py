"""Names in CSV files, which spreadsheets take for programs where they look like one."""

from __future__ import annotations

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # https://owasp.org/www-community/attacks/CSV_Injection


def no_formula(name: str) -> str:
    """As it is; with an apostrophe before it where a spreadsheet would take it for a formula."""
    return f"'{name}" if name.startswith(_FORMULA) else name
