"""Usual exports by their headings, and whatever a user states of a file that does not say it itself."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as arrow_parquet
import pytest

from fmar_spark.errors import ConfigError, InputError
from fmar_spark.intake.intervals.files import find_files
from fmar_spark.intake.intervals.formats import EXPORTS
from fmar_spark.intake.intervals.importing import StagedIntake, import_files
from fmar_spark.intake.intervals.options import AUSGRID, FORMATS, NEM12, PLAIN, WIDE, ReadingOptions, read_columns
from fmar_spark.intake.intervals.rows import ReadingRules

PLAIN_HEADING = "series_id,timestamp_utc,kwh_import"
HALF_HOURS = [f"{at // 2:02d}:{at % 2 * 3}0" for at in range(48)]
KWH = np.round(np.random.default_rng(1).uniform(0.05, 1.5, 48 * 400), 3)


def take(source: Path, **stated: Any) -> StagedIntake:
    staging = source.parent / f"_staging_{source.name}"
    staging.mkdir(exist_ok=True)
    return import_files(find_files(source), staging, ReadingRules(), ReadingOptions(**stated))


def write(folder: Path, *lines: str, name: str = "home.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return path


def slots_of(staged: StagedIntake, quantity: str = "AI") -> dict[tuple[str, str], list[float | None]]:
    """Half-hours of each series and UTC day."""
    rows = arrow_parquet.read_table(staged.days_path).to_pylist()
    return {(row["series_id"], row["utc_date"].isoformat()): row["kwh"] for row in rows if row["quantity"] == quantity}


def first_slots(staged: StagedIntake, day: str = "2024-06-01", slots: int = 3) -> list[float | None]:
    return [None if kwh is None else round(kwh, 4) for kwh in next(kwh for (_, own), kwh in slots_of(staged).items() if own == day)[:slots]]


def list_ausgrid(*rows: tuple[str, list[str]]) -> list[str]:
    """A day of a customer, a row a category."""
    ends = [f"{at // 60}:{at % 60:02d}" for at in [*range(30, 1440, 30), 0]]
    heading = f"Customer,Generator Capacity,Postcode,Consumption Category,date,{','.join(ends)}"
    return [heading, *(f"1,3.78,2076,{kind},1/07/2012,{','.join(cells)}" for kind, cells in rows)]


def list_nem12(*rows: tuple[str, list[str]], quality: str = "A", unit: str = "kWh") -> list[str]:
    """A day of a meter point, two lines a register."""
    heads = [f"200,NEM1201009,E1E2B1,{register},{register},N1,01009,{unit},30,20240610" for register, _ in rows]
    days = [f"300,20240601,{','.join(cells)},{quality},,,20240602000000," for _, cells in rows]
    return ["100,NEM12,202406020000,MDA1,Ret1", *(line for pair in zip(heads, days, strict=True) for line in pair), "900"]


def test_every_format_has_a_name_that_can_be_stated() -> None:
    assert {PLAIN, WIDE, AUSGRID, NEM12, *EXPORTS} == set(FORMATS)


@pytest.mark.parametrize(
    ("name", "lines", "series"),
    [
        (
            "octopus",
            [
                " Consumption (kwh), Estimated Cost Inc. Tax (p), Start, End",
                *(f"{kwh},1.2, 2024-06-01T0{hour}:00:00+01:00, 2024-06-01T0{hour}:30:00+01:00" for hour, kwh in ((1, 0.1), (2, 0.3))),
                "0.2,1.2, 2024-06-01T01:30:00+01:00, 2024-06-01T02:00:00+01:00",
            ],
            "home",
        ),
        (
            "n3rgy",
            ["timestamp (UTC),energyConsumption (kWh)", *(f"2024-06-01 0{at // 2}:{at % 2 * 3}0,0.{at + 1}" for at in range(3))],
            "home",
        ),
        (
            "hildebrand",
            ["entity,resource,time,value,unit", *(f"Flat 1,abc,2024-06-01T0{at // 2}:{at % 2 * 3}0:00,0.{at + 1},kWh" for at in range(3))],
            "Flat 1",
        ),
        (
            "low-carbon-london",
            [
                "LCLid,stdorToU,DateTime,KWH/hh (per half hour) ,Acorn",
                *(f"MAC1,Std,2024-06-01 0{at // 2}:{at % 2 * 3}0:00.0000000, 0.{at + 1} ,A" for at in range(3)),
                "MAC1,Std,2024-06-01 01:30:00.0000000,Null,A",
            ],
            "MAC1",
        ),
        (
            "low-carbon-london",
            ["LCLid,tstp,energy(kWh/hh)", *(f"MAC1,2024-06-01 0{at // 2}:{at % 2 * 3}0:00.0000000, 0.{at + 1} " for at in range(3))],
            "MAC1",
        ),
    ],
)
def test_a_usual_export_is_known_by_its_headings(tmp_path: Path, name: str, lines: list[str], series: str) -> None:
    staged = take(write(tmp_path, *lines))
    assert [fact.series_id for fact in staged.intake.series] == [series]
    assert [found[0] for found in staged.formats] == [name]
    assert first_slots(staged) == [0.1, 0.2, 0.3]
    assert staged.intake.faults_by_rule == {}


def test_nem12_is_read_in_its_own_time_with_its_registers_summed(tmp_path: Path) -> None:
    cells = ["0.5", *["0.1"] * 47]
    staged = take(write(tmp_path, *list_nem12(("E1", cells), ("E2", cells), ("B1", cells))))
    assert [found[0] for found in staged.formats] == ["nem12"]
    assert slots_of(staged)["NEM1201009", "2024-05-31"][28:30] == pytest.approx([1.0, 0.2])
    assert slots_of(staged, "AE")["NEM1201009", "2024-05-31"][28:30] == pytest.approx([0.5, 0.1])


def test_ausgrid_is_read_as_the_connection_sees_it(tmp_path: Path) -> None:
    rows = [(kind, [value] * 48) for kind, value in (("GC", "0.3"), ("CL", "0.1"), ("GG", "1.0"))]
    staged = take(write(tmp_path, "Solar home 2012-2013,,,", *list_ausgrid(*rows)))
    assert staged.intake.kwh["held"] == pytest.approx(48 * 0.6, rel=1e-6)
    assert slots_of(staged, "AE")["1", "2012-06-30"][27:29] == [None, pytest.approx(0.6)]


@pytest.mark.parametrize(
    ("cell", "rule"),
    [
        ("abc", "kwh_not_a_number"),
        ("1_0", "kwh_not_a_number"),
        ('"0,3"', "kwh_decimal_comma"),
        ("-0.3", "kwh_negative"),
        ("inf", "kwh_not_finite"),
        ("", None),
    ],
)
def test_a_half_hour_with_a_cell_that_is_no_energy_is_never_the_sum_of_the_others(tmp_path: Path, cell: str, rule: str | None) -> None:
    drawn, given = ["0.3"] * 27 + [cell] + ["0.3"] * 20, ["0.1"] * 48
    staged = take(write(tmp_path, *list_ausgrid(("CL", given), ("GC", drawn))))
    assert (staged.intake.faults_by_rule, staged.intake.counts["rows_kept"]) == ({rule: 1} if rule else {}, 47)
    assert [fault[:10] for fault in staged.intake.first_faults] == (["home.csv:3"] if rule else [])
    if rule != "kwh_decimal_comma":
        staged = take(write(tmp_path, *list_nem12(("E1", drawn), ("E2", given))))
        wanted = "kwh_not_a_number" if rule == "kwh_not_finite" else rule
        assert (staged.intake.faults_by_rule, staged.intake.counts["rows_kept"]) == ({wanted: 1} if wanted else {}, 47)
        assert [fault[:10] for fault in staged.intake.first_faults] == (["home.csv:3"] if rule else [])


def test_a_day_that_is_there_twice_is_counted_once(tmp_path: Path) -> None:
    same, other = ["0.3"] * 48, ["0.3"] * 47 + ["9"]
    for lines in (list_ausgrid, list_nem12):
        kind = "GC" if lines is list_ausgrid else "E1"
        counts = take(write(tmp_path, *lines((kind, same), (kind, same), (kind, other)))).intake.counts
        assert (counts["rows_kept"], counts["rows_duplicate"], counts["rows_quarantined"]) == (48, 95, 1)


def test_a_day_of_ausgrid_without_a_category_that_its_customer_has_was_not_read(tmp_path: Path) -> None:
    heading, drawn, given = list_ausgrid(("GC", ["0.3"] * 48), ("GG", ["1.0"] * 48))
    rows = [row.replace("1/07", f"{day}/07") for day in range(1, 6) for row in (drawn, given) if (row, day) not in {(given, 3), (given, 5)}]
    staged = take(write(tmp_path, heading, *rows))
    assert (staged.intake.counts["rows_unread"], staged.intake.counts["rows_kept"]) == (48, 4 * 48)
    assert staged.intake.kwh["held"] == pytest.approx(3 * 48 * 0.7 + 48 * 0.3, rel=1e-6)


def test_a_last_day_of_ausgrid_without_general_consumption_was_not_read(tmp_path: Path) -> None:
    heading, drawn, given = list_ausgrid(("GC", ["0.3"] * 48), ("GG", ["1.0"] * 48))
    staged = take(write(tmp_path, heading, drawn, given, given.replace("1/07", "2/07")))
    assert (staged.intake.counts["rows_unread"], staged.intake.counts["rows_kept"]) == (48, 48)


def test_a_day_of_ausgrid_that_lacks_a_category_is_named(tmp_path: Path) -> None:
    heading, drawn, given = list_ausgrid(("GC", ["0.3"] * 48), ("GG", ["1.0"] * 48))
    middle = [row.replace("1/07", f"{day}/07") for day in (1, 2, 3) for row in (drawn, given) if (row, day) != (given, 2)]
    staged = take(write(tmp_path, heading, *middle, drawn))
    wanted = "every category of the customer on a day wanted; without it the day is left out"
    assert staged.intake.first_faults == (
        f"home.csv:4: category_missing: customer 1 2/07/2012: no row of GG found; {wanted}",
        f"home.csv:7: category_missing: customer 1 1/07/2012: no further row of GG found; {wanted}",
    )


@pytest.mark.parametrize("date", ["31/06/2012", "07/13/2012", "", "1/07/12", "1-Jul-1"])
def test_a_date_of_ausgrid_that_is_none_is_one_line_a_row(tmp_path: Path, date: str) -> None:
    heading, drawn, given = list_ausgrid(("GC", ["0.3"] * 48), ("GG", ["1.0"] * 48))
    staged = take(write(tmp_path, heading, drawn, given, drawn.replace("1/07/2012", date), given.replace("1/07/2012", date)))
    wanted = "a date such as 1/07/2012 or 1-Jul-12, day first wanted"
    assert staged.intake.first_faults == (
        f"home.csv:4: customer_date: customer 1 GC: date {date!r} found; {wanted}",
        f"home.csv:5: customer_date: customer 1 GG: date {date!r} found; {wanted}",
    )
    assert staged.intake.counts["rows_kept"] == 48
    with pytest.raises(InputError, match=r"no usable row found \(home.csv:2: customer_date: customer 1 GC: date '31/06/2012' found"):
        take(write(tmp_path, heading, drawn.replace("1/07", "31/06"), name="none.csv").rename(tmp_path / "home.csv"))


@pytest.mark.parametrize("date", ["1/07/2012", "1-Jul-12", "1-Jul-2012", "2012-07-01"])
def test_every_date_that_ausgrid_files_are_met_with_is_read(tmp_path: Path, date: str) -> None:
    heading, drawn = list_ausgrid(("GC", ["0.3"] * 48))
    staged = take(write(tmp_path, heading, drawn.replace("1/07/2012", date)))
    assert set(slots_of(staged)) == {("1", "2012-06-30"), ("1", "2012-07-01")}


def test_ausgrid_of_a_heading_alone_has_no_usable_row(tmp_path: Path) -> None:
    heading, *_ = list_ausgrid(("GC", ["0.3"] * 48))
    with pytest.raises(InputError, match=r"no usable row found \(it has no rows\)"):
        take(write(tmp_path, heading))


def test_a_day_of_nem12_of_which_a_register_is_not_whole_was_not_read(tmp_path: Path) -> None:
    staged = take(write(tmp_path, *list_nem12(("E1", ["0.3"] * 48), ("E2", ["0.1"] * 47), ("B1", ["0.2"] * 48))))
    assert (staged.intake.faults_by_rule, staged.intake.kwh["held"]) == ({"record_values": 1}, pytest.approx(48 * 0.2, rel=1e-6))
    assert slots_of(staged) == {}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (list_nem12(("E1", ["0.3"] * 47)), "home.csv:3: record_values: NEM1201009 E1 20240601: 54 fields found"),
        (list_nem12(("E1", ["0.3"] * 49)), "home.csv:3: record_values: NEM1201009 E1 20240601: 56 fields found"),
        ([line.replace(",20240601,", ",20240631,") for line in list_nem12(("E1", ["0.3"] * 48))], "home.csv:3: record_date: "),
        (list_nem12(("E1", ["0.3"] * 48), quality="N"), r"home.csv: no usable row found \(48 rows without a number of kWh\)"),
        (
            list_nem12(("E1", ["0.3"] * 48), unit="kVArh"),
            "register_unreadable: NEM1201009 E1: unit 'kVArh' found; a register",
        ),
        (
            [line.replace(",30,2024", ",0,2024") for line in list_nem12(("E1", ["0.3"] * 48))],
            "home.csv:2: register_unreadable: NEM1201009 E1: intervals of '0' minutes found",
        ),
        ([line for line in list_nem12(("E1", ["0.3"] * 48)) if line[:3] != "200"], "home.csv:2: values \\(300\\) found before"),
        (["100,NEM12,1,A,B", "200,NEM", "900"], "home.csv:2: register_unreadable: NEM: 2 fields found"),
    ],
)
def test_a_nem12_that_is_not_whole_is_one_line(tmp_path: Path, lines: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        take(write(tmp_path, *lines))


@pytest.mark.parametrize(
    ("headings", "reading"),
    [
        (HALF_HOURS, "starts"),
        ([*HALF_HOURS[1:], "24:00"], "ends"),
        ([*HALF_HOURS[1:], "00:00"], "ends"),
        ([f"HH{at:02d}" for at in range(1, 49)], "starts"),
        ([str(at) for at in range(1, 51)], "starts"),
        ([f"kwh_{name.replace(':', '')}" for name in HALF_HOURS], "starts"),
    ],
)
def test_a_wide_file_is_one_row_a_day(tmp_path: Path, headings: list[str], reading: str) -> None:
    values = [f"0.{at:02d}" for at in range(1, 49)] + [""] * (len(headings) - 48)
    staged = take(write(tmp_path, f"mpan,date,{','.join(headings)}", f"a,2024-06-01,{','.join(values)}"), columns={"mpan": "series_id"})
    assert first_slots(staged) == [0.01, 0.02, 0.03]
    assert staged.intake.counts["rows_kept"] == 48
    assert next(iter(staged.formats))[1].endswith(f"are period {reading}")


@pytest.mark.parametrize("headings", [HALF_HOURS, [*HALF_HOURS[1:], "24:00"]])
def test_swapped_days_of_a_wide_file_are_put_right(tmp_path: Path, headings: list[str]) -> None:
    days = [(f"2024-{day:02d}-06" if day <= 12 else f"2024-06-{day:02d}") for day in range(1, 16)]
    rows = [f"a,{day},{','.join(['0.5'] * 48)}" for day in days]
    staged = take(write(tmp_path, f"series_id,date,{','.join(headings)}", *rows), dates="swapped")
    assert set(slots_of(staged)) == {("a", f"2024-06-{day:02d}") for day in range(1, 16)}


@pytest.mark.parametrize(("day", "periods"), [("2024-03-31", 46), ("2024-10-27", 50)])
def test_settlement_periods_are_counted_from_local_midnight(tmp_path: Path, day: str, periods: int) -> None:
    values = [*["0.5"] * periods, *[""] * (50 - periods)]
    path = write(tmp_path, f"series_id,date,{','.join(f'SP{at}' for at in range(1, 51))}", f"a,{day},{','.join(values)}")
    staged = take(path, time_zone="Europe/London")
    assert staged.intake.kwh["held"] == periods / 2
    assert staged.intake.faults_by_rule == {}


@pytest.mark.parametrize("is_newest_first", [False, True])
@pytest.mark.parametrize("is_flat", [False, True])
def test_the_hour_that_the_clock_shows_twice_is_two_hours(tmp_path: Path, is_newest_first: bool, is_flat: bool) -> None:
    utc = pd.date_range("2024-10-26", periods=48 * 3, freq="30min", tz="UTC")
    kwh = np.full(len(utc), 0.25) if is_flat else KWH[: len(utc)]
    lines = [f"a,{at:%Y-%m-%d %H:%M},{value}" for at, value in zip(utc.tz_convert("Europe/London"), kwh, strict=True)]
    staged = take(write(tmp_path, PLAIN_HEADING, *(lines[::-1] if is_newest_first else lines)), time_zone="Europe/London")
    assert (staged.intake.counts["rows_kept"], staged.intake.faults_by_rule) == (len(utc), {})
    assert [value for _, day in sorted(slots_of(staged).items()) for value in day] == pytest.approx(list(kwh))


def test_stamps_of_a_stated_clock_are_read_through_both_of_its_changes(tmp_path: Path) -> None:
    utc = pd.date_range("2023-09-01", periods=48 * 400, freq="30min", tz="UTC")
    lines = [f"a,{at:%Y-%m-%d %H:%M},{kwh}" for at, kwh in zip(utc.tz_convert("Europe/London"), KWH, strict=True)]
    path = write(tmp_path, PLAIN_HEADING, *lines)
    staged = take(path, time_zone="Europe/London")
    plain = take(
        write(
            tmp_path,
            PLAIN_HEADING,
            *(f"a,{at:%Y-%m-%dT%H:%MZ},{kwh}" for at, kwh in zip(utc, KWH, strict=True)),
            name="utc.csv",
        )
    )
    assert slots_of(staged) == slots_of(plain)
    assert (staged.intake.faults_by_rule, staged.intake.counts["rows_naive"]) == ({}, 0)
    assert take(path).intake.anomalies["local_clock"] == ("a",)
    wrong = take(
        write(tmp_path, PLAIN_HEADING, "a,2024-03-31 01:30,1", "a,2024-03-31 02:00,1", name="skipped.csv"),
        time_zone="Europe/London",
    )
    assert wrong.intake.faults_by_rule == {"timestamp_skipped": 1}


def test_stated_ends_are_read_at_their_starts_whatever_the_step(tmp_path: Path) -> None:
    ends = [*(f"2024-06-01T{at // 2:02d}:{at % 2 * 3}0:00Z" for at in range(1, 13)), *(f"2024-06-01T06:{at}:00Z" for at in (15, 30, 45))]
    lines = [f"a,{at},{1.0 if place < 12 else 0.5}" for place, at in enumerate([*ends, "2024-06-01T07:00:00Z"])]
    staged = take(write(tmp_path, PLAIN_HEADING, *lines), stamps="end")
    assert first_slots(staged, slots=15) == [1.0] * 14 + [None]
    hourly = take(
        write(tmp_path, PLAIN_HEADING, "a,2024-06-01 23:00,1", "a,2024-06-01 24:00,3", name="hours.csv"),
        stamps="end",
    )
    assert slots_of(hourly)["a", "2024-06-01"][44:] == [0.5, 0.5, 1.5, 1.5]


@pytest.mark.parametrize(("units", "factor"), [("wh", 1000.0), ("mwh", 0.001), ("kw", 2.0), ("w", 2000.0)])
def test_stated_units_give_the_same_energies(tmp_path: Path, units: str, factor: float) -> None:
    lines = [f"a,2024-06-01T{name}Z,{kwh * factor:.6f}" for name, kwh in zip(HALF_HOURS, KWH, strict=False)]
    staged = take(write(tmp_path, PLAIN_HEADING, *lines), units=units)
    assert staged.intake.kwh["held"] == pytest.approx(KWH[:48].sum(), rel=1e-5)
    assert staged.intake.kwh["read"] == pytest.approx(staged.intake.kwh["held"])


@pytest.mark.parametrize(("heading", "factor"), [("Consumption (kWh)", 1.0), ("Consumption", 0.001)])
def test_a_unit_that_the_heading_of_an_export_names_stands(tmp_path: Path, heading: str, factor: float) -> None:
    names = ("Start", "End") if "kWh" in heading else ("interval_start", "interval_end")
    lines = [f"{kwh},2024-06-01T{at}Z,2024-06-01T{at}Z" for at, kwh in zip(HALF_HOURS, KWH, strict=False)]
    staged = take(write(tmp_path, f"{heading},{','.join(names)}", *lines), units="wh")
    assert staged.intake.kwh["held"] == pytest.approx(KWH[:48].sum() * factor, rel=1e-5)
    assert any("--units wh is not used: its heading says kWh" in found for found in staged.formats) == (factor == 1.0)


def test_running_totals_give_the_energies_between_them(tmp_path: Path) -> None:
    totals = np.round(60_000 + np.cumsum(KWH[:48]), 3)
    lines = [f"a,2024-06-01T{name}Z,{total}" for name, total in zip(HALF_HOURS, totals, strict=True)]
    lines = [*lines[:20], *lines[22:]]
    staged = take(write(tmp_path, PLAIN_HEADING, *lines), readings="register")
    assert first_slots(staged, slots=2) == pytest.approx(KWH[1:3].tolist(), abs=0.005)
    assert staged.intake.faults_by_rule == {"total_unfollowed": 2}
    assert staged.intake.kwh["held"] == pytest.approx(KWH[1:20].sum() + KWH[23:48].sum(), abs=0.05)


def test_totals_that_restart_each_day_give_their_steps(tmp_path: Path) -> None:
    totals = np.round(np.arange(1, 49) * 0.2, 1)
    lines = [f"h,2024-01-{day:02d}T{name}:00Z,{total}" for day in range(1, 11) for name, total in zip(HALF_HOURS, totals, strict=True)]
    path = write(tmp_path, PLAIN_HEADING, *lines)
    assert take(path).intake.anomalies["daily_total"] == ("h",)
    staged = take(path, readings="daily-total")
    assert staged.intake.kwh["held"] == pytest.approx(96, abs=1e-3)
    assert "daily_total" not in {name for name, found in staged.intake.anomalies.items() if found}


@pytest.mark.parametrize(
    ("text", "dates"), [("1/6/2024 {}", "day-first"), ("06-01-2024 {}", "month-first"), ("2024-01-06T{}:00Z", "swapped")]
)
def test_a_stated_order_of_dates_is_read(tmp_path: Path, text: str, dates: str) -> None:
    lines = [f"a,{text.format(name)},0.{place + 1}" for place, name in enumerate(HALF_HOURS[:3])]
    path = write(tmp_path, PLAIN_HEADING, *lines)
    assert first_slots(take(path, dates=dates)) == [0.1, 0.2, 0.3]


def test_columns_and_the_series_can_be_stated_and_are_asked_for(tmp_path: Path) -> None:
    path = write(
        tmp_path, "Read Date,Time,Energy Used (kWh),Cost", *(f"2024-06-01,{name},0.{at + 1},9" for at, name in enumerate(HALF_HOURS[:3]))
    )
    with pytest.raises(
        ConfigError,
        match=r"columns series_id, timestamp_utc, kwh_import are missing.*--columns 'energy used \(kwh\)=kwh_import'.*--series NAME",
    ):
        take(path)
    stated = read_columns(["Read Date=date", "Time=time", "Energy Used (kWh)=kwh_import"])
    staged = take(path, columns=stated, series="12 High Street")
    assert [fact.series_id for fact in staged.intake.series] == ["12 High Street"]
    assert first_slots(staged) == [0.1, 0.2, 0.3]
    with pytest.raises(ConfigError, match="--columns names gone; found read date"):
        take(path, columns={"gone": "date"})
    with pytest.raises(ConfigError, match="'x=y' found; THEIRS=OURS wanted"):
        read_columns(["x=y"])


def test_a_format_that_is_stated_but_not_found_is_one_line(tmp_path: Path) -> None:
    path = write(tmp_path, PLAIN_HEADING, "a,2024-06-01T00:00Z,1")
    for name in ("octopus", "wide", "low-carbon-london"):
        with pytest.raises(ConfigError, match=r"^home.csv: "):
            take(path, format=name)
