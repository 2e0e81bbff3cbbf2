from datetime import date
from pathlib import Path

import pytest

from fmar_spark.cli import main
from fmar_spark.contracts.capability import ASSET_DETECTIONS
from fmar_spark.contracts.operations import RUN_JOURNAL
from fmar_spark.contracts.readings import METER_POINTS
from fmar_spark.engine.journal import record_run
from fmar_spark.engine.runs import Written, start_run
from fmar_spark.engine.schema import struct_type
from fmar_spark.engine.store import TableStore

MPAN = "1200000000011"


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


def test_a_lake_is_described_by_tables_assets_and_meters(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", "--lake", str(lake)]) == 0
    printed = capsys.readouterr().out
    for words in ("gold.asset_detections", "measured meter 1200000000011", "7.0 kW episodes of 2.5 h", "bundled-test", "characterise "):
        assert words in printed
    assert "simulated" not in printed
    assert "Not there" not in printed


def test_no_lake_is_one_line_and_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    absent = tmp_path / "absent"
    assert main(["summary", "--lake", str(absent)]) == 2
    assert capsys.readouterr().err == f"summary: {absent}: no lake there; run scripts/demo or a job of jobs/ first\n"
