"""Finds solar PV behind a boundary meter, sizes it and estimates what it generated."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.kernels.solar.clear_days import mark_sizes
from fmar_spark.kernels.solar.fit import (
    BLOCK_DAYS,
    CLEAR_SHARE,
    DARK_W_M2,
    USABLE_W_M2,
    ArrayFit,
    Blocks,
    average_known,
    describe_blocks,
    find_quietest,
    find_weekends,
    list_layouts,
    take_quantile,
    to_blocks,
    to_hours,
    trace_planes,
)
from fmar_spark.kernels.solar.lows import mark_lows
from fmar_spark.kernels.solar.output import Sky, estimate_output, find_spells, mark_days, mark_exports
from fmar_spark.kernels.solar.sizing import BASE_SHARE, Evidence, Seen, replace_empty_fits, scale_by_edges, size_arrays, size_fits
from fmar_spark.kernels.sun import align_sky
from fmar_spark.kernels.window import Bools, Events, Feature, Findings, Floats, MeterWindow, Method, Sizes, join_columns, name_columns

FEATURES: Final = (
    Feature("pv_export_day_share", "share", "Sunny hours with export, in the best twelve weeks; NaN without an export register."),
    Feature("pv_export_sun_share", "share", "Mean height of the sun, against the day's highest, while energy is exported."),
    Feature("pv_export_fit", "correlation", "Agreement of the export's envelope with an array of modules."),
    Feature("pv_sky_correlation", "correlation", "Agreement of the fall of net power with the measured sky on an array's plane."),
    Feature("pv_sky_best_block", "correlation", "Fall of net power with the measured sky from day to day, in the best twelve weeks."),
    Feature("pv_sky_block_share", "share", "Four-week blocks in which that correlation exceeds 0.15."),
    Feature("pv_below_base_share", "share", "Sunny hours below half the base load less dark ones, in the best twelve weeks."),
    Feature(
        "pv_below_noon_over_evening",
        "share",
        "Sunny hours below half the base load less dark ones from 06:00 to 22:00: a battery that covers the load does so after sunset too.",
    ),
    Feature(
        "pv_dark_below_share",
        "share",
        "Days below half the base load, in the dark hour that has most of them, in the best twelve weeks: no sun holds load low there.",
    ),
    Feature("pv_low_noon", "ratio", "How far the lowest sunny hours lie below zero, over the base load."),
    Feature("pv_season_contrast", "ratio", "How much deeper noon lies in bright months than in dull ones, over the mean load."),
    Feature("pv_clear_correlation", "correlation", "Fall of mean power with the clear sky, means of hour and block taken out."),
    Feature(
        "pv_below_correlation",
        "correlation",
        "Rise of the share of days below half the usual base load with the clear sky, means of hour and block taken out: edges that move "
        "with the sun's.",
    ),
    Feature("pv_noon_unrest", "log ratio", "Day-to-day scatter of sunny hours over that of dark ones."),
    Feature("pv_scale_ratio", "ratio", "Power of the fitted array at 1 kW/m2 over the mean load."),
)
METHOD: Final = Method(
    found="With an export register: the share of sunny hours with export, how high the sun stands meanwhile, and how well the envelope of "
    "the export fits an array of modules. Without: how net power falls with the measured sky from day to day, how far sunny hours lie "
    "below the base load of dark ones, and how that differs between bright and dull months. Of meters that are sure enough, the estimated "
    "generation is added back before any other class is looked for.",
    sized="The array is fitted to the envelope of the export, else (or where hardly any is exported) to the measured sky (made up for what "
    "clipping at zero hides), else to the season, over mixes of two planes. Without an export register that is set beside how much sun it "
    "takes for import to vanish: their geometric mean with a measured sky, else the larger, or the latter alone where only one season was "
    "read. `rated_kw` (AC, export) is the highest output seen, cloud edges aside (of a history without high sun its geometric mean with "
    "the fit), or, without an export register, the fit at 1 kW/m²; `peak_kwp` is the fit at 1 kW/m² over `sizing.pv_performance_ratio`, "
    "and no less than the metered `rated_kw`.",
    dated="Without an export register the daily mark is how far sunny hours come down to zero import, against the base load of the dark "
    "hours; where none do, and with an export register, it is each day's own scale of the array, by how far sunny hours lie below dark "
    "ones against the weeks around. With an export register the first and the last day of export bound it, where a silence is too long "
    "to be chance: days as bright had exported, so that it speaks in any season. An extension is read from the highest clear hour of each "
    "day's export over the measured irradiance on the modules: where what was the highest becomes the usual from one day to the next. "
    "Without an export register or a measured sky none is sought.",
)

_PART_METERS: Final = 64
"""Meters examined together: their hours stay in the processor's cache. Source: speed, no answer depends on it."""
_IS_WAKING: Final = (np.arange(24) >= 6) & (np.arange(24) < 22)
"""Hours in which a home is in use: 06:00 to 22:00. Source: definition."""
ENOUGH_EXPORT: Final = 0.1
"""Share of sunny hours with export from which a block's envelope is the array's."""


