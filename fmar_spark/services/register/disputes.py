"""Disputes of records (FMAR, UC-05.03): a party names the record, the error and the evidence; the administrator settles it.

A dispute changes no record by itself. Everything of it is in the ledger, and the parties that it concerns see it.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from sqlalchemy import Connection, select

from fmar_spark.domain.markets import MARKETS_OF_ROLE, ClaimState, Market, Outcome, RecordKind, Role
from fmar_spark.services.register.access import agreements_within, disputes_within, reach_of
from fmar_spark.services.register.agreements import check_version
from fmar_spark.services.register.claims import claim_of, find_states
from fmar_spark.services.register.derived import Record
from fmar_spark.services.register.holdings import list_holdings
from fmar_spark.services.register.parties import join_list, split_list
from fmar_spark.services.register.records import SETTLED, Change, Draft, Row, find_one, find_page, known_at, valid_at
from fmar_spark.services.register.scopes import SCOPES_OF_KIND, is_shown
from fmar_spark.services.register.tables import AGREEMENT, AGREEMENTS, DISPUTE, DISPUTES, PARTIES, PARTY
from fmar_spark.services.web.access import Caller
from fmar_spark.services.web.identifiers import new_id
from fmar_spark.services.web.problems import ConflictError, ForbiddenError, MissingError
from fmar_spark.services.web.replies import Expected

_MOST_PARTIES: Final = 12
"""Ids of 32 characters each fit the column."""


class Complaint(NamedTuple):
    """What a party says."""

    record_kind: RecordKind
    record_id: str
    mpan_id: str
    amsid: str
    alleged_error: str
    evidence: str


class Settlement(NamedTuple):
    """What the administrator decides."""

    outcome: Outcome
    outcome_reason: str


def raise_dispute(change: Change, caller: Caller, complaint: Complaint, find_records: Callable[[], list[Record]]) -> Row:
    """The first version of a dispute of a record that the caller may see; the record itself stays as it is.

    Args:
        change: the transaction.
        caller: who raises it.
        complaint: what is said.
        find_records: the derived records of that kind, meter point and id.

    Raises:
        ForbiddenError: the asset is not in the caller's portfolio or market, its claim is not verified, its right is not in force, or its
            role cannot dispute this.
        MissingError: there is no such record, or none that the caller may know of.
        ConflictError: the same party disputes the same record already.
    """
    record = _find_record(change, caller, complaint, find_records)
    same = {"raised_by_party_id": caller.party_id, "record_kind": str(complaint.record_kind), "record_id": complaint.record_id}
    same |= {"mpan_id": complaint.mpan_id, "amsid": complaint.amsid}
    standing = [DISPUTES.c[name] == value for name, value in same.items()]
    if find_page(change.connection, DISPUTE, "", 1, known_at(DISPUTE, None), DISPUTES.c.outcome.is_(None), *standing):
        raise ConflictError("dispute-open", "the party disputes this record already; that dispute is not settled yet")
    values = {
        **complaint._asdict(),
        "record_kind": str(complaint.record_kind),
        "fsp_id": record.fsp_id,
        "record_run_id": record.run_id,
        "raised_by_party_id": caller.party_id,
        "parties": _list_concerned(change, caller, complaint, record),
        "outcome": None,
        "outcome_reason": None,
    }
    return change.create(DISPUTE, [Draft(new_id(), values)])[0]


def settle_dispute(change: Change, caller: Caller, dispute_id: str, expected: Expected, settlement: Settlement) -> Row:
    """A new version of the dispute, with its outcome; a settled dispute stays settled, whoever disagrees raises another.

    Raises:
        MissingError: there is none.
        StaleError: not the version that the caller had seen.
        ConflictError: it is settled already.
    """
    current = find_dispute(change.connection, caller, dispute_id)
    check_version(current, expected)
    if current["outcome"] is not None:
        raise ConflictError("dispute-settled", f"the dispute ended with: {current['outcome']}; raise another")
    return change.replace(DISPUTE, current, {"outcome": str(settlement.outcome), "outcome_reason": settlement.outcome_reason}, SETTLED)


def find_dispute(connection: Connection, caller: Caller, dispute_id: str) -> Row:
    """The current version, if it concerns the caller.

    Raises:
        MissingError: there is none, or none that the caller may know of.
    """
    row = find_one(connection, DISPUTE, dispute_id, known_at(DISPUTE, None), disputes_within(reach_of(caller), DISPUTES))
    if row is None:
        raise MissingError("no-such-dispute", "there is no such dispute")
    return row


def _find_record(change: Change, caller: Caller, complaint: Complaint, find_records: Callable[[], list[Record]]) -> Record:
    terms = _list_terms(change, caller, complaint)
    if not terms:
        raise ForbiddenError("not-in-portfolio", "no agreement on that MPAN and AMSID concerns the party")
    if complaint.record_kind == RecordKind.AGREEMENT:
        found = next((term for term in terms if term["agreement_id"] == complaint.record_id), None)
        if found is None:
            raise _no_record()
        return Record(found["amsid"], found["fsp_id"], f"version {found['version']}", complaint.mpan_id)
    own = [term for term in terms if Role.FSP in caller.roles and term["fsp_id"] == caller.party_id]
    held = _list_held(change, complaint) if own else []
    if not held and not (SCOPES_OF_KIND[complaint.record_kind].keys() & caller.roles) - {Role.FSP}:
        raise _hidden(change, complaint, own)
    for record in find_records():
        if record.amsid in ("", complaint.amsid) and is_shown(complaint.record_kind, record, caller, held):
            return record._replace(fsp_id=record.fsp_id or caller.party_id)
    raise _no_record()


def _list_held(change: Change, complaint: Complaint) -> list[Row]:
    """The caller's rights in force to the asset, if its claim is verified."""
    held = list_holdings(change.database, change.connection, change.reach, change.now, complaint.mpan_id)
    return [row for row in held if row["amsid"] == complaint.amsid]


