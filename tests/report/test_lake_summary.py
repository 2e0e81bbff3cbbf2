import math

import numpy as np
import pandas as pd
import pytest

from fmar_spark.domain.assets import LABEL_OF_CLASS
from fmar_spark.report.lake_summary import (
    Origin,
    choose_meters,
    count_by_origin,
    describe_meter,
    name_origins,
    scale_to_year,
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


def test_each_answer_counts_in_one_column_and_truth_only_where_it_is_told() -> None:
    detections = pd.DataFrame(
        [
            answer("sim", "ev"),
            answer("sim", "heat_pump", tier="low"),
            answer("home", "ev", is_present=False, present_probability=0.02, probability=0.02),
            answer("mine", "ev", is_present=None, probability=None, present_probability=None, tier=None, status="in_progress"),
        ]
    )
    found = tabulate_findings(detections, ORIGINS, LABELS).set_index(["asset_class", "origin"])
    assert found.loc[("ev", "simulated")].loc[lambda row: row > 0].to_dict() == {"present_high": 1, "labelled": 1, "found": 1}
    assert found.loc[("heat_pump", "simulated")].loc[lambda row: row > 0].to_dict() == {"present_low": 1, "false_alarms": 1}
    assert found.loc[("ev", "measured")].loc[lambda row: row > 0].to_dict() == {"absent": 1}
    assert found.loc[("ev", "imported")].loc[lambda row: row > 0].to_dict() == {"in_progress": 1}


def test_no_answers_make_no_rows() -> None:
    assert len(tabulate_findings(pd.DataFrame([answer("sim", "ev")]).iloc[:0], ORIGINS, LABELS)) == 0


def test_the_meters_with_most_found_are_shown_first() -> None:
    detections = pd.DataFrame(
        [answer("home", "ev", is_present=False), answer("sim", "ev"), answer("sim", "battery"), answer("mine", "ev", is_present=None)]
    )
    assert choose_meters(detections, ORIGINS, LABELS, {Origin.MEASURED: 3, Origin.SIMULATED: 1}) == ["home", "sim"]
    assert choose_meters(detections, ORIGINS, LABELS, {Origin.SIMULATED: 0, Origin.IMPORTED: 1}) == ["mine"]


def test_a_meter_that_its_labels_contradict_is_shown_only_where_no_other_is() -> None:
    truth = {"provenance": "simulated", "has_ev": True, "has_heat_pump": False}
    labels = pd.DataFrame([{"mpan_id": name, **truth} for name in ("a", "b", "c")], columns=LABELS.columns)
    detections = pd.DataFrame(
        [
            *(answer("a", "ev"), answer("a", "heat_pump"), answer("a", "battery")),
            *(answer("b", "ev", tier="low"), answer("b", "heat_pump", probability=0.02, is_present=False)),
            *(answer("c", "ev"), answer("c", "heat_pump", probability=0.02, is_present=False)),
        ]
    )
    origins = pd.Series(dict.fromkeys("abc", Origin.SIMULATED))
    assert choose_meters(detections, origins, labels, {Origin.SIMULATED: 3}) == ["c", "b", "a"]


def test_a_meter_has_its_classes_in_order_with_their_sizes() -> None:
    tables = {
        "detections": pd.DataFrame([answer("mine", "solar_pv"), answer("mine", "ev")]),
        "capability": pd.DataFrame(
            [{"asset_class": "ev", "direction": "import", "rated_kw": 7.0, "rated_kw_lower": 6.5, "rated_kw_upper": 7.5, "events_seen": 9}]
        ),
        "baselines": pd.DataFrame([{"cv_rmse": 0.4, "bl01_cv_rmse": 0.5}]),
    }
    meter = describe_meter("mine", ORIGINS, tables, {"mine": "my home"}, 3000.0)
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
    assert math.isnan(describe_meter("sim", ORIGINS, tables, {}, 1.0).cv_rmse)


def test_a_year_is_scaled_from_what_was_read() -> None:
    half_read = np.where(np.arange(48) < 24, 0.5, np.nan)
    assert scale_to_year(pd.Series([half_read, half_read])) == pytest.approx(0.5 * 48 * 365)
    assert math.isnan(scale_to_year(pd.Series([], dtype=object)))
    assert math.isnan(scale_to_year(pd.Series([np.full(48, np.nan)])))


def test_no_year_is_made_of_days_that_leave_out_their_middle() -> None:
    nights = np.where((np.arange(48) < 20) | (np.arange(48) >= 32), 0.5, np.nan)
    assert math.isnan(scale_to_year(pd.Series([nights] * 60)))
    assert scale_to_year(pd.Series([nights] * 20 + [np.full(48, 0.5)] * 60)) == pytest.approx(0.5 * 48 * 365)
