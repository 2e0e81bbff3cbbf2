"""Looks for electric vehicle charging: charger power first, then the sessions of that power, then energy.

A car draws one power, set by its charger, for as long as it needs, on days and at hours that vary. Look-alikes fail
somewhere: an immersion heater runs every day by the clock, storage heating by the season, a shower is over within a
slot, cooking has no one power.
"""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.kernels.episodes import SlotGrid, build_slot_grid
from fmar_spark.kernels.ev.charging import Candidates, Charging, find_candidates, find_charging, find_loads
from fmar_spark.kernels.ev.search import EvSearch
from fmar_spark.kernels.ev.steps import BEST_KW, RISE_KW
from fmar_spark.kernels.ev.surplus import HELD_FEATURES, describe_spells, estimate_sessions, find_spells
from fmar_spark.kernels.parameters import group_quantiles
from fmar_spark.kernels.usage_patterns import (
    Blocks,
    contrast_seasons,
    describe_usage,
    find_high_energy,
    measure_roughness,
    measure_second_spread,
    measure_sharpness,
)
from fmar_spark.kernels.window import (
    Bools,
    Events,
    Feature,
    Findings,
    Floats,
    Ints,
    LocalCalendar,
    MeterWindow,
    Method,
    Sizes,
    blank_columns,
    name_columns,
    unknown_sizes,
)
from fmar_spark.units import HOURS_PER_SLOT

