"""Leases on a lake at an address: here a folder that is named with its file system."""

import os
import time
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from fmar_spark.engine import leases
from fmar_spark.engine.leases import lease_step
from fmar_spark.engine.runs import Run, Written, start_run
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore
from fmar_spark.errors import ConfigError


def test_a_second_run_of_a_step_is_rejected_and_the_first_leaves_nothing(spark: SparkSession, tmp_path: Path) -> None:
    root = f"file://{tmp_path}"

    @limit_tables((), ())
    def run(store: TableStore, run: Run) -> Written:
        return Written({"leases": len(list(tmp_path.glob("_locks/*.lease")))})

    with lease_step(spark, root, "ingest_dip"), lease_step(spark, root, "build_readings"):
        with pytest.raises(ConfigError, match=rf"ingest_dip: another run of it is working on .* since 20.* process {os.getpid()}\)"):
            lease_step(spark, root, "ingest_dip").__enter__()
        assert len(list(tmp_path.glob("_locks/*.lease"))) == 2
    assert list(tmp_path.glob("_locks/*.lease")) == []
    assert run(TableStore(spark, root), start_run("a step", None, "")).counts == {"leases": 1}


def test_a_lease_is_renewed_and_that_of_a_run_that_has_gone_is_taken_over(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(leases, "SETTLE_SECONDS", 0.0)
    root, file = f"file://{tmp_path}", tmp_path / "_locks" / "ingest_dip.lease"
    long_ago = time.time() - 2 * leases.GONE_SECONDS
    with lease_step(spark, root, "ingest_dip"):
        os.utime(file, (long_ago, long_ago))
        for _ in range(200):
            time.sleep(0.02)
            if file.stat().st_mtime > long_ago + 1:
                break
        assert file.stat().st_mtime > long_ago + 1
    file.write_text("2026-01-01 00:00:00 UTC (elsewhere, process 1)\nid")
    (file.parent / f".{file.name}.crc").unlink(missing_ok=True)
    with pytest.raises(ConfigError, match=r"since 2026-01-01 00:00:00 UTC .elsewhere, process 1."):
        lease_step(spark, root, "ingest_dip").__enter__()
    os.utime(file, (long_ago, long_ago))
    with lease_step(spark, root, "ingest_dip"):
        assert "elsewhere" not in file.read_text()
    assert not file.exists()
