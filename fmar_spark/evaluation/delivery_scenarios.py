"""What each check sees of a portfolio that behaves in a certain way: evidence, CUSUM, and two naive checks beside them."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np

from fmar_spark.evaluation.delivery_portfolios import Behaviour, Portfolio, add_load, check_behaviour, check_portfolio
from fmar_spark.evaluation.delivery_rates import Traces, join_traces, trace_cusum
from fmar_spark.kernels.delivery.checks import EventChecks, check_events
from fmar_spark.kernels.delivery.dispatches import Dispatches, Exclusion, mark_dispatched
from fmar_spark.kernels.delivery.evidence import Scores, control_false_discoveries, trace_evidence, weigh_evidence
from fmar_spark.kernels.delivery.signals import combine_signals, measure_step
from fmar_spark.kernels.delivery.verdicts import conclude_assets
from fmar_spark.kernels.delivery.verification import VerificationRules
from fmar_spark.kernels.window import Bools, Floats, Ints

CHECKS: Final = ("evidence", "CUSUM", "BL01 less 20 %", "declared above import")
"""Names of the columns of ``Seen``."""
CUSUM_ALLOWANCE: Final = 0.5
"""Half of the shift of one spread that is to be found, the usual choice (Page 1954)."""
NAIVE_TOLERANCE: Final = 0.2
METER_ERROR: Final = 0.02
"""Standard deviation of an honest asset meter's error."""
DISHONEST_SHARE: Final = 0.1
FALSE_DISCOVERY_RATE: Final = 0.1
MIXTURE_DRAWS: Final = 100
HEAT_WAVE_DAYS: Final = 10
HEAT_WAVE_SPREADS: Final = 0.5
"""By so many spreads of an event's error the afternoons of a heat wave exceed what any baseline expects, at all meters alike."""


class Seen(NamedTuple):
    """The statistic of each check after each event."""

    evidence: Traces
    cusum: Traces
    bl01: Traces
    """1 where less than 80 % of the declaration is seen against BL01 with its in-day adjustment."""
    above_import: Traces
    """1 where more is declared than the meter imported in the same half-hours."""


Act = Callable[[Portfolio, np.random.Generator], Behaviour]


def act_honestly(portfolio: Portfolio, rng: np.random.Generator) -> Behaviour:
    """Deliver 80 to 100 % of what is asked for, and declare it as an asset meter with 2 % of error shows it."""
    delivered = rng.uniform(0.8, 1.0, len(portfolio.order))
    return Behaviour(delivered, delivered * (1.0 + METER_ERROR * rng.normal(size=len(delivered))))


def claim_phantoms(share: float) -> Act:
    """Declare all that is asked for, and deliver it less a share."""
    return lambda portfolio, rng: Behaviour(1.0 - share, 1.0)


def turn_after(events: int, share: float) -> Act:
    """Act honestly for so many events, then claim phantoms."""

    def act(portfolio: Portfolio, rng: np.random.Generator) -> Behaviour:
        honest, is_before = act_honestly(portfolio, rng), portfolio.order < events
        return Behaviour(np.where(is_before, honest.delivered, 1.0 - share), np.where(is_before, honest.declared, 1.0))

    return act


def deliver_little(portfolio: Portfolio, rng: np.random.Generator) -> Behaviour:
    """Deliver half of what is asked for, and say so."""
    honest = act_honestly(portfolio, rng)
    return Behaviour(np.asarray(honest.delivered) * 0.5, np.asarray(honest.declared) * 0.5)


def use_noisy_meter(portfolio: Portfolio, rng: np.random.Generator) -> Behaviour:
    """Deliver what is asked for; each asset meter reads up to 4 % too much for good, and errs by 5 % from event to event."""
    bias = rng.uniform(-0.04, 0.04, len(portfolio.loads.names))[portfolio.events.meter]
    return Behaviour(1.0, 1.0 + bias + 0.05 * rng.normal(size=len(bias)))


