"""Deletes what is too old and keeps tables compact."""

from fmar_spark.app import App
from fmar_spark.steps import maintain_tables


def run(app: App, dry_run: bool) -> None:
    """Run the step."""
    settings = app.settings.retention
    app.run_step("maintain_tables", lambda store, run: maintain_tables.run(store, run, settings, is_dry=dry_run))
