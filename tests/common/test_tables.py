"""Tables with names as people give them."""

import io

from rich.console import Console

from iacyclegan_tf.common.tables import Table, print_table


def test_names_are_neither_markup_nor_commands_to_the_terminal():
    file = io.StringIO()
    table = Table("runs", ("run", "rank-1"), (("lr[bold]1[/bold]", "50 %"), ("a\x1b[2Jb", "0 %")), ("of \x1b[1mtwo",))
    print_table(table, Console(file=file, width=80))
    said = file.getvalue()
    for words in ("lr[bold]1[/bold]", "a\\x1b[2Jb", "of \\x1b[1mtwo"):
        assert words in said
    assert "\x1b" not in said
