"""Reads a user's intervals into half-hourly days: of a table in memory, or of files, staged so that memory does not grow with them."""

import zlib
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc as arrow_ipc
import pyarrow.parquet as arrow_parquet
from numpy.typing import NDArray

from fmar_spark.errors import ConfigError, ContractError, FmarError, InputError
from fmar_spark.intake.intervals.anomalies import find_anomalies
from fmar_spark.intake.intervals.files import (
    OPTIONAL,
    WANTED,
    InputFile,
    Origin,
    RawBlock,
    check_columns,
    estimate_rows,
    list_columns,
    read_blocks,
)
from fmar_spark.intake.intervals.rows import FAULT_SCHEMA, ROW_SCHEMA, RULES, ReadingRules, build_file_fault, check_rows
from fmar_spark.intake.intervals.series import (
    DAY_SCHEMA,
    Rejected,
    Rows,
    build_days,
    complete_halves,
    drop_duplicates,
    find_coarsest,
    sort_rows,
    split_by_step,
    split_implausible,
    sum_days,
    sum_kwh,
)

ROWS_PER_BUCKET: Final = 3_000_000
MAX_BUCKETS: Final = 256
FAULTS_KEPT: Final = 12
ROUNDING: Final = 1e-6
"""Of energies in single precision, as a share of their sum."""
DAYS_FILE, FAULTS_FILE = "days.parquet", "faults.parquet"


class SeriesFacts(NamedTuple):
    """What the readings say of one series."""

    series_id: str
    source: str
    interval_minutes: int
    first_at: datetime
    last_at: datetime
    has_export: bool
    rows_read: int
    rows_quarantined: int


class Intake(NamedTuple):
    """What was understood of the readings."""

    files: tuple[str, ...]
    series: tuple[SeriesFacts, ...]
    counts: dict[str, int]
    """rows_read = rows_kept + rows_quarantined + rows_duplicate + rows_unread; rows_kept are in the days."""
    kwh: dict[str, float]
    """Import and export together, of all rows with energies: read = held + rejected + repeated."""
    faults_by_rule: dict[str, int]
    first_faults: tuple[str, ...]
    anomalies: dict[str, tuple[str, ...]]
    """Series that show an anomaly, by its name."""


class StagedIntake(NamedTuple):
    """What was understood of files; the days and faults themselves lie in a folder."""

    intake: Intake
    days_path: Path
    """Parquet in the format of ``DAY_SCHEMA``."""
    faults_path: Path
    """Parquet in the format of ``FAULT_SCHEMA``."""


class TableIntake(NamedTuple):
    """What was understood of a table, with the days and faults in memory."""

    intake: Intake
    days: pa.Table
    """Format of ``DAY_SCHEMA``."""
    faults: pa.Table
    """Format of ``FAULT_SCHEMA``."""


class _Tally:
    """Counts while rows pass by, and hands on what is rejected."""

    def __init__(self, keep: Callable[[pa.Table], None]) -> None:
        self.counts: Counter[str] = Counter()
        self.rules: Counter[str] = Counter()
        self.faults_by_series: Counter[str] = Counter()
        self.first_faults: list[str] = []
        self.kwh = dict.fromkeys(("read", "held", "rejected", "repeated"), 0.0)
        self._keep = keep

    def reject(self, faults: pa.Table, rows: int, kwh: float) -> None:
        """Keep the faults; ``rows`` of them are rows left out (a fault of a file, or of one of two energies, is none)."""
        if faults.num_rows == 0:
            return
        self._keep(faults)
        self.counts["rows_quarantined"] += rows
        self.kwh["rejected"] += kwh
        for name, counter in (("rule", self.rules), ("series_id", self.faults_by_series)):
            counted = pc.value_counts(faults[name].combine_chunks()).to_pylist()
            counter.update({entry["values"]: entry["counts"] for entry in counted if entry["values"] is not None})
        for fault in faults.slice(0, max(0, FAULTS_KEPT - len(self.first_faults))).to_pylist():
            self.first_faults.append(f"{fault['source']}: {fault['rule']}: {fault['reason']}")

    def hold(self, rows_kwh: float, days_kwh: float) -> None:
        """Count the energy of days.

        Raises:
            ContractError: it is not the energy of the rows that they were made of.
        """
        if abs(rows_kwh - days_kwh) > ROUNDING * rows_kwh:
            raise ContractError(f"days: {days_kwh:.6f} kWh found, {rows_kwh:.6f} kWh of the rows kept wanted")
        self.kwh["held"] += days_kwh

    def check_balance(self) -> None:
        """Nothing happens where all energy that was read is held, rejected or a repeat.

        Raises:
            ContractError: some is lost, or was made.
        """
        found = self.kwh["held"] + self.kwh["rejected"] + self.kwh["repeated"]
        if abs(found - self.kwh["read"]) > ROUNDING * self.kwh["read"]:
            parts = " + ".join(f"{self.kwh[kind]:.6f} {kind}" for kind in ("held", "rejected", "repeated"))
            raise ContractError(f"readings: {self.kwh['read']:.6f} kWh read, but {parts} found")


