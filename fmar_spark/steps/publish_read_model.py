"""Publishes the read model: what the read API serves, as one immutable file of one moment of the lake."""

import logging
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Final

from fmar_spark.contracts.audiences import AREA_AVAILABILITY, AREA_CAPABILITY, AREAS, ENVELOPES, FMAR_ASSETS, PORTFOLIO, SYSTEM_HEALTH
from fmar_spark.contracts.capability import ASSET_CHANGES, ASSET_DETECTIONS, AVAILABILITY, CAPABILITY
from fmar_spark.contracts.deliveries import (
    AREA_DELIVERIES,
    ASSET_VOLUMES,
    DELIVERY_CHECKS,
    DELIVERY_EVIDENCE,
    DISCREPANCIES,
    NOTICE_ATTEMPTS,
    NOTICES,
)
from fmar_spark.contracts.operations import RUN_JOURNAL
from fmar_spark.contracts.profiles import METER_PROFILES
from fmar_spark.contracts.readings import LABELS, LEGAL_BASES, METER_POINTS
from fmar_spark.contracts.table import TableContract
from fmar_spark.domain.mpan import GSP_GROUP_OF_DISTRIBUTOR
from fmar_spark.domain.network import DNO_OF_DISTRIBUTOR
from fmar_spark.domain.words import Tier
from fmar_spark.engine.lake_files import find_newest
from fmar_spark.engine.lake_sql import LakeRows
from fmar_spark.engine.lake_writer import LakeWriter
from fmar_spark.engine.model_file import Layout, Manifest, read_manifest, write_model
from fmar_spark.engine.runs import Run, Written
from fmar_spark.errors import InputError
from fmar_spark.report.provenance import FROM_DIP, Kind
from fmar_spark.settings.run_options import is_address

READS: Final = (
    ASSET_DETECTIONS,
    CAPABILITY,
    AVAILABILITY,
    ASSET_CHANGES,
    FMAR_ASSETS,
    PORTFOLIO,
    ENVELOPES,
    AREAS,
    AREA_CAPABILITY,
    AREA_AVAILABILITY,
    SYSTEM_HEALTH,
    DISCREPANCIES,
    ASSET_VOLUMES,
    DELIVERY_CHECKS,
    DELIVERY_EVIDENCE,
    AREA_DELIVERIES,
    NOTICES,
    NOTICE_ATTEMPTS,
    METER_POINTS,
    METER_PROFILES,
    LEGAL_BASES,
    LABELS,
)
WRITES: Final[tuple[TableContract, ...]] = ()
_LABELLED: Final = (Kind.SEMI_SYNTHETIC, Kind.SIMULATED, Kind.REAL)
_ELIGIBLE: Final = "mpan_id IN (SELECT mpan_id FROM consent_checks WHERE rejection IS NULL)"
"""Of every row of a meter: without consent, or for a household without a legal basis on that day, none is published."""
_ORIGINS: Final = f"""
    SELECT CASE {" ".join(f"WHEN starts_with(lower(trim(l.provenance)), '{kind}') THEN '{kind}'" for kind in _LABELLED)}
        WHEN l.provenance IS NULL AND m.source = '{FROM_DIP}' THEN '{Kind.REAL}' ELSE '{Kind.UNLABELLED}' END AS origin,
        count(*) AS meters
    FROM (SELECT DISTINCT mpan_id FROM {ASSET_DETECTIONS.full_name} WHERE {_ELIGIBLE}) d
    LEFT JOIN {METER_POINTS.full_name} m ON m.mpan_id = d.mpan_id
    LEFT JOIN (SELECT mpan_id, any_value(provenance) AS provenance FROM {LABELS.full_name} GROUP BY ALL) l ON l.mpan_id = d.mpan_id
    GROUP BY ALL ORDER BY origin
"""
"""Examined meters by where their readings come from, so that a page can say what is simulated."""
INDEXED: Final = {"assets": "asset_id", "asset_sizes": "mpan_id", "medium_detections": "mpan_id"}
"""What an FSP holds lies all over the country: a page of it would otherwise read a part of the file for each."""
_DERIVED: Final = tuple(table for table in READS if table.layer == "gold")
_log = logging.getLogger(__name__)


