"""Ends the sender of the outbox by kill -9 in mid-delivery, starts it again, and checks what the receiver has.

kill_outbox.py --notices 45

The first sender is ended while the receiver still reads the fifth notice, the second right after the receiver's 2xx to its 25th: twenty
of these are on record then, five are not. The third runs to its end, and a fourth finds nothing to do. Ends with 1 unless every notice
arrived, in the order in which they were written, each signed. Every sender is the job of its own process; starts Spark four times.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import pyarrow as pa
import yaml

from fmar_spark.contracts.deliveries import NOTICE_ATTEMPTS, NOTICES
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.engine.lake_writer import LakeWriter
from fmar_spark.services.outbox.webhooks import sign_body
from fmar_spark.settings.bounds import whole_from

PROGRAM: Final = Path(sys.executable).with_name("fmar")
SECRET: Final = b"a secret of this run alone"
BEFORE_ANSWER, AFTER_ANSWER = "before its answer", "after its answer"


class Receiver(ThreadingHTTPServer):
    """Answers 202, and ends the sender at one of its requests."""

    daemon_threads = True

    def __init__(self) -> None:
        """Listens on a port that is free."""
        super().__init__(("127.0.0.1", 0), _Request)
        self.seen: list[str] = []
        self.bodies: dict[str, bytes] = {}
        self.unsigned = 0
        self.requests = 0
        self.end_at: tuple[int, str] = (0, "")
        """At which request of this sender, and when."""
        self.sender: subprocess.Popen[bytes] | None = None

    def end_sender(self, when: str) -> None:
        """End the sender where that is due."""
        if self.end_at == (self.requests, when) and self.sender is not None:
            os.kill(self.sender.pid, signal.SIGKILL)


class _Request(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        receiver = self.server
        assert isinstance(receiver, Receiver)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        receiver.requests += 1
        receiver.end_sender(BEFORE_ANSWER)
        if receiver.end_at != (receiver.requests, BEFORE_ANSWER):
            name, stamp = self.headers["X-FMAR-Notice-Id"], self.headers["X-FMAR-Timestamp"]
            receiver.unsigned += self.headers["X-FMAR-Signature"] != f"v1={sign_body(SECRET, stamp, body)}"
            receiver.seen.append(name)
            receiver.bodies[name] = body
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()
            self.wfile.flush()
        receiver.end_sender(AFTER_ANSWER)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the terminal."""


def main(argv: list[str]) -> int:
    """Fill an outbox, send it with two interruptions, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notices", type=whole_from(40), default=45, help="in the outbox, at least 40")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="fmar_outbox_") as name:
        lake, receiver = Path(name) / "lake", Receiver()
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        written = fill_outbox(lake, options.notices)
        (Path(name) / "secret").write_bytes(SECRET)
        address = f"http://127.0.0.1:{receiver.server_address[1]}/"
        webhook = {"recipient": "neso", "url": address, "secret_file": str(Path(name) / "secret")}
        (Path(name) / "webhooks.yaml").write_text(yaml.safe_dump([webhook]), encoding="utf-8")
        command = [str(PROGRAM), "flags", "--lake", str(lake), "--set", f"deliveries.endpoints={name}/webhooks.yaml"]
        for end_at in ((5, BEFORE_ANSWER), (25, AFTER_ANSWER), (0, ""), (0, "")):
            receiver.requests, receiver.end_at = 0, end_at
            receiver.sender = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            status = receiver.sender.wait()
            recorded = LakeWriter(lake).read(NOTICE_ATTEMPTS).num_rows
            ended = f"ended {end_at[1]} to request {end_at[0]}" if end_at[0] else "ran to its end"
            print(f"sender {ended}: status {status}, {receiver.requests} requests, {recorded} attempts on record", flush=True)
            if status != (-signal.SIGKILL if end_at[0] else 0):
                return 1
        return compare(receiver, written)


def fill_outbox(lake: Path, notices: int) -> dict[str, bytes]:
    """Bodies by id, in the order in which they were written."""
    now = datetime.now(UTC) - timedelta(hours=1)
    names = [f"notice-{place:03d}" for place in range(notices)]
    rows = [
        {"notice_id": name, "flag_id": f"flag-{name}", "mpan_id": "2000056535971", "recipient": "neso", "change": "opened"}
        | {"body": f'{{"notice_id":"{name}"}}', "created_at": now + timedelta(seconds=place), "run_id": "written"}
        for place, name in enumerate(names)
    ]
    LakeWriter(lake).append(pa.Table.from_pylist(rows, schema=arrow_schema(NOTICES)), NOTICES)
    return {str(row["notice_id"]): str(row["body"]).encode() for row in rows}


def compare(receiver: Receiver, written: dict[str, bytes]) -> int:
    """Print what arrived; 1 where something is missing, changed, unsigned, or out of order."""
    is_ordered = list(dict.fromkeys(receiver.seen)) == list(written)
    twice = sum(count - 1 for count in Counter(receiver.seen).values())
    is_whole = receiver.bodies == written and is_ordered and not receiver.unsigned
    print(
        f"{len(receiver.bodies)} of {len(written)} notices received, {'in' if is_ordered else 'OUT OF'} order; {twice} received again; "
        f"{receiver.unsigned} with a wrong signature: {'whole' if is_whole else 'NOT WHOLE'}"
    )
    return int(not is_whole)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
