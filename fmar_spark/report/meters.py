"""The meters that were examined: one row each, their answers by class, and the choice of those that get their evidence on the page."""

import logging
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS, LABEL_OF_CLASS
from fmar_spark.domain.figures import write_count
from fmar_spark.domain.words import PRESENT_FROM, Direction, Status, Tier
from fmar_spark.engine.lake_sql import LakeRows, Row
from fmar_spark.errors import InputError
from fmar_spark.report.frame import count_day, list_columns, round_values
from fmar_spark.report.provenance import KINDS, name_kind

_log = logging.getLogger(__name__)
DIRECTIONS: Final = tuple(Direction)
STATUSES: Final = tuple(Status)
TIERS: Final = tuple(Tier)
LABEL_NAMES: Final = tuple(LABEL_OF_CLASS[asset] for asset in ASSET_CLASSES)
"""In the order of the classes."""
SIZE_TOLERANCE: Final = 0.25
"""Relative; chosen by hand: about what an 80 % interval of a size spans."""
WIDE_INTERVAL: Final = 4
"""Upper over lower end from which a size says little; chosen by hand."""
LABEL_SIZES: Final = tuple(facts.sizes[0].label for facts in ASSET_FACTS.values())
SIZE_FIGURES: Final = (
    "rated_kw",
    "rated_kw_lower",
    "rated_kw_upper",
    "rated_kw_p50",
    "rated_kw_max",
    "duration_minutes_p50",
    "duration_minutes_max",
    "energy_kwh_day",
    "storage_kwh",
    "storage_kwh_lower",
    "storage_kwh_upper",
    "peak_kwp",
    "peak_kwp_lower",
    "peak_kwp_upper",
)
_METERS: Final = f"""
    WITH examined AS (
        SELECT mpan_id, max(days_seen) AS days_seen, max(as_of_date) AS as_of_date FROM gold.asset_detections GROUP BY mpan_id
    ), known AS (
        SELECT mpan_id, any_value(provenance) AS provenance, any_value(confusers) AS confusers,
            {", ".join(f"any_value({name}) AS {name}" for name in (*LABEL_NAMES, *LABEL_SIZES))}
        FROM silver.labels GROUP BY mpan_id
    ), named AS (SELECT mpan_id, min(series_id) AS series_id FROM silver.series GROUP BY mpan_id)
    SELECT examined.*, coalesce(named.series_id, examined.mpan_id) AS name, points.source, points.gsp_group_id, points.is_domestic,
        points.interval_minutes, points.time_zone, points.latitude, points.longitude, points.weather_area,
        known.* EXCLUDE (mpan_id), profiles.verdict, profiles.missing_share, profiles.has_export, profiles.has_weather
    FROM examined
    JOIN consent_checks checks ON checks.mpan_id = examined.mpan_id AND checks.rejection IS NULL
    LEFT JOIN silver.meter_points points ON points.mpan_id = examined.mpan_id
    LEFT JOIN known ON known.mpan_id = examined.mpan_id
    LEFT JOIN named ON named.mpan_id = examined.mpan_id
    LEFT JOIN profiles ON profiles.mpan_id = examined.mpan_id
"""


_IMPLAUSIBLE: Final = """
    SELECT mpan_id, what, sum(times) AS times FROM (
        SELECT mpan_id, unnest(['error_code', 'spike', 'lump']) AS what, unnest([error_code_slots, spike_slots, lump_slots]) AS times
        FROM silver.meter_profiles
        UNION ALL SELECT p.boundary_mpan_id, 'message', count(*) FROM bronze.dip_messages JOIN silver.meter_points p USING (mpan_id)
        WHERE list_contains(warnings, 'value_error_code') GROUP BY ALL
        UNION ALL SELECT p.boundary_mpan_id, 'row', count(*) FROM bronze.quarantine JOIN silver.meter_points p USING (mpan_id)
        WHERE rule IN ('kwh_error_code', 'kwh_spike', 'kwh_lump') GROUP BY ALL
    ) WHERE times > 0 GROUP BY ALL ORDER BY mpan_id, what
"""
"""What of a meter's readings no answer rests on: half-hours of its history by verdict, messages with an error code, rejected rows."""


def define_meters(lake: LakeRows) -> None:
    """``meters`` is then a table of the lake: one row a meter that was examined and still passes the consent check, with its kind."""
    wanted = "mpan_id, verdict, missing_share, has_export, has_weather"
    lake.define("profiles", f"SELECT {wanted} FROM silver.meter_profiles")
    lake.define("unnamed_meters", _METERS)
    origins = lake.rows("SELECT DISTINCT provenance, source FROM unnamed_meters")
    kinds = [name_kind(row["provenance"], row["source"]).value for row in origins]
    columns = {name: pa.array([row[name] for row in origins], pa.string()) for name in ("provenance", "source")}
    lake.add("kinds", pa.table({**columns, "kind": pa.array(kinds, pa.string())}))
    joined = "k.provenance IS NOT DISTINCT FROM m.provenance AND k.source IS NOT DISTINCT FROM m.source"
    lake.define("meters", f"SELECT m.*, k.kind FROM unnamed_meters m JOIN kinds k ON {joined} ORDER BY name, mpan_id")


