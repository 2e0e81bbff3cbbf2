"""Day-ahead baselines: rows of ``gold.baseline_predictions``, and how each meter's baseline did lately."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from fmar_spark import clock
from fmar_spark.contracts.capability import BASELINE_PREDICTIONS
from fmar_spark.engine.arrow_columns import Values, build_column, build_structs, to_dates
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.errors import ConfigError
from fmar_spark.kernels.baseline.day_ahead import MODELS, NONE, BaselineDays, BaselineRules, predict_days
from fmar_spark.kernels.baseline.days import is_plain_working
from fmar_spark.kernels.baseline.interval import IntervalRules
from fmar_spark.kernels.baseline.reference import ReferenceRules, reference_bl01
from fmar_spark.kernels.baseline.score import Forecasts, summarise_fit
from fmar_spark.kernels.baseline.stack import StackRules
from fmar_spark.kernels.baseline.years import cut_calendar, predict_by_year
from fmar_spark.kernels.sufficiency import Sufficiency
from fmar_spark.kernels.window import Floats, Ints, MeterWindow
from fmar_spark.profiling.windows import MeterGroup, WeatherBook, group_meters
from fmar_spark.settings.sections import BaselineSettings
from fmar_spark.units import SLOT_MINUTES, kwh_from_kw

WHOLE_HISTORY_MONTHS: Final = 1200
ASKED_PER_BATCH: Final = 2000
"""Meter-days of one record batch: about 100,000 rows."""
DAYS_PER_PASS: Final = 16
"""Meters whose last days lie this close are forecast in one pass: their number changes the cost, never the result."""


FURTHEST_DAYS: Final = 400
"""How far before the first reading, or after the last, a day may lie."""


class ScoreRules(NamedTuple):
    """Over which days a baseline is scored."""

    score_days: int
    """Last days of each meter that are forecast, each from the days before it."""
    warm_up_days: int
    """Days before those that it learns from."""
    baseline: BaselineRules = BaselineRules()


class BaselineStanding(NamedTuple):
    """How each meter's baseline did on the last days of its history, arrays of shape (meters,); NaN where not scored."""

    model: Ints
    trained_from_day: Ints
    trained_to_day: Ints
    days_used: Ints
    cv_rmse: Floats
    bl01_cv_rmse: Floats
    nmbe: Floats
    interval_coverage: Floats


def read_rules(settings: BaselineSettings) -> ScoreRules:
    """What a user may set about baselines, as the kernels take it."""
    baseline = BaselineRules(
        stack=StackRules(half_life_days=settings.half_life_days),
        interval=IntervalRules(half_life_days=settings.interval_half_life_days),
    )
    return ScoreRules(settings.score_days, settings.score_warm_up_days, baseline)


