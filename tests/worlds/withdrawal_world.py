"""A lake in which two households have a row in every table that can name one, made from the contracts alone."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from fmar_spark.contracts.catalogue import ALL_TABLES
from fmar_spark.contracts.operations import QUARANTINE, RUN_JOURNAL
from fmar_spark.contracts.readings import LEGAL_BASES, METER_POINTS, READINGS
from fmar_spark.contracts.table import Column, TableContract
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.engine.lake_writer import LakeWriter

DERIVED: Final = {
    "silver.asset_events": "characterise",
    "silver.meter_profiles": "characterise",
    "gold.asset_detections": "characterise",
    "gold.asset_changes": "characterise",
    "gold.capability": "characterise",
    "gold.availability": "characterise",
    "gold.baselines": "characterise",
    "gold.baseline_predictions": "predict_baseline",
    "gold.fmar_assets": "build_records",
    "gold.portfolio": "build_records",
    "gold.delivery_checks": "verify_delivery",
    "gold.delivery_evidence": "verify_delivery",
    "gold.fleet": "build_fleet",
    "gold.discrepancies": "flag_discrepancies",
    "ops.notices": "flag_discrepancies",
}
"""Derived of readings: the next run of the step leaves out whoever may not be examined."""
RAW: Final = {
    "bronze.dip_messages",
    "bronze.interval_imports",
    "bronze.quarantine",
    "silver.reading_versions",
    "silver.readings",
    "silver.meter_points",
    "silver.series",
    "silver.labels",
    "silver.connections",
}
"""As it was reported: goes by the rule of retention, or by erasure."""
DECLARED: Final = {
    "silver.legal_bases",
    "silver.agreements",
    "silver.overrides",
    "silver.confirmations",
    "silver.disputes",
    "silver.dispatch_events",
    "silver.asset_volumes",
}
"""What parties and operators declared, and that it was: goes by erasure."""
NOT_EXAMINED: Final = {"gold.delivery_checks", "gold.delivery_evidence"}
"""That an event was declared and not examined stays, without anything that was measured."""

LEFT, KEPT = "2000056535971", "1900012374324"
"""The household that leaves, and the one that stays."""
NAMES_OF_LEFT: Final = (LEFT, "series of the one that leaves", "asset of the one that leaves")
LAST_DAY: Final = date(2026, 3, 30)
DAYS: Final = 100
MOMENT: Final = datetime(2026, 3, 31, tzinfo=UTC)
SPELT: Final[dict[str, Any]] = {
    "boolean": True,
    "date": LAST_DAY,
    "timestamp": MOMENT,
    "double": 1.0,
    "float": 1.0,
    "array<float>": [1.0] * 48,
    "array<string>": ["A"] * 48,
}


WORDS: Final = {
    "asset_class": "ev",
    "direction": "import",
    "season": "winter",
    "tier": "high",
    "status": "characterised",
    "kind": "delivery",
    "quantity": "AI",
    "parties": "ALPHA",
}
"""Of columns that hold a word of a list."""


def names_a_meter(table: TableContract) -> bool:
    """Whether a table's rows can be told to be about a meter: by its number, its series or its asset."""
    return any(column.type == "string" and re.search(r"mpan|series_id|asset_id", column.name) for column in table.columns)


def fill_lake(root: Path) -> None:
    """Both households in every table, with a hundred days of readings; the legal basis of both is on record."""
    writer = LakeWriter(root)
    for table in ALL_TABLES:
        if table in {READINGS, RUN_JOURNAL} or not names_a_meter(table):
            continue
        rows = [build_row(table, place) for place in range(2)]
        if table is QUARANTINE:
            rows += [
                row | {"quarantine_id": f"raw {place}", "mpan_id": None, "raw": f"{{{name}}}"} for place, (row, name) in number_rows(rows)
            ]
        writer.append(pa.Table.from_pylist(rows, schema=arrow_schema(table)), table)
    writer.append(build_readings(), READINGS)


def number_rows(rows: list[dict[str, Any]]) -> list[tuple[int, tuple[dict[str, Any], str]]]:
    """Rows with the number of their household."""
    return list(enumerate(zip(rows, (LEFT, KEPT), strict=True)))


def build_row(table: TableContract, place: int) -> dict[str, Any]:
    """The household's row: what is required and what names it; all else is null."""
    names = NAMES_OF_LEFT if place == 0 else (KEPT, "series of the other", "asset of the other")
    row = {column.name: build_value(column, place, names) for column in table.columns}
    if table is METER_POINTS:
        row |= {"source": "dip", "is_domestic": True, "consent_granularity": "H", "interval_minutes": 30, "time_zone": "Europe/London"}
        row |= {"latitude": 51.5, "longitude": -0.1, "energy_direction": "I", "gsp_group_id": "_C"}
    if table is LEGAL_BASES:
        row |= {"purpose": "any", "basis": "public task", "source": "operator"}
    return row


def build_value(column: Column, place: int, names: tuple[str, str, str]) -> Any:
    """A value of the column's type and rule."""
    if column.type == "string":
        for word, name in zip(("mpan", "series_id", "asset_id"), names, strict=True):
            if word in column.name:
                return name
        allowed = re.search(r"'([^']+)'", column.check or "")
        spelt = allowed[1] if allowed else WORDS.get(column.name, f"{column.name} {place}")
        return None if column.nullable else spelt
    if column.nullable and not column.check and column.type not in {"boolean", "double", "int"}:
        return None
    if column.name == "end_at":
        return MOMENT + timedelta(hours=1)
    if column.type in SPELT:
        return SPELT[column.type]
    listed = re.search(r"\bin \((\d+)", column.check or "", re.IGNORECASE)
    return int(listed[1]) if listed else [] if column.type.startswith(("array", "map")) else 1


def build_readings() -> pa.Table:
    """Of both, evenings above the rest of the day."""
    rng = np.random.default_rng(3)
    rows = []
    for mpan in (LEFT, KEPT):
        for day in range(DAYS):
            kwh = rng.gamma(2.0, 0.1, 48)
            kwh[34:44] += rng.gamma(2.0, 0.2, 10)
            keys = {"mpan_id": mpan, "utc_date": LAST_DAY - timedelta(days=day), "quantity": "AI", "reported_at": MOMENT}
            rows.append(keys | {"kwh": kwh.tolist(), "quality": ["A"] * 48, "opted_out": None})
    return pa.Table.from_pylist(rows, schema=arrow_schema(READINGS))
