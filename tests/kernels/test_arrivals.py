"""When a car came, where other loads draw at its power before it."""

import numpy as np
import pytest

from fmar_spark.kernels.changes import APPEARED, REMOVED, UPGRADED, Changes, History, Presence
from fmar_spark.kernels.ev.arrivals import Arrivals, find_arrivals, put_arrivals
from fmar_spark.kernels.window import Bools, Events, Floats, Ints

DAYS = 365
ONE: Bools = np.ones(1, dtype=np.bool_)
CAR_DAY = 200


def sessions(day: Ints, slot: int, energy_kwh: float) -> list[tuple[float, ...]]:
    """Sessions on these days: start slot, energy, power."""
    return [(one * 48.0 + slot, energy_kwh, 7.0) for one in day]


def lay(*parts: list[tuple[float, ...]]) -> Events:
    """Events of one meter, ordered."""
    start, energy, peak = np.array(sorted(row for part in parts for row in part)).reshape(-1, 3).T
    slot = start.astype(np.int64)
    return Events(np.zeros(slot.size, dtype=np.int64), slot, slot + 4, energy, peak, np.ones(slot.size, bool), np.ones(slot.size))


def some_days(share: float, first: int = 0, last: int = DAYS, seed: int = 1) -> Ints:
    """Days from the first up to the last, drawn with that share; the first is one of them."""
    drawn = np.flatnonzero(np.random.default_rng(seed).random(DAYS) < share)
    return np.unique([first, *drawn[(drawn >= first) & (drawn < last)]])


def find(events: Events, unread: Ints | None = None) -> Arrivals:
    daily = np.zeros((1, DAYS))
    if unread is not None:
        daily[0, unread] = np.nan
    return find_arrivals(events, daily, ONE)


@pytest.mark.parametrize(("slot", "energy_kwh"), [(2, 6.0), (44, 25.0), (2, 25.0)])
def test_a_heater_at_the_chargers_power_hides_no_car_of_other_hours_or_other_energy(slot: int, energy_kwh: float) -> None:
    heater = sessions(some_days(0.8), 14, 6.0) if slot != 14 else []
    found = find(lay(heater, sessions(some_days(0.5, CAR_DAY, seed=2), slot, energy_kwh)))
    assert abs(found.day[0] - CAR_DAY) <= 2
    assert found.p10_day[0] < CAR_DAY <= found.p90_day[0]


def test_energy_alone_parts_a_car_from_a_heater_of_the_same_hours() -> None:
    found = find(lay(sessions(some_days(0.8, last=CAR_DAY), 2, 6.0), sessions(some_days(0.8, CAR_DAY, seed=2), 2, 20.0)))
    assert np.isnan(found.day[0]), "the heater's sessions end on the day: a driver whose need grew"
    found = find(lay(sessions(some_days(0.8), 2, 6.0), sessions(some_days(0.5, CAR_DAY, seed=2), 4, 20.0)))
    assert abs(found.day[0] - CAR_DAY) <= 2


def test_hours_of_charging_that_move_are_no_arrival() -> None:
    found = find(lay(sessions(some_days(0.6, last=CAR_DAY), 38, 15.0), sessions(some_days(0.6, CAR_DAY, seed=2), 2, 15.0)))
    assert np.isnan(found.day[0])


def test_a_car_that_was_always_there_did_not_come() -> None:
    for seed in range(10):
        assert np.isnan(find(lay(sessions(some_days(0.4, seed=seed), 38, 15.0))).day[0])


def test_a_few_stray_sessions_before_the_car_are_not_its_first() -> None:
    strays = sessions(np.array([30, 120]), 2, 10.0)
    found = find(lay(strays, sessions(some_days(0.7, CAR_DAY), 2, 10.0)))
    assert abs(found.day[0] - CAR_DAY) <= 2


def test_a_car_that_came_and_went_again_is_dated_although_it_stayed_briefly() -> None:
    heater = sessions(some_days(0.5), 14, 3.0)
    found = find(lay(heater, sessions(some_days(0.6, 100, 150, seed=2), 2, 15.0)))
    assert np.isnan(found.day[0]) or abs(found.day[0] - 100) <= 2
    found = find(lay(sessions(some_days(0.6, 100, 150, seed=2), 2, 15.0)))
    assert abs(found.day[0] - 100) <= 2


