"""Writes the health of the register as a whole: how fresh, how sure, how complete."""

import logging
from datetime import date, timedelta
from typing import Final, NamedTuple

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fmar_spark.contracts.audiences import AREA_CAPABILITY, FMAR_ASSETS, SYSTEM_HEALTH
from fmar_spark.contracts.capability import ASSET_DETECTIONS
from fmar_spark.contracts.operations import QUARANTINE
from fmar_spark.contracts.readings import LEGAL_BASES, METER_POINTS
from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS
from fmar_spark.domain.network import AreaLevel
from fmar_spark.domain.words import Status
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.engine.runs import Run, Written
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore
from fmar_spark.errors import ConfigError
from fmar_spark.kernels.disclosure import FEW_METERS
from fmar_spark.settings.sections import AreaSettings
from fmar_spark.transforms.eligibility import eligible_meters

READS: Final = (ASSET_DETECTIONS, FMAR_ASSETS, METER_POINTS, LEGAL_BASES, QUARANTINE, AREA_CAPABILITY)
WRITES: Final = (SYSTEM_HEALTH,)
YEAR: Final = timedelta(days=365)
CONNECTIONS, ASSETS, SHARE, ROWS, DAYS, KILOWATTS = "connections", "assets", "share", "rows", "days", "kW"
OF_GROUPS: Final = (
    ("connections_detected", "meters", CONNECTIONS, "Connections with the asset."),
    ("kw_together", "kw_p50", KILOWATTS, "Median power of all the assets together at their busiest time of day."),
    ("kw_installed", "installed_kw_p50", KILOWATTS, "Rated power of all the assets, median."),
    ("share_appeared", "share_appeared", SHARE, "Share of connections with the asset where it appeared in the year before: growth."),
    ("share_registered", "share_registered", SHARE, "Share of connections with the asset and a verified right to it."),
    ("share_invisible", "share_registered", SHARE, "Share of connections with the asset that nobody has registered."),
)
"""Measures by GSP group: metric, column of ``gold.area_capability``, unit, meaning."""
_log = logging.getLogger(__name__)


class Measure(NamedTuple):
    """One measure; ``people`` is how many connections a count is of, or the smaller side of a share; None = it is of none."""

    metric: str
    asset_class: str
    value: float
    value_unit: str
    meaning: str
    people: int | None = None


@limit_tables(READS, WRITES)
def run(store: TableStore, run: Run, settings: AreaSettings) -> Written:
    """One row a measure, of Great Britain, of each class, and of each class by GSP group.

    Raises:
        ConfigError: nothing is characterised yet.
    """
    day = run.run_date or run.started_at.date()
    points = store.read(METER_POINTS)
    eligible = eligible_meters(points, store.read_or_empty(LEGAL_BASES), day)
    detections = store.read(ASSET_DETECTIONS).join(eligible, "mpan_id", "left_semi")
    newest = detections.agg(F.max("as_of_date").alias("day")).first()
    if newest is None or newest["day"] is None:
        raise ConfigError("gold.asset_detections: no eligible meter characterised yet; run jobs/characterise.py first")
    measures = [
        *_measure_coverage(store, points, detections, newest["day"], day),
        *_measure_classes(detections, newest["day"], settings.min_meters),
        *_measure_records(store.read_or_empty(FMAR_ASSETS)),
    ]
    rows = [_protect(one, settings) | {"gsp_group_id": "", "run_id": run.run_id, "as_of_date": newest["day"]} for one in measures]
    rows += [row | {"run_id": run.run_id} for row in _measure_groups(store.read_or_empty(AREA_CAPABILITY))]
    store.overwrite(store.spark.createDataFrame(pa.Table.from_pylist(rows, arrow_schema(SYSTEM_HEALTH))), SYSTEM_HEALTH)
    _log.info("build_system_health: %s measures", len(rows))
    return Written({"measures": len(rows)}, len(rows))


def _measure_coverage(store: TableStore, points: DataFrame, detections: DataFrame, newest: date, day: date) -> list[Measure]:
    known = points.select("boundary_mpan_id").distinct().count()
    examined = detections.select("mpan_id").distinct().count()
    rejected = store.read_or_empty(QUARANTINE).agg(F.sum(F.coalesce("messages", F.lit(1))).alias("rows")).first()
    return [
        Measure("connections_known", "", known, CONNECTIONS, "Connections with standing data.", known),
        Measure("connections_examined", "", examined, CONNECTIONS, "Connections examined, with consent and a legal basis.", examined),
        Measure("days_since_newest_reading", "", (day - newest).days, DAYS, "Days from the newest reading to the day of this table."),
        Measure(
            "messages_rejected", "", int((rejected and rejected["rows"]) or 0), ROWS, "Messages and rows in the quarantine, of all time."
        ),
    ]


