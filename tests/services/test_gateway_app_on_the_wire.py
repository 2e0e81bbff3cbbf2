"""A gateway in a process of its own, with its default limits: what arrives is bytes over TLS, not a request that a library made."""

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from benchmark_gateway import batch_messages, read_status, start_gateway
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from gateway_world import signer_of
from send_dip import Keys, join, make_certificate, make_keys, write_pair

from fmar_spark.services.gateway.signatures import CERTIFICATE, CONTENT_HASH, DATE, SIGNATURE
from fmar_spark.settings.sections import GatewaySettings

BODY_BYTES = 100 * 2**20
PIECE = b" " * 2**16
ALLOWED_KB = 64 * 2**10
"""Above what the gateway had before: the largest body that it takes, twice, and room for Python's own."""


class Live(NamedTuple):
    port: int
    pid: int
    keys: Path
    landing: Path

    def context(self, certificate: str = "client") -> ssl.SSLContext:
        context = httpx.create_ssl_context(verify=str(self.keys / "issuer.pem"))
        if certificate:
            context.load_cert_chain(self.keys / f"{certificate}.pem", self.keys / f"{certificate}.key")
        return context

    def heads(self, body: bytes) -> dict[str, str]:
        signed = signer_of(self.keys).sign(self.url, body, datetime.now(UTC))
        return signed | {"X-API-Key": Keys(self.keys).api_key, "Content-Type": "application/json"}

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/dip/pub-021"

    def resident_kb(self) -> int:
        """Most memory that it ever had."""
        return int(read_status(self.pid, "VmHWM").split()[0])

    def exchange(self, request: bytes) -> bytes:
        """Everything that the gateway answers to these bytes."""
        with (
            socket.create_connection(("127.0.0.1", self.port), 20) as plain,
            self.context().wrap_socket(plain, server_hostname="127.0.0.1") as wire,
        ):
            wire.sendall(request)
            parts = []
            while part := wire.recv(65536):
                parts.append(part)
        return b"".join(parts)


@pytest.fixture(scope="module")
def live(quick_folder: Path) -> Iterator[Live]:
    folder = quick_folder / "live"
    folder.mkdir()
    make_keys(folder)
    issuer = load_issuer(folder)
    write_pair(folder, "expired", *make_certificate("FMAR trial latecomer", issuer, datetime.now(UTC) - timedelta(days=60)))
    write_pair(folder, "future", *make_certificate("FMAR trial early bird", issuer, datetime.now(UTC) + timedelta(days=60)))
    with start_gateway(folder / "landing", folder) as (port, process):
        yield Live(port, process.pid, folder, folder / "landing")


def load_issuer(folder: Path) -> tuple[RSAPrivateKey, x509.Certificate]:
    key = load_pem_private_key((folder / "issuer.key").read_bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    return key, x509.load_pem_x509_certificate((folder / "issuer.pem").read_bytes())


def files(live: Live) -> list[Path]:
    return [path for path in live.landing.rglob("*") if path.is_file()]


@pytest.mark.parametrize("is_declared", [True, False], ids=["declared", "in chunks"])
def test_a_body_of_100_mb_is_answered_413_before_it_is_in_memory(live: Live, is_declared: bool) -> None:
    before, given = live.resident_kb(), 0

    def write() -> Iterator[bytes]:
        nonlocal given
        while given < BODY_BYTES:
            given += len(PIECE)
            yield PIECE

    heads = live.heads(b"") | ({"Content-Length": str(BODY_BYTES)} if is_declared else {})
    with httpx.Client(verify=live.context(), timeout=30) as client:
        answer = client.post(live.url, content=write(), headers=heads)
    assert (answer.status_code, answer.headers["connection"]) == (413, "close")
    assert given < BODY_BYTES
    assert live.resident_kb() - before < ALLOWED_KB
    assert files(live) == []


@pytest.mark.parametrize("certificate", ["", "foreign", "expired", "future"])
def test_nobody_without_a_valid_certificate_of_the_issuer_is_heard(live: Live, certificate: str) -> None:
    with httpx.Client(verify=live.context(certificate)) as client, pytest.raises(httpx.TransportError):
        client.post(live.url, content=b"[]", headers=live.heads(b"[]"))


@pytest.mark.parametrize(
    "lengths",
    [
        b"Content-Length: 2\r\nContent-Length: 44\r\n",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Content-Length : 2\r\n",
        b"Content-Length: +2\r\n",
        b"Content-Length: 2\r\n X-Folded: 1\r\n",
    ],
)
def test_a_second_request_inside_a_body_is_never_taken_for_one(live: Live, lengths: bytes) -> None:
    """What two servers in a row would read as two different requests is answered once, by an error, and the connection ends."""
    body = join([text for _, text in next(batch_messages(1, 1))])
    inner = head_of(live, body) + b"Content-Length: %d\r\n\r\n" % len(body) + body
    answer = live.exchange(head_of(live, b"[]") + lengths + b"\r\n[]" + inner)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.startswith(b"HTTP/1.1 400 "), answer[:200]
    assert files(live) == []


@pytest.mark.parametrize("name", [SIGNATURE, DATE, CONTENT_HASH, CERTIFICATE, "X-API-Key", "Content-Type", "Host"])
def test_a_deciding_header_that_comes_twice_is_rejected_on_the_wire(live: Live, name: str) -> None:
    body = join([text for _, text in next(batch_messages(1, 1))])
    twice = f"{name.upper()}: another\r\n".encode()
    answer = live.exchange(head_of(live, body) + twice + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
    assert answer.startswith(b"HTTP/1.1 400 "), answer[:200]
    assert files(live) == []


def head_of(live: Live, body: bytes) -> bytes:
    """The head of a signed request, without its end and without a length."""
    lines = [f"POST /dip/pub-021 HTTP/1.1\r\nHost: 127.0.0.1:{live.port}\r\n"]
    return "".join([*lines, *(f"{name}: {value}\r\n" for name, value in live.heads(body).items())]).encode()


def test_the_default_limit_is_what_was_tested() -> None:
    assert 2 * GatewaySettings().max_body_bytes <= ALLOWED_KB * 2**10 < BODY_BYTES