class PvRules(NamedTuple):
    """What the search and the sizes go by."""

    performance_ratio: float = 0.74
    """AC kW per kWp at 1 kW/m2 on the modules, inverter, heat and some years of age included.
    Source: yields of British roofs, 0.73 to 0.8."""
    sky_reliability: float = 0.75
    """Share of the variance of measured irradiance that the meter's own sky shares; 1 if measured on the roof."""
    export_days: float = 0.3
    """Least share of days with export in the sun, in the best four weeks, before generation is taken out."""
    export_fit: float = 0.8
    """Least agreement of the export's envelope with an array of modules for the same."""
    export_sun: float = 0.5
    """Least mean height of the sun while energy is exported, against the day's highest, for the same."""
    below_base: float = 0.3
    """Least share of sunny hours below half the base load, in the best twelve weeks, where there is no export register."""
    sky_correlation: float = 0.12
    """Least correlation of import with measured irradiance, as well."""


class PvFindings(NamedTuple):
    """What was found, and the generation to take out before any other detector looks."""

    findings: Findings
    generation_kw: Floats
    """Shape (meters, days, 48); zero where no PV is plausible."""


class _Skies(NamedTuple):
    """What all meters of a batch share, by area."""

    slots: Sky
    measured: Floats
    """kW/m2, shape (areas, blocks, 28, 24), NaN where unknown."""
    likely: Floats
    """Same, or the usual share of the clear one."""
    ranked: Floats
    """Same, the days of each block in ascending order."""
    clear: Floats
    ratio: Floats
    """Irradiance on every layout over that on the horizontal, shape (areas, blocks, 24, layouts)."""
    weekend: Bools


def examine(window: MeterWindow, rules: PvRules | None = None) -> PvFindings:
    """Look for PV in every meter of the batch.

    Without an export register import is net power cut off at zero, and the array shows only as far as the load reaches.
    """
    rules = rules or PvRules()
    skies = _share_skies(window)
    meters = len(window.area)
    starts = range(0, max(meters, 1), _PART_METERS)
    parts = [_examine_part(window.take(slice(start, start + _PART_METERS)), skies, rules) for start in starts]
    events = [part.findings.events for part in parts]
    events = [found._replace(meter=found.meter + start) for found, start in zip(events, starts, strict=True)]
    findings = Findings(
        features=join_columns([part.findings.features for part in parts]),
        daily=np.concatenate([part.findings.daily for part in parts]),
        events=Events(*(np.concatenate(columns) for columns in zip(*events, strict=True))),
        sizes=Sizes(*(np.concatenate(columns) for columns in zip(*(part.findings.sizes for part in parts), strict=True))),
        size_kw=np.concatenate([part.findings.size_kw for part in parts]),
        is_decisive=np.concatenate([part.findings.is_decisive for part in parts]),
    )
    return PvFindings(findings, np.concatenate([part.generation_kw for part in parts]))


def _share_skies(window: MeterWindow) -> _Skies:
    clear = (window.clear_w_m2 / 1000).astype(np.float32)
    measured = (align_sky(window.ghi_w_m2, window.clear_w_m2) / 1000).astype(np.float32)
    likely = np.where(np.isnan(measured), np.float32(CLEAR_SHARE) * clear, measured)
    by_hour = to_blocks(to_hours(likely))
    return _Skies(
        slots=Sky(likely, clear),
        measured=to_blocks(to_hours(measured)),
        likely=by_hour,
        ranked=np.sort(by_hour, axis=2),
        clear=to_blocks(to_hours(clear)),
        ratio=trace_planes(window, list_layouts()),
        weekend=find_weekends(window),
    )


