"""Who may see and do what: a caller's roles turned into actions, a reach over rows, and fields."""

from enum import StrEnum
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, and_, exists, false, literal, or_, true
from sqlalchemy.sql.selectable import FromClause

from fmar_spark.domain.markets import MARKETS_OF_ROLE, Market, Role
from fmar_spark.services.register.tables import AGREEMENTS
from fmar_spark.services.web.access import ActionsOfRole, Caller


class Action(StrEnum):
    """Everything that an endpoint may let a caller do."""

    READ_AGREEMENTS = "read_agreements"
    """Look up terms and their history."""
    WRITE_AGREEMENTS = "write_agreements"
    """Create, amend and end one's own, uploads included."""
    READ_OVERRIDES = "read_overrides"
    """See what was declared of an asset."""
    WRITE_OVERRIDES = "write_overrides"
    """Declare of one's own portfolio."""
    READ_CONFIRMATIONS = "read_confirmations"
    """See answers to detections."""
    WRITE_CONFIRMATIONS = "write_confirmations"
    """Answer for one's own portfolio."""
    READ_EVIDENCE = "read_evidence"
    """See what supports and contradicts claims."""
    WRITE_EVIDENCE = "write_evidence"
    """Record allocations, consents, approvals and disputes."""
    READ_DISPUTES = "read_disputes"
    """See the disputes that concern one."""
    RAISE_DISPUTES = "raise_disputes"
    """Say that a record is wrong."""
    SETTLE_DISPUTES = "settle_disputes"
    """Decide what becomes of a disputed record."""
    READ_PARTIES = "read_parties"
    """See who takes part."""
    APPOINT = "appoint"
    """Add and change parties and their clients."""


ACTIONS_OF_ROLE: Final[ActionsOfRole] = {
    Role.FSP: frozenset(
        {
            Action.READ_AGREEMENTS,
            Action.WRITE_AGREEMENTS,
            Action.READ_OVERRIDES,
            Action.WRITE_OVERRIDES,
            Action.READ_CONFIRMATIONS,
            Action.WRITE_CONFIRMATIONS,
            Action.READ_DISPUTES,
            Action.RAISE_DISPUTES,
        }
    ),
    Role.DNO: frozenset({Action.READ_AGREEMENTS, Action.READ_OVERRIDES, Action.READ_DISPUTES, Action.RAISE_DISPUTES}),
    Role.NESO: frozenset({Action.READ_AGREEMENTS, Action.READ_OVERRIDES, Action.READ_DISPUTES, Action.RAISE_DISPUTES}),
    Role.PLATFORM: frozenset(),
    Role.OFGEM: frozenset(),
    Role.ADMINISTRATOR: frozenset(
        {
            Action.READ_AGREEMENTS,
            Action.READ_OVERRIDES,
            Action.READ_CONFIRMATIONS,
            Action.READ_EVIDENCE,
            Action.WRITE_EVIDENCE,
            Action.READ_DISPUTES,
            Action.SETTLE_DISPUTES,
            Action.READ_PARTIES,
            Action.APPOINT,
        }
    ),
}
"""What is not listed is denied."""

PRIVATE_FIELDS: Final = frozenset({"recorded_by_client_id", "consent_reference"})
"""Which of a party's clients recorded a version, and whose consent it relies on, is shown to that party and the administrator alone."""


class Reach(NamedTuple):
    """The rows that a caller may see."""

    fsp_id: str = ""
    """Sees and writes what this FSP owns."""
    distributor_ids: tuple[str, ...] = ()
    """Sees local flexibility on these networks (first two digits of the MPAN)."""
    markets: tuple[str, ...] = ()
    """Sees these markets everywhere."""
    is_everything: bool = False
    """Sees all rows."""
    party_id: str = ""
    """Sees and raises disputes as this party."""


NOTHING: Final = Reach()
EVERYTHING: Final = Reach(is_everything=True)


def reach_of(caller: Caller) -> Reach:
    """The union of what the caller's roles may see."""
    return Reach(
        fsp_id=caller.party_id if Role.FSP in caller.roles else "",
        distributor_ids=caller.distributor_ids if Role.DNO in caller.roles else (),
        markets=tuple(sorted(MARKETS_OF_ROLE[Role.NESO])) if Role.NESO in caller.roles else (),
        is_everything=Role.ADMINISTRATOR in caller.roles,
        party_id=caller.party_id,
    )


def visible_to(caller: Caller, row: dict[str, Any]) -> dict[str, Any]:
    """The row without the fields that the caller may not see."""
    is_own = row["recorded_by_party_id"] == caller.party_id if "raised_by_party_id" in row else row.get("fsp_id") == reach_of(caller).fsp_id
    if Role.ADMINISTRATOR in caller.roles or is_own:
        return row
    return {name: value for name, value in row.items() if name not in PRIVATE_FIELDS}


def agreements_within(reach: Reach, table: FromClause = AGREEMENTS) -> ColumnElement[bool]:
    """The condition on agreements that a reach comes to; nothing at all unless something allows it."""
    if reach.is_everything:
        return true()
    ways: list[ColumnElement[bool]] = []
    if reach.fsp_id:
        ways.append(table.c.fsp_id == reach.fsp_id)
    if reach.distributor_ids:
        ways.append(and_(table.c.market == str(Market.DSO_LOCAL), table.c.distributor_id.in_(reach.distributor_ids)))
    if reach.markets:
        ways.append(table.c.market.in_(reach.markets))
    return or_(*ways) if ways else false()


def overrides_within(reach: Reach, table: FromClause) -> ColumnElement[bool]:
    """One's own, and those of an FSP whose agreement on the same asset one may see."""
    if reach.is_everything:
        return true()
    agreements = AGREEMENTS.alias("reached")
    seen = exists().where(
        agreements.c.fsp_id == table.c.fsp_id,
        agreements.c.mpan_id == table.c.mpan_id,
        agreements.c.amsid == table.c.amsid,
        agreements.c.known_to_at.is_(None),
        agreements_within(reach._replace(fsp_id=""), agreements),
    )
    return or_(confirmations_within(reach, table), seen)


def confirmations_within(reach: Reach, table: FromClause) -> ColumnElement[bool]:
    """One's own alone."""
    if reach.is_everything:
        return true()
    return table.c.fsp_id == reach.fsp_id if reach.fsp_id else false()


def disputes_within(reach: Reach, table: FromClause) -> ColumnElement[bool]:
    """Those that concern the party."""
    if reach.is_everything:
        return true()
    if not reach.party_id:
        return false()
    return literal(",").concat(table.c.parties).concat(",").contains(f",{reach.party_id},", autoescape=True)
