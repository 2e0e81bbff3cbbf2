"""Ends an ingestion before each of its file operations, runs it again, and compares the tables with those of an undisturbed run.

python scripts/kill_ingestion.py --every 1 --kills 5

A process that is ended by `kill -9` leaves the files of its lake as they are at that moment. So one run of `fmar ingest` is watched
(scripts/watch_files.c, preloaded; it needs a C compiler) and the lake is copied before each operation: create, write, rename, link,
unlink, mkdir, rmdir. The same command then goes on with each copy that differs from those before, or with every so many of them. With
--kills some runs are ended in earnest at such an operation, with everything that they started. Both the first batch of a lake and a
later one. Ends with 1 if any table or count differs.
"""

import argparse
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from fmar_spark.app import App, run_job
from fmar_spark.commands import ingest_dip
from fmar_spark.contracts.job import Job
from fmar_spark.contracts.operations import LANDING_FILES, QUARANTINE, RUN_JOURNAL
from fmar_spark.contracts.readings import DIP_MESSAGES
from fmar_spark.engine.lake_writer import LakeWriter
from fmar_spark.engine.locks import LOCKS
from fmar_spark.engine.session import build_session, stop_session
from fmar_spark.settings.bounds import whole_from
from fmar_spark.settings.overlays import load_settings
from fmar_spark.settings.sections import Settings
from fmar_spark.simulate.messages import DayMessage, write_message

SHIM: Final = Path(__file__).with_name("watch_files.c")
MPAN: Final = "2000056535971"
LATER: Final = 2
"""Files before the later batch, each a batch of its own."""
OF_THE_RUN: Final = {"run_id", "ingested_at", "quarantined_at", "taken_at", "stream"}
COUNTED: Final = ("messages_in", "accepted", "quarantined", "duplicates")
Answer = Callable[[int, str], None]


class Tables(NamedTuple):
    """What an ingestion leaves, without what names the run."""

    rows: dict[str, list[str]]
    counts: Counter[str]
    """Of all runs that the journal has."""


class Watcher:
    """Answers the programs that say what they are about to do to a file."""

    def __init__(self, place: Path, answer: Answer) -> None:
        """``answer`` takes the number of the operation, from 0, and what it is; nothing happens before it returns."""
        self.answer, self.seen = answer, list[str]()
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(place))
        self._server.listen(256)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._server.accept()
            except OSError:
                return
            with line:
                operation = line.recv(8192).decode().strip()
                self.seen.append(operation)
                self.answer(len(self.seen) - 1, operation)
                line.sendall(b".")

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()


