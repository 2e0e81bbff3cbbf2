from datetime import UTC, datetime

import pytest
from register_world import LONDON_MPAN, MPAN, Served, agreement


def test_several_fsps_hold_rights_at_one_meter_point_on_different_assets(served: Served) -> None:
    first = served.create("ALPHA", amsid="AMS-1")
    second = served.create("BRAVO", amsid="AMS-2")
    assert (first["fsp_id"], second["fsp_id"], first["mpan_id"]) == ("ALPHA", "BRAVO", second["mpan_id"])


@pytest.mark.parametrize(
    ("standing", "candidate", "rule"),
    [
        ({}, {}, "exclusive_overlap"),
        ({}, {"is_exclusive": False, "primacy_tier": 9}, "exclusive_overlap"),
        ({"is_exclusive": False}, {"primacy_tier": 9}, "exclusive_overlap"),
        ({}, {"valid_from_at": "2026-12-31T23:59:59.999999Z", "valid_to_at": None}, "exclusive_overlap"),
        ({"valid_to_at": None}, {"valid_from_at": "2150-01-01T00:00:00Z", "valid_to_at": None}, "exclusive_overlap"),
        ({}, {"mpan_id": LONDON_MPAN}, "exclusive_overlap"),
        ({"is_exclusive": False}, {"is_exclusive": False}, "primacy_taken"),
        ({"is_exclusive": False}, {"is_exclusive": False, "market": "neso_bm"}, "primacy_taken"),
        ({}, {"valid_from_at": "2027-01-01T00:00:00Z", "valid_to_at": None}, None),
        ({}, {"valid_from_at": "2025-01-01T00:00:00Z", "valid_to_at": "2026-01-01T00:00:00Z"}, None),
        ({}, {"market": "neso_bm"}, None),
        ({}, {"amsid": "AMS-2"}, None),
        ({}, {"amsid": "ams-1"}, None),
        ({"is_exclusive": False}, {"is_exclusive": False, "primacy_tier": 2}, None),
        ({"is_exclusive": False}, {"is_exclusive": True, "market": "neso_bm"}, None),
    ],
)
def test_the_rules_between_two_terms(served: Served, standing: dict[str, object], candidate: dict[str, object], rule: str | None) -> None:
    served.create("ALPHA", **standing)
    answer = served.call("BRAVO", "POST", "/v1/agreements", json=agreement(**candidate))
    assert answer.status_code == (409 if rule else 201), answer.text
    if rule:
        problem = answer.json()
        assert (problem["type"], problem["conflict"]["rule"]) == ("urn:fmar:problem:term-conflict", rule)
        assert problem["conflict"]["valid_from_at"] == "2026-01-01T00:00:00.000000Z"
        assert "fsp_id" not in problem["conflict"]
        assert "ALPHA" not in answer.text


def test_a_conflict_names_the_holder_to_those_who_may_know(served: Served) -> None:
    mine = served.create("ALPHA")
    problem = served.call("ALPHA", "POST", "/v1/agreements", json=agreement()).json()
    assert (problem["conflict"]["agreement_id"], problem["conflict"]["fsp_id"]) == (mine["agreement_id"], "ALPHA")


def test_ended_terms_stay_and_make_room(served: Served) -> None:
    mine = served.create("ALPHA")
    path = f"/v1/agreements/{mine['agreement_id']}"
    ended = served.call("ALPHA", "POST", f"{path}/end", json={"valid_to_at": "2026-06-01T00:00:00+01:00"}, headers={"If-Match": '"v1"'})
    assert (ended.status_code, ended.headers["ETag"], ended.json()["valid_to_at"]) == (200, '"v2-claimed"', "2026-05-31T23:00:00Z")
    served.create("BRAVO", valid_from_at="2026-05-31T23:00:00Z")
    assert served.call("ALPHA", "GET", path).json()["change"] == "ended"
    later = served.call("ALPHA", "POST", f"{path}/end", json={"valid_to_at": "2026-07-01T00:00:00Z"}, headers={"If-Match": '"v2"'})
    assert (later.status_code, later.json()["type"]) == (422, "urn:fmar:problem:end-not-earlier")
    before = served.call("ALPHA", "POST", f"{path}/end", json={"valid_to_at": "2025-07-01T00:00:00Z"}, headers={"If-Match": '"v2"'})
    assert (before.status_code, before.json()["type"]) == (422, "urn:fmar:problem:end-before-begin")


def test_a_term_entered_by_mistake_ends_where_it_began_and_holds_nothing(served: Served) -> None:
    mine = served.create("ALPHA")
    body = {"valid_to_at": "2026-01-01T00:00:00Z"}
    assert (
        served.call("ALPHA", "POST", f"/v1/agreements/{mine['agreement_id']}/end", json=body, headers={"If-Match": "*"}).status_code == 200
    )
    served.create("BRAVO")
    found = served.call("ALPHA", "GET", "/v1/agreements", params={"valid_at": "2026-01-01T00:00:00Z"}).json()["items"]
    assert found == []


def test_an_amendment_wants_the_version_that_was_seen(served: Served) -> None:
    mine = served.create("ALPHA")
    path = f"/v1/agreements/{mine['agreement_id']}"
    body = {"primacy_tier": 4}
    assert served.call("ALPHA", "PATCH", path, json=body).status_code == 428
    assert served.call("ALPHA", "PATCH", path, json=body, headers={"If-Match": '"v7"'}).status_code == 412
    assert served.call("ALPHA", "PATCH", path, json=body, headers={"If-Match": "v1"}).status_code == 422
    assert served.call("ALPHA", "PATCH", path, json=body, headers={"If-Match": '"v1"'}).json()["primacy_tier"] == 4
    again = served.call("ALPHA", "PATCH", path, json={"primacy_tier": 5}, headers={"If-Match": '"v1"'})
    assert (again.status_code, again.json()["type"]) == (412, "urn:fmar:problem:stale-version")
    same = served.call("ALPHA", "PATCH", path, json=body, headers={"If-Match": '"v2"'})
    assert (same.status_code, same.json()["type"]) == (422, "urn:fmar:problem:nothing-changes")
    backwards = served.call("ALPHA", "PATCH", path, json={"valid_to_at": "2020-01-01T00:00:00Z"}, headers={"If-Match": '"v2"'})
    assert backwards.status_code == 422


