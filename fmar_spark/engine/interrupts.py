"""Ctrl-C and SIGTERM end a command wherever it is, and are not lost."""

import logging
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Final

ENDING_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
AGAIN_SECONDS: Final = 1.0
"""An interrupt that something swallowed comes again after so long."""
PY4J: Final = "py4j"


@contextmanager
def plain_signals(numbers: Sequence[signal.Signals] = ENDING_SIGNALS) -> Iterator[None]:
    """These signals interrupt Python alone, again and again until ``settle`` says that the interrupt has arrived.

    Spark's own answer to Ctrl-C talks to the JVM in the middle of another call. And an interrupt may fall where Python prints and
    forgets it: into a finaliser (py4j has one for every object of the JVM), or into an import that takes any error for a missing
    package.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _interrupt) for number in (*numbers, signal.SIGALRM)}
    report = sys.unraisablehook
    sys.unraisablehook = lambda lost: None if issubclass(lost.exc_type, KeyboardInterrupt) else report(lost)
    try:
        yield
    finally:
        settle()
        sys.unraisablehook = report
        for number, handler in before.items():
            signal.signal(number, handler)


def settle() -> None:
    """The interrupt has arrived: it does not come again, unless by another signal."""
    if threading.current_thread() is threading.main_thread():
        signal.setitimer(signal.ITIMER_REAL, 0)


def leave_out_interrupts(record: logging.LogRecord) -> bool:
    """A filter of a log: py4j writes the traceback of an interrupt to the root of all logs."""
    return not (PY4J in record.pathname and record.exc_info and isinstance(record.exc_info[1], KeyboardInterrupt))


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
    raise KeyboardInterrupt
