"""Loads the network's nodes, members and zones, and the terms of connections from a capacity register."""

from pathlib import Path

from fmar_spark.app import App
from fmar_spark.commands.terminal import print_line
from fmar_spark.domain.figures import write_count
from fmar_spark.errors import ConfigError
from fmar_spark.intake.network.ecr import RULES, read_register
from fmar_spark.intake.network.files import read_network_files
from fmar_spark.steps import load_network

SHOWN = 20
"""Rejected rows that are printed; the quarantine has all."""


def run(app: App, nodes: Path | None, members: Path | None, zones: Path | None, ecr: Path | None, dno: str | None, dry_run: bool) -> None:
    """Read and check the files, and unless it is a dry run write them.

    Raises:
        ConfigError: no file is named, or a register without its operator.
    """
    if nodes is None and members is None and zones is None and ecr is None:
        raise ConfigError("--nodes: no file named; --nodes, --members, --zones or --ecr wanted")
    if (ecr is None) != (dno is None):
        raise ConfigError("--ecr: goes with --dno, the operator whose register it is")
    terms = load_network.StatedTerms(read_register(ecr), ecr.name, dno) if ecr and dno else None
    order = load_network.Order(read_network_files(nodes, members, zones), terms, dry_run)
    written = app.run_step("load_network", lambda store, run: load_network.run(store, run, order))
    counts = written.counts
    loaded = (("nodes", "node"), ("meter_points", "meter point"), ("zones", "zone"))
    print_line("network    " + ", ".join(write_count(counts[name], noun) for name, noun in loaded))
    if terms is not None:
        found = terms.register
        print_line(f"register   {write_count(found.rows_read, 'row')}: {found.rows_parsed:,} parsed, {len(found.faults):,} rejected")
        for fault in found.faults[:SHOWN]:
            wanted = RULES[fault.rule]
            print_line(f"rejected   {terms.name} line {fault.line}: {fault.rule}: {fault.found} found; {wanted} wanted")
        if found.unknown_headings:
            print_line(f"ignored    columns {', '.join(found.unknown_headings)}")
    if dry_run:
        print_line("dry run    nothing was written")
