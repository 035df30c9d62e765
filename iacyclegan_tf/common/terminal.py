"""What commands print with: one console for all of them, and progress bars with the time left."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from iacyclegan_tf.common.foreign_text import printable_lines

LOG_COLUMNS = 200  # in a file or pipe, where tables are not folded at the 80 columns of a terminal that is not there


def open_console(errors: bool = False):
    """A ``rich.console.Console`` on standard output, or on standard error."""
    from rich.console import Console

    stream = sys.stderr if errors else sys.stdout
    return Console(highlight=False, stderr=errors, width=None if stream.isatty() else LOG_COLUMNS)


def say(console, text: str) -> None:
    """Prints sentences as they are, however long the lines; what they quote cannot steer the terminal."""
    console.print(printable_lines(text), highlight=False, markup=False, soft_wrap=True)


def progress_bar(console) -> Callable:
    """``track(items, words, total)``: a bar on terminals; elsewhere one line when it is done."""

    def track(items, words: str, total: int):
        if not console.is_terminal:
            items = list(items)
            console.print(f"{words}: {len(items)}")
            return items
        from rich.progress import track as rich_track

        return rich_track(items, words, total, console=console, transient=True)

    return track


@contextmanager
def counting_bar(console, words: str) -> Iterator[Callable[[int, int], None]]:
    """``progress(done, total)`` for work that tells how far it is: a bar on terminals; elsewhere silent."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn(words), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
