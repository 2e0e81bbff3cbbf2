"""The OpenAPI document: what FastAPI derives from the routes, with examples, headers and the rejections that can happen at each."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from fmar_spark.services.web.problems import TITLES

_JSON: Final = "application/json"
_ALWAYS: Final = frozenset({400, 429, 503})
_WITH_TOKEN: Final = frozenset({401, 403})
_WITH_BODY: Final = frozenset({408, 413, 415})
_OF_CHANGES: Final = frozenset({409})
_WITH_IF_MATCH: Final = frozenset({412, 428})
_OF_FORMAT: Final[dict[str, object]] = {"date-time": "2026-01-31T17:30:00Z", "date": "2026-01-31"}
_OF_TYPE: Final[dict[str, object]] = {"string": "text", "integer": 1, "number": 7.2, "boolean": True, "null": None}
_HEADERS: Final[dict[str, Any]] = {
    "X-Request-ID": {"description": "Id of this request in the audit.", "schema": {"type": "string"}},
    "RateLimit-Policy": {
        "description": "Requests at once, and the seconds in which so many are there again.",
        "schema": {"type": "string"},
    },
    "RateLimit": {"description": "Requests that are left, and the seconds until all are there again.", "schema": {"type": "string"}},
}
_ETAG: Final[dict[str, Any]] = {
    "ETag": {"description": "Of this version; send it as If-Match or If-None-Match.", "schema": {"type": "string"}}
}
_IF_NONE_MATCH: Final[dict[str, Any]] = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": 1000},
    "description": "ETags of answers that the caller has: 304 where one of them still holds.",
    "example": '"v1"',
}


def build_document(app: FastAPI, examples: Mapping[str, object]) -> dict[str, Any]:
    """The document of the application as it is now; ``examples`` are values by the names of fields and parameters."""
    document = get_openapi(title=app.title, version=app.version, summary=app.summary, openapi_version="3.1.0", routes=app.routes)
    book = _Examples(document["components"]["schemas"], examples)
    document["components"]["headers"] = {**_HEADERS, **_ETAG}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(operation, method, "{" in path, book)
    return document


class _Examples:
    """Example values of schemas."""

    def __init__(self, schemas: Mapping[str, Any], named: Mapping[str, object]) -> None:
        self._schemas = schemas
        self._named = named

    def is_versioned(self, schema: Mapping[str, Any]) -> bool:
        """Whether the schema is that of a version, which has an ETag."""
        return "version" in self._schemas.get(schema.get("$ref", "").rpartition("/")[2], {}).get("properties", {})

    def of(self, schema: Mapping[str, Any], name: str = "") -> object:
        """A value that the schema takes; that of the field's name where there is one."""
        if "$ref" in schema:
            schema = self._schemas[schema["$ref"].rpartition("/")[2]]
        if "properties" in schema:
            return {key: self.of(value, key) for key, value in schema["properties"].items()}
        if schema.get("type") == "array":
            return [self.of(schema["items"], name)]
        variants = schema.get("anyOf", [schema])
        listed = schema.get("enum", [schema["const"]] if "const" in schema else schema.get("examples", []))
        if name in self._named and (not listed or self._named[name] in listed):
            return self._named[name]
        if listed:
            return listed[0]
        if "anyOf" in schema:
            return self.of(variants[0], name)
        default = schema.get("default")
        return _OF_FORMAT.get(schema.get("format", ""), _OF_TYPE.get(schema.get("type", ""))) if default is None else default


def _complete(operation: dict[str, Any], method: str, has_path_values: bool, book: _Examples) -> None:
    is_change = method not in {"get", "head"}
    for parameter in operation.get("parameters", ()):
        parameter.setdefault("example", book.of(parameter["schema"], parameter["name"]))
    body = operation.get("requestBody", {}).get("content", {})
    for content in body.values():
        content.setdefault("example", book.of(content["schema"]))
    names = {parameter["name"] for parameter in operation.get("parameters", ())}
    kept = _ALWAYS | (_WITH_TOKEN if "security" in operation else frozenset()) | (_WITH_BODY if body else frozenset())
    kept |= (_OF_CHANGES if is_change else frozenset()) | (_WITH_IF_MATCH if "If-Match" in names else frozenset())
    kept |= ({404} if has_path_values or is_change else set()) | ({422} if names or body else set())
    answers = operation["responses"]
    for status in set(answers) & {str(status) for status in TITLES}:
        if int(status) not in kept:
            del answers[status]
    for status, answer in list(answers.items()):
        if status.startswith("2"):
            _describe_success(operation, method, answer, book)


def _describe_success(operation: dict[str, Any], method: str, answer: dict[str, Any], book: _Examples) -> None:
    offered = answer.get("content", {})
    content = offered.get(_JSON)
    if "security" not in operation or content is None:
        return
    if "example" not in content and "examples" not in content:
        content["example"] = book.of(content["schema"])
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS}
    if (method == "get" and set(offered) == {_JSON}) or book.is_versioned(content["schema"]):
        headers["ETag"] = {"$ref": "#/components/headers/ETag"}
    answer["headers"] = {**headers, **answer.get("headers", {})}
    if method == "get" and "ETag" in answer["headers"]:
        operation["responses"].setdefault("304", {"description": "What If-None-Match names still holds."})
        if all(parameter["name"] != "If-None-Match" for parameter in operation.setdefault("parameters", [])):
            operation["parameters"].append(_IF_NONE_MATCH)
