"""When each class's asset came, changed or went, and whether it is still there."""

from typing import Final

import numpy as np

from fmar_spark.domain.assets import ASSET_FACTS, AssetClass
from fmar_spark.domain.words import PRESENT_FROM, SEASONS
from fmar_spark.kernels.changes import APPEARED, REMOVED, ChangeRules, History, find_changes, find_daily_peaks
from fmar_spark.kernels.ev.arrivals import find_arrivals, put_arrivals
from fmar_spark.kernels.heat_pump.stays import find_stays, put_stays
from fmar_spark.kernels.window import Bools, Findings, Floats, Ints

PRESENCE_EVIDENCE: Final = ("relative_level", "log_days_since_change", "log_days_since_mark", "was_removed")
SHOWN_DAYS: Final = 28
"""Days of silence, in seasons that would show the class, that make a removal. Source: chosen by hand."""
SHARP_UPGRADE: Final = 1.25
"""Least ratio of sizes for an upgrade of what has one power: two are sought that lie further apart, and the episodes of each lie within
15 % of its own. Source: definition."""
SHARP_DAYS: Final = 7
"""Least number of days between the first and the last episode at either power. Source: the shortest stay of an asset."""
CAR_KWH: Final = 9.0
"""Energy of a first day of charging, after none at all, from which it is the car's. Source: simulated fleets of seeds 9101 to 9104, and
recorded charging on recorded homes, of which 72 of 88 cars that come are dated within a week then, 68 without, no more of the others."""
CAR_KW: Final = 5.0
"""Least power of that first day: heaters and storage draw 3 kW for hours. Source: as ``CAR_KWH``."""
CLEAR_LEVEL: Final = 0.05
"""Level after a clear removal, over the on-level. Source: of 150 cars of simulated homes that seem to go 98 do; the rule is met by 63 of
these and by 10 of the others."""
CLEAR_DAYS: Final = 0.15
"""Share of days with any mark after a clear removal. Source: as ``CLEAR_LEVEL``."""
CLEAR_BEFORE: Final = 0.5
"""Level of the eight weeks before it, over the on-level: what fades out was not taken away. Source: as ``CLEAR_LEVEL``."""
BEFORE_DAYS: Final = 56
"""Days before a removal that say at what level it was. Source: chosen by hand."""
CLEAR_WIDTH: Final = 15
"""Widest 80 % interval of its day, days. Source: as ``CLEAR_LEVEL``."""
SURELY_GONE: Final = 0.4
"""Probability below which a car is gone though its removal is not clear. Source: of the same cars 73 of those that go are gone then, 58 of
them within a week, and 17 of the others; by the probability alone 64, 46 and 16."""
GONE_AFTER_ALL: Final = 0.25
"""Probability that a car is there after a clear removal. Source: of 63 and 10 where a fifth of the cars go, for homes where 7 % do."""
SUDDEN_DAYS: Final = 28
"""Days next to a change whose use is compared. Source: chosen by hand."""
IN_USE: Final = 0.4
"""Mark from which a day is one of use, over the usual. Source: chosen by hand."""
COMES_TO: Final = 0.5
"""Least share of the days after an arrival that are of use. Source: batteries of simulated fleets of seeds 9101 to 9104:
of 581 that did not come 4 are said to have come, and 27 of 162 that did are dated within a week; without this, the next two rules and
``nights.FILLING_SHARE`` 35 and 35."""
COMES_FROM: Final = 0.08
"""Most share of the days before it. Source: as ``COMES_TO``."""
COMES_FROM_ALL: Final = 0.03
"""Most share of all days before it. Source: as ``COMES_TO``."""
GOES_FROM: Final = 0.7
"""Least share of the days before a removal that are of use. Source: batteries of the same fleets: 13 of 146 that go are
dated within a week, and none of 597 others is said to have gone; with 0.6 a few more of both."""
GOES_TO: Final = 0.05
"""Most share of the days after it. Source: as ``GOES_FROM``."""
GOES_TO_ALL: Final = 0.02
"""Most share of all days after it. Source: as ``GOES_FROM``."""
NEVER_CHANGED_DAYS: Final = 720.0
"""Days since the last change that stand for none."""


def date_asset(findings: Findings, asset: AssetClass, candidates: Bools) -> History:
    """Find the changes of one class in every candidate meter.

    Args:
        findings: of the class.
        asset: which class.
        candidates: meters worth asking, shape (meters,).
    """
    meters, days = findings.daily.shape
    facts = ASSET_FACTS[asset]
    rules = ChangeRules(is_seasonal=facts.is_seasonal, has_own_size=facts.has_own_size, is_sparse=facts.is_sparse)
    if facts.is_sudden:
        rules = rules._replace(shows_at_night=True)
    if facts.has_own_size:
        rules = rules._replace(upgrade_ratio=SHARP_UPGRADE, min_upgrade_days=SHARP_DAYS)
    if asset is AssetClass.EV:
        rules = rules._replace(sure_mark=CAR_KWH, sure_kw=CAR_KW)
    sized = findings.events
    if asset is AssetClass.BATTERY:
        sized = sized.take(sized.is_import & (findings.sizes.is_least == 0)[sized.meter])
    size_kw = find_daily_peaks(sized, meters, days) if facts.has_own_size else findings.size_kw
    rules = rules._replace(has_daily_size=not facts.has_own_size and size_kw is not None)
    history = find_changes(findings.daily, candidates, rules=rules, size_kw=size_kw)
    if asset is AssetClass.EV:
        return put_arrivals(history, find_arrivals(findings.events, findings.daily, candidates), candidates)
    if findings.heat is not None:
        return put_stays(history, find_stays(findings.heat, candidates), candidates)
    return _leave_out_slow_arrivals(history, findings.daily) if facts.is_sudden else history


