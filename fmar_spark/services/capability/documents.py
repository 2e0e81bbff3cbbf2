"""How routes describe themselves in OpenAPI: titles, formats with examples, and the headers of an answer."""

from typing import Any, Final

from fmar_spark.services.capability.answers import Format
from fmar_spark.services.capability.resources import Resource
from fmar_spark.services.capability.schemas import example_of, one_model, page_model
from fmar_spark.services.web.models import Problem
from fmar_spark.services.web.problems import PROBLEM_MEDIA_TYPE, TITLES

_AS_OF: Final = {"as_of_date": "2026-01-31", "published_at": "2026-02-01T04:12:09Z", "model_id": "6596e5300c18"}
_HEADERS: Final[dict[str, Any]] = {
    "ETag": {"description": "Of this answer; send it as If-None-Match.", "schema": {"type": "string"}},
    "X-As-Of-Date": {"description": "Newest local day that a derived figure stands for.", "schema": {"type": "string"}},
    "X-Model-Id": {"description": "Short name of the content that is served.", "schema": {"type": "string"}},
}
_LINK: Final[dict[str, Any]] = {"Link": {"description": 'The next page, rel="next"; absent at the end.', "schema": {"type": "string"}}}
_NOT_ACCEPTABLE: Final[dict[int | str, Any]] = {
    406: {
        "description": TITLES[406],
        "model": Problem,
        "content": {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}
_UNCHANGED: Final[dict[int | str, Any]] = {304: {"description": "What If-None-Match names still holds."}}


def describe_list(resource: Resource, operation_id: str, title: str) -> dict[str, Any]:
    """Of a route that gives pages of rows."""
    example = {"as_of": _AS_OF, "items": [_example(resource)], "next_cursor": None}
    content = {Format.JSON.value: {"example": example}, **_plain(resource)}
    responses: dict[int | str, Any] = {
        200: {"description": "One page.", "content": content, "headers": {**_HEADERS, **_LINK}},
        **_UNCHANGED,
    }
    return {"response_model": page_model(resource), "responses": responses, "operation_id": operation_id, "summary": title}


def describe_export(resource: Resource, operation_id: str, title: str) -> dict[str, Any]:
    """Of a route that gives all rows as a file."""
    example = {"as_of": _AS_OF, "items": [_example(resource)]}
    content = {Format.JSON.value: {"example": example}, **_plain(resource)}
    responses: dict[int | str, Any] = {200: {"description": "The file.", "content": content}, **_NOT_ACCEPTABLE}
    return {"response_model": page_model(resource), "responses": responses, "operation_id": operation_id, "summary": title}


def describe_one(resource: Resource, operation_id: str, title: str) -> dict[str, Any]:
    """Of a route that gives one row."""
    content = {Format.JSON.value: {"example": {"as_of": _AS_OF, **_example(resource)}}}
    responses: dict[int | str, Any] = {
        200: {"description": resource.title, "content": content, "headers": _HEADERS},
        **_UNCHANGED,
        **_NOT_ACCEPTABLE,
    }
    return {"response_model": one_model(resource), "responses": responses, "operation_id": operation_id, "summary": title}


def _example(resource: Resource) -> dict[str, Any]:
    return {column.name: example_of(column) for column in resource.columns}


def _plain(resource: Resource) -> dict[str, Any]:
    header = ",".join(resource.fields[:4])
    return {
        Format.CSV.value: {"schema": {"type": "string"}, "example": f"{header},...\r\n"},
        Format.ARROW.value: {"schema": {"type": "string", "format": "binary"}},
    }
