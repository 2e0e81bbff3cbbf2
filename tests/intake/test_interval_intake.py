import gzip
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as arrow_parquet
import pytest

from fmar_spark.errors import ConfigError, InputError
from fmar_spark.intake.intervals.files import find_files
from fmar_spark.intake.intervals.importing import StagedIntake, import_files
from fmar_spark.intake.intervals.options import ReadingOptions
from fmar_spark.intake.intervals.report import describe_intake
from fmar_spark.intake.intervals.rows import ReadingRules
from fmar_spark.intake.intervals.tables import import_table
from fmar_spark.settings.sections import ImportSettings

HEADER = "series_id,timestamp_utc,kwh_import"


def take(source: Path, zones: dict[str, str] | None = None) -> StagedIntake:
    staging = source.parent / f"_staging_{source.name}"
    staging.mkdir()
    return import_files(find_files(source), staging, ReadingRules(zones or {}))


def write_csv(folder: Path, lines: list[str], name: str = "homes.csv", header: str = HEADER) -> Path:
    path = folder / name
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return path


def write_series(folder: Path, start: str, periods: int, minutes: int, kwh: np.ndarray | None = None, name: str = "a") -> Path:
    times = pd.date_range(start, periods=periods, freq=f"{minutes}min")
    values = np.round(np.random.default_rng(1).uniform(0.05, 1.5, periods), 3) if kwh is None else kwh
    return write_csv(folder, [f"{name},{at:%Y-%m-%dT%H:%M:%SZ},{value}" for at, value in zip(times, values, strict=True)])


def days_of(staged: StagedIntake) -> dict[tuple[str, str, str], list[float | None]]:
    rows = arrow_parquet.read_table(staged.days_path).to_pylist()
    return {(row["series_id"], row["utc_date"].isoformat(), row["quantity"]): row["kwh"] for row in rows}


def faults_of(staged: StagedIntake) -> dict[str, str]:
    return {row["source"]: row["rule"] for row in arrow_parquet.read_table(staged.faults_path).to_pylist()}


def test_half_hours_come_out_in_their_slots_whatever_the_order_of_rows(tmp_path: Path) -> None:
    staged = take(write_csv(tmp_path, ["a,2024-01-01T01:00:00Z,0.3", "a,2024-01-01 00:30:00+00:00,0.2", "a,2024-01-01T01:00:00+01:00,0.1"]))
    kwh = days_of(staged)["a", "2024-01-01", "AI"]
    assert kwh[:3] == pytest.approx([0.1, 0.2, 0.3])
    assert kwh[3:] == [None] * 45
    assert staged.intake.series[0].interval_minutes == 30
    assert staged.intake.series[0].first_at == datetime(2024, 1, 1, tzinfo=UTC)


def test_an_hour_becomes_two_equal_halves(tmp_path: Path) -> None:
    staged = take(write_series(tmp_path, "2024-01-01", 24, 60, np.arange(24) / 10))
    kwh = days_of(staged)["a", "2024-01-01", "AI"]
    assert kwh == pytest.approx(np.repeat(np.arange(24) / 20, 2))
    assert staged.intake.series[0].interval_minutes == 60


def test_a_half_hour_with_one_quarter_missing_is_null(tmp_path: Path) -> None:
    lines = [f"a,2024-01-01T00:{minute:02d}:00Z,0.25" for minute in (0, 15, 30)]
    lines += [f"a,2024-01-01T01:{minute:02d}:00Z,0.1" for minute in (0, 15, 30, 45)]
    staged = take(write_csv(tmp_path, lines))
    kwh = days_of(staged)["a", "2024-01-01", "AI"]
    assert kwh[0] == pytest.approx(0.5)
    assert kwh[1] is None
    assert kwh[2:4] == pytest.approx([0.2, 0.2])


