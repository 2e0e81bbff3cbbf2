"""How a load answers to the cold: what every detector of electric heating starts from."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.kernels.window import Bools, Floats, Ints, MeterWindow

BASE_TEMPERATURES_C: Final = (9.0, 11.0, 13.0, 15.0, 17.0)
"""Outdoor temperatures below which a building may begin to heat. Source: around the 15.5 C of British degree days."""
LAG_WEIGHTS: Final = ((1.0, 0.0, 0.0), (0.55, 0.3, 0.15))
"""Weights of today, yesterday and the day before: a light building and a heavy one."""
COOLING_ABOVE_C: Final = 20.0
"""Outdoor temperature above which a building may cool."""
LEAST_SLOTS_A_DAY: Final = 40
"""Half-hours read without which a day is left out."""
LEAST_DAYS: Final = 30
"""Days with readings and weather below which no slope is fitted."""
LEAST_DEGREE_SPREAD_C: Final = 1.0
"""Standard deviation of heating degrees under which no slope is fitted."""
RANK_DECIMALS: Final = 2
"""Days are ranked by temperature to a hundredth of a degree, then by date: processors differ in the digits beyond."""
CONTRAST_DAYS: Final = 32
"""Days taken at most from each end: enough for a stable decile, few enough to sort cheaply."""
LEAST_CONTRAST_DAYS: Final = 8
"""Cold, and mild, days below which they are not compared."""
LEAST_GAP_C: Final = 4.0
"""Gap of their temperatures below which they are not compared."""
MILD_C: Final = 16.5
"""Neither heating nor cooling: mild days are those nearest to it."""
QUANTILES: Final = (0.1, 0.5, 0.9)
"""Low, middle and high of a clock slot over days."""
WINDOW_DAYS: Final = 42
"""Length of the windows in which slopes are fitted on their own."""
WINDOW_STRIDE_DAYS: Final = 14
"""Days from the start of one window to the next."""
_TINY: Final = 1e-9
"""Smallest divisor. Source: definition."""


class Climate(NamedTuple):
    """The days of each area as a building feels them."""

    felt_c: Floats
    """Daily mean temperature after each lag, shape (areas, lags, days); NaN where unknown."""
    daylight: Floats
    """Hours between sunrise and sunset less 12, over 4, shape (areas, days); 0 where there is no weather to part it from the cold."""
    is_measured: Bools
    """False where temperature is only the season of the place, shape (areas,)."""


class Contrast(NamedTuple):
    """The same clock slots on each meter's coldest days and on its mild days."""

    gap_c: Floats
    """Mean felt temperature of mild days less that of cold ones, shape (meters,); NaN where there are too few days or too little gap."""
    cold_kw: Floats
    """Low, middle and high load by clock slot on cold days, shape (meters, 3, 48): quantiles ``QUANTILES``."""
    mild_kw: Floats
    """The same on mild days."""


class Response(NamedTuple):
    """Each meter's answer to heating degrees."""

    degrees_c: Floats
    """Heating degrees of each day, shape (meters, days), by the meter's own base temperature and lag; NaN where not fitted."""
    base_c: Floats
    """Chosen base temperature, shape (meters,)."""
    is_lagged: Bools
    """Whether the heavy building explains more, shape (meters,)."""
    fit: Floats
    """Share of the variance left by weekday and daylight that heating degrees explain, shape (meters,); NaN where not fitted."""
    day_kw: Floats
    """Mean load of each day, shape (meters, days); NaN on days with too few readings."""
    design: Floats
    """Columns one, weekend, daylight, heating degrees, cooling degrees, shape (meters, days, 5); all zero on days left out."""


