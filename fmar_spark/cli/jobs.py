"""The jobs: options and tables of each; what it does stands in ``commands/JOB.py``."""

from datetime import date
from pathlib import Path
from typing import Annotated

from typer import Option, Typer

from fmar_spark.cli.declaring import declare_job, existing_path, existing_zone, one_of, parse_date
from fmar_spark.contracts.capability import ASSET_DETECTIONS, CAPABILITY
from fmar_spark.contracts.catalogue import filled_by
from fmar_spark.contracts.job import Job
from fmar_spark.contracts.operations import LANDING_FILES, QUARANTINE, RUN_JOURNAL
from fmar_spark.contracts.readings import (
    DIP_MESSAGES,
    INTERVAL_IMPORTS,
    LABELS,
    LEGAL_BASES,
    METER_POINTS,
    READINGS,
    SERIES,
    WEATHER,
)
from fmar_spark.contracts.register import CONFIRMATIONS
from fmar_spark.domain.assets import LABEL_OF_CLASS
from fmar_spark.intake.intervals.options import COUNTS, DATES, FORMATS, OURS, STAMPS, UNITS

GROUP = Typer()
HISTORY = (READINGS, METER_POINTS, LEGAL_BASES, WEATHER, SERIES)
FOLDED = filled_by("build_readings")


@declare_job(
    GROUP,
    "import",
    Job(
        "import_intervals",
        (DIP_MESSAGES, INTERVAL_IMPORTS, SERIES),
        (INTERVAL_IMPORTS, SERIES, LABELS, WEATHER, LEGAL_BASES, QUARANTINE, *FOLDED),
    ),
)
def import_intervals(
    input: Annotated[Path, Option(parser=existing_path, metavar="FILE_OR_DIR", help="intervals: .csv, .csv.gz, .parquet or a Delta table")],
    weather: Annotated[
        Path | None,
        Option(parser=existing_path, metavar="FILE", help="timestamp_utc, temp_c[, ghi_w_m2] for all series, or with series_id"),
    ] = None,
    sites: Annotated[
        Path | None, Option(parser=existing_path, metavar="FILE", help="series_id, latitude, longitude, time_zone, gsp_group")
    ] = None,
    labels: Annotated[
        Path | None,
        Option(parser=existing_path, metavar="FILE", help="series_id, has_ev, ... as 1, 0 or nothing: for training and evaluation"),
    ] = None,
    legal_basis: Annotated[str, Option(metavar="TEXT", help="recorded for the series")] = "own data",
    dry_run: Annotated[bool, Option("--dry-run", help="say what was understood and write nothing")] = False,
    format: Annotated[str | None, one_of(FORMATS, "what the files are, where their headings do not say it")] = None,
    columns: Annotated[
        list[str] | None, Option(metavar="THEIRS=OURS", help=f"what a column is, of {', '.join(OURS)}; may be repeated")
    ] = None,
    series: Annotated[str | None, Option(metavar="NAME", help="name of the one series of a file that names none")] = None,
    units: Annotated[str | None, one_of(UNITS, "of the numbers (default: kwh)")] = None,
    stamps: Annotated[str | None, one_of(STAMPS, "of the interval that a time names (default: start)")] = None,
    time_zone: Annotated[
        str | None, Option(parser=existing_zone, metavar="ZONE", help="clock of times that name none, such as Europe/London (default: UTC)")
    ] = None,
    dates: Annotated[str | None, one_of(DATES, "order of 01/02/2024, or ISO dates with day and month swapped")] = None,
    decimal_comma: Annotated[bool, Option("--decimal-comma", help="0,5 is a half")] = False,
    readings: Annotated[str | None, one_of(COUNTS, "what a number counts (default: its interval)")] = None,
) -> None:
    """Import intervals of your own from CSV, Parquet or a Delta table.

    Columns: series_id, timestamp_utc (start of the interval), kwh_import[, kwh_export]; 15, 30 or 60 minutes. Known exports are
    recognised by their headings. --dry-run first: it says what was understood, what is unusual, and which option reads it right.
    """


@declare_job(GROUP, "ingest", Job("ingest_dip", (DIP_MESSAGES, RUN_JOURNAL), (DIP_MESSAGES, QUARANTINE, LANDING_FILES)))
def ingest_dip(
    landing: Annotated[
        str | None,
        Option(
            metavar="DIR",
            help="folder of message arrays, at any depth; ignores names that begin with _ or .: write under such a name, then rename",
        ),
    ] = None,
    kafka: Annotated[str | None, Option(metavar="SERVERS", help="host:port,... of a Kafka cluster or Event Hub")] = None,
    topic: Annotated[str | None, Option(metavar="T", help="Kafka topic whose records are messages or arrays of them")] = None,
    kafka_config: Annotated[
        Path | None,
        Option(metavar="FILE", help="properties of Kafka's consumer, name=value a line: security.protocol, sasl.jaas.config, ..."),
    ] = None,
    continuous: Annotated[bool, Option("--continuous", help="go on as messages come, every ingest.trigger_seconds, until Ctrl-C")] = False,
) -> None:
    """Take DIP messages from a landing folder or a Kafka topic, each exactly once.

    JSON arrays, plain or gzip; a message that breaks a rule goes to the quarantine by the rule's name.
    """


