import gzip
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as arrow_parquet
import pytest
from pyspark.sql import functions as F

from fmar_spark.contracts.operations import QUARANTINE
from fmar_spark.contracts.readings import INTERVAL_IMPORTS, LABELS, LEGAL_BASES, READINGS, SERIES, WEATHER
from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.runs import Written, start_run
from fmar_spark.engine.store import TableStore
from fmar_spark.intake.intervals.companions import SiteRow, read_labels
from fmar_spark.intake.intervals.files import find_files
from fmar_spark.intake.intervals.importing import import_files
from fmar_spark.intake.intervals.rows import ReadingRules
from fmar_spark.intake.intervals.series_rows import Surroundings
from fmar_spark.intake.intervals.weather import WeatherFile, read_weather
from fmar_spark.settings.sections import ImportSettings
from fmar_spark.steps import build_readings, import_intervals, load_labels, load_weather, record_legal_basis


def write_homes(path: Path, kwh: float, bad_line: str = "") -> Path:
    times = pd.date_range("2024-01-01", periods=96, freq="30min").strftime("%Y-%m-%dT%H:%M:%SZ")
    lines = [f"{name},{at},{kwh if name == 'a' else 0.2}" for name in ("a", "b") for at in times]
    path.write_text("\n".join(["series_id,timestamp_utc,kwh_import", *lines, bad_line]) + "\n")
    return path


def run_import(store: TableStore, source: Path, weather: WeatherFile | None = None, sites: dict[str, SiteRow] | None = None) -> Written:
    staging = source.parent / f"_staging{len(list(source.parent.iterdir()))}"
    staging.mkdir()
    staged = import_files(find_files(source), staging, ReadingRules())
    around = Surroundings(sites or {}, weather, ImportSettings())
    return import_intervals.run(store, start_run("import_intervals", None, ""), staged, around)


def rows_of(store: TableStore, contract: TableContract, *order: str) -> list[dict[str, object]]:
    return [row.asDict(recursive=True) for row in store.read(contract).orderBy(*order).collect()]


HEADING = "series_id,timestamp_utc,kwh_import"


def list_stamps(count: int, minutes: int = 30, start: str = "2024-01-01") -> list[str]:
    return pd.date_range(start, periods=count, freq=f"{minutes}min").strftime("%Y-%m-%dT%H:%M:%SZ").tolist()


def write_odd_files(folder: Path) -> Path:
    """Each the least that shows a kind of fault; a series is called as its file."""
    folder.mkdir()

    def write(name: str, rows: list[str], heading: str = HEADING) -> None:
        (folder / f"{name}.csv").write_text("\n".join([heading, *(f"{name},{row}" for row in rows), ""]), encoding="latin-1")

    codes = ["4294.967" if slot in (40, 41) else "0.2" for slot in range(100)]
    write("codes", [f"{at},{kwh}" for at, kwh in zip(list_stamps(100), codes, strict=True)])
    write("quarters", [f"{at},1.0" for at in list_stamps(4)] + [f"{at},0.5" for at in list_stamps(12, 15, "2024-01-01T02:00")])
    write("halves", [f"{at},1.0" for at in list_stamps(12)] + [f"{at},0.5" for at in list_stamps(4, 15, "2024-01-01T06:00")])
    write("heading", [f"{at},0.2,A" for at in list_stamps(3)], f'{HEADING},"Quality, stated"')
    write("note", ['2024-01-01T00:00:00Z,0.1,"two\nlines"', "2024-01-01T00:30:00Z,abc,x"], f"{HEADING},note")
    write(
        "dash",
        [f"{at},0.1,{'a' + chr(150) + 'b' if place == 300 else 'x'}" for place, at in enumerate(list_stamps(336))],
        f"{HEADING},note",
    )
    write("quote", [('"' if place == 3 else "") + f"{at},0.2" for place, at in enumerate(list_stamps(12))])
    capital = "\n".join([HEADING, *(f"capital,{at},1" for at in list_stamps(2)), ""])
    (folder / "CAPITAL.CSV.GZ").write_bytes(gzip.compress(capital.encode()))
    plain = pa.table({"series_id": ["dictionary"] * 96, "timestamp_utc": list_stamps(96), "kwh_import": [0.2] * 96})
    for name in ("dictionary", "view"):
        kind = pa.dictionary(pa.int32(), pa.string()) if name == "dictionary" else pa.string_view()
        columns = {"series_id": pa.array([name] * 96).cast(kind), "timestamp_utc": plain["timestamp_utc"].combine_chunks().cast(kind)}
        arrow_parquet.write_table(pa.table({**columns, "kwh_import": plain["kwh_import"]}), folder / f"{name}.parquet")
    return folder


