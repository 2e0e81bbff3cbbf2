"""Measures of the register's health, worked out of what is published of areas: no connection is counted anew."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

from fmar_spark.kernels.disclosure import FEW_METERS
from fmar_spark.kernels.publications import hold_count

CONNECTIONS, SHARE, ROWS, DAYS, KILOWATTS = "connections", "share", "rows", "days", "kW"
OF_AREAS: Final = (
    ("connections_detected", "meters", CONNECTIONS, "Connections with the asset."),
    ("kw_together", "kw_p50", KILOWATTS, "Median power of all the assets together at their busiest time of day."),
    (
        "kw_installed",
        "installed_kw_p50",
        KILOWATTS,
        "Rated power of all assets, an estimate and no sum of the sizes found: median.",
    ),
    ("share_answered", "share_unanswered", SHARE, "Share of examined connections with an answer for the class."),
    ("share_high_tier", "share_high_tier", SHARE, "Share of connections with the asset that are detected with high confidence."),
    ("share_medium_tier", "share_medium_tier", SHARE, "Share of connections with the asset that are detected with medium confidence."),
    ("share_appeared", "share_appeared", SHARE, "Share of connections with the asset where it appeared in the year before: growth."),
    ("share_registered", "share_registered", SHARE, "Share of connections with the asset and a verified right to it."),
    ("share_invisible", "share_registered", SHARE, "Share of connections with the asset that nobody has registered."),
)
"""Measures by class, of Great Britain and of each GSP group: metric, column of ``gold.area_capability``, unit, meaning."""
COMPLEMENTS: Final = frozenset({"share_answered", "share_invisible"})
"""Measures that are what their column leaves of the whole."""
SPANS_DAYS: Final = (90, 365)
"""How far back a measure is compared with what was published then."""
_COMPARED: Final = ("connections_detected", "kw_together", "kw_installed")
Measure = dict[str, Any]
"""A row of ``gold.system_health`` without its run."""


class Coverage(NamedTuple):
    """How much of the country is looked at, and what comes in."""

    known: int
    """Connections with standing data."""
    examined: int
    """Connections examined."""
    days_since_newest: int
    rejected_rows: int


def measure_areas(areas: Iterable[Mapping[str, Any]]) -> Iterator[Measure]:
    """The measures of each class and area, withheld where they are withheld there.

    Args:
        areas: rows of ``gold.area_capability`` of Great Britain and of GSP groups, in the direction that a class is sized in, each with
            ``gsp_group_id``, empty for Great Britain.
    """
    for area in areas:
        shared = {name: area[name] for name in ("asset_class", "gsp_group_id", "is_suppressed", "suppression_reason", "as_of_date")}
        for metric, column, unit, meaning in OF_AREAS:
            value = None if area[column] is None else float(area[column])
            if metric in COMPLEMENTS and value is not None:
                value = round(1.0 - value, 6)
            yield {**shared, "metric": metric, "value": value, "value_unit": unit, "meaning": meaning}


def measure_change(measures: Iterable[Measure], published: Iterable[Mapping[str, Any]]) -> Iterator[Measure]:
    """How connections and power differ from the last publication that is as old as a span: a difference that any reader can form.

    Args:
        measures: as ``measure_areas`` gives them.
        published: metric, asset_class, gsp_group_id, as_of_date, value and suppression_reason of earlier publications; value null
            where it was withheld.
    """
    earlier: dict[tuple[str, str, str], dict[date, Mapping[str, Any]]] = {}
    for row in published:
        earlier.setdefault((row["metric"], row["asset_class"], row["gsp_group_id"]), {})[row["as_of_date"]] = row
    for one in measures:
        known = earlier.get((one["metric"], one["asset_class"], one["gsp_group_id"]), {})
        for span in SPANS_DAYS if one["metric"] in _COMPARED else ():
            old_enough = [day for day in known if day <= one["as_of_date"] - timedelta(days=span)]
            if old_enough:
                yield _compare(one, known[max(old_enough)], span)


def measure_coverage(coverage: Coverage, earlier: Mapping[str, float | None], as_of_date: date, threshold: int) -> list[Measure]:
    """Measures of the whole, whose counts of connections move only when as many as the threshold have come or gone.

    Args:
        coverage: the counts.
        earlier: what was published of them last, by metric.
        as_of_date: of these measures.
        threshold: fewest connections by which two sums may differ.
    """
    counted = (
        ("connections_known", coverage.known, "Connections with standing data, to the nearest {}."),
        ("connections_examined", coverage.examined, "Connections examined, with consent and a legal basis, to the nearest {}."),
    )
    held = [
        (metric, hold_count(earlier.get(metric), count, threshold), CONNECTIONS, said.format(threshold)) for metric, count, said in counted
    ]
    others = [
        (
            "days_since_newest_reading",
            coverage.days_since_newest,
            DAYS,
            "Days from the newest reading that an answer rests on to the day of this table.",
        ),
        ("messages_rejected", coverage.rejected_rows, ROWS, "Messages and rows in the quarantine, of all time."),
    ]
    return [
        {
            "metric": metric,
            "asset_class": "",
            "gsp_group_id": "",
            "value": None if value is None else float(value),
            "value_unit": unit,
            "meaning": meaning,
            "is_suppressed": value is None,
            "suppression_reason": FEW_METERS if value is None else None,
            "as_of_date": as_of_date,
        }
        for metric, value, unit, meaning in (*held, *others)
    ]


def _compare(now: Measure, then: Mapping[str, Any], span: int) -> Measure:
    is_withheld = now["value"] is None or then["value"] is None
    what = now["meaning"].rstrip(".")
    return {
        **now,
        "metric": f"{now['metric']}_change_{span}_days",
        "value": None if is_withheld else round(now["value"] - then["value"], 6),
        "meaning": f"Change against what was published for {then['as_of_date']:%-d %B %Y}: {what[0].lower()}{what[1:]}.",
        "is_suppressed": is_withheld,
        "suppression_reason": (now["suppression_reason"] or then["suppression_reason"]) if is_withheld else None,
    }
