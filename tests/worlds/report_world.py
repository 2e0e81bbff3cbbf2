"""A lake of seven meters, written without Spark unless given another way: each table's rows are here to be read."""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from deltalake import write_deltalake
from plain_columns import plain_schema

from fmar_spark.contracts.capability import ASSET_CHANGES, ASSET_DETECTIONS, AVAILABILITY, BASELINE_PREDICTIONS, BASELINES, CAPABILITY
from fmar_spark.contracts.operations import QUARANTINE, RUN_JOURNAL
from fmar_spark.contracts.profiles import ASSET_EVENTS, METER_PROFILES
from fmar_spark.contracts.readings import LABELS, LEGAL_BASES, METER_POINTS, READINGS, SERIES, WEATHER
from fmar_spark.contracts.table import TableContract

FIRST: Final = date(2024, 3, 1)
DAYS: Final = 70
LAST: Final = FIRST + timedelta(days=DAYS - 1)
CLASSES: Final = ("ev", "heat_pump", "battery", "solar_pv", "demand_response")
CAR, ROOF, ROOF_EXPORT, BOTH, SHORT, HOSTILE, SILENT, UNASKED = (f"10{place:011d}" for place in range(8))
HOSTILE_NAME: Final = "</script><script>window.caught=1</script><img src=x onerror='window.caught=2'>&amp;\u202e<b>bold</b>"
HOSTILE_REASON: Final = "<script>window.caught=3</script> found, a number wanted"
SIMULATED: Final = (CAR, BOTH, SILENT)
Row = dict[str, Any]
Writer = Callable[[Path, TableContract, Iterable[Row]], None]
"""Writes rows as a table of a lake."""
NO_NESTED: Final[Row] = dict.fromkeys(("detections", "changes", "capabilities", "availabilities", "events"), ())
"""What a profile holds of the tables that are made of it."""


def write_table(root: Path, contract: TableContract, rows: Iterable[Row]) -> None:
    """The rows as the table; what they leave out is null."""
    write_deltalake(str(root / contract.layer / contract.name), pa.Table.from_pylist(list(rows), schema=plain_schema(contract)))


def at(day: int, slot: int = 0) -> datetime:
    """Start of a UTC half-hour, counted from the first day."""
    return datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC) + timedelta(days=day, minutes=30 * slot)


def import_kwh(mpan_id: str, day: int) -> list[float | None]:
    """Half a kilowatt, and for the car 7 kW from 01:00 to 03:00 UTC every other day; one half-hour of the roof is unread."""
    values: list[float | None] = [0.25] * 48
    if mpan_id == CAR and day % 2 == 0:
        values[2:6] = [3.5] * 4
    if mpan_id == ROOF and day == 3:
        values[0] = None
    return values


def export_kwh(day: int) -> list[float]:
    """One kilowatt from 10:00 to 14:00 UTC."""
    return [0.5 if 20 <= slot < 28 else 0.0 for slot in range(48)]


def detection(mpan_id: str, asset: str, **own: Any) -> Row:
    """Absent for sure, unless given otherwise."""
    plain = {
        "probability": 0.04,
        "present_probability": 0.04,
        "is_present": False,
        "tier": "high",
        "status": "characterised",
        "evidence": f"no single episode stands out of the load in {DAYS} days",
    }
    keys = {"mpan_id": mpan_id, "asset_class": asset, "days_seen": DAYS, "model_version": "bundled-0", "run_id": "r", "as_of_date": LAST}
    return {**keys, **plain, **own}


def present(probability: float, tier: str, evidence: str, **own: Any) -> Row:
    return {"probability": probability, "present_probability": probability, "is_present": True, "tier": tier, "evidence": evidence, **own}


FOUND: Final[dict[tuple[str, str], Row]] = {
    (CAR, "ev"): present(0.97, "high", "7.0 kW block between 01:00 and 03:00 on 35 of 70 days"),
    (ROOF, "solar_pv"): present(0.99, "high", "1.0 kW of generation on 70 of 70 days", appeared_date=FIRST + timedelta(days=33)),
    (BOTH, "ev"): present(0.62, "low", "6.0 kW block on 9 of 70 days"),
    (BOTH, "battery"): present(0.8, "medium", "0.5 kW on 60 of 70 days", appeared_date=date(2024, 3, 20)),
    (BOTH, "heat_pump"): {"probability": 0.9, "present_probability": 0.1, "removed_date": date(2024, 4, 2)},
    (HOSTILE, "heat_pump"): present(0.95, "high", HOSTILE_NAME),
}
IN_PROGRESS: Final = {
    "probability": None,
    "present_probability": None,
    "is_present": None,
    "tier": None,
    "status": "in_progress",
    "status_reason": "too_few_days: 12 days read",
    "evidence": None,
}


