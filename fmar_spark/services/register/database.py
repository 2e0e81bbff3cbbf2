"""Connections to PostgreSQL or SQLite and the migrations of their tables: whose rows a transaction may see, and one writer at a time.

Every write takes the end of the ledger first and holds it until it commits. So writes are one after the other on either
database, the rules between terms are checked against what is truly there, and the chain has no forks.
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

from fmar_spark.errors import ConfigError
from fmar_spark.services.register.access import EVERYTHING, Reach
from fmar_spark.services.register.tables import METADATA
from fmar_spark.services.web.problems import BusyError
from fmar_spark.settings.sections import RegisterSettings

SQLITE: Final = "sqlite"
POSTGRESQL: Final = "postgresql"
_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_WANTED: Final = "sqlite:///FILE or postgresql://... wanted"
_IS_WRITE: Final = "fmar_is_write"
_BUSY_STATES: Final = ("55P03", "57014", "53300", "57P01", "57P03", "40001", "40P01")
_END_OF_LEDGER: Final = "SELECT seq FROM ledger_head"
_SET_REACH: Final = text(
    "SELECT set_config('fmar.scope', :scope, true), set_config('fmar.fsp_id', :fsp_id, true), "
    "set_config('fmar.party_id', :party_id, true), "
    "set_config('fmar.distributor_ids', :distributor_ids, true), set_config('fmar.markets', :markets, true), "
    "set_config('lock_timeout', :lock_timeout, true)"
)


class RegisterDatabase:
    """One service's connections to the register."""

    def __init__(self, settings: RegisterSettings) -> None:
        """Nothing is connected before the first transaction, and no file is made before ``migrate``.

        Raises:
            ConfigError: the URL names neither PostgreSQL nor a SQLite file, or PostgreSQL's driver is not installed.
        """
        url = _parse_url(settings.database_url)
        self.dialect = url.get_backend_name()
        self.file = Path(url.database) if self.dialect == SQLITE and url.database else None
        """Of SQLite."""
        self._lock_timeout_seconds = settings.lock_timeout_seconds
        self._writer = threading.Lock()
        pool = {"pool_size": settings.pool_size, "max_overflow": settings.pool_size, "pool_timeout": settings.lock_timeout_seconds}
        if self.file is None:
            self.engine = _connect_postgresql(url, pool)
        else:
            self.engine = create_engine(url, hide_parameters=True, creator=_opener(self.file, settings.lock_timeout_seconds), **pool)
            _prepare_sqlite(self.engine)
        self._watch: sqlite3.Connection | None = None
        self._seen: tuple[int, int] | None = None
        """Data version and end of the ledger, as they were last."""
        self._watching = threading.Lock()

    def make_file(self) -> None:
        """SQLite's file is there, readable by its owner alone; in PostgreSQL nothing happens.

        Raises:
            ConfigError: it cannot be made.
        """
        if self.file is None or self.file.exists():
            return
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self.file, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise ConfigError(f"agreements.database_url: {self.file} cannot be made: {error.strerror}") from error

    @contextmanager
    def reading(self, reach: Reach) -> Iterator[Connection]:
        """A transaction that sees one moment's rows within the reach."""
        with _answering_busy(), self.engine.connect() as plain:
            level = {"isolation_level": "REPEATABLE READ"} if self.dialect == POSTGRESQL else {}
            connection = plain.execution_options(**level)
            with connection.begin():
                self._limit(connection, reach)
                yield connection

    @contextmanager
    def writing(self, reach: Reach) -> Iterator[Connection]:
        """A transaction that commits at the end of the block, and rolls back on any error."""
        with self._turn(), _answering_busy(), self.engine.connect() as plain:
            connection = plain.execution_options(**{_IS_WRITE: True})
            with connection.begin():
                self._limit(connection, reach)
                yield connection

    @contextmanager
    def seeing_everything(self, connection: Connection, reach: Reach) -> Iterator[None]:
        """For the rules alone: within the block the transaction sees other parties' rows too."""
        if self.dialect == POSTGRESQL and not reach.is_everything:
            connection.execute(text("SELECT set_config('fmar.scope', 'rules', true)"))
            yield
            connection.execute(text("SELECT set_config('fmar.scope', '', true)"))
        else:
            yield

    @contextmanager
    def writing_for_everyone(self, connection: Connection, reach: Reach) -> Iterator[None]:
        """For the rules alone: within the block the transaction may close and open other parties' rows too."""
        if self.dialect == POSTGRESQL and not reach.is_everything:
            connection.execute(text("SELECT set_config('fmar.scope', 'all', true)"))
            yield
            connection.execute(text("SELECT set_config('fmar.scope', '', true)"))
        else:
            yield

    def now(self, connection: Connection) -> datetime:
        """The database's own time where it has a clock, so that services with differing clocks agree."""
        return read_clock(connection)

    def mark_state(self) -> int | None:
        """A number that is another one after each recorded change, of any process; None where only a transaction can say.

        The end of the ledger, which SQLite is asked for where its data_version says that something was committed: microseconds,
        where a transaction and a query take half a millisecond. Rows of audit, which are committed all the time, change nothing.
        """
        if self.file is None:
            return None
        try:
            with self._watching:
                if self._watch is None:
                    self._watch = _opener(self.file, 0)()
                version = int(self._watch.execute("PRAGMA data_version").fetchone()[0])
                if self._seen is None or self._seen[0] != version:
                    self._seen = (version, int(self._watch.execute(_END_OF_LEDGER).fetchone()[0]))
                return self._seen[1]
        except sqlite3.Error:
            return None

    def refresh_statistics(self, connection: Connection) -> None:
        """After many new rows: PostgreSQL would otherwise plan look-ups without knowing of them, until it looks by itself."""
        if self.dialect == POSTGRESQL:
            connection.execute(text("ANALYZE agreement_versions, ledger"))

    def clear_file(self) -> None:
        """What was overwritten is in SQLite's files no more; PostgreSQL's own VACUUM sees to that in its time.

        Raises:
            BusyError: another transaction went on for too long; nothing is lost, the file is cleared the next time.
        """
        if self.file is None:
            return
        with closing(_opener(self.file, self._lock_timeout_seconds)()) as connection:
            try:
                for statement in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
                    connection.execute(statement)
            except sqlite3.OperationalError as error:
                raise _busy() from error

    def is_ready(self) -> bool:
        """Whether the database answers and has its tables."""
        if self.file is not None and not self.file.exists():
            return False
        try:
            with self.reading(EVERYTHING) as connection:
                return connection.execute(text("SELECT count(*) FROM ledger_head")).scalar() == 1
        except (BusyError, DBAPIError):
            return False

    def require_ready(self) -> None:
        """Raise for a database that does not answer or has no tables yet, for those who cannot ask again in a moment.

        Raises:
            ConfigError: with its address, without a password.
        """
        if not self.is_ready():
            raise self.unreachable()

    def unreachable(self) -> ConfigError:
        """Says where no register answers, without a password."""
        return ConfigError(
            f"agreements.database_url: no register answers at {self.engine.url.render_as_string()}; "
            "start its database, or give it its tables: scripts/register migrate --database URL"
        )

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()
        with self._watching:
            if self._watch is not None:
                self._watch.close()
            self._watch = self._seen = None

    def _limit(self, connection: Connection, reach: Reach) -> None:
        """Say to PostgreSQL's row security whose transaction this is; in SQLite only the conditions of the queries limit it."""
        if self.dialect != POSTGRESQL:
            return
        session = {
            "scope": "all" if reach.is_everything else "",
            "fsp_id": reach.fsp_id,
            "party_id": reach.party_id,
            "distributor_ids": ",".join(reach.distributor_ids),
            "markets": ",".join(reach.markets),
            "lock_timeout": f"{int(self._lock_timeout_seconds * 1000)}ms",
        }
        connection.execute(_SET_REACH, session)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """SQLite's own wait polls; within one process writers queue instead."""
        if self.dialect != SQLITE:
            yield
            return
        if not self._writer.acquire(timeout=self._lock_timeout_seconds):
            raise _busy()
        try:
            yield
        finally:
            self._writer.release()


