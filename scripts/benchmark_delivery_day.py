"""Measures a day of dispatch events in one run of verify_delivery, Delta to Delta, and whether a second run gives the same verdicts.

Every meter has one event of two hours on the day. Histories of a smaller simulated fleet are repeated under new MPANs: that is
honest for speed, not for rates, which benchmark_verification.py measures. Processor seconds of all processes are counted; making
the lake is not in them.
"""

import argparse
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as arrow_parquet
from benchmark_ingest import measure
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fmar_spark.app import start_logging
from fmar_spark.contracts.deliveries import ASSET_VOLUMES, DELIVERY_CHECKS, DISPATCH_EVENTS
from fmar_spark.contracts.readings import METER_POINTS, READINGS, WEATHER
from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.arrow_columns import list_rows
from fmar_spark.engine.runs import start_run
from fmar_spark.engine.schema import struct_type
from fmar_spark.engine.session import build_session
from fmar_spark.engine.store import TableStore
from fmar_spark.settings.bounds import whole_from
from fmar_spark.settings.overlays import load_settings
from fmar_spark.simulate.fleet import simulate_fleet
from fmar_spark.simulate.plan import FleetPlan
from fmar_spark.simulate.truth_tables import tabulate_weather
from fmar_spark.steps import verify_delivery

DAY: Final = date(2023, 6, 14)
HISTORY_DAYS: Final = 155
"""As many as the expectation and its adjustment learn from."""
START: Final = datetime(2023, 6, 14, 16, tzinfo=UTC)
SLOTS: Final = 4
DECLARED_KWH: Final = 0.5
"""Of each half-hour."""


def main() -> int:
    """Print core-seconds and wall time of the first and the second run, and how many verdicts differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--meters", type=whole_from(1), default=100_000, help="meters, one event each (default: 100000)")
    parser.add_argument("--sources", type=whole_from(1), default=512, help="simulated meters whose histories are repeated (default: 512)")
    parser.add_argument("--seed", type=whole_from(0), default=5, help="seed of the fleet (default: 5)")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="SECTION.KEY=VALUE", help="one setting")
    arguments = parser.parse_args()
    start_logging()
    settings = load_settings("local", arguments.overrides)
    with tempfile.TemporaryDirectory(prefix="fmar_benchmark_") as folder:
        spark = build_session("benchmark_delivery_day", settings.spark)
        store = TableStore(spark, f"{folder}/lake")
        fill_lake(
            store, FleetPlan(arguments.sources, DAY - timedelta(days=HISTORY_DAYS), DAY, arguments.seed), arguments.meters, Path(folder)
        )
        span = verify_delivery.Span(DAY, DAY)
        verdicts = []
        for number in (1, 2):
            spent = measure(lambda: verify_delivery.run(store, start_run("verify_delivery", DAY, ""), settings, span))
            rows = store.read(DELIVERY_CHECKS).select("event_id", "verdict", "rule", "declared_kwh")
            verdicts.append(rows.toPandas().set_index("event_id").sort_index())
            counts = verdicts[-1]["verdict"].value_counts().to_dict()
            seconds = spent.java_seconds + spent.python_seconds
            print(f"run {number}: {counts}; {seconds:,.0f} core-seconds, {spent.wall_seconds:,.0f} s", flush=True)
        differs = int((verdicts[0]["verdict"] != verdicts[1]["verdict"]).sum())
        print(f"verdicts that differ in the second run: {differs}")
    return 0


def fill_lake(store: TableStore, plan: FleetPlan, meters: int, folder: Path) -> None:
    """Readings, standing data, weather, events and declarations of so many meters."""
    fleet = simulate_fleet(plan)
    sources = len(fleet.mpan_id)
    dates = np.datetime64(plan.first_date) + np.arange(plan.days)
    count = sources * plan.days
    table = pa.table(
        {
            "source": np.repeat(np.arange(sources), plan.days),
            "utc_date": pa.array(np.tile(dates, sources), pa.date32()),
            "kwh": list_rows(fleet.import_kwh.reshape(count, 48), pa.list_(pa.float32())),
        }
    )
    arrow_parquet.write_table(table, folder / "sources.parquet")
    weather = tabulate_weather(plan, fleet)
    arrow_parquet.write_table(weather, folder / "weather.parquet")
    spark = store.spark
    numbered = spark.range(meters).select(
        (F.col("id") % sources).alias("source"),
        F.concat(F.lit("20"), F.lpad(F.col("id").cast("string"), 11, "0")).alias("mpan_id"),
        F.concat(F.lit("98"), F.lpad(F.col("id").cast("string"), 11, "0")).alias("amsid"),
    )
    now = F.lit(START + timedelta(days=1))
    groups = spark.createDataFrame(list(enumerate(fleet.gsp_group)), "source int, gsp_group_id string")
    read = numbered.join(F.broadcast(spark.read.parquet(str(folder / "sources.parquet"))), "source")
    put(store, READINGS, read, {"quantity": F.lit("AI"), "quality": F.array_repeat(F.lit("A"), 48), "reported_at": now})
    place = {"time_zone": F.lit("Europe/London"), "latitude": F.lit(51.5), "longitude": F.lit(-0.1), "source": F.lit("import")}
    place |= {"boundary_mpan_id": F.col("mpan_id"), "weather_area": F.col("gsp_group_id"), "is_domestic": F.lit(False)}
    put(
        store,
        METER_POINTS,
        numbered.join(F.broadcast(groups), "source"),
        place | {"interval_minutes": F.lit(30), "reported_at": now},
    )
    put(store, WEATHER, spark.read.parquet(str(folder / "weather.parquet")), {})
    end = START + timedelta(minutes=30 * SLOTS)
    reported = {"declaration_id": F.sha2("amsid", 256), "repeats": F.lit(0), "notices": F.array().cast("array<string>")}
    reported |= {"is_newest": F.lit(True), "source": F.lit("benchmark"), "run_id": F.lit("benchmark"), "loaded_at": now}
    reported |= {"fsp_id": F.concat(F.lit("FSP"), (F.col("source") % 20).cast("string"))}
    event = {"event_id": F.concat(F.lit("E-"), F.col("amsid")), "market": F.lit("dso_local"), "product": F.lit("benchmark")}
    event |= {"start_at": F.lit(START), "end_at": F.lit(end), "dispatch_direction": F.lit("down")}
    put(store, DISPATCH_EVENTS, numbered, event | reported)
    slots = F.explode(F.array(*(F.lit(START + timedelta(minutes=30 * slot)) for slot in range(SLOTS))))
    declared = {"delivered_kwh": F.lit(DECLARED_KWH), "is_network_sign": F.lit(False)}
    put(store, ASSET_VOLUMES, numbered.withColumn("slot_start_at", slots), declared | reported)


def put(store: TableStore, contract: TableContract, rows: DataFrame, columns: dict[str, Column]) -> None:
    """The rows in a table; columns that are not given are null."""
    named = rows.withColumns(columns)
    schema = struct_type(contract)
    given = [(F.col(field.name) if field.name in named.columns else F.lit(None)).cast(field.dataType).alias(field.name) for field in schema]
    store.append(named.select(*given), contract)


if __name__ == "__main__":
    raise SystemExit(main())
