"""How right the answers about one class are: detection, tiers, calibration, sizes and dates, with intervals; whole and by group."""

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any, Final

import numpy as np

from fmar_spark.domain.assets import ASSET_CLASSES, AssetClass
from fmar_spark.domain.words import PRESENT_FROM, Status, Tier
from fmar_spark.kernels.window import Bools, Floats
from fmar_spark.learning.answers import NO_ROW, Scored, take_meters
from fmar_spark.learning.evaluation import reliability_curve
from fmar_spark.learning.labelled import SIZES, Size
from fmar_spark.learning.resampling import (
    DrawRules,
    Figure,
    draw_weights,
    measure,
    weighted_auc,
    weighted_calibration_error,
    weighted_median,
    weighted_ratio,
)

NEAR_DAYS: Final = 7
HISTORY_EDGES: Final = (0, 60, 120, 180, 365, 545)
MISSING_EDGES: Final = (0.0, 0.01, 0.05, 0.2, 0.4)
NO_CONFUSER: Final = "none"
TIERS: Final = tuple(tier.value for tier in Tier)


class Question(StrEnum):
    """What is asked of a class."""

    EVER = "ever"
    """Was it there at some time in the window: what a label says."""
    NOW = "now"
    """Is it there on the last day: known of a yes only where days are."""


def score_class(scored: Scored, asset: AssetClass, rules: DrawRules) -> dict[str, Any]:
    """Everything about one class that needs no episodes; meters whose label is empty are counted and not scored."""
    place = ASSET_CLASSES.index(asset)
    known = ~np.isnan(scored.truth.ever[:, place])
    return {
        "label_unknown": int((~known).sum()),
        **{question.value: _score_question(scored, asset, question, rules) for question in Question},
        "unanswered": _count_unanswered(scored, place, known),
        "sizes": {size.name: _score_size(scored, size, rules) for size in SIZES if size.asset is asset},
        "dates": {what: _score_dates(scored, place, what, rules) for what in ("appeared", "removed")},
    }


def score_detection(scored: Scored, asset: AssetClass, question: Question, rules: DrawRules) -> dict[str, Any]:
    """Figures of one question that make sense of any group of meters; an answer is yes from a probability of 0.5 on."""
    stated, truth = read_question(scored, asset, question)
    asked = ~np.isnan(truth)
    seen = asked & ~np.isnan(stated)
    said, is_there = seen & (stated >= PRESENT_FROM), seen & (truth == 1)
    ranked = draw_weights(int(seen.sum()), rules)
    fewer = min(int(is_there.sum()), int((seen & ~is_there).sum()))
    share = _share_of_meters(len(truth), rules)
    return {
        "with": int((truth == 1).sum()),
        "without": int((truth == 0).sum()),
        "answered": int(seen.sum()),
        "right": int((seen & (said == is_there)).sum()),
        "auc": measure(weighted_auc(stated[seen], truth[seen]), ranked, fewer, rules),
        "ece": measure(weighted_calibration_error(stated[seen], truth[seen]), ranked, int(seen.sum()), rules),
        "precision": share(said & is_there, said),
        "recall": share(said & is_there, is_there),
        "false_alarm_share": share(said & ~is_there, seen & ~is_there),
        "unanswered_share": share(asked & ~seen, asked),
    }


def read_question(scored: Scored, asset: AssetClass, question: Question) -> tuple[Floats, Floats]:
    """Stated probability and truth, NaN unanswered or unknown, shape (meters,) each."""
    place = ASSET_CLASSES.index(asset)
    if question is Question.EVER:
        return scored.answers.probability[:, place], scored.truth.ever[:, place]
    return scored.answers.present_probability[:, place], scored.truth.present[:, place]


def _score_question(scored: Scored, asset: AssetClass, question: Question, rules: DrawRules) -> dict[str, Any]:
    stated, truth = read_question(scored, asset, question)
    seen = ~np.isnan(stated) & ~np.isnan(truth)
    return {
        **score_detection(scored, asset, question, rules),
        "reliability": reliability_curve(stated[seen], truth[seen]) if seen.any() else [],
        "tiers": {tier: _score_tier(stated, truth, tier, rules) for tier in TIERS},
    }


def _share_of_meters(meters: int, rules: DrawRules) -> Callable[[Bools, Bools], Figure]:
    """Gives the share of some meters among others, with its interval."""
    weights = draw_weights(meters, rules)
    return lambda above, below: measure(weighted_ratio(above, below), weights, int(below.sum()), rules)


def _score_tier(stated: Floats, truth: Floats, tier: str, rules: DrawRules) -> dict[str, Any]:
    """Precision and recall of yeses in this tier or a higher one; and how many answers of the tier itself are right."""
    seen = ~np.isnan(stated) & ~np.isnan(truth)
    confidence = np.maximum(stated, 1 - stated)
    place = np.select([confidence >= rules.high_tier, confidence >= rules.medium_tier], [0, 1], 2)
    counted, of_tier = place <= TIERS.index(tier), seen & (place == TIERS.index(tier))
    said, is_there = seen & (stated >= PRESENT_FROM), seen & (truth == 1)
    right = of_tier & (said == is_there)
    share = _share_of_meters(len(stated), rules)
    return {
        "precision": share(said & counted & is_there, said & counted),
        "recall": share(said & counted & is_there, is_there),
        "right_share": share(right, of_tier),
        "answers": int(of_tier.sum()),
        "right": int(right.sum()),
    }


