"""Builds what each audience reads: areas, records, portfolios, envelopes and the health of the whole."""

import sys

from fmar_spark.app import App
from fmar_spark.domain.figures import write_count
from fmar_spark.steps import build_areas, build_records, build_system_health


def run(app: App) -> None:
    """Run the three steps."""
    areas = app.run_step("build_areas", lambda store, run: build_areas.run(store, run, app.settings.areas)).counts
    records = app.run_step("build_records", build_records.run).counts
    app.run_step("build_system_health", lambda store, run: build_system_health.run(store, run, app.settings.areas))
    possible = records["assets"] * records["attributes"]
    share = records["attributes_filled"] / possible if possible else 0.0
    said = f"{areas['published']:,} figures of areas published, {areas['withheld']:,} withheld to protect single meters"
    sys.stdout.write(f"areas      {said}\n")
    assets = write_count(records["assets"], "asset")
    said = f"{assets}: {share:.0%} of FMAR's {records['attributes']} attributes filled without anyone typing them"
    sys.stdout.write(f"records    {said}\n")
