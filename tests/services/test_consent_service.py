"""The consent service as it is asked, and the revocations that it sends."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import Mock

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.requests import Request
from starlette.responses import JSONResponse

from fmar_spark.commands import refresh_consent
from fmar_spark.commands.refresh_consent import read_inbox
from fmar_spark.domain.consent import Purpose
from fmar_spark.errors import ConfigError
from fmar_spark.services.consent.consent_client import ConsentClient, UnavailableError
from fmar_spark.services.consent.fake_service import DOWN, FakeService, build_fake, revoke
from fmar_spark.services.consent.revocations import PATH, build_routes, open_inbox
from fmar_spark.services.web.problems import ServiceError
from fmar_spark.settings.sections import ConsentSettings, Settings

HOME = "2000056535971"
SECRET = b"a secret of some length"
GONE = [{"mpan": HOME, "effective_at": "2026-04-01T04:00:00+00:00"}]
SETTINGS = ConsentSettings(service_url="http://localhost:9", attempts=3)


def client_of(fake: FakeService) -> ConsentClient:
    served = TestClient(build_fake(fake))
    answer = lambda request: httpx.Response(  # noqa: E731 - a transport is a function of one expression
        (found := served.post(request.url.path, content=request.read())).status_code, content=found.content
    )
    return ConsentClient(SETTINGS, httpx.MockTransport(answer), pause_seconds=0)


def test_the_service_is_asked_and_answers() -> None:
    fake = FakeService({HOME: "granted"})
    assert b'"granted"' in client_of(fake).ask([HOME], Purpose.ANY)
    assert fake.asked == [[HOME]]


def test_a_service_that_is_down_is_unavailable_after_all_attempts() -> None:
    seen: list[int] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        seen.append(1)
        if len(seen) == 1:
            raise httpx.ConnectError("refused")
        return httpx.Response(503)

    with pytest.raises(UnavailableError, match="status 503"):
        ConsentClient(SETTINGS, httpx.MockTransport(refuse), pause_seconds=0).ask([HOME], Purpose.ANY)
    assert len(seen) == 3
    with pytest.raises(UnavailableError):
        client_of(FakeService(behaviour=DOWN)).ask([HOME], Purpose.ANY)


@pytest.mark.parametrize("status", [302, 401, 404])
def test_an_answer_that_patience_does_not_cure_is_not_asked_for_again(status: int) -> None:
    seen: list[int] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        seen.append(1)
        return httpx.Response(status, headers={"Location": "https://elsewhere.example"})

    with pytest.raises(UnavailableError, match=str(status)):
        ConsentClient(SETTINGS, httpx.MockTransport(refuse), pause_seconds=0).ask([HOME], Purpose.ANY)
    assert len(seen) == 1


def test_an_answer_without_end_is_cut_off() -> None:
    endless = httpx.MockTransport(lambda request: httpx.Response(200, content=(b" " * 2**20 for _ in range(10_000))))
    with pytest.raises(UnavailableError, match="more than 16777216 bytes"):
        ConsentClient(SETTINGS.model_copy(update={"attempts": 1}), endless).ask([HOME], Purpose.ANY)


def test_only_https_is_asked() -> None:
    with pytest.raises(ConfigError, match="https"):
        ConsentClient(ConsentSettings(service_url="http://consent.example"))


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[tuple[TestClient, Path]]:
    """An application that takes revocations, and its folder."""
    (tmp_path / "secret").write_bytes(SECRET)
    opened = open_inbox(ConsentSettings(webhook_secret_file=str(tmp_path / "secret"), inbox=str(tmp_path / "inbox")))
    assert opened is not None
    app = FastAPI()
    app.include_router(build_routes(opened))

    async def answer(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ServiceError)
        return JSONResponse({"type": error.name, "detail": str(error)}, error.status)

    app.add_exception_handler(ServiceError, answer)
    yield TestClient(app), tmp_path / "inbox"
    opened.writer.stop()


def test_a_signed_revocation_is_on_the_disk_when_it_is_acknowledged(inbox: tuple[TestClient, Path]) -> None:
    client, folder = inbox
    answer = revoke(client, PATH, SECRET, GONE)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1})
    files, rows = read_inbox(folder)
    assert len(files) == 1
    assert [(row["mpan_id"], row["state"]) for row in rows] == [(HOME, "withdrawn")]


def test_a_revocation_that_is_not_the_services_changes_nothing(inbox: tuple[TestClient, Path]) -> None:
    client, folder = inbox
    assert revoke(client, PATH, b"another secret of a length", GONE).status_code == 403
    assert revoke(client, PATH, SECRET, GONE, datetime.now(UTC) - timedelta(minutes=10)).status_code == 403
    assert client.post(PATH, content=b"{}").status_code == 403
    assert revoke(client, PATH, SECRET, [{"mpan": "1", "effective_at": "2026-04-01T04:00:00Z"}]).status_code == 400
    assert revoke(client, PATH, SECRET, GONE * 50_000).status_code == 413
    assert read_inbox(folder) == ([], [])


def test_a_full_disk_is_answered_503_and_nothing_is_left(inbox: tuple[TestClient, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    client, folder = inbox
    full = shutil.disk_usage(folder)._replace(free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    assert revoke(client, PATH, SECRET, GONE).status_code == 503
    assert read_inbox(folder) == ([], [])


def test_a_revocation_is_on_record_before_the_service_is_asked(inbox: tuple[TestClient, Path], tmp_path: Path) -> None:
    client, folder = inbox
    revoke(client, PATH, SECRET, GONE)
    consent = ConsentSettings(service_url="https://consent.example", token_file=str(tmp_path / "no token"), inbox=str(folder))
    app = Mock(settings=Settings(consent=consent))
    with pytest.raises(ConfigError, match="token_file"):
        refresh_consent.run(app)
    assert [call.args[0] for call in app.run_step.call_args_list] == ["record_legal_basis"]
    assert read_inbox(folder) == ([], [])


def test_without_a_service_revocations_and_standing_data_are_recorded_in_one_step(inbox: tuple[TestClient, Path], tmp_path: Path) -> None:
    client, folder = inbox
    revoke(client, PATH, SECRET, GONE)
    app = Mock(settings=Settings(consent=ConsentSettings(dip_basis="public task", inbox=str(folder))))
    refresh_consent.run(app)
    refresh_consent.run(app)
    assert [call.args[0] for call in app.run_step.call_args_list] == ["record_legal_basis"] * 2
    assert read_inbox(folder) == ([], [])


def test_a_file_in_the_inbox_that_cannot_be_read_stays(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("half")
    assert read_inbox(tmp_path) == ([], [])
    assert (tmp_path / "a.json").exists()


def test_a_secret_that_is_too_short_is_none(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("short")
    with pytest.raises(ConfigError, match="at least 16"):
        open_inbox(ConsentSettings(webhook_secret_file=str(tmp_path / "secret")))
    assert open_inbox(ConsentSettings()) is None
