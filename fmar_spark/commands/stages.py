"""Runs the parts of a demo one after another, then prints a summary and writes a page. A part's packages are loaded when it runs."""

import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

from fmar_spark.errors import INTERRUPTED, escape_controls
from fmar_spark.settings.run_options import RunOptions

REPORT: Final = "report.html"
LINE_SECONDS: Final = 60.0
"""Between two lines about work of many small parts."""


class Stage(NamedTuple):
    """One part of the demo."""

    title: str
    run: Callable[[], int]
    """Its exit status."""


class Pace:
    """Lines about work of many small parts, one a minute at most."""

    def __init__(self, command: str) -> None:
        """The first line comes after a minute."""
        self.command = command
        self.begun = self.last = time.monotonic()

    def note(self, stage: str) -> None:
        """How far it is, unless that was said a moment ago."""
        if time.monotonic() - self.last >= LINE_SECONDS:
            note_stage(self.command, self.begun, stage)
            self.last = time.monotonic()


def play(options: RunOptions, lake: str, stages: Sequence[Stage]) -> int:
    """Every stage, then the summary and the page; the last line on standard output is its path. 1 as soon as a stage
    fails, 130 where it is stopped."""
    begun = time.monotonic()
    whole = [
        *stages,
        Stage(f"Summary of {lake}", lambda: run_command("summary", options, sizes=False)),
        Stage("A page about it: opens in a browser without a network", lambda: run_command("report", options, None, None, None)),
    ]
    for number, stage in enumerate(whole, 1):
        say(f"\n[{number}/{len(whole)}]  {describe_time(begun)}  {stage.title}")
        status = stage.run()
        if status == INTERRUPTED:
            return status
        if status:
            say("demo: not finished; correct what the line above says and run the same command again")
            return 1
    say(f"\n{describe_time(begun)} in all. Tables: {lake}/LAYER/NAME. The page:")
    print(Path(lake).resolve() / REPORT)
    return 0


def run_command(name: str, *given: object, **named: object) -> int:
    """What ``fmar_spark.commands.NAME.run`` does; its exit status."""
    status: int = import_module(f"fmar_spark.commands.{name}").run(*given, **named)
    return status


def describe_time(begun: float) -> str:
    """Minutes and seconds since the start."""
    minutes, seconds = divmod(int(time.monotonic() - begun), 60)
    return f"{minutes}:{seconds:02d}"


def note_stage(command: str, begun: float, stage: str) -> None:
    """What a long command does next, for the user who watches or the log that is read later."""
    say(f"{command}: {time.monotonic() - begun:3.0f} s  {stage}")


def say(line: str) -> None:
    """A line for the user who watches; standard output holds results alone."""
    print("\n".join(map(escape_controls, line.split("\n"))), file=sys.stderr, flush=True)
