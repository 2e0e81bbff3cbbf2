"""Scores a lake: gathers labels and answers, leaves out training meters, and puts all figures into one document."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from fmar_spark import __version__
from fmar_spark.domain.assets import ASSET_CLASSES
from fmar_spark.domain.figures import write_count
from fmar_spark.engine.lake_sql import LakeRows
from fmar_spark.errors import InputError
from fmar_spark.evaluation.circumstances import characterise_again, largest_difference
from fmar_spark.evaluation.known_meters import KnownMeters, gather_labels
from fmar_spark.evaluation.lake_answers import (
    count_unplanned,
    define_labelled,
    find_training_meters,
    find_version,
    list_answers,
    list_mistakes,
    read_answers,
    read_facts,
)
from fmar_spark.evaluation.lake_events import ClassCounts, count_events
from fmar_spark.evaluation.submetered import TrueRuns, read_true_runs
from fmar_spark.evaluation.transfer import compare_transfer, has_measured_meters, summarise_lake
from fmar_spark.kernels.window import Bools
from fmar_spark.learning.answers import Scored, score_window, take_meters
from fmar_spark.learning.bundled_classifier import load_reference
from fmar_spark.learning.event_scores import score_half_hours
from fmar_spark.learning.labelled import Labels
from fmar_spark.learning.registry import find_trained_on, load_version
from fmar_spark.learning.resampling import DrawRules
from fmar_spark.learning.scores import Question, score_class, score_detection, score_groups
from fmar_spark.report.provenance import KINDS
from fmar_spark.settings.sections import Settings

FEW_METERS: Final = 30
"""Up to so many meters of a kind every single answer is listed."""
TIER_FIGURES: Final = ("precision", "recall", "right_share")
NAMED: Final = 5
"""Left-out meters that a message names; the document names all."""
Progress = Callable[[str], None]
"""Called with the next stage, in words for the user."""


class Order(NamedTuple):
    """Options of an evaluation."""

    labels: tuple[Path, ...] = ()
    """Files, folders or landing folders; none = those of the lake and of a landing folder beside it."""
    truths: tuple[str, ...] = ()
    """Half-hourly truth: ``SERIES=FILE`` or ``FILE``."""
    has_circumstances: bool = False
    against: Path | None = None
    """A lake with simulated meters, in place of the classifier's own training fleet."""
    mistakes: int = 5
    """Worst mistakes of each class."""
    rules: DrawRules = DrawRules()


def evaluate_lake(root: Path, order: Order, settings: Settings, say: Progress) -> dict[str, Any]:
    """Every figure about a lake, as a document for ``json``.

    Raises:
        ConfigError: no lake, nothing characterised, or a file that cannot be understood.
        InputError: no labels, none of a meter of the lake, or of training meters only.
        ModelError: the classifier that scored is not at hand for other circumstances.
    """
    lake = LakeRows(root)
    version = find_version(lake)
    known = gather_labels(lake, order.labels)
    say("labels")
    define_labelled(lake, known.labels)
    training, is_kept = _leave_out_training(lake, known, version, settings)
    say(f"answers about {write_count(int(is_kept.sum()), 'labelled meter')}")
    everyone = score_window(known.labels, read_answers(lake, len(is_kept)), read_facts(lake))
    scored = take_meters(everyone, is_kept)
    define_labelled(lake, scored.labels)
    say("episodes, half-hour by half-hour")
    events = dict(count_events(lake, scored, _keep_fleets(known, scored), read_runs(lake, order.truths)))
    again = dict(_characterise_again(lake, scored, version, settings, say)) if order.has_circumstances else {}
    kinds = {}
    for kind in KINDS:
        members = np.array([one == kind for one in scored.labels.kind], dtype=np.bool_)
        if members.any():
            say(f"figures of {write_count(int(members.sum()), f'{kind.value} meter')}")
            kinds[kind.value] = _score_kind(scored, members, events, again, order)
    document: dict[str, Any] = {
        "lake": root.resolve().name,
        "made_at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "package": __version__,
        "model_version": version,
        "tables": dict(sorted(lake.versions.items())),
        "labels": [source._asdict() for source in known.sources],
        "rules": order.rules._asdict(),
        "training": training,
        "kinds": kinds,
    }
    if again:
        document["circumstances_differ_by"] = largest_difference(scored.answers, again["whole"].answers)
    return document | _compare_transfer(lake, known.labels, order, settings, say)


def read_runs(lake: LakeRows, arguments: Sequence[str]) -> list[TrueRuns]:
    """Sub-metered truth of meters of the lake."""
    if not arguments:
        return []
    mpan_of = {row["mpan_id"]: row["mpan_id"] for row in lake.rows("SELECT mpan_id FROM silver.meter_points")}
    mpan_of |= {row["series_id"]: row["mpan_id"] for row in lake.rows("SELECT series_id, mpan_id FROM silver.series")}
    return [runs for argument in arguments for runs in read_true_runs(argument, mpan_of)]


