"""Puts the register together as one ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from fmar_spark import __version__
from fmar_spark.services.register import (
    routes_agreements,
    routes_confirmations,
    routes_health,
    routes_overrides,
    routes_parties,
    routes_uploads,
)
from fmar_spark.services.register.bodies import ProblemTold
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.register.derived import Derived, LakeDerived
from fmar_spark.services.register.gate import Gate
from fmar_spark.services.register.request_audit import RequestAudit
from fmar_spark.services.register.service import Service
from fmar_spark.services.web.development import DEVELOPMENT_ISSUER, DevelopmentIssuer
from fmar_spark.services.web.limits import RateLimit
from fmar_spark.services.web.metrics import Metrics
from fmar_spark.services.web.problems import PROBLEM_MEDIA_TYPE, TITLES, RegisterError, describe_problem
from fmar_spark.services.web.signing_keys import SigningKeys, fetch_from
from fmar_spark.services.web.tokens import TokenJudge
from fmar_spark.settings.sections import Settings

_PROBLEM_CONTENT: Final = {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemTold"}}}
_MOST_FAULTS: Final = 20


def build_app(settings: Settings, environment: str, issuer: DevelopmentIssuer | None = None, derived: Derived | None = None) -> FastAPI:
    """The register over HTTP.

    Args:
        settings: section ``agreements``, and ``lake.root`` for derived values.
        environment: ``local``, ``test`` or a deployment's name.
        issuer: believed instead of the configured one; exists in ``local`` alone.
        derived: where derived values come from, if not from the lake.

    Raises:
        ConfigError: settings that cannot be served with.
    """
    agreements = settings.agreements
    if issuer is not None:
        agreements = agreements.model_copy(update={"issuer": DEVELOPMENT_ISSUER})
    fetch = issuer.fetch if issuer is not None else fetch_from(agreements.jwks_url, environment)
    database = RegisterDatabase(agreements)
    metrics = Metrics()
    service = Service(
        settings=agreements,
        database=database,
        judge=TokenJudge(agreements, SigningKeys(fetch, agreements)),
        limit=RateLimit(agreements),
        derived=derived or LakeDerived(settings.lake.root),
        metrics=metrics,
        audit=RequestAudit(database, metrics),
    )
    app = FastAPI(
        title="Register of commercial agreements",
        summary="Who holds dispatch rights on which asset, when, and who knew it when.",
        version=__version__,
        lifespan=_lifespan(service),
        responses={
            status: {"description": TITLES[status], "model": ProblemTold, "content": _PROBLEM_CONTENT}
            for status in (400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 428, 429, 503)
        },
    )
    app.state.service = service
    for module in (routes_agreements, routes_uploads, routes_overrides, routes_confirmations, routes_parties, routes_health):
        app.include_router(module.router)
    app.add_exception_handler(RegisterError, _answer_refusal)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_middleware(Gate, service=service)
    return app


def _lifespan(service: Service) -> Any:
    @asynccontextmanager
    async def run(_: FastAPI) -> AsyncIterator[None]:
        service.audit.start()
        yield
        service.audit.stop()
        service.database.close()

    return run


async def _answer_refusal(request: Request, error: Exception) -> Response:
    return _problem(request, error if isinstance(error, RegisterError) else RegisterError("failed", "the register failed"))


async def _answer_invalid(request: Request, error: Exception) -> Response:
    """What is wrong and where, never what was sent."""
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    told = [{"pointer": "/" + "/".join(str(part) for part in fault["loc"]), "detail": fault["msg"]} for fault in faults[:_MOST_FAULTS]]
    is_unreadable = any(fault["type"] == "json_invalid" for fault in faults)
    refusal = RegisterError("invalid-request", "the request is not in the form that is wanted", {"errors": told})
    refusal.status = 400 if is_unreadable else 422
    return _problem(request, refusal)


async def _answer_http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    names = {404: "no-such-resource", 405: "method-not-allowed", 413: "body-too-large"}
    refusal = RegisterError(names.get(status, "bad-request"), TITLES.get(status, "The request cannot be read"))
    refusal.status = status if status in TITLES else 400
    refusal.headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    return _problem(request, refusal)


def _problem(request: Request, error: RegisterError) -> Response:
    request.state.problem = error.name
    document = describe_problem(error, request.state.request_id)
    return JSONResponse(document, error.status, error.headers, media_type=PROBLEM_MEDIA_TYPE)