def main() -> int:
    """Both batches."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=whole_from(1), default=1, help="go on from every so many of the different copies")
    parser.add_argument("--kills", type=whole_from(0), default=3, help="runs of each batch that are ended in earnest")
    given = parser.parse_args()
    settings = load_settings("local", ["ingest.files_per_trigger=1", "ingest.max_rejected_share=1"])
    with tempfile.TemporaryDirectory(prefix="fmar_kills_") as name:
        folder = Path(name)
        shim = folder / "watch_files.so"
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", str(shim), str(SHIM), "-ldl"], check=True)
        landing = folder / "landing"
        session = build_session("kill_ingestion", settings.spark)
        try:
            write_landing(landing, range(1))
            found = [try_batch(settings, folder / "first", None, (landing, shim), given)]
            write_landing(landing, range(1, LATER))
            ingest(settings, folder / "before", landing)
            write_landing(landing, range(LATER, LATER + 1))
            found.append(try_batch(settings, folder / "later", folder / "before", (landing, shim), given))
        finally:
            stop_session(session)
    return int(any(found))


def write_landing(folder: Path, numbers: range) -> None:
    """Files of twenty messages and a broken one; but for the first, the last message of the file before as well."""
    folder.mkdir(exist_ok=True)
    for number in numbers:
        texts = [write_day(20 * number + day) for day in range(-1 if number else 0, 20)]
        path = folder / f"messages-{number}.json"
        path.write_text(f"[{','.join([*texts, '{}'])}]", encoding="utf-8")
        os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))


def write_day(day: int) -> str:
    """A message of readings."""
    date = f"2026-{1 + day // 28:02d}-{1 + day % 28:02d}"
    return write_message(DayMessage(MPAN, "_H", "AI", date, (250,) * 48, "W", "2020-01-01", f"{date}T23:00:00+00:00"))


def try_batch(settings: Settings, folder: Path, before: Path | None, files: tuple[Path, Path], given: argparse.Namespace) -> bool:
    """Watch one batch, go on from its copies, end some runs of it in earnest; whether anything differed."""
    landing, _ = files
    folder.mkdir()

    def begin(name: str) -> Path:
        lake = folder / name
        if before is not None:
            shutil.copytree(before, lake)
        return lake

    wanted_lake = begin("undisturbed")
    ingest(settings, wanted_lake, landing)
    wanted = read_tables(wanted_lake)
    lake = begin("watched")

    states: set[str] = set()

    def copy(number: int, _: str) -> None:
        state = describe_state(lake)
        if state and state not in states:
            states.add(state)
            if len(states) % given.every == 0:
                shutil.copytree(lake, folder / f"copy-{number:05d}", symlinks=True)

    seen = run_watched(settings, lake, files, copy)
    kinds = Counter(operation.partition(" ")[0] for operation in seen)
    named = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    print(f"{folder.name} batch: {len(seen)} file operations ({named}), {len(states)} different states of the lake", flush=True)
    is_different = report("  watched", {"to its end": lake}, wanted)
    copies = sorted(folder.glob("copy-*"))
    for path in copies:
        ingest(settings, path, landing)
    named_copies = {f"{path.name[5:]} {seen[int(path.name[5:])]}": path for path in copies}
    is_different |= report("  gone on from the copy before", named_copies, wanted)
    killed = {}
    for at in (len(seen) * (number + 1) // (given.kills + 1) for number in range(given.kills)):
        lake = begin(f"killed-{at}")
        operation = run_watched(settings, lake, files, None, at)
        ingest(settings, lake, landing)
        killed[f"{at} {operation[-1]}"] = lake
    return report("  ended by kill -9 before", killed, wanted) or is_different


def describe_state(lake: Path) -> str:
    """Digest of all names and contents; "" where there is no lake yet."""
    digest = hashlib.sha256()
    for path in sorted(lake.rglob("*")):
        digest.update(f"{path.relative_to(lake)}\0".encode())
        if path.is_file() and path.parent.name != LOCKS:
            digest.update(path.read_bytes())
    return digest.hexdigest() if lake.exists() else ""


def run_watched(settings: Settings, lake: Path, files: tuple[Path, Path], copy: Answer | None, kill_at: int = -1) -> list[str]:
    """``fmar ingest`` in a process of its own; the operations that it was about to do.

    Args:
        settings: of the run.
        lake: where to.
        files: the landing folder, and the library that is preloaded.
        copy: called before each operation.
        kill_at: the operation before which everything is ended.
    """
    landing, shim = files
    place = lake.with_suffix(".socket")
    started: list[subprocess.Popen[bytes]] = []

    def answer(number: int, operation: str) -> None:
        if copy is not None:
            copy(number, operation)
        if number == kill_at:
            os.killpg(started[0].pid, signal.SIGKILL)

    watcher = Watcher(place, answer)
    options = [f"ingest.files_per_trigger={settings.ingest.files_per_trigger}", "ingest.max_rejected_share=1"]
    program = "import sys; from fmar_spark.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "ingest", "--landing", str(landing), "--lake", str(lake)]
    command += [word for option in options for word in ("--set", option)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYSPARK", "SPARK_"))}
    environment = kept | {"LD_PRELOAD": str(shim), "WATCH_FOLDER": f"{lake}/", "WATCH_SOCKET": str(place)}
    with subprocess.Popen(command, env=environment, start_new_session=True, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        started.append(process)
        said = process.communicate()[1].decode()
    watcher.close()
    if process.returncode != (0 if kill_at < 0 else -signal.SIGKILL):
        raise SystemExit(f"kill_ingestion: fmar ingest ended with {process.returncode}:\n{said}")
    return watcher.seen


def ingest(settings: Settings, lake: Path, landing: Path) -> None:
    """The command once more, under the session of this process."""
    own = settings.model_copy(update={"lake": settings.lake.model_copy(update={"root": str(lake)})})

    def body(app: App) -> None:
        ingest_dip.run(app, str(landing), None, None, None, continuous=False)

    job = Job("ingest_dip", (DIP_MESSAGES, RUN_JOURNAL), (DIP_MESSAGES, QUARANTINE, LANDING_FILES))
    if status := run_job(job, own, None, body):
        print(f"  {lake.name}: ingested again with status {status}", flush=True)


def read_tables(lake: Path) -> Tables:
    """Rows of the tables in any order, and what the journal says of all runs that were finished."""
    stored = LakeWriter(lake)
    rows = {}
    for contract in (DIP_MESSAGES, QUARANTINE, LANDING_FILES):
        kept: list[dict[str, Any]] = stored.read(contract).drop_columns([name for name in contract.names if name in OF_THE_RUN]).to_pylist()
        rows[contract.full_name] = sorted(map(repr, kept))
    counts: Counter[str] = Counter()
    for row in stored.read(RUN_JOURNAL).to_pylist():
        counts.update({name: count for name, count in row["counts"] if name in COUNTED} if row["status"] == "done" else {})
    return Tables(rows, counts)


def report(what: str, lakes: dict[str, Path], wanted: Tables) -> bool:
    """Say in how many lakes the tables and counts are the wanted ones, and where not; whether any differs."""
    differing = []
    for name, lake in lakes.items():
        found = read_tables(lake)
        tables = [table for table, rows in wanted.rows.items() if found.rows[table] != rows]
        if tables or found.counts != wanted.counts:
            differing.append(f"{name}: {', '.join(tables) or 'counts'}; {dict(found.counts)} found, {dict(wanted.counts)} wanted")
        shutil.rmtree(lake)
    print(f"{what}: {len(lakes) - len(differing)} of {len(lakes)} have the tables and counts of an undisturbed run", flush=True)
    for line in differing:
        print(f"    {line}", flush=True)
    return bool(differing)


if __name__ == "__main__":
    sys.exit(main())
