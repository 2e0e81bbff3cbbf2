"""The append-only chain of everything that was ever changed: each entry's hash covers what it says and the hash before it."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, insert, select, update

from fmar_spark.services.register.database import read_clock
from fmar_spark.services.register.tables import LEDGER, LEDGER_HEAD, Subject, format_moment

GENESIS_HASH: Final = "0" * 64
_TICK: Final = timedelta(microseconds=1)


class Actor(NamedTuple):
    """On whose account a change is recorded."""

    party_id: str
    client_id: str


class Fact(NamedTuple):
    """One version of one subject, as the ledger tells it."""

    kind: str
    subject_id: str
    version: int
    change: str
    body: str
    """Canonical JSON of the version's fields."""


class LedgerEnd:
    """The end of the chain, held by one transaction until it commits."""

    def __init__(self, connection: Connection, actor: Actor) -> None:
        """Wait for one's turn, then read where the chain ends and what time it is.

        The time is the database's own where it has a clock, so that services with differing clocks agree, and is always
        later than the entry before.
        """
        self._connection = connection
        self._actor = actor
        head = select(LEDGER_HEAD.c.seq, LEDGER_HEAD.c.hash, LEDGER_HEAD.c.recorded_at).where(LEDGER_HEAD.c.only_row == 1).with_for_update()
        self.seq, self.hash, last_at = connection.execute(head).one()
        self.recorded_at: datetime = max(read_clock(connection), last_at + _TICK)

    def append(self, facts: Iterable[Fact]) -> list[int]:
        """Add an entry for every fact; their sequence numbers."""
        rows: list[dict[str, Any]] = []
        told_at = format_moment(self.recorded_at)
        for fact in facts:
            self.seq += 1
            previous = self.hash
            self.hash = hash_entry(self.seq, told_at, self._actor, fact, previous)
            rows.append(
                {
                    "seq": self.seq,
                    "recorded_at": self.recorded_at,
                    "party_id": self._actor.party_id,
                    "client_id": self._actor.client_id,
                    **fact._asdict(),
                    "previous_hash": previous,
                    "hash": self.hash,
                }
            )
        if rows:
            self._connection.execute(insert(LEDGER), rows)
        return [row["seq"] for row in rows]

    def close(self) -> None:
        """Write down the new end, if anything was added."""
        moved = update(LEDGER_HEAD).where(LEDGER_HEAD.c.only_row == 1, LEDGER_HEAD.c.seq < self.seq)
        self._connection.execute(moved.values(seq=self.seq, hash=self.hash, recorded_at=self.recorded_at))


def hash_entry(seq: int, recorded_at: str, actor: Actor, fact: Fact, previous_hash: str) -> str:
    """SHA-256, in hex, of the canonical JSON of an entry with the hash of the one before."""
    entry = {"seq": seq, "recorded_at": recorded_at, **actor._asdict(), **fact._asdict(), "previous_hash": previous_hash}
    return hashlib.sha256(canonical_json(entry).encode()).hexdigest()


def canonical_json(members: dict[str, Any]) -> str:
    """One spelling for one content: sorted names, no blanks, moments in UTC to the microsecond."""
    return json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_spell)


def body_of(subject: Subject, row: Any) -> str:
    """What the ledger says of a version."""
    return canonical_json({name: row[name] for name in subject.fields})


def fact_of(subject: Subject, row: dict[str, Any]) -> Fact:
    """The ledger's view of a version that is about to be stored."""
    return Fact(subject.kind, row[subject.id_name], row["version"], row["change"], body_of(subject, row))


def _spell(value: object) -> str:
    if isinstance(value, datetime):
        return format_moment(value)
    raise TypeError(f"canonical JSON: {type(value).__name__} has no spelling")


def read_head(connection: Connection) -> tuple[int, str]:
    """Sequence number and hash at the end of the chain: worth keeping outside, so that a cut tail shows."""
    seq, digest = connection.execute(select(LEDGER_HEAD.c.seq, LEDGER_HEAD.c.hash)).one()
    return int(seq), str(digest)


def read_entries(connection: Connection, seqs: Sequence[int]) -> dict[int, Any]:
    """Entries by sequence number."""
    rows = connection.execute(select(LEDGER).where(LEDGER.c.seq.in_(seqs))).mappings()
    return {row["seq"]: row for row in rows}
