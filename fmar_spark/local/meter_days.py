"""What the passes over histories take: meter-days in memory, each with what is known of its meter."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fmar_spark.contracts.readings import READINGS, SERIES
from fmar_spark.domain.consent import METER_ATTRIBUTES
from fmar_spark.engine.arrow_schema import arrow_schema

_DAY: Final = ("mpan_id", "utc_date", "quantity", "kwh")
SCHEMA: Final = pa.schema(
    [
        *(arrow_schema(READINGS).field(name).with_nullable(True) for name in _DAY),
        *(arrow_schema(SERIES).field(name) for name in METER_ATTRIBUTES),
    ]
)


def describe_days(days: pa.Table, meters: pa.Table) -> pa.Table:
    """Meter-days with their meter's attributes, in the order of the meters; days of a meter that is not listed are left out.

    Args:
        days: columns mpan_id, utc_date, quantity and kwh (48 energies).
        meters: columns mpan_id and ``METER_ATTRIBUTES``, one row a meter.
    """
    place = pc.index_in(days["mpan_id"], meters["mpan_id"].combine_chunks())
    known = days.filter(pc.is_valid(place))
    place = place.filter(pc.is_valid(place))
    columns = {name: known[name] for name in _DAY} | {name: meters[name].take(place) for name in METER_ATTRIBUTES}
    described = pa.table([columns[name].cast(SCHEMA.field(name).type) for name in SCHEMA.names], schema=SCHEMA)
    return described.sort_by([("mpan_id", "ascending"), ("utc_date", "ascending"), ("quantity", "ascending")])


def list_meters(described: pa.Table) -> pa.Table:
    """Every meter of ``describe_days`` once, with its attributes."""
    named = described.select(["mpan_id", *METER_ATTRIBUTES]).append_column("_row", pa.array(np.arange(described.num_rows)))
    first = named.group_by("mpan_id", use_threads=False).aggregate([("_row", "first")])["_row_first"].combine_chunks()
    return named.drop_columns("_row").take(first)


def request_days(meter_days: Iterable[tuple[str, date]], meters: pa.Table) -> pa.Table:
    """Rows without a reading, one for each wanted local day of a meter: the windows will hold those days."""
    wanted = sorted(set(meter_days))
    empty = pa.scalar([None] * 48, pa.list_(pa.float32()))
    rows = pa.table(
        {
            "mpan_id": pa.array([mpan for mpan, _ in wanted], pa.string()),
            "utc_date": pa.array([day for _, day in wanted], pa.date32()),
            "quantity": pa.nulls(len(wanted), pa.string()),
            "kwh": pa.repeat(empty, len(wanted)),
        }
    )
    return describe_days(rows, meters)


def cut_meters(described: Sequence[pa.Table], meters_per_chunk: int) -> Iterator[pa.Table]:
    """Tables of whole meters, some at a time, from tables of ``describe_days`` or ``request_days``."""
    everything = pa.concat_tables(described)
    names = pc.unique(everything["mpan_id"]).sort()
    for first in range(0, len(names), meters_per_chunk):
        yield everything.filter(pc.is_in(everything["mpan_id"], names.slice(first, meters_per_chunk)))
