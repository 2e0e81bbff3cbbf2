"""Sends simulated deliveries through Apache Kafka and loads them, loads the same from files, and compares the tables.

compare_kafka_deliveries.py --meters 8

The broker is Apache Kafka from Maven, as in compare_kafka.py. Half of the records are there before the first load; the second load finds
the other half, what was sent twice, and records that are none. Ends with 1 where the tables differ. Starts Spark.
"""

import argparse
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.csv as arrow_csv
from benchmark_gateway import PROGRAM
from confluent_kafka import Producer
from deltalake import DeltaTable
from kafka_broker import CONSUMER, JARS, PRODUCER, fetch_jars, run_broker, write_properties

from fmar_spark.settings.bounds import whole_from
from fmar_spark.simulate.deliveries import simulate_deliveries
from fmar_spark.simulate.plan import FleetPlan

TOPIC: Final = "deliveries"
ROWS_A_RECORD: Final = 20
BAD: Final = (b"", b"{}", b"event_id,fsp_id\nE,F\n", b"\xff\xfe\x00")
OF_THE_WAY: Final = frozenset({"source", "run_id", "loaded_at"})


def main(argv: list[str]) -> int:
    """Send, load, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--meters", type=whole_from(1), default=8)
    parser.add_argument("--jars", type=Path, default=JARS, help="where the broker's jars are kept")
    options = parser.parse_args(argv)
    fetch_jars(options.jars)
    made = simulate_deliveries(FleetPlan(options.meters, date(2025, 9, 1), date(2025, 10, 31), 1), options.meters)
    with tempfile.TemporaryDirectory(prefix="fmar_kafka_") as name:
        folder = Path(name)
        consumer = write_properties(folder / "consumer.properties", CONSUMER)
        for kind, rows in (("events", made.events), ("volumes", made.volumes)):
            arrow_csv.write_csv(rows, folder / f"{kind}.csv")
        records = [*cut(made.events), *cut(made.volumes)]
        with run_broker(folder / "broker", options.jars) as broker:
            topic = ("--kafka", broker.servers, "--topic", TOPIC, "--kafka-config", str(consumer))
            send(broker.servers, records[: len(records) // 2])
            load(folder / "by-topic", *topic)
            send(broker.servers, [*records[len(records) // 2 :], *BAD, *records[:3]])
            load(folder / "by-topic", *topic)
        load(folder / "by-files", "--events", str(folder / "events.csv"), "--volumes", str(folder / "volumes.csv"))
        return compare(folder, len(records))


def cut(rows: pa.Table) -> list[bytes]:
    """Files of a few rows each."""
    found = []
    for first in range(0, rows.num_rows, ROWS_A_RECORD):
        sink = pa.BufferOutputStream()
        arrow_csv.write_csv(rows.slice(first, ROWS_A_RECORD), sink)
        found.append(sink.getvalue().to_pybytes())
    return found


def send(servers: str, records: list[bytes]) -> None:
    """All of them are acknowledged."""
    producer = Producer({"bootstrap.servers": servers, **PRODUCER})
    for record in records:
        producer.produce(TOPIC, record)
    if producer.flush(60):
        raise SystemExit("compare_kafka_deliveries: not all records were acknowledged")


def load(lake: Path, *source: str) -> None:
    """Everything that is there, in a process of its own."""
    subprocess.run([str(PROGRAM), "deliveries", "--lake", str(lake), *source], check=True, stdout=subprocess.DEVNULL)


def compare(folder: Path, records: int) -> int:
    """Print what both lakes hold; 1 where they differ."""
    tables = ("silver/dispatch_events", "silver/asset_volumes")
    by_topic, by_files = ([read(folder / lake / table) for table in tables] for lake in ("by-topic", "by-files"))
    quarantine = DeltaTable(str(folder / "by-topic" / "bronze" / "quarantine")).to_pyarrow_table(columns=["rule"])
    is_same = by_topic == by_files and quarantine.num_rows == len(BAD)
    events, volumes = (len(rows) for rows in by_topic)
    print(f"{records} records, and 3 of them again: {events:,} events and {volumes:,} half-hours by topic")
    print(f"{len(by_files[0]):,} and {len(by_files[1]):,} by files; {quarantine.num_rows} of {len(BAD)} bad records in the quarantine")
    print("the same" if is_same else "DIFFERENT")
    return int(not is_same)


def read(path: Path) -> list[str]:
    """Rows as text, without what says how they came."""
    rows = DeltaTable(str(path)).to_pyarrow_table().to_pylist()
    return sorted(str({name: value for name, value in row.items() if name not in OF_THE_WAY}) for row in rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
