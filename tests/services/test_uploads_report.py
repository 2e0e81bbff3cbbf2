"""What an FSP learns of its uploads afterwards."""

from register_world import MPAN, Served


def test_uploads_are_listed_for_their_owner_alone_and_say_every_fault_of_a_row(served: Served) -> None:
    content = "mpan_id,amsid,market,primacy_tier,is_exclusive,valid_from_at\n2000056535972,,nowhere,1_0,perhaps,yesterday\n"
    answer = served.call("ALPHA", "POST", "/v1/uploads?mode=partial", content=content, headers={"Content-Type": "text/csv"})
    assert (answer.status_code, answer.json()["upload"]["state"]) == (422, "rejected")
    path = f"/v1/uploads/{answer.json()['upload']['upload_id']}/rows"
    (row,) = served.call("ALPHA", "GET", path).json()["items"]
    faults = ["primacy_tier", "is_exclusive", "amsid", "market", "valid_from_at", "mpan_id"]
    assert ([fault["rule"] for fault in row["faults"]], row["rule"]) == (faults, faults[0])
    assert "nowhere" not in str(row)
    assert "2000056535972" not in str(row)
    good = f"mpan_id,amsid,market,primacy_tier,is_exclusive,valid_from_at\n{MPAN},A1,dso_local,1,true,2026-01-01T00:00:00Z\n"
    taken = [
        served.call("ALPHA", "POST", f"/v1/uploads{query}", content=good, headers={"Content-Type": "text/csv"})
        for query in ("?dry_run=true", "", "?dry_run=true")
    ]
    assert [(answer.status_code, answer.json()["state"]) for answer in taken] == [(200, "checked"), (201, "applied"), (200, "checked")]
    states = [found["state"] for found in served.call("ALPHA", "GET", "/v1/uploads").json()["items"]]
    assert states == ["rejected", "checked", "applied", "checked"]
    first = served.call("ALPHA", "GET", "/v1/uploads", params={"state": "checked", "limit": 1}).json()
    second = served.call("ALPHA", "GET", "/v1/uploads", params={"state": "checked", "limit": 1, "cursor": first["next_cursor"]}).json()
    assert [len(page["items"]) for page in (first, second)] == [1, 1]
    assert first["items"] != second["items"]
    assert served.call("BRAVO", "GET", "/v1/uploads").json()["items"] == []
