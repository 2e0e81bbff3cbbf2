import hashlib
import sqlite3
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from register_world import Served, as_owner
from sqlalchemy import select

from fmar_spark.services.register.access import EVERYTHING
from fmar_spark.services.register.ledger import GENESIS_HASH, Actor, Anchor, Fact, canonical_json, hash_entry, verify_ledger
from fmar_spark.services.register.tables import LEDGER

AGREEMENT_TABLE = "agreement_versions"
Tamper = Callable[[str], None]


@pytest.fixture
def tamper(url: str) -> Tamper:
    """Run a statement as somebody who may do anything to the database, guards off."""

    def on_sqlite(statement: str) -> None:
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(statement)
        for _, sql in triggers:
            connection.execute(sql)
        connection.commit()
        connection.close()

    def on_postgresql(statement: str) -> None:
        with psycopg.connect(as_owner(url)) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute(statement.encode())

    return on_sqlite if url.startswith("sqlite") else on_postgresql


def fill(served: Served) -> dict[str, Any]:
    """Ledger entries 1 to 10 are the parties; then agreements at 11 and 12, an amendment at 13, an end at 14."""
    first = served.create("ALPHA", amsid="AMS-1")
    served.create("BRAVO", amsid="AMS-2")
    path = f"/v1/agreements/{first['agreement_id']}"
    assert served.call("ALPHA", "PATCH", path, json={"primacy_tier": 2}, headers={"If-Match": '"v1"'}).status_code == 200
    assert served.call("ALPHA", "POST", f"{path}/end", json={}, headers={"If-Match": '"v2"'}).status_code == 200
    return first


TAMPERINGS = [
    ("UPDATE ledger SET body = replace(body, 'AMS-1', 'AMS-7') WHERE seq = 11", "ledger", "seq 11", "altered"),
    ("UPDATE ledger SET client_id = 'other' WHERE seq = 12", "ledger", "seq 12", "altered"),
    ("UPDATE ledger SET recorded_at = '2020-01-01T00:00:00.000000Z' WHERE seq = 13", "ledger", "seq 13", "altered"),
    ("DELETE FROM ledger WHERE seq = 12", "ledger", "seq 13", "entries are gone"),
    ("DELETE FROM ledger WHERE seq = 1", "ledger", "seq 2", "entries are gone"),
    ("DELETE FROM ledger WHERE seq = 14", "ledger_head", "seq 14", "tail was cut"),
    ("UPDATE ledger SET hash = previous_hash WHERE seq = 12", "ledger", "seq 12", "altered"),
    ("UPDATE agreement_versions SET fsp_id = 'ALPHA' WHERE amsid = 'AMS-2'", AGREEMENT_TABLE, "version 1 (seq 12)", "row was altered"),
    ("UPDATE agreement_versions SET primacy_tier = 9 WHERE version = 2", AGREEMENT_TABLE, "version 2 (seq 13)", "row was altered"),
    (
        "UPDATE agreement_versions SET distributor_id = '99' WHERE version = 2",
        AGREEMENT_TABLE,
        "version 2 (seq 13)",
        "row was altered",
    ),
    (
        "UPDATE agreement_versions SET known_to_at = '2020-01-01T00:00:00.000000Z' WHERE version = 1 AND amsid = 'AMS-1'",
        AGREEMENT_TABLE,
        "version 1 (seq 11)",
        "not closed by",
    ),
    (
        "UPDATE agreement_versions SET recorded_by_client_id = 'x' WHERE version = 3",
        AGREEMENT_TABLE,
        "version 3 (seq 14)",
        "who recorded",
    ),
    ("DELETE FROM agreement_versions WHERE amsid = 'AMS-2'", AGREEMENT_TABLE, "version 1 (seq 12)", "the table does not"),
    ("UPDATE party_versions SET roles = 'administrator' WHERE party_id = 'ALPHA'", "party_versions", "ALPHA version 1 (seq 1)", "altered"),
    (
        "INSERT INTO client_versions (client_id, version, party_id, is_active, change, known_from_at, recorded_by_party_id, "
        "recorded_by_client_id, ledger_seq) SELECT 'mallory', 1, 'OFFICE', is_active, 'created', known_from_at, 'operator', 'tests', 99 "
        "FROM client_versions WHERE client_id = 'office-client'",
        "client_versions",
        "mallory version 1 (seq 99)",
        "beside the register",
    ),
]


@pytest.mark.parametrize(("statement", "table", "row", "reason"), TAMPERINGS, ids=range(len(TAMPERINGS)))
def test_tampering_shows_with_the_row_that_broke_it(
    served: Served, tamper: Tamper, statement: str, table: str, row: str, reason: str
) -> None:
    fill(served)
    whole = verify_ledger(served.database)
    assert (whole.breaks, whole.entries, whole.head.seq) == ((), 14, 14)
    tamper(statement)
    breaks = verify_ledger(served.database).breaks
    assert [found for found in breaks if found.table == table and row in found.row and reason in found.reason], breaks


def test_a_whole_chain_written_anew_shows_against_an_anchor_kept_outside(served: Served, tamper: Tamper) -> None:
    fill(served)
    anchor = verify_ledger(served.database).head
    with served.database.reading(EVERYTHING) as connection:
        entries = [dict(row) for row in connection.execute(select(LEDGER).order_by(LEDGER.c.seq)).mappings()]
    previous = entries[11]["previous_hash"]
    for entry in entries[11:]:
        moment = entry["recorded_at"].strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        body = entry["body"].replace("BRAVO", "ALPHA")
        fact = Fact(entry["kind"], entry["subject_id"], entry["version"], entry["change"], body)
        digest = hash_entry(entry["seq"], moment, Actor(entry["party_id"], entry["client_id"]), fact, previous)
        tamper(f"UPDATE ledger SET body = '{body}', previous_hash = '{previous}', hash = '{digest}' WHERE seq = {entry['seq']}")
        previous = digest
    tamper(f"UPDATE ledger_head SET hash = '{previous}'")
    tamper("UPDATE agreement_versions SET fsp_id = 'ALPHA' WHERE fsp_id = 'BRAVO'")
    assert verify_ledger(served.database).breaks == ()
    breaks = verify_ledger(served.database, (anchor,)).breaks
    assert [(found.row, "kept outside" in found.reason) for found in breaks] == [("seq 14", True)]
    assert verify_ledger(served.database, (Anchor(11, entries[10]["hash"]),)).breaks == ()


def test_an_entry_hashes_the_canonical_json_of_the_change_and_the_hash_before() -> None:
    fact = Fact("agreement", "id", 1, "created", '{"a":1}')
    entry = (
        '{"body":"{\\"a\\":1}","change":"created","client_id":"c","kind":"agreement","party_id":"p","previous_hash":"'
        + GENESIS_HASH
        + '","recorded_at":"2026-01-01T00:00:00.000000Z","seq":1,"subject_id":"id","version":1}'
    )
    assert hash_entry(1, "2026-01-01T00:00:00.000000Z", Actor("p", "c"), fact, GENESIS_HASH) == hashlib.sha256(entry.encode()).hexdigest()
    with pytest.raises(ValueError, match="Out of range"):
        canonical_json({"value": float("nan")})
