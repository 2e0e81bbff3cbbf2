"""Derived values go to verified claims alone, and an unverified claim never blocks a verified one."""

from typing import Any

import pytest
from register_world import LONDON_MPAN, MPAN, Served, agreement
from sqlalchemy import text

from fmar_spark.services.register.access import EVERYTHING
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.register.ledger import verify_ledger

PLACE = {"mpan_id": MPAN, "amsid": "AMS-1"}
OVERRIDE = {
    **PLACE,
    "asset_class": "ev",
    "direction": "import",
    "parameter": "rated_kw",
    "value": 11.0,
    "unit": "kW",
    "reason": "declared",
    "valid_from_at": "2026-02-01T00:00:00Z",
}
CONFIRMATION = {**PLACE, "asset_class": "ev", "is_present": True}


def derived_seen(served: Served, party_id: str, asker: str = "") -> list[tuple[str, float | None]]:
    """State and derived value of each declaration that ``asker`` sees of the party's asset."""
    items = served.call(asker or party_id, "GET", "/v1/capability", params=PLACE).json()["items"]
    return [(item["claim_state"], item["derived_value"]) for item in items if item["fsp_id"] == party_id]


def claim(served: Served, party_id: str = "ALPHA", **changes: Any) -> dict[str, Any]:
    made = served.create(party_id, **changes)
    assert served.call(party_id, "POST", "/v1/overrides", json=OVERRIDE).status_code == 201
    return made


def test_a_self_asserted_claim_learns_nothing_that_was_derived(served: Served) -> None:
    made = claim(served)
    assert made["claim_state"] == "claimed"
    for asker in ("ALPHA", "SOUTHERN", "OFFICE"):
        assert derived_seen(served, "ALPHA", asker) == [("claimed", None)]
    rejected = served.call("ALPHA", "POST", "/v1/confirmations", json=CONFIRMATION)
    assert (rejected.status_code, rejected.json()["type"]) == (403, "urn:fmar:problem:claim-not-verified")
    unasked = served.call("ALPHA", "POST", "/v1/confirmations", json={**CONFIRMATION, "asset_class": "heat_pump"})
    assert unasked.json()["type"] == rejected.json()["type"]  # whatever was detected, the rejection is the same
    assert "7.1" not in rejected.text + unasked.text


EVIDENCE = {
    "an allocation": {"basis": "allocation"},
    "an approval": {"basis": "approval"},
    "a consent": {"basis": "consent", "reference": "consent 9"},
    "a consent for any asset": {"basis": "consent", "reference": "consent 9", "amsid": None},
    "a consent for whoever names it": {"basis": "consent", "reference": "consent 9", "amsid": None, "fsp_id": None},
}


@pytest.mark.parametrize("evidence", EVIDENCE.values(), ids=EVIDENCE.keys())
def test_evidence_verifies_a_claim_and_its_end_takes_that_back(served: Served, evidence: dict[str, Any]) -> None:
    claim(served, consent_reference="consent 9")
    recorded = served.record(**evidence)
    assert derived_seen(served, "ALPHA") == [("verified", 7.1)]
    assert served.call("ALPHA", "POST", "/v1/confirmations", json=CONFIRMATION).status_code == 201
    ended = served.call("OFFICE", "POST", f"/v1/evidence/{recorded['evidence_id']}/end", json={}, headers={"If-Match": '"v1"'})
    assert (ended.status_code, ended.json()["change"]) == (200, "ended")
    assert derived_seen(served, "ALPHA") == [("claimed", None)]
    assert served.call("ALPHA", "POST", "/v1/confirmations", json=CONFIRMATION).status_code == 403
    assert verify_ledger(served.database).breaks == ()


@pytest.mark.parametrize(
    "evidence",
    [
        {"basis": "allocation", "fsp_id": "BRAVO"},
        {"basis": "allocation", "mpan_id": LONDON_MPAN},
        {"basis": "allocation", "amsid": "AMS-2"},
        {"basis": "consent", "reference": "another"},
        {"basis": "consent", "reference": "consent 9", "fsp_id": "BRAVO"},
        {"basis": "consent", "reference": "consent 9", "mpan_id": LONDON_MPAN, "amsid": None},
        {"basis": "approval", "valid_from_at": "2020-01-01T00:00:00Z", "valid_to_at": "2021-01-01T00:00:00Z"},
        {"basis": "approval", "valid_from_at": "2150-01-01T00:00:00Z"},
    ],
)
def test_evidence_for_somebody_or_something_else_verifies_nothing(served: Served, evidence: dict[str, Any]) -> None:
    claim(served, consent_reference="consent 9")
    served.record(**evidence)
    ((state, value),) = derived_seen(served, "ALPHA")
    assert (state in {"claimed", "disputed"}, value) == (True, None)


