"""The gateway: who may send, what is answered, and that an acknowledged message is on the disk."""

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from benchmark_gateway import batch_messages, start_gateway
from confluent_kafka import Producer
from fastapi.testclient import TestClient
from gateway_world import signer_of
from send_dip import Keys, Signer, join, load_signer, make_keys

from fmar_spark.errors import ConfigError
from fmar_spark.services.gateway.gateway_app import GatewayParts, build_gateway
from fmar_spark.services.gateway.landing_writer import WriterLimits
from fmar_spark.services.gateway.operation import build_watch, check_settings, open_gateway
from fmar_spark.services.gateway.signatures import CERTIFICATE, CONTENT_HASH, DATE, SIGNATURE
from fmar_spark.settings.sections import GatewaySettings, Settings

URL = "http://testserver/dip/pub-021"
LIMITS = WriterLimits(2**20, 0.001, 2**20, 0)
RECEIPT = {
    "transactionID",
    "senderUniqueReference",
    "correlationID",
    "sentTimestamp",
    "senderID",
    "recipientID",
    "DIPConnectionProviderID",
    "message",
    "help",
    "serviceTicketURL",
}


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    make_keys(folder)
    return folder


def settings_for(keys: Path, landing: Path, **changes: Any) -> Settings:
    given = {
        "landing": str(landing),
        "channels": {"pub-021": hashlib.sha256(Keys(keys).api_key.encode()).hexdigest()},
        "signature_issuers": str(keys / "issuer.pem"),
        "tls": "none",
        "least_free_bytes": 0,
        "max_body_bytes": 2**20,
    }
    return Settings(gateway=GatewaySettings.model_validate(given | changes))


class Sender:
    """Posts to a gateway in this process."""

    def __init__(self, parts: GatewayParts, keys: Path) -> None:
        self.parts = parts
        self.keys = keys
        self.http = TestClient(build_gateway(parts))

    def heads(self, body: bytes, *, url: str = URL, signer: Signer | None = None, at: datetime | None = None) -> dict[str, str]:
        signed = (signer or signer_of(self.keys)).sign(url, body, at or datetime.now(UTC))
        return signed | {"X-API-Key": Keys(self.keys).api_key, "Content-Type": "application/json"}

    def post(self, body: bytes, **changes: str) -> httpx.Response:
        return self.http.post(
            URL, content=body, headers=self.heads(body) | {name.replace("_", "-"): text for name, text in changes.items()}
        )


@contextmanager
def gateway(keys: Path, landing: Path, **changes: Any) -> Iterator[Sender]:
    parts = open_gateway(settings_for(keys, landing, **changes), "test")
    try:
        yield Sender(parts, keys)
    finally:
        parts.writer.stop()


@pytest.fixture
def sender(keys: Path, tmp_path: Path) -> Iterator[Sender]:
    with gateway(keys, tmp_path / "landing") as opened:
        yield opened


def messages_of(count: int) -> list[tuple[str, bytes]]:
    return next(batch_messages(count, 1))


def landed(folder: Path) -> list[str]:
    """Ids of the messages that ingestion would see."""
    files = [path for path in folder.rglob("*.json") if not path.name.startswith(("_", "."))]
    return [m["payload"]["CommonBlock"]["D0"]["transactionID"] for path in files for m in json.loads(path.read_bytes())]


def test_messages_are_on_the_disk_when_they_are_acknowledged(sender: Sender, tmp_path: Path) -> None:
    batch = messages_of(3)
    answer = sender.post(join([text for _, text in batch]))
    assert answer.status_code == 201
    rows = answer.json()["messageArray"]
    assert [set(row) for row in rows] == [RECEIPT] * 3
    assert [row["transactionID"] for row in rows] == [name for name, _ in batch]
    assert {row["message"] for row in rows} == {"MSG0000 - Success"}
    assert rows[0]["recipientID"] == "1000000099"
    assert sorted(landed(tmp_path / "landing")) == sorted(name for name, _ in batch)


def test_some_and_none_accepted(sender: Sender, tmp_path: Path) -> None:
    batch = messages_of(2)
    some = sender.post(join([*(text for _, text in batch), b'{"payload":{}}']))
    assert some.status_code == 207
    assert [row["message"].split(":")[0] for row in some.json()["messageArray"]] == ["MSG0000 - Success"] * 2 + ["message_malformed"]
    for body in (b"[]", b"[1]", b"{}", b"not json", b'[{"payload":{"CommonBlock":{"S1":[]}}}]'):
        none = sender.post(body)
        assert none.status_code == 400
        assert all(set(row) == RECEIPT for row in none.json()["messageArray"])


