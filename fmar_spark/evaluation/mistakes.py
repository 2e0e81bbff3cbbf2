"""The most confident wrong answers, and what a person checks them by."""

from datetime import timedelta
from typing import Any

import numpy as np

from fmar_spark.domain.words import ASSET_CLASSES, PRESENT_FROM, AssetClass
from fmar_spark.learning.answers import Scored
from fmar_spark.learning.labelled import SIZES
from fmar_spark.learning.scores import Question, read_question
from fmar_spark.report.packing import EPOCH, round_values


def list_mistakes(scored: Scored, most: int) -> dict[str, list[dict[str, Any]]]:
    """By class, the wrong answers on whether it was there at some time, surest first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for place, asset in enumerate(ASSET_CLASSES):
        stated, truth = read_question(scored, asset, Question.EVER)
        said = stated >= PRESENT_FROM
        is_wrong = ~np.isnan(stated) & ~np.isnan(truth) & (said != (truth == 1))
        rows = np.flatnonzero(is_wrong)
        surest = rows[np.argsort(-np.maximum(stated[rows], 1 - stated[rows]), kind="stable")][:most]
        found[asset.value] = [_describe(scored, int(row), place) for row in surest]
    return found


def list_answers(scored: Scored) -> list[dict[str, Any]]:
    """Every question whose answer is known, meter by meter: for sets too small for figures."""
    return [
        _describe(scored, row, place)
        for row in range(len(scored.labels.mpan_id))
        for place in range(len(ASSET_CLASSES))
        if not np.isnan(scored.truth.ever[row, place])
    ]


def _describe(scored: Scored, row: int, place: int) -> dict[str, Any]:
    labels, answers, facts = scored.labels, scored.answers, scored.facts
    probability, present = round_values((answers.probability[row, place], answers.present_probability[row, place]), 3)
    days, missing, export, weather = round_values(
        (facts.days_seen[row], facts.missing_share[row], facts.has_export[row], facts.has_weather[row]), 3
    )
    ever, is_there = round_values((scored.truth.ever[row, place], scored.truth.present[row, place]), 0)
    confusers = labels.confusers[row]
    return {
        "name": labels.name[row],
        "mpan_id": labels.mpan_id[row],
        "asset_class": ASSET_CLASSES[place].value,
        "true_ever": ever,
        "true_present": is_there,
        "true_sizes": _known_sizes(scored, row, ASSET_CLASSES[place]),
        "true_appeared": _write_day(scored.truth.appeared_day[row, place]),
        "true_removed": _write_day(scored.truth.removed_day[row, place]),
        "status": answers.status[row, place],
        "probability": probability,
        "present_probability": present,
        "tier": answers.tier[row, place],
        "evidence": answers.evidence[row, place],
        "confusers": None if confusers is None else list(confusers),
        "also_there": [asset.value for other, asset in enumerate(ASSET_CLASSES) if other != place and scored.truth.ever[row, other] == 1],
        "days_seen": days,
        "missing_share": missing,
        "has_export": export,
        "has_weather": weather,
    }


def _known_sizes(scored: Scored, row: int, asset: AssetClass) -> dict[str, float]:
    known = {size.name: scored.labels.sizes[size.name][row] for size in SIZES if size.asset is asset}
    return {name: round(float(value), 2) for name, value in known.items() if not np.isnan(value)}


def _write_day(day: float) -> str | None:
    return None if np.isnan(day) else str(EPOCH + timedelta(days=int(day)))
