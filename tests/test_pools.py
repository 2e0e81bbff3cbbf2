"""Processes of a pool whose parent was killed."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SHARE_OUT = """
import multiprocessing, os, sys, time
from concurrent.futures import ProcessPoolExecutor
from fmar_spark.pools import end_with_parent
if __name__ == "__main__":
    pool = ProcessPoolExecutor(2, multiprocessing.get_context(sys.argv[1]), end_with_parent)
    pool.submit(os.getpid).result()
    print(*(process.pid for process in multiprocessing.active_children()), flush=True)
    time.sleep(600)
"""
MOST_SECONDS = 60.0


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked for in /proc")
@pytest.mark.parametrize("start", ["spawn", "fork"])
def test_they_end_with_a_parent_that_is_killed(start: str, tmp_path: Path) -> None:
    script = tmp_path / "share_out.py"
    script.write_text(SHARE_OUT, encoding="utf-8")
    parent = subprocess.Popen([sys.executable, str(script), start], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids = [int(one) for one in parent.stdout.readline().split()]
    assert pids
    assert all(is_running(pid) for pid in pids)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    end = time.monotonic() + MOST_SECONDS
    while any(is_running(pid) for pid in pids) and time.monotonic() < end:
        time.sleep(0.05)
    assert [pid for pid in pids if is_running(pid)] == []