def _measure_classes(detections: DataFrame, newest: date, threshold: int) -> list[Measure]:
    is_answered = F.col("status") == Status.CHARACTERISED.value
    is_new = F.col("is_present") & (F.col("appeared_date") > F.lit(newest - YEAR))
    counted = detections.groupBy("asset_class").agg(
        F.count("*").alias("examined"),
        F.count_if(is_answered).alias("answered"),
        *(F.count_if(F.col("is_present") & (F.col("tier") == tier)).alias(tier) for tier in ("high", "medium", "low")),
        F.count_if(is_new).alias("appeared"),
    )
    measures = []
    for row in counted.orderBy("asset_class").collect():
        name, examined = row["asset_class"], row["examined"]
        share = row["answered"] / examined
        fewer = min(row["answered"], examined - row["answered"]) or None
        measures.append(Measure("share_answered", name, share, SHARE, "Share of examined connections with an answer.", fewer))
        tiers = {tier: int(row[tier]) for tier in ("high", "medium", "low")}
        hidden = sum(count for count in tiers.values() if count < threshold)
        # Few that are withheld could be worked out from the total and the other tiers.
        least = hidden if 0 < hidden < threshold else None
        measures += [
            Measure(f"assets_{tier}_tier", name, count, ASSETS, f"Assets that are there, detected with {tier} confidence.", least or count)
            for tier, count in tiers.items()
        ]
        said = "Assets that are there and appeared in the 365 days before the newest reading."
        measures.append(Measure("assets_appeared", name, row["appeared"], ASSETS, said, row["appeared"]))
    return measures


def _measure_records(assets: DataFrame) -> list[Measure]:
    here = assets.where("is_present").groupBy("asset_class")
    counted = here.agg(F.count("*").alias("all"), F.count_if("is_registered").alias("registered"))
    measures = []
    for row in counted.orderBy("asset_class").collect():
        invisible = row["all"] - row["registered"]
        fewer = min(row["registered"] or row["all"], invisible or row["all"])
        said = "Detected assets that nobody has registered."
        measures.append(Measure("assets_invisible", row["asset_class"], invisible, ASSETS, said, fewer))
        measures.append(
            Measure("assets_registered", row["asset_class"], row["registered"], ASSETS, "Detected assets that are registered.", fewer)
        )
    return measures


def _measure_groups(areas: DataFrame) -> list[dict[str, object]]:
    """What is published of GSP groups, in the direction that a class is sized in; withheld where it is withheld there.

    No meter is counted anew: figures rounded or withheld by the rules of areas (docs/anonymisation.md) give nothing further away.
    """
    main = F.create_map(*(F.lit(str(one)) for asset in ASSET_CLASSES for one in (asset, ASSET_FACTS[asset].main_direction)))
    published = areas.where((F.col("area_level") == AreaLevel.GSP_GROUP.value) & (F.col("direction") == main[F.col("asset_class")]))
    rows: list[dict[str, object]] = []
    for area in published.orderBy("area_id", "asset_class").collect():
        shared = {"asset_class": area["asset_class"], "gsp_group_id": area["area_id"], "as_of_date": area["as_of_date"]}
        for metric, column, unit, meaning in OF_GROUPS:
            value = None if area[column] is None else float(area[column])
            if metric == "share_invisible" and value is not None:
                value = round(1.0 - value, 6)
            withheld = {"is_suppressed": area["is_suppressed"], "suppression_reason": area["suppression_reason"]}
            rows.append({**shared, **withheld, "metric": metric, "value": value, "value_unit": unit, "meaning": meaning})
    return rows


def _protect(measure: Measure, settings: AreaSettings) -> dict[str, object]:
    """Counts of people are rounded, and withheld where they are few; shares are rounded."""
    is_few = measure.people is not None and measure.people < settings.min_meters
    step = settings.share_step if measure.value_unit == SHARE else settings.count_step if measure.people is not None else 1
    return {
        "metric": measure.metric,
        "asset_class": measure.asset_class,
        "value": None if is_few else round(round(measure.value / step) * step, 6),
        "value_unit": measure.value_unit,
        "meaning": measure.meaning,
        "is_suppressed": is_few,
        "suppression_reason": FEW_METERS if is_few else None,
    }
