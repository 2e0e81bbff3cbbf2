"""Flags that are opened, updated and cleared, and an outbox that is killed in mid-delivery."""

import json
import time
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from inbox_world import SECRET, open_inbox
from lake_rows import read_rows, replace_rows

from fmar_spark.contracts.capability import CAPABILITY
from fmar_spark.contracts.deliveries import DELIVERY_EVIDENCE, DISCREPANCIES, NOTICE_ATTEMPTS, NOTICES
from fmar_spark.contracts.register import AGREEMENTS, DISPUTES, OVERRIDES
from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.runs import start_run
from fmar_spark.engine.store import TableStore
from fmar_spark.services.outbox.webhooks import Sender, Webhook
from fmar_spark.settings.sections import DeliverySettings
from fmar_spark.steps import flag_discrepancies, send_notices
from fmar_spark.steps.send_notices import RetryRules

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TODAY = date(2026, 3, 1)
PLACE = {"mpan_id": "2000056535971", "amsid": "1900012374324", "fsp_id": "ALPHA"}


class Answer(NamedTuple):
    http_status: int | None
    error: str | None


class Receiver:
    """Takes notices until it is set to fail or to die."""

    recipients = ("fsp:ALPHA", "dno:20")

    def __init__(self, error: str | None = None, dies_after: int = 10**6) -> None:
        self.error = error
        self.dies_after = dies_after
        self.seen: list[str] = []

    def send(self, notice_id: str, recipient: str, body: str) -> Answer:
        if len(self.seen) >= self.dies_after:
            raise KeyboardInterrupt
        self.seen.append(notice_id)
        return Answer(None if self.error else 200, self.error)


def put(store: TableStore, contract: TableContract, rows: list[dict[str, Any]]) -> None:
    blank = {"run_id": "r", "as_of_date": TODAY}
    replace_rows(store, contract, [blank | row for row in rows])


def evidence(verdict: str, since: date | None, as_of: date = TODAY) -> dict[str, Any]:
    given = {"events": 20, "assessable_events": 20, "declared_kwh": 100.0, "observed_kwh": 5.0, "share_upper": 0.2, "suspect_with": []}
    return (
        PLACE
        | given
        | {"verdict": verdict, "suspect_since_date": since, "false_discovery_rate": 0.1, "reason": "numbers", "as_of_date": as_of}
    )


def flag(store: TableStore) -> list[dict[str, Any]]:
    flag_discrepancies.run(store, start_run("flag_discrepancies", TODAY, ""), DeliverySettings())
    return sorted(read_rows(store, DISCREPANCIES), key=lambda row: row["kind"])


def shown(store: TableStore, change: str) -> set[tuple[str, str, float | None]]:
    """Kind, recipient and what the meter measured, of every notice of that change."""
    bodies = [(row["recipient"], json.loads(row["body"])) for row in read_rows(store, NOTICES) if row["change"] == change]
    return {(body["kind"], recipient, body.get("observed")) for recipient, body in bodies}


def send(store: TableStore, receiver: Receiver | Sender, attempts: int = 3) -> dict[str, int]:
    return send_notices.run(store, start_run("send_notices", TODAY, ""), receiver, RetryRules(attempts, 1)).counts


