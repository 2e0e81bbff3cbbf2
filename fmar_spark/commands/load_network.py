"""Loads the network's nodes, members and zones."""

import sys
from pathlib import Path

from fmar_spark.app import App
from fmar_spark.errors import ConfigError
from fmar_spark.intake.network.files import read_network_files
from fmar_spark.steps import load_network


def run(app: App, nodes: Path | None, members: Path | None, zones: Path | None, dry_run: bool) -> None:
    """Read and check the files, and unless it is a dry run write them.

    Raises:
        ConfigError: no file is named.
    """
    if nodes is None and members is None and zones is None:
        raise ConfigError("--nodes: no file named; --nodes, --members or --zones wanted")
    order = load_network.Order(read_network_files(nodes, members, zones), dry_run)
    written = app.run_step("load_network", lambda store, run: load_network.run(store, run, order))
    counts = written.counts
    sys.stdout.write(f"network    {counts['nodes']:,} nodes, {counts['meter_points']:,} meter points, {counts['zones']:,} zones\n")
    if dry_run:
        sys.stdout.write("dry run    nothing was written\n")
