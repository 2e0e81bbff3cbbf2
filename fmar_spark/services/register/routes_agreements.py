"""Agreements over HTTP: create, amend, end, look up, history."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from fmar_spark.services.register.access import Action, Caller, agreements_within
from fmar_spark.services.register.agreements import (
    Search,
    amend_agreement,
    conditions_of,
    create_agreement,
    end_agreement,
    find_agreement,
    missing_agreement,
)
from fmar_spark.services.register.bodies import ID_PATTERN, AgreementAmendment, AgreementTold, Ending, NewAgreement, Page
from fmar_spark.services.register.forms import AgreementSearch, KnownForm
from fmar_spark.services.register.idempotency import Reply
from fmar_spark.services.register.records import Change, find_history, find_page
from fmar_spark.services.register.service import (
    IdempotencyKey,
    IfMatch,
    ServiceOf,
    allowed,
    answer_page,
    answer_write,
    change_values,
    intent_of,
    read_if_match,
    reply_with,
    respond,
)
from fmar_spark.services.register.tables import AGREEMENT
from fmar_spark.services.web.pages import read_cursor

router = APIRouter(prefix="/v1/agreements", tags=["agreements"])
Reader = Annotated[Caller, Depends(allowed(Action.READ_AGREEMENTS))]
Writer = Annotated[Caller, Depends(allowed(Action.WRITE_AGREEMENTS))]
AgreementId = Annotated[str, Path(pattern=ID_PATTERN)]


@router.post("", status_code=201, response_model=AgreementTold)
def create(body: NewAgreement, request: Request, caller: Writer, service: ServiceOf, key: IdempotencyKey = None) -> Response:
    """Record a dispatch right of the caller's party."""
    service.check_mpan(body.mpan_id)

    def act(change: Change) -> Reply:
        row = create_agreement(change, caller, body.model_dump())
        return reply_with(201, AgreementTold, caller, row, f"/v1/agreements/{row['agreement_id']}")

    return answer_write(service, caller, intent_of(request, caller, key, body), act)


@router.get("", response_model=Page[AgreementTold])
def look_up(caller: Reader, service: ServiceOf, form: Annotated[AgreementSearch, Query()]) -> Response:
    """Agreements by MPAN, AMSID, FSP, market and time, as they are known or were known, oldest first."""
    size = service.page_size(form.limit)
    search = Search(form.mpan_id, form.amsid, form.fsp_id, form.market, form.valid_at, form.known_at)
    with service.database.reading(caller.reach) as connection:
        rows = find_page(connection, AGREEMENT, read_cursor(form.cursor), size + 1, *conditions_of(search, caller))
    return answer_page(AgreementTold, caller, rows, size, "agreement_id")


@router.get("/{agreement_id}", response_model=AgreementTold)
def show(agreement_id: AgreementId, caller: Reader, service: ServiceOf, form: Annotated[KnownForm, Query()]) -> Response:
    """One agreement as it is known, or was known."""
    with service.database.reading(caller.reach) as connection:
        row = find_agreement(connection, caller, agreement_id, form.known_at)
    return respond(reply_with(200, AgreementTold, caller, row))


@router.get("/{agreement_id}/history", response_model=Page[AgreementTold])
def history(agreement_id: AgreementId, caller: Reader, service: ServiceOf) -> Response:
    """Every version of one agreement, oldest first."""
    most = service.settings.max_history_versions
    with service.database.reading(caller.reach) as connection:
        rows = find_history(connection, AGREEMENT, agreement_id, most, agreements_within(caller.reach))
    if not rows:
        raise missing_agreement()
    return answer_page(AgreementTold, caller, rows, most, "version")


@router.patch("/{agreement_id}", response_model=AgreementTold)
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
        return reply_with(200, AgreementTold, caller, amend_agreement(change, caller, agreement_id, expected, change_values(body)))

    return answer_write(service, caller, intent_of(request, caller, key, body), act)


@router.post("/{agreement_id}/end", response_model=AgreementTold)
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
        return reply_with(200, AgreementTold, caller, end_agreement(change, caller, agreement_id, expected, body.ends_at))

    return answer_write(service, caller, intent_of(request, caller, key, body), act)
