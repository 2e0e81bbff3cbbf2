"""What keeps a lake in order, and what a customer may ask of it."""

from typing import Annotated

from typer import Option, Typer

from fmar_spark.cli.declaring import declare_job
from fmar_spark.contracts.catalogue import ALL_TABLES
from fmar_spark.contracts.job import Job

GROUP = Typer()


@declare_job(GROUP, "maintain", Job("maintain_tables", (), ALL_TABLES, needs_lake=True))
def maintain_tables(
    dry_run: Annotated[bool, Option("--dry-run", help="say what would be deleted, change nothing")] = False,
) -> None:
    """Delete raw readings of households that are older than retention.raw_months, join small files, delete files that no version needs.

    Answers that were derived stay, with the day to which they were derived. Run it while no other job runs.
    """
