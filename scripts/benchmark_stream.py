"""Measures how long a late correction takes from the landing folder to silver.readings, with both continuous jobs beside each other.

python scripts/benchmark_stream.py --meters 1000 --corrections 10 --pause 5

Starts `fmar ingest --continuous` and `fmar readings --continuous` on a lake of its own, lands a day of every meter, then corrections of one
half-hour each, one after another, and reads the table by delta-rs until each is there. With --kills both jobs are ended by kill -9 before
every so many corrections and started again. Starts Spark twice.
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
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from fmar_spark.domain.mpan import number_mpans
from fmar_spark.simulate.messages import DayMessage, write_message

PROGRAM: Final = Path(sys.executable).with_name("fmar")
DAY: Final = "2026-03-01"
PATIENCE_SECONDS: Final = 600.0
LOOK_SECONDS: Final = 0.2


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
        """Both are ended, with everything that they started."""
        for one in self._running:
            (os.killpg if number == signal.SIGKILL else os.kill)(one.pid, number)
        for one in self._running:
            one.wait(120)
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
    parser.add_argument("--meters", type=int, default=1000)
    parser.add_argument("--corrections", type=int, default=10)
    parser.add_argument("--pause", type=int, default=5, help="ingest.trigger_seconds of both jobs")
    parser.add_argument("--kills", type=int, default=0, help="kill both jobs before every so many corrections; 0 = never")
    options = parser.parse_args(argv)
    mpans = list(number_mpans(np.full(options.meters, 10), np.arange(options.meters)))
    chance = random.Random(7)
    with tempfile.TemporaryDirectory(prefix="fmar_stream_") as folder:
        jobs = Jobs(Path(folder), options.pause)
        jobs.land("first", [write_day(mpan, 250, 0) for mpan in mpans])
        jobs.start()
        try:
            jobs.wait_for(mpans[-1], 0.25)
            seconds = [correct(jobs, number, chance.choice(mpans), options) for number in range(1, options.corrections + 1)]
        finally:
            jobs.end(signal.SIGINT)
        rows = DeltaTable(str(jobs.lake / "bronze" / "dip_messages")).to_pyarrow_dataset().count_rows()
    p50, most = np.percentile(seconds, 50), max(seconds)
    print(
        f"{options.meters:,} meters, a pause of {options.pause} s in both jobs: {options.corrections} corrections from the folder to "
        f"silver.readings in {min(seconds):.1f} to {most:.1f} s, median {p50:.1f} s; {rows:,} messages in bronze, "
        f"{options.meters + options.corrections:,} sent"
    )
    return int(rows != options.meters + options.corrections)


def correct(jobs: Jobs, number: int, mpan_id: str, options: argparse.Namespace) -> float:
    """Land one correction at some moment of the pause; the seconds until the table has it."""
    if options.kills and number % options.kills == 0:
        jobs.end(signal.SIGKILL)
        jobs.start()
    time.sleep(random.Random(number).uniform(0, options.pause))
    began = time.perf_counter()
    jobs.land(f"correction-{number}", [write_day(mpan_id, 1000 + number, number)])
    jobs.wait_for(mpan_id, (1000 + number) / 1000)
    return time.perf_counter() - began


def write_day(mpan_id: str, first_watt_hours: int, version: int) -> str:
    """A day of one meter; a later version was sent an hour later."""
    energies = (first_watt_hours, *(250,) * 47)
    sent = f"2026-03-{2 + version // 20:02d}T{version % 20:02d}:00:00+00:00"
    return write_message(DayMessage(mpan_id, "_A", "AI", DAY, energies, "W", "2020-01-01", sent, version=version))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
