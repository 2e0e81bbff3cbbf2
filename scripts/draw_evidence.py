"""Draws docs/integrity.svg: two FSPs at one simulated meter, of which the second declares what it does not deliver."""

import sys
from pathlib import Path

import numpy as np

from fmar_spark.evaluation.delivery_loads import simulate_loads
from fmar_spark.evaluation.delivery_portfolios import build_portfolio
from fmar_spark.evaluation.delivery_scenarios import Pair, check_pairs
from fmar_spark.kernels.delivery.evidence import Scores, trace_evidence
from fmar_spark.kernels.window import Floats

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "integrity.svg"
SIZE, EVENTS, METER = 3.0, 24, 2
WIDTH, LEFT, RIGHT = 900, 70, 20
PANELS = (40, 250, 300, 470)
"""Top and bottom of the upper and of the lower panel."""
COLOURS = ("#1b6ca8", "#c8102e")
NAMES = ("FSP A delivers what it declares", "FSP B delivers nothing")
LOWEST, HIGHEST = -2.0, 6.0
"""Powers of ten of the evidence that are shown."""


def main() -> int:
    """Write the picture."""
    portfolio = build_portfolio(simulate_loads(4, 270, 5)[0], 1, 3)
    events, checks = check_pairs(portfolio, Pair(SIZE, 0.5, (1.0, 0.0)), EVENTS)
    day = events.start_slot // 48
    spreads = checks.declared_kwh / checks.spread_kwh
    level = trace_evidence(Scores(events.asset, day, checks.p_value, spreads), 2 * len(portfolio.loads.names))
    body = []
    first, last = int(day[events.meter == METER].min()) - 1, int(day[events.meter == METER].max()) + 1
    most = float(np.nanmax(np.abs(checks.upper80_kwh[events.meter == METER])))
    for asset in (0, 1):
        rows = np.flatnonzero((events.asset == 2 * METER + asset) & np.isfinite(checks.p_value))
        rows = rows[np.argsort(day[rows])]
        x = LEFT + (WIDTH - LEFT - RIGHT) * (day[rows] - first) / (last - first) + 3 * asset
        bounds = [place_energy(kwh[rows], most) for kwh in (checks.lower80_kwh, checks.upper80_kwh, checks.observed_kwh)]
        for at, low, high, middle in zip(x, *bounds, strict=True):
            ends = f'x1="{at:.1f}" x2="{at:.1f}" y1="{low:.1f}" y2="{high:.1f}"'
            body.append(f'<line {ends} stroke="{COLOURS[asset]}" stroke-opacity="0.5"/>')
            body.append(f'<circle cx="{at:.1f}" cy="{middle:.1f}" r="3.5" fill="{COLOURS[asset]}"/>')
        points = " ".join(f"{at:.1f},{height:.1f}" for at, height in zip(x, place_level(level[rows]), strict=True))
        body.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[asset]}" stroke-width="2"/>')
        body.append(f'<text x="{LEFT + 20 + 330 * asset}" y="26" fill="{COLOURS[asset]}">{NAMES[asset]}</text>')
    declared = float(np.nanmean(checks.declared_kwh[events.meter == METER]))
    PICTURE.write_text(frame(body, declared, most), encoding="utf-8")
    return 0


def place_energy(energy_kwh: Floats, most: float) -> Floats:
    """Heights in the upper panel, nothing at its middle."""
    middle, half = (PANELS[0] + PANELS[1]) / 2, (PANELS[1] - PANELS[0]) / 2
    return np.asarray(middle - half * np.clip(energy_kwh / most, -1.0, 1.0))


def place_level(level: Floats) -> Floats:
    """Heights in the lower panel, by powers of ten."""
    power = np.clip(np.log10(np.maximum(level, 10**LOWEST)), LOWEST, HIGHEST)
    return np.asarray(PANELS[3] - (PANELS[3] - PANELS[2]) * (power - LOWEST) / (HIGHEST - LOWEST))


def frame(body: list[str], declared_kwh: float, most: float) -> str:
    """The picture with its axes."""
    declared, nothing = place_energy(np.array([declared_kwh, 0.0]), most)
    suspect = float(place_level(np.array([100.0]))[0])
    rules = ((declared, "6 4"), (nothing, "none"), (suspect, "6 4"), (PANELS[3], "none"))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} 500" font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="500" fill="white"/>',
        *(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height:.1f}" y2="{height:.1f}" stroke="#888" stroke-dasharray="{dash}"/>'
            for height, dash in rules
        ),
        f'<text x="{WIDTH - RIGHT}" y="{declared - 5:.1f}" text-anchor="end">declared by each</text>',
        f'<text x="{WIDTH - RIGHT}" y="{nothing - 5:.1f}" text-anchor="end">nothing</text>',
        f'<text x="{LEFT + 6}" y="{suspect - 5:.1f}">suspect: 100</text>',
        label_axis("observed, kWh an event", (PANELS[0] + PANELS[1]) / 2),
        label_axis("evidence (log)", (PANELS[2] + PANELS[3]) / 2),
        f'<text x="{WIDTH / 2:.0f}" y="492" text-anchor="middle">days; bars are 80 % intervals, net of what the other declares</text>',
    ]
    return "\n".join([*lines, *body, "</svg>", ""])


def label_axis(text: str, height: float) -> str:
    """A text that runs upwards at the left edge."""
    return f'<text x="20" y="{height:.0f}" transform="rotate(-90 20 {height:.0f})" text-anchor="middle">{text}</text>'


if __name__ == "__main__":
    sys.exit(main())
