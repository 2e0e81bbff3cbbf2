"""Predicts the requested local days of every eligible meter, each from readings before that day only."""

from datetime import date
from pathlib import Path

from fmar_spark.app import App
from fmar_spark.steps import predict_baseline


def run(app: App, from_date: date | None, to_date: date | None, days: Path | None, last_week: bool) -> None:
    """Run the step."""
    request = predict_baseline.check_request(predict_baseline.Request(from_date, to_date, days, last_week))
    app.run_step("predict_baseline", lambda store, run: predict_baseline.run(store, run, app.settings, request))
