"""Capability and availability from episodes."""

from datetime import date

import numpy as np
import pytest

from fmar_spark.kernels.assembly import build_calendar
from fmar_spark.kernels.parameters import (
    count_weeks,
    derive_availability,
    derive_capability,
    group_quantiles,
    mark_right_censored,
    measure_steps,
)
from fmar_spark.kernels.window import Bools, Events, Floats, LocalCalendar, no_events

SLOTS = 48


def calendar_of(days: int) -> LocalCalendar:
    return build_calendar(date(2023, 1, 2), days, frozenset(), southern=False)


def events_of(*rows: tuple[int, int, int, float], is_import: bool = True) -> Events:
    """Rows of meter, first slot, slot after the last, mean kW; the peak is the mean."""
    meter, start, end, kw = (np.array(column) for column in zip(*rows, strict=True))
    length = end - start
    size = meter.size
    return Events(meter, start, end, kw * length / 2, kw * 1.0, np.full(size, is_import), np.ones(size))


def random_events(rng: np.random.Generator, meters: int, days: int) -> Events:
    rows = []
    for meter in range(meters):
        start = int(rng.integers(0, 30))
        while True:
            end = start + int(rng.integers(1, 12))
            if end > days * SLOTS:
                break
            rows.append((meter, start, end, float(rng.uniform(1, 8))))
            start = end + int(rng.integers(1, 90))
    flags = rng.random(len(rows)) < 0.8
    return events_of(*rows)._replace(is_import=flags)


def test_quantiles_of_groups_are_those_of_numpy() -> None:
    rng = np.random.default_rng(0)
    values, group = rng.normal(size=200), rng.integers(0, 7, 200)
    values[::9] = np.nan
    found = group_quantiles(values, group, 8, (0.0, 0.1, 0.5, 0.9, 1.0))
    for index in range(7):
        np.testing.assert_allclose(found[index], np.nanquantile(values[group == index], (0.0, 0.1, 0.5, 0.9, 1.0)))
    assert np.isnan(found[7]).all()


def test_two_whole_charges_give_their_power_duration_and_ramp() -> None:
    load_kw = np.full((1, 10, SLOTS), 0.5, dtype=np.float32)
    load_kw[0, 2, 10:14] = 7.5
    load_kw[0, 5, 20:22] = 7.5
    events = events_of((0, 2 * SLOTS + 10, 2 * SLOTS + 14, 7.0), (0, 5 * SLOTS + 20, 5 * SLOTS + 22, 7.0))
    found = derive_capability(events, load_kw, np.array([30]))
    assert found.rated_kw_p50[0, 0] == found.rated_kw_max[0, 0] == pytest.approx(7.0)
    assert (found.duration_minutes_min[0, 0], found.duration_minutes_max[0, 0]) == (60.0, 120.0)
    assert found.ramp_kw_per_min_lower_bound[0, 0] == pytest.approx(7.0 / 30)
    assert found.energy_kwh_day[0, 0] == pytest.approx((14 + 7) / 10)
    assert found.events_seen.tolist() == [[2.0, 0.0]]
    assert np.isnan(found.rated_kw_p50[0, 1])


def test_a_meter_read_by_the_hour_has_half_the_ramp() -> None:
    load_kw = np.zeros((2, 3, SLOTS), dtype=np.float32)
    load_kw[:, 1, 10:14] = 6.0
    events = events_of((0, 58, 62, 6.0), (1, 58, 62, 6.0))
    found = derive_capability(events, load_kw, np.array([30, 60]))
    np.testing.assert_allclose(found.ramp_kw_per_min_lower_bound[:, 0], [0.2, 0.1], rtol=1e-6)


def test_an_episode_cut_by_a_gap_or_the_end_counts_in_no_duration() -> None:
    load_kw = np.ones((1, 3, SLOTS), dtype=np.float32)
    load_kw[0, 0, 20:30] = np.nan
    events = events_of((0, 10, 20, 2.0), (0, 60, 62, 2.0), (0, 140, 144, 2.0))
    assert mark_right_censored(events, load_kw).tolist() == [True, False, True]
    found = derive_capability(events, load_kw, np.array([30]))
    assert found.duration_minutes_max[0, 0] == 60.0
    assert found.events_cut[0, 0] == 2.0


def test_ratings_look_back_twelve_months_only() -> None:
    load_kw = np.zeros((1, 500, SLOTS), dtype=np.float32)
    events = events_of((0, 50, 54, 22.0), (0, 450 * SLOTS, 450 * SLOTS + 4, 7.0))
    assert derive_capability(events, load_kw, np.array([30])).rated_kw_max[0, 0] == 7.0


def test_held_back_load_ramps_downwards() -> None:
    load_kw = np.full((1, 2, SLOTS), 10.0, dtype=np.float32)
    load_kw[0, 1, 10:14] = 6.0
    events = events_of((0, 58, 62, 4.0))
    assert measure_steps(events, load_kw, holds_back=True).tolist() == [4.0]
    assert measure_steps(events, load_kw).tolist() == [0.0]


def test_energy_counts_only_days_when_the_asset_is_present() -> None:
    load_kw = np.zeros((1, 10, SLOTS), dtype=np.float32)
    present = np.arange(10)[None, :] >= 5
    events = events_of((0, 1 * SLOTS, 1 * SLOTS + 2, 9.0), (0, 6 * SLOTS, 6 * SLOTS + 2, 5.0))
    assert derive_capability(events, load_kw, np.array([30]), present).energy_kwh_day[0, 0] == pytest.approx(1.0)


