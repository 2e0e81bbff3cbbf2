"""A landing folder: hands on what is new in it, batch by batch, each file exactly once whatever stops the run.

A folder of this machine is read by Python and not by Spark, whose file system takes some names for patterns or addresses,
follows links and stops at what it cannot name.
"""

import json
import os
import re
import signal
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from errno import ELOOP, ENOTDIR
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

import pyarrow as pa
from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.types import to_arrow_schema

from fmar_spark.contracts.operations import LANDING_FILES
from fmar_spark.engine.interrupts import ENDING_SIGNALS
from fmar_spark.engine.schema import struct_type
from fmar_spark.engine.store import TableStore, Transaction
from fmar_spark.engine.stream import checkpoint_path
from fmar_spark.errors import ConfigError
from fmar_spark.settings.run_options import is_address

NAME, LINK, KIND, UNREADABLE = "name", "link", "kind", "unreadable"
"""Why a file is not read: its name cannot be used, it is a link, it is no regular file, or reading it fails."""
LISTED: Final = T.StructType(
    [T.StructField("source", T.StringType()), T.StructField("length", T.LongType()), T.StructField("problem", T.StringType())]
)
READ: Final = T.StructType([*LISTED.fields, T.StructField("content", T.BinaryType())])
"""Rows of files: path inside the folder, length, why it is not read, and what it holds: null where it is not read or too large."""
BEFORE: Final = 0
"""Batch of files that an earlier version of the program took; the batches of this one count from 1."""
IGNORED_NAMES: Final = "(^|/)[_.]"
BATCH_BYTES: Final = 32 * 2**20
"""Content that is handed on at once, unless one file has more."""
PART_BYTES: Final = 32 * 2**20
_UNUSABLE: Final = re.compile(r"[:\\\x00-\x1f\x7f]")
_LITERAL: Final = ("__globPaths__", "false")
"""Option of Spark's readers: a path is a path, whatever characters it has."""
Batches = Iterable[pa.RecordBatch]


FileBatch = Callable[[DataFrame, Transaction], None]
"""Handles the decoded rows of one batch of files, with the mark that makes its appends happen once."""


class Decoding(NamedTuple):
    """What becomes of the rows ``READ`` on the workers."""

    decode: Callable[[Batches], Iterator[pa.RecordBatch]]
    schema: T.StructType
    max_bytes: int
    """The content of a larger file is not read."""


class Landed(NamedTuple):
    """A file as it lies in the folder."""

    path: str
    """Inside the folder; bytes that are no text are shown as ``\\xe9``."""
    length: int
    modified_at: datetime
    problem: str | None = None


