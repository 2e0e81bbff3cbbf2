"""Measures a gateway on the loopback: messages a core-second and times to answer, by messages a request; and what kill -9 loses.

benchmark_gateway.py                  signed requests over TLS to a gateway of its own: 1, 10 and 100 messages each
benchmark_gateway.py --backlog N      drains N messages, 100 a request, and ingests them (starts Spark)
benchmark_gateway.py --kills K        kills the gateway K times under load; then every acknowledged message must be in
                                      bronze.dip_messages exactly once (starts Spark)
"""

import argparse
import hashlib
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final

import httpx
import numpy as np
from deltalake import DeltaTable
from send_dip import Keys, Signer, join, load_signer, make_keys

from fmar_spark.domain.mpan import number_mpans
from fmar_spark.settings.bounds import whole_from
from fmar_spark.simulate.messages import DayMessage, write_message

CHANNEL: Final = "pub-021"
SIZES: Final = (1, 10, 100)
TICKS: Final = os.sysconf("SC_CLK_TCK")
PAGE: Final = os.sysconf("SC_PAGE_SIZE")
PROGRAM: Final = Path(sys.executable).with_name("fmar")


class Load:
    """Posts signed bodies from several connections and notes what was acknowledged."""

    def __init__(self, port: int, keys: Path) -> None:
        self.url = f"https://127.0.0.1:{port}/dip/{CHANNEL}"
        self.keys = keys
        self.signer: Signer = load_signer(keys)
        self.api_key = Keys(keys).api_key
        self.seconds: list[float] = []
        self.acknowledged: set[str] = set()
        self.statuses: dict[int, int] = {}
        self._lock = threading.Lock()

    def connect(self) -> httpx.Client:
        """A client with a certificate of its own."""
        context = httpx.create_ssl_context(verify=str(self.keys / "issuer.pem"))
        context.load_cert_chain(self.keys / "client.pem", self.keys / "client.key")
        return httpx.Client(verify=context, timeout=60)

    def post(self, client: httpx.Client, batch: list[tuple[str, bytes]]) -> int:
        """Post one body; its status, 0 where there was no answer."""
        body = join([text for _, text in batch])
        headers = self.signer.sign(self.url, body, datetime.now(UTC)) | {"X-API-Key": self.api_key, "Content-Type": "application/json"}
        began = time.perf_counter()
        try:
            status = client.post(self.url, content=body, headers=headers).status_code
        except httpx.HTTPError:
            status = 0
        with self._lock:
            self.seconds.append(time.perf_counter() - began)
            self.statuses[status] = self.statuses.get(status, 0) + 1
            if status == 201:
                self.acknowledged.update(name for name, _ in batch)
        return status


def main(argv: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=whole_from(1), default=1500, help="requests of each measure (default 1500)")
    parser.add_argument("--connections", type=whole_from(1), default=8)
    parser.add_argument("--backlog", type=whole_from(1), help="messages to drain instead")
    parser.add_argument("--kills", type=whole_from(1), help="times to kill the gateway instead")
    parser.add_argument("--folder", type=Path, help="where landing files go (default: a temporary folder)")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="fmar_gateway_", dir=options.folder) as folder:
        keys = Path(folder) / "keys"
        make_keys(keys)
        if options.kills:
            return measure_kills(Path(folder), keys, options)
        for size in (100,) if options.backlog else SIZES:
            count = options.backlog // size if options.backlog else options.requests
            measure(Path(folder), keys, size, count, options.connections)
        return measure_ingestion(Path(folder), options.backlog) if options.backlog else 0


def measure(folder: Path, keys: Path, size: int, requests: int, connections: int) -> None:
    """Post so many requests and print what each message cost."""
    with start_gateway(folder / f"landing-{size}", keys) as (port, process):
        load = Load(port, keys)
        batches = batch_messages(size, requests)
        before, began = processor_seconds(process.pid), time.perf_counter()
        with ThreadPoolExecutor(connections) as pool:
            list(pool.map(lambda _: drain(load, batches), range(connections)))
        elapsed, used = time.perf_counter() - began, processor_seconds(process.pid) - before
        resident = read_status(process.pid, "VmHWM")
    messages = requests * size
    times = np.percentile(load.seconds, [50, 99]) * 1000
    files = sum(1 for _ in (folder / f"landing-{size}").rglob("*.json"))
    print(
        f"{size:4d} a request: {messages:,} messages in {elapsed:.1f} s, {messages / used:,.0f} a core-second of the gateway "
        f"({used:.1f} s), p50 {times[0]:.1f} ms, p99 {times[1]:.1f} ms, {files} files, at most {resident} resident, "
        f"answers {load.statuses}"
    )


def measure_ingestion(folder: Path, messages: int) -> int:
    """Ingest what was drained; 1 where a message is missing or there twice."""
    landing, lake = folder / "landing-100", folder / "lake"
    size = sum(path.stat().st_size for path in landing.rglob("*.json"))
    began, most = time.perf_counter(), 0
    command = [str(PROGRAM), "ingest", "--landing", str(landing), "--lake", str(lake)]
    with subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            most = max(most, measure_session(process.pid))
            time.sleep(0.5)
    elapsed = time.perf_counter() - began
    found = DeltaTable(str(lake / "bronze" / "dip_messages")).to_pyarrow_table(columns=["transaction_id"])["transaction_id"]
    print(
        f"ingested {len(found):,} messages of {size / 2**20:,.0f} MB in {elapsed:.1f} s, {len(found) / elapsed:,.0f} a second, "
        f"at most {most / 2**20:,.0f} MB resident in all its processes; {len(found.unique()):,} different ids of {messages:,} sent"
    )
    return int(not len(found) == len(found.unique()) == messages)


