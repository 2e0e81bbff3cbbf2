"""What FSPs answer when the engine is not sure: labels that training may use, each with where it comes from."""

from collections.abc import Callable
from typing import Final, NamedTuple

from sqlalchemy import Connection

from fmar_spark.domain.markets import ClaimState
from fmar_spark.domain.words import Tier
from fmar_spark.services.register.access import confirmations_within, reach_of
from fmar_spark.services.register.agreements import portfolio_terms
from fmar_spark.services.register.claims import find_states
from fmar_spark.services.register.derived import Derived, Detection
from fmar_spark.services.register.overrides import require_class
from fmar_spark.services.register.records import AMENDED, Change, Draft, Row, find_one, find_page, known_at
from fmar_spark.services.register.tables import CONFIRMATION, CONFIRMATIONS
from fmar_spark.services.web.access import Caller
from fmar_spark.services.web.identifiers import new_id
from fmar_spark.services.web.problems import ConflictError, ForbiddenError, MissingError

PROVENANCE: Final = "fsp_confirmation"
CONFIRMED: Final = "confirmed"
CORRECTED: Final = "corrected"


class Answer(NamedTuple):
    """What an FSP says of one class behind one meter point."""

    mpan_id: str
    amsid: str
    asset_class: str
    is_present: bool


def find_invited(derived: Derived, mpan_id: str, asset_class: str) -> Detection:
    """The detection that an FSP may answer.

    Raises:
        ConflictError: the engine has no medium answer there, so that nobody was asked.
    """
    for detection in derived.find_detections(mpan_id):
        if detection.asset_class == asset_class and detection.tier == Tier.MEDIUM and detection.is_present is not None:
            return detection
    raise ConflictError("not-invited", "there is no detection of medium confidence to confirm or correct")


def record_confirmation(change: Change, caller: Caller, answer: Answer, invite: Callable[[], Detection]) -> Row:
    """The FSP's newest answer stands with what it answers; an earlier one stays in the history.

    Raises:
        ForbiddenError: the asset is not in the caller's portfolio now, or the claim to it is not verified.
        ConflictError: nobody was asked, or the asset was said to be of another class.
    """
    terms = portfolio_terms(change, caller.party_id, answer.mpan_id, answer.amsid)
    if not any(term["valid_from_at"] <= change.now and (term["valid_to_at"] is None or change.now < term["valid_to_at"]) for term in terms):
        raise ForbiddenError("not-in-portfolio", "the party holds no agreement on that MPAN and AMSID now")
    states = find_states(change.database, change.connection, change.reach, terms, change.now)
    if set(states.values()) != {ClaimState.VERIFIED}:
        raise ForbiddenError("claim-not-verified", "the party's claim to that asset is not verified; the administrator records evidence")
    if answer.is_present:
        always = {"valid_from_at": change.now, "valid_to_at": None}
        require_class(change.connection, caller.party_id, {**answer._asdict(), **always})
    detection = invite()
    values = {
        **answer._asdict(),
        "fsp_id": caller.party_id,
        "verdict": CONFIRMED if answer.is_present == detection.is_present else CORRECTED,
        "is_detected": detection.is_present,
        "detected_probability": detection.present_probability,
        "tier": detection.tier,
        "model_version": detection.model_version,
        "as_of_date": detection.as_of_date.isoformat(),
        "provenance": PROVENANCE,
    }
    same = [CONFIRMATIONS.c[name] == values[name] for name in ("fsp_id", "mpan_id", "amsid", "asset_class")]
    earlier = find_page(change.connection, CONFIRMATION, "", 1, known_at(CONFIRMATION, None), *same)
    if earlier:
        return change.replace(CONFIRMATION, earlier[0], values, AMENDED)
    return change.create(CONFIRMATION, [Draft(new_id(), values)])[0]


def find_confirmation(connection: Connection, caller: Caller, confirmation_id: str) -> Row:
    """The current version, if the caller may see it.

    Raises:
        MissingError: there is none, or none that the caller may know of.
    """
    reach = confirmations_within(reach_of(caller), CONFIRMATIONS)
    row = find_one(connection, CONFIRMATION, confirmation_id, known_at(CONFIRMATION, None), reach)
    if row is None:
        raise MissingError("no-such-confirmation", "there is no such confirmation")
    return row
