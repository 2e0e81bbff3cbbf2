import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from fmar_spark.engine import locks
from fmar_spark.engine.locks import lock_step
from fmar_spark.errors import ConfigError

HOLD = """
import sys, time
from fmar_spark.engine.locks import lock_step
with lock_step(sys.argv[1], "ingest_dip"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_run_of_a_step_learns_since_when_the_first_runs_and_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    first = subprocess.Popen([sys.executable, "-c", HOLD, str(lake)], stdout=subprocess.PIPE, text=True)
    try:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        said = rf"ingest_dip: another run of it is working on .*lake since 20.* UTC \(process {first.pid}\)"
        with pytest.raises(ConfigError, match=said), lock_step(str(lake), "ingest_dip"):
            pass
        with lock_step(str(lake), "build_readings"), lock_step(str(tmp_path / "other"), "ingest_dip"):
            pass
    finally:
        first.kill()
        first.wait()
        if first.stdout is not None:
            first.stdout.close()
    with lock_step(str(lake), "ingest_dip"):
        pass


def test_a_lake_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "lake"):
        with (
            pytest.raises(ConfigError, match=r"(file|lake): the lake cannot be written: Not a directory"),
            lock_step(str(place), "ingest_dip"),
        ):
            pass


def test_a_step_that_wrote_nothing_leaves_no_lake(tmp_path: Path) -> None:
    lake = tmp_path / "deep" / "lake"
    with pytest.raises(ConfigError, match="no readings"), lock_step(str(lake), "characterise"):
        raise ConfigError("silver.readings: no readings")
    assert not lake.exists()
    with lock_step(str(lake), "ingest_dip"):
        (lake / "bronze").mkdir()
    assert (lake / "bronze").is_dir()


def test_a_run_that_is_refused_leaves_the_lock_of_the_one_that_works(tmp_path: Path) -> None:
    lake = str(tmp_path / "lake")
    with lock_step(lake, "characterise"):
        for _ in range(2):
            with pytest.raises(ConfigError, match="another run of it is working"), lock_step(lake, "characterise"):
                pass


def test_a_lock_whose_file_was_removed_by_a_run_that_ended_is_taken_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs begin on a lake without a table, and a third has just ended there and removes its lock between their opening and locking."""
    lake, flock = tmp_path / "lake", fcntl.flock

    def end_first(handle: int, operation: int) -> None:
        monkeypatch.setattr(locks.fcntl, "flock", flock)
        (lake / locks.LOCKS / "characterise.lock").unlink()
        (lake / locks.LOCKS).rmdir()
        flock(handle, operation)

    monkeypatch.setattr(locks.fcntl, "flock", end_first)
    rejected = pytest.raises(ConfigError, match="another run of it is working")
    with lock_step(str(lake), "characterise"), rejected, lock_step(str(lake), "characterise"):
        pass