def test_an_amendment_obeys_the_same_rules(served: Served) -> None:
    served.create("BRAVO", valid_from_at="2027-01-01T00:00:00Z", valid_to_at=None)
    mine = served.create("ALPHA")
    answer = served.call(
        "ALPHA", "PATCH", f"/v1/agreements/{mine['agreement_id']}", json={"valid_to_at": None}, headers={"If-Match": '"v1"'}
    )
    assert (answer.status_code, answer.json()["conflict"]["rule"]) == (409, "exclusive_overlap")


def test_who_held_rights_and_what_was_known_when(served: Served) -> None:
    """Two FSPs on one meter point, one exclusive, one amended, as known at three moments."""
    before = datetime.now(UTC).isoformat()
    alpha = served.create("ALPHA", amsid="AMS-1", is_exclusive=True)
    bravo = served.create("BRAVO", amsid="AMS-2", is_exclusive=False, primacy_tier=2, market="neso_bm")
    between = served.call("OFFICE", "GET", f"/v1/agreements/{bravo['agreement_id']}").json()["known_from_at"]
    amended = served.call(
        "BRAVO", "PATCH", f"/v1/agreements/{bravo['agreement_id']}", json={"primacy_tier": 1}, headers={"If-Match": '"v1"'}
    ).json()

    def known(moment: str) -> list[tuple[str, int]]:
        asked = {"mpan_id": MPAN, "valid_at": "2026-03-04T17:30:00Z", "known_at": moment}
        items = served.call("OFFICE", "GET", "/v1/agreements", params=asked).json()["items"]
        return [(item["fsp_id"], item["primacy_tier"]) for item in items]

    assert known(before) == []
    assert known(between) == [("ALPHA", 1), ("BRAVO", 2)]
    assert known(amended["known_from_at"]) == [("ALPHA", 1), ("BRAVO", 1)]
    history = served.call("BRAVO", "GET", f"/v1/agreements/{bravo['agreement_id']}/history").json()["items"]
    assert [(row["version"], row["change"], row["known_to_at"]) for row in history] == [
        (1, "created", history[1]["known_from_at"]),
        (2, "amended", None),
    ]
    assert alpha["known_from_at"] < history[0]["known_from_at"] < history[1]["known_from_at"]


def test_look_ups_narrow_by_every_field_and_page_by_key(served: Served) -> None:
    made = [served.create("ALPHA", amsid=f"AMS-{number}", market=("dso_local", "wholesale")[number % 2]) for number in range(7)]
    served.create("BRAVO", amsid="AMS-9", mpan_id=LONDON_MPAN)
    seen: list[str] = []
    cursor = None
    while True:
        page = served.call("ALPHA", "GET", "/v1/agreements", params={"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        seen += [item["agreement_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [row["agreement_id"] for row in made]

    def count(**asked: object) -> int:
        return len(served.call("OFFICE", "GET", "/v1/agreements", params=asked).json()["items"])

    assert (count(), count(fsp_id="BRAVO"), count(market="wholesale"), count(amsid="AMS-3"), count(mpan_id=LONDON_MPAN)) == (8, 1, 3, 1, 1)
    assert count(valid_at="2027-01-01T00:00:00Z") == 0
    assert served.call("ALPHA", "GET", "/v1/agreements", params={"cursor": "!!"}).status_code == 422
    for limit in (1001, 0, "1_0", "+1", " 1", "01", "1.0", "１"):
        assert served.call("ALPHA", "GET", "/v1/agreements", params={"limit": limit}).status_code == 422
    assert served.call("ALPHA", "GET", "/v1/agreements", params={"mpan": MPAN}).status_code == 422


def test_a_repeated_request_is_done_once(served: Served) -> None:
    key = {"Idempotency-Key": "order-17"}
    first = served.call("ALPHA", "POST", "/v1/agreements", json=agreement(), headers=key)
    second = served.call("ALPHA", "POST", "/v1/agreements", json=agreement(), headers=key)
    assert (first.status_code, second.status_code) == (201, 201)
    assert (first.json(), first.headers["ETag"], first.headers["Location"]) == (
        second.json(),
        second.headers["ETag"],
        second.headers["Location"],
    )
    other = served.call("ALPHA", "POST", "/v1/agreements", json=agreement(amsid="AMS-2"), headers=key)
    assert (other.status_code, other.json()["type"]) == (422, "urn:fmar:problem:idempotency-key-reused")
    assert served.call("BRAVO", "POST", "/v1/agreements", json=agreement(amsid="AMS-2"), headers=key).status_code == 201
    assert len(served.call("ALPHA", "GET", "/v1/agreements").json()["items"]) == 1


def test_a_wrong_check_digit_is_rejected(served: Served) -> None:
    answer = served.call("ALPHA", "POST", "/v1/agreements", json=agreement(mpan_id="2000056535972"))
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:fmar:problem:mpan-check-digit")


def test_the_party_never_comes_from_the_request(served: Served) -> None:
    assert served.call("ALPHA", "POST", "/v1/agreements", json=agreement(fsp_id="BRAVO")).status_code == 422
    assert served.create("ALPHA")["fsp_id"] == "ALPHA"
