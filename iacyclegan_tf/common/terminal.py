"""What commands print with: one console for all of them, and progress bars with the time left."""

from __future__ import annotations

import sys
import textwrap
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
    """Prints sentences: on a terminal broken between words, so that paths stay whole, elsewhere as they are; what they
    quote cannot steer the terminal."""
    shown = printable_lines(text)
    shown = wrapped(shown, console.width) if console.is_terminal else shown
    console.print(shown, highlight=False, markup=False, soft_wrap=True)


def wrapped(text: str, width: int) -> str:
    """Each line broken between words and indented as it began; a longer word, such as a path, stays whole."""
    style = {"break_long_words": False, "break_on_hyphens": False, "replace_whitespace": False}
    return "\n".join(
        textwrap.fill(line, width, subsequent_indent=line[: len(line) - len(line.lstrip())], **style)
        for line in text.split("\n")
    )


def bar(console, **options):
    """A ``rich.progress.Progress`` that keeps what is done, the total and the time left at 80 columns.

    Words and the field ``values`` are cut where they do not fit, the bar takes what is left; nothing is broken.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.table import Column

    def column(ratio: int | None = None, least: int | None = None) -> Column:
        return Column(no_wrap=True, overflow="ellipsis", ratio=ratio, min_width=least)

    return Progress(
        TextColumn("{task.description}", table_column=column(3)),
        BarColumn(None, table_column=column(2, 6)),
        MofNCompleteColumn(table_column=column()),
        TimeRemainingColumn(compact=True, table_column=column(least=5)),
        TextColumn("left", table_column=column(least=4)),
        TextColumn("{task.fields[values]}", table_column=column(3)),
        console=console,
        transient=True,
        expand=True,
        **options,
    )


def progress_bar(console) -> Callable:
    """``track(items, words, total)``: a bar on terminals; elsewhere one line when it is done."""

    def track(items, words: str, total: int):
        if not console.is_terminal:
            items = list(items)
            console.print(f"{words}: {len(items)}")
            yield from items
            return
        with bar(console) as shown:
            task = shown.add_task(words, total=total, values="")
            for item in items:
                yield item
                shown.advance(task)

    return track


@contextmanager
def counting_bar(console, words: str) -> Iterator[Callable[[int, int], None]]:
    """``progress(done, total)`` for work that tells how far it is: a bar on terminals; elsewhere silent."""
    with bar(console, disable=not console.is_terminal) as shown:
        task = shown.add_task(words, total=None, values="")
        yield lambda done, total: shown.update(task, completed=done, total=total)
