"""What the commands say before they set anything up, and in which order the demo starts the jobs."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def start(command: str, *arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """A command of scripts/ run in a folder, without a person at the keyboard."""
    return subprocess.run(
        [str(ROOT / "scripts" / command), *arguments], cwd=folder, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


class Stage:
    """The demo in a folder of its own, with a Python that only notes what it is asked for."""

    def __init__(self, folder: Path, failing: str = "none") -> None:
        self.folder, self.notes = folder, folder / "notes.txt"
        (folder / "scripts").mkdir()
        shutil.copy(ROOT / "scripts" / "demo", folder / "scripts")
        (folder / "scripts" / "setup").write_text('say() { :; }\nquietly() { shift; "$@"; }\n', encoding="utf-8")
        python = folder / ".venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        lines = [
            "#!/bin/sh",
            f'echo "$*" >>{self.notes}',
            f"case $1 in *{failing}*) exit 1 ;; *simulate_fleet*) mkdir -p landing/_truth && touch landing/_truth/plan.txt ;;",
            "*land_london_homes*) touch landing/london-home-1-000.json ;; esac",
        ]
        python.write_text("\n".join([*lines, ""]), encoding="utf-8")
        python.chmod(0o755)

    def play(self, *arguments: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
        """What the demo says, and what it started: the programs by name, in order."""
        self.notes.write_text("", encoding="utf-8")
        command = [str(self.folder / "scripts" / "demo"), *arguments]
        said = subprocess.run(
            command, cwd=self.folder, env=os.environ, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        return said, [Path(line.split()[0]).stem for line in self.notes.read_text(encoding="utf-8").splitlines() if ".py" in line]


def test_the_demo_goes_through_the_jobs_to_a_page_and_ends_with_its_path(tmp_path: Path) -> None:
    said, started = Stage(tmp_path).play()
    assert said.returncode == 0, said.stderr
    jobs = ["simulate_fleet", "land_london_homes", "ingest_dip", "build_readings", "characterise", "predict_baseline"]
    assert started == [*jobs, "summarise", "write_report"]
    assert said.stdout.splitlines()[-1] == str(tmp_path / "lake" / "report.html")
    stages = [line for line in said.stderr.splitlines() if line.startswith("[")]
    assert [line.split()[0] for line in stages] == [f"[{number}/{len(stages)}]" for number in range(1, len(stages) + 1)]


def test_what_was_landed_is_not_landed_again(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.play()
    assert stage.play()[1] == ["ingest_dip", "build_readings", "characterise", "predict_baseline", "summarise", "write_report"]
    assert stage.play("--meters", "5")[1][0] == "simulate_fleet"


def test_own_readings_take_the_short_way_to_a_page(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    (tmp_path / "readings.csv").touch()
    said, started = stage.play("--input", "readings.csv", "--legal-basis", "explicit consent")
    assert started == ["import_intervals", "characterise", "summarise", "write_report"]
    assert said.stdout.splitlines()[-1] == str(tmp_path / "lake_own" / "report.html")
    assert f"--input {tmp_path / 'readings.csv'} --legal-basis explicit consent" in stage.notes.read_text(encoding="utf-8")


def test_a_job_that_fails_ends_the_demo_with_its_name(tmp_path: Path) -> None:
    said, started = Stage(tmp_path, failing="build_readings").play()
    assert said.returncode == 1
    assert started[-1] == "build_readings"
    assert said.stderr.splitlines()[-1] == "demo: build_readings did not finish; mend what it says and run the same command again"


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
