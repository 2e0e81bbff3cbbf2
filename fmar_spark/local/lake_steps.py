"""The steps that a user's own files go through, on tables of a small lake and without Spark: each does what the step of its name does."""

import hashlib
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as arrow_parquet

from fmar_spark import clock
from fmar_spark.contracts.capability import BASELINE_PREDICTIONS
from fmar_spark.contracts.operations import QUARANTINE
from fmar_spark.contracts.profiles import METER_PROFILES
from fmar_spark.contracts.readings import INTERVAL_IMPORTS, LABELS, LEGAL_BASES, METER_POINTS, READING_VERSIONS, READINGS, SERIES, WEATHER
from fmar_spark.domain.consent import METER_ATTRIBUTES, OBJECTIONS, ConsentState, Purpose
from fmar_spark.domain.mpan import assign_mpans, is_mpan
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.engine.lake_sql import LakeRows
from fmar_spark.engine.lake_writer import LakeWriter, conform_rows, has_key, last_of_each
from fmar_spark.engine.runs import Run, Written
from fmar_spark.errors import ConfigError
from fmar_spark.intake.intervals.importing import StagedIntake
from fmar_spark.intake.intervals.series_rows import Surroundings, build_series_row, is_same_row
from fmar_spark.intake.readings_fold import fold_chunk
from fmar_spark.local.meter_days import describe_days, list_meters
from fmar_spark.local.passes import Histories, predict_meter_days, profile_meters
from fmar_spark.profiling.projections import PROJECTIONS
from fmar_spark.profiling.verdicts import Scorer
from fmar_spark.profiling.windows import build_weather_book
from fmar_spark.settings.sections import Settings

DAY_KEY: Final = ("mpan_id", "utc_date", "quantity")
VERSION_KEY: Final = ("version_id", "utc_date", "quantity")
LAST_DAYS: Final = 7
"""Days up to the newest of each meter that are predicted, and one more: the day after it."""
_ELIGIBLE: Final = (
    f"SELECT mpan_id, utc_date, quantity, kwh, {', '.join(METER_ATTRIBUTES)} FROM eligible_readings "
    "WHERE utc_date BETWEEN $since AND $until"
)


def load_weather(lake: LakeWriter, days: pa.Table, rows_ignored: int) -> Written:
    """The days stand in silver.weather."""
    lake.merge(days, WEATHER)
    return Written({"days": days.num_rows, "rows_ignored": rows_ignored}, days.num_rows, rows_ignored)


def import_intervals(lake: LakeWriter, run: Run, staged: StagedIntake, surroundings: Surroundings) -> Written:
    """The days of the intake stand in bronze.interval_imports, once; its series in silver.series; its faults in bronze.quarantine."""
    intake = staged.intake
    known = {row["series_id"]: row for row in lake.read(SERIES).to_pylist()}
    facts = {fact.series_id: fact for fact in intake.series}
    mpan_ids = assign_mpans(facts, {name: row["mpan_id"] for name, row in known.items()})
    rows = [build_series_row(fact, mpan_ids[name], known.get(name), surroundings, run.started_at) for name, fact in facts.items()]
    changed = [row for row in rows if not is_same_row(row, known.get(str(row["series_id"])))]
    lake.merge(pa.Table.from_pylist(changed, schema=arrow_schema(SERIES)), SERIES)
    days = _name_meters(arrow_parquet.read_table(staged.days_path), mpan_ids)
    added = _append_days(lake, days.append_column("imported_at", _repeat(run.started_at, days.num_rows)))
    if intake.faults_by_rule:
        lake.insert_new(_build_faults(arrow_parquet.read_table(staged.faults_path), mpan_ids, run), QUARANTINE)
    counts = {**intake.counts, "series": len(facts), "series_changed": len(changed), "days_added": added}
    counts |= {f"rule_{name}": count for name, count in intake.faults_by_rule.items()}
    return Written(counts, intake.counts.get("rows_kept", 0), intake.counts.get("rows_quarantined", 0))


