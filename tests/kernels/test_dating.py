"""When each class's asset came, changed or went, by the rules that suit the class."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fmar_spark.domain.assets import ASSET_CLASSES, AssetClass
from fmar_spark.kernels.changes import APPEARED, REMOVED, UPGRADED, Changes, History, Presence
from fmar_spark.kernels.dating import (
    GONE_AFTER_ALL,
    NEVER_CHANGED_DAYS,
    PRESENCE_EVIDENCE,
    date_asset,
    find_shown_removals,
    presence_evidence,
    weigh_removals,
    weigh_sudden_removals,
)
from fmar_spark.kernels.ev import detector as ev
from fmar_spark.kernels.window import Events, Findings, Floats, no_events, unknown_sizes

DAYS = 730
CHANGED = [AssetClass.EV, AssetClass.BATTERY]


def findings_of(daily: Floats, peak_kw: Floats | None = None) -> Findings:
    """Findings whose every day of marks has one episode, of the given peak."""
    meters, _ = daily.shape
    events = no_events()
    if peak_kw is not None:
        meter, day = np.nonzero(np.nan_to_num(daily) > 0)
        start = day * 48 + 2
        events = Events(meter, start, start + 6, daily[meter, day], peak_kw[meter, day], np.ones(day.size, bool), np.ones(day.size))
    return Findings({}, daily, events, unknown_sizes(meters)._replace(is_least=np.zeros(meters)))


def regular_use(seed: int = 0) -> Floats:
    """Daily energy of an asset that is used on six days of ten, shape (1, DAYS)."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random((1, DAYS)) < 0.6, rng.gamma(8, 1.5, (1, DAYS)), 0.0)


@pytest.mark.parametrize("asset", ASSET_CLASSES)
def test_an_upgrade_is_read_from_the_episodes_only_of_classes_whose_episodes_have_a_size_of_their_own(asset: AssetClass) -> None:
    peak_kw = np.full((1, DAYS), 3.6)
    peak_kw[:, 200:] = 7.2
    history = date_asset(findings_of(regular_use(), peak_kw), asset, np.array([True]))
    assert history.changes.kind.tolist() == ([UPGRADED] if asset in CHANGED else [])
    if asset in CHANGED:
        assert abs(int(history.changes.day[0]) - 200) <= 7
        assert history.changes.level_after[0] == pytest.approx(7.2)


def test_a_battery_that_only_the_sun_fills_shows_no_extension() -> None:
    peak_kw = np.full((1, DAYS), 3.6)
    peak_kw[:, 200:] = 7.2
    found = findings_of(regular_use(), peak_kw)
    hidden = found._replace(sizes=found.sizes._replace(is_least=np.ones(1)))
    assert date_asset(hidden, AssetClass.BATTERY, np.array([True])).changes.kind.size == 0


@pytest.mark.parametrize("asset", ASSET_CLASSES)
def test_a_load_of_winter_leaves_in_summer_only_for_classes_that_do_not_follow_the_season(asset: AssetClass) -> None:
    days = np.arange(DAYS)
    cold = np.maximum(np.cos(2 * np.pi * (days - 10) / 365), 0.0)
    daily = (cold * np.random.default_rng(1).gamma(8, 1.5, DAYS))[None]
    kinds = date_asset(findings_of(daily), asset, np.array([True])).changes.kind.tolist()
    is_seasonal = asset in {AssetClass.BATTERY, AssetClass.HEAT_PUMP, AssetClass.SOLAR_PV}
    assert (REMOVED in kinds) != is_seasonal


def test_appearances_of_simulated_chargers_are_dated_within_a_week(see_fleet: Callable[..., Any]) -> None:
    _, fleet, window = see_fleet(home_ev=1.0, appears=1.0)
    history = date_asset(ev.examine(window, window.import_kw), AssetClass.EV, np.ones(40, dtype=bool))
    true_day = fleet.assets.appeared_slot // 48
    found = dict(zip(history.changes.meter[::-1].tolist(), history.changes.day[::-1].tolist(), strict=True))
    errors = np.array([abs(found.get(meter, 9999) - day) for meter, day in zip(fleet.assets.meter, true_day, strict=True)])
    assert errors.size == 40
    assert (errors <= 7).mean() >= 0.65


