"""Says how right a lake's answers are, by labels: as an overview here, and as JSON, text and one offline page in a folder."""

import json
import time
from pathlib import Path
from typing import Any

from rich.table import Table

from fmar_spark.commands.stages import note_stage
from fmar_spark.commands.terminal import Terminal
from fmar_spark.domain.figures import write_count
from fmar_spark.evaluation.page import render_page
from fmar_spark.evaluation.scorecard import Order, evaluate_lake, flatten_metrics
from fmar_spark.evaluation.tables import TextTable, is_overview, list_tables
from fmar_spark.learning.registry import log_evaluation
from fmar_spark.learning.resampling import DrawRules
from fmar_spark.report import page as report_page
from fmar_spark.settings.run_options import RunOptions
from fmar_spark.settings.sections import Settings

FOLDER = "evaluation"
EVIDENCE = "mistakes.html"
NAMES = "mistakes.txt"
NAMED = 5
WIDTH = 150


def run(
    options: RunOptions,
    labels: list[Path] | None,
    truth: list[str] | None,
    circumstances: bool,
    against: Path | None,
    out: Path | None,
    mistakes: int | None,
    least: int | None,
    no_mlflow: bool,
    all_tables: bool,
) -> int:
    """Score the answers, print the overview, or all tables, and write the files.

    Raises:
        ConfigError: no such lake, or wrong settings.
        InputError: labels that cannot be read, or nothing to score.
    """
    begin, settings, defaults = time.monotonic(), options.load_settings(), Order()
    lake, tiers = Path(settings.lake.root), settings.characterise
    least_meters = defaults.rules.least_meters if least is None else least
    order = Order(
        labels=tuple(labels or ()),
        truths=tuple(truth or ()),
        has_circumstances=circumstances,
        against=against,
        mistakes=defaults.mistakes if mistakes is None else mistakes,
        rules=DrawRules(least_meters=least_meters, high_tier=tiers.high_tier, medium_tier=tiers.medium_tier),
    )
    document = evaluate_lake(lake, order, settings, lambda stage: note_stage("evaluate", begin, stage))
    note_stage("evaluate", begin, "the files")
    files = write_files(document, lake, out or lake / FOLDER, all_tables)
    if not no_mlflow:
        note_stage("evaluate", begin, "MLflow")
        run_id = log(document, settings, files)
        print(f"MLflow: run {run_id} at {settings.learning.tracking_uri}, model_version {document['model_version']}")
    print(f"{', '.join(str(file) for file in files)}; {time.monotonic() - begin:.0f} s")
    return 0


def write_files(document: dict[str, Any], lake: Path, out: Path, all_tables: bool) -> list[Path]:
    """The JSON, the text and the page stand in the folder, with the evidence of the worst mistakes; an overview or all is printed."""
    out.mkdir(parents=True, exist_ok=True)
    tables = list(list_tables(document))
    files = [out / name for name in ("evaluation.json", "evaluation.txt", "evaluation.html")]
    files[0].write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    with files[1].open("w", encoding="utf-8") as text:
        print_tables(Terminal(text, WIDTH), document, tables)
    shown = tables if all_tables else [table for table in tables if is_overview(table)]
    print_tables(Terminal(width=WIDTH), document, shown)
    if len(shown) < len(tables):
        more = write_count(len(tables) - len(shown), "more table")
        print(f"{more}: {files[1]}, or --all; by group, circumstance and mistake on {files[2]}")
    wrong = [one["mpan_id"] for kind in document["kinds"].values() for found in kind["mistakes"].values() for one in found]
    named = tuple(dict.fromkeys(wrong))
    if named:
        (out / NAMES).write_text("\n".join(named) + "\n", encoding="utf-8")
        wanted = report_page.Order(named=named, evidence_meters=0, listed_meters=0)
        report_page.write_report(lake, out / EVIDENCE, wanted, lambda stage: None)
        files.append(out / EVIDENCE)
    files[2].write_text(render_page(document, tables, EVIDENCE if named else ""), encoding="utf-8")
    return files


def print_tables(console: Terminal, document: dict[str, Any], tables: list[TextTable]) -> None:
    """What was scored, what was not and why, and the tables."""
    labels = "; ".join(
        f"{one['name']}: {write_count(one['meters'], 'meter')}, {one['unknown']:,} not in the lake"
        + (f", {one['withheld']:,} not scored because they do not pass the consent check" if one["withheld"] else "")
        for one in document["labels"]
    )
    console.print(f"Evaluation of {document['lake']}, classifier {document['model_version']}, {document['made_at']}. Labels: {labels}.")
    for warning in document["training"]["warnings"]:
        console.print(f"Warning: {warning}.", style="bold")
    left_out = document["training"]["left_out"]
    if left_out:
        names = ", ".join(one["name"] for one in left_out[:NAMED]) + (", ..." if len(left_out) > NAMED else "")
        console.print(
            f"Not scored, the classifier has learnt from them: {write_count(len(left_out), 'meter')} ({names}): {left_out[0]['reason']}."
        )
    if "circumstances_differ_by" in document:
        console.print(f"Whole histories characterised again differ from the lake by at most {document['circumstances_differ_by']:.6f}.")
    for one in tables:
        shown = Table(title=one.title, title_justify="left", title_style="bold", caption=one.note or None, caption_justify="left")
        for heading, is_number in one.columns:
            shown.add_column(heading, justify="right" if is_number else "left")
        for row in one.rows:
            shown.add_row(*row)
        console.print(shown)


def log(document: dict[str, Any], settings: Settings, files: list[Path]) -> str:
    """The evaluation stands in MLflow; evidence of single meters stays here."""
    described = {"lake": document["lake"], "labels": ", ".join(one["name"] for one in document["labels"])}
    wanted = [file for file in files if file.name != EVIDENCE]
    return log_evaluation(settings.learning, document["model_version"], flatten_metrics(document), described, wanted)