def test_odd_files_end_in_the_tables_with_their_right_energies_and_every_fault_by_its_line(store: TableStore, tmp_path: Path) -> None:
    written = run_import(store, write_odd_files(tmp_path / "odd"))
    build_readings.run(store, start_run("build_readings", None, ""))
    read = store.read(READINGS).join(store.read(SERIES).select("series_id", "mpan_id"), "mpan_id")
    slots = read.select("series_id", F.explode("kwh").alias("kwh")).groupBy("series_id").agg(F.count("kwh"), F.sum("kwh")).collect()
    assert {row[0]: (row[1], pytest.approx(row[2], abs=1e-4)) for row in slots} == {
        "codes": (98, 19.6),
        "quarters": (10, 10.0),
        "halves": (14, 14.0),
        "heading": (3, 0.6),
        "note": (1, 0.1),
        "dash": (336, 33.6),
        "quote": (11, 2.2),
        "capital": (2, 2.0),
        "dictionary": (96, 19.2),
        "view": (96, 19.2),
    }
    assert {(row["source"], row["rule"]) for row in rows_of(store, QUARANTINE, "source")} == {
        ("codes.csv:42", "kwh_error_code"),
        ("codes.csv:43", "kwh_error_code"),
        ("note.csv:4", "kwh_not_a_number"),
        ("quote.csv:5", "row_quote"),
    }
    assert written.rows_quarantined == 4


def test_an_import_changes_nothing_twice_and_a_corrected_file_is_a_newer_version(store: TableStore, tmp_path: Path) -> None:
    first = write_homes(tmp_path / "homes.csv", 0.5, "a,2024-01-03T00:00:00Z,-7")
    written = run_import(store, first)
    assert (written.counts["days_added"], written.rows_kept, written.rows_quarantined) == (4, 192, 1)
    series, days, rejected = (rows_of(store, table, table.key[0]) for table in (SERIES, INTERVAL_IMPORTS, QUARANTINE))
    assert [(row["series_id"], row["interval_minutes"], row["rows_quarantined"]) for row in series] == [("a", 30, 1), ("b", 30, 0)]
    assert (rejected[0]["source"], rejected[0]["rule"], rejected[0]["mpan_id"]) == ("homes.csv:194", "kwh_negative", series[0]["mpan_id"])

    assert run_import(store, first).counts["days_added"] == 0
    assert [rows_of(store, table, table.key[0]) for table in (SERIES, INTERVAL_IMPORTS, QUARANTINE)] == [series, days, rejected]

    assert run_import(store, write_homes(first, 0.75)).counts["days_added"] == 2
    assert run_import(store, write_homes(first, 0.5)).counts["days_added"] == 2
    versions = [row for row in rows_of(store, INTERVAL_IMPORTS, "imported_at") if row["series_id"] == "a"]
    assert [row["kwh"][0] for row in versions] == [0.5, 0.5, 0.75, 0.75, 0.5, 0.5]


def test_what_comes_beside_the_intervals_is_kept_when_a_later_import_does_not_repeat_it(store: TableStore, tmp_path: Path) -> None:
    homes = write_homes(tmp_path / "homes.csv", 0.5)
    pd.DataFrame({"timestamp_utc": ["2024-01-01T00:00:00Z", "2024-01-01T01:00:00Z"], "temp_c": [4, 6]}).to_csv(
        tmp_path / "town.csv", index=False
    )
    weather = read_weather(tmp_path / "town.csv")
    run = start_run("test", None, "")
    load_weather.run(store, run, weather.days)
    load_weather.run(store, run, weather.days)
    assert [row["temp_c"][:3] for row in rows_of(store, WEATHER, "utc_date")] == [[4.0, 5.0, 6.0]]

    run_import(store, homes, weather, {"a": SiteRow(55.0, -3.0, None, "_N", True)})
    run_import(store, homes)
    found = {row["series_id"]: row for row in rows_of(store, SERIES, "series_id")}
    assert (found["a"]["latitude"], found["a"]["gsp_group_id"], found["a"]["is_domestic"]) == (55.0, "_N", True)
    assert (found["b"]["latitude"], found["b"]["time_zone"], found["b"]["weather_area"]) == (51.5, "Europe/London", "import:town")

    record_legal_basis.run_for_series(store, run, ("a", "b"), "own data", "homes.csv")
    record_legal_basis.run_for_series(store, start_run("test", None, ""), ("a",), "own data", "homes.csv")
    assert [row["recorded_at"] for row in rows_of(store, LEGAL_BASES, "mpan_id")] == [
        rows_of(store, LEGAL_BASES, "mpan_id")[0]["recorded_at"]
    ] * 2

    (tmp_path / "labels.csv").write_text("series_id,has_ev,has_pv\na,1,\n1200023305967,0,1\nstranger,1,1\n")
    written = load_labels.run(store, run, read_labels(tmp_path / "labels.csv"))
    assert written.counts == {"labels": 2, "labels_of_unknown_series": 1}
    assert {row["mpan_id"]: row["has_ev"] for row in rows_of(store, LABELS, "series_id")} == {
        found["a"]["mpan_id"]: True,
        "1200023305967": False,
    }
