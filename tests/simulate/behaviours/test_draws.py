"""Draws from the catalogue follow its shares and ranges."""

import numpy as np

from fmar_spark.domain.assets import AssetClass
from fmar_spark.simulate.behaviours.behaviour import OFF_PEAK
from fmar_spark.simulate.behaviours.catalogue import list_behaviours, name_behaviours
from fmar_spark.simulate.behaviours.draws import (
    draw_behaviours,
    draw_between,
    draw_choices,
    draw_off_peak,
    draw_within,
    read_each,
    read_ranges,
)

MANY = 20_000


def test_behaviours_are_drawn_by_their_shares_at_homes_and_elsewhere() -> None:
    is_elsewhere = np.arange(MANY) % 2 == 0
    drawn = draw_behaviours(np.random.default_rng(1), AssetClass.BATTERY, is_elsewhere)
    behaviours = list_behaviours(AssetClass.BATTERY)
    for rows, share in ((~is_elsewhere, "share"), (is_elsewhere, "elsewhere")):
        found = np.bincount(drawn[rows], minlength=len(behaviours)) / rows.sum()
        np.testing.assert_allclose(found, [getattr(one, share) for one in behaviours], atol=0.02)


def test_values_lie_in_the_ranges_of_each_meters_own_behaviour() -> None:
    rng = np.random.default_rng(2)
    number = np.arange(MANY) % len(name_behaviours(AssetClass.EV))
    ends = read_ranges(AssetClass.EV, number, lambda how: how.energy_kwh)
    for drawn in (draw_within(rng, ends), draw_between(rng, ends)):
        assert (drawn >= ends[0] - 1e-9).all()
        assert (drawn <= ends[1] + 1e-9).all()
    power = draw_choices(rng, AssetClass.EV, number, lambda how: how.kw)
    for place, behaviour in enumerate(list_behaviours(AssetClass.EV)):
        assert set(power[number == place]) == set(behaviour.how.kw)  # type: ignore[union-attr]  # every way of charging has ranges
    weekly = read_each(AssetClass.EV, number, lambda how: how.is_weekly)
    assert set(number[weekly]) == {name_behaviours(AssetClass.EV).index("ev_weekly_fill")}


def test_off_peak_hours_are_those_of_tariffs() -> None:
    start, length = draw_off_peak(np.random.default_rng(3), 500)
    assert {(float(a), float(b)) for a, b in zip(start, length, strict=True)} == {(one.start_slot, 2 * one.hours) for one in OFF_PEAK}