def naive_capability(events: Events, load_kw: Floats, meter: int, direction: int) -> dict[str, float]:
    """Figures of one meter and direction, event by event."""
    days = load_kw.shape[1]
    flat = load_kw[meter].reshape(-1)
    mine = [row for row in range(events.meter.size) if events.meter[row] == meter and events.is_import[row] == (direction == 0)]
    peaks = [float(events.peak_kw[row]) for row in mine if events.start_slot[row] >= (days - 365) * SLOTS]
    whole, cut = [], 0
    for row in mine:
        start, end = int(events.start_slot[row]), int(events.end_slot[row])
        ends_unseen = end >= flat.size or np.isnan(flat[end])
        cut += ends_unseen
        if not ends_unseen and start > 0 and not np.isnan(flat[start - 1]):
            whole.append((end - start) * 30.0)
    seen_days = sum(not np.isnan(load_kw[meter, day]).all() for day in range(days))
    energy = sum(events.energy_kwh[row] for row in mine if not np.isnan(load_kw[meter, events.start_slot[row] // SLOTS]).all())
    return {
        "rated_kw_p10": np.quantile(peaks, 0.1) if peaks else np.nan,
        "rated_kw_max": max(peaks, default=np.nan),
        "duration_minutes_min": min(whole, default=np.nan),
        "duration_minutes_p50": np.median(whole) if whole else np.nan,
        "energy_kwh_day": energy / seen_days if mine else np.nan,
        "events_seen": len(mine),
        "events_cut": cut,
    }


def test_capability_agrees_with_a_naive_loop() -> None:
    rng = np.random.default_rng(4)
    load_kw = rng.random((4, 400, SLOTS)).astype(np.float32)
    load_kw[rng.random((4, 400)) < 0.2] = np.nan
    load_kw[rng.random(load_kw.shape) < 0.02] = np.nan
    events = random_events(rng, 4, 400)
    found = derive_capability(events, load_kw, np.full(4, 30))
    for meter, direction in np.ndindex(4, 2):
        for name, value in naive_capability(events, load_kw, meter, direction).items():
            np.testing.assert_allclose(getattr(found, name)[meter, direction], value, rtol=1e-5, err_msg=name)


def keep_events(events: Events, kept: Bools) -> Events:
    return Events._make(column[kept] for column in events)


def naive_availability(events: Events, load_kw: Floats, calendar: LocalCalendar, is_import: bool) -> tuple[Floats, Floats]:
    meters = load_kw.shape[0]
    seen: dict[tuple[int, int, int, int], list[float]] = {}
    weeks = np.zeros((meters, 4, 7, SLOTS))
    for meter, day, slot in zip(*np.nonzero(~np.isnan(load_kw)), strict=True):
        weeks[meter, calendar.season[day], calendar.weekday[day] - 1, slot] += 1
    for index in np.flatnonzero(events.is_import == is_import):
        start, end = int(events.start_slot[index]), int(events.end_slot[index])
        for at in range(start, end):
            day = at // SLOTS
            key = (int(events.meter[index]), int(calendar.season[day]), int(calendar.weekday[day]) - 1, at % SLOTS)
            seen.setdefault(key, []).append(events.energy_kwh[index] / (end - start) * 2)
    probability, kw_p50 = np.where(weeks > 0, 0.0, np.nan), np.full(weeks.shape, np.nan)
    for key, powers in seen.items():
        probability[key] = len(powers) / weeks[key]
        kw_p50[key] = np.median(powers)
    return probability, kw_p50


@pytest.mark.parametrize("is_import", [True, False])
def test_availability_agrees_with_a_naive_loop(is_import: bool) -> None:
    rng = np.random.default_rng(3)
    load_kw = np.ones((3, 120, SLOTS), dtype=np.float32)
    load_kw[:, 40:44] = np.nan
    events = random_events(rng, 3, 120)
    read = ~((events.start_slot < 44 * SLOTS) & (events.end_slot > 40 * SLOTS))
    events = keep_events(events, read)
    calendar = calendar_of(120)
    found = derive_availability(events, count_weeks(load_kw, calendar), calendar, is_import=is_import)
    probability, kw_p50 = naive_availability(events, load_kw, calendar, is_import)
    np.testing.assert_allclose(found.probability, probability, rtol=1e-5)
    np.testing.assert_allclose(found.kw_p50, kw_p50, rtol=1e-5)


def test_availability_of_a_daily_pattern_is_one_in_its_slots() -> None:
    days = 28
    events = events_of(*((0, day * SLOTS + 4, day * SLOTS + 8, 3.0) for day in range(days)))
    calendar = calendar_of(days)
    weeks = count_weeks(np.zeros((1, days, SLOTS), dtype=np.float32), calendar)
    found = derive_availability(events, weeks, calendar, is_import=True)
    assert (found.probability[0, 0, :, 4:8] == 1.0).all()
    assert (found.probability[0, 0, :, 8:] == 0.0).all()
    assert (found.weeks_observed[0, 0] == 4.0).all()
    assert np.isnan(found.probability[0, 2]).all()


@pytest.mark.parametrize("shape", [(0, 30, SLOTS), (2, 30, SLOTS)])
def test_no_episode_and_no_reading_give_nothing(shape: tuple[int, int, int]) -> None:
    load_kw = np.full(shape, np.nan, dtype=np.float32)
    calendar = calendar_of(shape[1])
    found = derive_capability(no_events(), load_kw, np.full(shape[0], 30))
    assert np.isnan(found.rated_kw_p50).all()
    assert (found.events_seen == 0).all()
    when = derive_availability(no_events(), count_weeks(load_kw, calendar), calendar, is_import=True)
    assert np.isnan(when.probability).all()
    assert when.probability.shape == (shape[0], 4, 7, SLOTS)
