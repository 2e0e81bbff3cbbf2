"""Exports of Ausgrid's solar homes of which a row is refused, or whose customers have not every category."""

from pathlib import Path

import pyarrow.parquet as arrow_parquet
import pytest

from fmar_spark.errors import InputError
from fmar_spark.intake.intervals.files import find_files
from fmar_spark.intake.intervals.importing import StagedIntake, import_files
from fmar_spark.intake.intervals.options import ReadingOptions
from fmar_spark.intake.intervals.report import describe_energy
from fmar_spark.intake.intervals.rows import ReadingRules

ENDS = [f"{at // 60}:{at % 60:02d}" for at in [*range(30, 1440, 30), 0]]
HEADING = f"Customer,Generator Capacity,Postcode,Consumption Category,date,{','.join(ENDS)}"
SIDES = (("GC", 0.5), ("CL", 0.25))


def list_row(kind: str, kwh: float, day: int, date: str = "{}/07/2012", customer: str = "1") -> str:
    """The row of a category on a day of July 2012."""
    return ",".join([customer, "3.78", "2076", kind, date.format(day), *[f"{kwh}"] * 48])


def write(folder: Path, *rows: str, name: str = "home.csv") -> Path:
    path = folder / name
    path.write_bytes("\n".join([HEADING, *rows, ""]).encode("utf-8", "surrogateescape"))
    return path


def take(path: Path, options: ReadingOptions | None = None) -> StagedIntake:
    return import_files(find_files(path), path.parent, ReadingRules(), options or ReadingOptions())


def sum_of(staged: StagedIntake, quantity: str, series: str = "1") -> float | None:
    """Energy of a direction, kWh; none where there is no day of it."""
    rows = arrow_parquet.read_table(staged.days_path).to_pylist()
    found = [row["kwh"] for row in rows if (row["quantity"], row["series_id"]) == (quantity, series)]
    return sum(kwh for day in found for kwh in day if kwh is not None) if found else None


@pytest.mark.parametrize("day", [1, 2, 3])
@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("/07/2012", "/17/2012", "customer_date"),
        (",0.25,", ",0.25,,", "row_fields"),
        (",0.25", ",0.\udcff25", "text_undecodable"),
        (",CL,", ",C\udcffL,", "text_undecodable"),
        (",CL,", ",", "row_fields"),
    ],
)
def test_the_day_of_a_row_that_is_refused_is_not_whole_wherever_it_stands(tmp_path: Path, old: str, new: str, rule: str, day: int) -> None:
    refused = list_row("CL", 0.25, day).replace(old, new, 1)
    rows = [refused if (kind, at) == ("CL", day) else list_row(kind, kwh, at) for at in (1, 2, 3) for kind, kwh in SIDES]
    staged = take(write(tmp_path, *rows))
    assert sum_of(staged, "AI") == pytest.approx(2 * 48 * 0.75, rel=1e-6)
    assert staged.intake.faults_by_rule == {rule: 1, "category_missing": 1}
    assert f"customer 1 {day}/07/2012: no row of CL found" in " ".join(staged.intake.first_faults)


def test_a_refused_row_that_is_there_again_costs_its_day_nothing(tmp_path: Path) -> None:
    rows = [list_row(kind, kwh, at) for at in (1, 2) for kind, kwh in SIDES]
    staged = take(write(tmp_path, *rows, list_row("CL", 0.25, 2) + ",9"))
    assert (sum_of(staged, "AI"), staged.intake.faults_by_rule) == (pytest.approx(2 * 48 * 0.75, rel=1e-6), {"row_fields": 1})


@pytest.mark.parametrize("date", ["2012-07-{:02d}", "{}-Jul-12", "{}-Jul-2012", "{}/07/2012"])
def test_rows_of_one_file_may_write_their_dates_in_several_ways(tmp_path: Path, date: str) -> None:
    rows = [list_row(kind, kwh, at, form) for at in (1, 2) for kind, kwh, form in (("GC", 0.5, "{}/07/2012"), ("GG", 0.75, date))]
    staged = take(write(tmp_path, *rows))
    assert (sum_of(staged, "AE"), staged.intake.faults_by_rule) == (pytest.approx(2 * 48 * 0.25, rel=1e-6), {})


