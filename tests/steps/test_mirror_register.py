import dataclasses
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
from lake_rows import read_rows

from fmar_spark.contracts.capability import ASSET_DETECTIONS, CAPABILITY
from fmar_spark.contracts.register import AGREEMENTS, CONFIRMATIONS, DISPUTES, FLEET, OVERRIDES
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.engine.housekeeping import delete_rows
from fmar_spark.engine.journal import record_run
from fmar_spark.engine.migrations import migrate_tables
from fmar_spark.engine.runs import start_run
from fmar_spark.engine.schema import struct_type
from fmar_spark.engine.store import TableStore, Transaction
from fmar_spark.errors import InputError
from fmar_spark.steps import build_fleet, mirror_register

MPAN, OTHER_MPAN = "2000056535971", "1200023305967"
YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def version(seq: int, **changes: Any) -> dict[str, Any]:
    """A row of any of the tables; what a table does not have is left out."""
    return {
        "agreement_id": "a1",
        "override_id": "o1",
        "confirmation_id": "c1",
        "version": 1,
        "fsp_id": "ALPHA",
        "mpan_id": MPAN,
        "amsid": "AMS-1",
        "market": "dso_local",
        "primacy_tier": 1,
        "is_exclusive": True,
        "asset_class": "ev",
        "direction": "import",
        "parameter": "rated_kw",
        "value": 11.0,
        "unit": "kW",
        "reason": "new charger",
        "is_present": True,
        "verdict": "confirmed",
        "is_detected": True,
        "detected_probability": 0.8,
        "tier": "medium",
        "model_version": "3",
        "as_of_date": date(2026, 1, 5),
        "provenance": "fsp_confirmation",
        "valid_from_at": YEAR,
        "valid_to_at": None,
        "superseded_by_id": None,
        "change": "created",
        "known_from_at": YEAR,
        "known_to_at": None,
        "recorded_by_party_id": "ALPHA",
        "ledger_seq": seq,
        "closed_by_seq": None,
        "ledger_hash": f"hash {seq}",
        **changes,
    }