@declare_job(GROUP, "readings", Job("build_readings", (DIP_MESSAGES, INTERVAL_IMPORTS, SERIES), FOLDED, needs_lake=True))
def build_readings(
    continuous: Annotated[
        bool, Option("--continuous", help="go on as messages come, every ingest.trigger_seconds, until Ctrl-C; beside ingest --continuous")
    ] = False,
) -> None:
    """Fold what was reported since the last run into the newest value of every half-hour."""


@declare_job(
    GROUP,
    "characterise",
    Job(
        "characterise",
        (*HISTORY, DIP_MESSAGES, QUARANTINE, RUN_JOURNAL),
        filled_by("characterise"),
        needs_lake=True,
    ),
)
def characterise(
    meters: Annotated[
        Path | None, Option(parser=existing_path, metavar="FILE", help="MPANs or series ids, one a line (default: all)")
    ] = None,
    events: Annotated[
        Path | None,
        Option(
            parser=existing_path,
            metavar="FILE",
            help="known demand response events: event_start_utc, event_end_utc[, level][, gsp_group][, portfolio]",
        ),
    ] = None,
    portfolios: Annotated[
        Path | None, Option(parser=existing_path, metavar="FILE", help="series_id or mpan_id, portfolio: who answers the events together")
    ] = None,
    accept_drop: Annotated[
        bool, Option("--accept-drop", help="replace gold however many meters lose their answer and however much was rejected")
    ] = False,
) -> None:
    """Derive what every eligible connection can do: assets, sizes, dates, availability, baseline quality.

    A run over all meters that halves the number of answered meters, or that follows a doubling of the rejected share of messages,
    stops before it replaces gold (settings monitoring.*).
    """


@declare_job(GROUP, "predict", Job("predict_baseline", HISTORY, filled_by("predict_baseline"), needs_lake=True))
def predict_baseline(
    from_date: Annotated[date | None, Option("--from", parser=parse_date, metavar="YYYY-MM-DD", help="first local day")] = None,
    to_date: Annotated[date | None, Option("--to", parser=parse_date, metavar="YYYY-MM-DD", help="last local day, inclusive")] = None,
    days: Annotated[
        Path | None, Option(parser=existing_path, metavar="FILE", help="CSV of series_id or mpan_id, and date, instead of a range")
    ] = None,
    last_week: Annotated[
        bool, Option("--last-week", help="the last seven days read of every meter and the day after them, instead of a range")
    ] = False,
) -> None:
    """Predict the requested local days, each from readings before that day only."""


@declare_job(GROUP, "train", Job("train_classifier", (*HISTORY, LABELS, CONFIRMATIONS), needs_lake=True))
def train_classifier(
    labels: Annotated[
        str,
        Option(
            metavar="FILE_OR_TABLE",
            help=f"CSV of series_id (or MPAN), {', '.join(LABEL_OF_CLASS.values())}; or the table silver.labels",
        ),
    ] = LABELS.full_name,
) -> None:
    """Train the classifiers on labelled meters; MLflow's champion changes only where the promotion rules are met."""


@declare_job(
    GROUP,
    "mirror",
    Job("mirror_register", (ASSET_DETECTIONS, CAPABILITY, RUN_JOURNAL), filled_by("mirror_register")),
)
def mirror_register(
    database: Annotated[str | None, Option(metavar="URL", help="the register (default: the setting agreements.database_url)")] = None,
) -> None:
    """Mirror the register's agreements, overrides and confirmations, and list the fleet with who may dispatch it."""


@declare_job(GROUP, "simulate", Job("simulate_fleet", (SERIES, METER_POINTS), (WEATHER, LEGAL_BASES, LABELS)))
def simulate_fleet(
    meters: Annotated[int, Option(metavar="N", min=1, help="how many import meters")],
    first_date: Annotated[date, Option("--from", parser=parse_date, metavar="YYYY-MM-DD", help="first UTC day")],
    last_date: Annotated[date, Option("--to", parser=parse_date, metavar="YYYY-MM-DD", help="last UTC day, inclusive")],
    out: Annotated[Path, Option(metavar="DIR", help="landing folder; the truth goes to DIR/_truth")],
    seed: Annotated[int, Option(help="the same seed gives the same fleet")] = 1,
    faults: Annotated[str, Option(metavar="NAME,...", help="faults to put into the messages; a name that is none lists them")] = "",
    mix: Annotated[Path | None, Option(parser=existing_path, metavar="FILE", help="YAML of shares that replace the defaults")] = None,
    workers: Annotated[int, Option(metavar="N", min=1, help="processes that simulate")] = 2,
    deliveries: Annotated[
        int,
        Option(
            metavar="N",
            min=0,
            max=128,
            help="further meters with dispatch events and FSPs, honest and not, that declare them: DIR/_deliveries",
        ),
    ] = 0,
) -> None:
    """Simulate meters with a known truth as DIP messages in a landing folder; weather, labels and legal bases to the lake."""


@declare_job(GROUP, "london-homes", Job("land_london_homes", (SERIES, METER_POINTS), (WEATHER, LEGAL_BASES, LABELS)))
def land_london_homes(
    package: Annotated[Path, Option(parser=existing_path, metavar="WHEEL", help="wheel file of opendsm 1.2.7")],
    out: Annotated[Path, Option(metavar="DIR", help="landing folder; other messages there stay as they are")],
) -> None:
    """Land two measured London homes, repaired, as DIP messages with their temperatures and legal basis."""
