from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from register_world import settings_of
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from fmar_spark.errors import ConfigError
from fmar_spark.services.register.access import EVERYTHING
from fmar_spark.services.register.database import RegisterDatabase, find_drift, find_pending, migrate


def test_the_migrated_tables_are_those_that_the_code_declares(url: str) -> None:
    with closing(RegisterDatabase(settings_of(url))) as database:
        assert find_pending(database) == ()
        assert migrate(database) == ()
        assert find_drift(database) == []
        assert database.is_ready()


def test_an_empty_database_is_not_ready_until_it_is_migrated(tmp_path: Path) -> None:
    with closing(RegisterDatabase(settings_of(f"sqlite:///{tmp_path / 'new.db'}"))) as database:
        assert not database.is_ready()
        assert migrate(database) == ("0001_tables", "0002_guards")
        assert database.is_ready()


@pytest.mark.parametrize("bad", ["mysql://host/x", "sqlite://", "sqlite:///:memory:"])
def test_other_databases_are_refused(bad: str) -> None:
    with pytest.raises(ConfigError, match="sqlite:///FILE or postgresql"):
        RegisterDatabase(settings_of(bad))


REWRITES = [
    "UPDATE ledger SET body = '{}'",
    "DELETE FROM ledger",
    "DELETE FROM party_versions",
    "UPDATE party_versions SET name = 'Other'",
    "UPDATE party_versions SET known_to_at = known_from_at",
    "UPDATE ledger_head SET seq = 1",
    "DELETE FROM ledger_head",
]


@pytest.mark.parametrize("statement", REWRITES)
def test_the_database_itself_refuses_to_rewrite(database: RegisterDatabase, statement: str) -> None:
    with pytest.raises(DBAPIError, match="refused, nothing is rewritten or deleted"), database.writing(EVERYTHING) as connection:
        connection.execute(text(statement))


def test_row_security_binds_the_services_login(postgres_register: str, database: RegisterDatabase) -> None:
    """The login owns the tables and is no superuser, and still sees no row without a reach."""
    with psycopg.connect(postgres_register) as connection:
        owner = connection.execute(
            "SELECT rolsuper OR rolbypassrls, relforcerowsecurity FROM pg_roles, pg_class "
            "WHERE rolname = current_user AND relname = 'agreement_versions'"
        ).fetchone()
        assert owner == (False, True)
