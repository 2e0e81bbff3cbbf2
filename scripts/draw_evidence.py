"""Draws docs/integrity.svg: two FSPs at one simulated meter, of which the second declares what it does not deliver."""

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fmar_spark.evaluation.delivery_loads import simulate_loads
from fmar_spark.evaluation.delivery_portfolios import build_portfolio
from fmar_spark.evaluation.delivery_scenarios import Pair, check_pairs
from fmar_spark.kernels.delivery.checks import EventChecks
from fmar_spark.kernels.delivery.verdicts import SUSPECT, AssetVerdicts, conclude_assets
from fmar_spark.kernels.window import Floats, Ints

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "integrity.svg"
SIZE, EVENTS, METER = 3.0, 24, 2
WIDTH, LEFT, RIGHT = 900, 70, 150
COLOURS = ("#1b6ca8", "#c8102e", "#777777")
NAMES = ("FSP A alone", "FSP B alone", "both: sum of both")


class Panel(NamedTuple):
    """A stretch of the picture's height, and the values at its ends."""

    top: float
    bottom: float
    lowest: float
    highest: float

    def place(self, values: Floats) -> Floats:
        """Heights of values."""
        share = (np.clip(values, self.lowest, self.highest) - self.lowest) / (self.highest - self.lowest)
        return np.asarray(self.bottom - (self.bottom - self.top) * share)


def main() -> int:
    """Write the picture."""
    portfolio = build_portfolio(simulate_loads(4, 270, 5)[0], 1, 3)
    both, checked = check_pairs(portfolio, Pair(SIZE, 0.5, (1.0, 0.0)), EVENTS)
    rows = np.flatnonzero(both.meter == METER)
    rows = rows[np.argsort(both.start_slot[rows], kind="stable")]
    events = both.take(rows)._replace(meter=np.zeros(len(rows), dtype=np.int64), asset=both.asset[rows] - 2 * METER)
    checks = checked.take(rows)
    declared = float(events.declared_kwh[0])
    energy, share = Panel(50, 250, -declared, 3 * declared), Panel(300, 450, 0.0, 1.5)
    x = LEFT + (WIDTH - LEFT - RIGHT) * (events.start_slot - events.start_slot[0]) / (events.start_slot[-1] - events.start_slot[0])
    kind = np.where(checks.is_shared, 2, events.asset)
    body = draw_bars(x, kind, [energy.place(checks.meter_observed_kwh + ends - checks.observed_kwh) for ends in bounds(checks)])
    steps = np.append(np.flatnonzero(np.diff(events.start_slot)), len(rows) - 1)
    found = [conclude_assets(events.take(np.arange(step + 1)), checks.take(np.arange(step + 1)), 2) for step in steps]
    body += draw_shares(x[steps], found, share)
    named = next(at for at, verdicts in zip(x[steps], found, strict=True) if verdicts.verdict[1] == SUSPECT)
    body.append(f'<line x1="{named:.1f}" x2="{named:.1f}" y1="50" y2="450" stroke="{COLOURS[1]}" stroke-dasharray="2 3"/>')
    body.append(f'<text x="{named + 5:.1f}" y="470" fill="{COLOURS[1]}">FSP B is suspect from here</text>')
    heights = {
        "declared by both": energy.place(np.array(2 * declared)),
        "declared by each": energy.place(np.array(declared)),
        "nothing": energy.place(np.array(0.0)),
        "all of it": share.place(np.array(1.0)),
        "none of it": share.place(np.array(0.0)),
    }
    PICTURE.write_text(frame(body, {name: float(height) for name, height in heights.items()}), encoding="utf-8")
    return 0


def draw_bars(x: Floats, kind: Ints, heights: list[Floats]) -> list[str]:
    """An interval and a dot for each event."""
    drawn = []
    for at, colour, low, high, middle in zip(x, kind, *heights, strict=True):
        ends = f'x1="{at:.1f}" x2="{at:.1f}" y1="{low:.1f}" y2="{high:.1f}"'
        drawn.append(f'<line {ends} stroke="{COLOURS[colour]}"/>')
        drawn.append(f'<circle cx="{at:.1f}" cy="{middle:.1f}" r="4" fill="{COLOURS[colour]}"/>')
    return drawn


def bounds(checks: EventChecks) -> tuple[Floats, Floats, Floats]:
    """Ends of the 80 % interval, and what is observed."""
    return checks.lower80_kwh, checks.upper80_kwh, checks.observed_kwh


def draw_shares(x: Floats, found: list[AssetVerdicts], panel: Panel) -> list[str]:
    """The share of its declarations that each asset delivered, after each event, with its 95 % interval."""
    drawn = []
    for asset in (0, 1):
        lower, upper, share = (
            panel.place(np.array([getattr(verdicts.shares, name)[asset] for verdicts in found])) for name in ("lower", "upper", "share")
        )
        is_known = np.isfinite(share)
        outline = [*zip(x[is_known], lower[is_known], strict=True), *zip(x[is_known][::-1], upper[is_known][::-1], strict=True)]
        points = " ".join(f"{at:.1f},{height:.1f}" for at, height in outline)
        drawn.append(f'<polygon points="{points}" fill="{COLOURS[asset]}" fill-opacity="0.15"/>')
        points = " ".join(f"{at:.1f},{height:.1f}" for at, height in zip(x[is_known], share[is_known], strict=True))
        drawn.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[asset]}" stroke-width="2"/>')
    return drawn


def frame(body: list[str], heights: dict[str, float]) -> str:
    """The picture with its axes and names."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} 490" font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="490" fill="white"/>',
        '<text x="10" y="22">What the meter shows in each event, kWh, with 80 % intervals</text>',
        '<text x="10" y="285">Share of its declarations that each FSP delivered, from all events so far, with 95 % intervals</text>',
    ]
    for place, name in enumerate(NAMES):
        lines.append(f'<text x="{LEFT + 150 * place}" y="42" fill="{COLOURS[place]}">{name}</text>')
    for name, height in heights.items():
        lines.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height:.1f}" y2="{height:.1f}" stroke="#bbb"/>')
        lines.append(f'<text x="{WIDTH - RIGHT + 10}" y="{height + 4:.1f}">{name}</text>')
    return "\n".join([*lines, *body, "</svg>", ""])


if __name__ == "__main__":
    sys.exit(main())
