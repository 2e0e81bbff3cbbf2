"""Loads dispatch events and declared volumes."""

import sys
import tempfile
from pathlib import Path

from fmar_spark.app import App
from fmar_spark.commands.topics import KAFKA_PACKAGE, find_topic
from fmar_spark.errors import ConfigError
from fmar_spark.intake.deliveries.rows import DeclarationRules
from fmar_spark.intake.deliveries.staging import Sources, describe_staged, stage_declarations
from fmar_spark.steps import load_deliveries


def run(
    app: App,
    events: Path | None,
    volumes: Path | None,
    p0282: Path | None,
    dry_run: bool,
    kafka: str | None = None,
    topic: str | None = None,
    kafka_config: Path | None = None,
) -> None:
    """Read the files, say what was understood, and unless it is a dry run write it; or write what is new in a topic."""
    settings = app.settings.deliveries
    rules = DeclarationRules(settings.max_kwh_per_slot, settings.max_event_hours, settings.max_name_chars)
    named = find_topic(kafka, topic, kafka_config)
    if named:
        if dry_run or any((events, volumes, p0282)):
            raise ConfigError("--kafka: goes with no files and no --dry-run")
        app.start_spark((KAFKA_PACKAGE,))
        records = app.settings.ingest.records_per_trigger
        app.run_step("load_deliveries", lambda store, run: load_deliveries.run_topic(store, run, named, records, rules))
        return
    with tempfile.TemporaryDirectory(prefix="fmar_deliveries_") as folder:
        staged = stage_declarations(Sources(events, volumes, p0282), Path(folder), rules)
        sys.stdout.write("\n".join([*describe_staged(staged), ""]))
        if dry_run:
            sys.stdout.write("dry run    nothing was written\n")
            return
        app.run_step("load_deliveries", lambda store, run: load_deliveries.run(store, run, staged))
