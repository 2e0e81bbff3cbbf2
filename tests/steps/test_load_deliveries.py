"""Declared deliveries from a topic: the tables of the same files, each declaration once."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as arrow_parquet
from lake_rows import read_rows
from pyspark.sql import DataFrame, SparkSession

from fmar_spark.contracts.deliveries import ASSET_VOLUMES, DISPATCH_EVENTS
from fmar_spark.contracts.operations import QUARANTINE
from fmar_spark.engine.runs import start_run
from fmar_spark.engine.store import TableStore
from fmar_spark.engine.stream import Topic
from fmar_spark.intake.deliveries.rows import DeclarationRules
from fmar_spark.intake.deliveries.staging import Sources, stage_declarations
from fmar_spark.steps import load_deliveries

METER = {"mpan_id": "2000056535971", "amsid": "1900012374324", "fsp_id": "fsp-a", "version": ""}
EVENT = {**METER, "event_id": "E1", "start_utc": "2026-01-15T17:00:00Z", "end_utc": "2026-01-15T19:00:00Z", "direction": "down"}
VOLUME = {**METER, "period_start_utc": "2026-01-15T17:00:00Z", "delivered_kwh": "1.5"}
OF_THE_WAY = {"source", "run_id", "loaded_at", "quarantine_id", "quarantined_at"}


class FolderTopic(Topic):
    """A topic whose records lie in a folder."""

    def rows(self, spark: SparkSession, records_per_trigger: int) -> DataFrame:
        return spark.readStream.schema("source string, content binary").parquet(self.name)


def write_csv(row: dict[str, str]) -> str:
    return f"{','.join(row)}\n{','.join(row.values())}\n"


def send(folder: Path, name: str, *contents: str) -> None:
    rows = [{"source": f"t:0:{name}{place}", "content": content.encode()} for place, content in enumerate(contents)]
    arrow_parquet.write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")


def read(store: TableStore, *tables: Any) -> list[list[tuple[str, ...]]]:
    found = [read_rows(store, table) for table in tables]
    return [sorted(tuple(f"{key}={row[key]}" for key in sorted(row.keys() - OF_THE_WAY)) for row in rows) for rows in found]


def test_a_topic_gives_the_tables_of_the_same_files_however_often_it_is_read(spark: SparkSession, tmp_path: Path) -> None:
    corrected = {**VOLUME, "delivered_kwh": "2.5", "version": "2"}
    events, broken = write_csv(EVENT), write_csv({**EVENT, "end_utc": "2026-01-15T16:00:00Z"})
    topic = tmp_path / "topic"
    topic.mkdir()
    by_topic, by_files = TableStore(spark, str(tmp_path / "by-topic")), TableStore(spark, str(tmp_path / "by-files"))

    def take() -> dict[str, int]:
        run = start_run("load_deliveries", None, "")
        return load_deliveries.run_topic(by_topic, run, FolderTopic("h:1", str(topic)), 10, DeclarationRules()).counts

    send(topic, "a", events, write_csv(corrected), "{}")
    assert take()["quarantined"] == 1
    send(topic, "b", write_csv(VOLUME), events, broken)
    counts = take()
    assert (counts["batches"], counts["events_written"], counts["volumes_written"], counts["quarantined"]) == (1, 0, 1, 1)
    before = read(by_topic, DISPATCH_EVENTS, ASSET_VOLUMES, QUARANTINE)
    assert take()["batches"] == 0
    send(topic, "c", events, write_csv(corrected))
    again = take()
    assert (again["events_written"], again["volumes_written"]) == (0, 0)
    assert read(by_topic, DISPATCH_EVENTS, ASSET_VOLUMES, QUARANTINE) == before
    for name, texts in (("events", [events, broken]), ("volumes", [write_csv(VOLUME), write_csv(corrected)])):
        (tmp_path / name).mkdir()
        for place, text in enumerate(texts):
            (tmp_path / name / f"{place}.csv").write_text(text, encoding="utf-8")
    (tmp_path / "staging").mkdir()
    staged = stage_declarations(Sources(tmp_path / "events", tmp_path / "volumes"), tmp_path / "staging", DeclarationRules())
    load_deliveries.run(by_files, start_run("load_deliveries", None, ""), staged)
    assert read(by_files, DISPATCH_EVENTS, ASSET_VOLUMES) == before[:2]
