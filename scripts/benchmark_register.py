"""Measures a register with many agreements on the loopback: one upload of them all, writes and look-ups by several clients, then a crowd.

The crowd asks more than the service can answer at once, and beside it a probe asks for readiness. Starts its own service and, for
PostgreSQL, its own throw-away server that syncs to disk; both are stopped at the end. Bounded by --agreements and --seconds; prints
one line a measure.
"""

import argparse
import asyncio
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import httpx
import numpy as np
import psycopg

from fmar_spark.domain.mpan import number_mpans
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.register.ledger import verify_ledger
from fmar_spark.settings.bounds import parse_positive, whole_from
from fmar_spark.settings.sections import RegisterSettings

HERE = Path(__file__).resolve().parent
HEADER = "mpan_id,amsid,market,primacy_tier,is_exclusive,valid_from_at\n"
MARKETS = ("dso_local", "neso_ancillary", "neso_bm", "wholesale")
Ask = Callable[[httpx.Client, int], httpx.Response]


def main(argv: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmark_register", description=__doc__)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append", help="may be repeated (default: both)")
    parser.add_argument("--agreements", type=whole_from(1), default=1_000_000)
    parser.add_argument("--connections", type=whole_from(1), default=8)
    parser.add_argument("--crowd", type=whole_from(0), default=200, help="clients of the last measure; 0 leaves it out")
    parser.add_argument("--seconds", type=parse_positive, default=20.0, help="length of each measure")
    arguments = parser.parse_args(argv)
    for name in arguments.database or ["sqlite", "postgresql"]:
        with tempfile.TemporaryDirectory(prefix="fmar_benchmark_") as folder, start_database(name, Path(folder)) as url:
            measure(name, url, Path(folder), arguments)
    return 0


def measure(name: str, url: str, folder: Path, arguments: argparse.Namespace) -> None:
    """All measures of one database."""
    count = arguments.agreements
    mpans = number_mpans(np.full(count, 20), np.arange(count))
    file = folder / "agreements.csv"
    with file.open("w", encoding="utf-8") as csv:
        csv.write(HEADER)
        csv.writelines(f"{mpan},AMS-{number},{MARKETS[number % 4]},1,true,2026-01-01T00:00:00Z\n" for number, mpan in enumerate(mpans))
    with start_service(url, folder) as (base, tokens, process):
        headers = {"Authorization": f"Bearer {tokens['ALPHA']}"}
        began = time.perf_counter()
        with file.open("rb") as body:
            sent = {**headers, "Content-Type": "text/csv"}
            answer = httpx.post(f"{base}/v1/uploads", content=body, headers=sent, timeout=3600)
        seconds = time.perf_counter() - began
        upload = answer.json()
        accepted = f"{upload['state']}, {upload['rows_accepted']} accepted"
        print(f"{name}: upload of {count} rows: {accepted}, {seconds:.1f} s, {count / seconds:.0f} rows/s; {load()}", flush=True)
        print(f"{name}: service peak memory {peak_megabytes(process.pid):.0f} MB")
        for what, ask in (("write", write_one), ("look-up", look_up_with(mpans))):
            report(name, what, run_clients(base, headers, ask, arguments.connections, arguments.seconds))
        if arguments.crowd:
            print(
                f"{name}: {measure_crowd(Place(base, headers, mpans, process.pid), arguments.crowd, arguments.seconds)}; {load()}",
                flush=True,
            )
    database = RegisterDatabase(RegisterSettings(database_url=url))
    began = time.perf_counter()
    verified = verify_ledger(database)
    database.close()
    seconds = time.perf_counter() - began
    print(f"{name}: verify {verified.entries} entries: {len(verified.breaks)} breaks, {seconds:.1f} s; {load()}", flush=True)


def write_one(client: httpx.Client, number: int) -> httpx.Response:
    """Create an agreement on an asset of its own."""
    body = {
        "mpan_id": "2000056535971",
        "amsid": f"NEW-{threading.get_ident()}-{number}",
        "market": "dso_local",
        "primacy_tier": 1,
        "is_exclusive": True,
        "valid_from_at": "2026-01-01T00:00:00Z",
    }
    return client.post("/v1/agreements", json=body)


