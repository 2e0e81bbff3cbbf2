"""Lines about readings that look odd: what was stated already is not advised again, and limits are named."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from fmar_spark.intake.intervals.files import find_files
from fmar_spark.intake.intervals.importing import import_files
from fmar_spark.intake.intervals.options import ReadingOptions
from fmar_spark.intake.intervals.own_files import OwnFiles, understand_files
from fmar_spark.intake.intervals.report import describe_intake
from fmar_spark.intake.intervals.rows import RULES, ReadingRules, describe_rule
from fmar_spark.intake.intervals.tables import import_table
from fmar_spark.intake.intervals.values import TimeReading
from fmar_spark.settings.sections import ImportSettings, Settings

KWH = np.random.default_rng(2).uniform(0.05, 1.5, 48 * 600).round(3)


def write(folder: Path, texts: pd.Index, kwh: np.ndarray = KWH) -> Path:
    path = folder / "homes.csv"
    lines = (f"a,{at},{value}" for at, value in zip(texts, kwh, strict=False))
    path.write_text("\n".join(["series_id,timestamp_utc,kwh_import", *lines, ""]), encoding="utf-8")
    return path


def warnings_of(path: Path, options: ReadingOptions) -> list[str]:
    lines = understand_files(OwnFiles(path, options=options), path.parent, Settings()).lines
    return [line.removeprefix("warning").strip() for line in lines if line.startswith("warning")]


def list_wall(zone: str) -> pd.DatetimeIndex:
    return pd.date_range("2023-01-01", "2024-06-29 23:30", freq="30min", tz="UTC").tz_convert(zone).tz_localize(None)


@pytest.mark.parametrize(
    ("zone", "stated", "cure"),
    [
        ("Europe/London", None, "; read as they stand, --time-zone Europe/London reads them as such"),
        ("Europe/London", "UTC", "; read as --time-zone UTC says, --time-zone Europe/London reads them as such"),
        ("Europe/Paris", "Europe/London", "; read as --time-zone Europe/London says: see whether that is right"),
    ],
)
def test_a_clock_that_was_stated_is_not_advised_again(tmp_path: Path, zone: str, stated: str | None, cure: str) -> None:
    lines = warnings_of(write(tmp_path, list_wall(zone).strftime("%Y-%m-%d %H:%M")), ReadingOptions(time_zone=stated))
    (found,) = (line for line in lines if line.startswith("local_clock"))
    assert found.startswith("local_clock: a: ")
    assert found.endswith(f"look like local times{cure}")
    assert [line for line in lines if "without a zone" in line] == (
        [] if stated else ["26,208 times without a zone, taken as UTC: --time-zone says which it is"]
    )


@pytest.mark.parametrize("stated", [None, "Europe/London"])
def test_local_times_that_carry_an_offset_are_not_sent_to_an_option_that_leaves_them(tmp_path: Path, stated: str | None) -> None:
    lines = warnings_of(write(tmp_path, list_wall("Europe/London").strftime("%Y-%m-%dT%H:%MZ")), ReadingOptions(time_zone=stated))
    (found,) = (line for line in lines if line.startswith("local_clock"))
    assert found.startswith("local_clock_with_offset: a: ")
    assert found.endswith("they carry an offset, which stands; where it is wrong, export them without it and say --time-zone")


def test_units_that_were_stated_are_not_advised_again(tmp_path: Path) -> None:
    path = write(tmp_path, pd.date_range("2024-01-01", periods=480, freq="30min").strftime("%Y-%m-%dT%H:%MZ"), np.round(KWH * 200) + 1)
    for units, cure in ((None, "read as they stand"), ("kwh", "read as --units kwh says")):
        (found,) = (line for line in warnings_of(path, ReadingOptions(units=units)) if line.startswith("watt_hours"))
        assert found.endswith(f"; {cure}, --units wh reads them as such")
    assert not any(line.startswith("watt_hours") for line in warnings_of(path, ReadingOptions(units="wh")))


def test_frames_are_not_sent_to_options_of_a_command() -> None:
    times = list_wall("Europe/London")[: 48 * 400]
    frame = pd.DataFrame({"series_id": "a", "timestamp_utc": times, "kwh_import": KWH[: len(times)]})
    intake = import_table(pa.Table.from_pandas(frame), ReadingRules()).intake
    said = "\n".join(describe_intake(intake, {}, None, (), ImportSettings()))
    assert "without a zone, taken as UTC: times with their zone say which it is" in said
    assert "these look like local times; read as they stand" in said
    assert "--" not in said


def test_every_rule_with_a_limit_says_it_and_its_setting() -> None:
    rules = ReadingRules(max_kwh_per_slot=1_500.0, max_series_chars=40)
    limited = {rule for rule, text in RULES.items() if "imports." in text}
    assert {rule for rule, text in RULES.items() if "{max_" in text} == limited == {"series_too_long", "kwh_above_maximum"}
    assert describe_rule("series_too_long", rules) == "a name of at most 40 characters in series_id (imports.max_series_chars)"
    assert describe_rule("kwh_above_maximum", rules) == "no more than 1,500 kWh in a half-hour (imports.max_kwh_per_slot)"
    assert describe_rule("timestamp_skipped", rules, TimeReading("Europe/London")).startswith(
        "a time that the clock of Europe/London showed"
    )


def test_an_order_of_dates_that_was_stated_is_not_advised_again(tmp_path: Path) -> None:
    for dates, cure in (
        (None, "2024-03-31T00:30:00Z wanted; --dates reads 31/03/2024 and its like"),
        ("day-first", "2024-03-31T00:30:00Z, or a date as --dates day-first says wanted"),
    ):
        staged = import_files(
            find_files(write(tmp_path, pd.Index(["2024-06-01T00:00Z", "31/31/2024"]))),
            tmp_path,
            ReadingRules(),
            ReadingOptions(dates=dates),
        )
        assert [fault.endswith(f" found; ISO 8601 in timestamp_utc, such as {cure}") for fault in staged.intake.first_faults] == [True]


def test_a_companion_row_that_names_no_series_is_counted_as_one(tmp_path: Path) -> None:
    path = write(tmp_path, pd.date_range("2024-01-01", periods=48, freq="30min").strftime("%Y-%m-%dT%H:%MZ"))
    for rows, said in ((["b"], "1 site row names no series"), (["b", "c"], "2 site rows name no series")):
        sites = tmp_path / "sites.txt"
        sites.write_text("\n".join(["series_id,gsp_group", *(f"{name},_C" for name in rows), ""]), encoding="utf-8")
        lines = understand_files(OwnFiles(path, sites=sites), tmp_path, Settings()).lines
        assert any(line.startswith(f"warning    {said} of these files: b") for line in lines)
