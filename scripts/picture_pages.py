"""Takes a picture of every page as every party sees it, at a desk (light) and on a telephone (dark), to be looked through.

    .venv/bin/python scripts/picture_pages.py pictures --lake lake

Serves the lake over a copy of the register that it mirrors, signs in as each party of the sign-in page and follows the navigation, with
the first area and the first asset that its pages lead to. The lake is only read. Exit status 1 where there is no lake or no browser, or
where a page is wider than its screen or its script fails.
"""

import argparse
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final, Literal, NamedTuple

from benchmark_register import start_service
from picture_report import FLAGS, find_browser
from playwright.sync_api import Browser, FloatRect, Page, ViewportSize, sync_playwright

from fmar_spark.services.capability.sample import REGISTER_FILE

MOST_HEIGHT: Final = 4000
"""What is below is left out: tables of many rows."""
PASSED_ON: Final = ('a[href^="/areas/gsp_group/"]', 'a[href^="/assets/"]', 'a[href^="/areas/primary/"]')
"""Links that lead to pages without a place in the navigation; the first of each is followed."""
NO_PAGE: Final = "/areas/gsp_group/none"


class Screen(NamedTuple):
    """A size and a colour scheme."""

    name: str
    size: ViewportSize
    scheme: Literal["light", "dark"]


SCREENS: Final = (Screen("desk", {"width": 1280, "height": 900}, "light"), Screen("telephone", {"width": 390, "height": 844}, "dark"))


def parse(argv: list[str]) -> argparse.Namespace:
    """Folder, lake and the parties wanted."""
    parser = argparse.ArgumentParser(prog="picture_pages", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the pictures go, by party")
    parser.add_argument("--lake", type=Path, default=Path("lake"), help="a lake with gold tables, such as the demo's (default: lake)")
    parser.add_argument("--party", action="append", metavar="ID", help="this party alone; may be repeated (default: all)")
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    """Serve, take the pictures, and name the pages that do not fit."""
    arguments = parse(argv)
    if not (arguments.lake / "gold").is_dir():
        sys.stderr.write(f"picture_pages: {arguments.lake}: no gold tables there; run scripts/demo first or name its lake\n")
        return 1
    path = find_browser()
    if path is None:
        return 1
    with tempfile.TemporaryDirectory(prefix="fmar_pages_") as name:
        folder = Path(name)
        (folder / "lake").symlink_to(arguments.lake.resolve())
        if (arguments.lake / REGISTER_FILE).is_file():
            shutil.copy(arguments.lake / REGISTER_FILE, folder / "register.db")
        model = f"reads.model_folder={folder / 'model'}"
        with (
            start_service(f"sqlite:///{folder / 'register.db'}", folder, (model,)) as (base, _, _),
            sync_playwright() as playwright,
            playwright.chromium.launch(executable_path=path, args=FLAGS) as browser,
        ):
            problems = [one for screen in SCREENS for one in take_screen(browser, base, screen, arguments.folder, arguments.party)]
    print("\n".join(problems) or "every page fits its screen", flush=True)
    return 1 if problems else 0


def take_screen(browser: Browser, base: str, screen: Screen, folder: Path, wanted: list[str] | None) -> list[str]:
    """The pictures of all parties on one kind of screen; what is wrong with them, one line each."""
    problems: list[str] = []
    with browser.new_context(viewport=screen.size, color_scheme=screen.scheme, locale="en-GB", base_url=base) as context:
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(f"{page.url}: {error}"))
        problems += take(page, "/sign-in", screen, folder / "anyone")
        parties = page.locator("button[name=party]").evaluate_all("buttons => buttons.map(button => button.value)")
        for party_id in [one for one in parties if wanted is None or one in wanted]:
            context.clear_cookies()
            context.request.post("/sign-in", form={"party": party_id})
            page.goto("/")
            paths = page.locator("header nav a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
            problems += [one for path in paths for one in take(page, path, screen, folder / party_id)]
            for path in list_passed_on(page, paths):
                problems += take(page, path, screen, folder / party_id)
    return problems


def list_passed_on(page: Page, paths: list[str]) -> list[str]:
    """Paths of further pages that these lead to, the first of each kind, and one of a page that is not there."""
    found: dict[str, str] = {}
    for path in paths:
        page.goto(path)
        for kind in PASSED_ON:
            link = page.locator(kind).first
            if kind not in found and link.count():
                found[kind] = link.get_attribute("href") or path
    return [*found.values(), NO_PAGE]


def take(page: Page, path: str, screen: Screen, folder: Path) -> list[str]:
    """One picture, of the whole height; a line where the page is wider than the screen."""
    page.goto(path)
    if page.locator(".chart-area").count():
        page.wait_for_selector("html[data-charts=ready]")
    folder.mkdir(parents=True, exist_ok=True)
    width, height = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    clip = FloatRect(x=0, y=0, width=screen.size["width"], height=min(height, MOST_HEIGHT))
    page.screenshot(path=folder / f"{name_file(path)}.{screen.name}.png", full_page=True, clip=clip)
    return [f"{folder.name} {path}: {width} pixels wide on a {screen.name} of {screen.size['width']}"] * (width > screen.size["width"])


def name_file(path: str) -> str:
    """A path of the service as a file's name."""
    return re.sub(r"[^A-Za-z0-9]+", "_", path).strip("_")[:60] or "start"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