def describe_climate(window: MeterWindow) -> Climate:
    """Give each area its felt temperatures; without weather, the season of a maritime place at that latitude.

    Days on which no meter of the area was read say nothing of its weather: the window is as long as other meters want it.
    """
    areas, days, _ = window.temp_c.shape
    known = np.isfinite(window.temp_c)
    counts = known.sum(axis=2)
    total = np.where(known, window.temp_c, 0.0).sum(axis=2)
    daily = np.where(counts >= SLOTS_PER_DAY // 2, total / np.maximum(counts, 1), np.nan)
    is_read = np.zeros((areas, days), dtype=np.bool_)
    np.logical_or.at(is_read, window.area, ~np.isnan(window.import_kw).all(axis=2))
    is_measured: Bools = (np.isfinite(daily) & is_read).sum(axis=1) > 0.5 * is_read.sum(axis=1)
    hours = (window.clear_w_m2 > 0).sum(axis=2) / 2.0
    daily = np.where(is_measured[:, None], daily, _season_temperature(window))
    felt = np.stack([_lag_days(daily, weights) for weights in LAG_WEIGHTS], axis=1)
    daylight = np.where(is_measured[:, None], (hours - 12.0) / 4.0, 0.0)
    return Climate(felt_c=felt.astype(np.float32), daylight=daylight.astype(np.float32), is_measured=is_measured)


def _season_temperature(window: MeterWindow) -> Floats:
    """A plain year for want of weather: 10.5 C at 51.5 degrees, 0.42 C a degree of latitude, 6.5 C either way, coldest on 20 January.

    Fits London, Trondheim and Sydney within 1 C.
    """
    areas, days, _ = window.clear_w_m2.shape
    if not days:
        return np.zeros((areas, 0))
    dates = window.calendar.start_date.astype("datetime64[D]") + np.arange(days)
    day_of_year = (dates - dates.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.float64)
    hemisphere = np.where(window.latitude_deg < 0, -1.0, 1.0)[:, None]
    phase = 2 * np.pi * (day_of_year - 20.0) / 365.25
    return np.asarray(10.5 - 0.42 * (np.abs(window.latitude_deg)[:, None] - 51.5) - hemisphere * 6.5 * np.cos(phase))


def _lag_days(daily_c: Floats, weights: tuple[float, ...]) -> Floats:
    """Weighted mean of the last days; an unknown day before is passed over."""
    total = np.zeros_like(daily_c)
    weight = np.zeros_like(daily_c)
    for back, share in enumerate(weights):
        shifted = np.full_like(daily_c, np.nan)
        shifted[:, back:] = daily_c[:, : daily_c.shape[1] - back]
        known = np.isfinite(shifted)
        total += np.where(known, share * np.nan_to_num(shifted), 0.0)
        weight += share * known
    return np.where(np.isfinite(daily_c), total / np.maximum(weight, _TINY), np.nan)


def mean_of_days(load_kw: Floats, least_slots: int = LEAST_SLOTS_A_DAY) -> tuple[Floats, Floats]:
    """Mean load of each day, NaN where fewer slots were read, and the load with unread slots filled by it (0 on days left out).

    A load below zero is what taking PV out left over; it counts as none. Shapes (meters, days) and (meters, days, 48), float32.
    """
    filled = np.maximum(load_kw, np.float32(0.0), dtype=np.float32, order="C")
    means = (filled @ np.full(SLOTS_PER_DAY, 1.0 / SLOTS_PER_DAY, dtype=np.float32)).astype(np.float32)
    gappy = np.nonzero(np.isnan(means))
    some = filled[gappy]
    unread = np.isnan(some)
    counts = SLOTS_PER_DAY - np.count_nonzero(unread, axis=1)
    sums = np.where(unread, np.float32(0.0), some).sum(axis=1)
    left_out = counts < least_slots
    mean = np.where(left_out, np.float32(np.nan), sums / np.maximum(counts, 1))
    means[gappy] = mean
    filled[gappy] = np.where(unread | left_out[:, None], np.where(left_out, np.float32(0.0), mean)[:, None], some)
    return means, filled


def contrast_days(filled_kw: Floats, kept: Bools, felt_c: Floats) -> Contrast:
    """Set the coldest quarter of each meter's days (at most 32) against the quarter nearest to 16.5 C.

    Quantiles over days shrug off cars, guests and holidays that a mean would carry.

    Args:
        filled_kw: shape (meters, days, 48), no NaN.
        kept: days with readings, shape (meters, days).
        felt_c: felt temperature, shape (meters, days), NaN where unknown.
    """
    usable = kept & np.isfinite(felt_c)
    count = np.minimum(np.count_nonzero(usable, axis=1) // 4, CONTRAST_DAYS)
    far = np.float32(1e6)
    cold_kw, cold_c = _take_days(filled_kw, np.where(usable, felt_c, far), felt_c, count)
    mild_kw, mild_c = _take_days(filled_kw, np.where(usable, np.abs(felt_c - MILD_C), far), felt_c, count)
    gap = np.where(count >= LEAST_CONTRAST_DAYS, mild_c - cold_c, np.nan)
    return Contrast(gap_c=np.where(gap >= LEAST_GAP_C, gap, np.nan), cold_kw=cold_kw, mild_kw=mild_kw)


def _take_days(filled_kw: Floats, rank: Floats, felt_c: Floats, count: Ints) -> tuple[Floats, Floats]:
    """Quantiles by slot, and the mean felt temperature, of each meter's ``count`` days of lowest rank."""
    meters, days = rank.shape
    width = min(CONTRAST_DAYS, days)
    if not width or not meters:
        return np.full((meters, len(QUANTILES), SLOTS_PER_DAY), np.nan), np.full(meters, np.nan)
    chosen = np.argsort(np.round(rank, RANK_DECIMALS), axis=1, kind="stable")[:, :width]
    surplus = np.arange(width) >= count[:, None]
    rows = np.arange(meters)[:, None]
    taken = np.ascontiguousarray(filled_kw[rows, chosen].transpose(0, 2, 1))
    taken[np.broadcast_to(surplus[:, None, :], taken.shape)] = np.inf
    taken.sort(axis=2)
    place = np.round(np.asarray(QUANTILES) * np.maximum(count[:, None] - 1, 0)).astype(np.int64)
    quantiles = np.take_along_axis(taken, np.broadcast_to(place[:, None, :], (meters, SLOTS_PER_DAY, len(QUANTILES))), axis=2)
    mean_c = np.where(surplus, 0.0, np.nan_to_num(felt_c[rows, chosen])).sum(axis=1) / np.maximum(count, 1)
    return np.where(count[:, None, None] > 0, quantiles.transpose(0, 2, 1), np.nan), mean_c


def fit_response(day_kw: Floats, window: MeterWindow, climate: Climate) -> Response:
    """Find each meter's base temperature and lag, and build the design that its load is regressed on.

    Every pair of base and lag is tried; nuisance columns (one, weekend, daylight) are partialled out once a meter, so
    that a pair costs a few inner products.

    Args:
        day_kw: mean load of each day, shape (meters, days), NaN = left out.
        window: for calendar and areas.
        climate: of the same window.
    """
    meters, days = day_kw.shape
    lags = len(LAG_WEIGHTS)
    bases = np.asarray(BASE_TEMPERATURES_C, dtype=np.float32)
    weekend = ((window.calendar.weekday >= 6) | window.calendar.is_holiday).astype(np.float32)
    felt = climate.felt_c
    known: Bools = np.asarray(np.isfinite(felt).all(axis=1))[window.area]
    kept: Bools = np.isfinite(day_kw) & known
    degrees = np.nan_to_num(np.clip(bases[None, None, :, None] - felt[:, :, None, :], 0.0, None))
    tried = degrees.reshape(felt.shape[0], lags * len(bases), days)
    scores, spread = _score_pairs(np.where(kept, day_kw, 0.0), kept, tried, (weekend, climate.daylight), window.area)
    is_fitted = (np.count_nonzero(kept, axis=1) >= LEAST_DAYS) & (spread.max(axis=1, initial=0.0) >= LEAST_DEGREE_SPREAD_C)
    best = scores.argmax(axis=1) if meters else np.zeros(0, dtype=np.int64)
    chosen = tried[window.area, best]
    mask = kept.astype(np.float32)
    cooling = np.nan_to_num(np.clip(felt[:, 0] - COOLING_ABOVE_C, 0.0, None))[window.area]
    columns = (mask, mask * weekend, mask * climate.daylight[window.area], mask * chosen, mask * cooling)
    return Response(
        degrees_c=np.where(known & is_fitted[:, None], chosen, np.nan).astype(np.float32),
        base_c=np.where(is_fitted, bases[best % len(bases)], np.nan),
        is_lagged=best >= len(bases),
        fit=np.where(is_fitted, scores[np.arange(meters), best], np.nan),
        day_kw=day_kw,
        design=np.stack(columns, axis=2),
    )


def _score_pairs(load: Floats, kept: Bools, tried: Floats, nuisance: tuple[Floats, Floats], area: Ints) -> tuple[Floats, Floats]:
    """Signed partial R2 of each trial column on the load, and the column's standard deviation, shape (meters, trials) each."""
    meters, trials = load.shape[0], tried.shape[1]
    weekend, daylight = nuisance
    shape = (meters, 3, trials + 1)
    cross, gram = np.zeros(shape), np.zeros((meters, 3, 3))
    own, with_load = np.zeros((meters, trials)), np.zeros((meters, trials))
    for row in np.unique(area):
        mine = area == row
        fixed = np.stack([np.ones_like(weekend), weekend, daylight[row]]).astype(np.float64)
        columns = tried[row].astype(np.float64)
        weights, values = kept[mine].astype(np.float64), load[mine].astype(np.float64)
        gram[mine] = (weights @ (fixed[:, None] * fixed[None]).reshape(9, -1).T).reshape(-1, 3, 3)
        cross[mine, :, :trials] = (weights @ (fixed[:, None] * columns[None]).reshape(3 * trials, -1).T).reshape(-1, 3, trials)
        cross[mine, :, trials] = values @ fixed.T
        own[mine] = weights @ (columns**2).T
        with_load[mine] = values @ columns.T
    gram += 1e-3 * np.eye(3)
    solved = np.linalg.solve(gram, cross)
    days = np.maximum(np.count_nonzero(kept, axis=1), 1)[:, None]
    own_left = own - (cross[:, :, :trials] * solved[:, :, :trials]).sum(axis=1)
    load_left = np.einsum("md,md->m", load, load, dtype=np.float64) - (cross[:, :, trials] * solved[:, :, trials]).sum(axis=1)
    shared_left = with_load - (cross[:, :, trials][:, :, None] * solved[:, :, :trials]).sum(axis=1)
    variance = own - cross[:, 0, :trials] ** 2 / days
    scores = np.sign(shared_left) * shared_left**2 / np.maximum(own_left * load_left[:, None], _TINY)
    spread = np.sqrt(np.maximum(variance, 0.0) / days)
    return np.where(spread >= LEAST_DEGREE_SPREAD_C, scores, -1.0), spread


def fit_windows(response: Response, mark_kw: Floats) -> tuple[Floats, Floats]:
    """Slope on heating degrees and signed R2 of six-week windows, two weeks apart, shape (meters, windows) each.

    Within six weeks only weather moves: new occupants, a lit winter or a summer's absence shift windows, not their slopes. NaN where
    half of the days were left out, or degrees hardly differ or hardly heat.

    Args:
        response: of the batch.
        mark_kw: one number a day, shape (meters, days), no NaN.
    """
    kept = response.design[:, :, 0].astype(np.float64)
    meters, days = kept.shape
    starts = np.arange(0, max(days - WINDOW_DAYS, 0) + 1, WINDOW_STRIDE_DAYS)
    ends = np.minimum(starts + WINDOW_DAYS, days)
    x = response.design[:, :, 3].astype(np.float64)
    y = (mark_kw - mark_kw.mean(axis=1, keepdims=True) if days else mark_kw) * kept

    def add_up(values: Floats) -> Floats:
        total = np.zeros((meters, days + 1))
        np.cumsum(values, axis=1, out=total[:, 1:])
        return total[:, ends] - total[:, starts]

    count = np.maximum(add_up(kept), 1.0)
    mean_x, mean_y = add_up(x) / count, add_up(y) / count
    var_x, var_y = add_up(x * x) / count - mean_x**2, add_up(y * y) / count - mean_y**2
    both = add_up(x * y) / count - mean_x * mean_y
    is_fitted = (count >= WINDOW_DAYS // 2) & (var_x >= LEAST_DEGREE_SPREAD_C**2) & (mean_x >= 2.0)
    slope = np.where(is_fitted, both / np.maximum(var_x, _TINY), np.nan)
    return slope, np.where(is_fitted, np.sign(both) * both**2 / np.maximum(var_x * var_y, _TINY), np.nan)


def regress(response: Response, marks: Floats) -> tuple[Floats, Floats]:
    """Coefficients of every mark on the response's design, and the partial R2 of heating degrees.

    Args:
        response: design of the batch.
        marks: shape (meters, days, marks); values on days left out are ignored.

    Returns:
        Coefficients, shape (meters, 5, marks), in the order of ``Response.design``; signed partial R2, shape (meters, marks).
    """
    transposed = np.ascontiguousarray(response.design.transpose(0, 2, 1), dtype=np.float64)
    gram = transposed @ response.design
    gram += np.eye(5) * np.array([1e-3, 1e-3, 1.0, 1e-2, 1.0])
    cross = transposed @ marks.astype(np.float64)
    inverse = np.linalg.inv(gram)
    beta = inverse @ cross
    squares = np.einsum("mdk,mdk,md->mk", marks, marks, response.design[:, :, 0])
    left = np.maximum(squares - (cross * beta).sum(axis=1), _TINY)
    explained = beta[:, 3] ** 2 / np.maximum(inverse[:, 3, 3], _TINY)[:, None]
    return beta, np.sign(beta[:, 3]) * explained / (explained + left)