def test_a_made_up_consent_reference_verifies_nothing_and_a_loaded_one_does_once_it_is_named(served: Served) -> None:
    made = claim(served, consent_reference="made up")
    served.record("consent", reference="consent 9", fsp_id=None, amsid=None)
    assert derived_seen(served, "ALPHA") == [("claimed", None)]
    path = f"/v1/agreements/{made['agreement_id']}"
    named = served.call("ALPHA", "PATCH", path, json={"consent_reference": "consent 9"}, headers={"If-Match": "*"}).json()
    assert (named["claim_state"], named["consent_reference"]) == ("verified", "consent 9")
    assert derived_seen(served, "ALPHA") == [("verified", 7.1)]


def test_without_a_right_in_force_a_verified_claim_learns_nothing_more(served: Served) -> None:
    made = claim(served)
    served.record()
    assert derived_seen(served, "ALPHA") == [("verified", 7.1)]
    served.call("ALPHA", "POST", f"/v1/agreements/{made['agreement_id']}/end", json={}, headers={"If-Match": "*"})
    assert derived_seen(served, "ALPHA") == [("verified", None)]


def test_an_asset_that_is_allocated_to_another_is_disputed_in_spite_of_a_consent(served: Served) -> None:
    claim(served, consent_reference="consent 9")
    served.record("consent", reference="consent 9", amsid=None)
    served.record("allocation", fsp_id="BRAVO")
    assert derived_seen(served, "ALPHA") == [("disputed", None)]
    served.record("approval")
    assert derived_seen(served, "ALPHA") == [("verified", 7.1)]
    dispute = served.record("dispute")
    assert derived_seen(served, "ALPHA") == [("disputed", None)]
    served.call("OFFICE", "POST", f"/v1/evidence/{dispute['evidence_id']}/end", json={}, headers={"If-Match": "*"})
    assert derived_seen(served, "ALPHA") == [("verified", 7.1)]


def test_a_verified_claim_takes_the_place_of_an_unverified_one(served: Served) -> None:
    squatter = served.create("ALPHA", valid_from_at="2025-06-01T00:00:00Z", valid_to_at=None)
    unproven = served.call("BRAVO", "POST", "/v1/agreements", json=agreement())
    assert (unproven.status_code, unproven.json()["conflict"]["claim_state"]) == (409, "claimed")
    assert "evidence" in unproven.json()["detail"]
    served.record("allocation", fsp_id="BRAVO")
    rightful = served.create("BRAVO")
    assert rightful["claim_state"] == "verified"
    path = f"/v1/agreements/{squatter['agreement_id']}"
    shown = served.call("ALPHA", "GET", path)
    now = shown.json()
    assert (now["valid_to_at"], now["change"], now["claim_state"]) == ("2026-01-01T00:00:00Z", "displaced", "disputed")
    assert (now["displaced_by_id"], now["recorded_by_party_id"]) == (rightful["agreement_id"], "register")
    assert "BRAVO" not in shown.text + served.call("ALPHA", "GET", f"{path}/history").text
    assert served.call("ALPHA", "GET", f"/v1/agreements/{rightful['agreement_id']}").status_code == 404
    assert verify_ledger(served.database).breaks == ()


def test_an_unverified_claim_gives_way_to_a_verified_one(served: Served) -> None:
    served.record("allocation", fsp_id="BRAVO")
    served.create("BRAVO")
    late = served.call("ALPHA", "POST", "/v1/agreements", json=agreement(mpan_id=LONDON_MPAN))
    assert (late.status_code, late.json()["conflict"]["claim_state"]) == (409, "verified")
    assert "evidence" not in late.json()["detail"]


def test_between_claims_of_one_standing_the_first_keeps_its_place(served: Served) -> None:
    served.create("ALPHA")
    assert served.call("BRAVO", "POST", "/v1/agreements", json=agreement()).status_code == 409
    served.record("approval")
    served.record("approval", fsp_id="BRAVO")
    both = served.call("BRAVO", "POST", "/v1/agreements", json=agreement())
    assert (both.status_code, both.json()["conflict"]["claim_state"]) == (409, "verified")


def test_ones_own_terms_are_never_displaced(served: Served) -> None:
    served.create("ALPHA", mpan_id=LONDON_MPAN)
    served.record("approval")
    assert served.call("ALPHA", "POST", "/v1/agreements", json=agreement()).status_code == 409


