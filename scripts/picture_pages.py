"""Takes a picture of each role's first page into docs/pages, as a browser shows the service over a lake."""

import argparse
import io
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from benchmark_register import start_service
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

ROOT: Final = Path(__file__).resolve().parents[1]
FLAGS: Final = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--no-proxy-server",
]
COLOURS: Final = 96
MOST_HEIGHT: Final = 1500
PATIENCE_MS: Final = 120_000


class Picture(NamedTuple):
    """A page as one party sees it."""

    name: str
    party_id: str
    path: str
    width: int = 1280
    scheme: str = "light"


PICTURES: Final = (
    Picture("system-operator", "NESO", "/areas"),
    Picture("network", "SOUTHERN", "/areas/gsp_group/_H"),
    Picture("provider", "ALPHA", "/portfolio"),
    Picture("platform", "MARKET", "/envelopes?flexibility=demand_down"),
    Picture("regulator", "OFGEM", "/health"),
    Picture("provider-telephone", "ALPHA", "/portfolio", 390, "dark"),
    Picture("system-operator-telephone", "NESO", "/areas", 390, "dark"),
)


def main(argv: list[str]) -> int:
    """Write the pictures; 1 where there is no browser."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=Path, default=Path("lake"), help="a lake with gold tables, such as the demo's (default: lake)")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pages", metavar="DIR", help="default: docs/pages")
    arguments = parser.parse_args(argv)
    found = subprocess.run([ROOT / "scripts" / "chromium_for_tests"], capture_output=True, text=True, check=False)
    if found.returncode:
        sys.stderr.write(found.stderr)
        return 1
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fmar_pages_") as name:
        folder = Path(name)
        (folder / "lake").symlink_to(arguments.lake.resolve())
        with (
            start_service(f"sqlite:///{folder / 'register.db'}", folder) as (base, tokens, _),
            sync_playwright() as playwright,
            playwright.chromium.launch(executable_path=found.stdout.strip(), args=FLAGS) as browser,
        ):
            for picture in PICTURES:
                path = arguments.out / f"{picture.name}.png"
                take(browser, base, tokens[picture.party_id], picture).save(path, optimize=True)
                print(f"{path}: {path.stat().st_size / 1e3:.0f} kB", flush=True)
    return 0


def take(browser: Browser, base: str, token: str, picture: Picture) -> Image.Image:
    """The page from its top, in few colours."""
    with browser.new_context(
        viewport={"width": picture.width, "height": 900},
        color_scheme="dark" if picture.scheme == "dark" else "light",
        locale="en-GB",
    ) as context:
        context.add_cookies([{"name": "fmar_token", "value": token, "url": base}])
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{base}{picture.path}")
        if page.locator(".chart-area").count():
            page.wait_for_selector("html[data-charts=ready]")
        whole = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    return whole.crop((0, 0, whole.width, min(whole.height, MOST_HEIGHT))).quantize(COLOURS, dither=Image.Dither.NONE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
