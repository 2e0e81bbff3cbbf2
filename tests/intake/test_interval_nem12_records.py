"""NEM12 records that are broken: each costs itself, or what it may have said, and nothing else."""

from datetime import date
from pathlib import Path

import pytest
from nem12_files import NMI, fill, insert_below, sum_of, take, write_nem12

from fmar_spark.errors import InputError
from fmar_spark.intake.intervals.files import InputFile
from fmar_spark.intake.intervals.nem12_records import check_records


@pytest.mark.parametrize("day", ["99991231", "00000101", "20240631", "2024-6-1"])
def test_a_record_of_no_day_costs_itself_alone(tmp_path: Path, day: str) -> None:
    path = write_nem12(tmp_path, ("E1", 30, fill(range(1, 4), 0.5)))
    path.write_text(path.read_text(encoding="utf-8").replace("300,20240602", f"300,{day}"), encoding="utf-8")
    staged = take(path)
    assert sum_of(staged, "AI") == pytest.approx(2 * 48 * 0.5, rel=1e-6)
    assert staged.intake.faults_by_rule == {"record_date": 1}


@pytest.mark.parametrize("day", [1, 2, 3])
@pytest.mark.parametrize("configured", ["E1E2", "E1"])
def test_the_day_of_a_record_without_a_date_is_not_whole_wherever_it_stands(tmp_path: Path, day: int, configured: str) -> None:
    path = write_nem12(tmp_path, ("E1", 30, fill(range(1, 4), 0.5)), ("E2", 30, fill(range(1, 4), 0.25)), configured=configured)
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[5 + day] = lines[5 + day].replace(f"300,202406{day:02d}", "300,20240631")
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    staged = take(path)
    assert sum_of(staged, "AI") == pytest.approx(2 * 48 * 0.75, rel=1e-6)
    assert staged.intake.faults_by_rule == {"record_date": 1, "register_missing": 1}
    assert f"{NMI} 202406{day:02d}: no record of E2 found" in staged.intake.first_faults[1]


def test_a_register_of_which_no_record_has_a_date_makes_no_day_whole(tmp_path: Path) -> None:
    path = write_nem12(
        tmp_path, ("E1", 30, fill(range(1, 4), 0.5)), ("B1", 30, fill(range(1, 4), 0.2)), ("E2", 30, fill(range(1, 4), 0.25))
    )
    above, separator, below = path.read_text(encoding="utf-8").rpartition("200,")
    path.write_text(above + separator + below.replace("300,2024", "300,24"), encoding="utf-8")
    staged = take(path)
    assert (sum_of(staged, "AI"), sum_of(staged, "AE")) == (0, pytest.approx(3 * 48 * 0.2, rel=1e-6))
    assert (staged.intake.faults_by_rule, staged.intake.notices) == ({"record_date": 3, "register_missing": 3}, ())


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize(
    ("values", "minutes", "rules"),
    [
        ([""] * 48, 30, {}),
        ([12.5], 30, {"record_values": 1}),
        ([""] * 288, 5, {}),
        ([*[0.5] * 20, *[""] * 28], 30, {}),
        ([*[0.5] * 20, -1, *[""] * 27], 30, {"kwh_negative": 1}),
    ],
)
def test_a_record_that_is_not_whole_takes_nothing_from_a_whole_one_of_its_day(
    tmp_path: Path, values: list[float | str], minutes: int, rules: dict[str, int], place: int
) -> None:
    records = [("E1", 30, fill(range(1, 2), 0.5))]
    records.insert(place, ("E1", minutes, {1: values}))
    staged = take(write_nem12(tmp_path, *records, ("B1", 30, fill(range(1, 2), 0.2))))
    assert (sum_of(staged, "AI"), sum_of(staged, "AE")) == (pytest.approx(24, rel=1e-6), pytest.approx(9.6, rel=1e-6))
    assert staged.intake.faults_by_rule == rules


def test_records_that_complete_each_other_are_one_day(tmp_path: Path) -> None:
    halves: list[dict[int, list[float | str]]] = [{1: [*[0.5] * 24, *[""] * 24]}, {1: [*[""] * 24, *[0.5] * 24]}]
    days = fill(range(1, 2), 0.2)
    staged = take(write_nem12(tmp_path, ("E1", 30, halves[0]), ("E1", 30, halves[1]), ("E2", 30, days), ("B1", 30, days)))
    assert (sum_of(staged, "AI"), staged.intake.faults_by_rule) == (pytest.approx(48 * 0.7, rel=1e-6), {})


@pytest.mark.parametrize(
    ("event", "halves"),
    [
        ("400,1,48,A,,", 0),
        ("400,1,4,N,,", 4),
        ("400,1,4, N ,,", 4),
        ("400,1,4,E52", 0),
    ],
)
def test_an_event_says_which_intervals_are_none(tmp_path: Path, event: str, halves: int) -> None:
    path = write_nem12(tmp_path, ("E1", 30, fill(range(1, 4), 0.5)), ("B1", 30, fill(range(1, 4), 0.25)))
    staged = take(insert_below(path, "300,20240602", event))
    assert (sum_of(staged, "AI"), sum_of(staged, "AE")) == (pytest.approx((144 - halves) * 0.5), pytest.approx(144 * 0.25))
    assert staged.intake.faults_by_rule == {}


