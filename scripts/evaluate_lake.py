"""Says how right a lake's answers are, by labels: as a table here, and as JSON, text and one offline page in a folder.

Labels are a CSV or Parquet of series_id (or mpan_id) and the columns of silver.labels (docs/data_dictionary.md), empty where unknown;
or a landing folder of jobs/simulate_fleet.py. Half-hourly truth (--truth SERIES=FILE) has timestamp_utc and energies of assets
(docs/evaluation.md); or event_start_utc, event_end_utc[, level][, asset_class].
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from fmar_spark.errors import ConfigError, FmarError
from fmar_spark.evaluation.page import render_page
from fmar_spark.evaluation.scorecard import Order, evaluate_lake, flatten_metrics
from fmar_spark.evaluation.tables import TextTable, is_main, list_tables
from fmar_spark.learning.registry import log_evaluation
from fmar_spark.learning.resampling import DrawRules
from fmar_spark.report import page as report_page
from fmar_spark.settings.overlays import load_settings
from fmar_spark.settings.sections import Settings

FOLDER = "evaluation"
EVIDENCE = "mistakes.html"
NAMES = "mistakes.txt"
NAMED = 5
WIDTH = 150


def read_arguments(argv: list[str]) -> argparse.Namespace:
    """The command's options."""
    defaults = Order()
    parser = argparse.ArgumentParser(prog="scripts/evaluate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lake", type=Path, default=Path("lake"), metavar="PATH", help="root of the lake (default: lake)")
    parser.add_argument(
        "--labels",
        type=Path,
        action="append",
        default=[],
        metavar="FILE_OR_DIR",
        help="labels or a landing folder; may be repeated (default: silver.labels, and the folder landing beside the lake)",
    )
    parser.add_argument("--truth", action="append", default=[], metavar="SERIES=FILE", help="half-hourly truth; may be repeated")
    parser.add_argument("--circumstances", action="store_true", help="characterise the same meters again, shorter, with gaps and without")
    parser.add_argument("--against", type=Path, metavar="LAKE", help="simulated meters to hold the evidence of measured ones against")
    parser.add_argument("--out", type=Path, metavar="DIR", help=f"where the files go (default: {FOLDER} in the lake's folder)")
    parser.add_argument(
        "--mistakes", type=int, default=defaults.mistakes, metavar="N", help=f"worst mistakes of each class (default: {defaults.mistakes})"
    )
    parser.add_argument(
        "--least",
        type=int,
        default=defaults.rules.least_meters,
        metavar="N",
        help=f"no figure is given of fewer meters (default: {defaults.rules.least_meters})",
    )
    parser.add_argument("--no-mlflow", action="store_true", help="do not log it beside the classifier's version")
    parser.add_argument("--env", default="local", metavar="NAME", help="overlay conf/NAME.yaml over conf/base.yaml (default: local)")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="SECTION.KEY=VALUE", help="one setting")
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    """0 evaluated, 1 nothing to score or no such lake, 2 wrong arguments or settings."""
    arguments = read_arguments(argv)
    begin = time.monotonic()
    try:
        settings = load_settings(arguments.env, arguments.overrides)
        tiers = settings.characterise
        rules = DrawRules(least_meters=max(arguments.least, 1), high_tier=tiers.high_tier, medium_tier=tiers.medium_tier)
        order = Order(
            labels=tuple(arguments.labels),
            truths=tuple(arguments.truth),
            has_circumstances=arguments.circumstances,
            against=arguments.against,
            mistakes=max(arguments.mistakes, 0),
            rules=rules,
        )
        document = evaluate_lake(arguments.lake, order, settings, lambda stage: say(begin, stage))
        say(begin, "the files")
        files = write_files(document, arguments.lake, arguments.out or arguments.lake / FOLDER)
        if not arguments.no_mlflow:
            say(begin, "MLflow")
            run_id = log(document, settings, files)
            print(f"MLflow: run {run_id} at {settings.learning.tracking_uri}, model_version {document['model_version']}")
    except ConfigError as error:
        sys.stderr.write(f"evaluate: {error}\n")
        return 2
    except FmarError as error:
        sys.stderr.write(f"evaluate: {error}\n")
        return 1
    print(f"{', '.join(str(file) for file in files)}; {time.monotonic() - begin:.0f} s")
    return 0


def write_files(document: dict[str, Any], lake: Path, out: Path) -> list[Path]:
    """The JSON, the text and the page stand in the folder, with the evidence of the worst mistakes; the tables are printed."""
    out.mkdir(parents=True, exist_ok=True)
    tables = list(list_tables(document))
    files = [out / name for name in ("evaluation.json", "evaluation.txt", "evaluation.html")]
    files[0].write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    with files[1].open("w", encoding="utf-8") as text:
        print_tables(Console(file=text, width=WIDTH), document, tables)
    print_tables(Console(width=None if sys.stdout.isatty() else WIDTH), document, [table for table in tables if is_main(table)])
    wrong = [one["mpan_id"] for kind in document["kinds"].values() for found in kind["mistakes"].values() for one in found]
    named = tuple(dict.fromkeys(wrong))
    if named:
        (out / NAMES).write_text("\n".join(named) + "\n", encoding="utf-8")
        wanted = report_page.Order(named=named, evidence_meters=0, listed_meters=0)
        report_page.write_report(lake, out / EVIDENCE, wanted, lambda stage: None)
        files.append(out / EVIDENCE)
    files[2].write_text(render_page(document, tables, EVIDENCE if named else ""), encoding="utf-8")
    return files


def print_tables(console: Console, document: dict[str, Any], tables: list[TextTable]) -> None:
    """What was scored, what was not and why, and the tables."""
    labels = "; ".join(
        f"{one['name']}: {one['meters']:,} meters, {one['unknown']:,} not in the lake"
        + (f", {one['withheld']:,} not scored because they do not pass the consent check" if one["withheld"] else "")
        for one in document["labels"]
    )
    console.print(f"Evaluation of {document['lake']}, classifier {document['model_version']}, {document['made_at']}. Labels: {labels}.")
    for warning in document["training"]["warnings"]:
        console.print(f"Warning: {warning}.", style="bold", markup=False)
    refused = document["training"]["refused"]
    if refused:
        names = ", ".join(one["name"] for one in refused[:NAMED]) + (", ..." if len(refused) > NAMED else "")
        console.print(f"Not scored, the classifier has learnt from them: {len(refused):,} meters ({names}): {refused[0]['reason']}.")
    if "circumstances_differ_by" in document:
        console.print(f"Whole histories characterised again differ from the lake by at most {document['circumstances_differ_by']:.6f}.")
    for one in tables:
        shown = Table(title=one.title, title_justify="left", title_style="bold", caption=one.note or None, caption_justify="left")
        for heading, is_number in one.columns:
            shown.add_column(heading, justify="right" if is_number else "left")
        for row in one.rows:
            shown.add_row(*(cell.replace("[", r"\[") for cell in row))
        console.print(shown)


def log(document: dict[str, Any], settings: Settings, files: list[Path]) -> str:
    """The evaluation stands in MLflow; evidence of single meters stays here."""
    told = {"lake": document["lake"], "labels": ", ".join(one["name"] for one in document["labels"])}
    wanted = [file for file in files if file.name != EVIDENCE]
    return log_evaluation(settings.learning, document["model_version"], flatten_metrics(document), told, wanted)


def say(begin: float, stage: str) -> None:
    """What happens next, where a person is watching."""
    if sys.stderr.isatty():
        print(f"evaluate: {time.monotonic() - begin:3.0f} s  {stage}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
