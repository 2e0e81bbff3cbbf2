"""Copies what is new in the register of commercial agreements into the lake, with both of its times."""

import logging
from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol

import pyarrow as pa
from pyspark.sql import functions as F

from fmar_spark.contracts.operations import RUN_JOURNAL
from fmar_spark.contracts.register import AGREEMENTS, CONFIRMATIONS, DISPUTES, OVERRIDES
from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.engine.runs import Run, Written
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore
from fmar_spark.errors import InputError

READS: Final = (RUN_JOURNAL,)
WRITES: Final = (AGREEMENTS, OVERRIDES, CONFIRMATIONS, DISPUTES)
STEP: Final = "mirror_register"
END: Final = "ledger_seq"
"""In the counts of a run: the entry where the ledger ended when it began."""
_log = logging.getLogger(__name__)


class Mark(NamedTuple):
    """How far a table is mirrored: the last ledger entry that it knows."""

    seq: int
    hash: str | None
    """Of that entry, where the table has the version that it opened."""


class RegisterSource(Protocol):
    """The register, as far as mirroring needs it."""

    def end(self) -> int:
        """The last ledger entry; 0 where there is none."""

    def hash_at(self, seq: int) -> str | None:
        """Hash of a ledger entry; None where there is none."""

    def changes(self, table: str, after_seq: int) -> Iterator[pa.Table]:
        """Versions that were opened or closed after a ledger entry, in parts that go forward in the ledger; columns by name."""

    def claim_states(self) -> Iterator[pa.Table]:
        """How far every claim that an agreement ever stood on is proven now: fsp_id, mpan_id, amsid, claim_state."""


@limit_tables(READS, WRITES)
def run(store: TableStore, run: Run, source: RegisterSource) -> Written:
    """The tables hold every version that the register has, and agreements the state of their claims; a second run changes nothing.

    Raises:
        InputError: the register's ledger does not continue the one that was mirrored.
    """
    end, known = source.end(), _find_journalled(store)
    counts = {contract.name: _mirror(store, source, contract, known) for contract in WRITES}
    counts["claim_states"] = sum(_mirror_states(store, part) for part in source.claim_states())
    _log.info("mirror_register: %s", counts)
    return Written({**counts, END: end}, sum(counts.values()))


def _find_journalled(store: TableStore) -> int:
    """Where the ledger ended at the last run that was done; 0 where none said so."""
    if not store.has(RUN_JOURNAL):
        return 0
    done = store.read(RUN_JOURNAL).where((F.col("step") == STEP) & (F.col("status") == "done"))
    newest = done.orderBy(F.desc("started_at")).select(F.col("counts")[END].alias("seq")).first()
    return int(newest["seq"] or 0) if newest else 0


def _mirror(store: TableStore, source: RegisterSource, contract: TableContract, known: int) -> int:
    """How many versions came; an entry that was mirrored once does not come again, though its rows were erased since."""
    mark = _find_mark(store, contract)
    _check_continues(source, contract, mark)
    versions = 0
    for part in source.changes(contract.name, max(mark.seq, known) if store.has(contract) else 0):
        if contract is AGREEMENTS:
            part = part.append_column("claim_state", pa.nulls(part.num_rows, pa.string()))
        rows = store.spark.createDataFrame(part.select(list(contract.names)).cast(arrow_schema(contract)))
        store.merge(rows, contract)
        versions += part.num_rows
    store.create(contract)
    return versions


def _mirror_states(store: TableStore, states: pa.Table) -> int:
    """How many versions of agreements have another state of their claim than before."""
    found = store.spark.createDataFrame(states)
    rows = store.read(AGREEMENTS).drop("claim_state").join(found, ["fsp_id", "mpan_id", "amsid"], "inner")
    return store.merge(rows, AGREEMENTS, update_when="NOT old.claim_state <=> new.claim_state")


def _find_mark(store: TableStore, contract: TableContract) -> Mark:
    """The newest ledger entry in the table; a version whose closing it knows counts by that."""
    if not store.has(contract):
        return Mark(0, None)
    rows = store.read(contract)
    newest = rows.agg(
        F.max(F.greatest("ledger_seq", F.coalesce("closed_by_seq", F.lit(0)))).alias("seq"),
        F.max("ledger_seq").alias("opened"),
        F.max_by("ledger_hash", "ledger_seq").alias("hash"),
    ).first()
    if newest is None or newest["seq"] is None:
        return Mark(0, None)
    return Mark(int(newest["seq"]), newest["hash"] if newest["opened"] == newest["seq"] else None)


def _check_continues(source: RegisterSource, contract: TableContract, mark: Mark) -> None:
    found = source.hash_at(mark.seq) if mark.seq else None
    if mark.seq and (found is None or (mark.hash is not None and found != mark.hash)):
        raise InputError(
            f"{contract.full_name}: ledger entry {mark.seq} of the register is {'missing' if found is None else 'another'} than the one "
            "that was mirrored; is this the same register? Run scripts/register verify"
        )
