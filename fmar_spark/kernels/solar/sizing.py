"""Fits an array to what the export's envelope or the measured sky shows, and says in which weeks it stood."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.kernels.solar.fit import (
    BLOCK_DAYS,
    CLEAR_SHARE,
    USABLE_W_M2,
    ArrayFit,
    Blocks,
    choose_layout,
    sum_neighbours,
    take_quantile,
    weigh_presence,
)
from fmar_spark.kernels.solar.output import Output
from fmar_spark.kernels.window import Bools, Floats, Ints, MeterWindow, Sizes

OPEN_SHARE: Final = 0.5
"""Share of a block's sun in which import must answer a change of load, for the block to say whether there is an array."""
BASE_SHARE: Final = 0.5
"""Share of the base load below which an hour counts as covered by the array."""
LEAST_COVERED: Final = 0.15
"""Share of an hour's days that are covered, below which and within as much of all days the hour says nothing of the size."""
COVERED: Final = 0.3
"""Share of sunny hours, in the best weeks, from which on import alone bounds an array from below."""
LEAST_PLANE: Final = 0.05
"""Irradiance on the modules, kW/m2, below which an hour says nothing of the size."""
BRIGHTEST: Final = 0.9
"""Highest hourly irradiance on a roof under a clear sky, kW/m2. Source: the middle of simulated roofs over whole years, 0.77 to 0.99."""
ENOUGH_SUN: Final = 0.8
"""Share of that which a history must have shown for its highest output to be the inverter's."""


class Seen(NamedTuple):
    """What sizes rest on beside the fitted array."""

    suspect: Bools
    """Meters whose generation was estimated."""
    output: Output
    """Of those."""
    edge_kw: Floats
    """``scale_by_edges``; NaN with an export register."""
    has_sky: Bools
    """Whether irradiance was measured."""
    has_season: Bools
    """Whether bright and dull months were read."""
    covered_share: Floats
    """Share of sunny hours, in the best weeks, in which the array covers the load."""


class Evidence(NamedTuple):
    """What sun and darkness show of each meter; shape (meters,) unless said otherwise."""

    below_base_share: Floats
    below_over_evening: Floats
    dark_below: Floats
    low_noon: Floats
    season_contrast: Floats
    clear_correlation: Floats
    below_correlation: Floats
    noon_unrest: Floats
    dark_kw: Floats
    """Mean power in the dark, shape (meters, blocks)."""
    base_kw: Floats
    """Mean over dark hours of the least power, same shape."""
    sparing: Floats
    """Least over mean power in the dark."""
    open_share: Floats
    """Share of each block's hours in which import shows a change of load at all, shape (meters, blocks, 24)."""


def size_fits(
    window: MeterWindow, seen: tuple[Blocks, Evidence, Bools], ratio: Floats, sky_reliability: float
) -> tuple[ArrayFit, ArrayFit]:
    """The array as the measured sky shows it, and the best there is to say of it.

    That is the export's envelope where there is one; else the sky's, made up for what clipping at zero and a distant sky hide; else
    the season's.

    Args:
        window: the meters.
        seen: statistics, evidence, and the blocks with enough export, shape (meters, blocks).
        ratio: of every layout, shape (areas, blocks, 24, layouts).
        sky_reliability: share of the variance of measured irradiance that the meter's own sky shares.
    """
    blocks, evidence, has_exports = seen
    whole_share = np.ones_like(blocks.cross)
    by_sky = _fit_sky(window.area, blocks, ratio, whole_share, None)
    fit = ArrayFit(*(column.copy() for column in by_sky))
    steady = weigh_presence(sum_neighbours(blocks.cross.sum(axis=2)), sum_neighbours(blocks.sky_square.sum(axis=2)))
    steady = np.where(_find_open(blocks, evidence) | window.has_export[:, None], steady, np.nan)
    for mine in (window.has_export, ~window.has_export):
        area, part = window.area[mine], Blocks(*(column[mine] for column in blocks))
        if mine is window.has_export:
            own = _fit_export(area, part, (evidence.base_kw[mine], evidence.sparing[mine]), ratio)
            presence = _join_presence(own.presence, steady[mine], has_exports[mine])
        else:
            own = _fit_sky(area, part, ratio, evidence.open_share[mine], by_sky.presence[mine])
            mine_evidence = Evidence(*(column[mine] for column in evidence))
            by_season_kw = np.where((part.sky_square > 0).any(axis=(1, 2)), 0.0, _scale_by_season(part, mine_evidence))
            own = own._replace(scale_kw=own.pooled_kw / sky_reliability + by_season_kw)
            presence = steady[mine]
        for whole, column in zip(fit, own._replace(presence=presence), strict=True):
            whole[mine] = column
    peak_ratio = (fit.plane_ratio * blocks.clear).max(axis=(1, 2), initial=0.0)
    return by_sky, fit._replace(peak_ratio=peak_ratio)


