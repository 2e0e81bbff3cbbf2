"""Takes messages from the DIP into a landing folder or a Kafka topic."""

import logging
import sys
from pathlib import Path

from fmar_spark.errors import ConfigError
from fmar_spark.services.consent.revocations import PATH, open_inbox
from fmar_spark.services.gateway.operation import open_gateway, run_gateway
from fmar_spark.settings.run_options import RunOptions


def run(
    options: RunOptions, host: str, port: int, landing: Path | None, kafka: str | None, topic: str | None, kafka_config: Path | None
) -> int:
    """Serve until stopped.

    Raises:
        ConfigError: settings that contradict each other, or a folder that cannot be written to.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    if landing is not None and kafka is not None:
        raise ConfigError("--landing, --kafka: one of the two wanted")
    settings = options.load_settings()
    named = {"landing": landing, "kafka": "" if landing is not None else kafka, "topic": topic, "kafka_config": kafka_config}
    changed = {name: str(value) for name, value in named.items() if value is not None}
    if landing is not None:
        changed |= {"topic": "", "kafka_config": ""}
    settings = settings.model_copy(update={"gateway": settings.gateway.model_copy(update=changed)})
    inbox = open_inbox(settings.consent)
    parts = open_gateway(settings, options.env)
    own = parts.settings
    scheme = "https" if own.tls == "own" else "http"
    into = f"topic {own.topic} of {own.kafka}" if own.kafka else own.landing
    print(f"taking {', '.join(sorted(own.channels))} at {scheme}://{host}:{port}/dip/CHANNEL into {into}", flush=True)
    if inbox is not None:
        print(f"taking revocations at {scheme}://{host}:{port}{PATH} into {settings.consent.inbox}", flush=True)
    run_gateway(parts, host, port, inbox)
    return 0
