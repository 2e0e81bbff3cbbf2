"""The same figures by what the meters have: look-alikes, history, gaps, weather and export register."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from fmar_spark.domain.assets import ASSET_CLASSES
from fmar_spark.kernels.window import Bools, Floats
from fmar_spark.learning.answers import Scored, take_meters
from fmar_spark.learning.resampling import DrawRules
from fmar_spark.learning.scores import Question, score_detection

HISTORY_EDGES: Final = (0, 60, 120, 180, 365, 545)
MISSING_EDGES: Final = (0.0, 0.01, 0.05, 0.2, 0.4)
NO_CONFUSER: Final = "none"


def score_groups(scored: Scored, rules: DrawRules) -> dict[str, dict[str, Any]]:
    """What is grouped by -> group -> meters, and figures by class."""
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