def test_a_category_of_which_no_row_has_a_date_makes_no_day_whole_but_those_of_other_customers(tmp_path: Path) -> None:
    rows = [list_row(kind, kwh, at, form) for at in (1, 2) for kind, kwh, form in (("GC", 0.5, "{}/07/2012"), ("GG", 0.75, "{}.7.2012"))]
    with pytest.raises(InputError, match=r"no usable row found \(home.csv:3: customer_date: customer 1 GG: date '1.7.2012' found"):
        take(write(tmp_path, *rows))
    staged = take(write(tmp_path, *rows, list_row("GC", 0.5, 1, customer="2")))
    assert (sum_of(staged, "AI"), sum_of(staged, "AI", "2")) == (None, pytest.approx(48 * 0.5, rel=1e-6))
    assert staged.intake.faults_by_rule == {"customer_date": 2, "category_missing": 2}


@pytest.mark.parametrize("place", [0, 1])
def test_a_row_of_which_nothing_was_read_takes_nothing_from_a_good_one_of_its_day(tmp_path: Path, place: int) -> None:
    rows = [list_row("GC", 0.5, 1)]
    rows.insert(place, rows[0].replace("0.5", ""))
    alone = take(write(tmp_path, *rows))
    assert (sum_of(alone, "AI"), alone.intake.faults_by_rule) == (pytest.approx(24, rel=1e-6), {})
    staged = take(write(tmp_path, *rows, list_row("GG", 0.25, 1)))
    assert (sum_of(staged, "AI"), staged.intake.counts["rows_kept"]) == (pytest.approx(12, rel=1e-6), 48)


def test_what_a_customer_of_generation_alone_draws_is_not_known(tmp_path: Path) -> None:
    rows = [list_row("GG", 0.25, day) for day in (1, 2)]
    staged = take(write(tmp_path, *rows, *(list_row(kind, 0.25, 1, customer="2") for kind in ("GC", "GG"))))
    assert (sum_of(staged, "AI"), sum_of(staged, "AE")) == (None, pytest.approx(24, rel=1e-6))
    assert (sum_of(staged, "AI", "2"), staged.intake.faults_by_rule) == (0, {})
    said = {line.split(":")[0][-1]: line.split("; ")[1] for line in describe_energy(staged.intake.series, 60)}
    assert said["1"] == "no import read, 24 kWh exported"
    assert said["2"].startswith("0 kWh imported, 0.0 kWh a day (no annual energy: ")


@pytest.mark.parametrize(
    ("dates", "form", "first"),
    [
        (None, "{day}/{month:02d}/2012", "2012-07-01"),
        ("day-first", "{day}/{month:02d}/2012", "2012-07-01"),
        ("month-first", "{month}/{day}/2012", "2012-07-01"),
        ("month-first", "2012-{month:02d}-{day:02d}", "2012-07-01"),
        ("month-first", "{day}-Jul-12", "2012-07-01"),
        ("swapped", "{day}-Jul-12", "2012-07-01"),
        ("swapped", "{first}/{second}/2012", "2012-07-01"),
        ("swapped", "2012-{second:02d}-{first:02d}", "2012-07-01"),
    ],
)
def test_an_order_of_dates_that_is_stated_is_read(tmp_path: Path, dates: str | None, form: str, first: str) -> None:
    rows = []
    for day in range(1, 21):
        swapped = {"first": 7, "second": day} if day <= 12 else {"first": day, "second": 7}
        rows.append(list_row("GC", 0.5, 0, form.format(day=day, month=7, **swapped)))
    staged = take(write(tmp_path, *rows), ReadingOptions(dates=dates, time_zone="UTC"))
    (fact,) = staged.intake.series
    assert (f"{fact.first_at:%Y-%m-%d %H:%M}", f"{fact.last_at:%Y-%m-%d %H:%M}") == (f"{first} 00:00", "2012-07-20 23:30")
    assert (fact.days, staged.intake.faults_by_rule) == (20, {})


@pytest.mark.parametrize(("dates", "order"), [(None, "day first"), ("month-first", "month first")])
def test_a_date_that_is_none_is_named_in_the_order_that_is_stated(tmp_path: Path, dates: str | None, order: str) -> None:
    staged = take(write(tmp_path, list_row("GC", 0.5, 1), list_row("GC", 0.5, 1, "31/31/2012")), ReadingOptions(dates=dates))
    said = f"home.csv:3: customer_date: customer 1 GC: date '31/31/2012' found; a date such as 1/07/2012 or 1-Jul-12, {order} wanted"
    assert staged.intake.first_faults == (said,)
