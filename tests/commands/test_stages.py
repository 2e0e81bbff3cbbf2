"""Lines about long commands, for a log as well as a terminal."""

import time
from types import SimpleNamespace

import pytest

from fmar_spark.commands import stages
from fmar_spark.commands.stages import Pace, note_stage


def test_a_stage_is_one_plain_line(capsys: pytest.CaptureFixture[str]) -> None:
    note_stage("report", time.monotonic(), "the fleet")
    assert capsys.readouterr().err == "report:   0 s  the fleet\n"


def test_many_small_parts_make_one_line_a_minute(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0.0, 30.0, 61.0, 61.0, 61.0, 62.0])
    monkeypatch.setattr(stages, "time", SimpleNamespace(monotonic=lambda: next(moments)))
    pace = Pace("register import")
    for rows in (100, 200, 300):
        pace.note(f"{rows} rows")
    assert capsys.readouterr().err == "register import:  61 s  200 rows\n"
