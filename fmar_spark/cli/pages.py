"""What there is to see of a lake: its summary, its page, how right it is, and the settings of a run."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option, Typer

from fmar_spark.cli.declaring import declare_command, existing_path

GROUP = Typer()


@declare_command(GROUP, "summary", "summary")
def summary(
    sizes: Annotated[bool, Option("--sizes", help="only how much room every table takes")] = False,
) -> None:
    """Print what a lake holds: rows in every table, assets found by class and tier, a few meters in detail."""


@declare_command(GROUP, "report", "report")
def report(
    out: Annotated[Path | None, Option(metavar="FILE", help="the page (default: report.html in the lake's folder)")] = None,
    meters: Annotated[
        Path | None,
        Option(parser=existing_path, metavar="FILE", help="MPANs or series ids, one a line, that must have their evidence on the page"),
    ] = None,
    evidence: Annotated[
        int | None, Option(metavar="N", min=0, help="meters with evidence, about 25 kB each: the surest and the closest calls first")
    ] = None,
) -> None:
    """Write one page about a lake that opens without a network: the fleet in figures, and the evidence meter by meter."""


@declare_command(GROUP, "evaluate", "evaluate")
def evaluate(
    labels: Annotated[
        list[Path] | None,
        Option(
            metavar="FILE_OR_DIR",
            help="labels or a landing folder; may be repeated (default: silver.labels, and the folder landing beside the lake)",
        ),
    ] = None,
    truth: Annotated[list[str] | None, Option(metavar="SERIES=FILE", help="half-hourly truth; may be repeated")] = None,
    circumstances: Annotated[
        bool, Option("--circumstances", help="characterise the same meters again, shorter, with gaps and without weather")
    ] = False,
    against: Annotated[Path | None, Option(metavar="LAKE", help="simulated meters to compare the evidence of measured ones with")] = None,
    out: Annotated[Path | None, Option(metavar="DIR", help="where the files go (default: evaluation in the lake's folder)")] = None,
    mistakes: Annotated[int | None, Option(metavar="N", min=0, help="worst mistakes of each class")] = None,
    least: Annotated[int | None, Option(metavar="N", min=1, help="no figure is given of fewer meters")] = None,
    no_mlflow: Annotated[bool, Option("--no-mlflow", help="do not log it beside the classifier's version")] = False,
    all_tables: Annotated[bool, Option("--all", help="print every table, not the overview alone")] = False,
) -> None:
    """Say how right a lake's answers are, by labels: as an overview here, and as JSON, text and one offline page in a folder.

    Labels are a CSV or Parquet of series_id (or mpan_id) and the columns of silver.labels, empty where unknown; or a landing folder
    of simulate_fleet. Half-hourly truth has timestamp_utc and energies of assets, or event_start_utc, event_end_utc[, level][,
    asset_class].
    """


@declare_command(GROUP, "settings", "settings")
def settings(
    names: Annotated[list[str] | None, Argument(metavar="[SECTION[.KEY]]...", help="only these")] = None,
) -> None:
    """Print the settings that a run would have, with what each means."""
