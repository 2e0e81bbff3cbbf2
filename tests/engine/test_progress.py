import io
import time
from types import SimpleNamespace

import pytest

from fmar_spark.engine import progress
from fmar_spark.engine.progress import CLEAR_LINE, ProgressLine, describe_progress
from fmar_spark.engine.store import TableStore


class Terminal(io.StringIO):
    """Takes what a terminal would show."""

    def isatty(self) -> bool:
        return True


class Tracker:
    """Stages as Spark reports them; the second has ended and is not known any more."""

    def getActiveStageIds(self) -> list[int]:  # noqa: N802 - Spark's own name
        return [4, 5, 6]

    def getStageInfo(self, number: int) -> SimpleNamespace | None:  # noqa: N802 - Spark's own name
        return None if number == 5 else SimpleNamespace(numTasks=8, numCompletedTasks=number - 3)


@pytest.mark.parametrize(
    ("at_hand", "parts", "seconds", "line"),
    [
        ("writing silver.meter_profiles", (3, 8), 65.9, "characterise: writing silver.meter_profiles, 3 of 8 parts, 1:05"),
        ("reading silver.readings", (0, 0), 5, "characterise: reading silver.readings, 0:05"),
        ("", (0, 0), 3600, "characterise: 60:00"),
    ],
)
def test_the_line_says_what_how_far_and_since_when(at_hand: str, parts: tuple[int, int], seconds: float, line: str) -> None:
    assert describe_progress("characterise", at_hand, parts, seconds) == line


def test_the_line_stands_while_the_block_runs_and_is_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", 0.0)
    out = Terminal()
    spark = SimpleNamespace(sparkContext=SimpleNamespace(statusTracker=Tracker))
    line = ProgressLine(spark, TableStore(spark, "lake"), "ingest_dip", out)
    with line:
        deadline = time.monotonic() + 10
        while "parts" not in out.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
    assert f"{CLEAR_LINE}ingest_dip: 4 of 16 parts, 0:00" in out.getvalue()
    assert out.getvalue().endswith(CLEAR_LINE)
    assert not line.thread.is_alive()


def test_a_session_that_has_gone_ends_the_line_and_not_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LOOK_SECONDS", 0.01)
    spark = SimpleNamespace(sparkContext=SimpleNamespace(statusTracker=lambda: 1 / 0))
    out = Terminal()
    with ProgressLine(spark, TableStore(spark, "lake"), "ingest_dip", out) as line:
        line.thread.join(10)
        assert not line.thread.is_alive()
    assert out.getvalue() == CLEAR_LINE


def test_a_file_gets_plain_lines_now_and_then(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(progress, "LOG_SECONDS", 0.01)
    caplog.set_level("INFO", progress.__name__)
    spark = SimpleNamespace(sparkContext=SimpleNamespace(statusTracker=Tracker))
    out = io.StringIO()
    with ProgressLine(spark, TableStore(spark, "lake"), "ingest_dip", out):
        deadline = time.monotonic() + 10
        while not caplog.messages and time.monotonic() < deadline:
            time.sleep(0.01)
    assert caplog.messages[0] == "ingest_dip: 4 of 16 parts, 0:00"
    assert out.getvalue() == ""
