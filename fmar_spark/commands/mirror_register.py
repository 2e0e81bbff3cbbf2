"""Mirrors the register of commercial agreements into the lake and joins it with what was detected."""

from contextlib import closing

from fmar_spark.app import App
from fmar_spark.services.register.changes import RegisterChanges
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.steps import build_fleet, mirror_register


def run(app: App, database: str | None) -> None:
    """Run the two steps."""
    changed = {"database_url": database} if database else {}
    with closing(RegisterDatabase(app.settings.agreements.model_copy(update=changed))) as register:
        register.require_ready()
        source = RegisterChanges(register)
        app.run_step("mirror_register", lambda store, run: mirror_register.run(store, run, source))
        app.run_step("build_fleet", build_fleet.run)
