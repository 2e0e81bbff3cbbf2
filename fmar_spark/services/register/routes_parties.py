"""Parties and their clients over HTTP: the administrator's part."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from fmar_spark.services.register.access import Action, reach_of
from fmar_spark.services.register.agreements import check_version
from fmar_spark.services.register.bodies import CLIENT_PATTERN, PARTY_PATTERN, Appointment, Client, NewParty, Party, PartyAmendment
from fmar_spark.services.register.parties import add_party, appoint_client, change_party, find_clients, find_party, join_list, split_list
from fmar_spark.services.register.records import Change, Row, find_history, find_page, known_at
from fmar_spark.services.register.service import ServiceOf, allowed, answer_page, answer_write, reply_with
from fmar_spark.services.register.tables import PARTY
from fmar_spark.services.web.access import Caller
from fmar_spark.services.web.idempotency import IdempotencyKey, intent_of
from fmar_spark.services.web.models import Page, PageQuery, read_cursor
from fmar_spark.services.web.replies import IfMatch, Reply, change_values, read_if_match, respond

router = APIRouter(prefix="/v1/parties", tags=["parties"])
Reader = Annotated[Caller, Depends(allowed(Action.READ_PARTIES))]
Administrator = Annotated[Caller, Depends(allowed(Action.APPOINT))]
PartyPath = Annotated[str, Path(pattern=PARTY_PATTERN)]
ClientPath = Annotated[str, Path(pattern=CLIENT_PATTERN)]


@router.post("", status_code=201, response_model=Party, operation_id="add_party", summary="Add a party")
def add(body: NewParty, request: Request, caller: Administrator, service: ServiceOf, key: IdempotencyKey = None) -> Response:
    """Let a party take part."""

    def act(change: Change) -> Reply:
        values = _stored({"name": body.name, "roles": body.roles, "distributor_ids": body.distributor_ids})
        row = add_party(change, body.party_id, values)
        return reply_with(201, Party, caller, _shown(row), f"/v1/parties/{row['party_id']}")

    return answer_write(service, caller, intent_of(request, caller, key, body), act)


@router.get("", response_model=Page[Party], operation_id="list_parties", summary="List parties")
def look_up(caller: Reader, service: ServiceOf, query: Annotated[PageQuery, Query()]) -> Response:
    """All parties in the order of their ids."""
    size = service.parts.page_size(query.limit)
    with service.database.reading(reach_of(caller)) as connection:
        rows = find_page(connection, PARTY, read_cursor(query.cursor), size + 1, known_at(PARTY, None))
    return answer_page(Party, caller, [_shown(row) for row in rows], size, "party_id")


@router.get("/{party_id}", response_model=Party, operation_id="get_party", summary="Get a party")
def show(party_id: PartyPath, caller: Reader, service: ServiceOf) -> Response:
    """One party."""
    with service.database.reading(reach_of(caller)) as connection:
        row = find_party(connection, party_id)
    return respond(reply_with(200, Party, caller, _shown(row)))


@router.get("/{party_id}/history", response_model=Page[Party], operation_id="list_party_versions", summary="List the versions of a party")
def history(party_id: PartyPath, caller: Reader, service: ServiceOf) -> Response:
    """Every version of one party, oldest first."""
    most = service.settings.max_history_versions
    with service.database.reading(reach_of(caller)) as connection:
        find_party(connection, party_id)
        rows = find_history(connection, PARTY, party_id, most)
    return answer_page(Party, caller, [_shown(row) for row in rows], most, "version")


@router.patch("/{party_id}", response_model=Party, operation_id="amend_party", summary="Amend a party")
def amend(
    party_id: PartyPath,
    body: PartyAmendment,
    request: Request,
    caller: Administrator,
    service: ServiceOf,
    if_match: IfMatch = None,
    key: IdempotencyKey = None,
) -> Response:
    """Change a party's name, roles or areas, or let it take part no longer."""
    expected = read_if_match(if_match)

    def act(change: Change) -> Reply:
        current = find_party(change.connection, party_id)
        check_version(current, expected)
        return reply_with(200, Party, caller, _shown(change_party(change, current, _stored(change_values(body)))))

    return answer_write(service, caller, intent_of(request, caller, key, body), act)


@router.get("/{party_id}/clients", response_model=Page[Client], operation_id="list_clients", summary="List the clients of a party")
def clients(party_id: PartyPath, caller: Reader, service: ServiceOf) -> Response:
    """The clients that speak, or spoke last, for a party."""
    with service.database.reading(reach_of(caller)) as connection:
        find_party(connection, party_id)
        rows = find_clients(connection, party_id)
    return answer_page(Client, caller, rows, len(rows), "client_id")


@router.put("/{party_id}/clients/{client_id}", response_model=Client, operation_id="appoint_client", summary="Appoint or withdraw a client")
def appoint(
    party_id: PartyPath,
    client_id: ClientPath,
    body: Appointment,
    request: Request,
    caller: Administrator,
    service: ServiceOf,
) -> Response:
    """Let a client of the issuer speak for a party, or no longer."""

    def act(change: Change) -> Reply:
        return reply_with(200, Client, caller, appoint_client(change, client_id, party_id, body.is_active))

    return answer_write(service, caller, intent_of(request, caller, None, body), act)


def _stored(values: Row) -> Row:
    """Lists as one column holds them."""
    return {name: join_list([str(word) for word in value]) if isinstance(value, list) else value for name, value in values.items()}


def _shown(row: Row) -> dict[str, Any]:
    """Lists as answers hold them."""
    return {**row, "roles": list(split_list(row["roles"])), "distributor_ids": list(split_list(row["distributor_ids"]))}
