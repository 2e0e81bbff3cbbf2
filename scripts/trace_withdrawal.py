"""Follows one household of a copy of the demo's lake through a withdrawal: in how many tables and files it is named before and after.

trace_withdrawal.py --lake DIR      counts, by table and by file, after each of: the lake as it is, the next run of every job,
                                    maintenance once its readings are old, erasure, and redaction of the register once claims can
                                    rest on nothing in it (starts Spark)

Ends with 1 where anything but a declared exemption names the meter after its erasure, or the register after its redaction.
"""

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
from sqlalchemy import select

from fmar_spark.app import App
from fmar_spark.commands import (
    build_audiences,
    characterise,
    flag_discrepancies,
    maintain_tables,
    measure_operation,
    mirror_register,
    predict_baseline,
    publish_read_model,
    verify_delivery,
)
from fmar_spark.contracts.job import Job
from fmar_spark.engine.lake_sql import LakeRows
from fmar_spark.intake.consent.decisions import BASIS_SCHEMA
from fmar_spark.report.page import Order, write_report
from fmar_spark.services.capability.sample import REGISTER_FILE
from fmar_spark.services.register.access import EVERYTHING
from fmar_spark.services.register.database import RegisterDatabase, migrate
from fmar_spark.services.register.ledger import Actor, verify_ledger
from fmar_spark.services.register.records import ENDED, change_of
from fmar_spark.services.register.redaction import describe_kept, find_kept, redact_meter
from fmar_spark.services.register.tables import AGREEMENT, AGREEMENTS
from fmar_spark.settings.overlays import load_settings
from fmar_spark.settings.sections import RegisterSettings
from fmar_spark.steps import answer_subject, record_legal_basis

LOG: Final = "_delta_log"
TEST_OF_TEXT: Final = "contains(CAST({} AS VARCHAR), ?)"
TEST_OF_LIST: Final = "list_contains({}, ?)"
"""Cheaper, for the marks of all half-hours."""
LAST: Final = date(2014, 1, 25)
OBJECTION: Final = "silver.legal_bases"
OPERATOR: Final = Actor("operator", "trace_withdrawal")
NAMES: Final = """
    SELECT asset_id AS name FROM gold.fmar_assets WHERE mpan_id = '{mpan}'
    UNION SELECT amsid FROM silver.agreements WHERE mpan_id = '{mpan}'
"""
LATER: Final = date(2015, 3, 25)
"""Fourteen months after the demo's last day: all its readings of households are old."""
CHOICE: Final = """
    SELECT d.mpan_id FROM gold.discrepancies d JOIN silver.meter_points m ON m.mpan_id = d.mpan_id
    JOIN gold.fmar_assets a ON a.mpan_id = d.mpan_id WHERE coalesce(m.is_domestic, TRUE) ORDER BY d.mpan_id LIMIT 1
"""


def list_mentions(folder: Path, names: Sequence[str]) -> Counter[str]:
    """How many files name a meter, by Delta table and by file outside of tables: what is there is listed, no list of tables is asked.

    Args:
        folder: searched to the bottom, Delta's logs and older versions included.
        names: of the meter: MPANs, series, ids of its assets.
    """
    found: Counter[str] = Counter()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if names_meter(path, names):
            found[name_place(folder, path)] += 1
    return found


def name_place(folder: Path, path: Path) -> str:
    """``layer.name`` of a file of a Delta table, with `` log`` behind it for its log; else the path."""
    for parent in path.relative_to(folder).parents:
        if parent.name == LOG:
            return f"{'.'.join(parent.parent.parts)} log"
        if (folder / parent / LOG).is_dir():
            return ".".join(parent.parts)
    return str(path.relative_to(folder))


def names_meter(path: Path, names: Sequence[str]) -> bool:
    """Whether a file holds one of the names, in any column of any table where it is one of columns."""
    if path.suffix == ".parquet":
        with duckdb.connect() as connection:
            return has_row(connection, f"read_parquet('{path}')", names)
    if path.suffix == ".duckdb":
        with duckdb.connect(str(path), read_only=True) as connection:
            tables = connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
            return any(has_row(connection, f'"{schema}"."{name}"', names) for schema, name in tables)
    content = path.read_bytes()
    return any(name.encode() in content for name in names)


def has_row(connection: duckdb.DuckDBPyConnection, relation: str, names: Sequence[str]) -> bool:
    """Whether a column with text, however deep in it, holds one of the names."""
    described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    tests = [TEST_OF_LIST if kind == "VARCHAR[]" else TEST_OF_TEXT for _, kind, *_ in described]
    columns = [test.format(f'"{name}"') for (name, kind, *_), test in zip(described, tests, strict=True) if "VARCHAR" in kind]
    if not columns:
        return False
    conditions = " OR ".join(column for column in columns for _ in names)
    values = [name for _ in columns for name in names]
    return connection.execute(f"SELECT 1 FROM {relation} WHERE {conditions} LIMIT 1", values).fetchone() is not None


