"""Writes one page about a lake that opens without a network: the fleet in figures, and meter by meter the evidence."""

import argparse
import sys
import time
from pathlib import Path

from fmar_spark.errors import FmarError
from fmar_spark.intake.intervals.companions import read_meter_names
from fmar_spark.report.page import Order, write_report

REPORT = "report.html"


def main() -> int:
    """0 written, 1 no such lake or meters, 2 wrong arguments."""
    defaults = Order()
    parser = argparse.ArgumentParser(prog="scripts/report", description=__doc__)
    parser.add_argument("--lake", type=Path, default=Path("lake"), metavar="PATH", help="root of the lake (default: lake)")
    parser.add_argument("--out", type=Path, metavar="FILE", help=f"the page (default: {REPORT} in the lake's folder)")
    parser.add_argument(
        "--meters", type=Path, metavar="FILE", help="MPANs or series ids, one a line, that must have their evidence on the page"
    )
    parser.add_argument(
        "--evidence",
        type=int,
        default=defaults.evidence_meters,
        metavar="N",
        help=f"meters with evidence, about 25 kB each: the surest and the closest calls first (default: {defaults.evidence_meters})",
    )
    arguments = parser.parse_args()
    out = arguments.out or arguments.lake / REPORT
    begin = time.monotonic()
    try:
        named = read_meter_names(arguments.meters) if arguments.meters else ()
        order = defaults._replace(named=named, evidence_meters=max(arguments.evidence, 0))
        counts = write_report(arguments.lake, out, order, lambda stage: say(begin, stage))
    except FmarError as error:
        sys.stderr.write(f"report: {error}\n")
        return 1
    print(
        f"{out}: {counts['examined']:,} meters, evidence of {counts['with_evidence']:,}, "
        f"{out.stat().st_size / 1e6:.1f} MB, {time.monotonic() - begin:.0f} s"
    )
    return 0


def say(begin: float, stage: str) -> None:
    """What happens next, where a person is watching."""
    if sys.stderr.isatty():
        print(f"report: {time.monotonic() - begin:3.0f} s  {stage}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
