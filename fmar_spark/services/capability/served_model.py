"""The read model that is served: one file, opened read-only, and replaced by the next one between two requests."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from fmar_spark.engine.model_file import MANIFEST, Manifest, check_manifest, read_manifest
from fmar_spark.errors import InputError
from fmar_spark.services.capability.layout import ASSETS_OF_CLAIMS, check_layout
from fmar_spark.services.capability.rights import Rights
from fmar_spark.services.web.problems import BusyError

_LOCK: Final = "SET GLOBAL TimeZone = 'UTC'; SET enable_external_access = false; SET lock_configuration = true"
"""No query can reach any other file, or change that."""
_IS_LOCKED: Final = "SELECT current_setting('lock_configuration')"
"""A process has one instance of DuckDB for a file: whoever opens one that is open already finds it locked."""
_ROWS_AT_ONCE: Final = 2_000
_GIVEN: Final = "given_rows"
_MOST_NAMED: Final = 1_000
_MOST_PORTFOLIOS: Final = 50
Row = dict[str, Any]
_log = logging.getLogger(__name__)


class ServedModel:
    """One file, opened. It is closed when the last request that works with it has ended, by the end of its last reference."""

    def __init__(self, path: Path, manifest: Manifest, threads: int) -> None:
        """Opens the file.

        Raises:
            InputError: DuckDB cannot read it, or it lacks a table or column that is served.
        """
        self.manifest = manifest
        try:
            self._connection = duckdb.connect(str(path), read_only=True, config={"threads": str(threads)})
            if self._connection.execute(_IS_LOCKED).fetchone() != (True,):
                self._connection.execute(_LOCK)
        except duckdb.Error as error:
            raise InputError(f"{path}: DuckDB cannot read it: {str(error).splitlines()[0]}") from error
        check_layout(path, self._connection)
        self._at_hand = threading.local()
        self._ids_of_rights: OrderedDict[str, list[str]] = OrderedDict()
        self._turn = threading.Lock()

    def find(self, query: str, parameters: Mapping[str, object], relations: Mapping[str, pa.Table] | None = None) -> list[Row]:
        """What a query finds, a dictionary a row: for a few rows half the work of an Arrow table.

        Args:
            query: ``$name`` in it stands for the parameter of that name.
            parameters: values by name.
            relations: further tables that the query names, for this query alone.
        """
        cursor = self._cursor()
        self._take(cursor, query, relations or {})
        found = cursor.execute(query, dict(parameters))
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def find_asset_ids(self, rights: Rights) -> list[str]:
        """Ids of the assets of verified claims, in order; kept as long as neither changes."""
        with self._turn:
            known = self._ids_of_rights.get(rights.mark)
        if known is None:
            mpan_ids = rights.mpan_ids
            few = {f"mpan_{place}": mpan_id for place, mpan_id in enumerate(mpan_ids)} if len(mpan_ids) <= _MOST_NAMED else {}
            named = f"WHERE a.mpan_id IN ({', '.join(f'${name}' for name in few)})" if few else ""
            known = [row["asset_id"] for row in self.find(ASSETS_OF_CLAIMS.format(named=named), few, rights.relations)]
            with self._turn:
                self._ids_of_rights[rights.mark] = known
                if len(self._ids_of_rights) > _MOST_PORTFOLIOS:
                    self._ids_of_rights.popitem(last=False)
        return known

    def stream(
        self, query: str, parameters: Mapping[str, object], relations: Mapping[str, pa.Table]
    ) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """What a query finds, part by part, by a cursor of its own."""
        cursor = self._connection.cursor()
        for name, rows in relations.items():
            cursor.register(name, rows)
        reader = cursor.execute(query, dict(parameters)).fetch_record_batch(_ROWS_AT_ONCE)

        def read_on() -> Iterator[pa.RecordBatch]:
            try:
                yield from reader
            finally:
                cursor.close()

        return reader.schema, read_on()

    def _take(self, cursor: duckdb.DuckDBPyConnection, query: str, relations: Mapping[str, pa.Table]) -> None:
        """The relations that the query names are tables of the thread's cursor, as long as the same ones are asked for.

        Half of what a page of a portfolio costs would otherwise be handing them over. A table of an earlier query that this one names
        without giving it is gone, so that no query ever reads what another caller holds.
        """
        taken: dict[str, pa.Table] = self._at_hand.taken
        for name in [name for name in taken if name in query and taken[name] is not relations.get(name)]:
            cursor.execute(f"DROP TABLE {name}")
            del taken[name]
        for name, rows in relations.items():
            if name in query and name not in taken:
                cursor.register(_GIVEN, rows)
                cursor.execute(f"CREATE TEMP TABLE {name} AS SELECT * FROM {_GIVEN}")
                cursor.unregister(_GIVEN)
                taken[name] = rows

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        """One for each thread: a cursor runs one query at a time."""
        cursor: duckdb.DuckDBPyConnection | None = getattr(self._at_hand, "cursor", None)
        if cursor is None:
            cursor = self._at_hand.cursor = self._connection.cursor()
            self._at_hand.taken = {}
        return cursor


class ModelSource:
    """Gives the newest file that can be served; looks for a newer one as requests come, without making any of them wait."""

    def __init__(
        self, folder: Path, check_seconds: float, threads: int = 1, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Opens the folder's file, if there is one that can be served."""
        self._folder = folder
        self._check_seconds = check_seconds
        self._threads = threads
        self._now = now
        self._served: ServedModel | None = None
        self._seen: tuple[int, int] | None = None
        self._checked_at = float("-inf")
        self._turn = threading.Lock()
        self.look()

    def current(self) -> ServedModel:
        """The file that answers from now on.

        Raises:
            BusyError: there is none yet.
        """
        if time.monotonic() - self._checked_at > self._check_seconds and not self._turn.locked():
            self._checked_at = time.monotonic()
            threading.Thread(target=self.look, name="read-model", daemon=True).start()
        if self._served is None:
            raise BusyError("no-read-model", "nothing is published yet; try again later", headers={"Retry-After": "30"})
        return self._served

    def look(self) -> None:
        """Take the file that the manifest names, if it is another and can be served; else say in one line why not, and keep the old one."""
        with self._turn:
            self._checked_at = time.monotonic()
            try:
                state = (self._folder / MANIFEST).stat()
                seen = (state.st_mtime_ns, state.st_ino)
                if seen == self._seen:
                    return
                self._seen = seen
            except OSError:
                self._seen = None
            try:
                self._served = self._open()
            except InputError as error:
                kept = self._served.manifest.file if self._served else "nothing"
                _log.warning("read model: %s; %s stays served", error, kept)

    def _open(self) -> ServedModel:
        manifest = read_manifest(self._folder)
        served = self._served
        if served is not None and served.manifest == manifest:
            return served
        check_manifest(self._folder, manifest, served.manifest if served else None, self._now())
        opened = ServedModel(self._folder / manifest.file, manifest, self._threads)
        _log.info("read model: %s is served, as of %s", manifest.file, manifest.as_of_date)
        return opened


def describe_moment(manifest: Manifest) -> dict[str, str | date | None]:
    """What every answer says of the data that it rests on."""
    return {"as_of_date": manifest.as_of_date, "published_at": manifest.published_at.isoformat(), "model_id": manifest.model_id}