def _count_unanswered(scored: Scored, place: int, known: Bools) -> dict[str, int]:
    status = scored.answers.status[known, place]
    return {name: int((status == name).sum()) for name in (Status.IN_PROGRESS.value, Status.NOT_OBSERVABLE.value, NO_ROW)}


def _score_size(scored: Scored, size: Size, rules: DrawRules) -> dict[str, Any]:
    """Relative error of a size among the meters that have the asset, as far as is known still on the last day.

    ``coverage``: how often the 80 % interval holds the truth.
    """
    place = ASSET_CLASSES.index(size.asset)
    truth = scored.labels.sizes[size.name]
    estimate, lower, upper = scored.answers.sizes[size.name].T
    wanted = (scored.truth.ever[:, place] == 1) & (scored.truth.present[:, place] != 0) & (truth > 0)
    answered = wanted & (estimate > 0)
    rows = np.flatnonzero(answered)
    error = np.abs(estimate[rows] / truth[rows] - 1)
    bounded = np.flatnonzero(answered & ~np.isnan(lower) & ~np.isnan(upper))
    held = (truth[bounded] >= lower[bounded]) & (truth[bounded] <= upper[bounded])
    weights, bounded_weights = draw_weights(rows.size, rules), draw_weights(bounded.size, rules)
    return {
        "known": int(wanted.sum()),
        "answered": int(rows.size),
        "median_error": measure(weighted_median(error), weights, rows.size, rules),
        "within_15_pct": measure(weighted_ratio(error <= 0.15, np.ones(rows.size)), weights, rows.size, rules),
        "coverage": measure(weighted_ratio(held, np.ones(bounded.size)), bounded_weights, bounded.size, rules),
        "errors": [float(one) for one in error] if rows.size < rules.least_meters else None,
    }


def _score_dates(scored: Scored, place: int, what: str, rules: DrawRules) -> dict[str, Any]:
    """Days of appearance or removal, of meters on which the class was answered.

    ``within_7_days`` and ``found_share`` are of all true days, reported or not; the other figures of those reported. ``false_share``
    is of the meters that have the asset without such a day: for how many one is reported all the same.
    """
    truth = (scored.truth.appeared_day if what == "appeared" else scored.truth.removed_day)[:, place]
    stated_day, early, late = (scored.answers.days[f"{what}{part}_date"][:, place] for part in ("", "_p10", "_p90"))
    answered = ~np.isnan(scored.answers.probability[:, place])
    wanted = answered & ~np.isnan(truth)
    found = wanted & ~np.isnan(stated_day)
    days_off = np.abs(stated_day - truth)
    steady = answered & scored.labels.is_dated[:, place] & (scored.truth.ever[:, place] == 1) & np.isnan(truth)
    middle = draw_weights(int(found.sum()), rules)
    share = _share_of_meters(len(truth), rules)
    return {
        "known": int(wanted.sum()),
        "found": int(found.sum()),
        "found_share": share(found, wanted),
        "median_days_off": measure(weighted_median(days_off[found]), middle, int(found.sum()), rules),
        "within_7_days": share(found & (days_off <= NEAR_DAYS), wanted),
        "coverage": share(found & (truth >= early) & (truth <= late), found),
        "false_share": share(steady & ~np.isnan(stated_day), steady),
    }


def score_groups(scored: Scored, rules: DrawRules) -> dict[str, dict[str, Any]]:
    """The same figures by what the meters have: what is grouped by -> group -> meters, and figures by class."""
    found: dict[str, dict[str, Any]] = {}
    for subject, group, members in _list_groups(scored):
        if not members.any():
            continue
        mine = take_meters(scored, members)
        figures = {asset.value: score_detection(mine, asset, Question.EVER, rules) for asset in ASSET_CLASSES}
        found.setdefault(subject, {})[group] = {"meters": int(members.sum()), "classes": figures}
    return found


def _list_groups(scored: Scored) -> Iterator[tuple[str, str, Bools]]:
    facts = scored.facts
    confusers = scored.labels.confusers
    names = sorted({name for known in confusers if known for name in known})
    for name in (*names, NO_CONFUSER):
        yield (
            "confuser",
            name,
            np.array([known is not None and (name in known if name != NO_CONFUSER else not known) for known in confusers]),
        )
    yield from _list_bins("history", facts.days_seen, HISTORY_EDGES, "{:g}", " days")
    yield from _list_bins("missing", facts.missing_share * 100, tuple(100 * edge for edge in MISSING_EDGES), "{:g}", " %")
    for subject, values in (("weather", facts.has_weather), ("export_register", facts.has_export), ("domestic", facts.is_domestic)):
        yield subject, "with" if subject != "domestic" else "homes", values == 1
        yield subject, "without" if subject != "domestic" else "others", values == 0


def _list_bins(subject: str, values: Floats, edges: tuple[float, ...], pattern: str, unit: str) -> Iterator[tuple[str, str, Bools]]:
    for place, edge in enumerate(edges):
        is_last = place + 1 == len(edges)
        name = f"{pattern.format(edge)} or more" if is_last else f"{pattern.format(edge)} to {pattern.format(edges[place + 1])}"
        inside = values >= edge if is_last else (values >= edge) & (values < edges[place + 1])
        yield subject, name + unit, np.asarray(inside, dtype=bool)
