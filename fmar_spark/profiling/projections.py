"""Rows of the gold tables and of silver.asset_events out of meter profiles, in Arrow: what ``transforms.gold`` does in Spark."""

from collections.abc import Callable
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fmar_spark.clock import DAYS_PER_WEEK, SLOTS_PER_DAY
from fmar_spark.contracts.capability import ASSET_CHANGES, ASSET_DETECTIONS, AVAILABILITY, BASELINES, CAPABILITY
from fmar_spark.contracts.profiles import ASSET_EVENTS
from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.kernels.window import Ints

Columns = dict[str, pa.Array]
_CELLS: Final = DAYS_PER_WEEK * SLOTS_PER_DAY


def list_detections(profiles: pa.Table) -> pa.Table:
    """Five answers a meter."""
    rows, meter = _explode(profiles, "detections")
    return _conform(rows, profiles, meter, ASSET_DETECTIONS)


def list_changes(profiles: pa.Table) -> pa.Table:
    """Dated changes; of two on one day the later state is kept."""
    rows, meter = _explode(profiles, "changes")
    numbered = pa.table({"meter": meter, "asset_class": rows["asset_class"], "day": rows["changed_date"], "row": np.arange(len(meter))})
    last = numbered.group_by(["meter", "asset_class", "day"]).aggregate([("row", "max")])["row_max"].combine_chunks().sort()
    return _conform({name: values.take(last) for name, values in rows.items()}, profiles, meter[last.to_numpy()], ASSET_CHANGES)


def list_capabilities(profiles: pa.Table) -> pa.Table:
    """Parameters of the classes that are there on the last day."""
    answers, answered_meter = _explode(profiles, "detections")
    rows, meter = _explode(profiles, "capabilities")
    is_there = pc.fill_null(answers["is_present"], False)
    there = _name_class(answers, answered_meter).filter(is_there)
    kept = pc.is_in(_name_class(rows, meter), there)
    return _conform({name: values.filter(kept) for name, values in rows.items()}, profiles, meter[np.asarray(kept)], CAPABILITY)


def list_availabilities(profiles: pa.Table) -> pa.Table:
    """One row for each weekday and slot of each 7 x 48 matrix."""
    rows, meter = _explode(profiles, "availabilities")
    matrix = np.repeat(np.arange(len(meter)), _CELLS)
    cell = np.tile(np.arange(_CELLS), len(meter))
    weekday = cell // SLOTS_PER_DAY
    cells: Columns = {name: rows[name].take(pa.array(matrix)) for name in ("asset_class", "direction", "season")}
    cells |= {
        "weekday": pa.array(weekday + 1),
        "slot": pa.array(cell % SLOTS_PER_DAY),
        "probability": rows["probability"].flatten(),
        "kw_p50": rows["kw_p50"].flatten(),
        "weeks_observed": rows["weeks_observed"].flatten().take(pa.array(matrix * DAYS_PER_WEEK + weekday)),
    }
    return _conform(cells, profiles, meter[matrix], AVAILABILITY)


def list_events(profiles: pa.Table) -> pa.Table:
    """One row an episode."""
    rows, meter = _explode(profiles, "events")
    return _conform(rows, profiles, meter, ASSET_EVENTS)


def list_baselines(profiles: pa.Table) -> pa.Table:
    """How each meter's baseline did."""
    standing = _fields(_whole(profiles["baseline"]))
    meter = np.flatnonzero(np.asarray(pc.is_valid(standing["model"])))
    return _conform({name: values.take(pa.array(meter)) for name, values in standing.items()}, profiles, meter, BASELINES)


PROJECTIONS: Final[tuple[tuple[TableContract, Callable[[pa.Table], pa.Table]], ...]] = (
    (ASSET_EVENTS, list_events),
    (ASSET_DETECTIONS, list_detections),
    (ASSET_CHANGES, list_changes),
    (CAPABILITY, list_capabilities),
    (AVAILABILITY, list_availabilities),
    (BASELINES, list_baselines),
)
"""Every table that is a projection of profiles."""


def _explode(profiles: pa.Table, column: str) -> tuple[Columns, Ints]:
    """The nested rows of all profiles as columns, and for each row the profile that it stands in."""
    lists = _whole(profiles[column])
    return _fields(lists.flatten()), np.asarray(pc.list_parent_indices(lists), dtype=np.int64)


def _fields(structs: pa.StructArray) -> Columns:
    names = (structs.type.field(place).name for place in range(structs.type.num_fields))
    return dict(zip(names, structs.flatten(), strict=True))


def _conform(rows: Columns, profiles: pa.Table, meter: Ints, contract: TableContract) -> pa.Table:
    """The contract's columns in order: from the rows, else from the profile that each stands in."""
    schema = arrow_schema(contract)
    profile = pa.array(meter)
    columns = [rows[name] if name in rows else _whole(profiles[name]).take(profile) for name in schema.names]
    return pa.table([values.cast(field.type) for values, field in zip(columns, schema, strict=True)], schema=schema)


def _name_class(rows: Columns, meter: Ints) -> pa.Array:
    """One text for each meter and class."""
    return pc.binary_join_element_wise(pa.array(meter).cast(pa.string()), rows["asset_class"], "/")


def _whole(column: pa.ChunkedArray) -> pa.Array:
    combined = column.combine_chunks()
    return combined if isinstance(combined, pa.Array) else pa.concat_arrays(combined.chunks)
