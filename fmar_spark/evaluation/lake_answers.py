"""What a lake answers about the labelled meters, and which of them its classifier has learnt from."""

from typing import Final

import numpy as np
import pyarrow as pa

from fmar_spark.contracts.capability import ASSET_DETECTIONS
from fmar_spark.domain.words import Quantity
from fmar_spark.errors import ConfigError, InputError
from fmar_spark.evaluation.known_meters import KnownMeters, read_plan
from fmar_spark.learning.answers import Answers, Facts, lay_answers, to_numbers
from fmar_spark.learning.labelled import Labels
from fmar_spark.learning.training_meters import Refusal, TrainedOn, mark_days, refuse_days, refuse_fleet, refuse_names
from fmar_spark.report.lake_rows import LakeRows
from fmar_spark.report.provenance import Kind

ASKED: Final = "asked"
FACT_NAMES: Final = ("days_seen", "missing_share", "has_export", "has_weather", "is_domestic", "first_day", "last_day")
_FACTS: Final = """
    SELECT a.place, coalesce(p.days_seen, d.days_seen) AS days_seen, p.missing_share, p.has_export, p.has_weather, p.is_domestic,
        p.first_date AS first_day, CASE WHEN d.days_seen > 0 THEN d.as_of_date END AS last_day
    FROM asked a
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


def ask_for(lake: LakeRows, labels: Labels) -> None:
    """``asked`` is then a table of the lake: mpan_id and place of the labelled meters."""
    lake.add(ASKED, pa.table({"mpan_id": pa.array(labels.mpan_id, pa.string()), "place": np.arange(len(labels.mpan_id))}))


def read_answers(lake: LakeRows, meters: int) -> Answers:
    """The answers of the lake's gold tables about the meters that were asked for."""
    detections = lake.read("SELECT a.place, d.* FROM gold.asset_detections d JOIN asked a USING (mpan_id)")
    capabilities = lake.read("SELECT a.place, c.* FROM gold.capability c JOIN asked a USING (mpan_id)")
    return lay_answers(detections, capabilities, meters)


def read_facts(lake: LakeRows) -> Facts:
    """What the readings of the meters that were asked for have."""
    wanted = "mpan_id, days_seen, missing_share, has_export, has_weather, is_domestic, first_date"
    lake.define("profile_facts", f"SELECT {wanted} FROM silver.meter_profiles")
    return Facts(**to_numbers(lake.read(_FACTS), FACT_NAMES))


def refuse_training_meters(lake: LakeRows, known: KnownMeters, trained_on: TrainedOn) -> list[Refusal]:
    """Labelled meters that the classifier has learnt from, each once with the first reason.

    They are known by MPAN, by their readings on the first day of a month, or as members of a simulated training fleet.
    """
    labels = known.labels
    is_simulated = np.array([kind == Kind.SIMULATED for kind in labels.kind], dtype=np.bool_)
    found = refuse_names(trained_on, labels.mpan_id, is_simulated)
    if trained_on.days.size:
        days = lake.read(
            f"""SELECT a.place, r.kwh FROM silver.readings r JOIN asked a USING (mpan_id)
            WHERE r.quantity = '{Quantity.AI}' AND day(r.utc_date) = 1"""
        )
        found += refuse_days(trained_on, days["place"].to_numpy().astype(np.int64), mark_days(days["kwh"]))
    for folder in known.truth_folders:
        plan = read_plan(folder)
        place = np.array([row for row, mpan in enumerate(labels.mpan_id) if known.fleet_of.get(mpan) == folder], dtype=np.int64)
        if plan is not None and place.size:
            found += refuse_fleet(trained_on, plan, [labels.mpan_id[row] for row in place], place)
    first: dict[int, Refusal] = {}
    for refusal in found:
        first.setdefault(refusal.place, refusal)
    return [first[place] for place in sorted(first)]


def count_unplanned(known: KnownMeters) -> int:
    """Simulated meters of which nobody says from which seed they were drawn."""
    planned = {folder for folder in known.truth_folders if read_plan(folder) is not None}
    pairs = zip(known.labels.mpan_id, known.labels.kind, strict=True)
    return sum(kind == Kind.SIMULATED and known.fleet_of.get(mpan) not in planned for mpan, kind in pairs)
