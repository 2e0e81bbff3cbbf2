"""The demo: real and simulated meters, or a user's own, from readings to a page."""

import inspect
from pathlib import Path
from typing import Annotated, Any

from typer import Option, Typer

from fmar_spark.cli.declaring import declare_command
from fmar_spark.cli.jobs import import_intervals

GROUP = Typer()
LEFT_OUT = {"dry_run"}


def also_take_own_readings(options: Any) -> Any:
    """The options of ``fmar import`` as well, all of them optional: a user's own readings instead of the demo's."""
    own = [one.replace(default=None) if one.name in {"input", "legal_basis"} else one for one in _list_parameters(import_intervals)]
    options.__signature__ = inspect.Signature([*_list_parameters(options), *(one for one in own if one.name not in LEFT_OUT)])
    return options


def _list_parameters(options: Any) -> list[inspect.Parameter]:
    return list(inspect.signature(options).parameters.values())


@declare_command(GROUP, "demo", "demo")
@also_take_own_readings
def demo(
    meters: Annotated[int, Option(metavar="N", help="simulated import meters")] = 1000,
    landing: Annotated[Path, Option(metavar="DIR", help="where the DIP messages go")] = Path("landing"),
) -> None:
    """From meter readings to tables, a summary and a page: two measured London homes beside a simulated fleet, or your own readings.

    Your own readings (--input) go to lake_own, with the options of fmar import. Run again, it goes on where it stopped.
    """