_LOAD_FEATURES: Final = (
    Feature("ev_power_kw", "kW", "Power of the charger: that of the blocks that look most like charging."),
    Feature("ev_power_spread", "ratio", "Standard deviation of the sessions' power over the power."),
    Feature("ev_concentration", "share", "Energy of all flat blocks that has the charger's power."),
    Feature("ev_visibility", "ratio", "Charger's power over the median change from slot to slot."),
    Feature("ev_energy_share", "share", "Energy of the sessions over the energy of the load."),
    Feature("ev_season_contrast", "-1 to 1", "Winter's energy less summer's over their sum."),
    Feature("ev_day_share", "share", "Days seen on which a session starts."),
    Feature("ev_active_day_share", "share", "Days on which a session starts, between the first and the last session (30 days at least)."),
    Feature("ev_kwh_per_day", "kWh/day", "Energy of the sessions over the days seen."),
    Feature("ev_hours_mean", "h", "Mean length of a session."),
    Feature("ev_hours_cv", "ratio", "Standard deviation of the length over its mean: a thermostat's is low, a driver's is not."),
    Feature("ev_long_share", "share", "Sessions of 2.5 hours or more."),
    Feature("ev_start_spread", "share", "Sessions that start outside the busiest hour and a half."),
    Feature("ev_end_spread", "share", "Sessions that end outside the busiest hour and a half."),
    Feature(
        "ev_start_spread_beyond_two",
        "share",
        "Sessions that start outside the two busiest hour-and-a-halfs: a heater on a timer has one or two starts a day.",
    ),
    Feature("ev_high_kwh", "kWh", "Energy below which 90 % of the sessions lie: a tank takes less than a car."),
    Feature("ev_gap_cv", "ratio", "Standard deviation over mean of the days from one day with a session to the next."),
    Feature("ev_per_active_day", "sessions", "Sessions a day with one."),
    Feature("ev_edge_mismatch", "ratio", "Difference of the step up and the step down over the power, mean of the sessions."),
    Feature("ev_second_kw", "kW", "Power whose blocks come second."),
    Feature("ev_sharpness", "share", "Energy of the charger's blocks whose power lies within 5 % of its own."),
    Feature("ev_prominence", "log ratio", "Hours of blocks at the charger's power over those that powers beside it lead to expect."),
    Feature(
        "ev_energy_roughness",
        "ratio",
        "Half the mean square step from one day with charging to the next over the variance: about 1 for driving, less for the weather.",
    ),
    Feature("ev_start_sharpness", "share", "Sessions that start in the busiest slot: a tariff or a timer."),
    Feature("ev_end_sharpness", "share", "Sessions that end in the busiest slot: a timer, where energy does not decide the end."),
    *(Feature(f"ev_rise_days_{kw:g}kw", "share", f"Days seen with a step up of {kw:g} kW or more.") for kw in RISE_KW),
    *(Feature(f"ev_night_rise_days_{kw:g}kw", "share", f"Days seen with a step up of {kw:g} kW or more at night.") for kw in RISE_KW),
    *(
        Feature(f"ev_best_rise_days_{kw:g}kw", "share", f"Days of the best eight weeks with a step up of {kw:g} kW or more.")
        for kw in BEST_KW
    ),
    Feature("ev_step_kw", "kW", "Size of step up, of 2.5 kW or more, that recurs most."),
    Feature("ev_step_agreement", "share", "Steps up of 2.5 kW or more that have this size within 6 %: a charger has one, cooking many."),
)
FEATURES: Final = (*_LOAD_FEATURES, *HELD_FEATURES)
METHOD: Final = Method(
    found="Among the powers that recur as flat blocks with sharp edges the likeliest charger's is chosen first. How likely each is say "
    "forty boosted trees (Friedman, 2001) by its size, its share of the blocks' energy, how equal its steps up and down are, how often, "
    "how long and at which hours it runs; they are fitted to the powers of simulated homes with a car "
    "(`scripts/fit_charger_likeness.py`). Where none is likely, a step up of 4.5 kW or more that recurs takes its place if its sessions "
    "hold more energy: who drives little charges for less than an hour. Then every session of that power is sought, those too short to "
    "fill a half-hour included, and described: how often, how long, at which hours, how much energy. Days with a step up of charger size "
    "count as well: a car that charges beside something else leaves its step but no flat block. Where export is metered, spells count in "
    "which all surplus is taken at once and given up at once: a charge point that follows the sun. "
    "Hourly meters are examined hour by hour.",
    sized="`rated_kw` is the mean power of the sessions, each weighted by the square of its hours (four at most). The interval widens with "
    "their scatter, with few sessions, where the blocks look little like charging, and where hardly any lasts longer than three "
    "readings: they may have begun and ended within them, so that the power is at least what is seen. "
    "So it is where the sessions are of 5 kW or less and many days have steps up of 6 kW or more, at night or with blocks as strong: "
    "those of a second charger, or of one that seldom draws its power from end to end of a reading. "
    "Where most energy lies in spells that take all surplus, those are the sessions: what they took is estimated as what the meter "
    "exports in the same slots of other days of the four weeks, and the power is at least what 90 % of them stay below.",
    dated="It came with the first session after complete silence of four weeks or more, where silence by chance is unlikely. Where other "
    "loads draw at the charger's power before it, sessions are counted by hour of the day and by energy: kinds of them that were hardly "
    "there before one day and are frequent from it on, while none become rarer, are the car's. How often it is charged says how long it "
    "may have stood there before. Sessions that begin seldom and grow frequent later belong to the car, and so does a first day of "
    "9 kWh at 5 kW or more after none at all. It is gone where charging stops out of full use and next to nothing follows: the daily "
    "mark is the energy of the sessions that start on the day, and the days after the last session are a run of their own. "
    "Where days of charging at the power end as those at another begin, beyond chance, the charger was replaced: the sessions of each "
    "time are those of its power, and their powers date the upgrade.",
)
DEFAULT_SEARCH: Final = EvSearch()
HOUR_MINUTES: Final = 60
"""Step of the source from which a meter is examined hour by hour. Source: definition."""
DAY_HOURS: Final = 24.0
"""Hours of a day. Source: definition."""
SUN_DOUBT: Final = 1.2
"""Relative error of a power that is read off the surplus that was taken: an array seldom reaches what the charge point could draw. Source:
of a charger of 7.2 kW added by rule to recorded homes with an array 2.3 to 3.4 kW are seen."""
SAMPLED_DAYS: Final = 10
"""Of so many days one counts for the typical change from slot to slot."""
MOST_DOUBT: Final = 0.5
"""Relative error of a power that is another load's."""
DROWNING_STEPS: Final = "ev_rise_days_6kw"
"""Evidence of steps that a car may have made, whatever else is said of it."""
DROWNING_SHARE: Final = 0.1
"""Share of days with such steps from which silence says nothing of a car. Source: of 14,849 windows of simulated meters held out of
training 3,749 have them and no car is found; between 6 and 30 % of probability a car was there in 15 to 27 % of them, with hardly any
order: that is how common cars are where such loads are, and no evidence of this meter."""
DROWNING_KW: Final = 6.0
"""The same where steps of less do not stand out of the load's usual changes."""
BLUR: Final = 0.4
"""Relative error of a power that is read off sessions as short as the readings: half of them may lie in the interval before."""
BLURRED_STEPS: Final = 3
"""Readings that hardly any session outlasts, up to which none need have been charged in from end to end."""
WEAK_KW: Final = 5.0
"""Power up to which a charger may be larger where there are steps of a stronger one. Source: by hand, between those of 16 and 32 A."""
STRONG_KW: Final = 6.0
"""A stronger charger's step, and the least power of its blocks. Source: chosen by hand, as above."""
STRONG_NIGHTS: Final = 0.25
"""Share of days with such steps at night from which a weak charger may be larger. Source: of the cars found in two simulated fleets 13 of
17 are under 85 % of their true power then, and all 23 of those added by rule to three recorded homes."""
STRONG_DAYS: Final = 0.3
"""The same of the best eight weeks at any hour, where the power that comes second is as strong: 9 of 10, and all 19."""
HIGH_SHARE: Final = 0.9
"""Share of the sessions below which the usual highest energy lies."""
METER_STEP_KW: Final = 0.002
"""Resolution of a GB meter: 1 Wh in a half-hour. Source: watt-hour registers of GB smart meters."""


