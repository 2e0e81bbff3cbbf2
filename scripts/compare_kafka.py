"""Sends the same messages through a gateway into Apache Kafka and into a landing folder, ingests both, and compares the tables.

compare_kafka.py --messages 5000

The broker is Apache Kafka from Maven (fetched once into --jars), one node, SASL. It is ended by kill -9 in the middle and started
again; what the gateway could not acknowledge meanwhile is sent once more, as the DIP does. Ends with 1 where the tables differ, or where
an acknowledged message is missing or there twice. Starts Spark.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
from benchmark_gateway import PROGRAM, Load, batch_messages, start_gateway
from deltalake import DeltaTable
from kafka_broker import CONSUMER, JARS, PRODUCER, Broker, fetch_jars, run_broker, write_properties
from send_dip import make_keys

from fmar_spark.settings.bounds import whole_from

TOPIC: Final = "dip-messages"
IMPATIENT: Final = ("--set", "gateway.delivery_seconds=2")
PER_REQUEST: Final = 20


def main(argv: list[str]) -> int:
    """Send, ingest, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=whole_from(1), default=5000)
    parser.add_argument("--jars", type=Path, default=JARS, help="where the broker's jars are kept")
    options = parser.parse_args(argv)
    fetch_jars(options.jars)
    with tempfile.TemporaryDirectory(prefix="fmar_kafka_") as name:
        folder = Path(name)
        make_keys(folder / "keys")
        consumer = write_properties(folder / "consumer.properties", CONSUMER)
        producer = write_properties(folder / "producer.properties", PRODUCER)
        bodies = list(spoil_some(batch_messages(PER_REQUEST, options.messages // PER_REQUEST)))
        with run_broker(folder / "broker", options.jars) as broker:
            topic = ("--kafka", broker.servers, "--topic", TOPIC)
            acknowledged, repeated = send(folder, bodies, (*topic, "--kafka-config", str(producer), *IMPATIENT), broker)
            ingest(folder / "by-topic", *topic, "--kafka-config", str(consumer))
        send(folder, bodies, (), None)
        ingest(folder / "by-folder", "--landing", str(folder / "landing"))
        return compare(folder, acknowledged, repeated)


def compare(folder: Path, acknowledged: set[str], repeated: int) -> int:
    """Print what both lakes hold; 1 where they differ."""
    messages, rejected = zip(*(read_lake(folder / name) for name in ("by-topic", "by-folder")), strict=True)
    lost = acknowledged - {transaction for transaction, _ in messages[0]}
    twice = len(messages[0]) - len(set(messages[0]))
    is_same = sorted(messages[0]) == sorted(messages[1]) and set(rejected[0]) == set(rejected[1])
    print(
        f"{len(acknowledged):,} messages acknowledged, {repeated} requests repeated while the broker was away; in bronze "
        f"{len(messages[0]):,} by topic and {len(messages[1]):,} by folder: {len(lost)} lost, {twice} twice; rejected "
        f"{len(set(rejected[0]))} and {len(set(rejected[1]))}; {'the same' if is_same else 'DIFFERENT'}"
    )
    return int(bool(lost) or bool(twice) or not is_same)


def spoil_some(batches: Iterator[list[tuple[str, bytes]]]) -> Iterator[list[tuple[str, bytes]]]:
    """Every tenth body has a message without content, and every seventh one that is sent a second time later."""
    for number, batch in enumerate(batches):
        yield [*batch, ("", b'{"number":%d}' % number)] if number % 10 == 9 else batch
        if number % 7 == 6:
            yield batch[:3]


def send(folder: Path, bodies: list[list[tuple[str, bytes]]], topic: tuple[str, ...], broker: Broker | None) -> tuple[set[str], int]:
    """Post all bodies, each until it is answered; ids that were acknowledged, and how many requests were repeated."""
    acknowledged, repeated = set[str](), 0
    with start_gateway(folder / "landing", folder / "keys", topic) as (port, _):
        load = Load(port, folder / "keys")
        with load.connect() as client:
            half = len(bodies) // 2
            repeated += sum(post_until_answered(load, client, batch, broker) for batch in bodies[:half])
            if broker is not None:
                broker.kill()
            repeated += sum(post_until_answered(load, client, batch, broker) for batch in bodies[half:])
    acknowledged.update(name for batch in bodies for name, _ in batch if name)
    return acknowledged, repeated


def post_until_answered(load: Load, client: httpx.Client, batch: list[tuple[str, bytes]], broker: Broker | None) -> int:
    """Post one body; how often it was posted again. A broker that is away is started after the first time."""
    repeated = 0
    while load.post(client, batch) not in {201, 207}:
        repeated += 1
        if broker is not None and broker.is_away():
            broker.start()
    return repeated


def ingest(lake: Path, *source: str) -> None:
    """Everything that is there, in a process of its own."""
    subprocess.run([str(PROGRAM), "ingest", "--lake", str(lake), *source], check=True, env=os.environ, stdout=subprocess.DEVNULL)


def read_lake(lake: Path) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Id and digest of every message, rule and text of every rejected one."""
    stored = DeltaTable(str(lake / "bronze" / "dip_messages")).to_pyarrow_table(columns=["transaction_id", "content_hash"]).to_pylist()
    rejected = DeltaTable(str(lake / "bronze" / "quarantine")).to_pyarrow_table(columns=["rule", "raw"]).to_pylist()
    return [(row["transaction_id"], row["content_hash"]) for row in stored], [(row["rule"], row["raw"]) for row in rejected]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
