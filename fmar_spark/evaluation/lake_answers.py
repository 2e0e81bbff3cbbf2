"""The answers of a lake about the labelled meters, which of them its classifier was trained on, and the most confident mistakes."""

from datetime import timedelta
from typing import Any, Final

import numpy as np
import pyarrow as pa

from fmar_spark.contracts.capability import ASSET_DETECTIONS
from fmar_spark.domain.assets import ASSET_CLASSES, AssetClass
from fmar_spark.domain.words import PRESENT_FROM, Quantity
from fmar_spark.engine.lake_sql import LakeRows
from fmar_spark.errors import ConfigError, InputError
from fmar_spark.evaluation.known_meters import KnownMeters, read_plan
from fmar_spark.learning.answers import Answers, Facts, Scored, build_answers, to_numbers
from fmar_spark.learning.labelled import SIZES, Labels
from fmar_spark.learning.scores import Question, read_question
from fmar_spark.learning.training_meters import Exclusion, TrainedOn, exclude_days, exclude_fleet, exclude_names, mark_days
from fmar_spark.report.frame import EPOCH, round_values
from fmar_spark.report.provenance import Kind

LABELLED: Final = "labelled"
FACT_NAMES: Final = ("days_seen", "missing_share", "has_export", "has_weather", "is_domestic", "first_day", "last_day")
_FACTS: Final = """
    SELECT a.place, coalesce(p.days_seen, d.days_seen) AS days_seen, p.missing_share, p.has_export, p.has_weather, p.is_domestic,
        p.first_date AS first_day, CASE WHEN d.days_seen > 0 THEN d.as_of_date END AS last_day
    FROM labelled a
    LEFT JOIN (SELECT mpan_id, max(days_seen) AS days_seen, max(as_of_date) AS as_of_date FROM gold.asset_detections GROUP BY mpan_id) d
        USING (mpan_id)
    LEFT JOIN profile_facts p USING (mpan_id) ORDER BY a.place
"""


def find_version(lake: LakeRows) -> str:
    """The classifier that scored the lake.

    Raises:
        ConfigError: nothing was characterised.
        InputError: rows of several.
    """
    if not lake.has(ASSET_DETECTIONS):
        raise ConfigError(f"{lake.root}: no {ASSET_DETECTIONS.full_name} yet; run jobs/{ASSET_DETECTIONS.job}.py first")
    found = [row["model_version"] for row in lake.rows("SELECT DISTINCT model_version FROM gold.asset_detections ORDER BY 1")]
    if len(found) != 1:
        raise InputError(
            f"{lake.root}: answers of {len(found)} classifiers ({', '.join(found)}), one wanted; run jobs/characterise.py over all meters"
        )
    return str(found[0])


def define_labelled(lake: LakeRows, labels: Labels) -> None:
    """``labelled`` is then a table of the lake: mpan_id and place of the labelled meters."""
    lake.add(LABELLED, pa.table({"mpan_id": pa.array(labels.mpan_id, pa.string()), "place": np.arange(len(labels.mpan_id))}))


def read_answers(lake: LakeRows, meters: int) -> Answers:
    """The answers of the lake's gold tables about the labelled meters."""
    detections = lake.read("SELECT a.place, d.* FROM gold.asset_detections d JOIN labelled a USING (mpan_id)")
    capabilities = lake.read("SELECT a.place, c.* FROM gold.capability c JOIN labelled a USING (mpan_id)")
    return build_answers(detections, capabilities, meters)


def read_facts(lake: LakeRows) -> Facts:
    """What the readings of the labelled meters have."""
    wanted = "mpan_id, days_seen, missing_share, has_export, has_weather, is_domestic, first_date"
    lake.define("profile_facts", f"SELECT {wanted} FROM silver.meter_profiles")
    return Facts(**to_numbers(lake.read(_FACTS), FACT_NAMES))