class _GridFindings(NamedTuple):
    """Findings of meters that share one step length."""

    features: dict[str, Floats]
    daily: Floats
    charging: Charging
    is_drowned: Bools


def examine(window: MeterWindow, load_kw: Floats, search: EvSearch = DEFAULT_SEARCH) -> Findings:
    """Look for charging in every meter of the batch.

    Hourly meters are examined hour by hour, so the equal halves of an hour are never taken for a flat half-hour.

    Args:
        window: the batch.
        load_kw: load with PV taken out, shape (meters, days, 48), NaN where unread.
        search: what counts as charging.
    """
    meters, days, _ = load_kw.shape
    features = {feature.name: np.full(meters, np.nan) for feature in FEATURES}
    daily = np.full((meters, days), np.nan, dtype=np.float32)
    rated_kw, spread, is_least = (np.full(meters, np.nan) for _ in range(3))
    is_drowned = np.zeros(meters, dtype=np.bool_)
    found: list[Events] = []
    spells = find_spells(window)
    features |= name_columns(HELD_FEATURES, describe_spells(spells))
    is_hourly = window.interval_minutes >= HOUR_MINUTES
    for slots_per_step, wanted in ((1, ~is_hourly), (2, is_hourly)):
        rows = np.flatnonzero(wanted)
        grid_kw = load_kw if rows.size == meters else load_kw[rows]
        part = _examine_grid(grid_kw[:, :, ::slots_per_step], window.calendar, search)
        for name, column in part.features.items():
            features[name][rows] = column
        daily[rows] = part.daily
        is_drowned[rows] = part.is_drowned
        rated_kw[rows] = part.charging.powers.after_kw
        count = np.bincount(part.charging.sessions.meter, minlength=rows.size)
        doubt = MOST_DOUBT / (1.0 + np.exp(np.nan_to_num(part.charging.likeness, nan=-9.0)))
        longest_hours = part.features["ev_high_kwh"] / part.charging.rated_kw
        is_blurred = longest_hours <= BLURRED_STEPS * slots_per_step * HOURS_PER_SLOT
        is_blurred |= _find_outdone(part.features, rated_kw[rows])
        is_least[rows] = np.where(np.isnan(rated_kw[rows]), np.nan, is_blurred)
        spread[rows] = part.charging.last_spread / np.sqrt(np.maximum(count, 1)) + 0.02 + doubt + BLUR * is_blurred
        found.append(_to_events(part.charging, rows, slots_per_step))
    events = _merge_events(found[0], found[1])
    sizes = unknown_sizes(meters)._replace(rated_import_kw=rated_kw, spread=spread, is_least=is_least)
    events, sizes = _prefer_surplus(events, sizes, estimate_sessions(window, spells))
    return Findings(features=features, daily=daily, events=events, sizes=sizes, is_drowned=is_drowned)


