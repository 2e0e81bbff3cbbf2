"""Measures the read API over many generated assets on the loopback, beside the same questions to DuckDB alone in the same run.

Generates a read model of --rows assets, starts a service over it and asks for one asset, a page of a portfolio and an area by 1, 8
and 32 connections, each for --seconds; prints one line a measure, with the processor time of an answer, and the service's memory. The
folder is removed at the end unless --keep names one, which a later run uses again.
"""

import argparse
import asyncio
import contextlib
import itertools
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final, NamedTuple

import duckdb
import numpy as np
from benchmark_register import load, peak_megabytes, start_service

from fmar_spark.contracts.capability import ASSET_DETECTIONS
from fmar_spark.contracts.table import Column
from fmar_spark.domain.markets import Market, Role
from fmar_spark.engine.model_file import FOLDER, MANIFEST, Manifest, digest_file
from fmar_spark.errors import InputError
from fmar_spark.services.capability.access import load_matrix, view_of
from fmar_spark.services.capability.queries import Part, ask
from fmar_spark.services.capability.resources import (
    AREA,
    ASSET,
    ASSETS,
    CAPABILITY_OF_AREA,
    HELD,
    RESOURCES,
    Resource,
)
from fmar_spark.services.capability.rights import NO_RIGHTS, LiveRights
from fmar_spark.services.capability.served_model import ServedModel
from fmar_spark.services.register.access import EVERYTHING
from fmar_spark.services.register.agreements import actor_of, create_agreement
from fmar_spark.services.register.claims import record_evidence
from fmar_spark.services.register.database import RegisterDatabase, migrate
from fmar_spark.services.register.records import change_of
from fmar_spark.services.register.sample import fill_register
from fmar_spark.services.register.scopes import Scope
from fmar_spark.services.web.access import Caller
from fmar_spark.services.web.moments import EARLIEST, parse_moment
from fmar_spark.settings.bounds import parse_positive, whole_from
from fmar_spark.settings.overlays import find_conf_dir
from fmar_spark.settings.sections import ReadSettings, RegisterSettings
from fmar_spark.steps.publish_read_model import INDEXED

DAY: Final = date(2026, 1, 31)
AREAS: Final = 4_000
HELD_ASSETS: Final = 200
PAGE: Final = 100
CONNECTIONS: Final = (1, 8, 32)
ASSET_ID: Final = "printf('%08x-0000-5000-8000-%012x', (i * 4294967296 // {rows})::BIGINT, i)"
MPAN: Final = "printf('%013d', 2000000000000 + i * (99999999999 // {rows}))"
TYPES: Final = {
    "string": "VARCHAR",
    "double": "DOUBLE",
    "int": "INTEGER",
    "bigint": "BIGINT",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "array<string>": "VARCHAR[]",
}
SCOPED: Final = {Scope.OWN_NETWORKS: ("distributor_ids", "['20']"), Scope.NOTIFIED: ("recipients", "['neso']")}
"""Columns by which rows are in scope, beside those that are answered."""
GIVEN: Final = {
    "asset_class": "['battery', 'ev', 'solar_pv', 'heat_pump'][1 + i % 4]",
    "asset_category": "['BESS', 'EV_CHARGER', 'SOLAR_PV', 'HEAT_PUMP'][1 + i % 4]",
    "tier": "['high', 'high', 'medium'][1 + i % 3]",
    "gsp_group_id": "'_' || chr((65 + i % 14)::INTEGER)",
    "primary_id": "'P' || (i % 4000)",
    "rated_capacity_kw": "1 + (i % 997) / 100",
    "rated_kw": "1 + (i % 997) / 100",
    "present_probability": "0.7 + (i % 300) / 1000",
    "is_present": "TRUE",
    "as_of_date": "DATE '2026-01-31'",
    "direction": "'import'",
    "evidence": "'7.0 kW block between 01:00 and 03:00 on ' || (100 + i % 200) || ' of 365 days'",
}
"""Columns that differ from row to row; the others are empty."""
PLACE: Final = {
    "area_level": "'primary'",
    "area_id": "printf('P%05d', i)",
    "name": "printf('Primary %05d', i)",
    "as_of_date": "DATE '2026-01-31'",
}


class Measure(NamedTuple):
    """One question, as the API and as DuckDB get it."""

    name: str
    party_id: str
    path: Callable[[random.Random], str]
    bare: Callable[[ServedModel, random.Random], object]


