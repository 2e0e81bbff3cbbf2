"""Estimates what an array generated in each half-hour, once its size and the sky are known."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.kernels.solar.fit import BLOCK_DAYS, DARK_W_M2, ArrayFit, Blocks, average_known
from fmar_spark.kernels.solar.silence import find_silence
from fmar_spark.kernels.window import Bools, Events, Floats, MeterWindow

_SELF_USE: Final = 0.7
"""Share of the usual load that generation covers at most while nothing is exported."""
_HIDDEN: Final = 0.5
"""Share of what is imported by which generation may go beyond that."""
_LEAST_SUN: Final = 0.1
"""Mean irradiance on the modules, kW/m2, below which a day says nothing of the array."""
_STANDS: Final = 0.5
"""Share of the array from which a block is sure to have it."""
_LACKS: Final = 0.25
"""Share up to which it is sure not to have it."""
_OFTEN: Final = 0.8
"""Share of days with export in the best weeks from which export alone dates an array."""
_OFTEN_IN_THE_DARK: Final = 0.5
"""The same of a dark month, for its silent days to say something."""
_NEARLY_AS_DARK: Final = 1.3
"""A month this much darker is still compared with one that exports."""
_SURE_MARK: Final = 0.6
"""Least mark of a day in such a block, share of the array."""
_PRESENT: Final = 0.35
"""Share of the array that a block must show to count as having it."""


class Output(NamedTuple):
    """Generation as if the array were there."""

    generation_kw: Floats
    """Shape (meters, days, 48), 0 at night, in blocks without the array and in unread slots."""
    highest_kw: Floats
    """Highest output seen, cloud edges aside, shape (meters,)."""


class Sky(NamedTuple):
    """Irradiance by slot, kW/m2, shape (areas, days, 48)."""

    likely: Floats
    """Measured, or the usual share of the clear one."""
    clear: Floats


def estimate_output(window: MeterWindow, sky: Sky, blocks: Blocks, fit: ArrayFit, dark: tuple[Floats, Floats]) -> Output:
    """Estimate generation from export where there was some, and from the sky where there was none.

    While a site exports it generates that plus its own load. While it does not, the sky says how much came down, and the
    load that this would imply may not run far beyond what the site usually draws.

    Args:
        window: the meters.
        sky: what came down.
        blocks: four-week statistics.
        fit: the array.
        dark: mean power in the dark, shape (meters, blocks), and least over mean power there, shape (meters,).
    """
    dark_kw, sparing = dark
    block = np.arange(sky.clear.shape[1]) // BLOCK_DAYS
    there = spread_presence(fit.presence)
    gain_kw = _to_slots(fit.plane_ratio * (fit.scale_kw[:, None] * there)[..., None])[:, block]
    usual_kw = _to_slots(_find_usual_load(window, blocks, fit, dark_kw))[:, block]
    ceiling_kw = gain_kw * sky.clear[window.area]
    by_sky = np.minimum(gain_kw * sky.likely[window.area], _SELF_USE * usual_kw + _HIDDEN * np.nan_to_num(window.import_kw))
    lit = (ceiling_kw > 0) & ~np.isnan(window.import_kw)
    generation_kw = np.where(lit, by_sky, np.float32(0.0)).astype(np.float32)
    rows = np.flatnonzero(window.has_export)
    export_kw = window.export_kw[rows]
    own_kw = sparing[rows, None, None].astype(np.float32) * usual_kw[rows]
    by_export = np.maximum(export_kw, np.minimum(export_kw + own_kw, np.float32(1.15) * ceiling_kw[rows]))
    goes_out = (export_kw > 0) & (sky.clear[window.area[rows]] > 0) & (there[rows][:, block, None] > 0)
    generation_kw[rows] = np.where(goes_out & ~np.isnan(window.import_kw[rows]), by_export, generation_kw[rows])
    return Output(generation_kw=generation_kw, highest_kw=_find_ceiling(generation_kw))


def _to_slots(hours: Floats) -> Floats:
    return np.repeat(hours.astype(np.float32), 2, axis=-1)


def spread_presence(presence: Floats) -> Floats:
    """Whether the array stood in each block, 1 or 0, shape kept; a block that cannot show it copies the nearest that can.

    Where no block can show it the array is taken to have stood throughout.
    """
    meters, blocks = presence.shape
    place = np.arange(blocks)
    known = ~np.isnan(presence)
    gap = np.where(known[:, None, :], np.abs(place[:, None] - place), blocks + 1)
    nearest = gap.argmin(axis=2) if blocks else np.zeros((meters, 0), dtype=np.int64)
    stands = np.nan_to_num(np.take_along_axis(presence, nearest, axis=1)) > _PRESENT
    return (stands | ~known.any(axis=1, keepdims=True)).astype(np.float32)


def _find_usual_load(window: MeterWindow, blocks: Blocks, fit: ArrayFit, dark_kw: Floats) -> Floats:
    """What the site itself usually draws in each hour, shape (meters, blocks, 24), kW."""
    implied = blocks.mean_kw + fit.scale_kw[:, None, None] * fit.plane_ratio * blocks.sky
    dark = dark_kw[..., None]
    roof = np.where(window.has_export[:, None, None], np.inf, 1.5 * dark)
    return np.nan_to_num(np.maximum(np.clip(implied, 0.3 * dark, np.maximum(roof, 0.3 * dark)), 0.0))


def _find_ceiling(generation_kw: Floats) -> Floats:
    """Mean of each meter's fifth to twentieth best daily maximum."""
    best = -np.sort(-generation_kw.max(axis=2, initial=0.0), axis=1)
    if best.shape[1] <= 4:
        return np.full(len(best), np.nan)
    return average_known(best[:, 4:20].astype(np.float64), 1)


