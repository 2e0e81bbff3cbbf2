"""Trains the asset classifiers on labelled meters and promotes them if they meet the promotion rules."""

from fmar_spark.app import App
from fmar_spark.steps import train_classifier


def run(app: App, labels: str) -> None:
    """Run the step."""
    app.run_step("train_classifier", lambda store, run: train_classifier.run(store, run, app.settings, labels))