def main(argv: list[str]) -> int:
    """Generate, measure and print."""
    parser = argparse.ArgumentParser(prog="benchmark_reads", description=__doc__)
    parser.add_argument("--rows", type=whole_from(1), default=30_000_000)
    parser.add_argument("--seconds", type=parse_positive, default=10.0, help="length of each measure")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where the generated file stays")
    arguments = parser.parse_args(argv)
    with contextlib.ExitStack() as stack:
        folder = arguments.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fmar_reads_")))
        began = time.perf_counter()
        manifest = generate(folder / "lake", arguments.rows)
        size = manifest.bytes / 1e9
        print(f"{arguments.rows} assets, {size:.2f} GB, generated in {time.perf_counter() - began:.0f} s; {load()}", flush=True)
        database = fill(folder, arguments.rows)
        measures = list_measures(arguments.rows, database)
        measure_bare(ServedModel(folder / "lake" / FOLDER / manifest.file, manifest, 1), measures, arguments.seconds)
        for answers_bytes in (0, ReadSettings().answers_bytes):
            print(f"the service keeps {answers_bytes / 2**20:.0f} MB of answers", flush=True)
            measure_service(str(database.engine.url), folder, measures, arguments.seconds, answers_bytes)
        database.close()
    return 0


def measure_bare(model: ServedModel, measures: list[Measure], seconds: float) -> None:
    """The questions to DuckDB alone."""
    for measure, connections in itertools.product(measures, CONNECTIONS):
        worked = time.process_time()
        taken = run_bare(model, measure, connections, seconds)
        report("DuckDB", measure.name, connections, taken, time.process_time() - worked)


def measure_service(url: str, folder: Path, measures: list[Measure], seconds: float, answers_bytes: int) -> None:
    """The questions to a service of its own process, which takes 40 requests at once."""
    changed = (f"reads.answers_bytes={answers_bytes}", "agreements.max_requests_at_once=40")
    with start_service(url, folder, changed) as (base, tokens, process):
        port = int(base.rpartition(":")[2])
        for measure, connections in itertools.product(measures, CONNECTIONS):
            worked = processor_seconds(process.pid)
            taken = asyncio.run(run_clients(port, tokens[measure.party_id], measure, connections, seconds))
            report("API", measure.name, connections, taken, processor_seconds(process.pid) - worked)
        print(f"service: peak memory {peak_megabytes(process.pid):.0f} MB; {load()}", flush=True)


def generate(lake: Path, rows: int) -> Manifest:
    """A read model with so many assets; one of the same size that is there already is used again."""
    folder = lake / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / MANIFEST).exists():
        known = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
        if known.rows["assets"] == rows and is_served(folder / known.file, known):
            return known
    made = folder / "made.duckdb"
    made.unlink(missing_ok=True)
    connection = duckdb.connect(config={"memory_limit": "4GB"})
    connection.execute(f"ATTACH '{made}' AS made (ROW_GROUP_SIZE 10240)")
    counts = {}
    for resource, count in ((ASSET, rows), (HELD, rows), (CAPABILITY_OF_AREA, AREAS * 4)):
        name = "asset_sizes" if resource is HELD else resource.table
        connection.execute(f"CREATE TABLE made.{name} AS {select_rows(resource, rows, count)}")
        counts[name] = count
    for table, resource in {one.table: one for one in RESOURCES if one.table.isidentifier()}.items():
        if table not in {*counts, AREA.table, *NO_RIGHTS.relations}:
            connection.execute(f"CREATE TABLE made.{table} AS {select_rows(resource, rows, 0)}")
    for table, column in INDEXED.items():
        if table in counts:
            connection.execute(f"CREATE INDEX {table}_by_{column} ON made.{table} ({column})")
    unread = ", ".join(f"{empty(column)} AS {column.name}" for column in ASSET_DETECTIONS.columns)
    connection.execute(f"CREATE TABLE made.medium_detections AS SELECT {unread} LIMIT 0")
    connection.execute("CREATE TABLE made.asset_ids AS SELECT mpan_id, asset_class, asset_id FROM made.assets ORDER BY ALL")
    places = ", ".join(f"{PLACE.get(column.name, empty(column))} AS {column.name}" for column in AREA.columns)
    connection.execute(f"CREATE TABLE made.areas AS SELECT {places}, ['20'] AS distributor_ids FROM range({AREAS}) AS r(i)")
    connection.execute("CREATE TABLE made.origins AS SELECT 'simulated' AS origin, 1 AS meters")
    connection.execute("DETACH made")
    connection.close()
    digest = digest_file(made)
    moment = datetime.now(UTC)
    name = f"model-{moment:%Y%m%dT%H%M%S%f}Z-{digest[:12]}.duckdb"
    size = made.stat().st_size
    made.rename(folder / name)
    manifest = Manifest(
        file=name,
        sha256=digest,
        bytes=size,
        published_at=moment,
        as_of_date=DAY,
        checked_on_date=DAY,
        code_version="benchmark",
        versions={},
        rows={**counts, "areas": AREAS, "origins": 1},
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json(), encoding="utf-8")
    return manifest


