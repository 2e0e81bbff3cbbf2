"""What makes a lake of one's own worth signing in to: sample parties hold agreements on assets that were detected in it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from fmar_spark.contracts.capability import ASSET_DETECTIONS, CAPABILITY
from fmar_spark.contracts.deliveries import DISPATCH_EVENTS
from fmar_spark.domain.assets import ASSET_FACTS, AssetClass
from fmar_spark.domain.markets import Market, Role
from fmar_spark.domain.network import AreaLevel
from fmar_spark.services.capability.pages.session import Development, Guest
from fmar_spark.services.capability.resources import CAPABILITY_OF_AREA
from fmar_spark.services.register.access import EVERYTHING
from fmar_spark.services.register.agreements import Search, actor_of, conditions_of, create_agreement
from fmar_spark.services.register.claims import record_evidence
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.register.ledger import Actor
from fmar_spark.services.register.operation import PartyPlan, set_party
from fmar_spark.services.register.overrides import declare_override
from fmar_spark.services.register.records import change_of, find_page
from fmar_spark.services.register.sample import DEFAULT_NETWORK_AREA, SAMPLE_PARTIES, choose_parties, plan_network
from fmar_spark.services.register.tables import AGREEMENT
from fmar_spark.services.web.access import Caller
from fmar_spark.services.web.moments import EARLIEST, parse_moment
from fmar_spark.services.web.signing_keys import DevelopmentIssuer

_HELD: Final = 90
_OPERATOR: Final = Actor("operator", "sample")
_BEGIN: Final = parse_moment("2026-01-01T00:00:00Z")
_ROLE_WORDS: Final = {
    Role.FSP: "flexibility service provider: its own portfolio",
    Role.DNO: "distribution network: its own areas",
    Role.NESO: "system operator: all areas",
    Role.PLATFORM: "market platform: envelopes",
    Role.OFGEM: "regulator: the health of the whole",
    Role.ADMINISTRATOR: "register office: everything",
}
REGISTER_FILE: Final = Path("_demo") / "register.db"
"""Inside a lake: the sample register whose rights it mirrors."""
_CHOSEN: Final = f"""
    SELECT mpan_id, asset_class, direction, rated_kw, tier FROM {{assets}} WHERE tier <> 'low' AND rated_kw IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY mpan_id ORDER BY tier, asset_class, direction) = 1
    ORDER BY hash(mpan_id) LIMIT {_HELD}
"""
"""One asset a meter; no order that follows place or size."""
_DECLARED_TIMES: Final = {0: 1.1, 3: 2.5}
"""Of the derived size, in the order of the agreements; half of the others are declared as they were found."""
OF_MODEL: Final = _CHOSEN.format(assets="asset_sizes")
OF_LAKE: Final = _CHOSEN.format(
    assets=f"""(
        SELECT d.mpan_id, d.asset_class, d.tier, c.direction, c.rated_kw FROM {ASSET_DETECTIONS.full_name} d
        JOIN {CAPABILITY.full_name} c ON c.mpan_id = d.mpan_id AND c.asset_class = d.asset_class
        JOIN consent_checks k ON k.mpan_id = d.mpan_id AND k.rejection IS NULL
        WHERE d.is_present
    )"""
)
"""The same assets before a read model is published."""
_DECLARED: Final = f"""
    SELECT fsp_id, mpan_id, amsid, min(start_at) AS valid_from_at,
        any_value(market) FILTER (market IN ({", ".join(f"'{market}'" for market in Market)})) AS market
    FROM {{events}}
    WHERE regexp_full_match(fsp_id, '[A-Za-z0-9][A-Za-z0-9_.-]{{{{0,31}}}}')
        AND regexp_full_match(amsid, '[A-Za-z0-9][A-Za-z0-9._:/-]{{{{0,39}}}}')
    GROUP BY fsp_id, mpan_id, amsid QUALIFY row_number() OVER (PARTITION BY amsid ORDER BY mpan_id, fsp_id) = 1
    ORDER BY fsp_id, mpan_id, amsid LIMIT {_HELD}
"""
"""One FSP an asset: its right is exclusive, and holds from the first event."""
DECLARED_IN_MODEL: Final = _DECLARED.format(events="delivery_checks")
DECLARED_IN_LAKE: Final = _DECLARED.format(events=DISPATCH_EVENTS.full_name)


AREA_OF_MODEL: Final = f"""
    SELECT area_id FROM {CAPABILITY_OF_AREA.table} WHERE area_level = '{AreaLevel.GSP_GROUP}' AND NOT is_suppressed
    GROUP BY area_id ORDER BY count(*) DESC, sum(meters) DESC, area_id LIMIT 1
"""
"""The settlement area with the most published figures."""


def list_guests(
    issuer: DevelopmentIssuer, audience: str, declaring: Sequence[PartyPlan] = (), gsp_group_id: str = DEFAULT_NETWORK_AREA
) -> Development:
    """The sample parties and FSPs of the lake, for the sign-in page of one's own machine; the network operator is that of the area."""
    plans = (*choose_parties(gsp_group_id), *declaring)
    guests = (Guest(plan.party_id, plan.client_ids[0], "; ".join(_ROLE_WORDS[role] for role in plan.roles)) for plan in plans)
    return Development(issuer, audience, tuple(guests))


