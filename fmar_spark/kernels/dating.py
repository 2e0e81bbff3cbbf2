"""When each class's asset came, changed or went, and whether it is still there."""

from typing import Final

import numpy as np

from fmar_spark.domain.assets import ASSET_FACTS, AssetClass
from fmar_spark.domain.words import PRESENT_FROM, SEASONS
from fmar_spark.kernels.changes import REMOVED, ChangeRules, History, find_changes, find_daily_peaks
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
    if facts.has_own_size:
        rules = rules._replace(upgrade_ratio=SHARP_UPGRADE, min_upgrade_days=SHARP_DAYS)
    if asset is AssetClass.EV:
        rules = rules._replace(sure_mark=CAR_KWH, sure_kw=CAR_KW)
    sized = findings.events
    if asset is AssetClass.BATTERY:
        sized = sized.take(sized.is_import & (findings.sizes.is_least == 0)[sized.meter])
    size_kw = find_daily_peaks(sized, meters, days) if facts.has_own_size else None
    history = find_changes(findings.daily, candidates, rules=rules, size_kw=size_kw)
    if asset is AssetClass.EV:
        return put_arrivals(history, find_arrivals(findings.events, findings.daily, candidates), candidates)
    if findings.heat is not None:
        return put_stays(history, find_stays(findings.heat, candidates), candidates)
    return history


def find_shown_removals(history: History, daily: Floats, asset: AssetClass, season: Ints) -> Bools:
    """Meters whose silence at the end lasts for four weeks of days that would have shown the class, shape (meters,).

    Those are days of the seasons in which it shows itself; a day that was not read, or cannot show it, is no silence.

    Args:
        history: of the class.
        daily: the class's mark on each day, shape (meters, days); NaN = unread or the day cannot show it.
        asset: which class.
        season: code of each day, shape (days,).
    """
    shows = np.isin(season, [SEASONS.index(one) for one in ASSET_FACTS[asset].shows_in])
    gone = ~history.present
    silent_at_end = np.cumprod(gone[:, ::-1], axis=1)[:, ::-1].astype(np.bool_)
    return np.asarray((silent_at_end & shows & ~np.isnan(daily)).sum(axis=1) >= SHOWN_DAYS)


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
    for row in np.flatnonzero((changes.kind == REMOVED) & np.append(changes.meter[1:] != changes.meter[:-1], True)[: changes.meter.size]):
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
