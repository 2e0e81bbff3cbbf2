"""Ctrl-C wherever it falls."""

import logging
import signal
import sys
import time
import weakref
from collections.abc import Callable

import pytest

from fmar_spark.engine import interrupts
from fmar_spark.engine.interrupts import leave_out_interrupts, plain_signals, settle


class Thing:
    """Something that a finaliser can hang on."""


def finalise(action: Callable[[], object]) -> None:
    """The action runs where errors can only be printed."""
    thing = Thing()
    watcher = weakref.ref(thing, lambda _: action())
    del thing
    assert watcher() is None


def be_interrupted_in_a_finaliser(number: signal.Signals) -> None:
    finalise(lambda: signal.raise_signal(number))
    time.sleep(10)


def be_interrupted_where_any_error_is_swallowed(number: signal.Signals) -> None:
    try:
        signal.raise_signal(number)
    except BaseException:
        time.sleep(10)


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("body", [be_interrupted_in_a_finaliser, be_interrupted_where_any_error_is_swallowed])
def test_an_interrupt_that_is_swallowed_comes_again(
    number: signal.Signals, body: Callable[[signal.Signals], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interrupts, "AGAIN_SECONDS", 0.05)
    with plain_signals(), pytest.raises(KeyboardInterrupt):
        body(number)


def test_another_error_in_a_finaliser_is_reported_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: reported.append(lost.exc_type))
    with plain_signals():
        finalise(lambda: 1 // 0)
    assert reported == [ZeroDivisionError]


def test_an_interrupt_that_has_arrived_does_not_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "AGAIN_SECONDS", 0.05)
    with plain_signals():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        settle()
        time.sleep(0.1)


def test_afterwards_signals_are_answered_as_before() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM), sys.unraisablehook
    with plain_signals():
        assert signal.getsignal(signal.SIGALRM) is not before[1]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM), sys.unraisablehook) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("path", "error", "is_shown"),
    [
        ("/lib/py4j/java_gateway.py", KeyboardInterrupt(), False),
        ("/lib/py4j/java_gateway.py", ConnectionError(), True),
        ("/lib/fmar_spark/app.py", KeyboardInterrupt(), True),
    ],
)
def test_what_py4j_writes_of_an_interrupt_is_left_out(path: str, error: BaseException, is_shown: bool) -> None:
    record = logging.LogRecord("root", logging.ERROR, path, 1, "while sending command", (), (type(error), error, None))
    assert leave_out_interrupts(record) is is_shown
