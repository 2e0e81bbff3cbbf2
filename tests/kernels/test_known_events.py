"""Events whose times are known: what each meter held back, and who of a group answers."""

import numpy as np
import pytest

from fmar_spark.kernels.demand_response.drops import sort_days
from fmar_spark.kernels.demand_response.known_events import (
    LEAST_EVENTS,
    LEAST_MEMBERS,
    Answering,
    KnownEvents,
    learn_group,
    list_known,
    measure_response,
    weigh_scores,
)
from fmar_spark.kernels.window import LocalCalendar

DAYS, EVENTS, LENGTH = 120, 20, 4
FIRST = 36


def build_types() -> LocalCalendar:
    day = np.arange(DAYS)
    return LocalCalendar(np.datetime64("2023-11-01"), day % 7 + 1, np.zeros(DAYS, bool), np.zeros(DAYS, int))


def build_meters(held_share: tuple[float, ...], noise: float, seed: int = 1) -> tuple[np.ndarray, KnownEvents]:
    """Loads with the same evening events every sixth day, of which each meter holds back a share."""
    rng = np.random.default_rng(seed)
    load = 1.0 + 0.5 * np.sin(np.arange(48) / 48 * 2 * np.pi) + noise * rng.standard_normal((len(held_share), DAYS, 48))
    starts = (np.arange(EVENTS) * 6 + 3) * 48 + FIRST
    for row, share in enumerate(held_share):
        for start in starts:
            load[row].reshape(-1)[start : start + LENGTH] *= 1 - share
    meter = np.repeat(np.arange(len(held_share)), EVENTS)
    start = np.tile(starts, len(held_share))
    return load.astype(np.float32), KnownEvents(meter, start, start + LENGTH)


def test_what_was_held_back_is_found_and_what_was_not_is_nothing() -> None:
    load, known = build_meters((0.3, 0.0, -0.3), 0.1)
    response = measure_response(load, sort_days(build_types()), known)
    usual = load[1, :, FIRST : FIRST + LENGTH].mean()
    assert response.events.tolist() == [EVENTS] * 3
    assert response.held_kw[0] == pytest.approx(0.3 * usual, rel=0.15)
    assert abs(response.held_kw[1]) < 0.05
    assert response.held_kw[2] == pytest.approx(-0.3 * usual, rel=0.15)
    assert response.score[0] > 10
    assert abs(response.score[1]) < 3
    assert np.isnan(response.spread[2])
    assert response.is_shown.all()


def test_a_meter_whose_load_varies_too_much_shows_nothing() -> None:
    load, known = build_meters((0.0,), 3.0)
    response = measure_response(load, sort_days(build_types()), known)
    assert response.power[0] < 2
    assert not response.is_shown[0]


def test_too_few_or_unread_events_say_nothing() -> None:
    load, known = build_meters((0.3,), 0.1)
    for start in known.start_slot[LEAST_EVENTS - 1 :]:
        load[0].reshape(-1)[start : start + LENGTH] = np.nan
    response = measure_response(load, sort_days(build_types()), known)
    assert response.events[0] == LEAST_EVENTS - 1
    assert np.isnan(response.score[0])
    assert not response.is_shown[0]


def test_no_meters_no_days_and_no_events() -> None:
    none = np.zeros(0, dtype=np.int64)
    response = measure_response(np.ones((2, DAYS, 48), np.float32), sort_days(build_types()), KnownEvents(none, none, none))
    assert response.events.tolist() == [0, 0]
    assert np.isnan(response.held_kw).all()


def test_a_group_shows_how_many_answer() -> None:
    rng = np.random.default_rng(4)
    for share in (0.0, 0.3, 0.9):
        answers = rng.random(400) < share
        score = rng.standard_normal(400) + np.where(answers, 5.0, 0.0)
        group = learn_group(score)
        probability = weigh_scores(score, group)
        assert group.share == pytest.approx(share, abs=0.06)
        assert ((probability > 0.5) == answers).mean() > 0.95
        assert probability.mean() == pytest.approx(answers.mean(), abs=0.06)


def test_the_same_score_says_more_in_a_group_that_answers() -> None:
    few, many = Answering(0.05, 3.0, 1.5, 100), Answering(0.8, 3.0, 1.5, 100)
    score = np.array([-2.0, 0.0, 2.0, 9.0, np.nan])
    seldom, often = weigh_scores(score, few), weigh_scores(score, many)
    assert (seldom[:3] < often[:3]).all()
    assert (np.diff(seldom[1:4]) > 0).all()
    assert seldom[0] == seldom[1]
    assert np.isnan(seldom[4])


def test_a_few_members_are_taken_for_lone_meters() -> None:
    assert learn_group(np.full(LEAST_MEMBERS - 1, 9.0)) == learn_group(np.zeros(0))._replace(members=LEAST_MEMBERS - 1)


def test_known_events_become_episodes_where_something_was_held_back() -> None:
    load, known = build_meters((0.3, 0.0), 0.1)
    response = measure_response(load, sort_days(build_types()), known)
    events = list_known(known, response, np.array([0.9, np.nan]))
    mine = events.take(events.meter == 0)
    assert len(mine.meter) == EVENTS
    assert (mine.end_slot - mine.start_slot == LENGTH).all()
    assert mine.energy_kwh.mean() == pytest.approx(response.held_kw[0] * LENGTH / 2, rel=0.01)
    assert set(mine.probability) == {0.9}
