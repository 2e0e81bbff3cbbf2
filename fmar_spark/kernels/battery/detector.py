"""Finds stationary batteries behind a boundary meter once PV is taken out, and sizes them."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.kernels.battery.cycles import NOON_SLOT, StorageRules, Traits, find_episodes
from fmar_spark.kernels.battery.nights import leave_out_dull, mark_nights
from fmar_spark.kernels.solar.fit import BLOCK_DAYS, DARK_W_M2, average_known, to_blocks
from fmar_spark.kernels.window import (
    Bools,
    Events,
    Feature,
    Findings,
    Floats,
    MeterWindow,
    Method,
    Sizes,
    join_columns,
    name_columns,
    unknown_sizes,
)

FEATURES: Final = (
    Feature("battery_dark_zero_share", "share", "Dark half-hours held near zero or exporting, in the best twelve weeks."),
    Feature("battery_evening_zero_share", "share", "Dark half-hours from 16:30 to 22:00 held near zero or exporting."),
    Feature(
        "battery_dear_zero_share",
        "share",
        "Half-hours from 16:30 to 22:00 held near zero or exporting; with an export register dark ones only.",
    ),
    Feature("battery_evening_over_night", "share", "Dark evenings' share less that of 00:30 to 05:30."),
    Feature("battery_day_zero_share", "share", "Half-hours with sun held near zero; NaN without an export register."),
    Feature("battery_clock_zero_jump", "share", "Largest change of that share from one clock slot to the next."),
    Feature("battery_sun_link", "-1 to 1", "Correlation of a day's sun (or export) with its evening's hours near zero, within four weeks."),
    Feature("battery_zero_season", "share", "How much less of the dark is held near zero when nights are ten half-hours longer."),
    Feature("battery_dark_export_share", "share", "Dark half-hours with export, in the best twelve weeks; NaN without an export register."),
    Feature("battery_dark_export_ratio", "share", "Dark half-hours with export of the clock slot that exports most often."),
    Feature("battery_night_step", "ratio", "Largest mean step up at a cheap clock slot over the mean load."),
    Feature("battery_night_step_regularity", "ratio", "Largest mean step up over its scatter: near 1 where it comes every day."),
    Feature("battery_peak_drop", "ratio", "Largest mean step down from 14:30 to 20:30 over the mean load."),
    Feature("battery_peak_drop_regularity", "ratio", "Largest mean step down over its scatter."),
    Feature(
        "battery_peak_deficit",
        "ratio",
        "How far the mean load from 14:30 to 22:00 falls below all of the four hours before, over the mean load: what a battery gives, and "
        "no load that ends.",
    ),
    Feature("battery_step_and_drop", "ratio", "The lesser of both regularities in the same four weeks."),
    Feature(
        "battery_zero_persistence",
        "share",
        "Dark half-hours near zero that are followed by another: a low base load comes and goes.",
    ),
    Feature("battery_zero_gap", "ratio", "Dark half-hours below half the near-zero limit over those below twice the limit."),
)
METHOD: Final = Method(
    found="With generation taken out, a battery shows by what a household does not do: net power held near zero in the dark, export in the "
    "dark, or steps up in cheap hours and down before dear ones that recur every day. Each is taken from the best twelve weeks, so that a "
    "battery that came late still shows.",
    sized="Where charging from the network recurs at one power, that is `rated_kw`, and `storage_kwh` is the 90th percentile of its blocks "
    "by the square root of the round trip. Else the 90th percentile of a day's discharge is what the site takes, and the battery is no "
    "smaller: `storage_kwh` lies a third of the way, in logarithms, from there to that of a usual battery (`sizing.battery_kwh`), and "
    "`rated_kw` is storage over 2.6 hours (`sizing.battery_hours`), with a wider interval. Import and export have the same rating.",
    dated="The daily mark is how far the dark hours come down to zero, or the energy given or charged from the network, each over "
    "its usual. An extension is read from charging from the network: where days at one power end as those at a higher one begin, "
    "beyond chance, the battery was extended. One that only the sun fills shows none; its days without enough sun to fill it say nothing. "
    "A battery comes or goes only where use on most days begins or ends at once; what fades in or out is a season.",
)
_NIGHT: Final = slice(1, 11)
"""Half past midnight to half past five: everyone asleep, batteries often spent or charging."""
_EVENING: Final = slice(33, 44)
"""Half past four to ten: dear and busy."""
_CHARGE_STEPS: Final = np.r_[40:48, 0:14, 22:30]
"""Clock slots in which batteries begin to charge from the network: night rates and the early afternoon."""
_PEAK_STEPS: Final = np.r_[29:41]
"""Clock slots in which the dear evening begins."""
_BEFORE_SLOTS: Final = 8
"""Half-hours before a drop that a load would have to have begun in, to end in it."""
_STAYS_SLOTS: Final = 3
"""Half-hours for which a drop must stay."""
LASTING_SLOTS: Final = 3
"""Half-hours that net power must stay near zero at a stretch to count as held."""
FEWEST_STEP_DAYS: Final = 14
"""Read days of four weeks below which their steps say nothing: on one day every step is regular."""
LEAST_NEAR: Final = 20
"""Dark half-hours near zero below which nothing is said of what follows them."""
_PART_METERS: Final = 32
"""Meters examined together: their slots stay in the processor's cache. Source: speed, no answer depends on it."""