def _examine_part(window: MeterWindow, skies: _Skies, rules: PvRules) -> PvFindings:
    """Look at few enough meters for their hours to stay in the processor's own memory."""
    hours = to_hours(window.import_kw)
    exports = to_blocks(to_hours(np.nan_to_num(window.export_kw[window.has_export])))
    days = hours.shape[1]
    net = to_blocks(hours)
    net[window.has_export] -= exports
    blocks = describe_blocks(net, skies.measured[window.area], skies.clear[window.area], skies.weekend)
    evidence = _weigh_evidence(blocks, net)
    export_shares, has_exports = _share_exports(window, exports, blocks)
    by_sky, fit = size_fits(window, (blocks, evidence, has_exports), skies.ratio, rules.sky_reliability)
    has_sky: Bools = np.any(blocks.sky_square > 0, axis=(1, 2))
    features = _list_features(window, (evidence, *export_shares), (by_sky, fit), has_sky, blocks)
    suspect, plausible = _find_plausible(window, features, rules)
    shown = replace_empty_fits(window, blocks, (by_sky, fit), skies.ratio, rules.sky_reliability)
    suspect |= (fit.scale_kw <= 0) & (shown.scale_kw > 0)
    likely = window.take(suspect)
    output = estimate_output(
        likely,
        skies.slots,
        Blocks(*(column[suspect] for column in blocks)),
        ArrayFit(*(column[suspect] for column in shown)),
        (evidence.dark_kw[suspect], evidence.sparing[suspect]),
    )
    generation_kw = np.zeros_like(window.import_kw)
    generation_kw[plausible] = output.generation_kw[plausible[suspect]]
    daily = mark_days(net, skies.likely[window.area], blocks, fit, skies.weekend)
    mine = Blocks(*(column[window.has_export] for column in blocks))
    own = ArrayFit(*(column[window.has_export] for column in fit))
    is_read: Bools = ~np.all(np.isnan(net[window.has_export]), axis=3)
    size_kw, is_decisive = np.full(daily.shape, np.nan), np.zeros(daily.shape, dtype=np.bool_)
    daily[window.has_export], is_decisive[window.has_export] = mark_exports(daily[window.has_export], exports, is_read, mine, own)
    exporting = window.take(window.has_export)
    sky = (skies.measured[exporting.area], skies.clear[exporting.area])
    size_kw[window.has_export] = mark_sizes(exporting, exports, sky, mine, own, evidence.base_kw[window.has_export])
    bare = ~window.has_export
    rest = Blocks(*(column[bare] for column in blocks))
    daily[bare] = mark_lows(daily[bare], net[bare], skies.likely[window.area[bare]], rest)
    edge_kw = np.full(len(suspect), np.nan)
    hidden = suspect & bare
    edge_kw[hidden] = scale_by_edges(
        Blocks(*(column[hidden] for column in blocks)),
        Evidence(*(column[hidden] for column in evidence)),
        fit.plane_ratio[hidden],
        skies.ranked[window.area[hidden]],
    )
    seen = Seen(suspect, output, edge_kw, has_sky, ~np.isnan(evidence.season_contrast), evidence.below_base_share)
    findings = Findings(
        features=features,
        daily=daily[:, :days],
        events=find_spells(output, suspect),
        sizes=size_arrays(window, shown, seen, rules.performance_ratio),
        size_kw=size_kw[:, :days],
        is_decisive=is_decisive[:, :days],
    )
    return PvFindings(findings, generation_kw)


def _find_plausible(window: MeterWindow, features: dict[str, Floats], rules: PvRules) -> tuple[Bools, Bools]:
    """Meters whose generation is worth estimating, and those that are sure enough for it to be taken out."""
    column = {name: np.nan_to_num(values) for name, values in features.items()}
    by_export = (column["pv_export_day_share"] > rules.export_days) & (column["pv_export_fit"] > rules.export_fit)
    by_export &= column["pv_export_sun_share"] > rules.export_sun
    by_import = (column["pv_below_base_share"] > rules.below_base) & (column["pv_sky_correlation"] > rules.sky_correlation)
    plausible = np.where(window.has_export, by_export, by_import)
    hint = (column["pv_export_day_share"] > 0) | (column["pv_below_base_share"] > 0.1) | (column["pv_sky_correlation"] > 0.2)
    no_sky = np.isnan(features["pv_scale_ratio"])
    hint |= no_sky & (column["pv_clear_correlation"] > 0.2)
    return plausible | (hint & (no_sky | (column["pv_scale_ratio"] > 0.3))), plausible


