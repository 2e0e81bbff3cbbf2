"""A party says that a record is wrong: who may, who sees it, how it ends, and that all of it is in the ledger."""

import json
from typing import Any

import pytest
from register_world import MPAN, Served
from sqlalchemy import select

from fmar_spark.services.register.access import EVERYTHING
from fmar_spark.services.register.ledger import verify_ledger
from fmar_spark.services.register.tables import DISPUTES, LEDGER

COMPLAINT = {
    "record_kind": "delivery_check",
    "record_id": "event-1",
    "mpan_id": MPAN,
    "amsid": "AMS-1",
    "alleged_error": "the event ended half an hour earlier",
    "evidence": "instruction 4711 of the network",
}
SETTLED = {"outcome": "corrected", "outcome_reason": "the event was loaded again, run r-2"}


def complain(served: Served, party_id: str = "ALPHA", **changes: Any) -> Any:
    return served.call(party_id, "POST", "/v1/disputes", json={**COMPLAINT, **changes})


def problem_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


@pytest.fixture
def held(served: Served) -> dict[str, Any]:
    """ALPHA's agreement with the network, its claim verified; BRAVO has another asset at the meter point."""
    served.record()
    served.record(fsp_id="BRAVO", amsid="AMS-2")
    served.create("BRAVO", amsid="AMS-2", market="neso_bm")
    return served.create("ALPHA")


def test_a_dispute_goes_from_complaint_to_outcome_and_all_of_it_is_in_the_ledger(served: Served, held: dict[str, Any]) -> None:
    answer = complain(served)
    raised = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/v1/disputes/{raised['dispute_id']}"
    assert raised["outcome"] is None
    assert raised["record_run_id"] == "run-1"
    path = f"/v1/disputes/{raised['dispute_id']}"
    settled = served.call("OFFICE", "POST", f"{path}/settle", json=SETTLED, headers={"If-Match": answer.headers["ETag"]})
    assert (settled.status_code, settled.json()["outcome"], settled.json()["version"]) == (200, "corrected", 2)
    versions = served.call("ALPHA", "GET", f"{path}/history").json()["items"]
    assert [(version["change"], version["recorded_by_party_id"]) for version in versions] == [("created", "ALPHA"), ("settled", "OFFICE")]
    with served.database.reading(EVERYTHING) as connection:
        rows = connection.execute(select(LEDGER.c.body).where(LEDGER.c.kind == "dispute").order_by(LEDGER.c.seq)).scalars()
        entries = [json.loads(body) for body in rows]
        parties = connection.execute(select(DISPUTES.c.parties)).scalars().first()
    assert [entry["outcome"] for entry in entries] == [None, "corrected"]
    assert entries[1]["alleged_error"] == COMPLAINT["alleged_error"]
    assert parties == "ALPHA,SOUTHERN"
    assert verify_ledger(served.database).breaks == ()


def test_the_parties_concerned_see_it_and_no_others(served: Served, held: dict[str, Any]) -> None:
    path = f"/v1/disputes/{complain(served).json()['dispute_id']}"
    seen = {party_id: served.call(party_id, "GET", path) for party_id in ("ALPHA", "BRAVO", "SOUTHERN", "NESO", "OFFICE")}
    assert {party_id: answer.status_code for party_id, answer in seen.items()} == {
        "ALPHA": 200,
        "BRAVO": 404,
        "SOUTHERN": 200,
        "NESO": 404,
        "OFFICE": 200,
    }
    hidden = set(seen["OFFICE"].json()) - set(seen["SOUTHERN"].json())
    assert hidden == {"recorded_by_client_id"}
    assert seen["ALPHA"].json() == seen["OFFICE"].json()


