"""The bundled classifier as a document for people, rendered from the card beside it."""

from typing import Any, Final

from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS

_SAYS: Final = """# Model card: fmar_asset_classifier

Rendered from `fmar_spark/learning/bundled/asset_classifier.json` by `scripts/render_docs.py`; a test fails where the two differ.

**What it is.** For each class ({classes}) a calibrated detector, a model of whether a
found asset is still there, and the 80 % intervals of sizes, in one estimator. Assets coexist, so the probabilities are independent.

**What it reads.** The evidence that the kernels find in one meter's half-hours of up to 24 months: episodes of one power and their
regularity, answers to cold and to sun, flat runs, dips against a counterfactual; with missing evidence where the meter cannot show it.

**What it is for.** Ranking and stating confidence about connections in Great Britain: tier high at a probability of 0.9, medium at 0.7,
whichever way the answer goes. It is not evidence about anybody, and a market should use answers of tier high.

**What it was trained on.** Simulated meters only, never real ones: homes and businesses with every combination of assets and the
look-alikes named below, seen in several circumstances (shorter history, no weather, no export register). Split by meter: trees, calibration
and the figures below each rest on meters of their own. Simulated figures flatter: expect less on real meters, above all where a
look-alike is common.

**What it must not be tested on.** Every version states which meters it has learnt from (`trained_on`): the plan of a simulated fleet, or
digests of MPANs and of readings. `./scripts/evaluate` leaves those out by name; see `docs/evaluation.md`.

**How it is stored.** skops, with a closed list of trusted types; no pickle is ever loaded.

**How it changes.** `jobs/train_classifier.py` registers a version with signature, requirements, metrics, reliability curves and data
version; the alias `champion` moves only if every gate of `mlflow/gates.yaml` is passed. Every row that was scored names its version.
"""


def render_model_card(card: dict[str, Any]) -> str:
    """Markdown of the card that ``registry.save_bundled`` wrote: figures of the test meters by class and by look-alike."""
    meters, first_date, last_date, seed = card["plan"]
    lines = [
        _SAYS.format(classes=", ".join(facts.words for facts in ASSET_FACTS.values())),
        f"## {card['version']}",
        "",
        f"{meters:,} simulated meters (seed {seed}, {first_date} to {last_date}), each seen in {card['views']} circumstances.",
        "Figures of the test meters, in brackets the 95 % interval over meters:",
        "",
        "| class | AUC | precision at 0.5 | recall at 0.5 | calibration error | answers of tier high | of them right | meters |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [_render_class(asset.value, card["test"][asset.value]) for asset in ASSET_CLASSES]
    lines += ["", "Share of windows without the class in which it was found all the same, by look-alike:", ""]
    return "\n".join([*lines, *_render_confusers(card["test"])]) + "\n"


def _render_class(name: str, figures: dict[str, Any]) -> str:
    low, high = figures["auc_interval"]
    cells = [f"{figures['auc']:.3f} ({low:.3f} to {high:.3f})", f"{figures['precision']:.2f}", f"{figures['recall']:.2f}"]
    cells += [
        f"{figures['ece']:.3f}",
        f"{figures['high_tier_share']:.0%}",
        f"{figures['high_tier_accuracy']:.1%}",
        f"{figures['meters']:,}",
    ]
    return f"| {name} | " + " | ".join(cells) + " |"


def _render_confusers(test: dict[str, Any]) -> list[str]:
    names = sorted({name for asset in ASSET_CLASSES for name in test[asset.value]["false_alarms_by_confuser"]})
    lines = ["| look-alike | " + " | ".join(asset.value for asset in ASSET_CLASSES) + " |", "|---" * (1 + len(ASSET_CLASSES)) + "|"]
    for name in names:
        found = [test[asset.value]["false_alarms_by_confuser"].get(name) for asset in ASSET_CLASSES]
        cells = ["" if one is None else f"{one['false_alarm_share']:.1%} of {one['examples']}" for one in found]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines
