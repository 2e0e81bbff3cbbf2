"""The operations page, what Prometheus reads, and what Grafana and the alerts ask of it."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from fmar_spark.domain.measures import LIMIT, LIMITED, MEASURE_OF_NAME, MEASURES, Measured, is_beyond
from fmar_spark.report.operations_page import render_metrics, render_operations
from fmar_spark.services.gateway.gateway_app import GatewayMetrics
from fmar_spark.settings.sections import MonitoringSettings

ROOT = Path(__file__).resolve().parents[2]
LIMITS = {kind.limit: float(getattr(MonitoringSettings(), kind.limit)) for kind in LIMITED}
SOME = [
    Measured("gold_age_days", 400),
    Measured("messages_rejected", 3, ("mpan_check_digit", 'a "b"\\c')),
    Measured("messages_rejected", 5, ("<b>rule", "unknown")),
    Measured("disk_free_share", 0.05),
    Measured("answered_share", 0.75, ("ev",)),
]
QUERIES: list[str] = [
    target["expr"]
    for panel in json.loads((ROOT / "monitoring/grafana_dashboard.json").read_text(encoding="utf-8"))["panels"]
    for target in panel["targets"]
]
RULES: list[dict[str, Any]] = yaml.safe_load((ROOT / "monitoring/alerts.yaml").read_text(encoding="utf-8"))["groups"][0]["rules"]
DURATION = re.compile(r"[0-9]+[smhd]")


def test_prometheus_reads_what_is_written() -> None:
    families = {family.name: family for family in text_string_to_metric_families(render_metrics(SOME, LIMITS))}
    rejected = {tuple(sample.labels.values()): sample.value for sample in families["fmar_lake_messages_rejected"].samples}
    assert rejected == {("mpan_check_digit", 'a "b"\\c'): 3.0, ("<b>rule", "unknown"): 5.0}
    assert families["fmar_lake_gold_age_days"].samples[0].value == 400
    assert {sample.labels["measure"] for sample in families[LIMIT].samples} == {kind.metric for kind in LIMITED}


def test_the_page_lists_what_is_beyond_its_limit_first_and_holds_no_foreign_markup() -> None:
    page = render_operations("lake <1>", datetime(2026, 4, 1, tzinfo=UTC), SOME, LIMITS)
    beyond, _, rest = page.partition("<h2>newest message age hours</h2>")
    assert [word in beyond for word in ("gold age days", "disk free share", "answered share")] == [True, True, False]
    assert "<b>rule" not in page
    assert "lake &lt;1&gt;" in page
    assert rest.count("Not measured yet.") == len(MEASURES) - 5
    nothing = render_operations("lake", datetime(2026, 4, 1, tzinfo=UTC), SOME[-1:], LIMITS)
    assert "<p>Nothing.</p>" in nothing


def test_a_floor_is_exceeded_from_below() -> None:
    assert is_beyond(MEASURE_OF_NAME["disk_free_share"], 0.05, 0.1)
    assert not is_beyond(MEASURE_OF_NAME["gold_age_days"], 0.05, 0.1)


def exported() -> set[str]:
    gateway = {sample.name for family in GatewayMetrics().registry.collect() for sample in family.samples}
    families = {family.name for family in GatewayMetrics().registry.collect()}
    return {kind.metric for kind in MEASURES} | {LIMIT} | gateway | {f"{name}_total" for name in families}


@pytest.mark.parametrize("query", [*QUERIES, *(rule["expr"] for rule in RULES)])
def test_a_query_asks_for_what_is_exported(query: str) -> None:
    without_texts = re.sub(r'"[^"]*"', "", query)
    named = set(re.findall(r"\bfmar_\w+", without_texts))
    assert named
    assert named <= exported()
    assert set(re.findall(r'measure="([^"]+)"', query)) <= {kind.metric for kind in LIMITED}
    for opening, closing in ("()", "{}", "[]"):
        assert query.count(opening) == query.count(closing)


def test_every_limit_has_an_alert_and_every_alert_is_whole() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES) == len(LIMITED) + 1
    for rule in RULES:
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"[A-Z]\w+", rule["alert"])
        assert DURATION.fullmatch(rule["for"])
        labels = {name for kind in MEASURES if f"{kind.metric} " in rule["expr"] for name in kind.labels}
        assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) <= labels


def test_no_two_panels_lie_on_each_other() -> None:
    panels = json.loads((ROOT / "monitoring/grafana_dashboard.json").read_text(encoding="utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)
