"""Rows of declared deliveries, what is said of them, and a dispute, for the world of the read side."""

from datetime import UTC, date, datetime
from typing import Any, Final

from fmar_spark.services.register.records import Draft

Row = dict[str, Any]
OF_RUN: Final[Row] = {"run_id": "r", "as_of_date": date(2026, 1, 31)}


def declare(asset: Row, place: int) -> Row:
    slot = datetime(2026, 1, 10, 17, tzinfo=UTC)
    said = {"delivered_kwh": 2.0, "is_network_sign": False, "repeats": 0, "notices": [], "is_newest": True, "source": "volumes.csv:2"}
    return {**asset, "slot_start_at": slot, "declaration_id": f"d{place}", **said, "run_id": "r", "loaded_at": slot}


def check(asset: Row, place: int) -> Row:
    start, end = datetime(2026, 1, 10, 17, tzinfo=UTC), datetime(2026, 1, 10, 18, tzinfo=UTC)
    event = {"event_id": f"E-{place}", "market": "dso_local", "start_at": start, "end_at": end, "dispatch_direction": "down"}
    found = {"declared_kwh": 4.0, "observed_kwh": 0.1, "observed_lower_kwh": -0.5, "observed_upper_kwh": 0.7, "declared_others_kwh": 1.5}
    said = {
        "is_assessable": True,
        "is_shared": True,
        "verdict": "implausible",
        "rule": "shortfall",
        "reason": "4 kWh declared",
        "notices": [],
    }
    return {**asset, **event, "event_date": date(2026, 1, 10), "half_hours": 2, **found, **said, "checked_at": end, **OF_RUN}


def weigh(asset: Row) -> Row:
    counts = {"events": 12, "assessable_events": 11, "declared_kwh": 44.0, "observed_kwh": 1.0, "e_value": 812.0}
    shares = {"share_delivered": 0.02, "share_lower": 0.0, "share_upper": 0.1, "false_discovery_rate": 0.1}
    said = {"verdict": "suspect", "rule": "sustained_shortfall", "reason": "44 kWh declared", "suspect_with": ["AMS-OF-OTHERS"]}
    return {**asset, **counts, **shares, **said, **OF_RUN}


def list_area_deliveries() -> list[Row]:
    figures = {"assets": 40, "checks": 400, "share_consistent": 0.9, "share_implausible": 0.05, "share_not_assessable": 0.05}
    figures |= {"declared_kwh": 8000.0, "observed_kwh": 7500.0, "is_suppressed": False}
    withheld = {"is_suppressed": True, "suppression_reason": "few_meters"}
    of_month = {"market": "dso_local", "month_date": date(2025, 12, 1), **OF_RUN}
    places = [("gb", "GB", figures), ("gsp_group", "_H", figures), ("gsp_group", "_C", withheld)]
    return [{"area_level": level, "area_id": area_id, **of_month, **said} for level, area_id, said in places]


def dispute(asset: Row, place: int, parties: str) -> Draft:
    record = {"record_kind": "flag", "record_id": f"flag-{place}", "record_run_id": "r"}
    said = {"alleged_error": "delivered in full", "evidence": "readings of the asset meter", "raised_by_party_id": asset["fsp_id"]}
    return Draft(f"dispute-{place}", {**asset, **record, **said, "parties": parties, "outcome": None, "outcome_reason": None})


def list_notices(mpan_id: str) -> list[Row]:
    """One that was given up, one that was delivered at the second attempt, one that nobody tried yet."""
    moment = datetime(2026, 1, 20, tzinfo=UTC)
    named = {"n-dead": "fsp:ALPHA", "n-sent": "dno:20", "n-new": "neso", "n-other": "fsp:BRAVO"}
    of_flag = {"flag_id": "flag-0", "mpan_id": mpan_id, "change": "opened", "body": "{}", "created_at": moment, "run_id": "r"}
    return [{"notice_id": notice_id, "recipient": recipient, **of_flag} for notice_id, recipient in named.items()]


def list_attempts() -> list[Row]:
    tries = [("n-dead", 1, "dead", "status 503"), ("n-sent", 1, "failed", "status 500"), ("n-sent", 2, "delivered", None)]
    return [
        {"notice_id": notice_id, "attempt": attempt, "outcome": outcome, "error": error, "run_id": "r"}
        | {"attempted_at": datetime(2026, 1, 20, attempt, tzinfo=UTC)}
        for notice_id, attempt, outcome, error in tries
    ]


def flag(asset: Row, meter: Any, buyer: str) -> Row:
    opened = datetime(2026, 1, 20, tzinfo=UTC)
    return {
        "flag_id": f"flag-{meter.place}",
        **asset,
        "kind": "override",
        "asset_class": meter.asset_class,
        "direction": "import",
        "parameter": "rated_kw",
        "severity": "high",
        "state": "open",
        "declared": 50.0,
        "observed": 15.0,
        "is_sustained": True,
        "is_material": True,
        "recipients": [f"fsp:{asset['fsp_id']}", buyer],
        "evidence": "50 kW declared, never more than 15 kW seen",
        "opened_at": opened,
        "updated_at": opened,
        **OF_RUN,
    }
