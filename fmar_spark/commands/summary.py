"""Prints what a lake holds: rows in every table, assets found by class and tier, and a few meters in detail; or how much room it takes."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from fmar_spark.commands.terminal import Terminal
from fmar_spark.contracts.capability import ASSET_DETECTIONS, BASELINE_PREDICTIONS, BASELINES, CAPABILITY
from fmar_spark.contracts.catalogue import ALL_TABLES
from fmar_spark.contracts.deliveries import DELIVERY_EVIDENCE
from fmar_spark.contracts.operations import QUARANTINE, RUN_JOURNAL
from fmar_spark.contracts.readings import LABELS, METER_POINTS, READINGS, SERIES, WEATHER
from fmar_spark.domain.assets import LABEL_OF_CLASS
from fmar_spark.domain.figures import write_count
from fmar_spark.domain.words import NO_BL01, Quantity, Status
from fmar_spark.engine.lake_files import LakeFiles
from fmar_spark.engine.lake_sql import LakeRows
from fmar_spark.kernels.annual_energy import describe_annual_energy
from fmar_spark.report.lake_summary import (
    Meter,
    Origin,
    choose_meters,
    count_by_origin,
    count_later_days,
    describe_meter,
    find_local_days,
    name_origins,
    read_annual_energy,
    tabulate_findings,
)
from fmar_spark.report.meters import define_meters, rank_meters
from fmar_spark.settings.run_options import RunOptions

SHOWN = {Origin.MEASURED: 3, Origin.IMPORTED: 3, Origin.SIMULATED: 2}
ANSWER_COLUMNS = ("mpan_id", "asset_class", "probability", "present_probability", "is_present", "tier", "status", "status_reason")
DETECTION_COLUMNS = (*ANSWER_COLUMNS, "appeared_date", "removed_date", "evidence", "days_seen", "as_of_date", "model_version")
SIZE_COLUMNS = ("mpan_id", "asset_class", "direction", "rated_kw", "rated_kw_lower", "rated_kw_upper", "events_seen")
EVIDENCE_COLUMNS = ("fsp_id", "events", "declared_kwh", "observed_kwh", "verdict", "size_spreads", "reason")
DAYS_A_YEAR = 365
WIDTH = 126
Row = dict[Hashable, Any]


def run(options: RunOptions, sizes: bool) -> int:
    """Print the summary, or only the sizes.

    Raises:
        ConfigError: no lake there.
    """
    console = Terminal(width=WIDTH)
    lake = LakeFiles(Path(options.load_settings().lake.root))
    if sizes:
        show_sizes(console, lake)
    else:
        summarise(console, lake)
    return 0


def show_rows(console: Terminal, lake: LakeFiles, origins: pd.Series) -> None:
    """Rows of every table that exists, by where the readings come from."""
    table = Table(title="Rows in every table", title_justify="left", title_style="bold")
    table.add_column("table", no_wrap=True)
    table.add_column("rows", justify="right")
    present = [origin for origin in Origin if (origins == origin.value).any()]
    for origin in present:
        table.add_column(origin.value, justify="right")
    table.add_column("what a row is")
    for contract in ALL_TABLES:
        if not lake.has(contract):
            continue
        shares: dict[str, int] = {}
        if "mpan_id" in contract.names:
            shares = count_by_origin(lake.read(contract, ["mpan_id"])["mpan_id"], origins)
        elif contract is WEATHER:
            sources = lake.read(WEATHER, ["source"])["source"]
            is_simulated = sources == Origin.SIMULATED.value
            others = Origin.MEASURED if Origin.MEASURED in present else Origin.IMPORTED
            shares = {Origin.SIMULATED.value: int(is_simulated.sum()), others.value: int((~is_simulated).sum())}
        counts = [f"{shares[origin.value]:,}" if shares.get(origin.value) else "" for origin in present]
        table.add_row(contract.full_name, f"{lake.count(contract):,}", *counts, contract.doc.split(":")[0].split(";")[0].rstrip("."))
    console.print(table)


def show_rejected(console: Terminal, lake: LakeFiles) -> None:
    """What was rejected, by rule; and how many of the known connections were examined."""
    rejected = lake.read(QUARANTINE, ["rule"])["rule"].value_counts()
    if len(rejected):
        console.print(f"Rejected: {', '.join(f'{rows:,} {rule}' for rule, rows in rejected.items())}.")
    points = lake.read(METER_POINTS, ["mpan_id", "boundary_mpan_id"])
    boundaries = points["boundary_mpan_id"].nunique()
    examined = lake.read(ASSET_DETECTIONS, ["mpan_id"])["mpan_id"].nunique()
    others = "; the others lack half-hourly consent, a legal basis, an import meter or readings" if examined < boundaries else ""
    console.print(f"{examined:,} of {boundaries:,} connections were examined{others}.\n")


def show_findings(console: Terminal, detections: pd.DataFrame, origins: pd.Series, labels: pd.DataFrame) -> None:
    """Assets by class, origin and tier, beside what the labels say."""
    table = Table(title="Assets found, by class and tier (meters)", title_justify="left", title_style="bold")
    table.add_column("asset class", no_wrap=True)
    table.add_column("readings", no_wrap=True)
    names = ("present_high", "present_medium", "present_low", "absent", "in_progress", "not_observable")
    headings = ("present: high", "medium", "low", "absent", "in progress", "not observable")
    for heading in (*headings, "answered/ labelled", "found", "false alarms"):
        table.add_column(heading, justify="right", min_width=max(map(len, heading.split())))
    findings = tabulate_findings(detections, origins, labels)
    last = ""
    for row in findings.to_dict("records"):
        asset = str(row["asset_class"])
        truths = ["", "", ""]
        if _has_truth(labels, row["origin"]):
            truths = [f"{row['answered']:,}/{row['labelled']:,}", f"{row['found']:,}", f"{row['false_alarms']:,}"]
        table.add_row(asset if asset != last else "", row["origin"], *(f"{row[name]:,}" for name in names), *truths)
        last = asset
    console.print(table)
    console.print(
        f"Classifier {', '.join(sorted(set(detections['model_version'])))}. "
        "Labelled: known to have it at some time; answered: of these, characterised; "
        "found: of the answered, with a probability of 0.5 or more; false alarms: the same of those known not to have it.\n"
    )


def show_meter(console: Terminal, meter: Meter) -> None:
    """One meter: its answers, sizes with their 80 % interval, and its day-ahead baseline."""
    energy = describe_annual_energy(meter.annual)
    title = f"{meter.origin.value} meter {meter.name}: {write_count(meter.days_seen, 'day')} up to {meter.as_of_date}, {energy}"
    table = Table(title=title, title_justify="left", title_style="bold")
    for heading in ("asset class", "p(present)", "tier", "size, kW (80 % interval)", "dates", "evidence"):
        table.add_column(heading, no_wrap=heading != "evidence")
    others: dict[str, None] = {}
    unanswered: dict[str, None] = {}
    last = ""
    for row in meter.answers.to_dict("records"):
        asset = str(row["asset_class"])
        if row["is_present"] is not True:
            (others if row["is_present"] is False else unanswered)[_other_answer(row)] = None
        elif asset == last:
            table.add_row("", "", "", _size(row), "", "")
        else:
            table.add_row(asset, f"{row['present_probability']:.2f}", str(row["tier"]), _size(row), _dates(row), str(row["evidence"]))
        last = asset
    if table.row_count:
        console.print(table)
    else:
        console.print(title, style="bold italic")
    if others:
        console.print("Not there: " + "; ".join(others) + ".")
    if unanswered:
        console.print("Not answered: " + "; ".join(unanswered) + ".")
    if meter.cv_rmse == meter.cv_rmse:
        has_bl01 = meter.bl01_cv_rmse == meter.bl01_cv_rmse
        bl01 = f"BL01 {meter.bl01_cv_rmse:.2f}" if has_bl01 else f"BL01 none: {NO_BL01}"
        console.print(f"Day-ahead baseline: CV(RMSE) {meter.cv_rmse:.2f}, {bl01}.\n")


def show_journal(console: Terminal, lake: LakeFiles) -> None:
    """How long each step took the last time."""
    runs = lake.read(RUN_JOURNAL, ["step", "status", "started_at", "seconds"]).sort_values("started_at")
    last = runs.drop_duplicates("step", keep="last")
    console.print("Last run of each step: " + ", ".join(f"{row.step} {row.seconds:.0f} s" for row in last.itertuples()) + ".")


def summarise(console: Terminal, lake: LakeFiles) -> None:
    """The whole summary of one lake."""
    points = lake.read(METER_POINTS, ["mpan_id", "boundary_mpan_id", "source"])
    labels = lake.read(LABELS, ["mpan_id", "provenance", *LABEL_OF_CLASS.values()])
    origins = name_origins(points, labels)
    show_rows(console, lake, origins)
    show_rejected(console, lake)
    sql = LakeRows(lake.root)
    define_meters(sql)
    passing = [row["mpan_id"] for row in sql.rows("SELECT mpan_id FROM consent_checks WHERE rejection IS NULL")]
    detections = lake.read(ASSET_DETECTIONS, DETECTION_COLUMNS)
    detections = detections[detections["mpan_id"].isin(passing)]
    if len(detections):
        show_findings(console, detections, origins, labels)
    meters, days = count_later_days(sql)
    if meters:
        console.print(
            f"Not used: {write_count(days, 'day')} of readings, of {write_count(meters, 'meter')}, after the day of the newest answers.\n"
        )
    capability = lake.read(CAPABILITY, SIZE_COLUMNS)
    baselines = lake.read(BASELINES, ["mpan_id", "cv_rmse", "bl01_cv_rmse"])
    series = lake.read(SERIES, ["mpan_id", "series_id"])
    names = dict(zip(series["mpan_id"], series["series_id"], strict=True))
    for mpan in choose_meters(rank_meters(sql), origins, SHOWN):
        mine = {"detections": detections, "capability": capability, "baselines": baselines}
        tables = {name: rows[rows["mpan_id"] == mpan] for name, rows in mine.items()}
        show_meter(console, describe_meter(mpan, origins, tables, names, read_annual_energy(sql, mpan)))
    show_predictions(console, lake, origins)
    show_deliveries(console, lake)
    show_journal(console, lake)


def show_predictions(console: Terminal, lake: LakeFiles, origins: pd.Series) -> None:
    """How many half-hours were predicted for whom."""
    predicted = lake.read(BASELINE_PREDICTIONS, ["mpan_id", "slot_start_at"])
    if len(predicted):
        shares = count_by_origin(predicted["mpan_id"], origins)
        zones = lake.read(METER_POINTS, ["mpan_id", "time_zone"]).set_index("mpan_id")["time_zone"]
        first, last = find_local_days(predicted, zones)
        days = f"{first:%d %b %Y} to {last:%d %b %Y}"
        console.print(
            f"Baseline predictions, {days}: " + ", ".join(f"{write_count(rows, 'half-hour')} {name}" for name, rows in shares.items()) + "."
        )


def show_deliveries(console: Terminal, lake: LakeFiles) -> None:
    """Verdicts on declared deliveries by FSP, and the numbers of one asset that is not contradicted and one that is suspect."""
    evidence = lake.read(DELIVERY_EVIDENCE, EVIDENCE_COLUMNS)
    if evidence.empty:
        return
    table = Table(title="Declared deliveries beside the boundary meter (assets)", title_justify="left", title_style="bold")
    for heading in ("FSP", "events", "not contradicted", "suspect", "not assessable", "declared, kWh", "observed, kWh"):
        table.add_column(heading, justify="left" if heading == "FSP" else "right")
    for fsp, rows in evidence.groupby("fsp_id"):
        is_suspect = rows["verdict"].str.endswith("suspect")
        counts = ((rows["verdict"] == "consistent").sum(), is_suspect.sum(), (rows["verdict"] == "not_assessable").sum())
        energy = (f"{rows[name].sum():,.0f}" for name in ("declared_kwh", "observed_kwh"))
        table.add_row(str(fsp), f"{rows['events'].sum():,}", *(f"{count:,}" for count in counts), *energy)
    console.print(table)
    for verdict, words in (("consistent", "not contradicted"), ("suspect", "suspect")):
        shown = evidence[evidence["verdict"] == verdict].sort_values("size_spreads", ascending=False).head(1)
        for row in shown.itertuples():
            console.print(f"{row.fsp_id}, {words}: {row.reason}.")


def show_sizes(console: Terminal, lake: LakeFiles) -> None:
    """Files and bytes of every table, in all and for a year of one import meter: what a larger lake will take."""
    days = int((lake.read(READINGS, ["quantity"])["quantity"] == Quantity.AI.value).sum())
    table = Table(title=f"Newest versions, {days / DAYS_A_YEAR:,.0f} meter-years of import", title_justify="left", title_style="bold")
    table.add_column("table", no_wrap=True)
    for heading in ("rows", "files", "MB", "bytes a meter-year"):
        table.add_column(heading, justify="right")
    for contract in filter(lake.has, ALL_TABLES):
        files, size = lake.measure(contract)
        yearly = f"{size * DAYS_A_YEAR / days:,.0f}" if days and contract.layer != "ops" else ""
        table.add_row(contract.full_name, f"{lake.count(contract):,}", f"{files:,}", f"{size / 1e6:,.1f}", yearly)
    console.print(table)


def _has_truth(labels: pd.DataFrame, origin: str) -> bool:
    wanted = "simulated" if origin == Origin.SIMULATED else "real"
    rows = labels[labels["provenance"] == wanted] if origin != Origin.IMPORTED else labels[labels["provenance"] != "simulated"]
    return bool(rows[list(LABEL_OF_CLASS.values())].notna().any().any())


def _other_answer(row: Row) -> str:
    if row["status"] != Status.CHARACTERISED:
        return f"{row['asset_class']} {row['status']} ({row['status_reason']})"
    gone = f", gone since {row['removed_date']}" if _is_known(row["removed_date"]) else ""
    return f"{row['asset_class']} absent ({row['tier']}{gone})"


def _is_known(value: object) -> bool:
    return value is not None and value == value


def _size(row: Row) -> str:
    if not _is_known(row["rated_kw"]):
        return "unknown"
    if not _is_known(row["rated_kw_lower"]):
        return f"{row['rated_kw']:.1f} {row['direction']}"
    return f"{row['rated_kw']:.1f} ({row['rated_kw_lower']:.1f} to {row['rated_kw_upper']:.1f}) {row['direction']}"


def _dates(row: Row) -> str:
    return f"from {row['appeared_date']}" if _is_known(row["appeared_date"]) else "from the first day"
