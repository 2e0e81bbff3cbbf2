"""Finds heat pumps: electric heat that follows the weather all day and night, at a modest and steady power."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.kernels.episodes import sum_runs
from fmar_spark.kernels.heat_pump.heating import (
    Contrast,
    Response,
    contrast_days,
    describe_climate,
    fit_response,
    fit_windows,
    mean_of_days,
    regress,
)
from fmar_spark.kernels.heat_pump.winter import describe_winter
from fmar_spark.kernels.window import Events, Feature, Findings, Floats, HeatDays, MeterWindow, Method, Sizes, blank_columns, name_columns
from fmar_spark.units import HOURS_PER_SLOT

FEATURES: Final = (
    Feature("heat_pump_slope_w_k", "W/K", "Slope of calm load on heating degrees."),
    Feature("heat_pump_relative_slope", "ratio", "Growth of calm load by ten degrees over calm load without heating."),
    Feature("heat_pump_fit", "-1 to 1", "Signed partial R2 of heating degrees on calm load, weekday and daylight taken out."),
    Feature("heat_pump_night_fit", "-1 to 1", "Signed partial R2 of heating degrees on the load from 01:00 to 05:00."),
    Feature("heat_pump_day_share", "ratio", "Slope of the whole day over that of calm load."),
    Feature("heat_pump_night_share", "ratio", "Slope of 01:00 to 05:00 over that of the whole day."),
    Feature("heat_pump_evening_share", "ratio", "Slope of 16:00 to 22:00 over that of the whole day."),
    Feature("heat_pump_off_peak_share", "ratio", "Slope of 00:00 to 07:00 over that of the whole day."),
    Feature("heat_pump_peak_share", "ratio", "Slope of the day's highest three-hour block over that of the whole day."),
    Feature("heat_pump_step_share", "ratio", "Slope of the steps from hour to hour at night over that of the night's load."),
    Feature("heat_pump_curvature", "ratio", "Extra slope beyond eight degrees over the slope of calm load: a falling COP."),
    Feature("heat_pump_cooling_share", "ratio", "Slope above 20 C over the heating slope of the whole day."),
    Feature("heat_pump_base_c", "C", "Outdoor temperature below which the building heats, of five that are tried."),
    Feature("heat_pump_cold_days", "days", "Days of more than six heating degrees: how much was seen."),
    Feature("heat_pump_local_w_k", "W/K", "Median slope of calm load over six-week windows."),
    Feature("heat_pump_local_fit", "-1 to 1", "Median signed R2 of calm load on heating degrees over six-week windows."),
    Feature("heat_pump_local_best", "-1 to 1", "R2 of calm load on heating degrees, 85th percentile over six-week windows."),
    Feature("heat_pump_local_night_fit", "-1 to 1", "R2 of the load from 01:00 to 05:00, 85th percentile over six-week windows."),
    Feature(
        "heat_pump_typical_w_k",
        "W/K",
        "Typical heating: coldest days' median less mild days', by clock slot, a degree.",
    ),
    Feature("heat_pump_typical_relative", "ratio", "Growth of the typical load by ten degrees over the load of mild days."),
    Feature("heat_pump_typical_night_w_k", "W/K", "Typical heating from 01:00 to 05:00."),
    Feature("heat_pump_heated_hours", "h", "Hours of the day whose typical heating exceeds 0.4 of its mean."),
    Feature("heat_pump_typical_least", "ratio", "Typical heating of the second lowest three-hour block over the mean."),
    Feature("heat_pump_cold_swing", "ratio", "90th less 10th percentile over days of cold nights, over their heating."),
    Feature("heat_pump_swing_growth", "ratio", "90th less 10th percentile over days of cold nights, over that of mild nights."),
    Feature("heat_pump_cold_floor", "ratio", "Lowest hour of cold days' 10th percentile over that of mild days."),
    Feature("heat_pump_cold_top_kw", "kW", "Highest hour of cold days' 90th percentile above the median of mild days."),
    Feature("heat_pump_load_factor", "ratio", "Mean typical heating over that highest hour."),
    Feature("heat_pump_winter_night_kw", "kW", "Median over winter's nights of the mean load from 01:00 to 05:00; NaN without a winter."),
    Feature("heat_pump_winter_night_ratio", "ratio", "Winter's median night load over the median of its whole days."),
    Feature("heat_pump_winter_night_spread", "ratio", "90th less 10th percentile of winter's night loads over their median."),
    Feature("heat_pump_winter_memory", "correlation", "Agreement of one winter night's load with the next one's: weather lasts."),
    Feature("heat_pump_winter_cycling", "ratio", "Mean change from half-hour to half-hour of winter's nights over their load."),
    Feature("heat_pump_winter_recovery", "ratio", "Winter's load from 05:00 to 08:00 over that of its nights: recovery from setback."),
)
"""Slopes are of load on heating degrees. Calm load is the mean of the six lowest of a day's eight three-hour blocks, which cars, cooking
and off-peak storage heaters cannot reach."""
METHOD: Final = Method(
    found="The load is regressed on heating degrees (five base temperatures, a light and a heavy building), with weekday and daylight "
    "beside them. Calm load, the whole day, night, evening, highest block and steps answer to the cold in proportions that part a heat "
    "pump from direct heating, storage heaters, immersion heaters and lighting. The same is asked of six weeks at a time, within which "
    "only the weather moves, and of the coldest days against mild ones. Without weather the usual season of the latitude stands in; what "
    "winter's nights show by themselves (how much, how steadily from night to night, cycling, the recovery after a setback) needs neither "
    "temperatures nor mild days.",
    sized="`rated_kw` is the electrical power that is sustained on the coldest days: their 90th percentile less the median of mild days, "
    "third highest three-hour block. Above it stand meals and hot water, below it the hours of setback. The interval widens with a poor "
    "fit and little cold.",
    dated="Calm load is regressed on heating degrees before every day and after it. Days between a clear slope and next to none bound the "
    "date; within them the shape of the day in three-hour blocks says when it changed, on cold days, mild days and days of warm weeks each "
    "for themselves, so that hot water dates what came in summer. Where that says too little the daily mark does: calm load above that of "
    "mild days over the day's heating degrees, on days of three degrees or more. A quiet "
    "summer is no removal: a spell at either end is compared with the same days of the other year.",
)

_SPANS: Final = {"day": (0, 48), "night": (2, 10), "evening": (32, 44), "off_peak": (0, 14)}
_MARKS: Final = (*_SPANS, "calm", "step", "peak")
_MARK: Final = {name: place for place, name in enumerate(_MARKS)}
BLOCKS: Final = 8
"""Three-hour blocks of a day. Source: definition."""
CALM_BLOCKS: Final = 6
"""Lowest blocks of a day whose mean is its calm load."""
NIGHT_HOURS: Final = slice(1, 5)
COLD_DEGREES_C: Final = 6.0
"""Heating degrees above which a day counts as cold."""
DEEP_DEGREES_C: Final = 8.0
"""Heating degrees beyond which the extra slope is sought."""
LEAST_SLOPE_KW_K: Final = 1e-4
"""A slope under this is none: no share of it is formed."""
_TINY_KW: Final = 1e-3
"""Power below which nothing is divided. Source: definition."""


def _weigh_slots() -> Floats:
    """Weights that turn a day's slots into the means of spans, three-hour blocks and night hours, shape (48, columns)."""
    spans = [*_SPANS.values()]
    spans += [(first, first + SLOTS_PER_DAY // BLOCKS) for first in range(0, SLOTS_PER_DAY, SLOTS_PER_DAY // BLOCKS)]
    spans += [(first, first + 2) for first in range(0, 12, 2)]
    weights = np.zeros((SLOTS_PER_DAY, len(spans)), dtype=np.float32)
    for column, (first, last) in enumerate(spans):
        weights[first:last, column] = 1.0 / (last - first)
    return weights


_DAY_WEIGHTS: Final = _weigh_slots()


class EpisodeRules(NamedTuple):
    """What counts as running."""

    least_degrees_c: float = 1.0
    """Heating degrees of a day below which no running is looked for."""
    on_share: float = 0.25
    """Share of the pump's size above which a slot runs."""
    least_relative_slope: float = 0.25
    """Meters whose typical load grows less than this by ten degrees have no episodes."""


def examine(window: MeterWindow, load_kw: Floats, rules: EpisodeRules | None = None) -> Findings:
    """Describe each meter's answer to the cold, and the running spells and size of a heat pump that would explain it.

    Args:
        window: calendar, weather and areas of the batch.
        load_kw: import less export plus generation, shape (meters, days, 48), NaN where unread.
        rules: of the episodes; the default where None.
    """
    rules = rules or EpisodeRules()
    climate = describe_climate(window)
    day_kw, filled_kw = mean_of_days(load_kw)
    marks, block_kw = _mark_days(filled_kw)
    calm_kw = np.where(np.isnan(day_kw), np.float32(np.nan), marks[:, :, _MARK["calm"]])
    response = fit_response(calm_kw, window, climate)
    contrast = contrast_days(filled_kw, np.isfinite(day_kw), climate.felt_c[:, -1][window.area])
    columns = _describe_slopes(response, marks) | _describe_windows(response, marks) | _describe_contrast(contrast)
    columns = blank_columns(columns, np.isnan(response.fit)) | describe_winter(filled_kw, day_kw, window.calendar.season)
    features = name_columns(FEATURES, columns)
    sizes = _size_pumps(contrast, response)
    events = _find_episodes(filled_kw, load_kw, response, contrast, sizes.rated_import_kw, rules)
    heat = HeatDays(block_kw, calm_kw, response.degrees_c)
    return Findings(features=features, daily=_daily_mark(response, contrast), events=events, sizes=sizes, heat=heat)


def _mark_days(filled_kw: Floats) -> tuple[Floats, Floats]:
    """Numbers of each day whose answer to the cold differs from one kind of heating to another, kW, shape (meters, days, marks).

    Beside them the blocks of the day, shape (meters, days, 8).
    """
    means = filled_kw @ _DAY_WEIGHTS
    spans, block_kw, hours = np.split(means, [len(_SPANS), len(_SPANS) + BLOCKS], axis=2)
    blocks = np.sort(block_kw, axis=2)
    marks = np.empty((*means.shape[:2], len(_MARKS)), dtype=np.float32)
    marks[:, :, : len(_SPANS)] = spans
    marks[:, :, _MARK["calm"]] = blocks[:, :, :CALM_BLOCKS].mean(axis=2)
    marks[:, :, _MARK["peak"]] = blocks[:, :, -1]
    marks[:, :, _MARK["step"]] = np.abs(np.diff(hours, axis=2)).mean(axis=2)
    return marks, block_kw


def _describe_slopes(response: Response, marks: Floats) -> dict[str, Floats]:
    """The features that come from regression on all days."""
    beta, fit = regress(response, marks)
    slope, base = beta[:, 3], beta[:, 0]
    day, calm, night = slope[:, _MARK["day"]], slope[:, _MARK["calm"]], slope[:, _MARK["night"]]
    by_day = np.where(day > LEAST_SLOPE_KW_K, day, np.nan)
    by_calm = np.where(calm > LEAST_SLOPE_KW_K, calm, np.nan)
    by_night = np.where(night > LEAST_SLOPE_KW_K, night, np.nan)
    degrees = np.nan_to_num(response.degrees_c) * response.design[:, :, 0]
    deep = np.clip(degrees - DEEP_DEGREES_C, 0.0, None)
    left = marks[:, :, _MARK["calm"]] * response.design[:, :, 0] - np.matmul(response.design, beta[:, :, _MARK["calm"], None])[:, :, 0]
    bend = (left * deep).sum(axis=1) / np.maximum((deep**2).sum(axis=1), 1.0)
    return {
        "heat_pump_slope_w_k": calm * 1000.0,
        "heat_pump_relative_slope": calm * 10.0 / np.maximum(base[:, _MARK["calm"]], _TINY_KW),
        "heat_pump_fit": fit[:, _MARK["calm"]],
        "heat_pump_night_fit": fit[:, _MARK["night"]],
        "heat_pump_day_share": day / by_calm,
        "heat_pump_night_share": night / by_day,
        "heat_pump_evening_share": slope[:, _MARK["evening"]] / by_day,
        "heat_pump_off_peak_share": slope[:, _MARK["off_peak"]] / by_day,
        "heat_pump_peak_share": slope[:, _MARK["peak"]] / by_day,
        "heat_pump_step_share": slope[:, _MARK["step"]] / by_night,
        "heat_pump_curvature": bend / by_calm,
        "heat_pump_cooling_share": beta[:, 4, _MARK["day"]] / by_day,
        "heat_pump_base_c": response.base_c,
        "heat_pump_cold_days": (degrees > COLD_DEGREES_C).sum(axis=1),
    }


def _rank_windows(values: Floats, share: float) -> Floats:
    """The value below which that share of a meter's fitted windows lies, NaN where none is fitted, shape (meters,)."""
    ordered = np.sort(values, axis=1)
    fitted = np.isfinite(values).sum(axis=1)
    place = np.round(share * np.maximum(fitted - 1, 0)).astype(np.int64)
    return np.asarray(np.take_along_axis(ordered, place[:, None], axis=1)[:, 0])


def _describe_windows(response: Response, marks: Floats) -> dict[str, Floats]:
    """The features that come from six weeks at a time."""
    slope, fit = fit_windows(response, marks[:, :, _MARK["calm"]])
    _, night_fit = fit_windows(response, marks[:, :, _MARK["night"]])
    return {
        "heat_pump_local_w_k": _rank_windows(slope, 0.5) * 1000.0,
        "heat_pump_local_fit": _rank_windows(fit, 0.5),
        "heat_pump_local_best": _rank_windows(fit, 0.85),
        "heat_pump_local_night_fit": _rank_windows(night_fit, 0.85),
    }


def _hourly(by_slot_kw: Floats) -> Floats:
    """Means of pairs of slots, shape (..., 24)."""
    return np.asarray(by_slot_kw.reshape(*by_slot_kw.shape[:-1], SLOTS_PER_DAY // 2, 2).mean(axis=-1))


def _describe_contrast(contrast: Contrast) -> dict[str, Floats]:
    """The features that come from cold days set against mild days."""
    cold, mild = _hourly(contrast.cold_kw), _hourly(contrast.mild_kw)
    heat_w_k = (cold[:, 1] - mild[:, 1]) / contrast.gap_c[:, None] * 1000.0
    mean = heat_w_k.mean(axis=1)
    by_mean = np.where(mean > LEAST_SLOPE_KW_K * 1000.0, mean, np.nan)
    blocks = np.sort(heat_w_k.reshape(-1, BLOCKS, 24 // BLOCKS).mean(axis=2), axis=1)
    cold_swing = (cold[:, 2] - cold[:, 0])[:, NIGHT_HOURS]
    mild_swing = (mild[:, 2] - mild[:, 0])[:, NIGHT_HOURS]
    night_heat = (cold[:, 1] - mild[:, 1])[:, NIGHT_HOURS].mean(axis=1)
    top = (cold[:, 2] - mild[:, 1]).max(axis=1)
    heated = np.where(np.isnan(by_mean), np.nan, (heat_w_k > 0.4 * mean[:, None]).sum(axis=1))
    return {
        "heat_pump_typical_w_k": mean,
        "heat_pump_typical_relative": mean / 100.0 / np.maximum(mild[:, 1].mean(axis=1), _TINY_KW),
        "heat_pump_typical_night_w_k": heat_w_k[:, NIGHT_HOURS].mean(axis=1),
        "heat_pump_heated_hours": heated,
        "heat_pump_typical_least": blocks[:, 1] / by_mean,
        "heat_pump_cold_swing": cold_swing.mean(axis=1) / np.where(night_heat > 10 * _TINY_KW, night_heat, np.nan),
        "heat_pump_swing_growth": (cold_swing / np.maximum(mild_swing, 10 * _TINY_KW)).mean(axis=1),
        "heat_pump_cold_floor": cold[:, 0].min(axis=1) / np.maximum(mild[:, 0].min(axis=1), 10 * _TINY_KW),
        "heat_pump_cold_top_kw": top,
        "heat_pump_load_factor": mean / 1000.0 * contrast.gap_c / np.maximum(top, _TINY_KW),
    }


def _size_pumps(contrast: Contrast, response: Response) -> Sizes:
    """Electrical kW that the pump sustains on the coldest days.

    The high decile of cold days less the middle of mild ones, third highest three-hour block of the day: above it stand
    meals and hot water, below it the hours of setback. Little cold and a poor fit widen the spread.
    """
    meters = contrast.gap_c.shape[0]
    blocks = (contrast.cold_kw[:, 2] - contrast.mild_kw[:, 1]).reshape(meters, BLOCKS, SLOTS_PER_DAY // BLOCKS).mean(axis=2)
    kw = np.sort(blocks, axis=1)[:, -3]
    is_sized = np.isfinite(contrast.gap_c) & np.isfinite(response.fit) & (kw > _TINY_KW)
    unknown = np.full(meters, np.nan)
    spread = 0.25 + 0.4 * (1.0 - np.clip(response.fit, 0.0, 1.0)) + 0.2 * (contrast.gap_c < 8.0)
    return Sizes(
        rated_import_kw=np.where(is_sized, kw, np.nan),
        rated_export_kw=unknown,
        spread=np.where(is_sized, spread, np.nan),
        storage_kwh=unknown,
        peak_kwp=unknown,
        is_least=unknown,
    )


def _daily_mark(response: Response, contrast: Contrast) -> Floats:
    """Calm load above that of mild days, kW a heating degree, shape (meters, days); NaN on days of less than three degrees."""
    mild = np.sort(contrast.mild_kw[:, 1].reshape(-1, BLOCKS, SLOTS_PER_DAY // BLOCKS).mean(axis=2), axis=1)[:, :CALM_BLOCKS].mean(axis=1)
    degrees = np.where(response.degrees_c >= 3.0, response.degrees_c, np.nan)
    return np.asarray((response.day_kw - mild[:, None]) / degrees)


def _find_episodes(
    filled_kw: Floats, load_kw: Floats, response: Response, contrast: Contrast, size_kw: Floats, rules: EpisodeRules
) -> Events:
    """Spells in which the load stands above its mild-day middle by a good share of the pump's size.

    An unread slot ends a spell. Energy is what stands above, at most the pump's size.
    """
    mild = contrast.mild_kw[:, 1]
    growth = (contrast.cold_kw[:, 1] - mild).mean(axis=1) / contrast.gap_c * 10.0 / np.maximum(mild.mean(axis=1), _TINY_KW)
    rows = np.flatnonzero(np.isfinite(size_kw) & (growth >= rules.least_relative_slope))
    size = size_kw[rows, None, None].astype(np.float32)
    heat_kw = filled_kw[rows]
    heat_kw -= mild[rows, None, :].astype(np.float32)
    np.clip(heat_kw, 0.0, size, out=heat_kw)
    on = heat_kw >= rules.on_share * size
    on &= ~np.isnan(load_kw[rows])
    on &= (response.degrees_c[rows] >= rules.least_degrees_c)[:, :, None]
    flat = (rows.size, load_kw.shape[1] * SLOTS_PER_DAY)
    row, start, end, energy, peak = sum_runs(on.reshape(flat), heat_kw.reshape(flat))
    degrees = response.degrees_c[rows[row], start // SLOTS_PER_DAY].astype(np.float64)
    return Events(
        meter=rows[row],
        start_slot=start,
        end_slot=end,
        energy_kwh=energy * HOURS_PER_SLOT,
        peak_kw=peak,
        is_import=np.ones(row.size, dtype=np.bool_),
        probability=1.0 - 0.7 * np.exp(-degrees / 3.0),
    )
