"""The hour that a clock shows twice: which of the two it is, and where that is not sure."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as arrow_parquet
import pytest

from fmar_spark.intake.intervals.anomalies import ANOMALIES
from fmar_spark.intake.intervals.files import find_files
from fmar_spark.intake.intervals.importing import StagedIntake, import_files
from fmar_spark.intake.intervals.options import ReadingOptions
from fmar_spark.intake.intervals.rows import ReadingRules

ZONE = "Europe/London"


def take(folder: Path, *files: pd.DatetimeIndex, is_newest_first: bool = False) -> StagedIntake:
    """Files of half-hours by the local clock; each has the kWh of its place in UTC since the first of all."""
    start = min(times.min() for times in files)
    source = folder / "files"
    source.mkdir(exist_ok=True)
    for number, times in enumerate(files):
        lines = [f"a,{at.tz_convert(ZONE):%Y-%m-%d %H:%M},{1 + (at - start) / pd.Timedelta('30min') / 1000:.3f}" for at in times]
        ordered = lines[::-1] if is_newest_first else lines
        (source / f"{number}.csv").write_text("\n".join(["series_id,timestamp_utc,kwh_import", *ordered, ""]), encoding="utf-8")
    return import_files(find_files(source), folder, ReadingRules(), ReadingOptions(time_zone=ZONE))


def starts_of(staged: StagedIntake) -> list[pd.Timestamp]:
    """UTC start of every half-hour that was read, in the order of the energies that ``take`` gave them."""
    found = {}
    for row in arrow_parquet.read_table(staged.days_path).to_pylist():
        found |= {kwh: pd.Timestamp(row["utc_date"], tz="UTC") + pd.Timedelta(minutes=30 * at) for at, kwh in enumerate(row["kwh"]) if kwh}
    return [found[kwh] for kwh in sorted(found)]


def span(start: str, end: str) -> pd.DatetimeIndex:
    return pd.date_range(f"2024-10-{start}", f"2024-10-{end}", freq="30min", tz="UTC")


@pytest.mark.parametrize("is_newest_first", [False, True])
@pytest.mark.parametrize(
    ("start", "end", "is_sure"),
    [
        ("27 01:00", "28 00:00", False),
        ("27 01:30", "28 00:00", False),
        ("27 00:30", "28 00:00", True),
        ("27 00:00", "28 00:00", True),
        ("26 00:00", "27 00:00", True),
        ("26 00:00", "27 00:30", True),
        ("26 00:00", "27 01:00", True),
        ("26 00:00", "27 01:30", True),
    ],
)
def test_readings_that_begin_or_end_within_it_keep_their_hour(
    tmp_path: Path, start: str, end: str, is_sure: bool, is_newest_first: bool
) -> None:
    times = span(start, end)
    staged = take(tmp_path, times, is_newest_first=is_newest_first)
    assert starts_of(staged) == times.tolist()
    assert staged.intake.anomalies["double_hour"] == (() if is_sure else ("a",))


@pytest.mark.parametrize("cut", ["27 00:30", "27 01:00", "27 01:30"])
def test_files_that_meet_within_it_keep_their_hours(tmp_path: Path, cut: str) -> None:
    times = span("26 00:00", "28 00:00")
    at = times.get_loc(pd.Timestamp(f"2024-10-{cut}", tz="UTC"))
    staged = take(tmp_path, times[:at], times[at:])
    assert (starts_of(staged), staged.intake.faults_by_rule) == (times.tolist(), {})


def test_a_file_that_has_it_once_between_other_readings_is_read_as_the_first_and_named(tmp_path: Path) -> None:
    times = span("26 00:00", "28 00:00")
    once = times[(times < "2024-10-27 01:00Z") | (times >= "2024-10-27 02:00Z")]
    staged = take(tmp_path, once)
    assert starts_of(staged) == once.tolist()
    assert staged.intake.anomalies["double_hour"] == ("a",)
    assert (
        "taken for the second where readings go on from it and none come before it, else for the first" in ANOMALIES["double_hour"].sentence
    )


@pytest.mark.parametrize("lost", ["27 00:00", "27 00:30", "27 01:00", "27 01:30"])
def test_a_half_hour_lost_within_it_moves_no_other(tmp_path: Path, lost: str) -> None:
    times = span("26 00:00", "28 00:00")
    kept = times[times != pd.Timestamp(f"2024-10-{lost}", tz="UTC")]
    staged = take(tmp_path, kept)
    assert starts_of(staged) == kept.tolist()
    assert staged.intake.anomalies["double_hour"] == ()


def test_rows_in_any_order_are_two_hours_by_the_order_of_their_lines(tmp_path: Path) -> None:
    times = span("26 00:00", "28 00:00")
    shuffled = times[np.random.default_rng(3).permutation(len(times))]
    staged = take(tmp_path, shuffled)
    assert sorted(starts_of(staged)) == times.tolist()


def test_years_have_their_own_hours(tmp_path: Path) -> None:
    times = pd.date_range("2022-10-30 01:00", "2024-11-01", freq="30min", tz="UTC")
    staged = take(tmp_path, times)
    assert sorted(starts_of(staged)) == times.tolist()
