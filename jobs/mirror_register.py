"""Mirrors the register of commercial agreements into the lake and joins it with what was detected."""

import argparse
import sys

from fmar_spark.app import App, Job, run_job
from fmar_spark.services.register.changes import RegisterChanges
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.steps import build_fleet, mirror_register

JOB = Job(
    "mirror_register",
    "Mirrors agreements, overrides and confirmations of the register, then lists the fleet with who may dispatch it.",
    tuple(table for table in build_fleet.READS if table not in mirror_register.WRITES),
    (*mirror_register.WRITES, *build_fleet.WRITES),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The job's own options."""
    parser.add_argument("--database", metavar="URL", help="the register (default: the setting agreements.database_url)")


def body(app: App) -> None:
    """Wire the steps."""
    changed = {"database_url": app.arguments.database} if app.arguments.database else {}
    database = RegisterDatabase(app.settings.agreements.model_copy(update=changed))
    database.require_ready()
    source = RegisterChanges(database)
    app.run_step("mirror_register", lambda store, run: mirror_register.run(store, run, source))
    app.run_step("build_fleet", build_fleet.run)
    database.close()


if __name__ == "__main__":
    sys.exit(run_job(sys.argv[1:], JOB, add_arguments, body))
