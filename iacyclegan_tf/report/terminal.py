"""Tables on a terminal or in a log."""

from __future__ import annotations

from iacyclegan_tf.report.tables import Table


def print_table(table: Table, console) -> None:
    """``console`` is a ``rich.console.Console``; a table without rows prints its title and notes only."""
    from rich.table import Table as RichTable

    if table.rows:
        rich = RichTable(title=table.title, title_justify="left")
        for index, column in enumerate(table.header):
            rich.add_column(column, justify="right" if index else "left")
        for row in table.rows:
            rich.add_row(*row)
        console.print(rich)
    else:
        console.print(table.title, markup=False)
    for note in table.notes:
        console.print(note, soft_wrap=True, markup=False)
