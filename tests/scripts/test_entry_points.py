"""The scripts are sound, and set up before they hand over to the command."""

import re
import subprocess
from pathlib import Path

import pytest
from scheduling import group_of

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = {"demo", "evaluate", "report"}


@pytest.mark.parametrize("name", ["setup", "pin_packages", "test", "../.ci/run", *sorted(COMMANDS)])
def test_a_script_is_sound_and_may_be_run(name: str) -> None:
    path = ROOT / "scripts" / name
    assert path.stat().st_mode & 0o111
    checked = subprocess.run(["bash", "-n", str(path)], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_ci_runs_every_gate_before_the_tests() -> None:
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    gates = [line.removeprefix(".venv/bin/") for line in lines if line.startswith((".venv/bin/", "exec "))]
    assert gates == ["ruff check .", "ruff format --check .", "mypy", "lint-imports", "exec scripts/test"]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_script_sets_up_and_is_the_command_of_its_name(name: str) -> None:
    lines = (ROOT / "scripts" / name).read_text(encoding="utf-8").splitlines()
    assert lines[-2:] == ['source "$(dirname "${BASH_SOURCE[0]}")/setup"', f'exec "$fmar_venv/bin/fmar" {name} "$@"']


def test_tests_of_a_file_or_of_a_folder_that_shares_a_world_are_one_group() -> None:
    assert group_of("tests/report/test_page.py::test_a[a/b::c]") == group_of("tests/report/test_frame.py::test_b") == "report"
    assert group_of("tests/intake/test_dip_rows.py::test_a[x]") == "tests/intake/test_dip_rows.py"


def test_every_number_of_a_script_has_its_bounds() -> None:
    unbounded = [
        path.name for path in (ROOT / "scripts").glob("*.py") if re.search(r"\btype=(int|float)\b", path.read_text(encoding="utf-8"))
    ]
    assert unbounded == []
