from pathlib import Path

import pandas as pd

from fmar_spark.contracts.operations import QUARANTINE
from fmar_spark.contracts.readings import INTERVAL_IMPORTS, LABELS, LEGAL_BASES, SERIES, WEATHER
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
from fmar_spark.steps import import_intervals, load_labels, load_weather, record_legal_basis


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