def list_detections() -> list[Row]:
    rows = []
    for mpan_id in (CAR, ROOF, BOTH, SHORT, HOSTILE, SILENT):
        for asset in CLASSES:
            own = IN_PROGRESS if mpan_id == SHORT else FOUND.get((mpan_id, asset), {})
            rows.append(detection(mpan_id, asset, **own))
    return rows


def meter_point(mpan_id: str, **own: Any) -> Row:
    plain = {"source": "dip", "gsp_group_id": "_C", "is_domestic": True, "boundary_mpan_id": mpan_id, "interval_minutes": 30}
    plain |= {"consent_granularity": "H"}
    where = {"time_zone": "Europe/London", "latitude": 51.5, "longitude": -0.1, "weather_area": "_C", "reported_at": at(0)}
    return {"mpan_id": mpan_id, **plain, **where, **own}


def write_lake(root: Path, write: Writer = write_table) -> Path:
    """Car, both and silent are simulated; the roof is real, with an export meter; short has little history; hostile was imported."""
    points = [
        meter_point(CAR),
        meter_point(ROOF, gsp_group_id="_A", is_domestic=False),
        meter_point(ROOF_EXPORT, boundary_mpan_id=ROOF),
        meter_point(BOTH),
        meter_point(SHORT, gsp_group_id=None),
        meter_point(HOSTILE, source="import", gsp_group_id="<i>_C</i>", weather_area=None, is_domestic=None),
        meter_point(SILENT),
        meter_point(UNASKED),
    ]
    write(root, METER_POINTS, points)
    allowed = [point["mpan_id"] for point in points if point["mpan_id"] != UNASKED]
    write(
        root,
        LEGAL_BASES,
        [{"mpan_id": mpan, "purpose": "any", "basis": "public task", "source": "a test", "recorded_at": at(0)} for mpan in allowed],
    )
    write(root, SERIES, [{"series_id": HOSTILE_NAME, "mpan_id": HOSTILE, "interval_minutes": 30, "imported_at": at(0)}])
    labels = [{"series_id": mpan, "mpan_id": mpan, "provenance": "simulated", "has_ev": mpan != SILENT, "ev_kw": 7.2} for mpan in SIMULATED]
    labels.append({"series_id": SHORT, "mpan_id": SHORT, "provenance": "SEMI-SYNTHETIC: real home + a car of another"})
    write(root, LABELS, labels)
    write_readings(root, write)
    write_answers(root, write)
    write_what_ran(root, write)
    return root


def write_readings(root: Path, write: Writer) -> None:
    rows = []
    for day in range(DAYS):
        utc_date = FIRST + timedelta(days=day)
        read = [(mpan, "AI", import_kwh(mpan, day)) for mpan in (CAR, ROOF, BOTH, HOSTILE)] + [(ROOF_EXPORT, "AE", export_kwh(day))]
        read += [(SHORT, "AI", import_kwh(SHORT, day))] if day < 12 else []
        for mpan_id, quantity, kwh in read:
            keys = {"mpan_id": mpan_id, "utc_date": utc_date, "quantity": quantity, "reported_at": at(day)}
            opted_out = [slot == 47 for slot in range(48)] if mpan_id == BOTH and day == 5 else None
            rows.append({**keys, "kwh": kwh, "quality": ["A"] * 48, "opted_out": opted_out})
    write(root, READINGS, rows)
    temp_c = [float(value) for value in np.linspace(2, 20, DAYS)]
    weather = [
        {
            "weather_area": "_C",
            "utc_date": FIRST + timedelta(days=day),
            "temp_c": [temp_c[day]] * 48,
            "ghi_w_m2": [300.0] * 48,
            "source": "s",
        }
        for day in range(DAYS)
    ]
    write(root, WEATHER, weather)


