"""Set-up goes on whatever becomes of the classes."""

import subprocess
import sys

import pytest

from fmar_spark.engine import first_session


@pytest.mark.parametrize(("code", "is_well"), [("input()", False), ("import sys; sys.stdin.read()", True), ("raise SystemExit(3)", False)])
def test_classes_are_kept_where_the_jvm_ends_well(code: str, is_well: bool) -> None:
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert first_session._ends_well(process) == is_well


def test_a_jvm_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_session, "LONGEST_SECONDS", 0.2)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdin=subprocess.PIPE) as process:
        assert not first_session._ends_well(process)
        assert process.poll() is not None
