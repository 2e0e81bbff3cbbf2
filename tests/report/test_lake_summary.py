import math
import shutil
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from report_world import LAST, ROOF, list_detections, write_table

from fmar_spark.contracts.capability import ASSET_DETECTIONS
from fmar_spark.domain.assets import LABEL_OF_CLASS
from fmar_spark.engine.lake_sql import LakeRows
from fmar_spark.kernels.annual_energy import describe_annual_energy, estimate_annual_energy
from fmar_spark.report.lake_summary import (
    Origin,
    choose_meters,
    count_by_origin,
    count_later_days,
    describe_meter,
    find_local_days,
    name_origins,
    read_annual_energy,
    tabulate_findings,
)

POINTS = pd.DataFrame(
    {
        "mpan_id": ["sim", "sim_export", "home", "mine"],
        "boundary_mpan_id": ["sim", "sim", "home", "mine"],
        "source": ["dip", "dip", "dip", "import"],
    }
)
LABELS = pd.DataFrame(
    [
        {"mpan_id": "sim", "provenance": "simulated", "has_ev": True, "has_heat_pump": False},
        {"mpan_id": "home", "provenance": "real"},
    ],
    columns=["mpan_id", "provenance", *LABEL_OF_CLASS.values()],
)
ORIGINS = name_origins(POINTS, LABELS)
ANNUAL = estimate_annual_energy(np.ones((365, 48)), date(2025, 1, 1))


def answer(mpan: str, asset: str, **changes: object) -> dict[str, object]:
    """One row of gold.asset_detections."""
    row = {
        "mpan_id": mpan,
        "asset_class": asset,
        "probability": 0.95,
        "present_probability": 0.95,
        "is_present": True,
        "tier": "high",
        "status": "characterised",
        "status_reason": None,
        "days_seen": 365,
        "as_of_date": pd.Timestamp("2014-01-25").date(),
    }
    return row | changes


def test_an_export_meter_comes_from_where_its_boundary_does() -> None:
    assert ORIGINS.to_dict() == {
        "sim": Origin.SIMULATED,
        "sim_export": Origin.SIMULATED,
        "home": Origin.MEASURED,
        "mine": Origin.IMPORTED,
    }


def test_rows_are_counted_by_origin_and_unknown_meters_nowhere() -> None:
    assert count_by_origin(pd.Series(["sim", "sim_export", "home", "nobody"]), ORIGINS) == {"simulated": 2, "measured": 1}
    assert count_by_origin(pd.Series([], dtype=object), ORIGINS) == {}


def test_each_answer_counts_in_one_column_and_truth_only_where_it_is_given() -> None:
    detections = pd.DataFrame(
        [
            answer("sim", "ev"),
            answer("sim", "heat_pump", tier="low"),
            answer("home", "ev", is_present=False, present_probability=0.02, probability=0.02),
            answer("mine", "ev", is_present=None, probability=None, present_probability=None, tier=None, status="in_progress"),
        ]
    )
    found = tabulate_findings(detections, ORIGINS, LABELS).set_index(["asset_class", "origin"])
    assert found.loc[("ev", "simulated")].loc[lambda row: row > 0].to_dict() == {
        "present_high": 1,
        "labelled": 1,
        "answered": 1,
        "found": 1,
    }
    assert found.loc[("heat_pump", "simulated")].loc[lambda row: row > 0].to_dict() == {"present_low": 1, "false_alarms": 1}
    assert found.loc[("ev", "measured")].loc[lambda row: row > 0].to_dict() == {"absent": 1}
    assert found.loc[("ev", "imported")].loc[lambda row: row > 0].to_dict() == {"in_progress": 1}


def test_a_labelled_meter_without_an_answer_is_labelled_and_not_answered() -> None:
    unseen = answer("sim", "ev", is_present=None, probability=None, present_probability=None, tier=None, status="not_observable")
    found = tabulate_findings(pd.DataFrame([unseen]), ORIGINS, LABELS).iloc[0]
    assert (found["labelled"], found["answered"], found["found"]) == (1, 0, 0)


