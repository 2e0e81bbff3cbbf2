"""Numpy columns to nested Arrow arrays, without a Python object per value."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa

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
