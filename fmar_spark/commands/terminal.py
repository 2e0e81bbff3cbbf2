"""Where commands print tables and sentences: texts of a lake stand there as they are, whatever they hold."""

import sys
from typing import Any, Final, TextIO

from rich.console import Console
from rich.text import Text

from fmar_spark.errors import escape_controls

WIDTH: Final = 160
"""Characters of a line where there is no terminal."""


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
