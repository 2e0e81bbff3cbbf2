"""The two passes over whole histories, in memory: profiles of meters, and predictions of wanted days."""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

import pyarrow as pa

from fmar_spark.contracts.capability import BASELINE_PREDICTIONS
from fmar_spark.contracts.profiles import METER_PROFILES
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.local.meter_days import cut_meters, list_meters, request_days
from fmar_spark.profiling.baselines import PredictionPass, read_rules
from fmar_spark.profiling.profiles import ProfilePass, read_profile_rules
from fmar_spark.profiling.verdicts import Scorer
from fmar_spark.profiling.windows import WeatherBook
from fmar_spark.settings.sections import Settings


class Histories(NamedTuple):
    """Everything that is known of some meters."""

    days: pa.Table
    """Meter-days in the format of ``meter_days.SCHEMA``."""
    weather: WeatherBook


def profile_meters(histories: Histories, scorer: Scorer, settings: Settings, run_id: str, run_date: date) -> pa.Table:
    """One row of silver.meter_profiles a meter."""
    profile_pass = ProfilePass(scorer, histories.weather, read_profile_rules(settings), run_id, run_date)
    chunks = cut_meters([histories.days], settings.characterise.meters_per_chunk)
    return pa.Table.from_batches([batch for chunk in chunks for batch in profile_pass(chunk)], schema=arrow_schema(METER_PROFILES))


def predict_meter_days(histories: Histories, wanted: Iterable[tuple[str, date]], settings: Settings, run_id: str) -> pa.Table:
    """Rows of gold.baseline_predictions for every wanted local day of a meter (mpan_id, date)."""
    requested = request_days(wanted, list_meters(histories.days))
    prediction_pass = PredictionPass(histories.weather, read_rules(settings.baseline).baseline, run_id)
    chunks = cut_meters([histories.days, requested], settings.characterise.meters_per_chunk)
    return pa.Table.from_batches([batch for chunk in chunks for batch in prediction_pass(chunk)], schema=arrow_schema(BASELINE_PREDICTIONS))