def _find_outdone(features: dict[str, Floats], rated_kw: Floats) -> Bools:
    """Where a power is that of a weak charger and the load has the steps of a stronger one, at night or with blocks of their own."""
    by_night = features["ev_night_rise_days_6kw"] >= STRONG_NIGHTS
    by_blocks = (features["ev_second_kw"] >= STRONG_KW) & (features["ev_best_rise_days_6kw"] >= STRONG_DAYS)
    found: Bools = (rated_kw <= WEAK_KW) & (by_night | by_blocks)
    return found


def _prefer_surplus(events: Events, sizes: Sizes, sunny: Events) -> tuple[Events, Sizes]:
    """Sessions and size of each meter, from surplus generation where more energy lies in such sessions than in flat blocks."""
    meters = len(sizes.spread)
    from_sun, from_blocks = (np.bincount(some.meter, some.energy_kwh, meters) for some in (sunny, events))
    follows = from_sun > from_blocks
    if not follows.any():
        return events, sizes
    sunny = sunny.take(follows[sunny.meter])
    reached_kw = group_quantiles(sunny.peak_kw, sunny.meter, meters, (HIGH_SHARE,))[:, 0]
    return _merge_events(events.take(~follows[events.meter]), sunny), sizes._replace(
        rated_import_kw=np.where(follows, reached_kw, sizes.rated_import_kw),
        spread=np.where(follows, SUN_DOUBT, sizes.spread),
        is_least=np.where(follows, 1.0, sizes.is_least),
    )


def _examine_grid(load_kw: Floats, calendar: LocalCalendar, search: EvSearch) -> _GridFindings:
    """Findings of loads of shape (meters, days, 48) or, hourly, (meters, days, 24)."""
    slots_per_day = load_kw.shape[2]
    grid, day_kwh, seen, typical_kw = _lay_out(load_kw, calendar, search)
    charging = find_charging(grid, typical_kw, seen, search)
    sessions = charging.sessions
    daily, charged = (_sum_sessions(blocks, seen, slots_per_day) for blocks in (sessions, charging.charged))
    used_kwh = day_kwh.sum(axis=1, dtype=np.float64)
    pattern = describe_usage(sessions, seen, slots_per_day)
    rises = [f"ev_{when}rise_days_{kw:g}kw" for when in ("", "night_") for kw in RISE_KW]
    columns = {
        "ev_power_kw": charging.rated_kw,
        "ev_power_spread": charging.spread,
        "ev_concentration": charging.concentration,
        "ev_visibility": charging.rated_kw / np.maximum(typical_kw, METER_STEP_KW),
        "ev_energy_share": pattern.kwh_per_day * seen.sum(axis=1) / np.where(used_kwh > 0, used_kwh, np.nan),
        "ev_season_contrast": contrast_seasons(daily, calendar.season),
        "ev_day_share": pattern.day_share,
        "ev_active_day_share": pattern.active_day_share,
        "ev_kwh_per_day": pattern.kwh_per_day,
        "ev_hours_mean": pattern.hours_mean,
        "ev_hours_cv": pattern.hours_cv,
        "ev_long_share": pattern.long_share,
        "ev_start_spread": pattern.start_spread,
        "ev_end_spread": pattern.end_spread,
        "ev_start_spread_beyond_two": measure_second_spread(sessions.meter, sessions.start, len(seen), slots_per_day),
        "ev_high_kwh": find_high_energy(sessions, len(seen), HIGH_SHARE),
        "ev_gap_cv": pattern.gap_cv,
        "ev_per_active_day": pattern.per_active_day,
        "ev_edge_mismatch": pattern.mismatch,
        "ev_second_kw": charging.second_kw,
        "ev_sharpness": charging.sharpness,
        "ev_prominence": charging.prominence,
        "ev_energy_roughness": measure_roughness(daily),
        "ev_start_sharpness": measure_sharpness(sessions.meter, sessions.start, len(seen), slots_per_day),
        "ev_end_sharpness": measure_sharpness(sessions.meter, sessions.end, len(seen), slots_per_day),
        **dict(zip(rises, charging.steps.day_shares.T, strict=True)),
        **dict(zip([f"ev_best_rise_days_{kw:g}kw" for kw in BEST_KW], charging.steps.best_day_shares.T, strict=True)),
        "ev_step_kw": charging.steps.usual_kw,
        "ev_step_agreement": charging.steps.agreement,
    }
    unseen: Bools = ~np.asarray(seen.any(axis=1))
    features = blank_columns(name_columns(_LOAD_FEATURES, columns), unseen)
    is_restless = search.noise_factor * typical_kw >= DROWNING_KW
    return _GridFindings(features, charged, charging, is_restless | (features[DROWNING_STEPS] >= DROWNING_SHARE))


