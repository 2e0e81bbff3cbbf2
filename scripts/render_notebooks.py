"""Runs notebooks on a lake and writes each as a page with its tables and figures, for readers without Databricks."""

import argparse
import html
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import plotly.offline
from picture_report import FLAGS, ROOT, find_browser

CELL: Final = "\n# COMMAND ----------\n"
MAGIC: Final = "# MAGIC "
MOST_ROWS: Final = 12
DRAW: Final = """
for (const image of document.querySelectorAll("img")) {
  const figure = JSON.parse(image.nextElementSibling.textContent);
  Plotly.toImage(figure, {format: "png", width: 800, height: 380}).then(source => { image.src = source; });
}
"""
STYLE: Final = """
:root { color-scheme: light dark; } body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
pre { background: #8881; padding: .6rem; overflow-x: auto; font-size: 12.5px; } img { max-width: 100%; }
table { border-collapse: collapse; font-size: 13px; display: block; overflow-x: auto; } th, td { padding: .15rem .6rem; text-align: right; }
"""


def main() -> int:
    """Write docs/notebooks/NAME.html for each notebook; 1 where there is no browser to draw figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", default="lake", metavar="PATH", help="a lake of the demo (default: lake)")
    parser.add_argument("--only", default="", metavar="NN,...", help="numbers of the notebooks (default: all)")
    parser.add_argument("--meters", default="", metavar="'MPAN ...'", help="what notebook 02 characterises (default: all meters)")
    parser.add_argument("--settings", default="learning.source=bundled", metavar="'section.key=value ...'")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "notebooks")
    arguments = parser.parse_args()
    browser = find_browser()
    if browser is None:
        return 1
    os.environ |= {"FMAR_LAKE": arguments.lake, "FMAR_METERS": arguments.meters, "FMAR_SETTINGS": arguments.settings}
    numbers = [number for number in arguments.only.split(",") if number]
    chosen = [path for path in sorted((ROOT / "notebooks").glob("*.py")) if not numbers or path.stem[:2] in numbers]
    arguments.out.mkdir(parents=True, exist_ok=True)
    shown = {path: run_cells(path) for path in chosen}
    for path, cells in shown.items():
        out = arguments.out / f"{path.stem}.html"
        out.write_text(draw(browser, path.stem, cells), encoding="utf-8")
        print(f"{out}: {out.stat().st_size / 1e3:.0f} kB")
    return 0


def draw(browser: str, name: str, cells: list[tuple[str, list[Any]]]) -> str:
    """The page of a notebook; a browser turns its figures into pictures, so that no script is left in it.

    Raises:
        RuntimeError: the browser drew fewer pictures than there are figures.
    """
    body = "\n".join(render_cell(text, displayed) for text, displayed in cells)
    title = html.escape(name.replace("_", " "))
    page = f"<!doctype html><html><head><meta charset=utf-8><title>{title}</title><style>{STYLE}</style></head><body>{body}</body></html>"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "notebook.html"
        file.write_text(f"{page}<script>{plotly.offline.get_plotlyjs()}</script><script>{DRAW}</script>", encoding="utf-8")
        command = [browser, *FLAGS, "--dump-dom", "--virtual-time-budget=60000", file.as_uri()]
        drawn = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    without = re.sub(r"<script.*?</script>", "", drawn, flags=re.DOTALL)
    if without.count("<img ") != without.count('src="data:image/png'):
        raise RuntimeError(f"{name}: {without.count('<img ')} figures, {without.count('src=')} pictures")
    return without


def run_cells(path: Path) -> list[tuple[str, list[Any]]]:
    """Each cell of a notebook, run from top to bottom, with what it displayed."""
    displayed: list[Any] = []
    names: dict[str, Any] = {"__name__": "__main__", "display": displayed.append}
    cells = []
    for text in path.read_text(encoding="utf-8").removeprefix("# Databricks notebook source\n").split(CELL):
        exec(compile(text, str(path), "exec"), names)
        cells.append((text.strip(), [freeze(one) for one in displayed]))
        displayed.clear()
    return cells


def freeze(shown: Any) -> Any:
    """Rows of a Spark frame while its session runs; anything else as it is."""
    return shown.limit(MOST_ROWS).toPandas() if hasattr(shown, "toPandas") else shown


def render_cell(text: str, displayed: list[Any]) -> str:
    """A cell as markup: its words or its code, then what it showed."""
    if text.startswith(f"{MAGIC}%md"):
        return "\n".join(render_line(line.removeprefix(MAGIC.strip()).strip()) for line in text.splitlines()[1:])
    code = text.replace(MAGIC, "")
    return f"<pre>{html.escape(code)}</pre>\n" + "\n".join(render_output(one) for one in displayed)


def render_line(line: str) -> str:
    """A line of words, as a heading or a paragraph."""
    depth = len(line) - len(line.lstrip("#"))
    words = html.escape(line.lstrip("# "))
    return f"<h{depth}>{words}</h{depth}>" if depth else f"<p>{words}</p>"


def render_output(shown: Any) -> str:
    """A figure as a picture, a frame as a table, anything else as text."""
    if hasattr(shown, "to_plotly_json"):
        title = html.escape(str(shown.layout.title.text or "figure"))
        data = shown.to_json().replace("<", "\\u003c")
        return f'<img alt="{title}"><script type="application/json">{data}</script>'
    if hasattr(shown, "to_html"):
        rows: str = shown.head(MOST_ROWS).to_html(border=0, index=False)
        return rows
    return f"<pre>{html.escape(str(shown))[:2000]}</pre>"


if __name__ == "__main__":
    sys.exit(main())
