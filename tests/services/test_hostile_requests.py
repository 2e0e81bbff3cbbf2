"""Whatever a caller sends, the register answers with what it declares and never with a failure of its own."""

from collections import Counter
from typing import Any

import pytest
from generated_requests import CHECKS, list_operations, write_requests
from register_world import MPAN, Served, agreement
from schemathesis import GenerationMode

from fmar_spark.services.register.ledger import verify_ledger

EXAMPLES = 4
"""Of each operation, for each kind of request and each role on a database of its own: some six hundred, the same in every run."""
INJECTIONS = [
    "' OR '1'='1",
    "'; DROP TABLE ledger; --",
    '" OR ""="',
    "1; SELECT pg_sleep(10)",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "%00",
    "\u0000",
    "\u202e",
    "\r\nX-Injected: 1",
    "=cmd|' /C calc'!A0",
    "𝟚𝟘𝟘𝟘",
    "😀" * 20,
    "A" * 10_000,
    -1,
    1e308,
    True,
    None,
    [],
    {"$ne": 1},
]


@pytest.mark.parametrize("field", sorted(agreement()))
def test_injections_in_every_field_are_rejected_and_change_nothing(served: Served, field: str) -> None:
    entries = verify_ledger(served.database).entries
    for attack in INJECTIONS:
        if (field, attack) in [("valid_to_at", None), ("is_exclusive", True)]:
            continue  # an open term, and a plain yes: no attack there
        answer = served.call("ALPHA", "POST", "/v1/agreements", json={**agreement(), field: attack})
        assert answer.status_code == 422, (field, attack, answer.text)
    assert verify_ledger(served.database).entries == entries


@pytest.mark.parametrize("name", ["mpan_id", "amsid", "fsp_id", "market", "valid_at", "known_at", "cursor", "limit"])
def test_injections_in_every_look_up_are_rejected(served: Served, name: str) -> None:
    served.create("ALPHA")
    for attack in INJECTIONS:
        if not isinstance(attack, str):
            continue
        answer = served.call("BRAVO", "GET", "/v1/agreements", params={name: attack.encode("utf-8", "surrogatepass")})
        assert answer.status_code == 422, (name, attack, answer.text)
        assert MPAN not in answer.text


@pytest.mark.parametrize("name", ["If-Match", "Idempotency-Key", "Authorization", "X-Forwarded-For", "Content-Type", "Content-Length"])
def test_injections_in_headers_never_fail(served: Served, name: str) -> None:
    mine = served.create("ALPHA")
    for attack in ("", " ", "\xff", "a" * 5000, '"v1", "v2"', 'W/"v1"', '"v99999999999"', "bearer", "-1", "'; --"):
        headers = {**served.headers("ALPHA"), name: attack}
        raw = [(key.encode(), value.encode("latin-1")) for key, value in headers.items()]
        answer = served.http.patch(f"/v1/agreements/{mine['agreement_id']}", json={"primacy_tier": 1}, headers=raw)
        assert answer.status_code < 500, (name, attack, answer.text)


def test_text_of_a_person_is_kept_as_it_is(served: Served) -> None:
    served.create("ALPHA")
    reason = '<b>O\'Neill</b>; DROP TABLE ledger; -- 漢字 "quoted" %s {0}'
    body: dict[str, Any] = {
        "mpan_id": MPAN,
        "amsid": "AMS-1",
        "asset_class": "ev",
        "direction": "import",
        "parameter": "rated_kw",
        "value": 1,
        "unit": "kW",
        "reason": reason,
        "valid_from_at": "2026-02-01T00:00:00Z",
    }
    assert served.call("ALPHA", "POST", "/v1/overrides", json=body).json()["reason"] == reason
    assert verify_ledger(served.database).breaks == ()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=str)
@pytest.mark.parametrize(("url", "party_id"), [("sqlite", "ALPHA"), ("postgresql", "OFFICE")], indirect=["url"])
def test_generated_requests_over_the_whole_schema_get_declared_answers(served: Served, party_id: str, mode: GenerationMode) -> None:
    mine = served.create("ALPHA")
    headers = served.headers(party_id)
    known = {"agreement_id": mine["agreement_id"], "party_id": "BRAVO"}
    seen: Counter[int] = Counter()
    for case in write_requests(served.http.app, mode, EXAMPLES, known):
        answer = case.call(headers=headers, timeout=120)
        seen[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)
    assert len(list_operations(served.http.app)) == 39
    assert sum(seen.values()) > 100
    assert not [status for status in seen if status >= 500]
    assert verify_ledger(served.database).breaks == ()
