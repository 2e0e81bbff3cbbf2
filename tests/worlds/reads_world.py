"""A lake of 96 meters in four GSP groups, its read model, and the service over it with tokens for eight parties."""

import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from delivered_world import check, declare, dispute, flag, list_area_deliveries, list_attempts, list_notices, weigh
from in_process import OneAtATime, share_routes
from register_world import OPERATOR, one_issuer, settings_of, token_of
from report_world import NO_NESTED, Writer, write_table

from fmar_spark.contracts.audiences import AREA_AVAILABILITY, AREA_CAPABILITY, AREAS, ENVELOPES, FMAR_ASSETS, PORTFOLIO, SYSTEM_HEALTH
from fmar_spark.contracts.capability import ASSET_CHANGES, ASSET_DETECTIONS, AVAILABILITY, CAPABILITY
from fmar_spark.contracts.deliveries import (
    AREA_DELIVERIES,
    ASSET_VOLUMES,
    DELIVERY_CHECKS,
    DELIVERY_EVIDENCE,
    DISCREPANCIES,
    NOTICE_ATTEMPTS,
    NOTICES,
)
from fmar_spark.contracts.profiles import METER_PROFILES
from fmar_spark.contracts.readings import LEGAL_BASES, METER_POINTS
from fmar_spark.contracts.table import TableContract
from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS, AssetClass
from fmar_spark.domain.gsp_groups import GSP_GROUPS
from fmar_spark.domain.markets import Market, Role
from fmar_spark.domain.mpan import GSP_GROUP_OF_DISTRIBUTOR, check_digit
from fmar_spark.domain.network import DNO_OF_DISTRIBUTOR, DNO_OF_GSP_GROUP
from fmar_spark.domain.words import SEASONS, Direction
from fmar_spark.services.capability.capability_app import add_reads
from fmar_spark.services.register.access import EVERYTHING
from fmar_spark.services.register.agreements import create_agreement
from fmar_spark.services.register.claims import record_evidence
from fmar_spark.services.register.database import RegisterDatabase, migrate
from fmar_spark.services.register.parties import add_party, appoint_client, join_list
from fmar_spark.services.register.records import change_of
from fmar_spark.services.register.register_app import build_app
from fmar_spark.services.register.tables import DISPUTE
from fmar_spark.services.web.access import Caller
from fmar_spark.services.web.moments import EARLIEST, parse_moment
from fmar_spark.services.web.signing_keys import DevelopmentIssuer
from fmar_spark.settings.sections import LakeSettings, ReadSettings, Settings

AS_OF: Final = date(2026, 1, 31)
METERS: Final = 96
DISTRIBUTORS: Final = ("12", "20", "23", "10")
CLASS_OF_PLACE: Final = (AssetClass.BATTERY, AssetClass.EV, AssetClass.SOLAR_PV, AssetClass.HEAT_PUMP)
TIER_OF_PLACE: Final = ("high", "high", "medium", "high", "low")
Row = dict[str, Any]
PARTIES: Final[dict[str, tuple[list[Role], list[str]]]] = {
    "ALPHA": ([Role.FSP], []),
    "BRAVO": ([Role.FSP], []),
    "SOUTHERN": ([Role.DNO], ["20"]),
    "NESO": ([Role.NESO], []),
    "MARKET": ([Role.PLATFORM], []),
    "OFGEM": ([Role.OFGEM], []),
    "OFFICE": ([Role.ADMINISTRATOR], []),
    "BOTH": ([Role.FSP, Role.PLATFORM], []),
}


