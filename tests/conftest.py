"""Which tests run where and in which order; what they share is in ``session_fixtures``."""

import gc
import os
import sys
from collections.abc import Generator
from importlib import import_module
from typing import Any

import pytest
from memory import write_to_memory
from scheduling import GroupScheduling, group_of, rank_group
from worker_reports import shorten_reports

os.environ.setdefault("OMP_NUM_THREADS", "1")
"""Trees and matrices of tests are small: several threads only wait for each other, ten times as long where workers share two cores.
numpy asks once, when it is imported, so this stands before all that imports it."""
write_to_memory()
GARBAGE_THRESHOLDS = (50_000, 20, 10)
"""New objects before Python looks for garbage among them, and how often it then looks among older ones."""
FIXTURES_OF_MARK = {
    "spark": {"spark", "store", "broker"},
    "browser": {"page", "browser"},
    "database": {"postgres", "postgres_register"},
}
"""Lanes by what a test asks for."""


def pytest_configure(config: pytest.Config) -> None:
    """The process that only hands tests out needs none of what they share, and the others start when it has."""
    if not _only_distributes(config):
        config.pluginmanager.import_plugin("session_fixtures")
    if hasattr(config, "workerinput"):
        shorten_reports(config)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> GroupScheduling | None:
    """With ``--dist loadgroup`` the groups are ours; see ``scheduling``."""
    config.option.loadscopereorder = False
    return GroupScheduling(config, log) if config.getoption("dist") == "loadgroup" else None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None, None, None]:
    """Mark every test by what it needs, so that ``-m 'not spark'`` is the quick lane; of what is left the longest comes first."""
    for item in items:
        names = set(getattr(item, "fixturenames", ()))
        for mark, fixtures in FIXTURES_OF_MARK.items():
            if fixtures & names or (mark == "database" and "postgresql" in item.nodeid.partition("[")[2]):
                item.add_marker(mark)
    yield
    groups = {item: group_of(item.nodeid) for item in items}
    on_spark = {groups[item] for item in items if item.get_closest_marker("spark")}
    items.sort(key=lambda item: (groups[item] not in on_spark, rank_group(groups[item])))


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """What is imported stays: to look through it for garbage while more is imported takes a third of that time.

    What is compiled is kept for the next run, also where Python is set to keep none: that took a twentieth of all processor time.
    skops looks through every module that is there for each of 800 types when it is imported, so it comes before the others.
    """
    gc.disable()
    sys.dont_write_bytecode = False
    if not _only_distributes(session.config):
        import_module("skops.io")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """What was imported by now is never looked through again for garbage, which took a fifth of all processor time.

    With Spark the rest is looked through more seldom, which saves a tenth; without it not at all: a process then leaves 0.2 GB of garbage.
    """
    gc.freeze()
    if any(item.get_closest_marker("spark") for item in session.items):
        gc.set_threshold(*GARBAGE_THRESHOLDS)
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Where nothing was looked through for garbage, nothing is at the end, which pytest and Python would each do once more."""
    if not gc.isenabled():
        gc.freeze()


def _only_distributes(config: pytest.Config) -> bool:
    has_others = bool(config.getoption("numprocesses", None)) and not config.getoption("collectonly")
    return has_others and not hasattr(config, "workerinput")
