"""Writes docs/mistakes.md and its pictures from an evaluation: the three classes that are surest of a wrong answer, one answer each."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from picture_report import COLOURS, FLAGS, ROOT, WIDTH, find_browser, take
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from fmar_spark.evaluation.tables import CLASS_WORDS, list_tables

DOCUMENT = ROOT / "docs" / "mistakes.md"
PICTURES = ROOT / "docs" / "mistakes"
CASES, HEIGHT, PATIENCE_MS = 3, 1250, 180_000
EVIDENCE = "mistakes.html"
"""What `fmar evaluate` leaves beside the document: the evidence of every meter that it was wrong about."""
TOP = """# Three confident mistakes, and what they rest on

The most confident wrong answer about each of three asset classes, those that are surest of one, among {meters:,} {kind} meters that
classifier `{model}` was asked about. Truth, look-alikes and evidence stand as the evaluation lists them, and its
`mistakes.html` holds a page like those below for every mistake that it lists. Written by

    ./scripts/evaluate --lake LAKE --labels LANDING --out EVALUATION
    .venv/bin/python scripts/draw_mistakes.py EVALUATION
"""


def main() -> int:
    """Write the document and its pictures; 1 where there is no browser or no evaluation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("evaluation", type=Path, metavar="FOLDER", help="what `fmar evaluate --out FOLDER` has written")
    parser.add_argument("--kind", default="simulated", help="whose mistakes: simulated, semi-synthetic or real (default: simulated)")
    arguments = parser.parse_args()
    source = arguments.evaluation / "evaluation.json"
    if not source.is_file():
        sys.stderr.write(f"draw_mistakes: {source}: no evaluation there; run scripts/evaluate first\n")
        return 1
    path = find_browser()
    if path is None:
        return 1
    document = json.loads(source.read_text(encoding="utf-8"))
    cases = choose_cases(document, arguments.kind)
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=path, args=FLAGS) as running:
        pictures = {case["picture"]: take_evidence(running, arguments.evaluation / EVIDENCE, case["mpan"]) for case in cases}
    for old in PICTURES.glob("*.png"):
        old.unlink()
    PICTURES.mkdir(exist_ok=True)
    for name, picture in pictures.items():
        picture.quantize(COLOURS, dither=Image.Dither.NONE).save(PICTURES / name, optimize=True)
    DOCUMENT.write_text(write_document(document, arguments.kind, cases), encoding="utf-8")
    print(f"{DOCUMENT}: {', '.join(case['class'] for case in cases)}")
    return 0


def choose_cases(document: dict[str, Any], kind: str) -> list[dict[str, str]]:
    """The surest mistake of each class, of the classes that are surest of one: what the evaluation's table says, by heading."""
    mistakes = {asset: found[0] for asset, found in document["kinds"][kind]["mistakes"].items() if found}
    surest = sorted(mistakes, key=lambda asset: -max(mistakes[asset]["probability"], 1 - mistakes[asset]["probability"]))[:CASES]
    (table,) = [table for table in list_tables(document) if table.kind == kind and table.name == "mistakes"]
    headings = [heading for heading, _ in table.columns]
    first: dict[str, dict[str, str]] = {}
    for row, mpan in zip(table.rows, table.links, strict=True):
        first.setdefault(row[0], dict(zip(headings, row, strict=True)) | {"mpan": mpan})
    return [first[CLASS_WORDS[asset]] | {"picture": f"{asset}.png"} for asset in surest]


def take_evidence(browser: Browser, evidence: Path, mpan: str) -> Image.Image:
    """The top of a meter's page."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light", locale="en-GB")
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{evidence.resolve().as_uri()}#meter={mpan}")
    page.wait_for_selector("html[data-charts=ready]", state="attached")
    page.wait_for_selector(f'#detail[data-meter="{mpan}"]', state="attached")
    page.add_style_tag(content=".top { position: static !important }")
    picture = take(page, "#detail", HEIGHT)
    page.close()
    return picture


def write_document(document: dict[str, Any], kind: str, cases: list[dict[str, str]]) -> str:
    """The document in Markdown."""
    parts = [TOP.format(meters=document["kinds"][kind]["meters"], kind=kind, model=document["model_version"])]
    for case in cases:
        heading = f"{case['class'][0].upper()}{case['class'][1:]}"
        parts.append(
            f"## {heading}: reported {case['said, wrongly']}\n\n![Readings and evidence of the meter](mistakes/{case['picture']})\n"
        )
        facts = [f"{name.capitalize()}: {case[name]}." for name in ("truth", "look-alikes", "also there", "evidence")]
        parts.append("\n".join(f"- {fact}" for fact in facts) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    sys.exit(main())
