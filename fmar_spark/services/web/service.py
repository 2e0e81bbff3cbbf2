"""Puts a service together as one ASGI application: its routes within what all services share."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Match

from fmar_spark import __version__
from fmar_spark.errors import read_fault
from fmar_spark.services.web import health, openapi_page
from fmar_spark.services.web.access import ServiceParts, limit_anonymous
from fmar_spark.services.web.middleware import RequestGuard
from fmar_spark.services.web.models import Problem
from fmar_spark.services.web.openapi_document import build_document
from fmar_spark.services.web.problems import (
    OVERLOADED,
    PROBLEM_MEDIA_TYPE,
    TITLES,
    MediaTypeError,
    ServiceError,
    TooManyError,
    describe_problem,
)

_PROBLEM_CONTENT: Final = {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_DECLARED: Final = (400, 401, 403, 404, 405, 408, 409, 412, 413, 415, 422, 428, 429, 503)
_MOST_FAULTS: Final = 20
_METHODS: Final = ("DELETE", "GET", "PATCH", "POST", "PUT")


class Api(NamedTuple):
    """What one service offers on top of what all share."""

    title: str
    summary: str
    routers: tuple[APIRouter, ...]
    large_bodies: Mapping[str, int]
    """Bytes that a path takes where it takes more than the setting max_body_bytes."""
    close: Callable[[], None]
    """Gives back what the service holds, when it ends."""
    examples: Mapping[str, object]
    """Values that OpenAPI shows, by the names of fields and parameters."""
    hosts: frozenset[str] | None = None
    """Names in the header Host that are answered, at any port; None = all."""


def build_service(parts: ServiceParts, api: Api) -> FastAPI:
    """The service over HTTP: tokens, limits, audit, problem documents, health and OpenAPI around its own routes."""
    app = FastAPI(
        title=api.title,
        summary=api.summary,
        version=__version__,
        lifespan=_lifespan(parts, api),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        responses={status: {"description": TITLES[status], "model": Problem, "content": _PROBLEM_CONTENT} for status in _DECLARED},
    )
    app.state.parts = parts
    app.openapi = _describe_once(app, api)  # type: ignore[method-assign]  # as FastAPI documents it
    for router in (*api.routers, health.router, openapi_page.router):
        app.include_router(router)
    app.add_exception_handler(ServiceError, _answer_rejection)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_middleware(RequestGuard, parts=parts, large_bodies=api.large_bodies, hosts=api.hosts)
    return app


def _describe_once(app: FastAPI, api: Api) -> Callable[[], dict[str, Any]]:
    """Gives the OpenAPI document, made when it is first asked for: by then all routes are there."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = build_document(app, api.examples)
        return app.openapi_schema

    return describe


def _lifespan(parts: ServiceParts, api: Api) -> Any:
    @asynccontextmanager
    async def run(_: FastAPI) -> AsyncIterator[None]:
        parts.audit.start()
        parts.readiness.start()
        yield
        parts.readiness.stop()
        parts.audit.stop()
        api.close()

    return run


async def _answer_rejection(request: Request, error: Exception) -> Response:
    return _problem(request, error if isinstance(error, ServiceError) else ServiceError("failed", "the service failed"))


async def _answer_invalid(request: Request, error: Exception) -> Response:
    """What is wrong and where, never what was sent."""
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    if any(fault["loc"][:1] == ("body",) for fault in faults) and not _is_json(request):
        wanted = {"Accept-Post": "application/json"} if request.method == "POST" else {}
        return _problem(request, MediaTypeError("json-wanted", "Content-Type: application/json is required", headers=wanted))
    named = [
        {"pointer": "/" + "/".join(str(part) for part in fault["loc"]), "detail": read_fault(fault)} for fault in faults[:_MOST_FAULTS]
    ]
    is_unreadable = any(fault["type"] == "json_invalid" for fault in faults)
    rejection = ServiceError("invalid-request", "the request does not have the required format", {"errors": named})
    rejection.status = 400 if is_unreadable else 422
    return _problem(request, rejection)


def _is_json(request: Request) -> bool:
    essence = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return essence == "application/json" or (essence.startswith("application/") and essence.endswith("+json"))


def _list_methods(request: Request) -> str:
    """Every method that the path takes: Starlette names those of the first route that matches alone."""
    allowed = {
        method for method in _METHODS for route in request.app.routes if route.matches({**request.scope, "method": method})[0] is Match.FULL
    }
    return ", ".join(sorted(allowed | ({"HEAD"} if "GET" in allowed else set())))


async def _answer_http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    names = {404: "no-such-resource", 405: "method-not-allowed", 408: "request-too-slow", 413: "body-too-large", 503: OVERLOADED}
    rejection = ServiceError(names.get(status, "bad-request"), TITLES.get(status, "The request cannot be read"))
    rejection.status = status if status in TITLES else 400
    rejection.headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if status == 405:
        rejection.headers["Allow"] = _list_methods(request)
    try:
        if status in {404, 405} and not hasattr(request.state, "client_id"):
            limit_anonymous(request)
    except TooManyError as too_many:
        rejection = too_many
    return _problem(request, rejection)


def _problem(request: Request, error: ServiceError) -> Response:
    request.state.problem = error.name
    document = describe_problem(error, request.state.request_id)
    return JSONResponse(document, error.status, error.headers, media_type=PROBLEM_MEDIA_TYPE)