class Folder(NamedTuple):
    """A landing folder, by its path on this machine or by an address such as ``abfss://...``."""

    path: str

    @property
    def identity(self) -> str:
        """The same text wherever a job is started from: an address as it is, a path on this machine from its root."""
        return (self.path if is_address(self.path) else os.path.abspath(self.path)).rstrip("/")

    def list_files(self, spark: SparkSession) -> list[Landed]:
        """Every file in the folder and the folders in it that has a byte, or that cannot be read, oldest first.

        What begins with ``_`` or ``.``, file or folder, is ignored.

        Raises:
            ConfigError: no such folder.
        """
        found = _list_remote(spark, self.identity) if is_address(self.path) else list(_list_files(self.identity))
        return sorted(found, key=lambda file: (file.modified_at, file.path))

    def read_files(self, spark: SparkSession, files: list[Landed], decoding: Decoding) -> DataFrame:
        """Rows of the files as they are decoded; nothing is read yet."""
        listed = [(file.path, file.length, file.problem) for file in files]
        if not is_address(self.path):
            size = sum(min(file.length, decoding.max_bytes) for file in files)
            parts = max(min(len(files), max(size // PART_BYTES, spark.sparkContext.defaultParallelism)), 1)
            read = ReadAndDecode(FileReader(self.identity, decoding.max_bytes), decoding.decode)
            return spark.createDataFrame(listed, LISTED).repartition(parts).mapInArrow(read, decoding.schema)
        held = [f"{self.identity}/{file.path}" for file in files if file.length <= decoding.max_bytes]
        large = spark.createDataFrame([row for row in listed if row[1] > decoding.max_bytes], LISTED)
        rows = large.withColumn("content", F.lit(None).cast("binary"))
        if held:
            contents = spark.read.format("binaryFile").option(*_LITERAL).load(held)
            unproblematic = F.lit(None).cast("string").alias("problem")
            rows = rows.unionByName(contents.select(_inside(self.identity), "length", unproblematic, "content"))
        return rows.mapInArrow(decoding.decode, decoding.schema)


@dataclass(frozen=True)
class ReadAndDecode:
    """Reads and decodes on the same worker, so that contents never leave it."""

    read: Callable[[Batches], Iterator[pa.RecordBatch]]
    decode: Callable[[Batches], Iterator[pa.RecordBatch]]

    def __call__(self, batches: Batches) -> Iterator[pa.RecordBatch]:
        """The decoded rows."""
        return self.decode(self.read(batches))


class Pace(NamedTuple):
    """How much of a folder is taken at once, how far back it is looked at, and how often."""

    files_per_batch: int
    max_age_days: int
    """Files older than the newest by more are not looked for."""
    pause_seconds: int = 0
    """0 = take what is there, then return; else look again after so long, for ever."""


class LandingIntake(NamedTuple):
    """A folder that is taken into a lake under a name, and how."""

    store: TableStore
    folder: Folder
    name: str
    """Of the pair of folder and target: after the target was made anew, use another, or what the old one had taken is missing."""
    decoding: Decoding

    def take(self, pace: Pace, run_id: str, body: FileBatch) -> int:
        """Hand every file that is new to ``body`` and return, or go on for ever where there is a pause.

        The files of a batch stand in bronze.landing_files before it is handed over. A batch that was cut off is handed over
        again with the same transaction, so its appends are not repeated; any other write of ``body`` must bear repetition.
        Without that table everything is handed over again, with new transactions. Ctrl-C or SIGTERM ends an endless
        intake after the batch at hand, a second one at once.

        Returns:
            How many batches were handed over.

        Raises:
            ConfigError: no such folder.
        """
        files = self.folder.list_files(self.store.spark)
        if not self.store.has(LANDING_FILES):
            self.store.create(LANDING_FILES)
        self._take_over_checkpoint(run_id)
        handed = self._repeat_last(body)
        with _noting_signals(is_endless=pace.pause_seconds > 0) as is_asked:
            handed += self._take_new(files, pace, run_id, body, is_asked)
            while pace.pause_seconds and not is_asked.wait(pace.pause_seconds):
                handed += self._take_new(self.folder.list_files(self.store.spark), pace, run_id, body, is_asked)
        return handed

    @property
    def _application(self) -> str:
        return f"{self.name}/{self.store.identity(LANDING_FILES)}"

    def _taken(self) -> DataFrame:
        return self.store.read(LANDING_FILES).where(F.col("stream") == self.name)

    def _repeat_last(self, body: FileBatch) -> int:
        """Hand over the last batch again: whoever takes it knows whether it was finished."""
        last = self._taken().agg(F.max("batch").alias("batch")).first()
        if last is None or last["batch"] is None or last["batch"] == BEFORE:
            return 0
        rows = self._taken().where(F.col("batch") == last["batch"]).collect()
        self._hand_over(
            [Landed(row["path"], row["length"], _in_utc(row["modified_at"]), row["problem"]) for row in rows], last["batch"], body
        )
        return 1

    def _take_new(self, files: list[Landed], pace: Pace, run_id: str, body: FileBatch, is_asked: threading.Event) -> int:
        """Hand over the files that were not taken yet, until the end is asked for; how many batches that were."""
        newest = max((file.modified_at for file in files), default=None)
        if newest is None:
            return 0
        since = newest - timedelta(days=pace.max_age_days)
        rows = self._taken().where(F.col("modified_at") >= F.lit(since)).select("path").toArrow()
        taken = set(rows["path"].to_pylist())
        new = [file for file in files if file.modified_at >= since and file.path not in taken]
        last = self._taken().agg(F.max("batch").alias("batch")).first() if new else None
        next_batch = BEFORE + 1 if last is None or last["batch"] is None else last["batch"] + 1
        parts = [new[first : first + pace.files_per_batch] for first in range(0, len(new), pace.files_per_batch)]
        for done, part in enumerate(parts):
            if is_asked.is_set():
                return done
            self._note(part, next_batch + done, run_id)
            self._hand_over(part, next_batch + done, body)
        return len(parts)

    def _note(self, files: list[Landed], batch: int, run_id: str) -> None:
        now = datetime.now(UTC)
        rows = [(self.name, file.path, batch, file.length, file.modified_at, file.problem, run_id, now) for file in files]
        listed = self.store.spark.createDataFrame(rows, struct_type(LANDING_FILES))
        self.store.append(listed, LANDING_FILES, Transaction(self._application, batch))

    def _hand_over(self, files: list[Landed], batch: int, body: FileBatch) -> None:
        body(self.folder.read_files(self.store.spark, files, self.decoding), Transaction(self._application, batch))

    def _take_over_checkpoint(self, run_id: str) -> None:
        """Files that an earlier version of the program took, which remembered them in a checkpoint, count as taken."""
        if not self._taken().isEmpty():
            return
        checkpoint = checkpoint_path(self.store, self.name)
        reader = self.store.spark.read.option(*_LITERAL)
        try:
            entries = reader.text(f"{checkpoint}/sources/0").where(F.col("value").startswith("{")).collect()
            commits = reader.text(f"{checkpoint}/commits").select(F.input_file_name().alias("name")).distinct().collect()
        except AnalysisException:
            return
        done = max((int(row["name"].rpartition("/")[2]) for row in commits if row["name"][-1].isdigit()), default=-1)
        known = [entry for entry in (json.loads(row["value"]) for row in entries) if entry["batchId"] <= done]
        inside = len(urlsplit(self.folder.identity).path.rstrip("/")) + 1
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        files = {unquote(urlsplit(one["path"]).path)[inside:]: epoch + timedelta(milliseconds=one["timestamp"]) for one in known}
        if files:
            self._note([Landed(path, 0, at) for path, at in files.items()], BEFORE, run_id)


@contextmanager
def _noting_signals(*, is_endless: bool) -> Iterator[threading.Event]:
    """Set by the first Ctrl-C or SIGTERM of an endless intake; the second interrupts, as the first does any other."""
    is_asked = threading.Event()

    def note(_number: int, _frame: object) -> None:
        if is_asked.is_set():
            raise KeyboardInterrupt
        is_asked.set()

    is_handled = is_endless and threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, note) for number in ENDING_SIGNALS} if is_handled else {}
    try:
        yield is_asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class FileReader:
    """Reads files below one folder of this machine: rows ``LISTED`` become rows ``READ``."""

    def __init__(self, folder: str, max_bytes: int) -> None:
        """Picklable, so that Spark can send it to its workers."""
        self.folder, self.max_bytes = folder, max_bytes

    def __call__(self, batches: Batches) -> Iterator[pa.RecordBatch]:
        """The rows in order, some megabytes at a time."""
        schema, size = to_arrow_schema(READ), 0
        rows: list[dict[str, object]] = []
        for batch in batches:
            for row in batch.to_pylist():
                row["content"] = None
                if row["problem"] is None and row["length"] <= self.max_bytes:
                    row |= read_file(self.folder, row["source"], self.max_bytes)
                    size += row["length"]
                rows.append(row)
                if size >= BATCH_BYTES:
                    yield pa.RecordBatch.from_pylist(rows, schema)
                    rows, size = [], 0
        if rows:
            yield pa.RecordBatch.from_pylist(rows, schema)


def read_file(folder: str, path: str, max_bytes: int) -> dict[str, object]:
    """Length and content of a file below a folder, or the problem; no link is followed on the way to it."""
    *parents, name = path.split("/")
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for parent in parents:
            inner = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=opened)
            os.close(opened)
            opened = inner
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=opened)
        known = os.fstat(handle)
        if not stat.S_ISREG(known.st_mode):
            os.close(handle)
            return {"problem": KIND, "content": None}
        with os.fdopen(handle, "rb") as file:
            content = file.read(max_bytes + 1)
        is_whole = len(content) <= max_bytes
        return {"length": len(content) if is_whole else known.st_size, "content": content if is_whole else None}
    except OSError as error:
        return {"problem": LINK if error.errno in (ELOOP, ENOTDIR) else UNREADABLE, "content": None}
    finally:
        os.close(opened)