def find_shown_removals(history: History, findings: Findings, asset: AssetClass, season: Ints) -> Bools:
    """Meters whose silence at the end lasts for four weeks of days that would have shown the class, shape (meters,).

    Those are days of the seasons in which it shows itself, or that are decisive by themselves; a day that was not read, or cannot show
    it, is no silence.

    Args:
        history: of the class.
        findings: of the class.
        asset: which class.
        season: code of each day, shape (days,).
    """
    shows = np.isin(season, [SEASONS.index(one) for one in ASSET_FACTS[asset].shows_in])
    gone = ~history.present
    silent_at_end = np.cumprod(gone[:, ::-1], axis=1)[:, ::-1].astype(np.bool_)
    if findings.is_decisive is not None:
        shows = shows | findings.is_decisive
    return np.asarray((silent_at_end & shows & ~np.isnan(findings.daily)).sum(axis=1) >= SHOWN_DAYS)


def weigh_removals(history: History, daily: Floats, present: Floats) -> Floats:
    """The probabilities that the asset is there at the end, shape (meters,), where its removal is clear or is not.

    A removal is clear that comes at once, out of full use, and leaves next to nothing. A car whose use fades, or goes on at a lower level,
    is still there unless its probability is low. Meters whose last change is no removal keep their probability.

    Args:
        history: of a class that does not follow the season.
        daily: the class's mark on each day, shape (meters, days); NaN = unread or the day cannot show it.
        present: shape (meters,).
    """
    changes = history.changes
    weighed = present.copy()
    for row in np.flatnonzero((changes.kind == REMOVED) & changes.is_last):
        meter, day = int(changes.meter[row]), int(changes.day[row])
        before, after = (part[~np.isnan(part)] for part in (daily[meter, max(0, day - BEFORE_DAYS) : day], daily[meter, day:]))
        on_level = float(history.presence.on_level[meter])
        is_clear = (
            changes.p90_day[row] - changes.p10_day[row] <= CLEAR_WIDTH
            and before.size > 0
            and after.size > 0
            and before.mean() > CLEAR_BEFORE * on_level
            and after.mean() <= CLEAR_LEVEL * on_level
            and (after > 0).mean() <= CLEAR_DAYS
        )
        if is_clear:
            weighed[meter] = min(present[meter], GONE_AFTER_ALL)
        elif present[meter] >= SURELY_GONE:
            weighed[meter] = max(present[meter], PRESENT_FROM)
    return weighed


def weigh_sudden_removals(history: History, daily: Floats, present: Floats, ever: Floats) -> Floats:
    """The probabilities that the asset is there at the end, shape (meters,), where its use ended at once or did not.

    Use of most days that ends at once and for good is a removal. What fades out, or comes back now and then, is a season or a usage
    pattern, and the asset is as likely there as it ever was.

    Args:
        history: of a class that works on most days.
        daily: the class's mark on each day, shape (meters, days); NaN = unread or the day cannot show it.
        present: shape (meters,), by what the classifier says of histories.
        ever: probability of having been there at some time, shape (meters,).
    """
    changes = history.changes
    weighed = present.copy()
    for row in np.flatnonzero((changes.kind == REMOVED) & changes.is_last):
        meter = int(changes.meter[row])
        before, after = _split_use(daily[meter], int(changes.day[row]))
        is_sudden = before[-SUDDEN_DAYS:].mean() >= GOES_FROM and after[:SUDDEN_DAYS].mean() <= GOES_TO and after.mean() <= GOES_TO_ALL
        weighed[meter] = min(present[meter], GONE_AFTER_ALL) if is_sudden else ever[meter]
    return weighed


def _leave_out_slow_arrivals(history: History, daily: Floats) -> History:
    """The history without arrivals of assets whose use did not begin at once: they were there from the first day."""
    changes = history.changes
    kept: Bools = np.ones(changes.meter.size, dtype=np.bool_)
    present = history.present.copy()
    for row in np.flatnonzero((changes.kind == APPEARED) & changes.is_first):
        meter, day = int(changes.meter[row]), int(changes.day[row])
        before, after = _split_use(daily[meter], day)
        kept[row] = (
            after[:SUDDEN_DAYS].mean() >= COMES_TO and before[-SUDDEN_DAYS:].mean() <= COMES_FROM and before.mean() <= COMES_FROM_ALL
        )
        if not kept[row]:
            present[meter, :day] = True
    return history._replace(changes=changes.take(kept), present=present)


def _split_use(daily: Floats, day: int) -> tuple[Bools, Bools]:
    """Which of the days that could show it were of use, before a day and from it on."""
    before, after = (part[~np.isnan(part)] >= IN_USE for part in (daily[:day], daily[day:]))
    return before, after


def presence_evidence(history: History) -> Floats:
    """What says whether the asset is still there, shape (meters, 4), in the order of ``PRESENCE_EVIDENCE``.

    The first column is NaN where nothing is known.
    """
    standing = history.presence
    days = history.present.shape[1]
    is_gone = ~history.present[:, -1] if days else np.zeros(len(standing.relative_level), dtype=np.bool_)
    return np.stack(
        [
            np.clip(standing.relative_level, 0.0, 2.0),
            np.log1p(np.nan_to_num(standing.days_since_change, nan=NEVER_CHANGED_DAYS)),
            np.log1p(np.nan_to_num(standing.days_since_mark, nan=0.0)),
            is_gone.astype(np.float64),
        ],
        axis=1,
    )
