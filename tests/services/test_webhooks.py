"""Notices as a receiver sees them, and which files of webhooks are rejected."""

from pathlib import Path

import httpx
import pytest
from inbox_world import open_inbox

from fmar_spark.errors import ConfigError
from fmar_spark.services.outbox.webhooks import Sender, Webhook, read_webhooks, sign_body

SECRET = b"a secret of some length"


def test_a_notice_is_signed_over_its_time_and_body() -> None:
    seen: list[httpx.Request] = []

    def receive(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(202)

    sender = Sender({"fsp:A": Webhook("https://a.example/hook", SECRET)}, 1.0, httpx.MockTransport(receive))
    answer = sender.send("n1", "fsp:A", '{"a":1}')
    assert (answer.http_status, answer.error) == (202, None)
    headers = seen[0].headers
    assert seen[0].content == b'{"a":1}'
    assert headers["X-FMAR-Notice-Id"] == "n1"
    assert headers["X-FMAR-Signature"] == "v1=" + sign_body(SECRET, headers["X-FMAR-Timestamp"], b'{"a":1}')
    assert sign_body(SECRET, headers["X-FMAR-Timestamp"], b'{"a":2}') != headers["X-FMAR-Signature"].removeprefix("v1=")


@pytest.mark.parametrize("status", [302, 400, 503])
def test_any_answer_but_success_is_a_failure(status: int) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(status, headers={"Location": "https://elsewhere.example"}))
    answer = Sender({"neso": Webhook("https://n.example", SECRET)}, 1.0, transport).send("n", "neso", "{}")
    assert answer.http_status == status
    assert str(status) in str(answer.error)


def test_a_receiver_that_cannot_be_reached_is_a_failure() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    answer = Sender({"neso": Webhook("https://n.example", SECRET)}, 1.0, httpx.MockTransport(refuse)).send("n", "neso", "{}")
    assert (answer.http_status, answer.error) == (None, "ConnectError: refused")


def test_a_receiver_that_is_slow_fails_or_hangs_up_has_not_received_and_sees_the_same_id_again() -> None:
    with open_inbox("slow", "fail", "hang up") as inbox:
        sender = Sender({"fsp:A": Webhook(inbox.url, SECRET)}, 0.3)
        answers = [sender.send("n1", "fsp:A", '{"a":1}') for _ in range(4)]
    assert [answer.http_status for answer in answers] == [None, 503, None, 202]
    assert [str(answer.error).partition(":")[0] for answer in answers] == [
        "ReadTimeout",
        "status 503 found, 200 to 299 wanted",
        "RemoteProtocolError",
        "None",
    ]
    assert inbox.ids == ["n1"] * 4


def test_webhooks_are_read_with_their_secrets(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(SECRET + b"\n")
    listed = tmp_path / "webhooks.yaml"
    listed.write_text(f"- {{recipient: 'fsp:A', url: 'https://a.example', secret_file: {tmp_path / 'key'}}}\n", encoding="utf-8")
    assert read_webhooks(listed) == {"fsp:A": Webhook("https://a.example", SECRET)}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a: 1", "a list of"),
        ("- {recipient: x, url: 'https://a.example'}", "entry 1: recipient, secret_file, url wanted"),
        ("- {recipient: x, url: 'http://a.example', secret_file: KEY}", "an https address wanted"),
        ("- {recipient: x, url: 'https://a.example', secret_file: /nowhere/key}", "No such file"),
        ("- {recipient: x, url: 'https://a.example', secret_file: SHORT}", "at least 16 characters wanted"),
        ("- [", "cannot be read as YAML"),
    ],
)
def test_a_file_of_webhooks_that_cannot_be_used_is_named(tmp_path: Path, text: str, wanted: str) -> None:
    (tmp_path / "key").write_bytes(SECRET)
    (tmp_path / "short").write_bytes(b"short")
    listed = tmp_path / "webhooks.yaml"
    said = text.replace("KEY", str(tmp_path / "key")).replace("SHORT", str(tmp_path / "short"))
    listed.write_text(said, encoding="utf-8")
    with pytest.raises(ConfigError, match=wanted):
        read_webhooks(listed)