def use_late_clock(portfolio: Portfolio, rng: np.random.Generator) -> Behaviour:
    """Deliver half an hour late, so that a quarter falls outside the event, and declare all of it."""
    return Behaviour(0.75, 1.0)


def see(portfolios: Sequence[Portfolio], size: float, act: Act, rules: VerificationRules, seed: int = 1) -> Seen:
    """Check all portfolios with assets of ``size`` spreads that behave alike."""
    rng = np.random.default_rng(seed)
    parts = [_see_one(portfolio, size, act(portfolio, rng), rules) for portfolio in portfolios]
    joined = [join_traces([part[column] for part in parts]) for column in range(len(CHECKS))]
    return Seen(joined[0], trace_cusum(joined[1], CUSUM_ALLOWANCE), joined[2], joined[3])


def heat_portfolios(portfolios: Sequence[Portfolio], rules: VerificationRules) -> list[Portfolio]:
    """The portfolios with ten days running, in every ninety, whose afternoons draw more than any baseline expects, at all meters."""
    heated = []
    for portfolio in portfolios:
        net_kwh = portfolio.loads.meter_days.net_kwh.copy()
        is_hot = np.arange(net_kwh.shape[1]) % 90 < HEAT_WAVE_DAYS
        net_kwh[:, is_hot, 24:44] += (HEAT_WAVE_SPREADS * portfolio.spread_kwh / 4)[:, None, None]
        loads = portfolio.loads._replace(meter_days=portfolio.loads.meter_days._replace(net_kwh=net_kwh))
        heated.append(check_portfolio(loads, portfolio.events, rules)._replace(spread_kwh=portfolio.spread_kwh))
    return heated


def move_load(portfolios: Sequence[Portfolio], size: float, after: bool, rules: VerificationRules) -> list[Portfolio]:
    """The portfolios with an energy of ``size`` spreads, against the event's direction, over four hours after it or three before it."""
    moved = []
    for portfolio in portfolios:
        events = portfolio.events
        energy = size * portfolio.spread_kwh[events.meter] * np.where(events.is_down, 1.0, -1.0)
        start = events.end_slot if after else events.start_slot - 8
        end = start + 8 if after else events.start_slot - 2
        is_known = events.notice_slot < start if not after else np.ones(len(start), dtype=np.bool_)
        loads = add_load(portfolio, start, end, np.where(is_known, energy, 0.0))
        moved.append(check_portfolio(loads, events, rules)._replace(spread_kwh=portfolio.spread_kwh))
    return moved