def main(argv: list[str]) -> int:
    """Count and print; 1 where anything but its objection and logs names the meter after it was erased."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lake", type=Path, required=True, help="a lake of the demo; it is copied")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="fmar_withdrawal_") as folder:
        lake = Path(shutil.copytree(options.lake, Path(folder) / "lake"))
        settings = load_settings("local", [f"lake.root={lake}", "retention.vacuum_hours=0"])
        app = App(Job("trace_withdrawal"), settings, LAST)
        with closing(app):
            return trace(app, lake)


def trace(app: App, lake: Path) -> int:
    """Each stage, then what names the meter."""
    mpan = str(LakeRows(lake).rows(CHOICE)[0]["mpan_id"])
    assets = {str(row["name"]) for row in LakeRows(lake).rows(NAMES.format(mpan=mpan))}
    stages: list[tuple[str, Callable[[], None]]] = [
        ("before", lambda: publish(app, lake)),
        ("next runs", lambda: withdraw_and_run(app, lake, mpan)),
        ("maintained", lambda: maintain(app)),
        ("erased", lambda: erase(app, lake, mpan)),
        ("register redacted", lambda: redact(app, lake, mpan)),
    ]
    counts: list[Counter[str]] = []
    for name, run in stages:
        began = datetime.now()
        run()
        counts.append(list_mentions(lake, (mpan, *assets)))
        print(f"{name}: named in {len(counts[-1])} tables, logs and files ({(datetime.now() - began).seconds} s)", flush=True)
    places = sorted(set().union(*counts))
    print_table(["named in files of", *(name for name, _ in stages)], [[place, *(one[place] for one in counts)] for place in places])
    return report_exemptions(counts[-2], counts[-1])


def report_exemptions(erased: Counter[str], redacted: Counter[str]) -> int:
    """Print what still names the meter and why it may; 1 where there is no reason."""
    found = {place: find_exemption(place) for place in erased}
    for reason, number in Counter(found.values()).items():
        print(f"{number} after erasure: {reason or 'WITHOUT A REASON'}")
    left = [place for place in redacted if not find_exemption(place) or place.startswith(str(REGISTER_FILE))]
    print(f"{len(left)} without a reason after redaction: {', '.join(left) or 'none'}")
    return int("" in found.values() or bool(left))


def find_exemption(place: str) -> str:
    """Why a place may name a meter that was erased; '' where nothing says so."""
    if place == OBJECTION:
        return "the customer's objection, without which the next message would bring the meter back"
    if place.endswith(" log"):
        return "Delta's logs: smallest and largest values of files that have gone, until the entries are 30 days old"
    if place.startswith(str(REGISTER_FILE)):
        return f"the register, kept for {RegisterSettings().retention_basis}"
    return ""


def publish(app: App, lake: Path) -> None:
    """What readers have: the read model, the page of the lake, the page of its operation."""
    publish_read_model.run(app)
    write_report(lake, lake / "report.html", Order(), lambda stage: None)
    measure_operation.run(app)


def withdraw_and_run(app: App, lake: Path, mpan: str) -> None:
    """The customer opts out; then every job of a day."""
    row: dict[str, Any] = dict.fromkeys(BASIS_SCHEMA.names)
    row |= {"mpan_id": mpan, "purpose": "any", "basis": "public task", "state": "opted_out", "source": "operator"}
    rows = pa.Table.from_pylist([row], schema=BASIS_SCHEMA)
    app.run_step("record_legal_basis", lambda store, run: record_legal_basis.run_for_rows(store, run, rows))
    characterise.run(app, None, None, None, accept_drop=False)
    predict_baseline.run(app, date(2014, 1, 19), LAST, None, last_week=False)
    mirror_register.run(app, f"sqlite:///{lake / REGISTER_FILE}")
    build_audiences.run(app)
    verify_delivery.run(app, None, None)
    flag_discrepancies.run(app)
    publish(app, lake)


def maintain(app: App) -> None:
    """The weekly job, when what is in the lake has become old."""
    app.run_date = LATER
    maintain_tables.run(app, dry_run=False)


def erase(app: App, lake: Path, mpan: str) -> None:
    """At the customer's request; then the register is mirrored again, as every night."""
    app.run_step("answer_subject", lambda store, run: answer_subject.run_erase(store, run, mpan))
    mirror_register.run(app, f"sqlite:///{lake / REGISTER_FILE}")
    publish(app, lake)


def redact(app: App, lake: Path, mpan: str) -> None:
    """Its agreements end, the time in which claims can be brought passes, and the register names it no more; the chain stays whole."""
    settings = app.settings.agreements.model_copy(update={"database_url": f"sqlite:///{lake / REGISTER_FILE}"})
    with closing(RegisterDatabase(settings)) as register:
        migrate(register)
        print(f"register: {describe_kept(find_kept(register, settings, mpan), settings)}")
        end_agreements(register, mpan)
        until = find_kept(register, settings, mpan).until_date
        if until is None:
            raise SystemExit("trace_withdrawal: an agreement or a dispute is still open")
        versions = redact_meter(register, settings, mpan, until, OPERATOR)
        print(f"register, its agreements ended: kept until {until}; then {versions} versions redacted")
        verified = verify_ledger(register)
    if verified.breaks:
        raise SystemExit(f"trace_withdrawal: the ledger is broken: {verified.breaks}")
    mirror_register.run(app, f"sqlite:///{lake / REGISTER_FILE}")
    publish(app, lake)


def end_agreements(register: RegisterDatabase, mpan: str) -> None:
    """Every agreement about the meter that has no end ends now."""
    with change_of(register, EVERYTHING, OPERATOR) as change:
        endless = (AGREEMENTS.c.mpan_id == mpan, AGREEMENTS.c.known_to_at.is_(None), AGREEMENTS.c.valid_to_at.is_(None))
        for row in change.connection.execute(select(AGREEMENTS).where(*endless)).mappings().all():
            change.replace(AGREEMENT, dict(row), {"valid_to_at": max(change.now, row["valid_from_at"])}, ENDED)


def print_table(headings: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """As Markdown."""
    print("| " + " | ".join(headings) + " |")
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
