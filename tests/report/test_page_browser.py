"""The page of a lake that Spark wrote, in a browser: its figures are the tables', nothing leaves it, and keys reach everything."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from pyspark.sql import SparkSession
from report_browser import Opened, new_context, open_report
from report_world import BOTH, CAR, HOSTILE, HOSTILE_NAME, HOSTILE_REASON, ROOF, SHORT, SILENT, write_lake
from spark_tables import write_with

from fmar_spark.engine.lake_sql import LakeRows
from fmar_spark.report.meters import define_meters
from fmar_spark.report.page import Order, write_report

CLASS_WORDS = ("EV charging", "Heat pump", "Battery", "Solar PV", "Demand response")


def read_table(page: Page, name: str) -> list[list[str]]:
    """The cells of a table, opened first where it is folded away."""
    page.evaluate(
        """name => document.querySelectorAll(`[data-figure="${name}"] details:not([open]), details:has([data-table="${name}"]):not([open])`)
        .forEach(details => { details.open = true; })""",
        name,
    )
    page.wait_for_selector(f'[data-table="{name}"] tbody tr', state="attached")
    found: list[list[str]] = page.eval_on_selector_all(
        f'[data-table="{name}"] tbody tr', "rows => rows.map(row => [...row.cells].map(cell => cell.innerText.trim()))"
    )
    return found


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> LakeRows:
    """The small lake, its tables written by Spark, with the table ``meters``."""
    rows = LakeRows(write_lake(tmp_path_factory.mktemp("written") / "lake", write_with(spark)))
    define_meters(rows)
    return rows


@pytest.fixture(scope="module")
def report(lake: LakeRows, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page about it."""
    out = tmp_path_factory.mktemp("page") / "report.html"
    write_report(lake.root, out, Order(), lambda stage: None)
    return out


@pytest.fixture(scope="module")
def opened(browser: Browser, report: Path) -> Iterator[Opened]:
    """One page for the tests that only look and choose."""
    context = new_context(browser)
    yield open_report(context.new_page(), report)
    context.close()


def choose_meter(page: Page, mpan_id: str) -> None:
    """As a person does: search, then take the first of the list."""
    page.fill("input[name=text]", mpan_id)
    page.click("#list li >> nth=0")
    page.wait_for_selector(f'#detail[data-meter="{mpan_id}"]')


def test_the_page_opens_without_errors_and_fetches_nothing(opened: Opened, report: Path) -> None:
    assert opened.problems == []
    assert [url for url in opened.requests if not url.startswith("data:")] == [report.as_uri()]


def test_assets_by_class_and_tier_equal_the_table(opened: Opened, lake: LakeRows) -> None:
    page = opened.page
    for kind in ("real", "semi-synthetic", "simulated", "imported, origin not stated"):
        page.check(f'input[name=fleet-kind][value="{kind}"]')
        shown = {row[0]: [int(value) for value in row[1:4]] for row in read_table(page, "answers")}
        wanted = lake.rows(
            """SELECT asset_class, count(*) FILTER (tier = 'high') AS high, count(*) FILTER (tier = 'medium') AS medium,
                count(*) FILTER (tier = 'low') AS low
            FROM gold.asset_detections JOIN meters USING (mpan_id) WHERE kind = $kind AND is_present GROUP BY ALL""",
            kind=kind,
        )
        counted = {row["asset_class"]: [row["high"], row["medium"], row["low"]] for row in wanted}
        assert shown == {
            word: counted.get(name, [0, 0, 0])
            for word, name in zip(CLASS_WORDS, ("ev", "heat_pump", "battery", "solar_pv", "demand_response"), strict=True)
        }


def test_the_page_opens_on_what_was_found_and_says_what_is_simulated(opened: Opened) -> None:
    page = opened.page
    page.reload()
    page.wait_for_selector("#detail[data-meter]")
    assert page.inner_text("main section:first-of-type h2") == "What was found"
    assert "6 meters were examined: 1 real, 1 semi-synthetic, 3 simulated, 1 imported" in page.inner_text("#fleet .lead")
    assert "say nothing about real homes" in page.inner_text("#fleet .lead")
    assert page.is_checked('input[name=fleet-kind][value="real"]')
    tiles = page.locator("#fleet .numbers li").all_inner_texts()
    assert [tile.split()[0] for tile in tiles] == ["1"]
    assert "Solar PV: 1 with high confidence, 2 kW export in all" in tiles[0]
    assert "Not found: EV charging" in page.inner_text("#fleet-body")
    assert page.get_attribute("#detail", "data-meter") == ROOF
    assert ROOF in page.inner_text("[data-numbers]")


