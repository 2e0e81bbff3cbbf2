"""The demo's own meters: a simulated fleet and two measured homes, from DIP messages to predictions."""

import subprocess
import sys
from contextlib import closing
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Final

from fmar_spark.commands.jobs_in_turn import JobsInTurn
from fmar_spark.commands.stages import Stage, play, say
from fmar_spark.engine.lake_sql import LakeRows
from fmar_spark.errors import ConfigError
from fmar_spark.services.capability.sample import DECLARED_IN_LAKE, OF_LAKE, REGISTER_FILE, fill_deliveries, fill_from_assets
from fmar_spark.services.register.database import RegisterDatabase, migrate
from fmar_spark.services.register.sample import fill_register
from fmar_spark.settings.run_options import RunOptions
from fmar_spark.settings.sections import RegisterSettings, Settings
from fmar_spark.simulate.network import NETWORK_FOLDER

FIRST_DAY, LAST_DAY, WEEK_FROM = date(2013, 1, 26), date(2014, 1, 25), date(2014, 1, 19)
"""The homes' readings end on the last day; the fleet is simulated for the year up to it."""
PACKAGE: Final = "opendsm-1.2.7-py3-none-any.whl"
DONE_FOLDER: Final = "_demo"
DELIVERY_METERS: Final = 14
"""Two of each behaviour of FSPs."""


def run_stages(options: RunOptions, settings: Settings, meters: int, landing: Path) -> int:
    """Every stage under one Spark session, then the summary and the page."""
    with JobsInTurn("demo", settings) as jobs:
        return play(options, settings.lake.root, plan_demo(jobs, settings, meters, landing))


def plan_demo(jobs: JobsInTurn, settings: Settings, meters: int, landing: Path) -> list[Stage]:
    """Measured and simulated meters from DIP messages to predictions."""
    done = Path(settings.lake.root) / DONE_FOLDER
    network = {name: landing / NETWORK_FOLDER / f"{name}.csv" for name in ("nodes", "members", "zones")}

    def simulate() -> int:
        mark = done / f"fleet-{meters}-deliveries-{DELIVERY_METERS}"
        if mark.exists() and (landing / "_truth" / "plan.txt").exists() and network["nodes"].exists():
            say(f"simulated before, in {landing}")
            return 0
        with resources.as_file(resources.files(__package__).joinpath("demo_mix.yaml")) as mix:
            given = {"meters": meters, "first_date": FIRST_DAY, "last_date": LAST_DAY, "out": landing, "mix": mix}
            return keep(mark, jobs.run("simulate_fleet", {**given, "seed": 1, "faults": "", "workers": 2, "deliveries": DELIVERY_METERS}))

    def land_homes() -> int:
        mark = done / "homes"
        if mark.exists() and (landing / "london-home-1-000.json").exists():
            say(f"landed before, in {landing}")
            return 0
        return keep(mark, jobs.run("land_london_homes", {"package": fetch_homes(Path("var")), "out": landing}))

    def load_network() -> int:
        zones = network["zones"] if network["zones"].exists() else None
        return jobs.run("load_network", {**network, "zones": zones, "ecr": None, "dno": None, "dry_run": False}, LAST_DAY)

    no_topic = {"kafka": None, "topic": None, "kafka_config": None}
    from_landing = {"landing": str(landing), **no_topic, "continuous": False}
    week = {"from_date": WEEK_FROM, "to_date": LAST_DAY, "days": None, "last_week": False}
    said = landing / "_deliveries"
    declared = {"events": said / "events.csv", "volumes": said / "volumes.csv", "p0282": None, "dry_run": False, **no_topic}
    return [
        Stage(f"Simulated fleet: {meters:,} import meters, a year of DIP messages each", simulate),
        Stage("Measured London homes: corrected, written as DIP messages, with their temperatures", land_homes),
        Stage(
            "DIP messages into bronze.dip_messages; what breaks a rule into bronze.quarantine",
            lambda: jobs.run("ingest_dip", from_landing),
        ),
        Stage("The newest value of every half-hour into silver.readings", lambda: jobs.run("build_readings", {"continuous": False})),
        Stage(
            "What each connection can do: assets, sizes, dates, availability",
            lambda: jobs.run("characterise", {"meters": None, "events": None, "portfolios": None, "accept_drop": False}, LAST_DAY),
        ),
        Stage("Baseline of the last week, each day from the days before it", lambda: jobs.run("predict_baseline", week, LAST_DAY)),
        Stage(
            "Where every meter point is connected: substations, feeders, a constraint zone an area",
            load_network,
        ),
        Stage(
            f"Dispatch events of {DELIVERY_METERS} further meters, and what their FSPs, honest and not, declare to have delivered",
            lambda: jobs.run("load_deliveries", declared),
        ),
        Stage(
            "Two sample FSPs register some of what was detected, those of the events their assets; into silver.agreements and gold.fleet",
            lambda: hold_rights(jobs, Path(settings.lake.root)),
        ),
        Stage("What operators, FSPs, platforms and the regulator may see", lambda: jobs.run("build_audiences", {}, LAST_DAY)),
        Stage("What the boundary meters show of it", lambda: jobs.run("verify_delivery", {"from_date": None, "to_date": None}, LAST_DAY)),
        Stage("Flags of what observation contradicts", lambda: jobs.run("flag_discrepancies", {}, LAST_DAY)),
    ]


def hold_rights(jobs: JobsInTurn, lake: Path) -> int:
    """Sample parties hold rights to some of what was detected, and FSPs to what was dispatched, in a register inside the lake; the
    lake mirrors them."""
    with closing(RegisterDatabase(RegisterSettings(database_url=f"sqlite:///{lake / REGISTER_FILE}"))) as register:
        migrate(register)
        fill_register(register)
        fill_from_assets(register, LakeRows(lake).rows(OF_LAKE))
        fill_deliveries(register, LakeRows(lake).rows(DECLARED_IN_LAKE))
    return jobs.run("mirror_register", {"database": register.engine.url.render_as_string()})


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
