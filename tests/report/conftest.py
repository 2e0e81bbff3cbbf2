"""The small lake and the page about it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from report_world import write_lake

from fmar_spark.engine.lake_sql import LakeRows
from fmar_spark.report.meters import define_meters
from fmar_spark.report.page import Order, write_report

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def small_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven meters; see ``report_world``."""
    return write_lake(tmp_path_factory.mktemp("small") / "lake")


@pytest.fixture(scope="session")
def lake(small_lake: Path) -> LakeRows:
    """The small lake with the table ``meters``."""
    rows = LakeRows(small_lake)
    define_meters(rows)
    return rows


@pytest.fixture(scope="session")
def report(small_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page about the small lake."""
    out = tmp_path_factory.mktemp("page") / "report.html"
    write_report(small_lake, out, Order(), lambda stage: None)
    return out


@pytest.fixture(scope="session")
def data(report: Path) -> dict[str, Any]:
    """What the page carries."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', report.read_text(encoding="utf-8"), re.S)
    assert found
    read: dict[str, Any] = json.loads(found[1])
    return read