def record_legal_basis(lake: LakeWriter, run: Run, series_ids: Iterable[str], basis: str, source: str) -> Written:
    """The series have that legal basis from the beginning, without an end, unless it was ended; an equal one keeps its recording time."""
    wanted = set(series_ids)
    mpan_ids = [row["mpan_id"] for row in lake.read(SERIES).select(["series_id", "mpan_id"]).to_pylist() if row["series_id"] in wanted]
    recorded = {row["mpan_id"]: row for row in lake.read(LEGAL_BASES).to_pylist()}
    granted = {"basis": basis, "state": ConsentState.GRANTED.value, "source": source, "valid_from_date": None, "valid_to_date": None}
    is_ended = {mpan for mpan, row in recorded.items() if row["valid_to_date"] is not None or row["state"] in OBJECTIONS}
    changed = [mpan for mpan in mpan_ids if mpan not in is_ended and granted.items() - recorded.get(mpan, {}).items()]
    rows = [{"mpan_id": mpan, "purpose": Purpose.ANY.value, **granted, "recorded_at": run.started_at} for mpan in changed]
    lake.merge(pa.Table.from_pylist(rows, schema=arrow_schema(LEGAL_BASES)), LEGAL_BASES)
    return Written({"meters": len(mpan_ids)}, len(mpan_ids))


def load_labels(lake: LakeWriter, labels: pa.Table) -> Written:
    """The labels stand in silver.labels; a label names a series that was imported, or else an MPAN."""
    series = lake.read(SERIES).select(["series_id", "mpan_id"]).to_pylist()
    mpan_of = {row["series_id"]: row["mpan_id"] for row in series}
    mpan_ids = [mpan_of.get(name) or (name if is_mpan(name) else None) for name in labels["series_id"].to_pylist()]
    named = labels.append_column("mpan_id", pa.array(mpan_ids, pa.string()))
    kept = named.filter(pc.is_valid(named["mpan_id"]))
    lake.merge(kept, LABELS)
    unknown = labels.num_rows - kept.num_rows
    return Written({"labels": kept.num_rows, "labels_of_unknown_series": unknown}, kept.num_rows, unknown)


def build_readings(lake: LakeWriter) -> Written:
    """Every import stands in silver.reading_versions, once; silver.readings hold the newest value of every half-hour."""
    imports = lake.read(INTERVAL_IMPORTS)
    moments = imports["imported_at"].cast(pa.int64()).cast(pa.string())
    version_ids = pc.binary_join_element_wise("import", imports["mpan_id"], moments, ":")
    reported = imports.append_column("version_id", version_ids).append_column("reported_at", imports["imported_at"])
    before = lake.read(READING_VERSIONS)
    new = conform_rows(reported, arrow_schema(READING_VERSIONS))
    new = new.filter(pa.array(~has_key(new, before, VERSION_KEY)))
    older = before.filter(pa.array(has_key(before, new, DAY_KEY)))
    touched = pa.concat_tables([older, new])
    folded = pa.Table.from_batches(fold_chunk(touched) if touched.num_rows else (), schema=arrow_schema(READINGS))
    # In this order: versions that are there were folded, wherever the run before was cut off.
    lake.merge(folded, READINGS)
    lake.append(new, READING_VERSIONS)
    series = lake.read(SERIES)
    own = {"source": _repeat("import", series.num_rows), "boundary_mpan_id": series["mpan_id"], "reported_at": series["imported_at"]}
    points = series.drop_columns("source")
    for name, values in own.items():
        points = points.append_column(name, values)
    lake.merge(points, METER_POINTS)
    return Written({"meter_days_reported": new.num_rows, "meter_days_changed": folded.num_rows}, rows_kept=new.num_rows)


