"""What an FSP sees of its own: its assets, the detections that it is asked about, and the flags against its declarations."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from fmar_spark.services.capability.answers import choose_format
from fmar_spark.services.capability.documents import describe_export, describe_list
from fmar_spark.services.capability.reading import Asked, Reader, ReadsOf, answer_export, answer_page, filters_of
from fmar_spark.services.capability.resources import FLAGGED, HEALTH, HELD, INVITED
from fmar_spark.services.capability.schemas import FlagsQuery, HealthQuery, InvitationsQuery, PortfolioQuery

router = APIRouter(prefix="/v1", tags=["portfolio"])
health_router = APIRouter(prefix="/v1", tags=["system health"])


@router.get("/portfolio", **describe_list(HELD, "listPortfolio", "List one's own assets"))
def list_portfolio(request: Request, caller: Reader, reads: ReadsOf, query: Annotated[PortfolioQuery, Query()]) -> Response:
    """What the assets of one's verified claims can do, with the rights to them as the register has them now."""
    return answer_page(reads, request, caller, Asked(HELD, filters_of(query), query.cursor, query.limit))


@router.get("/portfolio/export", **describe_export(HELD, "exportPortfolio", "Export one's own assets"))
def export_portfolio(request: Request, caller: Reader, reads: ReadsOf, query: Annotated[PortfolioQuery, Query()]) -> Response:
    """The whole portfolio in one file (FMAR's use case UC-02.04)."""
    asked = Asked(HELD, filters_of(query))
    return answer_export(reads, caller, asked, choose_format(request.headers.get("Accept")), "portfolio")


@router.get("/invitations", **describe_list(INVITED, "listInvitations", "List detections to confirm"))
def list_invitations(request: Request, caller: Reader, reads: ReadsOf, query: Annotated[InvitationsQuery, Query()]) -> Response:
    """Detections of medium confidence in one's own portfolio that wait for an answer; POST /v1/confirmations gives it."""
    return answer_page(reads, request, caller, Asked(INVITED, filters_of(query), query.cursor, query.limit))


@router.get("/discrepancies", **describe_list(FLAGGED, "listDiscrepancies", "List flags"))
def list_discrepancies(request: Request, caller: Reader, reads: ReadsOf, query: Annotated[FlagsQuery, Query()]) -> Response:
    """Declarations that observation contradicts, with the evidence."""
    return answer_page(reads, request, caller, Asked(FLAGGED, filters_of(query), query.cursor, query.limit))


@health_router.get("/system-health", **describe_list(HEALTH, "listSystemHealth", "The register as a whole"))
def list_health(request: Request, caller: Reader, reads: ReadsOf, query: Annotated[HealthQuery, Query()]) -> Response:
    """Measures of the register's health for the regulator; small counts are withheld."""
    return answer_page(reads, request, caller, Asked(HEALTH, filters_of(query), query.cursor, query.limit))
