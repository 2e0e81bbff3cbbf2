"""Meter points of every kind, and what the consent check says of them: Spark and DuckDB must agree."""

from datetime import UTC, date, datetime
from typing import Any, Final

UNTIL: Final = date(2026, 3, 31)
NOW: Final = datetime(2026, 4, 1, tzinfo=UTC)

HOME: Final[dict[str, Any]] = {
    "source": "dip",
    "gsp_group_id": "_C",
    "connection_type": "W",
    "energy_direction": "I",
    "is_energised": True,
    "market_segment": "S",
    "annual_kwh": 3000.0,
    "is_domestic": True,
    "consent_granularity": "H",
    "interval_minutes": 30,
    "time_zone": "Europe/London",
    "latitude": 51.5,
    "longitude": -0.1,
    "weather_area": "_C",
    "reported_at": NOW,
}
SHOP: Final = HOME | {"is_domestic": False, "consent_granularity": None}
EXPORT: Final = HOME | {"energy_direction": "E"}

# name, meter, does it hold a basis, rejection
CASES: Final[list[tuple[str, dict[str, Any], bool, str | None]]] = [
    ("a home with consent and basis", HOME, True, None),
    ("a home without a basis", HOME, False, "no_legal_basis"),
    ("a home with daily consent", HOME | {"consent_granularity": "D"}, True, "no_half_hourly_consent"),
    ("a home whose consent nobody reported", HOME | {"consent_granularity": None}, True, "no_half_hourly_consent"),
    ("a de-energised home", HOME | {"is_energised": False}, True, "de_energised"),
    ("a home of unknown energisation", HOME | {"is_energised": None}, True, None),
    ("an unmetered supply", SHOP | {"market_segment": "U"}, False, "unmetered"),
    ("an unmetered connection", SHOP | {"connection_type": "U"}, False, "unmetered"),
    ("a shop that was never asked", SHOP, False, None),
    ("a shop that declined", SHOP | {"consent_granularity": "N"}, False, "no_half_hourly_consent"),
    ("a premise of unknown kind without a basis", HOME | {"is_domestic": None}, False, "no_legal_basis"),
    ("a premise of unknown kind with a basis", HOME | {"is_domestic": None}, True, None),
    (
        "an imported series with its owner's basis",
        HOME | {"source": "import", "consent_granularity": None, "is_domestic": None},
        True,
        None,
    ),
    ("an imported series without a basis", HOME | {"source": "import", "consent_granularity": None}, False, "no_legal_basis"),
]


def meter(mpan: str, attributes: dict[str, Any], boundary: str | None = None) -> dict[str, Any]:
    return {"mpan_id": mpan, "boundary_mpan_id": boundary or mpan, **attributes}


def basis(mpan: str, valid_from: date | None = None, valid_to: date | None = None) -> dict[str, Any]:
    return {
        "mpan_id": mpan,
        "purpose": "any",
        "state": None,
        "reference_id": None,
        "verified_at": None,
        "expires_at": None,
        "basis": "simulated",
        "source": "a test",
        "valid_from_date": valid_from,
        "valid_to_date": valid_to,
        "recorded_at": NOW,
    }


def number(place: int) -> str:
    """MPAN of the meter of ``CASES`` at that place."""
    return f"{place:013d}"


MANY: Final = [meter(number(place), attributes) for place, (_, attributes, _, _) in enumerate(CASES)]
MANY_BASES: Final = [basis(number(place)) for place, case in enumerate(CASES) if case[2]]
MANY_REJECTED: Final = {number(place): case[3] for place, case in enumerate(CASES)}
DATED: Final = [meter(name, HOME) for name in ("open", "ended", "to_come", "first_day", "last_day")]
DATED_BASES: Final = [
    basis("open"),
    basis("ended", valid_to=UNTIL),
    basis("to_come", valid_from=date(2026, 4, 1)),
    basis("first_day", valid_from=UNTIL),
    basis("last_day", valid_to=date(2026, 4, 1)),
]
DATED_REJECTED: Final = {name: "no_legal_basis" if name in ("ended", "to_come") else None for name in (one["mpan_id"] for one in DATED)}
EXPORTS: Final = [
    meter("home", HOME),
    meter("home_export", EXPORT, "home"),
    meter("rejected", HOME | {"consent_granularity": "N"}),
    meter("rejected_export", EXPORT, "rejected"),
    meter("lone_export", EXPORT, "never_reported"),
    meter("shy_export", EXPORT | {"consent_granularity": "M"}, "home"),
]
EXPORT_BASES: Final = [basis("home"), basis("rejected"), basis("lone_export")]
EXPORTS_REJECTED: Final = {
    "home": None,
    "home_export": None,
    "rejected": "no_half_hourly_consent",
    "rejected_export": "boundary_rejected",
    "lone_export": "boundary_unknown",
    "shy_export": "no_half_hourly_consent",
}
STATED: Final = [
    *(
        meter(name, HOME)
        for name in ("plain", "withdrawn", "withdrawn_elsewhere", "for_another_purpose", "expired", "lasting", "outweighed")
    ),
    meter("shop", SHOP),
]
STATED_BASES: Final = [
    basis("plain"),
    basis("withdrawn") | {"state": "withdrawn"},
    basis("withdrawn_elsewhere") | {"state": "withdrawn", "purpose": "verification"},
    basis("withdrawn_elsewhere"),
    basis("for_another_purpose") | {"purpose": "verification"},
    basis("expired") | {"expires_at": datetime(2026, 3, 31, 23, tzinfo=UTC)},
    basis("lasting") | {"expires_at": datetime(2026, 4, 1, 1, tzinfo=UTC)},
    basis("outweighed"),
    basis("outweighed") | {"state": "opted_out", "purpose": "characterisation"},
    basis("shop") | {"state": "opted_out"},
]
STATED_REJECTED: Final = {
    "plain": None,
    "withdrawn": "objected",
    "withdrawn_elsewhere": None,
    "for_another_purpose": "no_legal_basis",
    "expired": "basis_not_confirmed",
    "lasting": None,
    "outweighed": "objected",
    "shop": "objected",
}
FLEETS: Final = {
    "states, purposes and expiry": (STATED, STATED_BASES, STATED_REJECTED),
    "every kind": (MANY, MANY_BASES, MANY_REJECTED),
    "dated bases": (DATED, DATED_BASES, DATED_REJECTED),
    "exports": (EXPORTS, EXPORT_BASES, EXPORTS_REJECTED),
}
"""Meter points, their legal bases, and the rejection of each."""
