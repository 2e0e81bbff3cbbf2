"""What every read answers with: who asks, what they see of it, from which file, and in which format."""

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, NamedTuple
from urllib.parse import urlencode

import pyarrow as pa
from fastapi import Depends, Request, Response
from fastapi.responses import StreamingResponse

from fmar_spark.engine.model_file import Manifest
from fmar_spark.services.capability.access import Matrix, View, Views
from fmar_spark.services.capability.answers import (
    CACHE_CONTROL,
    AnswerMemory,
    Format,
    Kept,
    answer,
    choose_format,
    clean_rows,
    encode_json,
    encode_rows,
    name_question,
    stream_rows,
)
from fmar_spark.services.capability.queries import Filters, Part, Question, ask, read_cursor, write_cursor
from fmar_spark.services.capability.resources import Resource
from fmar_spark.services.capability.rights import NO_RIGHTS, LiveRights, Rights
from fmar_spark.services.capability.served_model import ModelSource, Row, ServedModel, describe_moment
from fmar_spark.services.web.access import Caller, ServiceParts, authenticate
from fmar_spark.services.web.models import PageQuery
from fmar_spark.services.web.problems import MissingError

_PAGING: Final = frozenset(PageQuery.model_fields)
_ETAG_CHARACTERS: Final = 32
_NAMED_AT_ONCE: Final = 100
_NAMED_FOR_ROW: Final = 1.25
"""So that one query finds a page where most names have a row."""
_MOST_NAMED: Final = 2_000
"""Values of a key that a query names one by one; a query for more reads all rows once."""
_NOBODYS: Final = ""
"""Names no row."""


@dataclass(frozen=True)
class Reads:
    """The read side of a running service."""

    matrix: Matrix
    views: Views
    models: ModelSource
    rights: LiveRights
    parts: ServiceParts
    answers: AnswerMemory


class Asked(NamedTuple):
    """What a request wants of an endpoint."""

    resource: Resource
    filters: Filters
    cursor: str | None = None
    limit: int | None = None


class Found(NamedTuple):
    """The rows of one page, and where the next begins."""

    rows: list[Row]
    next_cursor: str | None


class _Sight(NamedTuple):
    """What a caller sees of an endpoint at this moment: in which file, by which rights."""

    caller: Caller
    resource: Resource
    view: View
    model: ServedModel
    rights: Rights
    held: list[str] | None
    """Values of the key's first column in order, where all rows in scope are known by them."""

    def find(self, question: Question) -> list[Row]:
        """What the query finds."""
        return self.model.find(question.text, question.parameters, self.relations)

    @property
    def relations(self) -> Mapping[str, pa.Table]:
        """What the view's query names beside the file's tables."""
        return self.rights.relations if self.view.needs_claims else {}

    @property
    def whole(self) -> Part:
        """All rows in scope; a few that are known by name without reading the others."""
        is_few = self.held is not None and len(self.held) <= _MOST_NAMED
        return Part(named=(self.held or [_NOBODYS]) if is_few else None)

    def name_answer(self, *parts: object) -> str:
        """The ETag of what these parts ask: the file never changes, so it is known before anything is read.

        It names the party too, since a page holds a cursor that is the party's own.
        """
        party_id = self.caller.party_id
        seen = (self.model.manifest.sha256, party_id, self.resource.name, self.view.query, self.view.parameters, self.rights.mark)
        return f'"{hashlib.sha256(repr((seen, parts)).encode()).hexdigest()[:_ETAG_CHARACTERS]}"'


def reads_of(request: Request) -> Reads:
    """The read side of the service that the request came to."""
    reads: Reads = request.app.state.reads
    return reads


async def _depend_on_reads(request: Request) -> Reads:
    return reads_of(request)


ReadsOf = Annotated[Reads, Depends(_depend_on_reads)]
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
    found = _find_page(_look(reads, caller, asked.resource), asked, reads.parts.page_size(asked.limit))
    return found._replace(rows=clean_rows(found.rows))


def find_all(reads: Reads, caller: Caller, resource: Resource, most: int, **filters: object) -> list[Row]:
    """Rows for a page of the dashboard, without their next page; at most ``most``."""
    return clean_rows(_find_part(_look(reads, caller, resource), filters, Part(None, most)))


def find_foremost(reads: Reads, caller: Caller, resource: Resource, order: str, most: int, **filters: object) -> list[Row]:
    """Rows for a page of the dashboard, what matters most first; ``order`` is what a query says after ORDER BY."""
    return summarise(reads, caller, resource, f"* FROM rows ORDER BY {order} LIMIT {most:d}", **filters)


def summarise(reads: Reads, caller: Caller, resource: Resource, selected: str, **filters: object) -> list[Row]:
    """Sums over all rows that the caller sees; ``selected`` is what a query says after SELECT, with ``rows`` as the relation's name."""
    sight = _look(reads, caller, resource)
    question = ask(sight.view, resource, filters, sight.whole)
    return clean_rows(sight.find(Question(f"WITH rows AS ({question.text}) SELECT {selected}", question.parameters)))


def find_one(reads: Reads, caller: Caller, resource: Resource, **key: object) -> Row:
    """The row of a key.

    Raises:
        MissingError: there is none, or none that the caller may know of.
    """
    return clean_rows([_find_one(_look(reads, caller, resource), key)])[0]


