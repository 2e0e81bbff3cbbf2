"""The Kafka topic that a command's options name."""

import socket
from pathlib import Path
from typing import Final

from fmar_spark.engine.stream import Topic
from fmar_spark.errors import ConfigError, InputError
from fmar_spark.settings.client_files import read_client

KAFKA_PACKAGE: Final = "org.apache.spark:spark-sql-kafka-0-10_2.13:4.1.1"
"""Spark fetches it where a topic is read."""
CONNECT_SECONDS: Final = 5.0


def find_topic(kafka: str | None, topic: str | None, kafka_config: Path | None) -> Topic | None:
    """The topic, once one of its servers listens; None where none is named.

    Raises:
        ConfigError: one of the options without the others, a server without its port, or properties that cannot be read.
        InputError: no server listens.
    """
    if bool(kafka) != bool(topic):
        raise ConfigError("--kafka and --topic: both or neither wanted")
    if kafka_config and not kafka:
        raise ConfigError("--kafka-config: goes with --kafka")
    if not kafka or not topic:
        return None
    client = read_client(str(kafka_config), "--kafka-config") if kafka_config else {}
    faults = [fault for server in kafka.split(",") if (fault := _try_server(server.strip()))]
    if len(faults) == len(kafka.split(",")):
        raise InputError(f"--kafka: {'; '.join(faults)}; a broker that listens wanted")
    return Topic(kafka, topic, client)


def _try_server(server: str) -> str:
    """Why a broker cannot be reached; '' where it listens."""
    host, colon, port = server.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(f"--kafka: {server!r} found, host:port,... wanted")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        return f"{server}: {error.strerror or error}"
    return ""
