"""What the events of each asset add up to: consistent, suspect, one of several suspect, or not assessable."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.kernels.delivery.checks import CheckRules, EventChecks
from fmar_spark.kernels.delivery.dispatches import Dispatches
from fmar_spark.kernels.delivery.evidence import NO_EVENT, Evidence, EvidenceRules, Scores, weigh_evidence
from fmar_spark.kernels.delivery.shares import Shares, fit_shares
from fmar_spark.kernels.window import Bools, Floats, Ints

VERDICTS: Final = ("consistent", "suspect", "one_of_several_suspect", "not_assessable")
"""Names of the verdict codes."""
CONSISTENT, SUSPECT, ONE_OF_SEVERAL, NOT_ASSESSABLE = range(4)
REASONS: Final = ("", "no_assessable_event", "asset_too_small", "sustained_shortfall", "shortfall_of_the_meter", "events_never_differ")
"""Names of the reason codes."""
PLAIN, NO_EVENT_SEEN, TOO_SMALL, SHORTFALL, METER_SHORTFALL, NEVER_DIFFER = range(6)


class VerdictRules(NamedTuple):
    """How events are checked and added up."""

    check: CheckRules = CheckRules()
    evidence: EvidenceRules = EvidenceRules()
    least_spreads: float = 0.5
    """An asset whose declarations are smaller than so many spreads, in the root mean square, is too small to be called consistent."""


class AssetVerdicts(NamedTuple):
    """Arrays of shape (assets,)."""

    evidence: Evidence
    """Of the asset's own events, with all that the meter shows credited to it."""
    meter_evidence: Evidence
    """Of all events at the asset's meter, all its assets together."""
    shares: Shares
    declared_spreads: Floats
    """Root mean square of declared energy over the baseline's error: below 0.5 hardly anything shows, from 1.5 a phantom does."""
    verdict: Ints
    """Index into ``VERDICTS``."""
    reason: Ints
    """Index into ``REASONS``."""
    suspect_event: Ints
    """Row of the event with which the asset or its meter became suspect, -1 where neither is."""


def conclude_assets(
    events: Dispatches, checks: EventChecks, assets: int, first_day: int = 0, rules: VerdictRules | None = None
) -> AssetVerdicts:
    """Add up the events of each asset, and of each meter, and say what they show.

    An asset is suspect by its own events, each with everything that the meter shows credited to it, so that another's false declaration
    cannot make it so; or where its meter falls short and the regression over all events puts its share below what is
    tolerated. Where the meter falls short and no asset can be named, those whose events were shared are each
    one of several suspect.

    Args:
        events: whole history that is to count, of whole meters.
        checks: of the same events.
        assets: numbers of assets that there are.
        first_day: number of the window's first day, in days since 1970, so that months do not move with the window.
        rules: tolerance, rate and limits.
    """
    rules = rules or VerdictRules()
    meters = int(events.meter.max(initial=-1)) + 1
    day = first_day + events.start_slot // 48
    spread = np.where(checks.spread_kwh > 0, checks.spread_kwh, np.nan)
    own = weigh_evidence(Scores(events.asset, day, checks.p_value, checks.declared_kwh / spread), assets, rules.evidence)
    shares = fit_shares(events, checks, assets)
    meter_of_asset = np.zeros(assets, dtype=np.int64)
    meter_of_asset[events.asset] = events.meter
    if not meters:
        return _blank(own, shares, assets)
    size_together = (checks.declared_kwh + np.maximum(checks.others_kwh, 0.0)) / spread
    together = weigh_evidence(Scores(events.meter, day, checks.meter_p_value, size_together), meters, rules.evidence)
    of_meter = together.take(meter_of_asset)
    size = _measure_size(events, checks, assets)
    is_short = shares.is_separable & (shares.always_upper < 1.0 - rules.check.tolerance)
    is_named = own.is_suspect | (of_meter.is_suspect & is_short)
    is_meter_named = np.zeros(meters, dtype=np.bool_)
    is_meter_named[meter_of_asset[is_named]] = True
    is_shared = np.bincount(events.asset[checks.is_shared & checks.is_assessable], minlength=assets) > 0
    is_one_of = of_meter.is_suspect & is_shared & ~is_meter_named[meter_of_asset]
    conditions: list[Bools] = [own.days == 0, is_named, is_one_of, size < rules.least_spreads]
    return AssetVerdicts(
        evidence=own,
        meter_evidence=of_meter,
        shares=shares,
        declared_spreads=size,
        verdict=np.select(conditions, [NOT_ASSESSABLE, SUSPECT, ONE_OF_SEVERAL, NOT_ASSESSABLE], CONSISTENT),
        reason=np.select(
            [own.days == 0, own.is_suspect, is_named, is_one_of & ~shares.is_separable, is_one_of, size < rules.least_spreads],
            [NO_EVENT_SEEN, SHORTFALL, METER_SHORTFALL, NEVER_DIFFER, METER_SHORTFALL, TOO_SMALL],
            PLAIN,
        ),
        suspect_event=np.where(own.is_suspect, own.suspect_event, np.where(is_named | is_one_of, of_meter.suspect_event, NO_EVENT)),
    )


def _measure_size(events: Dispatches, checks: EventChecks, assets: int) -> Floats:
    """Root mean square of declared energy in spreads of the baseline's error, shape (assets,); NaN without an assessable event."""
    rows = checks.is_assessable & (checks.spread_kwh > 0)
    square = np.bincount(events.asset[rows], (events.declared_kwh[rows] / checks.spread_kwh[rows]) ** 2, minlength=assets)
    count = np.bincount(events.asset[rows], minlength=assets)
    size: Floats = np.sqrt(square / np.where(count > 0, count, np.nan))
    return size


def _blank(own: Evidence, shares: Shares, assets: int) -> AssetVerdicts:
    """Verdicts where no event was given."""
    return AssetVerdicts(
        own,
        own,
        shares,
        np.full(assets, np.nan),
        np.full(assets, NOT_ASSESSABLE),
        np.full(assets, NO_EVENT_SEEN),
        np.full(assets, NO_EVENT),
    )
