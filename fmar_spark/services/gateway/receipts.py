"""What the DIP is answered: a row of ten keys for every message, and a status for all of them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, NamedTuple

import msgspec
from msgspec import field

from fmar_spark.intake.dip.files import Unit, read_units
from fmar_spark.intake.dip.rules import DecodeRules

SUCCESS: Final = "MSG0000 - Success"
ALL_ACCEPTED, SOME_ACCEPTED, NONE_ACCEPTED = 201, 207, 400
_MOST_REJECTED: Final = 10_000
"""Rows of rejected messages in one answer; a body with more ends its list there."""


class _Sender(msgspec.Struct, gc=False):
    unique_reference: object = field(name="senderUniqueReference", default=None)
    sent_at: object = field(name="senderTimestamp", default=None)
    sender_id: object = field(name="senderDIPID", default=None)
    correlation_id: object = field(name="senderCorrelationID", default=None)
    provider_id: object = field(name="DIPConnectionProviderID", default=None)


class _Recipients(msgspec.Struct, gc=False):
    primary: list[object] | None = field(name="primaryRecipients", default=None)


class _Delivery(msgspec.Struct, gc=False):
    transaction_id: object = field(name="transactionID", default=None)


class _Common(msgspec.Struct, gc=False):
    sender: _Sender | None = field(name="S1", default=None)
    recipients: _Recipients | None = field(name="A0", default=None)
    delivery: _Delivery | None = field(name="D0", default=None)


class _Payload(msgspec.Struct, gc=False):
    common: _Common | None = field(name="CommonBlock", default=None)


class _Envelope(msgspec.Struct, gc=False):
    """Who sent what to whom, as far as an answer repeats it."""

    payload: _Payload | None = None


class Receipt(msgspec.Struct, gc=False, frozen=True):
    """One message's row of the answer; every key is always there."""

    transaction_id: str | None = field(name="transactionID")
    unique_reference: str | None = field(name="senderUniqueReference")
    correlation_id: str | None = field(name="correlationID")
    sent_at: str | None = field(name="sentTimestamp")
    sender_id: str | None = field(name="senderID")
    recipient_id: str | None = field(name="recipientID")
    provider_id: str | None = field(name="DIPConnectionProviderID")
    message: str
    help: str | None = None
    ticket_url: str | None = field(name="serviceTicketURL", default=None)


class _Answer(msgspec.Struct, gc=False):
    receipts: list[Receipt] = field(name="messageArray")
    timestamp: str


class Received(NamedTuple):
    """A body as it was understood."""

    accepted: int
    rejected: int
    status: int
    answer: bytes
    is_joinable: bool
    """Whether it is an array of which every element is a message: such bodies may share a landing file."""


_read_envelope: Final = msgspec.json.Decoder(_Envelope).decode
_write_answer: Final = msgspec.json.Encoder().encode


def receive(body: bytes, rules: DecodeRules) -> Received:
    """Read a body as ingestion will, and write what the DIP is answered.

    A message is accepted where it can be decoded; what its content breaks is found at ingestion, which keeps it in the
    quarantine by the rule's name. A message that cannot be decoded goes there as well.
    """
    receipts: list[Receipt] = []
    accepted = rejected = 0
    for unit in read_units("body", body, rules):
        is_accepted = unit.fault is None
        accepted += is_accepted
        rejected += 0 if is_accepted else unit.messages
        if is_accepted or rejected <= _MOST_REJECTED:
            receipts.append(_describe(unit))
    status = NONE_ACCEPTED if not accepted else SOME_ACCEPTED if rejected else ALL_ACCEPTED
    stamp = datetime.now(UTC).isoformat(timespec="seconds")
    return Received(accepted, rejected, status, _write_answer(_Answer(receipts, stamp)), status == ALL_ACCEPTED and body[:1] == b"[")


def join_bodies(bodies: Iterable[bytes]) -> bytes:
    """One array of the messages of several; each must be joinable."""
    return b"[" + b",\n".join(body.strip()[1:-1] for body in bodies) + b"]"


def _describe(unit: Unit) -> Receipt:
    message = SUCCESS if unit.fault is None else f"{unit.fault.rule.name}: {unit.fault.rule.sentence}"
    try:
        envelope = _read_envelope(unit.raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        envelope = _Envelope()
    common = (envelope.payload and envelope.payload.common) or _Common()
    sender, delivery = common.sender or _Sender(), common.delivery or _Delivery()
    recipients = (common.recipients and common.recipients.primary) or (None,)
    return Receipt(
        _text(delivery.transaction_id),
        _text(sender.unique_reference),
        _text(sender.correlation_id),
        _text(sender.sent_at),
        _text(sender.sender_id),
        _text(recipients[0]),
        _text(sender.provider_id),
        message,
    )


def _text(found: object) -> str | None:
    return found if isinstance(found, str) else None
