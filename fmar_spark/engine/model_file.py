"""The read model: one immutable DuckDB file for one set of Delta versions, and a manifest that says what is in it.

A file is written under a temporary name, flushed to disk and renamed; then the manifest that names it is replaced in the same way.
Whoever reads the manifest therefore always finds a whole file.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final, Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from fmar_spark import __version__
from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.lake_sql import LakeRows
from fmar_spark.errors import ConfigError, InputError, read_fault
from fmar_spark.settings.run_options import is_address

FOLDER: Final = "_read_model"
"""Inside the lake; no layer begins with an underscore."""
MANIFEST: Final = "manifest.json"
_PREFIX: Final = "model-"
_KEPT: Final = 2
"""The newest file and the one before, which a service may be about to open."""
_BLOCK: Final = 2**20


class Manifest(BaseModel):
    """What one file holds and where it comes from."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    format: Literal[1] = 1
    file: str = Field(pattern=r"^model-[0-9TZ]{16,30}-[0-9a-f]{12}\.duckdb$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=1)
    published_at: AwareDatetime
    as_of_date: date | None
    """Newest day that any derived row stands for."""
    checked_on_date: date
    """Day on which consent and legal basis held for every meter in it."""
    code_version: str
    versions: dict[str, int]
    """Delta version of each table that it was made from."""
    rows: dict[str, int]
    """Rows of each table in the file."""

    @property
    def model_id(self) -> str:
        """Short name of the file's content."""
        return self.sha256[:12]


def find_folder(lake: str, named: str) -> Path:
    """Where a lake's read model lies: in the folder that is named, else in the lake.

    Raises:
        ConfigError: the lake is at an address and no folder is named.
    """
    if is_address(lake) and not named:
        raise ConfigError(f"reads.model_folder: empty; a folder on this machine wanted for the read model of {lake}")
    return Path(named) if named else Path(lake) / FOLDER


class Layout(NamedTuple):
    """What goes into a file."""

    tables: Mapping[str, str]
    """Name of each table in the file, and the query over the lake that fills it."""
    indexed: Mapping[str, str]
    """A column by table, where many rows are looked up at once that lie far apart."""
    sources: Sequence[TableContract]
    """Tables of the lake that the queries read."""


def write_model(folder: Path, lake: LakeRows, layout: Layout, as_of_date: date | None) -> Manifest:
    """The manifest names a new file with what each query found; files older than the one before are gone.

    Args:
        folder: where it goes.
        lake: its versions are pinned already, so that all tables belong together.
        layout: what goes into it.
        as_of_date: newest day that any derived row stands for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / f".building-{os.getpid()}.duckdb"
    made.unlink(missing_ok=True)
    try:
        rows = lake.write_file(made, layout.tables, layout.indexed)
        digest = digest_file(made)
        published_at = datetime.now(UTC)
        name = f"{_PREFIX}{published_at:%Y%m%dT%H%M%S%f}Z-{digest[:12]}.duckdb"
        _flush(made)
        size = made.stat().st_size
        made.rename(folder / name)
    finally:
        with suppress(OSError):
            made.unlink(missing_ok=True)
    manifest = Manifest(
        file=name,
        sha256=digest,
        bytes=size,
        published_at=published_at,
        as_of_date=as_of_date,
        checked_on_date=lake.checked_on,
        code_version=__version__,
        versions={table.full_name: lake.versions[table.full_name] for table in layout.sources if lake.has(table)},
        rows=rows,
    )
    _replace(folder / MANIFEST, manifest.model_dump_json(indent=1))
    _forget(folder, name)
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the newest file.

    Raises:
        InputError: there is none, or it is not one of this version.
    """
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise InputError(f"{path}: no read model there; run jobs/publish_read_model.py first") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "content"
        raise InputError(f"{path}: {place}: {read_fault(first)}; a manifest of jobs/publish_read_model.py wanted") from error


def check_manifest(folder: Path, manifest: Manifest, served: Manifest | None, now: datetime) -> None:
    """Nothing, if the file may replace the one that is served.

    Raises:
        InputError: it is of a day to come, older than what is served, or not the file that was published.
    """
    path = folder / manifest.file
    is_of_later_day = manifest.as_of_date is not None and manifest.as_of_date > now.date()
    if manifest.published_at > now or is_of_later_day or manifest.checked_on_date > now.date() + timedelta(days=1):
        said = f"published {manifest.published_at:%Y-%m-%d %H:%M} UTC as of {manifest.as_of_date}, consent of {manifest.checked_on_date}"
        raise InputError(f"{path}: {said}, which lies ahead of this machine's clock ({now:%Y-%m-%d %H:%M} UTC)")
    if served is not None and manifest.published_at < served.published_at:
        raise InputError(
            f"{path}: published {manifest.published_at:%Y-%m-%d %H:%M:%S} UTC, older than the file that is served "
            f"({served.published_at:%Y-%m-%d %H:%M:%S} UTC)"
        )
    try:
        found_bytes = path.stat().st_size
        digest = digest_file(path) if found_bytes == manifest.bytes else ""
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if digest != manifest.sha256:
        raise InputError(f"{path}: {found_bytes} bytes with another checksum than the manifest's; publish it again")


def digest_file(path: Path) -> str:
    """SHA-256 of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    _flush(temporary)
    temporary.replace(path)
    _flush(path.parent)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _forget(folder: Path, newest: str) -> None:
    """An open file lives on for whoever has it open."""
    older = sorted(path for path in folder.glob(f"{_PREFIX}*.duckdb") if path.name != newest)
    for path in older[: -(_KEPT - 1)]:
        path.unlink(missing_ok=True)
