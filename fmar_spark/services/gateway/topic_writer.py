"""Bodies become records of a Kafka topic or an Event Hub that all its replicas have before their arrival is confirmed."""

import asyncio
import logging
import re
import threading
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from fmar_spark.errors import ConfigError
from fmar_spark.intake.dip.files import read_units
from fmar_spark.intake.dip.rules import DecodeRules
from fmar_spark.services.gateway.sink import AGAIN, Sink
from fmar_spark.services.web.problems import BusyError, TooLargeError

_LOOK_SECONDS: Final = 5.0
"""How long a broker may take to say that it is there."""
_POLL_SECONDS: Final = 0.1
_PROPERTY: Final = re.compile(r'property:? "([A-Za-z0-9._]+)"$')
_NOT_STORED: Final = "the topic does not take it; send it again later"
_log = logging.getLogger(__name__)


class Topic(NamedTuple):
    """Where records go."""

    servers: str
    name: str
    client: Mapping[str, str]
    """Properties of librdkafka's producer; they may hold secrets, so nothing of them is written anywhere."""


class TopicLimits(NamedTuple):
    """How large a record may be, and how long and how much may wait."""

    record_bytes: int
    """Least of what broker and topic take: 1 MB for Kafka's and Event Hubs' defaults."""
    delivery_seconds: float
    linger_seconds: float
    waiting_bytes: int


class TopicWriter(Sink):
    """Writes bodies to a topic as records that ``ingest_dip --kafka`` reads: arrays of messages."""

    def __init__(self, topic: Topic, limits: TopicLimits, rules: DecodeRules) -> None:
        """Start the thread that hears of deliveries.

        Raises:
            ConfigError: a property that the client does not know, or does not take.
        """
        super().__init__(limits.waiting_bytes)
        self._topic, self._limits, self._rules = topic, limits, rules
        own: dict[str, object] = {
            "bootstrap.servers": topic.servers,
            "acks": "all",
            "linger.ms": limits.linger_seconds * 1000,
            "delivery.timeout.ms": int(limits.delivery_seconds * 1000),
            "message.max.bytes": 2 * limits.record_bytes,
            "queue.buffering.max.kbytes": 2 * limits.waiting_bytes // 1024 + 1,
            "logger": _log,
        }
        try:
            self._producer = Producer({**topic.client, **own})
        except KafkaException as error:
            raise ConfigError(f"gateway.kafka_config: {_describe(error.args[0].str())}") from None
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="topic-writer", daemon=True)
        self._thread.start()

    def is_ready(self) -> bool:
        """Whether the topic answers. May block."""
        try:
            found = self._producer.list_topics(self._topic.name, timeout=_LOOK_SECONDS).topics[self._topic.name]
        except KafkaException:
            return False
        return self._thread.is_alive() and found.error is None and bool(found.partitions)

    async def write(self, channel: str, body: bytes, *, is_joinable: bool) -> None:
        """Return once all records of the body are on all replicas in step.

        Raises:
            BusyError: the topic does not take them; some of the body may be there, which the same body again does not double.
            TooLargeError: a message is larger than a record may be.
        """
        records = [body] if len(body) <= self._limits.record_bytes else list(self._split(body, is_joinable=is_joinable))
        delivery = _Delivery(len(records), asyncio.get_running_loop())
        for record in records:
            try:
                self._producer.produce(self._topic.name, record, on_delivery=delivery.note)
            except (BufferError, KafkaException) as error:
                raise BusyError("not-stored", _NOT_STORED, headers=AGAIN) from error
        await asyncio.shield(delivery.done)
        self.stored += len(records)

    def stop(self) -> None:
        """Wait for what is on its way, then end."""
        self._producer.flush(self._limits.delivery_seconds)
        self._is_over.set()
        self._thread.join()

    def _listen(self) -> None:
        while not self._is_over.is_set():
            self._producer.poll(_POLL_SECONDS)

    def _split(self, body: bytes, *, is_joinable: bool) -> Iterator[bytes]:
        """Its messages in arrays that fit a record; what is no message is a record of its own."""
        most = self._limits.record_bytes
        pieces: list[bytes] = []
        size = 1
        for unit in read_units("body", body, self._rules):
            text = bytes(unit.raw)
            if len(text) + 2 > most:
                raise TooLargeError("message-too-large", f"a message of at most {most - 2} bytes is taken, {len(text)} found")
            if not is_joinable and unit.fault is not None:
                yield text
                continue
            if size + len(text) + 1 > most:
                yield b"[" + b",".join(pieces) + b"]"
                pieces, size = [], 1
            pieces.append(text)
            size += len(text) + 1
        if pieces:
            yield b"[" + b",".join(pieces) + b"]"


class _Delivery:
    """The records of one body that are on their way."""

    def __init__(self, records: int, loop: asyncio.AbstractEventLoop) -> None:
        self.done: asyncio.Future[None] = loop.create_future()
        self._left = records
        self._loop = loop

    def note(self, error: KafkaError | None, _: Message) -> None:
        """A record was delivered or given up; called by the thread that listens."""
        self._left -= 1
        if error is not None:
            _log.error("record not stored: %s", error.name())
        if error is not None or not self._left:
            self._loop.call_soon_threadsafe(self._finish, error)

    def _finish(self, error: KafkaError | None) -> None:
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(BusyError("not-stored", _NOT_STORED, headers=AGAIN))


def _describe(text: str) -> str:
    """What librdkafka says of its properties, without their values."""
    named = _PROPERTY.search(text)
    if named:
        return f"{named.group(1)}: a property of librdkafka's producer, and a value that it takes, wanted"
    return "properties that fit together wanted" if '"' in text else text