def test_steps_are_found_stretch_by_stretch_and_no_energy_is_lost(tmp_path: Path) -> None:
    half_hours = [f"a,2024-01-01T0{at // 2}:{at % 2 * 3}0:00Z,1.0" for at in range(12)]
    quarters = [f"a,2024-01-01T0{6 + at // 4}:{at % 4 * 15:02d}:00Z,0.5" for at in range(12)]
    few_halves = take(write_csv(tmp_path, half_hours[-4:] + quarters, "few_halves.csv"))
    few_quarters = take(write_csv(tmp_path, half_hours + quarters[:4], "few_quarters.csv"))
    assert days_of(few_halves)["a", "2024-01-01", "AI"][8:18] == [1.0] * 10
    assert days_of(few_quarters)["a", "2024-01-01", "AI"][:14] == [1.0] * 14
    assert (few_halves.intake.counts["rows_kept"], few_quarters.intake.counts["rows_kept"]) == (16, 16)
    assert few_halves.intake.kwh == {"read": 10.0, "held": 10.0, "rejected": 0.0, "repeated": 0.0}
    assert few_quarters.intake.kwh["held"] == 14.0
    assert few_quarters.intake.anomalies["mixed_steps"] == ("a",)


def test_an_energy_without_the_rest_of_its_half_hour_is_rejected_by_name(tmp_path: Path) -> None:
    lines = [f"a,2024-01-01T0{hour}:{minute}:00Z,0.25,0.5" for hour in range(4) for minute in ("00", "15", "30", "45")]
    lines[5] = lines[5].replace("0.5", "")
    staged = take(write_csv(tmp_path, [*lines[:8], *lines[9:]], header=HEADER + ",kwh_export"))
    assert faults_of(staged) == {"homes.csv:10": "half_hour_incomplete", "homes.csv:6": "half_hour_incomplete"}
    assert days_of(staged)["a", "2024-01-01", "AI"][:6] == [0.5, 0.5, 0.5, 0.5, None, 0.5]
    assert days_of(staged)["a", "2024-01-01", "AE"][:6] == [1.0, 1.0, None, 1.0, None, 1.0]
    assert staged.intake.counts["rows_kept"] == 14
    assert staged.intake.kwh["rejected"] == 0.25 + 0.5 + 0.5


@pytest.mark.parametrize("code", [4294.967, 16777.215, 65.535])
def test_error_codes_are_rejected_by_line_whatever_their_share(tmp_path: Path, code: float) -> None:
    kwh = np.full(100, 0.2)
    kwh[40:42] = code
    few = take(write_series(tmp_path, "2024-01-01", 100, 30, kwh))
    assert faults_of(few) == {"homes.csv:42": "kwh_error_code", "homes.csv:43": "kwh_error_code"}
    assert few.intake.counts["rows_kept"] == 98
    assert few.intake.kwh["held"] == pytest.approx(19.6)
    many = np.round(np.random.default_rng(1).uniform(0.05, 3.5, 5000), 3)
    many[::5] = code
    (tmp_path / "many").mkdir()
    staged = take(write_series(tmp_path / "many", "2024-01-01", 5000, 30, many))
    assert staged.intake.faults_by_rule == {"kwh_error_code": 1000}


def test_what_was_counted_up_over_an_outage_is_rejected_by_name(tmp_path: Path) -> None:
    kwh = np.round(np.random.default_rng(1).uniform(0.05, 1.5, 2000), 3)
    kwh[1000] = 90.0
    path = write_series(tmp_path, "2024-01-01", 2000, 30, kwh)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:881], *lines[1001:], ""]))
    assert faults_of(take(path)) == {"homes.csv:882": "kwh_lump"}


