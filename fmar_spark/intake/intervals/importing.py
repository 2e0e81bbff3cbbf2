"""Takes in a user's intervals, file by file and then series by series, into staged Parquet: memory does not grow with the folder."""

import zlib
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc as arrow_ipc
import pyarrow.parquet as arrow_parquet
from numpy.typing import NDArray

from fmar_spark.errors import ConfigError, FmarError, InputError
from fmar_spark.intake.intervals.days import (
    DAY_SCHEMA,
    Refused,
    Rows,
    drop_duplicates,
    fold_days,
    infer_steps,
    sort_rows,
    split_by_step,
    split_spikes,
)
from fmar_spark.intake.intervals.files import InputFile, estimate_rows, list_columns, read_blocks
from fmar_spark.intake.intervals.rows import FAULT_SCHEMA, ROW_SCHEMA, RULES, judge_rows, tell_file_fault
from fmar_spark.intake.intervals.signs import notice_signs

ROWS_PER_BUCKET: Final = 3_000_000
MAX_BUCKETS: Final = 256
DAYS_FILE, FAULTS_FILE = "days.parquet", "faults.parquet"


class SeriesFacts(NamedTuple):
    """What the files say of one series."""

    series_id: str
    source: str
    interval_minutes: int
    first_at: datetime
    last_at: datetime
    has_export: bool
    rows_read: int
    rows_quarantined: int


class Intake(NamedTuple):
    """Everything that was understood of the files; the days and faults themselves lie in the staging folder."""

    staging: Path
    files: tuple[str, ...]
    series: tuple[SeriesFacts, ...]
    counts: dict[str, int]
    """rows_read = rows_kept + rows_quarantined + rows_duplicate + rows_unread."""
    faults_by_rule: dict[str, int]
    first_faults: tuple[str, ...]
    signs: dict[str, tuple[str, ...]]
    """Series that bear a sign, by sign."""

    @property
    def days_path(self) -> Path:
        """Day rows."""
        return self.staging / DAYS_FILE

    @property
    def faults_path(self) -> Path:
        """Refused rows."""
        return self.staging / FAULTS_FILE


class _Tally:
    """Counts while files and series pass by, and writes what is refused."""

    def __init__(self, staging: Path) -> None:
        self.counts: Counter[str] = Counter()
        self.rules: Counter[str] = Counter()
        self.faults_by_series: Counter[str] = Counter()
        self.first_faults: list[str] = []
        self._writer = arrow_parquet.ParquetWriter(staging / FAULTS_FILE, FAULT_SCHEMA)

    def refuse(self, faults: pa.Table, rows: int) -> None:
        """Keep the faults; ``rows`` of them are rows (a fault of a whole file or series is not one row)."""
        if faults.num_rows == 0:
            return
        self._writer.write_table(faults)
        self.counts["rows_quarantined"] += rows
        for name, counter in (("rule", self.rules), ("series_id", self.faults_by_series)):
            counted = pc.value_counts(faults[name].combine_chunks()).to_pylist()
            counter.update({entry["values"]: entry["counts"] for entry in counted if entry["values"] is not None})
        for fault in faults.slice(0, max(0, 12 - len(self.first_faults))).to_pylist():
            self.first_faults.append(f"{fault['source']}: {fault['rule']}: {fault['reason']}")

    def close(self) -> None:
        """Finish the file of faults."""
        self._writer.close()


class _Folding(NamedTuple):
    """What every bucket is folded with, and where its results go."""

    files: list[InputFile]
    zones: Mapping[str, str]
    default_zone: str
    max_kwh_per_slot: float
    tally: _Tally
    days: arrow_parquet.ParquetWriter
    signs: dict[str, list[str]]


