"""In which order the demo runs its parts, and what it says; the parts themselves only note that they were asked."""

import inspect
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from fmar_spark.cli import main
from fmar_spark.commands import example_fleet, jobs_in_turn, own_readings
from fmar_spark.errors import ConfigError

OWN = ["import_intervals", "characterise", "predict_baseline"]
DATA_IN = [
    "simulate_fleet",
    "land_london_homes",
    "ingest_dip",
    "build_readings",
    "characterise",
    "predict_baseline",
    "load_network",
    "load_deliveries",
    "mirror_register",
    "build_audiences",
    "verify_delivery",
    "flag_discrepancies",
]


class Parts:
    """The demo's parts, replaced."""

    def __init__(self, failing: str = "") -> None:
        self.failing, self.started, self.given = failing, list[str](), dict[str, dict[str, Any]]()

    def replace(self, name: str) -> Callable[..., int]:
        """A part that notes its name and options."""

        def run(*_: object, **given: Any) -> int:
            self.started.append(name)
            self.given[name] = given
            if name == "simulate_fleet":
                (given["out"] / "_truth").mkdir(parents=True)
                (given["out"] / "_truth" / "plan.txt").touch()
                (given["out"] / "_network").mkdir(exist_ok=True)
                (given["out"] / "_network" / "nodes.csv").touch()
            if name == "land_london_homes":
                (given["out"] / "london-home-1-000.json").touch()
            if name == self.failing:
                raise ConfigError(f"{name}: broken")
            return 0

        return run


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Parts:
    """Nothing of the demo does anything, and it runs in a folder of its own."""
    made = Parts()
    for name in {*DATA_IN, *OWN, "summary", "report"}:
        monkeypatch.setattr(import_module(f"fmar_spark.commands.{name}"), "run", made.replace(name))
    for name in ("build_session", "end_session", "start_logging"):
        monkeypatch.setattr(jobs_in_turn, name, Mock())
    monkeypatch.setattr(example_fleet, "fetch_homes", lambda folder: folder / "wheel")
    monkeypatch.setattr(example_fleet, "LakeRows", lambda root: Mock(rows=lambda query: []))
    monkeypatch.setattr(own_readings, "find_obstacle", lambda root, own: "a test")
    monkeypatch.chdir(tmp_path)
    return made


def test_the_demo_goes_through_the_jobs_to_a_page_and_ends_with_its_path(
    parts: Parts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo"]) == 0
    assert parts.started == [*DATA_IN, "summary", "report"]
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [str(tmp_path / "lake" / "report.html")]
    said = [line for line in printed.err.splitlines() if line]
    assert said[0].startswith("1,000 of these meters are simulated: made up with a known truth")
    stages = [line for line in said if line.startswith("[")]
    assert [line.split()[0] for line in stages] == [f"[{number}/{len(stages)}]" for number in range(1, len(stages) + 1)]
    assert parts.given["simulate_fleet"]["meters"] == 1000
    assert Path(parts.given["simulate_fleet"]["mix"]).name == "demo_mix.yaml"


def test_what_was_landed_is_not_landed_again(parts: Parts) -> None:
    main(["demo"])
    parts.started.clear()
    assert main(["demo"]) == 0
    assert parts.started == [*DATA_IN[2:], "summary", "report"]
    parts.started.clear()
    (Path("landing") / "_truth" / "plan.txt").unlink()
    (Path("landing") / "_truth").rmdir()
    main(["demo", "--meters", "5"])
    assert parts.started[0] == "simulate_fleet"


def write_own_readings() -> None:
    Path("readings.csv").write_text("series_id,timestamp_utc,kwh_import\n", encoding="utf-8")


def test_own_readings_that_need_spark_take_the_short_way_to_a_page(
    parts: Parts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_own_readings()
    assert main(["demo", "--input", "readings.csv", "--legal-basis", "explicit consent"]) == 0
    assert parts.started == [*OWN, "summary", "report"]
    assert parts.given["import_intervals"]["input"] == Path("readings.csv")
    assert parts.given["import_intervals"]["legal_basis"] == "explicit consent"
    assert parts.given["predict_baseline"]["last_week"]
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [str(tmp_path / "lake_own" / "report.html")]
    assert "through the jobs, with Spark: a test" in printed.err
    assert "simulated" not in printed.err


def test_a_job_that_fails_ends_the_demo(parts: Parts, capsys: pytest.CaptureFixture[str]) -> None:
    parts.failing = "build_readings"
    assert main(["demo"]) == 1
    assert parts.started[-1] == "build_readings"
    assert capsys.readouterr().err.splitlines()[-2:] == [
        "build_readings: build_readings: broken",
        "demo: not finished; correct what the line above says and run the same command again",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--inptu", "x.csv"], "demo: No such option: --inptu (Possible options: --input, --out"),
        (["--input", "absent.csv"], "demo: --input: absent.csv: no such file or folder"),
        (["--input"], "demo: Option '--input' requires an argument"),
        (["--meters", "many"], "demo: --meters: Input should be a valid integer"),
        (["--meters", "0"], "demo: --meters: 0 found, at least 1 wanted"),
        (["--legal-basis", "own data"], "demo: --legal-basis: goes with --input"),
    ],
)
@pytest.mark.usefixtures("parts")
def test_a_wrong_argument_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert main(["demo", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(said.partition(" (")[0])
    assert len(printed.err.splitlines()) == 1


def test_parts_take_the_options_that_the_demo_gives_them(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    write_own_readings()
    main(["demo"])
    given = dict(parts.given)
    main(["demo", "--input", "readings.csv"])
    monkeypatch.undo()
    for options, names in ((given, DATA_IN), (parts.given, OWN)):
        for name in names:
            taken = list(inspect.signature(import_module(f"fmar_spark.commands.{name}").run).parameters)[1:]
            assert set(options[name]) == set(taken), name
