"""Readings are read only where the consent check decides about them, or where nothing of a meter can be learnt from them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from test_layout import nodes_of

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [path for folder in ("fmar_spark", "jobs", "scripts", "notebooks") for path in sorted((ROOT / folder).rglob("*.py"))]
TABLES = {"READINGS", "READING_VERSIONS", "DIP_MESSAGES", "INTERVAL_IMPORTS"}
NAMES = r"(silver[./]readings|silver[./]reading_versions|bronze[./]dip_messages|bronze[./]interval_imports)\b"
IN_SQL = re.compile(rf"\b(FROM|JOIN|TABLE)\s+{NAMES}|^{NAMES}$", re.IGNORECASE)
CHECKED = {
    "fmar_spark/steps/lake_inputs.py": "with Spark: eligible_meter_days decides what comes out; first and newest day of the whole lake",
    "fmar_spark/steps/verify_delivery.py": "the same, for meters with events",
}
"""Where readings pass the consent check; without Spark the view eligible_readings of engine/lake_sql.py is the only way to energies."""
NOTHING_LEARNT = {
    "fmar_spark/report/meters.py": "counts messages with an error code, of meters that pass the consent check",
    "fmar_spark/report/fleet.py": "counts meter-days; the view has no energies",
    "fmar_spark/steps/ingest_dip.py": "recognises messages that it already has, by their ids and digests",
    "fmar_spark/steps/import_intervals.py": "recognises days that it already has, by their digests",
    "fmar_spark/steps/build_readings.py": "folds messages into readings and derives nothing",
    "fmar_spark/steps/maintain_tables.py": "newest day of the whole lake, counts of old rows",
    "fmar_spark/steps/measure_operation.py": "newest arrival and newest day of the whole lake, counts of messages",
    "fmar_spark/local/lake_steps.py": "recognises, folds and counts as those steps do; its passes read the view eligible_readings",
    "notebooks/01_explore_readings_and_quarantine.py": "counts of days, gaps and quality codes over all meters",
    "fmar_spark/commands/summary.py": "counts meter-days",
}
"""Reads that show nothing of any meter's consumption."""


def find_readers() -> Iterator[str]:
    """Files with a call that is given a table of readings to read, or with SQL or a path that names one."""
    for path in SOURCES:
        calls = (node for node in nodes_of(path) if isinstance(node, ast.Call))
        given = {
            argument.id
            for call in calls
            if isinstance(call.func, ast.Attribute) and re.match(r"(read|rows|count|load|stream|open|follow|measure)", call.func.attr)
            for argument in call.args
            if isinstance(argument, ast.Name)
        }
        texts = (node.value for node in nodes_of(path) if isinstance(node, ast.Constant) and isinstance(node.value, str))
        if given & TABLES or any(IN_SQL.search(text) for text in texts):
            yield str(path.relative_to(ROOT))


def test_every_reader_of_readings_is_known_and_says_why_it_may() -> None:
    readers = set(find_readers())
    assert readers - set(CHECKED) - set(NOTHING_LEARNT) == set()
    assert (set(CHECKED) | set(NOTHING_LEARNT)) - readers == set()


def test_both_forms_of_the_check_are_the_one_that_is_declared() -> None:
    users = {
        str(path.relative_to(ROOT)) for path in SOURCES if re.search(r"import .*\brender_consent_check\b", path.read_text(encoding="utf-8"))
    }
    assert users == {"fmar_spark/engine/lake_sql.py", "fmar_spark/transforms/eligibility.py"}
    columns = re.compile(r"consent_granularity\s*(=|<>|!=|\bIN\b)\s*'")
    assert [path.name for path in SOURCES if columns.search(path.read_text(encoding="utf-8"))] == ["consent.py"]