def characterise(lake: LakeWriter, run: Run, settings: Settings, scorer: Scorer) -> Written:
    """Every meter that passes the consent check has its profile, and its rows in the tables that are projections of it."""
    until = find_newest_day(lake, run.started_at.date())
    profiles = profile_meters(read_histories(lake, run, until), scorer, settings, run.run_id, until)
    lake.overwrite(profiles, METER_PROFILES)
    for contract, project in PROJECTIONS:
        lake.overwrite(project(profiles), contract)
    return Written({"meters": profiles.num_rows}, rows_kept=profiles.num_rows)


def predict_baseline(lake: LakeWriter, run: Run, settings: Settings) -> Written:
    """The last week of every meter's readings and the day after it stand in gold.baseline_predictions, each from the days before it.

    Meters that may no longer be examined leave the table.
    """
    histories = read_histories(lake, run, find_newest_day(lake, run.started_at.date()))
    newest = histories.days.group_by("mpan_id").aggregate([("utc_date", "max")]).to_pylist()
    wanted = [(row["mpan_id"], row["utc_date_max"] + timedelta(days=day)) for row in newest for day in range(1 - LAST_DAYS, 2)]
    rows = predict_meter_days(histories, wanted, settings, run.run_id)
    lake.merge(rows, BASELINE_PREDICTIONS)
    forgotten = lake.keep_only(histories.days["mpan_id"], BASELINE_PREDICTIONS)
    return Written({"half_hours": rows.num_rows, "half_hours_forgotten": forgotten}, rows_kept=rows.num_rows)


def find_newest_day(lake: LakeWriter, until_date: date) -> date:
    """The newest UTC day in silver.readings that is not after ``until_date``.

    Raises:
        ConfigError: there are no readings.
    """
    days = lake.read(READINGS)["utc_date"]
    newest = pc.max(days.filter(pc.and_(pc.greater_equal(days, clock.FIRST_DAY), pc.less_equal(days, until_date)))).as_py()
    if newest is None:
        raise ConfigError(f"{READINGS.full_name}: no readings up to {until_date}; fmar import brings some")
    found: date = newest
    return found


def read_histories(lake: LakeWriter, run: Run, until: date) -> Histories:
    """The meter-days up to a day of the meters that pass the consent check on the day of the run, and the weather."""
    rows = LakeRows(lake.root, checked_on=run.started_at.date())
    lake.versions_read.update(rows.versions)
    days = rows.read(_ELIGIBLE, since=clock.FIRST_DAY, until=until)
    return Histories(describe_days(days, list_meters(days)), build_weather_book(lake.read(WEATHER)))


def _append_days(lake: LakeWriter, days: pa.Table) -> int:
    """Add the days whose values are not those of the newest import; the number of rows added."""
    newest = last_of_each(lake.read(INTERVAL_IMPORTS), DAY_KEY, "imported_at")
    new = days.filter(pa.array(~has_key(days, newest, (*DAY_KEY, "content_hash"))))
    lake.append(new, INTERVAL_IMPORTS)
    return int(new.num_rows)


def _build_faults(faults: pa.Table, mpan_ids: dict[str, str], run: Run) -> pa.Table:
    named = _name_meters(faults, mpan_ids)
    given = zip(*(named[name].to_pylist() for name in ("source", "rule", "raw")), strict=True)
    digests = [hashlib.sha256("\x1f".join((source, rule, raw or "")).encode()).hexdigest() for source, rule, raw in given]
    moment = {"quarantine_id": pa.array(digests, pa.string()), "run_id": _repeat(run.run_id, len(digests))}
    for name, values in {**moment, "quarantined_at": _repeat(run.started_at, len(digests))}.items():
        named = named.append_column(name, values)
    return named


def _name_meters(rows: pa.Table, mpan_ids: dict[str, str]) -> pa.Table:
    """The rows with the MPAN of their series, null where the series is none of these."""
    return rows.append_column("mpan_id", pa.array([mpan_ids.get(name) for name in rows["series_id"].to_pylist()], pa.string()))


def _repeat(value: Any, rows: int) -> pa.Array:
    return pa.repeat(pa.scalar(value), rows)