def _list_files(folder: str) -> Iterator[Landed]:
    """The files below a folder of this machine; links are listed and not followed."""
    root = os.fsencode(folder)
    if not os.path.isdir(root):
        raise ConfigError(f"{folder}: no such folder")
    left = [b""]
    while left:
        inner = left.pop()
        try:
            entries = list(os.scandir(os.path.join(root, inner)))
        except OSError:
            yield _describe(inner, os.stat(root), UNREADABLE)
            continue
        for entry in entries:
            path = os.path.join(inner, entry.name)
            if entry.name.startswith((b"_", b".")):
                continue
            known = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(known.st_mode):
                left.append(path)
            elif not stat.S_ISREG(known.st_mode):
                yield _describe(path, known, LINK if stat.S_ISLNK(known.st_mode) else KIND)
            else:
                yield _describe(path, known, None)


def _describe(path: bytes, known: os.stat_result, problem: str | None) -> Landed:
    shown = path.decode("utf-8", "backslashreplace")
    at = datetime.fromtimestamp(known.st_mtime_ns // 1000 / 1_000_000, UTC)
    return Landed(shown, known.st_size, at, problem or (NAME if _UNUSABLE.search(shown) else None))


def _list_remote(spark: SparkSession, address: str) -> list[Landed]:
    """The files below an address, as Spark's file system lists them."""
    reader = spark.read.format("binaryFile").option("recursiveFileLookup", True).option(*_LITERAL)
    try:
        files = reader.load(address).select(_inside(address), "length", "modificationTime")
        rows = files.where(~F.col("source").rlike(IGNORED_NAMES)).collect()
    except AnalysisException as error:
        raise ConfigError(f"{address}: no such folder") from error
    return [Landed(row["source"], row["length"], _in_utc(row["modificationTime"])) for row in rows]


def _inside(folder: str) -> Column:
    """Path of a file inside the folder, as ``source``."""
    return F.col("path").substr(F.instr("path", folder) + len(folder) + 1, F.length("path")).alias("source")


def _in_utc(at: datetime) -> datetime:
    """Spark hands out timestamps without a zone, in the clock of this machine."""
    return at.astimezone(UTC)