class _Combining(NamedTuple):
    """What the rows of whole series are combined with, and where the results go."""

    origins: list[Origin]
    rules: ReadingRules
    tally: _Tally
    keep_days: Callable[[pa.Table], None]
    facts: list[SeriesFacts]
    anomalies: dict[str, list[str]]

    def summarise(self) -> Intake:
        """All that was understood.

        Raises:
            InputError: no usable row.
        """
        if not self.facts:
            first = f" ({self.tally.first_faults[0]})" if self.tally.first_faults else ""
            name = self.origins[0].name + (f" and {len(self.origins) - 1} more" if len(self.origins) > 1 else "")
            raise InputError(f"{name}: no usable row found{first}")
        self.tally.check_balance()
        return Intake(
            tuple(origin.name for origin in self.origins),
            tuple(sorted(self.facts)),
            dict(self.tally.counts),
            dict(self.tally.kwh),
            dict(self.tally.rules),
            tuple(self.tally.first_faults),
            {name: tuple(sorted(found)) for name, found in self.anomalies.items()},
        )


def import_files(files: list[InputFile], staging: Path, rules: ReadingRules) -> StagedIntake:
    """Check every row, sort the good ones into buckets of whole series, and combine each bucket into days.

    A file that cannot be used is rejected by name and the rest goes on.

    Raises:
        ConfigError: the only file lacks a column.
        InputError: the only file cannot be read, or no file holds a single usable row.
    """
    buckets = min(MAX_BUCKETS, 1 + sum(estimate_rows(file) for file in files if _is_readable(file)) // ROWS_PER_BUCKET)
    days_path, faults_path = staging / DAYS_FILE, staging / FAULTS_FILE
    with (
        arrow_parquet.ParquetWriter(faults_path, FAULT_SCHEMA) as faults,
        arrow_parquet.ParquetWriter(days_path, DAY_SCHEMA) as days,
    ):
        tally = _Tally(faults.write_table)
        _sort_into_buckets(files, staging, buckets, rules, tally)
        combining = _Combining([file.origin for file in files], rules, tally, days.write_table, [], {})
        for bucket in range(buckets):
            _combine(_read_bucket(_bucket_path(staging, bucket)), combining)
    return StagedIntake(combining.summarise(), days_path, faults_path)


def import_table(table: pa.Table, rules: ReadingRules, name: str = "readings") -> TableIntake:
    """The same for a table in memory, without a file: ``series_id, timestamp_utc, kwh_import[, kwh_export]``.

    Args:
        table: rows in any order.
        rules: what is assumed of them.
        name: what messages call the table; its rows are counted from 1.

    Raises:
        ConfigError: a column is missing or stands twice.
        InputError: no usable row.
    """
    origin = Origin(name, "row ")
    check_columns(name, WANTED, table.column_names)
    columns = table.select([*WANTED, *(column for column in OPTIONAL if column in table.column_names)])
    faults: list[pa.Table] = [FAULT_SCHEMA.empty_table()]
    days: list[pa.Table] = [DAY_SCHEMA.empty_table()]
    tally = _Tally(faults.append)
    block = RawBlock(columns, np.arange(1, table.num_rows + 1, dtype=np.int64), [])
    combining = _Combining([origin], rules, tally, days.append, [], {})
    _combine(_check_block(block, origin, 0, rules, tally), combining)
    return TableIntake(combining.summarise(), pa.concat_tables(days), pa.concat_tables(faults))


def _is_readable(file: InputFile) -> bool:
    try:
        list_columns(file)
    except InputError:
        return False
    return True


def _bucket_path(staging: Path, bucket: int) -> Path:
    return staging / f"bucket-{bucket:03d}.arrow"


def _read_bucket(path: Path) -> pa.Table:
    with arrow_ipc.open_file(str(path)) as stored:
        table = stored.read_all()
    path.unlink()
    return table


def _sort_into_buckets(files: list[InputFile], staging: Path, buckets: int, rules: ReadingRules, tally: _Tally) -> None:
    schema = ROW_SCHEMA.append(pa.field("file", pa.int64()))
    writers = [arrow_ipc.new_file(str(_bucket_path(staging, bucket)), schema) for bucket in range(buckets)]
    try:
        for number, file in enumerate(files):
            try:
                _sort_file(file, number, writers, rules, tally)
                tally.counts["files_read"] += 1
            except (ConfigError, InputError) as error:
                _reject_file(file, error, tally, is_only=len(files) == 1)
    finally:
        for writer in writers:
            writer.close()


def _reject_file(file: InputFile, error: FmarError, tally: _Tally, *, is_only: bool) -> None:
    """A file among others is rejected and named; the only one there is stops the import."""
    if is_only:
        raise error
    rule = "file_columns" if isinstance(error, ConfigError) else "file_unreadable"
    tally.reject(build_file_fault(file.name, rule, str(error)), 0, 0.0)
    tally.counts["files_rejected"] += 1


def _sort_file(file: InputFile, number: int, writers: list[pa.RecordBatchFileWriter], rules: ReadingRules, tally: _Tally) -> None:
    for block in read_blocks(file):
        rows = _check_block(block, file.origin, number, rules, tally)
        place = _bucket_of(rows["series_id"], len(writers))
        for bucket in np.unique(place):
            writers[bucket].write_table(rows.filter(pa.array(place == bucket)))


def _check_block(block: RawBlock, origin: Origin, number: int, rules: ReadingRules, tally: _Tally) -> pa.Table:
    checked = check_rows(block, origin, rules)
    tally.reject(checked.faults, checked.faults.num_rows, checked.kwh_rejected)
    tally.kwh["read"] += checked.kwh_read
    tally.counts.update({"rows_read": checked.rows, "rows_unread": checked.unread, "rows_naive": checked.naive})
    return checked.kept.append_column("file", pa.array(np.full(checked.kept.num_rows, number)))


def _bucket_of(series: pa.ChunkedArray, buckets: int) -> NDArray[np.int64]:
    coded = pc.dictionary_encode(series.combine_chunks())
    own = np.asarray([zlib.crc32(name.encode()) % buckets for name in coded.dictionary.to_pylist()], dtype=np.int64)
    return own[np.asarray(coded.indices, dtype=np.int64)] if len(own) else np.zeros(0, dtype=np.int64)


def _combine(table: pa.Table, combining: _Combining) -> None:
    """Days and facts of the series whose rows are in the table, and the rows that only the rest of their series shows to be wrong."""
    if table.num_rows == 0:
        return
    tally = combining.tally
    everything = sort_rows(table)
    rejected_before = Counter({name: tally.faults_by_series[name] for name in everything.names})
    unique, repeats, conflicts = drop_duplicates(everything)
    placed, misplaced = split_by_step(unique)
    plausible, implausible = split_implausible(placed, combining.rules.max_kwh_per_slot)
    halves = complete_halves(plausible)
    for rejected in (conflicts, *misplaced, *implausible, halves.without_rest):
        tally.reject(_build_faults(rejected, combining.origins), len(rejected.rows.series), rejected.kwh)
    tally.reject(_build_faults(halves.in_part, combining.origins), 0, halves.in_part.kwh)
    kept = halves.kept
    tally.counts.update({"rows_kept": len(kept.series), "rows_duplicate": len(repeats.series)})
    if len(kept.series) == 0:
        return
    days = build_days(kept)
    tally.hold(sum_kwh(kept), sum_days(days))
    tally.kwh["repeated"] += sum_kwh(repeats)
    zones = tuple(combining.rules.zones.get(name, combining.rules.default_zone) for name in kept.names)
    marks = find_anomalies(kept, conflicts.rows, zones)
    has_rows = np.bincount(kept.series, minlength=len(kept.names)) > 0
    for name, marked in marks.items():
        combining.anomalies.setdefault(name, []).extend(kept.names[at] for at in np.flatnonzero(marked & has_rows))
    combining.keep_days(days)
    combining.facts.extend(_summarise_series(everything, kept, combining, rejected_before))


def _build_faults(rejected: Rejected, origins: list[Origin]) -> pa.Table:
    rows = rejected.rows
    raw = [
        f"{rows.names[series]},{np.datetime64(int(second), 's')}Z,{taken:g}" + ("" if np.isnan(given) else f",{given:g}")
        for series, second, taken, given in zip(rows.series, rows.second, rows.kwh_import, rows.kwh_export, strict=True)
    ]
    return pa.table(
        [
            [origins[number].place(int(line)) for number, line in zip(rows.file, rows.line, strict=True)],
            [rejected.rule] * len(raw),
            [f"{text} found; {RULES[rejected.rule]} wanted" for text in raw],
            raw,
            [rows.names[series] for series in rows.series],
        ],
        schema=FAULT_SCHEMA,
    )


def _summarise_series(everything: Rows, kept: Rows, combining: _Combining, rejected_before: Counter[str]) -> list[SeriesFacts]:
    places = np.arange(len(kept.names))
    starts, ends = np.searchsorted(everything.series, places, "left"), np.searchsorted(everything.series, places, "right")
    firsts, lasts = np.searchsorted(kept.series, places, "left"), np.searchsorted(kept.series, places, "right") - 1
    minutes = find_coarsest(kept)
    exported = np.bincount(kept.series, kept.kwh_export > 0, minlength=len(kept.names))
    found = []
    for series in np.unique(kept.series).tolist():
        name = kept.names[series]
        own = np.unique(everything.file[starts[series] : ends[series]])
        found.append(
            SeriesFacts(
                series_id=name,
                source=combining.origins[own[0]].name + (f" and {len(own) - 1} more" if len(own) > 1 else ""),
                interval_minutes=int(minutes[series]),
                first_at=_time_of(int(kept.second[firsts[series]])),
                last_at=_time_of(int(kept.second[lasts[series]])),
                has_export=bool(exported[series] > 0),
                rows_read=int(ends[series] - starts[series]) + rejected_before[name],
                rows_quarantined=combining.tally.faults_by_series[name],
            )
        )
    return found


def _time_of(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
