"""Turns rows into half-hourly days, a table of whole series at a time; here of a table in memory."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.domain.figures import write_count
from fmar_spark.errors import ContractError, InputError
from fmar_spark.intake.intervals.absent import Absent, describe_absent
from fmar_spark.intake.intervals.anomalies import Coverage, Repeats, find_anomalies, find_coverage, read_walls
from fmar_spark.intake.intervals.options import OPTIONAL, WANTED
from fmar_spark.intake.intervals.rows import (
    FAULT_SCHEMA,
    Origin,
    RawBlock,
    Reading,
    ReadingRules,
    check_columns,
    check_rows,
    describe_rule,
    write_fault,
)
from fmar_spark.intake.intervals.series import (
    DAY_SCHEMA,
    SLOT_SECONDS,
    Rejected,
    Rows,
    build_days,
    complete_halves,
    drop_duplicates,
    find_coarsest,
    sort_rows,
    split_by_step,
    split_implausible,
    split_totals,
    sum_days,
    sum_kwh,
)
from fmar_spark.intake.intervals.values import NAIVE
from fmar_spark.kernels.annual_energy import AnnualEnergy, estimate_annual_energy
from fmar_spark.units import SLOT_MINUTES

FAULTS_KEPT: Final = 12
AS_IT_STANDS: Final = Reading()
ROUNDING: Final = 1e-6
"""Of energies in single precision, as a share of their sum."""


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
    days: int
    """Local days with at least half of their half-hours read."""
    kwh_import: float
    kwh_export: float
    annual: AnnualEnergy
    """Import of a year, by the local clock."""


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
    notices: tuple[str, ...] = ()
    """What is odd about whole files, a line each."""
    settled: frozenset[str] = frozenset()
    """Options of which the files leave nothing open."""


class Clocked(NamedTuple):
    """Rows with the time that the clock of their series showed at their start, counted in seconds as if it were UTC."""

    rows: Rows
    wall: NDArray[np.int64]


class TableIntake(NamedTuple):
    """What was understood of a table, with the days and faults in memory."""

    intake: Intake
    days: pa.Table
    """Format of ``DAY_SCHEMA``."""
    faults: pa.Table
    """Format of ``FAULT_SCHEMA``."""


class Tally:
    """Counts while rows pass by, and hands on what is rejected."""

    def __init__(self, keep: Callable[[pa.Table], None]) -> None:
        self.counts: Counter[str] = Counter()
        self.rules: Counter[str] = Counter()
        self.faults_by_series: Counter[str] = Counter()
        self.first_faults: list[str] = []
        self.absent: list[Absent] = []
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
            self.first_faults.append(" ".join(f"{fault['source']}: {fault['rule']}: {fault['reason']}".splitlines()))

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


class Combining(NamedTuple):
    """What the rows of whole series are combined with, and where the results go."""

    origins: list[Origin]
    rules: ReadingRules
    tally: Tally
    keep_days: Callable[[pa.Table], None]
    facts: list[SeriesFacts]
    anomalies: dict[str, list[str]]

    def _explain(self) -> str:
        """Why nothing can be used."""
        if self.tally.first_faults:
            return self.tally.first_faults[0]
        unread = self.tally.counts["rows_unread"]
        return f"{write_count(unread, 'row')} without a number of kWh" if unread else "it has no rows"

    def summarise(self) -> Intake:
        """All that was understood.

        Raises:
            InputError: no usable row.
        """
        if not self.facts:
            name = self.origins[0].name + (f" and {len(self.origins) - 1} more" if len(self.origins) > 1 else "")
            raise InputError(f"{name}: no usable row found ({self._explain()})")
        self.tally.check_balance()
        return Intake(
            tuple(origin.name for origin in self.origins),
            tuple(sorted(self.facts)),
            dict(self.tally.counts),
            dict(self.tally.kwh),
            dict(self.tally.rules),
            tuple(self.tally.first_faults),
            {name: tuple(sorted(found)) for name, found in self.anomalies.items()},
            describe_absent(self.tally.absent),
        )


def import_table(table: pa.Table, rules: ReadingRules, reading: Reading = AS_IT_STANDS, name: str = "readings") -> TableIntake:
    """Half-hourly days of a table in memory with ``series_id, timestamp_utc, kwh_import[, kwh_export]``, and what was found wrong with it.

    Args:
        table: rows in any order.
        rules: what is assumed of the series.
        reading: what times and numbers mean.
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
    tally = Tally(faults.append)
    block = RawBlock(columns, np.arange(1, table.num_rows + 1, dtype=np.int64), [])
    combining = Combining([origin], rules, tally, days.append, [], {})
    combine_series(check_block(block, 0, reading, combining), combining)
    return TableIntake(combining.summarise(), pa.concat_tables(days), pa.concat_tables(faults))


def check_block(block: RawBlock, number: int, reading: Reading, combining: Combining) -> pa.Table:
    """The rows of a block that can be used, with the number of their file among the origins; the others are counted and kept as faults."""
    tally = combining.tally
    checked = check_rows(block, combining.origins[number], combining.rules, reading)
    tally.reject(checked.faults, checked.faults.num_rows, checked.kwh_rejected)
    tally.absent += block.absent
    tally.kwh["read"] += checked.kwh_read
    tally.counts.update({"rows_read": checked.rows, "rows_unread": checked.unread})
    return checked.kept.append_column("file", pa.array(np.full(checked.kept.num_rows, number)))


