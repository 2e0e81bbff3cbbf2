"""Writes the network's nodes and zones, and what every meter point is connected to; what changes keeps its history."""

import hashlib
import logging
from datetime import date
from typing import Final, NamedTuple

import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fmar_spark.contracts.network import CONNECTIONS, NETWORK_NODES, NETWORK_ZONES
from fmar_spark.contracts.operations import QUARANTINE
from fmar_spark.contracts.table import TableContract
from fmar_spark.domain.network import DNO_OF_DISTRIBUTOR, LEVELS
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.engine.runs import Run, Written
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore
from fmar_spark.intake.network.ecr import RULES, Register
from fmar_spark.intake.network.files import NetworkFiles
from fmar_spark.intake.network.topology import KNOWN_COLUMNS, Topology, check_topology, find_branches
from fmar_spark.transforms.validity import VALIDITY, is_open, succeed

READS: Final[tuple[TableContract, ...]] = ()
WRITES: Final = (NETWORK_NODES, NETWORK_ZONES, CONNECTIONS, QUARANTINE)
BRANCH: Final = (*(f"{level}_id" for level in LEVELS), "dno_code")
PLACE: Final = ("node_id", *BRANCH)
TERMS: Final = tuple(name for name in CONNECTIONS.names if name not in ("mpan_id", *PLACE, *VALIDITY, "source"))
"""Columns that a capacity register states of a connection."""
_log = logging.getLogger(__name__)


class StatedTerms(NamedTuple):
    """A capacity register, the file that it is, and the operator whose it is."""

    register: Register
    name: str
    dno_code: str


class Order(NamedTuple):
    """What is loaded."""

    files: NetworkFiles
    terms: StatedTerms | None = None
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
    if order.terms is not None:
        counts |= {"register_rows": order.terms.register.rows_read, "register_parsed": order.terms.register.rows_parsed}
        counts |= {f"rule_{rule}": rows for rule, rows in order.terms.register.broken.items()}
    if order.is_dry_run:
        return Written(counts, 0)
    written = _write_nodes(store, topology, order.files, day) + _write_zones(store, topology, order.files, day)
    written += _write_places(store, topology, order, day)
    rejected = _write_faults(store, run, order.terms) if order.terms is not None else 0
    _log.info("load_network: %s, %s rows changed", counts, written)
    return Written(counts | {"changed_rows": written}, written, rejected)


def _write_nodes(store: TableStore, topology: Topology, files: NetworkFiles, day: date) -> int:
    stated = topology.nodes[topology.is_new].assign(source=files.names.get("nodes", ""))
    return _fold(store, _to_rows(store, stated, NETWORK_NODES), NETWORK_NODES, ("node_id",), day)


def _write_zones(store: TableStore, topology: Topology, files: NetworkFiles, day: date) -> int:
    stated = topology.zones.assign(source=files.names.get("zones", ""))
    return _fold(store, _to_rows(store, stated, NETWORK_ZONES), NETWORK_ZONES, ("zone_id", "node_id"), day)


def _write_places(store: TableStore, topology: Topology, order: Order, day: date) -> int:
    """Connections of the members, of the meter points of a register, and those below nodes that have moved."""
    current = store.read_or_empty(CONNECTIONS).where(is_open())
    named = topology.members[["mpan_id", "node_id"]].assign(source=order.files.names.get("members", ""))
    members = _to_rows(store, named, CONNECTIONS)
    others = current.where(F.col("node_id").isNotNull()).select("mpan_id", "node_id", "source").join(members, "mpan_id", "left_anti")
    branches = _to_rows(store, find_branches(topology.nodes), CONNECTIONS)
    placed = members.unionByName(others).join(F.broadcast(branches), "node_id", "left")
    stated = _to_rows(store, _list_terms(order.terms), CONNECTIONS).withColumnRenamed("dno_code", "_operator")
    terms = stated.select("mpan_id", "_operator", F.col("source").alias("_register"), F.struct(*TERMS).alias("_new"))
    before = current.select("mpan_id", F.struct(*TERMS).alias("_old"))
    own = _to_rows(store, _list_member_terms(topology.members), CONNECTIONS).select("mpan_id", F.struct(*TERMS).alias("_own"))
    joined = placed.join(terms, "mpan_id", "full").join(before, "mpan_id", "left").join(own, "mpan_id", "left")
    by_prefix = F.create_map(*(F.lit(word) for pair in DNO_OF_DISTRIBUTOR.items() for word in pair))
    own_dno = F.coalesce("dno_code", "_operator", F.try_element_at(by_prefix, F.substring("mpan_id", 1, 2)))
    newest = [F.coalesce(f"_own.{name}", f"_new.{name}", f"_old.{name}").alias(name) for name in TERMS]
    whole = joined.withColumns({"dno_code": own_dno, "source": F.coalesce("source", "_register")})
    return _fold(store, whole.select("mpan_id", *PLACE, *newest, "source"), CONNECTIONS, ("mpan_id",), day)


def _list_member_terms(members: pd.DataFrame) -> pd.DataFrame:
    """What the file of members states of its connections."""
    stated = members.reindex(columns=["mpan_id", *TERMS])
    for name in ("max_import_kw", "max_export_kw"):
        stated[name] = pd.to_numeric(stated[name], errors="coerce")
    return stated.astype(object).where(stated.notna() & (stated != ""), None)


def _list_terms(terms: StatedTerms | None) -> pd.DataFrame:
    """Rows of a register with the columns of ``TERMS``."""
    columns = ["mpan_id", *TERMS, "dno_code", "source"]
    if terms is None:
        return pd.DataFrame(columns=columns, dtype=object)
    found = terms.register.terms
    lines = [f"{terms.name} line {line}" for line in found["line"]]
    named = found.assign(ecr_source=lines, dno_code=terms.dno_code, source=terms.name, standard=None)
    return named[columns].astype(object).where(named[columns].notna(), None)


def _write_faults(store: TableStore, run: Run, terms: StatedTerms) -> int:
    rows = [
        {
            "quarantine_id": hashlib.sha256(f"{terms.name}\x1f{fault.line}\x1f{fault.rule}\x1f{fault.raw}".encode()).hexdigest(),
            "source": f"{terms.name} line {fault.line}",
            "rule": fault.rule,
            "reason": f"{fault.found} found; {RULES[fault.rule]} wanted",
            "raw": fault.raw,
            "run_id": run.run_id,
            "quarantined_at": run.started_at,
        }
        for fault in terms.register.faults
    ]
    return store.insert_new(store.spark.createDataFrame(pa.Table.from_pylist(rows, arrow_schema(QUARANTINE))), QUARANTINE) if rows else 0


def _fold(store: TableStore, stated: DataFrame, contract: TableContract, key: tuple[str, ...], day: date) -> int:
    store.create(contract)
    return store.merge(succeed(store.read(contract), stated, key, day), contract)


def _to_rows(store: TableStore, frame: pd.DataFrame, contract: TableContract) -> DataFrame:
    """Rows with those columns of the contract that the frame has."""
    wanted = pa.schema([pa.field(one.name, one.type) for one in arrow_schema(contract) if one.name in frame.columns])
    ordered = frame[wanted.names]
    return store.spark.createDataFrame(pa.Table.from_pandas(ordered, wanted, preserve_index=False))
