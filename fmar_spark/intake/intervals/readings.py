"""Reads a file as its plan says: rows of series, time and energies, whatever the file looks like."""

import gzip
import io
from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from nemreader import NEMFile
from numpy.typing import NDArray

from fmar_spark.clock import trace_clock, utc_of_wall
from fmar_spark.errors import ConfigError, InputError
from fmar_spark.intake.decimals import parse_column
from fmar_spark.intake.intervals.files import InputFile, read_blocks
from fmar_spark.intake.intervals.formats import Plan
from fmar_spark.intake.intervals.options import AUSGRID, NEM12
from fmar_spark.intake.intervals.rows import Origin, RawBlock
from fmar_spark.intake.intervals.values import DAY_SECONDS, NO_SECOND, UTC_NAMES, TimeReading, read_times
from fmar_spark.intake.intervals.wide import find_wide_columns, lengthen

SIGN_OF_CATEGORY: Final = {"GC": 1.0, "CL": 1.0, "GG": -1.0}
"""General consumption and controlled load are drawn, gross generation is given: the connection sees the difference."""
AUSGRID_DATES: Final = ("%d/%m/%Y", "%d-%b-%y", "%d-%b-%Y")
KWH_OF_UNIT: Final = {"wh": 0.001, "kwh": 1.0, "mwh": 1000.0}
DRAWN, GIVEN = "E", "B"
"""First letter of a NEM12 register that counts energy from and to the grid."""
YEARS: Final = (1970, 2100)


def find_origin(file: InputFile, plan: Plan) -> Origin:
    """What messages call the rows of a file."""
    return Origin(file.name, "reading ") if plan.format == NEM12 else file.origin


def read_readings(file: InputFile, plan: Plan) -> Iterator[RawBlock]:
    """Blocks with the columns series_id, timestamp_utc, kwh_import and where there is one kwh_export.

    Raises:
        ConfigError: a column is missing or means something else than it says.
        InputError: the file cannot be read, or not to its end; the blocks before are good.
    """
    if plan.format == NEM12:
        blocks = _read_nem12(file)
    elif plan.format == AUSGRID:
        blocks = _read_ausgrid(file)
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


def _read_ausgrid(file: InputFile) -> Iterator[RawBlock]:
    """Half-hours of customers: what was drawn less what was made, in one row a half-hour."""
    names = [f"{at // 60}:{at % 60:02d}" for at in range(30, 24 * 60, 30)] + ["0:00"]
    wide = find_wide_columns(names)
    frames, broken = [], []
    for block in read_blocks(file, ("customer", "consumption category", "date", *names)):
        frames.append(block.columns.to_pandas().assign(line=block.line))
        broken += block.broken
    rows = pd.concat(frames)
    sign = rows["consumption category"].str.strip().str.upper().map(SIGN_OF_CATEGORY)
    if sign.isna().any():
        first = rows[sign.isna()].iloc[0]
        raise ConfigError(f"{file.name}:{first['line']}: category {first['consumption category']!r} found; GC, CL or GG wanted")
    rows[names] = rows[names].apply(parse_column).mul(sign, axis=0)
    days = rows.groupby(["customer", "date"], sort=False).agg(dict.fromkeys(names, "sum") | {"line": "first"}).reset_index()
    net = days[names].to_numpy(dtype=np.float64)
    second = _read_ausgrid_dates(days["date"].str.strip())[:, None] + 60 * np.asarray(wide.minute if wide else ())
    yield RawBlock(
        pa.table(
            {
                "series_id": pa.array(np.repeat(days["customer"].str.strip().to_numpy(), len(names)), pa.string()),
                "timestamp_utc": pa.array(second.ravel() * 1_000_000).cast(pa.timestamp("us")),
                "kwh_import": np.maximum(net, 0).ravel(),
                "kwh_export": np.maximum(-net, 0).ravel(),
            }
        ),
        np.repeat(days["line"].to_numpy(), len(names)),
        broken,
    )


def _read_ausgrid_dates(texts: "pd.Series[str]") -> NDArray[np.int64]:
    """Midnights in seconds since 1970, the least integer where unreadable."""
    for pattern in AUSGRID_DATES:
        days = pd.to_datetime(texts, format=pattern, errors="coerce")
        if not days.isna().all():
            break
    return np.where(days.isna(), NO_SECOND, days.to_numpy(dtype="datetime64[s]").astype(np.int64))


def _read_nem12(file: InputFile) -> Iterator[RawBlock]:
    """Energy drawn (E) and given (B) by meter and time; reactive registers are left."""
    opener = gzip.open if file.name.lower().endswith(".gz") else open
    try:
        with opener(file.path, "rt", encoding="utf-8-sig") as text:
            found = NEMFile(file.name, strict=True).parse_nem_file(io.StringIO(text.read()), file_name=file.name)
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise InputError(f"{file.name}: no NEM12 that can be read: {error}") from error
    energies: dict[tuple[str, int], list[float]] = {}
    for nmi, registers in found.readings.items():
        for register, readings in registers.items():
            if register[:1] not in (DRAWN, GIVEN):
                continue
            for reading in readings:
                own = energies.setdefault((nmi, int(np.datetime64(reading.t_start, "s").astype(np.int64))), [np.nan, np.nan])
                side = 0 if register[0] == DRAWN else 1
                kwh = float(reading.read_value) * KWH_OF_UNIT[str(reading.uom).lower()]
                own[side] = kwh if np.isnan(own[side]) else own[side] + kwh
    values = np.asarray(list(energies.values()), dtype=np.float64).reshape(-1, 2)
    yield RawBlock(
        pa.table(
            {
                "series_id": [nmi for nmi, _ in energies],
                "timestamp_utc": pa.array([second * 1_000_000 for _, second in energies], pa.int64()).cast(pa.timestamp("us")),
                "kwh_import": values[:, 0],
                "kwh_export": values[:, 1],
            }
        ),
        np.arange(1, len(energies) + 1, dtype=np.int64),
        [],
    )
