"""How rows are answered: as JSON, CSV or Arrow by what the caller accepts, with an ETag, and not at all where nothing changed."""

import csv
import hashlib
import io
import math
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Final, NamedTuple

import msgspec
import pyarrow as pa
from fastapi import Path, Response
from starlette.types import Scope

from fmar_spark.services.web.access import Caller
from fmar_spark.services.web.problems import NotAcceptableError

CACHE_CONTROL: Final = "private, no-cache"
"""A caller may keep an answer, and must ask whether it still holds."""
_FORMULA: Final = re.compile(r"[=+\-@\t\r]")
_QUALITY: Final = re.compile(r"q=(0(\.\d{0,3})?|1(\.0{0,3})?)", re.ASCII)
_MOST_RANGES: Final = 32
_SHARE_OF_ONE: Final = 20
_OVERHEAD: Final = 1500
"""Bytes of a kept answer beside its body."""
_HEADERS_OF_QUESTION: Final = frozenset({b"authorization", b"accept"})


class Format(StrEnum):
    """What an answer can be."""

    JSON = "application/json"
    CSV = "text/csv"
    ARROW = "application/vnd.apache.arrow.stream"


FileEnding = Annotated[str, Path(pattern="^(csv|json|arrows)$")]
"""Of a file that a page offers."""
FORMAT_OF_ENDING: Final = {"csv": Format.CSV, "json": Format.JSON, "arrows": Format.ARROW}


class Kept(NamedTuple):
    """An answer that may be given again: what it was, and for whom and on what it rests."""

    body: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    route: object
    """That gave it."""
    caller: Caller
    model_id: str
    rights_mark: str | None
    """Of the caller's rights in the register; None = the answer does not depend on them."""


class AnswerMemory:
    """The answers given last, by what was asked; whoever gives one again checks first on what it rests."""

    def __init__(self, most_bytes: int) -> None:
        """Nothing is kept yet.

        Args:
            most_bytes: of all bodies together; those that are asked for least recently go first.
        """
        self._most_bytes = most_bytes
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()
        self._bytes = 0
        self._turn = threading.Lock()

    def find(self, question: bytes) -> Kept | None:
        """The answer to it, if it is still there."""
        with self._turn:
            kept = self._kept.get(question)
            if kept is not None:
                self._kept.move_to_end(question)
            return kept

    def keep(self, question: bytes, kept: Kept) -> None:
        """It is there from now on, unless it is so large that many others would go."""
        if len(kept.body) > self._most_bytes // _SHARE_OF_ONE:
            return
        with self._turn:
            replaced = self._kept.pop(question, None)
            self._kept[question] = kept
            self._bytes += len(kept.body) + _OVERHEAD - (len(replaced.body) + _OVERHEAD if replaced else 0)
            while self._bytes > self._most_bytes:
                self._bytes -= len(self._kept.popitem(last=False)[1].body) + _OVERHEAD


def name_question(scope: Scope) -> bytes:
    """A digest of all that an answer to a request depends on in the request: the token, the path, the query and the format."""
    said = [header for header in scope["headers"] if header[0] in _HEADERS_OF_QUESTION]
    return hashlib.sha256(repr((scope["path"], scope["query_string"], said)).encode()).digest()


def choose_format(accept: str | None, offered: Sequence[Format] = tuple(Format)) -> Format:
    """The offered format that the header wants most (RFC 9110, 12.5.1); the first where it says nothing.

    Raises:
        NotAcceptableError: it wants none of them.
    """
    if not accept or not accept.strip():
        return offered[0]
    ranges = accept.split(",")
    best: tuple[float, int, Format] | None = None
    for place, format in enumerate(offered):
        quality = max((_match(one, format) for one in ranges[:_MOST_RANGES]), default=(0, 0.0))[1]
        if quality > 0 and (best is None or quality > best[0]):
            best = (quality, place, format)
    if best is None:
        raise NotAcceptableError("not-acceptable", f"one of {', '.join(offered)} is offered")
    return best[2]


def encode_json(document: object) -> bytes:
    """JSON; a number that is none becomes null."""
    return msgspec.json.encode(document)


def encode_rows(rows: pa.Table, format: Format) -> bytes:
    """The rows alone, as CSV or Arrow."""
    return b"".join(stream_rows(rows.schema, rows.to_batches(), format))


def stream_rows(schema: pa.Schema, batches: Iterable[pa.RecordBatch], format: Format) -> Iterator[bytes]:
    """The rows batch by batch, so that an export of any size takes the memory of one."""
    if format is Format.ARROW:
        yield from _stream_arrow(schema, batches)
        return
    yield _write_csv([schema.names])
    for batch in batches:
        columns = [column.to_pylist() for column in batch.columns]
        yield _write_csv([_cell(value) for value in row] for row in zip(*columns, strict=True))


def clean_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows without numbers that are none."""
    return [{name: _finite(value) for name, value in row.items()} for row in rows]


def answer(body: bytes, format: Format, headers: Mapping[str, str]) -> Response:
    """The answer with what caches must know."""
    said = {"Cache-Control": CACHE_CONTROL, "Vary": "Accept, Authorization", **headers}
    charset = "; charset=utf-8" if format is Format.CSV else ""
    return Response(body, 200, said, media_type=f"{format}{charset}")


def _match(range_text: str, format: Format) -> tuple[int, float]:
    """How closely a range of the header names the format, and how much it is wanted."""
    kind, *parameters = (part.strip().lower() for part in range_text.split(";"))
    family = format.partition("/")[0]
    closeness = {str(format): 3, f"{family}/*": 2, "*/*": 1}.get(kind, 0)
    if not closeness:
        return 0, 0.0
    for parameter in parameters:
        if parameter.startswith("q="):
            return (closeness, float(parameter[2:])) if _QUALITY.fullmatch(parameter) else (0, 0.0)
    return closeness, 1.0


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value: object) -> object:
    """As a spreadsheet takes it: nested values as JSON, and no text that it would run as a formula."""
    if isinstance(value, list | dict):
        return encode_json(value).decode()
    if isinstance(value, str) and _FORMULA.match(value):
        return f"'{value}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _finite(value)


def _write_csv(rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _stream_arrow(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            yield sink.getvalue()
            sink.seek(0)
            sink.truncate()
    yield sink.getvalue()