class BatteryRules(NamedTuple):
    """What the search goes by."""

    zero_share: float = 0.4
    """Net power below this share of the meter's base load counts as near zero."""
    idle_share: float = 0.06
    """Power below this share of the mean load is left out when the base load is sought: a battery may be covering it."""
    hint_zero_share: float = 0.1
    """Share of dark half-hours near zero, in the best weeks, from which episodes are looked for."""
    hint_export_share: float = 0.03
    """Or share of dark half-hours with export."""
    hint_regularity: float = 0.4
    """Or regularity of steps up and down."""
    fill_regularity: float = 0.45
    """Least regularity of the steps up in cheap hours for charging from the network to be sought."""
    storage: StorageRules = StorageRules()
    """What is assumed of the battery itself."""


class _Zeros(NamedTuple):
    """Where net power is held near zero."""

    by_slot: Floats
    """Share of read days near zero, shape (meters, blocks, 48)."""
    export_by_slot: Floats
    """Share of read days with clear export, same shape; 0 without an export register."""
    dark: Bools
    """Same shape: no sun, and read enough."""
    is_near: Bools
    """Shape (meters, blocks, 28, 48)."""
    persistence: Floats
    """Share of dark half-hours near zero that are followed by another, shape (meters,); NaN without any."""
    gap: Floats
    """How empty the range just above zero is, against zero itself, shape (meters,)."""


class _Steps(NamedTuple):
    """Mean change from slot to slot over a block's days, over the mean load, and over its own scatter."""

    rise: Floats
    """Shape (meters, blocks)."""
    rise_regularity: Floats
    fall: Floats
    fall_regularity: Floats
    deficit: Floats
    """How far the evening falls below all of the hours before it."""


def examine(window: MeterWindow, load_kw: Floats, generation_kw: Floats, rules: BatteryRules | None = None) -> Findings:
    """Look for a battery in every meter of the batch.

    Args:
        window: the meters.
        load_kw: import less export plus generation, shape (meters, days, 48), NaN where unread.
        generation_kw: estimated generation, same shape, 0 where there is no PV.
        rules: thresholds.
    """
    rules = rules or BatteryRules()
    meters = len(window.area)
    starts = range(0, max(meters, 1), _PART_METERS)
    parts = []
    for start in starts:
        rows = slice(start, start + _PART_METERS)
        parts.append(_examine_part(window.take(rows), load_kw[rows], generation_kw[rows], rules))
    events = [part.events._replace(meter=part.events.meter + start) for part, start in zip(parts, starts, strict=True)]
    return Findings(
        features=join_columns([part.features for part in parts]),
        daily=np.concatenate([part.daily for part in parts]),
        events=Events(*(np.concatenate(columns) for columns in zip(*events, strict=True))),
        sizes=Sizes(*(np.concatenate(columns) for columns in zip(*(part.sizes for part in parts), strict=True))),
    )