def test_a_body_with_faults_keeps_a_file_of_its_own(sender: Sender, tmp_path: Path) -> None:
    sender.post(b"not json")
    files = list((tmp_path / "landing").rglob("*.json"))
    assert [path.read_bytes() for path in files] == [b"not json"]


@pytest.mark.parametrize(
    ("name", "value", "status", "problem"),
    [
        (SIGNATURE, "AAAA", 403, "signature-wrong"),
        (SIGNATURE, "not base64!", 400, "unsigned"),
        (SIGNATURE, "", 400, "unsigned"),
        (DATE, "", 400, "unsigned"),
        (DATE, "yesterday", 400, "unsigned"),
        (DATE, "Mon, 01 Jan 2024 00:00:00 +99999999999999999999", 400, "unsigned"),
        (DATE, "2026-03-01T00:00:00", 400, "unsigned"),
        (DATE, "2026-03-01T00:00:00+00:00", 403, "out-of-date"),
        (CONTENT_HASH, "AAAA", 403, "content-changed"),
        (CERTIFICATE, "AAAA", 400, "unsigned"),
        (CERTIFICATE, "A" * 20_000, 400, "unsigned"),
        ("X-API-Key", "wrong", 403, "api-key"),
        ("Content-Type", "text/plain", 415, "media-type"),
        ("Content-Encoding", "gzip", 415, "media-type"),
    ],
)
def test_a_request_that_is_not_the_dips_is_rejected(
    sender: Sender, tmp_path: Path, name: str, value: str, status: int, problem: str
) -> None:
    body = join([text for _, text in messages_of(1)])
    answer = sender.http.post(URL, content=body, headers=sender.heads(body) | {name: value})
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:fmar:problem:{problem}")
    assert landed(tmp_path / "landing") == []


def test_a_signature_is_over_these_bytes_this_url_and_this_method(sender: Sender) -> None:
    body = join([text for _, text in messages_of(1)])
    heads = sender.heads(body)
    assert sender.http.post(URL, content=body + b" ", headers=heads).json()["type"].endswith("content-changed")
    assert sender.http.post(f"{URL}?a=1", content=body, headers=heads).json()["type"].endswith("signature-wrong")
    elsewhere = sender.heads(body, url="http://testserver/dip/pub-036")
    assert sender.http.post(URL, content=body, headers=elsewhere).json()["type"].endswith("signature-wrong")
    assert sender.http.put(URL, content=body, headers=heads).status_code == 405


def test_the_url_is_signed_in_lower_case_and_as_the_dip_knows_it(keys: Path, tmp_path: Path) -> None:
    body = join([text for _, text in messages_of(1)])
    with gateway(keys, tmp_path, public_url="https://DIP.Example:8443/") as sender:
        heads = sender.heads(body, url="https://dip.example:8443/DIP/PUB-021")
        assert sender.http.post(URL, content=body, headers=heads).status_code == 201


def test_a_foreign_an_expired_and_a_leaf_that_issues_are_not_trusted(sender: Sender) -> None:
    body = join([text for _, text in messages_of(1)])
    heads = sender.heads(body, signer=load_signer(sender.keys, "foreign"))
    assert sender.http.post(URL, content=body, headers=heads).json()["type"].endswith("certificate-untrusted")
    late = datetime.now(UTC) + timedelta(days=60)
    sender.parts.signatures._now = lambda: late  # the machine's clock
    heads = sender.heads(body, at=late)
    assert sender.http.post(URL, content=body, headers=heads).status_code == 403


@pytest.mark.parametrize(("minutes", "status"), [(-10, 403), (-4, 201), (4, 201), (10, 403)])
def test_a_clock_may_be_five_minutes_off_either_way(sender: Sender, minutes: int, status: int) -> None:
    body = join([text for _, text in messages_of(1)])
    answer = sender.http.post(URL, content=body, headers=sender.heads(body, at=datetime.now(UTC) + timedelta(minutes=minutes)))
    assert answer.status_code == status
    assert status == 201 or answer.json()["type"].endswith("out-of-date")


def test_a_date_in_the_form_of_http_is_read(sender: Sender) -> None:
    body = join([text for _, text in messages_of(1)])

    class HttpDate(datetime):
        def isoformat(self, *_: Any, **__: Any) -> str:  # type: ignore[override]  # the sender writes what this gives
            return self.strftime("%a, %d %b %Y %H:%M:%S GMT")

    heads = sender.heads(body, at=HttpDate.now(UTC))
    assert heads[DATE].endswith("GMT")
    assert sender.http.post(URL, content=body, headers=heads).status_code == 201


