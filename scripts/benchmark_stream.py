"""Measures how long a late correction takes from the landing folder to silver.readings, with both continuous jobs beside each other.

python scripts/benchmark_stream.py --meters 1000 --corrections 10 --pause 5

Starts `fmar ingest --continuous` and `fmar readings --continuous` on a lake of its own, lands a day of every meter, then corrections of one
half-hour each, one after another, and reads the table by delta-rs until each is there. With --kills both jobs are ended by kill -9 at some
moment after every so many corrections have landed, and started again; their times are stated apart. Ends with 1 where a message or a
version is missing or there twice. Starts Spark twice, and twice more for each kill.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from fmar_spark.contracts.readings import DIP_MESSAGES, READING_VERSIONS
from fmar_spark.contracts.table import TableContract
from fmar_spark.domain.mpan import number_mpans
from fmar_spark.kernels.window import Floats
from fmar_spark.settings.bounds import whole_from
from fmar_spark.simulate.messages import DayMessage, write_message

PROGRAM: Final = Path(sys.executable).with_name("fmar")
DAY: Final = "2026-03-01"
PATIENCE_SECONDS: Final = 600.0
LOOK_SECONDS: Final = 0.2
END_SECONDS: Final = 60.0
"""A job that was asked to end has so long to finish its batch."""
LONGEST_UNTIL_KILL: Final = 3
"""Pauses: by then both jobs have had their batch, so kills fall before, into and behind each."""


class Jobs:
    """Both continuous jobs on one lake."""

    def __init__(self, folder: Path, pause: int) -> None:
        """Nothing runs yet."""
        self.landing, self.lake = folder / "landing", folder / "lake"
        self.landing.mkdir()
        shared = ["--lake", str(self.lake), "--set", f"ingest.trigger_seconds={pause}", "--continuous"]
        self._commands = [["ingest", "--landing", str(self.landing), *shared], ["readings", *shared]]
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Both run; the second begins once the lake is there."""
        for words in self._commands:
            self._running.append(subprocess.Popen([str(PROGRAM), *words], stderr=subprocess.DEVNULL, start_new_session=True))
            while not (self.lake / "bronze" / "dip_messages" / "_delta_log").is_dir():
                self.check()
                time.sleep(LOOK_SECONDS)

    def check(self) -> None:
        """Nothing, while both run."""
        for one in self._running:
            if one.poll() is not None:
                raise SystemExit(f"benchmark_stream: {one.args!r} ended with {one.returncode}")

    def end(self, number: int) -> None:
        """Both are ended; what does not end when it is asked to is killed, with everything that it started."""
        for one in self._running:
            with suppress(ProcessLookupError):
                (os.killpg if number == signal.SIGKILL else os.kill)(one.pid, number)
        for one in self._running:
            try:
                one.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(one.pid, signal.SIGKILL)
                one.wait()
        self._running = []

    def land(self, name: str, texts: Sequence[str]) -> None:
        """A whole file, all at once."""
        unfinished = self.landing / f"_{name}"
        unfinished.write_text(f"[{','.join(texts)}]", encoding="utf-8")
        unfinished.rename(self.landing / f"{name}.json")

    def wait_for(self, mpan_id: str, kwh: float) -> None:
        """Return once the meter's first half-hour has that energy."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            self.check()
            if self.read(mpan_id) == np.float32(kwh):
                return
            time.sleep(LOOK_SECONDS)
        raise SystemExit(f"benchmark_stream: {kwh} kWh did not arrive within {PATIENCE_SECONDS:g} s")

    def read(self, mpan_id: str) -> float | None:
        """The meter's first half-hour as the table has it now."""
        try:
            rows = DeltaTable(str(self.lake / "silver" / "readings")).to_pyarrow_table(columns=["mpan_id", "kwh"])
        except (TableNotFoundError, OSError):
            return None
        found = rows.filter(pc.equal(rows["mpan_id"], mpan_id))["kwh"].to_pylist()
        return found[0][0] if found else None