def run(lake: str, folder: Path, run: Run, checked_on: date | None) -> Written:
    """The manifest in the folder names a file with the lake's newest tables; the journal of a lake on this machine has the run's row.

    Args:
        lake: its root, a folder or an address.
        folder: of the read model.
        run: which run.
        checked_on: day on which consent and legal basis must hold; None = today.

    Raises:
        ConfigError: no lake there.
    """
    writer = None if is_address(lake) else LakeWriter(Path(lake))
    try:
        manifest = publish(lake, folder, checked_on)
    except Exception as error:
        if writer is not None and writer.has(RUN_JOURNAL):
            writer.record_run(run, None, error)
        raise
    written = Written(manifest.rows, sum(manifest.rows.values()))
    if writer is not None:
        writer.versions_read |= manifest.versions
        writer.record_run(run, written, None)
    _log.info("publish_read_model: %s/%s, %s bytes", folder, manifest.file, f"{manifest.bytes:,}")
    return written


def publish(lake: str, folder: Path, checked_on: date | None) -> Manifest:
    """The manifest of a file with the tables' newest versions."""
    tables = LakeRows(Path(lake), checked_on, lake if is_address(lake) else "")
    _report_missing(tables.versions)
    newest = tables.rows(f"SELECT max(as_of_date) AS day FROM {ASSET_DETECTIONS.full_name}")[0]["day"]
    return write_model(folder, tables, Layout(describe_tables(), INDEXED, READS), newest)


def publish_if_changed(lake: str, folder: Path) -> bool:
    """Whether a read model of the lake's newest tables is there; false where there is no lake yet."""
    try:
        known = read_manifest(folder).versions
    except InputError:
        known = {}
    paths = {table.full_name: f"{lake.rstrip('/')}/{table.layer}/{table.name}" for table in READS}
    newest = {name: version for name, path in paths.items() if (version := find_newest(path)) is not None}
    if newest and newest != known:
        publish(lake, folder, None)
    elif newest:
        _report_missing(newest)
    return bool(newest)


def _report_missing(versions: Mapping[str, int]) -> None:
    """One line for the derived tables that the lake lacks, with the jobs that fill them."""
    missing = [table for table in _DERIVED if table.full_name not in versions]
    if missing:
        names, jobs = (
            ", ".join(dict.fromkeys(found)) for found in zip(*((one.full_name, f"jobs/{one.job}.py") for one in missing), strict=True)
        )
        _log.warning("publish_read_model: %s: not in the lake, so that what rests on them is empty; run %s first", names, jobs)