def test_a_header_that_comes_twice_is_rejected(sender: Sender) -> None:
    body = join([text for _, text in messages_of(1)])
    twice = [*sender.heads(body).items(), ("X-API-Key", "wrong")]
    assert sender.http.post(URL, content=body, headers=twice).json()["type"].endswith("repeated-header")


def test_an_unknown_channel_looks_like_a_wrong_key(sender: Sender) -> None:
    body = join([text for _, text in messages_of(1)])
    url = "http://testserver/dip/other"
    answer = sender.http.post(url, content=body, headers=sender.heads(body, url=url))
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:fmar:problem:api-key")


def test_the_same_request_again_is_answered_alike_and_stored_once(sender: Sender, tmp_path: Path) -> None:
    body = join([text for _, text in messages_of(2)])
    heads = sender.heads(body)
    first, second = (sender.http.post(URL, content=body, headers=heads) for _ in range(2))
    assert (first.status_code, second.status_code, first.content) == (201, 201, second.content)
    assert len(landed(tmp_path / "landing")) == 2


def test_a_body_that_is_too_large_is_not_read(sender: Sender) -> None:
    answer = sender.post(b"[" + b" " * 2**20 + b"]")
    assert (answer.status_code, answer.headers["connection"]) == (413, "close")


def test_a_full_backlog_and_a_full_disk_are_busy(keys: Path, tmp_path: Path) -> None:
    body = join([text for _, text in messages_of(3)])
    with gateway(keys, tmp_path / "one", max_waiting_bytes=1024) as sender:
        answer = sender.post(body)
        assert (answer.status_code, answer.headers["retry-after"], answer.json()["type"]) == (503, "5", "urn:fmar:problem:backlog")
    with gateway(keys, tmp_path / "two", least_free_bytes=2**60) as sender:
        answer = sender.post(body)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:fmar:problem:not-stored")
        assert list((tmp_path / "two").rglob("*.json")) == []
        watch = TestClient(build_watch(sender.parts))
        assert watch.get("/health/ready").status_code == 503


def test_a_failed_disk_is_tried_again(keys: Path, tmp_path: Path) -> None:
    body = join([text for _, text in messages_of(1)])
    with gateway(keys, tmp_path / "landing") as sender:
        (tmp_path / "landing" / "pub-021").write_text("in the way")
        assert sender.post(body).status_code == 503
        (tmp_path / "landing" / "pub-021").unlink()
        assert TestClient(build_watch(sender.parts)).get("/health/ready").json()["ready"]
        assert sender.post(body).status_code == 201


def test_a_proxys_word_counts_from_its_address_alone(keys: Path, tmp_path: Path) -> None:
    body = join([text for _, text in messages_of(1)])
    with gateway(keys, tmp_path, tls="proxy", proxies=["10.0.0.0/8"]) as sender:
        inside = TestClient(sender.http.app, client=("10.1.2.3", 1))
        outside = TestClient(sender.http.app, client=("192.168.0.1", 1))
        heads = sender.heads(body) | {"X-Client-Verify": "SUCCESS"}
        assert outside.post(URL, content=body, headers=heads | {"X-Forwarded-For": "10.1.2.3"}).status_code == 403
        assert inside.post(URL, content=body, headers=heads | {"X-Client-Verify": "NONE"}).status_code == 403
        assert inside.post(URL, content=body, headers=heads).status_code == 201


@pytest.mark.parametrize(
    ("changes", "env", "setting"),
    [
        ({"channels": {}}, "test", "gateway.channels"),
        ({"channels": {"UPPER": "0" * 64}}, "test", "gateway.channels"),
        ({"channels": {"a": "key in plain"}}, "test", "gateway.channels"),
        ({"tls": "none"}, "azure", "gateway.tls"),
        ({"tls": "own"}, "test", "gateway.tls"),
        ({"tls": "proxy"}, "test", "gateway.tls"),
        ({"tls": "none", "tls_key": "k.pem"}, "test", "gateway.tls"),
        ({"tls": "none", "proxies": ["10.0.0.0/8"]}, "test", "gateway.tls"),
        ({"kafka": "host:9092"}, "test", "gateway.kafka, gateway.topic: both or neither"),
        ({"kafka_config": "client.properties"}, "test", "gateway.kafka, gateway.topic: both or neither"),
    ],
)
def test_settings_that_do_not_fit_together_are_an_error(
    keys: Path, tmp_path: Path, changes: dict[str, Any], env: str, setting: str
) -> None:
    with pytest.raises(ConfigError, match=setting):
        check_settings(settings_for(keys, tmp_path, **changes).gateway, env)


