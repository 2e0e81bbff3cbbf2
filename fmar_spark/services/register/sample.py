"""A small register and lake to try things with: two FSPs at one meter point, a network, the system operator, an office."""

from datetime import date
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from deltalake import write_deltalake

from fmar_spark.domain.gsp_groups import GROUP_OF_ID
from fmar_spark.domain.markets import Market, Role
from fmar_spark.domain.mpan import GSP_GROUP_OF_DISTRIBUTOR
from fmar_spark.services.register.access import EVERYTHING
from fmar_spark.services.register.agreements import Search, actor_of, conditions_of, create_agreement
from fmar_spark.services.register.claims import record_evidence
from fmar_spark.services.register.database import RegisterDatabase, migrate
from fmar_spark.services.register.ledger import Actor
from fmar_spark.services.register.operation import PartyPlan, set_party
from fmar_spark.services.register.records import change_of, find_page
from fmar_spark.services.register.tables import AGREEMENT
from fmar_spark.services.web.access import Caller
from fmar_spark.services.web.moments import EARLIEST, parse_moment
from fmar_spark.services.web.signing_keys import DevelopmentIssuer
from fmar_spark.settings.sections import RegisterSettings

SAMPLE_MPAN: Final = "2000056535971"


def plan_network(gsp_group_id: str) -> PartyPlan:
    """The sample network operator of a settlement area, called by the area's name."""
    name = GROUP_OF_ID[gsp_group_id].name
    party_id = name.upper().replace(" ", "_")
    distributors = tuple(number for number, group in GSP_GROUP_OF_DISTRIBUTOR.items() if group == gsp_group_id)
    return PartyPlan(party_id, f"{name} networks (sample)", (Role.DNO,), distributors, (party_id.lower(),))


DEFAULT_NETWORK_AREA: Final = "_H"
"""Where the sample's own meter point is connected."""
SAMPLE_PARTIES: Final = (
    PartyPlan("ALPHA", "Alpha Flex (sample)", (Role.FSP,), (), ("alpha",)),
    PartyPlan("BRAVO", "Bravo Flex (sample)", (Role.FSP,), (), ("bravo",)),
    plan_network(DEFAULT_NETWORK_AREA),
    PartyPlan("NESO", "System operator (sample)", (Role.NESO,), (), ("neso",)),
    PartyPlan("MARKET", "Market platform (sample)", (Role.PLATFORM,), (), ("market",)),
    PartyPlan("OFGEM", "Regulator (sample)", (Role.OFGEM,), (), ("ofgem",)),
    PartyPlan("OFFICE", "Register office (sample)", (Role.ADMINISTRATOR,), (), ("office",)),
)
_AGREEMENTS: Final = (
    ("ALPHA", SAMPLE_MPAN, "AMS-EV-1", Market.DSO_LOCAL, 1, True),
    ("ALPHA", SAMPLE_MPAN, "AMS-EV-1", Market.WHOLESALE, 2, False),
    ("BRAVO", SAMPLE_MPAN, "AMS-PV-2", Market.NESO_BM, 1, False),
    ("BRAVO", "1200023305967", "AMS-HP-3", Market.DSO_LOCAL, 1, True),
)


def prepare_sample(settings: RegisterSettings, lake: Path | None) -> None:
    """A migrated register with the sample in it, and a lake where one is named."""
    database = RegisterDatabase(settings)
    migrate(database)
    fill_register(database)
    database.close()
    if lake is not None:
        write_sample_lake(lake)


def choose_parties(gsp_group_id: str) -> tuple[PartyPlan, ...]:
    """The sample parties, with the network operator of this area as the one network operator."""
    return tuple(plan_network(gsp_group_id) if Role.DNO in plan.roles else plan for plan in SAMPLE_PARTIES)