def _parse_url(text: str) -> URL:
    try:
        url = make_url(text)
        backend = url.get_backend_name()
    except (ArgumentError, NoSuchModuleError) as error:
        raise ConfigError(f"agreements.database_url: {_WANTED}") from error
    if backend != POSTGRESQL and (backend != SQLITE or url.database in (None, "", ":memory:")):
        raise ConfigError(f"agreements.database_url: {_WANTED}")
    return url


def _connect_postgresql(url: URL, pool: dict[str, Any]) -> Engine:
    try:
        return create_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={"connect_timeout": 5, "application_name": "fmar-register"},
            **pool,
        )
    except ImportError as error:
        raise ConfigError(
            "agreements.database_url: PostgreSQL's driver is missing; install it with: pip install 'psycopg[binary]'"
        ) from error


def _opener(file: Path, timeout_seconds: float) -> Callable[[], sqlite3.Connection]:
    """Opens a file that is there: a mistyped path must not become an empty database."""
    address = f"file:{quote(str(file.absolute()))}?mode=rw"
    return lambda: sqlite3.connect(address, timeout=timeout_seconds, check_same_thread=False, uri=True)


def read_clock(connection: Connection) -> datetime:
    """What time it is for the register, in UTC."""
    if connection.dialect.name == POSTGRESQL:
        moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        return moment.astimezone(UTC)
    return datetime.now(UTC)


