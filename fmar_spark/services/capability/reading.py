"""What every read answers with: who asks, what they see of it, from which file, and in which format."""

import hashlib
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, NamedTuple
from urllib.parse import urlencode

import pyarrow as pa
from fastapi import Depends, Request, Response
from fastapi.responses import StreamingResponse

from fmar_spark.engine.model_file import Manifest
from fmar_spark.services.capability.access import Matrix, View, view_of
from fmar_spark.services.capability.answers import (
    CACHE_CONTROL,
    Format,
    answer,
    answer_unchanged,
    choose_format,
    encode_json,
    encode_rows,
    list_rows,
    stream_rows,
)
from fmar_spark.services.capability.queries import Filters, Part, Question, ask, read_cursor, write_cursor
from fmar_spark.services.capability.resources import Resource
from fmar_spark.services.capability.rights import LiveRights
from fmar_spark.services.capability.served_model import ModelSource, ServedModel, describe_moment
from fmar_spark.services.web.access import Caller, ServiceParts, authenticate
from fmar_spark.services.web.models import PageQuery
from fmar_spark.services.web.problems import MissingError
from fmar_spark.services.web.replies import is_same

_PAGING: Final = frozenset(PageQuery.model_fields)
_ETAG_CHARACTERS: Final = 32
_METERS_AT_ONCE: Final = 100
_MOST_NAMED: Final = 2_000
"""Meter points that a query names one by one; a query for more reads all rows once."""


@dataclass(frozen=True)
class Reads:
    """The read side of a running service."""

    matrix: Matrix
    models: ModelSource
    rights: LiveRights
    parts: ServiceParts


class Asked(NamedTuple):
    """What a request wants of an endpoint."""

    resource: Resource
    filters: Filters
    cursor: str | None = None
    limit: int | None = None


class Found(NamedTuple):
    """The rows of one page, and what they rest on."""

    rows: pa.Table
    next_cursor: str | None
    manifest: Manifest


def reads_of(request: Request) -> Reads:
    """The read side of the service that the request came to."""
    reads: Reads = request.app.state.reads
    return reads


ReadsOf = Annotated[Reads, Depends(reads_of)]
Reader = Annotated[Caller, Depends(authenticate)]


def filters_of(query: PageQuery, **given: object) -> Filters:
    """The filters of a request: what its path and its query name."""
    asked = query.model_dump(mode="json", exclude_none=True)
    return {**{name: value for name, value in asked.items() if name not in _PAGING}, **given}


def find_page(reads: Reads, caller: Caller, asked: Asked) -> Found:
    """One page of the rows that the caller sees and asks for.

    Raises:
        ForbiddenError: the endpoint, or a field of a filter, is not the caller's to see.
        InvalidError: the cursor was given for another question, or the page is too large.
    """
    view = view_of(reads.matrix, asked.resource, caller)
    return _find(reads, caller, asked, view, reads.models.current())


def find_all(reads: Reads, caller: Caller, resource: Resource, most: int, **filters: object) -> list[dict[str, Any]]:
    """Rows for a page of the dashboard, without their next page; at most ``most``."""
    view = view_of(reads.matrix, resource, caller)
    return list_rows(_read_part(reads, caller, Asked(resource, filters), view, reads.models.current(), Part(None, most)))


def summarise(reads: Reads, caller: Caller, resource: Resource, selected: str) -> list[dict[str, Any]]:
    """Sums over all rows that the caller sees; ``selected`` is what a query says after SELECT, with ``rows`` as the relation's name."""
    view = view_of(reads.matrix, resource, caller)
    held = _list_held(reads, caller, resource, view)
    part = Part(mpan_ids=held if held is not None and len(held) <= _MOST_NAMED else None)
    question = ask(view, resource, {}, part)
    return list_rows(
        _read(
            reads, caller, view, Question(f"WITH rows AS ({question.text}) SELECT {selected}", question.parameters), reads.models.current()
        )
    )


def find_one(reads: Reads, caller: Caller, resource: Resource, **key: object) -> tuple[dict[str, Any], Manifest]:
    """The row of a key.

    Raises:
        MissingError: there is none, or none that the caller may know of.
    """
    view, model = view_of(reads.matrix, resource, caller), reads.models.current()
    rows = list_rows(_read(reads, caller, view, ask(view, resource, key, Part(None, 1)), model))
    if not rows:
        raise MissingError("no-such-row", f"{resource.title}: there is none of that id")
    return rows[0], model.manifest


def answer_page(reads: Reads, request: Request, caller: Caller, asked: Asked) -> Response:
    """One page in the format that the caller accepts."""
    format = choose_format(request.headers.get("Accept"))
    view, model = view_of(reads.matrix, asked.resource, caller), reads.models.current()
    headers = headers_of(model.manifest)
    known = request.headers.get("If-None-Match")
    if not view.needs_claims:
        # The file never changes: what was asked of it says what is answered, before anything is read.
        headers["ETag"] = _etag(model.manifest.sha256, view.query, view.parameters, sorted(asked.filters.items()), asked[2:], format)
        if is_same(known, headers["ETag"]):
            read_cursor(asked.cursor, caller, asked.resource, asked.filters)
            return answer_unchanged(headers)
    found = _find(reads, caller, asked, view, model)
    if found.next_cursor:
        headers["Link"] = f'<{request.url.path}?{_next_query(request, found.next_cursor)}>; rel="next"'
    if format is Format.JSON:
        document = {"as_of": describe_moment(found.manifest), "items": list_rows(found.rows), "next_cursor": found.next_cursor}
        body = encode_json(document)
    else:
        body = encode_rows(found.rows, format)
    if view.needs_claims:
        headers["ETag"] = _etag(body, format)
        if is_same(known, headers["ETag"]):
            return answer_unchanged(headers)
    return answer(body, format, headers)


