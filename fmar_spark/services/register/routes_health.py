"""Whether the service lives and can work, and what it counted: for those who run it, without a token."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from fmar_spark.services.register.service import ServiceOf
from fmar_spark.services.web.problems import BusyError

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """How the service is."""

    status: str


@router.get("/health/live", response_model=Health)
async def live() -> Health:
    """The process answers."""
    return Health(status="live")


@router.get("/health/ready", response_model=Health)
def ready(service: ServiceOf) -> Health:
    """The database answers and has its tables."""
    if not service.database.is_ready():
        raise BusyError("not-ready", "the database does not answer, or is not migrated", headers={"Retry-After": "5"})
    return Health(status="ready")


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}})
def metrics(service: ServiceOf) -> Response:
    """Counters for Prometheus."""
    return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)
