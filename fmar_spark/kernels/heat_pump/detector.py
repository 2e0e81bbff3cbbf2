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
from fmar_spark.kernels.window import Events, Findings, Floats, MeterWindow, Sizes
from fmar_spark.units import HOURS_PER_SLOT

FEATURES: Final = (
    "heat_pump_slope_w_k",
    "heat_pump_relative_slope",
    "heat_pump_fit",
    "heat_pump_night_fit",
    "heat_pump_day_share",
    "heat_pump_night_share",
    "heat_pump_evening_share",
    "heat_pump_off_peak_share",
    "heat_pump_peak_share",
    "heat_pump_step_share",
    "heat_pump_curvature",
    "heat_pump_cooling_share",
    "heat_pump_base_c",
    "heat_pump_cold_days",
    "heat_pump_local_w_k",
    "heat_pump_local_fit",
    "heat_pump_local_best",
    "heat_pump_local_night_fit",
    "heat_pump_typical_w_k",
    "heat_pump_typical_relative",
    "heat_pump_typical_night_w_k",
    "heat_pump_heated_hours",
    "heat_pump_typical_least",
    "heat_pump_cold_swing",
    "heat_pump_swing_growth",
    "heat_pump_cold_floor",
    "heat_pump_cold_top_kw",
    "heat_pump_load_factor",
)
"""Slopes are of load on heating degrees. ``calm`` = mean of the six lowest of a day's eight three-hour blocks, which cars, cooking and
off-peak storage cannot reach; ``typical`` = median of the coldest days less median of mild days, by clock slot.

slope_w_k, relative_slope (ten degrees over the load without heating), fit: of calm load. night_fit: partial R2, 01:00-05:00. Shares:
slope of the whole day, night, evening (16-22), off-peak (00-07), highest block over the slope of calm load (day) or of the whole day (the
rest). step_share: hour-to-hour steps at night over night slope. curvature: extra slope beyond eight degrees, a falling COP. cooling_share:
slope above 20 C over heating slope. cold_days: days of six degrees or more, how much was seen. heated_hours: hours whose typical heating
exceeds 0.4 of the mean. typical_least: second lowest three-hour block over the mean. cold_swing: p90 - p10 over days of cold nights, over
their heating. swing_growth: the same p90 - p10 over that of mild nights. cold_floor: lowest hour of cold days' p10 over mild days'."""

_SPANS: Final = {"day": (0, 48), "night": (2, 10), "evening": (32, 44), "off_peak": (0, 14)}
_MARKS: Final = (*_SPANS, "calm", "step", "peak")
_MARK: Final = {name: place for place, name in enumerate(_MARKS)}
BLOCKS: Final = 8
CALM_BLOCKS: Final = 6
NIGHT_HOURS: Final = slice(1, 5)
COLD_DEGREES_C: Final = 6.0
DEEP_DEGREES_C: Final = 8.0
LEAST_SLOPE_KW_K: Final = 1e-4
"""A slope under 0.1 W/K is none: shares of it are not told."""
_TINY_KW: Final = 1e-3


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
    marks = _mark_days(filled_kw)
    calm_kw = np.where(np.isnan(day_kw), np.float32(np.nan), marks[:, :, _MARK["calm"]])
    response = fit_response(calm_kw, window, climate)
    contrast = contrast_days(filled_kw, np.isfinite(day_kw), climate.felt_c[:, -1][window.area])
    features = np.concatenate([_describe_slopes(response, marks), _describe_windows(response, marks), _describe_contrast(contrast)], axis=1)
    features[np.isnan(response.fit)] = np.nan
    sizes = _size_pumps(contrast, response)
    events = _find_episodes(filled_kw, load_kw, response, contrast, sizes.rated_import_kw, rules)
    return Findings(features=features, daily=_daily_mark(response, contrast), events=events, sizes=sizes)


def _mark_days(filled_kw: Floats) -> Floats:
    """Numbers of each day whose answer to the cold tells one kind of heating from another, shape (meters, days, marks), kW."""
    means = filled_kw @ _DAY_WEIGHTS
    spans, blocks, hours = np.split(means, [len(_SPANS), len(_SPANS) + BLOCKS], axis=2)
    blocks = np.sort(blocks, axis=2)
    marks = np.empty((*means.shape[:2], len(_MARKS)), dtype=np.float32)
    marks[:, :, : len(_SPANS)] = spans
    marks[:, :, _MARK["calm"]] = blocks[:, :, :CALM_BLOCKS].mean(axis=2)
    marks[:, :, _MARK["peak"]] = blocks[:, :, -1]
    marks[:, :, _MARK["step"]] = np.abs(np.diff(hours, axis=2)).mean(axis=2)
    return marks


