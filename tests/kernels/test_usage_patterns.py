"""When, how long and how often blocks of load happen."""

import numpy as np
import pytest

from fmar_spark.kernels.usage_patterns import (
    Blocks,
    UsagePattern,
    contrast_seasons,
    describe_usage,
    measure_roughness,
    measure_second_spread,
    measure_sharpness,
)
from fmar_spark.kernels.window import Bools, Floats

SLOTS = 48


def blocks_of(*rows: tuple[int, int, int, float]) -> Blocks:
    """Rows of meter, first slot, slots and kW, with edges that match."""
    meter, start, length, kw = (np.array(column) for column in zip(*rows, strict=True)) if rows else (np.zeros(0, int),) * 4
    hours = length / 2.0
    return Blocks(meter, start, start + length, hours, kw * 1.0, hours * kw, np.zeros(len(meter)))


def random_blocks(rng: np.random.Generator, meters: int, days: int, slots_per_day: int) -> Blocks:
    parts = []
    for meter in range(meters):
        start = np.sort(rng.choice(days * slots_per_day - 20, int(rng.integers(0, 40)), replace=False))
        parts.append(np.stack([np.full(len(start), meter), start]))
    meter, start = np.concatenate(parts, axis=1)
    length = rng.integers(1, 12, meter.size)
    hours = length * 24 / slots_per_day
    mismatch = np.where(rng.random(meter.size) < 0.2, np.nan, rng.gamma(1.0, 0.5, meter.size))
    power = rng.uniform(2, 8, meter.size)
    return Blocks(meter, start, start + length, hours, power, hours * power, mismatch)


def spread(slots: list[int], slots_per_day: int) -> float:
    """Share outside the fullest hour and a half, by looking at every one; of hourly meters, outside the fullest hour."""
    reach = (-1, 0, 1) if slots_per_day == SLOTS else (0,)
    fullest = max(
        sum((slot - place) % slots_per_day in {r % slots_per_day for r in reach} for slot in slots) for place in range(slots_per_day)
    )
    return 1 - fullest / len(slots)