def answer_page(reads: Reads, request: Request, caller: Caller, asked: Asked, within: Callable[[], object] | None = None) -> Response:
    """One page in the format that the caller accepts.

    Args:
        reads: the read side.
        request: its headers say which format, and what the caller has already.
        caller: who asks.
        asked: for what.
        within: raises where a page without rows is of something that does not exist.
    """
    format = choose_format(request.headers.get("Accept"))
    sight = _look(reads, caller, asked.resource)
    size = reads.parts.page_size(asked.limit)
    etag = sight.name_answer(sorted(asked.filters.items()), asked.cursor, size, format)
    headers = {**headers_of(sight.model.manifest), "ETag": etag}
    found = _find_page(sight, asked, size)
    if within is not None and not found.rows:
        within()
    if found.next_cursor:
        headers["Link"] = f'<{request.url.path}?{_next_query(request, found.next_cursor)}>; rel="next"'
    return _keep(reads, request, sight, answer(_encode_page(sight, asked, found, format), format, headers))


def answer_one(reads: Reads, request: Request, caller: Caller, resource: Resource, **key: object) -> Response:
    """One row as JSON.

    Raises:
        MissingError: there is none, or none that the caller may know of.
    """
    choose_format(request.headers.get("Accept"), (Format.JSON,))
    sight = _look(reads, caller, resource)
    etag = sight.name_answer(sorted(key.items()))
    body = encode_json({"as_of": describe_moment(sight.model.manifest), **_find_one(sight, key)})
    return _keep(reads, request, sight, answer(body, Format.JSON, {**headers_of(sight.model.manifest), "ETag": etag}))


def answer_export(reads: Reads, caller: Caller, asked: Asked, format: Format, name: str) -> Response:
    """Every row that the caller sees and asks for, as a file that is sent while it is read."""
    sight = _look(reads, caller, asked.resource)
    question, model = ask(sight.view, asked.resource, asked.filters, sight.whole), sight.model
    schema, batches = model.stream(question.text, question.parameters, sight.relations)
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


def _look(reads: Reads, caller: Caller, resource: Resource) -> _Sight:
    """What the caller sees of an endpoint now.

    Raises:
        ForbiddenError: nothing of it.
    """
    view, model = reads.views.find(resource, caller), reads.models.current()
    rights = reads.rights.of(caller) if view.needs_claims else NO_RIGHTS
    held = None
    if view.is_by_claims and resource.key[0] in {"mpan_id", "asset_id"}:
        held = rights.mpan_ids if resource.key[0] == "mpan_id" else model.find_asset_ids(rights)
    return _Sight(caller, resource, view, model, rights, held)


def _keep(reads: Reads, request: Request, sight: _Sight, response: Response) -> Response:
    """The answer, which is given again to the same question as long as neither the file nor the caller's rights change."""
    mark = sight.rights.mark if sight.view.needs_claims else None
    body, headers = bytes(response.body), tuple(response.raw_headers)
    kept = Kept(body, headers, request.scope.get("route"), sight.caller, sight.model.manifest.model_id, mark)
    reads.answers.keep(name_question(request.scope), kept)
    return response


def _find_page(sight: _Sight, asked: Asked, size: int) -> Found:
    after = read_cursor(asked.cursor, sight.caller, sight.resource, asked.filters)
    rows = _find_part(sight, asked.filters, Part(after, size + 1))
    if len(rows) <= size:
        return Found(rows, None)
    return Found(rows[:size], write_cursor(sight.caller, sight.resource, asked.filters, rows[size - 1]))


def _find_part(sight: _Sight, filters: Filters, part: Part) -> list[Row]:
    """Rows in the order of their key; those of claims by their names until there are enough, without reading the fleet."""
    if sight.held is None or part.limit is None:
        return sight.find(ask(sight.view, sight.resource, filters, part))
    wanted = filters.get(sight.resource.key[0])
    first = bisect_left(sight.held, str(part.after[0])) if part.after else 0
    names = sight.held[first:] if wanted is None else [name for name in sight.held[first:] if name == wanted]
    found: list[Row] = []
    at_once = max(int(part.limit * _NAMED_FOR_ROW), _NAMED_AT_ONCE)
    for begin in range(0, max(len(names), 1), at_once):
        chosen = Part(part.after, part.limit - len(found), names[begin : begin + at_once] or [_NOBODYS])
        found += sight.find(ask(sight.view, sight.resource, filters, chosen))
        if len(found) >= part.limit:
            break
    return found


def _find_one(sight: _Sight, key: Filters) -> Row:
    found = sight.find(ask(sight.view, sight.resource, key, Part(None, 1)))
    if not found:
        raise MissingError("no-such-row", f"{sight.resource.title}: there is none of that id")
    return found[0]


def _encode_page(sight: _Sight, asked: Asked, found: Found, format: Format) -> bytes:
    if format is Format.JSON:
        return encode_json({"as_of": describe_moment(sight.model.manifest), "items": found.rows, "next_cursor": found.next_cursor})
    question = ask(sight.view, asked.resource, asked.filters, Part(None, 0))
    schema, _ = sight.model.stream(question.text, question.parameters, sight.relations)
    return encode_rows(pa.Table.from_pylist(found.rows, schema), format)


def _stream_json(manifest: Manifest, batches: Iterator[pa.RecordBatch]) -> Iterator[bytes]:
    yield b'{"as_of":' + encode_json(describe_moment(manifest)) + b',"items":['
    is_first = True
    for batch in batches:
        for row in batch.to_pylist():
            yield (b"" if is_first else b",\n") + encode_json(row)
            is_first = False
    yield b"]}"


def _next_query(request: Request, cursor: str) -> str:
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    return urlencode([*kept, ("cursor", cursor)])
