"""Who takes part: parties, their roles and areas, and the clients that speak for them; appointed by the administrator."""

from typing import Final

from sqlalchemy import Connection, select

from fmar_spark.domain.markets import Role
from fmar_spark.services.register.records import AMENDED, Change, Draft, Row, find_one, known_at
from fmar_spark.services.register.tables import CLIENT, CLIENTS, PARTIES, PARTY
from fmar_spark.services.web.access import Caller
from fmar_spark.services.web.problems import ConflictError, MissingError

_SEPARATOR: Final = ","
_ROLES: Final = frozenset(str(role) for role in Role)


def find_caller(connection: Connection, client_id: str) -> Caller | None:
    """The party that a client speaks for, if both are active, else None; a role that this version does not know gives nothing."""
    wanted = (
        select(PARTIES.c.party_id, PARTIES.c.roles, PARTIES.c.distributor_ids)
        .join(CLIENTS, CLIENTS.c.party_id == PARTIES.c.party_id)
        .where(CLIENTS.c.client_id == client_id, CLIENTS.c.known_to_at.is_(None), CLIENTS.c.is_active)
        .where(PARTIES.c.known_to_at.is_(None), PARTIES.c.is_active)
    )
    found = connection.execute(wanted).first()
    if found is None:
        return None
    roles = frozenset(Role(role) for role in split_list(found.roles) if role in _ROLES)
    return Caller(found.party_id, client_id, roles, split_list(found.distributor_ids))


def add_party(change: Change, party_id: str, values: Row) -> Row:
    """The first version of a party.

    Raises:
        ConflictError: there is one of that id already.
    """
    if find_one(change.connection, PARTY, party_id) is not None:
        raise ConflictError("party-exists", "a party of that id is there already; change it instead")
    return change.create(PARTY, [Draft(party_id, {**values, "is_active": True})])[0]


def change_party(change: Change, current: Row, values: Row) -> Row:
    """The next version of a party.

    Raises:
        ConflictError: the register would be left without an administrator.
    """
    row = {**current, **values}
    if not (row["is_active"] and Role.ADMINISTRATOR in split_list(row["roles"])):
        _keep_an_administrator(change.connection, current["party_id"])
    return change.replace(PARTY, current, values, AMENDED)


def appoint_client(change: Change, client_id: str, party_id: str, is_active: bool) -> Row:
    """The client speaks for the party from now on, or no longer; the same appointment again changes nothing.

    Raises:
        MissingError: there is no such party.
        ConflictError: the client speaks for another party.
    """
    find_party(change.connection, party_id)
    current = find_one(change.connection, CLIENT, client_id, CLIENTS.c.known_to_at.is_(None))
    if current is None:
        return change.create(CLIENT, [Draft(client_id, {"party_id": party_id, "is_active": is_active})])[0]
    if current["is_active"] and current["party_id"] != party_id:
        raise ConflictError("client-taken", "the client speaks for another party; withdraw it there first")
    if (current["party_id"], current["is_active"]) == (party_id, is_active):
        return current
    return change.replace(CLIENT, current, {"party_id": party_id, "is_active": is_active}, AMENDED)


def find_party(connection: Connection, party_id: str) -> Row:
    """The current version of a party.

    Raises:
        MissingError: there is none.
    """
    row = find_one(connection, PARTY, party_id, known_at(PARTY, None))
    if row is None:
        raise MissingError("no-such-party", "there is no such party")
    return row


def find_clients(connection: Connection, party_id: str) -> list[Row]:
    """Everything that speaks or spoke for the party last, in the order of client ids."""
    wanted = select(CLIENTS).where(CLIENTS.c.party_id == party_id, CLIENTS.c.known_to_at.is_(None)).order_by(CLIENTS.c.client_id)
    return [dict(row) for row in connection.execute(wanted).mappings()]


def join_list(words: list[str]) -> str:
    """A short list as one column holds it: sorted, without doubles."""
    return _SEPARATOR.join(sorted(set(words)))


def split_list(text: str) -> tuple[str, ...]:
    """The words of such a column."""
    return tuple(text.split(_SEPARATOR)) if text else ()


def _keep_an_administrator(connection: Connection, without_party_id: str) -> None:
    wanted = select(PARTIES.c.party_id, PARTIES.c.roles).where(PARTIES.c.known_to_at.is_(None), PARTIES.c.is_active)
    administrators = {party_id for party_id, roles in connection.execute(wanted) if Role.ADMINISTRATOR in split_list(roles)}
    if administrators == {without_party_id}:
        raise ConflictError("last-administrator", "the register would be left without an administrator; appoint another first")
