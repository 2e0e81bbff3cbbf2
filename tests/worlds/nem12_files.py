"""NEM12 files of one meter point, and what is read of them."""

from pathlib import Path

import pyarrow.parquet as arrow_parquet

from fmar_spark.intake.intervals.files import find_files
from fmar_spark.intake.intervals.importing import StagedIntake, import_files
from fmar_spark.intake.intervals.options import ReadingOptions
from fmar_spark.intake.intervals.rows import ReadingRules

NMI = "NEM1201009"


def write_nem12(
    folder: Path, *registers: tuple[str, int, dict[int, list[float | str]]], configured: str = "", name: str = "home.csv"
) -> Path:
    """A file with a block for each register: its name, the minutes of its intervals, its values by day of June 2024."""
    names = configured or "".join(register for register, _, _ in registers)
    lines = ["100,NEM12,202407020000,MDA1,Ret1"]
    for register, minutes, days in registers:
        lines.append(f"200,{NMI},{names},{register},{register},N1,01009,kWh,{minutes},20240701")
        lines += [f"300,202406{day:02d},{','.join(map(str, values))},A,,,20240701000000," for day, values in days.items()]
    path = folder / name
    path.write_text("\n".join([*lines, "900", ""]), encoding="utf-8")
    return path


def fill(days: range, kwh: float, minutes: int = 30) -> dict[int, list[float | str]]:
    """The same energy in every interval, by day of June 2024."""
    return {day: [kwh] * (1440 // minutes) for day in days}


def take(path: Path) -> StagedIntake:
    """What is understood of a file, or of a folder's, as they stand."""
    return import_files(find_files(path), path if path.is_dir() else path.parent, ReadingRules(), ReadingOptions())


def sum_of(staged: StagedIntake, quantity: str) -> float:
    """Energy of a direction, kWh."""
    rows = arrow_parquet.read_table(staged.days_path).to_pylist()
    return sum(kwh for row in rows if row["quantity"] == quantity for kwh in row["kwh"] if kwh is not None)


def insert_below(path: Path, above: str, *records: str) -> Path:
    """The file with more records below the first that begins with some text."""
    lines = path.read_text(encoding="utf-8").splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith(above)) + 1
    path.write_text("\n".join([*lines[:at], *records, *lines[at:], ""]), encoding="utf-8", errors="surrogateescape")
    return path