def test_a_topic_takes_the_place_of_the_folder_and_one_that_is_away_is_busy(keys: Path, tmp_path: Path) -> None:
    quiet = logging.getLogger("quiet")
    quiet.setLevel(logging.CRITICAL)
    broker = Producer({"test.mock.num.brokers": 1, "logger": quiet})
    (found,) = broker.list_topics(timeout=10).brokers.values()
    body = join([text for _, text in messages_of(3)])
    with gateway(keys, tmp_path / "none", kafka=f"{found.host}:{found.port}", topic="dip") as opened:
        heads = opened.heads(body)
        for _ in range(2):
            assert opened.http.post(URL, content=body, headers=heads).status_code == 201
        assert (opened.parts.writer.stored, opened.parts.writer.waiting_bytes) == (1, 0)
    with gateway(keys, tmp_path / "none", kafka="127.0.0.1:1", topic="dip", delivery_seconds=0.3) as opened:
        answer = opened.post(body)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert not (tmp_path / "none").exists()
    assert broker.flush(1) == 0


def test_an_issuer_file_without_certificates_is_rejected(keys: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gateway.signature_issuers"):
        open_gateway(settings_for(keys, tmp_path, signature_issuers=str(keys / "api_key.txt")), "test")


def test_metrics_and_answers_name_no_meter(sender: Sender) -> None:
    batch = messages_of(2)
    sender.post(join([*(text for _, text in batch), b"1"]))
    shown = TestClient(build_watch(sender.parts)).get("/metrics").text
    assert 'fmar_gateway_messages_total{channel="pub-021",outcome="accepted"} 2.0' in shown
    assert 'fmar_gateway_messages_total{channel="pub-021",outcome="rejected"} 1.0' in shown
    assert not any(name.split("-")[1] in shown for name, _ in batch)


def test_a_gateway_killed_over_its_work_keeps_what_it_acknowledged(keys: Path, tmp_path: Path) -> None:
    acknowledged: set[str] = set()
    batches = batch_messages(4, 10**6)
    for _ in range(2):
        with start_gateway(tmp_path, keys) as (port, process):
            url = f"https://127.0.0.1:{port}/dip/pub-021"
            context = httpx.create_ssl_context(verify=str(keys / "issuer.pem"))
            with closing(httpx.Client(verify=context)) as stranger, pytest.raises(httpx.TransportError):
                stranger.post(url, content=b"[]")
            context.load_cert_chain(keys / "client.pem", keys / "client.key")
            with httpx.Client(verify=context, timeout=30) as client:
                for batch in [next(batches) for _ in range(20)]:
                    body = join([text for _, text in batch])
                    heads = signer_of(keys).sign(url, body, datetime.now(UTC))
                    heads |= {"X-API-Key": Keys(keys).api_key, "Content-Type": "application/json"}
                    assert client.post(url, content=body, headers=heads).status_code == 201
                    acknowledged.update(name for name, _ in batch)
            process.kill()
    assert set(landed(tmp_path)) >= acknowledged
    assert len(acknowledged) == 160


def test_nothing_is_held_after_an_answer(sender: Sender) -> None:
    body = join([text for _, text in messages_of(2)])
    for headers in (sender.heads(body), sender.heads(b"another")):
        sender.http.post(URL, content=body, headers=headers)
        sender.http.post(URL, content=iter([body[:100], body[100:]]), headers=headers)
    assert sender.parts.writer.waiting_bytes == 0


def test_a_signature_spelt_in_another_way_is_the_same_request(sender: Sender, tmp_path: Path) -> None:
    body = join([text for _, text in messages_of(1)])
    heads = sender.heads(body)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    text = heads[SIGNATURE]
    last = text.rstrip("=")[-1]
    other = text.rstrip("=")[:-1] + letters[letters.index(last) + 1] + "=" * (len(text) - len(text.rstrip("=")))
    assert sender.http.post(URL, content=body, headers=heads).status_code == 201
    assert sender.http.post(URL, content=body, headers=heads | {SIGNATURE: other}).status_code == 201
    assert len(landed(tmp_path / "landing")) == 1


def test_a_failure_is_answered_and_its_text_logged_nowhere(
    sender: Sender, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("1900012374324")

    monkeypatch.setattr(sender.parts.signatures, "check", fail)
    answer = sender.post(b"[]")
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:fmar:problem:failed")
    assert "1900012374324" not in answer.text + caplog.text
