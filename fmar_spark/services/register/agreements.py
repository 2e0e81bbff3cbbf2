"""Terms of dispatch rights: created, amended and ended by the FSP that holds them, looked up by those whom they concern."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, select
from sqlalchemy.exc import IntegrityError

from fmar_spark.domain.markets import ClaimState
from fmar_spark.domain.terms import Conflict, TermRule
from fmar_spark.services.register.access import Reach, agreements_within, reach_of
from fmar_spark.services.register.claims import claim_of, find_states, weigh
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.register.ledger import Actor
from fmar_spark.services.register.records import (
    AMENDED,
    DISPLACED,
    ENDED,
    REGISTER,
    Change,
    Draft,
    Row,
    check_forward,
    find_one,
    known_at,
    valid_at,
)
from fmar_spark.services.register.tables import AGREEMENT, AGREEMENTS
from fmar_spark.services.web.access import Caller
from fmar_spark.services.web.identifiers import new_id
from fmar_spark.services.web.moments import format_moment
from fmar_spark.services.web.problems import ConflictError, ForbiddenError, InvalidError, MissingError, StaleError
from fmar_spark.services.web.replies import Expected

SENTENCES: Final = {
    TermRule.EXCLUSIVE_OVERLAP: "an exclusive right to this AMSID in this market overlaps the term",
    TermRule.PRIMACY_TAKEN: "a shared right to this AMSID has the same primacy tier during the term",
}


_UNVERIFIED: Final = "; that right is not verified: with evidence for your own claim yours takes its place"


class Search(NamedTuple):
    """What a look-up asks for; None = any."""

    mpan_id: str | None = None
    amsid: str | None = None
    fsp_id: str | None = None
    market: str | None = None
    valid_at: datetime | None = None
    """Who held rights at this moment."""
    known_at: datetime | None = None
    """As the register knew it at this moment; None = now."""


def create_agreement(change: Change, caller: Caller, values: Row) -> Row:
    """The first version of a term that the caller's party holds; it takes the place of unverified ones if its own claim is verified.

    Raises:
        ConflictError: another term stands in its way.
    """
    row = {**values, "agreement_id": new_id(), "fsp_id": caller.party_id}
    make_room(change, caller, row)
    drafts = [Draft(row["agreement_id"], {**values, "fsp_id": caller.party_id})]
    return _with_constraints(lambda: change.create(AGREEMENT, drafts)[0])


def amend_agreement(change: Change, caller: Caller, agreement_id: str, expected: Expected, values: Row) -> Row:
    """A new version of one's own term that says ``values`` from now on; what was known before stays.

    Raises:
        MissingError, ForbiddenError: not there, or not one's own.
        StaleError: not the version that the caller had seen.
        InvalidError: the term would end before it begins, or nothing changes.
        ConflictError: another term stands in its way.
    """
    current = _own_current(change, caller, agreement_id, expected)
    row = {**current, **values}
    if all(current[name] == value for name, value in values.items()):
        raise InvalidError("nothing-changes", "the agreement already says all of that")
    check_forward(row["valid_from_at"], row["valid_to_at"])
    make_room(change, caller, row)
    return _with_constraints(lambda: change.replace(AGREEMENT, current, values, AMENDED))


def end_agreement(change: Change, caller: Caller, agreement_id: str, expected: Expected, valid_to_at: datetime | None) -> Row:
    """A new version of one's own term that ends earlier: now, or at a stated moment.

    A term that ends where it begins was never in force: that is how a mistake is taken back.

    Raises:
        InvalidError: the end lies before the beginning, or after the end that stands.
    """
    current = _own_current(change, caller, agreement_id, expected)
    end = valid_to_at or max(change.now, current["valid_from_at"])
    if end < current["valid_from_at"]:
        raise InvalidError("end-before-begin", "a term cannot end before it begins; end it where it begins if it was never in force")
    if current["valid_to_at"] is not None and end >= current["valid_to_at"]:
        raise InvalidError("end-not-earlier", f"the term ends at {format_moment(current['valid_to_at'])} already")
    return change.replace(AGREEMENT, current, {"valid_to_at": end}, ENDED)


def find_agreement(connection: Connection, caller: Caller, agreement_id: str, moment: datetime | None) -> Row:
    """The version that was known at a moment, if the caller may see it.

    Raises:
        MissingError: there is none, or none that the caller may know of.
    """
    row = find_one(connection, AGREEMENT, agreement_id, known_at(AGREEMENT, moment), agreements_within(reach_of(caller)))
    if row is None:
        raise missing_agreement()
    return row


def conditions_of(search: Search, caller: Caller) -> list[ColumnElement[bool]]:
    """What a search comes to, within the caller's reach."""
    conditions = [agreements_within(reach_of(caller)), known_at(AGREEMENT, search.known_at)]
    conditions += [AGREEMENTS.c[name] == value for name in ("fsp_id", "market") if (value := getattr(search, name)) is not None]
    place = [AGREEMENTS.c[name] == value for name in ("mpan_id", "amsid") if (value := getattr(search, name)) is not None]
    if place:
        # As a set of ids: a planner without statistics would scan all of an FSP's rows in order instead of the few of a place.
        conditions += [*place, AGREEMENTS.c.agreement_id.in_(select(AGREEMENTS.c.agreement_id).where(*place))]
    if search.valid_at is not None:
        conditions.append(valid_at(AGREEMENT, search.valid_at))
    return conditions


