"""Files of agreements over HTTP: the body goes to disk as it comes, and is then checked row by row."""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from typing import IO, Annotated, Final, NamedTuple

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Connection

from fmar_spark.services.register.access import Action, reach_of
from fmar_spark.services.register.agreements import actor_of
from fmar_spark.services.register.bodies import ReportQuery, Upload, UploadQuery, UploadRowResult, UploadSearch
from fmar_spark.services.register.csv_rows import check_file, read_rows
from fmar_spark.services.register.records import Change, Row, change_of
from fmar_spark.services.register.service import Service, ServiceOf, allowed
from fmar_spark.services.register.uploads import (
    RUNNING,
    Asked,
    Mode,
    Order,
    Task,
    find_upload,
    find_upload_rows,
    find_uploads,
    open_upload,
    run_upload,
)
from fmar_spark.services.web.access import Caller
from fmar_spark.services.web.idempotency import IN_PROGRESS, IdempotencyKey, Intent, digest_of
from fmar_spark.services.web.models import ID_PATTERN, Page, bad_cursor, page_of, read_cursor
from fmar_spark.services.web.problems import BusyError, ConflictError, InvalidError, MediaTypeError, describe_problem
from fmar_spark.services.web.replies import Reply, respond

PATH: Final = "/v1/uploads"
router = APIRouter(prefix=PATH, tags=["uploads"])
Writer = Annotated[Caller, Depends(allowed(Action.WRITE_AGREEMENTS))]
UploadId = Annotated[str, Path(pattern=ID_PATTERN)]
_IN_MEMORY_BYTES: Final = 2**20
_REJECTED: Final = "upload-rejected"
_CSV: Final = (
    "mpan_id,amsid,market,primacy_tier,is_exclusive,valid_from_at,valid_to_at\n2000056535971,AMS-1,dso_local,1,true,2026-01-01T00:00:00Z,\n"
)
_CSV_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {"schema": {"type": "string", "description": "UTF-8, with a header; see docs/register.md."}, "example": _CSV}
        },
    }
}


class Opened(NamedTuple):
    """An upload that has its turn."""

    caller: Caller
    upload_id: str
    order: Order
    intent: Intent
    request_id: str


@router.post(
    "",
    status_code=201,
    response_model=Upload,
    responses={200: {"model": Upload, "description": "A trial: the file would be taken."}},
    openapi_extra=_CSV_BODY,
    operation_id="upload_agreements",
    summary="Upload agreements",
)
async def upload(
    request: Request, caller: Writer, service: ServiceOf, query: Annotated[UploadQuery, Query()], key: IdempotencyKey = None
) -> Response:
    """Take a CSV of the caller's agreements: all or nothing, in part, or as a trial; the report has a line for every row.

    422 where nothing is, or in a trial would be, taken.
    """
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "text/csv":
        raise MediaTypeError("csv-wanted", "Content-Type: text/csv wanted", headers={"Accept-Post": "text/csv"})
    digest = hashlib.sha256()
    with _arriving(service, caller.client_id), tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as file:
        async for block in request.stream():
            digest.update(block)
            await run_in_threadpool(file.write, block)
        intent = Intent(caller.client_id, key, digest_of("upload", query.model_dump_json(), digest.hexdigest()))
        request.state.caller = caller
        return await run_in_threadpool(_take, service, request, intent, query, file)


@router.get("", response_model=Page[Upload], operation_id="list_uploads", summary="List uploads")
def look_up(caller: Writer, service: ServiceOf, query: Annotated[UploadSearch, Query()]) -> Response:
    """One's own uploads, oldest first."""
    size = service.parts.page_size(query.limit)
    asked = Asked(query.state, read_cursor(query.cursor), size + 1)
    with service.database.reading(reach_of(caller)) as connection:
        rows = find_uploads(connection, caller, _stale_before(service, connection), asked)
    shown, cursor = page_of(rows, size, "upload_id")
    items = [Upload.model_validate(row) for row in shown]
    return respond(Reply(200, Page[Upload](items=items, next_cursor=cursor).model_dump_json()))


@router.get("/{upload_id}", response_model=Upload, operation_id="get_upload", summary="Get an upload")
def show(upload_id: UploadId, caller: Writer, service: ServiceOf) -> Response:
    """How one's own upload stands."""
    with service.database.reading(reach_of(caller)) as connection:
        row = _find(service, connection, caller, upload_id)
    return respond(Reply(200, Upload.model_validate(row).model_dump_json()))


@router.get(
    "/{upload_id}/rows", response_model=Page[UploadRowResult], operation_id="list_upload_rows", summary="List the rows of an upload"
)
def report(upload_id: UploadId, caller: Writer, service: ServiceOf, query: Annotated[ReportQuery, Query()]) -> Response:
    """What became of each row of one's own upload, in the order of the file."""
    size = service.parts.page_size(query.limit)
    after = read_cursor(query.cursor) or "0"
    if not after.isdigit() or len(after) > 9:
        raise bad_cursor()
    with service.database.reading(reach_of(caller)) as connection:
        _find(service, connection, caller, upload_id)
        rows = find_upload_rows(connection, upload_id, int(after), size + 1, query.only_rejected)
    shown, cursor = page_of(rows, size, "line")
    items = [UploadRowResult.model_validate({**row, "faults": _list_faults(row)}) for row in shown]
    return respond(Reply(200, Page[UploadRowResult](items=items, next_cursor=cursor).model_dump_json()))


