"""From meter-days to rows of predictions: every half-hour asked for, none from the future, each meter as if alone."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from fmar_spark.contracts.capability import BASELINE_PREDICTIONS
from fmar_spark.contracts.profiles import METER_PROFILES
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.kernels.assembly import build_calendar
from fmar_spark.kernels.baseline.day_ahead import CORRECTED, MODELS, NONE, BaselineRules, predict_days
from fmar_spark.kernels.baseline.days import is_plain_working
from fmar_spark.kernels.baseline.reference import reference_bl01
from fmar_spark.kernels.sufficiency import check_history
from fmar_spark.kernels.window import Floats, MeterWindow
from fmar_spark.profiling.baselines import BaselineStanding, PredictionPass, ScoreRules, build_standing, read_rules, score_baselines
from fmar_spark.profiling.windows import empty_weather
from fmar_spark.settings.sections import BaselineSettings
from fmar_spark.units import kwh_from_kw

LONDON = {"time_zone": "Europe/London", "latitude": 51.5, "longitude": -0.1, "gsp_group_id": "_C"}
SYDNEY = {"time_zone": "Australia/Sydney", "latitude": -33.9, "longitude": 151.2, "gsp_group_id": None}
NEW_YORK = {"time_zone": "America/New_York", "latitude": 40.7, "longitude": -74.0, "gsp_group_id": None}
RULES = ScoreRules(score_days=10, warm_up_days=20)


def list_days(mpan: str, first: date, loads: Floats, place: dict[str, Any] = LONDON) -> list[dict[str, Any]]:
    """Rows of import readings, (days, 48) kWh from ``first`` on."""
    attributes = {"interval_minutes": 30, "weather_area": None, "is_domestic": False, **place}
    days = [first + timedelta(days=day) for day in range(len(loads))]
    return [
        {"mpan_id": mpan, "utc_date": day, "quantity": "AI", "kwh": kwh.tolist(), **attributes}
        for day, kwh in zip(days, loads, strict=True)
    ]


def ask(mpan: str, *days: date, place: dict[str, Any] = LONDON) -> list[dict[str, Any]]:
    """Rows that ask for local days."""
    unread = list_days(mpan, days[0], np.full((1, 48), np.nan), place)[0] | {"quantity": None, "kwh": [None] * 48}
    return [unread | {"utc_date": day} for day in days]


def predict(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Predictions of a chunk, by meter and time."""
    fields = {"mpan_id": pa.string(), "utc_date": pa.date32(), "quantity": pa.string(), "kwh": pa.list_(pa.float32())}
    others = {"interval_minutes": pa.int32(), "latitude": pa.float64(), "longitude": pa.float64(), "is_domestic": pa.bool_()}
    kinds = fields | others | dict.fromkeys(("time_zone", "weather_area", "gsp_group_id"), pa.string())
    table = pa.table({name: pa.array([row[name] for row in rows], kind) for name, kind in kinds.items()})
    batches = list(PredictionPass(empty_weather(), BaselineRules(), "a run")(table))
    assert all(batch.schema == arrow_schema(BASELINE_PREDICTIONS) for batch in batches)
    return sorted((row for batch in batches for row in batch.to_pylist()), key=lambda row: (row["mpan_id"], row["slot_start_at"]))


def draw_loads(days: int, seed: int = 1) -> Floats:
    rng = np.random.default_rng(seed)
    return (2 + np.sin(np.arange(48) / 8) + rng.normal(0, 0.1, (days, 48))).astype(np.float32)


def half_hours(day: date, zone: str) -> list[datetime]:
    """UTC starts of a local day's half-hours."""
    midnights = [datetime(one.year, one.month, one.day, tzinfo=ZoneInfo(zone)).astimezone(UTC) for one in (day, day + timedelta(days=1))]
    count = int((midnights[1] - midnights[0]).total_seconds()) // 1800
    return [midnights[0] + timedelta(minutes=30 * slot) for slot in range(count)]


