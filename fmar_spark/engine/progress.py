"""Shows whoever is watching how far Spark is with the table at hand.

Commands that work in this process show rich's bars; a step of Spark does not: how many parts it will have is known stage by
stage only, and rich redraws its lines as if nobody else wrote, while the JVM writes to the same terminal. Here every writer
of this process begins with ``CLEAR_LINE``. A file or the log of a CI gets one plain line a minute instead.
"""

import logging
import sys
import threading
import time
from types import TracebackType
from typing import Final, TextIO

from pyspark.sql import SparkSession

from fmar_spark.domain.figures import write_count
from fmar_spark.engine.store import TableStore

CLEAR_LINE: Final = "\r\x1b[K"
"""Begins every line on a terminal on which a progress line may stand."""
LOOK_SECONDS: Final = 0.5
PATIENCE_SECONDS: Final = 2.0
"""What is over sooner is not shown."""
LOG_SECONDS: Final = 60.0
"""Between two lines where there is no terminal."""
_log = logging.getLogger(__name__)


class ProgressLine:
    """What is done to which table, parts done and time while the block runs: one line at the bottom of a terminal, then gone; elsewhere
    a line of the log every minute."""

    def __init__(self, spark: SparkSession, store: TableStore, step: str, out: TextIO | None = None) -> None:
        """Nothing is shown before the block begins.

        Args:
            spark: whose work is shown.
            store: says which table is at hand.
            step: its name.
            out: where it is shown; standard error where none is named.
        """
        self.spark, self.store, self.step = spark, store, step
        self.out = out or sys.stderr
        self.is_terminal = self.out.isatty()
        self.begun_at = time.monotonic()
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "ProgressLine":
        """Begin to look."""
        self.thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Look no more and leave the line empty."""
        self.is_over.set()
        self.thread.join()
        if self.is_terminal:
            self._write("")

    def _watch(self) -> None:
        while not self.is_over.wait(LOOK_SECONDS if self.is_terminal else LOG_SECONDS):
            try:
                done, parts = count_parts(self.spark)
            except Exception:  # a session that has gone is the step's to report, not a watcher's
                return
            passed = time.monotonic() - self.begun_at
            line = describe_progress(self.step, self.store.at_hand, (done, parts), passed)
            if not self.is_terminal:
                _log.info("%s", line)
            elif passed >= PATIENCE_SECONDS:
                self._write(line)

    def _write(self, line: str) -> None:
        self.out.write(CLEAR_LINE + line)
        self.out.flush()


def describe_progress(step: str, at_hand: str, parts: tuple[int, int], seconds: float) -> str:
    """The line: ``characterise: writing silver.meter_profiles, 3 of 8 parts, 1:05``.

    Args:
        step: its name.
        at_hand: what is being done to which table; '' where nothing is known of it.
        parts: done and all, of what Spark is running now; 0 of 0 = nothing.
        seconds: since the step began.
    """
    done, every = parts
    said = [at_hand] if at_hand else []
    if every:
        said.append(f"{done} of {write_count(every, 'part')}")
    minutes, rest = divmod(int(seconds), 60)
    return f"{step}: {', '.join([*said, f'{minutes}:{rest:02d}'])}"


def count_parts(spark: SparkSession) -> tuple[int, int]:
    """Tasks done and tasks in all, of the stages that run now."""
    tracker = spark.sparkContext.statusTracker()
    stages = [stage for number in tracker.getActiveStageIds() if (stage := tracker.getStageInfo(number)) is not None]
    return sum(stage.numCompletedTasks for stage in stages), sum(stage.numTasks for stage in stages)
