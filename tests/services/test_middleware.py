import logging
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from register_world import MPAN, Served, agreement, for_many_threads, serve, settings_of
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from fmar_spark.services.register.access import EVERYTHING, NOTHING
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.register.tables import REQUEST_AUDIT
from fmar_spark.services.web.limits import RateLimit
from fmar_spark.services.web.metrics import Metrics
from fmar_spark.services.web.problems import TooManyError
from fmar_spark.services.web.request_audit import AuditRows, RequestAudit

DECLARED = {
    "mpan_id": MPAN,
    "amsid": "AMS-1",
    "asset_class": "ev",
    "direction": "import",
    "parameter": "rated_kw",
    "value": 11.0,
    "unit": "kW",
    "reason": "declared",
    "valid_from_at": "2026-02-01T00:00:00Z",
}


def audit_rows(database: RegisterDatabase) -> list[dict[str, Any]]:
    with database.reading(EVERYTHING) as connection:
        return [dict(row) for row in connection.execute(select(REQUEST_AUDIT).order_by(REQUEST_AUDIT.c.request_id)).mappings()]


def test_every_request_leaves_a_row_of_audit_without_what_it_asked_for(database: RegisterDatabase, url: str) -> None:
    service = serve(database, url)
    with service.http:
        service.create("ALPHA")
        service.call("ALPHA", "GET", "/v1/agreements", params={"mpan_id": MPAN})
        service.call("BRAVO", "GET", "/v1/agreements/01a20e2f-3b30-7e08-94d2-63993beb8136")
        service.http.get("/v1/agreements")
        service.http.get(f"/nowhere/{MPAN}")
        answer = service.call("ALPHA", "POST", "/v1/agreements", json=agreement())
    rows = audit_rows(database)
    assert [(row["method"], row["route"], row["status"], row["party_id"], row["problem"]) for row in rows] == [
        ("POST", "/v1/agreements", 201, "ALPHA", None),
        ("GET", "/v1/agreements", 200, "ALPHA", None),
        ("GET", "/v1/agreements/{agreement_id}", 404, "BRAVO", "no-such-agreement"),
        ("GET", "/v1/agreements", 401, None, "no-token"),
        ("GET", "(none)", 404, None, "no-such-resource"),
        ("POST", "/v1/agreements", 409, "ALPHA", "term-conflict"),
    ]
    assert rows[-1]["request_id"] == answer.headers["X-Request-ID"]
    assert answer.json()["instance"] == f"urn:fmar:request:{rows[-1]['request_id']}"
    assert MPAN not in str(rows)