def _prepare_sqlite(engine: Engine) -> None:
    """Readers beside one writer, durable commits, and transactions that we begin ourselves."""

    @event.listens_for(engine, "connect")
    def configure(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        native: Any = connection
        native.isolation_level = None
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "recursive_triggers = ON"):
            native.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        is_write = connection.get_execution_options().get(_IS_WRITE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")


@contextmanager
def _answering_busy() -> Iterator[None]:
    try:
        yield
    except PoolTimeoutError as error:
        raise _busy() from error
    except OperationalError as error:
        if _is_passing(error):
            raise _busy() from error
        raise


def _is_passing(error: OperationalError) -> bool:
    """Whether the same statement may work later: locks, lost or denied connections."""
    sqlite_name = getattr(error.orig, "sqlite_errorname", None)
    if sqlite_name is not None:
        return str(sqlite_name).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
    state = getattr(error.orig, "sqlstate", None)
    return state is None or state in _BUSY_STATES or state.startswith("08")


def _busy() -> BusyError:
    return BusyError("busy", "the register is busy with other changes; send the same request again", headers={"Retry-After": "1"})


def migrate(database: RegisterDatabase, until: str = "head") -> tuple[str, ...]:
    """Run the steps that are pending, all or none; their names."""
    pending = find_pending(database, until)
    database.make_file()
    if pending:
        with database.engine.connect() as plain, plain.begin():
            command.upgrade(_config(plain), until)
    return pending


def find_pending(database: RegisterDatabase, until: str = "head") -> tuple[str, ...]:
    """Names of the steps that the database has not had, oldest first; all of them where SQLite has no file yet.

    Raises:
        ConfigError: the database does not answer.
    """
    done: tuple[str, ...] = ()
    if database.file is None or database.file.exists():
        try:
            with database.engine.connect() as connection:
                done = MigrationContext.configure(connection).get_current_heads()
        except DBAPIError as error:
            raise database.unreachable() from error
    steps = ScriptDirectory(str(_MIGRATIONS)).iterate_revisions(until, done or "base")
    return tuple(step.revision for step in steps)[::-1]


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
