"""Tables on a terminal or in a log."""

from __future__ import annotations

from dataclasses import dataclass

from iacyclegan_tf.common.foreign_text import printable
from iacyclegan_tf.common.terminal import say


def print_table(table: Table, console) -> None:
    """``console`` is a ``rich.console.Console``; a table without rows prints its title and notes only."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable
    from rich.text import Text

    if table.rows:
        title = Text(printable(table.title)) if table.title else None
        rich = RichTable(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for index, column in enumerate(table.header):
            rich.add_column(Text(column), justify="right" if index else "left")
        for row in table.rows:
            rich.add_row(*(Text(printable(cell)) for cell in row))  # names may hold what Rich takes for markup
        console.print(rich)
    else:
        say(console, table.title)
    for note in table.notes:
        say(console, note)


@dataclass(frozen=True)
class Table:
    """``notes`` are sentences that stand below; ``folded``: a page shows it when it is asked to."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    folded: bool = False

    def markdown(self) -> str:
        lines = [self.header, ["---", *["---:"] * (len(self.header) - 1)], *self.rows]
        table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
        return "\n\n".join([f"**{self.title}**", table, *self.notes]) + "\n"


_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # https://owasp.org/www-community/attacks/CSV_Injection


def no_formula(name: str) -> str:
    """As it is; with an apostrophe before it where a spreadsheet would take it for a formula."""
    return f"'{name}" if name.startswith(_FORMULA) else name
