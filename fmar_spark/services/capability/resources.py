"""What can be read: every endpoint's rows and fields, declared once from the contracts of the tables behind them."""

from typing import Final, NamedTuple

from fmar_spark.contracts.audiences import AREA_AVAILABILITY, AREA_CAPABILITY, AREAS, ENVELOPES, FMAR_ASSETS, PORTFOLIO, SYSTEM_HEALTH
from fmar_spark.contracts.capability import ASSET_DETECTIONS
from fmar_spark.contracts.deliveries import AREA_DELIVERIES, ASSET_VOLUMES, DELIVERY_CHECKS, DELIVERY_EVIDENCE, DISCREPANCIES, NOTICES
from fmar_spark.contracts.profiles import METER_PROFILES
from fmar_spark.contracts.register import DISPUTES
from fmar_spark.contracts.table import Column, TableContract
from fmar_spark.domain.words import Tier
from fmar_spark.services.capability.rights import LIVE_DISPUTES

_INTERNAL: Final = ("run_id",)
IMPLAUSIBLE_COUNTS: Final = ("error_code_slots", "spike_slots", "lump_slots")
"""Of the meter behind an asset: readings that no answer rests on."""
_ALL, _NETWORKS, _VERIFIED, _OWN, _FACING = "all", "own_networks", "own_verified", "own", "market_facing"
_PROVEN, _NOTIFIED, _CONCERNED = "own_proven", "notified", "concerned"


