"""What is missing or misspelt is one line that says what to do, with the exit status of its kind."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from fmar_spark.cli import declaring, main
from fmar_spark.cli.declaring import NAMES

ROOT = Path(__file__).resolve().parents[2]


def start(job: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A job as a user starts it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYSPARK", "SPARK_"))}
    command = [sys.executable, str(ROOT / "jobs" / f"{job}.py"), *arguments]
    return subprocess.run(command, env=kept | environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "sufficency.min_days=3"], "settings: sufficency: no such setting; sufficiency may be meant"),
        (["--set", "sufficiency.min_day=3"], "settings: sufficiency.min_day: no such setting; sufficiency.min_days may be meant"),
        (["--set", "qqqq.zzzz=3"], "settings: qqqq: no such setting; docs/settings.md lists them"),
        (["--set", "sufficiency.min_days=0"], "settings: sufficiency.min_days: 0 found; Input should be greater than or equal to 1"),
        (["--env", "nowhere"], "env: 'nowhere' found, one of azure, local, test wanted"),
        (["--run-date", "31/01/2026"], "--run-date: '31/01/2026' found, YYYY-MM-DD wanted"),
        (["--meters", "absent.txt"], "--meters: absent.txt: no such file or folder"),
        (["--metres", "absent.txt"], "No such option: --metres (Possible options: --events, --meters, --set)"),
    ],
)
def test_a_wrong_argument_is_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.setenv("FMAR_CONF", str(ROOT / "conf"))
    assert main(["characterise", *arguments]) == 2
    rejected = capsys.readouterr().err
    assert rejected.startswith(f"characterise: {said}")
    assert len(rejected.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["imort"], "fmar: No such command 'imort'. Did you mean 'import'?\n"),
        (["import"], "import_intervals: Missing option '--input'\n"),
        (["ingest"], "ingest_dip: --landing or --kafka: one of the two wanted\n"),
        (["ingest", "--kafka", "h:1"], "ingest_dip: --kafka and --topic: both or neither wanted\n"),
        (["ingest", "--landing", "absent", "--kafka", "h:1"], "ingest_dip: --landing or --kafka: one of the two wanted\n"),
        (["ingest", "--kafka", "broker", "--topic", "t"], "ingest_dip: --kafka: 'broker' found, host:port,... wanted\n"),
        (["deliveries", "--kafka", "h:1"], "load_deliveries: --kafka and --topic: both or neither wanted\n"),
        (["report", "--evidence", "-5"], "report: --evidence: Input should be greater than or equal to 0\n"),
        (["evaluate", "--mistakes", "-1"], "evaluate: --mistakes: Input should be greater than or equal to 0\n"),
        (["evaluate", "--least", "0"], "evaluate: --least: Input should be greater than or equal to 1\n"),
        (["serve", "--port", "65536"], "serve: --port: Input should be less than or equal to 65535\n"),
    ],
)
def test_a_wrong_command_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["predict"], "predict_baseline: --from, --to: 2014-01-25 to 2014-01-19 found, the first day first wanted\n"),
        (["verify"], "verify_delivery: --from, --to: 2014-01-25 to 2014-01-19 found, the first day first wanted\n"),
        (["simulate", "--meters", "1", "--out", "x"], "simulate_fleet: fleet: ends on 2014-01-19 before it starts on 2014-01-25\n"),
    ],
)
def test_days_turned_round_are_one_line_before_spark_starts(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: list[str], said: str
) -> None:
    monkeypatch.setattr("fmar_spark.app.build_session", Mock(side_effect=AssertionError("Spark is started")))
    assert main([*words, "--from", "2014-01-25", "--to", "2014-01-19", "--lake", str(tmp_path)]) == 2
    assert capsys.readouterr().err == said


def test_a_package_that_is_not_installed_names_the_extra_that_brings_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = ModuleNotFoundError("No module named 'pyspark'", name="pyspark")
    monkeypatch.setattr(declaring.importlib, "import_module", Mock(side_effect=missing))
    assert main(["readings", "--lake", "."]) == 2
    assert capsys.readouterr().err == "build_readings: pyspark: not installed; pip install 'fmar-spark[spark]'\n"


def test_without_java_the_line_says_how_to_get_it(tmp_path: Path) -> None:
    rejected = start("build_readings", "--lake", str(tmp_path), PATH=str(tmp_path), JAVA_HOME=str(tmp_path))
    assert rejected.returncode == 2
    assert rejected.stderr.startswith("build_readings: java: not found; install Java 17")
    assert len(rejected.stderr.splitlines()) == 1


@pytest.mark.spark
def test_a_jar_that_cannot_be_had_is_said_last(tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    shutil.copytree(ROOT / "conf", conf)
    defaults = (conf / "spark-defaults.conf").read_text(encoding="utf-8")
    (conf / "spark-defaults.conf").write_text(re.sub(r"io\.delta:\S+", "no.such:package:0", defaults), encoding="utf-8")
    rejected = start("build_readings", "--lake", str(tmp_path), FMAR_CONF=str(conf))
    assert rejected.returncode == 2
    assert rejected.stderr.splitlines()[-1].startswith(
        "build_readings: spark: could not start; the jars in conf/spark-defaults.conf come from"
    )


@pytest.mark.parametrize("command", ["readings", "characterise", "predict", "train"])
def test_a_lake_that_is_not_there_is_one_line_and_not_begun(capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str) -> None:
    lake = tmp_path / "laek"
    assert main([command, "--lake", str(lake)]) == 2
    said = f"{NAMES[command]}: --lake: {lake}: no lake there; jobs/ingest_dip.py or jobs/import_intervals.py begins one\n"
    assert capsys.readouterr().err == said
    assert not lake.exists()


@pytest.mark.usefixtures("spark")
def test_a_missing_table_names_the_job_that_fills_it_and_only_we_are_heard(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["characterise", "--lake", str(tmp_path)]) == 2
    table = tmp_path / "silver" / "readings"
    assert capfd.readouterr().err == f"characterise: silver.readings: no table at {table}; run jobs/build_readings.py first\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["postgresql://fmar:secret@127.0.0.1:1/register", "sqlite:///{folder}/register.db"])
def test_a_register_that_does_not_answer_is_one_line_without_its_password(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, url: str
) -> None:
    assert main(["mirror", "--lake", str(tmp_path / "lake"), "--database", url.format(folder=tmp_path)]) == 2
    rejected = capsys.readouterr().err
    assert rejected.startswith("mirror_register: agreements.database_url: no register answers at ")
    assert rejected.endswith("scripts/register migrate --database URL\n")
    assert len(rejected.splitlines()) == 1
    assert "secret" not in rejected
    assert not (tmp_path / "lake").exists()


@pytest.mark.spark
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_says_so_in_one_line_and_can_be_run_again(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, str(ROOT / "jobs" / "simulate_fleet.py"), "--lake", str(tmp_path / "lake"), "--meters", "20000"]
    span = ["--from", "2023-01-01", "--to", "2023-12-31", "--out", str(tmp_path / "landing")]
    with subprocess.Popen([*command, *span], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as job:
        assert job.stderr is not None
        said = [next(line for line in job.stderr if "started" in line)]
        job.send_signal(number)
        said += job.stderr.readlines()
    assert job.returncode == 130
    assert said[-1] == "simulate_fleet: stopped; run the same command again to go on\n"
    assert [line for line in said if "Traceback" in line or "py4j" in line] == []


@pytest.mark.parametrize(("words", "job"), [("ingest", "ingest_dip"), ("deliveries", "load_deliveries")])
def test_a_broker_that_does_not_listen_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path, words: str, job: str) -> None:
    assert main([words, "--lake", str(tmp_path), "--kafka", "127.0.0.1:1", "--topic", "t"]) == 2
    assert capsys.readouterr().err == f"{job}: --kafka: 127.0.0.1:1: Connection refused; a broker that listens wanted\n"
