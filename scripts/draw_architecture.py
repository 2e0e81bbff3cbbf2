"""Draws the product in one picture: what comes in, which job fills which table, who reads it."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from fmar_spark.contracts.table import TableContract

WIDTH, HEIGHT = 1500, 922
ROW_HEIGHT: Final = 30
TABLE_HEIGHT: Final = 24
NOTE_HEIGHT: Final = 20
STYLE: Final = """
svg { --paper: #ffffff; --ink: #1b2733; --soft: #5a6b7b; --line: #7d8d9c; --input: #eef1f4; --job: #1f5fa8; --on-job: #ffffff;
  --bronze: #f6e3cf; --silver: #e3e8ee; --gold: #fbf0c4; --ops: #e6f0e6; }
@media (prefers-color-scheme: dark) { svg { --paper: #141a21; --ink: #e8edf2; --soft: #a5b3c0; --line: #8494a3; --input: #222b35;
  --job: #7db4f0; --on-job: #0d1217; --bronze: #46331f; --silver: #303a46; --gold: #47401c; --ops: #22362a; } }
text { font: 13px system-ui, sans-serif; fill: var(--ink); }
.small { font-size: 11.5px; fill: var(--soft); }
.name { font: 12.5px ui-monospace, monospace; }
.on { font: 600 12.5px ui-monospace, monospace; fill: var(--on-job); }
.flow { stroke: var(--line); stroke-width: 1.6; fill: none; marker-end: url(#head); }
"""


class Box(NamedTuple):
    """A rectangle with words in it."""

    x: int
    y: int
    width: int
    height: int

    @property
    def middle(self) -> int:
        """Across."""
        return self.x + self.width // 2

    @property
    def bottom(self) -> int:
        """Lower edge."""
        return self.y + self.height


class Group(NamedTuple):
    """Tables of one layer that the same jobs fill."""

    layer: str
    jobs: frozenset[str]
    """Any of them fills a table of the group."""
    box: Box
    columns: int
    note: str = ""

    def list_tables(self, tables: Iterable[TableContract]) -> list[str]:
        """Names of its tables."""
        return [table.name for table in tables if table.layer == self.layer and self.jobs & set(table.job.split(" or "))]


INPUTS: Final[dict[str, tuple[Box, str, str]]] = {
    "messages": (Box(110, 80, 330, 44), "DIP messages", "a landing folder, or a Kafka topic"),
    "intervals": (Box(470, 80, 330, 44), "Your own intervals", "CSV or Parquet; weather, sites, labels"),
    "register": (Box(850, 80, 290, 44), "Register of agreements", "API over PostgreSQL or SQLite"),
    "network": (Box(1160, 80, 240, 44), "Network files", "nodes, members, zones; registers"),
    "models": (Box(850, 478, 225, 44), "MLflow registry", "champion, else the bundled classifier"),
    "deliveries": (Box(110, 820, 160, 44), "Declared deliveries", "CSV, P0282, dispatches"),
    "readers": (
        Box(110, 738, 780, 44),
        "Report (one offline page), notebooks, any reader of Delta",
        "DuckDB, delta-rs, Spark SQL; the register's API shows derived values beside declared ones",
    ),
}
JOBS: Final[dict[str, Box]] = {
    "simulate_fleet": Box(110, 22, 155, ROW_HEIGHT),
    "land_london_homes": Box(280, 22, 160, ROW_HEIGHT),
    "record_legal_basis": Box(470, 22, 160, ROW_HEIGHT),
    "refresh_consent": Box(640, 22, 160, ROW_HEIGHT),
    "ingest_dip": Box(110, 152, 330, ROW_HEIGHT),
    "import_intervals": Box(470, 152, 330, ROW_HEIGHT),
    "mirror_register": Box(850, 152, 290, ROW_HEIGHT),
    "load_network": Box(1160, 152, 240, ROW_HEIGHT),
    "build_audiences": Box(1160, 485, 240, ROW_HEIGHT),
    "build_readings": Box(110, 296, 560, ROW_HEIGHT),
    "characterise": Box(110, 485, 330, ROW_HEIGHT),
    "predict_baseline": Box(470, 485, 160, ROW_HEIGHT),
    "train_classifier": Box(650, 485, 160, ROW_HEIGHT),
    "load_deliveries": Box(290, 827, 150, ROW_HEIGHT),
    "verify_delivery": Box(640, 827, 150, ROW_HEIGHT),
    "flag_discrepancies": Box(1000, 827, 170, ROW_HEIGHT),
    "publish_read_model": Box(905, 745, 235, ROW_HEIGHT),
    "maintain_tables": Box(760, 882, 180, ROW_HEIGHT),
    "measure_operation": Box(560, 882, 180, ROW_HEIGHT),
    "answer_subject": Box(960, 882, 180, ROW_HEIGHT),
}
GROUPS: Final = (
    Group(
        "bronze", frozenset({"ingest_dip", "import_intervals"}), Box(110, 210, 560, 56), 4, "as received; what breaks a rule, with the rule"
    ),
    Group("silver", frozenset({"build_readings"}), Box(110, 356, 330, 86), 2, "newest value of every half-hour"),
    Group("silver", frozenset({"import_intervals"}), Box(470, 356, 340, 86), 2, "also filled where meters are simulated or landed"),
    Group("silver", frozenset({"mirror_register"}), Box(850, 356, 290, 86), 2, "every version, both times"),
    Group("silver", frozenset({"load_network"}), Box(1160, 356, 240, 86), 2, "where a meter is connected, and when"),
    Group("silver", frozenset({"build_audiences"}), Box(1160, 523, 240, 92), 1, "what published sums rest on"),
    Group("gold", frozenset({"build_audiences"}), Box(1160, 618, 240, 120), 2, "what each audience may see"),
    Group("silver", frozenset({"characterise"}), Box(110, 545, 330, 56), 2, "one wide row a meter, then episodes"),
    Group("gold", frozenset({"characterise"}), Box(110, 632, 560, 84), 3, "projections of the profiles"),
    Group("gold", frozenset({"predict_baseline"}), Box(690, 632, 195, 84), 1, "each day from days before"),
    Group("silver", frozenset({"load_deliveries"}), Box(460, 806, 160, 72), 1, "every declaration once"),
    Group("gold", frozenset({"verify_delivery"}), Box(810, 780, 170, 94), 1, "declared beside observed"),
    Group("gold", frozenset({"flag_discrepancies"}), Box(1190, 806, 210, 72), 1, "flags; notices go to webhooks"),
    Group("gold", frozenset({"mirror_register"}), Box(905, 632, 235, 84), 1, "assets with who may dispatch them"),
)
JOURNAL: Final = Box(1420, 22, 66, 860)
FLOWS: Final[tuple[Sequence[tuple[int, int]], ...]] = (
    ((187, 52), (187, 78)),
    ((360, 52), (360, 78)),
    ((630, 37), (824, 37), (824, 400), (812, 400)),
    ((270, 842), (288, 842)),
    ((440, 842), (458, 842)),
    ((620, 842), (638, 842)),
    ((790, 842), (808, 842)),
    ((980, 842), (998, 842)),
    ((1170, 842), (1188, 842)),
    ((275, 124), (275, 150)),
    ((635, 124), (635, 150)),
    ((995, 124), (995, 150)),
    ((1280, 124), (1280, 150)),
    ((1280, 182), (1280, 354)),
    ((1280, 442), (1280, 483)),
    ((1280, 515), (1280, 528)),
    ((1280, 600), (1280, 616)),
    ((1140, 674), (1158, 674)),
    ((1270, 738), (1270, 760), (1142, 760)),
    ((275, 182), (275, 208)),
    ((570, 182), (570, 208)),
    ((740, 182), (740, 354)),
    ((995, 182), (995, 354)),
    ((390, 266), (390, 294)),
    ((275, 326), (275, 354)),
    ((275, 442), (275, 483)),
    ((400, 442), (400, 462), (550, 462), (550, 483)),
    ((550, 442), (550, 483)),
    ((730, 442), (730, 483)),
    ((810, 500), (848, 500)),
    ((962, 522), (962, 534), (455, 534), (455, 500), (442, 500)),
    ((275, 515), (275, 543)),
    ((275, 601), (275, 630)),
    ((590, 515), (590, 616), (760, 616), (760, 630)),
    ((1100, 442), (1100, 630)),
    ((390, 716), (390, 736)),
    ((787, 716), (787, 736)),
    ((1022, 716), (1022, 743)),
    ((670, 700), (680, 700), (680, 726), (895, 726), (895, 690), (903, 690)),
)


def draw_architecture(tables: Sequence[TableContract], jobs: Iterable[str]) -> str:
    """The picture as SVG, light or dark as the reader's system is; its own paper keeps it readable on any page.

    Raises:
        ValueError: a table or job has no place in the picture, or a job in it does not exist.
    """
    placed = {f"{group.layer}.{name}" for group in GROUPS for name in group.list_tables(tables)}
    _compare("tables", placed, {table.full_name for table in tables if table.layer != "ops"})
    _compare("jobs", set(JOBS), set(jobs))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="title">',
        '<title id="title">Messages, intervals and agreements become tables, job by job, down to gold tables and their readers</title>',
        f"<style>{STYLE}</style>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" style="fill:var(--line)"/></marker></defs>',
        _rectangle(Box(0, 0, WIDTH, HEIGHT), "paper", 0),
    ]
    for row, said in (
        (102, "input"),
        (168, "jobs"),
        (238, "bronze"),
        (400, "silver"),
        (574, "silver"),
        (674, "gold"),
        (760, "readers"),
        (842, "deliveries"),
    ):
        parts.append(f'<text x="96" y="{row + 4}" text-anchor="end" class="small">{said}</text>')
    parts += [f'<path class="flow" d="M{" L".join(f"{x} {y}" for x, y in points)}"/>' for points in FLOWS]
    parts += [_draw_input(*one) for one in INPUTS.values()]
    parts += [_draw_job(name, box) for name, box in JOBS.items()]
    parts += [_draw_group(group, group.list_tables(tables)) for group in GROUPS]
    parts.append(_draw_journal(JOURNAL))
    return "\n".join([*parts, "</svg>", ""])


def _compare(what: str, placed: set[str], wanted: set[str]) -> None:
    if placed != wanted:
        raise ValueError(
            f"picture: {what}: {', '.join(sorted(placed ^ wanted))} stands on one side only; correct scripts/draw_architecture.py"
        )


def _rectangle(box: Box, colour: str, radius: int) -> str:
    return f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="{radius}" style="fill:var(--{colour})"/>'


def _text(x: int, y: int, said: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}" text-anchor="middle"{named}>{said}</text>'


def _draw_input(box: Box, what: str, how: str) -> str:
    return _rectangle(box, "input", 3) + _text(box.middle, box.y + 19, what) + _text(box.middle, box.y + 36, how, "small")


def _draw_job(name: str, box: Box) -> str:
    return _rectangle(box, "job", box.height // 2) + _text(box.middle, box.y + 20, name, "on")


def _draw_group(group: Group, tables: Sequence[str]) -> str:
    box, said = group.box, [_rectangle(group.box, group.layer, 3)]
    step, rows = box.width // group.columns, -(-len(tables) // group.columns)
    if rows * TABLE_HEIGHT + NOTE_HEIGHT > box.height:
        raise ValueError(f"picture: {tables[-1]}: no room in its group; enlarge it in scripts/draw_architecture.py")
    for place, table in enumerate(tables):
        column, row = place % group.columns, place // group.columns
        said.append(_text(box.x + step * column + step // 2, box.y + 20 + row * TABLE_HEIGHT, table, "name"))
    said.append(_text(box.middle, box.bottom - 8, group.note, "small"))
    return "".join(said)


def _draw_journal(box: Box) -> str:
    middle = box.y + box.height // 2
    turned = f'transform="rotate(-90 {box.middle} {middle})"'
    return (
        _rectangle(box, "ops", 3)
        + f'<text x="{box.middle}" y="{middle - 4}" text-anchor="middle" class="name" {turned}>ops.run_journal</text>'
        + f'<text x="{box.middle}" y="{middle + 16}" text-anchor="middle" class="small" {turned}>every run of every step: table versions '
        "read and written, counts, seconds, what went wrong</text>"
    )
