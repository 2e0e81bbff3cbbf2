"""Measures characterisation, Delta to Delta: simulated readings in silver.readings to profiles and gold tables.

Processor seconds of all processes are counted. The reference is the same rows brought together by meter and handed to a
kernel that answers nothing, in the same run: what transport alone costs.
"""

import argparse
import resource
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as arrow_parquet
from benchmark_ingest import Spent, measure
from pyspark.sql import functions as F

from fmar_spark.app import start_logging
from fmar_spark.contracts.capability import BASELINES
from fmar_spark.contracts.readings import LEGAL_BASES, METER_POINTS, READINGS, WEATHER
from fmar_spark.engine.bridge import map_whole_keys
from fmar_spark.engine.runs import Written, start_run
from fmar_spark.engine.session import build_session
from fmar_spark.engine.store import TableStore
from fmar_spark.intake.intervals.weather import WEATHER_SCHEMA
from fmar_spark.settings.bounds import whole_from
from fmar_spark.settings.overlays import load_settings
from fmar_spark.simulate.fleet import Fleet, simulate_chunks
from fmar_spark.simulate.plan import FleetPlan
from fmar_spark.simulate.truth_tables import tabulate_weather
from fmar_spark.steps import characterise
from fmar_spark.steps.lake_inputs import read_eligible_days
from fmar_spark.transforms.eligibility import RunDays

FIRST, LAST = date(2023, 1, 1), date(2023, 12, 31)
SLOTS_PER_DAY = 48
PAUSE_SECONDS = 0.25


def main() -> int:
    """Print meter-years a core-second of transport alone and of the whole job, and the largest Python worker."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--meters", type=whole_from(1), default=5000, help="import meters, a year each (default: 5000)")
    parser.add_argument("--seed", type=whole_from(0), default=77, help="seed of the fleet, not the classifier's (default: 77)")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="SECTION.KEY=VALUE", help="one setting")
    arguments = parser.parse_args()
    start_logging()
    settings = load_settings("local", arguments.overrides)
    with tempfile.TemporaryDirectory(prefix="fmar_benchmark_") as folder:
        spark = build_session("benchmark_characterise", settings.spark)
        store = TableStore(spark, f"{folder}/lake")
        fill_lake(store, FleetPlan(arguments.meters, FIRST, LAST, arguments.seed), Path(folder))
        warm = TableStore(spark, f"{folder}/warm_lake")
        fill_lake(warm, FleetPlan(128, FIRST, LAST, arguments.seed + 1), Path(folder) / "warm")
        characterise.run(warm, start_run("characterise", LAST, ""), settings, ())
        with watch_workers() as largest:
            moved = measure(lambda: move_only(store))
            whole = measure(lambda: characterise.run(store, start_run("characterise", LAST, ""), settings, ()))
        spark.stop()
    for name, spent in (("reference: transport alone", moved), ("characterise, Delta to Delta", whole)):
        print(describe(name, spent, arguments.meters))
    print(f"largest Python worker {largest[0] / 2**20:.0f} MiB")
    return 0


def describe(name: str, spent: Spent, meters: int) -> str:
    """One line of the figures."""
    core_seconds = spent.java_seconds + spent.python_seconds
    return (
        f"{name:32s} {meters / core_seconds:8,.0f} meter-years a core-second "
        f"(JVM {spent.java_seconds:.1f} s, Python {spent.python_seconds:.1f} s, wall {spent.wall_seconds:.1f} s)"
    )


def fill_lake(store: TableStore, plan: FleetPlan, folder: Path) -> None:
    """The plan's readings, meter points, legal bases and weather, as ingestion would leave them."""
    staged = folder / "staged"
    staged.mkdir(parents=True)
    meters: list[tuple[str, str, bool]] = []
    for number, fleet in enumerate(simulate_chunks(plan)):
        arrow_parquet.write_table(lay_days(fleet, plan), staged / f"{number:05d}.parquet")
        meters += zip(fleet.mpan_id, fleet.gsp_group, map(bool, fleet.is_domestic), strict=True)
        if number == 0:
            weather = tabulate_weather(plan, fleet).select(WEATHER_SCHEMA.names).cast(WEATHER_SCHEMA)
            store.append(store.spark.createDataFrame(weather), WEATHER)
    reported_at = F.lit("2024-01-01").cast("timestamp")
    days = store.spark.read.parquet(str(staged))
    blank = {
        "quality": F.array_repeat(F.lit("A"), SLOTS_PER_DAY),
        "opted_out": F.lit(None).cast("array<boolean>"),
        "reported_at": reported_at,
    }
    store.append(days.withColumns(blank), READINGS)
    points = store.spark.createDataFrame(meters, "mpan_id string, gsp_group_id string, is_domestic boolean")
    unknown = ("connection_type", "energy_direction", "market_segment", "annual_kwh")
    placed = points.withColumns(
        {
            **{name: F.lit(None).cast(METER_POINTS.column(name).type) for name in unknown},
            "source": F.lit("dip"),
            "is_energised": F.lit(True),
            "boundary_mpan_id": F.col("mpan_id"),
            "consent_granularity": F.lit("H"),
            "interval_minutes": F.lit(30),
            "time_zone": F.lit("Europe/London"),
            "latitude": F.lit(52.0),
            "longitude": F.lit(-1.0),
            "weather_area": F.col("gsp_group_id"),
            "reported_at": reported_at,
        }
    )
    store.append(placed, METER_POINTS)
    empty = {column.name: F.lit(None).cast(column.type) for column in LEGAL_BASES.columns if column.name != "mpan_id"}
    grants = {"purpose": F.lit("any"), "basis": F.lit("simulated"), "source": F.lit("benchmark"), "recorded_at": reported_at}
    store.append(points.withColumns(empty | grants), LEGAL_BASES)


