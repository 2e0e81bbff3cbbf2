"""Reads files of declared deliveries and stages what can be used, and what was rejected, on disk."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as arrow_parquet

from fmar_spark.domain.figures import write_count
from fmar_spark.errors import ConfigError, InputError
from fmar_spark.intake.deliveries import events, ukpn, volumes
from fmar_spark.intake.deliveries.p0282 import read_p0282
from fmar_spark.intake.deliveries.rows import EVENT_SCHEMA, VOLUME_SCHEMA, Checked, DeclarationRules
from fmar_spark.intake.intervals.files import InputFile, find_files, list_columns, read_blocks
from fmar_spark.intake.intervals.rows import FAULT_SCHEMA, Origin, RawBlock, build_file_fault

Check = Callable[[RawBlock, Origin, DeclarationRules], Checked]


class Sources(NamedTuple):
    """Files or folders to read; None = none of that kind."""

    events: Path | None = None
    volumes: Path | None = None
    p0282: Path | None = None


class Record(NamedTuple):
    """A message of a topic: what a file would hold."""

    source: str
    """Names it in messages and the quarantine."""
    content: bytes


class Staged(NamedTuple):
    """What was understood; the rows themselves lie in a folder as Parquet."""

    events_path: Path
    """Format of ``EVENT_SCHEMA``, and declaration_id."""
    volumes_path: Path
    """Format of ``VOLUME_SCHEMA``, and declaration_id."""
    faults_path: Path
    """Format of ``FAULT_SCHEMA``."""
    counts: Counter[str]
    """files, events, volumes, rejected."""
    broken: Counter[str]
    """Rows that each rule rejected."""
    noticed: Counter[str]
    """Rows of each notice."""


class Format(NamedTuple):
    """A kind of CSV: the columns that it must and may have, and its check."""

    wanted: tuple[str, ...]
    optional: tuple[str, ...]
    check: Check


EVENTS: Final = Format(events.WANTED, events.OPTIONAL, events.check_events)
INSTRUCTIONS: Final = Format(ukpn.WANTED, ukpn.OPTIONAL, ukpn.check_instructions)
NOT_DECLARED: Final = frozenset({"mpan_id", "series_id", "notices", "file", "source"})
"""Columns that are no part of what was declared, or stand in the key beside it."""
_IDENTITY: Final = pa.field("declaration_id", pa.string())
VOLUMES: Final = Format(volumes.WANTED, volumes.OPTIONAL, volumes.check_volumes)


def stage_declarations(sources: Sources, folder: Path, rules: DeclarationRules, *, stops_at_only: bool = True) -> Staged:
    """Read all files, check every row, and write what is kept and what is rejected to a folder.

    A file that cannot be used is rejected by name and the rest goes on.

    Args:
        sources: to read.
        folder: of the staged rows.
        rules: the most that is believed.
        stops_at_only: a file that is the only one of its kind and cannot be used is an error.

    Raises:
        ConfigError: no file is named, or the only one lacks a column.
        InputError: the only file cannot be read, or a folder holds none.
    """
    named = [source for source in sources if source is not None]
    if not named:
        raise ConfigError("--events, --volumes, --p0282: none given, at least one wanted: name a file or a folder")
    paths = [folder / f"{name}.parquet" for name in ("events", "volumes", "faults")]
    staged = Staged(paths[0], paths[1], paths[2], Counter(), Counter(), Counter())
    with (
        arrow_parquet.ParquetWriter(staged.events_path, EVENT_SCHEMA.append(_IDENTITY)) as event_rows,
        arrow_parquet.ParquetWriter(staged.volumes_path, VOLUME_SCHEMA.append(_IDENTITY)) as volume_rows,
        arrow_parquet.ParquetWriter(staged.faults_path, FAULT_SCHEMA) as faults,
    ):
        for what, file, checked in _read_all(sources, rules, stops_at_only):
            staged.counts["files"] += file
            staged.counts[what] += checked.kept.num_rows
            staged.counts["rejected"] += checked.faults.num_rows
            staged.broken.update(checked.faults["rule"].to_pylist())
            staged.noticed.update(pc.list_flatten(checked.kept["notices"]).to_pylist())
            (event_rows if what == "events" else volume_rows).write_table(_identify(checked.kept))
            faults.write_table(checked.faults)
    return staged


def stage_records(records: Iterable[Record], folder: Path, rules: DeclarationRules) -> Staged:
    """The same of records, each read as the kind of file that its first line says; one that is none is rejected by name.

    Args:
        records: of a topic.
        folder: to work in.
        rules: the most that is believed.
    """
    kinds = [folder / name for name in ("events", "volumes", "p0282")]
    for kind in kinds:
        kind.mkdir(parents=True)
    for record in records:
        (kinds[_find_kind(record.content)] / f"{record.source}.csv").write_bytes(record.content)
    found = [kind if any(kind.iterdir()) else None for kind in kinds]
    return stage_declarations(Sources(*found), folder, rules, stops_at_only=False)


def _find_kind(content: bytes) -> int:
    """0 events, 1 volumes, and what is nothing else; 2 P0282."""
    heading = content.split(b"\n", 1)[0].removeprefix(b"\xef\xbb\xbf").lower()
    if b"|" in heading and b"," not in heading:
        return 2
    return 0 if b"event_id" in heading or b"fu_id" in heading else 1


def describe_staged(staged: Staged) -> list[str]:
    """What was understood, line by line."""
    counts = staged.counts
    lines = [
        f"read       {write_count(counts['files'], 'file')}: {write_count(counts['events'], 'event')}, "
        f"{write_count(counts['volumes'], 'half-hour')} of volumes"
    ]
    lines += [f"rejected   {rows} {name}" for name, rows in sorted(staged.broken.items())]
    return lines + [f"noticed    {rows} {name}" for name, rows in sorted(staged.noticed.items())]


def _identify(rows: pa.Table) -> pa.Table:
    """The rows with a digest of everything that was declared."""
    declared = [name for name in rows.column_names if name not in NOT_DECLARED]
    texts = [pc.fill_null(rows[name].cast(pa.string()), "\x1e") for name in declared]
    words = pc.binary_join_element_wise(*texts, "\x1f").to_pylist()
    return rows.append_column(_IDENTITY, pa.array([hashlib.sha256(word.encode()).hexdigest() for word in words], pa.string()))


def _read_all(sources: Sources, rules: DeclarationRules, stops_at_only: bool) -> Iterator[tuple[str, int, Checked]]:
    """The kind of rows, 1 at the first block of each file, and the block."""
    for what, source in (("events", sources.events), ("volumes", sources.volumes)):
        files = find_files(source) if source is not None else []
        for file in files:
            is_only = stops_at_only and len(files) == 1
            yield from ((what, number == 0, block) for number, block in enumerate(_read_file(what, file, rules, is_only=is_only)))
    if sources.p0282 is not None:
        paths = [sources.p0282] if sources.p0282.is_file() else _list_flows(sources.p0282)
        for path in paths:
            yield "volumes", 1, _read_flow(path, rules, is_only=stops_at_only and len(paths) == 1)


def _read_file(what: str, file: InputFile, rules: DeclarationRules, *, is_only: bool) -> Iterator[Checked]:
    empty = (EVENT_SCHEMA if what == "events" else VOLUME_SCHEMA).empty_table()
    try:
        chosen = _choose_format(what, file)
        for block in read_blocks(file, chosen.wanted, chosen.optional):
            yield chosen.check(block, file.origin, rules)
    except (ConfigError, InputError) as error:
        if is_only:
            raise
        rule = "file_columns" if isinstance(error, ConfigError) else "file_unreadable"
        yield Checked(empty, build_file_fault(file.name, rule, str(error)))


def _choose_format(what: str, file: InputFile) -> Format:
    if what == "volumes":
        return VOLUMES
    return INSTRUCTIONS if "fu_id" in list_columns(file) else EVENTS


def _list_flows(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(("_", ".")))
    if not found:
        raise InputError(f"{folder}: no file found, P0282 files wanted")
    return found


def _read_flow(path: Path, rules: DeclarationRules, *, is_only: bool) -> Checked:
    try:
        return read_p0282(path, rules)
    except (OSError, UnicodeDecodeError) as error:
        if is_only:
            raise InputError(f"{path.name}: cannot be read: {error}") from error
        return Checked(VOLUME_SCHEMA.empty_table(), build_file_fault(path.name, "file_unreadable", f"cannot be read: {error}"))