def measure_session(leader: int) -> int:
    """Bytes that the processes of a session have in memory, shared ones counted in each."""
    total = 0
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = (path / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            total += int(fields[21]) * PAGE if int(fields[3]) == leader else 0
    return total


_SHARED: Final = threading.Lock()


def drain(load: Load, batches: Iterator[list[tuple[str, bytes]]]) -> None:
    """Post until nothing is left, over one connection."""
    with load.connect() as client:
        while True:
            with _SHARED:
                batch = next(batches, None)
            if batch is None:
                return
            load.post(client, batch)


def measure_kills(folder: Path, keys: Path, options: argparse.Namespace) -> int:
    """Kill the gateway under load again and again; then hold bronze against what was acknowledged."""
    rng = random.Random(7)
    landing, acknowledged, unanswered = folder / "landing", set[str](), 0
    messages = batch_messages(5, 10**9)
    for _ in range(options.kills):
        with start_gateway(landing, keys) as (port, process):
            load = Load(port, keys)
            kill_under(load, messages, options.connections, rng.uniform(0.05, 1.0), process)
        acknowledged |= load.acknowledged
        unanswered += load.statuses.get(0, 0)
    lake = folder / "lake"
    subprocess.run([str(PROGRAM), "ingest", "--landing", str(landing), "--lake", str(lake)], check=True, capture_output=True)
    found = DeltaTable(str(lake / "bronze" / "dip_messages")).to_pyarrow_table(columns=["transaction_id"])["transaction_id"].to_pylist()
    lost, twice = len(acknowledged - set(found)), len(found) - len(set(found))
    print(
        f"{options.kills} kills: {len(acknowledged):,} messages acknowledged, {unanswered} requests without an answer; "
        f"in bronze {len(found):,}: {lost} lost, {twice} twice"
    )
    return 1 if lost or twice else 0


def kill_under(
    load: Load, messages: Iterator[list[tuple[str, bytes]]], connections: int, seconds: float, process: subprocess.Popen[bytes]
) -> None:
    """Kill the gateway after so many seconds of load."""
    is_over = threading.Event()
    with ThreadPoolExecutor(connections) as pool:
        done = [pool.submit(repeat_until, load, messages, is_over) for _ in range(connections)]
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        is_over.set()
        for one in done:
            one.result()


def repeat_until(load: Load, messages: Iterator[list[tuple[str, bytes]]], is_over: threading.Event) -> None:
    """Post until stopped; every second body a second time, as after an answer that was lost."""
    with load.connect() as client:
        while not is_over.is_set():
            with _SHARED:
                batch = next(messages)
            load.post(client, batch)
            if not is_over.is_set() and len(load.seconds) % 2:
                load.post(client, batch)


def batch_messages(size: int, requests: int) -> Iterator[list[tuple[str, bytes]]]:
    """Ids and texts of messages, each of a meter of its own, so many a request."""
    template = DayMessage("0" * 13, "_A", "AI", "2026-03-01", tuple(range(100, 148)), "W", "2020-01-01", "2026-03-02T05:00:00+00:00")
    text = write_message(template)
    start = time.time_ns() % 10**9

    def write() -> Iterator[tuple[str, bytes]]:
        for first in range(start, start + 10**10, 1000):
            references = np.arange(first, first + 1000) % 10**10
            for mpan in number_mpans(np.full(1000, 10), references):
                yield template._replace(mpan_id=mpan).transaction_id, text.replace("0" * 13, mpan).encode()

    messages = write()
    for _ in range(requests):
        yield list(islice(messages, size))


@contextmanager
def start_gateway(landing: Path, keys: Path, topic: Sequence[str] = ()) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """A gateway of one's own that listens, and writes to a landing folder, or to the topic that options name."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    given = {
        "channels": "{" + CHANNEL + ": " + hashlib.sha256(Keys(keys).api_key.encode()).hexdigest() + "}",
        "signature_issuers": keys / "issuer.pem",
        "tls_certificate": keys / "server.pem",
        "tls_key": keys / "server.key",
        "tls_client_issuers": keys / "issuer.pem",
        "watch_port": 0,
    }
    words = [word for name, value in given.items() for word in ("--set", f"gateway.{name}={value}")]
    command = [str(PROGRAM), "gateway", "--port", str(port), *(topic or ("--landing", str(landing))), *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port, process)
        yield port, process
    finally:
        process.terminate()
        process.wait(60)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return once something listens."""
    while process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("benchmark_gateway: the gateway did not start")


def processor_seconds(pid: int) -> float:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def read_status(pid: int, name: str) -> str:
    """A line of the process's status."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return " ".join(next(line for line in lines if line.startswith(name)).split()[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
