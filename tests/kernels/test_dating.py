"""When each class's asset came, changed or went, by the rules that suit the class."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fmar_spark.domain.assets import ASSET_CLASSES, AssetClass
from fmar_spark.kernels.changes import REMOVED, UPGRADED, Changes, History, Presence
from fmar_spark.kernels.dating import (
    GONE_AFTER_ALL,
    NEVER_CHANGED_DAYS,
    PRESENCE_EVIDENCE,
    date_asset,
    find_shown_removals,
    presence_evidence,
    weigh_removals,
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
    assert find_shown_removals(history, daily, asset, season[ends]).tolist() == [is_shown]
    daily[~present] = np.nan
    assert find_shown_removals(history, daily, asset, season[ends]).tolist() == [False]


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
