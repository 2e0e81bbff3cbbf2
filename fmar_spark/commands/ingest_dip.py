"""Takes DIP messages from a landing folder or a Kafka topic, each exactly once."""

from pathlib import Path

from fmar_spark.app import App
from fmar_spark.commands.topics import KAFKA_PACKAGE, find_topic
from fmar_spark.errors import ConfigError
from fmar_spark.steps import ingest_dip


def run(app: App, landing: str | None, kafka: str | None, topic: str | None, kafka_config: Path | None, continuous: bool) -> None:
    """Run the step; Spark fetches its Kafka package where a topic is read."""
    if bool(landing) == bool(kafka):
        raise ConfigError("--landing or --kafka: one of the two wanted")
    named = find_topic(kafka, topic, kafka_config)
    source = named or ingest_dip.find_landing(landing or "")
    if named:
        app.start_spark((KAFKA_PACKAGE,))
    written = app.run_step(
        ingest_dip.STEP, lambda store, run: ingest_dip.run(store, run, app.settings.ingest, source, is_continuous=continuous)
    )
    ingest_dip.check_rejected(written, app.settings.ingest.max_rejected_share)
