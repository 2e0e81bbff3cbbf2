"""What keeps a lake in order, and what a customer may ask of it."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option, Typer

from fmar_spark.cli.declaring import declare_job
from fmar_spark.contracts.catalogue import ALL_TABLES
from fmar_spark.contracts.job import Job
from fmar_spark.contracts.operations import MEASURES

GROUP = Typer()


@declare_job(GROUP, "maintain", Job("maintain_tables", (), ALL_TABLES, needs_lake=True))
def maintain_tables(
    dry_run: Annotated[bool, Option("--dry-run", help="say what would be deleted, change nothing")] = False,
) -> None:
    """Delete raw readings of households that are older than retention.raw_months, join small files, delete files that no version needs.

    Answers that were derived stay, with the day to which they were derived. Run it while no other job runs.
    """


@declare_job(
    GROUP,
    "operation",
    Job("measure_operation", tuple(table for table in ALL_TABLES if table is not MEASURES), (MEASURES,), needs_lake=True),
)
def measure_operation() -> None:
    """Measure how the lake is: freshness, volumes, quarantine, answers, drift, calibration, files and disk.

    Writes measures.prom, for the textfile collector of Prometheus' node exporter, and operations.html beside it. Limits are settings
    (monitoring.*); monitoring/ holds a Grafana dashboard and alert rules.
    """


@declare_job(GROUP, "subject", Job("answer_subject", (), ALL_TABLES, needs_lake=True))
def answer_subject(
    mpan: Annotated[str, Argument(help="the meter point, or the name of a series")],
    export: Annotated[Path | None, Option(metavar="DIR", help="write all rows about it, a Parquet file a table")] = None,
    erase: Annotated[bool, Option("--erase", help="delete all rows about it, and every older version of the tables")] = False,
    dry_run: Annotated[bool, Option("--dry-run", help="with --erase: count the rows, delete none")] = False,
    yes: Annotated[bool, Option("--yes", help="agree to the question, for scripts")] = False,
) -> None:
    """Hand out or erase everything that the lake holds about a meter point and the export meters of its boundary.

    Landing files, the register and published read models are not part of the lake: docs/operations.md says what to do with them. What
    the DIP sends afterwards is new; end the legal basis first (fmar consent).
    """
