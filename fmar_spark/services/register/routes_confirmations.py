"""Answers to detections over HTTP."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from fmar_spark.services.register.access import Action, confirmations_within, reach_of
from fmar_spark.services.register.bodies import Confirmation, ConfirmationSearch, NewConfirmation
from fmar_spark.services.register.confirmations import Answer, find_confirmation, find_invited, record_confirmation
from fmar_spark.services.register.records import Change, find_history, find_page, known_at
from fmar_spark.services.register.service import ServiceOf, allowed, answer_page, answer_write, reply_with
from fmar_spark.services.register.tables import CONFIRMATION, CONFIRMATIONS
from fmar_spark.services.web.access import Caller
from fmar_spark.services.web.idempotency import IdempotencyKey, intent_of
from fmar_spark.services.web.models import ID_PATTERN, Page, read_cursor
from fmar_spark.services.web.problems import MissingError
from fmar_spark.services.web.replies import Reply, respond

router = APIRouter(prefix="/v1/confirmations", tags=["confirmations"])
Reader = Annotated[Caller, Depends(allowed(Action.READ_CONFIRMATIONS))]
Writer = Annotated[Caller, Depends(allowed(Action.WRITE_CONFIRMATIONS))]
_AGAIN: Final[dict[int | str, Any]] = {200: {"model": Confirmation, "description": "A new version of an earlier answer."}}
ConfirmationId = Annotated[str, Path(pattern=ID_PATTERN)]


@router.post(
    "",
    status_code=201,
    response_model=Confirmation,
    responses=_AGAIN,
    operation_id="confirm_detection",
    summary="Confirm or correct a detection",
)
def confirm(body: NewConfirmation, request: Request, caller: Writer, service: ServiceOf, key: IdempotencyKey = None) -> Response:
    """Confirm or correct a detection of medium confidence in one's own portfolio; a later answer is a new version."""
    service.check_mpan(body.mpan_id)

    def act(change: Change) -> Reply:
        # The portfolio first: nobody learns of detections behind other meters from the difference of the rejections.
        answer = Answer(body.mpan_id, body.amsid, body.asset_class, body.is_present)
        row = record_confirmation(change, caller, answer, lambda: find_invited(service.derived, body.mpan_id, body.asset_class))
        return reply_with(201 if row["version"] == 1 else 200, Confirmation, caller, row, f"/v1/confirmations/{row['confirmation_id']}")

    return answer_write(service, caller, intent_of(request, caller, key, body), act)


@router.get("", response_model=Page[Confirmation], operation_id="list_confirmations", summary="List confirmations")
def look_up(caller: Reader, service: ServiceOf, query: Annotated[ConfirmationSearch, Query()]) -> Response:
    """Answers as they stand, oldest first."""
    size = service.parts.page_size(query.limit)
    conditions = [confirmations_within(reach_of(caller), CONFIRMATIONS), known_at(CONFIRMATION, None)]
    names = ("mpan_id", "amsid", "asset_class")
    conditions += [CONFIRMATIONS.c[name] == value for name in names if (value := getattr(query, name)) is not None]
    with service.database.reading(reach_of(caller)) as connection:
        rows = find_page(connection, CONFIRMATION, read_cursor(query.cursor), size + 1, *conditions)
    return answer_page(Confirmation, caller, rows, size, "confirmation_id")


@router.get("/{confirmation_id}", response_model=Confirmation, operation_id="get_confirmation", summary="Get a confirmation")
def show(confirmation_id: ConfirmationId, caller: Reader, service: ServiceOf) -> Response:
    """One answer as it stands."""
    with service.database.reading(reach_of(caller)) as connection:
        row = find_confirmation(connection, caller, confirmation_id)
    return respond(reply_with(200, Confirmation, caller, row))


@router.get(
    "/{confirmation_id}/history",
    response_model=Page[Confirmation],
    operation_id="list_confirmation_versions",
    summary="List the versions of a confirmation",
)
def history(confirmation_id: ConfirmationId, caller: Reader, service: ServiceOf) -> Response:
    """Every version of one answer, oldest first."""
    most = service.settings.max_history_versions
    reach = confirmations_within(reach_of(caller), CONFIRMATIONS)
    with service.database.reading(reach_of(caller)) as connection:
        rows = find_history(connection, CONFIRMATION, confirmation_id, most, reach)
    if not rows:
        raise MissingError("no-such-confirmation", "there is no such confirmation")
    return answer_page(Confirmation, caller, rows, most, "version")