def _describe_slopes(response: Response, marks: Floats) -> Floats:
    """The features that come from regression on all days, shape (meters, 14)."""
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
    return np.stack(
        [
            calm * 1000.0,
            calm * 10.0 / np.maximum(base[:, _MARK["calm"]], _TINY_KW),
            fit[:, _MARK["calm"]],
            fit[:, _MARK["night"]],
            day / by_calm,
            night / by_day,
            slope[:, _MARK["evening"]] / by_day,
            slope[:, _MARK["off_peak"]] / by_day,
            slope[:, _MARK["peak"]] / by_day,
            slope[:, _MARK["step"]] / by_night,
            bend / by_calm,
            beta[:, 4, _MARK["day"]] / by_day,
            response.base_c,
            (degrees > COLD_DEGREES_C).sum(axis=1),
        ],
        axis=1,
    )


def _rank_windows(values: Floats, share: float) -> Floats:
    """The value below which that share of a meter's told windows lies, NaN where none is told, shape (meters,)."""
    ordered = np.sort(values, axis=1)
    told = np.isfinite(values).sum(axis=1)
    place = np.round(share * np.maximum(told - 1, 0)).astype(np.int64)
    return np.asarray(np.take_along_axis(ordered, place[:, None], axis=1)[:, 0])


def _describe_windows(response: Response, marks: Floats) -> Floats:
    """The features that come from six weeks at a time, shape (meters, 4)."""
    slope, fit = fit_windows(response, marks[:, :, _MARK["calm"]])
    _, night_fit = fit_windows(response, marks[:, :, _MARK["night"]])
    return np.stack(
        [_rank_windows(slope, 0.5) * 1000.0, _rank_windows(fit, 0.5), _rank_windows(fit, 0.85), _rank_windows(night_fit, 0.85)], axis=1
    )


def _hourly(by_slot_kw: Floats) -> Floats:
    """Means of pairs of slots, shape (..., 24)."""
    return np.asarray(by_slot_kw.reshape(*by_slot_kw.shape[:-1], SLOTS_PER_DAY // 2, 2).mean(axis=-1))


def _describe_contrast(contrast: Contrast) -> Floats:
    """The features that come from cold days set against mild days, shape (meters, 8)."""
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
    return np.stack(
        [
            mean,
            mean / 100.0 / np.maximum(mild[:, 1].mean(axis=1), _TINY_KW),
            heat_w_k[:, NIGHT_HOURS].mean(axis=1),
            heated,
            blocks[:, 1] / by_mean,
            cold_swing.mean(axis=1) / np.where(night_heat > 10 * _TINY_KW, night_heat, np.nan),
            (cold_swing / np.maximum(mild_swing, 10 * _TINY_KW)).mean(axis=1),
            cold[:, 0].min(axis=1) / np.maximum(mild[:, 0].min(axis=1), 10 * _TINY_KW),
            top,
            mean / 1000.0 * contrast.gap_c / np.maximum(top, _TINY_KW),
        ],
        axis=1,
    )


def _size_pumps(contrast: Contrast, response: Response) -> Sizes:
    """Electrical kW that the pump sustains on the coldest days.

    The high decile of cold days less the middle of mild ones, third highest three-hour block of the day: above it stand
    meals and hot water, below it the hours of setback. Little cold and a poor fit widen the spread.
    """
    meters = contrast.gap_c.shape[0]
    blocks = (contrast.cold_kw[:, 2] - contrast.mild_kw[:, 1]).reshape(meters, BLOCKS, SLOTS_PER_DAY // BLOCKS).mean(axis=2)
    kw = np.sort(blocks, axis=1)[:, -3]
    told = np.isfinite(contrast.gap_c) & np.isfinite(response.fit) & (kw > _TINY_KW)
    unknown = np.full(meters, np.nan)
    spread = 0.25 + 0.4 * (1.0 - np.clip(response.fit, 0.0, 1.0)) + 0.2 * (contrast.gap_c < 8.0)
    return Sizes(
        rated_import_kw=np.where(told, kw, np.nan),
        rated_export_kw=unknown,
        spread=np.where(told, spread, np.nan),
        storage_kwh=unknown,
        peak_kwp=unknown,
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
