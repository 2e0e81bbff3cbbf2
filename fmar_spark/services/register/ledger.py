"""The append-only chain of everything that was ever changed, and the proof that it is whole.

Each entry's hash covers what it says and the hash before it. Verification names every row that differs from what the chain says.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, and_, func, insert, not_, select, update
from sqlalchemy.sql.selectable import Select

from fmar_spark.services.register.access import EVERYTHING
from fmar_spark.services.register.database import RegisterDatabase, read_clock
from fmar_spark.services.register.tables import LEDGER, LEDGER_HEAD, SUBJECTS, Subject
from fmar_spark.services.web.moments import format_moment

GENESIS_HASH: Final = "0" * 64
REDACTION: Final = "redaction"
"""Kind of an entry that says what entries before it read since they stopped to name a meter point; see ``redaction``."""
_TICK: Final = timedelta(microseconds=1)
_ROWS_AT_ONCE: Final = 5000


class Actor(NamedTuple):
    """On whose account a change is recorded."""

    party_id: str
    client_id: str


class Fact(NamedTuple):
    """One version of one subject, as the ledger records it."""

    kind: str
    subject_id: str
    version: int
    change: str
    body: str
    """Canonical JSON of the version's fields."""


class LedgerEnd:
    """The end of the chain, held by one transaction until it commits."""

    def __init__(self, connection: Connection) -> None:
        """Wait for one's turn, then read where the chain ends and what time it is.

        The time is the database's own where it has a clock, so that services with differing clocks agree, and is always
        later than the entry before.
        """
        self._connection = connection
        head = select(LEDGER_HEAD.c.seq, LEDGER_HEAD.c.hash, LEDGER_HEAD.c.recorded_at).where(LEDGER_HEAD.c.only_row == 1).with_for_update()
        self.seq, self.hash, last_at = connection.execute(head).one()
        self.recorded_at: datetime = max(read_clock(connection), last_at + _TICK)

    def append(self, facts: Iterable[Fact], actor: Actor) -> list[int]:
        """Add an entry for every fact, on the actor's account; their sequence numbers."""
        rows: list[dict[str, Any]] = []
        recorded_at = format_moment(self.recorded_at)
        for fact in facts:
            self.seq += 1
            previous = self.hash
            self.hash = hash_entry(self.seq, recorded_at, actor, fact, previous)
            rows.append(
                {
                    "seq": self.seq,
                    "recorded_at": self.recorded_at,
                    "party_id": actor.party_id,
                    "client_id": actor.client_id,
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
    return _CANONICAL.encode(members)


def body_of(subject: Subject, row: Any) -> str:
    """What the ledger says of a version."""
    named = [name for name in subject.optional if row[name] is not None]
    return canonical_json({name: row[name] for name in (*subject.fields, *named)})


def fact_of(subject: Subject, row: dict[str, Any]) -> Fact:
    """The ledger's view of a version that is about to be stored."""
    return Fact(subject.kind, row[subject.id_name], row["version"], row["change"], body_of(subject, row))


def _spell(value: object) -> str:
    if isinstance(value, datetime):
        return format_moment(value)
    raise TypeError(f"canonical JSON: {type(value).__name__} has no spelling")


_CANONICAL: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_spell)
"""Made once: a chain of a million entries is spelt two million times."""


def read_head(connection: Connection) -> tuple[int, str]:
    """Sequence number and hash at the end of the chain: worth keeping outside, so that a cut tail shows."""
    seq, digest = connection.execute(select(LEDGER_HEAD.c.seq, LEDGER_HEAD.c.hash)).one()
    return int(seq), str(digest)


def read_entries(connection: Connection, seqs: Sequence[int]) -> dict[int, Any]:
    """Entries by sequence number."""
    rows = connection.execute(select(LEDGER).where(LEDGER.c.seq.in_(seqs))).mappings()
    return {row["seq"]: row for row in rows}


class Anchor(NamedTuple):
    """An end of the chain that somebody kept outside the register."""

    seq: int
    hash: str


class Break(NamedTuple):
    """One row that cannot be as it was written."""

    table: str
    row: str
    """Its key; never an MPAN."""
    reason: str


class Verification(NamedTuple):
    """What was looked at and what was wrong."""

    entries: int
    head: Anchor
    breaks: tuple[Break, ...]
    redacted: int = 0
    """Entries that name their meter point no more."""


def verify_ledger(database: RegisterDatabase, anchors: tuple[Anchor, ...] = (), most_breaks: int = 20) -> Verification:
    """Check the whole chain and every version, at one moment; the first breaks in the order of the chain.

    Whoever rewrites the chain from some entry to its end leaves no break inside it: only an anchor shows that.
    """
    with database.reading(EVERYTHING) as connection:
        breaks = tuple(islice(_find_breaks(connection, anchors), most_breaks))
        entries = connection.execute(select(func.count()).select_from(LEDGER)).scalar_one()
        return Verification(entries, Anchor(*read_head(connection)), breaks, len(_find_redacted(connection)))


def _find_breaks(connection: Connection, anchors: tuple[Anchor, ...]) -> Iterator[Break]:
    yield from _check_chain(connection)
    yield from _check_anchors(connection, anchors)
    for subject in SUBJECTS:
        yield from _check_versions(connection, subject)
        yield from _check_entries(connection, subject)


def hash_text(body: str) -> str:
    """What a redaction says of an entry: the SHA-256, in hex, of what it reads now."""
    return hashlib.sha256(body.encode()).hexdigest()


def _find_redacted(connection: Connection) -> dict[int, str]:
    """By sequence number, the digest of what a redacted entry reads now; a redaction speaks of entries before it alone."""
    entries = connection.execute(select(LEDGER.c.seq, LEDGER.c.body).where(LEDGER.c.kind == REDACTION).order_by(LEDGER.c.seq))
    return {int(seq): digest for by, body in entries for seq, digest in json.loads(body)["entries"].items() if int(seq) < by}


def _check_chain(connection: Connection) -> Iterator[Break]:
    last_seq, last_hash = 0, GENESIS_HASH
    redacted = _find_redacted(connection)
    for row in _stream(connection, select(LEDGER).order_by(LEDGER.c.seq)):
        place = f"seq {row['seq']}"
        if row["seq"] != last_seq + 1:
            yield Break("ledger", place, f"the entry before it should be seq {row['seq'] - 1}, found {last_seq}: entries are gone")
        elif row["previous_hash"] != last_hash:
            yield Break("ledger", place, f"does not continue seq {last_seq}: that entry or this one was rewritten")
        if row["seq"] in redacted:
            if hash_text(row["body"]) != redacted[row["seq"]]:
                yield Break("ledger", place, "it differs from what its redaction says: the entry was altered")
        elif row["hash"] != _hash_of(row):
            yield Break("ledger", place, "its content does not give its hash: the entry was altered")
        last_seq, last_hash = row["seq"], row["hash"]
    head_seq, head_hash = read_head(connection)
    if (head_seq, head_hash) != (last_seq, last_hash):
        yield Break("ledger_head", f"seq {head_seq}", f"the chain ends at seq {last_seq}: its tail was cut or its head rewritten")


def _check_anchors(connection: Connection, anchors: tuple[Anchor, ...]) -> Iterator[Break]:
    kept = read_entries(connection, [anchor.seq for anchor in anchors if anchor.seq])
    for anchor in anchors:
        if anchor.seq and (anchor.seq not in kept or kept[anchor.seq]["hash"] != anchor.hash):
            yield Break("ledger", f"seq {anchor.seq}", "differs from the hash that was kept outside: the chain was rewritten")


def _check_versions(connection: Connection, subject: Subject) -> Iterator[Break]:
    """Every version is as its entry says, and is closed exactly by the version after it."""
    table, following = subject.table, subject.table.alias("following")
    said = [LEDGER.c[name].label(f"said_{name}") for name in ("kind", "subject_id", "version", "change", "body", "recorded_at", "party_id")]
    wanted = (
        select(table, *said, LEDGER.c.client_id.label("said_client_id"))
        .add_columns(following.c.ledger_seq.label("next_seq"), following.c.known_from_at.label("next_at"))
        .select_from(
            table.outerjoin(LEDGER, LEDGER.c.seq == table.c.ledger_seq).outerjoin(
                following,
                and_(following.c[subject.id_name] == table.c[subject.id_name], following.c.version == table.c.version + 1),
            )
        )
        .order_by(table.c.ledger_seq)
    )
    for row in _stream(connection, wanted):
        reason = _fault_of(subject, row)
        if reason:
            yield Break(table.name, f"{row[subject.id_name]} version {row['version']} (seq {row['ledger_seq']})", reason)


def _fault_of(subject: Subject, row: Any) -> str:
    if row["said_kind"] is None:
        return "no ledger entry speaks of it: it was put in beside the register"
    said = (row["said_kind"], row["said_subject_id"], row["said_version"], row["said_change"])
    if said != (subject.kind, row[subject.id_name], row["version"], row["change"]) or row["said_recorded_at"] != row["known_from_at"]:
        return "its ledger entry speaks of another version"
    if (row["said_party_id"], row["said_client_id"]) != (row["recorded_by_party_id"], row["recorded_by_client_id"]):
        return "who recorded it differs from the ledger"
    if row["said_body"] != body_of(subject, row) or ("mpan_id" in row and row["distributor_id"] != row["mpan_id"][:2]):
        return "it differs from what the ledger says of it: the row was altered"
    if (row["closed_by_seq"], row["known_to_at"]) != (row["next_seq"], row["next_at"]):
        return "it is not closed by the version after it"
    return ""


def _check_entries(connection: Connection, subject: Subject) -> Iterator[Break]:
    """Every entry still has its version."""
    table = subject.table
    has_version = select(table.c.ledger_seq).where(table.c.ledger_seq == LEDGER.c.seq).exists()
    orphans = select(LEDGER).where(LEDGER.c.kind == subject.kind, not_(has_version)).order_by(LEDGER.c.seq)
    for row in _stream(connection, orphans):
        place = f"{row['subject_id']} version {row['version']} (seq {row['seq']})"
        yield Break(table.name, place, "the ledger knows it, the table does not")


def _stream(connection: Connection, wanted: Select[Any]) -> Iterator[Any]:
    yield from connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(wanted).mappings()


def _hash_of(row: Any) -> str:
    actor = Actor(row["party_id"], row["client_id"])
    fact = Fact(row["kind"], row["subject_id"], row["version"], row["change"], row["body"])
    return hash_entry(row["seq"], format_moment(row["recorded_at"]), actor, fact, row["previous_hash"])