def test_spurious_rows_are_rejected_by_line_and_rule_and_all_rows_are_accounted_for(tmp_path: Path) -> None:
    lines = [f"a,2024-01-01T{hour:02d}:00:00Z,0.4" for hour in range(20)] + [
        "a,2024-01-02T00:00:00Z,-1",
        "a,2024-01-02T01:00:00Z,NaN",
        "a,2024-01-02T02:00:00Z,lots",
        "a,2024-01-02T03:00:00Z,1e9",
        "a,2024-01-02T04:00:00Z,inf",
        "a,2024-01-02T05:00:00Z",
        ",2024-01-02T06:00:00Z,1",
        "a,01/02/2024 07:00,1",
        "a,2024-01-02T08:07:00Z,1",
        "a,1970-01-01T00:00:00Z,1",
        "",
        "a,2024-01-02T09:00:00Z,",
        "a,2024-01-02T10:00:00Z,5000",
        "a,2024-01-01T00:00:00Z,0.4",
        "a,2024-01-01T00:00:00Z,0.7",
    ]
    staged = take(write_csv(tmp_path, lines))
    assert faults_of(staged) == {
        "homes.csv:22": "kwh_negative",
        "homes.csv:23": "kwh_not_finite",
        "homes.csv:24": "kwh_not_a_number",
        "homes.csv:25": "kwh_above_maximum",
        "homes.csv:26": "kwh_not_finite",
        "homes.csv:27": "row_fields",
        "homes.csv:28": "series_missing",
        "homes.csv:29": "timestamp_unreadable",
        "homes.csv:30": "timestamp_off_grid",
        "homes.csv:31": "timestamp_out_of_range",
        "homes.csv:34": "kwh_spike",
        "homes.csv:36": "duplicate_conflicts",
    }
    counts = staged.intake.counts
    assert counts["rows_read"] == 34
    assert staged.intake.kwh["read"] == pytest.approx(sum(staged.intake.kwh[kind] for kind in ("held", "rejected", "repeated")))
    assert counts["rows_read"] == sum(counts[f"rows_{kind}"] for kind in ("kept", "quarantined", "duplicate", "unread"))
    assert (counts["rows_duplicate"], counts["rows_unread"]) == (1, 1)
    assert days_of(staged)["a", "2024-01-01", "AI"][0] == pytest.approx(0.2)


def test_parquet_with_float32_zones_gaps_and_columns_that_nobody_asked_for(tmp_path: Path) -> None:
    times = pd.date_range("2024-06-01", periods=96, freq="30min", tz="Europe/London")
    frame = pd.DataFrame(
        {"series_id": "a", "timestamp_utc": times, "kwh_import": np.float32(0.5), "kwh_export": np.float32(0.0), "source": "x"}
    )
    frame.loc[60:, "kwh_export"] = np.float32(0.25)
    frame.loc[3, "kwh_import"] = None
    path = tmp_path / "homes.parquet"
    frame.sample(frac=1, random_state=1).to_parquet(path)
    days = days_of(take(path))
    assert days["a", "2024-05-31", "AI"][46:] == [0.5, 0.5]
    assert days["a", "2024-06-01", "AI"][1] is None
    assert days["a", "2024-06-01", "AE"][1] == 0.0


def test_an_export_that_is_always_zero_is_no_export_register(tmp_path: Path) -> None:
    lines = [f"a,2024-01-01T{hour:02d}:30:00Z,0.4,0" for hour in range(24)]
    staged = take(write_csv(tmp_path, lines, header=HEADER + ",kwh_export"))
    assert not staged.intake.series[0].has_export
    assert {quantity for _, _, quantity in days_of(staged)} == {"AI"}


def test_a_step_that_is_not_supported_rejects_the_series_and_not_its_neighbours(tmp_path: Path) -> None:
    lines = [f"daily,2024-01-{day:02d},9" for day in range(1, 20)] + [f"a,2024-01-01T0{hour}:00:00Z,0.4" for hour in range(9)]
    staged = take(write_csv(tmp_path, lines))
    assert [fact.series_id for fact in staged.intake.series] == ["a"]
    assert staged.intake.faults_by_rule == {"interval_unsupported": 19}
    assert staged.intake.counts["rows_naive"] == 19


def test_a_folder_is_read_as_one_and_its_bad_files_are_rejected_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "_hidden").mkdir(parents=True)
    write_csv(folder, ["a,2024-01-01T00:00:00Z,0.1", "a,2024-01-01T00:30:00Z,0.1"], "one.csv")
    write_csv(folder, ["a,2024-01-02T00:00:00Z,0.2"], "two.CSV")
    write_csv(folder / "_hidden", ["b,2024-01-01T00:00:00Z,0.1"])
    (folder / "weather.csv").write_text("when,how_warm\n2024,3\n")
    (folder / "broken.parquet").write_bytes(b"PAR1 and no more")
    (folder / "cut.csv.gz").write_bytes(gzip.compress((HEADER + "\na,2024-01-01T00:00:00Z,1\n" * 1000).encode())[:60])
    staged = take(folder)
    assert set(days_of(staged)) == {("a", "2024-01-01", "AI"), ("a", "2024-01-02", "AI")}
    assert faults_of(staged) == {"broken.parquet": "file_unreadable", "cut.csv.gz": "file_unreadable", "weather.csv": "file_columns"}
    assert staged.intake.series[0].source == "one.csv and 1 more"


