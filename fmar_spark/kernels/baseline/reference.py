"""The industry's own baselines, BL01 and mid-8-of-10: the references that a better baseline is compared with."""

from typing import NamedTuple

import numpy as np

from fmar_spark.kernels.window import Bools, Floats, Ints


class ReferenceRules(NamedTuple):
    """How BL01 chooses its days, as reconstructed (domain rules, section 3); all of it may be changed."""

    look_back_days: int = 60
    """Oldest day that may be used, counted back from the day predicted."""
    working_days: int = 10
    """Newest eligible working days whose mean stands for a working day."""
    other_days: int = 4
    """Newest eligible non-working days, of which the middle ones are used."""
    other_trim: int = 1
    """How many of those are dropped at each end, in every slot by itself."""
    adjust_slots: int = 6
    """Length of the stretch before an event that the in-day adjustment looks at."""
    lead_slots: int = 2
    """Slots between the end of that stretch and the event."""


def reference_bl01(net_kwh: Floats, is_working: Bools, target_days: Ints, rules: ReferenceRules | None = None) -> Floats:
    """Each target day as BL01 forecasts it, shape (meters, targets, 48); NaN where no eligible day came before.

    Days with an unread slot are passed over; where fewer days than wanted are eligible, those that are stand for all. Slots are
    local-clock slots, as everywhere in the kernels, although BL01 is written for settlement periods: the two differ on the two
    days a year when clocks change.

    Args:
        net_kwh: Import minus export, shape (meters, days, 48), NaN where unread.
        is_working: Whether a day is a weekday and no public holiday, shape (days,).
        target_days: Day indices; only earlier days are looked at.
        rules: How many days of which kind.
    """
    rules = rules or ReferenceRules()
    targets = np.asarray(target_days, dtype=np.int64)
    is_whole: Bools = np.asarray(np.isfinite(net_kwh).all(axis=2))
    predicted = np.full((net_kwh.shape[0], len(targets), net_kwh.shape[2]), np.nan)
    for kind, wanted, trim in ((True, rules.working_days, 0), (False, rules.other_days, rules.other_trim)):
        places = np.flatnonzero(is_working[targets] == kind)
        chosen = _newest_days(is_whole & (is_working == kind), targets[places], rules.look_back_days, wanted)
        for row, place in enumerate(places):
            predicted[:, place] = _average_days(net_kwh, chosen[:, row], trim)
    return predicted


def reference_mid8of10(net_kwh: Floats, is_working: Bools, target_days: Ints, look_back_days: int = 60) -> Floats:
    """Each target day as the mean of the middle eight, by energy, of the ten newest days of its kind; shape (meters, targets, 48).

    With fewer than ten such days it is the mean of those that there are.
    """
    targets = np.asarray(target_days, dtype=np.int64)
    is_whole: Bools = np.asarray(np.isfinite(net_kwh).all(axis=2))
    day_kwh = np.where(is_whole, np.where(is_whole[:, :, None], net_kwh, 0.0).sum(axis=2), np.nan)
    predicted = np.full((net_kwh.shape[0], len(targets), net_kwh.shape[2]), np.nan)
    for kind in (True, False):
        places = np.flatnonzero(is_working[targets] == kind)
        newest = _newest_days(is_whole & (is_working == kind), targets[places], look_back_days, 10)
        for row, place in enumerate(places):
            chosen = newest[:, row]
            energy_kwh = np.where(chosen >= 0, np.take_along_axis(day_kwh, np.maximum(chosen, 0), axis=1), np.nan)
            kept = np.take_along_axis(chosen, np.argsort(energy_kwh, axis=1, kind="stable")[:, 1:-1], axis=1)
            is_full: Bools = np.asarray((chosen >= 0).all(axis=1))[:, None]
            predicted[:, place] = np.where(is_full, _average_days(net_kwh, kept, 0), _average_days(net_kwh, chosen, 0))
    return predicted


def adjust_reference(predicted_kwh: Floats, actual_kwh: Floats, start_slot: int, rules: ReferenceRules | None = None) -> Floats:
    """The prediction moved, slot by slot alike, by its mean error over the stretch that ends a lead before ``start_slot``.

    Both arrays have the slot as their last axis. With nothing read in that stretch the prediction stays as it is.
    """
    rules = rules or ReferenceRules()
    end = max(start_slot - rules.lead_slots, 0)
    error_kwh = (actual_kwh - predicted_kwh)[..., max(end - rules.adjust_slots, 0) : end]
    is_read = np.isfinite(error_kwh)
    moved_kwh = np.where(is_read, error_kwh, 0.0).sum(axis=-1) / np.maximum(is_read.sum(axis=-1), 1)
    adjusted: Floats = predicted_kwh + moved_kwh[..., None]
    return adjusted


def _newest_days(is_eligible: Bools, target_days: Ints, look_back_days: int, wanted: int) -> Ints:
    """Newest eligible days before each target, newest first, -1 where there are fewer; shape (meters, targets, wanted)."""
    order = np.argsort(~is_eligible, axis=1, kind="stable")
    before = np.concatenate([np.zeros((len(is_eligible), 1), dtype=np.int64), np.cumsum(is_eligible, axis=1)], axis=1)
    place = before[:, target_days][:, :, None] - 1 - np.arange(wanted)
    found = order[np.arange(len(order))[:, None, None], np.maximum(place, 0)]
    is_there = (place >= 0) & (found >= target_days[:, None] - look_back_days)
    newest: Ints = np.where(is_there, found, -1)
    return newest


def _average_days(net_kwh: Floats, chosen: Ints, trim: int) -> Floats:
    """Mean of each meter's chosen days in every slot, without the ``trim`` largest and smallest where none is missing."""
    is_there = chosen >= 0
    picked = net_kwh[np.arange(len(chosen))[:, None], np.maximum(chosen, 0)]
    picked[~is_there] = 0.0
    count = is_there.sum(axis=1)
    average: Floats = picked.sum(axis=1, dtype=np.float64) / np.where(count, count, np.nan)[:, None]
    if trim and chosen.shape[1] > 2 * trim:
        middle = np.sort(picked, axis=1)[:, trim:-trim].mean(axis=1, dtype=np.float64)
        average = np.where((count == chosen.shape[1])[:, None], middle, average)
    return average
