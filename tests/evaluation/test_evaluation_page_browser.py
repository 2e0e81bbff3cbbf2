"""The page of an evaluation of what the job found, in a browser: its figures are the document's, and nothing leaves it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from evaluation_world import evaluate_everything, write_readings
from playwright.sync_api import Browser, Page
from pyspark.sql import SparkSession

from fmar_spark.engine.runs import start_run
from fmar_spark.engine.store import TableStore
from fmar_spark.evaluation.page import render_page
from fmar_spark.evaluation.tables import list_tables
from fmar_spark.settings.overlays import load_settings
from fmar_spark.steps import characterise

HOSTILE = "</script><script>window.caught=1</script><img src=x onerror='window.caught=2'>"


@pytest.fixture(scope="module")
def document(spark: SparkSession, home_labels: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All figures of the world's lake as the job characterises it."""
    lake = write_readings(tmp_path_factory.mktemp("written"))[0]
    settings = load_settings("test", ["learning.source=bundled", "characterise.partitions=1"])
    characterise.run(TableStore(spark, str(lake)), start_run("characterise", None, ""), settings, ())
    return evaluate_everything(lake, home_labels)


@pytest.fixture(scope="module")
def written(document: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the world's evaluation, in which a home has a hostile name."""
    spoilt = json.loads(json.dumps(document).replace("home1", "NAME"))
    for one in spoilt["kinds"]["real"]["answers"]:
        one["name"] = one["name"].replace("NAME", HOSTILE)
    path = tmp_path_factory.mktemp("page") / "evaluation.html"
    path.write_text(render_page(spoilt, list(list_tables(spoilt)), "mistakes.html"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def page(written: Path, browser: Browser) -> Iterator[Page]:
    """The page in a headless Chromium, with what went wrong in ``page.problems``."""
    opened = browser.new_page(viewport={"width": 1280, "height": 900}, locale="en-GB")
    problems: list[str] = []
    opened.on("console", lambda message: problems.append(message.text) if message.type in {"error", "warning"} else None)
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("request", lambda request: problems.append(request.url) if not request.url.startswith(("file:", "data:")) else None)
    opened.goto(written.as_uri())
    opened.wait_for_selector("html[data-charts=ready]")
    yield opened
    assert problems == []


def read_table(page: Page, name: str) -> list[list[str]]:
    found: list[list[str]] = page.eval_on_selector_all(
        f'[data-table="{name}"] >> nth=0 >> tbody tr', "rows => rows.map(row => [...row.cells].map(cell => cell.textContent.trim()))"
    )
    return found


def test_the_tables_of_the_page_are_those_of_the_document(page: Page, document: dict[str, Any]) -> None:
    for kind in ("simulated", "semi-synthetic"):
        page.check(f'input[name=kind][value="{kind}"]')
        wanted = [table for table in list_tables(document) if table.kind == kind and table.part in {"score", "mistakes"}]
        assert {table.name for table in wanted} >= {"detection", "tiers"}
        for table in wanted:
            assert read_table(page, table.name) == table.rows


def test_the_reliability_curve_is_drawn_from_the_document(page: Page, document: dict[str, Any]) -> None:
    page.check('input[name=kind][value="simulated"]')
    page.locator('[data-figure="reliability-solar_pv"]').scroll_into_view_if_needed()
    page.wait_for_selector('[data-figure="reliability-solar_pv"] .plot[data-drawn="yes"]')
    drawn = page.eval_on_selector('[data-figure="reliability-solar_pv"] .plot', "plot => plot.data[1].y")
    curve = document["kinds"]["simulated"]["classes"]["solar_pv"]["ever"]["reliability"]
    assert drawn == pytest.approx([one["observed"] for one in curve])


def test_figures_by_circumstance_are_drawn_with_their_intervals(page: Page, document: dict[str, Any]) -> None:
    page.check('input[name=kind][value="simulated"]')
    page.locator('[data-figure="circumstances-auc"]').scroll_into_view_if_needed()
    page.wait_for_selector('[data-figure="circumstances-auc"] .plot[data-drawn="yes"]')
    drawn = page.eval_on_selector('[data-figure="circumstances-auc"] .plot', "plot => plot.data[0].x")
    asked = document["kinds"]["simulated"]["circumstances"].values()
    assert drawn == pytest.approx([one["ev"]["auc"]["value"] for one in asked if one["ev"]["auc"]["value"] is not None])


def test_a_mistake_leads_to_its_evidence(page: Page, document: dict[str, Any]) -> None:
    page.check('input[name=kind][value="simulated"]')
    links = page.eval_on_selector_all('[data-table="mistakes"] a', "links => links.map(link => link.getAttribute('href'))")
    wrong = [one["mpan_id"] for found in document["kinds"]["simulated"]["mistakes"].values() for one in found]
    assert links == [f"mistakes.html#meter={mpan}" for mpan in wrong]


def test_a_name_is_only_ever_text(page: Page, written: Path) -> None:
    page.check('input[name=kind][value="real"]')
    assert HOSTILE in [row[0] for row in read_table(page, "answers")]
    assert page.evaluate("window.caught") is None
    assert HOSTILE not in written.read_text(encoding="utf-8")


def test_nothing_of_the_page_names_a_place_to_fetch_from(written: Path) -> None:
    text = re.sub(r'<script type="(?:text/plain|application/json)".*?</script>', "", written.read_text(encoding="utf-8"), flags=re.S)
    assert re.findall(r"""(?:src|href)=["'](?!#|data:,)""", text) == []
    assert "default-src 'none'" in text
