"""Turns delivered files into rows, inside Spark's workers: one row a message, accepted or refused with its rule."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final, NamedTuple, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import types as T
from pyspark.sql.pandas.types import to_arrow_schema

from fmar_spark.contracts.readings import DIP_MESSAGES
from fmar_spark.domain.mpan import is_mpan
from fmar_spark.engine.schema import struct_type
from fmar_spark.intake.dip.consumption import Consumed, judge_consumption
from fmar_spark.intake.dip.days import several_days, single_days
from fmar_spark.intake.dip.digests import digest_messages
from fmar_spark.intake.dip.faults import FaultLog
from fmar_spark.intake.dip.files import Refusal, Unit, read_loosely, read_units, refuse_unread, show_raw
from fmar_spark.intake.dip.headers import Headers, judge_headers, plain_id
from fmar_spark.intake.dip.rules import ERROR_CODE, DecodeRules
from fmar_spark.intake.dip.standing import judge_standing
from fmar_spark.intake.dip.structs import Message, unmask

CHUNK: Final = 1000
"""Messages that are judged at once."""
MICROSECONDS: Final = 1_000_000
TOLD: Final = tuple(name for name in DIP_MESSAGES.names if name != "ingested_at")
"""Columns of ``bronze.dip_messages`` that come from the message itself."""
_DAYS: Final = cast(T.ArrayType, struct_type(DIP_MESSAGES)["days"].dataType)
DECODED: Final = T.StructType(
    [T.StructField(name, struct_type(DIP_MESSAGES)[name].dataType) for name in TOLD]
    + [T.StructField("day", _DAYS.elementType)]
    + [T.StructField(name, T.StringType()) for name in ("rule", "reason", "raw")]
)
"""A message that may be accepted, or, where ``rule`` is not null, what is known of one that is refused.

What is said of a single day stands in ``day`` and not in ``days``; its ``quality`` is null where all 48 are plain. Nearly
every message is like that, and without the 48 strings it is much cheaper to hand over.
"""
_SCHEMA: Final = to_arrow_schema(DECODED)
_REPLAY: Final[dict[object, bool]] = {True: True, False: False, "true": True, "false": False}


class Judged(NamedTuple):
    """Decoded messages and what was found of each, message by message."""

    messages: list[Message]
    headers: Headers
    consumed: Consumed
    standing: list[dict[str, object] | None]


class FileDecoder:
    """Decodes files of an Arrow stream with columns ``source``, ``length`` and ``content`` (null where it is too long to read)."""

    def __init__(self, rules: DecodeRules) -> None:
        """Picklable, so that Spark can send it to its workers."""
        self.rules = rules

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Rows in the form ``DECODED``; those of a file do not depend on the files around it."""
        units = (unit for batch in batches for unit in self._read_batch(batch))
        while some := list(islice(units, CHUNK)):
            yield from decode_units(some, self.rules)

    def _read_batch(self, batch: pa.RecordBatch) -> Iterator[Unit]:
        for source, length, content in zip(batch["source"], batch["length"], batch["content"], strict=True):
            if content.is_valid:
                yield from read_units(source.as_py(), content.as_py(), self.rules)
            else:
                yield refuse_unread(source.as_py(), length.as_py(), self.rules)


def decode_units(units: list[Unit], rules: DecodeRules) -> Iterator[pa.RecordBatch]:
    """A row for each unit in the form ``DECODED``: first those that may be accepted, then the refused."""
    whole = [unit for unit in units if unit.message is not None]
    messages = [unit.message for unit in units if unit.message is not None]
    faults = FaultLog()
    headers = judge_headers([message.payload.common for message in messages], rules, faults)
    consumed = judge_consumption(messages, headers, rules, faults)
    judged = Judged(messages, headers, consumed, judge_standing(messages, headers, faults))
    kept = [place for place in range(len(messages)) if place not in faults.found]
    refused = [(unit, unit.refusal) for unit in units if unit.refusal is not None]
    refused += [(whole[place], Refusal(*fault)) for place, fault in sorted(faults.found.items())]
    if kept:
        yield _accept(judged, [unit.source for unit in whole], np.asarray(kept, dtype=np.int64))
    if refused:
        yield _refuse(refused, rules)


