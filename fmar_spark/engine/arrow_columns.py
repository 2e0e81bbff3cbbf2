"""Arrow columns to numpy and back, without a Python object per value: keys, day arrays, nested columns."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fmar_spark.kernels.window import Bools, Floats, Ints

Values: TypeAlias = Sequence[object] | np.ndarray[tuple[int, ...], np.dtype[np.generic]] | pa.Array


def build_column(values: Values, kind: pa.DataType) -> pa.Array:
    """One Arrow column of the wanted type; NaN and NaT become null."""
    if isinstance(values, pa.Array):
        return values.cast(kind)
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        whole = pa.types.is_integer(kind)
        known = values if not whole else np.where(np.isnan(values), 0, values)
        return pa.array(known, mask=np.isnan(values)).cast(kind, safe=not whole)
    return pa.array(values, type=kind) if not isinstance(values, np.ndarray) else pa.array(values).cast(kind)


def build_structs(columns: Mapping[str, Values], kind: pa.StructType) -> pa.StructArray:
    """Structs from parallel columns; every field of ``kind`` must be there."""
    fields = [kind.field(position) for position in range(kind.num_fields)]
    return pa.StructArray.from_arrays([build_column(columns[field.name], field.type) for field in fields], fields=fields)


def group_by_meter(values: pa.Array, meter: Ints, meters: int, kind: pa.ListType) -> pa.ListArray:
    """One list a meter from values that are ordered by meter."""
    counts = np.bincount(meter, minlength=meters) if len(meter) else np.zeros(meters, dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values, type=kind)


def list_rows(matrix: Floats | Ints, kind: pa.ListType) -> pa.ListArray:
    """One list a row; NaN becomes null."""
    rows, width = matrix.shape
    offsets = np.arange(rows + 1, dtype=np.int32) * np.int32(width)
    return pa.ListArray.from_arrays(pa.array(offsets), build_column(matrix.reshape(-1), kind.value_type), type=kind)


def to_dates(day: Ints | Floats, start: np.datetime64, known: Bools) -> np.ndarray[tuple[int, ...], np.dtype[np.datetime64]]:
    """Calendar days from day indices, NaT where not ``known``."""
    dates = start.astype("datetime64[D]") + np.nan_to_num(np.asarray(day, dtype=np.float64)).astype(np.int64)
    return np.where(known, dates, np.datetime64("NaT"))


def cut_whole_keys(batches: Iterable[pa.RecordBatch], key: str, keys_per_chunk: int) -> Iterator[pa.Table]:
    """Regroup batches sorted by ``key`` into tables of ``keys_per_chunk`` whole keys; the last may hold fewer."""
    pending: list[pa.RecordBatch] = []
    keys_pending = 0
    last_key: str | None = None
    for batch in batches:
        if batch.num_rows == 0:
            continue
        starts = _key_starts(batch.column(key), last_key)
        last_key = batch.column(key)[batch.num_rows - 1].as_py()
        while keys_pending + len(starts) > keys_per_chunk:
            cut = int(starts[keys_per_chunk - keys_pending])
            pending.append(batch.slice(0, cut))
            yield pa.Table.from_batches(pending)
            batch, starts = batch.slice(cut), starts[keys_per_chunk - keys_pending :] - cut
            pending, keys_pending = [], 0
        pending.append(batch)
        keys_pending += len(starts)
    if pending:
        yield pa.Table.from_batches(pending)


def number_keys(keys: pa.ChunkedArray) -> tuple[list[str], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Distinct keys in order of appearance, and for every row the place of its key among them."""
    encoded = keys.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)


def day_arrays(column: pa.ChunkedArray, width: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """An array<float> column of fixed length as a matrix (rows, width), NaN where null.

    Raises:
        ValueError: a row does not have ``width`` values.
    """
    values = column.combine_chunks()
    flat = (values if isinstance(values, pa.Array) else values.chunk(0)).flatten()
    if len(flat) != len(column) * width:
        raise ValueError(f"day array: {len(flat)} values in {len(column)} rows found, {width} a row wanted")
    filled = flat if flat.null_count == 0 else pc.fill_null(flat, float("nan"))
    matrix: np.ndarray[tuple[int, int], np.dtype[np.float32]] = filled.to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    return matrix.reshape(len(column), width)


def _key_starts(keys: pa.Array, key_before: str | None) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Rows at which a key begins that the row before does not have."""
    changes = np.ones(len(keys), dtype=bool)
    changes[1:] = pc.not_equal(keys.slice(1), keys.slice(0, len(keys) - 1)).to_numpy(zero_copy_only=False)
    changes[0] = keys[0].as_py() != key_before
    return np.flatnonzero(changes)
