"""The demo: real and simulated meters, or a user's own, from readings to a page."""

from pathlib import Path
from typing import Annotated

from typer import Option, Typer

from fmar_spark.cli.declaring import declare_command, existing_path

GROUP = Typer()
OWN = "for --input: as fmar import takes it"


@declare_command(GROUP, "demo", "demo")
def demo(
    meters: Annotated[int, Option(metavar="N", help="simulated import meters")] = 1000,
    landing: Annotated[Path, Option(metavar="DIR", help="where the DIP messages go")] = Path("landing"),
    input: Annotated[
        Path | None,
        Option(
            parser=existing_path,
            metavar="FILE_OR_DIR",
            help="your own readings instead: series_id, timestamp_utc (interval start), kwh_import[, kwh_export]; the lake is lake_own",
        ),
    ] = None,
    weather: Annotated[Path | None, Option(parser=existing_path, metavar="FILE", help=OWN)] = None,
    sites: Annotated[Path | None, Option(parser=existing_path, metavar="FILE", help=OWN)] = None,
    labels: Annotated[Path | None, Option(parser=existing_path, metavar="FILE", help=OWN)] = None,
    legal_basis: Annotated[str | None, Option(metavar="TEXT", help=OWN)] = None,
) -> None:
    """From meter readings to tables, a summary and a page: two measured London homes beside a simulated fleet, or your own readings.

    Run again, it goes on where it stopped.
    """
