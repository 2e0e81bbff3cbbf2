"""Takes DIP messages from a landing folder or a Kafka topic, each exactly once."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from fmar_spark.app import App, Job, run_job
from fmar_spark.errors import ConfigError
from fmar_spark.steps import ingest_dip

JOB = Job(
    name="ingest_dip",
    summary="Take DIP messages (JSON arrays, plain or gzip) exactly once: what is good to bronze.dip_messages, the rest by rule to "
    "bronze.quarantine.",
    reads=ingest_dip.READS,
    writes=ingest_dip.WRITES,
)
KAFKA_PACKAGE = "org.apache.spark:spark-sql-kafka-0-10_2.13:4.1.1"


class KafkaServers(argparse.Action):
    """Remembers the servers, and that Spark needs its Kafka package for them."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: str | Sequence[Any] | None, option: str | None = None
    ) -> None:
        """Both stand in the namespace."""
        namespace.kafka = values
        namespace.extra_packages = (KAFKA_PACKAGE,)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the messages come from."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--landing",
        metavar="DIR",
        help="folder of message arrays, folders in it too; what begins with _ or . is left alone: write under such a name, then rename",
    )
    source.add_argument("--kafka", metavar="SERVERS", action=KafkaServers, help="host:port,... of a Kafka cluster or Event Hub")
    parser.add_argument("--topic", metavar="T", help="Kafka topic whose records are messages or arrays of them")
    parser.add_argument(
        "--kafka-config", metavar="FILE", help="properties of Kafka's consumer, name=value a line: security.protocol, sasl.jaas.config, ..."
    )
    parser.add_argument("--continuous", action="store_true", help="go on as messages come, every ingest.trigger_seconds, until Ctrl-C")


def body(app: App) -> None:
    """Wire the step."""
    arguments = app.arguments
    if bool(arguments.kafka) != bool(arguments.topic):
        raise ConfigError("--kafka and --topic: both or neither wanted")
    if arguments.kafka_config and not arguments.kafka:
        raise ConfigError("--kafka-config: goes with --kafka")
    client = ingest_dip.read_client(arguments.kafka_config) if arguments.kafka_config else {}
    source = ingest_dip.Topic(arguments.kafka, arguments.topic, client) if arguments.kafka else ingest_dip.find_landing(arguments.landing)
    app.run_step(
        ingest_dip.STEP,
        lambda store, run: ingest_dip.run(store, run, app.settings.ingest, source, is_continuous=arguments.continuous),
    )


if __name__ == "__main__":
    sys.exit(run_job(sys.argv[1:], JOB, add_arguments, body))
