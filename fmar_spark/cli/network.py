"""The network and the tables for each audience: options and tables of their jobs."""

from pathlib import Path
from typing import Annotated

from typer import Option, Typer

from fmar_spark.cli.declaring import declare_job, existing_path, one_of
from fmar_spark.contracts.audiences import (
    AREA_CAPABILITY,
    FMAR_ASSETS,
    PUBLISHED_BLOCKS,
    PUBLISHED_MEASURES,
    PUBLISHED_METERS,
    SYSTEM_HEALTH,
)
from fmar_spark.contracts.capability import ASSET_DETECTIONS, CAPABILITY
from fmar_spark.contracts.catalogue import filled_by
from fmar_spark.contracts.job import Job
from fmar_spark.contracts.operations import QUARANTINE
from fmar_spark.contracts.profiles import ASSET_EVENTS, METER_PROFILES
from fmar_spark.contracts.readings import LEGAL_BASES, METER_POINTS, READINGS
from fmar_spark.contracts.register import CONFIRMATIONS, FLEET
from fmar_spark.domain.network import DnoCode

GROUP = Typer()
NETWORK = filled_by("load_network")


@declare_job(GROUP, "network", Job("load_network", (), (*NETWORK, QUARANTINE)))
def load_network(
    nodes: Annotated[
        Path | None,
        Option(
            parser=existing_path,
            metavar="FILE",
            help="node_id, level, name, dno_code, parent_id, latitude, longitude; Northern Powergrid's topology is recognised",
        ),
    ] = None,
    members: Annotated[
        Path | None,
        Option(parser=existing_path, metavar="FILE", help="mpan_id, node_id[, standard, firmness, max_import_kw, max_export_kw]"),
    ] = None,
    zones: Annotated[Path | None, Option(parser=existing_path, metavar="FILE", help="zone_id, name, node_id")] = None,
    ecr: Annotated[
        Path | None,
        Option(parser=existing_path, metavar="FILE", help="Embedded Capacity Register of one DNO group, as CSV"),
    ] = None,
    dno: Annotated[str | None, one_of(tuple(DnoCode), "operator whose register it is")] = None,
    dry_run: Annotated[bool, Option("--dry-run", help="check the files and write nothing")] = False,
) -> None:
    """Load where every meter point is connected; what changes holds from the run date on and keeps its history.

    Files that contradict each other or the lake are rejected whole, with every line that is wrong. Of a capacity register each
    row is parsed or goes to the quarantine by its line.
    """


@declare_job(
    GROUP,
    "audiences",
    Job(
        "build_audiences",
        (
            ASSET_DETECTIONS,
            CAPABILITY,
            METER_PROFILES,
            ASSET_EVENTS,
            METER_POINTS,
            LEGAL_BASES,
            READINGS,
            *NETWORK,
            FLEET,
            CONFIRMATIONS,
            QUARANTINE,
            FMAR_ASSETS,
            PUBLISHED_BLOCKS,
            PUBLISHED_METERS,
            AREA_CAPABILITY,
            SYSTEM_HEALTH,
            PUBLISHED_MEASURES,
        ),
        filled_by("build_audiences"),
        needs_lake=True,
    ),
)
def build_audiences() -> None:
    """Build what each audience reads: areas for operators, portfolios for FSPs, envelopes for platforms, health for the regulator.

    Sums over few meters, and sums from which few meters could be worked out, are withheld (docs/anonymisation.md).
    """
