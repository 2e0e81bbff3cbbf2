"""The demo on a user's own readings: without Spark where the files are few enough, else through the jobs."""

import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from fmar_spark.commands.stages import Stage, play, say
from fmar_spark.contracts.catalogue import ALL_TABLES
from fmar_spark.contracts.readings import DIP_MESSAGES
from fmar_spark.engine.lake_writer import LakeWriter
from fmar_spark.intake.intervals.files import estimate_rows
from fmar_spark.intake.intervals.options import ReadingOptions, read_columns
from fmar_spark.intake.intervals.own_files import OwnFiles, check_headings, understand_files
from fmar_spark.settings.run_options import RunOptions, is_address
from fmar_spark.settings.sections import Settings

MAX_ROWS: Final = 10_000_000
"""Some 300 series with two years each: more is Spark's."""
FILES: Final = ("input", "weather", "sites", "labels", "legal_basis")
"""Options that ``OwnFiles`` takes; the others say how the files are to be read."""
TITLES: Final = (
    "Your readings into silver.readings",
    "What each connection can do: assets, sizes, dates, availability",
    "Baseline of the last week and of the day after it, each day from the days before it",
)


def run_stages(options: RunOptions, given: Mapping[str, Any]) -> int:
    """Import, characterise and predict, then the summary and the page.

    Args:
        options: shared by all commands, the lake among them.
        given: options of import_intervals; None or False = not given.

    Raises:
        ConfigError: an option that does not fit, or columns that cannot be understood.
        InputError: files that cannot be read, or nothing usable in them.
    """
    settings = options.load_settings()
    given = {**given, "legal_basis": given["legal_basis"] or "own data"}
    stated = {name: value for name, value in given.items() if name not in FILES}
    reading = ReadingOptions(**{**stated, "columns": read_columns(stated["columns"] or [])})
    own = OwnFiles(**{name: given[name] for name in FILES}, options=reading)
    check_headings(own)
    obstacle = find_obstacle(settings.lake.root, own)
    if not obstacle:
        return play(options, settings.lake.root, plan_without_spark(settings, own))
    say(f"through the jobs, with Spark: {obstacle}")
    with import_module("fmar_spark.commands.jobs_in_turn").JobsInTurn("demo", settings) as jobs:
        return play(options, settings.lake.root, plan_with_spark(jobs, given))


def find_obstacle(root: str, own: OwnFiles) -> str:
    """Why these files, or this lake, need Spark; "" where they do not.

    Raises:
        InputError: there is no file.
    """
    rows = sum(estimate_rows(file) for file in own.list_inputs())
    if rows > MAX_ROWS:
        return f"about {rows:,} rows are more than {MAX_ROWS:,}"
    if is_address(root):
        return f"{root} is not on this machine's disk"
    lake = LakeWriter(Path(root))
    if lake.has(DIP_MESSAGES):
        return f"{root} holds DIP messages as well"
    older = [table.full_name for table in ALL_TABLES if lake.has(table) and not lake.is_current(table)]
    return f"{older[0]} was made by an older version" if older else ""


def plan_without_spark(settings: Settings, own: OwnFiles) -> list[Stage]:
    """The engine in this process."""

    def start_lake() -> Any:
        return import_module("fmar_spark.local.own_lake").OwnLake(Path(settings.lake.root), settings)

    def import_readings() -> int:
        with tempfile.TemporaryDirectory(prefix="fmar_import_") as folder:
            found = understand_files(own, Path(folder), settings)
            print("\n".join(found.lines), flush=True)
            start_lake().import_files(own, found)
        return 0

    def characterise() -> int:
        start_lake().characterise()
        return 0

    def predict() -> int:
        start_lake().predict_last_week()
        return 0

    return [Stage(title, stage) for title, stage in zip(TITLES, (import_readings, characterise, predict), strict=True)]


def plan_with_spark(jobs: Any, given: Mapping[str, Any]) -> list[Stage]:
    """The same as jobs."""
    last_week = {"from_date": None, "to_date": None, "days": None, "last_week": True}
    return [
        Stage(TITLES[0], lambda: int(jobs.run("import_intervals", {**given, "dry_run": False}))),
        Stage(TITLES[1], lambda: int(jobs.run("characterise", {"meters": None, "events": None, "portfolios": None, "accept_drop": False}))),
        Stage(TITLES[2], lambda: int(jobs.run("predict_baseline", last_week))),
    ]
