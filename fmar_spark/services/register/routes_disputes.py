"""Disputes of records over HTTP; GET /v1/disputes, which lists them, is the read API's."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from fmar_spark.services.register.access import Action, disputes_within, reach_of
from fmar_spark.services.register.dispute_bodies import Dispute, NewDispute, NewSettlement
from fmar_spark.services.register.disputes import Complaint, Settlement, find_dispute, raise_dispute, settle_dispute
from fmar_spark.services.register.records import Change, find_history
from fmar_spark.services.register.service import ServiceOf, allowed, answer_page, answer_write, reply_with
from fmar_spark.services.register.tables import DISPUTE, DISPUTES
from fmar_spark.services.web.access import Caller
from fmar_spark.services.web.idempotency import IdempotencyKey, intent_of
from fmar_spark.services.web.models import ID_PATTERN, Page
from fmar_spark.services.web.problems import MissingError
from fmar_spark.services.web.replies import IfMatch, Reply, read_if_match, respond

router = APIRouter(prefix="/v1/disputes", tags=["disputes"])
Reader = Annotated[Caller, Depends(allowed(Action.READ_DISPUTES))]
Raiser = Annotated[Caller, Depends(allowed(Action.RAISE_DISPUTES))]
Settler = Annotated[Caller, Depends(allowed(Action.SETTLE_DISPUTES))]
DisputeId = Annotated[str, Path(pattern=ID_PATTERN)]


@router.post("", status_code=201, response_model=Dispute, operation_id="raise_dispute", summary="Dispute a record")
def dispute(body: NewDispute, request: Request, caller: Raiser, service: ServiceOf, key: IdempotencyKey = None) -> Response:
    """Say that a record is wrong, and why; the parties that it concerns see it, and the administrator settles it (FMAR, UC-05.03)."""
    service.check_mpan(body.mpan_id)
    complaint = Complaint(**body.model_dump())

    def act(change: Change) -> Reply:
        row = raise_dispute(
            change, caller, complaint, lambda: service.derived.find_records(complaint.record_kind, body.mpan_id, body.record_id)
        )
        return reply_with(201, Dispute, caller, row, f"/v1/disputes/{row['dispute_id']}")

    return answer_write(service, caller, intent_of(request, caller, key, body), act)


@router.get("/{dispute_id}", response_model=Dispute, operation_id="get_dispute", summary="Get a dispute")
def show(dispute_id: DisputeId, caller: Reader, service: ServiceOf) -> Response:
    """One dispute as it stands."""
    with service.database.reading(reach_of(caller)) as connection:
        row = find_dispute(connection, caller, dispute_id)
    return respond(reply_with(200, Dispute, caller, row))


@router.get(
    "/{dispute_id}/history", response_model=Page[Dispute], operation_id="list_dispute_versions", summary="List the versions of a dispute"
)
def history(dispute_id: DisputeId, caller: Reader, service: ServiceOf) -> Response:
    """Every version of one dispute, oldest first."""
    most = service.settings.max_history_versions
    with service.database.reading(reach_of(caller)) as connection:
        rows = find_history(connection, DISPUTE, dispute_id, most, disputes_within(reach_of(caller), DISPUTES))
    if not rows:
        raise MissingError("no-such-dispute", "there is no such dispute")
    return answer_page(Dispute, caller, rows, most, "version")


@router.post("/{dispute_id}/settle", response_model=Dispute, operation_id="settle_dispute", summary="Settle a dispute")
def settle(
    dispute_id: DisputeId,
    body: NewSettlement,
    request: Request,
    caller: Settler,
    service: ServiceOf,
    if_match: IfMatch = None,
    key: IdempotencyKey = None,
) -> Response:
    """Corrected, or no action required; with the reason."""
    expected = read_if_match(if_match)

    def act(change: Change) -> Reply:
        row = settle_dispute(change, caller, dispute_id, expected, Settlement(body.outcome, body.outcome_reason))
        return reply_with(200, Dispute, caller, row)

    return answer_write(service, caller, intent_of(request, caller, key, body), act)
