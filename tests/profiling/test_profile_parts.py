import numpy as np
import pytest

from fmar_spark.domain.assets import ASSET_CLASSES, AssetClass
from fmar_spark.kernels.changes import APPEARED, REDUCED, REMOVED, UPGRADED, Changes, History, Presence
from fmar_spark.kernels.examination import Examination
from fmar_spark.kernels.window import Events, Findings, Floats, LocalCalendar, MeterWindow, unknown_sizes
from fmar_spark.profiling.parts import Scored, change_dates, keep_present, measure_assets, scale_to_kw, weigh_size


def build_events(starts: list[int], slots: int, peak_kw: float) -> Events:
    start, count = np.array(starts, dtype=np.int64), len(starts)
    whole = np.ones(count)
    return Events(np.zeros(count, np.int64), start, start + slots, whole, peak_kw * whole, np.ones(count, bool), whole)


def changes_of(*rows: tuple[int, int, int, float, float]) -> Changes:
    """Rows of meter, day, kind, level before and level after."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 5)
    meter, day, kind = (table[:, place].astype(np.int64) for place in range(3))
    return Changes(meter, day, day - 3, day + 3, table[:, 3], table[:, 4], kind)


def history_of(changes: Changes, present: Floats) -> History:
    nothing = np.full(len(present), np.nan)
    return History(changes, Presence(nothing, nothing, nothing, nothing), present.astype(bool))


def test_a_removal_is_undone_where_the_asset_is_there_after_all() -> None:
    changes = changes_of((0, 2, REMOVED, 5, 0), (1, 1, REMOVED, 5, 0), (1, 3, APPEARED, 0, 5), (2, 4, REMOVED, 5, 0))
    present = np.array([[1, 1, 0, 0, 0], [1, 0, 0, 1, 1], [1, 1, 1, 1, 0]])
    settled = keep_present(history_of(changes, present), np.array([True, True, False]))
    assert list(zip(settled.changes.meter, settled.changes.kind, strict=True)) == [(1, REMOVED), (1, APPEARED), (2, REMOVED)]
    assert settled.present.astype(int).tolist() == [[1, 1, 1, 1, 1], [1, 0, 0, 1, 1], [1, 1, 1, 1, 0]]
    assert present[0].tolist() == [1, 1, 0, 0, 0]


def test_without_changes_nothing_is_undone() -> None:
    history = history_of(changes_of(), np.ones((2, 3)))
    assert keep_present(history, np.array([True, True])).changes.meter.tolist() == []


def test_sizes_before_and_after_are_on_the_scale_of_the_size_now() -> None:
    changes = changes_of(
        (0, 5, APPEARED, 0.0, 12.0),
        (1, 2, UPGRADED, 6.0, 12.0),
        (1, 7, REDUCED, 12.0, 3.0),
        (2, 9, REMOVED, 8.0, 0.0),
        (3, 4, APPEARED, 0.0, 2.0),
    )
    rated_kw = np.array([[7.0, np.nan], [3.6, 9.9], [np.nan, 4.0], [np.nan, np.nan]])
    before, after = scale_to_kw(changes, rated_kw)
    np.testing.assert_allclose(before, [0.0, 7.2, 14.4, 4.0, 0.0])
    np.testing.assert_allclose(after, [7.0, 14.4, 3.6, 0.0, np.nan])


def test_few_episodes_and_a_wide_estimate_take_from_the_confidence_in_a_size() -> None:
    confidence = weigh_size(np.array([0.9, 0.9, 0.9, 0.9, np.nan]), np.array([10.0, 40, 5, 0, 20]), np.array([0, 0.2, 0, 0, 0.1]))
    np.testing.assert_allclose(confidence, [0.9, 0.9 * np.exp(-0.2), 0.45, 0.0, np.nan])
    assert weigh_size(np.array([0.9]), np.array([20.0]), np.array([np.nan]))[0] == pytest.approx(0.9 * np.exp(-0.5))


@pytest.mark.parametrize(
    ("kinds", "present", "appeared", "removed"),
    [
        ([(5, APPEARED)], 0.9, 5, None),
        ([(5, REMOVED)], 0.1, None, 5),
        ([(3, REMOVED), (6, APPEARED)], 0.9, None, None),
        ([(3, REMOVED), (6, APPEARED)], 0.1, None, None),
        ([(2, APPEARED), (5, REMOVED)], 0.1, 2, 5),
        ([(2, APPEARED), (4, UPGRADED), (5, REMOVED)], 0.1, 2, 5),
        ([(4, UPGRADED)], 0.9, None, None),
        ([], 0.9, None, None),
    ],
)
def test_the_first_change_dates_the_appearance_and_the_last_the_removal(
    kinds: list[tuple[int, int]], present: float, appeared: int | None, removed: int | None
) -> None:
    history = history_of(changes_of(*((0, day, kind, 1.0, 1.0) for day, kind in kinds)), np.ones((1, 10)))
    none = history_of(changes_of(), np.ones((1, 10)))
    scored = score_window(events={}, present_probability=present)
    scored = scored._replace(histories=dict.fromkeys(ASSET_CLASSES, none) | {AssetClass.EV: history})
    found = {name: values[0] for name, values in change_dates(scored).items()}
    start = np.datetime64("2024-01-01")
    for name, day in (("appeared", appeared), ("removed", removed)):
        dates = [found[f"{name}{suffix}_date"] for suffix in ("_p10", "", "_p90")]
        if day is None:
            assert np.isnat(dates).all()
        else:
            assert dates == [start + day - 3, start + day, start + day + 3]


def score_window(events: dict[AssetClass, Events], present_probability: float = 0.9) -> Scored:
    """One meter with ten days of readings, an answer of 0.95 for each class and the episodes given."""
    days, meters = 10, 1
    read, sky = np.zeros((meters, days, 48), np.float32), np.zeros((1, days, 48), np.float32)
    start = np.datetime64("2024-01-01", "D")
    calendar = LocalCalendar(start, np.arange(days) % 7 + 1, np.zeros(days, bool), np.zeros(days, np.int64))
    minutes, area = np.full(meters, 30), np.zeros(meters, np.int64)
    window = MeterWindow(read, read * np.nan, np.zeros(meters, bool), minutes, area, *[sky] * 5, np.zeros(1), calendar)
    none = build_events([], 1, 1.0)
    sizes = unknown_sizes(meters)._replace(rated_export_kw=np.array([3.3]))
    findings = {asset: Findings({}, np.zeros((meters, days)), events.get(asset, none), sizes) for asset in ASSET_CLASSES}
    probability = np.full((meters, len(ASSET_CLASSES)), 0.95)
    still = history_of(changes_of(), np.ones((meters, days)))
    return Scored(
        window=window,
        examination=Examination(np.zeros((meters, 1)), findings, read, read),
        probability=probability,
        present_probability=np.full_like(probability, present_probability),
        reported=probability > 0.5,
        histories=dict.fromkeys(ASSET_CLASSES, still),
        last_slot=np.array([days * 48 - 1]),
        slot_starts=start.astype("datetime64[us]") + np.arange(days * 48) * np.timedelta64(30, "m"),
    )


def test_a_size_that_no_detector_states_is_the_high_end_of_the_peaks() -> None:
    first, second = build_events([10, 60, 110], 2, 6.0), build_events([160, 210], 2, 7.0)
    charging = Events(*(np.concatenate(pair) for pair in zip(first, second, strict=True)))
    measured = measure_assets(score_window({AssetClass.EV: charging}))[AssetClass.EV]
    assert measured.figures.rated_kw_p90[0, 0] == pytest.approx(7.0)
    np.testing.assert_allclose(measured.rated_kw, [[7.0, 3.3]])
    assert np.isnan(measure_assets(score_window({}))[AssetClass.EV].rated_kw[0, 0])


def test_days_without_the_asset_count_neither_for_its_episodes_nor_for_its_energy() -> None:
    scored = score_window({AssetClass.EV: build_events([10, 10 + 5 * 48], 2, 6.0)})
    gone = history_of(changes_of((0, 5, REMOVED, 1, 0)), np.arange(10)[None] < 5)
    scored = scored._replace(histories=scored.histories | {AssetClass.EV: gone})
    measured = measure_assets(scored)[AssetClass.EV]
    assert measured.events.start_slot.tolist() == [10]
    assert measured.figures.energy_kwh_day[0, 0] == pytest.approx(1 / 5)
