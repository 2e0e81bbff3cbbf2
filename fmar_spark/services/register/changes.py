"""What changed in the register since a ledger entry, as Arrow tables for the mirror in the lake."""

from collections.abc import Iterator
from datetime import date
from typing import Any, Final

import pyarrow as pa
from sqlalchemy import and_, func, or_, select

from fmar_spark.services.register.access import EVERYTHING
from fmar_spark.services.register.claims import Claim, find_states
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.register.ledger import read_entries, read_head
from fmar_spark.services.register.tables import AGREEMENTS, LEDGER, MIRRORED, Subject

_ENTRIES_AT_ONCE: Final = 200_000
_CLAIMS_AT_ONCE: Final = 100_000
_MOMENT: Final = pa.timestamp("us", tz="UTC")
_TYPES: Final = {
    "version": pa.int32(),
    "primacy_tier": pa.int32(),
    "ledger_seq": pa.int64(),
    "closed_by_seq": pa.int64(),
    "value": pa.float64(),
    "detected_probability": pa.float64(),
    "is_exclusive": pa.bool_(),
    "is_present": pa.bool_(),
    "is_detected": pa.bool_(),
    "as_of_date": pa.date32(),
}


class RegisterChanges:
    """Reads the versions that were opened or closed after a ledger entry."""

    def __init__(self, database: RegisterDatabase) -> None:
        """Nothing is read before the first question."""
        self._database = database

    def end(self) -> int:
        """The last ledger entry; 0 where there is none."""
        with self._database.reading(EVERYTHING) as connection:
            return read_head(connection)[0]

    def hash_at(self, seq: int) -> str | None:
        """Hash of a ledger entry; None where there is none."""
        with self._database.reading(EVERYTHING) as connection:
            entry = read_entries(connection, [seq]).get(seq)
        return str(entry["hash"]) if entry else None

    def changes(self, table: str, after_seq: int) -> Iterator[pa.Table]:
        """Each version once, at the newest entry that touched it; parts cover whole runs of entries, so any may be the last."""
        subject = next(subject for subject in MIRRORED if f"{subject.kind}s" == table)
        with self._database.reading(EVERYTHING) as connection:
            head, _ = read_head(connection)
        for first in range(after_seq, head, _ENTRIES_AT_ONCE):
            part = self._part(subject, first, min(first + _ENTRIES_AT_ONCE, head))
            if part.num_rows:
                yield part

    def claim_states(self) -> Iterator[pa.Table]:
        """How far every claim that an agreement ever stood on is proven now: fsp_id, mpan_id, amsid, claim_state."""
        columns = (AGREEMENTS.c.fsp_id, AGREEMENTS.c.mpan_id, AGREEMENTS.c.amsid)
        with self._database.reading(EVERYTHING) as connection:
            now = self._database.now(connection)
            claims = [Claim(*row)._asdict() for row in connection.execute(select(*columns).distinct().order_by(*columns))]
            for first in range(0, len(claims), _CLAIMS_AT_ONCE):
                states = find_states(self._database, connection, EVERYTHING, claims[first : first + _CLAIMS_AT_ONCE], now)
                yield pa.Table.from_pylist([{**claim._asdict(), "claim_state": str(state)} for claim, state in states.items()])

    def _part(self, subject: Subject, after_seq: int, until_seq: int) -> pa.Table:
        """Versions whose newest entry lies in the range; one that a later entry closes comes with that entry."""
        table = subject.table
        touched = or_(
            and_(table.c.ledger_seq > after_seq, table.c.ledger_seq <= until_seq, func.coalesce(table.c.closed_by_seq, 0) <= until_seq),
            and_(table.c.closed_by_seq > after_seq, table.c.closed_by_seq <= until_seq),
        )
        wanted = (
            select(table, LEDGER.c.hash.label("ledger_hash"))
            .join(LEDGER, LEDGER.c.seq == table.c.ledger_seq)
            .where(touched)
            .order_by(table.c.ledger_seq)
        )
        with self._database.reading(EVERYTHING) as connection:
            rows = [dict(row) for row in connection.execute(wanted).mappings()]
        names = [*(column.name for column in table.columns), "ledger_hash"]
        return pa.table({name: pa.array([_plain(name, row[name]) for row in rows], _type_of(name)) for name in names})


def _type_of(name: str) -> pa.DataType:
    return _TYPES.get(name, _MOMENT if name.endswith("_at") else pa.string())


def _plain(name: str, value: Any) -> Any:
    return date.fromisoformat(value) if name == "as_of_date" and value is not None else value
