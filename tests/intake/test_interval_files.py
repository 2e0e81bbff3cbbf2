"""Files of every kind: one meaning of headings, rows and lines, and columns of any type."""

import gzip
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as arrow_parquet
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fmar_spark.errors import ConfigError, InputError
from fmar_spark.intake.intervals import csv_records
from fmar_spark.intake.intervals.csv_records import read_csv_blocks, read_heading
from fmar_spark.intake.intervals.files import InputFile, find_files, read_blocks
from fmar_spark.intake.intervals.importing import StagedIntake, import_files
from fmar_spark.intake.intervals.options import ReadingOptions
from fmar_spark.intake.intervals.own_files import OwnFiles, understand_files
from fmar_spark.intake.intervals.rows import ReadingRules
from fmar_spark.settings.sections import Settings

HEADER = "series_id,timestamp_utc,kwh_import"
STARTS = [datetime(2024, 1, 1) + timedelta(minutes=30 * at) for at in range(96)]


def take(source: Path, **stated: Any) -> StagedIntake:
    staging = source.parent / f"_staging_{source.name}"
    staging.mkdir(exist_ok=True)
    return import_files(find_files(source), staging, ReadingRules(), ReadingOptions(**stated))


def write(folder: Path, text: str, name: str = "homes.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def kept(staged: StagedIntake) -> dict[str, float]:
    """Energy held of each series."""
    return {fact.series_id: round(fact.kwh_import, 3) for fact in staged.intake.series}


def faults_of(staged: StagedIntake) -> dict[str, str]:
    return {row["source"]: row["rule"] for row in arrow_parquet.read_table(staged.faults_path).to_pylist()}


def test_a_comma_within_a_quoted_heading_divides_nothing(tmp_path: Path) -> None:
    rows = "".join(f"h,2024-01-01T0{hour}:00:00Z,0.2,A\n" for hour in range(3))
    assert take(write(tmp_path, f'{HEADER},"Quality, known"\n{rows}')).intake.counts["rows_kept"] == 3


def test_lines_are_those_of_an_editor_after_a_line_break_within_quotes(tmp_path: Path) -> None:
    text = f'{HEADER},note\nh,2024-01-01T00:00:00Z,0.1,"two\nlines"\nh,2024-01-01T00:30:00Z,abc,x\n'
    assert faults_of(take(write(tmp_path, text))) == {"homes.csv:4": "kwh_not_a_number"}


def test_a_title_above_the_heading_is_passed_over(tmp_path: Path) -> None:
    staged = take(write(tmp_path, f"Readings of my home\n\n{HEADER}\nh,2024-01-01T00:00:00Z,0.1\nh,2024-01-01T00:30:00Z,x\n"))
    assert kept(staged) == {"h": 0.1}
    assert faults_of(staged) == {"homes.csv:5": "kwh_not_a_number"}


@pytest.mark.parametrize("name", ["R.CSV", "r.Csv.Gz", "R.CSV.GZ"])
def test_endings_mean_the_same_in_any_case(tmp_path: Path, name: str) -> None:
    text = f"{HEADER}\nh,2024-01-01T00:00:00Z,1\nh,2024-01-01T00:30:00Z,1\n".encode()
    (tmp_path / name).write_bytes(gzip.compress(text) if name.lower().endswith("gz") else text)
    assert kept(take(tmp_path / name)) == {"h": 2.0}


@pytest.mark.parametrize("place", [1, 300])
def test_a_stray_windows_dash_stops_nothing_where_it_is_not_read_and_is_named_where_it_is(tmp_path: Path, place: int) -> None:
    lines = [f"h,{at:%Y-%m-%dT%H:%M:%SZ},0.1,x" for at in (datetime(2024, 1, 1) + timedelta(minutes=30 * slot) for slot in range(336))]
    lines[place] = lines[place][:-1] + "a\x96b"
    beside = take(write(tmp_path, "\n".join([f"{HEADER},note", *lines]), encoding="latin-1"))
    assert (beside.intake.counts["rows_kept"], beside.intake.faults_by_rule) == (336, {})
    lines[place] = "h\x96" + lines[place][1:-3]
    within = take(write(tmp_path, "\n".join([f"{HEADER},note", *lines]), "within.csv", "latin-1"))
    assert faults_of(within) == {f"within.csv:{place + 2}": "text_undecodable"}
    assert within.intake.counts["rows_kept"] == 335


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (f"{HEADER}\nh,2024-01-01T00:00:00Z,1\n".encode("utf-16"), "UTF-16"),
        (b"", "empty, a header"),
        (b"\n\n\n", "empty, a header"),
        (b"no table", "columns series_id"),
        (bytes(range(200, 256)) * 4, "bytes that are no text"),
    ],
)
def test_what_is_no_table_is_one_line_with_the_name_of_the_file(tmp_path: Path, content: bytes, wanted: str) -> None:
    (tmp_path / "homes.csv").write_bytes(content)
    with pytest.raises((ConfigError, InputError), match=f"^homes.csv: [^\n]*{wanted}[^\n]*$"):
        take(tmp_path / "homes.csv")


