"""The network and the tables for each audience: options and tables of their jobs."""

from pathlib import Path
from typing import Annotated

from typer import Option, Typer

from fmar_spark.cli.declaring import declare_job, existing_path
from fmar_spark.contracts.catalogue import filled_by
from fmar_spark.contracts.job import Job

GROUP = Typer()


@declare_job(GROUP, "network", Job("load_network", (), filled_by("load_network")))
def load_network(
    nodes: Annotated[
        Path | None,
        Option(
            parser=existing_path,
            metavar="FILE",
            help="node_id, level, name, dno_code, parent_id, latitude, longitude; Northern Powergrid's topology is recognised",
        ),
    ] = None,
    members: Annotated[Path | None, Option(parser=existing_path, metavar="FILE", help="mpan_id, node_id")] = None,
    zones: Annotated[Path | None, Option(parser=existing_path, metavar="FILE", help="zone_id, name, node_id")] = None,
    dry_run: Annotated[bool, Option("--dry-run", help="check the files and write nothing")] = False,
) -> None:
    """Load where every meter point is connected; what changes holds from the run date on and keeps its history.

    Files that contradict each other or the lake are rejected whole, with every line that is wrong.
    """