def flatten_metrics(document: dict[str, Any]) -> dict[str, float]:
    """The main figures under flat names, e.g. ``real.ev.ever.auc``; what has no figure is left out."""
    metrics: dict[str, float] = {}
    for kind, figures in document["kinds"].items():
        for asset, mine in figures["classes"].items():
            named: dict[str, Any] = {}
            for question in Question:
                answered = mine[question.value]
                named |= {f"{question.value}.{name}": one for name, one in answered.items() if isinstance(one, dict) and "value" in one}
                tiers = answered["tiers"].items()
                named |= {f"{question.value}.{tier}_tier_{name}": one[name] for tier, one in tiers for name in TIER_FIGURES}
            named |= {f"{size}_{name}": one[name] for size, one in mine["sizes"].items() for name in ("median_error", "coverage")}
            named |= {f"events_{name}": mine["events"]["all"][name] for name in ("f1", "energy_ratio") if mine["events"]}
            prefix = f"{kind.partition(',')[0]}.{asset}"
            metrics |= {f"{prefix}.{name}": figure["value"] for name, figure in named.items() if figure["value"] is not None}
            metrics |= {f"{prefix}.ever.{name}": float(mine["ever"][name]) for name in ("with", "without", "answered", "right")}
    return metrics


def _leave_out_training(lake: LakeRows, known: KnownMeters, version: str, settings: Settings) -> tuple[dict[str, Any], Bools]:
    """The training meters among the labelled ones, and which meters may be scored."""
    is_kept = np.ones(len(known.labels.mpan_id), dtype=np.bool_)
    trained_on = find_trained_on(settings.learning, version)
    training: dict[str, Any] = {"is_known": trained_on is not None, "left_out": [], "warnings": []}
    if trained_on is None:
        training["warnings"].append(f"training meters unknown: {version} was stored without them, so some may be among those scored here")
        return training, is_kept
    left_out = find_training_meters(lake, known, trained_on)
    is_kept[[one.place for one in left_out]] = False
    labels = known.labels
    training["left_out"] = [
        {"name": labels.name[place], "mpan_id": labels.mpan_id[place], "kind": labels.kind[place], "reason": reason}
        for place, reason in left_out
    ]
    unplanned = count_unplanned(known) if trained_on.fleets else 0
    if unplanned:
        training["warnings"].append(
            f"{unplanned:,} simulated meters of an unknown seed: whether they are of the training fleet is unknown; "
            "name their landing folder with --labels"
        )
    if not is_kept.any():
        names = ", ".join(one["name"] for one in training["left_out"][:NAMED])
        raise InputError(f"{version}: it was trained on all {len(is_kept):,} labelled meters ({names}, ...): {left_out[0].reason}")
    return training, is_kept


def _keep_fleets(known: KnownMeters, scored: Scored) -> dict[str, Path]:
    mine = set(scored.labels.mpan_id)
    return {mpan: folder for mpan, folder in known.fleet_of.items() if mpan in mine}


def _characterise_again(lake: LakeRows, scored: Scored, version: str, settings: Settings, say: Progress) -> list[tuple[str, Scored]]:
    scorer = load_version(settings.learning, version)
    return [(circumstance.name, seen) for circumstance, seen in characterise_again(lake, scored.labels, scorer, settings, say)]


def _score_kind(scored: Scored, members: Bools, events: dict[Any, ClassCounts], again: dict[str, Scored], order: Order) -> dict[str, Any]:
    mine = take_meters(scored, members)
    classes = {}
    for asset in ASSET_CLASSES:
        figures = score_class(mine, asset, order.rules)
        figures["events"] = _score_events(events[asset], members, order.rules) if asset in events else None
        classes[asset.value] = figures
    return {
        "meters": int(members.sum()),
        "classes": classes,
        "groups": score_groups(mine, order.rules),
        "circumstances": {name: _score_again(take_meters(seen, members), order.rules) for name, seen in again.items()},
        "mistakes": list_mistakes(mine, order.mistakes),
        "answers": list_answers(mine) if members.sum() <= FEW_METERS else None,
    }


def _score_events(counted: ClassCounts, members: Bools, rules: DrawRules) -> dict[str, Any] | None:
    rows = members[counted.place]
    if not rows.any():
        return None
    return score_half_hours(type(counted.counts)(*(field[rows] for field in counted.counts)), counted.was_found[rows], rules)


def _score_again(scored: Scored, rules: DrawRules) -> dict[str, Any]:
    found = {}
    for asset in ASSET_CLASSES:
        whole = score_class(scored, asset, rules)
        found[asset.value] = {**score_detection(scored, asset, Question.EVER, rules), "sizes": whole["sizes"], "dates": whole["dates"]}
    return found


def _compare_transfer(lake: LakeRows, labels: Labels, order: Order, settings: Settings, say: Progress) -> dict[str, Any]:
    """The transfer table, where there are measured meters and something to hold them against."""
    if not has_measured_meters(lake, labels):
        return {}
    say("how far the evidence of measured meters lies from that of simulated ones")
    against = order.against
    reference = summarise_lake(against, load_version(settings.learning, find_version(lake))) if against else load_reference()
    return {"transfer": compare_transfer(lake, labels, reference)} if reference else {}
