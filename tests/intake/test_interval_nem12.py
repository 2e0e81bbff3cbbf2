"""NEM12 whose registers do not go together: one missing on a day, of another step, or counted up over longer than an hour."""

from pathlib import Path

import numpy as np
import pytest
from nem12_files import NMI, fill, sum_of, take, write_nem12

from fmar_spark.errors import InputError
from fmar_spark.intake.intervals.files import find_files
from fmar_spark.intake.intervals.importing import import_files
from fmar_spark.intake.intervals.options import ReadingOptions
from fmar_spark.intake.intervals.own_files import OwnFiles, understand_files
from fmar_spark.intake.intervals.report import describe_intake
from fmar_spark.intake.intervals.rows import ReadingRules
from fmar_spark.settings.sections import ImportSettings, Settings

WANTED = "every register of a direction on a day wanted; without it that direction is left out"


@pytest.mark.parametrize(("missing", "drawn", "given"), [("E1", 2, 3), ("E2", 2, 3), ("B1", 3, 2)])
def test_a_direction_of_a_day_without_one_of_its_registers_was_not_read_and_the_day_is_named(
    tmp_path: Path, missing: str, drawn: int, given: int
) -> None:
    registers = [(name, 30, fill(range(1, 4), kwh)) for name, kwh in (("E1", 0.3), ("E2", 0.1), ("B1", 0.2))]
    for name, _, days in registers:
        if name == missing:
            del days[2]
    staged = take(write_nem12(tmp_path, *registers))
    assert sum_of(staged, "AI") == pytest.approx(drawn * 48 * 0.4, rel=1e-6)
    assert sum_of(staged, "AE") == pytest.approx(given * 48 * 0.2, rel=1e-6)
    assert staged.intake.faults_by_rule == {"register_missing": 1}
    (said,) = staged.intake.first_faults
    assert said.endswith(
        f"register_missing: {NMI} 20240602: no record of {missing} found; every register of a direction on a day wanted; "
        "without it that direction is left out"
    )


@pytest.mark.parametrize(("configured", "whole"), [("E1E2", 2), ("E1", 3)])
def test_a_register_that_ends_is_missed_while_the_meter_point_is_configured_with_it(tmp_path: Path, configured: str, whole: int) -> None:
    path = write_nem12(tmp_path, ("E1", 30, fill(range(1, 4), 0.3)), ("E2", 30, fill(range(1, 3), 0.1)), configured=configured)
    staged = take(path)
    assert sum_of(staged, "AI") == pytest.approx(48 * (2 * 0.4 + 0.3 * (whole == 3)), rel=1e-6)
    assert staged.intake.faults_by_rule == ({"register_missing": 1} if whole == 2 else {})


@pytest.mark.parametrize(("configured", "whole"), [("E1E2", 2), ("E1", 3)])
def test_a_register_that_comes_later_is_missed_while_the_meter_point_is_configured_with_it(
    tmp_path: Path, configured: str, whole: int
) -> None:
    path = write_nem12(tmp_path, ("E1", 30, fill(range(1, 4), 0.3)), ("E2", 30, fill(range(2, 4), 0.1)), configured=configured)
    staged = take(path)
    assert sum_of(staged, "AI") == pytest.approx(48 * (2 * 0.4 + 0.3 * (whole == 3)), rel=1e-6)
    assert staged.intake.faults_by_rule == ({"register_missing": 1} if whole == 2 else {})


def test_a_register_is_missed_from_the_day_on_that_its_meter_point_is_configured_with_it(tmp_path: Path) -> None:
    path = write_nem12(tmp_path, ("E1", 30, fill(range(1, 3), 0.3)), ("E1", 30, fill(range(3, 6), 0.3)), ("E2", 30, fill(range(5, 6), 0.1)))
    path.write_text(path.read_text(encoding="utf-8").replace("E1E1E2", "E1", 1).replace("E1E1E2", "E1E2"), encoding="utf-8")
    staged = take(path)
    assert sum_of(staged, "AI") == pytest.approx(48 * (2 * 0.3 + 0.4), rel=1e-6)
    assert [said.split(": ")[3] for said in staged.intake.first_faults] == [f"no record of E2 found; {WANTED}"] * 2


def test_registers_that_the_file_leaves_out_altogether_are_named_in_one_line(tmp_path: Path) -> None:
    path = write_nem12(tmp_path, ("E1", 30, fill(range(1, 4), 0.3)), configured="E1E2B1Q1")
    staged = take(path)
    assert sum_of(staged, "AI") == pytest.approx(3 * 48 * 0.3, rel=1e-6)
    said = describe_intake(staged.intake, {}, None, (), ImportSettings())
    assert (
        f"warning    home.csv: {NMI}: no record of B1, E2 found, which its configuration (200) names: E1 alone is read; "
        "ask for a file of all registers of the meter point"
    ) in said


