"""Turns delivered files into rows, inside Spark's workers: one row a message, accepted or rejected with its rule."""

from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import islice
from typing import Any, Final, NamedTuple, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import types as T
from pyspark.sql.pandas.types import to_arrow_schema

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.contracts.readings import DIP_MESSAGES
from fmar_spark.domain.figures import write_count
from fmar_spark.domain.mpan import is_mpan
from fmar_spark.engine.schema import struct_type
from fmar_spark.intake.dip.consumption import (
    DAY_RULES,
    ENERGY_RULES,
    ERROR_CODE,
    ESTIMATE_RULES,
    PLACE_RULES,
    Consumed,
    DayMatrix,
    check_consumption,
)
from fmar_spark.intake.dip.files import (
    FILE_RULES,
    MESSAGE_RULES,
    Unit,
    read_loosely,
    read_units,
    reject_unread,
    show_raw,
)
from fmar_spark.intake.dip.half_hours import LABEL_RULES, NO_REASON, QUALITIES, QUALITY_UNKNOWN, REASON_UNKNOWN, VALUE_MALFORMED
from fmar_spark.intake.dip.headers import HEADER_RULES, MPAN_CHECK_DIGIT, Headers, check_headers, plain_id
from fmar_spark.intake.dip.rules import DecodeRules, Fault, FaultLog, Rule
from fmar_spark.intake.dip.standing import STANDING_UNKNOWN, check_standing
from fmar_spark.intake.dip.structs import Message, unmask

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
CHUNK: Final = 1000
"""Messages that are checked at once."""
MICROSECONDS: Final = 1_000_000
DIGEST_BYTES: Final = 16
SEPARATOR: Final = "\x1f"
PLAIN_QUALITY: Final = "A"
"""What every slot of a day has whose qualities are not spelt out."""
SAID: Final = tuple(name for name in DIP_MESSAGES.names if name != "ingested_at")
"""Columns of ``bronze.dip_messages`` that come from the message itself."""
_DAYS: Final = cast(T.ArrayType, struct_type(DIP_MESSAGES)["days"].dataType)
DECODED: Final = T.StructType(
    [T.StructField(name, struct_type(DIP_MESSAGES)[name].dataType) for name in SAID]
    + [T.StructField("day", _DAYS.elementType)]
    + [T.StructField(name, T.StringType()) for name in ("rule", "reason", "raw")]
    + [T.StructField(name, T.LongType()) for name in ("raw_bytes", "messages")]
)
"""A message that may be accepted, or, where ``rule`` is not null, what is known of one that is rejected, or of many.

What is said of a single day stands in ``day`` and not in ``days``; its ``quality`` is null where all 48 are plain. Nearly
every message is like that, and without the 48 strings it is much cheaper to hand over.
"""
_SCHEMA: Final = to_arrow_schema(DECODED)
_PLAIN_CODE: Final = QUALITIES.index(PLAIN_QUALITY)
_QUALITY_TEXTS: Final = pa.array(QUALITIES)
_REPLAY: Final[dict[object, bool]] = {True: True, False: False, "true": True, "false": False}


class Checked(NamedTuple):
    """Decoded messages and what was found of each, message by message."""

    messages: list[Message]
    headers: Headers
    consumed: Consumed
    standing: list[dict[str, object] | None]


FILE_TOO_MANY_FAULTS: Final = Rule(
    "file_too_many_faults", "More than ingest.max_faults_per_file messages of the file are rejected; one row counts those that follow."
)
RULES: Final = (
    *FILE_RULES,
    FILE_TOO_MANY_FAULTS,
    *MESSAGE_RULES,
    *HEADER_RULES,
    *DAY_RULES,
    *LABEL_RULES,
    *PLACE_RULES,
    VALUE_MALFORMED,
    *ENERGY_RULES,
    QUALITY_UNKNOWN,
    REASON_UNKNOWN,
    *ESTIMATE_RULES,
    STANDING_UNKNOWN,
)
"""Every rule that is checked on the message itself, in the order in which they are checked: a message is rejected by the first."""
ORDER_OF_RULE: Final = {rule.name: place for place, rule in enumerate(RULES)}


