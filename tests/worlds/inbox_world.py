"""A receiver of notices on a port of this machine that is slow, fails, or hangs up in the middle, as it is asked to."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = b"a secret of some length"
SLOW_SECONDS = 1.0


class Inbox(ThreadingHTTPServer):
    """Takes requests; the next ones behave as listed, all others are received."""

    daemon_threads = True

    def __init__(self, *behaviours: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behaviours = list(behaviours)
        self.seen: list[tuple[str, str, bytes]] = []
        """Notice id, signature header and body of every request that arrived whole."""
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/notices"

    @property
    def ids(self) -> list[str]:
        return [one[0] for one in self.seen]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that has hung up is no error of the test."""


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        inbox: Any = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with inbox.lock:
            inbox.seen.append((self.headers["X-FMAR-Notice-Id"], self.headers["X-FMAR-Signature"], body))
            behaviour = inbox.behaviours.pop(0) if inbox.behaviours else "receive"
        if behaviour == "hang up":
            self.close_connection = True
            return
        if behaviour == "slow":
            time.sleep(SLOW_SECONDS)
        self.send_response(503 if behaviour == "fail" else 202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the terminal."""


@contextmanager
def open_inbox(*behaviours: str) -> Iterator[Inbox]:
    inbox = Inbox(*behaviours)
    thread = threading.Thread(target=inbox.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield inbox
    finally:
        inbox.shutdown()
        inbox.server_close()
        thread.join()
