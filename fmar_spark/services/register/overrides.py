"""What an FSP declares of an asset in its portfolio: shown beside what was derived, ended or superseded, never deleted."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from fmar_spark.domain.assets import ASSET_FACTS, SIZE_NAMES, AssetClass
from fmar_spark.domain.figures import write_number
from fmar_spark.domain.markets import RANGE_OF_PARAMETER, Parameter
from fmar_spark.domain.terms import is_empty
from fmar_spark.services.register.access import overrides_within, reach_of
from fmar_spark.services.register.agreements import check_version, portfolio_terms
from fmar_spark.services.register.claims import Claim, claim_of
from fmar_spark.services.register.derived import Derived
from fmar_spark.services.register.records import ENDED, SUPERSEDED, Change, Draft, Row, check_forward, find_one, find_page, known_at
from fmar_spark.services.register.tables import CONFIRMATION, OVERRIDE, OVERRIDES
from fmar_spark.services.web.access import Caller
from fmar_spark.services.web.identifiers import new_id
from fmar_spark.services.web.moments import format_moment
from fmar_spark.services.web.problems import ConflictError, ForbiddenError, InvalidError, MissingError
from fmar_spark.services.web.replies import Expected

FSP_DECLARED: Final = "fsp_declared"
_SAME_SUBJECT: Final = ("mpan_id", "amsid", "asset_class", "direction", "parameter")
_MOST_OVERLAPPING: Final = 1000


def declare_override(change: Change, caller: Caller, values: Row) -> Row:
    """The first version of a declaration; an earlier one on the same parameter ends where it begins, superseded by it.

    Raises:
        InvalidError: unit, value or validity are not what the parameter takes, or it does not suit the class and direction.
        ForbiddenError: the asset is not in the caller's portfolio during that time.
        ConflictError: the asset was said to be of another class.
    """
    _check_value(values)
    _check_class(values)
    check_forward(values["valid_from_at"], values["valid_to_at"])
    terms = portfolio_terms(change, caller.party_id, values["mpan_id"], values["amsid"])
    if not any(_meets(term, values) for term in terms):
        raise ForbiddenError("not-in-portfolio", "the party holds no agreement on that MPAN and AMSID during that time")
    require_class(change.connection, caller.party_id, values)
    override_id = new_id()
    for earlier in _overlapping(change.connection, caller.party_id, values):
        end = max(earlier["valid_from_at"], values["valid_from_at"])
        change.replace(OVERRIDE, earlier, {"valid_to_at": end, "superseded_by_id": override_id}, SUPERSEDED)
    return change.create(OVERRIDE, [Draft(override_id, {**values, "fsp_id": caller.party_id})])[0]


def require_class(connection: Connection, fsp_id: str, values: Row) -> None:
    """Nothing, if the FSP says of no other class that the asset is one: an AMSID names one asset.

    Raises:
        ConflictError: it does, in a declaration in force at the same time or in its newest answer to a detection.
    """
    same = {name: values[name] for name in ("mpan_id", "amsid")}
    for subject in (OVERRIDE, CONFIRMATION):
        columns = subject.table.c
        others = [columns[name] == value for name, value in same.items()]
        others += [columns.fsp_id == fsp_id, columns.asset_class != values["asset_class"]]
        for row in find_page(connection, subject, "", _MOST_OVERLAPPING, known_at(subject, None), *others):
            if _meets(row, values) if subject is OVERRIDE else row["is_present"]:
                detail = f"the party says of this AMSID that it is {row['asset_class']}; end that declaration or correct that answer first"
                raise ConflictError("class-differs", detail)


def end_override(change: Change, caller: Caller, override_id: str, expected: Expected, valid_to_at: datetime | None) -> Row:
    """A new version of one's own declaration that ends earlier: now, or at a stated moment.

    Raises:
        MissingError, ForbiddenError: not there, or not one's own.
        StaleError: not the version that the caller had seen.
        InvalidError: the end lies before the beginning, or after the end that stands.
    """
    current = find_override(change.connection, caller, override_id, None)
    if current["fsp_id"] != caller.party_id:
        raise ForbiddenError("not-yours", "the override belongs to another party")
    check_version(current, expected)
    end = valid_to_at or max(change.now, current["valid_from_at"])
    if end < current["valid_from_at"]:
        raise InvalidError("end-before-begin", "a declaration cannot end before it begins")
    if current["valid_to_at"] is not None and end >= current["valid_to_at"]:
        raise InvalidError("end-not-earlier", f"the declaration ends at {format_moment(current['valid_to_at'])} already")
    return change.replace(OVERRIDE, current, {"valid_to_at": end}, ENDED)


def find_override(connection: Connection, caller: Caller, override_id: str, moment: datetime | None) -> Row:
    """The version that was known at a moment, if the caller may see it.

    Raises:
        MissingError: there is none, or none that the caller may know of.
    """
    row = find_one(connection, OVERRIDE, override_id, known_at(OVERRIDE, moment), overrides_within(reach_of(caller), OVERRIDES))
    if row is None:
        raise MissingError("no-such-override", "there is no such override")
    return row


def compare_with_derived(declared: list[Row], entitled: set[Claim], derived: Derived, mpan_id: str) -> list[dict[str, Any]]:
    """Each current declaration beside what the engine derives for the same parameter; the engine's value is never replaced.

    Nothing that was derived is shown beside declarations whose claim is not among the entitled.
    """
    rows = {(row["asset_class"], row["direction"]): row for row in derived.find_capability(mpan_id)} if entitled else {}
    compared = []
    for row in declared:
        found = rows.get((row["asset_class"], row["direction"]), {}) if claim_of(row) in entitled else {}
        compared.append(
            {
                **row,
                "source": FSP_DECLARED,
                "derived_value": found.get(row["parameter"]),
                "derived_as_of_date": found.get("as_of_date"),
            }
        )
    return compared


def _overlapping(connection: Connection, fsp_id: str, values: Row) -> list[Row]:
    same = [OVERRIDES.c[name] == values[name] for name in _SAME_SUBJECT]
    earlier = find_page(connection, OVERRIDE, "", _MOST_OVERLAPPING, known_at(OVERRIDE, None), OVERRIDES.c.fsp_id == fsp_id, *same)
    return [row for row in earlier if not is_empty(row["valid_from_at"], row["valid_to_at"]) and _meets(row, values)]


def _meets(left: Row, right: Row) -> bool:
    """Whether two half-open validities have a moment in common."""
    left_in_time = right["valid_to_at"] is None or left["valid_from_at"] < right["valid_to_at"]
    right_in_time = left["valid_to_at"] is None or right["valid_from_at"] < left["valid_to_at"]
    return left_in_time and right_in_time and not is_empty(left["valid_from_at"], left["valid_to_at"])


def _check_class(values: Row) -> None:
    facts = ASSET_FACTS[AssetClass(values["asset_class"])]
    if values["direction"] not in facts.directions:
        raise InvalidError("wrong-direction", f"{facts.words}: declared for {' or '.join(facts.directions)} alone")
    sizes = {name.column for size in facts.sizes for name in size.names} | {Parameter.RATED_KW}
    if values["parameter"] in {name.column for name in SIZE_NAMES} - sizes:
        raise InvalidError("wrong-parameter", f"{facts.words}: has no {values['parameter']}")


def _check_value(values: Row) -> None:
    allowed = RANGE_OF_PARAMETER[Parameter(values["parameter"])]
    if values["unit"] != allowed.unit:
        raise InvalidError("wrong-unit", f"{values['parameter']} is declared in {allowed.unit}")
    if not 0 <= values["value"] <= allowed.maximum:
        raise InvalidError("value-out-of-range", f"{values['parameter']} lies from 0 to {write_number(allowed.maximum)} {allowed.unit}")