class FaultTally:
    """Rejected messages file by file; past the limit of a file they are only counted."""

    def __init__(self, most: int) -> None:
        """``most`` messages of a file are kept one by one."""
        self._most = most
        self._kept: Counter[str] = Counter()
        self._counted: dict[str, Counter[str]] = {}

    def admit(self, unit: Unit, fault: Fault) -> bool:
        """Whether the rejected message is kept by itself."""
        self._kept[unit.file] += 1
        if self._kept[unit.file] <= self._most:
            return True
        self._counted.setdefault(unit.file, Counter())[fault.rule.name] += unit.messages
        return False

    def summarise(self) -> list[tuple[Unit, Fault]]:
        """One for each file that had more than the limit."""
        found = []
        for file, counted in self._counted.items():
            by_rule = ", ".join(f"{rule} {count}" for rule, count in counted.most_common())
            fault = Fault(FILE_TOO_MANY_FAULTS, f"{write_count(counted.total(), 'more message')} rejected: {by_rule}")
            found.append((Unit(file, b"", None, fault, counted.total()), fault))
        return found


class FileDecoder:
    """Decodes files of an Arrow stream with columns ``source``, ``length``, ``problem`` (why it was not read) and ``content`` (null
    where it was not read, or is too long for it)."""

    def __init__(self, rules: DecodeRules) -> None:
        """Picklable, so that Spark can send it to its workers."""
        self.rules = rules

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Rows in the format ``DECODED``; those of a file do not depend on the files around it."""
        units = (unit for batch in batches for unit in self._read_batch(batch))
        tally = FaultTally(self.rules.max_faults_per_file)
        while some := list(islice(units, CHUNK)):
            yield from decode_units(some, self.rules, tally)
        if summaries := tally.summarise():
            yield _reject(summaries, self.rules)

    def _read_batch(self, batch: pa.RecordBatch) -> Iterator[Unit]:
        columns = (batch[name] for name in ("source", "length", "problem", "content"))
        for source, length, problem, content in zip(*columns, strict=True):
            if content.is_valid:
                yield from read_units(source.as_py(), content.as_py(), self.rules)
            else:
                yield reject_unread(source.as_py(), length.as_py(), problem.as_py(), self.rules)


def decode_units(units: list[Unit], rules: DecodeRules, tally: FaultTally | None = None) -> Iterator[pa.RecordBatch]:
    """A row for each unit in the format ``DECODED``: first those that may be accepted, then the rejected that the tally admits."""
    whole = [unit for unit in units if unit.message is not None]
    messages = [unit.message for unit in units if unit.message is not None]
    log = FaultLog()
    headers = check_headers([message.payload.common for message in messages], rules, log)
    consumed = check_consumption(messages, headers, rules, log)
    checked = Checked(messages, headers, consumed, check_standing(messages, headers, log))
    faults = log.list_first(ORDER_OF_RULE)
    kept = [place for place in range(len(messages)) if place not in faults]
    rejected = [(unit, unit.fault) for unit in units if unit.fault is not None]
    rejected += [(whole[place], fault) for place, fault in sorted(faults.items())]
    if tally is not None:
        rejected = [(unit, fault) for unit, fault in rejected if tally.admit(unit, fault)]
    if kept:
        yield _accept(checked, [unit.source for unit in whole], np.asarray(kept, dtype=np.int64))
    if rejected:
        yield _reject(rejected, rules)


def _accept(checked: Checked, sources: list[str], kept: Ints) -> pa.RecordBatch:
    """Rows of the messages that may be accepted."""
    places = kept.tolist()
    commons = [checked.messages[place].payload.common for place in places]
    senders = [common.sender for common in commons]
    quantity = [checked.consumed.quantity[place] for place in places]
    standing = [checked.standing[place] for place in places]
    warnings = [_list_warnings(checked, place) for place in places]
    columns = {
        "transaction_id": [common.delivery.transaction_id for common in commons],
        "transaction_at": pa.array(checked.headers.second[kept] * MICROSECONDS).cast(_SCHEMA.field("transaction_at").type),
        "content_hash": _digest_messages(checked, kept),
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
        "days": _several_days(checked.consumed.days, kept, _SCHEMA.field("days").type),
        "day": _single_days(checked.consumed.days, kept, _SCHEMA.field("day").type),
        "standing": standing,
        "warnings": warnings,
        "source": [sources[place] for place in places],
        "messages": [1] * len(places),
    }
    return _batch(columns, len(places))


def _list_warnings(checked: Checked, place: int) -> list[str] | None:
    """Rules that a message broke without being rejected."""
    found = [MPAN_CHECK_DIGIT.name] if checked.headers.has_bad_check[place] else []
    found += [ERROR_CODE.name] if place in checked.consumed.days.has_error_code else []
    return found or None


def _reject(rejected: list[tuple[Unit, Fault]], rules: DecodeRules) -> pa.RecordBatch:
    """Rows of what is rejected, with as much of whose it is as can be read."""
    owners = [_find_owner(unit) for unit, _ in rejected]
    columns = {
        "transaction_id": [plain_id(transaction_id) for transaction_id, _ in owners],
        "mpan_id": [mpan if mpan and is_mpan(mpan) else None for _, mpan in owners],
        "source": [unit.source for unit, _ in rejected],
        "rule": [fault.rule.name for _, fault in rejected],
        "reason": [fault.reason for _, fault in rejected],
        "raw": [show_raw(unit.raw, rules.max_raw_chars) for unit, _ in rejected],
        "raw_bytes": [len(unit.raw) for unit, _ in rejected],
        "messages": [unit.messages for unit, _ in rejected],
    }
    return _batch(columns, len(rejected))


def _find_owner(unit: Unit) -> tuple[str | None, str | None]:
    """Transaction and MPAN as they stand in the message, checked or not."""
    if unit.message is None:
        loose = read_loosely(unit.raw)
        return loose.transaction_id, loose.mpan
    common = unit.message.payload.common
    return common.delivery.transaction_id, common.meter.mpan


def _batch(columns: dict[str, Any], rows: int) -> pa.RecordBatch:
    """The columns in the format ``DECODED``; those that are not given are null."""
    arrays = []
    for field in _SCHEMA:
        values = columns.get(field.name)
        if values is None:
            arrays.append(pa.nulls(rows, field.type))
        else:
            arrays.append(values if isinstance(values, pa.Array) else pa.array(values, field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=_SCHEMA)


def _read_replay(said: bool | str | None) -> bool | None:
    return _REPLAY.get(said.lower() if isinstance(said, str) else said)


def _single_days(days: DayMatrix, kept: Ints, wanted: pa.DataType) -> pa.Array:
    """The day of each kept message that speaks of exactly one, else null; ``quality`` is null where all 48 are plain."""
    first, count = _find_rows(days, kept)
    is_single = count == 1
    if not is_single.any():
        return pa.nulls(len(kept), wanted)
    row = np.where(is_single, first, first[is_single][0])
    is_plain = (days.quality[row] == _PLAIN_CODE).all(axis=1)
    return _day_structs(days, row, is_single, ~is_plain, wanted)


def _several_days(days: DayMatrix, kept: Ints, wanted: pa.DataType) -> pa.Array:
    """The list of days of each kept message that speaks of more than one, else null."""
    first, count = _find_rows(days, kept)
    is_several = count > 1
    if not is_several.any():
        return pa.nulls(len(kept), wanted)
    length = np.where(is_several, count, 0)
    start = np.concatenate([[0], np.cumsum(length)])
    row = np.repeat(first - start[:-1], length) + np.arange(start[-1])
    every = np.ones(len(row), dtype=np.bool_)
    structs = _day_structs(days, row, every, every, wanted.value_type)
    return pa.ListArray.from_arrays(pa.array(start.astype(np.int32)), structs, type=wanted, mask=pa.array(~is_several))


def _find_rows(days: DayMatrix, kept: Ints) -> tuple[Ints, Ints]:
    """First row and number of rows of each kept message."""
    first = np.searchsorted(days.message, kept, "left")
    return first, np.searchsorted(days.message, kept, "right") - first


def _day_structs(days: DayMatrix, row: Ints, is_there: Mask, has_quality: Mask, wanted: pa.DataType) -> pa.Array:
    """One struct a row, null where it is not there."""
    kwh, reason = days.kwh[row], days.reason[row]
    quality = days.quality[row[has_quality]].reshape(-1)
    has_reason = (reason != NO_REASON).any(axis=1)
    reasons = reason[has_reason].reshape(-1)
    every = np.ones(len(row), dtype=np.bool_)
    texts = pa.DictionaryArray.from_arrays(pa.array(quality, mask=quality < 0), _QUALITY_TEXTS).dictionary_decode()
    parts = [
        pa.array(days.utc_day[row].astype(np.int32)).cast(pa.date32()),
        _slot_lists(pa.array(kwh.astype(np.float32).reshape(-1), mask=np.isnan(kwh).reshape(-1)), every, wanted.field("kwh").type),
        _slot_lists(texts, has_quality, wanted.field("quality").type),
        _slot_lists(pa.array(reasons, mask=reasons == NO_REASON), has_reason, wanted.field("reason").type),
    ]
    return pa.StructArray.from_arrays(parts, fields=list(wanted), mask=pa.array(~is_there))


def _slot_lists(flat: pa.Array, is_said: Mask, wanted: pa.DataType) -> pa.Array:
    """Lists of 48 where something is said, null elsewhere; ``flat`` holds those one after another."""
    offsets = np.concatenate([[0], np.cumsum(np.where(is_said, SLOTS_PER_DAY, 0))]).astype(np.int32)
    mask = None if is_said.all() else pa.array(~is_said)
    return pa.ListArray.from_arrays(pa.array(offsets), flat, type=wanted, mask=mask)


def _digest_messages(checked: Checked, kept: Ints) -> list[str]:
    """32 hexadecimal digits for each kept message.

    They cover everything that is read of a message but the marks of its delivery (publication, replay, sender, source),
    and do not depend on how the JSON was written: which format of IF-021, the order of keys, or ``0.5`` for ``0.500``.
    """
    days = checked.consumed.days
    packed = np.concatenate(
        [days.utc_day[:, None].view(np.uint8), days.kwh.view(np.uint8), days.quality.view(np.uint8), days.reason.view(np.uint8)], axis=1
    )
    row_bytes = packed.shape[1]
    body = packed.tobytes()
    first = (np.searchsorted(days.message, kept, "left") * row_bytes).tolist()
    end = (np.searchsorted(days.message, kept, "right") * row_bytes).tolist()
    digests = []
    for number, place in enumerate(kept.tolist()):
        common = checked.messages[place].payload.common
        head = (
            common.interface.id[-3:],
            unmask(common.interface.event_code),
            common.meter.mpan,
            unmask(common.meter.distributor_dip_id),
            unmask(common.meter.gsp_group_id),
            int(checked.headers.second[place]),
            checked.consumed.quantity[place],
            days.amendment.get(place),
            checked.standing[place],
        )
        text = SEPARATOR.join(map(repr, head)).encode("utf-8", "surrogatepass")
        digests.append(blake2b(text + body[first[number] : end[number]], digest_size=DIGEST_BYTES).hexdigest())
    return digests