def answer_one(request: Request, row: Mapping[str, Any], manifest: Manifest) -> Response:
    """One row as JSON."""
    choose_format(request.headers.get("Accept"), (Format.JSON,))
    headers = headers_of(manifest)
    body = encode_json({"as_of": describe_moment(manifest), **row})
    headers["ETag"] = _etag(body)
    if is_same(request.headers.get("If-None-Match"), headers["ETag"]):
        return answer_unchanged(headers)
    return answer(body, Format.JSON, headers)


def answer_export(reads: Reads, caller: Caller, asked: Asked, format: Format, name: str) -> Response:
    """Every row that the caller sees and asks for, as a file that is sent while it is read."""
    view, model = view_of(reads.matrix, asked.resource, caller), reads.models.current()
    question = ask(view, asked.resource, asked.filters)
    schema, batches = model.stream(question.text, question.parameters, _relations(reads, caller, view))
    ending = {Format.JSON: "json", Format.CSV: "csv", Format.ARROW: "arrows"}[format]
    headers = {
        "Cache-Control": CACHE_CONTROL,
        "Vary": "Accept, Authorization",
        "Content-Disposition": f'attachment; filename="{name}-{model.manifest.as_of_date}.{ending}"',
        **headers_of(model.manifest),
    }
    parts = _stream_json(model.manifest, batches) if format is Format.JSON else stream_rows(schema, batches, format)
    return StreamingResponse(parts, 200, headers, media_type=str(format))


def headers_of(manifest: Manifest) -> dict[str, str]:
    """What every answer says of its data beside the body."""
    return {"X-As-Of-Date": str(manifest.as_of_date), "X-Model-Id": manifest.model_id}


def _find(reads: Reads, caller: Caller, asked: Asked, view: View, model: ServedModel) -> Found:
    size = reads.parts.page_size(asked.limit)
    after = read_cursor(asked.cursor, caller, asked.resource, asked.filters)
    rows = _read_part(reads, caller, asked, view, model, Part(after, size + 1))
    if rows.num_rows <= size:
        return Found(rows, None, model.manifest)
    last = {name: rows.column(name)[size - 1].as_py() for name in asked.resource.key}
    return Found(rows.slice(0, size), write_cursor(caller, asked.resource, asked.filters, last), model.manifest)


def _read_part(reads: Reads, caller: Caller, asked: Asked, view: View, model: ServedModel, part: Part) -> pa.Table:
    """Rows in the order of their key; of a portfolio meter point by meter point until there are enough, without reading the fleet."""
    held = _list_held(reads, caller, asked.resource, view)
    if held is None or part.limit is None:
        return _read(reads, caller, view, ask(view, asked.resource, asked.filters, part), model)
    wanted = asked.filters.get("mpan_id")
    first = bisect_left(held, str(part.after[0])) if part.after else 0
    mpan_ids = held[first:] if wanted is None else [mpan_id for mpan_id in held[first:] if mpan_id == wanted]
    found: list[pa.Table] = []
    rows = 0
    for begin in range(0, max(len(mpan_ids), 1), _METERS_AT_ONCE):
        chosen = Part(part.after, part.limit - rows, mpan_ids[begin : begin + _METERS_AT_ONCE] or [""])
        found.append(_read(reads, caller, view, ask(view, asked.resource, asked.filters, chosen), model))
        rows += found[-1].num_rows
        if rows >= part.limit:
            break
    return pa.concat_tables(found)


def _list_held(reads: Reads, caller: Caller, resource: Resource, view: View) -> list[str] | None:
    """Meter points of the caller's verified claims in order, where an endpoint lists by them; else None."""
    if not view.needs_claims or resource.key[0] != "mpan_id":
        return None
    return list(dict.fromkeys(reads.rights.of(caller)["verified_claims"].column("mpan_id").to_pylist()))


def _read(reads: Reads, caller: Caller, view: View, question: Question, model: ServedModel) -> pa.Table:
    return model.read(question.text, question.parameters, _relations(reads, caller, view))


def _relations(reads: Reads, caller: Caller, view: View) -> Mapping[str, pa.Table]:
    return reads.rights.of(caller) if view.needs_claims else {}


def _stream_json(manifest: Manifest, batches: Iterator[pa.RecordBatch]) -> Iterator[bytes]:
    yield b'{"as_of":' + encode_json(describe_moment(manifest)) + b',"items":['
    is_first = True
    for batch in batches:
        for row in list_rows(pa.Table.from_batches([batch])):
            yield (b"" if is_first else b",\n") + encode_json(row)
            is_first = False
    yield b"]}"


def _next_query(request: Request, cursor: str) -> str:
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    return urlencode([*kept, ("cursor", cursor)])


def _etag(*parts: object) -> str:
    digest = hashlib.sha256()
    for part in parts:
        raw = part if isinstance(part, bytes) else repr(part).encode()
        digest.update(len(raw).to_bytes(8, "big"))
        digest.update(raw)
    return f'"{digest.hexdigest()[:_ETAG_CHARACTERS]}"'
