"""Declared deliveries, what the boundary meters say of them, and the disputes that concern the caller."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from fmar_spark.services.capability.answers import choose_format
from fmar_spark.services.capability.documents import describe_export, describe_list
from fmar_spark.services.capability.reading import Asked, Reader, ReadsOf, answer_export, answer_page, filters_of
from fmar_spark.services.capability.resources import CHECKED, DELIVERED, DELIVERED_IN_AREA, DISPUTED, PROVEN, SENT
from fmar_spark.services.capability.schemas import (
    AreaDeliveriesQuery,
    ChecksQuery,
    DeliveriesQuery,
    DisputesQuery,
    EvidenceQuery,
    NoticesQuery,
)

router = APIRouter(prefix="/v1", tags=["deliveries"])


@router.get("/deliveries", **describe_list(DELIVERED, "listDeliveries", "List declared deliveries"))
def list_deliveries(request: Request, caller: Reader, reads: ReadsOf, query: Annotated[DeliveriesQuery, Query()]) -> Response:
    """The newest declaration of every half-hour, as the FSP made it."""
    return answer_page(reads, request, caller, Asked(DELIVERED, filters_of(query), query.cursor, query.limit))


@router.get("/delivery-checks", **describe_list(CHECKED, "listDeliveryChecks", "List checks of events"))
def list_checks(request: Request, caller: Reader, reads: ReadsOf, query: Annotated[ChecksQuery, Query()]) -> Response:
    """Every event of an asset: what was declared beside what the boundary meter shows, with interval, verdict and reason."""
    return answer_page(reads, request, caller, Asked(CHECKED, filters_of(query), query.cursor, query.limit))


@router.get("/delivery-checks/export", **describe_export(CHECKED, "exportDeliveryChecks", "Export checks of events"))
def export_checks(request: Request, caller: Reader, reads: ReadsOf, query: Annotated[ChecksQuery, Query()]) -> Response:
    """All checks that the caller sees and asks for, in one file."""
    asked = Asked(CHECKED, filters_of(query))
    return answer_export(reads, caller, asked, choose_format(request.headers.get("Accept")), "delivery-checks")


@router.get("/delivery-evidence", **describe_list(PROVEN, "listDeliveryEvidence", "List evidence on declarations"))
def list_evidence(request: Request, caller: Reader, reads: ReadsOf, query: Annotated[EvidenceQuery, Query()]) -> Response:
    """What all events of an asset together say of its FSP's declarations."""
    return answer_page(reads, request, caller, Asked(PROVEN, filters_of(query), query.cursor, query.limit))


@router.get("/area-deliveries", **describe_list(DELIVERED_IN_AREA, "listAreaDeliveries", "List deliveries by area"))
def list_areas(request: Request, caller: Reader, reads: ReadsOf, query: Annotated[AreaDeliveriesQuery, Query()]) -> Response:
    """Deliveries of a month by market and area, without any asset or FSP; small sums are withheld."""
    return answer_page(reads, request, caller, Asked(DELIVERED_IN_AREA, filters_of(query), query.cursor, query.limit))


@router.get("/notices", **describe_list(SENT, "listNotices", "List notices"))
def list_notices(request: Request, caller: Reader, reads: ReadsOf, query: Annotated[NoticesQuery, Query()]) -> Response:
    """Notices of flags and disputes, and how far each has come: ``state=dead`` lists those that were given up."""
    return answer_page(reads, request, caller, Asked(SENT, filters_of(query), query.cursor, query.limit))


@router.get("/disputes", **describe_list(DISPUTED, "listDisputes", "List disputes"))
def list_disputes(request: Request, caller: Reader, reads: ReadsOf, query: Annotated[DisputesQuery, Query()]) -> Response:
    """Disputes that concern the caller, as the register has them now; POST /v1/disputes raises one."""
    return answer_page(reads, request, caller, Asked(DISPUTED, filters_of(query), query.cursor, query.limit))