def list_meters(lake: LakeRows, most: int) -> list[Row]:
    """The rows of ``meters``, at most so many, those with an asset first where not all go on the page."""
    lake.define("present", "SELECT DISTINCT mpan_id FROM gold.asset_detections WHERE is_present")
    chosen = "SELECT * FROM meters ORDER BY mpan_id IN (SELECT mpan_id FROM present) DESC, name, mpan_id LIMIT $most"
    return lake.rows(f"SELECT * FROM ({chosen}) ORDER BY name, mpan_id", most=most)


def describe_meters(lake: LakeRows, meters: Sequence[Row]) -> dict[str, Any]:
    """The meters for the page: columns, in order."""
    implausible: dict[str, dict[str, int]] = {}
    for row in lake.rows(_IMPLAUSIBLE):
        implausible.setdefault(row["mpan_id"], {})[row["what"]] = int(row["times"])
    kinds = [kind.value for kind in KINDS]
    plain = ("mpan_id", "name", "gsp_group_id", "is_domestic", "days_seen", "interval_minutes", "has_export", "verdict", "provenance")
    return {
        **list_columns(meters, plain),
        "kind": [kinds.index(row["kind"]) for row in meters],
        "missing_share": round_values((row["missing_share"] for row in meters), 4),
        "implausible": [implausible.get(row["mpan_id"]) for row in meters],
        "as_of_day": [count_day(row["as_of_date"]) for row in meters],
        "confusers": [row["confusers"] for row in meters],
        "labels": [[row[name] for name in LABEL_NAMES] for row in meters],
        "label_sizes": [round_values((row[name] for name in LABEL_SIZES), 2) for row in meters],
    }


def describe_answers(lake: LakeRows, meters: Sequence[Row]) -> dict[str, Any]:
    """Detections, sizes, changes and day-ahead errors of the meters; each row begins with the place of its meter."""
    lake.add("shown", pa.table({"mpan_id": pa.array([row["mpan_id"] for row in meters], pa.string()), "place": np.arange(len(meters))}))
    return {
        "detections": _list_detections(lake),
        "sizes": _list_sizes(lake),
        "changes": _list_changes(lake),
        "baselines": _list_baselines(lake),
    }


def _list_detections(lake: LakeRows) -> list[list[Any]]:
    days = ("appeared_date", "appeared_p10_date", "appeared_p90_date", "removed_date", "removed_p10_date", "removed_p90_date")
    wanted = "asset_class, probability, present_probability, is_present, tier, status, status_reason, evidence"
    found = lake.rows(
        f"SELECT place, {wanted}, {', '.join(days)} FROM gold.asset_detections JOIN shown USING (mpan_id) ORDER BY place, asset_class"
    )
    return [
        [
            row["place"],
            ASSET_CLASSES.index(row["asset_class"]),
            *round_values((row["probability"], row["present_probability"]), 4),
            row["is_present"],
            None if row["tier"] is None else TIERS.index(row["tier"]),
            STATUSES.index(row["status"]),
            row["status_reason"],
            row["evidence"],
            *(count_day(row[name]) for name in days),
        ]
        for row in found
    ]


def _list_sizes(lake: LakeRows) -> list[list[Any]]:
    found = lake.rows(
        f"SELECT place, asset_class, direction, {', '.join(SIZE_FIGURES)}, events_seen, tier "
        "FROM gold.capability JOIN shown USING (mpan_id) ORDER BY place, asset_class, direction DESC"
    )
    return [
        [
            row["place"],
            ASSET_CLASSES.index(row["asset_class"]),
            DIRECTIONS.index(row["direction"]),
            *round_values((row[name] for name in SIZE_FIGURES), 2),
            row["events_seen"],
            None if row["tier"] is None else TIERS.index(row["tier"]),
        ]
        for row in found
    ]


def _list_changes(lake: LakeRows) -> list[list[Any]]:
    found = lake.rows(
        "SELECT place, asset_class, kind, changed_date, changed_p10_date, changed_p90_date, kw_before, kw_after "
        "FROM gold.asset_changes JOIN shown USING (mpan_id) ORDER BY place, changed_date, asset_class"
    )
    return [
        [
            row["place"],
            ASSET_CLASSES.index(row["asset_class"]),
            row["kind"],
            *(count_day(row[name]) for name in ("changed_date", "changed_p10_date", "changed_p90_date")),
            *round_values((row["kw_before"], row["kw_after"]), 2),
        ]
        for row in found
    ]


