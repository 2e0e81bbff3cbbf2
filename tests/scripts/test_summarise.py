import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from fmar_spark.contracts.capability import ASSET_DETECTIONS
from fmar_spark.contracts.operations import RUN_JOURNAL
from fmar_spark.contracts.readings import METER_POINTS
from fmar_spark.engine.journal import Written, record_run, start_run
from fmar_spark.engine.schema import struct_type
from fmar_spark.engine.store import TableStore

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "summarise.py"
MPAN = "1200000000011"


def summarise(lake: Path) -> subprocess.CompletedProcess[str]:
    """What the script prints of a lake."""
    return subprocess.run([sys.executable, str(SCRIPT), "--lake", str(lake)], capture_output=True, text=True, check=False)


@pytest.fixture
def lake(store: TableStore) -> Path:
    """One measured meter with a charger."""
    point = dict.fromkeys(METER_POINTS.names) | {
        "mpan_id": MPAN,
        "source": "dip",
        "boundary_mpan_id": MPAN,
        "interval_minutes": 30,
        "time_zone": "Europe/London",
        "latitude": 51.5,
        "longitude": -0.1,
        "is_domestic": False,
    }
    run = start_run("characterise", None, "settings")
    answer = dict.fromkeys(ASSET_DETECTIONS.names) | {
        "mpan_id": MPAN,
        "asset_class": "ev",
        "probability": 0.97,
        "present_probability": 0.96,
        "is_present": True,
        "tier": "high",
        "status": "characterised",
        "evidence": "7.0 kW episodes of 2.5 h",
        "days_seen": 365,
        "model_version": "bundled-test",
        "run_id": run.run_id,
        "as_of_date": date(2014, 1, 25),
    }
    point["reported_at"] = run.started_at
    spark = store.spark
    store.append(spark.createDataFrame([tuple(point[name] for name in METER_POINTS.names)], struct_type(METER_POINTS)), METER_POINTS)
    store.append(
        spark.createDataFrame([tuple(answer[name] for name in ASSET_DETECTIONS.names)], struct_type(ASSET_DETECTIONS)), ASSET_DETECTIONS
    )
    record_run(store, run, Written({"meters": 1}, 1), None)
    assert store.has(RUN_JOURNAL)
    return Path(store.root)


def test_a_lake_is_told_by_tables_assets_and_meters(lake: Path) -> None:
    said = summarise(lake)
    assert said.returncode == 0, said.stderr
    for words in ("gold.asset_detections", "measured meter 1200000000011", "7.0 kW episodes of 2.5 h", "bundled-test", "characterise "):
        assert words in said.stdout
    assert "simulated" not in said.stdout
    assert "Not there" not in said.stdout


def test_no_lake_is_one_line_and_status_2(tmp_path: Path) -> None:
    said = summarise(tmp_path / "absent")
    assert said.returncode == 2
    assert said.stderr == f"summarise: {tmp_path / 'absent'}: no lake there; run scripts/demo or a job of jobs/ first\n"
