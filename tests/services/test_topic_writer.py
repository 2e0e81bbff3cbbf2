"""The gateway's way into a topic: against the broker that librdkafka carries for tests, and once against Apache Kafka with SASL."""

import asyncio
import json
import logging
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
from benchmark_gateway import PROGRAM, batch_messages
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from deltalake import DeltaTable
from kafka_broker import CONSUMER, JARS, PRODUCER, Broker, fetch_jars, run_broker, write_properties
from send_dip import join

from fmar_spark.errors import ConfigError
from fmar_spark.intake.dip.rules import DecodeRules
from fmar_spark.services.gateway.topic_writer import Topic, TopicLimits, TopicWriter
from fmar_spark.services.web.problems import BusyError, TooLargeError

LIMITS = TopicLimits(900_000, 10.0, 0.001, 2**20)
QUIET = {"logger": logging.getLogger("quiet")}


@pytest.fixture(scope="module")
def servers() -> Iterator[str]:
    logging.getLogger("quiet").setLevel(logging.CRITICAL)
    broker = Producer({"test.mock.num.brokers": 1, **QUIET})
    (found,) = broker.list_topics(timeout=10).brokers.values()
    yield f"{found.host}:{found.port}"
    broker.flush(1)


def write(
    servers: str,
    topic: str,
    body: bytes,
    limits: TopicLimits = LIMITS,
    *,
    is_joinable: bool = True,
    client: Mapping[str, str] = MappingProxyType({}),
) -> int:
    """Write one body and end; the records that it became."""
    writer = TopicWriter(Topic(servers, topic, client), limits, DecodeRules())
    try:
        asyncio.run(writer.write("pub-021", body, is_joinable=is_joinable))
        assert writer.is_ready()
        return writer.stored
    finally:
        writer.stop()


def read(servers: str, topic: str, records: int) -> list[bytes]:
    consumer = Consumer({"bootstrap.servers": servers, "group.id": topic, **QUIET})
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in consumer.list_topics(topic).topics[topic].partitions])
    found: list[bytes] = []
    for _ in range(200):
        message = consumer.poll(0.1)
        if message is not None and message.error() is None:
            found.append(message.value() or b"")
        if len(found) == records:
            break
    consumer.close()
    return found


def ids_of(records: list[bytes]) -> list[str]:
    return [message["payload"]["CommonBlock"]["D0"]["transactionID"] for record in records for message in json.loads(record)]


def test_a_body_is_a_record_and_a_large_one_several_that_hold_each_message_once(servers: str) -> None:
    batch = next(batch_messages(7, 1))
    body = join([text for _, text in batch])
    assert write(servers, "whole", body) == 1
    assert read(servers, "whole", 1) == [body]
    assert write(servers, "parts", body, LIMITS._replace(record_bytes=3 * len(batch[0][1]))) == 4
    records = read(servers, "parts", 4)
    assert sorted(ids_of(records)) == sorted(name for name, _ in batch)
    assert max(map(len, records)) <= 3 * len(batch[0][1])


def test_what_is_no_message_is_a_record_of_its_own(servers: str) -> None:
    good = next(batch_messages(1, 1))[0][1]
    body = b"[" + good + b',{"x":1},' + good + b"]"
    write(servers, "faulty", body, LIMITS._replace(record_bytes=len(good) + 2), is_joinable=False)
    assert sorted(read(servers, "faulty", 3)) == sorted([b"[" + good + b"]", b'{"x":1}', b"[" + good + b"]"])


def test_a_message_that_no_record_takes_is_rejected(servers: str) -> None:
    body = join([next(batch_messages(1, 1))[0][1]])
    with pytest.raises(TooLargeError, match="a message of at most"):
        write(servers, "large", body, LIMITS._replace(record_bytes=1100))


def test_a_broker_that_does_not_answer_is_busy_and_not_ready() -> None:
    writer = TopicWriter(Topic("127.0.0.1:1", "t", {}), LIMITS._replace(delivery_seconds=0.5), DecodeRules())
    try:
        with pytest.raises(BusyError, match="the topic does not take it") as caught:
            asyncio.run(writer.write("pub-021", b"[1]", is_joinable=True))
        assert caught.value.headers == {"Retry-After": "5"}
    finally:
        writer.stop()


@pytest.mark.parametrize(
    ("client", "said"),
    [
        ({"no.such": "hunter2"}, "no.such: a property of librdkafka's producer"),
        ({"security.protocol": "hunter2"}, "security.protocol: a property of librdkafka's producer, and a value"),
        ({"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN"}, "sasl.username and sasl.password must be set"),
    ],
)
def test_properties_that_the_client_does_not_take_are_named_without_their_values(client: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        TopicWriter(Topic("127.0.0.1:1", "t", client), LIMITS, DecodeRules())
    assert "hunter2" not in str(caught.value)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """Apache Kafka from Maven, which lets nobody in without a password."""
    try:
        fetch_jars(JARS)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no Apache Kafka: Maven Central does not answer, Ivy ended with {error.returncode}")
    with run_broker(tmp_path / "broker", JARS) as running:
        yield running


def test_what_the_gateway_writes_to_kafka_with_sasl_is_ingested_from_it_once(broker: Broker, tmp_path: Path) -> None:
    with pytest.raises(BusyError):
        write(broker.servers, "dip", b"[]", LIMITS._replace(delivery_seconds=0.5))
    batch = next(batch_messages(6, 1))
    bodies = [*[join([text for _, text in batch[:3]])] * 3, join([text for _, text in batch[2:]]), join([b"{}"])]
    for body in bodies:
        write(broker.servers, "dip", body, client=PRODUCER)
    config = write_properties(tmp_path / "consumer.properties", CONSUMER)
    source = ["--kafka", broker.servers, "--topic", "dip", "--kafka-config", str(config)]
    subprocess.run([str(PROGRAM), "ingest", "--lake", str(tmp_path / "lake"), *source], check=True, env=os.environ)
    bronze = DeltaTable(str(tmp_path / "lake" / "bronze" / "dip_messages")).to_pyarrow_table(columns=["transaction_id"])
    assert sorted(bronze["transaction_id"].to_pylist()) == sorted(name for name, _ in batch)
    rejected = DeltaTable(str(tmp_path / "lake" / "bronze" / "quarantine")).to_pyarrow_table(columns=["rule"])
    assert rejected["rule"].to_pylist() == ["message_malformed"]