def _accept(judged: Judged, sources: list[str], kept: NDArray[np.int64]) -> pa.RecordBatch:
    """Rows of the messages that may be accepted."""
    places = kept.tolist()
    commons = [judged.messages[place].payload.common for place in places]
    senders = [common.sender for common in commons]
    quantity = [judged.consumed.quantity[place] for place in places]
    standing = [judged.standing[place] for place in places]
    warnings = [_list_warnings(judged, place) for place in places]
    columns = {
        "transaction_id": [common.delivery.transaction_id for common in commons],
        "transaction_at": pa.array(judged.headers.second[kept] * MICROSECONDS).cast(_SCHEMA.field("transaction_at").type),
        "content_hash": digest_messages(judged.messages, judged.headers, judged.consumed, judged.standing, kept),
        "interface_id": [common.interface.id for common in commons],
        "event_code": [unmask(common.interface.event_code) for common in commons],
        "sender_dip_id": [unmask(sender.dip_id) if sender else None for sender in senders],
        "sender_unique_reference": [unmask(sender.unique_reference) if sender else None for sender in senders],
        "publication_id": [unmask(common.delivery.publication_id) for common in commons],
        "is_replay": [_read_replay(common.delivery.replay) for common in commons],
        "mpan_id": [common.meter.mpan for common in commons],
        "distributor_dip_id": [unmask(common.meter.distributor_dip_id) for common in commons],
        "gsp_group_id": [unmask(common.meter.gsp_group_id) for common in commons],
        "quantity": quantity,
        "days": several_days(judged.consumed.days, kept, _SCHEMA.field("days").type),
        "day": single_days(judged.consumed.days, kept, _SCHEMA.field("day").type),
        "standing": standing,
        "warnings": warnings,
        "source": [sources[place] for place in places],
    }
    return _batch(columns, len(places))


def _list_warnings(judged: Judged, place: int) -> list[str] | None:
    """Rules that a message broke without being rejected."""
    found = ["mpan_check_digit"] if judged.headers.has_bad_check[place] else []
    found += [ERROR_CODE] if place in judged.consumed.days.has_error_code else []
    return found or None


def _refuse(refused: list[tuple[Unit, Refusal]], rules: DecodeRules) -> pa.RecordBatch:
    """Rows of what is refused, with as much of whose it is as can be read."""
    owners = [_tell_owner(unit) for unit, _ in refused]
    columns = {
        "transaction_id": [plain_id(transaction_id) for transaction_id, _ in owners],
        "mpan_id": [mpan if mpan and is_mpan(mpan) else None for _, mpan in owners],
        "source": [unit.source for unit, _ in refused],
        "rule": [refusal.rule for _, refusal in refused],
        "reason": [refusal.reason for _, refusal in refused],
        "raw": [show_raw(unit.raw, rules.max_raw_chars) for unit, _ in refused],
    }
    return _batch(columns, len(refused))


def _tell_owner(unit: Unit) -> tuple[str | None, str | None]:
    """Transaction and MPAN as they stand in the message, checked or not."""
    if unit.message is None:
        loose = read_loosely(unit.raw)
        return loose.transaction_id, loose.mpan
    common = unit.message.payload.common
    return common.delivery.transaction_id, common.meter.mpan


def _batch(columns: dict[str, Any], rows: int) -> pa.RecordBatch:
    """The columns in the form ``DECODED``; those that are not given are null."""
    arrays = []
    for field in _SCHEMA:
        values = columns.get(field.name)
        if values is None:
            arrays.append(pa.nulls(rows, field.type))
        else:
            arrays.append(values if isinstance(values, pa.Array) else pa.array(values, field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=_SCHEMA)


def _read_replay(told: bool | str | None) -> bool | None:
    return _REPLAY.get(told.lower() if isinstance(told, str) else told)