def test_old_line_ends_and_marks_of_utf8_are_read(tmp_path: Path) -> None:
    text = "\ufeff" + HEADER + "\r" + "h,2024-01-01T00:00:00Z,1\r" + "h,2024-01-01T00:30:00Z,x\r"
    staged = take(write(tmp_path, text))
    assert (kept(staged), faults_of(staged)) == ({"h": 1.0}, {"homes.csv:3": "kwh_not_a_number"})


@pytest.mark.parametrize("text", ["0,25", "1.020,5", "1.020,", "1,020.5"])
def test_a_decimal_comma_is_named_and_read_where_it_is_stated(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, f"series_id;timestamp_utc;kwh_import\nh;2024-01-01T00:00:00Z;0\nh;2024-01-01T00:30:00Z;{text}\n")
    assert faults_of(take(path)) == {"homes.csv:3": "kwh_decimal_comma"}
    if not text.endswith(".5"):
        stated = take(path, decimal_comma=True)
        assert kept(stated) == {"h": pytest.approx(float(text.replace(".", "").replace(",", ".")))}


@pytest.mark.parametrize("text", ["1.\x005", "0.\x005", "1\x002.5", "\x001", "1.5\x00"])
def test_a_number_with_a_nul_byte_is_rejected(tmp_path: Path, text: str) -> None:
    staged = take(write(tmp_path, f"{HEADER}\nh,2024-01-01T00:00:00Z,0.25\nh,2024-01-01T00:30:00Z,{text}\n"))
    assert (kept(staged), faults_of(staged)) == ({"h": 0.25}, {"homes.csv:3": "kwh_not_a_number"})


@pytest.mark.parametrize("text", ["0.1", "1.5", "0.123", "1.2345", "1234.567", "1.234.56", "1.23,5", "1,5.000"])
def test_a_point_before_other_than_three_digits_is_no_mark_of_thousands(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, f"series_id;timestamp_utc;kwh_import\nh;2024-01-01T00:00:00Z;0,25\nh;2024-01-01T00:30:00Z;{text}\n")
    staged = take(path, decimal_comma=True)
    assert (kept(staged), faults_of(staged)) == ({"h": 0.25}, {"homes.csv:3": "kwh_not_a_number"})


def test_control_characters_of_a_file_are_shown_escaped(tmp_path: Path) -> None:
    path = write(tmp_path, f'{HEADER}\n"h\x1b[31m\nrejected   é",2024-01-01T00:00:00Z,0.5\nh\x07,2024-01-01T00:00:00Z,1.\x005\n')
    said = understand_files(OwnFiles(path), tmp_path, Settings()).lines
    assert not [line for line in said if not line.isprintable()]
    assert [line for line in said if line.startswith(r"series     h\x1b[31m\nrejected   é: 0 days")]
    assert [line for line in said if r"h\x07,2024-01-01T00:00:00Z,1.\x005 found" in line]
    with pytest.raises(InputError, match=r"^[^\x00-\x1f]*no usable row found [^\x00-\x1f]*$"):
        understand_files(OwnFiles(write(tmp_path, f"{HEADER}\nh,2024-01-01T00:00:00Z,1.\x005\x1b\n")), tmp_path, Settings())


FIELD = st.text(st.sampled_from('ab1 ,;"'), max_size=6) | st.text(st.sampled_from('ab1 ;"\n'), max_size=6)
"""Commas and line breaks in one field may look like rows behind a stray quote."""
STRAY_ROWS, STRAY_FIELDS = 12, 3
STRAY = st.tuples(st.integers(0, STRAY_ROWS - 1), st.integers(0, STRAY_FIELDS - 1), st.booleans())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(FIELD, FIELD), min_size=1, max_size=30), st.integers(20, 200))
def test_every_row_and_its_line_are_those_of_the_standard_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[tuple[str, str]], block: int
) -> None:
    frame = pd.DataFrame([(f"n{place}", *row) for place, row in enumerate(rows)], columns=["name", "a", "b"])
    frame.to_csv(tmp_path / "quoted.csv", index=False)
    text = (tmp_path / "quoted.csv").read_text()
    monkeypatch.setattr(csv_records, "BLOCK_BYTES", block)
    heading = read_heading(tmp_path / "quoted.csv")
    blocks = list(read_csv_blocks(tmp_path / "quoted.csv", heading, ["name", "a"]))
    found = [row for one in blocks for row in one.columns.to_pylist()]
    assert [row["name"] for row in found] == frame["name"].to_list()
    assert [row["a"] or "" for row in found] == frame["a"].to_list()
    lines = [line for one in blocks for line in one.line.tolist()]
    assert all(text.split("\n")[line - 1].startswith(f"n{place},") for place, line in enumerate(lines))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(STRAY, min_size=1, max_size=4), st.sampled_from([",", ";"]), st.integers(30, 400))
