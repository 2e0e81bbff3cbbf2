"""What the consent service answers becomes checked decisions, and faults where an answer makes no sense (docs/consent.md)."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal, NamedTuple

import msgspec
import pyarrow as pa

from fmar_spark.domain.consent import OBJECTIONS, ConsentState, Purpose
from fmar_spark.domain.mpan import is_mpan

SERVICE: Final = "consent service"
"""Source of the legal bases that it confirmed."""
EXPLICIT_CONSENT: Final = "explicit consent"
GRANTED: Final[str] = ConsentState.GRANTED.value
NONE: Final = "none"
"""State of a meter of which the service knows no decision."""
LONGEST: Final = timedelta(days=400)
"""An answer that may be relied on for longer is a mistake of the service."""
REPEATED: Final = "consent_decision_repeated"
MAX_REASON_CHARS: Final = 200
BASIS_SCHEMA: Final = pa.schema(
    [
        ("mpan_id", pa.string()),
        ("purpose", pa.string()),
        ("basis", pa.string()),
        ("state", pa.string()),
        ("reference_id", pa.string()),
        ("source", pa.string()),
        ("valid_from_date", pa.date32()),
        ("valid_to_date", pa.date32()),
        ("verified_at", pa.timestamp("us", "UTC")),
        ("expires_at", pa.timestamp("us", "UTC")),
    ]
)
"""Rows of silver.legal_bases before they are recorded."""


class _Decision(msgspec.Struct, forbid_unknown_fields=False):
    mpan: str
    state: Literal["granted", "withdrawn", "opted_out", "none"]
    expires_at: datetime | None = None
    purpose: Literal["any", "characterisation", "verification"] = "any"
    basis: str = EXPLICIT_CONSENT
    reference_id: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None


class _Answer(msgspec.Struct):
    decisions: list[msgspec.Raw]


class _Revocation(msgspec.Struct, forbid_unknown_fields=False):
    mpan: str
    effective_at: datetime
    state: Literal["withdrawn", "opted_out"] = "withdrawn"
    purpose: Literal["any", "characterisation", "verification"] = "any"
    reference_id: str | None = None


class _Revocations(msgspec.Struct):
    revocations: list[_Revocation]


class DecisionFault(NamedTuple):
    """A part of an answer that cannot be believed."""

    rule: str
    reason: str
    raw: str
    place: int
    """Decision within the answer, from 1; 0 = the answer as a whole."""


class Decisions(NamedTuple):
    """One answer of the service."""

    rows: list[dict[str, object]]
    """In the columns of ``BASIS_SCHEMA``."""
    unknown: list[tuple[str, str]]
    """Meter and purpose of which the service knows no decision."""
    faults: list[DecisionFault]


def read_decisions(body: bytes, asked: Sequence[str], purpose: Purpose, now: datetime) -> Decisions:
    """The decisions of an answer, each meter that was asked about at most once; what cannot be believed is a fault and changes nothing.

    Of several decisions about a meter none counts, but for an objection: a service that contradicts itself must not keep a customer in.

    Args:
        body: of the service's answer.
        asked: MPANs in the question.
        purpose: in the question.
        now: time of the answer.
    """
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Decisions([], [], [_fault("consent_answer_unreadable", f"{error}; an object with decisions wanted", body, 0)])
    rows: dict[str, dict[str, object]] = {}
    unknown: list[tuple[str, str]] = []
    faults: list[DecisionFault] = []
    wanted, seen = set(asked), set[str]()
    for place, raw in enumerate(answer.decisions, start=1):
        try:
            decision = msgspec.json.decode(raw, type=_Decision)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            faults.append(_fault("consent_decision_malformed", str(error), bytes(raw), place))
            continue
        if problem := _find_problem(decision, wanted, seen, purpose, now):
            faults.append(_fault(*problem, bytes(raw), place))
            if problem[0] == REPEATED:
                _withdraw_unless_objected(decision, rows, unknown, (purpose, now))
            continue
        seen.add(decision.mpan)
        if decision.state == NONE:
            unknown.append((decision.mpan, purpose))
        else:
            rows[decision.mpan] = _build_row(decision, now)
    return Decisions(list(rows.values()), unknown, faults)


def _withdraw_unless_objected(
    decision: _Decision, rows: dict[str, dict[str, object]], unknown: list[tuple[str, str]], asked: tuple[Purpose, datetime]
) -> None:
    """Of a meter with a second decision only an objection is left."""
    purpose, now = asked
    if decision.state in OBJECTIONS and decision.purpose in (purpose, Purpose.ANY):
        rows[decision.mpan] = _build_row(decision, now)
    elif rows.get(decision.mpan, {}).get("state") not in OBJECTIONS:
        rows.pop(decision.mpan, None)
    unknown[:] = [one for one in unknown if one[0] != decision.mpan]


def read_revocations(body: bytes, now: datetime) -> list[dict[str, object]]:
    """The rows of a message by which the service revokes; all of it or none.

    Raises:
        ValueError: it cannot be believed; the message says why.
    """
    try:
        found = msgspec.json.decode(body, type=_Revocations).revocations
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{error}; an object with revocations wanted") from error
    if not found:
        raise ValueError("revocations: none found, at least one wanted")
    for place, one in enumerate(found, start=1):
        if not is_mpan(one.mpan):
            raise ValueError(f"revocation {place}: mpan: 13 digits with their check digit wanted")
        if one.effective_at.tzinfo is None or one.effective_at > now + timedelta(days=1):
            raise ValueError(f"revocation {place}: effective_at: a time with its offset, not later than tomorrow, wanted")
    return [
        {
            "mpan_id": one.mpan,
            "purpose": one.purpose,
            "basis": EXPLICIT_CONSENT,
            "state": one.state,
            "reference_id": one.reference_id,
            "source": SERVICE,
            "valid_from_date": None,
            "valid_to_date": None,
            "verified_at": now,
            "expires_at": None,
        }
        for one in found
    ]


def _find_problem(decision: _Decision, wanted: set[str], seen: set[str], purpose: Purpose, now: datetime) -> tuple[str, str] | None:
    """Rule and reason, if a decision cannot be believed."""
    ends = (decision.expires_at or now) if decision.state == GRANTED else now + LONGEST
    problems = (
        (decision.mpan not in wanted, "consent_meter_not_asked", "a meter that was not in the question"),
        (decision.mpan in seen, REPEATED, "a second decision about the same meter"),
        (decision.purpose not in (purpose, Purpose.ANY), "consent_purpose_not_asked", f"{decision.purpose} found, {purpose} wanted"),
        (ends.tzinfo is None, "consent_time_without_offset", "expires_at without an offset"),
        (ends.tzinfo is not None and ends <= now, "consent_answer_expired", f"expires_at {ends} found, a time to come wanted"),
        (
            ends.tzinfo is not None and ends > now + LONGEST,
            "consent_expiry_too_late",
            f"expires_at {ends} found, at most {LONGEST.days} days ahead wanted",
        ),
        (
            bool(decision.valid_from and decision.valid_to and decision.valid_to <= decision.valid_from),
            "consent_validity_reversed",
            f"valid_to {decision.valid_to} found, later than valid_from {decision.valid_from} wanted",
        ),
        (
            decision.state == GRANTED and not (decision.reference_id or "").strip(),
            "consent_without_reference",
            "granted without a reference_id",
        ),
        (not decision.basis.strip(), "consent_without_basis", "an empty basis"),
    )
    return next(((rule, reason) for applies, rule, reason in problems if applies), None)


def _build_row(decision: _Decision, now: datetime) -> dict[str, object]:
    is_granted = decision.state == GRANTED
    return {
        "mpan_id": decision.mpan,
        "purpose": decision.purpose,
        "basis": decision.basis,
        "state": decision.state,
        "reference_id": decision.reference_id,
        "source": SERVICE,
        "valid_from_date": decision.valid_from if is_granted else None,
        "valid_to_date": decision.valid_to if is_granted else None,
        "verified_at": now,
        # An objection holds until the service says otherwise: silence must not bring a meter back.
        "expires_at": decision.expires_at.astimezone(UTC) if is_granted and decision.expires_at else None,
    }


def _fault(rule: str, reason: str, raw: bytes, place: int) -> DecisionFault:
    return DecisionFault(rule, reason[:MAX_REASON_CHARS], raw.decode("utf-8", "replace"), place)
