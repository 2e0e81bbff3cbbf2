"""Agreements over HTTP: create, amend, end, look up, history."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from sqlalchemy import Connection

from fmar_spark.services.register.access import Action, agreements_within, reach_of
from fmar_spark.services.register.agreements import (
    Search,
    amend_agreement,
    conditions_of,
    create_agreement,
    end_agreement,
    find_agreement,
    missing_agreement,
)
from fmar_spark.services.register.bodies import Agreement, AgreementAmendment, AgreementSearch, Ending, KnownQuery, NewAgreement
from fmar_spark.services.register.claims import with_states
from fmar_spark.services.register.records import Change, Row, find_history, find_page
from fmar_spark.services.register.service import Service, ServiceOf, allowed, answer_page, answer_write, reply_with
from fmar_spark.services.register.tables import AGREEMENT
from fmar_spark.services.web.access import Caller
from fmar_spark.services.web.idempotency import IdempotencyKey, intent_of
from fmar_spark.services.web.models import ID_PATTERN, Page, read_cursor
from fmar_spark.services.web.replies import IfMatch, Reply, change_values, read_if_match, respond

router = APIRouter(prefix="/v1/agreements", tags=["agreements"])
Reader = Annotated[Caller, Depends(allowed(Action.READ_AGREEMENTS))]
Writer = Annotated[Caller, Depends(allowed(Action.WRITE_AGREEMENTS))]
AgreementId = Annotated[str, Path(pattern=ID_PATTERN)]


@router.post("", status_code=201, response_model=Agreement, operation_id="create_agreement", summary="Create an agreement")
def create(body: NewAgreement, request: Request, caller: Writer, service: ServiceOf, key: IdempotencyKey = None) -> Response:
    """Record a dispatch right of the caller's party."""
    service.check_mpan(body.mpan_id)

    def act(change: Change) -> Reply:
        row = create_agreement(change, caller, body.model_dump())
        return _reply(201, change, caller, row, f"/v1/agreements/{row['agreement_id']}")

    return answer_write(service, caller, intent_of(request, caller, key, body), act)


@router.get("", response_model=Page[Agreement], operation_id="list_agreements", summary="List agreements")
def look_up(caller: Reader, service: ServiceOf, query: Annotated[AgreementSearch, Query()]) -> Response:
    """Agreements by MPAN, AMSID, FSP, market and time, as they are known or were known, oldest first."""
    size = service.parts.page_size(query.limit)
    search = Search(query.mpan_id, query.amsid, query.fsp_id, query.market, query.valid_at, query.known_at)
    with service.database.reading(reach_of(caller)) as connection:
        rows = find_page(connection, AGREEMENT, read_cursor(query.cursor), size + 1, *conditions_of(search, caller))
        rows = _with_states(service, connection, caller, rows)
    return answer_page(Agreement, caller, rows, size, "agreement_id")


@router.get("/{agreement_id}", response_model=Agreement, operation_id="get_agreement", summary="Get an agreement")
def show(agreement_id: AgreementId, caller: Reader, service: ServiceOf, query: Annotated[KnownQuery, Query()]) -> Response:
    """One agreement as it is known, or was known."""
    with service.database.reading(reach_of(caller)) as connection:
        found = find_agreement(connection, caller, agreement_id, query.known_at)
        (row,) = _with_states(service, connection, caller, [found])
    return respond(reply_with(200, Agreement, caller, row))


@router.get(
    "/{agreement_id}/history",
    response_model=Page[Agreement],
    operation_id="list_agreement_versions",
    summary="List the versions of an agreement",
)
def history(agreement_id: AgreementId, caller: Reader, service: ServiceOf) -> Response:
    """Every version of one agreement, oldest first."""
    most = service.settings.max_history_versions
    with service.database.reading(reach_of(caller)) as connection:
        rows = find_history(connection, AGREEMENT, agreement_id, most, agreements_within(reach_of(caller)))
        rows = _with_states(service, connection, caller, rows)
    if not rows:
        raise missing_agreement()
    return answer_page(Agreement, caller, rows, most, "version")


@router.patch("/{agreement_id}", response_model=Agreement, operation_id="amend_agreement", summary="Amend an agreement")
def amend(
    agreement_id: AgreementId,
    body: AgreementAmendment,
    request: Request,
    caller: Writer,
    service: ServiceOf,
    if_match: IfMatch = None,
    key: IdempotencyKey = None,
) -> Response:
    """Say anew what one's own agreement says; what was known before stays in the history."""
    expected = read_if_match(if_match)

    def act(change: Change) -> Reply:
        return _reply(200, change, caller, amend_agreement(change, caller, agreement_id, expected, change_values(body)))

    return answer_write(service, caller, intent_of(request, caller, key, body), act)


@router.post("/{agreement_id}/end", response_model=Agreement, operation_id="end_agreement", summary="End an agreement")
def end(
    agreement_id: AgreementId,
    body: Ending,
    request: Request,
    caller: Writer,
    service: ServiceOf,
    if_match: IfMatch = None,
    key: IdempotencyKey = None,
) -> Response:
    """End one's own agreement, now or at a moment; it is not deleted."""
    expected = read_if_match(if_match)

    def act(change: Change) -> Reply:
        return _reply(200, change, caller, end_agreement(change, caller, agreement_id, expected, body.valid_to_at))

    return answer_write(service, caller, intent_of(request, caller, key, body), act)


def _with_states(service: Service, connection: Connection, caller: Caller, rows: list[Row]) -> list[Row]:
    return with_states(service.database, connection, reach_of(caller), rows, service.database.now(connection))


def _reply(status: int, change: Change, caller: Caller, row: Row, location: str | None = None) -> Reply:
    (shown,) = with_states(change.database, change.connection, change.reach, [row], change.now)
    return reply_with(status, Agreement, caller, shown, location)