def replace_empty_fits(
    window: MeterWindow, blocks: Blocks, fits: tuple[ArrayFit, ArrayFit], ratio: Floats, sky_reliability: float
) -> ArrayFit:
    """The fit by the measured sky where the best there is says nothing: an array whose output the site mostly uses hardly exports.

    Args:
        window: the meters.
        blocks: four-week statistics.
        fits: both of ``size_fits``.
        ratio: of every layout, shape (areas, blocks, 24, layouts).
        sky_reliability: share of the variance of measured irradiance that the meter's own sky shares.
    """
    by_sky, fit = fits
    rows = np.flatnonzero((fit.scale_kw <= 0) & (by_sky.scale_kw > 0))
    part = Blocks(*(column[rows] for column in blocks))
    own = _fit_sky(window.area[rows], part, ratio, np.ones_like(part.cross), by_sky.presence[rows])
    presence = np.fmax(fit.presence[rows], by_sky.presence[rows])
    peak_ratio = (own.plane_ratio * part.clear).max(axis=(1, 2), initial=0.0)
    own = own._replace(scale_kw=own.pooled_kw / sky_reliability, presence=presence, peak_ratio=peak_ratio)
    shown = ArrayFit(*(column.copy() for column in fit))
    for whole, column in zip(shown, own, strict=True):
        whole[rows] = column
    return shown


def scale_by_edges(blocks: Blocks, evidence: Evidence, plane_ratio: Floats, ranked_sky: Floats) -> Floats:
    """AC power at 1 kW/m2 by how much sun it takes for import to vanish, shape (meters,); NaN where no hour shows it.

    An hour of a block that is covered on a third of its days says that the sun of the brightest third is enough for the array to
    make up for what the site draws then: the mean of the dark hours less the share of the base load that stays. The middle over all
    such hours. Where the load falls to zero at any sun, there is no such hour, and the size is only known to be no less.

    Args:
        blocks: four-week statistics.
        evidence: of the same meters.
        plane_ratio: irradiance on the modules over that on the horizontal, shape (meters, blocks, 24).
        ranked_sky: each meter's irradiance, kW/m2, its days in ascending order, NaN last, shape (meters, blocks, 28, 24).
    """
    known = (~np.isnan(ranked_sky)).sum(axis=2)
    place = np.clip((evidence.open_share * known).astype(np.int64), 0, np.maximum(known - 1, 0))
    enough = np.take_along_axis(ranked_sky, place[:, :, None], axis=2)[:, :, 0] * plane_ratio
    covered = 1 - evidence.open_share
    load_kw = evidence.dark_kw - BASE_SHARE * np.maximum(evidence.base_kw, 0.0)
    is_edge = (blocks.clear * 1000 > USABLE_W_M2) & (blocks.days >= BLOCK_DAYS // 4) & (enough > LEAST_PLANE)
    is_edge &= (covered > LEAST_COVERED) & (covered < 1 - LEAST_COVERED) & (load_kw > 0)[..., None]
    scale_kw = np.where(is_edge, load_kw[..., None] / np.maximum(enough, LEAST_PLANE), np.nan)
    return take_quantile(scale_kw.reshape(len(scale_kw), int(np.prod(scale_kw.shape[1:]))), 0.5)


def _find_open(blocks: Blocks, evidence: Evidence) -> Bools:
    """Blocks in whose sunny hours import is not cut off at zero most of the time, shape (meters, blocks)."""
    weight = np.nan_to_num(blocks.clear)
    share = (evidence.open_share * weight).sum(axis=2) / np.maximum(weight.sum(axis=2), 1e-6)
    return np.asarray(share > OPEN_SHARE)


def _fit_sky(area: Ints, blocks: Blocks, ratio: Floats, open_share: Floats, presence: Floats | None) -> ArrayFit:
    """Fit the array to how net power follows the measured sky from day to day.

    Where import is cut off at zero for part of the days it follows the sky by that much less: the slope of each hour is
    made up for it, and hours that are mostly cut off count for little.
    """
    weight = np.where(blocks.clear * 1000 > USABLE_W_M2, open_share**3, 0.0)
    cross = np.where(weight > 0, blocks.cross * weight / np.maximum(open_share, 0.05), 0.0)
    square = blocks.sky_square * weight
    if presence is None:
        presence = weigh_presence(cross.sum(axis=2), square.sum(axis=2))
    return choose_layout(cross, square, ratio, area, presence, (blocks.load_square * weight).sum(axis=2))


def _scale_by_season(blocks: Blocks, evidence: Evidence) -> Floats:
    """What is left to go by without export and without a measured sky: how each hour falls as its block's sun rises, shape (meters,).

    Each hour is compared with itself over the year, less what the dark hours of the same weeks do, so that neither the site's day and
    night nor its winter enter. Hours that are mostly cut off at zero count for little, and their slope is made up for it.
    """
    open_share = np.where(blocks.clear * 1000 > USABLE_W_M2, evidence.open_share, np.nan)
    weight = np.where(np.isnan(blocks.mean_kw) | np.isnan(open_share), 0.0, np.nan_to_num(open_share) ** 3)
    fall_kw = np.nan_to_num(evidence.dark_kw)[..., None] - np.nan_to_num(blocks.mean_kw)
    sun = CLEAR_SHARE * np.nan_to_num(blocks.clear)
    spread = sun - ((weight * sun).sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-6))[:, None]
    cross = (weight * spread * fall_kw / np.maximum(np.nan_to_num(open_share, nan=1.0), 0.05)).sum(axis=(1, 2))
    return np.asarray(np.maximum(cross / np.maximum((weight * spread**2).sum(axis=(1, 2)), 1e-3), 0.0))