def find_training_meters(lake: LakeRows, known: KnownMeters, trained_on: TrainedOn) -> list[Exclusion]:
    """Labelled meters that the classifier has learnt from, each once with the first reason.

    They are known by MPAN, by their readings on the first day of a month, or as members of a simulated training fleet.
    """
    labels = known.labels
    is_simulated = np.array([kind == Kind.SIMULATED for kind in labels.kind], dtype=np.bool_)
    found = exclude_names(trained_on, labels.mpan_id, is_simulated)
    if trained_on.days.size:
        days = lake.read(
            f"""SELECT a.place, r.kwh FROM eligible_readings r JOIN labelled a USING (mpan_id)
            WHERE r.quantity = '{Quantity.AI}' AND day(r.utc_date) = 1"""
        )
        found += exclude_days(trained_on, days["place"].to_numpy().astype(np.int64), mark_days(days["kwh"]))
    for folder in known.truth_folders:
        plan = read_plan(folder)
        place = np.array([row for row, mpan in enumerate(labels.mpan_id) if known.fleet_of.get(mpan) == folder], dtype=np.int64)
        if plan is not None and place.size:
            found += exclude_fleet(trained_on, plan, [labels.mpan_id[row] for row in place], place)
    first: dict[int, Exclusion] = {}
    for exclusion in found:
        first.setdefault(exclusion.place, exclusion)
    return [first[place] for place in sorted(first)]


def count_unplanned(known: KnownMeters) -> int:
    """Simulated meters whose seed is unknown."""
    planned = {folder for folder in known.truth_folders if read_plan(folder) is not None}
    pairs = zip(known.labels.mpan_id, known.labels.kind, strict=True)
    return sum(kind == Kind.SIMULATED and known.fleet_of.get(mpan) not in planned for mpan, kind in pairs)


def list_mistakes(scored: Scored, most: int) -> dict[str, list[dict[str, Any]]]:
    """By class, the wrong answers on whether it was there at some time, most confident first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for place, asset in enumerate(ASSET_CLASSES):
        stated, truth = read_question(scored, asset, Question.EVER)
        said = stated >= PRESENT_FROM
        is_wrong = ~np.isnan(stated) & ~np.isnan(truth) & (said != (truth == 1))
        rows = np.flatnonzero(is_wrong)
        most_confident = rows[np.argsort(-np.maximum(stated[rows], 1 - stated[rows]), kind="stable")][:most]
        found[asset.value] = [_describe(scored, int(row), place) for row in most_confident]
    return found


def list_answers(scored: Scored) -> list[dict[str, Any]]:
    """Every question whose answer is known, meter by meter: for sets too small for figures."""
    return [
        _describe(scored, row, place)
        for row in range(len(scored.labels.mpan_id))
        for place in range(len(ASSET_CLASSES))
        if not np.isnan(scored.truth.ever[row, place])
    ]


def _describe(scored: Scored, row: int, place: int) -> dict[str, Any]:
    labels, answers, facts = scored.labels, scored.answers, scored.facts
    probability, present = round_values((answers.probability[row, place], answers.present_probability[row, place]), 3)
    days, missing, export, weather = round_values(
        (facts.days_seen[row], facts.missing_share[row], facts.has_export[row], facts.has_weather[row]), 3
    )
    ever, is_there = round_values((scored.truth.ever[row, place], scored.truth.present[row, place]), 0)
    confusers = labels.confusers[row]
    return {
        "name": labels.name[row],
        "mpan_id": labels.mpan_id[row],
        "asset_class": ASSET_CLASSES[place].value,
        "true_ever": ever,
        "true_present": is_there,
        "true_sizes": _known_sizes(scored, row, ASSET_CLASSES[place]),
        "true_appeared": _write_day(scored.truth.appeared_day[row, place]),
        "true_removed": _write_day(scored.truth.removed_day[row, place]),
        "status": answers.status[row, place],
        "probability": probability,
        "present_probability": present,
        "tier": answers.tier[row, place],
        "evidence": answers.evidence[row, place],
        "confusers": None if confusers is None else list(confusers),
        "also_there": [asset.value for other, asset in enumerate(ASSET_CLASSES) if other != place and scored.truth.ever[row, other] == 1],
        "days_seen": days,
        "missing_share": missing,
        "has_export": export,
        "has_weather": weather,
    }


def _known_sizes(scored: Scored, row: int, asset: AssetClass) -> dict[str, float]:
    known = {size.name: scored.labels.sizes[size.name][row] for size in SIZES if size.asset is asset}
    return {name: round(float(value), 2) for name, value in known.items() if not np.isnan(value)}


def _write_day(day: float) -> str | None:
    return None if np.isnan(day) else str(EPOCH + timedelta(days=int(day)))