def score_baselines(window: MeterWindow, net_kw: Floats, sufficiency: Sufficiency, rules: ScoreRules) -> BaselineStanding:
    """Forecast the last days of every meter, each from the days before it, beside BL01.

    A meter's figures do not depend on the others of the batch.

    Args:
        window: calendar and weather of the batch.
        net_kw: import less export, shape (meters, days, 48), NaN where unread.
        sufficiency: of the same meters.
        rules: which days.
    """
    meters = len(net_kw)
    standing = BaselineStanding(*np.zeros((4, meters), dtype=np.int64), *np.full((4, meters), np.nan))
    last = sufficiency.last_day
    for group in np.unique(last[last >= 0] // DAYS_PER_PASS):
        members = np.flatnonzero((last >= 0) & (last // DAYS_PER_PASS == group))
        part = _score_pass(window, net_kw, members, last[members], rules)
        for whole, piece in zip(standing, part, strict=True):
            whole[members] = piece
    return standing


def _score_pass(window: MeterWindow, net_kw: Floats, members: Ints, last: Ints, rules: ScoreRules) -> BaselineStanding:
    """The standing of meters whose last days lie close together."""
    first = np.maximum(last - rules.score_days - rules.warm_up_days + 1, 0)
    targets = np.arange(max(int(last.min()) - rules.score_days + 1, 0), int(last.max()) + 1)
    start = max(min(int(first.min()), int(targets[0]) - ReferenceRules().look_back_days), 0)
    span = slice(start, int(last.max()) + 1)
    net_kwh = kwh_from_kw(net_kw[members, span])
    day = np.arange(span.start, span.stop)
    is_used = (day >= first[:, None]) & (day <= last[:, None])
    calendar = cut_calendar(window.calendar, span)
    used_kwh = np.where(is_used[:, :, None], net_kwh, np.float32(np.nan))
    found = predict_days(used_kwh, window.temp_c[:, span], window.area[members], calendar, targets - start, rules.baseline)
    reference = reference_bl01(net_kwh, is_plain_working(calendar), targets - start)
    own = last[:, None] - np.arange(rules.score_days)[::-1]
    rows, place = np.arange(len(members))[:, None], np.maximum(own - targets[0], 0)
    actual = np.where((own >= 0)[:, :, None], net_kwh[rows, np.maximum(own, 0) - start], np.nan)
    forecasts = Forecasts(*(kwh[rows, place] for kwh in (found.predicted_kwh, found.p10_kwh, found.p90_kwh, reference)))
    summary = summarise_fit(actual, forecasts)
    is_read = np.isfinite(used_kwh).any(axis=2)
    return BaselineStanding(
        model=found.model[np.arange(len(members)), last - targets[0]],
        trained_from_day=is_read.argmax(axis=1) + start,
        trained_to_day=last,
        days_used=is_read.sum(axis=1),
        cv_rmse=summary.cv_rmse,
        bl01_cv_rmse=summary.cv_rmse_reference,
        nmbe=summary.nmbe,
        interval_coverage=summary.coverage,
    )


def build_standing(standing: BaselineStanding, start: np.datetime64, kind: pa.StructType) -> pa.StructArray:
    """The ``baseline`` column of a profile; all null for a meter without a forecast."""
    known = standing.model != NONE
    columns: dict[str, Values] = {
        "model": [MODELS[model] if is_known else None for model, is_known in zip(standing.model.tolist(), known.tolist(), strict=True)],
        "trained_from_date": to_dates(standing.trained_from_day, start, known),
        "trained_to_date": to_dates(standing.trained_to_day, start, known),
        "days_used": standing.days_used.astype(np.int32),
        "cv_rmse": standing.cv_rmse,
        "bl01_cv_rmse": standing.bl01_cv_rmse,
        "nmbe": standing.nmbe,
        "interval_coverage": standing.interval_coverage,
    }
    return build_structs(columns, kind)


def check_reach(wanted: Iterable[date], first_read: date, last_read: date) -> None:
    """Reject days so far from all readings that nothing can be predicted for them, before a window is built for them.

    Raises:
        ConfigError: the first such day is named.
    """
    low, high = first_read - timedelta(days=FURTHEST_DAYS), last_read + timedelta(days=FURTHEST_DAYS)
    for day in sorted(wanted):
        if not low <= day <= high:
            raise ConfigError(f"day {day} requested, {low} to {high} wanted: readings run from {first_read} to {last_read}")


@dataclass(frozen=True)
class PredictionPass:
    """Turns the rows of whole meters, with the days that are asked for, into predictions."""

    weather: WeatherBook
    rules: BaselineRules
    run_id: str

    def __call__(self, chunk: pa.Table) -> Iterator[pa.RecordBatch]:
        """Record batches of predictions for each group of meters that share a calendar."""
        for group in group_meters(chunk, self.weather, WHOLE_HISTORY_MONTHS):
            if len(group.asked_day):
                yield from self.predict_group(group)

    def predict_group(self, group: MeterGroup) -> Iterator[pa.RecordBatch]:
        """One row for every half-hour of every meter-day that was asked for, some thousand meter-days at a time."""
        window = group.window
        targets, place = np.unique(group.asked_day, return_inverse=True)
        net_kwh = kwh_from_kw(window.net_kw)
        found = predict_by_year(net_kwh, window.temp_c, window.area, window.calendar, targets, self.rules)
        for first in range(0, len(place), ASKED_PER_BATCH):
            asked = np.arange(first, min(first + ASKED_PER_BATCH, len(place)))
            yield self._build_rows(group, found, asked, place[asked])

    def _build_rows(self, group: MeterGroup, found: BaselineDays, asked: Ints, place: Ints) -> pa.RecordBatch:
        """The rows of some of the meter-days asked for; ``place`` is that of each one's day among the days of ``found``."""
        owner, starts_at, local_slot = lay_half_hours(group, group.asked_day[asked])
        meter, target = group.asked_meter[asked][owner], place[owner]
        start = group.window.calendar.start_date
        trained_to = found.trained_to_day[meter, target]
        before = to_dates(group.asked_day[asked][owner] - 1, start, np.ones(len(owner), dtype=bool))
        trained_date = to_dates(trained_to, start, trained_to >= 0)
        columns: dict[str, Values] = {
            "mpan_id": pa.array(group.mpan_ids).take(pa.array(meter)),
            "slot_start_at": starts_at,
            "predicted_kwh": found.predicted_kwh[meter, target, local_slot],
            "p10_kwh": found.p10_kwh[meter, target, local_slot],
            "p90_kwh": found.p90_kwh[meter, target, local_slot],
            "model": pa.array(MODELS).take(pa.array(found.model[meter, target])),
            "trained_to_date": trained_date,
            "run_id": pa.repeat(self.run_id, len(owner)),
            "as_of_date": np.where(np.isnat(trained_date), before, trained_date),
        }
        schema = arrow_schema(BASELINE_PREDICTIONS)
        return pa.RecordBatch.from_arrays([build_column(columns[field.name], field.type) for field in schema], schema=schema)


def lay_half_hours(group: MeterGroup, asked_day: Ints) -> tuple[Ints, np.ndarray[tuple[int], np.dtype[np.datetime64]], Ints]:
    """The half-hours of local days: 46, 48 or 50 each, in order.

    Args:
        group: says which clock holds.
        asked_day: local days counted from the window's first, any number in any order.

    Returns:
        For every half-hour the position of its day in ``asked_day``, its UTC start and its clock slot 0..47.
    """
    days = group.window.import_kw.shape[1]
    day_before = clock.add_days(group.first_utc_date, -1)
    local = clock.local_slot_of_utc(day_before, days + 2, group.time_zone)
    day_of_slot, clock_slot = local // clock.SLOTS_PER_DAY - 1, local % clock.SLOTS_PER_DAY
    first = np.searchsorted(day_of_slot, asked_day, side="left")
    count = np.searchsorted(day_of_slot, asked_day, side="right") - first
    owner = np.repeat(np.arange(len(count)), count)
    utc_slot = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count) + first[owner]
    starts_at = np.datetime64(day_before, "us") + utc_slot * np.timedelta64(SLOT_MINUTES, "m")
    return owner, starts_at, clock_slot[utc_slot]