def test_stray_quotes_take_no_row_with_them_and_no_line_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quotes: list[tuple[int, int, bool]], delimiter: str, block: int
) -> None:
    rows = [[f"n{row}", f"t{row}", f"{row}"] for row in range(STRAY_ROWS)]
    for row, field, is_at_start in quotes:
        rows[row][field] = f'"{rows[row][field]}' if is_at_start else f'{rows[row][field]}"'
    path = tmp_path / "stray.csv"
    path.write_text("\n".join(map(delimiter.join, [["s", "t", "k"], *rows])) + "\n")
    monkeypatch.setattr(csv_records, "BLOCK_BYTES", block)
    blocks = list(read_csv_blocks(path, read_heading(path), ["s", "t", "k"]))
    read = {line: row for one in blocks for line, row in zip(one.line.tolist(), one.columns.to_pylist(), strict=True)}
    broken = {line for one in blocks for line, _, _ in one.broken}
    assert sorted([*read, *broken]) == list(range(2, STRAY_ROWS + 2))
    touched = {row for row, _, _ in quotes}
    for row in set(range(STRAY_ROWS)) - touched:
        assert list(read[row + 2].values()) == [f"n{row}", f"t{row}", f"{row}"]


@pytest.mark.parametrize("note", ["two\nlines", "a, b\nand c", 'said ""x""\n\nand left', "\n"])
def test_notes_over_lines_are_read_beside_a_stray_quote(tmp_path: Path, note: str) -> None:
    rows = [f'h,{day},1,"{note}"' for day in range(3)] + ['h,3,1,"open', "h,4,1,x"]
    path = tmp_path / "notes.csv"
    path.write_text("\n".join(["s,t,k,note", *rows]) + "\n")
    blocks = list(read_blocks(InputFile(path, path.name), ("s", "t", "k")))
    assert [row["t"] for one in blocks for row in one.columns.to_pylist()] == ["0", "1", "2", "4"]
    assert [rule for one in blocks for _, _, rule in one.broken] == ["row_quote"]


def test_a_quote_left_open_above_the_rows_is_named_by_its_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^homes.csv line 2: a quote that is not closed"):
        take(write(tmp_path, 'My home\n"series_id,timestamp_utc,kwh_import\nh,2024-01-01T00:00:00Z,1\n'))


def plain_table() -> dict[str, Any]:
    return {"series_id": ["a"] * 96, "timestamp_utc": pa.array(STARTS, pa.timestamp("us", "UTC")), "kwh_import": [0.2] * 96}


@pytest.mark.parametrize(
    "columns",
    [
        {"series_id": pa.array(["a"] * 96).dictionary_encode()},
        {"series_id": pa.array([b"a"] * 96)},
        {"series_id": pa.array(["a"] * 96, pa.string_view())},
        {"series_id": pa.array(["a"] * 96, pa.large_string())},
        {"timestamp_utc": pa.array([f"{at:%Y-%m-%dT%H:%M:%S}+00:00" for at in STARTS]).dictionary_encode()},
        {"timestamp_utc": pa.array(STARTS, pa.timestamp("ns", "Europe/Paris"))},
        {"timestamp_utc": pa.array(STARTS, pa.timestamp("ns"))},
        {"kwh_import": pa.array(["0.2"] * 96).dictionary_encode()},
        {"kwh_import": pa.array([0.2] * 96, pa.float32())},
        {"kwh_import": pa.array([0.2] * 96).cast(pa.decimal128(10, 3))},
        {"kwh_export": pa.nulls(96)},
    ],
)
def test_a_column_of_any_type_is_read_as_its_plain_twin(tmp_path: Path, columns: dict[str, Any]) -> None:
    arrow_parquet.write_table(pa.table(plain_table()), tmp_path / "plain.parquet")
    arrow_parquet.write_table(pa.table(plain_table() | columns), tmp_path / "other.parquet")
    days = [arrow_parquet.read_table(take(tmp_path / f"{name}.parquet").days_path) for name in ("plain", "other")]
    assert days[0]["series_id"] == days[1]["series_id"]
    plain, other = (np.asarray(one["kwh"].combine_chunks().flatten(), dtype=np.float64) for one in days)
    np.testing.assert_allclose(plain, other, rtol=1e-6)


