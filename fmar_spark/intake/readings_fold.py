"""Folds what was reported of a meter-day, in whatever order, to the newest value of every half-hour."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.contracts.readings import READINGS
from fmar_spark.engine.arrow_columns import Values, build_column, day_arrays, list_rows, number_keys
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.kernels.window import Bools, Floats, Ints

OPTED_OUT: Final = 1
"""DIP's estimation reason of a customer who opted out."""
UNREPORTED: Final = -1


class _Reported(NamedTuple):
    """Versions in parallel arrays, oldest first; ties of time go by the version's name, so that the order is one."""

    day: Ints
    """Which meter-day each speaks of, 0..days - 1."""
    kwh: Floats
    quality: Ints
    """Code of each half-hour's quality, ``UNREPORTED`` where there is none, (versions, 48)."""
    is_out: Bools
    """Opted out, (versions, 48)."""


def fold_chunk(chunk: pa.Table) -> Iterator[pa.RecordBatch]:
    """The folded meter-days of whole meters.

    A half-hour takes the value, quality and opt-out mark of the newest version that reported it; a version that leaves it
    out changes nothing there.

    Args:
        chunk: rows of ``silver.reading_versions``, every version of each meter-day.
    """
    oldest_first = chunk.sort_by([("reported_at", "ascending"), ("version_id", "ascending")])
    first_row, day = _number_days(oldest_first)
    qualities, codes = _encode(oldest_first["quality"])
    reported = _Reported(day, day_arrays(oldest_first["kwh"], SLOTS_PER_DAY), codes, _read_opt_outs(oldest_first["reason"]))
    folded = _overlay(reported, len(first_row))
    last_row = np.zeros(len(first_row), dtype=np.int64)
    last_row[day] = np.arange(len(day))
    keys = oldest_first.take(pa.array(last_row))
    schema = arrow_schema(READINGS)
    columns: dict[str, Values] = {
        "mpan_id": keys["mpan_id"].combine_chunks(),
        "utc_date": keys["utc_date"].combine_chunks(),
        "quantity": keys["quantity"].combine_chunks(),
        "kwh": list_rows(folded.kwh, schema.field("kwh").type),
        "quality": _decode(folded.quality, qualities, schema.field("quality").type),
        "opted_out": _list_marks(folded.is_out, schema.field("opted_out").type),
        "reported_at": keys["reported_at"].combine_chunks(),
    }
    yield pa.RecordBatch.from_arrays([build_column(columns[field.name], field.type) for field in schema], schema=schema)


def _number_days(rows: pa.Table) -> tuple[Ints, Ints]:
    """First row of every distinct meter-day, and the number of each row's meter-day."""
    _, meter = number_keys(rows["mpan_id"])
    _, quantity = number_keys(rows["quantity"])
    date = rows["utc_date"].combine_chunks().cast(pa.int32()).to_numpy(zero_copy_only=False).astype(np.int64)
    key = ((meter << 32) | (date - date.min() if len(date) else date)) * 8 + quantity
    _, first_row, day = np.unique(key, return_index=True, return_inverse=True)
    return first_row, day


def _overlay(reported: _Reported, days: int) -> _Reported:
    """Lay the versions of each meter-day over one another, oldest first, one layer of all meters at a time."""
    shape = (days, SLOTS_PER_DAY)
    kwh = np.full(shape, np.nan, dtype=np.float32)
    quality = np.full(shape, UNREPORTED, dtype=reported.quality.dtype)
    is_out = np.zeros(shape, dtype=np.bool_)
    layer = _rank_within(reported.day)
    for depth in range(int(layer.max(initial=-1)) + 1):
        rows = np.flatnonzero(layer == depth)
        target = reported.day[rows]
        speaks = ~np.isnan(reported.kwh[rows])
        kwh[target] = np.where(speaks, reported.kwh[rows], kwh[target])
        quality[target] = np.where(speaks, reported.quality[rows], quality[target])
        is_out[target] = np.where(speaks, reported.is_out[rows], is_out[target])
    return _Reported(np.arange(days), kwh, quality, is_out)


def _rank_within(day: Ints) -> Ints:
    """How many earlier rows speak of the same meter-day."""
    order = np.argsort(day, kind="stable")
    ordered = day[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(day) else np.zeros(0, dtype=np.int64)
    rank = np.empty(len(day), dtype=np.int64)
    rank[order] = np.arange(len(day)) - np.repeat(starts, np.diff(np.r_[starts, len(day)]))
    return rank


def _encode(column: pa.ChunkedArray) -> tuple[pa.Array, NDArray[np.int16]]:
    """Distinct quality codes, and the code of each half-hour, (rows, 48)."""
    flat = _flatten(column).dictionary_encode()
    codes = flat.indices.fill_null(UNREPORTED).to_numpy(zero_copy_only=False).astype(np.int16)
    return flat.dictionary, codes.reshape(-1, SLOTS_PER_DAY)


def _decode(codes: Ints, names: pa.Array, kind: pa.ListType) -> pa.ListArray:
    flat = codes.reshape(-1)
    is_unread = flat == UNREPORTED
    place = pa.array(np.where(is_unread, 0, flat), mask=is_unread)
    values = names.take(place) if len(names) else pa.nulls(len(flat), pa.string())
    offsets = np.arange(0, len(flat) + 1, SLOTS_PER_DAY, dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values, type=kind)


def _read_opt_outs(column: pa.ChunkedArray) -> Bools:
    """Half-hours whose estimation reason says that the customer opted out, (rows, 48)."""
    marks = np.zeros((len(column), SLOTS_PER_DAY), dtype=np.bool_)
    has_reasons = column.is_valid().to_numpy()
    if has_reasons.any():
        reasons = _flatten(column).fill_null(0).to_numpy(zero_copy_only=False)
        marks[has_reasons] = reasons.reshape(-1, SLOTS_PER_DAY) == OPTED_OUT
    return marks


def _list_marks(marks: Bools, kind: pa.ListType) -> pa.ListArray:
    """48 marks a row, null where none is set."""
    some = marks.any(axis=1)
    offsets = np.concatenate([[0], np.cumsum(some * SLOTS_PER_DAY)]).astype(np.int32)
    starts = pa.array(offsets, mask=np.append(~some, False))
    return pa.ListArray.from_arrays(starts, pa.array(marks[some].reshape(-1)), type=kind)


def _flatten(column: pa.ChunkedArray) -> pa.Array:
    values = column.combine_chunks()
    return (values if isinstance(values, pa.Array) else values.chunk(0)).flatten()