def history_of(relative: float, since_change: float, since_mark: float, is_there: bool) -> History:
    none = np.zeros(0)
    standing = Presence(*(np.array([value]) for value in (relative, since_change, since_mark, 5.0)))
    return History(Changes(*[none] * len(Changes._fields)), standing, np.array([[True, is_there]]))


@pytest.mark.parametrize(
    ("history", "evidence"),
    [
        (history_of(0.9, 30.0, 2.0, True), (0.9, np.log(31), np.log(3), 0.0)),
        (history_of(0.0, 100.0, 99.0, False), (0.0, np.log(101), np.log(100), 1.0)),
        (history_of(5.0, np.nan, np.nan, True), (2.0, np.log(1 + NEVER_CHANGED_DAYS), 0.0, 0.0)),
        (history_of(np.nan, np.nan, np.nan, True), (np.nan, np.log(1 + NEVER_CHANGED_DAYS), 0.0, 0.0)),
    ],
)
def test_presence_evidence_is_what_the_standing_says(history: History, evidence: tuple[float, ...]) -> None:
    assert len(PRESENCE_EVIDENCE) == 4
    np.testing.assert_allclose(presence_evidence(history), [evidence])


@pytest.mark.parametrize("asset", ASSET_CLASSES)
@pytest.mark.parametrize(("meters", "days"), [(0, 60), (3, 0), (3, 60)])
def test_nothing_read_dates_nothing(asset: AssetClass, meters: int, days: int) -> None:
    history = date_asset(findings_of(np.full((meters, days), np.nan)), asset, np.ones(meters, dtype=bool))
    assert history.changes.meter.size == 0
    evidence = presence_evidence(history)
    assert evidence.shape == (meters, len(PRESENCE_EVIDENCE))
    assert np.isnan(evidence[:, 0]).all()
    assert (evidence[:, 3] == 0).all()


@pytest.mark.parametrize(
    ("asset", "silent_from", "is_shown"),
    [
        (AssetClass.SOLAR_PV, 300, False),
        (AssetClass.SOLAR_PV, 200, True),
        (AssetClass.HEAT_PUMP, 60, True),
        (AssetClass.HEAT_PUMP, 120, False),
        (AssetClass.BATTERY, 300, True),
        (AssetClass.BATTERY, 340, False),
    ],
)
def test_silence_is_a_removal_only_in_seasons_that_would_show_the_class(asset: AssetClass, silent_from: int, is_shown: bool) -> None:
    days = np.arange(365)
    season = ((days + 31) // 91) % 4
    ends = days < 365 if asset is not AssetClass.HEAT_PUMP else days < 300
    present = (days < silent_from)[None, ends]
    unknown = np.full(1, np.nan)
    none = np.zeros(0)
    changes = Changes(none.astype(int), none, none, none, none, none, none.astype(int))
    history = History(changes, Presence(unknown, unknown, unknown, unknown), present)
    if asset is AssetClass.HEAT_PUMP and is_shown:
        season = np.where(days < 200, 0, season)
    daily = present.astype(np.float64)
    assert find_shown_removals(history, findings_of(daily), asset, season[ends]).tolist() == [is_shown]
    daily[~present] = np.nan
    assert find_shown_removals(history, findings_of(daily), asset, season[ends]).tolist() == [False]


@pytest.mark.parametrize(("decisive_days", "is_shown"), [(27, False), (28, True)])
def test_days_that_are_decisive_show_a_removal_in_any_season(decisive_days: int, is_shown: bool) -> None:
    daily = np.where(np.arange(DAYS) < 500, 4.0, 0.0)[None]
    is_decisive = (np.arange(DAYS) >= 500)[None] & (np.arange(DAYS) < 500 + decisive_days)[None]
    history = date_asset(findings_of(daily), AssetClass.SOLAR_PV, np.array([True]))
    autumn = np.full(DAYS, 3)
    assert find_shown_removals(history, findings_of(daily)._replace(is_decisive=is_decisive), AssetClass.SOLAR_PV, autumn).tolist() == [
        is_shown
    ]


def test_an_array_whose_clear_days_show_more_from_one_day_on_was_extended() -> None:
    rng = np.random.default_rng(4)
    size_kw = np.where(np.arange(DAYS) < 200, 3.0, 5.0) * np.exp(rng.normal(0.0, 0.06, DAYS))
    size_kw[rng.random(DAYS) < 0.6] = np.nan
    found = findings_of(np.full((1, DAYS), 3.0))._replace(size_kw=size_kw[None])
    changes = date_asset(found, AssetClass.SOLAR_PV, np.array([True])).changes
    assert changes.kind.tolist() == [UPGRADED]
    assert changes.p10_day[0] <= 200 <= changes.p90_day[0]
    assert abs(int(changes.day[0]) - 200) <= 3
    assert changes.level_after[0] / changes.level_before[0] == pytest.approx(5 / 3, rel=0.1)


def nightly_use(first: int = 0, last: int = DAYS, share: float = 0.9) -> Floats:
    """Marks of a battery that works on a share of the days from one day to another, shape (1, DAYS)."""
    day = np.arange(DAYS)
    used = np.random.default_rng(5).random(DAYS) < share
    return np.where(used & (day >= first) & (day < last), 1.0, 0.0)[None]


def test_a_battery_whose_use_begins_at_once_has_come() -> None:
    changes = date_asset(findings_of(nightly_use(first=200)), AssetClass.BATTERY, np.array([True])).changes
    assert changes.kind.tolist() == [APPEARED]
    assert changes.p10_day[0] < changes.day[0] <= changes.p90_day[0]
    assert abs(int(changes.day[0]) - 200) <= 2


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(np.where(np.arange(DAYS) % 15 == 0, 1.0, 0.0), id="used now and then before"),
        pytest.param(np.clip((np.arange(DAYS) - 150) / 120, 0.0, 1.0) * (np.arange(DAYS) % 3 > 0), id="begins slowly"),
    ],
)
def test_a_battery_whose_use_does_not_begin_at_once_was_there(before: Floats) -> None:
    daily = np.where(np.arange(DAYS) < 270, before, nightly_use()[0])[None]
    history = date_asset(findings_of(daily), AssetClass.BATTERY, np.array([True]))
    assert APPEARED not in history.changes.kind.tolist()
    assert history.present.all()


