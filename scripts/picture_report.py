"""Takes the picture of a report that the README shows: the fleet above, the evidence of one simulated meter below."""

import argparse
import io
import subprocess
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu"]
WIDTH = 1280
FLEET_HEIGHT, METER_HEIGHT = 262, 1250
COLOURS = 128
"""Enough for charts, and a third of the bytes of full colour."""


def main() -> int:
    """Write the picture; 1 where there is no browser or no report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--report", type=Path, default=Path("lake/report.html"), metavar="FILE", help="the page (default: lake/report.html)"
    )
    parser.add_argument("--meter", default="", metavar="MPAN", help="whose evidence is shown (default: the surest simulated meter)")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "report.png", metavar="FILE", help="default: docs/report.png")
    arguments = parser.parse_args()
    if not arguments.report.is_file():
        sys.stderr.write(f"picture_report: {arguments.report}: no report there; run scripts/demo or scripts/report first\n")
        return 1
    path = find_browser()
    if path is None:
        return 1
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=path, args=FLAGS) as browser:
        page = browser.new_page(viewport={"width": WIDTH, "height": METER_HEIGHT}, color_scheme="light", locale="en-GB")
        page.goto(arguments.report.resolve().as_uri() + (f"#meter={arguments.meter}" if arguments.meter else ""))
        page.wait_for_selector("html[data-charts=ready]")
        page.wait_for_selector("#detail[data-meter]")
        simulated = page.locator("input[name=fleet-kind][value=simulated]")
        if simulated.count():
            simulated.check()
        page.add_style_tag(content=".top { position: static !important }")
        parts = [take(page, "#fleet", FLEET_HEIGHT), take(page, "#detail", METER_HEIGHT)]
    picture = Image.new("RGB", (WIDTH, FLEET_HEIGHT + METER_HEIGHT))
    picture.paste(parts[0], (0, 0))
    picture.paste(parts[1], (0, FLEET_HEIGHT))
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(arguments.out, optimize=True)
    print(f"{arguments.out}: {picture.width} x {picture.height}, {arguments.out.stat().st_size / 1e3:.0f} kB")
    return 0


def find_browser() -> str | None:
    """The path of a Chromium; without one None, once the reason is on standard error."""
    found = subprocess.run([ROOT / "scripts" / "chromium_for_tests"], capture_output=True, text=True, check=False)
    if found.returncode:
        sys.stderr.write(found.stderr)
        return None
    return found.stdout.strip()


def take(page: Page, selector: str, height: int) -> Image.Image:
    """What a screen shows when the element is at its top and the charts have been drawn, down to a height."""
    page.locator(selector).first.evaluate("element => window.scrollTo(0, element.getBoundingClientRect().top + window.scrollY - 8)")
    page.wait_for_timeout(1500)
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB").crop((0, 0, WIDTH, height))


if __name__ == "__main__":
    sys.exit(main())
