"""Spells in which a charge point takes all surplus: held at zero between export on the same day."""

from collections.abc import Callable

import numpy as np
import pytest

from fmar_spark.kernels.ev.surplus import describe_spells, estimate_sessions, find_spells
from fmar_spark.kernels.window import Floats, MeterWindow

DAYS = 20
SPELL = slice(22, 28)


def make_sunny() -> Floats:
    """Net power of one meter: 0.3 kW at night, 2 kW exported from 08:00 to 18:00."""
    net_kw = np.full((1, DAYS, 48), 0.3)
    net_kw[:, :, 16:36] = -2.0
    return net_kw


def measure(lay_window: Callable[..., MeterWindow], net_kw: Floats) -> tuple[float, float]:
    columns = describe_spells(find_spells(lay_window(np.maximum(net_kw, 0.0), np.maximum(-net_kw, 0.0))))
    return columns["ev_held_day_share"][0], columns["ev_held_hours"][0]


def test_a_spell_at_zero_between_export_counts_with_its_length(lay_window: Callable[..., MeterWindow]) -> None:
    net_kw = make_sunny()
    net_kw[:, ::2, SPELL] = 0.02
    assert measure(lay_window, net_kw) == pytest.approx((0.5, 3.0))


def test_a_spell_goes_on_over_one_half_hour_of_a_kettle(lay_window: Callable[..., MeterWindow]) -> None:
    net_kw = make_sunny()
    net_kw[:, :5, SPELL] = 0.0
    net_kw[:, :5, 24] = 0.6
    assert measure(lay_window, net_kw) == pytest.approx((0.25, 3.0))


@pytest.mark.parametrize(
    ("first", "after"),
    [(10, 28), (22, 44), (22, 24)],
    ids=["a battery takes the first surplus", "a battery gives in the evening", "a tank is heated again"],
)
def test_what_a_battery_or_a_tank_takes_is_no_spell(lay_window: Callable[..., MeterWindow], first: int, after: int) -> None:
    net_kw = make_sunny()
    net_kw[:, :, first:after] = 0.0
    assert measure(lay_window, net_kw) == (0.0, 0.0)


def test_hardly_any_export_says_nothing(lay_window: Callable[..., MeterWindow]) -> None:
    net_kw = make_sunny()
    net_kw[:, 9:, 16:36] = 0.4
    assert np.isnan(measure(lay_window, net_kw)).all()
    assert np.isnan(describe_spells(find_spells(lay_window(net_kw)))["ev_held_hours"]).all()


def test_a_spell_takes_what_is_exported_at_that_hour_of_other_days(lay_window: Callable[..., MeterWindow]) -> None:
    net_kw = np.concatenate([make_sunny(), make_sunny()])
    net_kw[1, :12, SPELL] = 0.0
    window = lay_window(np.maximum(net_kw, 0.0), np.maximum(-net_kw, 0.0))
    sessions = estimate_sessions(window, find_spells(window))
    assert sessions.meter.tolist() == [1] * 12
    assert sessions.start_slot.tolist() == [48 * day + 22 for day in range(12)]
    assert sessions.energy_kwh == pytest.approx([6.0] * 12)
    assert sessions.peak_kw == pytest.approx([2.0] * 12)


def test_spells_on_every_day_took_at_least_what_a_charge_point_needs(lay_window: Callable[..., MeterWindow]) -> None:
    net_kw = make_sunny()
    net_kw[:, :, SPELL] = 0.0
    window = lay_window(np.maximum(net_kw, 0.0), np.maximum(-net_kw, 0.0))
    assert estimate_sessions(window, find_spells(window)).energy_kwh == pytest.approx([1.4 * 3.0] * DAYS)


def test_few_spells_are_no_sessions(lay_window: Callable[..., MeterWindow]) -> None:
    net_kw = make_sunny()
    net_kw[:, :9, SPELL] = 0.0
    window = lay_window(np.maximum(net_kw, 0.0), np.maximum(-net_kw, 0.0))
    assert estimate_sessions(window, find_spells(window)).meter.size == 0


@pytest.mark.parametrize("between_kw", [-2.0, 6.0, np.nan], ids=["exported", "drawn", "unread"])
def test_a_half_hour_between_that_is_no_kettle_ends_a_spell(lay_window: Callable[..., MeterWindow], between_kw: float) -> None:
    net_kw = make_sunny()
    net_kw[:, :, 22:25] = np.array([0.0, between_kw, 0.0])
    assert measure(lay_window, net_kw) == (0.0, 0.0)


def test_export_that_was_not_read_is_no_spell(lay_window: Callable[..., MeterWindow]) -> None:
    net_kw = make_sunny()
    export_kw = np.maximum(-net_kw, 0.0)
    export_kw[:, ::2, SPELL] = np.nan
    columns = describe_spells(find_spells(lay_window(np.maximum(net_kw, 0.0), export_kw)))
    assert (columns["ev_held_day_share"][0], columns["ev_held_hours"][0]) == (0.0, 0.0)