def weigh_battery(daily: Floats) -> float:
    history = date_asset(findings_of(daily), AssetClass.BATTERY, np.array([True]))
    assert REMOVED in history.changes.kind.tolist()
    return float(weigh_sudden_removals(history, daily, np.array([0.8]), np.array([0.95]))[0])


def test_a_battery_whose_use_ends_at_once_is_gone() -> None:
    assert weigh_battery(nightly_use(last=500)) == GONE_AFTER_ALL


def test_a_battery_whose_use_fades_or_comes_back_now_and_then_is_as_likely_there_as_ever() -> None:
    daily = nightly_use(last=500)
    daily[0, 430:500:2] = 0.0
    daily[0, 470:500] = 0.0
    assert weigh_battery(np.where(np.arange(DAYS) < 440, daily, daily * (np.arange(DAYS) % 3 == 0))) == 0.95
    again = nightly_use(last=500)
    again[0, 540::30] = 1.0
    assert weigh_battery(again) == 0.95


def weigh(daily: Floats, present: float) -> float:
    """The probability that a car with these marks is there at the end."""
    history = date_asset(findings_of(daily), AssetClass.EV, np.array([True]))
    return float(weigh_removals(history, daily, np.array([present]))[0])


def test_a_car_that_stops_out_of_full_use_is_gone_whatever_its_probability() -> None:
    daily = regular_use()
    daily[:, 600:] = 0.0
    assert weigh(daily, 0.65) == GONE_AFTER_ALL
    assert weigh(daily, 0.1) == 0.1


def test_a_car_that_is_charged_less_is_still_there() -> None:
    daily = regular_use()
    daily[:, 600:] *= 0.12
    assert weigh(daily, 0.45) == 0.5
    assert weigh(daily, 0.2) == 0.2


def test_a_holiday_takes_no_car_away() -> None:
    daily = regular_use()
    daily[:, 400:421] = 0.0
    daily[:, DAYS - 25 :] = 0.0
    assert weigh(daily, 0.8) == 0.8


def test_without_a_removal_the_probability_stays() -> None:
    assert weigh(regular_use(), 0.3) == 0.3
