"""Reads files of a user's intervals into half-hourly days, staged on disk so that memory does not grow with them."""

import zlib
from collections import Counter
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc as arrow_ipc
import pyarrow.parquet as arrow_parquet
from numpy.typing import NDArray

from fmar_spark.errors import ConfigError, FmarError, InputError
from fmar_spark.intake.intervals.files import InputFile, estimate_rows
from fmar_spark.intake.intervals.formats import Plan, plan_reading
from fmar_spark.intake.intervals.options import ReadingOptions
from fmar_spark.intake.intervals.readings import find_origin, read_readings
from fmar_spark.intake.intervals.rows import FAULT_SCHEMA, ROW_SCHEMA, ReadingRules, build_file_fault
from fmar_spark.intake.intervals.series import DAY_SCHEMA
from fmar_spark.intake.intervals.tables import Combining, Intake, Tally, check_block, combine_series

ROWS_PER_BUCKET: Final = 3_000_000
MAX_BUCKETS: Final = 256
NOTHING_STATED: Final = ReadingOptions()
DAYS_FILE, FAULTS_FILE = "days.parquet", "faults.parquet"


class StagedIntake(NamedTuple):
    """What was understood of files; the days and faults themselves lie in a folder."""

    intake: Intake
    formats: Counter[tuple[str, ...]]
    """How many files are of each format, with what was taken for granted of them."""
    days_path: Path
    """Parquet in the format of ``DAY_SCHEMA``."""
    faults_path: Path
    """Parquet in the format of ``FAULT_SCHEMA``."""


def import_files(files: list[InputFile], staging: Path, rules: ReadingRules, options: ReadingOptions = NOTHING_STATED) -> StagedIntake:
    """Check every row, sort the good ones into buckets of whole series, and combine each bucket into days.

    A file that cannot be used is rejected by name and the rest goes on.

    Raises:
        ConfigError: the columns of the only file cannot be understood.
        InputError: the only file cannot be read, or no file holds a single usable row.
    """
    days_path, faults_path = staging / DAYS_FILE, staging / FAULTS_FILE
    with (
        arrow_parquet.ParquetWriter(faults_path, FAULT_SCHEMA) as faults,
        arrow_parquet.ParquetWriter(days_path, DAY_SCHEMA) as days,
    ):
        tally = Tally(faults.write_table)
        plans = _plan_files(files, options, tally)
        origins = [find_origin(file, plan) if plan else file.origin for file, plan in zip(files, plans, strict=True)]
        combining = Combining(origins, rules, tally, days.write_table, [], {})
        buckets = min(MAX_BUCKETS, 1 + sum(estimate_rows(file) for file, plan in zip(files, plans, strict=True) if plan) // ROWS_PER_BUCKET)
        _sort_into_buckets(files, plans, [_bucket_path(staging, bucket) for bucket in range(buckets)], combining)
        for bucket in range(buckets):
            combine_series(_read_bucket(_bucket_path(staging, bucket)), combining)
    formats = Counter((plan.format, *plan.notes) for plan in plans if plan)
    intake = combining.summarise()._replace(settled=frozenset.intersection(*(frozenset(plan.settled) for plan in plans if plan)))
    return StagedIntake(intake, formats, days_path, faults_path)


def _plan_files(files: list[InputFile], options: ReadingOptions, tally: Tally) -> list[Plan | None]:
    """How each file is read; none for those that cannot be."""
    plans: list[Plan | None] = []
    for file in files:
        try:
            plans.append(plan_reading(file, options))
        except (ConfigError, InputError) as error:
            _reject_file(file, error, tally, is_only=len(files) == 1)
            plans.append(None)
    return plans


def _bucket_path(staging: Path, bucket: int) -> Path:
    return staging / f"bucket-{bucket:03d}.arrow"


def _read_bucket(path: Path) -> pa.Table:
    with arrow_ipc.open_file(str(path)) as stored:
        table = stored.read_all()
    path.unlink()
    return table


def _sort_into_buckets(files: list[InputFile], plans: list[Plan | None], paths: list[Path], combining: Combining) -> None:
    schema = ROW_SCHEMA.append(pa.field("file", pa.int64()))
    writers = [arrow_ipc.new_file(str(path), schema) for path in paths]
    try:
        for number, (file, plan) in enumerate(zip(files, plans, strict=True)):
            if plan is None:
                continue
            try:
                _sort_file(file, plan, number, writers, combining)
                combining.tally.counts["files_read"] += 1
            except (ConfigError, InputError) as error:
                _reject_file(file, error, combining.tally, is_only=len(files) == 1)
    finally:
        for writer in writers:
            writer.close()


def _reject_file(file: InputFile, error: FmarError, tally: Tally, *, is_only: bool) -> None:
    """A file among others is rejected and named; the only one there is stops the import."""
    if is_only:
        raise error
    rule = "file_columns" if isinstance(error, ConfigError) else "file_unreadable"
    tally.reject(build_file_fault(file.name, rule, str(error)), 0, 0.0)
    tally.counts["files_rejected"] += 1


def _sort_file(file: InputFile, plan: Plan, number: int, writers: list[pa.RecordBatchFileWriter], combining: Combining) -> None:
    for block in read_readings(file, plan):
        rows = check_block(block, number, plan.reading, combining)
        if len(writers) == 1:
            writers[0].write_table(rows)
            continue
        place = _bucket_of(rows["series_id"], len(writers))
        for bucket in np.unique(place):
            writers[bucket].write_table(rows.filter(pa.array(place == bucket)))


def _bucket_of(series: pa.ChunkedArray, buckets: int) -> NDArray[np.int64]:
    coded = pc.dictionary_encode(series.combine_chunks())
    own = np.asarray([zlib.crc32(name.encode()) % buckets for name in coded.dictionary.to_pylist()], dtype=np.int64)
    return own[np.asarray(coded.indices, dtype=np.int64)] if len(own) else np.zeros(0, dtype=np.int64)
