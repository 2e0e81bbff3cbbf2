"""Files of agreements over HTTP: the body goes to disk as it comes, and is then checked row by row."""

import hashlib
import tempfile
from datetime import timedelta
from typing import IO, Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Connection

from fmar_spark.services.register.access import Action, reach_of
from fmar_spark.services.register.bodies import ReportQuery, Upload, UploadQuery, UploadRowResult
from fmar_spark.services.register.csv_rows import check_file, read_rows
from fmar_spark.services.register.records import Row
from fmar_spark.services.register.service import Service, ServiceOf, allowed
from fmar_spark.services.register.uploads import Mode, Order, apply_upload, find_upload, find_upload_rows
from fmar_spark.services.web.access import Caller
from fmar_spark.services.web.idempotency import IdempotencyKey, Intent, digest_of
from fmar_spark.services.web.models import ID_PATTERN, Page, bad_cursor, page_of, read_cursor
from fmar_spark.services.web.problems import MediaTypeError
from fmar_spark.services.web.replies import Reply, respond

PATH: Final = "/v1/uploads"
router = APIRouter(prefix=PATH, tags=["uploads"])
Writer = Annotated[Caller, Depends(allowed(Action.WRITE_AGREEMENTS))]
UploadId = Annotated[str, Path(pattern=ID_PATTERN)]
_IN_MEMORY_BYTES = 2**20
_CSV_BODY = {
    "requestBody": {
        "required": True,
        "content": {"text/csv": {"schema": {"type": "string", "description": "UTF-8, with a header; see docs/register.md."}}},
    }
}


@router.post("", status_code=201, response_model=Upload, openapi_extra=_CSV_BODY)
async def upload(
    request: Request, caller: Writer, service: ServiceOf, query: Annotated[UploadQuery, Query()], key: IdempotencyKey = None
) -> Response:
    """Take a CSV of the caller's agreements: all or nothing, in part, or for trial; the report has a line for every row."""
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "text/csv":
        raise MediaTypeError("csv-wanted", "Content-Type: text/csv wanted")
    digest = hashlib.sha256()
    with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as file:
        async for block in request.stream():
            digest.update(block)
            await run_in_threadpool(file.write, block)
        intent = Intent(caller.client_id, key, digest_of("upload", query.model_dump_json(), digest.hexdigest()))
        return await run_in_threadpool(_take, service, caller, query, intent, file)


@router.get("/{upload_id}", response_model=Upload)
def show(upload_id: UploadId, caller: Writer, service: ServiceOf) -> Response:
    """How one's own upload stands."""
    with service.database.reading(reach_of(caller)) as connection:
        row = _find(service, connection, caller, upload_id)
    return respond(Reply(200, Upload.model_validate(row).model_dump_json()))


@router.get("/{upload_id}/rows", response_model=Page[UploadRowResult])
def report(upload_id: UploadId, caller: Writer, service: ServiceOf, query: Annotated[ReportQuery, Query()]) -> Response:
    """What became of each row of one's own upload, in the order of the file."""
    size = service.parts.page_size(query.limit)
    after = read_cursor(query.cursor) or "0"
    if not after.isdigit() or len(after) > 9:
        raise bad_cursor()
    with service.database.reading(reach_of(caller)) as connection:
        _find(service, connection, caller, upload_id)
        rows = find_upload_rows(connection, upload_id, int(after), size + 1, query.only_refused)
    shown, cursor = page_of(rows, size, "line")
    items = [UploadRowResult.model_validate(row) for row in shown]
    return respond(Reply(200, Page[UploadRowResult](items=items, next_cursor=cursor).model_dump_json()))


def _take(service: Service, caller: Caller, query: UploadQuery, intent: Intent, file: IO[bytes]) -> Response:
    with service.database.reading(reach_of(caller)) as connection:
        reply = service.memory.find(connection, intent, service.database.now(connection))
    if reply is not None:
        return respond(reply)
    check_file(file, service.settings.max_upload_rows)
    replies: list[Reply] = []

    def finish(connection: Connection, row: Row) -> None:
        body = Upload.model_validate(row).model_dump_json()
        replies.append(Reply(201, body, location=f"{PATH}/{row['upload_id']}"))
        service.memory.keep(connection, intent, replies[0], row["touched_at"])

    order = Order(Mode(query.mode), query.dry_run, service.settings.upload_chunk_rows)
    row = apply_upload(service.database, caller, read_rows(file, service.settings.is_check_digit_enforced), order, finish)
    for outcome in ("accepted", "unchanged", "refused"):
        service.upload_rows.labels(outcome).inc(row[f"rows_{outcome}"])
    return respond(replies[0])


def _find(service: Service, connection: Connection, caller: Caller, upload_id: str) -> Row:
    stale_before = service.database.now(connection) - timedelta(seconds=service.settings.upload_stale_seconds)
    return find_upload(connection, caller, upload_id, stale_before)
