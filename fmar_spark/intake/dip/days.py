"""Lays judged days out as Arrow, in the form of ``bronze.dip_messages.days``."""

from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.intake.dip.half_hours import NO_REASON, QUALITIES
from fmar_spark.intake.dip.periods import DayMatrix

PLAIN_QUALITY: Final = "A"
"""What every slot of a day has whose qualities are not spelt out."""
_PLAIN_CODE: Final = QUALITIES.index(PLAIN_QUALITY)
_QUALITY_TEXTS: Final = pa.array(QUALITIES)

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


def single_days(days: DayMatrix, kept: Ints, wanted: pa.DataType) -> pa.Array:
    """The day of each kept message that speaks of exactly one, else null; ``quality`` is null where all 48 are plain."""
    first, count = _find_rows(days, kept)
    is_single = count == 1
    if not is_single.any():
        return pa.nulls(len(kept), wanted)
    row = np.where(is_single, first, first[is_single][0])
    is_plain = (days.quality[row] == _PLAIN_CODE).all(axis=1)
    return _day_structs(days, row, is_single, ~is_plain, wanted)


def several_days(days: DayMatrix, kept: Ints, wanted: pa.DataType) -> pa.Array:
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


def _slot_lists(flat: pa.Array, is_told: Mask, wanted: pa.DataType) -> pa.Array:
    """Lists of 48 where something is told, null elsewhere; ``flat`` holds the told ones one after another."""
    offsets = np.concatenate([[0], np.cumsum(np.where(is_told, SLOTS_PER_DAY, 0))]).astype(np.int32)
    mask = None if is_told.all() else pa.array(~is_told)
    return pa.ListArray.from_arrays(pa.array(offsets), flat, type=wanted, mask=mask)
