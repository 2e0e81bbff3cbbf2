"""What areas can do together, for network and system operators."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from fmar_spark.domain.network import AreaLevel
from fmar_spark.services.capability.documents import describe_list
from fmar_spark.services.capability.reading import Asked, Reader, ReadsOf, answer_page, filters_of, find_one
from fmar_spark.services.capability.resources import AREA, AVAILABILITY_OF_AREA, CAPABILITY_OF_AREA
from fmar_spark.services.capability.schemas import AreaAvailabilityQuery, AreaCapabilityQuery, AreasQuery, NodeId

router = APIRouter(prefix="/v1/areas", tags=["areas"])
Level = Annotated[AreaLevel, Path(description="Kind of area.", examples=["gsp_group"])]
AreaId = Annotated[NodeId, Path(description="The area, as /v1/areas names it.", examples=["_C"])]


@router.get("", **describe_list(AREA, "listAreas", "List areas"))
def list_areas(request: Request, caller: Reader, reads: ReadsOf, query: Annotated[AreasQuery, Query()]) -> Response:
    """Areas that the caller sees, with the area above each: Great Britain, GSP groups, licence areas, substations and zones."""
    return answer_page(reads, request, caller, Asked(AREA, filters_of(query), query.cursor, query.limit))


@router.get("/{level}/capability", **describe_list(CAPABILITY_OF_AREA, "listAreaCapability", "Capability of all areas of a level"))
def list_capability(
    level: Level, request: Request, caller: Reader, reads: ReadsOf, query: Annotated[AreaCapabilityQuery, Query()]
) -> Response:
    """What the assets of each area can do together; a row for each area, class and direction."""
    filters = filters_of(query, area_level=level.value)
    return answer_page(reads, request, caller, Asked(CAPABILITY_OF_AREA, filters, query.cursor, query.limit))


@router.get("/{level}/{area_id:path}/capability", **describe_list(CAPABILITY_OF_AREA, "getAreaCapability", "Capability of one area"))
def show_capability(
    level: Level, area_id: AreaId, request: Request, caller: Reader, reads: ReadsOf, query: Annotated[AreaCapabilityQuery, Query()]
) -> Response:
    """What the assets of an area can do together, by class and direction: kW of the portfolio, tiers, and how much is unanswered."""
    key = {"area_level": level.value, "area_id": area_id}
    asked = Asked(CAPABILITY_OF_AREA, filters_of(query, **key), query.cursor, query.limit)
    return answer_page(reads, request, caller, asked, partial(find_one, reads, caller, AREA, **key))


@router.get(
    "/{level}/{area_id:path}/availability", **describe_list(AVAILABILITY_OF_AREA, "getAreaAvailability", "Availability of one area")
)
def show_availability(
    level: Level, area_id: AreaId, request: Request, caller: Reader, reads: ReadsOf, query: Annotated[AreaAvailabilityQuery, Query()]
) -> Response:
    """Power of an area's assets together by season, weekday and half-hour."""
    key = {"area_level": level.value, "area_id": area_id}
    asked = Asked(AVAILABILITY_OF_AREA, filters_of(query, **key), query.cursor, query.limit)
    return answer_page(reads, request, caller, asked, partial(find_one, reads, caller, AREA, **key))
