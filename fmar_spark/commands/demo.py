"""From meter readings to what each connection can do, on one machine: every job in order, a summary and a page."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any, Final, NamedTuple

from fmar_spark.app import App, run_job, start_logging
from fmar_spark.commands import (
    build_readings,
    characterise,
    import_intervals,
    ingest_dip,
    land_london_homes,
    predict_baseline,
    report,
    simulate_fleet,
    summary,
)
from fmar_spark.contracts.job import Job
from fmar_spark.engine.session import build_session, end_session
from fmar_spark.errors import ConfigError
from fmar_spark.settings.run_options import RunOptions
from fmar_spark.settings.sections import Settings

FIRST_DAY, LAST_DAY, WEEK_FROM = date(2013, 1, 26), date(2014, 1, 25), date(2014, 1, 19)
"""The homes' readings end on the last day; the fleet is simulated for the year up to it."""
PACKAGE: Final = "opendsm-1.2.7-py3-none-any.whl"
DONE_FOLDER: Final = "_demo"
OWN_LAKE: Final = "lake_own"
SAID: Final = (
    "{meters:,} of these meters are simulated: made up with a known truth, to check the answers by. Two are measured London homes "
    "(Low Carbon London, UK Power Networks, CC BY 4.0)."
)


class Stage(NamedTuple):
    """One part of the demo."""

    title: str
    run: Callable[[], int]


def run(options: RunOptions, meters: int, landing: Path, **own: Any) -> int:
    """Run the stages; the last line on standard output is the path of the page.

    Args:
        options: shared by all commands.
        meters: simulated import meters.
        landing: folder of the DIP messages.
        own: options of import_intervals, ``input`` among them: a user's own readings instead; None or False = not given.

    Raises:
        ConfigError: options that belong to own readings without any.
    """
    unused = [name for name, value in own.items() if value and not own["input"]]
    if unused:
        raise ConfigError(f"--{unused[0].replace('_', '-')}: goes with --input")
    if meters < 1:
        raise ConfigError(f"--meters: {meters} found, at least 1 wanted")
    if own["input"] and options.lake is None:
        options = options._replace(lake=OWN_LAKE)
    settings = options.load_settings()
    if own["input"]:
        stages = plan_own(settings, {**own, "legal_basis": own["legal_basis"] or "own data"})
    else:
        say(SAID.format(meters=meters))
        stages = plan_demo(settings, meters, landing)
    return play(options, settings, stages)


def plan_demo(settings: Settings, meters: int, landing: Path) -> list[Stage]:
    """Measured and simulated meters from DIP messages to predictions."""
    done = Path(settings.lake.root) / DONE_FOLDER

    def simulate() -> int:
        mark = done / f"fleet-{meters}"
        if mark.exists() and (landing / "_truth" / "plan.txt").exists():
            say(f"simulated before, in {landing}")
            return 0
        with resources.as_file(resources.files(__package__).joinpath("demo_mix.yaml")) as mix:
            given = {"meters": meters, "first_date": FIRST_DAY, "last_date": LAST_DAY, "out": landing, "mix": mix}
            return keep(mark, run_stage(simulate_fleet, settings, {**given, "seed": 1, "faults": "", "workers": 2}))

    def land_homes() -> int:
        mark = done / "homes"
        if mark.exists() and (landing / "london-home-1-000.json").exists():
            say(f"landed before, in {landing}")
            return 0
        return keep(mark, run_stage(land_london_homes, settings, {"package": fetch_homes(Path("var")), "out": landing}))

    from_landing = {"landing": str(landing), "kafka": None, "topic": None, "kafka_config": None, "continuous": False}
    week = {"from_date": WEEK_FROM, "to_date": LAST_DAY, "days": None}
    return [
        Stage(f"Simulated fleet: {meters:,} import meters, a year of DIP messages each", simulate),
        Stage("Measured London homes: corrected, written as DIP messages, with their temperatures", land_homes),
        Stage(
            "DIP messages into bronze.dip_messages; what breaks a rule into bronze.quarantine",
            lambda: run_stage(ingest_dip, settings, from_landing),
        ),
        Stage("The newest value of every half-hour into silver.readings", lambda: run_stage(build_readings, settings, {})),
        Stage(
            "What each connection can do: assets, sizes, dates, availability",
            lambda: run_stage(characterise, settings, {"meters": None}, LAST_DAY),
        ),
        Stage("Baseline of the last week, each day from the days before it", lambda: run_stage(predict_baseline, settings, week, LAST_DAY)),
    ]


def plan_own(settings: Settings, given: Mapping[str, Any]) -> list[Stage]:
    """A user's own readings to what their meters can do."""
    return [
        Stage("Your readings into silver.readings", lambda: run_stage(import_intervals, settings, {**given, "dry_run": False})),
        Stage(
            "What each connection can do: assets, sizes, dates, availability",
            lambda: run_stage(characterise, settings, {"meters": None}),
        ),
    ]


def play(options: RunOptions, settings: Settings, stages: list[Stage]) -> int:
    """Every stage under one Spark session, then the summary and the page; 1 as soon as one fails."""
    lake, begun = settings.lake.root, time.monotonic()
    whole = [
        *stages,
        Stage(f"Summary of {lake}", lambda: summary.run(options, sizes=False)),
        Stage("A page about it: opens in a browser without a network", lambda: report.run(options, None, None, None)),
    ]
    start_logging()
    session = None
    try:
        for number, stage in enumerate(whole, 1):
            say(f"\n[{number}/{len(whole)}]  {describe_time(begun)}  {stage.title}")
            session = session or build_session("demo", settings.spark)
            if stage.run():
                say("demo: not finished; correct what the line above says and run the same command again")
                return 1
    finally:
        if session is not None:
            end_session(session)
    say(f"\n{describe_time(begun)} in all. Tables: {lake}/LAYER/NAME. The page:")
    print(Path(lake).resolve() / report.REPORT)
    return 0


def run_stage(command: Any, settings: Settings, given: Mapping[str, Any], run_date: date | None = None) -> int:
    """One job, as its own command would run it."""

    def body(app: App) -> None:
        command.run(app, **given)

    return run_job(Job(command.__name__.rpartition(".")[2]), settings, run_date, body)


def keep(mark: Path, status: int) -> int:
    """Remember that a stage was done."""
    if status == 0:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    return status


def fetch_homes(folder: Path) -> Path:
    """The package that holds the measured homes, downloaded once and checked by its hash.

    Raises:
        ConfigError: it cannot be downloaded.
    """
    wheel = folder / PACKAGE
    if not wheel.exists():
        say("downloading opendsm 1.2.7, whose sample files hold the homes; its code is not used")
        with resources.as_file(resources.files(__package__).joinpath("london_homes.txt")) as pin:
            command = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--require-hashes",
                "-r",
                str(pin),
                "-d",
                str(folder),
            ]
            found = subprocess.run(command, capture_output=True, text=True, check=False)
        if found.returncode:
            raise ConfigError(f"opendsm 1.2.7: could not be downloaded: {(found.stderr.strip().splitlines() or ['no word from pip'])[-1]}")
    return wheel


def describe_time(begun: float) -> str:
    """Minutes and seconds since the start."""
    minutes, seconds = divmod(int(time.monotonic() - begun), 60)
    return f"{minutes}:{seconds:02d}"


def say(line: str) -> None:
    """A line for the user who watches; standard output holds results alone."""
    print(line, file=sys.stderr, flush=True)