def list_candidates(load_kw: Floats, calendar: LocalCalendar, search: EvSearch = DEFAULT_SEARCH) -> Candidates:
    """The powers among which a charger's is chosen, with what is known of each: for those who fit or examine that choice.

    Args:
        load_kw: load with PV taken out, shape (meters, days, 48), or (meters, days, 24) of hourly meters; NaN where unread.
        calendar: of the days.
        search: what counts as charging.
    """
    grid, _, seen, typical_kw = _lay_out(load_kw, calendar, search)
    _, flat = find_loads(grid, typical_kw, search)
    return find_candidates(flat, seen, grid.slots_per_day, search)


def _lay_out(load_kw: Floats, calendar: LocalCalendar, search: EvSearch) -> tuple[SlotGrid, Floats, Bools, Floats]:
    """The load as steps are sought in it, each day's energy, whether it was read well enough, and the typical change from slot to slot."""
    step_hours = DAY_HOURS / load_kw.shape[2]
    grid = build_slot_grid(load_kw, int(search.longest_hours / step_hours), int(search.lookback_hours / step_hours))
    day_kwh, hours = _sum_days(load_kw, step_hours)
    return grid, day_kwh, hours >= search.fewest_hours_seen, _measure_typical_change(load_kw, calendar.start_date)


def _sum_sessions(sessions: Blocks, seen: Bools, slots_per_day: int) -> Floats:
    """Energy of the sessions that start on each day, kWh, shape of ``seen``; NaN where it was not read well enough."""
    place = sessions.meter * seen.shape[1] + sessions.start // slots_per_day
    daily = np.bincount(place, sessions.energy_kwh, seen.size).reshape(seen.shape).astype(np.float32)
    daily[~seen] = np.nan
    return daily


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


def _measure_typical_change(load_kw: Floats, start_date: np.datetime64) -> Floats:
    """Median absolute change between neighbouring slots of every tenth day of the calendar, shape (meters,); NaN where unread."""
    first = -int(start_date.astype("datetime64[D]").astype(np.int64)) % SAMPLED_DAYS
    change = np.abs(np.diff(load_kw[:, first::SAMPLED_DAYS], axis=2))
    meters, days, slots = change.shape
    if days == 0:
        return np.full(meters, np.nan)
    ordered = np.sort(change.reshape(meters, days * slots), axis=1)
    known = np.count_nonzero(~np.isnan(ordered), axis=1)
    return np.where(known > 0, ordered[np.arange(meters), np.maximum(known - 1, 0) // 2], np.nan)


def _to_events(charging: Charging, rows: Ints, slots_per_step: int) -> Events:
    """Sessions as events of the whole batch, in half-hour slots."""
    sessions = charging.charged
    slots_per_day = SLOTS_PER_DAY // slots_per_step
    rated_kw = charging.powers.on(sessions.meter, sessions.start // slots_per_day)
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
