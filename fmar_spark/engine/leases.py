"""No second run of a step at once on a lake at an address: a small file beside its tables says which run works on it."""

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from pyspark.sql import SparkSession

from fmar_spark.engine.locks import LOCKS
from fmar_spark.engine.session import SPARK_ERRORS
from fmar_spark.errors import ConfigError

BEAT_SECONDS: Final = 60.0
"""How often a run renews its lease."""
GONE_SECONDS: Final = 600.0
"""A lease that was not renewed for so long is that of a run that has gone."""
SETTLE_SECONDS: Final = 3.0
"""Two runs that take over the same lease see within this time whose it is."""
_CONDITIONAL: Final = "fs.option.create.conditional.overwrite"
"""Asks S3A (Hadoop 3.4.2) to create only what is not there, in one request of the store; file systems that do so anyway pass it over."""
_log = logging.getLogger(__name__)


@contextmanager
def lease_step(spark: SparkSession, root: str, step: str) -> Iterator[None]:
    """No other run of the step works on the lake meanwhile, as far as its store creates files exclusively.

    ``_locks/STEP.lease`` is created only where it is not there yet, which HDFS, Azure, Google Cloud and S3 with conditional writes
    do atomically; it is renewed every minute and deleted at the end. One that was not renewed for ten minutes is taken over. Delta's
    own commits still keep the tables whole where a store lets two runs through.

    Raises:
        ConfigError: another run holds it; the message says since when and on which machine.
    """
    machine = spark._jvm
    if machine is None:
        yield
        return
    lease = _Lease(machine, spark, f"{root}/{LOCKS}/{step}.lease")
    _take(lease, root, step)
    is_over = threading.Event()
    beat = threading.Thread(target=_renew, args=(lease, step, is_over), name=f"lease {step}", daemon=True)
    beat.start()
    try:
        yield
    finally:
        is_over.set()
        beat.join()
        lease.leave()


class _Lease:
    """The file of one lease, through the store's Hadoop file system: no Spark job, so that a busy cluster cannot hold it up."""

    def __init__(self, machine: Any, spark: SparkSession, path: str) -> None:
        self._machine = machine
        self._path = machine.org.apache.hadoop.fs.Path(path)
        self._files = self._path.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration())
        self._mine = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC ({socket.gethostname()}, process {os.getpid()})\n{uuid4().hex}"

    def create(self) -> bool:
        """Whether the file is this run's now; not where there was one."""
        try:
            self._write(False)
        except SPARK_ERRORS:
            if not self._files.exists(self._path):
                raise
            return False
        return True

    def renew(self) -> None:
        """The file is as young as now."""
        self._write(True)

    def read(self) -> str:
        """What the holder wrote; '' where nobody holds it."""
        try:
            stream = self._files.open(self._path)
            try:
                return str(self._machine.org.apache.commons.io.IOUtils.toString(stream, "UTF-8"))
            finally:
                stream.close()
        except SPARK_ERRORS:
            return ""

    def age_seconds(self) -> float:
        """Since it was last renewed, by the store's time."""
        try:
            return time.time() - float(self._files.getFileStatus(self._path).getModificationTime()) / 1000
        except SPARK_ERRORS:
            return 0.0

    def is_mine(self) -> bool:
        """Whether this run holds it."""
        return self.read() == self._mine

    def remove(self) -> None:
        """Nobody holds it."""
        self._files.delete(self._path, False)

    def leave(self) -> None:
        """Nobody holds it, unless another has it by now."""
        try:
            if self.is_mine():
                self.remove()
        except SPARK_ERRORS:
            _log.warning("a lease stays behind: %s", self._path)

    def _write(self, is_overwriting: bool) -> None:
        asked = self._files.createFile(self._path).create().recursive().overwrite(is_overwriting)
        stream = (asked if is_overwriting else asked.opt(_CONDITIONAL, True)).build()
        stream.write(self._mine.encode())
        stream.close()


def _take(lease: _Lease, root: str, step: str) -> None:
    if lease.create():
        return
    if lease.age_seconds() > GONE_SECONDS:
        _log.warning("%s: taking over the lease of a run that has gone", step)
        lease.remove()
        is_created = lease.create()
        time.sleep(SETTLE_SECONDS)
        if is_created and lease.is_mine():
            return
    since = lease.read().partition("\n")[0] or "a moment ago"
    raise ConfigError(f"{step}: another run of it is working on {root} since {since}")


def _renew(lease: _Lease, step: str, is_over: threading.Event) -> None:
    while not is_over.wait(BEAT_SECONDS):
        try:
            if not lease.is_mine():
                _log.error("%s: another run took the lease over, as if this one had gone", step)
                return
            lease.renew()
        except SPARK_ERRORS:
            _log.warning("%s: the lease could not be renewed", step)
