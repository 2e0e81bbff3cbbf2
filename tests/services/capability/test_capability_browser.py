"""Pages over a lake that Spark wrote, as they are used: in a browser that reaches nothing else, by mouse, keyboard and telephone."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn
from playwright.sync_api import Browser, Page
from pyspark.sql import SparkSession
from reads_world import ALPHAS, ServedReads, serve_reads, write_reads_lake
from register_world import settings_of
from spark_tables import write_with

from fmar_spark.engine.model_file import FOLDER
from fmar_spark.services.capability.pages.frame import format_kw
from fmar_spark.services.web.server import configure
from fmar_spark.steps.publish_read_model import publish

PAGES_OF = {
    "NESO": ("/areas", "/areas/gsp_group/_H?asset_class=battery&direction=export&season=winter", "/health"),
    "SOUTHERN": ("/areas",),
    "ALPHA": ("/portfolio", f"/assets/{ALPHAS[1].asset_id}"),
    "MARKET": ("/envelopes", f"/assets/{ALPHAS[1].asset_id}"),
    "OFGEM": ("/health",),
}


@pytest.fixture(scope="module")
def written_lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake, its tables written by Spark and then published."""
    lake = write_reads_lake(tmp_path_factory.mktemp("written") / "lake", write_with(spark))
    publish(str(lake), lake / FOLDER, None)
    return lake


@pytest.fixture(scope="module")
def address(written_lake: Path, quick_folder: Path) -> Iterator[tuple[str, ServedReads]]:
    """The service on a port of this machine."""
    file = quick_folder / "listening.db"
    made = serve_reads(written_lake, file)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(configure(made.http.app, settings_of(f"sqlite:///{file}"), "127.0.0.1", port))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}", made
    server.should_exit = True
    thread.join(10)
    made.database.close()


def sign_in(page: Page, base: str, made: ServedReads, party_id: str) -> None:
    page.goto(f"{base}/sign-in")
    page.fill("#token", made.token(party_id))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector(".who")


def ask(page: Page, base: str, made: ServedReads, party_id: str, path: str) -> Any:
    return page.request.get(f"{base}{path}", headers={"Authorization": f"Bearer {made.token(party_id)}"}).json()


def open_page(page: Page, base: str, path: str) -> None:
    page.goto(f"{base}{path}")
    if page.locator(".chart-area").count():
        page.wait_for_selector("html[data-charts=ready]")


DESK, TELEPHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


def assert_fits(page: Page, width: int) -> None:
    """No page is wider than its screen, and each chart is drawn and has a table beside it."""
    assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url
    charts = page.locator(".chart-area")
    assert page.locator(".plot svg.main-svg").count() >= charts.count(), page.url
    for chart in charts.all():
        assert chart.locator("xpath=ancestor::main//table").count() >= 1


def test_every_page_fits_its_screen_draws_its_charts_and_asks_nobody_else(browser: Browser, address: tuple[str, ServedReads]) -> None:
    base, made = address
    for party_id, paths in PAGES_OF.items():
        with browser.new_context(viewport=TELEPHONE, color_scheme="dark", locale="en-GB") as context:
            page = context.new_page()
            problems: list[str] = []
            hosts: set[str] = set()
            page.on("console", lambda said, kept=problems: kept.append(said.text) if said.type in {"error", "warning"} else None)
            page.on("pageerror", lambda error, kept=problems: kept.append(str(error)))
            page.on("request", lambda request, kept=hosts: kept.add(urlsplit(request.url).netloc))
            sign_in(page, base, made, party_id)
            for path in paths:
                open_page(page, base, path)
                assert_fits(page, TELEPHONE["width"])
                page.set_viewport_size(DESK)
                page.emulate_media(color_scheme="light")
                assert_fits(page, DESK["width"])
                page.emulate_media(color_scheme="dark")
                page.set_viewport_size(TELEPHONE)
            assert problems == []
            assert hosts - {""} == {base.removeprefix("http://")}


def test_figures_on_the_pages_are_the_api_s(browser: Browser, address: tuple[str, ServedReads]) -> None:
    base, made = address
    with browser.new_context(locale="en-GB") as context:
        page = context.new_page()
        sign_in(page, base, made, "NESO")
        open_page(page, base, "/areas?asset_class=battery&direction=export")
        rows = ask(page, base, made, "NESO", "/v1/areas/gsp_group/capability?asset_class=battery&direction=export&limit=100")["items"]
        for row in rows:
            assert page.locator(f'.tile a[href*="/{row["area_id"]}?"] b').inner_text() == format_kw(row["kw_p50"])
        open_page(page, base, "/areas/gsp_group/_H?asset_class=battery&direction=export&season=winter&weekday=3")
        cells = ask(page, base, made, "NESO", "/v1/areas/gsp_group/_H/availability?season=winter&weekday=3&limit=48")["items"]
        drawn = page.evaluate("[...document.querySelectorAll('.plot')].at(-1).data[2].y")
        assert drawn == pytest.approx([cell["kw_p50"] for cell in cells])


def test_an_invitation_is_answered_by_keyboard_alone(browser: Browser, address: tuple[str, ServedReads]) -> None:
    base, made = address
    with browser.new_context(locale="en-GB") as context:
        page = context.new_page()
        sign_in(page, base, made, "ALPHA")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        before = len(ask(page, base, made, "ALPHA", "/v1/invitations?limit=1000")["items"])
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.name") == "is_present":
                break
        page.keyboard.press("Enter")
        page.wait_for_url("**/portfolio#invitations")
        assert len(ask(page, base, made, "ALPHA", "/v1/invitations?limit=1000")["items"]) == before - 1
