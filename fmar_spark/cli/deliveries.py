"""Jobs of declared deliveries: what is loaded, verified and flagged."""

from datetime import date
from pathlib import Path
from typing import Annotated

from typer import Option, Typer

from fmar_spark.cli.declaring import declare_job, existing_path, parse_date
from fmar_spark.contracts.capability import CAPABILITY
from fmar_spark.contracts.catalogue import filled_by
from fmar_spark.contracts.deliveries import DELIVERY_CHECKS, DELIVERY_EVIDENCE, DISCREPANCIES, NOTICE_ATTEMPTS
from fmar_spark.contracts.job import Job
from fmar_spark.contracts.network import CONNECTIONS
from fmar_spark.contracts.operations import QUARANTINE
from fmar_spark.contracts.readings import LEGAL_BASES, METER_POINTS, READINGS, SERIES, WEATHER
from fmar_spark.contracts.register import AGREEMENTS, DISPUTES, OVERRIDES

GROUP = Typer()
DECLARED = filled_by("load_deliveries")


@declare_job(GROUP, "deliveries", Job("load_deliveries", (SERIES, *DECLARED), (*DECLARED, QUARANTINE)))
def load_deliveries(
    events: Annotated[
        Path | None,
        Option(
            parser=existing_path,
            metavar="FILE_OR_DIR",
            help="dispatch events: event_id, mpan_id or series_id, amsid, fsp_id, start_utc, end_utc, direction, ...; or the instructions "
            "that UK Power Networks publishes",
        ),
    ] = None,
    volumes: Annotated[
        Path | None,
        Option(
            parser=existing_path,
            metavar="FILE_OR_DIR",
            help="declared volumes: mpan_id or series_id, amsid, fsp_id, period_start_utc, delivered_kwh, ...",
        ),
    ] = None,
    p0282: Annotated[
        Path | None, Option(parser=existing_path, metavar="FILE_OR_DIR", help="declared volumes as data flow P0282 v002")
    ] = None,
    dry_run: Annotated[bool, Option("--dry-run", help="say what was understood and write nothing")] = False,
    kafka: Annotated[str | None, Option(metavar="SERVERS", help="host:port,... of a Kafka cluster or Event Hub, instead of files")] = None,
    topic: Annotated[
        str | None, Option(metavar="T", help="Kafka topic whose records each hold what such a file would, its header included")
    ] = None,
    kafka_config: Annotated[
        Path | None,
        Option(metavar="FILE", help="properties of Kafka's consumer, name=value a line: security.protocol, sasl.jaas.config, ..."),
    ] = None,
) -> None:
    """Load dispatch events and the volumes that FSPs declare to have delivered, each declaration once and every version of it.

    A row that breaks a rule goes to the quarantine by the rule's name, with its file and line; what is merely odd is kept with a notice.
    """


@declare_job(
    GROUP,
    "verify",
    Job(
        "verify_delivery",
        (*DECLARED, READINGS, METER_POINTS, LEGAL_BASES, WEATHER, AGREEMENTS, CONNECTIONS),
        filled_by("verify_delivery"),
        needs_lake=True,
    ),
)
def verify_delivery(
    from_date: Annotated[
        date | None,
        Option(
            "--from", parser=parse_date, metavar="YYYY-MM-DD", help="first local day (default: all days with something not yet checked)"
        ),
    ] = None,
    to_date: Annotated[date | None, Option("--to", parser=parse_date, metavar="YYYY-MM-DD", help="last local day, inclusive")] = None,
) -> None:
    """Check declared deliveries against the boundary meter, event by event, and add up the evidence on each asset and FSP.

    An event that cannot be assessed is never held against anybody; the reason is named. Checking a day again gives the same verdicts.
    """


@declare_job(
    GROUP,
    "flags",
    Job(
        "flag_discrepancies",
        (
            AGREEMENTS,
            OVERRIDES,
            DISPUTES,
            CAPABILITY,
            DELIVERY_CHECKS,
            DELIVERY_EVIDENCE,
            DISCREPANCIES,
            NOTICE_ATTEMPTS,
            METER_POINTS,
            LEGAL_BASES,
        ),
        filled_by("flag_discrepancies"),
        needs_lake=True,
    ),
)
def flag_discrepancies() -> None:
    """Flag what observation contradicts, declared deliveries and capability parameters alike, and send the notices that are due.

    Flags are opened, updated and cleared with their evidence; nothing is corrected. Webhooks: the setting deliveries.endpoints.
    """
