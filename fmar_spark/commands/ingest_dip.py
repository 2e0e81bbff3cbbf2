"""Takes DIP messages from a landing folder or a Kafka topic, each exactly once."""

from pathlib import Path

from fmar_spark.app import App
from fmar_spark.errors import ConfigError
from fmar_spark.settings.client_files import read_client
from fmar_spark.steps import ingest_dip

KAFKA_PACKAGE = "org.apache.spark:spark-sql-kafka-0-10_2.13:4.1.1"


def run(app: App, landing: str | None, kafka: str | None, topic: str | None, kafka_config: Path | None, continuous: bool) -> None:
    """Run the step; Spark fetches its Kafka package where a topic is read."""
    if bool(landing) == bool(kafka):
        raise ConfigError("--landing or --kafka: one of the two wanted")
    if bool(kafka) != bool(topic):
        raise ConfigError("--kafka and --topic: both or neither wanted")
    if kafka_config and not kafka:
        raise ConfigError("--kafka-config: goes with --kafka")
    client = read_client(str(kafka_config), "--kafka-config") if kafka_config else {}
    source = ingest_dip.Topic(kafka, topic, client) if kafka and topic else ingest_dip.find_landing(landing or "")
    if kafka:
        app.start_spark((KAFKA_PACKAGE,))
    written = app.run_step(
        ingest_dip.STEP, lambda store, run: ingest_dip.run(store, run, app.settings.ingest, source, is_continuous=continuous)
    )
    ingest_dip.check_rejected(written, app.settings.ingest.max_rejected_share)
