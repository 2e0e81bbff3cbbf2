"""Brings a register's tables to the form that this code wants."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.register.tables import METADATA

_MIGRATIONS: Final = Path(__file__).parent / "migrations"


def migrate(database: RegisterDatabase) -> tuple[str, ...]:
    """Run the steps that are pending, all or none; their names."""
    pending = find_pending(database)
    if pending:
        with database.engine.connect() as plain, plain.begin():
            command.upgrade(_config(plain), "head")
    return pending


def find_pending(database: RegisterDatabase) -> tuple[str, ...]:
    """Names of the steps that the database has not had, oldest first."""
    with database.engine.connect() as connection:
        done = MigrationContext.configure(connection).get_current_heads()
        script = ScriptDirectory.from_config(_config(connection))
        steps = tuple(step.revision for step in script.iterate_revisions("head", done or "base"))
    return steps[::-1]


def find_drift(database: RegisterDatabase) -> list[object]:
    """Differences between the migrated tables and those that tables.py declares; none where all is well."""
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, METADATA))


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
