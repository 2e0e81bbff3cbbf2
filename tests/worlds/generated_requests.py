"""Requests made up from a service's OpenAPI document, the same in every run; services of one document are sent the same ones."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import Any

import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
"""An answer is one that the document declares."""
PARTS = ("method", "path_parameters", "headers", "cookies", "query", "body", "media_type", "multipart_content_types")


def write_requests(app: Any, mode: GenerationMode, examples: int, known: Mapping[str, str], paths: Collection[str] = ()) -> Iterator[Any]:
    """Cases of every operation, to be sent to the application.

    Args:
        app: whose document it is.
        mode: right data or wrong ones.
        examples: cases of an operation at most; fewer where it takes no more, none where it cannot be sent wrong data.
        known: values of parameters of paths.
        paths: of the operations; all where none is named.
    """
    for operation in list_operations(app, paths):
        names = {parameter.name for parameter in operation.path_parameters}
        own = {name: value for name, value in known.items() if name in names}
        for parts in _make_up(_Described(operation), mode, examples, frozenset(own)):
            yield operation.Case(**parts | {"path_parameters": {**parts["path_parameters"], **own}})


def list_operations(app: Any, paths: Collection[str] = ()) -> list[Any]:
    """What an application's document describes."""
    found = (one.ok() for one in schemathesis.openapi.from_asgi("/openapi.json", app).get_all_operations())
    return [one for one in found if not paths or one.path in paths]


class _Described:
    """An operation that equals any other of the same description."""

    def __init__(self, operation: Any) -> None:
        self.operation = operation
        self.described = f"{operation.method} {operation.path} {operation.definition.raw!r}"

    def __hash__(self) -> int:
        return hash(self.described)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Described) and self.described == other.described


@cache
def _make_up(described: _Described, mode: GenerationMode, examples: int, known: frozenset[str]) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    fixed = dict.fromkeys(known, "known") or None

    @settings(max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(case=described.operation.as_strategy(mode, path_parameters=fixed))
    def keep(case: Any) -> None:
        made.append({name: getattr(case, name) for name in PARTS} | {"_meta": case.meta})

    with suppress(Unsatisfiable):
        keep()
    return made