@contextmanager
def _arriving(service: Service, client_id: str) -> Iterator[None]:
    """One of the client's files that are on their way; runs on the event loop alone, so that the count needs no lock.

    Raises:
        BusyError: there are enough of them.
    """
    if service.arriving[client_id] >= service.settings.max_uploads_on_the_way:
        raise BusyError("too-many-uploads", "other uploads of this client are on their way", headers={"Retry-After": "10"})
    service.arriving[client_id] += 1
    try:
        yield
    finally:
        service.arriving[client_id] -= 1


def _take(service: Service, request: Request, intent: Intent, query: UploadQuery, file: IO[bytes]) -> Response:
    check_file(file, service.settings.max_upload_rows)
    caller: Caller = request.state.caller
    order = Order(Mode(query.mode), query.dry_run, service.settings.upload_chunk_rows)
    with ExitStack() as turn:
        with change_of(service.database, reach_of(caller), actor_of(caller)) as change:
            reply = _find_earlier(service, change, caller, intent)
            if reply is None:
                _take_turn(service, turn)
                upload_id = open_upload(change, caller, order)
                service.memory.claim(change.connection, intent, f"{PATH}/{upload_id}", change.now)
        if reply is None:
            reply = _run(service, Opened(caller, upload_id, order, intent, request.state.request_id), file)
    if reply.status >= 400:
        request.state.problem = _REJECTED
    return respond(reply)


def _take_turn(service: Service, turn: ExitStack) -> None:
    """Of the files that are taken at once this is one, until the block ends.

    Raises:
        BusyError: there are enough of them.
    """
    if not service.uploads.acquire(blocking=False):
        raise BusyError("too-many-uploads", "other uploads are being taken; send the same request again", headers={"Retry-After": "10"})
    turn.callback(service.uploads.release)


def _run(service: Service, opened: Opened, file: IO[bytes]) -> Reply:
    replies: list[Reply] = []

    def finish(connection: Connection, row: Row) -> None:
        replies.append(_reply_of(row, opened.request_id))
        service.memory.keep(connection, opened.intent, replies[0], row["touched_at"])

    task = Task(service.database, opened.caller, opened.upload_id, opened.order, finish)
    row = run_upload(task, read_rows(file, service.settings.is_check_digit_enforced))
    for outcome in ("accepted", "unchanged", "valid", "rejected"):
        service.upload_rows.labels(outcome).inc(row[f"rows_{outcome}"])
    return replies[0]


def _find_earlier(service: Service, change: Change, caller: Caller, intent: Intent) -> Reply | None:
    """What the same request was answered; None where it was not made, or came to nothing.

    Raises:
        ConflictError: it is being worked on.
    """
    reply = service.memory.find(change.connection, intent, change.now)
    if reply is None or reply.status != IN_PROGRESS:
        return reply
    earlier = _find(service, change.connection, caller, str(reply.location).rpartition("/")[2])
    if earlier["state"] == RUNNING:
        detail = "the same upload is being taken; ask for its answer again, or see how it stands"
        members = {"upload_id": earlier["upload_id"]}
        raise ConflictError("request-in-progress", detail, members, {"Retry-After": "5", "Location": str(reply.location)})
    return None


def _reply_of(row: Row, request_id: str) -> Reply:
    """201 where the file was taken, 200 where it was tried and would be; 422 where nothing was or would be stored."""
    location = f"{PATH}/{row['upload_id']}"
    upload = Upload.model_validate(row)
    if row["problem"] is None:
        return Reply(200 if row["is_dry_run"] else 201, upload.model_dump_json(), location=location)
    detail = f"{row['problem']}; {location}/rows?only_rejected=true says why"
    error = InvalidError(_REJECTED, detail, {"upload": upload.model_dump(mode="json")})
    return Reply(error.status, json.dumps(describe_problem(error, request_id)), location=location)


def _list_faults(row: Row) -> list[dict[str, str]]:
    """All faults; of reports from before they were all kept the first."""
    if row["faults"]:
        faults: list[dict[str, str]] = json.loads(row["faults"])
        return faults
    return [{"rule": row["rule"], "detail": row["detail"]}] if row["rule"] else []


def _find(service: Service, connection: Connection, caller: Caller, upload_id: str) -> Row:
    return find_upload(connection, caller, upload_id, _stale_before(service, connection))


def _stale_before(service: Service, connection: Connection) -> datetime:
    return service.database.now(connection) - timedelta(seconds=service.settings.upload_stale_seconds)
