"""Answers to detections over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from fmar_spark.services.register.access import Action, Caller, confirmations_within
from fmar_spark.services.register.bodies import ID_PATTERN, ConfirmationTold, NewConfirmation, Page
from fmar_spark.services.register.confirmations import Answer, find_confirmation, find_invited, record_confirmation
from fmar_spark.services.register.forms import ConfirmationSearch
from fmar_spark.services.register.idempotency import Reply
from fmar_spark.services.register.records import Change, find_history, find_page, known_at
from fmar_spark.services.register.service import (
    IdempotencyKey,
    ServiceOf,
    allowed,
    answer_page,
    answer_write,
    intent_of,
    reply_with,
    respond,
)
from fmar_spark.services.register.tables import CONFIRMATION, CONFIRMATIONS
from fmar_spark.services.web.pages import read_cursor
from fmar_spark.services.web.problems import MissingError

router = APIRouter(prefix="/v1/confirmations", tags=["confirmations"])
Reader = Annotated[Caller, Depends(allowed(Action.READ_CONFIRMATIONS))]
Writer = Annotated[Caller, Depends(allowed(Action.WRITE_CONFIRMATIONS))]
ConfirmationId = Annotated[str, Path(pattern=ID_PATTERN)]


@router.post("", status_code=201, response_model=ConfirmationTold)
def confirm(body: NewConfirmation, request: Request, caller: Writer, service: ServiceOf, key: IdempotencyKey = None) -> Response:
    """Confirm or correct a detection of medium confidence in one's own portfolio; a later answer is a new version."""
    service.check_mpan(body.mpan_id)

    def act(change: Change) -> Reply:
        # The portfolio first: nobody learns of detections behind other meters from the difference of the refusals.
        answer = Answer(body.mpan_id, body.amsid, body.asset_class, body.is_present)
        row = record_confirmation(change, caller, answer, lambda: find_invited(service.derived, body.mpan_id, body.asset_class))
        return reply_with(201, ConfirmationTold, caller, row, f"/v1/confirmations/{row['confirmation_id']}")

    return answer_write(service, caller, intent_of(request, caller, key, body), act)


@router.get("", response_model=Page[ConfirmationTold])
def look_up(caller: Reader, service: ServiceOf, form: Annotated[ConfirmationSearch, Query()]) -> Response:
    """Answers as they stand, oldest first."""
    size = service.page_size(form.limit)
    conditions = [confirmations_within(caller.reach, CONFIRMATIONS), known_at(CONFIRMATION, None)]
    names = ("mpan_id", "amsid", "asset_class")
    conditions += [CONFIRMATIONS.c[name] == value for name in names if (value := getattr(form, name)) is not None]
    with service.database.reading(caller.reach) as connection:
        rows = find_page(connection, CONFIRMATION, read_cursor(form.cursor), size + 1, *conditions)
    return answer_page(ConfirmationTold, caller, rows, size, "confirmation_id")


@router.get("/{confirmation_id}", response_model=ConfirmationTold)
def show(confirmation_id: ConfirmationId, caller: Reader, service: ServiceOf) -> Response:
    """One answer as it stands."""
    with service.database.reading(caller.reach) as connection:
        row = find_confirmation(connection, caller, confirmation_id)
    return respond(reply_with(200, ConfirmationTold, caller, row))


@router.get("/{confirmation_id}/history", response_model=Page[ConfirmationTold])
def history(confirmation_id: ConfirmationId, caller: Reader, service: ServiceOf) -> Response:
    """Every version of one answer, oldest first."""
    most = service.settings.max_history_versions
    reach = confirmations_within(caller.reach, CONFIRMATIONS)
    with service.database.reading(caller.reach) as connection:
        rows = find_history(connection, CONFIRMATION, confirmation_id, most, reach)
    if not rows:
        raise MissingError("no-such-confirmation", "there is no such confirmation")
    return answer_page(ConfirmationTold, caller, rows, most, "version")
