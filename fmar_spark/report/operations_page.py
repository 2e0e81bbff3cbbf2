"""How a lake is, as Prometheus reads it and as a page that opens without a network."""

import html
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from string import Template
from typing import Final

from fmar_spark.domain.figures import write_number
from fmar_spark.domain.measures import LIMIT, LIMITED, MEASURE_OF_NAME, MEASURES, Measured, MeasureKind, is_beyond

FOLDER: Final = "_operations"
"""Of both files, in a lake on this machine's disk."""
METRICS_FILE: Final = "measures.prom"
OPERATIONS_PAGE: Final = "operations.html"
MOMENT: Final = "measured_at_seconds"
"""The measure that the page states above all others."""
MOST_ROWS: Final = 12
"""Values of one kind that the page lists: those beyond their limit first, then the largest."""
PAGE: Final = Template(
    """<!doctype html>
<html lang="en-GB"><head><meta charset="utf-8"><title>Operation of $lake</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root { color-scheme: light dark; --warn: #a3341f; --soft: #5a6b7b; --line: #cfd6dc; }
@media (prefers-color-scheme: dark) { :root { --warn: #ff9d85; --soft: #a5b3c0; --line: #39434d; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 0 0 1.5rem; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.warn { color: var(--warn); font-weight: 600; } .soft { color: var(--soft); } h2 { font-size: 1.05rem; margin: 1.5rem 0 .3rem; }
</style></head><body>
<h1>Operation of $lake</h1>
<p class="soft">Measured at $measured_at.</p>
<h2>Beyond a limit</h2>
$warnings
$sections
</body></html>
"""
)


def find_folder_of(lake: str, folder: str) -> Path:
    """Where both files are: the folder that the settings name, else one in the lake."""
    return Path(folder or f"{lake}/{FOLDER}")


def render_metrics(measures: Sequence[Measured], limits: Mapping[str, float]) -> str:
    """The measures in the text format of Prometheus, with the limit of each kind.

    Args:
        measures: of one run.
        limits: by the name of the setting.
    """
    lines: list[str] = []
    for kind in MEASURES:
        values = [one for one in measures if one.name == kind.name]
        if values:
            lines += [f"# HELP {kind.metric} {kind.meaning}", f"# TYPE {kind.metric} gauge"]
            lines += [f"{kind.metric}{{{one.series}}} {one.value!r}" if one.series else f"{kind.metric} {one.value!r}" for one in values]
    lines += [f"# HELP {LIMIT} What a measure may not exceed, or fall below.", f"# TYPE {LIMIT} gauge"]
    lines += [f'{LIMIT}{{measure="{kind.metric}"}} {float(limits[kind.limit])!r}' for kind in LIMITED]
    return "\n".join([*lines, ""])


def render_operations(lake: str, measured_at: datetime, measures: Sequence[Measured], limits: Mapping[str, float]) -> str:
    """The page: what is beyond its limit, then every kind of measure."""
    beyond = [one for one in measures if _exceeds(MEASURE_OF_NAME[one.name], one.value, limits)]
    rows = [_render_row(MEASURE_OF_NAME[one.name], one, limits, named=True) for one in _order(beyond, limits)]
    warnings = _render_table(("measure", "of", "value", "limit"), rows) if rows else "<p>Nothing.</p>"
    return PAGE.substitute(
        lake=html.escape(lake),
        measured_at=f"{measured_at:%Y-%m-%d %H:%M} UTC",
        warnings=warnings,
        sections="\n".join(_render_section(kind, measures, limits) for kind in MEASURES if kind.name != MOMENT),
    )


def _render_section(kind: MeasureKind, measures: Sequence[Measured], limits: Mapping[str, float]) -> str:
    values = [one for one in measures if one.name == kind.name]
    title = f"<h2>{html.escape(kind.name.replace('_', ' '))}</h2><p class='soft'>{html.escape(kind.meaning)}</p>"
    if not values:
        return f"{title}<p>Not measured yet.</p>"
    rows = [_render_row(kind, one, limits, named=False) for one in _order(values, limits)[:MOST_ROWS]]
    rest = f"<p class='soft'>and {len(values) - MOST_ROWS} more</p>" if len(values) > MOST_ROWS else ""
    return title + _render_table(("of", "value", "limit"), rows) + rest


def _order(values: Sequence[Measured], limits: Mapping[str, float]) -> list[Measured]:
    return sorted(values, key=lambda one: (not _exceeds(MEASURE_OF_NAME[one.name], one.value, limits), -one.value, one.labels))


def _render_row(kind: MeasureKind, one: Measured, limits: Mapping[str, float], *, named: bool) -> str:
    limit = limits[kind.limit] if kind.limit else None
    mark = "number warn" if _exceeds(kind, one.value, limits) else "number"
    bound = "" if limit is None else f"{'at least' if kind.is_floor else 'at most'} {write_number(limit)}"
    cells = [f"<td>{html.escape(kind.name.replace('_', ' '))}</td>"] if named else []
    cells.append(f"<td>{html.escape(', '.join(one.labels))}</td>")
    cells.append(f"<td class='{mark}'>{write_number(one.value)} {html.escape(kind.value_unit)}</td><td class='number soft'>{bound}</td>")
    return f"<tr>{''.join(cells)}</tr>"


def _render_table(heads: Sequence[str], rows: Sequence[str]) -> str:
    titles = "".join(f"<th{' class=number' if head in ('value', 'limit') else ''}>{head}</th>" for head in heads)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _exceeds(kind: MeasureKind, value: float, limits: Mapping[str, float]) -> bool:
    return bool(kind.limit) and is_beyond(kind, value, limits[kind.limit])
