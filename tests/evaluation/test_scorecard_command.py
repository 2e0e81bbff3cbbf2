"""The command that writes an evaluation."""

import json
from pathlib import Path

import pytest

from fmar_spark.cli import main


def test_the_command_writes_its_files_and_logs_them(
    world: Path, home_labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.chdir(tmp_path)
    where = ["--lake", str(world), "--labels", str(home_labels), "--out", str(tmp_path / "out")]
    assert main(["evaluate", *where, "--set", f"learning.tracking_uri={uri}"]) == 0
    printed = capsys.readouterr().out
    assert "Assets found, 3 real meters" in printed
    assert "Detection, 3 real meters" not in printed
    assert len(printed.splitlines()) < 60
    document = json.loads((tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8"))
    assert document["kinds"]["real"]["meters"] == 3
    assert "Every labelled answer, real meters" in (tmp_path / "out" / "evaluation.txt").read_text(encoding="utf-8")
    assert f"model_version {document['model_version']}" in printed
    assert (tmp_path / "mlflow.db").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--lake", "nowhere"], 2, "no lake there"),
        (["--labels", "nowhere.csv"], 2, "no such file or folder"),
        (["--set", "learning.sed=1"], 2, "learning.sed"),
    ],
)
def test_the_command_rejects_in_one_line(
    world: Path, arguments: list[str], status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--lake", str(world), "--no-mlflow", *arguments]) == status
    *stages, said = capsys.readouterr().err.splitlines()
    assert message in said
    assert all(" s  " in stage for stage in stages)