def _join_presence(own: Floats, by_sky: Floats, has_exports: Bools) -> Floats:
    """Presence of the array by block: its own where it exports; elsewhere what follows the measured sky over three blocks.

    A busy site may take all of it for months, and export nothing: its net power still follows the sky. Without a measured
    sky such a block says what the envelope says.
    """
    is_known = ~np.isnan(by_sky) & ~has_exports & (np.abs(by_sky) > 1e-6)
    return np.where(is_known, by_sky, own)


def _fit_export(area: Ints, blocks: Blocks, dark: tuple[Floats, Floats], ratio: Floats) -> ArrayFit:
    """Fit the array to the highest output of every block and hour.

    At the brightest moment of a block the load is at least what the dark hours never go below, and as sparing, against
    the mean that the first round implies, as it is in the dark. Hours in which the fit would pass the highest output
    ever seen are left out of the next round: there the inverter may have clipped.
    """
    usable = (blocks.clear * 1000 > USABLE_W_M2) & ~np.isnan(blocks.low_kw)
    seen = np.where(usable, blocks.sky_high, 0.0)
    base_kw, sparing = np.nan_to_num(np.maximum(dark[0], 0.0))[..., None], dark[1][:, None, None]
    height_kw = np.where(usable, base_kw - blocks.low_kw, 0.0)
    presence = weigh_presence((height_kw * seen).sum(axis=2), (seen**2).sum(axis=2))
    fit = choose_layout(height_kw * seen, seen**2, ratio, area, presence, _square(height_kw))
    there = np.clip(np.nan_to_num(presence), 0.0, 1.0)
    for _ in range(3):
        output_kw = (fit.scale_kw[:, None] * there)[..., None] * fit.plane_ratio
        load_kw = np.maximum(base_kw, sparing * (blocks.mean_kw + output_kw * blocks.sky))
        height_kw = np.where(usable, load_kw - blocks.low_kw, 0.0)
        clipped = output_kw * blocks.sky_high > 1.03 * height_kw.max(axis=(1, 2), keepdims=True, initial=0.0)
        kept_kw, kept = np.where(clipped, 0.0, height_kw), np.where(clipped, 0.0, seen)
        fit = choose_layout(kept_kw * kept, kept**2, ratio, area, presence, _square(kept_kw))
    return fit


def _square(height_kw: Floats) -> Floats:
    return np.asarray((np.maximum(height_kw, 0.0) ** 2).sum(axis=2))


def size_arrays(window: MeterWindow, fit: ArrayFit, seen: Seen, performance_ratio: float) -> Sizes:
    """AC and DC size of each array as if it were there.

    Without an export register the size stands between what import's fall with the sun says, and how much sun covers the load: their
    geometric mean with a measured sky, else the larger, since the season's fall is made shallower by loads of summer; the latter alone
    with neither sky nor season.

    Args:
        window: the meters.
        fit: their arrays.
        seen: what else shows their size.
        performance_ratio: AC kW per kWp at 1 kW/m2 on the modules.
    """
    highest_kw = np.full(len(fit.scale_kw), np.nan)
    highest_kw[seen.suspect] = seen.output.highest_kw
    by_fall_kw = np.where(fit.scale_kw > 0, fit.scale_kw, np.nan)
    larger_kw = np.fmax(by_fall_kw, seen.edge_kw)
    by_both_kw = np.where(seen.has_sky, np.sqrt(by_fall_kw * seen.edge_kw), np.where(seen.has_season, larger_kw, seen.edge_kw))
    scale_kw = np.where(np.isnan(by_both_kw), larger_kw, by_both_kw)
    bright_kw = np.maximum(highest_kw, BRIGHTEST * scale_kw)
    highest_kw = np.where(fit.peak_ratio < ENOUGH_SUN * BRIGHTEST, np.sqrt(highest_kw * bright_kw), highest_kw)
    spread = np.where(window.has_export, 0.1, 0.3) + 0.5 * (1 - fit.correlation)
    unknown = np.full(len(scale_kw), np.nan)
    output_kw = np.where(window.has_export & ~np.isnan(scale_kw), highest_kw, scale_kw)
    return Sizes(
        rated_import_kw=unknown,
        rated_export_kw=output_kw,
        spread=np.where(np.isnan(scale_kw), np.nan, spread),
        storage_kwh=unknown,
        # What comes out is no more than the modules give.
        peak_kwp=np.maximum(scale_kw / performance_ratio, np.where(window.has_export, np.nan_to_num(output_kw), 0.0)),
        is_least=np.where(np.isnan(output_kw), np.nan, ~window.has_export & (np.nan_to_num(seen.covered_share) > COVERED)),
    )
