"""Directions and registers of a meter point that lie in files of their own."""

from pathlib import Path

import pytest
from nem12_files import NMI, fill, sum_of, take, write_nem12


def write_some(folder: Path, configured: str, days: range, registers: dict[str, float]) -> None:
    """A file, named after them, of some registers, each with one energy in every half-hour of some days."""
    blocks = [(register, 30, fill(days, kwh)) for register, kwh in registers.items()]
    write_nem12(folder, *blocks, configured=configured, name=f"{'-'.join(registers)}-{days.start}.csv")


def test_directions_that_are_in_files_of_their_own_are_joined_and_nothing_is_missed(tmp_path: Path) -> None:
    for registers in ({"E1": 0.5, "E2": 0.25}, {"B1": 0.125}):
        write_some(tmp_path, "B1E1E2", range(1, 4), registers)
    staged = take(tmp_path)
    assert (sum_of(staged, "AI"), sum_of(staged, "AE")) == (3 * 48 * 0.75, 3 * 48 * 0.125)
    assert (staged.intake.faults_by_rule, staged.intake.notices) == ({}, ())
    assert (staged.intake.kwh["held"], staged.intake.kwh["repeated"]) == (3 * 48 * 0.875, 0)


@pytest.mark.parametrize(
    ("configured", "files", "wanted"),
    [
        ("B1E1", [(range(1, 4), {"E1": 0.5}), (range(1, 3), {"B1": 0.25})], ["E1-1.csv: no record of B1"]),
        (
            "B1E1E2",
            [(range(1, 4), {"E1": 0.5}), (range(1, 4), {"B1": 0.25})],
            ["B1-1.csv: no record of E2", "E1-1.csv: no record of E2"],
        ),
        ("B1E1", [(range(3, 4), {"E1": 0.5, "B1": 0.25}), (range(1, 3), {"E1": 0.5})], ["E1-1.csv: no record of B1"]),
        ("B1E1", [(range(1, 3), {"E1": 0.5}), (range(3, 4), {"E1": 0.5}), (range(1, 4), {"B1": 0.25})], []),
    ],
)
def test_what_no_file_has_on_a_day_is_named(
    tmp_path: Path, configured: str, files: list[tuple[range, dict[str, float]]], wanted: list[str]
) -> None:
    for days, registers in files:
        write_some(tmp_path, configured, days, registers)
    said = [line.partition(" found")[0].replace(f"{NMI}: ", "") for line in take(tmp_path).intake.notices]
    assert said == wanted


def test_a_direction_that_begins_later_is_named_in_one_line_and_others_are_whole_before(tmp_path: Path) -> None:
    write_some(tmp_path, "B1E1", range(1, 4), {"E1": 0.5, "B1": 0.25})
    path = tmp_path / "E1-B1-1.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines[:6], *lines[8:], ""]), encoding="utf-8")
    staged = take(tmp_path)
    assert (sum_of(staged, "AI"), sum_of(staged, "AE"), staged.intake.faults_by_rule) == (72, 12, {})
    assert staged.intake.notices == (
        f"E1-B1-1.csv: {NMI}: no record of B1 until 20240602 found, which its configuration (200) names: E1 alone is read; "
        "ask for a file of all registers of the meter point",
    )


def test_a_row_takes_what_it_has_no_energy_of_from_one_of_the_same_time(tmp_path: Path) -> None:
    times = [f"2024-06-01T{at // 2:02d}:{at % 2 * 3}0Z" for at in range(48)]
    rows = [f"a,{at},0.5," for at in times] + [f"a,{at},,0.25" for at in times] + [f"a,{at},0.5,0.25" for at in times]
    rows += [f"a,{times[0]},,0.75"]
    (tmp_path / "a.csv").write_text("\n".join(["series_id,timestamp_utc,kwh_import,kwh_export", *rows, ""]), encoding="utf-8")
    staged = take(tmp_path)
    assert (sum_of(staged, "AI"), sum_of(staged, "AE")) == (24, 12)
    assert staged.intake.faults_by_rule == {"duplicate_conflicts": 1}
    assert staged.intake.kwh == {"read": 72.75, "held": 36, "rejected": 0.75, "repeated": 36}