@pytest.mark.parametrize(
    ("event", "halves"),
    [
        ("400,1,49,A,,", 0),
        ("400,0,4,S14,,", 0),
        ("400,one,4,F,,", 0),
        ("400,5,4,N,,", 48),
        ("400,1,4,?,,", 4),
        ("400,1", 48),
        ("400", 48),
    ],
)
def test_an_event_that_cannot_be_read_costs_what_may_be_none(tmp_path: Path, event: str, halves: int) -> None:
    path = write_nem12(tmp_path, ("E1", 30, fill(range(1, 4), 0.5)), ("B1", 30, fill(range(1, 4), 0.25)))
    staged = take(insert_below(path, "300,20240602", event))
    assert (sum_of(staged, "AI"), sum_of(staged, "AE")) == (pytest.approx((144 - halves) * 0.5), pytest.approx(144 * 0.25))
    assert staged.intake.first_faults == (
        f"home.csv:5: record_event: {NMI} E1 20240602: {event.rstrip(',')} found; intervals of the values before it, first and last, and "
        "their quality wanted; those that may be none (N) are left out",
    )


@pytest.mark.parametrize(
    ("above", "record", "rule"),
    [
        ("200", "400,1,48,A,,", "record_event"),
        ("300,20240602", "500,S", None),
        ("300,20240602", "500,S,\udcff", None),
        ("200", "500,S,RETNSRVCEORD1,20031220154500,001123.5", None),
        ("300,20240602", ",,,,,", None),
        ("300,20240602", "note,of the exporter", "record_kind"),
        ("300,20240602", "350,20240602,1,2", "record_kind"),
        ("900", "note,of the exporter", "record_kind"),
        ("300,20240602", f"200,{NMI},E1Q1,Q1,Q1,N1,01009,kVArh,none,20240701\n300,20240602,1,2", None),
        ("300,20240603", f"200,{NMI},E1K1,K1,K1", None),
    ],
)
def test_a_record_that_is_no_energy_costs_itself_alone(tmp_path: Path, above: str, record: str, rule: str | None) -> None:
    path = write_nem12(tmp_path, ("E1", 30, fill(range(1, 4), 0.5)))
    at = next(number for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 2) if line.startswith(above))
    staged = take(insert_below(path, above, *record.splitlines()))
    held = 48 if "Q1" in record else 72
    assert (sum_of(staged, "AI"), staged.intake.faults_by_rule) == (pytest.approx(held), {rule: 1} if rule else {})
    assert [said.split(": ")[0] for said in staged.intake.first_faults] == ([f"home.csv:{at}"] if rule else [])


@pytest.mark.parametrize(("names", "said"), [(("Q1",), "Q1"), (("Q1", "K1"), "K1, Q1")])
def test_a_file_without_a_register_of_energy_says_which_registers_it_has(tmp_path: Path, names: tuple[str, ...], said: str) -> None:
    path = write_nem12(tmp_path, *((name, 30, fill(range(1, 3), 0.5)) for name in names), configured="E1B1Q1K1")
    wanted = rf"home.csv: values of {said} alone found; of registers of what is drawn \(E\) or given \(B\) wanted"
    with pytest.raises(InputError, match=wanted):
        take(path)


@pytest.mark.parametrize("day", [1, 2, 3])
@pytest.mark.parametrize("indicator", ["30O", "", "350"])
def test_the_day_of_values_without_their_indicator_is_not_whole(tmp_path: Path, day: int, indicator: str) -> None:
    path = write_nem12(tmp_path, ("E1", 30, fill(range(1, 4), 0.5)), ("E2", 30, fill(range(1, 4), 0.25)), configured="E1")
    above, separator, below = path.read_text(encoding="utf-8").rpartition("200,")
    path.write_text(above + separator + below.replace(f"300,202406{day:02d}", f"{indicator},202406{day:02d}"), encoding="utf-8")
    staged = take(path)
    assert (sum_of(staged, "AI"), staged.intake.faults_by_rule) == (pytest.approx(2 * 48 * 0.75), {"record_kind": 1})


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("200,", "20O,", "record_kind"),
        ("E2,E2,", "E2,E\udcff,", "text_undecodable"),
        ("E2,E2,", "E2,\udcff2,", "text_undecodable"),
        ("E2,E2,N1,01009,kWh,30,20240701", "E2", "register_unreadable"),
    ],
)
@pytest.mark.parametrize("days", [3, 2])
def test_values_of_a_register_that_cannot_be_read_make_their_days_not_whole(
    tmp_path: Path, old: str, new: str, rule: str, days: int
) -> None:
    path = write_nem12(tmp_path, ("E1", 30, fill(range(1, 4), 0.5)), ("E2", 30, fill(range(1, days + 1), 0.25)), configured="E1")
    above, separator, below = path.read_text(encoding="utf-8").rpartition("200,")
    path.write_text(above + (separator + below).replace(old, new, 1), encoding="utf-8", errors="surrogateescape")
    with path.open("a", encoding="utf-8") as more:
        more.write(f"200,{NMI},E1,E1,E1,N1,01009,kWh,30,20240701\n300,20240604,{','.join(['0.5'] * 48)},A\n")
    staged = take(path)
    assert sum_of(staged, "AI") == (4 - days) * 48 * 0.5
    assert (staged.intake.faults_by_rule[rule], staged.intake.notices) == (1, ())