@pytest.mark.parametrize(
    ("columns", "wanted"),
    [
        ({"kwh_import": [True] * 96}, "column kwh_import: type bool found, numbers wanted"),
        ({"timestamp_utc": list(range(96))}, "column timestamp_utc: type int64 found; times, or text in ISO 8601, wanted"),
        ({"series_id": [0.5] * 96}, "column series_id: numbers of type double found"),
        ({"series_id": np.full(96, 2000000001180, dtype=np.float32)}, "column series_id: numbers of type float found"),
        ({"series_id": pa.array([datetime(2024, 1, 1)] * 96)}, "column series_id: type timestamp"),
    ],
)
def test_a_column_that_cannot_be_read_is_one_line_with_file_and_column(tmp_path: Path, columns: dict[str, Any], wanted: str) -> None:
    arrow_parquet.write_table(pa.table(plain_table() | columns), tmp_path / "homes.parquet")
    with pytest.raises(ConfigError, match=f"^homes.parquet: {wanted}"):
        take(tmp_path / "homes.parquet")


def test_a_meter_that_was_stored_as_a_number_has_one_name_in_every_file(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    numbers = {"int.parquet": pa.array([2000000001180] * 96), "float.parquet": pa.array([2000000001180.0] * 96)}
    for name, series in numbers.items():
        arrow_parquet.write_table(pa.table(plain_table() | {"series_id": series}), folder / name)
    write(folder, f"{HEADER}\n2000000001180,2024-02-01T00:00:00Z,1\n2000000001180.0,2024-02-01T00:30:00Z,1\n")
    write(folder, f"{HEADER}\n2.00000000118e+12,2024-02-01T01:00:00Z,1\n2.00000000119E+12,2024-02-01T01:30:00Z,1\n", "excel.csv")
    staged = take(folder)
    assert kept(staged) == {"2000000001180": 21.2}
    assert faults_of(staged) == {"excel.csv:2": "series_shortened", "excel.csv:3": "series_shortened"}


def test_a_delta_table_is_read_in_its_newest_version(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    write_deltalake(str(folder / "table"), pa.table(plain_table()))
    table = DeltaTable(str(folder / "table"))
    table.delete("timestamp_utc >= '2024-01-02T00:00:00Z'")
    staged = take(folder)
    assert staged.intake.files == ("table",)
    assert kept(staged) == kept(take(folder / "table")) == {"a": 9.6}
    log = next(iter(sorted((folder / "table" / "_delta_log").glob("*.json"))))
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    for action in actions:
        if "protocol" in action:
            features = {"readerFeatures": ["unheardOf"], "writerFeatures": ["unheardOf"]}
            action["protocol"] = {"minReaderVersion": 3, "minWriterVersion": 7} | features
    log.write_text("\n".join(json.dumps(action) for action in actions))
    with pytest.raises(InputError, match=r"^table: a Delta table that cannot be read: "):
        take(folder / "table")


@pytest.mark.parametrize(
    ("content", "kept", "broken"),
    [
        (b"s,t,k\r\na,1,2\ra,3,4\r\na,5,6\r\n", 1, {2: "row_fields"}),
        (b"s,t,k\na,1,2\xff,3\na,\xff,4\nb,5,6\n", 1, {2: "row_fields", 3: "text_undecodable"}),
        (b's,t,k\na;"b,1,2\na,3,4\na;"b,5,6\n', 3, {}),
        (b's,t,k\na"b,1,2\n"a\nb,3,4\n', 2, {3: "row_quote"}),
        (b's,t,k\na"b,1,2\n"a,3,4\nc,5,6\n', 2, {3: "row_quote"}),
        (b's,t,k\n"a,1,2\nb,3,4\nc",5,6\nd,7,8\n', 3, {2: "row_quote"}),
    ],
    ids=[
        "a stray return",
        "bytes that are no text",
        "quotes behind another mark",
        "a quote that never ends",
        "a quote over a row",
        "two quotes over rows",
    ],
)
def test_a_damaged_line_takes_no_other_with_it(tmp_path: Path, content: bytes, kept: int, broken: dict[int, str]) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    blocks = list(read_blocks(InputFile(path, path.name), ("s", "t", "k")))
    assert sum(block.columns.num_rows for block in blocks) == sum(len(block.line) for block in blocks) == kept
    assert {line: rule for block in blocks for line, _, rule in block.broken} == broken
    assert all("\ufdd0" not in text for block in blocks for _, text, _ in block.broken)
