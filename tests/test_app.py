import signal
import sys
import time
import weakref
from collections.abc import Callable

import pytest

from fmar_spark.app import plain_signals


class Thing:
    """Something that a finaliser can hang on."""


def finalise(action: Callable[[], object]) -> None:
    """The action runs where errors can only be printed."""
    thing = Thing()
    watcher = weakref.ref(thing, lambda _: action())
    del thing
    assert watcher() is None


def be_interrupted(number: signal.Signals) -> None:
    finalise(lambda: signal.raise_signal(number))
    time.sleep(10)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_that_falls_into_a_finaliser_is_not_lost(number: signal.Signals) -> None:
    with plain_signals(), pytest.raises(KeyboardInterrupt):
        be_interrupted(number)


def test_afterwards_signals_and_lost_errors_are_answered_as_before() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM), sys.unraisablehook
    with plain_signals():
        assert signal.getsignal(signal.SIGALRM) is not before[1]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM), sys.unraisablehook) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_another_error_in_a_finaliser_is_reported_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: given.append(lost.exc_type))
    with plain_signals():
        finalise(lambda: 1 // 0)
    assert given == [ZeroDivisionError]