def write_answers(root: Path, write: Writer) -> None:
    run = {"run_id": "r", "as_of_date": LAST}
    write(root, ASSET_DETECTIONS, list_detections())
    write(root, METER_PROFILES, [profile(mpan) for mpan in (CAR, ROOF, BOTH, SHORT, HOSTILE, SILENT)])
    sizes = [(CAR, "ev", "import", 7.0), (ROOF, "solar_pv", "export", 1.5), (BOTH, "ev", "import", 6.0), (BOTH, "battery", "import", 0.5)]
    bounds = [{"rated_kw": kw, "rated_kw_lower": kw * 0.9, "rated_kw_upper": kw * 1.2, "events_seen": 35} for *_, kw in sizes]
    keys = [{"mpan_id": mpan, "asset_class": asset, "direction": direction, "tier": "high"} for mpan, asset, direction, _ in sizes]
    write(root, CAPABILITY, [{**one, **bound, **run} for one, bound in zip(keys, bounds, strict=True)])
    change = {
        "mpan_id": BOTH,
        "asset_class": "heat_pump",
        "changed_date": date(2024, 4, 2),
        "kind": "removed",
        "kw_before": 3.0,
        "kw_after": 0.0,
    }
    write(root, ASSET_CHANGES, [{**change, **run}])
    events = [
        {"mpan_id": CAR, "asset_class": "ev", "started_at": at(day, 2), "ended_at": at(day, 6), "energy_kwh": 13.0, "peak_kw": 6.5}
        for day in range(0, DAYS, 2)
    ]
    write(root, ASSET_EVENTS, [{**event, "is_import": True, "probability": 0.9} for event in events])
    cell = {"mpan_id": CAR, "asset_class": "ev", "direction": "import", "season": "spring", "weeks_observed": 10}
    availability = [
        {**cell, "weekday": weekday, "slot": slot, "probability": 0.5 if slot in (2, 3, 4, 5) else 0.0, **run}
        for weekday in range(1, 8)
        for slot in range(48)
    ]
    write(root, AVAILABILITY, availability)
    baseline = {"mpan_id": CAR, "model": "similar_days", "cv_rmse": 0.4, "bl01_cv_rmse": 0.5, "nmbe": 0.01, "interval_coverage": 0.81}
    write(root, BASELINES, [{**baseline, **run}])
    predicted = {"predicted_kwh": 0.3, "p10_kwh": 0.2, "p90_kwh": 3.4, "model": "similar_days", "trained_to_date": LAST - timedelta(days=1)}
    predictions = [{"mpan_id": CAR, "slot_start_at": at(DAYS - 2, slot), **predicted, **run} for slot in range(96)]
    write(root, BASELINE_PREDICTIONS, predictions)


def profile(mpan_id: str) -> Row:
    keys = {"mpan_id": mpan_id, "run_id": "r", "as_of_date": LAST, "model_version": "bundled-0", "interval_minutes": 30}
    days = 12 if mpan_id == SHORT else DAYS
    verdict = "too_few_days" if mpan_id == SHORT else "sufficient"
    implausible = {"error_code_slots": 22, "spike_slots": 1, "lump_slots": 0} if mpan_id == CAR else {}
    stated = {"verdict": verdict, "days_seen": days, "missing_share": 0.02, "has_export": mpan_id == ROOF, "has_weather": True}
    return {**keys, **stated, **implausible, **NO_NESTED}


def write_what_ran(root: Path, write: Writer) -> None:
    rejected = [
        ("f.json:1", "kwh_negative", "-1 found"),
        ("f.json:2", "kwh_negative", "-2 found"),
        ("g.json:1", "not_json", HOSTILE_REASON),
    ]
    write(
        root,
        QUARANTINE,
        [
            {
                "quarantine_id": f"{place}",
                "source": source,
                "rule": rule,
                "reason": reason,
                "raw": "SECRET",
                "run_id": "r",
                "quarantined_at": at(place),
            }
            for place, (source, rule, reason) in enumerate(rejected)
        ],
    )
    runs = [("ingest_dip", 0, 12.5, 400), ("characterise", 1, 30.0, 6), ("characterise", 2, 31.0, 6)]
    write(
        root,
        RUN_JOURNAL,
        [
            {
                "run_id": f"{day}",
                "step": step,
                "status": "done",
                "code_version": "0",
                "settings_hash": "0",
                "tables_read": {},
                "tables_written": {},
            }
            | {"counts": {}, "rows_kept": rows, "started_at": at(day), "seconds": seconds}
            for step, day, seconds, rows in runs
        ],
    )
