"""Where tests find a browser."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "chromium_for_tests"


def find_chromium() -> str:
    """The path of a Chromium; without one the test is skipped, with the reason why there is none."""
    found = subprocess.run([str(SCRIPT)], capture_output=True, text=True, check=False)
    if found.returncode == 3:
        pytest.skip(f"no Chromium: {found.stderr.strip().splitlines()[-1]}")
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()