def describe_sample(issuer: DevelopmentIssuer, audience: str, url: str, gsp_group_id: str = DEFAULT_NETWORK_AREA) -> str:
    """Tokens and lines to paste into a shell, all of them at once if one likes; the network operator is that of the area."""
    lines = ["", "# Tokens for 8 hours, worth nothing once this service stops:"]
    for plan in choose_parties(gsp_group_id):
        token = issuer.sign(plan.client_ids[0], audience)
        lines.append(f"export {plan.party_id}={token}   # {plan.name}, {', '.join(plan.roles)}")
    body = (
        f'{{"mpan_id": "{SAMPLE_MPAN}", "amsid": "AMS-BT-9", "market": "dso_local", "primacy_tier": 1, "is_exclusive": true, '
        '"valid_from_at": "2026-02-01T00:00:00Z"}'
    )
    lines += [
        "",
        "# Then, for example:",
        f'curl -s -H "Authorization: Bearer $ALPHA" "{url}/v1/agreements?mpan_id={SAMPLE_MPAN}&valid_at=2026-03-04T17:30:00Z"',
        f"curl -s -H \"Authorization: Bearer $ALPHA\" -H 'Content-Type: application/json' -d '{body}' {url}/v1/agreements",
        f'curl -s -H "Authorization: Bearer ${plan_network(gsp_group_id).party_id}" "{url}/v1/agreements?market=dso_local"',
        f'curl -s -H "Authorization: Bearer $OFFICE" {url}/v1/parties',
        f"curl -s {url}/health/ready; curl -s {url}/metrics",
        "",
        f"# Every endpoint: {url}/docs",
        "",
    ]
    return "\n".join(lines)


def fill_register(database: RegisterDatabase) -> None:
    """The sample parties take part and hold their rights; a second time changes nothing."""
    for plan in SAMPLE_PARTIES:
        set_party(database, plan, Actor("operator", "sample"))
    _allocate(database)
    for fsp_id, mpan_id, amsid, market, primacy_tier, is_exclusive in _AGREEMENTS:
        values: dict[str, Any] = {
            "mpan_id": mpan_id,
            "amsid": amsid,
            "market": market,
            "primacy_tier": primacy_tier,
            "is_exclusive": is_exclusive,
            "valid_from_at": parse_moment("2026-01-01T00:00:00Z"),
            "valid_to_at": None,
            "consent_reference": None,
        }
        caller = Caller(fsp_id, fsp_id.lower(), frozenset({Role.FSP}), ())
        with change_of(database, EVERYTHING, actor_of(caller)) as change:
            same = conditions_of(Search(amsid=amsid, market=market), caller)
            if not find_page(change.connection, AGREEMENT, "", 1, *same):
                create_agreement(change, caller, values)


def _allocate(database: RegisterDatabase) -> None:
    """The sample's assets are allocated to those that claim them, so that derived values are shown."""
    with change_of(database, EVERYTHING, Actor("operator", "sample")) as change:
        for fsp_id, mpan_id, amsid in dict.fromkeys(row[:3] for row in _AGREEMENTS):
            allocation = {"basis": "allocation", "fsp_id": fsp_id, "mpan_id": mpan_id, "amsid": amsid, "reference": "sample"}
            record_evidence(change, {**allocation, "valid_from_at": EARLIEST, "valid_to_at": None})


def write_sample_lake(root: Path) -> None:
    """Two gold tables with one meter point, so that overrides have something beside them and a detection asks for an answer."""
    of_meter = {"mpan_id": SAMPLE_MPAN, "as_of_date": date(2026, 1, 5)}
    capability = [
        {**of_meter, "asset_class": "ev", "direction": "import", "rated_kw": 7.1, "tier": "medium"},
        {**of_meter, "asset_class": "solar_pv", "direction": "export", "rated_kw": 3.6, "tier": "high"},
    ]
    detections = [
        {**of_meter, "asset_class": "ev", "present_probability": 0.78, "is_present": True, "tier": "medium"},
        {**of_meter, "asset_class": "solar_pv", "present_probability": 0.98, "is_present": True, "tier": "high"},
    ]
    characterised = [{**row, "status": "characterised", "model_version": "sample"} for row in detections]
    for name, rows in (("capability", capability), ("asset_detections", characterised)):
        write_deltalake(str(root / "gold" / name), pa.Table.from_pylist(rows), mode="overwrite")