def test_a_file_without_the_wanted_columns_is_rejected_in_one_line_that_names_them(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"homes.csv: column kwh_import is missing; found series_id, timestamp_utc, kwh; wanted"):
        take(write_csv(tmp_path, ["a,2024-01-01T00:00:00Z,1"], header="series_id,timestamp_utc,kwh"))


def test_an_empty_file_or_folder_is_rejected_by_name(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="none: no file found"):
        find_files(tmp_path / "none")
    with pytest.raises(InputError, match=r"homes.csv: no usable row"):
        take(write_csv(tmp_path, []))


def test_many_buckets_give_the_same_days_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    times = pd.date_range("2024-01-01", periods=48 * 3, freq="30min").strftime("%Y-%m-%dT%H:%M:%SZ")
    lines = [f"s{series},{at},{rng.uniform():.3f}" for series in range(20) for at in times]
    rng.shuffle(lines)
    whole = days_of(take(write_csv(tmp_path, lines, "whole.csv")))
    monkeypatch.setattr("fmar_spark.intake.intervals.importing.ROWS_PER_BUCKET", 100)
    split = days_of(take(write_csv(tmp_path, lines, "split.csv")))
    assert split == whole
    assert len(whole) == 60


def test_the_report_says_what_was_understood(tmp_path: Path) -> None:
    staged = take(write_csv(tmp_path, ["a,2024-01-01 00:00,0.1", "a,2024-01-01 00:30,-1"]))
    text = "\n".join(describe_intake(staged.intake, {}, None, (), ImportSettings(), ReadingOptions()))
    assert "2 read = 1 kept + 1 rejected + 0 repeated + 0 without a reading" in text
    assert "energy     0.1 kWh read = 0.1 held + 0.0 rejected + 0.0 repeated" in text
    assert "homes.csv:3: kwh_negative" in text
    assert "1 time without a zone, taken as UTC" in text


def test_text_that_looks_like_a_table_of_another_kind_is_not_guessed_at(tmp_path: Path) -> None:
    path = tmp_path / "homes.parquet"
    arrow_parquet.write_table(pa.table({"series_id": [1], "timestamp_utc": [20240101], "kwh_import": [1.0]}), path)
    with pytest.raises(ConfigError, match=r"homes.parquet: column timestamp_utc: type int64 found; times, or text in ISO 8601, wanted"):
        take(path)


def test_a_table_in_memory_gives_what_its_file_gives(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path, [f"a,2024-01-01T{hour:02d}:{minute}:00Z,{hour}.5" for hour in range(24) for minute in ("00", "30")] + ["a,x,1"]
    )
    from_file = take(path)
    from_table = import_table(pa.Table.from_pandas(pd.read_csv(path)), ReadingRules())
    assert from_table.days == arrow_parquet.read_table(from_file.days_path)
    assert from_table.faults["source"].to_pylist() == ["readings:row 49"]
    assert from_table.intake.counts["rows_kept"] == from_file.intake.counts["rows_kept"] == 48
    with pytest.raises(ConfigError, match="readings: column kwh_import is missing"):
        import_table(pa.table({"series_id": ["a"], "timestamp_utc": ["2024-01-01"]}), ReadingRules())


def test_a_name_without_end_is_no_series(tmp_path: Path) -> None:
    long = "n" * 129
    staged = take(write_csv(tmp_path, ["a,2024-01-01T00:00:00Z,0.1", *(f"{name},2024-01-01T00:00:00Z,0.1" for name in (long, long[1:]))]))
    assert faults_of(staged) == {"homes.csv:3": "series_too_long"}
    assert [fact.series_id for fact in staged.intake.series] == ["a", long[1:]]
    (fault,) = arrow_parquet.read_table(staged.faults_path).to_pylist()
    assert fault["series_id"] is None
    assert fault["reason"].endswith("found; a name of at most 128 characters in series_id (imports.max_series_chars) wanted")
