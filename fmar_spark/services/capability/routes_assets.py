"""Detected assets, one by one: FMAR's record of each, and what a market platform asks of them."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from fmar_spark.services.capability.answers import choose_format
from fmar_spark.services.capability.documents import describe_export, describe_list, describe_one
from fmar_spark.services.capability.reading import Asked, Reader, ReadsOf, answer_export, answer_one, answer_page, filters_of
from fmar_spark.services.capability.resources import ASSET, ASSETS, ENVELOPE
from fmar_spark.services.capability.schemas import EXAMPLES, AssetsQuery, EnvelopesQuery

router = APIRouter(prefix="/v1", tags=["assets"])
AssetId = Annotated[str, Path(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", description="UUID.", examples=[EXAMPLES["asset_id"]])]


@router.get("/assets", **describe_list(ASSETS, "listAssets", "List assets"))
def list_assets(request: Request, caller: Reader, reads: ReadsOf, query: Annotated[AssetsQuery, Query()]) -> Response:
    """Assets by what and where they are, such as all batteries of a GSP group: ``asset_category=BESS&gsp_group_id=_C``."""
    return answer_page(reads, request, caller, Asked(ASSETS, filters_of(query), query.cursor, query.limit))


@router.get("/assets/export", **describe_export(ASSETS, "exportAssets", "Export assets"))
def export_assets(request: Request, caller: Reader, reads: ReadsOf, query: Annotated[AssetsQuery, Query()]) -> Response:
    """All assets that the caller sees and asks for, in one file."""
    asked = Asked(ASSETS, filters_of(query))
    return answer_export(reads, caller, asked, choose_format(request.headers.get("Accept")), "assets")


@router.get("/assets/{asset_id}", **describe_one(ASSET, "getAsset", "One asset with its evidence"))
def show_asset(asset_id: AssetId, request: Request, caller: Reader, reads: ReadsOf) -> Response:
    """FMAR's record of an asset, where each attribute comes from, what it can do, when it runs, and what the detection rests on."""
    return answer_one(reads, request, caller, ASSET, asset_id=asset_id)


@router.get("/envelopes", **describe_list(ENVELOPE, "listEnvelopes", "List capability envelopes"))
def list_envelopes(request: Request, caller: Reader, reads: ReadsOf, query: Annotated[EnvelopesQuery, Query()]) -> Response:
    """What assets can offer, for tenders: power, durations, energy, availability; never who holds rights to them."""
    return answer_page(reads, request, caller, Asked(ENVELOPE, filters_of(query), query.cursor, query.limit))


@router.get("/envelopes/export", **describe_export(ENVELOPE, "exportEnvelopes", "Export capability envelopes"))
def export_envelopes(request: Request, caller: Reader, reads: ReadsOf, query: Annotated[EnvelopesQuery, Query()]) -> Response:
    """All envelopes that the caller asks for, in one file."""
    asked = Asked(ENVELOPE, filters_of(query))
    return answer_export(reads, caller, asked, choose_format(request.headers.get("Accept")), "envelopes")
