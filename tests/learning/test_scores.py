"""Answers against labels, counted by hand; what is unknown is never scored."""

from typing import Any

import numpy as np
import pytest

from fmar_spark.domain.assets import ASSET_CLASSES, AssetClass
from fmar_spark.learning.answers import DAY_COLUMNS, NO_ROW, Answers, Facts, Scored, score_window, take_meters
from fmar_spark.learning.labelled import SIZE_NAMES, Labels
from fmar_spark.learning.resampling import DrawRules
from fmar_spark.learning.scores import Question, score_class, score_detection, score_groups

RULES = DrawRules(draws=50, least_meters=1)
EV, PV = (ASSET_CLASSES.index(asset) for asset in (AssetClass.EV, AssetClass.SOLAR_PV))
NAN = float("nan")
HAS = [1, 1, 1, 1, 0, 0, 0, NAN, 1, 0]
STATED = [0.95, 0.8, 0.6, 0.2, 0.05, 0.92, 0.75, 0.99, NAN, NAN]
"""Of ten meters: sure and right, fairly, barely, missed; sure no, sure false alarm, fair one; unknown label; two unanswered."""


def make_scored(has: list[float], stated: list[float], **own: Any) -> Scored:
    """Meters of which only EV charging is asked, looked at from day 100 to day 300."""
    count = len(has)
    shape = (count, len(ASSET_CLASSES))

    def column(values: Any) -> Any:
        placed = np.full(shape, NAN)
        placed[:, EV] = values
        return placed

    labels = Labels(
        mpan_id=[f"{row:013d}" for row in range(count)],
        name=[f"m{row}" for row in range(count)],
        kind=["real"] * count,
        has=column(has),
        sizes={name: np.full(count, NAN) for name in SIZE_NAMES} | {"ev_kw": np.asarray(own.get("ev_kw", [NAN] * count))},
        appeared_day=column(own.get("appeared", NAN)),
        removed_day=column(own.get("removed", NAN)),
        is_dated=np.full((count, 5), True),
        confusers=own.get("confusers", [None] * count),
    )
    status = np.full(shape, NO_ROW, dtype=object)
    status[:, EV] = own.get("status", ["characterised" if value == value else "in_progress" for value in stated])
    answers = Answers(
        status=status,
        probability=column(stated),
        present_probability=column(own.get("present", stated)),
        tier=np.full(shape, None, dtype=object),
        evidence=np.full(shape, None, dtype=object),
        days={name: column(own.get(name, NAN)) for name in DAY_COLUMNS},
        sizes={name: np.full((count, 3), NAN) for name in SIZE_NAMES} | {"ev_kw": np.asarray(own.get("sizes", np.full((count, 3), NAN)))},
    )
    known = {"first_day": 100.0, "last_day": 300.0, "has_weather": 1.0, "has_export": 0.0, "is_domestic": 1.0}
    facts = {name: np.asarray(own.get(name, np.full(count, known.get(name, 0.01)))) for name in Facts._fields}
    return score_window(labels, answers, Facts(**facts))


def value_of(figure: dict[str, Any]) -> Any:
    return figure["value"]


def test_only_known_labels_are_scored_and_unanswered_ones_are_a_share_of_them() -> None:
    found = score_class(make_scored(HAS, STATED), AssetClass.EV, RULES)
    ever = found["ever"]
    assert (ever["with"], ever["without"], ever["answered"], ever["right"]) == (5, 4, 7, 4)
    assert found["label_unknown"] == 1
    assert value_of(ever["precision"]) == pytest.approx(3 / 5)
    assert value_of(ever["recall"]) == pytest.approx(3 / 4)
    assert value_of(ever["false_alarm_share"]) == pytest.approx(2 / 3)
    assert value_of(ever["unanswered_share"]) == pytest.approx(2 / 9)
    assert found["unanswered"] == {"in_progress": 2, "not_observable": 0, NO_ROW: 0}
    pairs = [(there, not_there) for there in (0.95, 0.8, 0.6, 0.2) for not_there in (0.05, 0.92, 0.75)]
    assert value_of(ever["auc"]) == pytest.approx(np.mean([there > other for there, other in pairs]))


def test_an_unknown_label_changes_no_figure_whatever_the_answer() -> None:
    plain, turned = (score_class(make_scored(HAS, stated), AssetClass.EV, RULES) for stated in (STATED, [*STATED[:7], 0.01, *STATED[8:]]))
    assert plain == turned