def inflate_baselines(portfolios: Sequence[Portfolio], size: float, rules: VerificationRules) -> list[Portfolio]:
    """The portfolios with loads raised by ``size`` spreads an event by day, from the first event on, but not within events.

    They are lowered where the asset is dispatched upwards.
    """
    inflated = []
    for portfolio in portfolios:
        net_kwh, events = portfolio.loads.meter_days.net_kwh.copy(), portfolio.events
        meters = np.arange(len(net_kwh))
        first = np.searchsorted(events.meter, meters)
        is_begun = np.arange(net_kwh.shape[1]) >= (events.start_slot[first] // 48)[:, None]
        raised = np.where(events.is_down[first], 1.0, -1.0) * size * portfolio.spread_kwh / 4
        raised_kwh = np.where(is_begun, raised[:, None], 0.0)[:, :, None] * ((np.arange(48) >= 14) & (np.arange(48) < 40))
        is_event = mark_dispatched(portfolio.loads.meter_days.net_kwh.shape, events, Exclusion(0, 0))
        net_kwh += np.where(is_event, 0.0, raised_kwh).astype(np.float32)
        loads = portfolio.loads._replace(meter_days=portfolio.loads.meter_days._replace(net_kwh=net_kwh))
        inflated.append(check_portfolio(loads, events, rules)._replace(spread_kwh=portfolio.spread_kwh))
    return inflated


def credit_nothing(portfolios: Sequence[Portfolio], size: float) -> tuple[float, float]:
    """What is seen where nothing is delivered, as a share of what is asked for, by these expectations and by adjusted BL01.

    Of events that were known the day before, and as medians over meters: those whose load can be raised before them on purpose.
    """
    shares = []
    for portfolio in portfolios:
        events, baselines = portfolio.events, portfolio.checked.baselines
        sign = np.where(events.is_down, 1.0, -1.0) * (events.notice_slot < events.start_slot - 8)
        asked = size * portfolio.spread_kwh[events.meter] * np.abs(sign)
        meters = len(portfolio.loads.names)
        total = np.bincount(events.meter, asked, minlength=meters)
        for expected in (baselines.expected_kwh, portfolio.reference_kwh):
            seen = np.bincount(events.meter, np.nan_to_num(sign * (expected - baselines.actual_kwh)), minlength=meters)
            shares.append(seen / np.where(total > 0, total, np.nan))
    own, reference = np.concatenate(shares[::2]), np.concatenate(shares[1::2])
    return float(np.nanmedian(own)), float(np.nanmedian(reference))


class Signs(NamedTuple):
    """Of each meter's asset, in standard deviations; arrays of shape (meters,)."""

    raised_before: Floats
    rebound: Floats
    step: Floats
    """Of the load at enrolment, in the direction that makes later deliveries look larger."""


def find_signs(portfolios: Sequence[Portfolio], events: int) -> Signs:
    """What the surroundings of each asset's first events show."""
    parts = []
    for portfolio in portfolios:
        meters = len(portfolio.loads.names)
        early, signals = portfolio.order < events, portfolio.checked.signals
        asset = portfolio.events.asset[early]
        before, after = (combine_signals(z[early], asset, meters) for z in (signals.raised_before_z, signals.rebound_z))
        first = np.searchsorted(portfolio.events.meter, np.arange(meters))
        error = portfolio.loads.meter_days.net_kwh - portfolio.checked.predicted_kwh
        step = measure_step(error, portfolio.checked.is_dispatched, np.arange(meters), portfolio.events.start_slot[first] // 48)
        parts.append((before, after, step * np.where(portfolio.events.is_down[first], 1.0, -1.0)))
    return Signs(*(np.concatenate(column) for column in zip(*parts, strict=True)))


class Mixture(NamedTuple):
    """How a portfolio of honest and dishonest assets is answered."""

    found: float
    """Share of the dishonest that are reported."""
    wrong: float
    """Share of the honest among those reported, mean over draws; none where none is reported."""


def mix_portfolio(portfolios: Sequence[Portfolio], act: Act, size: float, events: int, rules: VerificationRules) -> Mixture:
    """Report by the e-values after so many events, where a tenth of all assets acts dishonestly; means over draws of that tenth."""
    rng = np.random.default_rng(1)
    honest, dishonest = (
        np.concatenate([_weigh_first(portfolio, size, one, events, rules) for portfolio in portfolios]) for one in (act_honestly, act)
    )
    found, wrong = [], []
    for _ in range(MIXTURE_DRAWS):
        is_dishonest = rng.permutation(len(honest)) < max(DISHONEST_SHARE * len(honest), 1.0)
        reported = control_false_discoveries(np.where(is_dishonest, dishonest, honest), FALSE_DISCOVERY_RATE)
        found.append(reported[is_dishonest].mean())
        wrong.append(reported[~is_dishonest].sum() / max(reported.sum(), 1))
    return Mixture(float(np.mean(found)), float(np.mean(wrong)))


def _weigh_first(portfolio: Portfolio, size: float, act: Act, events: int, rules: VerificationRules) -> Floats:
    """E-value of each asset after its first events."""
    given, checks = check_behaviour(portfolio, size, act(portfolio, np.random.default_rng(1)), rules)
    is_early = portfolio.order < events
    day = _first_day(portfolio) + given.start_slot // 48
    scores = Scores(given.asset, day, np.where(is_early, checks.p_value, np.nan), checks.declared_kwh / checks.spread_kwh)
    return weigh_evidence(scores, len(portfolio.loads.names), rules.verdict.evidence).e_value


class Pair(NamedTuple):
    """Two FSPs with an asset each at every meter."""

    size: float
    """Spreads that each is asked for."""
    share_apart: float
    """Share of the events in which only one of the two is dispatched, in turn; in the others both are."""
    delivered: tuple[float, float]
    """Share that each delivers of what it declares."""


def pair_up(portfolios: Sequence[Portfolio], pair: Pair, events: int) -> Ints:
    """Verdict of both assets of each meter after so many events of the meter, shape (meters, 2)."""
    verdicts = []
    for portfolio in portfolios:
        both, checks = check_pairs(portfolio, pair, events)
        verdicts.append(conclude_assets(both, checks, 2 * len(portfolio.loads.names), _first_day(portfolio)).verdict.reshape(-1, 2))
    return np.concatenate(verdicts)


def check_pairs(portfolio: Portfolio, pair: Pair, events: int) -> tuple[Dispatches, EventChecks]:
    """The first events of each meter, in which two assets take part; theirs have the numbers 2 * meter and 2 * meter + 1."""
    given, order = portfolio.events, portfolio.order
    is_apart = (order * 7 % 10) < pair.share_apart * 10
    takes_part = [(order < events) & (~is_apart | (order % 2 == asset)) for asset in (0, 1)]
    asked = pair.size * portfolio.spread_kwh[given.meter]
    sign = np.where(given.is_down, -1.0, 1.0)
    energy = sum(np.where(part, share * asked, 0.0) for part, share in zip(takes_part, pair.delivered, strict=True))
    actual = portfolio.checked.baselines.actual_kwh + sign * energy
    rows = np.concatenate([np.flatnonzero(part) for part in takes_part])
    asset = np.repeat([0, 1], [int(part.sum()) for part in takes_part])
    both = given._replace(declared_kwh=asked).take(rows)._replace(asset=2 * given.meter[rows] + asset)
    return both, check_events(both, portfolio.checked.baselines._replace(actual_kwh=actual).take(rows))


def number_loads(portfolio: Portfolio) -> Ints:
    """Number of the load that each meter repeats, shape (meters,)."""
    number = {name: place for place, name in enumerate(dict.fromkeys(portfolio.loads.names))}
    return np.array([number[name] for name in portfolio.loads.names])


def _first_day(portfolio: Portfolio) -> int:
    """Number of the calendar's first day."""
    return int(portfolio.loads.meter_days.calendar.start_date.astype("datetime64[D]").astype(np.int64))


def _see_one(portfolio: Portfolio, size: float, behaviour: Behaviour, rules: VerificationRules) -> tuple[Traces, ...]:
    """What each check sees of one portfolio; the CUSUM's steps, not yet added up."""
    events, checks = check_behaviour(portfolio, size, behaviour, rules)
    day = _first_day(portfolio) + events.start_slot // 48
    scores = Scores(events.asset, day, checks.p_value, checks.declared_kwh / checks.spread_kwh)
    level = trace_evidence(scores, len(portfolio.loads.names), rules.verdict.evidence)
    missing = ((1.0 - rules.verdict.check.tolerance) * checks.declared_kwh - checks.meter_observed_kwh) / checks.spread_kwh
    asked = size * portfolio.spread_kwh[events.meter]
    sign = np.where(events.is_down, 1.0, -1.0)
    actual = portfolio.checked.baselines.actual_kwh - sign * asked * behaviour.delivered
    against_bl01: Bools = sign * (portfolio.reference_kwh - actual) < (1.0 - NAIVE_TOLERANCE) * checks.declared_kwh
    above: Bools = checks.declared_kwh > np.maximum(actual, 0.0)
    load = number_loads(portfolio)[events.meter]
    values = (level, missing, against_bl01.astype(float), above.astype(float))
    return tuple(Traces(events.asset, load, portfolio.order, day, value) for value in values)