def is_served(path: Path, manifest: Manifest) -> bool:
    """Whether this version can answer from the file: one that was kept may be of an earlier layout."""
    try:
        ServedModel(path, manifest, 1)
    except InputError as error:
        print(f"{error}; generating it anew", flush=True)
        return False
    return True


def select_rows(resource: Resource, rows: int, count: int) -> str:
    """A query that makes a table's rows in the order of its key."""
    own = {"asset_id": ASSET_ID.format(rows=rows), "mpan_id": MPAN.format(rows=rows)} if count == rows else {}
    if resource is CAPABILITY_OF_AREA:
        own = {"area_level": "'primary'", "area_id": "printf('P%05d', i // 4)", "kw_p50": "i % 500", "is_suppressed": "FALSE"}
    columns = [f"{own.get(column.name) or GIVEN.get(column.name) or empty(column)} AS {column.name}" for column in resource.columns]
    columns += [f"{text} AS {name}" for scope, (name, text) in SCOPED.items() if scope in resource.scopes]
    return f"SELECT {', '.join(columns)} FROM range({count}) AS r(i)"


def empty(column: Column) -> str:
    """Nothing, as the column's type has it."""
    kind = TYPES.get(column.type) or ("DOUBLE[]" if column.type.startswith("array") else "TIMESTAMPTZ")
    return f"CAST(NULL AS {kind})"


