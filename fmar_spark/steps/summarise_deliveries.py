"""Sums checks of events over months, markets and areas, for those who may see no single asset."""

import logging
from collections.abc import Iterator
from datetime import date
from itertools import groupby
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pyspark.sql import functions as F

from fmar_spark.contracts.deliveries import AREA_DELIVERIES, DELIVERY_CHECKS
from fmar_spark.contracts.readings import LEGAL_BASES, METER_POINTS
from fmar_spark.domain.consent import Purpose
from fmar_spark.domain.network import AreaLevel
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.engine.runs import Run, Written
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore
from fmar_spark.kernels.disclosure import Area, Atoms, Rules, plan_areas
from fmar_spark.settings.sections import AreaSettings
from fmar_spark.transforms.eligibility import eligible_meters

READS: Final = (DELIVERY_CHECKS, METER_POINTS, LEGAL_BASES)
WRITES: Final = (AREA_DELIVERIES,)
SETTLED_DAYS: Final = 14
"""A month is summed up once, so many days after its end: the difference of two sums would show who declared late."""
WHOLE: Final[Area] = (AreaLevel.GB.value, "GB")
VERDICTS: Final = ("consistent", "implausible", "not_assessable")
SUMS: Final = ("checks", *VERDICTS, "declared_kwh", "observed_kwh")
_log = logging.getLogger(__name__)


@limit_tables(READS, WRITES)
def run(store: TableStore, run: Run, settings: AreaSettings) -> Written:
    """One row for each settled month, market and area, figures or the reason why there are none; rows that are there stay."""
    day = run.run_date or run.started_at.date()
    checks = store.read_or_empty(DELIVERY_CHECKS)
    newest = checks.agg(F.max("as_of_date").alias("day")).first()
    if newest is None or newest["day"] is None:
        store.create(AREA_DELIVERIES)
        return Written({"rows": 0}, 0)
    points = store.read(METER_POINTS)
    eligible = eligible_meters(points, store.read_or_empty(LEGAL_BASES), day, Purpose.VERIFICATION)
    groups = eligible.join(points.select("mpan_id", "gsp_group_id"), "mpan_id")
    month = F.trunc("event_date", "month")
    is_settled = F.date_add(F.add_months(month, 1), SETTLED_DAYS) <= F.lit(newest["day"])
    energy = [F.sum(F.when(F.col("is_assessable"), F.col(name))).alias(name) for name in ("declared_kwh", "observed_kwh")]
    of_meters = (
        checks.where(is_settled)
        .join(groups, "mpan_id", "inner")
        .groupBy(month.alias("month_date"), F.coalesce("market", F.lit("")).alias("market"), "gsp_group_id", "mpan_id")
        .agg(
            F.count_distinct("amsid").alias("assets"),
            F.count("*").alias("checks"),
            *(F.count_if(F.col("verdict") == name).alias(name) for name in VERDICTS),
            *energy,
        )
    )
    of_groups = of_meters.groupBy("month_date", "market", "gsp_group_id").agg(
        F.count("*").alias("meters"),
        F.sum("assets").alias("assets"),
        F.max(F.abs("declared_kwh")).alias("largest_kwh"),
        *(F.sum(name).alias(name) for name in SUMS),
    )
    found = [row.asDict() for row in of_groups.orderBy("month_date", "market", "gsp_group_id").collect()]
    own = {"run_id": run.run_id, "as_of_date": newest["day"]}
    rows = [row | own for row in list_area_rows(found, settings)]
    written = store.insert_new(store.spark.createDataFrame(pa.Table.from_pylist(rows, arrow_schema(AREA_DELIVERIES))), AREA_DELIVERIES)
    _log.info("summarise_deliveries: %s rows", written)
    return Written({"rows": written}, written)


def list_area_rows(found: list[dict[str, Any]], settings: AreaSettings) -> Iterator[dict[str, Any]]:
    """Keys, figures and reasons of every area, so that neither a sum nor a difference of sums speaks of few meters.

    Args:
        found: one row a month, market and GSP group, in that order.
        settings: threshold, dominance and rounding.
    """

    def place(row: dict[str, Any]) -> tuple[date, str]:
        return row["month_date"], row["market"]

    rules = Rules(settings.min_meters, settings.max_meter_share)
    order = (AreaLevel.GSP_GROUP.value, AreaLevel.GB.value)
    for (month_date, market), rows in groupby(found, key=place):
        groups = list(rows)
        atoms = Atoms(
            np.array([row["meters"] for row in groups], dtype=np.int64),
            np.array([abs(row["declared_kwh"] or 0.0) for row in groups]),
            np.array([row["largest_kwh"] or 0.0 for row in groups]),
        )
        areas: dict[Area, Any] = {WHOLE: np.arange(len(groups))}
        areas |= {(AreaLevel.GSP_GROUP.value, row["gsp_group_id"]): np.array([at]) for at, row in enumerate(groups) if row["gsp_group_id"]}
        reasons = plan_areas(atoms, areas, order, rules).reason
        for area, members in areas.items():
            level, area_id = area
            keys = {"area_level": level, "area_id": area_id, "market": market, "month_date": month_date}
            reason = reasons[area]
            figures = {} if reason else _sum_up([groups[at] for at in members.tolist()], settings)
            yield {**keys, **figures, "is_suppressed": reason is not None, "suppression_reason": reason}


def _sum_up(groups: list[dict[str, Any]], settings: AreaSettings) -> dict[str, Any]:
    """Figures of some groups together, rounded."""
    sums = {name: sum(row[name] or 0 for row in groups) for name in ("assets", *SUMS)}
    shares = {
        f"share_{name}": round(round(sums[name] / sums["checks"] / settings.share_step) * settings.share_step, 6) for name in VERDICTS
    }
    counts = {name: round(sums[name] / settings.count_step) * settings.count_step for name in ("assets", "checks")}
    return {**shares, **counts, "declared_kwh": round(sums["declared_kwh"]), "observed_kwh": round(sums["observed_kwh"])}
