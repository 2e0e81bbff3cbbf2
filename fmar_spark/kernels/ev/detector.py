"""Looks for electric vehicle charging: charger power first, then the sessions of that power, then energy.

A car draws one power, set by its charger, for as long as it needs, on days and at hours that vary. Look-alikes fail
somewhere: an immersion heater runs every day by the clock, storage heating by the season, a shower is over within a
slot, cooking has no one power.
"""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.kernels.episodes import lay_out_slots
from fmar_spark.kernels.ev.charging import RISE_KW, Charging, EvSearch, find_charging
from fmar_spark.kernels.usage_patterns import contrast_seasons, describe_habits
from fmar_spark.kernels.window import Events, Findings, Floats, Ints, MeterWindow, Sizes

FEATURES: Final = (
    "ev_power_kw",
    "ev_power_spread",
    "ev_concentration",
    "ev_likeness",
    "ev_visibility",
    "ev_energy_share",
    "ev_season_contrast",
    "ev_day_share",
    "ev_active_day_share",
    "ev_kwh_per_day",
    "ev_hours_mean",
    "ev_hours_cv",
    "ev_long_share",
    "ev_start_spread",
    "ev_end_spread",
    "ev_gap_cv",
    "ev_per_active_day",
    "ev_edge_mismatch",
    "ev_second_kw",
    "ev_second_likeness",
    *(f"ev_rise_days_{kw:g}kw" for kw in RISE_KW),
    *(f"ev_night_rise_days_{kw:g}kw" for kw in RISE_KW),
)
DEFAULT_SEARCH: Final = EvSearch()
HOUR_MINUTES: Final = 60
DAY_HOURS: Final = 24.0
MOST_DOUBT: Final = 0.5
LIKELY: Final = 1.0
"""Relative error of a power whose blocks look nothing like charging, and the likeness at which half of it is left."""
METER_STEP_KW: Final = 0.002
"""Resolution of a GB meter: 1 Wh in a half-hour."""


class _GridFindings(NamedTuple):
    """Findings of meters that share one step length."""

    features: Floats
    daily: Floats
    charging: Charging


def examine(window: MeterWindow, load_kw: Floats, search: EvSearch = DEFAULT_SEARCH) -> Findings:
    """Look for charging in every meter of the batch.

    Hourly meters are looked at hour by hour, so the equal halves of an hour are never taken for a flat half-hour.

    Args:
        window: the batch.
        load_kw: load with PV taken out, shape (meters, days, 48), NaN where unread.
        search: what counts as charging.
    """
    meters, days, _ = load_kw.shape
    features = np.full((meters, len(FEATURES)), np.nan)
    daily = np.full((meters, days), np.nan, dtype=np.float32)
    rated_kw, spread = np.full(meters, np.nan), np.full(meters, np.nan)
    found: list[Events] = []
    is_hourly = window.interval_minutes >= HOUR_MINUTES
    for slots_per_step, wanted in ((1, ~is_hourly), (2, is_hourly)):
        rows = np.flatnonzero(wanted)
        grid_kw = load_kw if rows.size == meters else load_kw[rows]
        part = _examine_grid(grid_kw[:, :, ::slots_per_step], window.calendar.season, search)
        features[rows], daily[rows] = part.features, part.daily
        rated_kw[rows] = part.charging.rated_kw
        count = np.bincount(part.charging.sessions.meter, minlength=rows.size)
        doubt = MOST_DOUBT / (1.0 + np.exp(np.nan_to_num(part.charging.likeness, nan=-9.0) - LIKELY))
        spread[rows] = part.charging.spread / np.sqrt(np.maximum(count, 1)) + 0.02 + doubt
        found.append(_to_events(part.charging, rows, slots_per_step))
    unknown = np.full(meters, np.nan)
    return Findings(
        features=features,
        daily=daily,
        events=_merge_events(found[0], found[1]),
        sizes=Sizes(rated_import_kw=rated_kw, rated_export_kw=unknown, spread=spread, storage_kwh=unknown, peak_kwp=unknown),
    )