def test_a_claim_that_is_not_verified_makes_nobody_a_party(served: Served, held: dict[str, Any]) -> None:
    claimed = served.create("BRAVO", market="neso_bm")
    assert (claimed["amsid"], claimed["claim_state"]) == (held["amsid"], "claimed")
    path = f"/v1/disputes/{complain(served).json()['dispute_id']}"
    seen = {party_id: served.call(party_id, "GET", path).status_code for party_id in ("ALPHA", "BRAVO", "SOUTHERN", "NESO")}
    assert seen == {"ALPHA": 200, "BRAVO": 404, "SOUTHERN": 200, "NESO": 404}


def test_a_network_disputes_an_agreement_and_a_flag_that_it_sees_and_no_single_check(served: Served, held: dict[str, Any]) -> None:
    flag = complain(served, "SOUTHERN", record_kind="flag", record_id="flag-1")
    assert (flag.status_code, flag.json()["fsp_id"]) == (201, "ALPHA")
    agreement = complain(served, "SOUTHERN", record_kind="agreement", record_id=held["agreement_id"])
    assert (agreement.status_code, agreement.json()["record_run_id"]) == (201, "version 1")
    assert served.call("ALPHA", "GET", f"/v1/disputes/{agreement.json()['dispute_id']}").status_code == 200
    assert problem_of(complain(served, "SOUTHERN")) == (403, "record-not-shown")
    assert problem_of(complain(served, "NESO", record_kind="flag", record_id="flag-1")) == (403, "not-in-portfolio")


def test_a_record_of_others_or_of_nobody_is_not_found(served: Served, held: dict[str, Any]) -> None:
    assert problem_of(complain(served, record_id="event-2")) == (404, "no-such-record")
    assert problem_of(complain(served, record_kind="agreement")) == (404, "no-such-record")
    assert problem_of(complain(served, "BRAVO")) == (403, "not-in-portfolio")
    beside = complain(served, "BRAVO", amsid="AMS-2")
    assert (beside.status_code, beside.json()["fsp_id"]) == (201, "BRAVO")
    of_class = complain(served, record_kind="detection", record_id="ev")
    assert (of_class.status_code, of_class.json()["fsp_id"]) == (201, "ALPHA")


def test_a_claim_that_is_not_verified_disputes_no_derived_record(served: Served) -> None:
    held = served.create("ALPHA")
    assert problem_of(complain(served)) == (403, "claim-not-verified")
    assert complain(served, record_kind="agreement", record_id=held["agreement_id"]).status_code == 201


def test_one_record_is_disputed_once_at_a_time_and_a_settled_dispute_stays_settled(served: Served, held: dict[str, Any]) -> None:
    raised = complain(served)
    assert problem_of(complain(served, alleged_error="another")) == (409, "dispute-open")
    path = f"/v1/disputes/{raised.json()['dispute_id']}/settle"
    assert problem_of(served.call("OFFICE", "POST", path, json=SETTLED)) == (428, "if-match-wanted")
    assert served.call("OFFICE", "POST", path, json=SETTLED, headers={"If-Match": '"v1"'}).status_code == 200
    assert problem_of(served.call("OFFICE", "POST", path, json=SETTLED, headers={"If-Match": '"v1"'})) == (412, "stale-version")
    assert problem_of(served.call("OFFICE", "POST", path, json=SETTLED, headers={"If-Match": "*"})) == (409, "dispute-settled")
    assert complain(served, evidence="a second letter").status_code == 201


def test_a_repeated_request_raises_one_dispute(served: Served, held: dict[str, Any]) -> None:
    key = {"Idempotency-Key": "complaint-1"}
    answers = [served.call("ALPHA", "POST", "/v1/disputes", json=COMPLAINT, headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize(
    ("name", "value"),
    [("record_kind", "meter"), ("record_id", ""), ("record_id", "a b"), ("alleged_error", ""), ("evidence", "x" * 501), ("mpan_id", "20")],
)
def test_a_complaint_without_sense_is_refused(served: Served, name: str, value: str) -> None:
    assert complain(served, **{name: value}).status_code == 422
