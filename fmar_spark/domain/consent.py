"""The consent check: which meter points may be examined. Declared once, as SQL that Spark and DuckDB read alike."""

from datetime import date
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


class Rejection(NamedTuple):
    """Why a meter point must not be examined."""

    name: str
    applies: str
    """SQL over a meter point: ``{point}`` is its row, ``{household}`` and ``{basis}`` say whether it is one and has a legal basis."""
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
    Rejection("no_legal_basis", "{household} AND NOT {basis}", "no legal basis on record for that day"),
)
"""In order: the first that applies is named. A premise of unknown kind is a household. A business need not have consented, but its
rejection counts."""
BOUNDARY_UNKNOWN: Final = Rejection("boundary_unknown", "{point}.mpan_id IS NULL", "no import meter is known at its boundary")
BOUNDARY_REJECTED: Final = Rejection("boundary_rejected", "", "the import meter of its boundary must not be examined")
REJECTIONS: Final = (BOUNDARY_UNKNOWN, *OWN_REJECTIONS, BOUNDARY_REJECTED)


def render_consent_check(meter_points: str, legal_bases: str, day: date) -> str:
    """A query that checks every meter point: ``rejection`` is null where it may be examined, else the name of the first of ``REJECTIONS``.

    An export meter point inherits premises and legal basis from its boundary, and passes only if the boundary passes too. Columns:
    mpan_id, boundary_mpan_id, rejection, and the boundary's ``METER_ATTRIBUTES``.

    Args:
        meter_points: relation of silver.meter_points, as the query names it.
        legal_bases: relation of silver.legal_bases.
        day: on which a legal basis must hold.
    """
    own = _render_case("p", "coalesce(p.is_domestic, b.is_domestic, TRUE)", "(p.has_basis OR coalesce(b.has_basis, FALSE))")
    of_boundary = _render_case("b", "coalesce(b.is_domestic, TRUE)", "b.has_basis")
    attributes = ", ".join(f"b.{name} AS {name}" for name in METER_ATTRIBUTES)
    return f"""
        WITH covered AS (
            SELECT DISTINCT mpan_id FROM {legal_bases}
            WHERE coalesce(valid_from_date, DATE '{day}') <= DATE '{day}' AND (valid_to_date IS NULL OR valid_to_date > DATE '{day}')
        ), points AS (
            SELECT m.*, c.mpan_id IS NOT NULL AS has_basis FROM {meter_points} m LEFT JOIN covered c ON c.mpan_id = m.mpan_id
        )
        SELECT p.mpan_id, p.boundary_mpan_id, CASE
            WHEN {BOUNDARY_UNKNOWN.applies.format(point="b")} THEN '{BOUNDARY_UNKNOWN.name}'
            WHEN {own} IS NOT NULL THEN {own}
            WHEN {of_boundary} IS NOT NULL THEN '{BOUNDARY_REJECTED.name}'
            END AS rejection, {attributes}
        FROM points p LEFT JOIN points b ON b.mpan_id = p.boundary_mpan_id
    """


def _render_case(point: str, household: str, basis: str) -> str:
    """Name of the first own rejection that applies to a row, null where none does."""
    cases = (f"WHEN {one.applies.format(point=point, household=household, basis=basis)} THEN '{one.name}'" for one in OWN_REJECTIONS)
    return f"(CASE {' '.join(cases)} END)"
