"""Day-ahead baselines: rows of ``gold.baseline_predictions``, and how each meter's baseline did lately."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from fmar_spark import clock
from fmar_spark.contracts.capability import BASELINE_PREDICTIONS
from fmar_spark.engine.schema import arrow_schema
from fmar_spark.kernels.baseline import MODELS, BaselineRules, fit_summary, predict_days
from fmar_spark.kernels.baseline_reference import reference_bl01
from fmar_spark.kernels.baseline_similarity import sort_days
from fmar_spark.kernels.sufficiency import Sufficiency
from fmar_spark.kernels.window import Floats, Ints, MeterWindow
from fmar_spark.transforms.meter_windows import MeterGroup, WeatherBook, group_meters
from fmar_spark.transforms.nested import Values, build_column, build_structs, to_dates
from fmar_spark.units import SLOT_MINUTES, kwh_from_kw

WHOLE_HISTORY_MONTHS = 1200


class BaselineStanding(NamedTuple):
    """How each meter's baseline did on the last days of its window, arrays of shape (meters,); NaN where not scored."""

    model: Ints
    trained_from_day: Ints
    trained_to_day: Ints
    days_used: Ints
    cv_rmse: Floats
    bl01_cv_rmse: Floats
    nmbe: Floats
    interval_coverage: Floats


def score_baselines(
    window: MeterWindow, net_kw: Floats, sufficiency: Sufficiency, score_days: int, rules: BaselineRules
) -> BaselineStanding:
    """Foresee the last days of the batch, each from the days before it, beside BL01.

    Args:
        window: calendar and weather of the batch.
        net_kw: import less export, shape (meters, days, 48), NaN where unread.
        sufficiency: of the same meters.
        score_days: how many days are foreseen.
        rules: of the baseline.
    """
    last = int(sufficiency.last_day.max(initial=-1))
    targets = np.arange(max(last - score_days + 1, 0), last + 1)
    net_kwh = kwh_from_kw(net_kw)
    found = predict_days(net_kwh, window.temp_c, window.area, window.calendar, targets, rules)
    reference = reference_bl01(net_kwh, sort_days(window.calendar).is_working, targets)
    summary = fit_summary(net_kwh, targets, found, reference, rules.window_days)
    has_any = (sufficiency.days_seen > 0) & (summary.model > 0)
    return BaselineStanding(
        model=np.where(has_any, summary.model, 0),
        trained_from_day=np.maximum(sufficiency.last_day - rules.window_days + 1, sufficiency.first_day),
        trained_to_day=sufficiency.last_day,
        days_used=np.where(has_any, np.nan_to_num(summary.trained_days), 0).astype(np.int64),
        cv_rmse=summary.cv_rmse,
        bl01_cv_rmse=summary.cv_rmse_reference,
        nmbe=summary.nmbe,
        interval_coverage=summary.coverage,
    )


def build_standing(standing: BaselineStanding, start: np.datetime64, kind: pa.StructType) -> pa.StructArray:
    """The ``baseline`` column of a profile; all null for a meter without a forecast."""
    known = standing.model > 0
    columns: dict[str, Values] = {
        "model": [MODELS[model] if model > 0 else None for model in standing.model.tolist()],
        "trained_from_date": to_dates(standing.trained_from_day, start, known),
        "trained_to_date": to_dates(standing.trained_to_day, start, known),
        "days_used": standing.days_used.astype(np.int32),
        "cv_rmse": standing.cv_rmse,
        "bl01_cv_rmse": standing.bl01_cv_rmse,
        "nmbe": standing.nmbe,
        "interval_coverage": standing.interval_coverage,
    }
    return build_structs(columns, kind)


@dataclass(frozen=True)
class PredictionPass:
    """Turns the rows of whole meters, with the days that are asked for, into predictions."""

    weather: WeatherBook
    rules: BaselineRules
    run_id: str

    def __call__(self, chunk: pa.Table) -> Iterator[pa.RecordBatch]:
        """One record batch for each group of meters that share a calendar."""
        for group in group_meters(chunk, self.weather, WHOLE_HISTORY_MONTHS):
            if len(group.asked_day):
                yield self.predict_group(group)

    def predict_group(self, group: MeterGroup) -> pa.RecordBatch:
        """One row for every half-hour of every meter-day that was asked for."""
        window = group.window
        targets, place = np.unique(group.asked_day, return_inverse=True)
        net_kwh = kwh_from_kw(window.net_kw)
        found = predict_days(net_kwh, window.temp_c, window.area, window.calendar, targets, self.rules)
        owner, utc_slot, local_slot = self._lay_half_hours(group)
        meter, target = group.asked_meter[owner], place[owner]
        trained_to = found.trained_to_day[meter, target]
        start = window.calendar.start_date
        trained_date = to_dates(trained_to, start, trained_to >= 0)
        before = to_dates(group.asked_day[owner] - 1, start, np.ones(len(owner), dtype=bool))
        columns: dict[str, Values] = {
            "mpan_id": pa.array(group.mpan_ids).take(pa.array(meter)),
            "slot_start_at": np.datetime64(group.first_utc_date, "us") + utc_slot * np.timedelta64(SLOT_MINUTES, "m"),
            "predicted_kwh": found.predicted_kwh[meter, target, local_slot],
            "p10_kwh": found.p10_kwh[meter, target, local_slot],
            "p90_kwh": found.p90_kwh[meter, target, local_slot],
            "model": np.array(MODELS, dtype=object)[found.model[meter, target]],
            "trained_to_date": trained_date,
            "run_id": [self.run_id] * len(owner),
            "as_of_date": np.where(np.isnat(trained_date), before, trained_date),
        }
        schema = arrow_schema(BASELINE_PREDICTIONS)
        return pa.RecordBatch.from_arrays([build_column(columns[field.name], field.type) for field in schema], schema=schema)

    @staticmethod
    def _lay_half_hours(group: MeterGroup) -> tuple[Ints, Ints, Ints]:
        """Which request each row answers, its UTC slot and its clock slot: 46, 48 or 50 rows a local day."""
        days = group.window.import_kw.shape[1]
        local = clock.local_slot_of_utc(group.first_utc_date, days, group.time_zone)
        day_of_slot, clock_slot = local // clock.SLOTS_PER_DAY, local % clock.SLOTS_PER_DAY
        first = np.searchsorted(day_of_slot, group.asked_day, side="left")
        count = np.searchsorted(day_of_slot, group.asked_day, side="right") - first
        owner = np.repeat(np.arange(len(count)), count)
        utc_slot = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count) + first[owner]
        return owner, utc_slot, clock_slot[utc_slot]