class FakeRegister:
    """Versions by table, answered as the register does: each once, with the newest entry that touched it."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {"agreements": [], "overrides": [], "confirmations": [], "disputes": []}
        self.asked: list[tuple[str, int]] = []
        self.states: dict[str, str] = {}

    def end(self) -> int:
        return max((max(row["ledger_seq"], row["closed_by_seq"] or 0) for rows in self.rows.values() for row in rows), default=0)

    def hash_at(self, seq: int) -> str | None:
        every = [row for rows in self.rows.values() for row in rows]
        return next((row["ledger_hash"] for row in every if row["ledger_seq"] == seq), None)

    def changes(self, table: str, after_seq: int) -> Iterator[pa.Table]:
        self.asked.append((table, after_seq))
        contract = {"agreements": AGREEMENTS, "overrides": OVERRIDES, "confirmations": CONFIRMATIONS, "disputes": DISPUTES}[table]
        touched = [row for row in self.rows[table] if max(row["ledger_seq"], row["closed_by_seq"] or 0) > after_seq]
        if touched:
            stored = pa.schema([field for field in arrow_schema(contract) if field.name != "claim_state"])
            yield pa.Table.from_pylist([{name: row[name] for name in stored.names} for row in touched], stored)

    def claim_states(self) -> Iterator[pa.Table]:
        claims = {(row["fsp_id"], row["mpan_id"], row["amsid"]) for row in self.rows["agreements"]}
        names = ("fsp_id", "mpan_id", "amsid", "claim_state")
        rows = [dict(zip(names, (*claim, self.states.get(claim[2], "claimed")), strict=True)) for claim in sorted(claims)]
        if rows:
            yield pa.Table.from_pylist(rows)


def mirror(store: TableStore, register: FakeRegister) -> dict[str, int]:
    counts = mirror_register.run(store, start_run("mirror_register", None, ""), register).counts
    return {name: count for name, count in counts.items() if name != mirror_register.END}


def test_what_was_erased_from_the_lake_does_not_come_back_with_the_next_mirror(store: TableStore) -> None:
    register = FakeRegister()
    register.rows["agreements"] = [version(1, agreement_id="a0", mpan_id=OTHER_MPAN, amsid="AMS-0"), version(2)]
    run = start_run("mirror_register", None, "")
    record_run(store, run, mirror_register.run(store, run, register), None)
    delete_rows(store, AGREEMENTS, f"mpan_id = '{MPAN}'")
    mirror(store, register)
    assert [row["mpan_id"] for row in read_rows(store, AGREEMENTS)] == [OTHER_MPAN]
    register.rows["agreements"].append(version(3, agreement_id="a3"))
    assert mirror(store, register)["agreements"] == 1


def test_the_mirror_takes_what_is_new_and_closes_what_was_replaced(store: TableStore) -> None:
    register = FakeRegister()
    register.rows["agreements"] = [version(1)]
    assert mirror(store, register) == {"agreements": 1, "overrides": 0, "confirmations": 0, "disputes": 0, "claim_states": 1}
    first = read_rows(store, AGREEMENTS)
    assert mirror(store, register) == {"agreements": 0, "overrides": 0, "confirmations": 0, "disputes": 0, "claim_states": 0}
    assert read_rows(store, AGREEMENTS) == first

    later = datetime(2026, 3, 1, tzinfo=UTC)
    register.rows["agreements"] = [
        version(1, known_to_at=later, closed_by_seq=3),
        version(3, version=2, change="amended", primacy_tier=2, known_from_at=later),
    ]
    register.rows["overrides"] = [version(2)]
    assert mirror(store, register) == {"agreements": 2, "overrides": 1, "confirmations": 0, "disputes": 0, "claim_states": 2}
    kept = read_rows(store, AGREEMENTS)
    assert [(row["version"], row["primacy_tier"], row["known_to_at"] is None) for row in kept] == [(1, 1, False), (2, 2, True)]
    assert kept[0]["known_to_at"] == kept[1]["known_from_at"]
    assert register.asked[-4:] == [("agreements", 1), ("overrides", 0), ("confirmations", 0), ("disputes", 0)]
    register.states = {"AMS-1": "verified"}
    assert mirror(store, register) == {"agreements": 0, "overrides": 0, "confirmations": 0, "disputes": 0, "claim_states": 2}
    assert [row["claim_state"] for row in read_rows(store, AGREEMENTS)] == ["verified", "verified"]
    assert mirror(store, register) == {"agreements": 0, "overrides": 0, "confirmations": 0, "disputes": 0, "claim_states": 0}


def test_a_mirror_from_before_claims_gets_their_states_and_keeps_its_rows(store: TableStore) -> None:
    """``silver.agreements`` as it was written before it had the column claim_state."""
    register = FakeRegister()
    register.rows["agreements"] = [version(1)]
    before = dataclasses.replace(AGREEMENTS, columns=tuple(column for column in AGREEMENTS.columns if column.name != "claim_state"))
    stored = arrow_schema(before)
    rows = pa.Table.from_pylist([{name: row[name] for name in stored.names} for row in register.rows["agreements"]], stored)
    store.append(store.spark.createDataFrame(rows.to_pandas(), struct_type(before)), before, Transaction("an earlier version", 1))
    migrate_tables(store, [AGREEMENTS])
    assert [(row["agreement_id"], row["claim_state"]) for row in read_rows(store, AGREEMENTS)] == [("a1", None)]
    register.states = {"AMS-1": "disputed"}
    counts = mirror(store, register)
    assert (counts["agreements"], counts["claim_states"]) == (0, 1)
    assert [(row["agreement_id"], row["claim_state"]) for row in read_rows(store, AGREEMENTS)] == [("a1", "disputed")]


def test_another_register_or_a_rewritten_ledger_is_rejected(store: TableStore) -> None:
    register = FakeRegister()
    register.rows["agreements"] = [version(1)]
    mirror(store, register)
    register.rows["agreements"] = [version(1, ledger_hash="rewritten")]
    with pytest.raises(InputError, match="another than the one"):
        mirror(store, register)
    with pytest.raises(InputError, match="missing"):
        mirror(store, FakeRegister())


def detection(mpan_id: str, asset_class: str, is_present: bool) -> dict[str, Any]:
    row = dict.fromkeys(ASSET_DETECTIONS.names)
    given = {"mpan_id": mpan_id, "asset_class": asset_class, "is_present": is_present, "present_probability": 0.95, "tier": "high"}
    return {
        **row,
        **given,
        "status": "characterised",
        "days_seen": 365,
        "model_version": "3",
        "run_id": "r",
        "as_of_date": date(2026, 1, 5),
    }


def capability(mpan_id: str, asset_class: str, direction: str, rated_kw: float) -> dict[str, Any]:
    given = {"mpan_id": mpan_id, "asset_class": asset_class, "direction": direction, "rated_kw": rated_kw}
    return {**dict.fromkeys(CAPABILITY.names), **given, "run_id": "r", "as_of_date": date(2026, 1, 5)}


def test_the_fleet_says_who_may_dispatch_what_and_what_nobody_registered(store: TableStore) -> None:
    for contract, rows in (
        (ASSET_DETECTIONS, [detection(MPAN, "ev", True), detection(MPAN, "solar_pv", True), detection(MPAN, "battery", False)]),
        (ASSET_DETECTIONS, [detection(OTHER_MPAN, "heat_pump", True)]),
        (CAPABILITY, [capability(MPAN, "ev", "import", 7.2), capability(MPAN, "solar_pv", "export", 4.0)]),
    ):
        store.append(
            store.spark.createDataFrame([tuple(row[name] for name in contract.names) for row in rows], struct_type(contract)), contract
        )
    register = FakeRegister()
    register.rows["agreements"] = [
        version(1),
        version(2, agreement_id="a2", fsp_id="BRAVO", amsid="AMS-2", market="neso_bm", valid_to_at=datetime(2026, 2, 1, tzinfo=UTC)),
        version(3, agreement_id="a3", fsp_id="BRAVO", amsid="AMS-3", market="neso_bm"),
    ]
    register.rows["overrides"] = [version(4)]
    register.states = {"AMS-1": "verified", "AMS-3": "disputed"}
    mirror(store, register)
    run = start_run("build_fleet", date(2026, 6, 1), "")
    assert build_fleet.run(store, run).counts == {"assets": 3, "unregistered_assets": 1}
    rows = read_rows(store, FLEET)
    assert [
        (row["mpan_id"], row["asset_class"], row["agreement_id"], row["claim_state"], row["link"], row["rated_kw"], row["declared_kw"])
        for row in rows
    ] == [
        (OTHER_MPAN, "heat_pump", "", None, "none", None, None),
        (MPAN, "ev", "a1", "verified", "asset", 7.2, 11.0),
        (MPAN, "ev", "a3", "disputed", "meter_point", 7.2, None),
        (MPAN, "solar_pv", "a3", "disputed", "meter_point", 4.0, None),
    ]
    assert build_fleet.run(store, run).counts == {"assets": 3, "unregistered_assets": 1}
    assert read_rows(store, FLEET) == rows
