"""Where commands print tables and sentences: texts of a lake stand there as they are, whatever they hold."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TextIO, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from fmar_spark.commands.stages import Pace
from fmar_spark.errors import escape_controls

WIDTH: Final = 160
"""Characters of a line where there is no terminal."""
T = TypeVar("T")


class Terminal(Console):
    """A console that takes no text for markup, emoji or an order to the terminal."""

    def __init__(self, file: TextIO | None = None, width: int | None = None) -> None:
        """Standard output, as wide as its terminal, where nothing else is named."""
        is_narrow = file is None and sys.stdout.isatty()
        super().__init__(file=file, width=None if is_narrow else width or WIDTH, markup=False, emoji=False)

    def render_str(self, text: str, **style: Any) -> Text:
        """The text with its line breaks; other control characters are escaped."""
        return super().render_str("\n".join(map(escape_controls, text.split("\n"))), **style)


def print_line(line: str) -> None:
    """A line of results on standard output."""
    sys.stdout.write(f"{escape_controls(line)}\n")


@contextmanager
def show_parts(command: str, what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A function to call with how many of the parts are done, which is shown: a bar on a terminal, elsewhere a line a minute.

    Args:
        command: its name, for the line.
        what: the parts, in the plural.
        total: all of them; None where that is not known.
    """
    pace, of_all = Pace(command), "" if total is None else f" of {total:,}"
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(what, total=total)

        def show(done: int) -> None:
            bar.update(task, completed=done)
            if bar.disable:
                pace.note(f"{done:,}{of_all} {what}")

        yield show


def follow(command: str, what: str, parts: Iterable[T], total: int) -> Iterator[T]:
    """The parts as they come, shown as ``show_parts`` does."""
    with show_parts(command, what, total) as show:
        for done, part in enumerate(parts, 1):
            yield part
            show(done)
