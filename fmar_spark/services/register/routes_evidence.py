"""Evidence for and against claims over HTTP: allocations, consents, approvals and disputes, the administrator's part."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from fmar_spark.services.register.access import Action, reach_of
from fmar_spark.services.register.agreements import check_version
from fmar_spark.services.register.bodies import Ending, Evidence, EvidenceSearch, NewEvidence
from fmar_spark.services.register.claims import end_evidence, find_evidence, record_evidence
from fmar_spark.services.register.records import CREATED, Change, find_history, find_page, known_at
from fmar_spark.services.register.service import ServiceOf, allowed, answer_page, answer_write, reply_with
from fmar_spark.services.register.tables import EVIDENCE, EVIDENCE_ROWS
from fmar_spark.services.web.access import Caller
from fmar_spark.services.web.idempotency import IdempotencyKey, intent_of
from fmar_spark.services.web.models import ID_PATTERN, Page, read_cursor
from fmar_spark.services.web.replies import IfMatch, Reply, read_if_match, respond

router = APIRouter(prefix="/v1/evidence", tags=["evidence"])
Reader = Annotated[Caller, Depends(allowed(Action.READ_EVIDENCE))]
Writer = Annotated[Caller, Depends(allowed(Action.WRITE_EVIDENCE))]
_AGAIN: Final[dict[int | str, Any]] = {200: {"model": Evidence, "description": "It was on record; its validity is as stated now."}}
EvidenceId = Annotated[str, Path(pattern=ID_PATTERN)]


@router.post("", status_code=201, response_model=Evidence, responses=_AGAIN, operation_id="record_evidence", summary="Record evidence")
def record(body: NewEvidence, request: Request, caller: Writer, service: ServiceOf, key: IdempotencyKey = None) -> Response:
    """Record an allocation, a consent, an approval or a dispute; under the same reference again its validity is replaced."""
    service.check_mpan(body.mpan_id)

    def act(change: Change) -> Reply:
        values = {**body.model_dump(), "valid_from_at": body.valid_from_at or change.now}
        row, how = record_evidence(change, values)
        return reply_with(201 if how == CREATED else 200, Evidence, caller, row, f"/v1/evidence/{row['evidence_id']}")

    return answer_write(service, caller, intent_of(request, caller, key, body), act)


@router.get("", response_model=Page[Evidence], operation_id="list_evidence", summary="List evidence")
def look_up(caller: Reader, service: ServiceOf, query: Annotated[EvidenceSearch, Query()]) -> Response:
    """Evidence as it stands, oldest first."""
    size = service.parts.page_size(query.limit)
    names = ("fsp_id", "mpan_id", "amsid", "basis")
    conditions = [EVIDENCE_ROWS.c[name] == value for name in names if (value := getattr(query, name)) is not None]
    with service.database.reading(reach_of(caller)) as connection:
        rows = find_page(connection, EVIDENCE, read_cursor(query.cursor), size + 1, known_at(EVIDENCE, None), *conditions)
    return answer_page(Evidence, caller, rows, size, "evidence_id")


@router.get("/{evidence_id}", response_model=Evidence, operation_id="get_evidence", summary="Get a piece of evidence")
def show(evidence_id: EvidenceId, caller: Reader, service: ServiceOf) -> Response:
    """One piece of evidence as it stands."""
    with service.database.reading(reach_of(caller)) as connection:
        row = find_evidence(connection, evidence_id)
    return respond(reply_with(200, Evidence, caller, row))


@router.get(
    "/{evidence_id}/history",
    response_model=Page[Evidence],
    operation_id="list_evidence_versions",
    summary="List the versions of a piece of evidence",
)
def history(evidence_id: EvidenceId, caller: Reader, service: ServiceOf) -> Response:
    """Every version of one piece of evidence, oldest first."""
    most = service.settings.max_history_versions
    with service.database.reading(reach_of(caller)) as connection:
        find_evidence(connection, evidence_id)
        rows = find_history(connection, EVIDENCE, evidence_id, most)
    return answer_page(Evidence, caller, rows, most, "version")


@router.post("/{evidence_id}/end", response_model=Evidence, operation_id="end_evidence", summary="End a piece of evidence")
def end(
    evidence_id: EvidenceId,
    body: Ending,
    request: Request,
    caller: Writer,
    service: ServiceOf,
    if_match: IfMatch = None,
    key: IdempotencyKey = None,
) -> Response:
    """Let evidence count no longer, from now on or from a moment; it is not deleted."""
    expected = read_if_match(if_match)

    def act(change: Change) -> Reply:
        current = find_evidence(change.connection, evidence_id)
        check_version(current, expected)
        return reply_with(200, Evidence, caller, end_evidence(change, current, body.valid_to_at))

    return answer_write(service, caller, intent_of(request, caller, key, body), act)