@pytest.mark.parametrize(
    ("drawn", "given", "step"),
    [(30, 15, 30), (15, 30, 30), (5, 30, 30), (5, 5, 15), (15, 15, 15), (30, 30, 30), (10, 15, 30), (20, 60, 60)],
)
def test_registers_of_unlike_steps_are_summed_to_one_that_all_divide(tmp_path: Path, drawn: int, given: int, step: int) -> None:
    fine = np.random.default_rng(1).uniform(0.01, 0.2, (2, 3, 288)).round(3)
    sides = [
        (name, minutes, {day: fine[side, day - 1].reshape(1440 // minutes, -1).sum(axis=1).round(3).tolist() for day in (1, 2, 3)})
        for side, (name, minutes) in enumerate((("E1", drawn), ("B1", given)))
        if True
    ]
    staged = take(write_nem12(tmp_path, *sides))
    assert staged.intake.faults_by_rule == {}
    assert [fact.interval_minutes for fact in staged.intake.series] == [step]
    assert (sum_of(staged, "AI"), sum_of(staged, "AE")) == (pytest.approx(fine[0].sum(), rel=1e-5), pytest.approx(fine[1].sum(), rel=1e-5))


def test_a_quarter_that_was_not_read_makes_its_half_hour_unread_and_no_other(tmp_path: Path) -> None:
    quarters: dict[int, list[float | str]] = {1: ["", *[0.1] * 95]}
    staged = take(write_nem12(tmp_path, ("E1", 30, fill(range(1, 2), 0.3)), ("B1", 15, quarters)))
    assert (sum_of(staged, "AI"), sum_of(staged, "AE")) == (pytest.approx(48 * 0.3, rel=1e-6), pytest.approx(47 * 0.2, rel=1e-6))


@pytest.mark.parametrize(
    ("minutes", "values", "rule", "said"),
    [
        (1440, [12.5], "record_step", "intervals of 1440 minutes found; intervals that divide an hour"),
        (120, [1.5] * 12, "record_step", "intervals of 120 minutes found"),
        (30, [12.5], "record_values", "8 fields found; a value for each interval of the day"),
        (30, [12.5, *[""] * 47], "record_values", "1 of 48 values found"),
    ],
)
def test_an_energy_that_was_counted_up_over_longer_is_no_half_hour(
    tmp_path: Path, minutes: int, values: list[float | str], rule: str, said: str
) -> None:
    accumulated = ("E2", minutes, dict.fromkeys(range(1, 4), values))
    staged = take(write_nem12(tmp_path, ("E1", 30, fill(range(1, 4), 0.3)), accumulated, ("B1", 30, fill(range(1, 4), 0.2))))
    assert (staged.intake.faults_by_rule, sum_of(staged, "AI")) == ({rule: 3}, 0)
    assert sum_of(staged, "AE") == pytest.approx(3 * 48 * 0.2, rel=1e-6)
    assert said in staged.intake.first_faults[0]
    with pytest.raises(InputError, match=f"home.csv: no usable row found \\(home.csv:3: {rule}: "):
        take(write_nem12(tmp_path, accumulated))


@pytest.mark.parametrize("stated", [None, "nem12"])
def test_readings_between_visits_are_no_intervals(tmp_path: Path, stated: str | None) -> None:
    path = tmp_path / "home.csv"
    reads = "00001.0,20240301000000,A,,,00100.0,20240601000000,A,,,99,kWh,20240901,20240602000000,"
    path.write_text(f"100,NEM13,202407020000,MDA1,Ret1\n250,{NMI},E1,1,E1,N1,01009,E,{reads}\n900\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"home.csv:2: an accumulated reading \(250, NEM13\) found; interval readings \(NEM12\) wanted"):
        import_files(find_files(path), tmp_path, ReadingRules(), ReadingOptions(format=stated))


def test_a_repeat_of_one_register_is_held_against_the_whole_day(tmp_path: Path) -> None:
    days, again = fill(range(1, 3), 0.3), {1: [0.3] * 48, 2: [0.3] * 47 + [0.9]}
    staged = take(write_nem12(tmp_path, ("E1", 30, days), ("E2", 30, fill(range(1, 3), 0.1)), ("E1", 30, again)))
    counts = staged.intake.counts
    assert (counts["rows_kept"], counts["rows_duplicate"], staged.intake.faults_by_rule) == (96, 95, {"duplicate_conflicts": 1})
    assert sum_of(staged, "AI") == pytest.approx(96 * 0.4, rel=1e-6)
    assert staged.intake.first_faults[0].startswith("home.csv:10: ")


def test_a_record_without_what_may_be_left_off_is_read(tmp_path: Path) -> None:
    path = write_nem12(tmp_path, ("E1", 30, fill(range(1, 2), 0.3)))
    path.write_text(path.read_text(encoding="utf-8").replace(",A,,,20240701000000,", ",A"), encoding="utf-8")
    assert sum_of(take(path), "AI") == pytest.approx(48 * 0.3, rel=1e-6)


def test_a_stated_clock_is_not_called_standard_time(tmp_path: Path) -> None:
    path = write_nem12(tmp_path, ("E1", 30, fill(range(1, 4), 0.3)))
    for zone, said in ((None, "Etc/GMT-10, standard time all year"), ("Australia/Perth", "Australia/Perth, as stated")):
        lines = understand_files(OwnFiles(path, options=ReadingOptions(time_zone=zone)), tmp_path, Settings()).lines
        assert f"format     nem12, 1 file; times are {said}" in lines


def test_a_meter_that_goes_over_to_five_minutes_keeps_every_energy(tmp_path: Path) -> None:
    halves, fives = fill(range(1, 11), 0.6), fill(range(11, 21), 0.1, minutes=5)
    staged = take(write_nem12(tmp_path, ("E1", 30, halves), ("E1", 5, fives)))
    assert (sum_of(staged, "AI"), staged.intake.faults_by_rule) == (pytest.approx(20 * 48 * 0.6, rel=1e-5), {})


@pytest.mark.parametrize(("files", "more"), [(3, []), (4, ["1 more meter point"]), (9, ["6 more meter points"])])
def test_many_meter_points_without_a_register_are_three_lines_and_a_count(tmp_path: Path, files: int, more: list[str]) -> None:
    source = tmp_path / "files"
    source.mkdir()
    for number in range(files):
        path = write_nem12(tmp_path, ("E1", 30, fill(range(1, 4), 0.3)), configured="E1E2")
        (source / f"{number}.csv").write_text(path.read_text(encoding="utf-8").replace(NMI, f"NEM{number}"), encoding="utf-8")
    said = describe_intake(import_files(find_files(source), tmp_path, ReadingRules()).intake, {}, None, (), ImportSettings())
    found = [line for line in said if "no record of" in line or "there is no record" in line]
    assert found[3:] == [f"warning    {count} with registers of which there is no record" for count in more]


def test_registers_that_are_in_files_of_their_own_are_not_taken_for_the_whole_unsaid(tmp_path: Path) -> None:
    for name, kwh in (("E1", 0.3), ("E2", 0.1)):
        write_nem12(tmp_path, (name, 30, fill(range(1, 4), kwh)), configured="E1E2").rename(tmp_path / f"{name}.csv")
    staged = import_files(find_files(tmp_path), tmp_path, ReadingRules(), ReadingOptions())
    assert [notice.partition(" found")[0] for notice in staged.intake.notices] == [
        f"E1.csv: {NMI}: no record of E2",
        f"E2.csv: {NMI}: no record of E1",
    ]
    assert staged.intake.faults_by_rule == {"duplicate_conflicts": 3 * 48}


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        (ReadingOptions(units="wh"), "--units wh is not used: its records name their unit, day and intervals"),
        (ReadingOptions(units="kw"), "--units kw is not used: its records name their unit, day and intervals"),
        (
            ReadingOptions(stamps="end", decimal_comma=True),
            "--stamps end, --decimal-comma are not used: its records name their unit, day and intervals",
        ),
        (ReadingOptions(readings="register", dates="swapped"), "--dates swapped, --readings register are not used: its records name"),
    ],
)
@pytest.mark.parametrize("unit", ["kWh", "Wh"])
def test_what_the_file_says_itself_stands_whatever_is_stated(tmp_path: Path, stated: ReadingOptions, said: str, unit: str) -> None:
    kwh = np.random.default_rng(3).integers(30, 300, 480).reshape(10, 48)
    path = write_nem12(tmp_path, ("E1", 30, {day: kwh[day - 1].tolist() for day in range(1, 11)}))
    path.write_text(path.read_text(encoding="utf-8").replace(",kWh,", f",{unit},"), encoding="utf-8")
    plain, staged = take(path), import_files(find_files(path), tmp_path, ReadingRules(), stated)
    assert staged.intake.kwh["held"] == plain.intake.kwh["held"] == pytest.approx(kwh.sum() * (1 if unit == "kWh" else 0.001))
    lines = understand_files(OwnFiles(path, options=stated), tmp_path, Settings()).lines
    assert lines[0].startswith(f"format     nem12, 1 file; times are Etc/GMT-10, standard time all year; {said}")
    cures = [line.partition("they look like Wh; ")[2] for line in lines if "watt_hours" in line]
    assert cures == (["read as the file says itself, --units does not change it"] if unit == "kWh" else [])