def test_bytes_that_are_no_text_cost_their_record_alone(tmp_path: Path) -> None:
    path = write_nem12(tmp_path, ("E1", 30, fill(range(1, 4), 0.5)), ("B1", 30, fill(range(1, 4), 0.25)))
    good = path.read_bytes()
    path.write_bytes(good.replace(b"0.25,", b"0.\xff25,", 1))
    staged = take(path)
    assert (sum_of(staged, "AI"), sum_of(staged, "AE"), staged.intake.faults_by_rule) == (72, 35.75, {"kwh_not_a_number": 1})
    path.write_bytes(good.replace(b",01009,", b",\xff1009,"))
    assert (sum_of(take(path), "AI"), sum_of(take(path), "AE")) == (72, 36)
    path.write_bytes(good.replace(b",B1,B1", b",B\xff,B\xff"))
    staged = take(path)
    assert (sum_of(staged, "AI"), sum_of(staged, "AE"), staged.intake.faults_by_rule) == (
        72,
        0,
        {"text_undecodable": 1, "register_missing": 3},
    )
    assert staged.intake.first_faults[0].startswith("home.csv:6: text_undecodable: 200,")


def test_records_are_known_by_their_lines_and_those_of_no_energy_are_not_handed_on(tmp_path: Path) -> None:
    path = write_nem12(tmp_path, ("E1", 30, fill(range(1, 3), 0.5)), ("Q1", 30, fill(range(1, 3), 0.5)), ("B1", 30, fill(range(2, 3), 0.5)))
    text = path.read_text(encoding="utf-8").replace("300,20240601", "300,20240631", 1)
    checked = check_records(InputFile(path, "home.csv"), text)
    assert checked.lines == {(NMI, "E1", date(2024, 6, 2)): [4], (NMI, "B1", date(2024, 6, 2)): [9]}
    assert checked.order == {(NMI, "E1"): [None, date(2024, 6, 2)], (NMI, "B1"): [date(2024, 6, 2)]}
    assert checked.broken == [(3, f"{NMI} E1 20240631", "record_date")]
    assert (checked.others, [line[:3] for line in checked.text.splitlines()]) == ({"Q1"}, ["100", "200", "300", "200", "300", "900"])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (",kWh,30", ",kVArh,30", "unit 'kVArh'"),
        (",kWh,30", ",kWh,7", "intervals of '7' minutes"),
        (",N1,01009,kWh,30,20240701", "", "5 fields"),
    ],
)
def test_a_register_of_energy_that_cannot_be_read_costs_its_direction_and_no_other_meter_point(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    path = write_nem12(tmp_path, *((name, 30, fill(range(1, 4), kwh)) for name, kwh in (("E1", 0.5), ("B1", 0.25), ("E2", 0.125))))
    good = path.read_text(encoding="utf-8")
    above, _, below = good.rpartition("200,")
    other = good.replace(NMI, "NEM1").replace("100,NEM12,202407020000,MDA1,Ret1\n", "")
    path.write_text(f"{above}200,{below.replace(old, new)}{other}", encoding="utf-8")
    staged = take(path)
    assert (sum_of(staged, "AI"), sum_of(staged, "AE")) == (3 * 48 * 0.625, 2 * 3 * 48 * 0.25)
    assert staged.intake.faults_by_rule == {"register_unreadable": 1, "register_missing": 3}
    assert staged.intake.first_faults[0].startswith(f"home.csv:10: register_unreadable: {NMI} E2: {said} found; a register of energy (200)")


def test_the_first_register_or_that_of_another_meter_point_may_be_the_one_that_cannot_be_read(tmp_path: Path) -> None:
    path = write_nem12(tmp_path, ("E1", 30, fill(range(1, 4), 0.5)))
    first = path.read_text(encoding="utf-8").replace("200,", "20O,").replace("\n900", "")
    other = first.partition("\n")[2].replace(NMI, "NEM2").replace("20240601", "20240604")
    good = write_nem12(tmp_path, ("E1", 30, fill(range(1, 4), 0.25))).read_text(encoding="utf-8").partition("\n")[2].replace("900\n", "")
    path.write_text(f"{first}{good}{other}", encoding="utf-8")
    staged = take(path)
    assert (sum_of(staged, "AI"), staged.intake.faults_by_rule) == (36, {"record_kind": 2})