def find_spells(output: Output, rows: Bools, least_share: float = 0.02) -> Events:
    """One spell of generation a day, from the first to the last slot above a share of the highest output.

    Args:
        output: generation of some meters.
        rows: which meters of the whole batch those are, shape (batch,).
        least_share: of the highest output.
    """
    on = output.generation_kw > (least_share * np.maximum(output.highest_kw, 1e-3))[:, None, None].astype(np.float32)
    meter, day = np.nonzero(on.any(axis=2))
    lit = on[meter, day]
    slots = lit.shape[1]
    first = lit.argmax(axis=1)
    last = slots - lit[:, ::-1].argmax(axis=1)
    day_kw = output.generation_kw[meter, day]
    return Events(
        meter=np.flatnonzero(rows)[meter],
        start_slot=day * slots + first,
        end_slot=day * slots + last,
        energy_kwh=day_kw.sum(axis=1, dtype=np.float64) / 2,
        peak_kw=day_kw.max(axis=1, initial=0.0).astype(np.float64),
        is_import=np.zeros(len(meter), dtype=np.bool_),
        probability=np.full(len(meter), 0.9),
    )


def mark_days(net: Floats, sky: Floats, blocks: Blocks, fit: ArrayFit, weekend: Bools) -> Floats:
    """Each day's own array scale, kW at 1 kW/m2, by how far sunny hours lie below dark ones; NaN without sun or where no array was fitted.

    What the site does between night and noon without an array is taken from the weeks around, working days and weekends
    apart, less what the fitted array explains in blocks that show it.

    Args:
        net: kW, shape (meters, blocks, 28, 24), NaN where unread.
        sky: kW/m2, likely irradiance, same shape.
        blocks: four-week statistics.
        fit: the array.
        weekend: which of the 28 days are Saturdays or Sundays.

    Returns:
        Shape (meters, blocks * 28).
    """
    shape = fit.plane_ratio * blocks.clear
    shape = (shape / np.maximum(shape.sum(axis=2, keepdims=True), 1e-6)).astype(np.float32)
    dark = (blocks.clear * 1000 < DARK_W_M2).astype(np.float32)
    dark /= np.maximum(dark.sum(axis=2, keepdims=True), 1)
    dip_kw = np.einsum("mbdh,mbh->mbd", net, np.nan_to_num(dark - shape))
    lit = np.einsum("mbdh,mbh->mbd", sky, np.nan_to_num(shape * fit.plane_ratio).astype(np.float32))
    own_kw = dip_kw - (fit.scale_kw[:, None] * spread_presence(fit.presence))[..., None] * lit
    usual_kw = np.where(weekend, _average_near(own_kw, weekend), _average_near(own_kw, ~weekend))
    mark_kw = (dip_kw - usual_kw) / np.maximum(lit, _LEAST_SUN)
    bound_kw = np.maximum(fit.scale_kw, 1e-3)[:, None, None]
    is_clear = (lit > _LEAST_SUN) & (fit.correlation > 0)[:, None, None]
    marked = np.where(is_clear, np.clip(mark_kw, -2 * bound_kw, 3 * bound_kw), np.nan)
    state = _settle_states(fit.presence)[..., None]
    marked = np.where(state == 1.0, np.maximum(marked, _SURE_MARK * bound_kw), marked)
    marked = np.where(state == 0.0, np.minimum(marked, 0.0), marked)
    return marked.reshape(len(net), net.shape[1] * BLOCK_DAYS)


