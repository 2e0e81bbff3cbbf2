"""Requests and answers of the read API as OpenAPI shows them: rows follow from the columns that are declared."""

from datetime import date, datetime
from functools import lru_cache
from typing import Annotated, Any, Final

from pydantic import Field, create_model

from fmar_spark.contracts.table import Column
from fmar_spark.domain.assets import AssetClass
from fmar_spark.domain.fmar import AssetCategory
from fmar_spark.domain.markets import Outcome, RecordKind
from fmar_spark.domain.network import AreaLevel
from fmar_spark.domain.words import Direction, Season, Tier
from fmar_spark.services.capability.resources import Resource
from fmar_spark.services.web.models import AnswerModel, PageQuery, QueryFlag

_TYPES: Final[dict[str, Any]] = {
    "string": str,
    "double": float,
    "int": int,
    "bigint": int,
    "boolean": bool,
    "date": date,
    "timestamp": datetime,
    "array<float>": list[float | None],
    "array<string>": list[str],
    "array<struct>": list[dict[str, Any]],
}
EXAMPLES: Final[dict[str, Any]] = {
    "area_level": "gsp_group",
    "area_id": "_C",
    "name": "London",
    "asset_class": "battery",
    "asset_category": "BESS",
    "direction": "export",
    "flexibility": "generation_up",
    "gsp_group_id": "_C",
    "asset_id": "0b6f2c1e-5f0a-5d5b-9a53-6f0e1c7a2d11",
    "mpan_id": "1200023305967",
    "amsid": "AMS-BT-9",
    "fsp_id": "ALPHA",
    "tier": "high",
    "season": "winter",
    "metric": "assets_detected",
}
"""Values of an example row, by field."""
_EXAMPLE_OF_TYPE: Final[dict[str, Any]] = {
    "string": "text",
    "double": 3.6,
    "int": 1,
    "bigint": 40,
    "boolean": True,
    "date": "2026-01-31",
    "timestamp": "2026-01-31T17:30:00Z",
    "array<float>": [0.25],
    "array<string>": ["text"],
    "array<struct>": [],
}
GspGroupId = Annotated[str, Field(pattern=r"^_[A-Z]$", description="Settlement area, _A to _P.", examples=["_C"])]
NodeId = Annotated[str, Field(pattern=r"^[!-~ ]{1,100}$", description="Network node, as /v1/areas names it.")]
"""Wider than the rule for ids that are loaded today: lakes of an older version have some with a slash, sent as %2F."""
MpanId = Annotated[str, Field(pattern=r"^[0-9]{13}$", description="Meter point of the boundary.")]
Kilowatts = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]


class AsOf(AnswerModel):
    """What an answer rests on."""

    as_of_date: date | None = Field(description="Newest local day that a derived figure stands for.", examples=["2026-01-31"])
    published_at: datetime = Field(description="When the file that is served was made.", examples=["2026-02-01T04:12:09Z"])
    model_id: str = Field(description="Short name of that file's content.", examples=["6596e5300c18"])


class AreasQuery(PageQuery):
    """Which areas."""

    area_level: AreaLevel | None = Field(None, description="Kind of area.")
    parent_id: NodeId | None = Field(None, description="Areas directly below this one.")
    gsp_group_id: GspGroupId | None = Field(None, description="Settlement area, _A to _P.")


class AreaCapabilityQuery(PageQuery):
    """Which rows of areas."""

    asset_class: AssetClass | None = Field(None, description="Asset class.")
    direction: Direction | None = Field(None, description="import or export, seen from the boundary.")


class AreaAvailabilityQuery(AreaCapabilityQuery):
    """Which rows of an area."""

    season: Season | None = Field(None, description="Season of the year.")
    weekday: int | None = Field(None, ge=1, le=7, description="1 = Monday.")
    slot: int | None = Field(None, ge=0, le=47, description="Half-hour of the local clock.")


class _Placed(PageQuery):
    asset_class: AssetClass | None = Field(None, description="Asset class.")
    asset_category: AssetCategory | None = Field(None, description="FMAR's category, such as BESS.")
    tier: Tier | None = Field(None, description="Confidence in the detection.")
    gsp_group_id: GspGroupId | None = Field(None, description="Settlement area, _A to _P.")
    gsp_id: NodeId | None = Field(None, description="Grid supply point.")
    bsp_id: NodeId | None = Field(None, description="Bulk supply point.")
    primary_id: NodeId | None = Field(None, description="Primary substation.")


class AssetsQuery(_Placed):
    """Which assets."""

    mpan_id: MpanId | None = Field(None, description="Meter point of the boundary.")
    is_present: QueryFlag = Field(True, description="false: assets that have left.")
    rated_capacity_kw_min: Kilowatts | None = Field(None, description="Least rated capacity, kW.")
    rated_capacity_kw_max: Kilowatts | None = Field(None, description="Greatest rated capacity, kW.")
    present_probability_min: Annotated[float, Field(ge=0, le=1)] | None = Field(None, description="Least probability that it is there.")


class EnvelopesQuery(_Placed):
    """Which envelopes."""

    flexibility: str | None = Field(None, pattern="^(demand|generation)_(up|down)$", description="What it can offer.")
    rated_kw_min: Kilowatts | None = Field(None, description="Least rated power, kW.")
    duration_minutes_max_min: Annotated[float, Field(ge=0, le=1e6)] | None = Field(None, description="Longest episode at least so long.")


