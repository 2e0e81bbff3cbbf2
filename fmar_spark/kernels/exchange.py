"""Finds assets that were replaced by one of another power: one power's days of use end as another's begin."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.kernels.breaks import gain_of_two_rates
from fmar_spark.kernels.window import Bools, Floats, Ints

LEAST_APART: Final = 1.35
"""Least ratio of the two powers. Source: as the least ratio of an upgrade."""
USUAL_SHARE: Final = 0.35
"""A day counts as one of use at a power from this share of its usual energy, so that cooking at that power does not. Source: chosen by
hand."""
FEWEST_DAYS: Final = 3
"""Fewest such days of either power. Source: chosen by hand."""
LEAST_SIDE_DAYS: Final = 14
"""Least number of read days on either side. Source: the shortest stay of an asset."""
LEAST_EVIDENCE: Final = 4.0
"""Least gain in log likelihood of two frequencies over one, of either power. Source: simulated fleets of seeds 9101 to 9104; with 6 or 8
fewer replacements are dated, and hardly fewer said of what did not change."""


class ExchangeRules(NamedTuple):
    """When one power took over from another."""

    most_high_left: float
    """Frequency of the higher power on the days of the lower, over that on its own days."""
    most_low_left: float
    """The same of the lower power, which other appliances have too."""
    least_frequency: float = 0.0
    """Least share of the days of either power on which it is used."""
    only_grows: bool = False
    """Whether nobody replaces such an asset by a weaker one."""


class Powers(NamedTuple):
    """The power of each meter's asset by day, shape (meters,) each."""

    before_kw: Floats
    """Up to ``changed_day``; the same as ``after_kw`` where nothing changed."""
    after_kw: Floats
    changed_day: Ints
    """First day of the second one, counted from the window's first; 0 where there is none."""

    def on(self, meter: Ints, day: Ints) -> Floats:
        """Power of a meter's asset on a day, one for each pair."""
        return np.where(self.is_before(meter, day), self.before_kw[meter], self.after_kw[meter])

    def is_before(self, meter: Ints, day: Ints) -> Bools:
        """Whether the day is one of the first of two."""
        return np.asarray(day < self.changed_day[meter])


def find_powers(power_kw: Floats, best: Ints, fits: Bools, day_kwh: Floats, seen: Bools, rules: ExchangeRules) -> Powers:
    """The asset's power of each meter, and that of the one before or after it.

    The days of use at two powers are counted on either side of every day. The asset was replaced where the one power is frequent before and
    rare afterwards, beyond chance, and the other the other way round.

    Args:
        power_kw: powers that may be the asset's, shape (kinds, meters).
        best: kind of the asset's power, shape (meters,).
        fits: powers that one of two assets may have had, shape (kinds, meters).
        day_kwh: energy at each power on each day, shape (kinds, meters, days).
        seen: days that were read well enough, shape (meters, days).
        rules: when one power took over from another.
    """
    meters, days = seen.shape
    row = np.arange(meters)
    own_kw = power_kw[best, row]
    powers = Powers(own_kw.copy(), own_kw.copy(), np.zeros(meters, dtype=np.int64))
    is_other = np.abs(np.log(power_kw / own_kw)) >= np.log(LEAST_APART)
    kind, meter = np.nonzero(fits & is_other & fits[best, row])
    if not kind.size or not days:
        return powers
    other_kw = power_kw[kind, meter]
    is_higher = other_kw > own_kw[meter]
    high, low = (_mark_days(day_kwh[np.where(chosen, kind, best[meter]), meter]) & seen[meter] for chosen in (is_higher, ~is_higher))
    exchange = _find_exchange(high, low, seen[meter], rules)
    order = np.argsort(exchange.gain, kind="stable")
    order = order[exchange.gain[order] > 0]
    pair = np.full(meters, -1)
    pair[meter[order]] = order
    rows = np.flatnonzero(pair >= 0)
    pair = pair[rows]
    comes = is_higher[pair] == exchange.is_growth[pair]
    powers.before_kw[rows] = np.where(comes, own_kw[rows], other_kw[pair])
    powers.after_kw[rows] = np.where(comes, other_kw[pair], own_kw[rows])
    powers.changed_day[rows] = exchange.day[pair]
    return powers


class _Exchange(NamedTuple):
    """The best day for one power to take over from another, shape (pairs,) each."""

    gain: Floats
    """In log likelihood; 0 where no day will do."""
    day: Ints
    is_growth: Bools
    """Whether the higher power follows the lower."""


def _mark_days(day_kwh: Floats) -> Bools:
    """Days with much of the usual energy, which is the mean over energy, so that small blocks hardly count; shape of ``day_kwh``."""
    usual = (day_kwh**2).sum(axis=-1) / np.maximum(day_kwh.sum(axis=-1), 1e-9)
    return np.asarray((day_kwh > 0) & (day_kwh >= USUAL_SHARE * usual[..., None]))


def _find_exchange(high: Bools, low: Bools, seen: Bools, rules: ExchangeRules) -> _Exchange:
    """Where the days of the one power end and those of the other begin.

    Args:
        high: days of use at the higher power, shape (pairs, days).
        low: the same of the lower power.
        seen: days that were read well enough, same shape.
        rules: when one took over.
    """
    read: Ints = np.cumsum(seen, axis=1, dtype=np.int64)
    before, after = read, read[:, -1:] - read
    gains, shares = [], []
    for marks in (high, low):
        count: Ints = np.cumsum(marks, axis=1, dtype=np.int64)
        later = count[:, -1:] - count
        gains.append(gain_of_two_rates(count, before, later, after))
        shares.append((count / np.maximum(before, 1), later / np.maximum(after, 1)))
    (high_before, high_after), (low_before, low_after) = shares
    is_growth = high_after > high_before
    enough = (before >= LEAST_SIDE_DAYS) & (after >= LEAST_SIDE_DAYS) & (np.minimum(*gains) >= LEAST_EVIDENCE)
    enough &= (high.sum(axis=1) >= FEWEST_DAYS)[:, None] & (low.sum(axis=1) >= FEWEST_DAYS)[:, None]
    grows = is_growth & (high_before <= rules.most_high_left * high_after) & (low_after <= rules.most_low_left * low_before)
    shrinks = ~is_growth & (high_after <= rules.most_high_left * high_before) & (low_before <= rules.most_low_left * low_after)
    enough &= np.minimum(np.maximum(high_before, high_after), np.maximum(low_before, low_after)) >= rules.least_frequency
    shrinks &= not rules.only_grows
    total = np.where(enough & (grows | shrinks), gains[0] + gains[1], 0.0)
    last = total.argmax(axis=1)
    row = np.arange(len(total))
    return _Exchange(total[row, last], last + 1, is_growth[row, last])