class Resource(NamedTuple):
    """Rows that an endpoint lists."""

    name: str
    """As conf/access.yaml calls it."""
    title: str
    """Of one row, for people."""
    table: str
    """Relation of the read model, or a query over it in brackets; it has every field, and what the scopes ask for."""
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    """Orders the rows, and is unique among them."""
    scopes: tuple[str, ...]
    """Row scopes that its relation can be limited to."""

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of all fields, in order."""
        return tuple(column.name for column in self.columns)


def _columns(contract: TableContract, *without: str) -> tuple[Column, ...]:
    return tuple(column for column in contract.columns if column.name not in (*_INTERNAL, *without))


AREA: Final = Resource("areas", "Area", "areas", _columns(AREAS), AREAS.key, (_ALL, _NETWORKS))
CAPABILITY_OF_AREA: Final = Resource(
    "area_capability",
    "Capability of an area",
    "area_capability",
    _columns(AREA_CAPABILITY),
    AREA_CAPABILITY.key,
    (_ALL, _NETWORKS),
)
AVAILABILITY_OF_AREA: Final = Resource(
    "area_availability",
    "Availability of an area",
    "area_availability",
    _columns(AREA_AVAILABILITY),
    AREA_AVAILABILITY.key,
    (_ALL, _NETWORKS),
)
_ASSET: Final = (
    *_columns(FMAR_ASSETS),
    Column("present_probability", "double", "Calibrated: the asset is there on as_of_date."),
    Column("model_version", "string", "Classifier that scored."),
)
ASSETS: Final = Resource("assets", "Asset", "assets", _ASSET, FMAR_ASSETS.key, (_ALL, _VERIFIED, _FACING))
ASSET: Final = Resource(
    "asset",
    "Asset with its evidence",
    "assets",
    (
        *_ASSET,
        Column("capability", "array<struct>", "What it can do, by direction, with intervals: the columns of gold.capability."),
        Column("availability", "array<struct>", "336 probabilities and powers a season, Monday 00:00 first, local clock."),
        Column("changes", "array<struct>", "Dated changes: appeared, upgraded, reduced, removed."),
        Column("appeared_p10_date", "date", "Early end of the 80 % interval of the day it appeared."),
        Column("appeared_p90_date", "date", "Late end of the 80 % interval of the day it appeared."),
        Column("removed_date", "date", "Local day from which its mark is gone; null where it is there."),
        Column("days_seen", "int", "Local days with readings.", unit="day"),
        *(column for column in METER_PROFILES.columns if column.name in IMPLAUSIBLE_COUNTS),
    ),
    FMAR_ASSETS.key,
    (_ALL, _VERIFIED, _FACING),
)

_HELD_BACK: Final = (
    "rated_kw",
    "rated_kw_lower",
    "rated_kw_upper",
    "duration_minutes_min",
    "duration_minutes_p50",
    "duration_minutes_max",
    "energy_kwh_day",
    "storage_kwh",
)
"""Figures of an asset whose detection is of low confidence are not given out (paper, 7.3)."""
_RIGHTS: Final = ("fsp_id", "amsid", "agreement_id", "market", "primacy_tier", "is_exclusive", "valid_from_at", "valid_to_at")
_PORTFOLIO_ROWS: Final = f"""(
    SELECT {", ".join(f"r.{name}" for name in _RIGHTS)}, s.mpan_id, s.asset_class, s.direction, s.asset_id,
        CASE r.asset_class WHEN '' THEN 'meter_point' ELSE 'asset' END AS link, s.present_probability, s.tier,
        CASE s.tier WHEN 'high' THEN 'usable' WHEN 'medium' THEN 'usable_flagged' ELSE 'characterisation_in_progress' END AS market_status,
        s.tier = '{Tier.MEDIUM}' AND NOT list_contains(r.answered_classes, s.asset_class) AS is_unconfirmed,
        {", ".join(f"CASE WHEN s.tier <> '{Tier.LOW}' THEN s.{name} END AS {name}" for name in _HELD_BACK)},
        d.declared_kw, s.gsp_group_id, s.gsp_id, s.is_over_export_limit, s.as_of_date
    FROM verified_claims r
    JOIN asset_sizes s ON s.mpan_id = r.mpan_id AND r.asset_class IN ('', s.asset_class)
    LEFT JOIN declared_sizes d
        ON (d.mpan_id, d.amsid, d.asset_class, d.direction) = (r.mpan_id, r.amsid, s.asset_class, s.direction)
)"""
"""Rights and declarations are the register's own of this moment; the assets are those of the read model."""
HELD: Final = Resource(
    "portfolio",
    "Asset of a portfolio",
    _PORTFOLIO_ROWS,
    (
        *_columns(PORTFOLIO),
        Column("market_status", "string", "usable, usable_flagged (the FSP is asked) or characterisation_in_progress: figures held back."),
    ),
    ("mpan_id", "amsid", "asset_class", "direction", "agreement_id"),
    (_OWN,),
)
INVITED: Final = Resource(
    "invitations",
    "Invitation to confirm a detection",
    """(
    SELECT DISTINCT r.fsp_id, a.mpan_id, r.amsid, a.asset_class, a.is_present, a.present_probability, a.tier, a.evidence, a.model_version,
        a.as_of_date
    FROM verified_claims r
    JOIN medium_detections a ON a.mpan_id = r.mpan_id AND r.asset_class IN ('', a.asset_class)
    WHERE NOT list_contains(r.answered_classes, a.asset_class)
)""",
    (
        *(column for column in PORTFOLIO.columns if column.name in ("fsp_id", "mpan_id", "amsid")),
        *(
            column
            for column in ASSET_DETECTIONS.columns
            if column.name in ("asset_class", "is_present", "present_probability", "tier", "evidence", "model_version", "as_of_date")
        ),
    ),
    ("mpan_id", "amsid", "asset_class"),
    (_OWN,),
)
FLAGGED: Final = Resource(
    "discrepancies",
    "Flag",
    "discrepancies",
    _columns(DISCREPANCIES, "recipients"),
    DISCREPANCIES.key,
    (_ALL, _PROVEN, _NOTIFIED),
)
DELIVERED: Final = Resource(
    "deliveries",
    "Declared delivery of a half-hour",
    "deliveries",
    (
        Column("delivery_id", "string", "Start of the half-hour in UTC, and the FSP: distinguishes the rows of an asset, in order."),
        *_columns(ASSET_VOLUMES, "is_newest", "loaded_at"),
    ),
    ("mpan_id", "amsid", "delivery_id"),
    (_ALL, _OWN),
)
CHECKED: Final = Resource(
    "delivery_checks", "Check of an event", "delivery_checks", _columns(DELIVERY_CHECKS), ("mpan_id", "amsid", "event_id"), (_ALL, _PROVEN)
)
PROVEN: Final = Resource(
    "delivery_evidence",
    "Evidence on the declarations of an asset",
    "delivery_evidence",
    _columns(DELIVERY_EVIDENCE),
    DELIVERY_EVIDENCE.key,
    (_ALL, _PROVEN),
)
DELIVERED_IN_AREA: Final = Resource(
    "area_deliveries",
    "Deliveries of an area in a month",
    "area_deliveries",
    _columns(AREA_DELIVERIES),
    AREA_DELIVERIES.key,
    (_ALL, _NETWORKS),
)
SENT: Final = Resource(
    "notices",
    "Notice of a flag or dispute",
    "notices",
    (
        *(column for column in NOTICES.columns if column.name not in {"body", *_INTERNAL}),
        Column("state", "string", "pending (not tried yet), failed (tried again), delivered, or dead (given up)."),
        Column("attempts", "bigint", "How often it was tried."),
        Column("last_error", "string", "What went wrong last; null where nothing did."),
        Column("last_attempt_at", "timestamp", "When it was tried last."),
        Column("next_attempt_at", "timestamp", "When it is tried again; null where it is not."),
    ),
    NOTICES.key,
    (_ALL, _NOTIFIED),
)
DISPUTED: Final = Resource(
    "disputes",
    "Dispute of a record",
    "live_disputes",
    (
        *(column for column in DISPUTES.columns if column.name in LIVE_DISPUTES.names and column.name != "parties"),
        Column("raised_at", "timestamp", "When it was raised."),
        Column("settled_at", "timestamp", "When it was settled; null = not yet."),
        Column("parties", "array<string>", "Parties that it concerns."),
    ),
    ("dispute_id",),
    (_ALL, _CONCERNED),
)
ENVELOPE: Final = Resource("envelopes", "Capability envelope", "envelopes", _columns(ENVELOPES), ENVELOPES.key, (_ALL, _FACING))
HEALTH: Final = Resource(
    "system_health", "Measure of the register's health", "system_health", _columns(SYSTEM_HEALTH), SYSTEM_HEALTH.key, (_ALL, _NETWORKS)
)
RESOURCES: Final = (
    *(AREA, CAPABILITY_OF_AREA, AVAILABILITY_OF_AREA, ASSETS, ASSET, HELD, INVITED, FLAGGED, ENVELOPE, HEALTH),
    *(DELIVERED, CHECKED, PROVEN, DELIVERED_IN_AREA, SENT, DISPUTED),
)
