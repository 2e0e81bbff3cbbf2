"""Writes one page about a lake that opens without a network: the fleet in figures, and meter by meter the evidence."""

import time
from pathlib import Path

from fmar_spark.commands.stages import REPORT, note_stage
from fmar_spark.domain.figures import write_count
from fmar_spark.intake.intervals.companions import read_meter_names
from fmar_spark.report.page import Order, write_report
from fmar_spark.settings.run_options import RunOptions


def run(options: RunOptions, out: Path | None, meters: Path | None, evidence: int | None) -> int:
    """Write the page and say where it is.

    Raises:
        ConfigError: no such lake.
        InputError: a named meter that it does not hold.
    """
    lake = Path(options.load_settings().lake.root)
    page, begin = out or lake / REPORT, time.monotonic()
    order = Order(named=read_meter_names(meters) if meters else ())
    if evidence is not None:
        order = order._replace(evidence_meters=evidence)
    counts = write_report(lake, page, order, lambda stage: note_stage("report", begin, stage))
    print(
        f"{page}: {write_count(counts['examined'], 'meter')}, evidence of {counts['with_evidence']:,}, "
        f"{page.stat().st_size / 1e6:.1f} MB, {time.monotonic() - begin:.0f} s"
    )
    return 0