def _examine_part(window: MeterWindow, load_kw: Floats, generation_kw: Floats, rules: BatteryRules) -> Findings:
    days = load_kw.shape[1]
    net = to_blocks(load_kw - generation_kw)
    load = to_blocks(load_kw)
    read = (~np.isnan(net)).sum(axis=2, dtype=np.int8).astype(np.float32)
    mean_kw = np.maximum(np.nan_to_num(average_known(np.maximum(load, 0.0), (1, 2, 3))), 1e-3)
    zeros = _find_zeros(window, net, read, (mean_kw, rules))
    steps = _find_steps(load, mean_kw)
    features = _list_features(window, zeros, steps, _link_sun(window, zeros.is_near, zeros.dark, net))
    column = {name: np.nan_to_num(values) for name, values in features.items()}
    hint = (column["battery_dark_zero_share"] > rules.hint_zero_share) | (column["battery_dark_export_share"] > rules.hint_export_share)
    rows = np.flatnonzero(hint | (column["battery_step_and_drop"] > rules.hint_regularity))
    may_fill = column["battery_night_step_regularity"][rows] >= rules.fill_regularity
    workings = find_episodes(Traits(load[rows], net[rows], zeros.is_near[rows], zeros.dark[rows], may_fill), rules.storage)
    daily = np.zeros((len(net), days), dtype=np.float32)
    marks = mark_nights(workings.moved_kwh, net[rows], zeros.dark[rows])
    free = zeros.is_near[rows] & ~zeros.dark[rows][:, :, None]
    daily[rows] = leave_out_dull(marks, free, workings.sizes.is_least != 0)[:, :days]
    has_gap = np.isnan(net @ np.ones(net.shape[3], dtype=np.float32))
    daily[has_gap.reshape(len(net), net.shape[1] * BLOCK_DAYS)[:, :days]] = np.nan
    sizes = unknown_sizes(len(net))
    for whole, part in zip(sizes, workings.sizes, strict=True):
        whole[rows] = part
    events = workings.events._replace(meter=rows[workings.events.meter])
    return Findings(features=features, daily=daily, events=events, sizes=sizes)


