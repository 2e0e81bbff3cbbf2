"""What HTTP asks of every endpoint: methods, media types, conditional requests, limits that are announced, and what OpenAPI shows."""

from typing import Any

import jsonschema_rs
import pytest
from register_world import Served, agreement, serve

from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.web.replies import is_same, parse_etags


@pytest.fixture(params=["sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    """HTTP is the same over both databases."""
    path = tmp_path / "register.db"
    path.write_bytes(request.getfixturevalue("migrated_file").read_bytes())
    return f"sqlite:///{path}"


@pytest.mark.parametrize(
    ("header", "is_known"),
    [
        ('"v1"', True),
        ('W/"v1"', True),
        ('"v0", W/"v1" ,"v2"', True),
        ("*", True),
        (",*", False),
        ('*, "v1"', False),
        ('"v,1", "v1"', True),
        ('"v2"', False),
        ("v1", False),
        ('"v1', False),
        ("", False),
        (None, False),
        ('W/"v1" "v2"', False),
    ],
)
def test_if_none_match_is_compared_weakly_with_each_of_a_list(header: str | None, is_known: bool) -> None:
    assert is_same(header, '"v1"') == is_known
    assert is_same(header, 'W/"v1"') == is_known


def test_an_etag_may_hold_commas() -> None:
    assert parse_etags('W/"a,b" , "c"') == [(True, "a,b"), (False, "c")]


def test_what_a_caller_has_already_is_not_sent_again_until_it_changes(served: Served) -> None:
    mine = served.create("ALPHA")
    paths = (f"/v1/agreements/{mine['agreement_id']}", "/v1/agreements", f"/v1/agreements/{mine['agreement_id']}/history")
    etags = {path: served.call("ALPHA", "GET", path).headers["ETag"] for path in paths}
    for path, etag in etags.items():
        again = served.call("ALPHA", "GET", path, headers={"If-None-Match": f'"other", {etag}'})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
        assert "content-type" not in again.headers
    served.record("dispute")
    for path, etag in etags.items():
        assert served.call("ALPHA", "GET", path, headers={"If-None-Match": etag}).status_code == 200, path


def test_if_match_takes_lists_and_never_weak_etags(served: Served) -> None:
    mine = served.create("ALPHA")
    path = f"/v1/agreements/{mine['agreement_id']}"
    for header, status in (('W/"v1"', 412), ('"other"', 412), ('"v2", "v3"', 412), ("v1", 422), ('"v7", "v1-claimed"', 200)):
        answer = served.call("ALPHA", "PATCH", path, json={"primacy_tier": 2}, headers={"If-Match": header})
        assert answer.status_code == status, (header, answer.text)


def test_a_method_that_a_path_does_not_take_is_answered_with_all_that_it_takes(served: Served) -> None:
    mine = served.create("ALPHA")
    expected = {
        "/v1/agreements": "GET, HEAD, POST",
        f"/v1/agreements/{mine['agreement_id']}": "GET, HEAD, PATCH",
        f"/v1/agreements/{mine['agreement_id']}/end": "POST",
        "/v1/parties/ALPHA/clients/x": "PUT",
        "/v1/uploads": "GET, HEAD, POST",
        "/health/live": "GET, HEAD",
    }
    for path, allowed in expected.items():
        answer = served.call("ALPHA", "DELETE", path)
        assert (answer.status_code, answer.headers["Allow"]) == (405, allowed), path


def test_head_answers_as_get_without_content(served: Served) -> None:
    served.create("ALPHA")
    whole, head = (served.call("ALPHA", method, "/v1/agreements") for method in ("GET", "HEAD"))
    assert (head.status_code, head.content, head.headers["ETag"]) == (200, b"", whole.headers["ETag"])
    assert head.headers["Content-Length"] == whole.headers["Content-Length"]


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "application/xml", ""]
)
def test_forms_and_other_media_types_are_answered_415(served: Served, kind: str) -> None:
    for method, path in (("POST", "/v1/agreements"), ("PATCH", "/v1/agreements/01a20e2f-3b30-7e08-94d2-63993beb8136")):
        answer = served.call("ALPHA", method, path, content=b"mpan_id=1", headers={"Content-Type": kind, "If-Match": "*"})
        assert (answer.status_code, answer.json()["type"]) == (415, "urn:fmar:problem:json-wanted"), answer.text
    answer = served.call("ALPHA", "POST", "/v1/uploads", content=b"mpan_id=1", headers={"Content-Type": kind})
    assert (answer.status_code, answer.headers["Accept-Post"]) == (415, "text/csv")


def test_compressed_bodies_are_answered_415(served: Served) -> None:
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    answer = served.call("ALPHA", "POST", "/v1/agreements", content=b"\x1f\x8b\x08\x00", headers=headers)
    assert (answer.status_code, answer.headers["Accept-Encoding"]) == (415, "identity")


def test_every_answer_says_what_is_left_of_the_rate(database: RegisterDatabase, url: str) -> None:
    service = serve(database, url, requests_per_minute=60, request_burst=5, anonymous_requests_per_minute=60, anonymous_request_burst=3)
    with service.http:
        answers = [service.call("ALPHA", "GET", "/v1/agreements") for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        assert {answer.headers["RateLimit-Policy"] for answer in answers} == {'"requests";q=5;w=5'}
        assert [answer.headers["RateLimit"] for answer in answers[:2]] == ['"requests";r=4;t=1', '"requests";r=3;t=2']
        assert answers[-1].headers["RateLimit"].startswith('"requests";r=0;')
        assert service.http.get("/v1/agreements").headers["RateLimit"] == '"requests";r=2;t=1'


def test_openapi_names_shows_and_secures_every_operation(served: Served) -> None:
    document = served.http.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    operations = {(method, path): found for path, methods in document["paths"].items() for method, found in methods.items()}
    assert len({found["operationId"] for found in operations.values()}) == len(operations)
    for (method, path), found in operations.items():
        place = f"{method} {path}"
        assert found["summary"][0].isupper(), place
        assert found.get("security", []) == ([{"bearer": []}] if path.startswith("/v1/") else []), place
        for parameter in found.get("parameters", ()):
            check_example(document, parameter["schema"], parameter["example"], f"{place} {parameter['name']}")
        for content in found.get("requestBody", {}).get("content", {}).values():
            check_example(document, content["schema"], content["example"], place)
        for status, answer in found["responses"].items():
            for content in answer.get("content", {}).values() if status.startswith("2") and path.startswith("/v1/") else ():
                check_example(document, content["schema"], content["example"], f"{place} {status}")
        assert "405" not in found["responses"]
        assert ("304" in found["responses"]) == (method == "get" and path.startswith("/v1/")), place


def check_example(document: dict[str, Any], schema: dict[str, Any], example: object, place: str) -> None:
    """The example is what the schema takes."""
    whole = {**schema, "components": document["components"]}
    faults = [error.message for error in jsonschema_rs.Draft202012Validator(whole).iter_errors(example)]
    assert (place, faults) == (place, [])


def test_examples_of_requests_are_taken_as_they_are(served: Served) -> None:
    document = served.http.get("/openapi.json").json()
    examples = {
        path: document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"]
        for path in ("/v1/agreements", "/v1/overrides", "/v1/evidence")
    }
    served.create("ALPHA", **{name: agreement()[name] for name in ("valid_from_at", "valid_to_at")}, market="wholesale")
    for path, party_id in (("/v1/agreements", "ALPHA"), ("/v1/overrides", "ALPHA"), ("/v1/evidence", "OFFICE")):
        answer = served.call(party_id, "POST", path, json=examples[path])
        assert answer.status_code == 201, (path, answer.text)
