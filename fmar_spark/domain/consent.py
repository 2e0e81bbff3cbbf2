"""The consent check: which meter points may be examined. Declared once, as SQL that Spark and DuckDB read alike."""

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

METER_ATTRIBUTES: Final = (
    "interval_minutes",
    "time_zone",
    "latitude",
    "longitude",
    "weather_area",
    "gsp_group_id",
    "is_domestic",
)
"""Columns of silver.meter_points that the rows of a meter carry; those of the boundary."""


class Purpose(StrEnum):
    """What a legal basis covers."""

    ANY = "any"
    """Everything that this package does."""
    CHARACTERISATION = "characterisation"
    """What a connection can do: assets, sizes, availability, baselines."""
    VERIFICATION = "verification"
    """Whether declared deliveries are seen at the boundary."""


class ConsentState(StrEnum):
    """What is on record of a meter and a purpose."""

    GRANTED = "granted"
    """The basis holds."""
    WITHDRAWN = "withdrawn"
    """The customer took a consent back."""
    OPTED_OUT = "opted_out"
    """The customer objected, whatever the basis was."""


OBJECTIONS: Final = (ConsentState.WITHDRAWN, ConsentState.OPTED_OUT)
"""They end every basis of the same purpose, from a public task to a business without consent."""
ADMITS_HOUSEHOLDS: Final = "fmar.consent.admits_households"
"""Spark setting under which a session knows whether households are admitted at all; a session without it admits them."""


class ConsentRules(NamedTuple):
    """What is asked of a meter point beside its own attributes."""

    purpose: Purpose = Purpose.CHARACTERISATION
    admits_households: bool = True
    """Whether households, and premises of unknown kind, are examined at all."""


DEFAULT_RULES: Final = ConsentRules()


class Rejection(NamedTuple):
    """Why a meter point must not be examined."""

    name: str
    applies: str
    """SQL over a meter point: ``{point}`` is its row, ``{household}`` and ``{basis}`` say whether it is one and has a legal basis, and
    ``{admits}`` whether households are admitted."""
    reason: str


OWN_REJECTIONS: Final = (
    Rejection("de_energised", "NOT coalesce({point}.is_energised, TRUE)", "the connection is de-energised"),
    Rejection(
        "unmetered",
        "coalesce({point}.market_segment = 'U', FALSE) OR coalesce({point}.connection_type = 'U', FALSE)",
        "the supply is unmetered",
    ),
    Rejection(
        "no_half_hourly_consent",
        "{point}.source = 'dip' AND NOT coalesce({point}.consent_granularity = 'H', NOT {household})",
        "no consent to half-hourly readings",
    ),
    Rejection("objected", "{point}.has_objected", "the customer withdrew or opted out"),
    Rejection("households_not_admitted", "{household} AND NOT {admits}", "households are not admitted here (consent.admits_households)"),
    Rejection(
        "basis_not_confirmed", "{household} AND NOT {basis} AND {point}.has_lapsed", "the consent service has not confirmed it in time"
    ),
    Rejection("no_legal_basis", "{household} AND NOT {basis}", "no legal basis on record for that day"),
)
"""In order: the first that applies is named. A premise of unknown kind is a household. A business need not have consented, but its
rejection counts."""
BOUNDARY_UNKNOWN: Final = Rejection("boundary_unknown", "{point}.mpan_id IS NULL", "no import meter is known at its boundary")
BOUNDARY_REJECTED: Final = Rejection("boundary_rejected", "", "the import meter of its boundary must not be examined")
REJECTIONS: Final = (BOUNDARY_UNKNOWN, *OWN_REJECTIONS, BOUNDARY_REJECTED)


def render_consent_check(meter_points: str, legal_bases: str, day: date, rules: ConsentRules = DEFAULT_RULES) -> str:
    """A query that checks every meter point: ``rejection`` is null where it may be examined, else the name of the first of ``REJECTIONS``.

    An export meter point inherits premises and legal basis from its boundary, and passes only if the boundary passes too. Columns:
    mpan_id, boundary_mpan_id, rejection, and the boundary's ``METER_ATTRIBUTES``.

    Args:
        meter_points: relation of silver.meter_points, as the query names it.
        legal_bases: relation of silver.legal_bases.
        day: on which a legal basis must hold. An answer of the consent service must not have expired when that day ends, or now if that
            is earlier.
        rules: purpose, and whether households are admitted.
    """
    has_basis = "(p.has_basis OR coalesce(b.has_basis, FALSE))"
    own = _render_case("p", "coalesce(p.is_domestic, b.is_domestic, TRUE)", has_basis, rules)
    of_boundary = _render_case("b", "coalesce(b.is_domestic, TRUE)", "b.has_basis", rules)
    attributes = ", ".join(f"b.{name} AS {name}" for name in METER_ATTRIBUTES)
    objections = ", ".join(f"'{state}'" for state in OBJECTIONS)
    is_expired = f"coalesce(expires_at <= CAST('{_last_moment(day):%Y-%m-%d %H:%M:%S}' AS TIMESTAMP), FALSE)"
    return f"""
        WITH recorded AS (
            SELECT mpan_id,
                max(CASE WHEN state IN ({objections}) THEN 2 WHEN {is_expired} THEN 0 ELSE 1 END) AS strongest,
                max(CASE WHEN state IN ({objections}) OR {is_expired} THEN 0 ELSE 1 END) AS granted
            FROM {legal_bases}
            WHERE coalesce(valid_from_date, DATE '{day}') <= DATE '{day}' AND (valid_to_date IS NULL OR valid_to_date > DATE '{day}')
                AND coalesce(purpose, '{Purpose.ANY}') IN ('{Purpose.ANY}', '{rules.purpose}')
            GROUP BY mpan_id
        ), points AS (
            SELECT m.*, coalesce(c.granted = 1, FALSE) AS has_basis, coalesce(c.strongest = 2, FALSE) AS has_objected,
                coalesce(c.strongest = 0, FALSE) AS has_lapsed
            FROM {meter_points} m LEFT JOIN recorded c ON c.mpan_id = m.mpan_id
        )
        SELECT p.mpan_id, p.boundary_mpan_id, CASE
            WHEN {BOUNDARY_UNKNOWN.applies.format(point="b")} THEN '{BOUNDARY_UNKNOWN.name}'
            WHEN {own} IS NOT NULL THEN {own}
            WHEN {of_boundary} IS NOT NULL THEN '{BOUNDARY_REJECTED.name}'
            END AS rejection, {attributes}
        FROM points p LEFT JOIN points b ON b.mpan_id = p.boundary_mpan_id
    """


def _last_moment(day: date) -> datetime:
    """End of a day, or now where that is earlier; UTC."""
    return min(datetime.now(UTC), datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1))


def _render_case(point: str, household: str, basis: str, rules: ConsentRules) -> str:
    """Name of the first own rejection that applies to a row, null where none does."""
    admits = "TRUE" if rules.admits_households else "FALSE"
    named = {"point": point, "household": household, "basis": basis, "admits": admits}
    cases = (f"WHEN {one.applies.format(**named)} THEN '{one.name}'" for one in OWN_REJECTIONS)
    return f"(CASE {' '.join(cases)} END)"