def test_the_drawn_bars_are_the_figures_of_the_table(opened: Opened) -> None:
    page = opened.page
    page.check('input[name=fleet-kind][value="simulated"]')
    page.wait_for_selector('[data-figure=answers] .plot[data-drawn="yes"]')
    drawn = page.eval_on_selector("[data-figure=answers] .plot", "plot => plot.data.map(trace => trace.y)")
    rows = read_table(page, "answers")
    assert drawn == [[int(row[1 + tier]) for row in rows] for tier in range(3)]
    assert sum(map(sum, drawn)) == 3


def test_quarantine_and_runs_equal_their_tables(opened: Opened) -> None:
    rows = read_table(opened.page, "rejected")
    assert [(row[0], row[1]) for row in rows] == [("kwh_negative", "2"), ("not_json", "1")]
    assert HOSTILE_REASON in rows[1][4]
    assert [(row[0], row[3]) for row in read_table(opened.page, "runs")] == [("ingest_dip", "12.5"), ("characterise", "31.0")]
    assert "SECRET" not in opened.page.content()


def test_a_meter_shows_its_verdicts_days_availability_and_baseline(opened: Opened, lake: LakeRows) -> None:
    page = opened.page
    choose_meter(page, CAR)
    assert "22 half-hours with error codes, 1 spike" in page.inner_text("dl.facts")
    verdict = page.inner_text("[data-verdict=ev]")
    assert "present (97 % sure, high tier)" in verdict
    assert "7.0 kW block between 01:00 and 03:00 on 35 of 70 days" in verdict
    assert "Size 7.0 kW import (80 % 6.3 to 8.4); 35 episodes" in verdict
    daily = read_table(page, "carpet")
    days = "CAST(utc_date AS VARCHAR) AS day, round(list_sum(kwh), 2) AS kwh"
    wanted = lake.rows(f"SELECT {days} FROM eligible_readings WHERE mpan_id = $mpan ORDER BY 1 LIMIT 20", mpan=CAR)
    assert [(row[0], float(row[1])) for row in daily[:20]] == [(row["day"], row["kwh"]) for row in wanted]
    assert sum(int(row[-1]) for row in daily) == 35
    available = {row[0]: row[1:] for row in read_table(page, "availability")}
    assert (available["01:00"], available["00:30"], available["weeks observed"]) == (["50"] * 7, ["0"] * 7, ["10"] * 7)
    predicted = read_table(page, "baseline")
    assert (len(predicted), predicted[0][1:]) == (96, ["0.300", "0.200", "3.400", "0.250"])


def test_meters_are_found_by_the_name_of_their_area_and_each_has_a_link(opened: Opened) -> None:
    page = opened.page
    choose_meter(page, CAR)
    linked = page.get_attribute("#detail .title a", "href")
    page.fill("input[name=text]", "eastern")
    shown = page.eval_on_selector_all("#list li", "options => options.map(option => option.meter.mpan)")
    assert shown == [ROOF]
    page.click("#list li >> nth=0")
    page.wait_for_selector(f'#detail[data-meter="{ROOF}"]')
    page.evaluate("address => { location.hash = address; }", linked)
    page.wait_for_selector(f'#detail[data-meter="{CAR}"]')
    page.fill("input[name=text]", "")


def test_the_meters_that_are_shown_are_saved_as_csv(opened: Opened, lake: LakeRows) -> None:
    page = opened.page
    page.fill("input[name=text]", CAR)
    with page.expect_download() as saving:
        page.click("text=Save these as CSV")
    assert saving.value.suggested_filename == "meters.csv"
    rows = list(csv.DictReader(Path(saving.value.path()).read_text(encoding="utf-8").splitlines()))
    wanted = lake.rows("SELECT asset_class, present_probability, tier FROM gold.asset_detections WHERE mpan_id = $mpan", mpan=CAR)
    assert len(rows) == len(wanted) == 5
    by_class = {row["asset_class"]: row for row in rows}
    for row in wanted:
        said = by_class[row["asset_class"]]
        assert (said["mpan_id"], said["tier"]) == (CAR, row["tier"] or "")
        if row["present_probability"] is not None:
            assert float(said["present_probability"]) == pytest.approx(row["present_probability"], abs=0.005)
    page.fill("input[name=text]", "")


def test_what_cannot_be_shown_is_said(opened: Opened) -> None:
    page = opened.page
    choose_meter(page, HOSTILE)
    assert "gold.baseline_predictions has no row" in page.inner_text("[data-figure=baseline]")
    assert "No temperature is known" in page.inner_text("[data-figure=heating]")
    choose_meter(page, SHORT)
    assert "in progress: too few days: 12 days read" in page.inner_text("[data-verdict=ev]")
    choose_meter(page, SILENT)
    assert "not in this file" in page.inner_text("#detail")