def describe_tables() -> dict[str, str]:
    """Name of each table of the file, and the query that fills it, sorted by what is looked up."""
    return {
        "medium_detections": _copy(ASSET_DETECTIONS, f"{_ELIGIBLE} AND tier = '{Tier.MEDIUM}' AND status = 'characterised'"),
        "assets": _describe_assets(),
        "asset_ids": f"SELECT mpan_id, asset_class, asset_id FROM {FMAR_ASSETS.full_name} WHERE {_ELIGIBLE} ORDER BY ALL",
        "asset_sizes": _describe_sizes(),
        "envelopes": _copy(ENVELOPES, f"asset_id IN (SELECT asset_id FROM {FMAR_ASSETS.full_name} WHERE {_ELIGIBLE})"),
        "discrepancies": _copy(DISCREPANCIES, _ELIGIBLE),
        "deliveries": f"""
            SELECT strftime(slot_start_at AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M') || ' ' || fsp_id AS delivery_id, {_list(ASSET_VOLUMES)}
            FROM {ASSET_VOLUMES.full_name} WHERE is_newest AND {_ELIGIBLE} ORDER BY mpan_id, amsid, delivery_id
        """,
        "delivery_checks": _copy(DELIVERY_CHECKS, _ELIGIBLE, ("mpan_id", "amsid", "event_id")),
        "delivery_evidence": _copy(DELIVERY_EVIDENCE, _ELIGIBLE),
        "notices": f"""
            WITH tried AS (
                SELECT notice_id, count(*) AS attempts, max_by(outcome, attempt) AS outcome, arg_max_null(error, attempt) AS last_error,
                    max(attempted_at) AS last_attempt_at, arg_max_null(next_attempt_at, attempt) AS next_attempt_at
                FROM {NOTICE_ATTEMPTS.full_name} GROUP BY notice_id
            )
            SELECT n.notice_id, n.flag_id, n.mpan_id, n.recipient, n.change, n.created_at, coalesce(t.outcome, 'pending') AS state,
                coalesce(t.attempts, 0) AS attempts, t.last_error, t.last_attempt_at, t.next_attempt_at, [n.recipient] AS recipients
            FROM {NOTICES.full_name} n LEFT JOIN tried t ON t.notice_id = n.notice_id WHERE n.{_ELIGIBLE} ORDER BY n.notice_id
        """,
        "area_deliveries": f"""
            SELECT {_list(AREA_DELIVERIES)}, coalesce({_render_case("area_id", GSP_GROUP_OF_DISTRIBUTOR)}, []) AS distributor_ids
            FROM {AREA_DELIVERIES.full_name} ORDER BY {", ".join(AREA_DELIVERIES.key)}
        """,
        "areas": f"""
            SELECT {_list(AREAS)}, coalesce({_render_case("dno_code", DNO_OF_DISTRIBUTOR)},
                {_render_case("gsp_group_id", GSP_GROUP_OF_DISTRIBUTOR)}, []) AS distributor_ids
            FROM {AREAS.full_name} ORDER BY area_level, area_id
        """,
        "area_capability": _of_areas(AREA_CAPABILITY),
        "area_availability": _of_areas(AREA_AVAILABILITY),
        "system_health": f"""
            SELECT {_list(SYSTEM_HEALTH)}, coalesce({_render_case("gsp_group_id", GSP_GROUP_OF_DISTRIBUTOR)}, []) AS distributor_ids
            FROM {SYSTEM_HEALTH.full_name} ORDER BY {", ".join(SYSTEM_HEALTH.key)}
        """,
        "origins": _ORIGINS,
    }


def _list(contract: TableContract, alias: str = "") -> str:
    return ", ".join(f"{alias}{name}" for name in contract.names if name != "run_id")


def _copy(contract: TableContract, condition: str = "TRUE", order: tuple[str, ...] = ()) -> str:
    return f"SELECT {_list(contract)} FROM {contract.full_name} WHERE {condition} ORDER BY {', '.join(order or contract.key)}"


def _of_areas(contract: TableContract) -> str:
    """With the networks that an area lies on."""
    return f"""
        SELECT {_list(contract, "a.")}, coalesce(m.distributor_ids, []) AS distributor_ids
        FROM {contract.full_name} a LEFT JOIN made.areas m ON m.area_level = a.area_level AND m.area_id = a.area_id
        ORDER BY {", ".join(f"a.{name}" for name in contract.key)}
    """


