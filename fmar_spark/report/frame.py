"""What every page that opens without a network has: its policy, style, plotly.js and script, around a body of its own."""

import html
import re
from collections.abc import Iterable
from importlib import resources
from string import Template
from typing import Final

FRAME: Final = "frame.html"
STYLE: Final = "page.css"


def read_page_file(name: str) -> str:
    """A file that the pages share."""
    return resources.files(__package__).joinpath("page", name).read_text(encoding="utf-8")


def render_frame(title: str, body: str, scripts: Iterable[str]) -> str:
    """The page as text. Data stand in script elements that hold no script; only ``scripts`` are script.

    Args:
        title: plain text.
        body: markup, what came from a lake escaped.
        scripts: texts, in the order in which they run.
    """
    return Template(read_page_file(FRAME)).substitute(
        title=html.escape(title), style=read_page_file(STYLE), body=body, plotly=_read_plotly(), script="\n".join(scripts)
    )


def _read_plotly() -> str:
    """plotly.js as its Python package carries it."""
    text = resources.files("plotly").joinpath("package_data", "plotly.min.js").read_text(encoding="utf-8")
    return re.sub(r"</(?=script)", r"<\\/", text, flags=re.IGNORECASE)
