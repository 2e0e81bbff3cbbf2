"""The lake in figures: what was found by kind of readings, how good the data are, what was rejected, and how the jobs ran."""

from typing import Any, Final

from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS
from fmar_spark.domain.consent import REJECTIONS
from fmar_spark.domain.gsp_groups import GROUP_OF_ID
from fmar_spark.domain.words import Status, Tier
from fmar_spark.engine.lake_sql import LakeRows, Row
from fmar_spark.report.provenance import KINDS, Kind

CLASS_NAMES: Final = tuple(asset.value for asset in ASSET_CLASSES)
SIZE_EDGES_KW: Final = (0, 1, 2, 3, 4, 6, 8, 12, 20, 50, 100, 200, 500)
MISSING_EDGES: Final = (0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.5)
DAYS_EDGES: Final = (0, 60, 120, 180, 270, 365, 545)
MAIN_DIRECTION: Final = {asset: facts.main_direction for asset, facts in ASSET_FACTS.items()}
"""The direction in which a class is sized here."""
_ANSWER: Final = f"""CASE WHEN status <> '{Status.CHARACTERISED}' THEN status WHEN is_present THEN 'present_' || tier ELSE 'absent' END"""
ANSWERS: Final = (*(f"present_{tier}" for tier in Tier), "absent", Status.IN_PROGRESS.value, Status.NOT_OBSERVABLE.value)


def describe_fleet(lake: LakeRows) -> list[dict[str, Any]]:
    """One entry for each kind of which there are meters, in the order of ``KINDS``."""
    lake.define(
        "answers", f"SELECT d.*, m.kind, m.gsp_group_id, {_ANSWER} AS answer FROM gold.asset_detections d JOIN meters m USING (mpan_id)"
    )
    counted = {row["kind"]: row for row in lake.rows(_COUNTS)}
    return [_describe_kind(lake, kind, counted[kind.value]) for kind in KINDS if kind.value in counted]


_COUNTS: Final = """
    SELECT kind, count(*) AS meters, count(*) FILTER (is_domestic) AS domestic,
        min(as_of_date) AS first_as_of, max(as_of_date) AS last_as_of,
        median(days_seen) AS median_days, median(missing_share) AS median_missing
    FROM meters GROUP BY kind
"""


def _describe_kind(lake: LakeRows, kind: Kind, counts: Row) -> dict[str, Any]:
    return {
        "kind": kind.value,
        "meters": counts["meters"],
        "domestic": counts["domestic"],
        "as_of": [str(counts["first_as_of"]), str(counts["last_as_of"])],
        "median_days": counts["median_days"],
        "median_missing": None if counts["median_missing"] is None else round(counts["median_missing"], 4),
        "answers": _count_answers(lake, kind),
        "sizes": _count_sizes(lake, kind),
        "areas": _count_areas(lake, kind),
        "months": _count_months(lake, kind),
        "since_start": _count_since_start(lake, kind),
        "missing": _count_bins(lake, kind, "missing_share", MISSING_EDGES),
        "days": _count_bins(lake, kind, "days_seen", DAYS_EDGES),
        "unanswered": _list_unanswered(lake, kind),
    }


def _count_answers(lake: LakeRows, kind: Kind) -> list[list[int]]:
    """Meters by class (rows) and answer (columns, in the order of ``ANSWERS``)."""
    found = lake.rows("SELECT asset_class, answer, count(*) AS meters FROM answers WHERE kind = $kind GROUP BY ALL", kind=kind.value)
    counted = {(row["asset_class"], row["answer"]): row["meters"] for row in found}
    return [[counted.get((asset, answer), 0) for answer in ANSWERS] for asset in CLASS_NAMES]


def _count_sizes(lake: LakeRows, kind: Kind) -> dict[str, Any]:
    """Present assets by class and size; the bins start at ``edges`` and the last is open."""
    counts = [[0] * len(SIZE_EDGES_KW) for _ in CLASS_NAMES]
    totals = []
    for place, asset in enumerate(ASSET_CLASSES):
        wanted = {"kind": kind.value, "asset": asset.value, "direction": MAIN_DIRECTION[asset].value}
        bins = lake.rows(f"SELECT {_bin_of('rated_kw', SIZE_EDGES_KW)} AS bin, count(*) AS meters {_SIZED} GROUP BY bin", **wanted)
        for row in bins:
            counts[place][row["bin"]] = row["meters"]
        total = lake.rows(f"SELECT count(*) AS meters, coalesce(sum(rated_kw), 0) AS kw, median(rated_kw) AS median_kw {_SIZED}", **wanted)[
            0
        ]
        median = None if total["median_kw"] is None else round(total["median_kw"], 2)
        totals.append([total["meters"], round(total["kw"], 1), median, MAIN_DIRECTION[asset].value])
    return {"edges": list(SIZE_EDGES_KW), "counts": counts, "totals": totals}


