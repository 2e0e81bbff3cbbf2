"""Whether the service lives and can work, and what it counted: for those who run it, without a token."""

from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from fmar_spark.services.web.access import limit_anonymous, parts_of
from fmar_spark.services.web.problems import BusyError

PATHS: Final = frozenset({"/health/live", "/health/ready", "/metrics"})
router = APIRouter(tags=["health"])
_PROBE: Final = "probe"


class Health(BaseModel):
    """How the service is."""

    status: str


@router.get("/health/live", response_model=Health, operation_id="check_live", summary="Check that the process answers")
async def live(request: Request) -> Health:
    """The process answers."""
    limit_anonymous(request, _PROBE)
    return Health(status="live")


@router.get("/health/ready", response_model=Health, operation_id="check_ready", summary="Check that the service can work")
async def ready(request: Request) -> Health:
    """The service can work: its database answers and has its tables."""
    limit_anonymous(request, _PROBE)
    readiness = parts_of(request).readiness
    if not readiness.has_checked:
        await run_in_threadpool(readiness.wait)
    if not readiness.is_ready():
        raise BusyError("not-ready", "the database does not answer, or is not migrated", headers={"Retry-After": "5"})
    return Health(status="ready")


@router.get(
    "/metrics",
    operation_id="read_metrics",
    summary="Read the counters",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request) -> Response:
    """Counters for Prometheus."""
    limit_anonymous(request, _PROBE)
    return Response(generate_latest(parts_of(request).metrics.registry), media_type=CONTENT_TYPE_LATEST)
