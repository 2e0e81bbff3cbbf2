"""How right a classifier is on meters that it never saw: by class, by confuser, and how honest its probabilities are."""

from typing import Any, Final, NamedTuple

import numpy as np
import plotly.graph_objects as go
from sklearn.metrics import average_precision_score, roc_auc_score

from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS, SIZE_NAMES
from fmar_spark.domain.words import PRESENT_FROM
from fmar_spark.kernels.examination import SizeEstimate, find_meterings
from fmar_spark.kernels.window import Bools, Floats
from fmar_spark.learning.classifier import AssetClassifier
from fmar_spark.learning.examples import Examples
from fmar_spark.learning.resampling import BINS, DrawRules, bound_figure, draw_weights, leave_out, weighted_auc, weighted_calibration_error

DRAWS: Final = DrawRules(draws=200)


class Report(NamedTuple):
    """Figures of one classifier on held-out meters."""

    metrics: dict[str, float]
    """Flat names, e.g. ``ev_auc``, for the tracker and the gates."""
    tables: dict[str, dict[str, Any]]
    """By class: figures with intervals, reliability curve and false alarms by confuser."""

    def draw_reliability(self) -> dict[str, go.Figure]:
        """File name -> reliability curve of each class."""
        figures = {}
        for asset in ASSET_CLASSES:
            curve = self.tables.get(asset.value, {}).get("reliability", [])
            figure = go.Figure(
                layout={"title": f"{asset.value}: stated against observed", "xaxis_title": "stated", "yaxis_title": "observed"}
            )
            figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", name="honest", line={"dash": "dot"})
            stated, observed = [bin_["stated"] for bin_ in curve], [bin_["observed"] for bin_ in curve]
            figure.add_scatter(x=stated, y=observed, mode="lines+markers", name="classifier")
            figures[f"{asset.value}.html"] = figure
        return figures


def evaluate_classifier(classifier: AssetClassifier, examples: Examples, wanted: Bools) -> Report:
    """Score the wanted examples; classes with one answer only are left out."""
    metrics: dict[str, float] = {}
    tables: dict[str, dict[str, Any]] = {}
    probability = classifier.predict(examples.features)
    for index, asset in enumerate(ASSET_CLASSES):
        rows = wanted & ~np.isnan(examples.labels[:, index])
        truth, score = examples.labels[rows, index], probability[rows, index]
        if len(np.unique(truth)) < 2:
            continue
        meters = [meter for meter, is_wanted in zip(examples.meter_id, rows, strict=True) if is_wanted]
        curve = reliability_curve(score, truth)
        figures = {
            "auc": float(roc_auc_score(truth, score)),
            "average_precision": float(average_precision_score(truth, score)),
            "ece": expected_calibration_error(score, truth),
            "brier": float(np.mean((score - truth) ** 2)),
            **_score_tiers(score, truth),
            **_score_sizes(classifier, examples, rows & (probability[:, index] >= PRESENT_FROM), index),
        }
        metrics |= {f"{asset.value}_{name}": value for name, value in figures.items() if np.isfinite(value)}
        tables[asset.value] = {
            **figures,
            "auc_interval": bootstrap_auc(score, truth, meters),
            "examples": int(rows.sum()),
            "meters": len(set(meters)),
            "with": int(truth.sum()),
            "reliability": curve,
            "false_alarms_by_confuser": _count_false_alarms(examples, rows, score, truth),
        }
    return Report(metrics, tables)


def reliability_curve(stated: Floats, truth: Floats) -> list[dict[str, float]]:
    """Mean stated probability and observed share in bins of equal width."""
    place = np.clip((stated * BINS).astype(int), 0, BINS - 1)
    return [
        {
            "stated": float(stated[place == one].mean()),
            "observed": float(truth[place == one].mean()),
            "examples": int((place == one).sum()),
        }
        for one in np.unique(place)
    ]


