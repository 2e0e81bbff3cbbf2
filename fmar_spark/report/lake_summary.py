"""Summary of a lake: rows, assets found by class and tier, and a few meters in detail."""

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from fmar_spark import clock
from fmar_spark.domain.assets import ASSET_CLASSES, LABEL_OF_CLASS
from fmar_spark.domain.words import PRESENT_FROM, Status, Tier
from fmar_spark.engine.lake_sql import LakeRows
from fmar_spark.kernels.annual_energy import AnnualEnergy, estimate_annual_energy
from fmar_spark.report.frame import EPOCH
from fmar_spark.report.histories import read_histories
from fmar_spark.units import HOURS_PER_SLOT

SIMULATED_PROVENANCE: Final = "simulated"
REAL_PROVENANCE: Final = "real"


class Origin(StrEnum):
    """Where the readings of a meter come from."""

    MEASURED = "measured"
    """A real meter, read through DIP messages."""
    SIMULATED = "simulated"
    """A simulated meter."""
    IMPORTED = "imported"
    """A series that a user imported."""


class Meter(NamedTuple):
    """One meter in detail."""

    mpan_id: str
    name: str
    """Series id where it was imported, else the MPAN."""
    origin: Origin
    days_seen: int
    as_of_date: object
    annual: AnnualEnergy
    """Of its import."""
    answers: pd.DataFrame
    """Detections of its classes with size, tier and evidence."""
    cv_rmse: float
    bl01_cv_rmse: float
    """Day-ahead error of the baseline and of BL01 over mean load; NaN where there is none."""


def name_origins(meter_points: pd.DataFrame, labels: pd.DataFrame) -> pd.Series:
    """Origin of every meter point, by MPAN; an export meter point has that of its boundary."""
    provenance = labels.drop_duplicates("mpan_id").set_index("mpan_id")["provenance"].reindex(meter_points["boundary_mpan_id"]).to_numpy()
    by_label = np.where(provenance == SIMULATED_PROVENANCE, Origin.SIMULATED.value, Origin.MEASURED.value)
    names = np.where(meter_points["source"] == "import", Origin.IMPORTED.value, by_label)
    return pd.Series(names, index=meter_points["mpan_id"].to_numpy(), name="origin", dtype=object)


def count_by_origin(mpan_ids: pd.Series, origins: pd.Series) -> dict[str, int]:
    """Rows of each origin; rows of meter points that are not known yet count nowhere."""
    found = origins.reindex(mpan_ids).value_counts()
    return {str(name): int(rows) for name, rows in found.items()}


def tabulate_findings(detections: pd.DataFrame, origins: pd.Series, labels: pd.DataFrame) -> pd.DataFrame:
    """One row an asset class and origin: meters by answer, and where labels say so how many have it and were found.

    Columns: asset_class, origin, present_high, present_medium, present_low, absent, in_progress, not_observable,
    labelled (meters that have it at some time by their labels), answered (of those: characterised), found (of those answered:
    probability 0.5 or more), false_alarms (found among meters labelled without it).
    """
    rows = detections.assign(origin=origins.reindex(detections["mpan_id"]).to_numpy())
    is_present = rows["is_present"].eq(True)
    is_characterised = rows["status"] == Status.CHARACTERISED
    answers = {f"present_{tier.value}": is_characterised & is_present & (rows["tier"] == tier) for tier in Tier}
    answers["absent"] = is_characterised & ~is_present
    answers["in_progress"] = rows["status"] == Status.IN_PROGRESS
    answers["not_observable"] = rows["status"] == Status.NOT_OBSERVABLE
    truth = _look_up_truth(rows, labels)
    is_found = is_characterised & (rows["probability"] >= PRESENT_FROM)
    answers["labelled"] = truth == 1
    answers["answered"] = is_characterised & (truth == 1)
    answers["found"] = is_found & (truth == 1)
    answers["false_alarms"] = is_found & (truth == 0)
    counted = rows[["asset_class", "origin"]].assign(**{name: marks.astype(int) for name, marks in answers.items()})
    order = pd.CategoricalDtype([asset.value for asset in ASSET_CLASSES], ordered=True)
    counted["asset_class"] = counted["asset_class"].astype(order)
    return counted.groupby(["asset_class", "origin"], observed=True, sort=True).sum().reset_index()