def combine_series(table: pa.Table, combining: Combining) -> None:
    """Days and facts of the series whose rows are in the table, and the rows that only the rest of their series shows to be wrong."""
    if table.num_rows == 0:
        return
    tally = combining.tally
    everything = sort_rows(table)
    rejected_before = Counter({name: tally.faults_by_series[name] for name in everything.names})
    unique, repeats, conflicts = drop_duplicates(everything)
    tally.kwh["repeated"] += sum_kwh(repeats)
    tally.counts["rows_naive"] += int(((everything.marks & NAIVE) != 0).sum())
    energies, totals = split_totals(unique)
    placed, misplaced = split_by_step(energies)
    plausible, implausible = split_implausible(placed, combining.rules.max_kwh_per_slot)
    halves = complete_halves(plausible)
    for rejected in (conflicts, *totals, *misplaced, *implausible, halves.without_rest):
        tally.reject(_build_faults(rejected, combining), len(rejected.rows.series), rejected.kwh)
    tally.reject(_build_faults(halves.in_part, combining), 0, halves.in_part.kwh)
    kept = halves.kept
    tally.counts.update({"rows_kept": len(kept.series), "rows_duplicate": len(repeats.series)})
    tally.kwh["read"] += sum_kwh(placed) + sum(rejected.kwh for rejected in misplaced) - sum_kwh(unique)
    if len(kept.series) == 0:
        return
    days = build_days(kept)
    tally.hold(sum_kwh(kept), sum_days(days))
    zones = tuple(combining.rules.zones.get(name, combining.rules.default_zone) for name in kept.names)
    clocks = read_walls(kept, zones)
    marks = find_anomalies(kept, Repeats(repeats, conflicts.rows), zones, clocks)
    has_rows = np.bincount(kept.series, minlength=len(kept.names)) > 0
    for name, marked in marks.items():
        combining.anomalies.setdefault(name, []).extend(kept.names[at] for at in np.flatnonzero(marked & has_rows))
    combining.keep_days(days)
    combining.facts.extend(_summarise_series(everything, Clocked(kept, clocks), find_coverage(kept, clocks), combining, rejected_before))


def _build_faults(rejected: Rejected, combining: Combining) -> pa.Table:
    rows, wanted = rejected.rows, describe_rule(rejected.rule, combining.rules)
    raw = [
        f"{rows.names[series]},{np.datetime64(int(second), 's')}Z,{taken:.7g}" + ("" if np.isnan(given) else f",{given:.7g}")
        for series, second, taken, given in zip(rows.series, rows.second, rows.kwh_import, rows.kwh_export, strict=True)
    ]
    return pa.table(
        [
            [combining.origins[number].place(int(line)) for number, line in zip(rows.file, rows.line, strict=True)],
            [rejected.rule] * len(raw),
            [write_fault(text, wanted) for text in raw],
            raw,
            [rows.names[series] for series in rows.series],
        ],
        schema=FAULT_SCHEMA,
    )


def _summarise_series(
    everything: Rows, clocked: Clocked, coverage: Coverage, combining: Combining, rejected_before: Counter[str]
) -> list[SeriesFacts]:
    kept = clocked.rows
    places = np.arange(len(kept.names))
    starts, ends = np.searchsorted(everything.series, places, "left"), np.searchsorted(everything.series, places, "right")
    firsts, lasts = np.searchsorted(kept.series, places, "left"), np.searchsorted(kept.series, places, "right") - 1
    minutes = find_coarsest(kept)
    taken, given = (np.bincount(kept.series, np.nan_to_num(kwh), len(kept.names)) for kwh in (kept.kwh_import, kept.kwh_export))
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
                has_export=bool(given[series] > 0),
                rows_read=int(ends[series] - starts[series]) + rejected_before[name],
                rows_quarantined=combining.tally.faults_by_series[name],
                days=int(coverage.days[series]),
                kwh_import=float(taken[series]),
                kwh_export=float(given[series]),
                annual=estimate_annual_energy(*_arrange_days(clocked, slice(firsts[series], lasts[series] + 1))),
            )
        )
    return found


def _arrange_days(clocked: Clocked, own: slice) -> tuple[NDArray[np.float64], date]:
    """Import of one series by local day and half-hour, kWh, shape (days, 48), NaN where not wholly read; and the first day.

    Of an hour that comes twice the mean stands.
    """
    is_read = ~np.isnan(clocked.rows.kwh_import[own])
    kwh, minutes = clocked.rows.kwh_import[own][is_read], clocked.rows.minutes[own][is_read]
    slot = clocked.wall[own][is_read] // SLOT_SECONDS
    is_hour = minutes > SLOT_MINUTES
    energy = np.where(is_hour, kwh / 2, kwh)
    slots = np.concatenate([slot, slot[is_hour] + 1])
    first = int(slots.min()) // SLOTS_PER_DAY if slots.size else 0
    size = (int(slots.max()) // SLOTS_PER_DAY - first + 1) * SLOTS_PER_DAY if slots.size else 0
    place = slots - first * SLOTS_PER_DAY
    total = np.bincount(place, np.concatenate([energy, energy[is_hour]]), size)
    share = np.bincount(place, np.concatenate([np.minimum(minutes / SLOT_MINUTES, 1), np.ones(is_hour.sum())]), size)
    days = np.where(share > 1 - ROUNDING, total / np.maximum(share, 1), np.nan).reshape(-1, SLOTS_PER_DAY)
    return days, date(1970, 1, 1) + timedelta(days=first)


def _time_of(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