def mark_exports(daily: Floats, exports: Floats, is_read: Bools, blocks: Blocks, fit: ArrayFit) -> tuple[Floats, Bools]:
    """The marks of meters with an export register, by whether they exported, and the days that show that there was no array.

    Both have the shape of ``daily``.

    An array shows in the first day of export better than in anything else. Where a long silence says that it had not come
    yet, or had gone, no dip in the load says otherwise. Of a meter that exports on nearly every bright day once it has an
    array, a bright day without export says that there is none; a dull one says nothing, nor does a month in which the sky
    shows that the site takes all of it. A dark month counts where the array is known to export on most days of one nearly as dark.

    Args:
        daily: marks, shape (meters, blocks * 28).
        exports: kW, shape (meters, blocks, 28, 24), NaN or 0 where there was none.
        is_read: days that were read, shape (meters, blocks, 28).
        blocks: four-week statistics of the same meters.
        fit: their arrays.
    """
    highest = np.nan_to_num(exports).max(axis=(1, 2, 3), initial=0.0)
    scale_kw = np.where(fit.scale_kw > 0, fit.scale_kw, highest)
    sunny = blocks.clear > np.maximum(0.1, 0.6 * blocks.clear.max(axis=2, keepdims=True, initial=0.0))
    given_kwh = (np.nan_to_num(exports) * sunny[:, :, None]).sum(axis=3)
    is_out = given_kwh > 0.02 * scale_kw[:, None, None]
    share = is_out.mean(axis=2)
    noon = blocks.clear.max(axis=2, initial=0.0)
    darkest = np.where(share > _OFTEN_IN_THE_DARK, noon, np.inf).min(axis=1, initial=np.inf)
    enough = np.minimum(0.45 * noon.max(axis=1, initial=1e-6), darkest / _NEARLY_AS_DARK)
    is_bright = (noon > enough[:, None])[..., None]
    often = np.sort(share, axis=1)[:, -3:].mean(axis=1) > _OFTEN if share.shape[1] else np.zeros(len(daily), dtype=np.bool_)
    marks = daily.reshape(is_out.shape)
    is_hidden = ((_settle_states(fit.presence) == 1.0) & (share < _OFTEN / 2))[..., None]
    speaks = often[:, None, None] & ~is_hidden
    silent = np.where(is_bright & ~np.isnan(marks), 0.0, np.nan)
    silence = find_silence(is_out, is_read, noon)
    is_bounded = often | silence.absent.any(axis=1)
    sure = np.fmax(marks, _SURE_MARK * scale_kw[:, None, None])
    by_export = np.where(is_out & is_bounded[:, None, None], sure, np.where(speaks, silent, marks))
    absent = np.where(is_read, 0.0, np.nan).reshape(daily.shape)
    return np.where(silence.absent, absent, np.where(silence.unsure, np.nan, by_export.reshape(daily.shape))), silence.absent


def _settle_states(presence: Floats) -> Floats:
    """1 in blocks in which the array stood, 0 in those in which it did not, NaN next to a change, shape of ``presence``.

    One noisy block between two of the same state is of that state, and so are dark months that cannot show it.
    """
    state = np.where(presence > _STANDS, 1.0, np.where(presence < _LACKS, 0.0, np.nan))
    before, after = _fill_forward(state), _fill_forward(state[:, ::-1])[:, ::-1]
    before, after = np.where(np.isnan(before), after, before), np.where(np.isnan(after), before, after)
    settled = np.where(before == after, before, np.nan)
    padded = np.pad(settled, ((0, 0), (1, 1)), mode="edge")
    lone = (padded[:, :-2] == padded[:, 2:]) & (padded[:, :-2] != settled)
    settled = np.where(lone, padded[:, :-2], settled)
    padded = np.pad(settled, ((0, 0), (1, 1)), mode="edge")
    return np.where((padded[:, :-2] == settled) & (padded[:, 2:] == settled), settled, np.nan)


def _fill_forward(state: Floats) -> Floats:
    """Each NaN replaced by the last known value before it in its row."""
    place = np.where(np.isnan(state), 0, np.arange(state.shape[1]))
    return np.take_along_axis(state, np.maximum.accumulate(place, axis=1), axis=1)


def _average_near(days: Floats, kind: Bools) -> Floats:
    """Mean of one kind of days over each block and the two before and after, shape (meters, blocks, 1); 0 where unknown."""
    chosen = days[:, :, kind]
    known = ~np.isnan(chosen)
    blocks = days.shape[1]

    def gather(values: Floats) -> Floats:
        padded = np.pad(values, ((0, 0), (2, 2)))
        return np.asarray(np.stack([padded[:, k : k + blocks] for k in range(5)]).sum(axis=0))

    total = gather(np.where(known, chosen, 0.0).sum(axis=2))
    average: Floats = total / np.maximum(gather(known.sum(axis=2)), 1)
    return average[..., None]
