"""Whether an FSP's claim to an asset at a meter point is proven: derived values go to verified claims alone.

A claim is what its agreements say together: this FSP, this meter point, this AMSID. Its state is never stored. It follows, at the
moment of the question, from the evidence on record and from the agreements themselves, so that it cannot lag behind either.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, and_, or_, select

from fmar_spark.domain.markets import Basis, ClaimState, Market
from fmar_spark.domain.terms import Conflict, Term, find_conflict
from fmar_spark.services.register.access import Reach
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.register.records import (
    AMENDED,
    CREATED,
    ENDED,
    Change,
    Draft,
    Row,
    check_forward,
    find_one,
    find_page,
    known_at,
    valid_at,
)
from fmar_spark.services.register.tables import AGREEMENT, AGREEMENTS, EVIDENCE, EVIDENCE_ROWS
from fmar_spark.services.web.identifiers import new_id
from fmar_spark.services.web.problems import InvalidError, MissingError

ANY: Final = ""
"""Of a consent that names no FSP or no asset."""
_CLAIMS_AT_ONCE: Final = 1000


class Claim(NamedTuple):
    """An FSP says that it operates an asset at a meter point."""

    fsp_id: str
    mpan_id: str
    amsid: str


def claim_of(row: Any) -> Claim:
    """The claim that an agreement or a declaration stands on."""
    return Claim(row["fsp_id"], row["mpan_id"], row["amsid"])


def term_of(row: Any) -> Term:
    """What the rules look at."""
    return Term(
        row["agreement_id"],
        row["amsid"],
        Market(row["market"]),
        row["primacy_tier"],
        bool(row["is_exclusive"]),
        row["valid_from_at"],
        row["valid_to_at"],
    )


class _Known(NamedTuple):
    """What the register knows of some claims."""

    evidence: dict[str, list[Row]]
    """In force, by AMSID; consents for any asset under ``ANY``."""
    references: dict[Claim, set[str]]
    """Consents that the claims' agreements name."""
    displaced: set[Claim]
    """A verified right took the place of one of their terms."""


def find_states(
    database: RegisterDatabase, connection: Connection, reach: Reach, rows: Collection[Any], moment: datetime
) -> dict[Claim, ClaimState]:
    """The state of the claim behind each row at a moment; rows that are not stored yet count with the consent that they name."""
    states: dict[Claim, ClaimState] = {}
    ordered = list(rows)
    with database.seeing_everything(connection, reach):
        for first in range(0, len(ordered), _CLAIMS_AT_ONCE):
            part = ordered[first : first + _CLAIMS_AT_ONCE]
            known = _read(connection, part, moment)
            states.update({claim: _state_of(claim, known) for claim in {claim_of(row) for row in part}})
    return states


def with_states(database: RegisterDatabase, connection: Connection, reach: Reach, rows: Sequence[Row], moment: datetime) -> list[Row]:
    """The rows, each with the state of its claim."""
    states = find_states(database, connection, reach, rows, moment)
    return [{**row, "claim_state": states[claim_of(row)]} for row in rows]


def find_entitled(database: RegisterDatabase, connection: Connection, reach: Reach, rows: Sequence[Row], moment: datetime) -> set[Claim]:
    """The claims to which derived values may be shown: verified, and with a right in force at the moment."""
    claims = {claim_of(row) for row in rows}
    wanted = select(AGREEMENTS).where(AGREEMENTS.c.amsid.in_({claim.amsid for claim in claims}), known_at(AGREEMENT, None))
    with database.seeing_everything(connection, reach):
        found = connection.execute(wanted.where(valid_at(AGREEMENT, moment))).mappings()
        in_force = {claim_of(row) for row in found}
    states = find_states(database, connection, reach, rows, moment)
    return {claim for claim in claims & in_force if states[claim] == ClaimState.VERIFIED}


class Weighing(NamedTuple):
    """What a new term meets."""

    conflict: Conflict | None
    """The right that it must give way to."""
    displaced: list[Row]
    """Unverified terms of others that give way to it."""


def weigh(row: Row, standing: Sequence[Row], states: dict[Claim, ClaimState]) -> Weighing:
    """Hold a term against those that stand: an unverified claim never blocks a verified one, and one's own terms always count."""
    candidate = term_of(row)
    is_verified = states[claim_of(row)] == ClaimState.VERIFIED
    rivals = [other for other in standing if find_conflict(candidate, [term_of(other)])]
    blocking = [
        other for other in rivals if not is_verified or other["fsp_id"] == row["fsp_id"] or states[claim_of(other)] == ClaimState.VERIFIED
    ]
    conflict = find_conflict(candidate, [term_of(other) for other in blocking])
    return Weighing(conflict, [] if conflict else rivals)