def take_in(files: list[InputFile], staging: Path, zones: Mapping[str, str], default_zone: str, max_kwh_per_slot: float) -> Intake:
    """Judge every row, sort the good ones into buckets of whole series, and fold each bucket into days.

    A file that cannot be used is refused by name and the rest goes on.

    Raises:
        ConfigError: the only file lacks a column.
        InputError: the only file cannot be read, or no file holds a single usable row.
    """
    tally = _Tally(staging)
    buckets = min(MAX_BUCKETS, 1 + sum(estimate_rows(file) for file in files if _is_readable(file)) // ROWS_PER_BUCKET)
    try:
        _sort_into_buckets(files, staging, buckets, max_kwh_per_slot, tally)
        facts: list[SeriesFacts] = []
        signs: dict[str, list[str]] = {}
        with arrow_parquet.ParquetWriter(staging / DAYS_FILE, DAY_SCHEMA) as days:
            folding = _Folding(files, zones, default_zone, max_kwh_per_slot, tally, days, signs)
            for bucket in range(buckets):
                facts += _fold_bucket(_bucket_path(staging, bucket), folding)
    finally:
        tally.close()
    if not facts:
        first = f" ({tally.first_faults[0]})" if tally.first_faults else ""
        raise InputError(f"{files[0].path if len(files) == 1 else files[0].path.parent}: no usable row found{first}")
    return Intake(
        staging,
        tuple(file.name for file in files),
        tuple(sorted(facts)),
        dict(tally.counts),
        dict(tally.rules),
        tuple(tally.first_faults),
        {name: tuple(sorted(found)) for name, found in signs.items()},
    )


def _is_readable(file: InputFile) -> bool:
    try:
        list_columns(file)
    except InputError:
        return False
    return True


def _bucket_path(staging: Path, bucket: int) -> Path:
    return staging / f"bucket-{bucket:03d}.arrow"


def _sort_into_buckets(files: list[InputFile], staging: Path, buckets: int, max_kwh_per_slot: float, tally: _Tally) -> None:
    schema = ROW_SCHEMA.append(pa.field("file", pa.int64()))
    writers = [arrow_ipc.new_file(str(_bucket_path(staging, bucket)), schema) for bucket in range(buckets)]
    try:
        for number, file in enumerate(files):
            try:
                _sort_file(file, number, writers, max_kwh_per_slot, tally)
                tally.counts["files_read"] += 1
            except (ConfigError, InputError) as error:
                _refuse_file(file, error, tally, is_only=len(files) == 1)
    finally:
        for writer in writers:
            writer.close()


def _refuse_file(file: InputFile, error: FmarError, tally: _Tally, *, is_only: bool) -> None:
    """A file among others is refused and named; the only one there is stops the import."""
    if is_only:
        raise error
    rule = "file_columns" if isinstance(error, ConfigError) else "file_unreadable"
    tally.refuse(tell_file_fault(file, rule, str(error)), 0)
    tally.counts["files_refused"] += 1


def _sort_file(file: InputFile, number: int, writers: list[pa.RecordBatchFileWriter], max_kwh_per_slot: float, tally: _Tally) -> None:
    for block in read_blocks(file):
        judged = judge_rows(block, file, max_kwh_per_slot)
        tally.refuse(judged.faults, judged.faults.num_rows)
        tally.counts.update({"rows_read": judged.rows, "rows_unread": judged.unread, "rows_naive": judged.naive})
        rows = judged.kept.append_column("file", pa.array(np.full(judged.kept.num_rows, number)))
        place = _bucket_of(rows["series_id"], len(writers))
        for bucket in np.unique(place):
            writers[bucket].write_table(rows.filter(pa.array(place == bucket)))


def _bucket_of(series: pa.ChunkedArray, buckets: int) -> NDArray[np.int64]:
    coded = pc.dictionary_encode(series.combine_chunks())
    own = np.asarray([zlib.crc32(name.encode()) % buckets for name in coded.dictionary.to_pylist()], dtype=np.int64)
    return own[np.asarray(coded.indices, dtype=np.int64)] if len(own) else np.zeros(0, dtype=np.int64)


def _fold_bucket(path: Path, folding: _Folding) -> list[SeriesFacts]:
    with arrow_ipc.open_file(str(path)) as stored:
        table = stored.read_all()
    path.unlink()
    if table.num_rows == 0:
        return []
    tally = folding.tally
    everything = sort_rows(table)
    refused_before = Counter({name: tally.faults_by_series[name] for name in everything.names})
    unique, repeats, conflicts = drop_duplicates(everything)
    steps = infer_steps(unique)
    on_grid, unsupported, beside = split_by_step(unique, steps)
    kept, spikes, above = split_spikes(on_grid, steps, folding.max_kwh_per_slot)
    for refused in (conflicts, unsupported, beside, spikes, above):
        tally.refuse(_tell_refused(refused, folding.files), len(refused.rows.series))
    tally.counts.update({"rows_kept": len(kept.series), "rows_duplicate": len(repeats.series)})
    if len(kept.series) == 0:
        return []
    marks = notice_signs(kept, conflicts.rows, steps, tuple(folding.zones.get(name, folding.default_zone) for name in kept.names))
    has_rows = np.bincount(kept.series, minlength=len(kept.names)) > 0
    for name, marked in marks.items():
        folding.signs.setdefault(name, []).extend(kept.names[at] for at in np.flatnonzero(marked & has_rows))
    folding.days.write_table(fold_days(kept, steps))
    return _tell_series(everything, kept, steps.minutes, folding, refused_before)


def _tell_refused(refused: Refused, files: list[InputFile]) -> pa.Table:
    rows = refused.rows
    raw = [
        f"{rows.names[series]},{np.datetime64(int(second), 's')}Z,{taken:g}" + ("" if np.isnan(given) else f",{given:g}")
        for series, second, taken, given in zip(rows.series, rows.second, rows.kwh_import, rows.kwh_export, strict=True)
    ]
    return pa.table(
        [
            [files[number].place(int(line)) for number, line in zip(rows.file, rows.line, strict=True)],
            [refused.rule] * len(raw),
            [f"{text} found; {RULES[refused.rule]} wanted" for text in raw],
            raw,
            [rows.names[series] for series in rows.series],
        ],
        schema=FAULT_SCHEMA,
    )


def _tell_series(
    everything: Rows, kept: Rows, minutes: NDArray[np.int64], folding: _Folding, refused_before: Counter[str]
) -> list[SeriesFacts]:
    places = np.arange(len(kept.names))
    starts, ends = np.searchsorted(everything.series, places, "left"), np.searchsorted(everything.series, places, "right")
    firsts, lasts = np.searchsorted(kept.series, places, "left"), np.searchsorted(kept.series, places, "right") - 1
    exported = np.bincount(kept.series, kept.kwh_export > 0, minlength=len(kept.names))
    found = []
    for series in np.unique(kept.series).tolist():
        name = kept.names[series]
        own = np.unique(everything.file[starts[series] : ends[series]])
        found.append(
            SeriesFacts(
                series_id=name,
                source=folding.files[own[0]].name + (f" and {len(own) - 1} more" if len(own) > 1 else ""),
                interval_minutes=int(minutes[series]),
                first_at=_time_of(int(kept.second[firsts[series]])),
                last_at=_time_of(int(kept.second[lasts[series]])),
                has_export=bool(exported[series] > 0),
                rows_read=int(ends[series] - starts[series]) + refused_before[name],
                rows_quarantined=folding.tally.faults_by_series[name],
            )
        )
    return found


def _time_of(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