def test_an_amendment_and_an_upload_of_a_verified_claim_make_room_too(served: Served) -> None:
    served.record("allocation", fsp_id="BRAVO")
    rightful = served.create("BRAVO", valid_to_at="2026-06-01T00:00:00Z")
    later = served.create("ALPHA", valid_from_at="2026-06-01T00:00:00Z")
    path = f"/v1/agreements/{rightful['agreement_id']}"
    longer = served.call("BRAVO", "PATCH", path, json={"valid_to_at": None}, headers={"If-Match": "*"})
    assert longer.status_code == 200, longer.text
    assert served.call("ALPHA", "GET", f"/v1/agreements/{later['agreement_id']}").json()["valid_to_at"] == "2026-06-01T00:00:00Z"

    served.record("allocation", fsp_id="BRAVO", amsid="AMS-2")
    taken = served.create("ALPHA", amsid="AMS-2", market="wholesale")
    rows = "".join(f"{MPAN},AMS-2,{market},1,true,2026-01-01T00:00:00Z\n" for market in ("wholesale", "neso_bm"))
    content = f"mpan_id,amsid,market,primacy_tier,is_exclusive,valid_from_at\n{rows}"
    sent = served.call("BRAVO", "POST", "/v1/uploads", content=content, headers={"Content-Type": "text/csv"})
    assert (sent.status_code, sent.json()["rows_accepted"]) == (201, 2), sent.text
    assert served.call("ALPHA", "GET", f"/v1/agreements/{taken['agreement_id']}").json()["change"] == "displaced"
    again = served.call("BRAVO", "POST", "/v1/uploads", content=content, headers={"Content-Type": "text/csv"})
    assert again.json()["rows_unchanged"] == 2
    assert verify_ledger(served.database).breaks == ()


def test_shared_rights_rank_by_tier_unless_one_is_unverified(served: Served) -> None:
    shared = {"is_exclusive": False, "valid_to_at": None}
    served.create("ALPHA", market="neso_bm", **shared)
    served.record("allocation", fsp_id="BRAVO")
    assert served.create("BRAVO", **shared)["claim_state"] == "verified"
    assert served.create("ALPHA", primacy_tier=2, **shared)["claim_state"] == "disputed"


def test_a_consent_reference_is_shown_to_its_party_and_the_administrator(served: Served) -> None:
    made = served.create("ALPHA", consent_reference="consent 9")
    path = f"/v1/agreements/{made['agreement_id']}"
    assert {
        party_id: served.call(party_id, "GET", path).json().get("consent_reference") for party_id in ("ALPHA", "OFFICE", "SOUTHERN")
    } == {
        "ALPHA": "consent 9",
        "OFFICE": "consent 9",
        "SOUTHERN": None,
    }


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"basis": "allocation", "amsid": None}, "evidence-too-wide"),
        ({"basis": "approval", "fsp_id": None}, "evidence-too-wide"),
        ({"basis": "hearsay"}, "invalid-request"),
        ({"reference": " "}, "invalid-request"),
        ({"valid_from_at": "2026-02-01T00:00:00Z", "valid_to_at": "2026-01-01T00:00:00Z"}, "term-backwards"),
        ({"mpan_id": "2000056535972"}, "mpan-check-digit"),
    ],
)
def test_evidence_that_proves_nothing_is_rejected(served: Served, changes: dict[str, Any], problem: str) -> None:
    body = {"basis": "approval", "fsp_id": "ALPHA", **PLACE, "reference": "x", **changes}
    answer = served.call("OFFICE", "POST", "/v1/evidence", json={name: value for name, value in body.items() if value is not None})
    assert (answer.status_code, answer.json()["type"]) == (422, f"urn:fmar:problem:{problem}")


def test_the_same_reference_again_replaces_its_validity(served: Served) -> None:
    first = served.record("allocation", valid_from_at="2026-01-01T00:00:00Z")
    same = served.record("allocation", valid_from_at="2026-01-01T00:00:00Z")
    assert (same["evidence_id"], same["version"]) == (first["evidence_id"], 1)
    changed = served.record("allocation", valid_from_at="2026-01-01T00:00:00Z", valid_to_at="2026-02-01T00:00:00Z")
    assert (changed["evidence_id"], changed["version"], changed["change"]) == (first["evidence_id"], 2, "amended")
    history = served.call("OFFICE", "GET", f"/v1/evidence/{first['evidence_id']}/history").json()["items"]
    assert [row["version"] for row in history] == [1, 2]
    found = served.call("OFFICE", "GET", "/v1/evidence", params={"basis": "allocation", "amsid": "AMS-1"}).json()["items"]
    assert [row["version"] for row in found] == [2]


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_postgresql_shows_evidence_to_the_administrator_alone(served: Served, database: RegisterDatabase) -> None:
    served.record()
    for party_id, rows in (("ALPHA", 0), ("SOUTHERN", 0), ("OFFICE", 1)):
        reach = EVERYTHING if party_id == "OFFICE" else EVERYTHING._replace(is_everything=False, fsp_id=party_id)
        with database.reading(reach) as connection:
            assert connection.execute(text("SELECT count(*) FROM evidence_versions")).scalar_one() == rows


def test_whoever_comes_first_the_rightful_holder_ends_up_with_the_right(served: Served) -> None:
    for number, order in enumerate((("ALPHA", "BRAVO"), ("BRAVO", "ALPHA"))):
        amsid = f"RACE-{number}"
        served.record("allocation", fsp_id="BRAVO", amsid=amsid)
        for party_id in order:
            served.call(party_id, "POST", "/v1/agreements", json=agreement(amsid=amsid))
        in_force = {"amsid": amsid, "valid_at": "2026-03-01T00:00:00Z"}
        assert [row["fsp_id"] for row in served.call("OFFICE", "GET", "/v1/agreements", params=in_force).json()["items"]] == ["BRAVO"]
