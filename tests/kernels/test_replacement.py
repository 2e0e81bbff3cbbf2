"""Chargers that were replaced by one of another power."""

import numpy as np
import pytest
from test_charging import SLOTS, charging_of, drive

from fmar_spark.domain.assets import AssetClass
from fmar_spark.kernels.changes import KINDS
from fmar_spark.kernels.dating import date_asset
from fmar_spark.kernels.exchange import ExchangeRules, Powers, find_powers
from fmar_spark.kernels.window import Events, Findings, Floats, unknown_sizes

DAYS, CHANGED = 160, 70


def replace(first_kw: float, second_kw: float, changed: int = CHANGED) -> Floats:
    """A home whose charger has another power from one day on."""
    return np.concatenate((drive(first_kw, DAYS, 3).load_kw[:, :changed], drive(second_kw, DAYS, 4).load_kw[:, changed:]), axis=1)


def add_heater(load_kw: Floats, kw: float) -> Floats:
    """The same home with two hours of a heater every second day."""
    heated = load_kw.copy()
    heated[:, ::2, 20:24] += kw
    return heated


@pytest.mark.parametrize(("first_kw", "second_kw"), [(3.6, 7.2), (7.2, 3.6), (7.2, 11.0)])
def test_both_powers_and_the_day_between_them_are_found(first_kw: float, second_kw: float) -> None:
    found = charging_of(replace(first_kw, second_kw))
    assert found.powers.before_kw[0] == pytest.approx(first_kw, rel=0.05)
    assert found.powers.after_kw[0] == pytest.approx(second_kw, rel=0.05)
    assert abs(int(found.powers.changed_day[0]) - CHANGED) <= 4
    is_before = found.charged.start < CHANGED * SLOTS
    np.testing.assert_allclose(found.charged.power_kw[is_before], first_kw, rtol=0.12)
    np.testing.assert_allclose(found.charged.power_kw[~is_before], second_kw, rtol=0.12)
    assert min(is_before.sum(), (~is_before).sum()) >= 20


def test_the_sessions_that_describe_the_car_are_of_one_power() -> None:
    found = charging_of(replace(3.6, 7.2))
    assert np.ptp(found.sessions.power_kw) < 1.5
    assert found.sessions.meter.size < found.charged.meter.size


@pytest.mark.parametrize(
    "load_kw",
    [drive(7.2, DAYS).load_kw, add_heater(drive(7.2, DAYS).load_kw, 3.0), np.zeros((1, DAYS, SLOTS), dtype=np.float32)],
    ids=["charger that stays", "charger beside a heater", "nothing"],
)
def test_what_was_not_replaced_has_one_power(load_kw: Floats) -> None:
    found = charging_of(load_kw)
    assert found.powers.changed_day[0] == 0
    np.testing.assert_array_equal(found.powers.before_kw, found.powers.after_kw)
    np.testing.assert_array_equal(found.charged.start, found.sessions.start)
    np.testing.assert_array_equal(found.last_spread, found.spread)


def test_a_car_that_comes_to_a_home_with_a_heater_replaces_nothing() -> None:
    load_kw = drive(7.2, DAYS).load_kw
    load_kw[:, :CHANGED] = np.minimum(load_kw[:, :CHANGED], 0.5)
    assert charging_of(add_heater(load_kw, 3.0)).powers.changed_day[0] == 0


def test_meters_do_not_change_each_other() -> None:
    homes = [drive(7.2, DAYS).load_kw, replace(3.6, 7.2), replace(7.2, 3.6, 90)]
    together = charging_of(np.concatenate(homes))
    for meter, home in enumerate(homes):
        alone = charging_of(home)
        assert [field[meter] for field in together.powers] == [field[0] for field in alone.powers]


def test_the_power_of_a_day_is_that_of_its_charger() -> None:
    powers = Powers(np.array([3.6, 7.2]), np.array([7.2, 7.2]), np.array([10, 0]))
    assert powers.on(np.array([0, 0, 1]), np.array([9, 10, 0])).tolist() == [3.6, 7.2, 7.2]


def fill(first_kwh: float, second_kwh: float) -> Floats:
    """Daily energy at 3 and at 6 kW, shape (2, 1, DAYS): the one up to a day, the other from it on, two days of three each."""
    days = np.arange(DAYS)
    used = days % 3 > 0
    return np.stack((np.where(used & (days < CHANGED), first_kwh, 0.0), np.where(used & (days >= CHANGED), second_kwh, 0.0)))[:, None]


@pytest.mark.parametrize(
    ("backwards", "only_grows", "least_frequency", "powers"),
    [
        (False, True, 0.2, (3.0, 6.0, CHANGED)),
        (True, False, 0.2, (6.0, 3.0, CHANGED)),
        (True, True, 0.2, (3.0, 3.0, 0)),
        (False, True, 0.8, (3.0, 3.0, 0)),
    ],
    ids=["grows", "shrinks", "shrinks but may not", "too seldom"],
)
def test_one_power_takes_over_from_another_by_the_rules_of_the_class(
    backwards: bool, only_grows: bool, least_frequency: float, powers: tuple[float, float, int]
) -> None:
    day_kwh = fill(5.0, 9.0)
    if backwards:
        day_kwh = day_kwh[::-1]
    rules = ExchangeRules(0.2, 0.1, least_frequency, only_grows)
    seen = np.ones((1, DAYS), dtype=np.bool_)
    found = find_powers(np.array([[3.0], [6.0]]), np.array([0]), np.ones((2, 1), dtype=np.bool_), day_kwh, seen, rules)
    assert (found.before_kw[0], found.after_kw[0]) == powers[:2]
    assert 0 <= powers[2] - int(found.changed_day[0]) <= 2


def test_a_charger_is_dated_by_a_few_sessions_of_the_other_power() -> None:
    day = np.array([3, 9, 14, *range(18, 100, 4)])
    kw = np.where(day < 16, 3.6, 7.2)
    daily = np.zeros((1, 100), dtype=np.float32)
    daily[0, day] = 9.0
    everywhere = np.zeros(day.size, dtype=np.int64)
    start = day * SLOTS + 40
    events = Events(everywhere, start, start + 3, np.full(day.size, 9.0), kw, everywhere == 0, np.ones(day.size))
    history = date_asset(Findings({}, daily, events, unknown_sizes(1)), AssetClass.EV, np.array([True]))
    change = [field[0] for field in history.changes]
    assert (KINDS[change[6]], change[4], change[5]) == ("upgraded", 3.6, 7.2)
    assert change[2] <= 14
    assert change[3] >= 18
    assert 14 < change[1] <= 18
