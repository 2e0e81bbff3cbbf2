"""A charger's power, and the sessions of that power."""

from typing import NamedTuple

import numpy as np
import pytest

from fmar_spark.kernels.episodes import SlotGrid, build_slot_grid, find_rises
from fmar_spark.kernels.ev.charging import Charging, find_charging
from fmar_spark.kernels.ev.search import EvSearch
from fmar_spark.kernels.ev.sessions import find_flat_blocks
from fmar_spark.kernels.window import Floats

SEARCH = EvSearch()
LONGEST, LOOKBACK = 32, 6
SLOTS = 48


def grid_of(load_kw: Floats) -> SlotGrid:
    return build_slot_grid(load_kw.astype(np.float32), LONGEST, LOOKBACK)


def charging_of(load_kw: Floats) -> Charging:
    seen = (~np.isnan(load_kw)).mean(axis=2) > 0.8
    return find_charging(grid_of(load_kw), np.full(len(load_kw), 0.1), seen, SEARCH)


class Driven(NamedTuple):
    """A home with a car: its load, and the sessions as (first slot, slots)."""

    load_kw: Floats
    sessions: list[tuple[int, int]]


def drive(charger_kw: float, days: int = 120, seed: int = 0) -> Driven:
    """A quiet home that charges on four days of ten for two to six hours from some time in the evening."""
    rng = np.random.default_rng(seed)
    load_kw = (0.3 + 0.15 * rng.random((1, days, SLOTS))).astype(np.float32)
    flat = load_kw.reshape(-1)
    sessions = []
    for day in np.flatnonzero(rng.random(days) < 0.4)[:-1]:
        start, length = int(day) * SLOTS + int(rng.integers(34, 46)), int(rng.integers(4, 13))
        flat[start : start + length] += charger_kw
        sessions.append((start, length))
    return Driven(load_kw, sessions)


def test_three_hours_of_one_power_are_one_block() -> None:
    load_kw = np.full((1, 2, SLOTS), 0.5)
    load_kw[0, 1, 4:10] = 7.5
    grid = grid_of(load_kw)
    blocks = find_flat_blocks(grid, find_rises(grid, np.array([1.2])), SEARCH)
    assert (blocks.start.tolist(), blocks.end.tolist(), blocks.meter.tolist()) == ([SLOTS + 4], [SLOTS + 10], [0])
    assert (blocks.hours[0], blocks.power_kw[0], blocks.energy_kwh[0], blocks.mismatch[0]) == (3.0, 7.0, 21.0, 0.0)


def test_the_first_and_last_slot_count_by_their_share() -> None:
    load_kw = np.full((1, 1, SLOTS), 0.5)
    load_kw[0, 0, 10:16] = 4.0, 7.5, 7.5, 7.5, 7.5, 2.25
    grid = grid_of(load_kw)
    blocks = find_flat_blocks(grid, find_rises(grid, np.array([1.2])), SEARCH)
    assert (blocks.start[0], blocks.end[0]) == (10, 16)
    assert blocks.hours[0] == pytest.approx(0.5 * (0.5 + 4 + 0.25))


@pytest.mark.parametrize("length", [1, LONGEST + 5])
def test_what_is_over_at_once_or_never_ends_is_no_block(length: int) -> None:
    load_kw = np.full((1, 2, SLOTS), 0.5)
    load_kw.reshape(-1)[10 : 10 + length] = 7.5
    grid = grid_of(load_kw)
    assert find_flat_blocks(grid, find_rises(grid, np.array([1.2])), SEARCH).meter.size == 0


def follow_naively(series: Floats, slot: int, step: float) -> tuple[int, float] | None:
    """Slot after the last whole one and power of the plateau that the rise in ``slot`` leads to, if it is one of charging."""

    def at(place: int) -> float:
        return float(series[place]) if 0 <= place < series.size else np.nan

    if step < SEARCH.lowest_kw or not at(slot + 2) - at(slot - 1) >= 0.7 * step:
        return None
    before = [at(slot - back) for back in range(1, LOOKBACK + 1)]
    idle = np.nanmin(before)
    end, inside = slot + 1, []
    while at(end) >= np.float32(idle + 0.7 * step) and len(inside) < LONGEST:
        inside.append(at(end))
        end += 1
    after = np.fmin(at(end + 1), at(end + 2))
    power = min(inside, default=np.inf) - np.fmin(idle, after)
    if not 2 <= len(inside) < LONGEST or not SEARCH.lowest_kw <= power <= SEARCH.highest_kw:
        return None
    return end, power


@pytest.mark.parametrize("seed", range(3))
def test_flat_blocks_agree_with_a_naive_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    load_kw = drive(3.6, 40, seed).load_kw.repeat(3, axis=0)
    load_kw[1] += np.repeat(rng.gamma(0.3, 2.0, (40, 12)), 4, axis=1).astype(np.float32)
    load_kw[rng.random(load_kw.shape) < 0.02] = np.nan
    grid = grid_of(load_kw)
    rises = find_rises(grid, np.full(3, SEARCH.least_step_kw))
    found = find_flat_blocks(grid, rises, SEARCH)
    wanted = []
    for place, step in zip(rises.place, rises.step_kw, strict=True):
        meter, slot = int(grid.meter_of(place)), int(grid.slot_of(place))
        plateau = follow_naively(load_kw[meter].reshape(-1), slot, float(step))
        if plateau is not None:
            wanted.append((meter, slot, *plateau))
    assert len(wanted) > 20
    meter, slot, end, power = (np.array(column) for column in zip(*wanted, strict=True))
    np.testing.assert_array_equal(found.meter, meter)
    np.testing.assert_allclose(found.power_kw, power, rtol=1e-4)
    assert (np.abs(found.start - slot - 0.5) == 0.5).all()
    assert ((found.end - end >= 0) & (found.end - end <= 2)).all()


