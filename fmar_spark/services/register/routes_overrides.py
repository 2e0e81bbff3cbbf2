"""Declarations over HTTP: declare, end, look up, history, and each beside what was derived."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from fmar_spark.services.register.access import Action, overrides_within, reach_of
from fmar_spark.services.register.bodies import (
    CapabilitySearch,
    ComparedOverride,
    Ending,
    KnownQuery,
    NewOverride,
    Override,
    OverrideSearch,
)
from fmar_spark.services.register.claims import find_entitled, with_states
from fmar_spark.services.register.overrides import compare_with_derived, declare_override, end_override, find_override
from fmar_spark.services.register.records import Change, find_history, find_page, known_at, valid_at
from fmar_spark.services.register.service import ServiceOf, allowed, answer_page, answer_write, reply_with
from fmar_spark.services.register.tables import OVERRIDE, OVERRIDES
from fmar_spark.services.web.access import Caller
from fmar_spark.services.web.idempotency import IdempotencyKey, intent_of
from fmar_spark.services.web.models import ID_PATTERN, Page, read_cursor
from fmar_spark.services.web.problems import MissingError
from fmar_spark.services.web.replies import IfMatch, Reply, read_if_match, respond

router = APIRouter(prefix="/v1", tags=["overrides"])
Reader = Annotated[Caller, Depends(allowed(Action.READ_OVERRIDES))]
Writer = Annotated[Caller, Depends(allowed(Action.WRITE_OVERRIDES))]
OverrideId = Annotated[str, Path(pattern=ID_PATTERN)]
_MOST_OF_ONE_ASSET = 1000


@router.post("/overrides", status_code=201, response_model=Override, operation_id="declare_override", summary="Declare a parameter")
def declare(body: NewOverride, request: Request, caller: Writer, service: ServiceOf, key: IdempotencyKey = None) -> Response:
    """Declare a capability parameter of an asset in one's own portfolio; an earlier declaration is superseded."""
    service.check_mpan(body.mpan_id)

    def act(change: Change) -> Reply:
        row = declare_override(change, caller, body.model_dump())
        return reply_with(201, Override, caller, row, f"/v1/overrides/{row['override_id']}")

    return answer_write(service, caller, intent_of(request, caller, key, body), act)


@router.get("/overrides", response_model=Page[Override], operation_id="list_overrides", summary="List declarations")
def look_up(caller: Reader, service: ServiceOf, query: Annotated[OverrideSearch, Query()]) -> Response:
    """Declarations, as they are known or were known, oldest first."""
    size = service.parts.page_size(query.limit)
    conditions = [overrides_within(reach_of(caller), OVERRIDES), known_at(OVERRIDE, query.known_at)]
    conditions += [OVERRIDES.c[name] == value for name in ("mpan_id", "amsid", "fsp_id") if (value := getattr(query, name)) is not None]
    if query.valid_at is not None:
        conditions.append(valid_at(OVERRIDE, query.valid_at))
    with service.database.reading(reach_of(caller)) as connection:
        rows = find_page(connection, OVERRIDE, read_cursor(query.cursor), size + 1, *conditions)
    return answer_page(Override, caller, rows, size, "override_id")


@router.get("/overrides/{override_id}", response_model=Override, operation_id="get_override", summary="Get a declaration")
def show(override_id: OverrideId, caller: Reader, service: ServiceOf, query: Annotated[KnownQuery, Query()]) -> Response:
    """One declaration as it is known, or was known."""
    with service.database.reading(reach_of(caller)) as connection:
        row = find_override(connection, caller, override_id, query.known_at)
    return respond(reply_with(200, Override, caller, row))


@router.get(
    "/overrides/{override_id}/history",
    response_model=Page[Override],
    operation_id="list_override_versions",
    summary="List the versions of a declaration",
)
def history(override_id: OverrideId, caller: Reader, service: ServiceOf) -> Response:
    """Every version of one declaration, oldest first."""
    most = service.settings.max_history_versions
    with service.database.reading(reach_of(caller)) as connection:
        rows = find_history(connection, OVERRIDE, override_id, most, overrides_within(reach_of(caller), OVERRIDES))
    if not rows:
        raise MissingError("no-such-override", "there is no such override")
    return answer_page(Override, caller, rows, most, "version")


@router.post("/overrides/{override_id}/end", response_model=Override, operation_id="end_override", summary="End a declaration")
def end(
    override_id: OverrideId,
    body: Ending,
    request: Request,
    caller: Writer,
    service: ServiceOf,
    if_match: IfMatch = None,
    key: IdempotencyKey = None,
) -> Response:
    """End one's own declaration, now or at a moment; it is not deleted."""
    expected = read_if_match(if_match)

    def act(change: Change) -> Reply:
        return reply_with(200, Override, caller, end_override(change, caller, override_id, expected, body.valid_to_at))

    return answer_write(service, caller, intent_of(request, caller, key, body), act)


@router.get(
    "/capability",
    response_model=Page[ComparedOverride],
    operation_id="compare_capability",
    summary="Compare what is declared with what is derived",
)
async def compare(caller: Reader, service: ServiceOf, query: Annotated[CapabilitySearch, Query()]) -> Response:
    """What is declared of an asset now, each beside what the engine derives for it."""
    return await run_in_threadpool(_compare, caller, service, query)


def _compare(caller: Caller, service: ServiceOf, query: CapabilitySearch) -> Response:
    conditions = [overrides_within(reach_of(caller), OVERRIDES), known_at(OVERRIDE, None)]
    conditions += [OVERRIDES.c.mpan_id == query.mpan_id, OVERRIDES.c.amsid == query.amsid]
    with service.database.reading(reach_of(caller)) as connection:
        now = service.database.now(connection)
        declared = find_page(connection, OVERRIDE, "", _MOST_OF_ONE_ASSET, *conditions, valid_at(OVERRIDE, now))
        declared = with_states(service.database, connection, reach_of(caller), declared, now)
        entitled = find_entitled(service.database, connection, reach_of(caller), declared, now)
    compared = compare_with_derived(declared, entitled, service.derived, query.mpan_id) if declared else []
    return answer_page(ComparedOverride, caller, compared, _MOST_OF_ONE_ASSET, "override_id")
