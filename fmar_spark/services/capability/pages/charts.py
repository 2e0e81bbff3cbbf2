"""Charts as data: what is drawn, in which words and colours, beside the table that says the same."""

from collections.abc import Sequence
from typing import Any, Final

from fmar_spark.domain.assets import ASSET_FACTS, AssetClass
from fmar_spark.services.capability.pages.frame import format_slot, name_class

CLOCK: Final = [format_slot(slot) for slot in range(48)]
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
Rows = Sequence[dict[str, Any]]
Figure = dict[str, Any]


def draw_classes(rows: Rows) -> Figure:
    """kW of an area's assets together, a bar a class and direction, with the 80 % interval."""
    shown = [row for row in rows if not row["is_suppressed"]]
    names = [f"{name_class(row['asset_class'])}, {row['direction']}" for row in shown]
    middle = [row["kw_p50"] for row in shown]
    bars = {
        "type": "bar",
        "orientation": "h",
        "y": names[::-1],
        "x": middle[::-1],
        "fmarColours": [list(colours_of(row["asset_class"])) for row in shown][::-1],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [_gap(row["kw_p90"], row["kw_p50"]) for row in shown][::-1],
            "arrayminus": [_gap(row["kw_p50"], row["kw_p10"]) for row in shown][::-1],
        },
        "hovertemplate": "%{y}: %{x:,.3s} kW<extra></extra>",
    }
    return {"data": [bars], "xaxis": "kW together", "height": 80 + 44 * len(shown), "bars": True}


def draw_day(rows: Rows, asset_class: str) -> Figure:
    """Power of an area's assets over a day: median and 80 % interval."""
    ordered = sorted(rows, key=lambda row: row["slot"])
    clock = [format_slot(row["slot"]) for row in ordered]
    band = {"type": "scatter", "mode": "lines", "x": clock, "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    colours = list(colours_of(asset_class))
    return {
        "data": [
            {**band, "y": [row["kw_p10"] for row in ordered], "fmarColours": [colours]},
            {**band, "y": [row["kw_p90"] for row in ordered], "fill": "tonexty", "fmarColours": [colours], "fmarBand": True},
            {
                "type": "scatter",
                "mode": "lines",
                "x": clock,
                "y": [row["kw_p50"] for row in ordered],
                "fmarColours": [colours],
                "name": "median",
                "hovertemplate": "%{x}: %{y:,.3s} kW<extra></extra>",
            },
        ],
        "xaxis": "local clock",
        "yaxis": "kW",
        "height": 300,
    }


def draw_week(probability: Sequence[float | None], asset_class: str) -> Figure:
    """Share of observed weeks in which an asset was operating, weekday by half-hour."""
    cells = [list(probability[48 * day : 48 * day + 48]) for day in range(7)]
    return {
        "data": [
            {
                "type": "heatmap",
                "z": cells,
                "x": CLOCK,
                "y": list(WEEKDAYS),
                "zmin": 0,
                "zmax": 1,
                "fmarColours": [list(colours_of(asset_class))],
                "colorbar": {"tickformat": ".0%", "thickness": 10, "outlinewidth": 0},
                "hovertemplate": "%{y} %{x}: %{z:.0%} of weeks<extra></extra>",
                "xgap": 0.5,
                "ygap": 1,
            }
        ],
        "xaxis": "local clock",
        "height": 260,
        "reversed": True,
    }


def draw_measures(rows: Rows) -> Figure:
    """A measure by class."""
    shown = [row for row in rows if row["value"] is not None]
    is_share = bool(shown) and shown[0]["value_unit"] == "share"
    bars = {
        "type": "bar",
        "orientation": "h",
        "y": [name_class(row["asset_class"]) for row in shown][::-1],
        "x": [row["value"] for row in shown][::-1],
        "fmarColours": [list(colours_of(row["asset_class"])) for row in shown][::-1],
        "hovertemplate": "%{y}: %{x:.0%}<extra></extra>" if is_share else "%{y}: %{x:,}<extra></extra>",
    }
    label = "share" if is_share else (shown[0]["value_unit"] if shown else "")
    return {"data": [bars], "xaxis": label, "height": 80 + 40 * len(shown), "bars": True, "tickformat": ".0%" if is_share else ""}


def colours_of(asset_class: str) -> tuple[str, str]:
    """On a light and on a dark page."""
    return ASSET_FACTS[AssetClass(asset_class)].colours


def _gap(upper: float | None, lower: float | None) -> float:
    return max(0.0, upper - lower) if upper is not None and lower is not None else 0.0