def _examine_grid(load_kw: Floats, season: Ints, search: EvSearch) -> _GridFindings:
    """Findings of loads of shape (meters, days, 48) or, hourly, (meters, days, 24)."""
    days, slots_per_day = load_kw.shape[1:]
    step_hours = DAY_HOURS / slots_per_day
    grid = lay_out_slots(load_kw, int(search.longest_hours / step_hours), int(search.lookback_hours / step_hours))
    day_kwh, hours = _sum_days(load_kw, step_hours)
    seen = hours >= search.fewest_hours_seen
    typical_kw = _measure_typical_change(load_kw)
    charging = find_charging(grid, typical_kw, seen, search)
    sessions = charging.sessions
    place = sessions.meter * days + sessions.start // slots_per_day
    daily = np.bincount(place, sessions.energy_kwh, seen.size).reshape(seen.shape).astype(np.float32)
    daily[~seen] = np.nan
    used_kwh = day_kwh.sum(axis=1, dtype=np.float64)
    habits = describe_habits(sessions, seen, slots_per_day)
    columns = (
        charging.rated_kw,
        charging.spread,
        charging.concentration,
        charging.likeness,
        charging.rated_kw / np.maximum(typical_kw, METER_STEP_KW),
        habits.kwh_per_day * seen.sum(axis=1) / np.where(used_kwh > 0, used_kwh, np.nan),
        contrast_seasons(daily, season),
        *habits,
        charging.second_kw,
        charging.second_likeness,
        *charging.rise_days.T,
    )
    features = np.stack(columns, axis=1)
    features[~seen.any(axis=1)] = np.nan
    return _GridFindings(features, daily, charging)


def _sum_days(load_kw: Floats, step_hours: float) -> tuple[Floats, Floats]:
    """Energy of each day's read slots, kWh, and the hours read, shape (meters, days) each."""
    slots = load_kw.shape[2]
    total = load_kw @ np.ones(slots, dtype=np.float32)
    read = np.full(total.shape, slots)
    gappy = np.nonzero(np.isnan(total))
    some = load_kw[gappy]
    unread = np.isnan(some)
    total[gappy] = np.where(unread, np.float32(0.0), some).sum(axis=1)
    read[gappy] = slots - np.count_nonzero(unread, axis=1)
    return total * step_hours, read * step_hours


def _measure_typical_change(load_kw: Floats) -> Floats:
    """Median absolute change between neighbouring slots of every tenth day, shape (meters,); NaN where unread."""
    change = np.abs(np.diff(load_kw[:, ::10], axis=2))
    meters, days, slots = change.shape
    if days == 0:
        return np.full(meters, np.nan)
    ordered = np.sort(change.reshape(meters, days * slots), axis=1)
    known = np.count_nonzero(~np.isnan(ordered), axis=1)
    return np.where(known > 0, ordered[np.arange(meters), np.maximum(known - 1, 0) // 2], np.nan)


def _to_events(charging: Charging, rows: Ints, slots_per_step: int) -> Events:
    """Sessions as events of the whole batch, in half-hour slots."""
    sessions = charging.sessions
    rated_kw = charging.rated_kw[sessions.meter]
    fit = np.exp(-0.5 * ((sessions.power_kw / rated_kw - 1.0) / 0.1) ** 2)
    return Events(
        meter=rows[sessions.meter],
        start_slot=sessions.start * slots_per_step,
        end_slot=sessions.end * slots_per_step,
        energy_kwh=sessions.energy_kwh.astype(np.float64),
        peak_kw=np.minimum(sessions.power_kw, rated_kw).astype(np.float64),
        is_import=np.ones(fit.size, dtype=np.bool_),
        probability=(1.0 - 0.6 * np.exp(-sessions.hours)) * (0.5 + 0.5 * fit),
    )


def _merge_events(first: Events, second: Events) -> Events:
    """Both, ordered by meter then start."""
    meter = np.concatenate([first.meter, second.meter])
    start = np.concatenate([first.start_slot, second.start_slot])
    order = np.lexsort((start, meter))
    return Events(
        meter=meter[order],
        start_slot=start[order],
        end_slot=np.concatenate([first.end_slot, second.end_slot])[order],
        energy_kwh=np.concatenate([first.energy_kwh, second.energy_kwh])[order],
        peak_kw=np.concatenate([first.peak_kw, second.peak_kw])[order],
        is_import=np.concatenate([first.is_import, second.is_import])[order],
        probability=np.concatenate([first.probability, second.probability])[order],
    )
