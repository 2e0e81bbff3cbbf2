"""What the commands say before they set anything up."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def start(command: str, *arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """A command of scripts/ run in a folder, without a person at the keyboard."""
    return subprocess.run(
        [str(ROOT / "scripts" / command), *arguments], cwd=folder, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


def test_help_says_how_without_doing_anything(tmp_path: Path) -> None:
    said = start("demo", "--help", folder=tmp_path)
    assert said.returncode == 0
    assert "--input FILE_OR_DIR" in said.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--inptu", "x.csv"], "demo: --inptu is not known"),
        (["--input", "absent.csv"], "demo: --input: absent.csv: no such file or folder"),
        (["--input"], "demo: --input: no value found"),
        (["--meters", "many"], "demo: --meters: many found, a whole number wanted"),
        (["--meters", "0"], "demo: --meters: 0 found, a whole number wanted"),
        (["--legal-basis", "own data"], "demo: --legal-basis goes with --input"),
    ],
)
def test_a_wrong_argument_is_one_line_and_status_2(tmp_path: Path, arguments: list[str], said: str) -> None:
    refused = start("demo", *arguments, folder=tmp_path)
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert refused.stderr == f"{said}; scripts/demo --help says what is wanted\n"


@pytest.mark.parametrize("name", ["setup", "demo", "test", "../.ci/run"])
def test_a_script_is_sound_and_may_be_run(name: str) -> None:
    path = ROOT / "scripts" / name
    assert path.stat().st_mode & 0o111
    checked = subprocess.run(["bash", "-n", str(path)], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_ci_runs_every_gate_before_the_tests() -> None:
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    gates = [line.removeprefix(".venv/bin/") for line in lines if line.startswith((".venv/bin/", "exec "))]
    assert gates == ["ruff check .", "ruff format --check .", "mypy", "lint-imports", "exec scripts/test"]