def find_local_days(half_hours: pd.DataFrame, zones: pd.Series) -> tuple[date, date]:
    """The first and the last day of some half-hours, by the local clock of each meter.

    Args:
        half_hours: mpan_id and slot_start_at, UTC; at least one row.
        zones: IANA zone by MPAN; where it is unknown, London's.
    """
    starts = pd.to_datetime(half_hours["slot_start_at"], utc=True)
    zone = zones.reindex(half_hours["mpan_id"]).fillna(clock.LONDON).to_numpy()
    ends = [(rows.min().tz_convert(str(name)).date(), rows.max().tz_convert(str(name)).date()) for name, rows in starts.groupby(zone)]
    return min(first for first, _ in ends), max(last for _, last in ends)


def count_later_days(lake: LakeRows) -> tuple[int, int]:
    """Meters whose readings go on after the day of the newest answers, and how many days of readings that leaves out.

    Args:
        lake: with readings and detections.
    """
    found = lake.rows(
        """WITH newest AS (SELECT max(as_of_date) AS as_of_date FROM gold.asset_detections),
        answered AS (SELECT DISTINCT mpan_id, as_of_date FROM gold.asset_detections JOIN newest USING (as_of_date)),
        later AS (
            SELECT DISTINCT mpan_id, utc_date, as_of_date FROM eligible_readings JOIN answered USING (mpan_id) WHERE utc_date > as_of_date
        ),
        meters AS (SELECT mpan_id, count(*) AS days FROM later GROUP BY mpan_id HAVING max(utc_date) > any_value(as_of_date) + 1)
        SELECT count(*) AS meters, coalesce(sum(days), 0) AS days FROM meters"""
    )[0]
    return int(found["meters"]), int(found["days"])


def choose_meters(ranked: Sequence[str], origins: pd.Series, wanted: dict[Origin, int]) -> list[str]:
    """The first meters of each origin.

    Args:
        ranked: MPANs, of ``rank_meters``.
        origins: by MPAN.
        wanted: how many of each origin.
    """
    return [mpan for origin, count in wanted.items() for mpan in [one for one in ranked if origins.get(one) == origin][:count]]


def describe_meter(
    mpan_id: str, origins: pd.Series, tables: dict[str, pd.DataFrame], series_names: dict[str, str], annual: AnnualEnergy
) -> Meter:
    """One meter's answers, sizes and baseline.

    Args:
        mpan_id: meter point of the boundary.
        origins: by MPAN.
        tables: rows of the meter, by name: detections, capability and baselines.
        series_names: series id by MPAN, of imported series.
        annual: import of a year.
    """
    detections, baselines = tables["detections"], tables["baselines"]
    capability = tables["capability"][["asset_class", "direction", "rated_kw", "rated_kw_lower", "rated_kw_upper", "events_seen"]]
    answers = detections.merge(capability, on="asset_class", how="left")
    order = {asset.value: place for place, asset in enumerate(ASSET_CLASSES)}
    answers = answers.sort_values("asset_class", key=lambda names: names.map(order), kind="stable")
    first = detections.iloc[0]
    return Meter(
        mpan_id=mpan_id,
        name=series_names.get(mpan_id, mpan_id),
        origin=Origin(origins[mpan_id]),
        days_seen=int(first["days_seen"]),
        as_of_date=first["as_of_date"],
        annual=annual,
        answers=answers,
        cv_rmse=float(baselines["cv_rmse"].iloc[0]) if len(baselines) else np.nan,
        bl01_cv_rmse=float(baselines["bl01_cv_rmse"].iloc[0]) if len(baselines) else np.nan,
    )


def read_annual_energy(lake: LakeRows, mpan_id: str) -> AnnualEnergy:
    """Import of a year of one meter, from its readings by the local clock."""
    meters = lake.rows("SELECT * FROM consent_checks WHERE mpan_id = $mpan_id", mpan_id=mpan_id)
    history = next(read_histories(lake, meters), None)
    if history is None:
        return estimate_annual_energy(np.zeros((0, clock.SLOTS_PER_DAY)), EPOCH)
    return estimate_annual_energy(history.import_kw * HOURS_PER_SLOT, history.first_date)


def _look_up_truth(rows: pd.DataFrame, labels: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """1 has it at some time, 0 has not, NaN unknown."""
    by_mpan = labels.drop_duplicates("mpan_id").set_index("mpan_id")
    truth = np.full(len(rows), np.nan)
    for asset, column in LABEL_OF_CLASS.items():
        mine = (rows["asset_class"] == asset).to_numpy()
        truth[mine] = pd.to_numeric(by_mpan[column].reindex(rows.loc[mine, "mpan_id"]).astype(object), errors="coerce").to_numpy(np.float64)
    return truth
