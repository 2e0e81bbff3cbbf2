"""Disputes as a page: those that concern the caller, a form to raise one, and for the administrator one to settle each."""

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Final, TypeVar

from fastapi import Depends, Path, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ValidationError

from fmar_spark.domain.markets import Outcome, RecordKind
from fmar_spark.errors import read_fault
from fmar_spark.services.capability.pages.frame import page_router, render
from fmar_spark.services.capability.pages.session import FormOf, Visitor, check_origin
from fmar_spark.services.capability.reading import ReadsOf, find_foremost, summarise
from fmar_spark.services.capability.resources import DISPUTED
from fmar_spark.services.register.access import ACTIONS_OF_ROLE, Action, reach_of
from fmar_spark.services.register.agreements import actor_of
from fmar_spark.services.register.dispute_bodies import NewDispute, NewSettlement
from fmar_spark.services.register.disputes import Complaint, Settlement, raise_dispute, settle_dispute
from fmar_spark.services.register.records import change_of
from fmar_spark.services.register.service import ServiceOf
from fmar_spark.services.web.access import Caller
from fmar_spark.services.web.models import ID_PATTERN
from fmar_spark.services.web.problems import ForbiddenError, InvalidError

router: Final = page_router()
_MOST_LISTED: Final = 200
_STATES: Final = "outcome IS NULL AS is_open, count(*) AS disputes FROM rows GROUP BY ALL"
_OPEN_FIRST: Final = "outcome IS NOT NULL, CASE WHEN outcome IS NULL THEN raised_at END, settled_at DESC, dispute_id"
"""Those that have waited longest, then those settled last."""
Body = TypeVar("Body", bound=BaseModel)
_NAMED: Final = ("record_kind", "record_id", "mpan_id", "amsid")
RECORD_WORDS: Final = {
    RecordKind.AGREEMENT: "agreement",
    RecordKind.DETECTION: "detection",
    RecordKind.CAPABILITY: "capability",
    RecordKind.DELIVERY_CHECK: "check of an event",
    RecordKind.DELIVERY_EVIDENCE: "evidence on deliveries",
    RecordKind.FLAG: "flag",
}
OUTCOME_WORDS: Final = {Outcome.CORRECTED: "corrected", Outcome.NO_ACTION_REQUIRED: "no action required"}


@router.get("/disputes")
def show_disputes(request: Request, caller: Visitor, reads: ReadsOf) -> Response:
    """Open disputes first; the form is filled with the record from whose row the caller comes."""
    states = Counter({row["is_open"]: row["disputes"] for row in summarise(reads, caller, DISPUTED, _STATES)})
    listed = find_foremost(reads, caller, DISPUTED, _OPEN_FIRST, _MOST_LISTED)
    return render(
        request,
        "disputes.html",
        caller,
        open_rows=[row for row in listed if row["outcome"] is None],
        open_count=states[True],
        settled_rows=[row for row in listed if row["outcome"] is not None],
        settled_count=states[False],
        named={name: request.query_params.get(name, "")[:128] for name in _NAMED},
        may_raise=_may(caller, Action.RAISE_DISPUTES),
        may_settle=_may(caller, Action.SETTLE_DISPUTES),
        record_words={str(kind): words for kind, words in RECORD_WORDS.items()},
        outcome_words={str(outcome): words for outcome, words in OUTCOME_WORDS.items()},
    )


@router.post("/disputes", dependencies=[Depends(check_origin)])
def raise_from_form(caller: Visitor, register: ServiceOf, form: FormOf) -> Response:
    """The register keeps the dispute as if it had come by its own API."""
    _require(caller, Action.RAISE_DISPUTES)
    body = _read(NewDispute, form)
    register.check_mpan(body.mpan_id)
    with change_of(register.database, reach_of(caller), actor_of(caller)) as change:
        find = partial(register.derived.find_records, body.record_kind, body.mpan_id, body.record_id)
        raise_dispute(change, caller, Complaint(**body.model_dump()), find)
    return RedirectResponse("/disputes", 303)


@router.post("/disputes/{dispute_id}", dependencies=[Depends(check_origin)])
def settle_from_form(dispute_id: Annotated[str, Path(pattern=ID_PATTERN)], caller: Visitor, register: ServiceOf, form: FormOf) -> Response:
    """The administrator settles the version that the page showed."""
    _require(caller, Action.SETTLE_DISPUTES)
    version = form.get("version", "")
    if not (version.isascii() and version.isdigit() and len(version) < 9):
        raise InvalidError("invalid-request", "version: the number of the version that was shown is required")
    body = _read(NewSettlement, {name: value for name, value in form.items() if name != "version"})
    with change_of(register.database, reach_of(caller), actor_of(caller)) as change:
        settle_dispute(change, caller, dispute_id, frozenset({int(version)}), Settlement(body.outcome, body.outcome_reason))
    return RedirectResponse("/disputes", 303)


def _may(caller: Caller, action: Action) -> bool:
    return any(action in ACTIONS_OF_ROLE[role] for role in caller.roles)


def _require(caller: Caller, action: Action) -> None:
    if not _may(caller, action):
        raise ForbiddenError("role-not-allowed", "none of the party's roles allows it")


def _read(body: type[Body], form: Mapping[str, str]) -> Body:
    """What a form says.

    Raises:
        InvalidError: a field that makes no sense.
    """
    try:
        return body.model_validate(dict(form))
    except ValidationError as error:
        fault = error.errors()[0]
        raise InvalidError("invalid-request", f"{'.'.join(str(part) for part in fault['loc'])}: {read_fault(fault)}") from error