def look_up_with(mpans: list[str]) -> Ask:
    """Who held rights at a meter point at 17:30 on a day."""

    def ask(client: httpx.Client, number: int) -> httpx.Response:
        mpan = random.Random(f"{threading.get_ident()} {number}").choice(mpans)
        return client.get("/v1/agreements", params={"mpan_id": mpan, "valid_at": "2026-03-04T17:30:00Z"})

    return ask


def run_clients(base: str, headers: dict[str, str], ask: Ask, connections: int, seconds: float) -> list[float]:
    """Seconds of each answer, from so many clients that ask without a pause."""
    taken: list[list[float]] = [[] for _ in range(connections)]
    until = time.perf_counter() + seconds

    def run(times: list[float]) -> None:
        with httpx.Client(base_url=base, headers=headers, timeout=60) as client:
            number = 0
            while time.perf_counter() < until:
                began = time.perf_counter()
                answer = ask(client, number)
                times.append(time.perf_counter() - began)
                if answer.status_code not in {200, 201}:
                    raise RuntimeError(f"{answer.status_code}: {answer.text}")
                number += 1

    threads = [threading.Thread(target=run, args=(times,)) for times in taken]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [one for times in taken for one in times]


class Place(NamedTuple):
    """A service under measure."""

    base: str
    headers: dict[str, str]
    mpans: list[str]
    process_id: int


class Asked(NamedTuple):
    """One request of the crowd."""

    status: int
    seconds: float


def measure_crowd(place: Place, clients: int, seconds: float) -> str:
    """Reads by so many clients that honour Retry-After, and readiness probes beside them, as one line."""
    asked, probes = asyncio.run(_run_crowd(place, clients, 2.0))  # warm
    began = processor_seconds(place.process_id)
    asked, probes = asyncio.run(_run_crowd(place, clients, seconds))
    used = processor_seconds(place.process_id) - began
    answered = [one.seconds for one in asked if one.status == 200]
    away = [one.seconds for one in asked if one.status == 503]
    others = len(asked) - len(answered) - len(away)
    ready = [one.seconds for one in probes if one.status == 200]
    return (
        f"{clients} clients: reads {len(answered)}, {_percentiles(answered)}; 503 {len(away)} ({len(away) / max(1, len(asked)):.0%}), "
        f"{_percentiles(away)}; others {others}; readiness {len(ready)} of {len(probes)}, {_percentiles(ready)}; "
        f"processor {1000 * used / max(1, len(asked)):.2f} ms a request, {1000 * used / max(1, len(answered)):.2f} ms a read; "
        f"peak memory {peak_megabytes(place.process_id):.0f} MB"
    )


async def _run_crowd(place: Place, clients: int, seconds: float) -> tuple[list[Asked], list[Asked]]:
    """Requests of the crowd and of the probe, over plain sockets: an HTTP client's own work would be measured with it."""
    until = time.perf_counter() + seconds
    asked: list[Asked] = []
    probes: list[Asked] = []
    head = "".join(f"{name}: {value}\r\n" for name, value in place.headers.items())

    async def ask(number: int) -> None:
        choose = random.Random(number)
        async with Line(place.base) as line:
            while time.perf_counter() < until:
                path = f"/v1/agreements?mpan_id={choose.choice(place.mpans)}&valid_at=2026-03-04T17:30:00Z"
                asked.append(await line.get(path, head))
                if asked[-1].status == 503:
                    await asyncio.sleep(choose.uniform(0.5, 1.5))

    async def probe() -> None:
        async with Line(place.base) as line:
            while time.perf_counter() < until:
                probes.append(await line.get("/health/ready", ""))
                await asyncio.sleep(0.1)

    await asyncio.gather(probe(), *(ask(number) for number in range(clients)))
    return asked, probes


