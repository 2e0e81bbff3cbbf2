"""The DIP's own way in: messages by HTTPS."""

from pathlib import Path
from typing import Annotated

from typer import Option, Typer

from fmar_spark.cli.declaring import SETTINGS_ALONE, declare_command

GROUP = Typer()


@declare_command(GROUP, "gateway", "gateway", shared=SETTINGS_ALONE)
def gateway(
    host: Annotated[str, Option(help="address to listen on (default: this machine alone)")] = "127.0.0.1",
    port: Annotated[int, Option(min=0, max=65535, help="port to listen on")] = 8443,
    landing: Annotated[Path | None, Option(metavar="DIR", help="landing folder (default: the setting gateway.landing)")] = None,
    kafka: Annotated[
        str | None, Option(metavar="SERVERS", help="host:port,... of a Kafka cluster or Event Hub, instead of a landing folder")
    ] = None,
    topic: Annotated[str | None, Option(metavar="T", help="its topic")] = None,
    kafka_config: Annotated[
        Path | None,
        Option(metavar="FILE", help="properties of librdkafka's producer, name=value a line: security.protocol, sasl.username, ..."),
    ] = None,
) -> None:
    """Take messages that the DIP posts, and acknowledge each once it is on the disk, or on all replicas of a topic.

    POST /dip/CHANNEL with the DIP's signature, the channel's X-API-Key and a client certificate; ingest takes them from there.
    """
