"""Proves that the ledger is whole and that the register says what the ledger says, or names the rows that do not."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, and_, func, not_, select
from sqlalchemy.sql.selectable import Select

from fmar_spark.services.register.access import EVERYTHING
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.register.ledger import GENESIS_HASH, Actor, Fact, body_of, hash_entry, read_entries, read_head
from fmar_spark.services.register.tables import LEDGER, SUBJECTS, Subject, format_moment

_ROWS_AT_ONCE: Final = 5000


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


def verify_ledger(database: RegisterDatabase, anchors: tuple[Anchor, ...] = (), most_breaks: int = 20) -> Verification:
    """Walk the whole chain and every version, at one moment; the first breaks in the order of the chain.

    Whoever rewrites the chain from some entry to its end leaves no break inside it: only an anchor shows that.
    """
    with database.reading(EVERYTHING) as connection:
        breaks = tuple(islice(_walk(connection, anchors), most_breaks))
        entries = connection.execute(select(func.count()).select_from(LEDGER)).scalar_one()
        return Verification(entries, Anchor(*read_head(connection)), breaks)


def _walk(connection: Connection, anchors: tuple[Anchor, ...]) -> Iterator[Break]:
    yield from _check_chain(connection)
    yield from _check_anchors(connection, anchors)
    for subject in SUBJECTS:
        yield from _check_versions(connection, subject)
        yield from _check_entries(connection, subject)


def _check_chain(connection: Connection) -> Iterator[Break]:
    last_seq, last_hash = 0, GENESIS_HASH
    for row in _stream(connection, select(LEDGER).order_by(LEDGER.c.seq)):
        place = f"seq {row['seq']}"
        if row["seq"] != last_seq + 1:
            yield Break("ledger", place, f"the entry before it should be seq {row['seq'] - 1}, found {last_seq}: entries are gone")
        elif row["previous_hash"] != last_hash:
            yield Break("ledger", place, f"does not continue seq {last_seq}: that entry or this one was rewritten")
        if row["hash"] != _hash_of(row):
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
    told = [LEDGER.c[name].label(f"told_{name}") for name in ("kind", "subject_id", "version", "change", "body", "recorded_at", "party_id")]
    wanted = (
        select(table, *told, LEDGER.c.client_id.label("told_client_id"))
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
    if row["told_kind"] is None:
        return "no ledger entry speaks of it: it was put in beside the register"
    told = (row["told_kind"], row["told_subject_id"], row["told_version"], row["told_change"])
    if told != (subject.kind, row[subject.id_name], row["version"], row["change"]) or row["told_recorded_at"] != row["known_from_at"]:
        return "its ledger entry speaks of another version"
    if (row["told_party_id"], row["told_client_id"]) != (row["recorded_by_party_id"], row["recorded_by_client_id"]):
        return "who recorded it differs from the ledger"
    if row["told_body"] != body_of(subject, row) or ("mpan_id" in row and row["distributor_id"] != row["mpan_id"][:2]):
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