@pytest.mark.parametrize(
    ("place", "day", "count"),
    [
        (LONDON, date(2025, 3, 30), 46),
        (LONDON, date(2025, 3, 31), 48),
        (LONDON, date(2025, 10, 26), 50),
        (LONDON, date(2025, 7, 1), 48),
        (SYDNEY, date(2025, 4, 1), 48),
        (SYDNEY, date(2025, 4, 6), 50),
        (SYDNEY, date(2025, 10, 5), 46),
        (NEW_YORK, date(2025, 3, 31), 48),
        (NEW_YORK, date(2025, 11, 2), 50),
    ],
)
def test_a_local_day_has_a_row_for_each_of_its_half_hours(place: dict[str, Any], day: date, count: int) -> None:
    before = list_days("1", day - timedelta(days=20), draw_loads(18), place)
    for rows in (before + ask("1", day, place=place), ask("1", day, place=place)):
        starts = [row["slot_start_at"].replace(tzinfo=UTC) for row in predict(rows)]
        assert starts == half_hours(day, place["time_zone"])
        assert len(starts) == count


def test_the_hour_that_happens_twice_is_predicted_twice_alike() -> None:
    rows = predict(list_days("1", date(2025, 9, 1), draw_loads(50)) + ask("1", date(2025, 10, 26)))
    kwh = [row["predicted_kwh"] for row in rows]
    assert kwh[2:4] == kwh[4:6]
    assert len(set(kwh)) == 48


def test_days_without_readings_and_before_any_are_answered_with_what_is_known() -> None:
    days = [date(2025, 5, 1), date(2025, 6, 1), date(2025, 6, 2), date(2025, 7, 5), date(2025, 8, 20)]
    rows = predict(list_days("1", date(2025, 6, 1), draw_loads(40)) + ask("1", *days))
    of_day = {day: [row for row in rows if row["slot_start_at"].astimezone(ZoneInfo("Europe/London")).date() == day] for day in days}
    assert [len(found) for found in of_day.values()] == [48] * 5
    for day in days[:2]:
        assert {(row["predicted_kwh"], row["p10_kwh"], row["model"], row["trained_to_date"]) for row in of_day[day]} == {
            (None, None, "no_readings_before", None)
        }
    for day, last in ((days[2], date(2025, 6, 1)), (days[3], date(2025, 7, 4)), (days[4], date(2025, 7, 11))):
        assert {row["trained_to_date"] for row in of_day[day]} == {last}
        assert all(abs(row["predicted_kwh"] - 2) < 1.5 for row in of_day[day])
    assert {row["model"] for row in of_day[days[3]]} == {MODELS[CORRECTED]}
    assert all(row["p10_kwh"] < row["predicted_kwh"] < row["p90_kwh"] for row in of_day[days[3]])


def test_how_meters_are_cut_into_chunks_changes_nothing() -> None:
    meters = {
        name: list_days(name, first, draw_loads(days, seed)) + ask(name, date(2025, 6, 10), *others)
        for seed, (name, first, days, others) in enumerate(
            [
                ("1", date(2025, 1, 20), 180, [date(2025, 4, 1)]),
                ("2", date(2025, 4, 3), 77, [date(2025, 6, 30)]),
                ("3", date(2024, 2, 1), 450, []),
                ("4", date(2025, 6, 8), 2, []),
            ]
        )
    }
    alone = [row for rows in meters.values() for row in predict(rows)]
    assert predict([row for rows in meters.values() for row in rows]) == alone
    assert predict(meters["1"] + meters["3"]) + predict(meters["2"]) + predict(meters["4"]) != []
    pairs = predict(meters["1"] + meters["3"]) + predict(meters["2"] + meters["4"])
    assert sorted(pairs, key=lambda row: (row["mpan_id"], row["slot_start_at"])) == alone


def test_export_is_taken_off_the_import() -> None:
    first, loads = date(2025, 6, 1), draw_loads(30)
    export = [row | {"quantity": "AE"} for row in list_days("1", first, 2 * loads)]
    rows = predict(list_days("1", first, loads) + export + ask("1", date(2025, 6, 29)))
    assert np.allclose([row["predicted_kwh"] for row in rows], -predicted_alone(loads), atol=1e-4)