def _hidden(change: Change, complaint: Complaint, own: list[Row]) -> ForbiddenError:
    """Why the party sees no such record of an asset on which it has, had or sees agreements."""
    if not own:
        return ForbiddenError("record-not-shown", f"the party's roles see no single {complaint.record_kind}; they dispute what they see")
    states = find_states(change.database, change.connection, change.reach, own, change.now)
    if set(states.values()) != {ClaimState.VERIFIED}:
        return ForbiddenError("claim-not-verified", "the party's claim to that asset is not verified; the administrator records evidence")
    return ForbiddenError("right-not-in-force", "the party holds no right to that asset now, and disputes what it sees")


def _list_terms(change: Change, caller: Caller, complaint: Complaint) -> list[Row]:
    """Agreements on the asset that the caller sees."""
    of_asset = (AGREEMENTS.c.mpan_id == complaint.mpan_id, AGREEMENTS.c.amsid == complaint.amsid)
    wanted = select(AGREEMENTS).where(*of_asset, known_at(AGREEMENT, None), agreements_within(reach_of(caller)))
    return [dict(row) for row in change.connection.execute(wanted).mappings()]


def _list_concerned(change: Change, caller: Caller, complaint: Complaint, record: Record) -> str:
    """Who raised it, whose record it is, who else holds rights to the asset now by a verified claim, and those who buy them."""
    of_asset = (AGREEMENTS.c.mpan_id == complaint.mpan_id, AGREEMENTS.c.amsid == complaint.amsid)
    wanted = select(AGREEMENTS).where(*of_asset, known_at(AGREEMENT, None), valid_at(AGREEMENT, change.now))
    with change.database.seeing_everything(change.connection, change.reach):
        rights = [dict(row) for row in change.connection.execute(wanted).mappings()]
    states = find_states(change.database, change.connection, change.reach, rights, change.now)
    proven = [right for right in rights if states[claim_of(right)] == ClaimState.VERIFIED]
    buyers = _list_buyers(change.connection, complaint.mpan_id[:2], {Market(right["market"]) for right in proven})
    nearest = [caller.party_id, record.fsp_id]
    others = sorted({*(right["fsp_id"] for right in proven), *buyers} - set(nearest))
    return join_list([*nearest, *others][:_MOST_PARTIES])


def _list_buyers(connection: Connection, distributor_id: str, markets: Iterable[Market]) -> list[str]:
    """Networks of the area and system operators whose markets are concerned."""
    concerned = set(markets)
    wanted = select(PARTIES.c.party_id, PARTIES.c.roles, PARTIES.c.distributor_ids).where(known_at(PARTY, None), PARTIES.c.is_active)
    buyers = []
    for party in connection.execute(wanted):
        roles = set(split_list(party.roles))
        is_network = Role.DNO in roles and distributor_id in split_list(party.distributor_ids) and concerned & MARKETS_OF_ROLE[Role.DNO]
        if is_network or (Role.NESO in roles and concerned & MARKETS_OF_ROLE[Role.NESO]):
            buyers.append(str(party.party_id))
    return buyers


def _no_record() -> MissingError:
    return MissingError("no-such-record", "there is no such record at that meter point and asset, or none that the party sees")
