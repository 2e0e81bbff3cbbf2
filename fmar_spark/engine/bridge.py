"""The one way from Spark rows to numpy and back: whole keys, many at a time, as Arrow."""

from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
from pyspark.sql import DataFrame

from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.arrow_columns import cut_whole_keys
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.engine.schema import struct_type

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