@dataclass(frozen=True)
class Meter:
    """One connection with one asset that was found, and four classes that were not."""

    place: int

    @property
    def mpan_id(self) -> str:
        stem = f"{DISTRIBUTORS[self.place % 4]}{self.place:010d}"
        return f"{stem}{check_digit(stem)}"

    @property
    def gsp_group_id(self) -> str:
        return GSP_GROUP_OF_DISTRIBUTOR[self.mpan_id[:2]]

    @property
    def asset_class(self) -> AssetClass:
        return CLASS_OF_PLACE[self.place // 4 % 4]

    @property
    def tier(self) -> str:
        return TIER_OF_PLACE[self.place % 5]

    @property
    def is_domestic(self) -> bool:
        return self.place % 3 == 0

    @property
    def has_basis(self) -> bool:
        """Every second household: the others appear nowhere."""
        return self.is_domestic and self.place % 2 == 0

    @property
    def is_published(self) -> bool:
        return not self.is_domestic or self.has_basis

    @property
    def asset_id(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.mpan_id} {self.asset_class}"))

    @property
    def primary_id(self) -> str:
        return f"P{self.gsp_group_id}-{self.place % 8 // 4}"

    @property
    def rated_kw(self) -> float:
        return 3.0 + self.place / 8

    @property
    def probability(self) -> float:
        return {"high": 0.96, "medium": 0.8, "low": 0.6}[self.tier]


METERS_OF_WORLD: Final = tuple(Meter(place) for place in range(METERS))
PUBLISHED: Final = tuple(meter for meter in METERS_OF_WORLD if meter.is_published)
OF_RUN: Final[Row] = {"run_id": "r", "as_of_date": AS_OF}
ALPHAS: Final = tuple(meter for meter in PUBLISHED if meter.place < 48)
"""Claims of ALPHA that are verified; BRAVO's are the others."""
UNPROVEN: Final = PUBLISHED[-1]
"""ALPHA claims it without evidence."""
NETWORKS: Final = next(meter for meter in ALPHAS if meter.mpan_id.startswith("20"))
DELIVERING: Final = (*(meter for meter in METERS_OF_WORLD if meter.place < 6), PUBLISHED[-2], UNPROVEN)
"""ALPHA declares for those before place 48, and for one whose claim is not verified; BRAVO for the other."""
FLAGGED: Final = ((ALPHAS[0], "neso"), (NETWORKS, "dno:20"), (PUBLISHED[-2], "dno:23"))
DISPUTED: Final = ((NETWORKS, "ALPHA,NESO,SOUTHERN"), (PUBLISHED[-2], "BRAVO"))


def write_reads_lake(root: Path, write: Writer = write_table) -> Path:
    for contract, rows in list_tables():
        write(root, contract, rows)
    return root


def list_tables() -> Iterator[tuple[TableContract, list[Row]]]:
    moment = datetime(2026, 2, 1, tzinfo=UTC)
    where: Row = {"time_zone": "Europe/London", "latitude": 51.5, "longitude": -0.1, "weather_area": "_C", "reported_at": moment}
    stated: Row = {"verdict": "sufficient", "days_seen": 400, "spike_slots": 3, "has_export": False, "has_weather": False}
    stated |= {"interval_minutes": 30, "model_version": "m-1", **NO_NESTED, **OF_RUN}
    yield METER_PROFILES, [{"mpan_id": meter.mpan_id, **stated} for meter in METERS_OF_WORLD]
    yield (
        METER_POINTS,
        [
            {"source": "dip", "boundary_mpan_id": meter.mpan_id, "interval_minutes": 30, "consent_granularity": "H", **where}
            | {"mpan_id": meter.mpan_id, "gsp_group_id": meter.gsp_group_id, "is_domestic": meter.is_domestic}
            for meter in METERS_OF_WORLD
        ],
    )
    bases = [meter for meter in METERS_OF_WORLD if meter.has_basis]
    yield (
        LEGAL_BASES,
        [
            {"mpan_id": one.mpan_id, "purpose": "any", "basis": "explicit consent", "source": "tests", "recorded_at": moment}
            for one in bases
        ],
    )
    yield ASSET_DETECTIONS, [detect(meter, asset) for meter in METERS_OF_WORLD for asset in ASSET_CLASSES]
    yield CAPABILITY, [size(meter, direction) for meter in METERS_OF_WORLD for direction in directions_of(meter)]
    yield AVAILABILITY, [cell for meter in METERS_OF_WORLD[:12] for cell in list_cells(meter)]
    yield (
        ASSET_CHANGES,
        [
            {"mpan_id": one.mpan_id, "asset_class": one.asset_class, "changed_date": date(2025, 6, 1), "kind": "appeared", **OF_RUN}
            for one in METERS_OF_WORLD[:20]
        ],
    )
    yield FMAR_ASSETS, [record(meter) for meter in METERS_OF_WORLD]
    yield PORTFOLIO, []
    yield ENVELOPES, [envelop(meter) for meter in METERS_OF_WORLD]
    yield AREAS, list_areas()
    yield AREA_CAPABILITY, [row for area in list_areas() for row in list_area_rows(area)]
    yield AREA_AVAILABILITY, list_area_cells()
    yield SYSTEM_HEALTH, list_health()
    yield DISCREPANCIES, [flag(declared_by(meter), meter, buyer) for meter, buyer in FLAGGED]
    yield ASSET_VOLUMES, [declare(declared_by(meter), meter.place) for meter in DELIVERING]
    yield DELIVERY_CHECKS, [check(declared_by(meter), meter.place) for meter in DELIVERING]
    yield DELIVERY_EVIDENCE, [weigh(declared_by(meter)) for meter in DELIVERING]
    yield NOTICES, list_notices(ALPHAS[0].mpan_id)
    yield NOTICE_ATTEMPTS, list_attempts()
    yield AREA_DELIVERIES, list_area_deliveries()


def directions_of(meter: Meter) -> tuple[Direction, ...]:
    return ASSET_FACTS[meter.asset_class].directions


def detect(meter: Meter, asset: AssetClass) -> Row:
    keys = {"mpan_id": meter.mpan_id, "asset_class": asset, "status": "characterised", "days_seen": 400, "model_version": "m-1", **OF_RUN}
    is_present = asset == meter.asset_class
    probability = meter.probability if is_present else 0.03
    answer = {"probability": probability, "present_probability": probability, "is_present": is_present}
    return {**keys, **answer, "tier": meter.tier if is_present else "high", "evidence": f"evidence of {asset}"}


def size(meter: Meter, direction: Direction) -> Row:
    rated = {"rated_kw": meter.rated_kw, "rated_kw_lower": meter.rated_kw * 0.9, "rated_kw_upper": meter.rated_kw * 1.1}
    lasting = {"duration_minutes_min": 30.0, "duration_minutes_p50": 90.0, "duration_minutes_max": 240.0}
    keys = {"mpan_id": meter.mpan_id, "asset_class": meter.asset_class, "direction": direction}
    return {**keys, **rated, **lasting, "energy_kwh_day": 9.5, "tier": meter.tier, "confidence": 0.9, "events_seen": 120, **OF_RUN}


def list_cells(meter: Meter) -> Iterator[Row]:
    keys = {"mpan_id": meter.mpan_id, "asset_class": meter.asset_class, "direction": directions_of(meter)[0], "season": "winter"}
    for weekday in range(1, 8):
        for slot in range(48):
            yield {**keys, "weekday": weekday, "slot": slot, "probability": slot / 100, "weeks_observed": 12, "kw_p50": 2.0, **OF_RUN}


def record(meter: Meter) -> Row:
    sources = {column.name: "unknown" for column in FMAR_ASSETS.columns if column.name.endswith("_source")}
    codes = ASSET_FACTS[meter.asset_class].fmar
    return {
        **sources,
        **{f"{name}_source": "meter" for name in ("rated_capacity_kw", "asset_category", "commissioning_date")},
        "asset_id": meter.asset_id,
        "asset_category": codes.category,
        "asset_category_probability": meter.probability,
        "rated_capacity_kw": meter.rated_kw,
        "rated_capacity_kw_lower": meter.rated_kw * 0.9,
        "rated_capacity_kw_upper": meter.rated_kw * 1.1,
        "organisation_id": "ALPHA" if meter in ALPHAS else None,
        "import_mpan_id": meter.mpan_id,
        "mpan_id": meter.mpan_id,
        "asset_class": meter.asset_class,
        "amsid": f"AMS-{meter.place}",
        "is_present": True,
        "is_registered": meter in ALPHAS,
        "tier": meter.tier,
        "evidence": f"evidence of {meter.asset_class}",
        "gsp_group_id": meter.gsp_group_id,
        "primary_id": meter.primary_id,
        "dno_code": DNO_OF_DISTRIBUTOR[meter.mpan_id[:2]],
        "attributes_filled": 9,
        **OF_RUN,
    }


def envelop(meter: Meter) -> Row:
    return {
        "asset_id": meter.asset_id,
        "flexibility": "demand_down",
        "asset_class": meter.asset_class,
        "asset_category": ASSET_FACTS[meter.asset_class].fmar.category,
        "rated_kw": meter.rated_kw,
        "kw_p10": 1.0,
        "kw_p50": 2.0,
        "kw_p90": 3.0,
        "duration_minutes_max": 240.0,
        "availability_winter": [0.5] * 336,
        "response_time": "not_observable",
        "voltage_response": "not_observable",
        "evidence_class": "detected",
        "tier": meter.tier,
        "present_probability": meter.probability,
        "gsp_group_id": meter.gsp_group_id,
        "primary_id": meter.primary_id,
        **OF_RUN,
    }


@lru_cache
def list_areas() -> list[Row]:
    whole: Row = {"area_level": "gb", "area_id": "GB", "name": "Great Britain", **OF_RUN}
    groups = [
        {"area_level": "gsp_group", "area_id": group.gsp_group_id, "name": group.name, "parent_level": "gb", "parent_id": "GB"}
        | {"dno_code": DNO_OF_GSP_GROUP[group.gsp_group_id], "gsp_group_id": group.gsp_group_id, **OF_RUN}
        for group in GSP_GROUPS
    ]
    named = {(meter.primary_id, meter.gsp_group_id) for meter in METERS_OF_WORLD}
    primaries = [
        {"area_level": "primary", "area_id": primary_id, "name": f"Primary {primary_id}", "parent_level": "gsp_group"}
        | {"parent_id": group_id, "dno_code": DNO_OF_GSP_GROUP[group_id], "gsp_group_id": group_id, **OF_RUN}
        for primary_id, group_id in sorted(named)
    ]
    return [whole, *groups, *primaries]


def list_area_rows(area: Row) -> Iterator[Row]:
    for place, asset in enumerate(CLASS_OF_PLACE):
        for direction in ASSET_FACTS[asset].directions:
            is_suppressed = area["area_level"] == "primary" and asset is AssetClass.HEAT_PUMP
            keys = {name: area[name] for name in ("area_level", "area_id")} | {"asset_class": asset, "direction": direction}
            scale = (1 + place) * (1 + sum(area["area_id"].encode()) % 7)
            figures = {"meters": 10 * scale, "kw_p10": 8.0 * scale, "kw_p50": 10.0 * scale, "kw_p90": 12.0 * scale}
            figures |= {"installed_kw_p10": 20.0 * scale, "installed_kw_p50": 24.0 * scale, "installed_kw_p90": 28.0 * scale}
            shares = {
                "share_high_tier": 0.7,
                "share_medium_tier": 0.2,
                "share_appeared": 0.15,
                "share_registered": 0.4,
                "share_unanswered": 0.1,
                "energy_kwh_day": 30.0 * scale,
            }
            busy = {"busiest_season": "winter", "busiest_slot": 36}
            reason = {"suppression_reason": "few_meters"} if is_suppressed else {**figures, **shares, **busy}
            yield {**keys, **reason, "is_suppressed": is_suppressed, **OF_RUN}


def list_area_cells() -> list[Row]:
    keys = {"area_level": "gsp_group", "area_id": "_H", "asset_class": "battery", "direction": "export"}
    return [
        {**keys, "season": season, "weekday": weekday, "slot": slot, "kw_p10": 1.0, "kw_p50": 2.0 + slot / 10, "kw_p90": 9.0, **OF_RUN}
        for season in SEASONS
        for weekday in range(1, 8)
        for slot in range(48)
    ]


def list_health() -> list[Row]:
    named = {
        "value_unit": "assets",
        "is_suppressed": False,
        "meaning": "Assets that are there, registered or not, whatever the confidence.",
    }
    rows = [
        {"metric": "assets_present", "asset_class": asset, "gsp_group_id": group, "value": 30.0 + place, **named, **OF_RUN}
        for place, asset in enumerate(("", *CLASS_OF_PLACE))
        for group in ("", "_C", "_H")
    ]
    shares = {"asset_class": "", "gsp_group_id": "", "value_unit": "share", "is_suppressed": False}
    unregistered = {"metric": "share_unregistered", "value": 0.42, "meaning": "Share of assets that nobody registered."}
    return [*rows, {**unregistered, **shares, **OF_RUN}]


def declared_by(meter: Meter) -> Row:
    owner = "ALPHA" if meter.place < 48 or meter is UNPROVEN else "BRAVO"
    return {"mpan_id": meter.mpan_id, "amsid": f"AMS-{meter.place}{'-X' if meter is UNPROVEN else ''}", "fsp_id": owner}


def fill_register(database: RegisterDatabase) -> None:
    """Parties; ALPHA and BRAVO with an agreement on each of their meters, verified but for ALPHA's last."""
    with change_of(database, EVERYTHING, OPERATOR) as change:
        for party_id, (roles, areas) in PARTIES.items():
            values = {"name": party_id.title(), "roles": join_list([str(role) for role in roles]), "distributor_ids": join_list(areas)}
            add_party(change, party_id, values)
            appoint_client(change, f"{party_id.lower()}-client", party_id, True)
        for meter in PUBLISHED:
            owner = "ALPHA" if meter in ALPHAS else "BRAVO"
            claim(change, owner, meter, is_verified=True)
        claim(change, "ALPHA", UNPROVEN, is_verified=False)
        claim(change, "BOTH", PUBLISHED[5], is_verified=True, amsid="AMS-BOTH")
        change.create(DISPUTE, [dispute(declared_by(meter), meter.place, parties) for meter, parties in DISPUTED])


def claim(change: Any, fsp_id: str, meter: Meter, is_verified: bool, amsid: str = "") -> None:
    amsid = amsid or f"AMS-{meter.place}{'' if is_verified else '-X'}"
    caller = Caller(fsp_id, f"{fsp_id.lower()}-client", frozenset({Role.FSP}), ())
    if is_verified:
        allocation = {"basis": "allocation", "fsp_id": fsp_id, "mpan_id": meter.mpan_id, "amsid": amsid, "reference": "tests"}
        record_evidence(change, {**allocation, "valid_from_at": EARLIEST, "valid_to_at": None})
    values = {"mpan_id": meter.mpan_id, "amsid": amsid, "market": Market.DSO_LOCAL, "primacy_tier": 1, "is_exclusive": True}
    term = {"valid_from_at": parse_moment("2026-01-01T00:00:00Z"), "valid_to_at": None, "consent_reference": None}
    create_agreement(change, caller, {**values, **term})


@dataclass
class ServedReads:
    """The service under test and who may call it."""

    http: OneAtATime
    issuer: DevelopmentIssuer
    database: RegisterDatabase
    lake: Path

    def token(self, party_id: str) -> str:
        return token_of(party_id)

    def get(self, party_id: str, path: str, **headers: str) -> Any:
        return self.http.get(path, headers={"Authorization": f"Bearer {self.token(party_id)}", **headers})


@cache
def filled_register() -> bytes:
    """A migrated SQLite file with what ``fill_register`` puts into it."""
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/register.db"
        with closing(RegisterDatabase(settings_of(url))) as database:
            migrate(database)
            fill_register(database)
        return Path(folder, "register.db").read_bytes()


def serve_reads(lake: Path, file: Path) -> ServedReads:
    """A register with its parties in a new file, and the service over it and the lake's read model."""
    file.write_bytes(filled_register())
    agreements, reads = settings_of(f"sqlite:///{file}"), ReadSettings(check_seconds=0, rights_seconds=0)
    database = RegisterDatabase(agreements)
    settings = Settings(agreements=agreements, lake=LakeSettings(root=str(lake)), reads=reads)
    app = build_app(settings, "local", one_issuer(), hosts=("testserver",))
    add_reads(app, settings)
    return ServedReads(OneAtATime(share_routes(app)), one_issuer(), database, lake)