def test_no_mpan_and_no_token_reach_a_log(served: Served, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("httpx").setLevel(logging.WARNING)  # the test's own client
        served.create("ALPHA")
        served.call("ALPHA", "GET", "/v1/agreements", params={"mpan_id": MPAN})
        served.call("ALPHA", "POST", "/v1/agreements", json=agreement())
        served.call("ALPHA", "POST", "/v1/agreements", json=agreement(mpan_id=MPAN + "x"))
        monkeypatch.setattr("fmar_spark.services.register.routes_agreements.create_agreement", _fail_loudly)
        failed = served.call("ALPHA", "POST", "/v1/agreements", json=agreement(amsid="AMS-2"))
    assert (failed.status_code, failed.json()["type"]) == (500, "urn:fmar:problem:failed")
    assert MPAN not in failed.text
    assert "_fail_loudly" in caplog.text
    assert MPAN not in caplog.text
    assert "eyJ" not in caplog.text


def _fail_loudly(*_: object) -> None:
    raise RuntimeError(f"the database said {MPAN}")


def test_a_caller_that_asks_too_often_learns_when_to_come_back(database: RegisterDatabase, url: str) -> None:
    few = {"requests_per_minute": 1, "request_burst": 3, "anonymous_requests_per_minute": 1, "anonymous_request_burst": 4}
    service = serve(database, url, **few)
    with service.http:
        answers = [service.call("ALPHA", "GET", "/v1/agreements") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert 1 < int(answers[-1].headers["Retry-After"]) <= 60
        assert service.call("BRAVO", "GET", "/v1/agreements").status_code == 200
        forged = {"Authorization": "Bearer x.y.z"}
        assert [service.http.get("/v1/agreements", headers=forged).status_code for _ in range(2)] == [401, 401]
        assert [service.http.get(path).status_code for path in ("/nowhere", "/docs")] == [404, 200]
        anywhere = [
            service.http.get("/v1/agreements"),
            service.http.get("/v1/agreements", headers=forged),
            service.http.get("/nowhere", headers=forged),
            service.http.get("/docs", headers=forged),
            service.http.get("/openapi.json"),
            service.http.delete("/v1/agreements"),
            service.http.post("/v1/agreements", content=b"", headers={"Content-Length": "999999"}),
        ]
        assert [(answer.status_code, int(answer.headers["Retry-After"]) <= 60) for answer in anywhere] == [(429, True)] * len(anywhere)
        assert service.call("BRAVO", "GET", "/v1/agreements").status_code == 200
        probes = [
            service.http.get(path).status_code for path in ("/health/live", "/health/ready", "/metrics", "/health/live", "/health/live")
        ]
        assert probes == [200, 200, 200, 200, 429]


@pytest.mark.parametrize(
    ("addresses", "statuses"),
    [
        (("2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::3"), [401, 401, 429]),
        (("2001:db8::1", "2001:db8:0:1::1", "2001:db8:0:2::1"), [401, 401, 401]),
        (("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1"), [401, 401, 429]),
        (("a" * 5000, "\u202e", ""), [401, 401, 429]),
    ],
)
def test_an_address_counts_by_what_one_caller_has(migrated_file: Path, addresses: tuple[str, ...], statuses: list[int]) -> None:
    settings = f"sqlite:///{migrated_file}"
    service = serve(RegisterDatabase(settings_of(settings)), settings, anonymous_requests_per_minute=1, anonymous_request_burst=2)
    answers = [TestClient(service.http.app, client=(address, 1)).get("/v1/agreements").status_code for address in addresses]
    assert answers == statuses


def test_a_bucket_refills_evenly() -> None:
    moment = [0.0]
    limit = RateLimit(60, 2, lambda: moment[0])
    for _ in range(2):
        limit.take("a")
    with pytest.raises(TooManyError):
        limit.take("a")
    limit.take("b")
    moment[0] = 1.0
    limit.take("a")
    with pytest.raises(TooManyError):
        limit.take("a")


def test_unknown_callers_leave_a_bounded_number_of_audit_rows(database: RegisterDatabase, url: str) -> None:
    few = {"anonymous_audit_per_minute": 2, "anonymous_requests_per_minute": 1, "anonymous_request_burst": 6}
    service = serve(database, url, **few)
    with service.http:
        assert [service.http.get("/v1/agreements").status_code for _ in range(8)] == [401] * 6 + [429] * 2
        service.call("ALPHA", "GET", "/v1/agreements")
        for path in ("/health/live", "/health/ready"):
            service.http.get(path)
        assert "fmar_register_audit_rows_skipped_total 6.0" in service.http.get("/metrics").text
    assert [(row["status"], row["party_id"]) for row in audit_rows(database)] == [(401, None), (401, None), (200, "ALPHA")]


def test_audit_rows_are_kept_for_a_time_and_young_ones_for_good(database: RegisterDatabase) -> None:
    now = datetime.now(UTC)
    row = {"party_id": None, "client_id": "c", "method": "GET", "route": "/", "status": 200, "problem": None, "seconds": 0.1}
    rows = AuditRows(REQUEST_AUDIT, lambda: database.writing(NOTHING))
    rows.add([{**row, "request_id": str(days), "requested_at": now - timedelta(days=days)} for days in (1, 29, 40, 400, 500)])
    audit = RequestAudit(rows, Metrics("test"), settings_of("sqlite:///unused.db", audit_days=50))
    audit.start()
    audit.stop()
    assert {found["request_id"] for found in audit_rows(database)} >= {"1", "29", "40"}
    assert rows.forget(now - timedelta(days=50), 1) + rows.forget(now - timedelta(days=50), 9) <= 2
    assert {found["request_id"] for found in audit_rows(database)} == {"1", "29", "40"}
    with pytest.raises(DBAPIError, match="refused"):
        rows.forget(now, 9)
    assert len(audit_rows(database)) == 3


def test_more_requests_than_the_service_works_on_are_sent_away_and_health_is_not(database: RegisterDatabase, url: str) -> None:
    service = serve(database, url, for_many_threads, max_requests_at_once=2)
    entered, leave = threading.Barrier(3), threading.Event()

    def wait(_: str) -> list[dict[str, Any]]:
        entered.wait(30)
        leave.wait(30)
        return []

    with service.http, ThreadPoolExecutor(2) as pool:
        service.create("ALPHA")
        service.record()
        assert service.call("ALPHA", "POST", "/v1/overrides", json=DECLARED).status_code == 201
        service.derived.find_capability = wait  # type: ignore[method-assign]  # a slow lake
        place = {"mpan_id": MPAN, "amsid": "AMS-1"}
        slow = [pool.submit(service.call, "ALPHA", "GET", "/v1/capability", params=place) for _ in range(2)]
        entered.wait(30)
        answer = service.call("ALPHA", "GET", "/v1/agreements")
        assert (answer.status_code, answer.json()["type"], answer.headers["Retry-After"]) == (503, "urn:fmar:problem:overloaded", "1")
        assert [service.http.get(path).status_code for path in ("/health/live", "/health/ready", "/metrics")] == [200, 200, 200]
        leave.set()
        assert [call.result().status_code for call in slow] == [200, 200]
        assert service.call("ALPHA", "GET", "/v1/agreements").status_code == 200


def test_health_and_metrics(served: Served) -> None:
    assert served.http.get("/health/live").json() == {"status": "live"}
    assert served.http.get("/health/ready").json() == {"status": "ready"}
    served.create("ALPHA")
    shown = served.http.get("/metrics").text
    assert 'fmar_register_requests_total{method="POST",route="/v1/agreements",status="201"} 1.0' in shown
    assert MPAN not in shown


def test_a_database_that_is_gone_answers_503_and_is_not_ready(url: str) -> None:
    away = "postgresql://fmar_register@127.0.0.1:9/none" if url.startswith("postgresql") else f"{url}.empty"
    service = serve(RegisterDatabase(settings_of(away)), away)
    with service.http:
        ready = service.http.get("/health/ready")
        assert (ready.status_code, ready.json()["type"]) == (503, "urn:fmar:problem:not-ready")
        if away.startswith("postgresql"):
            answer = service.call("ALPHA", "GET", "/v1/agreements")
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


def test_a_write_that_waits_too_long_answers_503_and_leaves_nothing(database: RegisterDatabase, url: str) -> None:
    service = serve(database, url, lock_timeout_seconds=0.3)
    with service.http:
        with database.writing(EVERYTHING) as connection:
            connection.exec_driver_sql("UPDATE ledger_head SET seq = seq + 1, recorded_at = recorded_at WHERE 1 = 0")
            if database.dialect == "postgresql":
                connection.exec_driver_sql("SELECT 1 FROM ledger_head FOR UPDATE")
            began = time.monotonic()
            answer = service.call("ALPHA", "POST", "/v1/agreements", json=agreement())
            assert (answer.status_code, answer.headers["Retry-After"], answer.json()["type"]) == (503, "1", "urn:fmar:problem:busy")
            assert time.monotonic() - began < 5
            assert service.call("ALPHA", "GET", "/v1/agreements").status_code == 200
        assert service.call("ALPHA", "POST", "/v1/agreements", json=agreement()).status_code == 201


def test_browsers_may_load_nothing_but_what_the_page_of_endpoints_needs(served: Served) -> None:
    for answer in (served.http.get("/health/live"), served.http.get("/nowhere"), served.call("ALPHA", "GET", "/v1/agreements")):
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    page = served.http.get("/docs")
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert ("unsafe" in policy, "<script>" in page.text, re.findall(r"https?://", page.text)) == (False, False, [])
    loaded = re.findall(r'(?:src|href)="(/docs/[^"]+)"', page.text)
    assert {path: served.http.get(path).status_code for path in loaded} == {"/docs/docs.css": 200, "/docs/docs.js": 200}
    for methods in served.http.get("/openapi.json").json()["paths"].values():
        assert all(f'<details id="{operation["operationId"]}">' in page.text for operation in methods.values())
    assert served.http.get("/redoc").status_code == 404


def test_a_length_beside_chunks_is_rejected(served: Served) -> None:
    headers = {"Content-Length": "2", "Transfer-Encoding": "chunked", "Content-Type": "application/json"}
    answer = served.call("ALPHA", "POST", "/v1/agreements", content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()["type"], answer.headers["Connection"]) == (400, "urn:fmar:problem:two-lengths", "close")


def test_bodies_that_are_too_large_or_lie_about_their_length_are_rejected(served: Served) -> None:
    headers = {"Content-Type": "application/json"}
    assert served.call("ALPHA", "POST", "/v1/agreements", content=b"{" + b" " * 70_000, headers=headers).status_code == 413
    streamed = (b" " * 10_000 for _ in range(10))
    assert served.call("ALPHA", "POST", "/v1/agreements", content=streamed, headers=headers).status_code == 413
    assert served.call("ALPHA", "POST", "/v1/agreements", content=b"{", headers=headers).status_code == 400
    assert served.call("ALPHA", "POST", "/v1/agreements", content=b"[" * 60_000, headers=headers).status_code in {400, 422}
    assert served.call("ALPHA", "POST", "/v1/agreements", content=b'{"mpan_id": "\xff"}', headers=headers).status_code in {400, 422}
