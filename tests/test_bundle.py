"""The asset bundle against the typed classes of Databricks' own package, and against the jobs that it starts."""

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from databricks.bundles.jobs import Job

from fmar_spark.cli import build_program
from fmar_spark.cli.declaring import EXTRA_OF_PACKAGE, NAMES
from fmar_spark.cli.declaring import JOBS as DECLARED_JOBS
from fmar_spark.contracts.table import TableContract

ROOT = Path(__file__).resolve().parents[1]
BUNDLE: dict[str, Any] = yaml.safe_load((ROOT / "databricks.yml").read_text(encoding="utf-8"))
JOBS: dict[str, dict[str, Any]] = BUNDLE["resources"]["jobs"]
TASKS = [(name, task) for name, job in JOBS.items() for task in job["tasks"]]
STARTED_BY_HAND = {
    "simulate_fleet",
    "land_london_homes",
    "import_intervals",
    "load_network",
    "answer_subject",
    "record_legal_basis",
    "publish_read_model",
}
"""Jobs that bring data once, and the one that the machine runs that serves reads: no schedule."""
REFERENCE = re.compile(r"\$\{([a-z_.]+)\}")
SAMPLES = {"{{job.start_time.iso_date}}": "2026-01-31", "${var.landing}": ".", "${var.events}": ".", "${var.volumes}": "."}
"""What a reference that an argument checks may turn into."""


@pytest.mark.parametrize("name", JOBS)
def test_a_job_is_one_that_databricks_knows(name: str) -> None:
    job = Job.from_dict(JOBS[name])
    assert job.schedule is not None
    assert len(job.tasks) == len(JOBS[name]["tasks"])


def test_a_misspelt_key_is_rejected() -> None:
    broken = JOBS["characterise_daily"] | {"shedule": {}}
    with pytest.raises(ValueError, match="shedule"):
        Job.from_dict(broken)


def test_the_bundle_has_only_sections_that_bundles_have() -> None:
    assert set(BUNDLE) <= {"bundle", "variables", "artifacts", "sync", "resources", "targets"}
    assert {target["mode"] for target in BUNDLE["targets"].values()} == {"development", "production"}


@pytest.mark.parametrize("name", JOBS)
def test_a_job_ends_in_time_and_says_when_it_fails(name: str) -> None:
    job = Job.from_dict(JOBS[name])
    assert job.timeout_seconds
    assert job.email_notifications is not None
    assert JOBS[name]["email_notifications"]["on_failure"] == ["${var.alerts}"]
    assert job.health is not None


def test_what_a_cluster_installs_is_what_the_tests_ran_with() -> None:
    pinned = set(re.findall(r"^([\w.-]+(?:\[\w+\])?==[^\s\\;]+)", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE))
    named = {re.sub(r"\[\w+\]", "", one) for one in pinned}
    asked = {library["pypi"]["package"] for _, task in TASKS for library in task["libraries"] if "pypi" in library}
    assert {one for one in asked if re.sub(r"\[\w+\]", "", one) not in named} == set()


def test_a_secret_comes_from_a_scope() -> None:
    clusters = [cluster["new_cluster"] for job in JOBS.values() for cluster in job["job_clusters"]]
    assert all(cluster["spark_env_vars"]["PGPASSWORD"].startswith("{{secrets/${var.secrets}/") for cluster in clusters)


def test_every_reference_is_declared() -> None:
    known = {f"var.{name}" for name in BUNDLE["variables"]} | {"bundle.name", "bundle.target", "workspace.file_path"}
    assert set(REFERENCE.findall((ROOT / "databricks.yml").read_text(encoding="utf-8"))) <= known


@pytest.mark.parametrize(("job", "task"), TASKS, ids=[task["task_key"] for _, task in TASKS])
def test_a_task_starts_its_job_with_arguments_that_it_takes(job: str, task: dict[str, Any]) -> None:
    python_file = ROOT / task["spark_python_task"]["python_file"]
    assert python_file.stem == task["task_key"]
    command = next(command for command, name in NAMES.items() if name == python_file.stem)
    parsed = build_program().commands[command]
    parsed.make_context(command, [SAMPLES.get(text, text) for text in task["spark_python_task"]["parameters"]])
    clusters = {cluster["job_cluster_key"] for cluster in JOBS[job]["job_clusters"]}
    assert task["job_cluster_key"] in clusters
    assert task["libraries"][0] == {"whl": "./dist/*.whl"}


OPTIONAL = set(EXTRA_OF_PACKAGE) - {"pyspark", "delta"}
IMPORT_WITHOUT = """
import gc, json, os, sys
from importlib import import_module
gc.disable()
import delta, holidays, msgspec, pandas, pydantic, pyspark.sql, scipy.stats, skops.io, sklearn.ensemble, typer
# every cluster has them: they are imported once, before each cluster gets a process of its own
clusters = json.loads(sys.argv[1])
early = {name for absent, _ in clusters for name in absent} & set(sys.modules)
if early:
    sys.exit(f"{early} came with the first")
for absent, jobs in clusters:
    process = os.fork()
    if process == 0:
        sys.modules |= dict.fromkeys(absent)
        for job in ("app", *(f"commands.{job}" for job in jobs)):
            import_module(f"fmar_spark.{job}")
        os._exit(0)
    if os.waitpid(process, 0)[1]:
        sys.exit(f"without {absent}")
"""


def test_a_task_imports_no_package_that_its_cluster_does_not_have() -> None:
    tasks_with: dict[frozenset[str], list[str]] = {}
    for _, task in TASKS:
        packages = (library["pypi"]["package"] for library in task["libraries"] if "pypi" in library)
        named = {re.split(r"[\[<>=]", package)[0] for package in packages}
        brought = {re.split(r"[\[<>=!~; (]", need)[0] for name in named for need in importlib.metadata.requires(name) or ()}
        names = frozenset(named | brought)
        tasks_with.setdefault(names, []).append(task["task_key"])
    wanted = [(sorted(OPTIONAL - present), tasks) for present, tasks in tasks_with.items()]
    command = [sys.executable, "-c", IMPORT_WITHOUT, json.dumps(wanted)]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize("name", JOBS)
def test_a_task_waits_for_those_that_write_what_it_reads(name: str) -> None:
    before: dict[str, set[str]] = {}
    for task in JOBS[name]["tasks"]:
        waits = {other["task_key"] for other in task.get("depends_on", ())}
        assert waits <= set(before), f"{task['task_key']} waits for a task that stands below it"
        before[task["task_key"]] = waits.union(*(before[other] for other in waits))
    tables = {task_key: DECLARED_JOBS[task_key] for task_key in before}
    for reader, waited in before.items():
        for writer in tables:
            shared = {table.full_name for table in tables[writer].writes if is_handed_on(table)} & {
                table.full_name for table in tables[reader].reads
            }
            assert writer == reader or not shared or writer in waited, f"{reader} reads {shared} of {writer} and does not wait for it"


def is_handed_on(table: TableContract) -> bool:
    """Whether a reader needs the writer's run of the same day: logs need not."""
    return not table.is_shared_log


def test_every_job_has_a_schedule_or_is_started_by_hand() -> None:
    scheduled = {task["task_key"] for _, task in TASKS}
    assert {path.stem for path in (ROOT / "jobs").glob("*.py")} == scheduled | STARTED_BY_HAND
