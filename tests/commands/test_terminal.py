"""What a file or lake holds is text on a terminal, whatever it is."""

import io
import logging

import pytest
from rich.table import Table

from fmar_spark.app import escape_message
from fmar_spark.cli import main
from fmar_spark.commands import stages
from fmar_spark.commands.stages import say
from fmar_spark.commands.terminal import Terminal, follow, print_line
from fmar_spark.errors import InputError

HOSTILE = "[/red]a:car:\x1b[31m\u202e\x9b"
SHOWN = "[/red]a:car:\\x1b[31m\\u202e\\x9b"


def test_a_table_takes_no_name_for_markup_emoji_or_an_order() -> None:
    table = Table(title=f"meter {HOSTILE}")
    table.add_column(HOSTILE)
    table.add_row(HOSTILE)
    out = io.StringIO()
    Terminal(out).print(table)
    Terminal(out).print(f"{HOSTILE}\nb", style="bold")
    assert out.getvalue().count(SHOWN) == 4
    assert "\x1b" not in out.getvalue()


def test_errors_and_lines_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert str(InputError(f"{HOSTILE}\nfake: all is well")) == f"{SHOWN}\\nfake: all is well"
    print_line(HOSTILE)
    say(HOSTILE)
    assert main([f"--{HOSTILE}"]) == 2
    found = capsys.readouterr()
    assert found.out == f"{SHOWN}\n"
    assert found.err.count("\\x1b[31m") == 2
    assert "\x1b" not in found.err


def test_a_record_of_the_log_is_one_line() -> None:
    record = logging.LogRecord("fmar_spark.steps", logging.INFO, "", 0, "%s: done", (f"{HOSTILE}\nb",), None)
    assert escape_message(record)
    assert record.getMessage() == f"{SHOWN}\\nb: done"


def test_without_a_terminal_parts_are_a_plain_line_a_minute(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "LINE_SECONDS", 0.0)
    assert list(follow("fit", "blocks", "ab", 2)) == ["a", "b"]
    found = capsys.readouterr()
    assert (found.out, found.err) == ("", "fit:   0 s  1 of 2 blocks\nfit:   0 s  2 of 2 blocks\n")