def main(argv: list[str]) -> int:
    """Land, correct, wait, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--meters", type=whole_from(1), default=1000)
    parser.add_argument("--corrections", type=whole_from(1), default=10)
    parser.add_argument("--pause", type=whole_from(1), default=5, help="ingest.trigger_seconds of both jobs")
    parser.add_argument("--kills", type=whole_from(0), default=0, help="kill both jobs over every so many corrections; 0 = never")
    options = parser.parse_args(argv)
    mpans = list(number_mpans(np.full(options.meters, 10), np.arange(options.meters)))
    chance = random.Random(7)
    with tempfile.TemporaryDirectory(prefix="fmar_stream_") as folder:
        jobs = Jobs(Path(folder), options.pause)
        jobs.land("first", [write_day(mpan, 250, 0) for mpan in mpans])
        jobs.start()
        try:
            jobs.wait_for(mpans[-1], 0.25)
            began, load = time.monotonic(), os.getloadavg()[0]
            seconds = [correct(jobs, number, chance.choice(mpans), options) for number in range(1, options.corrections + 1)]
            elapsed = time.monotonic() - began
        finally:
            jobs.end(signal.SIGINT)
        sent = options.meters + options.corrections
        loads = f"load {load:.1f} to {os.getloadavg()[0]:.1f}"
        print(f"{options.meters:,} meters, a pause of {options.pause} s in both jobs, {loads}, {elapsed:.0f} s")
        killed = [number for number in range(options.corrections) if is_killed(number + 1, options)]
        describe("corrections from the folder to silver.readings", np.delete(seconds, killed))
        describe("the same with kill -9 of both jobs on the way", np.take(seconds, killed))
        whole = [holds_once(jobs.lake, contract, sent) for contract in (DIP_MESSAGES, READING_VERSIONS)]
        return int(not all(whole))


def describe(what: str, seconds: Floats) -> None:
    """How long it took."""
    if len(seconds):
        print(f"{len(seconds)} {what}: {min(seconds):.1f} to {max(seconds):.1f} s, median {np.median(seconds):.1f} s")


def holds_once(lake: Path, contract: TableContract, sent: int) -> bool:
    """Whether a table has a row for each message and none twice."""
    rows = DeltaTable(str(lake / contract.layer / contract.name)).to_pyarrow_table(columns=list(contract.key))
    different = rows.group_by(list(contract.key)).aggregate([]).num_rows
    print(f"{contract.full_name}: {rows.num_rows:,} rows of {sent:,} messages, {rows.num_rows - different} twice")
    return bool(rows.num_rows == different == sent)


def is_killed(number: int, options: argparse.Namespace) -> bool:
    """Whether the jobs are killed over that correction."""
    return bool(options.kills) and number % options.kills == 0


def correct(jobs: Jobs, number: int, mpan_id: str, options: argparse.Namespace) -> float:
    """Land one correction at some moment of the pause; the seconds until the table has it."""
    moment = random.Random(number)
    time.sleep(moment.uniform(0, options.pause))
    began = time.perf_counter()
    jobs.land(f"correction-{number}", [write_day(mpan_id, 1000 + number, number)])
    if is_killed(number, options):
        time.sleep(moment.uniform(0, LONGEST_UNTIL_KILL * options.pause))
        jobs.end(signal.SIGKILL)
        jobs.start()
    jobs.wait_for(mpan_id, (1000 + number) / 1000)
    return time.perf_counter() - began


def write_day(mpan_id: str, first_watt_hours: int, version: int) -> str:
    """A day of one meter; a later version was sent an hour later."""
    energies = (first_watt_hours, *(250,) * 47)
    sent = f"2026-03-{2 + version // 20:02d}T{version % 20:02d}:00:00+00:00"
    return write_message(DayMessage(mpan_id, "_A", "AI", DAY, energies, "W", "2020-01-01", sent, version=version))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