def predicted_alone(loads: Floats) -> Floats:
    return np.array([row["predicted_kwh"] for row in predict(list_days("1", date(2025, 6, 1), loads) + ask("1", date(2025, 6, 29)))])


def make_window(loads: Floats) -> MeterWindow:
    """A window over the days of loads, (meters, days, 48) kWh."""
    meters, days, _ = loads.shape
    unknown = np.full((1, days, 48), np.nan, dtype=np.float32)
    calendar = build_calendar(date(2025, 1, 1), days, frozenset({date(2025, 4, 18)}), southern=False)
    ones = np.ones(meters, dtype=np.int64)
    return MeterWindow(
        2 * loads, np.full_like(loads, np.nan), ones < 0, 30 * ones, 0 * ones, unknown, unknown, *[unknown] * 3, np.zeros(1), calendar
    )


def score(window: MeterWindow) -> BaselineStanding:
    return score_baselines(window, window.net_kw, check_history(window, 5, 0.9), RULES)


def test_a_meters_standing_is_that_of_its_own_last_days() -> None:
    loads = np.stack([draw_loads(100, seed) for seed in range(3)])
    loads[1, 90:] = np.nan
    window = make_window(loads)
    standing = score(window)
    for meter, last in enumerate([99, 89, 99]):
        days = np.arange(last - 9, last + 1)
        since = last - 29
        used = kwh_from_kw(window.net_kw[meter : meter + 1]).copy()
        reference = reference_bl01(used, is_plain_working(window.calendar), days)
        used[:, :since] = np.nan
        found = predict_days(used, window.temp_c, np.zeros(1, dtype=int), window.calendar, days)
        actual = used[:, days]
        assert np.isclose(standing.cv_rmse[meter], np.sqrt(((found.predicted_kwh - actual) ** 2).mean()) / actual.mean())
        assert np.isclose(standing.bl01_cv_rmse[meter], np.sqrt(((reference - actual) ** 2).mean()) / actual.mean())
        assert np.isclose(standing.interval_coverage[meter], ((actual >= found.p10_kwh) & (actual <= found.p90_kwh)).mean())
        assert (standing.trained_from_day[meter], standing.trained_to_day[meter], standing.days_used[meter]) == (since, last, 30)
        assert standing.model[meter] == CORRECTED


def test_a_standing_does_not_depend_on_the_other_meters() -> None:
    loads = np.stack([draw_loads(100, seed) for seed in range(5)])
    loads[1, 97:] = np.nan
    loads[2, 41:] = np.nan
    loads[3, :80] = np.nan
    loads[4] = np.nan
    together = score(make_window(loads))
    for meter in range(5):
        alone = score(make_window(loads[meter : meter + 1]))
        for one, many in zip(alone, together, strict=True):
            assert np.array_equal(one, many[meter : meter + 1], equal_nan=True)


def test_a_meter_without_readings_has_no_standing() -> None:
    window = make_window(np.full((2, 40, 48), np.nan, dtype=np.float32))
    standing = score(window)
    assert (standing.model == NONE).all()
    kind = arrow_schema(METER_PROFILES).field("baseline").type
    assert all(
        value is None
        for row in build_standing(standing, np.datetime64("2025-01-01"), kind).to_pylist()
        for name, value in row.items()
        if name != "days_used"
    )
    assert len(score(make_window(np.zeros((0, 40, 48), dtype=np.float32))).model) == 0


def test_settings_reach_the_kernels() -> None:
    rules = read_rules(BaselineSettings(half_life_days=33.0, interval_half_life_days=9.0, score_days=7, score_warm_up_days=21))
    assert (rules.score_days, rules.warm_up_days) == (7, 21)
    assert rules.baseline.stack.half_life_days == 33.0
    assert rules.baseline.interval.half_life_days == 9.0
