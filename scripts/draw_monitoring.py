"""The Grafana dashboard and the alert rules of Prometheus, from the measures as they are declared."""

import json
from typing import Any, Final

import yaml

from fmar_spark.domain.measures import LIMIT, LIMITED, MEASURES, MeasureKind

COLUMNS, WIDTH, HEIGHT = 3, 8, 7
GRAFANA_UNITS: Final = {"s": "s", "h": "h", "days": "d", "share": "percentunit", "bytes": "bytes"}
SOURCE: Final = {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
GATEWAY_PANELS: Final = (
    ("Gateway: messages a second", "sum by (channel, outcome) (rate(fmar_gateway_messages_total[5m]))", "{{channel}} {{outcome}}"),
    ("Gateway: requests rejected a second", "sum by (problem) (rate(fmar_gateway_problems_total[5m]))", "{{problem}}"),
)
STALE_SECONDS: Final = 36 * 3600
"""A lake that is measured daily was not measured."""


def draw_dashboard() -> str:
    """The dashboard as JSON that Grafana imports: a panel for each measure, its limit as a second line."""
    shown = [kind for kind in MEASURES if kind.name != "measured_at_seconds"]
    panels = [_draw_panel(place, kind) for place, kind in enumerate(shown)]
    for title, query, legend in GATEWAY_PANELS:
        panels.append(_frame(len(panels), title, "", "short", [_target("A", query, legend)]))
    document = {
        "__inputs": [
            {"name": "DS_PROMETHEUS", "label": "Prometheus", "type": "datasource", "pluginId": "prometheus", "pluginName": "Prometheus"}
        ],
        "uid": "fmar-lake",
        "title": "FMAR: operation of a lake",
        "schemaVersion": 39,
        "version": 1,
        "time": {"from": "now-30d", "to": "now"},
        "refresh": "5m",
        "tags": ["fmar"],
        "panels": panels,
    }
    return json.dumps(document, indent=1) + "\n"


def draw_alerts() -> str:
    """The alert rules as YAML that Prometheus loads: one for each measure with a limit, and one for measures that stopped."""
    rules = [_draw_alert(kind) for kind in LIMITED]
    newest = next(kind for kind in MEASURES if kind.name == "measured_at_seconds")
    stale = {
        "alert": "FmarLakeNotMeasured",
        "expr": f"time() - {newest.metric} > {STALE_SECONDS} or absent({newest.metric})",
        "for": "15m",
        "labels": {"severity": "warning"},
        "annotations": {"summary": "The lake was not measured for a day and a half: look at jobs/measure_operation.py."},
    }
    document = {"groups": [{"name": "fmar_lake", "rules": [*rules, stale]}]}
    note = "# Rendered by scripts/render_docs.py. Limits are settings (monitoring.*) and come with the measures.\n"
    return note + yaml.safe_dump(document, sort_keys=False, width=140, allow_unicode=True)


def _draw_panel(place: int, kind: MeasureKind) -> dict[str, Any]:
    legend = " ".join(f"{{{{{name}}}}}" for name in kind.labels) or "value"
    targets = [_target("A", kind.metric, legend)]
    if kind.limit:
        targets.append(_target("B", f'{LIMIT}{{measure="{kind.metric}"}}', "limit"))
    return _frame(place, kind.name.replace("_", " ").capitalize(), kind.meaning, GRAFANA_UNITS.get(kind.value_unit, "short"), targets)


def _frame(place: int, title: str, meaning: str, value_unit: str, targets: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": place + 1,
        "type": "timeseries",
        "title": title,
        "description": meaning,
        "datasource": SOURCE,
        "gridPos": {"x": place % COLUMNS * WIDTH, "y": place // COLUMNS * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": value_unit}, "overrides": []},
        "targets": targets,
    }


def _target(name: str, query: str, legend: str) -> dict[str, Any]:
    return {"refId": name, "datasource": SOURCE, "expr": query, "legendFormat": legend}


def _draw_alert(kind: MeasureKind) -> dict[str, Any]:
    sign = "<" if kind.is_floor else ">"
    words = "".join(part.capitalize() for part in kind.name.split("_"))
    of = "".join(f" {{{{ $labels.{name} }}}}" for name in kind.labels)
    return {
        "alert": f"FmarLake{words}",
        "expr": f'{kind.metric} {sign} on () group_left () {LIMIT}{{measure="{kind.metric}"}}',
        "for": "15m",
        "labels": {"severity": "warning"},
        "annotations": {
            "summary": f"{kind.meaning.removesuffix('.')}{of}: {{{{ $value }}}} {kind.value_unit}, "
            f"beyond the setting monitoring.{kind.limit}.",
        },
    }