def standing_rows(database: RegisterDatabase, connection: Connection, reach: Reach, amsids: Sequence[str]) -> list[Row]:
    """Every party's current versions on these assets; for the rules alone.

    Which of them are current is decided here: PostgreSQL without statistics, as during an upload, would rather scan a whole
    partial index of current versions than look up the assets.
    """
    wanted = select(AGREEMENTS).where(AGREEMENTS.c.amsid.in_(amsids))
    with database.seeing_everything(connection, reach):
        return [dict(row) for row in connection.execute(wanted).mappings() if row["known_to_at"] is None]


def make_room(change: Change, caller: Caller, row: Row) -> None:
    """Nothing stands in the way of a term any more: unverified terms of others end where it begins, if its claim is verified.

    Raises:
        ConflictError: a term stands in its way that it must respect.
    """
    found = standing_rows(change.database, change.connection, change.reach, [row["amsid"]])
    standing = [other for other in found if other["agreement_id"] != row["agreement_id"]]
    states = find_states(change.database, change.connection, change.reach, [row, *standing], change.now)
    weighing = weigh(row, standing, states)
    if weighing.conflict:
        described = describe_conflict(change, caller, weighing.conflict)
        holder = next(other for other in standing if other["agreement_id"] == weighing.conflict.term.agreement_id)
        described["claim_state"] = str(states[claim_of(holder)])
        hint = "" if states[claim_of(holder)] == ClaimState.VERIFIED else _UNVERIFIED
        raise ConflictError("term-conflict", SENTENCES[weighing.conflict.rule] + hint, {"conflict": described})
    displace(change, weighing.displaced, row)


def displace(change: Change, displaced: Sequence[Row], row: Row) -> list[Row]:
    """Terms end where a verified one begins, and say which; the register itself records that, so that nobody learns whose it is."""
    if not displaced:
        return []
    with change.database.writing_for_everyone(change.connection, change.reach):
        return [change.replace(AGREEMENT, other, end_for(other, row), DISPLACED, REGISTER) for other in displaced]


def end_for(other: Row, row: Row) -> Row:
    """What a term says once it has given way to a row."""
    return {"valid_to_at": max(other["valid_from_at"], row["valid_from_at"]), "displaced_by_id": row["agreement_id"]}


def describe_conflict(change: Change, caller: Caller, conflict: Conflict) -> dict[str, Any]:
    """The term that stood first: when, where and how ranked."""
    term = conflict.term
    described: dict[str, Any] = {
        "rule": str(conflict.rule),
        "market": str(term.market),
        "is_exclusive": term.is_exclusive,
        "primacy_tier": term.primacy_tier,
        "valid_from_at": format_moment(term.valid_from_at),
        "valid_to_at": format_moment(term.valid_to_at) if term.valid_to_at else None,
    }
    holder = find_one(
        change.connection, AGREEMENT, term.agreement_id, AGREEMENTS.c.known_to_at.is_(None), agreements_within(reach_of(caller))
    )
    if holder is not None:
        described.update(agreement_id=term.agreement_id, fsp_id=holder["fsp_id"])
    return described


def missing_agreement() -> MissingError:
    """One answer for what is not there and for what is another's."""
    return MissingError("no-such-agreement", "there is no such agreement")


def check_version(current: Row, expected: Expected) -> None:
    """Nothing, if the caller had seen the current version or does not mind.

    Raises:
        StaleError: somebody changed it since.
    """
    if expected is not None and current["version"] not in expected:
        raise StaleError("stale-version", f"version {current['version']} stands, which If-Match does not name")


def actor_of(caller: Caller) -> Actor:
    """On whose account the caller's changes are recorded."""
    return Actor(caller.party_id, caller.client_id)


def _own_current(change: Change, caller: Caller, agreement_id: str, expected: Expected) -> Row:
    row = find_agreement(change.connection, caller, agreement_id, None)
    if row["fsp_id"] != caller.party_id:
        raise ForbiddenError("not-yours", "the agreement belongs to another party")
    check_version(row, expected)
    return row


def _with_constraints(store: Callable[[], Row]) -> Row:
    """Run a write; PostgreSQL's own constraints say no where the rules above should have."""
    try:
        return store()
    except IntegrityError as error:
        raise ConflictError("term-conflict", "the database found an overlapping right") from error


def portfolio_terms(change: Change, fsp_id: str, mpan_id: str, amsid: str) -> list[Row]:
    """An FSP's current terms on one MPAN and AMSID."""
    wanted = select(AGREEMENTS).where(
        AGREEMENTS.c.fsp_id == fsp_id,
        AGREEMENTS.c.mpan_id == mpan_id,
        AGREEMENTS.c.amsid == amsid,
        AGREEMENTS.c.known_to_at.is_(None),
    )
    return [dict(row) for row in change.connection.execute(wanted).mappings()]