def record_evidence(change: Change, values: Row) -> tuple[Row, str]:
    """The evidence as it stands now, and what that took: ``created``, ``amended`` or ``unchanged``; one row for one reference.

    Raises:
        InvalidError: it proves nothing: an open party or asset outside consents, or a validity that runs backwards.
    """
    _check_evidence(values)
    same = [EVIDENCE_ROWS.c[name] == values[name] for name in ("basis", "fsp_id", "mpan_id", "amsid", "reference")]
    found = find_page(change.connection, EVIDENCE, "", 1, known_at(EVIDENCE, None), *same)
    if not found:
        return change.create(EVIDENCE, [Draft(new_id(), values)])[0], CREATED
    if all(found[0][name] == value for name, value in values.items()):
        return found[0], "unchanged"
    return change.replace(EVIDENCE, found[0], values, AMENDED), AMENDED


def end_evidence(change: Change, current: Row, valid_to_at: datetime | None) -> Row:
    """The evidence counts no longer: from now on, or from a stated moment.

    Raises:
        InvalidError: the end lies before the beginning, or after the end that stands.
    """
    end = valid_to_at or max(change.now, current["valid_from_at"])
    if end < current["valid_from_at"] or (current["valid_to_at"] is not None and end >= current["valid_to_at"]):
        raise InvalidError("end-not-earlier", "evidence ends at or after its beginning, and before the end that stands")
    return change.replace(EVIDENCE, current, {"valid_to_at": end}, ENDED)


def find_evidence(connection: Connection, evidence_id: str) -> Row:
    """The current version.

    Raises:
        MissingError: there is none.
    """
    row = find_one(connection, EVIDENCE, evidence_id, known_at(EVIDENCE, None))
    if row is None:
        raise MissingError("no-such-evidence", "there is no such evidence")
    return row


def _check_evidence(values: Row) -> None:
    check_forward(values["valid_from_at"], values["valid_to_at"])
    if values["basis"] != Basis.CONSENT and ANY in (values["fsp_id"], values["amsid"]):
        raise InvalidError(
            "evidence-too-wide", f"evidence of basis {values['basis']} names an FSP and an AMSID; consents alone may be open"
        )


def _read(connection: Connection, rows: Sequence[Any], moment: datetime) -> _Known:
    claims = {claim_of(row) for row in rows}
    amsids = sorted({claim.amsid for claim in claims})
    mpans = sorted({claim.mpan_id for claim in claims})
    of_asset = EVIDENCE_ROWS.c.amsid.in_(amsids)
    of_place = and_(EVIDENCE_ROWS.c.amsid == ANY, EVIDENCE_ROWS.c.mpan_id.in_(mpans))
    evidence: dict[str, list[Row]] = {}
    wanted = select(EVIDENCE_ROWS).where(or_(of_asset, of_place), known_at(EVIDENCE, None), valid_at(EVIDENCE, moment))
    for found in connection.execute(wanted).mappings():
        evidence.setdefault(found["amsid"], []).append(dict(found))
    names = (AGREEMENTS.c.consent_reference, AGREEMENTS.c.displaced_by_id)
    is_named = or_(*(name.is_not(None) for name in names))
    columns = (AGREEMENTS.c.fsp_id, AGREEMENTS.c.mpan_id, AGREEMENTS.c.amsid, AGREEMENTS.c.known_to_at, *names)
    said = connection.execute(select(*columns).where(AGREEMENTS.c.amsid.in_(amsids), is_named)).mappings()
    current = [row for row in said if row["known_to_at"] is None]
    references: dict[Claim, set[str]] = {}
    for row in (*current, *rows):
        if row.get("consent_reference"):
            references.setdefault(claim_of(row), set()).add(row["consent_reference"])
    return _Known(evidence, references, {claim_of(row) for row in current if row["displaced_by_id"]})


def _state_of(claim: Claim, known: _Known) -> ClaimState:
    of_asset = known.evidence.get(claim.amsid, [])
    own = {row["basis"] for row in of_asset if claim_of(row) == claim}
    if Basis.DISPUTE in own:
        return ClaimState.DISPUTED
    if own & {Basis.APPROVAL, Basis.ALLOCATION}:
        return ClaimState.VERIFIED
    # An asset that is allocated, and never to this claim, is somebody else's, whatever the customer has consented to.
    if any(row["basis"] == Basis.ALLOCATION for row in of_asset):
        return ClaimState.DISPUTED
    if _has_consent(claim, (*of_asset, *known.evidence.get(ANY, [])), known.references.get(claim, set())):
        return ClaimState.VERIFIED
    return ClaimState.DISPUTED if claim in known.displaced else ClaimState.CLAIMED


def _has_consent(claim: Claim, evidence: Iterable[Row], references: set[str]) -> bool:
    return any(
        row["basis"] == Basis.CONSENT
        and row["mpan_id"] == claim.mpan_id
        and row["fsp_id"] in (ANY, claim.fsp_id)
        and row["reference"] in references
        for row in evidence
    )