def fill(folder: Path, rows: int) -> RegisterDatabase:
    """A register in which ALPHA holds verified rights to some assets."""
    (folder / "register.db").unlink(missing_ok=True)
    database = RegisterDatabase(RegisterSettings(database_url=f"sqlite:///{folder / 'register.db'}"))
    migrate(database)
    fill_register(database)
    caller = Caller("ALPHA", "alpha", frozenset({Role.FSP}), ())
    term = {"market": Market.DSO_LOCAL, "primacy_tier": 1, "is_exclusive": True, "valid_to_at": None, "consent_reference": None}
    with change_of(database, EVERYTHING, actor_of(caller)) as change:
        for place in range(HELD_ASSETS):
            number = place * (rows // HELD_ASSETS)
            claim = {"mpan_id": f"{2000000000000 + number * (99999999999 // rows):013d}", "amsid": f"AMS-{place}"}
            begins = {"valid_from_at": EARLIEST, "valid_to_at": None}
            record_evidence(change, {"basis": "allocation", "fsp_id": "ALPHA", "reference": "benchmark", **claim, **begins})
            create_agreement(change, caller, {**claim, **term, "valid_from_at": parse_moment("2026-01-01T00:00:00Z")})
    return database


def list_measures(rows: int, database: RegisterDatabase) -> list[Measure]:
    """The three questions; DuckDB gets the very queries of the API, with the rights read once."""
    matrix = load_matrix(find_conf_dir(), RESOURCES)
    platform = Caller("MARKET", "market", frozenset({Role.PLATFORM}), ())
    fsp = Caller("ALPHA", "alpha", frozenset({Role.FSP}), ())
    dno = Caller("SOUTHERN", "southern", frozenset({Role.DNO}), ("20",))
    views = {
        "asset": view_of(matrix, ASSET, platform),
        "portfolio": view_of(matrix, HELD, fsp),
        "own assets": view_of(matrix, ASSETS, fsp),
        "area": view_of(matrix, CAPABILITY_OF_AREA, dno),
    }
    rights = LiveRights(database, 3600).of(fsp)
    held = rights.mpan_ids

    def pick_asset(chance: random.Random) -> str:
        number = chance.randrange(rows)
        return f"{number * 4294967296 // rows:08x}-0000-5000-8000-{number:012x}"

    def find_asset(model: ServedModel, chance: random.Random) -> object:
        question = ask(views["asset"], ASSET, {"asset_id": pick_asset(chance)})
        return model.find(question.text, question.parameters)

    def find_portfolio(model: ServedModel, chance: random.Random) -> object:
        question = ask(views["portfolio"], HELD, {}, Part(None, PAGE + 1, held[:PAGE]))
        return model.find(question.text, question.parameters, rights.relations)

    def find_own(model: ServedModel, chance: random.Random) -> object:
        part = Part(None, PAGE + 1, model.find_asset_ids(rights)[:PAGE])
        question = ask(views["own assets"], ASSETS, {"is_present": True}, part)
        return model.find(question.text, question.parameters, rights.relations)

    def find_area(model: ServedModel, chance: random.Random) -> object:
        filters = {"area_level": "primary", "area_id": f"P{chance.randrange(AREAS):05d}"}
        question = ask(views["area"], CAPABILITY_OF_AREA, filters, Part(None, PAGE + 1))
        return model.find(question.text, question.parameters)

    return [
        Measure("one asset", "MARKET", lambda chance: f"/v1/assets/{pick_asset(chance)}", find_asset),
        Measure("portfolio page", "ALPHA", lambda chance: f"/v1/portfolio?limit={PAGE}", find_portfolio),
        Measure("own assets", "ALPHA", lambda chance: f"/v1/assets?limit={PAGE}", find_own),
        Measure("area", "SOUTHERN", lambda chance: f"/v1/areas/primary/P{chance.randrange(AREAS):05d}/capability", find_area),
    ]


def run_bare(model: ServedModel, measure: Measure, connections: int, seconds: float) -> list[float]:
    """Seconds of each answer of DuckDB alone, from so many threads of this process."""
    taken: list[list[float]] = [[] for _ in range(connections)]
    until = time.perf_counter() + seconds

    def run(place: int) -> None:
        chance = random.Random(place)
        while time.perf_counter() < until:
            began = time.perf_counter()
            if not measure.bare(model, chance):
                raise RuntimeError(f"{measure.name}: no rows")
            taken[place].append(time.perf_counter() - began)

    threads = [threading.Thread(target=run, args=(place,)) for place in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [one for times in taken for one in times]


async def run_clients(port: int, token: str, measure: Measure, connections: int, seconds: float) -> list[float]:
    """Seconds of each answer of the service, from so many kept connections that ask without a pause; NaN = sent away."""
    taken: list[float] = []
    until = time.perf_counter() + seconds

    async def run(place: int) -> None:
        chance = random.Random(place)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < until:
            began = time.perf_counter()
            writer.write(f"GET {measure.path(chance)} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
            is_answered = await read_answer(reader)
            taken.append(time.perf_counter() - began if is_answered else np.nan)
        writer.close()

    await asyncio.gather(*(run(place) for place in range(connections)))
    return taken


async def read_answer(reader: asyncio.StreamReader) -> bool:
    """Whether one whole answer is a 200; false where the service is busy and says so."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    length = next(int(line.split(":")[1]) for line in head.lower().split("\r\n") if line.startswith("content-length"))
    body = await reader.readexactly(length)
    if " 503 " in head.partition("\r\n")[0]:
        return False
    if " 200 " not in head.partition("\r\n")[0]:
        raise RuntimeError(f"{head.partition(chr(13))[0]}: {body[:200]!r}")
    return True


def processor_seconds(process_id: int) -> float:
    """Processor time of a process so far, its own and the system's for it (Linux)."""
    fields = Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def report(what: str, name: str, connections: int, taken: list[float], worked_seconds: float) -> None:
    """One line of percentiles, of what an answer costs, and of how many were sent away because the service was busy."""
    p50, p99 = (1000 * float(value) for value in np.nanpercentile(taken, (50, 99)))
    away = int(np.isnan(taken).sum())
    cost = f"{1000 * worked_seconds / len(taken):5.2f} ms of processor time each"
    counts = f"{len(taken) - away:6} answers{f', {away} sent away' if away else ''}"
    print(f"{what:6} {name:14} {connections:2} connections: {counts}, p50 {p50:7.1f} ms, p99 {p99:7.1f} ms, {cost}; {load()}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
