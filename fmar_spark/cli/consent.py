"""The jobs of legal bases: recorded and ended by the operator, and as the consent service states them."""

from datetime import date
from pathlib import Path
from typing import Annotated

from typer import Option, Typer

from fmar_spark.cli.declaring import declare_job, existing_path, parse_date
from fmar_spark.contracts.job import Job
from fmar_spark.contracts.operations import QUARANTINE
from fmar_spark.contracts.readings import LEGAL_BASES, METER_POINTS, SERIES

GROUP = Typer()


@declare_job(GROUP, "legal-basis", Job("record_legal_basis", (METER_POINTS, SERIES), (LEGAL_BASES,), needs_lake=True))
def record_legal_basis(
    meters: Annotated[Path | None, Option(parser=existing_path, metavar="FILE", help="MPANs or series ids, one a line")] = None,
    bases: Annotated[
        Path | None,
        Option(
            parser=existing_path,
            metavar="FILE",
            help="CSV instead of --meters: mpan_id, basis[, purpose, state, reference_id, valid_from, valid_to]",
        ),
    ] = None,
    basis: Annotated[
        str | None, Option(metavar="TEXT", help="record it: public task, explicit consent, published data or own data")
    ] = None,
    end: Annotated[bool, Option("--end", help="end what is on record, as when a household withdraws")] = False,
    on: Annotated[
        date | None,
        Option(parser=parse_date, metavar="YYYY-MM-DD", help="first day that it covers, or with --end no longer covers (default: today)"),
    ] = None,
) -> None:
    """Record or end the legal basis on which households' meters are examined, for every meter point at their boundaries.

    After an end the next run of each job leaves the meters out and forgets what was derived of them. A repeated import does not
    bring an ended basis back; --basis does.
    """


@declare_job(GROUP, "consent", Job("refresh_consent", (METER_POINTS, SERIES), (LEGAL_BASES, QUARANTINE), needs_lake=True))
def refresh_consent() -> None:
    """Record what the consent service says: revocations that it sent, and its answers about households whose last one expires soon.

    Households whose standing data from the DIP say half-hourly consent get consent.dip_basis, where that is set. A service that does not
    answer changes nothing: its last answers hold until they expire, and no longer. docs/consent.md describes what it must answer.
    """