def test_a_flag_is_opened_updated_and_cleared_and_its_notices_arrive(store: TableStore, tmp_path: Path) -> None:
    declared = {"override_id": "o", "version": 1, "asset_class": "battery", "direction": "export", "parameter": "rated_kw", "value": 50.0}
    dates = {"valid_from_at": NOW - timedelta(days=60), "known_from_at": NOW - timedelta(days=60)}
    words = {"unit": "kW", "reason": "x", "change": "created", "recorded_by_party_id": "ALPHA", "ledger_seq": 1, "ledger_hash": "h"}
    put(store, OVERRIDES, [PLACE | declared | dates | words])
    size = {"rated_kw": 12.0, "rated_kw_upper": 14.0, "rated_kw_max": 15.0, "events_seen": 40, "confidence": 0.95, "tier": "high"}
    put(store, CAPABILITY, [{"mpan_id": PLACE["mpan_id"], "asset_class": "battery", "direction": "export"} | size])
    put(store, DELIVERY_EVIDENCE, [evidence("suspect", TODAY - timedelta(days=3))])
    named = {
        "dispute_id": "d",
        "version": 1,
        "record_kind": "agreement",
        "record_id": "a",
        "record_run_id": "version 1",
        "change": "created",
    }
    complaint = {
        "alleged_error": "e",
        "evidence": "x",
        "raised_by_party_id": "ALPHA",
        "parties": "ALPHA,SOUTHERN",
        "known_from_at": datetime.now(UTC),
    }
    put(store, DISPUTES, [PLACE | words | named | complaint])
    delivery, override = flag(store)
    sent = {(row["flag_id"], row["change"], row["recipient"]) for row in read_rows(store, NOTICES) if row["flag_id"] == "d"}
    assert sent == {("d", "raised", "party:ALPHA"), ("d", "raised", "party:SOUTHERN")}
    assert (override["state"], override["severity"], override["declared"], override["observed_upper"]) == ("open", "high", 50.0, 15.0)
    assert override["evidence"] == "rated_kw 50.00 kW declared since 2025-12-31, 12.00 observed and at most 15.00 in 40 events"
    assert override["recipients"] == ["fsp:ALPHA", "dno:20"]
    assert (delivery["state"], delivery["severity"], delivery["recipients"]) == ("open", "medium", ["fsp:ALPHA"])
    assert shown(store, "opened") == {("override", "fsp:ALPHA", None), ("override", "dno:20", 12.0), ("delivery", "fsp:ALPHA", None)}
    assert flag(store) == [delivery, override]
    killed = Receiver(dies_after=2)
    with pytest.raises(KeyboardInterrupt):
        send(store, killed)
    receiver = Receiver()
    with open_inbox("slow", "fail", "hang up") as inbox:
        sender = Sender(dict.fromkeys(Receiver.recipients, Webhook(inbox.url, SECRET)), 0.3)
        assert send(store, sender) == {"due": 3, "delivered": 0, "failed": 3, "dead": 0}
        time.sleep(1.1)
        assert send(store, sender) == {"due": 3, "delivered": 3, "failed": 0, "dead": 0}
        assert send(store, sender)["due"] == 0
    assert set(killed.seen) < set(inbox.ids)
    assert Counter(inbox.ids) == dict.fromkeys(inbox.ids, 2)
    assert {json.loads(body)["notice_id"] for _, _, body in inbox.seen} == set(inbox.ids)

    put(store, DELIVERY_EVIDENCE, [evidence("suspect", TODAY - timedelta(days=40))])
    right = {"agreement_id": "a", "version": 1, "market": "dso_local", "primacy_tier": 1, "is_exclusive": True, "claim_state": "verified"}
    put(store, AGREEMENTS, [PLACE | words | dates | right])
    updated, _ = flag(store)
    assert shown(store, "updated") == {("delivery", "fsp:ALPHA", 5.0), ("delivery", "dno:20", 5.0)}
    assert (updated["flag_id"], updated["severity"], updated["is_sustained"]) == (delivery["flag_id"], "high", True)
    assert updated["recipients"] == ["fsp:ALPHA", "dno:20"]
    put(store, DELIVERY_EVIDENCE, [evidence("not_assessable", None)])
    assert flag(store)[0]["state"] == "open"
    put(store, DELIVERY_EVIDENCE, [evidence("consistent", None)])
    cleared, kept = flag(store)
    assert cleared["state"] == "cleared"
    assert cleared["cleared_at"] is not None
    assert kept["state"] == "open"
    changes = sorted(row["change"] for row in read_rows(store, NOTICES) if row["flag_id"] == delivery["flag_id"])
    assert changes == ["cleared", "cleared", "opened", "opened", "updated", "updated"]
    failing = Receiver("status 503 found")
    assert send(store, failing, attempts=1)["dead"] == 5
    assert send(store, receiver)["due"] == 0
    outcomes = [row["outcome"] for row in read_rows(store, NOTICE_ATTEMPTS)]
    assert (outcomes.count("failed"), outcomes.count("delivered"), outcomes.count("dead")) == (3, 3, 5)


def test_a_flag_ends_with_its_declaration_its_asset_or_its_events(store: TableStore, tmp_path: Path) -> None:
    dates = {"valid_from_at": NOW - timedelta(days=60), "known_from_at": NOW - timedelta(days=60)}
    words = {"unit": "kW", "reason": "x", "change": "created", "recorded_by_party_id": "ALPHA", "ledger_seq": 1, "ledger_hash": "h"}
    of_one = PLACE | dates | words | {"version": 1, "direction": "import", "parameter": "rated_kw", "value": 50.0}
    declared = [of_one | {"override_id": name, "asset_class": name} for name in ("ev", "heat_pump")]
    size = {"rated_kw": 12.0, "rated_kw_upper": 14.0, "rated_kw_max": 15.0, "events_seen": 40, "confidence": 0.95, "tier": "high"}
    car, pump = ({"mpan_id": PLACE["mpan_id"], "asset_class": name, "direction": "import"} | size for name in ("ev", "heat_pump"))
    put(store, OVERRIDES, declared)
    put(store, CAPABILITY, [car, pump])
    put(store, DELIVERY_EVIDENCE, [evidence("suspect", TODAY - timedelta(days=3))])
    assert [row["state"] for row in flag(store)] == ["open"] * 3
    put(store, OVERRIDES, [declared[0], declared[1] | {"known_to_at": NOW}])
    put(store, CAPABILITY, [pump])
    put(store, DELIVERY_EVIDENCE, [])
    ended = {row["asset_class"]: row for row in flag(store)}
    assert {(row["state"], row["severity"], row["observed"]) for row in ended.values()} == {("cleared", "low", None)}
    assert {name: row["evidence"] for name, row in ended.items()} == {
        "": "no checked event is left in the period that evidence is made of",
        "ev": "rated_kw 50.00 declared; the meter no longer shows this asset, so nothing that is observed contradicts it",
        "heat_pump": "rated_kw 50.00 declared; the declaration is no longer in force",
    }
    assert len(shown(store, "cleared")) == 3
