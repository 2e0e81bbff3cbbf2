"""The tables as a document for people, rendered from their contracts."""

from collections.abc import Iterable

from fmar_spark.contracts.table import Column, Layer, TableContract
from fmar_spark.domain.words import Sensitivity

_LAYER_SAYS = {
    Layer.BRONZE: "As reported by others.",
    Layer.SILVER: "Cleaned and keyed.",
    Layer.GOLD: "What people and the read API ask for.",
    Layer.OPS: "How the jobs ran.",
}


def render_dictionary(tables: Iterable[TableContract]) -> str:
    """Markdown: every table by layer, with its key, its job, and each column's type, unit, meaning and rule."""
    known = list(tables)
    lines = [
        "# Data dictionary",
        "",
        "Rendered from `fmar_spark/contracts` by `scripts/render_docs.py`; a test fails where the two differ.",
        "Table `layer.name` lies at `LAKE/layer/name` as a Delta table. *required*: never null. *personal*: personal data of a household.",
        "Names end in what they hold: `_at` a UTC timestamp, `_date` a civil day, `is_`/`has_` yes or no, otherwise the unit.",
    ]
    for layer in Layer:
        members = [table for table in known if table.layer is layer]
        if members:
            lines += ["", f"## {layer.value}", "", _LAYER_SAYS[layer]]
        for table in members:
            lines += _render_table(table)
    return "\n".join(lines) + "\n"


def _render_table(table: TableContract) -> list[str]:
    lines = ["", f"### {table.full_name}", "", table.doc, ""]
    lines += [f"Key: `{', '.join(table.key)}`. Filled by: {table.job}." + (" A shared log." if table.is_shared_log else ""), ""]
    lines += ["| column | type | unit | meaning |", "|---|---|---|---|"]
    return lines + [_render_column(column) for column in table.columns]


def _render_column(column: Column) -> str:
    marks = ["required"] if not column.nullable else []
    if column.sensitivity is not Sensitivity.OPEN:
        marks.append(column.sensitivity.value)
    meaning = column.doc + (f" *{', '.join(marks)}*" if marks else "") + (f" Rule: `{column.check}`." if column.check else "")
    return f"| {column.name} | `{column.type}` | {column.unit} | {meaning.replace('|', '/')} |"