def expected_calibration_error(stated: Floats, truth: Floats) -> float:
    """Mean distance of stated and observed over the bins, weighted by their examples."""
    return float(weighted_calibration_error(stated, truth)(np.ones((1, stated.size)))[0])


def bootstrap_auc(score: Floats, truth: Floats, meters: list[str]) -> list[float]:
    """95 % interval of the AUC, drawing whole meters; NaN where only one answer occurs."""
    names, owner = np.unique(meters, return_inverse=True)
    statistic = weighted_auc(score, truth)
    found = statistic(draw_weights(len(names), DRAWS)[:, owner])
    drawn = found[1:][np.isfinite(found[1:])]
    if not drawn.size or not np.isfinite(found[0]):
        return [float("nan")] * 2
    return bound_figure(float(found[0]), drawn, statistic(leave_out(len(names))[:, owner]), DRAWS.coverage)


def list_failed_gates(report: Report, gates: dict[str, dict[str, float]]) -> list[str]:
    """One sentence for each gate that the report does not pass.

    Args:
        report: of the new classifier.
        gates: metric name -> {"at_least": x} or {"at_most": x}.
    """
    failed = []
    for name, bounds in gates.items():
        value = report.metrics.get(name)
        if value is None:
            failed.append(f"{name}: not measured")
        elif value < bounds.get("at_least", -np.inf):
            failed.append(f"{name}: {value:.3f} found, at least {bounds['at_least']} wanted")
        elif value > bounds.get("at_most", np.inf):
            failed.append(f"{name}: {value:.3f} found, at most {bounds['at_most']} wanted")
    return failed


def _score_tiers(score: Floats, truth: Floats) -> dict[str, float]:
    sure = np.maximum(score, 1 - score) >= 0.9
    said = score >= 0.5
    hits = (said & (truth == 1)).sum()
    right = (said == (truth == 1))[sure]
    return {
        "precision": float(hits / max(said.sum(), 1)),
        "recall": float(hits / max((truth == 1).sum(), 1)),
        "high_tier_share": float(sure.mean()),
        "high_tier_accuracy": float(right.mean()) if right.size else float("nan"),
    }


def _score_sizes(classifier: AssetClassifier, examples: Examples, rows: Bools, index: int) -> dict[str, float]:
    """Figures of the sizes of the examples in which the class is found: of no other is a size stated."""
    asset = ASSET_CLASSES[index]
    name = ASSET_FACTS[asset].sizes[0].names[0]
    position = SIZE_NAMES.index(name)
    estimate, truth = examples.sizes[rows, index, position], examples.true_sizes[rows, index, position]
    spread = examples.sizes[rows, index, len(SIZE_NAMES)]
    known = (examples.labels[rows, index] == 1) & (truth > 0)
    answered = known & (estimate > 0)
    if not answered.any():
        return {}
    error = np.abs(estimate[answered] / truth[answered] - 1)
    metering = find_meterings(examples.features[rows][answered])
    lower, upper = classifier.bound_size(asset, name, SizeEstimate(estimate[answered], spread[answered], metering))
    return {
        "size_median_error": float(np.median(error)),
        "size_within_15_pct": float((error <= 0.15).mean()),
        "size_answered_share": float(answered.sum() / known.sum()),
        "size_interval_coverage": float(((truth[answered] >= lower) & (truth[answered] <= upper)).mean()),
    }


def _count_false_alarms(examples: Examples, rows: Bools, score: Floats, truth: Floats) -> dict[str, dict[str, float]]:
    """Share of meters without the asset that are held to have it, by look-alike."""
    names = [confusers for confusers, is_wanted in zip(examples.confusers, rows, strict=True) if is_wanted]
    alarm = score >= 0.5
    found: dict[str, dict[str, float]] = {}
    for confuser in sorted({one for text in names for one in text.split(",") if one} | {"none"}):
        has = np.array([confuser in text.split(",") if confuser != "none" else not text for text in names]) & (truth == 0)
        if has.any():
            found[confuser] = {"examples": int(has.sum()), "false_alarm_share": float(alarm[has].mean())}
    return found
