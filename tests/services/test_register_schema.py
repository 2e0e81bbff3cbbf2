import re
import stat
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from register_world import appoint_parties, caller_of, serve, settings_of
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from fmar_spark.errors import ConfigError
from fmar_spark.services.register.access import EVERYTHING
from fmar_spark.services.register.agreements import find_agreement
from fmar_spark.services.register.claims import with_states
from fmar_spark.services.register.database import RegisterDatabase, find_drift, find_pending, migrate
from fmar_spark.services.register.ledger import GENESIS_HASH, Actor, Fact, hash_entry, verify_ledger
from fmar_spark.services.register.tables import UPLOADS
from fmar_spark.services.register.uploads import find_upload_rows


def test_the_migrated_tables_are_those_that_the_code_declares(url: str) -> None:
    with closing(RegisterDatabase(settings_of(url))) as database:
        assert find_pending(database) == ()
        assert migrate(database) == ()
        assert find_drift(database) == []
        assert database.is_ready()


def test_an_empty_database_is_not_ready_until_it_is_migrated(tmp_path: Path) -> None:
    with closing(RegisterDatabase(settings_of(f"sqlite:///{tmp_path / 'a #folder%' / 'new.db'}"))) as database:
        assert not database.is_ready()
        assert len(find_pending(database)) == 9
        with pytest.raises(ConfigError, match="no register answers"):
            database.require_ready()
        assert list(tmp_path.iterdir()) == []
        assert migrate(database) == (
            "0001_tables",
            "0002_guards",
            "0003_evidence",
            "0004_uploads",
            "0005_audit_retention",
            "0006_row_faults",
            "0007_rejected_rows",
            "0008_disputes",
            "0009_redaction",
        )
        assert database.is_ready()
        appoint_parties(database)
        kept = sorted((tmp_path / "a #folder%").iterdir())
        assert {(path.name, stat.S_IMODE(path.stat().st_mode)) for path in kept} >= {("new.db", 0o600), ("new.db-wal", 0o600)}
        assert not [path for path in kept if path.stat().st_mode & 0o077]


def test_a_file_that_is_no_database_is_rejected_and_stays(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("these are notes, and long enough to be read as a header of a database" * 20)
    with closing(RegisterDatabase(settings_of(f"sqlite:///{tmp_path / 'notes.db'}"))) as database:
        with pytest.raises(ConfigError, match="no register answers"):
            migrate(database)
        assert not database.is_ready()
    assert (tmp_path / "notes.db").read_text().startswith("these are notes")


def test_a_missing_driver_of_postgresql_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigError, match="driver is missing"):
        RegisterDatabase(settings_of("postgresql://nobody@127.0.0.1:9/none"))


@pytest.fixture(params=["sqlite", "postgresql"])
def old_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A register as the first two migrations left it, with an agreement, its amendment and their ledger."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'old.db'}"
    else:
        server = request.getfixturevalue("postgres")
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute("DROP DATABASE IF EXISTS old_register")
            connection.execute("CREATE DATABASE old_register")
        url = f"{server}/old_register"
    with closing(RegisterDatabase(settings_of(url))) as database:
        migrate(database, "0002_guards")
        fill_as_before(database)
    return url


def fill_as_before(database: RegisterDatabase) -> None:
    """Two versions of an agreement as they were written before there were claims (bodies have eight fields), and a refused upload."""
    body = (
        '{"amsid":"AMS-1","fsp_id":"ALPHA","is_exclusive":true,"market":"dso_local","mpan_id":"2000056535971","primacy_tier":TIER,'
        '"valid_from_at":"2026-01-01T00:00:00.000000Z","valid_to_at":null}'
    )
    place = "'ALPHA', '2000056535971', '20', 'AMS-1', 'dso_local', TIER, true, '2026-01-01T00:00:00.000000Z', NULL"
    actor, previous = Actor("ALPHA", "alpha-client"), GENESIS_HASH
    with database.writing(EVERYTHING) as connection:
        for seq, change in ((1, "created"), (2, "amended")):
            moment = f"2026-02-0{seq}T00:00:00.000000Z"
            fact = Fact("agreement", "a-1", seq, change, body.replace("TIER", str(seq)))
            digest = hash_entry(seq, moment, actor, fact, previous)
            values = {"seq": seq, "at": moment, "change": change, "body": fact.body, "previous": previous, "hash": digest}
            for statement in (
                "INSERT INTO ledger VALUES "
                "(:seq, :at, 'ALPHA', 'alpha-client', 'agreement', 'a-1', :seq, :change, :body, :previous, :hash)",
                "UPDATE agreement_versions SET known_to_at = :at, closed_by_seq = :seq WHERE known_to_at IS NULL",
                f"INSERT INTO agreement_versions VALUES ('a-1', :seq, {place.replace('TIER', str(seq))}, :change, :at, NULL, 'ALPHA', "
                "'alpha-client', :seq, NULL)",
                "UPDATE ledger_head SET seq = :seq, hash = :hash, recorded_at = :at",
            ):
                names = set(re.findall(r":(\w+)", statement)) & set(values)
                connection.execute(text(statement), {name: value for name, value in values.items() if name in names})
            previous = digest
        connection.execute(
            text(
                "INSERT INTO uploads VALUES ('u-1', 'ALPHA', 'alpha-client', 'partial', false, 'refused', 1, 0, 0, 1, NULL, "
                "'2026-02-02T00:00:00.000000Z', '2026-02-02T00:00:00.000000Z')"
            )
        )
        connection.execute(text("INSERT INTO upload_rows VALUES ('u-1', 2, 'refused', NULL, 'market', 'no such market')"))


def test_a_register_from_before_claims_keeps_its_ledger_and_goes_on(old_url: str) -> None:
    with closing(RegisterDatabase(settings_of(old_url))) as database:
        assert migrate(database)[0] == "0003_evidence"
        assert find_drift(database) == []
        before = verify_ledger(database)
        assert (before.breaks, before.entries) == ((), 2)
        with database.reading(EVERYTHING) as connection:
            (upload,) = connection.execute(select(UPLOADS)).mappings()
            assert [row["line"] for row in find_upload_rows(connection, "u-1", 0, 10, True)] == [2]
        assert (upload["state"], upload["rows_rejected"]) == ("rejected", 1)
        with pytest.raises(DBAPIError, match="refused, nothing is rewritten"), database.writing(EVERYTHING) as connection:
            connection.execute(text("UPDATE upload_rows SET outcome = 'accepted'"))
        appoint_parties(database)
        service = serve(database, old_url)
        with service.http:
            with database.reading(EVERYTHING) as connection:
                row = find_agreement(connection, caller_of("ALPHA"), "a-1", None)
                now = database.now(connection)
                assert with_states(database, connection, EVERYTHING, [row], now)[0]["claim_state"] == "claimed"
            service.record("allocation", fsp_id="BRAVO")
            assert service.create("BRAVO", primacy_tier=3)["claim_state"] == "verified"
            shown = service.call("ALPHA", "GET", "/v1/agreements").json()["items"]
        assert [(row["agreement_id"], row["version"], row["change"], row["consent_reference"]) for row in shown] == [
            ("a-1", 3, "displaced", None)
        ]
        assert verify_ledger(database, (before.head,)).breaks == ()


@pytest.mark.parametrize("bad", ["mysql://host/x", "sqlite://", "sqlite:///:memory:", "register.db", "", "oracle9://x"])
def test_other_databases_are_rejected(bad: str) -> None:
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
def test_the_database_itself_prevents_rewriting(database: RegisterDatabase, statement: str) -> None:
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
