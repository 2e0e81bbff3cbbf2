"""What every offline page has: one frame without a network, and data put into it compactly and never as markup or script."""

import base64
import html
import json
import re
import zlib
from collections.abc import Iterable, Sequence
from datetime import date
from importlib import resources
from string import Template
from typing import Any, Final

import numpy as np

from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS
from fmar_spark.kernels.window import Floats

FRAME: Final = "frame.html"
STYLE: Final = "page.css"


def read_page_file(name: str) -> str:
    """A file that the pages share."""
    return resources.files(__package__).joinpath("page", name).read_text(encoding="utf-8")


def list_class_words() -> dict[str, Any]:
    """The asset classes in the order in which data refer to them, and what each is called at the beginning of a line."""
    return {
        "classes": [asset.value for asset in ASSET_CLASSES],
        "class_words": {asset.value: facts.heading for asset, facts in ASSET_FACTS.items()},
    }


def render_frame(title: str, body: str, scripts: Iterable[str]) -> str:
    """The page as text. Data stand in script elements that hold no script; only ``scripts`` are script.

    Args:
        title: plain text.
        body: markup, what came from a lake escaped.
        scripts: texts, in the order in which they run.
    """
    style = f"{_colour_classes()}\n{read_page_file(STYLE)}"
    return Template(read_page_file(FRAME)).substitute(
        title=html.escape(title), style=style, body=body, plotly=_read_plotly(), script="\n".join(scripts)
    )


def _colour_classes() -> str:
    """A variable for the colour of each class, by its name, on light and on dark pages."""
    lines = []
    for place, selector in enumerate((":root", ':root[data-theme="dark"]')):
        colours = " ".join(f"--{asset.value}: {facts.colours[place]};" for asset, facts in ASSET_FACTS.items())
        lines.append(f"{selector} {{ {colours} }}")
    return "\n".join(lines)


def _read_plotly() -> str:
    """plotly.js as its Python package carries it."""
    text = resources.files("plotly").joinpath("package_data", "plotly.min.js").read_text(encoding="utf-8")
    return re.sub(r"</(?=script)", r"<\\/", text, flags=re.IGNORECASE)


EPOCH: Final = date(1970, 1, 1)
UNREAD: Final = -128
LARGEST_CODE: Final = 127
Json = Any
"""What ``json`` can write."""


def write_json(value: Json) -> str:
    """JSON for a script element: no character that could end it, begin a comment or break a line of script."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def round_values(values: Iterable[Any], digits: int) -> list[float | int | None]:
    """Rounded numbers, null where there is none; whole ones without a point."""
    numbers = np.asarray(values if isinstance(values, np.ndarray) else list(values), dtype=np.float64)
    known = np.isfinite(numbers)
    rounded = np.round(np.where(known, numbers, 0.0), digits)
    whole = (rounded == np.floor(rounded)).tolist()
    return [
        (int(value) if is_whole else value) if is_known else None
        for value, is_whole, is_known in zip(rounded.tolist(), whole, known.tolist(), strict=True)
    ]


def count_day(day: date | None) -> int | None:
    """Days since 1970, null for none."""
    return None if day is None else (day - EPOCH).days


def encode_power(power_kw: Floats) -> tuple[bytes, float]:
    """One signed byte a value, finest near zero, and the power that the largest code stands for.

    ``power = sign(code) * (code / 127)^2 * largest``; -128 is an unread slot. The error is below 0.8 % of the largest
    power, and far smaller for small ones: enough to colour a map with.
    """
    largest = float(np.nanmax(np.abs(power_kw), initial=0.0))
    scaled = np.sqrt(np.abs(power_kw) / (largest or 1.0)) * LARGEST_CODE
    codes = np.where(np.isnan(power_kw), UNREAD, np.round(np.copysign(np.nan_to_num(scaled), np.nan_to_num(power_kw))))
    return codes.astype(np.int8).tobytes(), largest


def pack(header: Json, body: bytes) -> str:
    """Base64 of deflated: length of the header (4 bytes, little-endian), the header as JSON, the body."""
    head = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    return base64.b64encode(zlib.compress(len(head).to_bytes(4, "little") + head + body, 6)).decode()


def unpack(packed: str) -> tuple[Json, bytes]:
    """Header and body of what ``pack`` made."""
    data = zlib.decompress(base64.b64decode(packed))
    length = int.from_bytes(data[:4], "little")
    return json.loads(data[4 : 4 + length]), data[4 + length :]


def list_columns(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, list[Any]]:
    """Rows turned into columns: names are written once."""
    return {name: [row[name] for row in rows] for name in names}
