"""Verifies declared deliveries against the boundary meters."""

from datetime import date

from fmar_spark.app import App
from fmar_spark.steps import summarise_deliveries, verify_delivery


def run(app: App, from_date: date | None, to_date: date | None) -> None:
    """Run the two steps."""
    span = verify_delivery.check_span(verify_delivery.Span(from_date, to_date))
    app.run_step("verify_delivery", lambda store, run: verify_delivery.run(store, run, app.settings, span))
    app.run_step("summarise_deliveries", lambda store, run: summarise_deliveries.run(store, run, app.settings.areas))