def describe_reads(url: str, gsp_group_id: str = DEFAULT_NETWORK_AREA) -> str:
    """Lines to paste after those of the register, about an area that has published figures where any has."""
    network = plan_network(gsp_group_id).party_id
    area = f"{url}/v1/areas/{AreaLevel.GSP_GROUP}/{gsp_group_id}"
    lines = [
        f'curl -s -H "Authorization: Bearer $MARKET" "{url}/v1/assets?asset_category=BESS&gsp_group_id={gsp_group_id}&limit=2"',
        f'curl -s -H "Authorization: Bearer $MARKET" -H "Accept: text/csv" "{url}/v1/envelopes?flexibility=demand_down&rated_kw_min=5"',
        f'curl -s -H "Authorization: Bearer ${network}" {area}/capability',
        f'curl -s -H "Authorization: Bearer $NESO" "{area}/availability?season=winter&weekday=3&limit=48"',
        f'curl -s -H "Authorization: Bearer $ALPHA" -H "Accept: text/csv" {url}/v1/portfolio/export',
        f'curl -s -H "Authorization: Bearer $ALPHA" {url}/v1/invitations',
        f'curl -s -H "Authorization: Bearer $OFGEM" {url}/v1/system-health',
        f'curl -s -H "Authorization: Bearer $OFFICE" "{url}/v1/delivery-evidence?verdict=suspect"',
        f'curl -s -H "Authorization: Bearer $NESO" {url}/v1/area-deliveries',
        f'curl -s -H "Authorization: Bearer $OFFICE" "{url}/v1/assets?limit=1"',
        "",
        f"# Pages, for every party: {url}/",
    ]
    return "\n".join(lines)


def fill_from_assets(database: RegisterDatabase, rows: Sequence[dict[str, Any]]) -> int:
    """ALPHA and BRAVO hold agreements on these assets, one in ten without evidence; a second time changes nothing. How many."""
    for place, row in enumerate(rows):
        fsp_id = "BRAVO" if place % 3 == 2 else "ALPHA"
        caller = Caller(fsp_id, fsp_id.lower(), frozenset({Role.FSP}), ())
        amsid = f"AMS-{ASSET_FACTS[AssetClass(row['asset_class'])].stem.upper().replace('_', '-')}-{row['mpan_id'][-6:]}"
        if _hold(database, caller, row, amsid, is_verified=place % 10 != 9) and place % 2 == place // 2 % 2:
            _declare(database, caller, row, amsid, _DECLARED_TIMES.get(place, 1.0))
    return len(rows)


def add_network(database: RegisterDatabase, gsp_group_id: str) -> None:
    """The sample network operator of the area takes part."""
    set_party(database, plan_network(gsp_group_id), _OPERATOR)


def fill_deliveries(database: RegisterDatabase, rows: Sequence[dict[str, Any]]) -> tuple[PartyPlan, ...]:
    """FSPs of dispatch events take part and hold verified agreements on the assets; those that are no sample parties."""
    known = {plan.party_id for plan in SAMPLE_PARTIES}
    plans: dict[str, PartyPlan] = {}
    for row in rows:
        fsp_id = row["fsp_id"]
        if fsp_id not in known and fsp_id not in plans:
            plans[fsp_id] = PartyPlan(fsp_id, f"{fsp_id} (declares deliveries)", (Role.FSP,), (), (fsp_id.lower(),))
            set_party(database, plans[fsp_id], _OPERATOR)
        _hold(database, Caller(fsp_id, fsp_id.lower(), frozenset({Role.FSP}), ()), row, row["amsid"], is_verified=True)
    return tuple(plans.values())


def _hold(database: RegisterDatabase, caller: Caller, row: dict[str, Any], amsid: str, is_verified: bool) -> bool:
    """Whether the agreement is new."""
    with change_of(database, EVERYTHING, actor_of(caller)) as change:
        same = conditions_of(Search(amsid=amsid, mpan_id=row["mpan_id"]), caller)
        if find_page(change.connection, AGREEMENT, "", 1, *same):
            return False
        values = {"mpan_id": row["mpan_id"], "amsid": amsid, "market": Market(row.get("market") or Market.DSO_LOCAL)}
        values |= {"primacy_tier": 1, "is_exclusive": True}
        create_agreement(
            change, caller, {**values, "valid_from_at": row.get("valid_from_at") or _BEGIN, "valid_to_at": None, "consent_reference": None}
        )
    if is_verified:
        allocation = {"basis": "allocation", "fsp_id": caller.party_id, "mpan_id": row["mpan_id"], "amsid": amsid, "reference": "sample"}
        with change_of(database, EVERYTHING, _OPERATOR) as change:
            record_evidence(change, {**allocation, "valid_from_at": EARLIEST, "valid_to_at": None})
    return True


def _declare(database: RegisterDatabase, caller: Caller, row: dict[str, Any], amsid: str, times: float) -> None:
    """A declared size beside the derived one, so that there is something to compare."""
    named = {"mpan_id": row["mpan_id"], "amsid": amsid, "asset_class": row["asset_class"], "direction": row["direction"]}
    value = round(row["rated_kw"] * times, 1)
    size = {"parameter": "rated_kw", "value": value, "unit": "kW", "reason": "name plate (sample)"}
    with change_of(database, EVERYTHING, actor_of(caller)) as change:
        declare_override(change, caller, {**named, **size, "valid_from_at": change.now, "valid_to_at": None})
