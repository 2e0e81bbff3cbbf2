"""Electric vehicle charging, from loads to findings."""

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pytest

from fmar_spark import clock
from fmar_spark.kernels.ev.detector import BLUR, examine
from fmar_spark.kernels.window import Events, Findings, Floats, MeterWindow

WindowMaker = Callable[..., MeterWindow]
FleetMaker = Callable[..., Any]


def column(findings: Findings, name: str) -> Floats:
    return findings.features[name]


def charged_slots(events: Events, meters: int, slots: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    on = np.zeros((meters, slots), dtype=bool)
    for meter, start, end in zip(events.meter, events.start_slot, events.end_slot, strict=True):
        on[meter, start:end] = True
    return on


def evening_charges(days: int = 90, charger_kw: float = 7.0) -> Floats:
    """One meter that charges from 18:00 to 21:00 on every third day."""
    load_kw = np.full((1, days, 48), 0.4)
    load_kw[:, ::3, 36:42] += charger_kw
    return load_kw


def test_a_car_that_charges_every_third_evening_is_described(lay_window: WindowMaker) -> None:
    load_kw = evening_charges()
    found = examine(lay_window(load_kw), load_kw)
    assert found.sizes.rated_import_kw[0] == pytest.approx(7.0)
    assert found.events.start_slot.tolist() == [day * 48 + 36 for day in range(0, 90, 3)]
    assert found.events.end_slot.tolist() == [day * 48 + 42 for day in range(0, 90, 3)]
    np.testing.assert_allclose(found.events.energy_kwh, 21.0, rtol=1e-5)
    np.testing.assert_allclose(found.events.peak_kw, 7.0, rtol=1e-5)
    np.testing.assert_allclose(found.daily[0], np.where(np.arange(90) % 3 == 0, 21.0, 0.0), rtol=1e-5)
    assert column(found, "ev_day_share")[0] == pytest.approx(1 / 3)
    assert column(found, "ev_hours_mean")[0] == pytest.approx(3.0)
    assert column(found, "ev_energy_share")[0] == pytest.approx(7.0 / (7.0 + 0.4 * 24), rel=1e-3)


def test_a_car_gives_nothing_back_and_stores_nothing_that_could_be_measured(lay_window: WindowMaker) -> None:
    load_kw = evening_charges()
    found = examine(lay_window(load_kw), load_kw)
    assert found.events.is_import.all()
    for sizes in (found.sizes.rated_export_kw, found.sizes.storage_kwh, found.sizes.peak_kwp):
        assert np.isnan(sizes).all()


@pytest.mark.parametrize(("slots", "is_least"), [(2, 1.0), (3, 1.0), (4, 0.0), (6, 0.0)])
def test_sessions_as_short_as_the_readings_bound_the_power_from_below_and_widen_it(
    lay_window: WindowMaker, slots: int, is_least: float
) -> None:
    load_kw = np.full((1, 90, 48), 0.4)
    load_kw[:, ::2, 36 : 36 + slots] += 7.0
    sizes = examine(lay_window(load_kw), load_kw).sizes
    assert sizes.is_least[0] == is_least
    assert (sizes.spread[0] > BLUR) == (is_least == 1)


@pytest.mark.parametrize(("strong_days", "strong_slots", "is_least"), [(2, 1, 1.0), (3, 1, 1.0), (9, 1, 0.0), (2, 0, 0.0)])
def test_steps_of_a_stronger_charger_bound_the_power_of_a_weak_one_from_below(
    lay_window: WindowMaker, strong_days: int, strong_slots: int, is_least: float
) -> None:
    """A car at 3.6 kW for nine hours of most nights, and on some a half-hour at 7.2 kW before it: the size of one is not all there is."""
    rng = np.random.default_rng(3)
    load_kw = _charge_at_night(rng)
    load_kw[:, ::strong_days, 45 : 45 + strong_slots] += 7.2
    sizes = examine(lay_window(load_kw), load_kw).sizes
    assert sizes.rated_import_kw[0] == pytest.approx(3.6)
    assert sizes.is_least[0] == is_least
    assert (sizes.spread[0] > BLUR) == (is_least == 1)


def _charge_at_night(rng: np.random.Generator) -> Floats:
    """A home of 120 days with a car at 3.6 kW for nine hours of four nights in five, kW."""
    load_kw = np.full((1, 120, 48), 0.4)
    for day in np.flatnonzero(rng.random(120) < 0.8):
        start = rng.integers(0, 6)
        load_kw[0, day, start : start + 18] += 3.6
    return load_kw


def test_of_two_cars_the_stronger_charger_is_the_size(lay_window: WindowMaker) -> None:
    load_kw = _charge_at_night(np.random.default_rng(3))
    load_kw[:, ::3, 38:43] += 7.2
    assert examine(lay_window(load_kw), load_kw).sizes.rated_import_kw[0] == pytest.approx(7.2)


def test_hourly_meters_are_looked_at_hour_by_hour(lay_window: WindowMaker) -> None:
    load_kw = np.concatenate([evening_charges(), evening_charges(charger_kw=3.6)])
    window = lay_window(load_kw)._replace(interval_minutes=np.array([60, 30]))
    found = examine(window, load_kw)
    np.testing.assert_allclose(found.sizes.rated_import_kw, [7.0, 3.6], rtol=1e-5)
    hourly = found.events.meter == 0
    assert (found.events.start_slot[hourly] % 2 == 0).all()
    assert (found.events.end_slot[hourly] % 2 == 0).all()
    assert (np.diff(found.events.meter) >= 0).all()


def test_a_day_that_was_hardly_read_has_no_mark(lay_window: WindowMaker) -> None:
    load_kw = evening_charges()
    load_kw[0, 3, :10], load_kw[0, 6, :5] = np.nan, np.nan
    daily = examine(lay_window(load_kw), load_kw).daily[0]
    assert np.isnan(daily[3])
    assert daily[6] == pytest.approx(21.0)


def test_a_gap_ends_a_session_and_is_never_charged_through(lay_window: WindowMaker) -> None:
    load_kw = evening_charges()
    load_kw[0, 30, 39:41] = np.nan
    found = examine(lay_window(load_kw), load_kw)
    assert not charged_slots(found.events, 1, 90 * 48)[0, 30 * 48 + 39 : 30 * 48 + 41].any()


def test_each_meter_is_answered_as_if_it_were_alone(see_fleet: FleetMaker) -> None:
    window = see_fleet(home_ev=1.0).window
    some = window._replace(
        import_kw=window.import_kw[:6, :120].copy(),
        export_kw=window.export_kw[:6, :120],
        interval_minutes=np.array([30, 60, 30, 60, 30, 30]),
        calendar=window.calendar._replace(season=window.calendar.season[:120]),
    )
    some.import_kw[np.random.default_rng(1).random(some.import_kw.shape) < 0.02] = np.nan
    together = examine(some, some.import_kw)
    for meter in range(6):
        alone = examine(some._replace(interval_minutes=some.interval_minutes[meter : meter + 1]), some.import_kw[meter : meter + 1])
        for name, values in together.features.items():
            np.testing.assert_allclose(values[meter], alone.features[name][0], rtol=1e-6)
        np.testing.assert_array_equal(together.daily[meter], alone.daily[0])
        np.testing.assert_array_equal(together.events.start_slot[together.events.meter == meter], alone.events.start_slot)


def test_events_lie_in_the_window_in_order_and_take_no_more_than_was_drawn(see_fleet: FleetMaker) -> None:
    window = see_fleet(home_ev=1.0).window
    events = examine(window, window.import_kw).events
    assert ((events.start_slot >= 0) & (events.start_slot < events.end_slot)).all()
    assert events.end_slot.max() <= window.import_kw[0].size
    same = np.diff(events.meter) == 0
    assert (events.start_slot[1:] >= events.end_slot[:-1])[same].all()
    assert ((events.probability > 0) & (events.probability <= 1)).all()
    drawn = np.concatenate([np.zeros((40, 1)), np.cumsum(np.nan_to_num(window.import_kw).reshape(40, -1) / 2, axis=1)], axis=1)
    kwh = drawn[events.meter, events.end_slot] - drawn[events.meter, events.start_slot]
    assert (events.energy_kwh <= 1.05 * kwh + 0.1).mean() > 0.99


def test_chargers_of_simulated_homes_are_sized_and_their_half_hours_found(see_fleet: FleetMaker) -> None:
    plan, fleet, window = see_fleet(home_ev=1.0)
    found = examine(window, window.import_kw)
    error = np.abs(found.sizes.rated_import_kw / fleet.assets.size_kw - 1)
    assert np.median(error) < 0.08
    assert (error < 0.15).mean() > 0.75
    assert column(found, "ev_power_kw") == pytest.approx(found.sizes.rated_import_kw)
    slots = window.import_kw[0].size
    local = clock.local_slot_of_utc(plan.first_date, plan.days, clock.LONDON)
    true_events = fleet.events._replace(start_slot=local[fleet.events.start_slot], end_slot=local[fleet.events.end_slot - 1] + 1)
    true, given = charged_slots(true_events, 40, slots), charged_slots(found.events, 40, slots)
    assert 2 * (true & given).sum() / (true.sum() + given.sum()) > 0.75


def test_homes_with_a_car_look_more_like_charging_than_homes_with_an_immersion_heater_or_a_shower(see_fleet: FleetMaker) -> None:
    cars = see_fleet(home_ev=1.0).window
    others = see_fleet(confuser_scale=1.0).window
    with_car, without = (np.nan_to_num(examine(one, one.import_kw).sizes.spread, nan=99.0) for one in (cars, others))
    assert (with_car[:, None] < without[None]).mean() > 0.8


def test_a_car_on_a_night_tariff_is_distinguished_from_storage_heating_by_its_energy_from_night_to_night(lay_window: WindowMaker) -> None:
    rng = np.random.default_rng(5)
    days = 300
    load_kw = np.full((2, days, 48), 0.3, dtype=np.float32) + 0.05 * rng.random((2, days, 48), dtype=np.float32)
    charged = rng.integers(2, 9, days)
    heated = np.rint(5 + 3 * np.cos(2 * np.pi * np.arange(days) / 365)).astype(int)
    for row, slots in enumerate((charged, heated)):
        for day in range(days):
            load_kw[row, day, 1 : 1 + slots[day]] += 7.2
    found = examine(lay_window(load_kw), load_kw)
    assert column(found, "ev_power_kw") == pytest.approx([7.2, 7.2], rel=0.03)
    assert column(found, "ev_start_sharpness") == pytest.approx([1.0, 1.0])
    roughness = column(found, "ev_energy_roughness")
    assert roughness[0] > 0.8
    assert roughness[1] < 0.2


@pytest.mark.parametrize(("meters", "days"), [(0, 30), (3, 0), (3, 30)])
def test_nothing_read_finds_nothing(lay_window: WindowMaker, meters: int, days: int) -> None:
    load_kw = np.full((meters, days, 48), np.nan, dtype=np.float32)
    found = examine(lay_window(load_kw), load_kw)
    assert {values.shape for values in found.features.values()} == {(meters,)}
    assert found.daily.shape == (meters, days)
    assert (found.missing_share == 1).all()
    assert np.isnan(found.daily).all()
    assert np.isnan(found.sizes.rated_import_kw).all()
    assert found.events.meter.size == 0


def test_silence_says_nothing_of_a_car_where_the_load_changes_by_as_much(lay_window: WindowMaker) -> None:
    rng = np.random.default_rng(5)
    quiet = rng.gamma(0.6, 0.3, (1, 60, 48))
    heated = quiet.copy()
    heated[:, ::4, 2:8] += 6.8
    works = rng.uniform(40.0, 80.0, (1, 60, 48))
    load_kw = np.concatenate([quiet, heated, works])
    found = examine(lay_window(load_kw), load_kw)
    assert found.is_drowned is not None
    assert found.is_drowned.tolist() == [False, True, True]


def test_days_of_the_calendar_are_sampled_wherever_the_window_begins(lay_window: WindowMaker) -> None:
    load_kw = np.random.default_rng(5).gamma(0.6, 0.8, (1, 60, 48))
    load_kw[0, ::3, 36:42] += 3.6
    unread = np.full((1, 13, 48), np.nan)
    near, far = (
        examine(window, window.net_kw).features["ev_rise_days_2.5kw"][0]
        for window in (
            lay_window(load_kw, first_date=date(2023, 1, 14)),
            lay_window(np.concatenate([unread, load_kw], axis=1), first_date=date(2023, 1, 1)),
        )
    )
    assert near == far