_SIZED: Final = """
    FROM answers JOIN gold.capability c USING (mpan_id, asset_class)
    WHERE kind = $kind AND asset_class = $asset AND is_present AND direction = $direction AND rated_kw IS NOT NULL AND NOT isnan(rated_kw)
"""


def _count_areas(lake: LakeRows, kind: Kind) -> list[list[Any]]:
    """GSP group, its name, meters, and how many of them have each class."""
    meters = lake.rows("SELECT gsp_group_id, count(*) AS meters FROM meters WHERE kind = $kind GROUP BY ALL ORDER BY ALL", kind=kind.value)
    query = "SELECT gsp_group_id, asset_class, count(*) AS meters FROM answers WHERE kind = $kind AND is_present GROUP BY ALL"
    present = {(row["gsp_group_id"], row["asset_class"]): row["meters"] for row in lake.rows(query, kind=kind.value)}
    return [
        [
            row["gsp_group_id"],
            GROUP_OF_ID[row["gsp_group_id"]].name if row["gsp_group_id"] in GROUP_OF_ID else None,
            row["meters"],
            *(present.get((row["gsp_group_id"], asset), 0) for asset in CLASS_NAMES),
        ]
        for row in meters
    ]


def _count_months(lake: LakeRows, kind: Kind) -> list[list[Any]]:
    """Month, and how many of each class appeared in it, then how many were removed."""
    found = lake.rows(
        """SELECT strftime(day, '%Y-%m') AS month, what, asset_class, count(*) AS meters
        FROM (SELECT asset_class, kind, 'appeared' AS what, appeared_date AS day FROM answers
              UNION ALL SELECT asset_class, kind, 'removed', removed_date FROM answers)
        WHERE kind = $kind AND day IS NOT NULL GROUP BY ALL""",
        kind=kind.value,
    )
    counted = {(row["month"], row["what"], row["asset_class"]): row["meters"] for row in found}
    months = _fill_months(sorted({row["month"] for row in found}))
    return [
        [month, *(counted.get((month, what, asset), 0) for what in ("appeared", "removed") for asset in CLASS_NAMES)] for month in months
    ]


def _fill_months(months: list[str]) -> list[str]:
    """Every month from the first to the last."""
    if not months:
        return []
    first, last = (int(text[:4]) * 12 + int(text[5:]) - 1 for text in (months[0], months[-1]))
    return [f"{month // 12:04d}-{month % 12 + 1:02d}" for month in range(first, last + 1)]


def _count_since_start(lake: LakeRows, kind: Kind) -> list[int]:
    """Present assets of each class that were there from the first day of the readings."""
    query = "SELECT asset_class, count(*) AS meters FROM answers WHERE kind = $kind AND is_present AND appeared_date IS NULL GROUP BY ALL"
    counted = {row["asset_class"]: row["meters"] for row in lake.rows(query, kind=kind.value)}
    return [counted.get(asset, 0) for asset in CLASS_NAMES]


def _count_bins(lake: LakeRows, kind: Kind, column: str, edges: tuple[float, ...]) -> dict[str, Any]:
    """Meters by the bin of a figure; the bins start at ``edges`` and the last is open."""
    known = f"FROM meters WHERE kind = $kind AND NOT isnan({column}::DOUBLE)"
    bins = f"SELECT {_bin_of(column, edges)} AS bin, count(*) AS meters {known} GROUP BY bin"
    counts = [0] * len(edges)
    for row in lake.rows(bins, kind=kind.value):
        counts[row["bin"]] = row["meters"]
    return {"edges": list(edges), "counts": counts}


REASON: Final = """regexp_replace(regexp_replace(regexp_replace(coalesce(split_part(status_reason, ': ', 1), ''),
    'by [0-9,]+ days? read', 'by the days read'), 'in these [0-9]+ days', 'in the days read'), 'only [0-9]+ ', 'too few ', 'g')"""