@pytest.mark.parametrize("charger_kw", [2.3, 3.6, 7.2, 11.0, 22.0])
def test_the_charger_and_its_sessions_are_recovered(charger_kw: float) -> None:
    driven = drive(charger_kw)
    found = charging_of(driven.load_kw)
    assert found.rated_kw[0] == pytest.approx(charger_kw, rel=0.05)
    assert found.spread[0] < 0.05
    starts = dict(zip(found.sessions.start.tolist(), found.sessions.end.tolist(), strict=True))
    caught = [one for one in driven.sessions if starts.get(one[0]) == sum(one)]
    assert len(caught) >= 0.9 * len(driven.sessions)
    assert found.sessions.energy_kwh.sum() == pytest.approx(charger_kw * sum(length for _, length in driven.sessions) / 2, rel=0.1)


def test_cooking_of_every_power_does_not_hide_the_charger() -> None:
    driven = drive(7.2)
    rng = np.random.default_rng(1)
    flat = driven.load_kw.reshape(-1)
    for start in rng.integers(10, flat.size - 10, 240):
        flat[start : start + rng.integers(1, 3)] += rng.uniform(1.5, 4.0)
    assert charging_of(driven.load_kw).rated_kw[0] == pytest.approx(7.2, rel=0.1)


def test_sessions_of_a_meter_come_in_order_and_never_overlap() -> None:
    load_kw = np.concatenate([drive(power, seed=seed).load_kw for seed, power in enumerate((3.6, 7.2, 3.6))])
    load_kw[np.random.default_rng(2).random(load_kw.shape) < 0.01] = np.nan
    sessions = charging_of(load_kw).sessions
    assert sessions.meter.size > 100
    same = sessions.meter[1:] == sessions.meter[:-1]
    assert (sessions.meter[1:] >= sessions.meter[:-1]).all()
    assert (sessions.start[1:] >= sessions.end[:-1])[same].all()
    assert ((sessions.start >= 0) & (sessions.start < sessions.end) & (sessions.end <= load_kw[0].size)).all()


def test_each_meter_is_answered_as_if_it_were_alone() -> None:
    load_kw = np.concatenate([drive(power, seed=seed).load_kw for seed, power in enumerate((3.6, 7.2, 11.0))])
    together = charging_of(load_kw)
    for meter in range(3):
        alone = charging_of(load_kw[meter : meter + 1])
        assert together.rated_kw[meter] == alone.rated_kw[0]
        np.testing.assert_array_equal(together.sessions.start[together.sessions.meter == meter], alone.sessions.start)


@pytest.mark.parametrize("load_kw", [np.zeros((0, 9, SLOTS)), np.full((2, 9, SLOTS), np.nan), np.full((2, 9, SLOTS), 0.4)])
def test_without_a_step_there_is_no_charger(load_kw: Floats) -> None:
    found = charging_of(load_kw)
    assert found.rated_kw.shape == load_kw.shape[:1]
    assert found.sessions.meter.size == 0
    assert np.isnan(found.likeness).all()
    assert np.nan_to_num(found.concentration).sum() == 0


def test_a_meter_without_a_typical_change_is_left_out() -> None:
    load_kw = np.concatenate([drive(7.2).load_kw] * 2)
    found = find_charging(grid_of(load_kw), np.array([np.nan, 0.1]), np.ones((2, 120), dtype=bool), SEARCH)
    assert set(found.sessions.meter.tolist()) == {1}


def test_a_session_too_short_for_a_flat_block_leaves_its_step() -> None:
    load_kw = np.full((1, 100, SLOTS), 0.3)
    load_kw[0, ::4, 38] += 6.5
    load_kw[0, 1::10, 3] += 3.5
    charging = charging_of(load_kw)
    anytime, at_night = charging.steps.day_shares[0, :5], charging.steps.day_shares[0, 5:]
    assert anytime.tolist() == [0.35, 0.35, 0.25, 0.25, 0.0]
    assert at_night.tolist() == [0.1, 0.1, 0.0, 0.0, 0.0]


def test_the_power_that_comes_second_is_reported_beside_the_first() -> None:
    load_kw = drive(7.2).load_kw
    load_kw[0, :, 26:29] += 3.0
    charging = charging_of(load_kw)
    assert charging.rated_kw[0] == pytest.approx(7.2, rel=0.03)
    assert charging.second_kw[0] == pytest.approx(3.0, rel=0.05)


@pytest.mark.parametrize("slots", [(7.2, 4.8), (2.4, 7.2, 1.2)], ids=["from the half-hour on", "from within it"])
def test_a_charger_that_fills_no_hour_is_seen_beside_longer_blocks_of_less_power(slots: tuple[float, ...]) -> None:
    load_kw = np.full((1, 60, SLOTS), 0.3)
    load_kw[0, ::2, 35:39] += 2.0
    load_kw[0, :, 1 : 1 + len(slots)] += slots
    found = charging_of(load_kw)
    assert found.rated_kw[0] == pytest.approx(7.2, rel=0.03)
    assert found.sessions.meter.size == 60
    assert found.sessions.energy_kwh == pytest.approx(sum(slots) / 2, rel=0.05)
    assert np.isnan(found.concentration[0])


def test_steps_that_recur_without_much_energy_leave_the_longer_blocks_as_they_are() -> None:
    load_kw = np.full((1, 60, SLOTS), 0.3)
    load_kw[0, :, 35:43] += 3.6
    load_kw[0, :, 20] += 5.0
    assert charging_of(load_kw).rated_kw[0] == pytest.approx(3.6, rel=0.03)
