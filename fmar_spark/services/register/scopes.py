"""Which rows of what was derived a party may see: one rule, for the queries of the read API and for the disputes of single records."""

from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from typing import Any, Final

from fmar_spark.domain.markets import RecordKind, Role
from fmar_spark.domain.words import Tier
from fmar_spark.services.register.derived import Record
from fmar_spark.services.web.access import Caller


class Scope(StrEnum):
    """Which rows a role sees of an endpoint."""

    ALL = "all"
    """Every row."""
    OWN_NETWORKS = "own_networks"
    """Areas on the networks of the party, by the distributor ids that the register holds of it."""
    OWN_VERIFIED = "own_verified"
    """Assets to which the party holds a right in force and whose claim is verified; those of low confidence are held back."""
    OWN = "own"
    """Rows that name the party."""
    OWN_PROVEN = "own_proven"
    """Rows that name the party, of assets with a verified claim and a right in force: they show what a meter measured."""
    NOTIFIED = "notified"
    """Rows whose recipients include the party: by its id, a network also by its distributor ids, the system operator as such."""
    CONCERNED = "concerned"
    """Rows that list the party among those whom they concern."""
    MARKET_FACING = "market_facing"
    """Assets of high or medium confidence: a low answer is held back (paper, 7.3)."""


CONDITION_OF_SCOPE: Final[Mapping[Scope, str]] = {
    Scope.ALL: "TRUE",
    Scope.OWN_NETWORKS: "list_has_any(distributor_ids, $distributor_ids)",
    Scope.OWN_VERIFIED: (
        "tier IN ('high', 'medium') AND "
        "EXISTS (SELECT 1 FROM verified_claims c WHERE c.mpan_id = t.mpan_id AND c.asset_class IN ('', t.asset_class))"
    ),
    Scope.OWN: "fsp_id = $party_id",
    Scope.OWN_PROVEN: ("fsp_id = $party_id AND EXISTS (SELECT 1 FROM verified_claims c WHERE c.mpan_id = t.mpan_id AND c.amsid = t.amsid)"),
    Scope.NOTIFIED: "list_has_any(recipients, $addresses)",
    Scope.CONCERNED: "list_contains(parties, $party_id)",
    Scope.MARKET_FACING: "tier IN ('high', 'medium')",
}
"""In SQL, over rows ``t``."""

Rule = Callable[[Record, Caller, Collection[Mapping[str, Any]]], bool]
"""Whether a record is within, for a caller and the rows of its ``verified_claims``."""
RULE_OF_SCOPE: Final[Mapping[Scope, Rule]] = {
    Scope.OWN_VERIFIED: lambda record, _, claims: (
        record.tier in {Tier.HIGH, Tier.MEDIUM}
        and any(claim["mpan_id"] == record.mpan_id and claim["asset_class"] in {"", record.asset_class} for claim in claims)
    ),
    Scope.OWN_PROVEN: lambda record, caller, claims: (
        record.fsp_id == caller.party_id and any((claim["mpan_id"], claim["amsid"]) == (record.mpan_id, record.amsid) for claim in claims)
    ),
    Scope.NOTIFIED: lambda record, caller, _: not set(record.recipients).isdisjoint(list_addresses(caller)),
}
"""The same conditions on one record; a test holds the two equal."""

ENDPOINT_OF_KIND: Final[Mapping[RecordKind, str]] = {
    RecordKind.DETECTION: "assets",
    RecordKind.CAPABILITY: "assets",
    RecordKind.DELIVERY_CHECK: "delivery_checks",
    RecordKind.DELIVERY_EVIDENCE: "delivery_evidence",
    RecordKind.FLAG: "discrepancies",
}
"""Where the read API shows what can be disputed, as conf/access.yaml calls it; agreements are the register's own."""
SCOPES_OF_KIND: Final[Mapping[RecordKind, Mapping[Role, Scope]]] = {
    RecordKind.DETECTION: {Role.FSP: Scope.OWN_VERIFIED},
    RecordKind.CAPABILITY: {Role.FSP: Scope.OWN_VERIFIED},
    RecordKind.DELIVERY_CHECK: {Role.FSP: Scope.OWN_PROVEN},
    RecordKind.DELIVERY_EVIDENCE: {Role.FSP: Scope.OWN_PROVEN},
    RecordKind.FLAG: {Role.FSP: Scope.OWN_PROVEN, Role.DNO: Scope.NOTIFIED, Role.NESO: Scope.NOTIFIED},
}
"""What the roles that raise disputes see of these endpoints; a test holds it equal to conf/access.yaml."""


def is_shown(kind: RecordKind, record: Record, caller: Caller, claims: Collection[Mapping[str, Any]]) -> bool:
    """Whether any of the caller's roles sees a derived record.

    Args:
        kind: of the record.
        record: what is named.
        caller: who names it.
        claims: its verified claims with a right in force: mpan_id, amsid, asset_class ('' = it said nothing).
    """
    return any(RULE_OF_SCOPE[scope](record, caller, claims) for role, scope in SCOPES_OF_KIND[kind].items() if role in caller.roles)


def list_addresses(caller: Caller) -> list[str]:
    """As recipients of notices are called."""
    of_role = {
        Role.FSP: [f"fsp:{caller.party_id}"],
        Role.DNO: [f"dno:{distributor_id}" for distributor_id in caller.distributor_ids],
        Role.NESO: ["neso"],
    }
    return [f"party:{caller.party_id}", *(address for role in caller.roles for address in of_role.get(role, ()))]