"""A reason without the numbers of days, which differ from meter to meter."""


def _list_unanswered(lake: LakeRows, kind: Kind) -> list[list[Any]]:
    """Status, reason without its figures, class, and meters of the answers that are missing."""
    return [
        [row["status"], row["reason"], row["asset_class"], row["meters"]]
        for row in lake.rows(
            f"""SELECT status, {REASON} AS reason, asset_class, count(*) AS meters
            FROM answers WHERE kind = $kind AND status <> '{Status.CHARACTERISED}' GROUP BY ALL ORDER BY ALL""",
            kind=kind.value,
        )
    ]


def _bin_of(column: str, edges: tuple[float, ...]) -> str:
    """Number of the bin that a value of a column falls in."""
    return " + ".join(f"CAST({column} >= {edge} AS INTEGER)" for edge in edges[1:])


def describe_intake(lake: LakeRows, examples: int) -> dict[str, Any]:
    """Rejections by rule with some examples, connections that did not pass the consent check, and the last run of each step."""
    return {
        "rejected": _list_rejected(lake, examples),
        "connections": _count_connections(lake),
        "readings": _count_readings(lake),
        "runs": _list_runs(lake),
        "models": [row["model_version"] for row in lake.rows("SELECT DISTINCT model_version FROM gold.asset_detections ORDER BY 1")],
        "tables": sorted(lake.versions.items()),
    }


def _list_rejected(lake: LakeRows, examples: int) -> list[dict[str, Any]]:
    """Rules by the rows that they rejected. The rejected text itself stays in the lake: it may be personal."""
    rules = lake.rows(
        """SELECT rule, count(*) AS rows_rejected, count(DISTINCT split_part(source, ':', 1)) AS sources,
            strftime(max(quarantined_at), '%Y-%m-%d %H:%M') AS newest
        FROM bronze.quarantine GROUP BY rule ORDER BY rows_rejected DESC, rule"""
    )
    quoted = lake.rows(
        """SELECT rule, source, reason FROM bronze.quarantine
        QUALIFY row_number() OVER (PARTITION BY rule ORDER BY source, quarantine_id) <= $examples ORDER BY rule, source""",
        examples=examples,
    )
    return [{**row, "examples": [[one["source"], one["reason"]] for one in quoted if one["rule"] == row["rule"]]} for row in rules]


def _count_connections(lake: LakeRows) -> dict[str, Any]:
    """Connections (import meters with what is behind them) that are known and that were examined, and why the others were not.

    ``withheld``: examined before, and no longer shown because consent or legal basis ended since.
    """
    counts = lake.rows(
        """SELECT (SELECT count(DISTINCT boundary_mpan_id) FROM consent_checks) AS known, (SELECT count(*) FROM meters) AS examined,
            (SELECT count(DISTINCT mpan_id) FROM gold.asset_detections WHERE mpan_id NOT IN (SELECT mpan_id FROM meters)) AS withheld"""
    )[0]
    rejected = lake.rows("""SELECT rejection, count(DISTINCT boundary_mpan_id) AS meters FROM consent_checks
        WHERE rejection IS NOT NULL AND mpan_id = boundary_mpan_id GROUP BY rejection""")
    counted = {row["rejection"]: row["meters"] for row in rejected}
    return {**counts, "rejected": [[one.reason, counted[one.name]] for one in REJECTIONS if one.name in counted]}


def _count_readings(lake: LakeRows) -> dict[str, Any]:
    """Meter-days of readings, and the first and last UTC day."""
    return lake.rows(
        """SELECT count(*) AS meter_days, CAST(min(utc_date) AS VARCHAR) AS first_day, CAST(max(utc_date) AS VARCHAR) AS last_day
        FROM silver.readings"""
    )[0]


def _list_runs(lake: LakeRows) -> list[list[Any]]:
    found = lake.rows(
        """SELECT step, status, strftime(started_at, '%Y-%m-%d %H:%M') AS started, seconds, rows_kept, rows_quarantined, error
        FROM ops.run_journal QUALIFY row_number() OVER (PARTITION BY step ORDER BY started_at DESC) = 1 ORDER BY started_at"""
    )
    names = ("step", "status", "started", "seconds", "rows_kept", "rows_quarantined", "error")
    return [[round(row[name], 1) if name == "seconds" else row[name] for name in names] for row in found]