def describe_naively(blocks: Blocks, meter: int, seen: Bools, slots_per_day: int) -> dict[str, float]:
    mine = [row for row in range(blocks.meter.size) if blocks.meter[row] == meter]
    if not mine:
        return {}
    hours = [float(blocks.hours[row]) for row in mine]
    days = sorted({int(blocks.start[row]) // slots_per_day for row in mine})
    mismatch = [0.3 if np.isnan(blocks.mismatch[row]) else min(float(blocks.mismatch[row]), 1.0) for row in mine]
    span = int(seen[days[0] : days[-1] + 1].sum())
    gaps = np.diff(days)
    return {
        "day_share": len(days) / seen.sum(),
        "active_day_share": len(days) / max(span, 30),
        "kwh_per_day": sum(blocks.energy_kwh[row] for row in mine) / seen.sum(),
        "hours_mean": float(np.mean(hours)),
        "hours_cv": np.std(hours) / np.mean(hours) if len(mine) >= 3 else np.nan,
        "long_share": float(np.mean([one >= 2.5 for one in hours])),
        "start_spread": spread([int(blocks.start[row]) % slots_per_day for row in mine], slots_per_day) if len(mine) >= 3 else np.nan,
        "end_spread": spread([int(blocks.end[row]) % slots_per_day for row in mine], slots_per_day) if len(mine) >= 3 else np.nan,
        "gap_cv": gaps.std() / gaps.mean() if gaps.size >= 3 else np.nan,
        "per_active_day": len(mine) / len(days),
        "mismatch": float(np.mean(mismatch)),
    }


def test_a_nightly_pattern_is_described_in_full() -> None:
    blocks = blocks_of(*((0, day * SLOTS + 2, 6 if day % 2 else 8, 7.0) for day in range(0, 60, 2)))
    found = describe_usage(blocks, np.ones((1, 60), dtype=bool), SLOTS)
    assert found.day_share[0] == pytest.approx(0.5)
    assert found.active_day_share[0] == pytest.approx(30 / 59)
    assert found.kwh_per_day[0] == pytest.approx(14.0)
    assert (found.hours_mean[0], found.hours_cv[0], found.long_share[0]) == (4.0, 0.0, 1.0)
    assert (found.start_spread[0], found.end_spread[0], found.gap_cv[0]) == (0.0, 0.0, 0.0)
    assert (found.per_active_day[0], found.mismatch[0]) == (1.0, 0.0)


@pytest.mark.parametrize("slots_per_day", [48, 24])
def test_patterns_agree_with_a_naive_loop(slots_per_day: int) -> None:
    rng = np.random.default_rng(slots_per_day)
    seen = rng.random((12, 90)) < 0.8
    blocks = random_blocks(rng, 12, 90, slots_per_day)
    found = describe_usage(blocks, seen, slots_per_day)
    for meter in range(12):
        wanted = describe_naively(blocks, meter, seen[meter], slots_per_day)
        for name in UsagePattern._fields:
            if name in {"day_share", "kwh_per_day"} and not wanted:
                assert getattr(found, name)[meter] == 0
            elif name != "active_day_share" or wanted:
                np.testing.assert_allclose(getattr(found, name)[meter], wanted.get(name, np.nan), rtol=1e-6, atol=1e-7, err_msg=name)


def test_several_kinds_at_once_are_described_as_each_alone() -> None:
    rng = np.random.default_rng(3)
    seen = rng.random((5, 90)) < 0.8
    first, second = random_blocks(rng, 5, 90, SLOTS), random_blocks(rng, 5, 90, SLOTS)
    both = Blocks(*(np.concatenate(pair) for pair in zip(first, second._replace(meter=second.meter + 5), strict=True)))
    together = describe_usage(both, seen, SLOTS, kinds=2)
    for kind, blocks in enumerate((first, second)):
        alone = describe_usage(blocks, seen, SLOTS)
        for name in UsagePattern._fields:
            np.testing.assert_array_equal(getattr(together, name)[kind * 5 : kind * 5 + 5], getattr(alone, name))


def test_an_edge_that_was_not_seen_counts_as_a_middling_mismatch() -> None:
    blocks = blocks_of((0, 10, 4, 7.0), (0, 60, 4, 7.0))._replace(mismatch=np.array([np.nan, 5.0]))
    assert describe_usage(blocks, np.ones((1, 3), dtype=bool), SLOTS).mismatch[0] == pytest.approx((0.3 + 1.0) / 2)


@pytest.mark.parametrize("seen", [np.ones((0, 9), dtype=bool), np.ones((2, 9), dtype=bool), np.zeros((2, 9), dtype=bool)])
def test_without_blocks_there_is_no_pattern(seen: Bools) -> None:
    found = describe_usage(blocks_of(), seen, SLOTS)
    assert all(column.shape == seen.shape[:1] for column in found)
    assert np.isnan(found.hours_mean).all()
    assert np.isnan(found.start_spread).all()
    assert (np.nan_to_num(found.day_share) == 0).all()


def test_taken_blocks_keep_their_order() -> None:
    blocks = blocks_of((0, 1, 2, 3.0), (0, 9, 2, 4.0), (1, 3, 2, 5.0))
    assert blocks.take(np.array([2, 0])).power_kw.tolist() == [5.0, 3.0]
    assert blocks.take(blocks.meter == 0).start.tolist() == [1, 9]


def contrast_naively(daily_kwh: Floats, season: Floats) -> float:
    means = []
    for wanted in (0, 2):
        known = [value for value, day_season in zip(daily_kwh, season, strict=True) if day_season == wanted and not np.isnan(value)]
        means.append(sum(known) / len(known) if len(known) >= 30 else np.nan)
    return (means[0] - means[1]) / (means[0] + means[1]) if sum(means) > 0 else np.nan


def test_the_contrast_of_seasons_agrees_with_a_naive_loop() -> None:
    rng = np.random.default_rng(4)
    season = np.repeat([0, 1, 2, 3], 40)
    daily_kwh = rng.gamma(2.0, 2.0, (20, 160)) * rng.uniform(0, 3, (20, 1)) ** (season == 0)
    daily_kwh[rng.random((20, 160)) < rng.uniform(0.0, 0.4, (20, 1))] = np.nan
    wanted = [contrast_naively(row, season) for row in daily_kwh]
    np.testing.assert_allclose(contrast_seasons(daily_kwh, season), wanted, rtol=1e-9)


@pytest.mark.parametrize(("winter", "summer", "wanted"), [(5.0, 0.0, 1.0), (0.0, 5.0, -1.0), (5.0, 5.0, 0.0), (0.0, 0.0, np.nan)])
def test_the_contrast_runs_from_summer_to_winter(winter: float, summer: float, wanted: float) -> None:
    season = np.repeat([0, 2], 40)
    found = contrast_seasons(np.where(season == 0, winter, summer)[None], season)
    np.testing.assert_array_equal(found, [wanted])


@pytest.mark.parametrize("shape", [(0, 80), (3, 80), (3, 0)])
def test_unknown_days_have_no_contrast(shape: tuple[int, int]) -> None:
    found = contrast_seasons(np.full(shape, np.nan), np.resize([0, 2], shape[1]))
    assert found.shape == shape[:1]
    assert np.isnan(found).all()


def test_roughness_is_half_the_mean_square_step_over_the_variance_of_active_days() -> None:
    rng = np.random.default_rng(3)
    daily = np.where(rng.random((20, 60)) < 0.4, rng.uniform(1, 9, (20, 60)), 0.0)
    daily[rng.random((20, 60)) < 0.1] = np.nan
    daily[0], daily[1, 7:], daily[2] = np.nan, 0.0, 5.0
    found = measure_roughness(daily)
    for row, meter in enumerate(daily):
        active = meter[np.nan_to_num(meter) > 0]
        if active.size < 8 or active.var() == 0:
            assert np.isnan(found[row])
        else:
            assert found[row] == pytest.approx((np.diff(active) ** 2).mean() / (2 * active.var()))


def test_energy_that_drifts_is_smooth_and_energy_that_varies_is_rough() -> None:
    day = np.arange(200)
    drifting = 5 + 3 * np.cos(2 * np.pi * day / 200)
    varying = np.random.default_rng(1).uniform(2, 8, 200)
    smooth, rough = measure_roughness(np.stack([drifting, varying]))
    assert smooth < 0.01
    assert rough == pytest.approx(1.0, abs=0.2)


def test_sharpness_is_the_share_of_the_busiest_slot() -> None:
    meter = np.array([0, 0, 0, 0, 1, 1])
    slot = np.array([1, 49, 97, 10, 5, 5])
    found = measure_sharpness(meter, slot, 3, SLOTS)
    assert found[0] == 0.75
    assert np.isnan(found[1:]).all()


def second_spread(slots: list[int], slots_per_day: int) -> float:
    """Share outside the two fullest hour-and-a-halfs, one taken out after the other; of hourly meters, hours."""
    reach = (-1, 0, 1) if slots_per_day == SLOTS else (0,)
    left = list(slots)
    for _ in range(2):
        spans = [{(place + shift) % slots_per_day for shift in reach} for place in range(slots_per_day)]
        fullest = max(spans, key=lambda span: sum(slot in span for slot in left))
        left = [slot for slot in left if slot not in fullest]
    return len(left) / len(slots)


@pytest.mark.parametrize("slots_per_day", [48, 24])
def test_the_spread_beyond_two_times_of_day_agrees_with_a_naive_loop(slots_per_day: int) -> None:
    rng = np.random.default_rng(8)
    meter = np.sort(rng.integers(0, 30, 400))
    slot = rng.integers(0, 90 * slots_per_day, 400)
    found = measure_second_spread(meter, slot, 31, slots_per_day)
    for row in range(30):
        mine = (slot[meter == row] % slots_per_day).tolist()
        assert found[row] == pytest.approx(second_spread(mine, slots_per_day), nan_ok=True)
    assert np.isnan(found[30])


def test_a_timer_with_two_starts_has_no_spread_beyond_them_and_a_driver_has() -> None:
    day = np.arange(40)
    timer = np.concatenate([day * SLOTS + 12, day * SLOTS + 47 + day % 2])
    driver = day * SLOTS + (day * 17) % SLOTS
    meter = np.repeat([0, 1], [timer.size, driver.size])
    beyond = measure_second_spread(meter, np.concatenate([timer, driver]), 2, SLOTS)
    assert beyond[0] == 0
    assert beyond[1] > 0.8
