"""The interval against the same for one slot after another, and what it holds."""

import numpy as np

from fmar_spark.kernels.baseline.interval import (
    BLOCKS,
    LEVEL_SHARE,
    NORMAL_REACH,
    OTHER,
    WORKING,
    Interval,
    IntervalRules,
)
from fmar_spark.kernels.window import Floats

RULES = IntervalRules()


class SlowInterval:
    """One meter's interval, written out."""

    def __init__(self) -> None:
        self.days: list[tuple[int, Floats]] = []
        self.reach = np.full((2, BLOCKS), NORMAL_REACH)

    def spread(self, kind: int) -> Floats:
        keep = 0.5 ** (1 / RULES.half_life_days)
        mixed = np.zeros(48)
        for slot in range(48):
            ages = {False: [0.0, 0.0], True: [0.0, 0.0]}
            for day_kind, error in self.days:
                for only_kind in (False, True):
                    if np.isfinite(error[slot]) and (not only_kind or day_kind == kind):
                        total, weight = ages[only_kind]
                        ages[only_kind] = [keep * total + abs(error[slot]), keep * weight + 1]
            overall = ages[False][0] / max(ages[False][1], 1e-6)
            mixed[slot] = (ages[True][0] + RULES.kind_days * overall) / (ages[True][1] + RULES.kind_days)
        padded = np.pad(mixed, 1, mode="edge")
        smooth = (padded[:-2] + 2 * mixed + padded[2:]) / 4
        young = 1 + max(1 - len(self.days) / RULES.young_days, 0)
        return young * ((1 - LEVEL_SHARE) * smooth + LEVEL_SHARE * mixed.mean())

    def bound(self, predicted: Floats, kind: int) -> Floats:
        below, above = np.repeat(self.reach, 48 // BLOCKS, axis=1)
        spread = self.spread(kind)
        return np.stack([predicted - below * spread, predicted + above * spread])

    def learn(self, bounds: Floats, actual: Floats, predicted: Floats, kind: int) -> None:
        for block in range(BLOCKS):
            slots = np.arange(block * 6, block * 6 + 6)
            slots = slots[np.isfinite(actual[slots])]
            if len(slots) and self.days:
                missed = np.array([(actual[slots] < bounds[0, slots]).mean(), (actual[slots] > bounds[1, slots]).mean()])
                moved = self.reach[:, block] + RULES.step * (missed - RULES.tail) * np.maximum(self.reach[:, block], 0.3)
                self.reach[:, block] = np.clip(moved, 0.05, 20)
        self.days.append((kind, actual - predicted))


def test_the_interval_agrees_with_a_slow_one() -> None:
    rng = np.random.default_rng(1)
    quick, slow = Interval(1, RULES), SlowInterval()
    for day in range(30):
        kind = WORKING if day % 7 < 5 else OTHER
        predicted = rng.random((1, 48)).astype(np.float32)
        actual = (predicted + rng.normal(0, 1 + kind, (1, 48))).astype(np.float32)
        actual[0, rng.random(48) < 0.1] = np.nan
        bounds = quick.bound(predicted, kind)
        if day:
            assert np.allclose(bounds[:, 0], slow.bound(predicted[0], kind), rtol=1e-4, atol=1e-4)
        is_read = np.isfinite(actual)
        quick.learn(bounds, actual, np.where(is_read, actual - predicted, 0), is_read, kind)
        slow.learn(bounds[:, 0], actual[0], predicted[0], kind)


def hold(size: Floats) -> Floats:
    """Share of lopsided errors of each day's size, (days,), that the interval holds."""
    rng = np.random.default_rng(2)
    interval = Interval(50, RULES)
    held = []
    for scale in size:
        predicted = np.zeros((50, 48), dtype=np.float32)
        actual = (scale * (rng.exponential(1.0, (50, 48)) - 0.5)).astype(np.float32)
        bounds = interval.bound(predicted, WORKING)
        held.append(((actual >= bounds[0]) & (actual <= bounds[1])).mean())
        interval.learn(bounds, actual, actual, np.ones((50, 48), dtype=bool), WORKING)
    return np.array(held)


def test_both_ends_find_their_place_under_lopsided_errors() -> None:
    assert abs(hold(np.ones(300))[250:].mean() - 0.8) < 0.02


def test_larger_errors_widen_it_within_three_weeks() -> None:
    held = hold(np.where(np.arange(130) < 100, 1.0, 4.0))
    assert held[100] < 0.5
    assert held[121:].mean() > 0.78


def test_nothing_is_known_before_a_day_was_scored_and_unread_days_change_nothing() -> None:
    interval = Interval(2, RULES)
    predicted = np.ones((2, 48), dtype=np.float32)
    assert np.isnan(interval.bound(predicted, OTHER)).all()
    assert np.isinf(interval.limit()).all()
    unread = np.full((2, 48), np.nan, dtype=np.float32)
    interval.learn(interval.bound(predicted, OTHER), unread, np.zeros((2, 48)), np.zeros((2, 48), dtype=bool), OTHER)
    assert np.isnan(interval.bound(predicted, OTHER)).all()
    assert (interval.reach == np.float32(NORMAL_REACH)).all()


def test_an_error_is_wild_only_once_the_usual_ones_are_known() -> None:
    interval = Interval(1, RULES)
    size = np.full((1, 48), 2.0, dtype=np.float32)
    for _ in range(RULES.trusted_days):
        assert np.isinf(interval.limit()).all()
        interval.learn(interval.bound(size, WORKING), size, size, np.ones((1, 48), dtype=bool), WORKING)
    assert np.allclose(interval.limit(), RULES.wild_spreads * 2.0)