def _list_baselines(lake: LakeRows) -> list[list[Any]]:
    figures = ("cv_rmse", "bl01_cv_rmse", "nmbe", "interval_coverage")
    found = lake.rows(f"SELECT place, model, {', '.join(figures)} FROM gold.baselines JOIN shown USING (mpan_id) ORDER BY place")
    return [[row["place"], row["model"], *round_values((row[name] for name in figures), 3)] for row in found]


def rank_meters(lake: LakeRows) -> list[str]:
    """All meters, the one that shows most first: no answer against its label, then assets found with high confidence, few doubtful answers.

    A size that its label contradicts by more than ``SIZE_TOLERANCE`` counts as an answer against the label.

    Args:
        lake: with the table ``meters``.
    """
    facts = ASSET_FACTS.items()
    label = " ".join(f"WHEN '{asset}' THEN m.{fact.label}" for asset, fact in facts)
    size = " ".join(f"WHEN '{asset}' THEN c.{fact.sizes[0].names[0].column} / nullif(m.{fact.sizes[0].label}, 0)" for asset, fact in facts)
    direction = " ".join(f"WHEN '{asset}' THEN '{fact.directions[0]}'" for asset, fact in facts)
    ranked = lake.rows(
        f"""WITH checked AS (
            SELECT m.mpan_id, m.name, d.is_present AND d.tier = '{Tier.HIGH}' AS is_found, d.tier <> '{Tier.HIGH}' AS is_doubtful,
                d.is_present AND c.rated_kw_upper > {WIDE_INTERVAL} * c.rated_kw_lower AS is_vague,
                d.present_probability, d.appeared_date IS NOT NULL OR d.removed_date IS NOT NULL AS is_dated,
                (d.probability >= {PRESENT_FROM}) <> (CASE d.asset_class {label} END) AS is_wrong,
                d.is_present AND abs((CASE d.asset_class {size} END) - 1) > {SIZE_TOLERANCE} AS is_wrong_size
            FROM meters m JOIN gold.asset_detections d USING (mpan_id)
            LEFT JOIN gold.capability c
                ON c.mpan_id = d.mpan_id AND c.asset_class = d.asset_class AND c.direction = CASE d.asset_class {direction} END
        )
        SELECT mpan_id, count(*) FILTER (is_wrong OR is_wrong_size) AS wrong, count(*) FILTER (is_found) AS found,
            count(*) FILTER (is_doubtful OR is_vague) AS doubtful, bool_or(coalesce(is_found AND is_dated, FALSE)) AS is_dated,
            coalesce(sum(present_probability) FILTER (is_found), 0) AS confidence, any_value(name) AS name
        FROM checked GROUP BY mpan_id ORDER BY wrong, found DESC, doubtful, is_dated DESC, round(confidence, 6) DESC, name, mpan_id"""
    )
    return [row["mpan_id"] for row in ranked]


def choose_meters(lake: LakeRows, named: Sequence[str], most: int) -> list[str]:
    """The named meters, then up to ``most`` in all: of every kind and class the most confident and the most doubtful answers in turn.

    Args:
        lake: with the table ``meters``.
        named: MPANs or series ids.
        most: meters that are chosen unless more are named.

    Raises:
        InputError: none of the named meters was looked at.
    """
    chosen = _find_named(lake, named)
    ranked = lake.rows(
        """WITH ranked AS (
            SELECT d.mpan_id,
                row_number() OVER (one_class ORDER BY d.present_probability DESC NULLS LAST, d.mpan_id) AS most_confident,
                row_number() OVER (one_class ORDER BY abs(d.present_probability - 0.5) NULLS LAST, d.mpan_id) AS most_doubtful
            FROM gold.asset_detections d JOIN meters m USING (mpan_id) WINDOW one_class AS (PARTITION BY m.kind, d.asset_class)
        )
        SELECT mpan_id FROM ranked GROUP BY mpan_id ORDER BY min(least(most_confident, most_doubtful)), mpan_id LIMIT $most""",
        most=most,
    )
    return list(dict.fromkeys([*chosen, *(row["mpan_id"] for row in ranked)]))[: max(most, len(chosen))]


def _find_named(lake: LakeRows, named: Sequence[str]) -> list[str]:
    if not named:
        return []
    lake.add("named", pa.table({"name": list(named), "place": list(range(len(named)))}))
    found = lake.rows("SELECT m.mpan_id, n.name FROM named n JOIN meters m ON n.name IN (m.mpan_id, m.name) ORDER BY n.place")
    if not found:
        raise InputError(f"--meters: {write_count(len(named), 'meter')} named, {named[0]} first; none was characterised in {lake.root}")
    known = {row["name"] for row in found}
    unknown = [name for name in dict.fromkeys(named) if name not in known]
    if unknown:
        _log.warning("--meters: %s: not characterised in %s, so not on the page", ", ".join(unknown), lake.root)
    return [row["mpan_id"] for row in found]
