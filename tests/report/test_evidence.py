from datetime import date
from typing import Any

import numpy as np
import pytest

from fmar_spark.kernels.window import Floats
from fmar_spark.report.evidence import EvidenceRules, derive_evidence, find_flat_share, fit_heating, typical_days
from fmar_spark.report.histories import History, Place

RULES = EvidenceRules()
MONDAY = date(2024, 1, 1)


def build_history(import_kw: Floats, export_kw: Floats | None = None) -> History:
    meter: dict[str, Any] = {"time_zone": "Europe/London", "gsp_group_id": "_C", "latitude": 51.5}
    exports = np.full_like(import_kw, np.nan) if export_kw is None else export_kw
    net_kw = import_kw - np.nan_to_num(exports)
    return History(meter, MONDAY, import_kw, exports, net_kw, net_kw.reshape(-1) / 2)


def test_a_heating_slope_comes_back_and_unknown_days_show_nothing() -> None:
    temp_c = np.linspace(-5, 25, 90)
    import_kwh = 40 - 2.0 * np.minimum(temp_c, 15.5)
    import_kwh[::7] = np.nan
    fit = fit_heating(import_kwh, temp_c, RULES)
    assert fit is not None
    assert (fit["kwh_per_degree"], fit["kwh_at_zero"], fit["r_squared"]) == (2.0, 40.0, 1.0)
    assert fit["days"] == int(((temp_c < 15.5) & ~np.isnan(import_kwh)).sum())


@pytest.mark.parametrize("temp_c", [np.full(90, np.nan), np.full(90, 3.0), np.full(90, 20.0)])
def test_no_slope_is_given_without_cold_days_of_different_cold(temp_c: Floats) -> None:
    assert fit_heating(np.arange(90.0), temp_c, RULES) is None


def test_typical_days_are_means_by_season_and_kind_of_day() -> None:
    power = np.ones((14, 48))
    saturday, new_year = 5, 0
    power[saturday], power[new_year] = 5.0, 3.0
    power[2, 10] = np.nan
    winter_working, winter_other = typical_days(build_history(power))[0]
    assert winter_working == [1] * 48
    assert winter_other == [(5.0 + 3.0 + 1.0 * 3) / 5] * 48
    assert typical_days(build_history(power))[2] == [[None] * 48, [None] * 48]


def test_a_flat_run_is_long_enough_near_zero_and_unread_slots_end_it() -> None:
    power = np.full((10, 48), 0.4)
    power[:, 36:42] = 0.0
    power[0, 38] = np.nan
    power[:, 10:12] = 0.0
    found = find_flat_share(build_history(power), RULES)
    assert found["threshold_kw"] == 0.1
    assert found["dark"][10] == 0
    assert found["dark"][36] == 0.9
    assert found["dark"][39] == 0.9
    assert found["light"] == [None] * 48


def test_daily_totals_are_those_of_the_read_half_hours() -> None:
    power = np.ones((3, 48))
    power[1, :24] = np.nan
    power[2] = np.nan
    place = Place("", MONDAY, np.full((3, 48), np.nan), np.zeros((3, 48)), False)
    found = derive_evidence(build_history(power, np.full((3, 48), 0.25)), place, RULES)
    assert (found["import_kwh"], found["export_kwh"], found["unread"]) == ([24, 12, None], [6, 6, 6], [0, 24, 48])
    assert found["midday_kw"] == [0.75, 0.75, None]
    assert found["heating"] is None


def test_a_meter_that_was_never_read_breaks_nothing() -> None:
    nothing = np.full((3, 48), np.nan)
    found = derive_evidence(build_history(nothing), Place("", MONDAY, nothing, nothing, False), RULES)
    assert found["import_kwh"] == [None] * 3
    assert found["flat"]["dark"] == [None] * 48


def test_missing_middays_are_said_and_not_extrapolated() -> None:
    power = np.ones((400, 48))
    power[:, 22:28] = np.nan
    place = Place("x", MONDAY, np.linspace(-5, 25, 400)[:, None] * np.ones(48), np.zeros((400, 48)), True)
    found = derive_evidence(build_history(power), place, RULES)
    assert found["annual"]["kwh"] is None
    assert found["annual"]["reason"] == "11:00 to 14:00 missing on 100 % of days"
    assert found["annual"]["share_by_slot"] == [1] * 22 + [0] * 6 + [1] * 20
    assert not found["is_load_scaled"]
    assert found["heating"]["kwh_at_zero"] == 21.0
    whole = derive_evidence(build_history(np.ones((400, 48))), place, RULES)
    assert (whole["annual"]["kwh"], whole["annual"]["kwh_per_day"], whole["annual"]["reason"]) == (8760, 24, "")