def test_readings_after_the_day_of_the_newest_answers_are_counted(small_lake: Path, tmp_path: Path) -> None:
    assert count_later_days(LakeRows(small_lake)) == (0, 0)
    shutil.copytree(small_lake, tmp_path / "lake", ignore=shutil.ignore_patterns("asset_detections"))
    earlier = [{**row, "as_of_date": LAST - timedelta(days=3)} for row in list_detections() if row["mpan_id"] == ROOF]
    write_table(tmp_path / "lake", ASSET_DETECTIONS, earlier)
    assert count_later_days(LakeRows(tmp_path / "lake")) == (1, 3)


def test_predicted_days_are_those_of_the_local_clock() -> None:
    starts = pd.to_datetime(["2019-06-30 23:00", "2019-07-08 22:30", "2019-07-01 04:00", "2019-07-09 03:30"], utc=True)
    half_hours = pd.DataFrame({"mpan_id": ["home", "home", "away", "away"], "slot_start_at": starts})
    days = find_local_days(half_hours, pd.Series({"away": "America/New_York", "home": None}))
    assert days == (date(2019, 7, 1), date(2019, 7, 8))


def test_no_answers_make_no_rows() -> None:
    assert len(tabulate_findings(pd.DataFrame([answer("sim", "ev")]).iloc[:0], ORIGINS, LABELS)) == 0


def test_the_first_meters_by_rank_are_shown_of_each_origin() -> None:
    ranked = ["mine", "sim", "home", "stranger"]
    assert choose_meters(ranked, ORIGINS, {Origin.MEASURED: 3, Origin.SIMULATED: 1}) == ["home", "sim"]
    assert choose_meters(ranked, ORIGINS, {Origin.SIMULATED: 0, Origin.IMPORTED: 1}) == ["mine"]


def test_a_meter_has_its_classes_in_order_with_their_sizes() -> None:
    tables = {
        "detections": pd.DataFrame([answer("mine", "solar_pv"), answer("mine", "ev")]),
        "capability": pd.DataFrame(
            [{"asset_class": "ev", "direction": "import", "rated_kw": 7.0, "rated_kw_lower": 6.5, "rated_kw_upper": 7.5, "events_seen": 9}]
        ),
        "baselines": pd.DataFrame([{"cv_rmse": 0.4, "bl01_cv_rmse": 0.5}]),
    }
    meter = describe_meter("mine", ORIGINS, tables, {"mine": "my home"}, ANNUAL)
    assert (meter.name, meter.origin, meter.cv_rmse, meter.bl01_cv_rmse) == ("my home", Origin.IMPORTED, 0.4, 0.5)
    assert meter.answers["asset_class"].tolist() == ["ev", "solar_pv"]
    assert meter.answers["rated_kw"].tolist()[0] == 7.0
    assert math.isnan(meter.answers["rated_kw"].tolist()[1])


def test_a_meter_without_a_baseline_has_no_error() -> None:
    tables = {
        "detections": pd.DataFrame([answer("sim", "ev")]),
        "capability": pd.DataFrame(columns=["asset_class", "direction", "rated_kw", "rated_kw_lower", "rated_kw_upper", "events_seen"]),
        "baselines": pd.DataFrame(columns=["cv_rmse", "bl01_cv_rmse"]),
    }
    assert math.isnan(describe_meter("sim", ORIGINS, tables, {}, ANNUAL).cv_rmse)


def test_a_year_is_given_only_where_the_readings_carry_it(small_lake: Path) -> None:
    lake = LakeRows(small_lake)
    assert describe_annual_energy(read_annual_energy(lake, ROOF)) == "12.0 kWh a day (no annual energy: readings of 2 of 12 months)"
    year = np.ones((365, 48))
    assert describe_annual_energy(estimate_annual_energy(year, date(2025, 1, 1))) == "17,520 kWh a year"
    assert math.isnan(read_annual_energy(lake, "stranger").kwh_per_day)
