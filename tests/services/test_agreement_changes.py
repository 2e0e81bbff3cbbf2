from typing import Any

import pytest
from register_world import MPAN, Served

from fmar_spark.contracts.register import AGREEMENTS, CONFIRMATIONS, OVERRIDES
from fmar_spark.services.register import changes
from fmar_spark.services.register.changes import RegisterChanges
from fmar_spark.services.register.ledger import verify_ledger


def mirrored(source: RegisterChanges, table: str, after_seq: int) -> list[list[dict[str, Any]]]:
    return [part.to_pylist() for part in source.changes(table, after_seq)]


def fill(served: Served) -> None:
    """Agreements at ledger entries 11 and 12, an amendment at 13, an override at 14, evidence at 15, a confirmation at 16."""
    first = served.create("ALPHA", amsid="AMS-1")
    served.create("BRAVO", amsid="AMS-2")
    path = f"/v1/agreements/{first['agreement_id']}"
    assert served.call("ALPHA", "PATCH", path, json={"primacy_tier": 2}, headers={"If-Match": "*"}).status_code == 200
    place = {"mpan_id": MPAN, "amsid": "AMS-1", "asset_class": "ev"}
    declared = {
        "direction": "import",
        "parameter": "rated_kw",
        "value": 11,
        "unit": "kW",
        "reason": "new",
        "valid_from_at": "2026-02-01T00:00:00Z",
    }
    assert served.call("ALPHA", "POST", "/v1/overrides", json={**place, **declared}).status_code == 201
    served.record()
    assert served.call("ALPHA", "POST", "/v1/confirmations", json={**place, "is_present": True}).status_code == 201


def test_every_version_comes_with_the_newest_entry_that_touched_it(served: Served) -> None:
    fill(served)
    source = RegisterChanges(served.database)
    rows = mirrored(source, "agreements", 0)[0]
    assert [(row["amsid"], row["version"], row["ledger_seq"], row["closed_by_seq"]) for row in rows] == [
        ("AMS-1", 1, 11, 13),
        ("AMS-2", 1, 12, None),
        ("AMS-1", 2, 13, None),
    ]
    assert [row["ledger_seq"] for row in mirrored(source, "agreements", 12)[0]] == [11, 13]
    assert mirrored(source, "agreements", 13) == []
    assert source.hash_at(16) == verify_ledger(served.database).head.hash
    assert source.hash_at(17) is None


def test_parts_go_forward_so_that_any_of_them_may_be_the_last(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(served)
    monkeypatch.setattr(changes, "_ENTRIES_AT_ONCE", 1)
    parts = mirrored(RegisterChanges(served.database), "agreements", 0)
    assert [[(row["ledger_seq"], row["closed_by_seq"]) for row in part] for part in parts] == [[(12, None)], [(11, 13), (13, None)]]


@pytest.mark.parametrize("contract", [AGREEMENTS, OVERRIDES, CONFIRMATIONS], ids=lambda contract: contract.name)
def test_the_register_gives_every_column_that_the_mirror_declares(served: Served, contract: Any) -> None:
    fill(served)
    (part,) = RegisterChanges(served.database).changes(contract.name, 0)
    assert set(contract.names) - {"claim_state"} <= set(part.schema.names)
    for column in contract.columns:
        if not column.nullable:
            assert part.column(column.name).null_count == 0, column.name


def test_the_mirror_gets_the_state_of_every_claim_as_it_is_now(served: Served) -> None:
    fill(served)
    served.record("dispute", fsp_id="BRAVO", amsid="AMS-2")
    (part,) = RegisterChanges(served.database).claim_states()
    states = [(row["fsp_id"], row["mpan_id"], row["amsid"], row["claim_state"]) for row in part.to_pylist()]
    assert sorted(states) == [("ALPHA", MPAN, "AMS-1", "verified"), ("BRAVO", MPAN, "AMS-2", "disputed")]
