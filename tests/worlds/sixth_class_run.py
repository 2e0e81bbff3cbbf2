"""Run with a copy of the package that knows a sixth class: features, training, the job that scores and fills gold, and the page."""

import json
import re
import sys
from datetime import date
from pathlib import Path
from typing import Any

import evaluation_world
import numpy as np
from spark_world import start_session
from threadpoolctl import threadpool_limits

from fmar_spark.contracts.readings import LABELS
from fmar_spark.domain.assets import ASSET_CLASSES, AssetClass
from fmar_spark.engine.lake_sql import LakeRows
from fmar_spark.engine.runs import start_run
from fmar_spark.engine.store import TableStore
from fmar_spark.evaluation.known_meters import gather_labels
from fmar_spark.evaluation.scorecard import Order as Evaluation
from fmar_spark.evaluation.scorecard import evaluate_lake
from fmar_spark.kernels.examination import FEATURES
from fmar_spark.learning.classifier import AssetClassifier, StoredScorer, store_classifier
from fmar_spark.learning.evaluation import evaluate_classifier
from fmar_spark.learning.examples import Examples, join_examples
from fmar_spark.learning.methods_page import render_methods
from fmar_spark.learning.resampling import DrawRules
from fmar_spark.learning.simulated_examples import VIEWS, describe_view
from fmar_spark.learning.training import TreeShape, split_by_meter, train_classifier
from fmar_spark.report.page import Order, write_report
from fmar_spark.settings.overlays import load_settings
from fmar_spark.settings.sections import Settings
from fmar_spark.simulate.fleet import prepare_setting, simulate_block
from fmar_spark.simulate.plan import FleetPlan, Mix
from fmar_spark.steps import characterise

NEW = AssetClass("lighting")
SHARES = {f"{where}_{asset.value}": 0.5 for where in ("home", "business") for asset in ASSET_CLASSES}
TRAINING = FleetPlan(256, date(2022, 12, 1), date(2023, 3, 15), 11, Mix(plain=0.0, appears=0.0, removed=0.0, **SHARES))


def simulate_training() -> Examples:
    """Evidence and truth of the training fleet, each meter whole."""
    setting = prepare_setting(TRAINING)
    blocks = [simulate_block(setting, block) for block in range(2)]
    return join_examples([describe_view(fleet, np.arange(len(fleet.mpan_id)), VIEWS[0], TRAINING) for fleet in blocks])


def train(examples: Examples) -> tuple[AssetClassifier, dict[str, Any]]:
    """A small classifier of six classes, and its figures on meters of their own."""
    split = split_by_meter(examples.meter_id, 0.35, 0.15, seed=2)
    classifier = train_classifier(examples, split, TreeShape(rounds=20, leaves=4), seed=2)
    return classifier, evaluate_classifier(classifier, examples, split.test).metrics


def run_job(lake: Path, scorer: StoredScorer) -> None:
    """The step characterise on a Spark session whose Python workers import the copy as well."""
    characterise.choose_scorer = lambda settings: scorer
    settings = load_settings("test", ["characterise.partitions=1"])
    session = start_session("sixth")
    characterise.run(TableStore(session, str(lake)), start_run("characterise", None, ""), settings, ())
    session.stop()


def main(folder: Path) -> dict[str, Any]:
    """What became of the class on its way."""
    examples = simulate_training()
    classifier, metrics = train(examples)
    scorer = StoredScorer(store_classifier(classifier), "six/1")
    lake = evaluation_world.write_readings(folder)[0]
    run_job(lake, scorer)
    rows = LakeRows(lake)
    page = folder / "page.html"
    counts = write_report(lake, page, Order(), lambda stage: None)
    text = page.read_text(encoding="utf-8")
    rules = DrawRules(draws=5, least_meters=2)
    labels = (lake.parent / "landing",)
    document = evaluate_lake(lake, Evaluation(labels=labels, rules=rules), Settings(), lambda stage: None)
    data = json.loads(re.findall(r'id="data"[^>]*>(.*?)</script>', text, flags=re.S)[0].replace("\\u003c", "<"))
    return {
        "classes": [asset.value for asset in ASSET_CLASSES],
        "features": [name for name in FEATURES if name.startswith("lighting")],
        "auc": metrics[f"{NEW.value}_auc"],
        "size_error": metrics[f"{NEW.value}_size_median_error"],
        "trained": sorted(scorer.opened().models or {}),
        "detections": rows.rows("SELECT * FROM gold.asset_detections WHERE asset_class = 'lighting'"),
        "capability": rows.rows("SELECT * FROM gold.capability WHERE asset_class = 'lighting'"),
        "events": rows.rows("SELECT count(*) AS n FROM silver.asset_events WHERE asset_class = 'lighting'")[0]["n"],
        "label_columns": [name for name in LABELS.names if "lighting" in name],
        "labelled": int(gather_labels(rows, labels).labels.has[:, ASSET_CLASSES.index(NEW)].sum()),
        "evaluated": document["kinds"]["simulated"]["classes"][NEW.value]["ever"]["with"],
        "page_words": data["words"]["class_words"][NEW.value],
        "page_colours": re.findall(r"--lighting: (#\w+)", text),
        "page_rows": counts["listed"],
        "page_answers": len(data["words"]["classes"]),
        "methods": "## Lighting (`lighting`)" in render_methods(),
    }


if __name__ == "__main__":
    with threadpool_limits(1):
        sys.stdout.write(json.dumps(main(Path(sys.argv[1])), default=str))
