import base64
import hashlib
import logging
import re
import time
from typing import Any

import pytest
from register_world import MPAN, Served, agreement, serve, settings_of
from sqlalchemy import select

from fmar_spark.services.register.access import EVERYTHING
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.register.tables import REQUEST_AUDIT
from fmar_spark.services.web.limits import RateLimit
from fmar_spark.services.web.problems import TooManyError


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
    (script,) = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy
    assert ("default-src 'none'" in policy, "unsafe-inline" in policy.partition("style-src")[0], "unsafe-eval" in policy) == (
        True,
        False,
        False,
    )
    for address in re.findall(r'(?:src|href)="(https?://[^"]+)"', page.text):
        assert address.startswith("https://cdn.jsdelivr.net/")
    assert served.http.get("/redoc").status_code == 404


def test_a_length_beside_chunks_is_refused(served: Served) -> None:
    headers = {"Content-Length": "2", "Transfer-Encoding": "chunked", "Content-Type": "application/json"}
    answer = served.call("ALPHA", "POST", "/v1/agreements", content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()["type"], answer.headers["Connection"]) == (400, "urn:fmar:problem:two-lengths", "close")


def test_bodies_that_are_too_large_or_lie_about_their_length_are_refused(served: Served) -> None:
    headers = {"Content-Type": "application/json"}
    assert served.call("ALPHA", "POST", "/v1/agreements", content=b"{" + b" " * 70_000, headers=headers).status_code == 413
    streamed = (b" " * 10_000 for _ in range(10))
    assert served.call("ALPHA", "POST", "/v1/agreements", content=streamed, headers=headers).status_code == 413
    assert served.call("ALPHA", "POST", "/v1/agreements", content=b"{", headers=headers).status_code == 400
    assert served.call("ALPHA", "POST", "/v1/agreements", content=b"[" * 60_000, headers=headers).status_code in {400, 422}
    assert served.call("ALPHA", "POST", "/v1/agreements", content=b'{"mpan_id": "\xff"}', headers=headers).status_code in {400, 422}
