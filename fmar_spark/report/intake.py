"""What came in, what was refused and why, what was not looked at, and how the jobs ran."""

from typing import Any

from fmar_spark.report.lake_rows import LakeRows


def describe_intake(lake: LakeRows, examples: int) -> dict[str, Any]:
    """Refusals by rule with some examples, connections that the gate kept out, and the last run of each step."""
    return {
        "refused": _list_refused(lake, examples),
        "connections": _count_connections(lake),
        "readings": _count_readings(lake),
        "runs": _list_runs(lake),
        "models": [row["model_version"] for row in lake.rows("SELECT DISTINCT model_version FROM gold.asset_detections ORDER BY 1")],
        "tables": sorted(lake.versions.items()),
    }


def _list_refused(lake: LakeRows, examples: int) -> list[dict[str, Any]]:
    """Rules by what they refused. The refused text itself stays in the lake: it may be personal."""
    rules = lake.rows(
        """SELECT rule, count(*) AS rows_refused, count(DISTINCT split_part(source, ':', 1)) AS sources,
            strftime(max(quarantined_at), '%Y-%m-%d %H:%M') AS newest
        FROM bronze.quarantine GROUP BY rule ORDER BY rows_refused DESC, rule"""
    )
    told = lake.rows(
        """SELECT rule, source, reason FROM bronze.quarantine
        QUALIFY row_number() OVER (PARTITION BY rule ORDER BY source, quarantine_id) <= $examples ORDER BY rule, source""",
        examples=examples,
    )
    return [{**row, "examples": [[one["source"], one["reason"]] for one in told if one["rule"] == row["rule"]]} for row in rules]


def _count_connections(lake: LakeRows) -> dict[str, int]:
    """Boundaries that are known, and of them those that were looked at."""
    return lake.rows(
        """SELECT count(DISTINCT boundary_mpan_id) AS known,
            count(DISTINCT boundary_mpan_id) FILTER (boundary_mpan_id IN (SELECT mpan_id FROM meters)) AS looked_at,
            count(DISTINCT mpan_id) AS meter_points
        FROM silver.meter_points"""
    )[0]


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