class PortfolioQuery(PageQuery):
    """Which assets of one's own."""

    mpan_id: MpanId | None = Field(None, description="Meter point of the boundary.")
    asset_class: AssetClass | None = Field(None, description="Asset class.")
    tier: Tier | None = Field(None, description="Confidence in the detection.")
    market: str | None = Field(None, description="Market of the right.", pattern="^(dso_local|neso_ancillary|neso_bm|wholesale)$")
    gsp_group_id: GspGroupId | None = Field(None, description="Settlement area, _A to _P.")
    is_unconfirmed: QueryFlag | None = Field(None, description="Detected with medium confidence and not yet answered.")


class InvitationsQuery(PageQuery):
    """Which invitations."""

    mpan_id: MpanId | None = Field(None, description="Meter point of the boundary.")
    asset_class: AssetClass | None = Field(None, description="Asset class.")


class FlagsQuery(PageQuery):
    """Which flags."""

    mpan_id: MpanId | None = Field(None, description="Meter point of the boundary.")
    kind: str | None = Field(None, description="What is flagged.", pattern="^(delivery|override)$")
    state: str | None = Field(None, description="Whether it still stands.", pattern="^(open|cleared)$")
    severity: str | None = Field(None, description="How grave it is.", pattern="^(low|medium|high)$")


Amsid = Annotated[str, Field(max_length=40, pattern=r"^[!-~]*$", description="Asset metering system id.")]
MarketName = Annotated[str, Field(pattern="^(dso_local|neso_ancillary|neso_bm|wholesale)$", description="Market of the dispatch.")]


class DeliveriesQuery(PageQuery):
    """Which declared deliveries."""

    mpan_id: MpanId | None = Field(None, description="Meter point of the boundary.")
    amsid: Amsid | None = Field(None, description="Asset metering system id.")
    slot_start_at_min: datetime | None = Field(None, description="Half-hours from this moment on.")
    slot_start_at_max: datetime | None = Field(None, description="Half-hours up to this moment.")


class ChecksQuery(PageQuery):
    """Which checks."""

    mpan_id: MpanId | None = Field(None, description="Meter point of the boundary.")
    amsid: Amsid | None = Field(None, description="Asset metering system id.")
    event_id: str | None = Field(None, max_length=128, pattern=r"^[!-~]+$", description="Dispatch event.")
    market: MarketName | None = Field(None, description="Market of the dispatch.")
    verdict: str | None = Field(None, description="How it came out.", pattern="^(consistent|implausible|not_assessable)$")


class EvidenceQuery(PageQuery):
    """Evidence on which assets."""

    mpan_id: MpanId | None = Field(None, description="Meter point of the boundary.")
    amsid: Amsid | None = Field(None, description="Asset metering system id.")
    verdict: str | None = Field(
        None, description="What all events say together.", pattern="^(consistent|suspect|one_of_several_suspect|not_assessable)$"
    )


class AreaDeliveriesQuery(PageQuery):
    """Deliveries of which areas and months."""

    area_level: str | None = Field(None, description="gb or gsp_group.", pattern="^(gb|gsp_group)$")
    area_id: NodeId | None = Field(None, description="GB, or a GSP group.")
    market: MarketName | None = Field(None, description="Market of the dispatches.")
    month_date: date | None = Field(None, description="First day of the month.")


class NoticesQuery(PageQuery):
    """Which notices."""

    mpan_id: MpanId | None = Field(None, description="Meter point of the boundary.")
    state: str | None = Field(None, description="How far it has come.", pattern="^(pending|failed|delivered|dead)$")


class DisputesQuery(PageQuery):
    """Which disputes."""

    mpan_id: MpanId | None = Field(None, description="Meter point of the boundary.")
    record_kind: RecordKind | None = Field(None, description="What is disputed.")
    outcome: Outcome | None = Field(None, description="How it ended.")


class HealthQuery(PageQuery):
    """Which measures."""

    metric: str | None = Field(None, description="Name of the measure.", max_length=64, pattern=r"^[a-z0-9_]+$")
    asset_class: AssetClass | None = Field(None, description="Asset class.")
    gsp_group_id: GspGroupId | None = Field(None, description="Settlement area, _A to _P.")


@lru_cache
def row_model(resource: Resource) -> type[AnswerModel]:
    """A row; fields that the caller's role does not see are left out of an answer."""
    fields: dict[str, Any] = {column.name: (_TYPES[column.type] | None, _describe(column)) for column in resource.columns}
    name = "".join(word.capitalize() for word in resource.name.split("_")) + "Row"
    doc = f"{resource.title}. Fields that the caller's role does not see are left out."
    return create_model(name, __base__=AnswerModel, __doc__=doc, **fields)


@lru_cache
def page_model(resource: Resource) -> type[AnswerModel]:
    """A page of rows."""
    row = row_model(resource)
    fields: dict[str, Any] = {
        "as_of": (AsOf, Field(description="What the rows rest on.")),
        "items": (list[row], Field(description="The rows of this page, in the order of their key.")),  # type: ignore[valid-type]  # made at run time
        "next_cursor": (str | None, Field(None, description="Give it as cursor to see the rows after these; null at the end.")),
    }
    return create_model(f"{row.__name__.removesuffix('Row')}Page", __base__=AnswerModel, __doc__=f"{resource.title}: one page.", **fields)


def one_model(resource: Resource) -> type[AnswerModel]:
    """One row with what it rests on."""
    row = row_model(resource)
    fields: dict[str, Any] = {"as_of": (AsOf, Field(description="What it rests on."))}
    return create_model(f"{row.__name__.removesuffix('Row')}Detail", __base__=row, __doc__=row.__doc__, **fields)


def example_of(column: Column) -> Any:
    """A value that the field may have."""
    return EXAMPLES.get(column.name, _EXAMPLE_OF_TYPE[column.type])


def _describe(column: Column) -> Any:
    unit = f" ({column.unit})" if column.unit else ""
    return Field(None, description=f"{column.doc.rstrip('.')}{unit}.")
