"""The one way from Spark rows to numpy and back: whole keys, many at a time, as Arrow."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.schema import arrow_schema, struct_type

UNLIMITED_BYTES = 2**31 - 1
"""Spark then counts rows only; it otherwise adds up a batch's bytes after every row, a quarter of what a row costs here."""
ChunkKernel = Callable[[pa.Table], Iterator[pa.RecordBatch]]
"""Takes the rows of whole keys, in the order of the key; gives record batches in the output contract's form."""


def map_whole_keys(
    rows: DataFrame, key: str, kernel: ChunkKernel, output: TableContract, keys_per_chunk: int, partitions: int
) -> DataFrame:
    """Bring the rows of every key together and hand them to ``kernel``, ``keys_per_chunk`` keys at a time.

    One shuffle by ``key`` (none where the rows are already hashed so), one sort within partitions. A worker holds one
    chunk at a time, so its memory does not grow with the number of keys.

    Args:
        rows: rows with a string column ``key``, of a few hundred bytes each: a batch on its way is bounded by their number.
        kernel: must be picklable; it is called on the executors.
        output: contract of the rows that the kernel gives.
        keys_per_chunk: whole keys that the kernel sees at once.
        partitions: tasks of the shuffle; 0 leaves that to ``spark.sql.shuffle.partitions``.
    """
    placed = rows.repartition(partitions, key) if partitions else rows.repartition(key)
    schema = arrow_schema(output)
    rows.sparkSession.conf.set("spark.sql.execution.arrow.maxBytesPerBatch", UNLIMITED_BYTES)

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for chunk in cut_whole_keys(batches, key, keys_per_chunk):
            for made in kernel(chunk):
                yield made.select(schema.names).cast(schema)

    return placed.sortWithinPartitions(key).mapInArrow(run, struct_type(output))


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
