"""A lake of 60 characterised meters on a small network: what the tables for each audience are built from."""

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
from lake_rows import replace_rows
from pyspark.sql import SparkSession

from fmar_spark.contracts.capability import ASSET_DETECTIONS, CAPABILITY
from fmar_spark.contracts.profiles import ASSET_EVENTS, METER_PROFILES
from fmar_spark.contracts.readings import LEGAL_BASES, METER_POINTS
from fmar_spark.domain.mpan import number_mpans
from fmar_spark.engine.store import TableStore

DAY = date(2024, 3, 1)
MOMENT = datetime(2024, 3, 1, tzinfo=UTC)
CHARGERS = 45
"""Of the meters, with a charge point: 30 at primary P1, 12 at P2 and 3 at P3."""
METERS = number_mpans(np.full(60, 15, dtype=np.int64), np.arange(60, dtype=np.int64) * 7)
UNLAWFUL = METERS[44]
"""A household without a legal basis, with a charge point at P3."""
NODES = """node_id,level,name,dno_code,parent_id,latitude,longitude
G1,gsp,Grid,NPG_NE,,54.9,-1.6
P1,primary,One,NPG_NE,G1,,
P2,primary,Two,NPG_NE,G1,,
P3,primary,Three,NPG_NE,G1,,
"""


def place_of(number: int) -> str:
    """Primary of a meter."""
    return "P1" if number < 30 else "P2" if number < 42 else "P3"


def write_files(folder: Path) -> dict[str, Path]:
    """Nodes, members and zones."""
    contents = {
        "nodes": NODES,
        "members": "mpan_id,node_id\n" + "".join(f"{mpan},{place_of(number)}\n" for number, mpan in enumerate(METERS)),
        "zones": "zone_id,name,node_id\nZ1,North,P1\nZ1,North,P2\n",
    }
    paths = {name: folder / f"{name}.csv" for name in contents}
    for name, text in contents.items():
        paths[name].write_text(text, encoding="utf-8")
    return paths


def fill_lake(spark: SparkSession, root: Path) -> TableStore:
    """The tables that the audiences' steps read."""
    store = TableStore(spark, str(root))
    run = {"run_id": "r", "as_of_date": DAY}
    points = [
        {
            "mpan_id": mpan,
            "source": "dip",
            "gsp_group_id": "_F",
            "energy_direction": "I",
            "is_energised": True,
            "market_segment": "S",
            "is_domestic": mpan == UNLAWFUL,
            "boundary_mpan_id": mpan,
            "consent_granularity": "H",
            "interval_minutes": 30,
            "time_zone": "Europe/London",
            "latitude": 54.9,
            "longitude": -1.6,
            "reported_at": MOMENT,
        }
        for mpan in METERS
    ]
    detections = [
        {
            "mpan_id": mpan,
            "asset_class": "ev",
            "probability": 0.95,
            "present_probability": 0.95 if number < CHARGERS else 0.05,
            "is_present": number < CHARGERS,
            "tier": "high",
            "status": "characterised",
            "appeared_date": date(2023, 6, 1) if number % 2 else None,
            "evidence": "7 kW blocks at night.",
            "days_seen": 300,
            "model_version": "m",
            **run,
        }
        for number, mpan in enumerate(METERS)
    ]
    sizes = [
        {
            "mpan_id": mpan,
            "asset_class": "ev",
            "direction": "import",
            **{
                f"rated_kw{end}": 7.0 + shift
                for end, shift in (("", 0.0), ("_lower", -0.5), ("_upper", 0.5), ("_p10", -0.2), ("_p50", 0.0), ("_p90", 0.2))
            },
            "energy_kwh_day": 8.0,
            "confidence": 0.9,
            "tier": "high",
            "events_seen": 100,
            **run,
        }
        for mpan in METERS[:CHARGERS]
    ]
    week = np.zeros((7, 48), dtype=np.float32)
    week[:, 46] = 0.5
    profiles = [
        {
            "mpan_id": mpan,
            "verdict": "sufficient",
            "first_date": date(2023, 3, 1),
            "days_seen": 300,
            "has_export": False,
            "has_weather": False,
            "interval_minutes": 30,
            "detections": [],
            "changes": [],
            "capabilities": [],
            "availabilities": [
                {
                    "asset_class": "ev",
                    "direction": "import",
                    "season": "winter",
                    "weeks_observed": [10] * 7,
                    "probability": week.ravel().tolist(),
                    "kw_p50": np.where(week > 0, 7.0, np.nan).ravel().tolist(),
                }
            ],
            "events": [],
            "model_version": "m",
            **run,
        }
        for mpan in METERS[:CHARGERS]
    ]
    for contract, rows in ((METER_POINTS, points), (ASSET_DETECTIONS, detections), (CAPABILITY, sizes), (METER_PROFILES, profiles)):
        replace_rows(store, contract, rows)
    replace_rows(store, ASSET_EVENTS, [])
    store.create(LEGAL_BASES)
    return store
