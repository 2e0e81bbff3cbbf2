"""Writes a simulated fleet as a landing folder of DIP messages, and finds the truth that it leaves beside them."""

import logging
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as arrow_parquet
import yaml

from fmar_spark.engine.runs import Written
from fmar_spark.errors import ConfigError, InputError
from fmar_spark.simulate.landing import TRUTH_FOLDER, write_deliveries, write_landing
from fmar_spark.simulate.plan import FleetPlan, Mix, mix_from

READS = ()
WRITES = ()
PLAN_FILE = "plan.txt"
_log = logging.getLogger(__name__)


class Order(NamedTuple):
    """A fleet, where it goes, and how."""

    plan: FleetPlan
    out_dir: Path
    faults: tuple[str, ...]
    workers: int
    deliveries: int = 0
    """Further meters with dispatch events and FSPs that declare them."""


def run(order: Order) -> Written:
    """The landing folder of the plan stands; the same order again writes the same files.

    Raises:
        ConfigError: the folder holds another fleet, with which this one would be mixed.
    """
    said = f"{order.plan!r} faults={','.join(order.faults)}\n"
    note = order.out_dir / TRUTH_FOLDER / PLAN_FILE
    if note.exists() and note.read_text(encoding="utf-8") != said:
        raise ConfigError(f"--out: {order.out_dir} holds a fleet of another plan ({note}); name an empty folder")
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(said, encoding="utf-8")
    summary = write_landing(order.plan, order.out_dir, list(order.faults), workers=order.workers)
    _log.info("simulate_fleet: %s messages in %s files at %s", summary.messages, summary.files, order.out_dir)
    counts = {"meters": summary.meters, "files": summary.files, "messages": summary.messages}
    if order.deliveries:
        counts["delivery_meters"] = write_deliveries(order.plan, order.out_dir, order.deliveries).meters
    return Written(counts | {f"fault_{name}": count for name, count in summary.injected.items()}, summary.messages)


def read_mix(path: Path | None) -> Mix:
    """The shares of a YAML or JSON file over the default mix.

    Raises:
        ConfigError: not a mapping of known shares.
    """
    if path is None:
        return Mix()
    try:
        shares = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(shares, dict):
        raise ConfigError(f"{path}: a mapping of shares wanted")
    return mix_from(shares)


def read_truth(out_dir: Path, name: str, schema: pa.Schema) -> pa.Table:
    """A truth table with the columns of the schema; columns that the truth does not have are null.

    Raises:
        InputError: the landing folder has no such truth.
    """
    folder = out_dir / TRUTH_FOLDER / name
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; run jobs/simulate_fleet.py first")
    stored = arrow_parquet.read_table(folder)
    columns = [
        stored[field.name].cast(field.type) if field.name in stored.column_names else pa.nulls(stored.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