def _describe_assets() -> str:
    """FMAR's record with what the detection rests on; parameters, seasons and changes of an asset nested in its row."""
    return f"""
        WITH sizes AS (
            SELECT mpan_id, asset_class, list({_struct(CAPABILITY)} ORDER BY direction) AS rows
            FROM {CAPABILITY.full_name} WHERE {_ELIGIBLE} GROUP BY ALL
        ), seasons AS (
            SELECT mpan_id, asset_class, direction, season, min(weeks_observed) AS weeks_observed,
                list(probability ORDER BY weekday, slot) AS probability, list(kw_p50 ORDER BY weekday, slot) AS kw_p50
            FROM {AVAILABILITY.full_name} WHERE {_ELIGIBLE} GROUP BY ALL
        ), weeks AS (
            SELECT mpan_id, asset_class, list({{'direction': direction, 'season': season, 'weeks_observed': weeks_observed,
                'probability': probability, 'kw_p50': kw_p50}} ORDER BY direction, season) AS rows
            FROM seasons GROUP BY ALL
        ), changes AS (
            SELECT mpan_id, asset_class, list({_struct(ASSET_CHANGES)} ORDER BY changed_date) AS rows
            FROM {ASSET_CHANGES.full_name} WHERE {_ELIGIBLE} GROUP BY ALL
        )
        SELECT {_list(FMAR_ASSETS, "f.")}, d.present_probability, d.model_version, d.days_seen, d.appeared_p10_date, d.appeared_p90_date,
            d.removed_date, p.error_code_slots, p.spike_slots, p.lump_slots,
            coalesce(s.rows, []) AS capability, coalesce(w.rows, []) AS availability, coalesce(c.rows, []) AS changes
        FROM {FMAR_ASSETS.full_name} f
        LEFT JOIN {ASSET_DETECTIONS.full_name} d ON d.mpan_id = f.mpan_id AND d.asset_class = f.asset_class
        LEFT JOIN {METER_PROFILES.full_name} p ON p.mpan_id = f.mpan_id
        LEFT JOIN sizes s ON s.mpan_id = f.mpan_id AND s.asset_class = f.asset_class
        LEFT JOIN weeks w ON w.mpan_id = f.mpan_id AND w.asset_class = f.asset_class
        LEFT JOIN changes c ON c.mpan_id = f.mpan_id AND c.asset_class = f.asset_class
        WHERE f.{_ELIGIBLE} ORDER BY f.asset_id
    """


def _describe_sizes() -> str:
    """One row an asset and direction, as a portfolio needs them; one without a direction where no size was derived."""
    return f"""
        WITH limits AS (
            SELECT mpan_id, asset_class, direction, bool_or(is_over_export_limit) AS is_over_export_limit
            FROM {PORTFOLIO.full_name} GROUP BY ALL
        )
        SELECT f.mpan_id, f.asset_class, coalesce(c.direction, '') AS direction, f.asset_id, f.tier, d.present_probability,
            c.rated_kw, c.rated_kw_lower, c.rated_kw_upper, c.duration_minutes_min, c.duration_minutes_p50, c.duration_minutes_max,
            c.energy_kwh_day, c.storage_kwh, f.gsp_group_id, f.gsp_id, l.is_over_export_limit, f.as_of_date
        FROM {FMAR_ASSETS.full_name} f
        LEFT JOIN {ASSET_DETECTIONS.full_name} d ON d.mpan_id = f.mpan_id AND d.asset_class = f.asset_class
        LEFT JOIN {CAPABILITY.full_name} c ON c.mpan_id = f.mpan_id AND c.asset_class = f.asset_class
        LEFT JOIN limits l ON l.mpan_id = f.mpan_id AND l.asset_class = f.asset_class AND l.direction = c.direction
        WHERE f.is_present AND f.{_ELIGIBLE} ORDER BY f.mpan_id, f.asset_class, direction
    """


def _struct(contract: TableContract) -> str:
    """Columns of a table that say something of an asset, as one value."""
    given = [name for name in contract.names if name not in {"mpan_id", "asset_class", "run_id", "as_of_date"}]
    return "{" + ", ".join(f"'{name}': {name}" for name in given) + "}"


def _render_case(column: str, value_of_distributor: Mapping[str, str]) -> str:
    """Distributor ids (first two digits of an MPAN) by an area's operator or group; null where there is none."""
    ids: dict[str, list[str]] = {}
    for distributor_id, value in sorted(value_of_distributor.items()):
        ids.setdefault(str(value), []).append(distributor_id)
    cases = " ".join(f"WHEN '{value}' THEN {found}" for value, found in ids.items())
    return f"(CASE {column} {cases} END)"
