"""The service on a real socket: slow and crooked connections, and whose word counts for an address."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from register_world import Served, serve, settings_of

from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.web.server import configure


def listening(served: Served, **changes: Any) -> AbstractContextManager[int]:
    """The port on which a service listens."""
    return hosting(served.http.app, **changes)


@contextmanager
def hosting(app: Any, **changes: Any) -> Iterator[int]:
    """The port on which an application listens."""
    server = uvicorn.Server(configure(app, settings_of("sqlite:///unused.db", **changes), "127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(30)


def read_all(connection: socket.socket) -> bytes:
    received = b""
    while block := connection.recv(65536):
        received += block
    return received


def read_until(connection: socket.socket, end: bytes) -> bytes:
    received = b""
    while not received.endswith(end):
        received += connection.recv(65536)
    return received


def speak(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """Send parts with pauses, and read until the service closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        return read_all(connection)


@pytest.fixture(params=["sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    """What listens is the same over both databases."""
    path = tmp_path / "register.db"
    path.write_bytes(request.getfixturevalue("migrated_file").read_bytes())
    return f"sqlite:///{path}"


def test_connections_without_a_whole_request_are_closed(served: Served) -> None:
    with listening(served, request_head_seconds=0.3) as port:
        began = time.monotonic()
        with ExitStack() as opened:
            silent, slow = (opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20)) for _ in range(2))
            slow.sendall(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n")
            for connection in (silent, slow):
                assert connection.recv(1) == b""
                assert 0.28 < time.monotonic() - began < 10
        with socket.create_connection(("127.0.0.1", port), timeout=20) as kept:
            for _ in range(3):
                kept.sendall(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                assert read_until(kept, b'{"status":"live"}').startswith(b"HTTP/1.1 200")
                time.sleep(0.11)
            kept.sendall(b"GET /health")
            assert kept.recv(1) == b""


def test_a_body_that_does_not_arrive_in_time_is_answered_408(database: RegisterDatabase, url: str) -> None:
    served = serve(database, url, request_body_seconds=0.2)
    token = served.headers("ALPHA")["Authorization"].encode()
    head = b"POST /v1/agreements HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAuthorization: " + token
    with listening(served) as port:
        began = time.monotonic()
        answer = speak(port, head + b"\r\nContent-Length: 100\r\n\r\n{")
        assert answer.startswith(b"HTTP/1.1 408"), answer
        assert b"request-too-slow" in answer
        assert time.monotonic() - began < 10


def test_bodies_that_are_on_their_way_keep_no_place_among_the_requests_at_work(database: RegisterDatabase, url: str) -> None:
    served = serve(database, url, max_requests_at_once=1)
    head = b"POST /v1/agreements HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    with listening(served) as port, ExitStack() as opened:
        for _ in range(3):
            opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20)).sendall(head)
        time.sleep(0.3)
        answer = httpx.get(f"http://127.0.0.1:{port}/v1/agreements", headers=served.headers("ALPHA"))
        assert answer.status_code == 200


def test_one_client_has_few_files_on_their_way(database: RegisterDatabase, url: str) -> None:
    served = serve(database, url, max_uploads_on_the_way=2)
    token = served.headers("ALPHA")["Authorization"].encode()
    head = (
        b"POST /v1/uploads HTTP/1.1\r\nHost: [::1]\r\nContent-Type: text/csv\r\nContent-Length: 100\r\n"
        b"Authorization: " + token + b"\r\n\r\nx"
    )
    with listening(served) as port:
        with ExitStack() as opened:
            for _ in range(2):
                opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20)).sendall(head)
            time.sleep(0.3)
            third = opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
            third.sendall(head)
            assert third.recv(65536).startswith(b"HTTP/1.1 503")
            file = {"content": b"mpan_id\n", "headers": {**served.headers("BRAVO"), "Content-Type": "text/csv"}}
            assert httpx.post(f"http://127.0.0.1:{port}/v1/uploads", **file).status_code == 422
        time.sleep(0.3)
        file = {"content": b"mpan_id\n", "headers": {**served.headers("ALPHA"), "Content-Type": "text/csv"}}
        assert httpx.post(f"http://127.0.0.1:{port}/v1/uploads", **file).status_code == 422


def test_a_caller_that_does_not_read_its_answer_is_cut_off() -> None:
    is_over, parts = threading.Event(), 800

    async def stream(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(parts):
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
        is_over.set()

    with hosting(stream, answer_read_seconds=0.3) as port, socket.create_connection(("127.0.0.1", port), timeout=20) as mute:
        mute.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert is_over.wait(15)
        assert len(read_all(mute)) < parts * 65536
    with hosting(stream, answer_read_seconds=0.3) as port, socket.create_connection(("127.0.0.1", port), timeout=20) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        received = 0
        while block := slow.recv(2**20):
            received += len(block)
            time.sleep(0.01)
        assert received > parts * 65536


def test_lengths_that_contradict_each_other_are_rejected_on_the_wire(served: Served) -> None:
    start = b"POST /v1/agreements HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    tricks = (
        b"Content-Length: 4\r\nContent-Length: 40\r\n\r\n",
        b"Content-Length: +4\r\n\r\n",
        b"Content-Length: 4, 4 4\r\n\r\n",
        b"Content-Length : 4\r\n\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
    )
    with listening(served, request_head_seconds=0.1) as port:
        for trick in tricks:
            answer = speak(port, start + trick + b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert (answer.count(b"HTTP/1.1 200"), answer[:10]) == (0, b"HTTP/1.1 4") or answer.startswith(b"HTTP/1.1 501"), (trick, answer)


def test_a_length_beside_chunks_is_rejected_on_the_wire(served: Served) -> None:
    head = b"POST /v1/agreements HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
    with listening(served) as port:
        answer = speak(port, head + b"0\r\n\r\nGET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert (answer.count(b"HTTP/1.1"), answer[:12]) == (1, b"HTTP/1.1 400"), answer


@pytest.mark.parametrize(("proxies", "statuses"), [((), [401, 401, 429, 429]), (("127.0.0.1",), [401, 401, 401, 401])])
def test_a_forwarded_address_counts_only_from_a_trusted_proxy(
    database: RegisterDatabase, url: str, proxies: tuple[str, ...], statuses: list[int]
) -> None:
    served = serve(database, url, anonymous_requests_per_minute=1, anonymous_request_burst=2)
    with listening(served, trusted_proxies=proxies) as port:
        answers = [
            httpx.get(f"http://127.0.0.1:{port}/v1/agreements", headers={"X-Forwarded-For": f"10.0.0.{number}"}) for number in range(4)
        ]
    assert [answer.status_code for answer in answers] == statuses