class Line:
    """A connection that asks again and again."""

    def __init__(self, base: str) -> None:
        """Not open yet."""
        self._host, _, port = base.removeprefix("http://").partition(":")
        self._port = int(port)
        self._writer: asyncio.StreamWriter | None = None
        self._reader: asyncio.StreamReader | None = None

    async def __aenter__(self) -> Self:
        """Itself."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Closed."""
        if self._writer is not None:
            self._writer.close()

    async def get(self, path: str, head: str) -> Asked:
        """One request; status 0 where the connection was closed."""
        began = time.perf_counter()
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n{head}\r\n".encode())
        try:
            answer = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = int(answer.partition("content-length:")[2].partition("\r\n")[0])
            await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            self._reader = self._writer = None
            return Asked(0, time.perf_counter() - began)
        if "connection: close" in answer:
            self._writer.close()
            self._reader = self._writer = None
        return Asked(int(answer.split(" ", 2)[1]), time.perf_counter() - began)


def _percentiles(seconds: list[float]) -> str:
    if not seconds:
        return "none"
    p50, p99 = (1000 * float(value) for value in np.percentile(seconds, (50, 99)))
    return f"p50 {p50:.0f} ms, p99 {p99:.0f} ms"


def processor_seconds(process_id: int) -> float:
    """Processor time that a process has used so far (Linux)."""
    fields = Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def report(name: str, what: str, taken: list[float]) -> None:
    """One line of percentiles."""
    p50, p99 = (1000 * float(value) for value in np.percentile(taken, (50, 99)))
    print(f"{name}: {what}: {len(taken)} answers, p50 {p50:.1f} ms, p99 {p99:.1f} ms; {load()}", flush=True)


def load() -> str:
    """How busy the machine is with everything: what the measures must be read against."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


@contextmanager
def start_database(name: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database."""
    if name == "sqlite":
        yield f"sqlite:///{folder / 'register.db'}"
        return
    script = str(HERE / "postgres_for_tests")
    around = {**os.environ, "POSTGRES_FSYNC": "on", "PYTHON": sys.executable, "OWNER_PID": str(os.getpid())}
    started = subprocess.run([script, "start"], capture_output=True, text=True, check=True, env=around)
    directory, port = started.stdout.split()
    try:
        with psycopg.connect(f"postgresql://fmar_register@127.0.0.1:{port}/postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE register")
        yield f"postgresql://fmar_register@127.0.0.1:{port}/register"
    finally:
        subprocess.run([script, "stop", directory], check=True)


@contextmanager
def start_service(url: str, folder: Path, changed: tuple[str, ...] = ()) -> Iterator[tuple[str, dict[str, str], subprocess.Popen[str]]]:
    """Address, tokens and process of a service over the database, with changed settings."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = "import sys; from fmar_spark.cli import main; sys.exit(main(['serve', *sys.argv[1:]]))"
    (folder / "lake").mkdir(exist_ok=True)
    command = [sys.executable, "-c", program, "--port", str(port), "--database", url, "--lake", str(folder / "lake")]
    for name in ("requests_per_minute", "request_burst", "anonymous_requests_per_minute", "anonymous_request_burst"):
        command += ["--set", f"agreements.{name}=1000000000"]
    for setting in ("agreements.lock_timeout_seconds=60", *changed):
        command += ["--set", setting]
    with (folder / "service.log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            tokens = read_tokens(process)
            base = f"http://127.0.0.1:{port}"
            wait_until_ready(base)
            yield base, tokens, process
        finally:
            process.terminate()
            process.wait(30)


def read_tokens(process: subprocess.Popen[str]) -> dict[str, str]:
    """The tokens that the service prints."""
    tokens: dict[str, str] = {}
    for line in process.stdout or ():
        if line.startswith("export "):
            party_id, _, token = line.split()[1].partition("=")
            tokens[party_id] = token
        elif tokens:
            break
    return tokens


def wait_until_ready(base: str) -> None:
    """Until the service answers, at most a minute."""
    for _ in range(240):
        try:
            if httpx.get(f"{base}/health/ready").status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.25)
    raise RuntimeError("the service does not become ready")


def peak_megabytes(process_id: int) -> float:
    """Largest resident memory of a process so far (Linux)."""
    status = Path(f"/proc/{process_id}/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
