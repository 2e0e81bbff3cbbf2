"""Every table, column and step as the naming rules ask for, and the flow of data between the steps."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from types import ModuleType

import pytest

from fmar_spark import steps
from fmar_spark.cli.declaring import JOBS
from fmar_spark.contracts.catalogue import ALL_TABLES
from fmar_spark.contracts.job import Job
from fmar_spark.contracts.operations import RUN_JOURNAL
from fmar_spark.contracts.table import Column, TableContract
from fmar_spark.domain.words import Sensitivity
from fmar_spark.services.capability.access import load_matrix
from fmar_spark.services.capability.resources import RESOURCES

UNIT_OF_TOKEN = {"kwh": "kWh", "kw": "kW", "kwp": "kWp", "minutes": "minutes", "slots": "slot", "celsius": "degree Celsius"}
TOKEN_OF_UNIT = {
    "kWh": "kwh",
    "kW": "kw",
    "kWp": "kwp",
    "kW/min": "kw_per_min",
    "kV": "kv",
    "minutes": "minutes",
    "day": "days",
    "week": "weeks",
    "slot": "slot",
    "s": "seconds",
    "degree Celsius": "temp_c",
    "W/m2": "w_m2",
    "degree": "itude",
}
COLUMNS = [(table, column) for table in ALL_TABLES for column in table.columns]
NAMES = [f"{table.full_name}.{column.name}" for table, column in COLUMNS]
OF_ANOTHER_COLUMN = ("_source", "_probability")
"""Where the value of the column comes from that has the rest of the name, and how sure it is."""
BEGUN_ELSEWHERE = {"any job"}
TWO_MEANINGS = {"reason", "events"}
"""The DIP calls its 48 estimation codes a reason; elsewhere it is a sentence. Events are episodes in a profile, and a count in evidence."""


HOUSEKEEPERS = {"maintain_tables", "answer_subject"}
"""Steps that remove and rearrange rows, and write none."""


def list_steps() -> list[ModuleType]:
    """Modules that have a run and say what they read and write."""
    modules = [importlib.import_module(f"fmar_spark.steps.{info.name}") for info in pkgutil.iter_modules(steps.__path__)]
    return [module for module in modules if hasattr(module, "WRITES")]


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=NAMES)
def test_a_column_is_documented_and_named_after_what_it_holds(table: TableContract, column: Column) -> None:
    assert column.doc.endswith(".")
    assert len(column.doc) > 3
    assert re.fullmatch(r"[a-z][a-z0-9_]*", column.name)
    kinds = {"_at": "timestamp", "_date": "date", "_id": "string", "_probability": "double"}
    for suffix, kind in kinds.items():
        assert not column.name.endswith(suffix) or column.type == kind, f"{column.name} is {column.type}"
    assert not column.name.startswith(("is_", "has_")) or column.type == "boolean"


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=NAMES)
def test_a_unit_and_a_name_agree(table: TableContract, column: Column) -> None:
    if column.unit:
        assert TOKEN_OF_UNIT[column.unit] in column.name
    for token, unit in UNIT_OF_TOKEN.items():
        if column.name.endswith(OF_ANOTHER_COLUMN):
            continue
        if token in column.name.split("_") and "kw_per_min" not in column.name:
            assert column.unit == unit


def test_the_same_name_is_the_same_kind_of_thing_everywhere() -> None:
    kinds: dict[str, set[tuple[str, str]]] = {}
    for _, column in COLUMNS:
        kinds.setdefault(column.name, set()).add((column.type, column.unit))
    assert {name for name, found in kinds.items() if len(found) > 1} == TWO_MEANINGS


def test_a_meter_is_always_personal() -> None:
    meters = [column for _, column in COLUMNS if column.name == "mpan_id"]
    assert {column.sensitivity for column in meters} == {Sensitivity.PERSONAL}


def test_every_table_has_one_writer_and_only_logs_are_shared() -> None:
    writers: dict[str, list[str]] = {table.full_name: [] for table in ALL_TABLES}
    for step in list_steps():
        name = step.__name__.rpartition(".")[2]
        for table in () if name in HOUSEKEEPERS else step.WRITES:
            writers[table.full_name].append(name)
    shared = {table.full_name for table in ALL_TABLES if table.is_shared_log}
    assert {name: found for name, found in writers.items() if len(found) != 1 and name not in shared} == {}


def test_every_step_runs_with_a_store_that_knows_only_its_tables() -> None:
    for step in list_steps():
        runs = [value for name, value in vars(step).items() if re.match("run(_|$)", name) and value.__module__ == step.__name__]
        assert runs
        for run in runs:
            if "store" in inspect.signature(run).parameters:
                assert inspect.getclosurevars(run).nonlocals["tables"][1:] == (step.READS, step.WRITES), step.__name__


def test_no_step_reads_what_none_writes() -> None:
    written = {table.full_name for step in list_steps() for table in step.WRITES} | {RUN_JOURNAL.full_name}
    assert {table.full_name for step in list_steps() for table in step.READS} - written == set()


def test_a_missing_table_names_a_job_that_exists() -> None:
    named = {name for table in ALL_TABLES for name in table.job.split(" or ")} - BEGUN_ELSEWHERE
    assert named <= set(JOBS)


def list_steps_of(job: str) -> list[ModuleType]:
    """The steps that a command runs."""
    body = importlib.import_module(f"fmar_spark.commands.{job}")
    return [step for step in list_steps() if step in vars(body).values()]


def test_every_step_has_a_job_that_runs_it() -> None:
    wired = [step for job in JOBS for step in list_steps_of(job)]
    assert [step.__name__ for step in list_steps() if step not in wired] == []


@pytest.mark.parametrize("job", JOBS.values(), ids=list(JOBS))
def test_a_job_declares_the_tables_of_its_steps(job: Job) -> None:
    steps_of_job = list_steps_of(job.name)
    written = {step: {table.full_name for table in step.WRITES} for step in steps_of_job}
    read: set[str] = set()
    for step in steps_of_job:
        of_others = set().union(*(tables for other, tables in written.items() if other is not step))
        read |= {table.full_name for table in step.READS} - (of_others - written[step])
    assert {table.full_name for table in job.reads} == read
    assert {table.full_name for table in job.writes} == set().union(*written.values())


def test_the_matrix_of_who_sees_what_decides_about_every_column_that_is_served() -> None:
    matrix = load_matrix(Path(__file__).resolve().parents[1] / "conf", RESOURCES)
    assert set(matrix.endpoints) == {resource.name for resource in RESOURCES}
