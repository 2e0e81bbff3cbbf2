"""Measures ingestion: simulated DIP messages of 48 periods, landing folder to bronze.dip_messages and silver.reading_versions.

Processor seconds of all processes are counted, so that others on the machine do not change the figures much. The reference
is msgspec decoding the same messages into the same structs in this process, in the same run.
"""

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec
import pyarrow as pa

from fmar_spark.app import start_logging
from fmar_spark.engine.landing import Folder
from fmar_spark.engine.runs import Written, start_run
from fmar_spark.engine.session import build_session
from fmar_spark.engine.store import TableStore
from fmar_spark.intake.dip.rows import FileDecoder
from fmar_spark.intake.dip.rules import read_rules
from fmar_spark.intake.dip.structs import Message, Period
from fmar_spark.settings.bounds import whole_from
from fmar_spark.settings.overlays import load_settings
from fmar_spark.simulate.landing import LandingSummary, write_landing
from fmar_spark.simulate.messages import PeriodFormat
from fmar_spark.simulate.plan import FleetPlan
from fmar_spark.steps import build_readings, ingest_dip

METERS = 256
MESSAGES_A_METER_DAY = 1.2
TURNS = 5
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class Spent(NamedTuple):
    """What a step took."""

    wall_seconds: float
    java_seconds: float
    python_seconds: float


def main() -> int:
    """Print messages a core-second of the reference and of every step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=whole_from(1), default=100_000, help="how many messages at least (default: 100000)")
    parser.add_argument("--seed", type=whole_from(0), default=1, help="seed of the fleet (default: 1)")
    parser.add_argument("--gzip", action="store_true", help="compress the landing files")
    parser.add_argument(
        "--periods",
        type=PeriodFormat,
        choices=list(PeriodFormat),
        default=PeriodFormat.TIME,
        help="how half-hours are named (default: time)",
    )
    parser.add_argument("--decoder", action="store_true", help="measure only the decoder, without Spark, for each format of half-hours")
    parser.add_argument("--cold", action="store_true", help="no warm-up: class loading and compilation are counted")
    arguments = parser.parse_args()
    start_logging()
    if arguments.decoder:
        return compare_formats(arguments.messages, arguments.seed)
    with tempfile.TemporaryDirectory(prefix="fmar_benchmark_") as folder:
        root = Path(folder)
        landed = simulate(root / "landing", arguments.messages, arguments.seed, arguments.periods, is_compressed=arguments.gzip)
        print(f"{landed.messages} messages in {landed.files} files of {size_of(root / 'landing') / 2**20:.0f} MiB")
        spark = build_session("benchmark_ingest", load_settings("local", []).spark)
        if not arguments.cold:
            simulate(root / "warm", 2_000, arguments.seed + 1, arguments.periods)
            ingest(TableStore(spark, str(root / "warm_lake")), root / "warm")
            build(TableStore(spark, str(root / "warm_lake")))
        store = TableStore(spark, str(root / "lake"))
        count = landed.messages
        reference = decode_alone(root / "landing") if not arguments.gzip else None
        taken = measure(lambda: ingest(store, root / "landing"))
        built = measure(lambda: build(store))
        spark.stop()
    if reference:
        print(f"reference: msgspec decode alone {count / reference:10,.0f} messages a core-second")
    both = Spent(*(one + other for one, other in zip(taken, built, strict=True)))
    for name, spent in (("landing folder to bronze", taken), ("bronze to reading versions and readings", built), ("both", both)):
        core_seconds = spent.java_seconds + spent.python_seconds
        share = f"JVM {spent.java_seconds:.1f} s, Python {spent.python_seconds:.1f} s, wall {spent.wall_seconds:.1f} s"
        print(f"{name:40s} {count / core_seconds:10,.0f} messages a core-second ({share})")
    return 0


def compare_formats(messages: int, seed: int) -> int:
    """Print the processor time that a message takes in the decoder, by how its half-hours are named; the formats take turns."""
    decoder = FileDecoder(read_rules(load_settings("local", []).ingest))
    with tempfile.TemporaryDirectory(prefix="fmar_benchmark_") as folder:
        files: dict[PeriodFormat, list[Path]] = {}
        for written in PeriodFormat:
            landed = simulate(Path(folder) / written, messages, seed, written)
            files[written] = sorted((Path(folder) / written).glob("*.json"))
        spent: dict[PeriodFormat, list[float]] = {written: [] for written in PeriodFormat}
        for _ in range(TURNS):
            for written, paths in files.items():
                spent[written].append(decode_files(decoder, paths))
    for written, seconds in spent.items():
        best = min(seconds) / landed.messages
        print(f"{written:10s} {best * 1e6:8.1f} us a message, {1 / best:10,.0f} messages a core-second")
    return 0


def decode_files(decoder: FileDecoder, paths: list[Path]) -> float:
    """Processor seconds of turning files into rows."""
    contents = [(path.name, path.read_bytes()) for path in paths]
    began = time.process_time()
    for name, content in contents:
        columns = {"source": [name], "length": [len(content)], "problem": pa.nulls(1, pa.string()), "content": [content]}
        for _ in decoder([pa.RecordBatch.from_pydict(columns)]):
            pass
    return time.process_time() - began


def simulate(folder: Path, messages: int, seed: int, periods: PeriodFormat, *, is_compressed: bool = False) -> LandingSummary:
    """A landing folder with at least so many messages."""
    days = int(messages / METERS / MESSAGES_A_METER_DAY) + 1
    first = date(2023, 1, 1)
    while True:
        plan = FleetPlan(METERS, first, first + timedelta(days=days - 1), seed)
        landed = write_landing(plan, folder, is_compressed=is_compressed, periods=periods)
        if landed.messages >= messages:
            return landed
        days = int(days * messages / landed.messages) + 1


def size_of(folder: Path) -> int:
    """Bytes of the landing files."""
    return sum(path.stat().st_size for path in folder.glob("*.json*"))


def decode_alone(folder: Path) -> float:
    """Processor seconds of decoding every message and every half-hour of it, once."""
    decode, decode_periods = msgspec.json.Decoder(list[Message]).decode, msgspec.json.Decoder(list[Period]).decode
    spent = 0.0
    for path in sorted(folder.glob("*.json")):
        text = path.read_bytes()
        began = time.process_time()
        consumption = (message.payload.custom.consumption for message in decode(text))
        for blocks in (one.blocks for one in consumption if one is not None):
            for block in blocks:
                decode_periods(block.periods)
        spent += time.process_time() - began
    return spent


def ingest(store: TableStore, landing: Path) -> Written:
    """The folder's messages are in bronze."""
    settings = load_settings("local", []).ingest
    return ingest_dip.run(store, start_run("ingest_dip", None, ""), settings, Folder(str(landing)))