def _find_zeros(window: MeterWindow, net: Floats, read: Floats, scale: tuple[Floats, BatteryRules]) -> _Zeros:
    """Mark where net power stays near zero or goes out in the dark."""
    mean_kw, rules = scale
    clear = np.fmax.reduce(to_blocks(window.clear_w_m2), axis=2)[window.area]
    dark = (clear < DARK_W_M2) & (read >= BLOCK_DAYS // 4)
    base_kw = _find_base(net, dark, rules.idle_share)
    near_kw = np.minimum(rules.zero_share * base_kw, 0.2 * mean_kw)[:, None, None, None].astype(np.float32)
    touches = net < near_kw
    below = np.where(dark[:, :, None], keep_lasting(touches & dark[:, :, None]), keep_lasting(touches))
    exporting = np.zeros(net.shape, dtype=np.bool_)
    exporting[window.has_export] = net[window.has_export] < -near_kw[window.has_export]
    is_near = below & ~exporting
    days = np.maximum(read, 1)
    least, further = ((net < near_kw * share).sum(axis=2, dtype=np.int8) * dark for share in (0.5, 2.0))
    dark_near = touches & dark[:, :, None]
    followed = (dark_near[..., :-1] & touches[..., 1:]).sum(axis=(1, 2, 3))
    near_count = dark_near[..., :-1].sum(axis=(1, 2, 3))
    near_sum = np.maximum(further.sum(axis=(1, 2)), 1)
    return _Zeros(
        by_slot=is_near.sum(axis=2, dtype=np.int8) / days,
        export_by_slot=exporting.sum(axis=2, dtype=np.int8) / days,
        dark=dark,
        is_near=below,
        persistence=np.where(near_count >= LEAST_NEAR, followed / np.maximum(near_count, 1), np.nan),
        gap=least.sum(axis=(1, 2)) / near_sum,
    )


def keep_lasting(is_near: Bools) -> Bools:
    """The half-hours of runs of ``LASTING_SLOTS`` or more: a low base load comes and goes, a battery holds for hours.

    Args:
        is_near: shape (meters, blocks, 28, 48), days in their order.
    """
    meters, blocks = is_near.shape[:2]
    slots = blocks * BLOCK_DAYS * SLOTS_PER_DAY
    flat = np.zeros((meters, slots + 2 * (LASTING_SLOTS - 1)), dtype=np.bool_)
    flat[:, LASTING_SLOTS - 1 : slots + LASTING_SLOTS - 1] = is_near.reshape(meters, slots)
    width = slots + LASTING_SLOTS - 1
    begins = np.logical_and.reduce([flat[:, lag : lag + width] for lag in range(LASTING_SLOTS)])
    lasting = np.logical_or.reduce([begins[:, lag : lag + slots] for lag in range(LASTING_SLOTS)])
    return np.asarray(lasting.reshape(is_near.shape))


def _find_base(net: Floats, dark: Bools, idle_share: float) -> Floats:
    """Base load: the lower third of a block's dark slots in which the meter was not idle, on every third day; shape (meters,), kW.

    Of the blocks that of the lower quarter: where heating lifts the load of winter, a summer's night is no load that is held near zero.
    """
    sample = net[:, :, ::3]
    meters, blocks, days, slots = sample.shape
    positive = np.maximum(sample, np.float32(0.0))
    idle_kw = idle_share * np.nan_to_num(average_known(positive, (2, 3)))
    counted = (sample > idle_kw[:, :, None, None].astype(np.float32)) & dark[:, :, None]
    ranked = np.sort(np.where(counted, sample, np.float32(np.inf)).reshape(meters, blocks, days * slots), axis=2)
    place = (0.3 * counted.sum(axis=(2, 3))).astype(np.int64)
    if not ranked.size:
        return np.zeros(meters)
    by_block = np.sort(np.take_along_axis(ranked, place[..., None], axis=2)[..., 0], axis=1)
    known = np.isfinite(by_block).sum(axis=1)
    found = by_block[np.arange(meters), np.maximum(known - 1, 0) // 4]
    return np.where(np.isfinite(found), found, 0.0)


def _link_sun(window: MeterWindow, near: Bools, dark: Bools, net: Floats) -> Floats:
    """Correlation, within blocks, of each day's sun or export with the hours near zero in its evening; NaN without sun or export."""
    sky = np.where(np.isnan(window.ghi_w_m2), np.float32(np.nan), window.ghi_w_m2).sum(axis=2, keepdims=True)
    sun = to_blocks(sky)[window.area, :, :, 0]
    exported = np.where(dark[:, :, None], 0.0, np.minimum(net, 0.0)).sum(axis=3)
    sun = np.where(window.has_export[:, None, None], -exported, sun)
    evening = (near & dark[:, :, None])[..., 30:].sum(axis=3, dtype=np.int8).astype(np.float32)
    evening = np.where(np.isnan(sun) | np.isnan(net[..., 30:]).any(axis=3), np.nan, evening)
    sun = np.where(np.isnan(evening), np.nan, sun)
    sun = np.nan_to_num(sun - average_known(sun, 2)[..., None])
    evening = np.nan_to_num(evening - average_known(evening, 2)[..., None])
    power = np.sqrt((sun**2).sum(axis=2) * (evening**2).sum(axis=2))
    linked = np.where(power > 0, (sun * evening).sum(axis=2) / np.maximum(power, 1e-9), np.nan)
    return _best_blocks(np.where((evening**2).sum(axis=2) > BLOCK_DAYS, linked, np.nan), 5)


def _find_steps(load: Floats, mean_kw: Floats) -> _Steps:
    """Regular steps up where batteries fill and down where evenings are dear."""

    def measure(slots: Floats) -> tuple[Floats, Floats]:
        change = load[..., slots] - load[..., slots - 1]
        known = ~np.isnan(change)
        count = np.maximum(known.sum(axis=2, dtype=np.int8), 1).astype(np.float32)
        change = np.where(known, change, np.float32(0.0))
        mean = change.sum(axis=2) / count
        scatter = np.sqrt(np.maximum(np.einsum("mbds,mbds->mbs", change, change) / count - mean**2, 0))
        return mean / mean_kw[:, None, None], mean / np.maximum(scatter + np.abs(mean), 0.02 * mean_kw[:, None, None])

    rise, rise_regularity = measure(_CHARGE_STEPS[_CHARGE_STEPS > 0])
    fall, fall_regularity = measure(_PEAK_STEPS)
    known_days = (~np.isnan(load[..., NOON_SLOT])).sum(axis=2)

    def keep_whole(values: Floats) -> Floats:
        return np.where(known_days >= FEWEST_STEP_DAYS, values, np.nan)

    return _Steps(
        rise=keep_whole(rise.max(axis=2)),
        rise_regularity=keep_whole(rise_regularity.max(axis=2)),
        fall=keep_whole(-fall.min(axis=2)),
        fall_regularity=keep_whole(-fall_regularity.min(axis=2)),
        deficit=keep_whole(_measure_deficit(load) / mean_kw[:, None]),
    )


def _measure_deficit(load: Floats) -> Floats:
    """Largest fall of a block's mean day in the dear hours to a level that stays below all of the four hours before, kW."""
    known = ~np.isnan(load)
    total = np.where(known, load, np.float32(0.0)).sum(axis=2)
    profile = total / np.maximum(known.sum(axis=2, dtype=np.int8), 1)
    before = np.stack([profile[..., _PEAK_STEPS - lag] for lag in range(1, _BEFORE_SLOTS + 1)]).min(axis=0)
    after = np.stack([profile[..., _PEAK_STEPS + lag] for lag in range(_STAYS_SLOTS)]).max(axis=0)
    return np.asarray((before - after).max(axis=2))


def _best_blocks(values: Floats, count: int = 3) -> Floats:
    """Mean of the highest blocks: (meters, blocks) -> (meters,), so that a battery that came late still shows."""
    if not values.shape[1]:
        return np.full(len(values), np.nan)
    ranked = -np.sort(-np.where(np.isnan(values), -np.inf, values), axis=1)[:, :count]
    return average_known(np.where(np.isinf(ranked), np.nan, ranked), 1)


def _share(values: Floats, mask: Bools) -> Floats:
    """Mean over the slots of a mask: (meters, blocks, slots) -> (meters, blocks), NaN where none."""
    count = mask.sum(axis=2)
    return np.where(count > 0, np.where(mask, values, 0.0).sum(axis=2) / np.maximum(count, 1), np.nan)


def _list_features(window: MeterWindow, zeros: _Zeros, steps: _Steps, link: Floats) -> dict[str, Floats]:
    """Features by name; what needs an export register is NaN without it."""
    held = zeros.by_slot + zeros.export_by_slot
    enough = zeros.dark.any(axis=2, keepdims=True) & np.ones(48, dtype=np.bool_)
    evening = _share(held[..., _EVENING], (zeros.dark | ~window.has_export[:, None, None])[..., _EVENING] & enough[..., _EVENING])
    dark_evening = _share(held[..., _EVENING], zeros.dark[..., _EVENING])
    night = _share(held[..., _NIGHT], zeros.dark[..., _NIGHT])
    dark_zero = _share(held, zeros.dark)
    sun = ~zeros.dark & enough
    dark_export = _share(zeros.export_by_slot, zeros.dark)
    length = zeros.dark.sum(axis=2)
    centred = np.nan_to_num(length - average_known(np.where(length > 0, length, np.nan), 1)[:, None])
    season = -(centred * np.nan_to_num(dark_zero)).sum(axis=1) / np.maximum((centred**2).sum(axis=1), 1e-6) * 10
    exporting = window.has_export
    jumps = np.abs(np.diff(np.where(zeros.dark | ~exporting[:, None, None], held, 0.0), axis=2))
    most_export = np.where(zeros.dark, zeros.export_by_slot, 0).max(axis=2)
    columns = {
        "battery_dark_zero_share": _best_blocks(dark_zero),
        "battery_evening_zero_share": _best_blocks(dark_evening),
        "battery_dear_zero_share": _best_blocks(evening),
        "battery_evening_over_night": _best_blocks(dark_evening - night),
        "battery_day_zero_share": np.where(exporting, _best_blocks(_share(zeros.by_slot, sun)), np.nan),
        "battery_clock_zero_jump": _best_blocks(jumps.max(axis=2)),
        "battery_sun_link": np.nan_to_num(link),
        "battery_zero_season": np.where((centred**2).sum(axis=1) > 50, season, np.nan),
        "battery_dark_export_share": np.where(exporting, _best_blocks(dark_export), np.nan),
        "battery_dark_export_ratio": np.where(exporting, _best_blocks(most_export), np.nan),
        "battery_night_step": _best_blocks(steps.rise),
        "battery_night_step_regularity": _best_blocks(steps.rise_regularity),
        "battery_peak_drop": _best_blocks(steps.fall),
        "battery_peak_drop_regularity": _best_blocks(steps.fall_regularity),
        "battery_peak_deficit": _best_blocks(steps.deficit),
        "battery_step_and_drop": _best_blocks(np.minimum(steps.rise_regularity, steps.fall_regularity)),
        "battery_zero_persistence": zeros.persistence,
        "battery_zero_gap": zeros.gap,
    }
    return name_columns(FEATURES, columns)