def test_tiers_count_from_the_top_and_are_checked_on_their_own() -> None:
    tiers = score_class(make_scored(HAS, STATED), AssetClass.EV, RULES)["ever"]["tiers"]
    assert [value_of(tiers[name]["precision"]) for name in ("high", "medium", "low")] == pytest.approx([1 / 2, 2 / 4, 3 / 5])
    assert [value_of(tiers[name]["recall"]) for name in ("high", "medium", "low")] == pytest.approx([1 / 4, 2 / 4, 3 / 4])
    assert [(tiers[name]["right"], tiers[name]["answers"]) for name in ("high", "medium", "low")] == [(2, 3), (1, 3), (1, 1)]


def test_what_left_is_a_yes_for_ever_and_a_no_for_now() -> None:
    scored = make_scored([1, 1], [0.9, 0.9], removed=[200.0, NAN], present=[0.1, 0.9])
    found = score_class(scored, AssetClass.EV, RULES)
    assert (found["ever"]["with"], found["now"]["with"], found["now"]["without"]) == (2, 1, 1)
    assert (found["ever"]["right"], found["now"]["right"]) == (2, 2)


def test_sizes_are_of_meters_that_have_the_asset_and_are_answered() -> None:
    sizes = [[8.8, 8, 10], [3.5, 3.6, 4], [7, 6, 9], [NAN, NAN, NAN], [7, 6, 8]]
    scored = make_scored([1, 1, 1, 1, 0], [0.9] * 5, ev_kw=[8.0, 7.0, 7.0, 7.0, 7.0], sizes=sizes)
    found = score_class(scored, AssetClass.EV, RULES)["sizes"]["ev_kw"]
    assert (found["known"], found["answered"]) == (4, 3)
    assert value_of(found["median_error"]) == pytest.approx(0.1)
    assert value_of(found["within_15_pct"]) == pytest.approx(2 / 3)
    assert value_of(found["coverage"]) == pytest.approx(2 / 3)


def test_dates_are_of_all_that_came_and_a_date_of_what_was_always_there_is_false() -> None:
    scored = make_scored(
        [1, 1, 1, 1, 1],
        [0.9] * 5,
        appeared=[150.0, 150, 150, NAN, NAN],
        appeared_date=[153.0, 180, NAN, 200, NAN],
        appeared_p10_date=[148.0, 170, NAN, 190, NAN],
        appeared_p90_date=[160.0, 190, NAN, 210, NAN],
    )
    found = score_class(scored, AssetClass.EV, RULES)["dates"]["appeared"]
    assert (found["known"], found["found"]) == (3, 2)
    assert value_of(found["median_days_off"]) == pytest.approx((3 + 30) / 2)
    assert value_of(found["within_7_days"]) == pytest.approx(1 / 3)
    assert value_of(found["coverage"]) == pytest.approx(1 / 2)
    assert value_of(found["false_share"]) == pytest.approx(1 / 2)


def test_too_few_meters_give_counts_and_no_figure() -> None:
    found = score_class(make_scored(HAS, STATED), AssetClass.EV, RULES._replace(least_meters=6))["ever"]
    assert found["precision"] == {"value": None, "interval": None, "meters": 5}
    assert found["auc"] == {"value": None, "interval": None, "meters": 3}
    assert value_of(found["ece"]) is not None


def test_groups_are_by_what_the_meters_have_and_an_unknown_look_alike_is_in_none() -> None:
    scored = make_scored(
        HAS, STATED, confusers=[(), ("immersion",), None, ("immersion", "hot_tub"), *[()] * 6], days_seen=[70.0] * 5 + [400.0] * 5
    )
    groups = score_groups(scored, RULES)
    assert {name: group["meters"] for name, group in groups["confuser"].items()} == {"hot_tub": 1, "immersion": 2, "none": 7}
    assert {name: group["meters"] for name, group in groups["history"].items()} == {"60 to 120 days": 5, "365 to 545 days": 5}
    assert groups["weather"].keys() == {"with"}
    rows = np.array([row in (1, 3) for row in range(10)])
    wanted = score_detection(take_meters(scored, rows), AssetClass.EV, Question.EVER, RULES)
    assert groups["confuser"]["immersion"]["classes"]["ev"] == wanted