def build(store: TableStore) -> Written:
    """The bronze messages are reading versions and readings."""
    return build_readings.run(store, start_run("build_readings", None, ""))


def measure(step: Callable[[], Written]) -> Spent:
    """Wall and processor seconds of a step, over this process, the JVM and Spark's Python workers."""
    clock = ProcessorClock()
    began, before = time.monotonic(), clock.read()
    clock.start()
    print(step().counts)
    clock.stop()
    after = clock.read()
    return Spent(time.monotonic() - began, after[0] - before[0], after[1] - before[1])


class ProcessorClock:
    """Processor seconds of this process and all under it, those that end meanwhile too: they are looked at twice a second."""

    def __init__(self) -> None:
        """Nothing has been seen."""
        self.seen: dict[int, tuple[str, float]] = {}
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self.thread.start()

    def stop(self) -> None:
        """Look no more."""
        self.is_over.set()
        self.thread.join()

    def read(self) -> tuple[float, float]:
        """Seconds so far of the JVM, and of every Python."""
        self._look()
        java = sum(seconds for name, seconds in self.seen.values() if name == "java")
        return java, sum(seconds for name, seconds in self.seen.values() if name != "java")

    def _watch(self) -> None:
        while not self.is_over.wait(0.5):
            self._look()

    def _look(self) -> None:
        parents: dict[int, int] = {}
        used: dict[int, tuple[str, float]] = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                head, _, tail = path.read_text().rpartition(")")
            except OSError:
                continue
            fields, pid = tail.split(), int(path.parent.name)
            parents[pid] = int(fields[1])
            used[pid] = (head.partition("(")[2], sum(int(field) for field in fields[11:13]) / TICKS_A_SECOND)
        self.seen |= {pid: seconds for pid, seconds in used.items() if is_under(pid, os.getpid(), parents)}


def is_under(pid: int, root: int, parents: dict[int, int]) -> bool:
    """Whether a process is the root or was started by it, at any remove."""
    while pid and pid != root:
        pid = parents.get(pid, 0)
    return pid == root


if __name__ == "__main__":
    raise SystemExit(main())
