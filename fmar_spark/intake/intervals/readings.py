"""Reads a file as its plan says: rows of series, time and energies, whatever the file looks like."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fmar_spark.clock import trace_clock, utc_of_wall
from fmar_spark.intake.intervals.ausgrid import read_ausgrid
from fmar_spark.intake.intervals.files import InputFile, read_blocks
from fmar_spark.intake.intervals.formats import Plan
from fmar_spark.intake.intervals.nem12 import read_nem12
from fmar_spark.intake.intervals.options import AUSGRID, NEM12
from fmar_spark.intake.intervals.rows import Origin, RawBlock
from fmar_spark.intake.intervals.values import DAY_SECONDS, NO_SECOND, UTC_NAMES, TimeReading, read_times
from fmar_spark.intake.intervals.wide import lengthen

YEARS: Final = (1970, 2100)


def find_origin(file: InputFile, plan: Plan) -> Origin:
    """What messages call the rows of a file."""
    return Origin(file.name, "") if plan.format == NEM12 else file.origin


def read_readings(file: InputFile, plan: Plan) -> Iterator[RawBlock]:
    """Blocks with the columns series_id, timestamp_utc, kwh_import and where there is one kwh_export.

    Raises:
        ConfigError: a column is missing or means something else than it says.
        InputError: the file cannot be read, or not to its end; the blocks before are good.
    """
    if plan.format == NEM12:
        blocks = read_nem12(file)
    elif plan.format == AUSGRID:
        blocks = read_ausgrid(file, plan.reading)
    elif plan.wide is not None:
        wanted = (*plan.columns.values(), *plan.wide.columns)
        blocks = (_lengthen(_rename(block, plan), plan, file) for block in read_blocks(file, wanted))
    else:
        blocks = (_join_date_and_time(_rename(block, plan)) for block in read_blocks(file, tuple(dict.fromkeys(plan.columns.values()))))
    for block in blocks:
        yield block if plan.series is None else _name_series(block, plan.series)


def _rename(block: RawBlock, plan: Plan) -> RawBlock:
    ours = {name: block.columns[theirs] for name, theirs in plan.columns.items()}
    others = plan.wide.columns if plan.wide else ()
    return block._replace(columns=pa.table(ours | {name: block.columns[name] for name in others}))


def _name_series(block: RawBlock, series: str) -> RawBlock:
    names = pa.DictionaryArray.from_arrays(pa.array(np.zeros(block.columns.num_rows, dtype=np.int32)), pa.array([series]))
    columns = {name: block.columns[name] for name in block.columns.column_names if name != "series_id"}
    return block._replace(columns=pa.table({"series_id": names, **columns}))


def _join_date_and_time(block: RawBlock) -> RawBlock:
    columns = block.columns
    if "timestamp_utc" in columns.column_names or "date" not in columns.column_names:
        return block
    parts = [pc.utf8_trim_whitespace(columns[name].cast(pa.string()).combine_chunks()) for name in ("date", "time")]
    joined = columns.drop_columns(["date", "time"]).append_column("timestamp_utc", pc.binary_join_element_wise(*parts, " "))
    return block._replace(columns=joined)


def _lengthen(block: RawBlock, plan: Plan, file: InputFile) -> RawBlock:
    if plan.wide is None:
        return block
    zone = plan.reading.times.time_zone
    dates = read_times(block.columns["date"], TimeReading(None, plan.reading.times.dates), f"{file.name}: column {plan.columns['date']}")
    midnight = np.where(dates.second == NO_SECOND, NO_SECOND, dates.second // DAY_SECONDS * DAY_SECONDS)
    is_utc = plan.wide.is_numbered and zone is not None and zone not in UTC_NAMES
    if is_utc and zone is not None:
        midnight = np.where(midnight == NO_SECOND, NO_SECOND, utc_of_wall(midnight, trace_clock(*YEARS, zone)).second)
    return lengthen(block._replace(columns=block.columns.drop_columns(["date"])), plan.wide, midnight, is_utc)
