"""A small simulated fleet with declared deliveries, as the passes of the verification take it, without Spark."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from fmar_spark.contracts.deliveries import DELIVERY_CHECKS
from fmar_spark.engine.arrow_columns import list_rows
from fmar_spark.kernels.delivery.verdicts import VerdictRules
from fmar_spark.kernels.delivery.verification import VerificationRules
from fmar_spark.profiling.deliveries import VerificationPass
from fmar_spark.profiling.delivery_evidence import READ, EvidencePass
from fmar_spark.profiling.windows import build_weather_book
from fmar_spark.simulate.deliveries import DeliveryFleet, simulate_deliveries
from fmar_spark.simulate.plan import FleetPlan
from fmar_spark.simulate.truth_tables import tabulate_weather

FIRST, LAST = date(2025, 7, 4), date(2025, 10, 31)
ATTRIBUTES = {"time_zone": "Europe/London", "latitude": 51.5, "longitude": -0.1}
STAMP = pa.timestamp("us", tz="UTC")


def make_fleet(meters: int, seed: int = 1, first: date = FIRST) -> DeliveryFleet:
    return simulate_deliveries(FleetPlan(meters, first, LAST, seed), meters)


def list_events(made: DeliveryFleet, wanted_from: date = FIRST) -> list[dict[str, Any]]:
    """Events with the sum of what was declared of each, as the step hands them to the pass."""
    declared: dict[tuple[str, str, datetime], float] = {}
    for row in made.volumes.to_pylist():
        declared[row["mpan_id"], row["amsid"], _moment(row["period_start_utc"])] = row["delivered_kwh"]
    rows = []
    for row in made.events.to_pylist():
        start, end = _moment(row["start_utc"]), _moment(row["end_utc"])
        said = [
            declared[row["mpan_id"], row["amsid"], start + timedelta(minutes=30 * at)] for at in range(int((end - start).seconds / 1800))
        ]
        event = {name: row[name] for name in ("event_id", "mpan_id", "amsid", "fsp_id", "market", "product", "requested_kw")}
        rows.append(
            event
            | {
                "start_at": start,
                "end_at": end,
                "notice_at": _moment(row["notice_utc"]),
                "dispatch_direction": row["direction"],
                "event_date": start.date(),
                "declared_kwh": sum(said),
                "declared_slots": len(said),
                "is_above_metered": False,
                "notices": [],
                "volume_notices": [],
                "right": "",
                "limit_kw": None,
                "is_near": True,
                "is_wanted": start.date() >= wanted_from,
            }
        )
    return rows


def build_chunk(made: DeliveryFleet, events: list[dict[str, Any]], marked: Mapping[tuple[str, date], float] | None = None) -> pa.Table:
    """Rows of readings and events; ``marked`` puts a mark in place of all energies of a meter's day."""
    days, first = made.plan.days, made.plan.first_date
    dates = [first + timedelta(days=day) for day in range(days)]
    parts = []
    for quantity, mpans, kwh in (("AI", made.fleet.mpan_id, made.fleet.import_kwh), ("AE", made.fleet.mpan_id, made.fleet.export_kwh)):
        values = kwh.reshape(len(mpans) * days, 48).copy()
        for (mpan, day), mark in (marked or {}).items():
            values[made.fleet.mpan_id.index(mpan) * days + (day - first).days] = mark
        parts.append(_rows([mpan for mpan in mpans for _ in range(days)], dates * len(mpans), [quantity] * len(values), values, made))
    plain = pa.concat_tables(parts)
    blank = np.full((len(events), 48), np.nan, dtype=np.float32)
    asked = _rows([event["mpan_id"] for event in events], [event["end_at"].date() for event in events], [None] * len(events), blank, made)
    kinds = {"limit_kw": pa.float64(), "declared_kwh": pa.float64(), "notice_at": STAMP}
    found = pa.array([{name: value for name, value in event.items() if name != "mpan_id"} for event in events])
    fields = [pa.field(field.name, kinds.get(field.name, field.type)) for field in found.type]
    structs = found.cast(pa.struct(fields))
    whole = pa.concat_tables([plain.append_column("event", pa.nulls(plain.num_rows, structs.type)), asked.append_column("event", structs)])
    return whole.sort_by("mpan_id").combine_chunks()


def check(made: DeliveryFleet, chunk: pa.Table, rules: VerificationRules | None = None) -> pa.Table:
    """Checks of all wanted events of a chunk."""
    book = build_weather_book(tabulate_weather(made.plan, made.fleet))
    checked_at = datetime(2025, 11, 1, tzinfo=UTC)
    passed = VerificationPass(book, rules or VerificationRules(), 60, "run", LAST, checked_at)
    return pa.Table.from_batches(list(passed(chunk))).select(list(DELIVERY_CHECKS.names))


def weigh(checks: pa.Table) -> pa.Table:
    """Evidence of all assets of some checks."""
    return pa.Table.from_batches(list(EvidencePass(VerdictRules(), 0.1, "run", LAST)(checks.select(list(READ)))))


def _rows(mpans: list[str], dates: list[date], quantities: list[str | None], kwh: Any, made: DeliveryFleet) -> pa.Table:
    count = len(mpans)
    group = dict(zip(made.fleet.mpan_id, made.fleet.gsp_group, strict=True))
    return pa.table(
        {
            "mpan_id": mpans,
            "utc_date": pa.array(dates, pa.date32()),
            "quantity": pa.array(quantities, pa.string()),
            "kwh": list_rows(kwh, pa.list_(pa.float32())),
            "interval_minutes": pa.array([30] * count, pa.int32()),
            **{name: [value] * count for name, value in ATTRIBUTES.items()},
            "weather_area": [group[mpan] for mpan in mpans],
            "gsp_group_id": [group[mpan] for mpan in mpans],
            "is_domestic": [False] * count,
        }
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