def _best_blocks(values: Floats, count: int = 3) -> Floats:
    """Mean of the highest blocks: (meters, blocks) -> (meters,), so that an array that came late still shows."""
    if not values.shape[1]:
        return np.full(len(values), np.nan)
    ranked = -np.sort(-np.where(np.isnan(values), -np.inf, values), axis=1)[:, :count]
    return average_known(np.where(np.isinf(ranked), np.nan, ranked), 1)


def _mean_where(mask: Bools, values: Floats) -> Floats:
    """Mean over the hours of a mask: (meters, blocks, 24) -> (meters, blocks), NaN where none."""
    count = mask.sum(axis=2)
    return np.where(count > 0, np.where(mask, values, 0.0).sum(axis=2) / np.maximum(count, 1), np.nan)


def _find_sunny(blocks: Blocks) -> Bools:
    """Hours round noon of blocks that were read enough."""
    high = blocks.clear > np.maximum(2e-3 * USABLE_W_M2, 0.6 * blocks.clear.max(axis=2, keepdims=True, initial=0.0))
    return np.asarray(high & (blocks.days >= BLOCK_DAYS // 4))


def _weigh_evidence(blocks: Blocks, net: Floats) -> Evidence:
    """Reduce hours to what sun and darkness show of each meter."""
    sunny = _find_sunny(blocks)
    dark = (blocks.days >= BLOCK_DAYS // 4) & (blocks.clear * 1000 < DARK_W_M2)
    dark_kw, noon_kw, base_kw = (
        _mean_where(mask, values) for mask, values in ((dark, blocks.mean_kw), (sunny, blocks.mean_kw), (dark, blocks.low_kw))
    )
    sparing = np.clip(np.nansum(base_kw, axis=1) / np.maximum(np.nansum(dark_kw, axis=1), 1e-6), 0.5, 0.95)
    base_days_kw = np.maximum(average_known(find_quietest(net, dark), 2), 0.0)
    below = (net < (BASE_SHARE * base_days_kw)[..., None, None]).sum(axis=2, dtype=np.int8) / np.maximum(blocks.days, 1)
    usual_kw = np.nan_to_num(take_quantile(base_days_kw, 0.5))
    low = (net < (0.5 * usual_kw)[:, None, None, None]).sum(axis=2, dtype=np.int8) / np.maximum(blocks.days, 1)
    unrest = np.sqrt(blocks.load_square / np.maximum(blocks.days, 1))
    quiet = np.maximum(_mean_where(dark, unrest), 1e-3)
    return Evidence(
        below_base_share=_best_blocks(_mean_where(sunny, below) - _mean_where(dark, below)),
        below_over_evening=_best_blocks(_mean_where(sunny, below) - _mean_where(dark & _IS_WAKING, below)),
        dark_below=_best_blocks(np.where(dark.any(axis=2), np.where(dark, below, 0.0).max(axis=2, initial=0.0), np.nan)),
        low_noon=_best_blocks(-_mean_where(sunny, blocks.low_kw) / np.maximum(base_days_kw, 0.01)),
        season_contrast=_contrast_seasons(dark_kw - noon_kw, blocks),
        clear_correlation=-_correlate_clear(blocks.mean_kw, blocks),
        below_correlation=_correlate_clear(low, blocks),
        noon_unrest=_best_blocks(np.log(np.maximum(_mean_where(sunny, unrest), 1e-3) / quiet)),
        dark_kw=dark_kw,
        base_kw=base_kw,
        sparing=sparing,
        open_share=1 - below,
    )


def _share_exports(window: MeterWindow, exports: Floats, blocks: Blocks) -> tuple[tuple[Floats, Floats], Bools]:
    """Share of sunny hours with export in the best blocks, and of exported energy by the height of its sun; (meters,) each.

    And in which blocks there was enough of it, shape (meters, blocks).

    Args:
        window: the meters.
        exports: kW, shape (meters with export, blocks, 28, 24).
        blocks: of all meters.
    """
    mine = Blocks(*(column[window.has_export] for column in blocks))
    moved = (exports > 0.05 * np.abs(mine.mean_kw)[:, :, None]).sum(axis=2, dtype=np.int8) / np.maximum(mine.days, 1)
    energy = np.nan_to_num(exports).sum(axis=2)
    height = mine.clear / np.maximum(mine.clear.max(axis=2, keepdims=True, initial=1e-6), 1e-6)
    day_share, sun_share = np.full(len(window.area), np.nan), np.full(len(window.area), np.nan)
    by_block = _mean_where(_find_sunny(mine), moved)
    has_exports = np.zeros(blocks.days.shape[:2], dtype=np.bool_)
    has_exports[window.has_export] = np.nan_to_num(by_block) > ENOUGH_EXPORT
    day_share[window.has_export] = _best_blocks(by_block)
    sun_share[window.has_export] = (energy * np.nan_to_num(height)).sum(axis=(1, 2)) / np.maximum(energy.sum(axis=(1, 2)), 1e-9)
    return (day_share, sun_share), has_exports


def _contrast_seasons(dip_kw: Floats, blocks: Blocks) -> Floats:
    """How much deeper noon lies below darkness in bright blocks than in dull ones, over the mean load; NaN without both."""
    sun = np.where(np.isnan(dip_kw), np.nan, blocks.clear.sum(axis=2))
    spread = np.nan_to_num(sun - average_known(sun, 1)[:, None])
    variation = (spread**2).sum(axis=1)
    slope = (spread * np.nan_to_num(dip_kw)).sum(axis=1) / np.maximum(variation, 1e-9)
    return np.where(variation > 4.0, slope / _usual_kw(blocks), np.nan)


def _usual_kw(blocks: Blocks) -> Floats:
    return np.asarray(np.maximum(np.nan_to_num(average_known(np.abs(blocks.mean_kw), (1, 2))), 1e-3))


def _correlate_clear(values: Floats, blocks: Blocks) -> Floats:
    """Correlation of values with the clear sky once each hour's and each block's own mean is gone; NaN where either does not vary.

    Args:
        values: shape (meters, blocks, 24); what no day was read of is left out.
        blocks: of the same meters.
    """
    known = ~np.isnan(blocks.mean_kw)

    def centre(figures: Floats) -> Floats:
        bare = np.where(known, figures, np.nan).astype(np.float64)
        for axis in (1, 2, 1, 2):
            bare = bare - np.expand_dims(average_known(bare, axis), axis)
        return np.nan_to_num(bare)

    mine, sun = centre(values), centre(blocks.clear)
    power = np.sqrt((mine**2).sum(axis=(1, 2)) * (sun**2).sum(axis=(1, 2)))
    return np.where(power > 1e-9, (mine * sun).sum(axis=(1, 2)) / np.maximum(power, 1e-9), np.nan)


def _block_correlation(blocks: Blocks) -> Floats:
    """Correlation of the fall of net power with the sky in each block, shape (meters, blocks); NaN without both."""
    power = np.sqrt(blocks.sky_square.sum(axis=2) * np.where(blocks.clear > 0, blocks.load_square, 0.0).sum(axis=2))
    return np.where(power > 1e-6, blocks.cross.sum(axis=2) / np.maximum(power, 1e-6), np.nan)


def _list_features(
    window: MeterWindow,
    seen: tuple[Evidence, Floats, Floats],
    fits: tuple[ArrayFit, ArrayFit],
    has_sky: Bools,
    blocks: Blocks,
) -> dict[str, Floats]:
    """Features by name; what needs an export register or a measured sky is NaN without it."""
    evidence, day_share, sun_share = seen
    by_sky, fit = fits
    exporting = window.has_export
    by_block = _block_correlation(blocks)
    follows = (np.nan_to_num(by_block) > 0.15).sum(axis=1) / np.maximum((~np.isnan(by_block)).sum(axis=1), 1)
    columns = {
        "pv_export_day_share": day_share,
        "pv_export_sun_share": sun_share,
        "pv_export_fit": np.where(exporting, fit.correlation, np.nan),
        "pv_sky_correlation": np.where(has_sky, by_sky.correlation, np.nan),
        "pv_sky_best_block": np.where(has_sky, _best_blocks(by_block), np.nan),
        "pv_sky_block_share": np.where(has_sky, follows, np.nan),
        "pv_below_base_share": evidence.below_base_share,
        "pv_below_noon_over_evening": evidence.below_over_evening,
        "pv_dark_below_share": evidence.dark_below,
        "pv_low_noon": evidence.low_noon,
        "pv_season_contrast": evidence.season_contrast,
        "pv_clear_correlation": evidence.clear_correlation,
        "pv_below_correlation": evidence.below_correlation,
        "pv_noon_unrest": evidence.noon_unrest,
        "pv_scale_ratio": np.where(exporting | has_sky, fit.scale_kw / _usual_kw(blocks), np.nan),
    }
    return name_columns(FEATURES, columns)
