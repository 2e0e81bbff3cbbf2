"""Fixtures of the register: each test that touches a database runs on SQLite and on PostgreSQL."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from memory import MEMORY, has_memory
from register_world import (
    ROOT,
    Served,
    appoint_parties,
    as_owner,
    copy_rows,
    empty_postgres,
    for_many_threads,
    restore_rows,
    serve,
    settings_of,
)

from fmar_spark.services.register.database import RegisterDatabase, migrate


@pytest.fixture(scope="session")
def quick_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For what many tests share."""
    return tmp_path_factory.mktemp("quick")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A throw-away PostgreSQL, or the reason why there is none."""
    script = str(ROOT / "scripts" / "postgres_for_tests")
    place = {"POSTGRES_FOLDER": str(MEMORY)} if has_memory() else {}
    started = subprocess.run(
        [script, "start"],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "PYTHON": sys.executable, "OWNER_PID": str(os.getpid())} | place,
    )
    if started.returncode == 3:
        pytest.skip(f"no PostgreSQL: {started.stderr.strip().splitlines()[-1]}")
    assert started.returncode == 0, started.stderr
    folder, port = started.stdout.split()
    try:
        yield f"postgresql://fmar_register@127.0.0.1:{port}"
    finally:
        subprocess.run([script, "stop", folder], check=True)


@pytest.fixture(scope="session")
def postgres_register(postgres: str) -> str:
    """A migrated register on PostgreSQL, emptied before each test."""
    with psycopg.connect(f"{postgres}/postgres", autocommit=True) as connection:
        connection.execute("CREATE DATABASE register")
    with closing(RegisterDatabase(settings_of(f"{postgres}/register"))) as database:
        migrate(database)
    return f"{postgres}/register"


@pytest.fixture(scope="session")
def postgres_owner(postgres_register: str) -> Iterator[psycopg.Connection]:
    """A connection of its superuser."""
    with psycopg.connect(as_owner(postgres_register)) as owner:
        yield owner


@pytest.fixture(scope="session")
def postgres_parties(postgres_register: str, postgres_owner: psycopg.Connection) -> dict[str, bytes]:
    """The rows of a register on PostgreSQL that knows its parties."""
    empty_postgres(postgres_owner)
    with closing(RegisterDatabase(settings_of(postgres_register))) as database:
        appoint_parties(database)
    return copy_rows(postgres_owner)


@pytest.fixture(scope="session")
def migrated_file(quick_folder: Path) -> Path:
    """A migrated SQLite file that others are copied from."""
    path = quick_folder / "template.db"
    with closing(RegisterDatabase(settings_of(f"sqlite:///{path}"))) as database:
        migrate(database)
    return path


@pytest.fixture(scope="session")
def parties_file(migrated_file: Path) -> Path:
    """A SQLite file that knows the parties."""
    path = shutil.copy(migrated_file, migrated_file.with_name("parties.db"))
    with closing(RegisterDatabase(settings_of(f"sqlite:///{path}"))) as database:
        appoint_parties(database)
    return Path(path)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty, migrated register of one's own."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "register.db")
        yield f"sqlite:///{tmp_path / 'register.db'}"
        return
    postgres_register = request.getfixturevalue("postgres_register")
    empty_postgres(request.getfixturevalue("postgres_owner"))
    yield postgres_register


@pytest.fixture
def database(request: pytest.FixtureRequest, url: str) -> Iterator[RegisterDatabase]:
    """Connections to the register, with its parties in it."""
    if url.startswith("sqlite"):
        shutil.copy(request.getfixturevalue("parties_file"), url.removeprefix("sqlite:///"))
    else:
        rows = request.getfixturevalue("postgres_parties")
        owner = request.getfixturevalue("postgres_owner")
        empty_postgres(owner)
        restore_rows(owner, rows)
    with closing(RegisterDatabase(settings_of(url))) as database:
        yield database


@pytest.fixture
def served(database: RegisterDatabase, url: str) -> Iterator[Served]:
    """The service over the register."""
    made = serve(database, url)
    with made.http:
        yield made


@pytest.fixture
def served_at_once(database: RegisterDatabase, url: str) -> Iterator[Served]:
    """The same for tests that ask from several threads."""
    made = serve(database, url, for_many_threads)
    with made.http:
        yield made