def test_kinds_of_readings_are_kept_apart_wherever_a_meter_stands(opened: Opened) -> None:
    page = opened.page
    page.fill("input[name=text]", "")
    kinds = dict(page.eval_on_selector_all("#list li", "all => all.map(one => [one.meter.mpan, one.querySelector('.kind').textContent])"))
    others = {ROOF: "real", SHORT: "semi-synthetic", HOSTILE: "imported, origin not stated"}
    assert kinds == {CAR: "simulated", BOTH: "simulated", SILENT: "simulated", **others}
    choose_meter(page, ROOF)
    assert page.inner_text("#detail .title .kind") == "real"


def test_no_name_or_reason_becomes_markup(opened: Opened) -> None:
    page = opened.page
    choose_meter(page, HOSTILE)
    page.wait_for_selector('[data-figure=carpet] .plot[data-drawn="yes"]')
    assert page.inner_text("#detail h3") == HOSTILE_NAME
    assert HOSTILE_NAME in page.inner_text("[data-verdict=heat_pump]")
    page.check('input[name=fleet-kind][value="imported, origin not stated"]')
    page.locator("[data-figure=areas]").scroll_into_view_if_needed()
    page.wait_for_selector('[data-figure=areas] .plot[data-drawn="yes"]')
    assert "<i>_C</i>" in page.eval_on_selector("[data-figure=areas] .plot", "plot => plot.textContent")
    assert page.evaluate("typeof window.caught") == "undefined"
    assert page.evaluate("document.querySelectorAll('main img, main i, main bdi *, main script').length") == 0
    assert opened.problems == []


def test_keys_reach_everything_and_are_never_trapped(browser: Browser, report: Path) -> None:
    page = open_report(new_context(browser).new_page(), report).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the findings"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "meters"
    visited = []
    for _ in range(12):
        page.keyboard.press("Tab")
        visited.append(page.evaluate("document.activeElement.name || document.activeElement.id || document.activeElement.tagName"))
    assert visited[:5] == ["text", "asset", "answer", "kind", "list"]
    assert "marked" in visited or "SUMMARY" in visited
    page.focus("#list")
    page.keyboard.press("Home")
    first = page.get_attribute("#list", "aria-activedescendant")
    page.keyboard.press("ArrowDown")
    second = page.get_attribute("#list", "aria-activedescendant")
    assert first != second
    assert page.get_attribute(f"#{second}", "aria-selected") == "true"
    chosen = page.eval_on_selector(f"#{second}", "option => option.meter.mpan")
    page.wait_for_selector(f'#detail[data-meter="{chosen}"]')
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "detail"
    page.focus("#list")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.name") == "kind"
    page.context.close()


def test_every_chart_has_a_table_and_a_name(opened: Opened) -> None:
    page = opened.page
    page.check('input[name=fleet-kind][value="simulated"]')
    choose_meter(page, CAR)
    page.evaluate("document.querySelectorAll('figure details').forEach(details => { details.open = true; })")
    page.wait_for_function("[...document.querySelectorAll('figure.chart:has(.plot)')].every(one => one.querySelector('details tbody tr'))")
    names = page.eval_on_selector_all("figure.chart .plot", "all => all.map(one => [one.closest('figure').dataset.figure, one.ariaLabel])")
    fleet = {"answers", "sizes", "areas", "months", "missing", "days", "rejected"}
    assert {name for name, _ in names} >= {*fleet, "carpet", "day", "typical", "sun", "heating", "flat", "baseline", "availability"}
    assert all(label for _, label in names)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_colour_schemes_are_readable(browser: Browser, report: Path, scheme: str) -> None:
    context = new_context(browser, color_scheme=scheme, viewport={"width": 390, "height": 844})
    opened = open_report(context.new_page(), report)
    page = opened.page
    assert page.get_attribute("html", "data-theme") == scheme
    contrast = page.evaluate(CONTRAST)
    assert min(contrast.values()) >= 4.5, contrast
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.click("#theme")
    page.click("#theme")
    assert page.get_attribute("html", "data-theme") == "dark"
    assert opened.problems == []
    context.close()


CONTRAST = """() => {
  const light = (text) => {
    const linear = (part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    const parts = text.match(/[\\d.]+/g).slice(0, 3).map((part) => linear(part / 255));
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const found = getComputedStyle(one).backgroundColor;
      if (!/, 0\\)$/.test(found)) return found;
    }
    return 'rgb(255, 255, 255)';
  };
  const found = {};
  for (const selector of ['h1', '.made', '.privacy', '.soft', 'figcaption p', 'summary', '.kind', '.chip', '.answer', 'nav a', 'td']) {
    const element = document.querySelector(selector);
    if (!element) continue;
    const pair = [light(getComputedStyle(element).color), light(behind(element))].sort((one, other) => other - one);
    found[selector] = (pair[0] + 0.05) / (pair[1] + 0.05);
  }
  return found;
}"""
