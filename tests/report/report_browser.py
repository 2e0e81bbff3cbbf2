"""The report in a browser that may not reach any network."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page


@dataclass
class Opened:
    """A page in the browser, and all that went wrong or out."""

    page: Page
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


def new_context(browser: Browser, **own: Any) -> BrowserContext:
    """A fresh profile on a desk's screen, in Britain."""
    return browser.new_context(**{"viewport": {"width": 1280, "height": 900}, "color_scheme": "light", "locale": "en-GB", **own})


def open_report(page: Page, report: Path) -> Opened:
    """Opens the page and waits for its charts."""
    found = Opened(page)
    page.on("console", lambda message: found.problems.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: found.problems.append(str(error)))
    page.on("request", lambda request: found.requests.append(request.url))
    page.goto(report.as_uri())
    page.wait_for_selector("html[data-charts=ready]")
    page.wait_for_selector("#detail[data-meter]")
    return found
