"""Versions of facts: each change closes the version that was known and opens another; nothing is overwritten."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, bindparam, insert, or_, select, update

from fmar_spark.services.register.access import Reach
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.register.ledger import Actor, LedgerEnd, fact_of
from fmar_spark.services.register.tables import Subject
from fmar_spark.services.web.problems import InvalidError, StaleError

Row = dict[str, Any]
CREATED: Final = "created"
AMENDED: Final = "amended"
ENDED: Final = "ended"
SUPERSEDED: Final = "superseded"
DISPLACED: Final = "displaced"
SETTLED: Final = "settled"
REGISTER: Final = Actor("register", "rules")
"""Records what follows from the rules and is no party's own change."""


class Draft(NamedTuple):
    """A first version that is about to be stored."""

    subject_id: str
    values: Row


class _UndoError(Exception):
    """Rolls back what was tried."""


class Change:
    """One write transaction that holds the end of the ledger."""

    def __init__(self, database: RegisterDatabase, connection: Connection, reach: Reach, actor: Actor) -> None:
        """Takes the end of the ledger: from here on nobody else writes."""
        self.database = database
        self.connection = connection
        self.reach = reach
        self.actor = actor
        self.ledger = LedgerEnd(connection)

    @property
    def now(self) -> datetime:
        """The transaction time of everything in this change."""
        return self.ledger.recorded_at

    def create(self, subject: Subject, drafts: Sequence[Draft]) -> list[Row]:
        """First versions of new records."""
        rows = [self._version(subject, draft.subject_id, 1, {**draft.values, "change": CREATED}, self.actor) for draft in drafts]
        self._store(subject, rows, self.actor)
        return rows

    def replace(self, subject: Subject, current: Row, values: Row, change: str, actor: Actor | None = None) -> Row:
        """Close the current version and open the next, which differs from it by ``values``; by another actor where one is named."""
        kept = {name: current[name] for name in subject.all_fields}
        actor = actor or self.actor
        row = self._version(subject, current[subject.id_name], current["version"] + 1, {**kept, **values, "change": change}, actor)
        closing = update(subject.table).where(*_same_version(subject, current), subject.table.c.known_to_at.is_(None))
        closed = self.connection.execute(closing.values(known_to_at=self.now, closed_by_seq=self.ledger.seq + 1))
        if closed.rowcount != 1:
            raise StaleError("stale-version", "another change came first; read the newest version and try again")
        self._store(subject, [row], actor)
        return row

    def _version(self, subject: Subject, subject_id: str, version: int, values: Row, actor: Actor) -> Row:
        row = {
            subject.id_name: subject_id,
            "version": version,
            **dict.fromkeys(subject.all_fields),
            **values,
            "known_from_at": self.now,
            "known_to_at": None,
            "recorded_by_party_id": actor.party_id,
            "recorded_by_client_id": actor.client_id,
            "closed_by_seq": None,
        }
        if "mpan_id" in row:
            row["distributor_id"] = row["mpan_id"][:2]
        return row

    def _store(self, subject: Subject, rows: list[Row], actor: Actor) -> None:
        seqs = self.ledger.append((fact_of(subject, row) for row in rows), actor)
        for row, seq in zip(rows, seqs, strict=True):
            row["ledger_seq"] = seq
        if rows:
            self.connection.execute(insert(subject.table), rows)


@contextmanager
def change_of(database: RegisterDatabase, reach: Reach, actor: Actor, is_trial: bool = False) -> Iterator[Change]:
    """A change that is stored whole with its ledger entries at the end of the block, or not at all; a trial is never stored."""
    try:
        with database.writing(reach) as connection:
            change = Change(database, connection, reach, actor)
            yield change
            if is_trial:
                raise _UndoError
            change.ledger.close()
    except _UndoError:
        return


def known_at(subject: Subject, moment: datetime | None) -> ColumnElement[bool]:
    """Versions that were known at the moment; the current ones where it is None."""
    table = subject.table
    if moment is None:
        return table.c.known_to_at.is_(None)
    return and_(table.c.known_from_at <= moment, or_(table.c.known_to_at.is_(None), table.c.known_to_at > moment))


def valid_at(subject: Subject, moment: datetime) -> ColumnElement[bool]:
    """Versions whose term holds at the moment."""
    table = subject.table
    return and_(table.c.valid_from_at <= moment, or_(table.c.valid_to_at.is_(None), table.c.valid_to_at > moment))


def check_forward(valid_from_at: datetime, valid_to_at: datetime | None) -> None:
    """Nothing, if the term has a moment at which it holds.

    Raises:
        InvalidError: it has none.
    """
    if valid_to_at is not None and valid_to_at <= valid_from_at:
        raise InvalidError("term-backwards", "valid_to_at must be later than valid_from_at")


def find_one(connection: Connection, subject: Subject, subject_id: str, *conditions: ColumnElement[bool]) -> Row | None:
    """The current version, or the one that the conditions choose."""
    wanted = select(subject.table).where(subject.table.c[subject.id_name] == subject_id, *conditions)
    found = connection.execute(wanted.limit(1)).mappings().first()
    return dict(found) if found else None


def find_page(connection: Connection, subject: Subject, after_id: str, size: int, *conditions: ColumnElement[bool]) -> list[Row]:
    """At most ``size`` versions in the order of their ids, beginning after one."""
    key = subject.table.c[subject.id_name]
    wanted = select(subject.table).where(*conditions).order_by(key).limit(size)
    if after_id:
        wanted = wanted.where(key > after_id)
    return [dict(row) for row in connection.execute(wanted).mappings()]


def find_history(connection: Connection, subject: Subject, subject_id: str, most: int, *conditions: ColumnElement[bool]) -> list[Row]:
    """All versions of one record, oldest first, at most so many of the newest."""
    table = subject.table
    wanted = select(table).where(table.c[subject.id_name] == subject_id, *conditions).order_by(table.c.version.desc()).limit(most)
    return [dict(row) for row in connection.execute(wanted).mappings()][::-1]


def _same_version(subject: Subject, current: Row) -> tuple[ColumnElement[bool], ...]:
    table = subject.table
    return (
        table.c[subject.id_name] == bindparam("closing_id", current[subject.id_name]),
        table.c.version == bindparam("closing_version", current["version"]),
    )
