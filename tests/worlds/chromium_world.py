"""The browser of the tests of pages."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "chromium_for_tests"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find_chromium() -> str:
    """The path of a Chromium; without one the test is skipped, with the reason why there is none."""
    found = subprocess.run([str(SCRIPT)], capture_output=True, text=True, check=False)
    if found.returncode == 3:
        pytest.skip(f"no Chromium: {found.stderr.strip().splitlines()[-1]}")
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()


@contextmanager
def launch_chromium() -> Iterator[Browser]:
    """A headless Chromium, or the reason why there is none; its event loop must not outlive the tests of pages."""
    path = find_chromium()
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield running
        running.close()
