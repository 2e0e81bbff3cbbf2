"""The page on which a browser shows every operation and tries it: served from the package, so that it works without any other host."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fmar_spark.services.web.access import limit_anonymous

router = APIRouter(include_in_schema=False)
_FOLDER: Final = Path(__file__).parent / "docs"
_PAGES: Final = Environment(
    loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_MOST_ROWS: Final = 14


class Field(NamedTuple):
    """A parameter, or a field of a body."""

    name: str
    kind: str
    meaning: str
    is_required: bool
    place: str = ""
    """path, query or header."""
    example: str = ""


class Body(NamedTuple):
    """What is sent with a request."""

    media_type: str
    example: str
    rows: int
    fields: list[Field]


class Answer(NamedTuple):
    """One status that an operation answers."""

    status: str
    meaning: str
    example: str


class Operation(NamedTuple):
    """One operation as the page shows it."""

    id: str
    method: str
    path: str
    title: str
    description: str
    is_secured: bool
    parameters: list[Field]
    body: Body | None
    answers: list[Answer]


@router.get("/docs")
async def docs(request: Request) -> Response:
    """Every operation, to read and to try."""
    limit_anonymous(request)
    page = getattr(request.app.state, "docs_page", None) or render_page(request.app.openapi())
    request.app.state.docs_page = page
    return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY})


@router.get("/docs/docs.css")
async def style(request: Request) -> Response:
    """How the page looks."""
    limit_anonymous(request, "docs")
    return Response((_FOLDER / "docs.css").read_bytes(), media_type="text/css")


@router.get("/docs/docs.js")
async def script(request: Request) -> Response:
    """What sends the requests that are tried."""
    limit_anonymous(request, "docs")
    return Response((_FOLDER / "docs.js").read_bytes(), media_type="text/javascript")


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """The schema of every endpoint."""
    limit_anonymous(request)
    return JSONResponse(request.app.openapi())


def render_page(document: Mapping[str, Any]) -> str:
    """The page of an OpenAPI document."""
    info = document["info"]
    named = {"title": info["title"], "version": info["version"], "summary": info.get("summary", ""), "openapi": document["openapi"]}
    return _PAGES.get_template("docs.html").render(**named, tags=list_operations(document))


def list_operations(document: Mapping[str, Any]) -> dict[str, list[Operation]]:
    """What an OpenAPI document offers, by tag."""
    schemas = document["components"]["schemas"]
    tags: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method, found in methods.items():
            operation = Operation(
                id=found["operationId"],
                method=method,
                path=path,
                title=found["summary"],
                description=found.get("description", ""),
                is_secured="security" in found,
                parameters=[_describe_parameter(one, schemas) for one in found.get("parameters", ())],
                body=_describe_body(found.get("requestBody", {}).get("content", {}), schemas),
                answers=[_describe_answer(status, answer) for status, answer in sorted(found["responses"].items())],
            )
            tags.setdefault((found.get("tags") or ["other"])[0], []).append(operation)
    return tags


def _describe_parameter(parameter: Mapping[str, Any], schemas: Mapping[str, Any]) -> Field:
    schema = parameter["schema"]
    meaning = parameter.get("description", schema.get("description", ""))
    example = parameter.get("example")
    return Field(
        parameter["name"],
        _name_type(schema, schemas),
        meaning,
        parameter.get("required", False),
        parameter["in"],
        "" if example is None else str(example),
    )


def _describe_body(content: Mapping[str, Any], schemas: Mapping[str, Any]) -> Body | None:
    for media_type, found in content.items():
        schema = schemas.get(found["schema"].get("$ref", "").rpartition("/")[2], {})
        required = schema.get("required", ())
        fields = [
            Field(name, _name_type(of, schemas), of.get("description", ""), name in required)
            for name, of in schema.get("properties", {}).items()
        ]
        example = _show(found["example"])
        return Body(media_type, example, min(_MOST_ROWS, example.count("\n") + 2), fields)
    return None


def _describe_answer(status: str, answer: Mapping[str, Any]) -> Answer:
    examples = [content["example"] for content in answer.get("content", {}).values() if "example" in content]
    return Answer(status, answer["description"], _show(examples[0]) if examples else "")


def _show(example: object) -> str:
    return example if isinstance(example, str) else json.dumps(example, indent=2, ensure_ascii=False)


def _name_type(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        return " or ".join(_name_type(one, schemas) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(str(word) for word in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_name_type(schema['items'], schemas)}"
    return str(schema.get("format", schema.get("type", "any")))