def test_the_seldomer_a_car_is_charged_the_wider_is_the_interval() -> None:
    heater = sessions(some_days(0.8), 14, 6.0)
    width = []
    for share in (0.8, 0.3):
        found = find(lay(heater, sessions(some_days(share, CAR_DAY, seed=2), 2, 20.0)))
        width.append(found.p90_day[0] - found.p10_day[0])
    assert width[0] < width[1]


def test_days_that_were_not_read_are_inside_the_interval() -> None:
    heater = sessions(some_days(0.8), 14, 6.0)
    unread = np.arange(CAR_DAY - 10, CAR_DAY)
    heater = [row for row in heater if row[0] // 48 not in unread]
    found = find(lay(heater, sessions(some_days(0.6, CAR_DAY, seed=2), 2, 20.0)), unread)
    assert found.p10_day[0] <= CAR_DAY - 10
    assert found.p90_day[0] == CAR_DAY


@pytest.mark.parametrize("hardly_read", [[0], [0, 1, 2], [0, DAYS - 1]])
def test_charging_on_a_first_day_that_was_hardly_read_counts_for_the_next(hardly_read: list[int]) -> None:
    found = find(lay(sessions(np.arange(DAYS), 2, 10.0)), np.array(hardly_read))
    assert np.isnan(found.day[0])
    assert found.first_day[0] == np.argmax(~np.isin(np.arange(DAYS), hardly_read))
    assert found.silent_days[0] == 0
    assert found.silent_gain[0] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("count", [0, 2])
def test_hardly_any_session_says_nothing(count: int) -> None:
    found = find(lay(sessions(np.array([250, 300])[:count], 2, 20.0)))
    assert np.isnan(found.day[0])
    assert np.isnan(find_arrivals(lay(), np.zeros((0, DAYS)), np.zeros(0, bool)).day).all()


def test_only_candidates_are_asked() -> None:
    events = lay(sessions(some_days(0.7, CAR_DAY), 2, 10.0))
    assert np.isnan(find_arrivals(events, np.zeros((1, DAYS)), ~ONE).day[0])


def history_of(*rows: tuple[int, int, float, float]) -> History:
    """Of one meter, from day, kind and levels of each change."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 4).T
    day = table[0].astype(np.int64)
    changes = Changes(np.zeros(day.size, np.int64), day, day - 1, day + 1, table[2], table[3], table[1].astype(np.int64))
    unknown = np.full(1, np.nan)
    return History(changes, Presence(unknown, unknown, unknown, unknown), np.ones((1, DAYS), bool))


def arrival(day: float, first_day: float, silent_gain: float = 50.0) -> Arrivals:
    columns = (day, day - 3, day, 7.0, first_day, first_day, silent_gain)
    return Arrivals(*(np.array([float(value)]) for value in columns))


def put(history: History, arrivals: Arrivals) -> tuple[list[int], list[int], Floats]:
    put_in = put_arrivals(history, arrivals, ONE)
    return put_in.changes.day.tolist(), put_in.changes.kind.tolist(), put_in.present[0]


def test_an_arrival_takes_the_place_of_one_that_other_loads_made() -> None:
    day, kind, present = put(history_of((40, APPEARED, 0.0, 3.0), (300, REMOVED, 3.0, 0.0)), arrival(CAR_DAY, first_day=5))
    assert (day, kind) == ([CAR_DAY, 300], [APPEARED, REMOVED])
    assert present.tolist() == [CAR_DAY <= one < 300 for one in range(DAYS)]


def test_an_arrival_after_complete_silence_stays_and_one_of_little_evidence_does_not() -> None:
    found = history_of((95, APPEARED, 0.0, 7.0))
    assert put(found, arrival(np.nan, first_day=96))[:2] == ([95], [APPEARED])
    day, kind, present = put(found, arrival(np.nan, first_day=96, silent_gain=1.0))
    assert (day, kind, present.all()) == ([], [], True)


def test_what_stands_before_an_arrival_is_another_loads() -> None:
    found = history_of((60, UPGRADED, 3.0, 7.0), (250, UPGRADED, 3.6, 7.0))
    put_in = put_arrivals(found, arrival(CAR_DAY, first_day=5), ONE).changes
    assert put_in.day.tolist() == [CAR_DAY, 250]
    assert put_in.level_after.tolist() == [3.6, 7.0]


def test_a_removal_may_be_of_the_day_before_or_after() -> None:
    removed = history_of((300, REMOVED, 7.0, 0.0))
    put_in = put_arrivals(removed, arrival(np.nan, first_day=2), ONE).changes
    assert (put_in.p10_day[0], put_in.day[0], put_in.p90_day[0]) == (298, 300, 302)
