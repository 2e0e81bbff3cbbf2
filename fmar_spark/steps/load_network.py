"""Writes the network's nodes and zones, and what every meter point is connected to; what changes keeps its history."""

import logging
from datetime import date
from typing import Final, NamedTuple

import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fmar_spark.contracts.network import CONNECTIONS, NETWORK_NODES, NETWORK_ZONES
from fmar_spark.contracts.table import TableContract
from fmar_spark.domain.network import DNO_OF_DISTRIBUTOR, LEVELS
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.engine.runs import Run, Written
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore
from fmar_spark.intake.network.files import NetworkFiles
from fmar_spark.intake.network.topology import KNOWN_COLUMNS, Topology, check_topology, find_branches
from fmar_spark.transforms.validity import VALIDITY, is_open, succeed

READS: Final[tuple[TableContract, ...]] = ()
WRITES: Final = (NETWORK_NODES, NETWORK_ZONES, CONNECTIONS)
BRANCH: Final = (*(f"{level}_id" for level in LEVELS), "dno_code")
PLACE: Final = ("node_id", *BRANCH)
TERMS: Final = tuple(name for name in CONNECTIONS.names if name not in ("mpan_id", *PLACE, *VALIDITY, "source"))
"""Columns that a capacity register states of a connection."""
_log = logging.getLogger(__name__)


class Order(NamedTuple):
    """What is loaded."""

    files: NetworkFiles
    is_dry_run: bool = False


@limit_tables(READS, WRITES)
def run(store: TableStore, run: Run, order: Order) -> Written:
    """Nodes, zones and connections say what the files say from the run date on; the same files again change nothing.

    All files are checked against each other and against the lake before anything is written.

    Raises:
        InputError: they contradict each other or what the lake knows.
    """
    day = run.run_date or run.started_at.date()
    known = store.read_or_empty(NETWORK_NODES).where(is_open()).select(*KNOWN_COLUMNS).toPandas()
    placed = store.read_or_empty(CONNECTIONS).where(is_open() & F.col("node_id").isNotNull()).select("node_id").distinct().toPandas()
    topology = check_topology(order.files, known.astype(object).where(known.notna(), None), placed["node_id"])
    counts = {
        "nodes": int(topology.is_new.sum()),
        "meter_points": len(topology.members),
        "zones": int(topology.zones["zone_id"].nunique()),
    }
    if order.is_dry_run:
        return Written(counts, 0)
    written = _write_nodes(store, topology, order.files, day) + _write_zones(store, topology, order.files, day)
    written += _write_places(store, topology, order.files, day)
    _log.info("load_network: %s, %s rows changed", counts, written)
    return Written(counts | {"changed_rows": written}, written)


def _write_nodes(store: TableStore, topology: Topology, files: NetworkFiles, day: date) -> int:
    stated = topology.nodes[topology.is_new].assign(source=files.names.get("nodes", ""))
    return _fold(store, _to_rows(store, stated, NETWORK_NODES), NETWORK_NODES, ("node_id",), day)


def _write_zones(store: TableStore, topology: Topology, files: NetworkFiles, day: date) -> int:
    stated = topology.zones.assign(source=files.names.get("zones", ""))
    return _fold(store, _to_rows(store, stated, NETWORK_ZONES), NETWORK_ZONES, ("zone_id", "node_id"), day)


def _write_places(store: TableStore, topology: Topology, files: NetworkFiles, day: date) -> int:
    """Connections of the members, and those below nodes that have moved."""
    current = store.read_or_empty(CONNECTIONS).where(is_open())
    members = _to_rows(store, topology.members.assign(source=files.names.get("members", "")), CONNECTIONS)
    others = current.where(F.col("node_id").isNotNull()).select("mpan_id", "node_id", "source").join(members, "mpan_id", "left_anti")
    branches = _to_rows(store, find_branches(topology.nodes), CONNECTIONS)
    by_prefix = F.create_map(*(F.lit(word) for pair in DNO_OF_DISTRIBUTOR.items() for word in pair))
    own_dno = F.coalesce("dno_code", F.try_element_at(by_prefix, F.substring("mpan_id", 1, 2)))
    placed = members.unionByName(others).join(F.broadcast(branches), "node_id", "left").withColumn("dno_code", own_dno)
    stated = placed.join(current.select("mpan_id", *TERMS), "mpan_id", "left").select("mpan_id", *PLACE, *TERMS, "source")
    return _fold(store, stated, CONNECTIONS, ("mpan_id",), day)


def _fold(store: TableStore, stated: DataFrame, contract: TableContract, key: tuple[str, ...], day: date) -> int:
    store.create(contract)
    return store.merge(succeed(store.read(contract), stated, key, day), contract)


def _to_rows(store: TableStore, frame: pd.DataFrame, contract: TableContract) -> DataFrame:
    """Rows with those columns of the contract that the frame has."""
    wanted = pa.schema([pa.field(one.name, one.type) for one in arrow_schema(contract) if one.name in frame.columns])
    ordered = frame[wanted.names]
    return store.spark.createDataFrame(pa.Table.from_pandas(ordered, wanted, preserve_index=False))