def lay_days(fleet: Fleet, plan: FleetPlan) -> pa.Table:
    """Import and export days of a block; the export lies under the import meter's own number."""
    parts = []
    dates = np.datetime64(plan.first_date) + np.arange(plan.days)
    for quantity, kwh in (("AI", fleet.import_kwh), ("AE", fleet.export_kwh)):
        days = kwh.reshape(len(fleet.mpan_id), plan.days, SLOTS_PER_DAY)
        meter, day = np.nonzero(~np.isnan(days).all(axis=2))
        values = days[meter, day].reshape(-1)
        offsets = np.arange(0, len(values) + 1, SLOTS_PER_DAY, dtype=np.int32)
        parts.append(
            pa.table(
                {
                    "mpan_id": pa.array(fleet.mpan_id).take(pa.array(meter)),
                    "utc_date": pa.array(dates[day]),
                    "quantity": pa.array([quantity] * len(meter)),
                    "kwh": pa.ListArray.from_arrays(offsets, pa.array(values, mask=np.isnan(values))),
                }
            )
        )
    return pa.concat_tables(parts)


def move_only(store: TableStore) -> Written:
    """Every meter's rows reach a worker whole; nothing comes back."""
    rows = read_eligible_days(store, RunDays(LAST, LAST))

    def answer_nothing(chunk: pa.Table) -> Iterator[pa.RecordBatch]:
        yield from ()

    moved = map_whole_keys(rows, "mpan_id", answer_nothing, BASELINES, 128, 0)
    moved.write.format("noop").mode("overwrite").save()
    return Written({"tables": 1})


@contextmanager
def watch_workers() -> Iterator[list[int]]:
    """The largest resident size of a Spark Python worker, bytes, while the block runs."""
    largest = [0]
    is_over = threading.Event()

    def look() -> None:
        while not is_over.wait(PAUSE_SECONDS):
            largest[0] = max(largest[0], *map(size_of_worker, Path("/proc").glob("[0-9]*")))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield largest
    finally:
        is_over.set()
        watcher.join()


def size_of_worker(process: Path) -> int:
    """Resident bytes of a Spark Python worker; 0 for any other process, and for one that has gone."""
    try:
        is_worker = b"pyspark.daemon" in (process / "cmdline").read_bytes()
        return int((process / "statm").read_text().split()[1]) * resource.getpagesize() if is_worker else 0
    except OSError:
        return 0


if __name__ == "__main__":
    raise SystemExit(main())
