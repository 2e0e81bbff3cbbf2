"""The distribution of a sum's error, its quantiles, and the shares of several assets against plain solvers."""

import numpy as np
import pytest
from scipy.optimize import nnls
from scipy.stats import t

from fmar_spark.kernels.delivery.checks import EventChecks
from fmar_spark.kernels.delivery.dispatches import Dispatches, pair_overlaps
from fmar_spark.kernels.delivery.errors import find_probability, find_quantile, sort_errors
from fmar_spark.kernels.delivery.shares import fit_shares
from fmar_spark.kernels.delivery.signals import combine_signals, find_signals, is_above_maximum, measure_step

RNG = np.random.default_rng(7)


def test_probability_and_quantile_are_each_others_inverse() -> None:
    error, weight = RNG.normal(size=(50, 60)), RNG.random((50, 60))
    weight[:, 40:] = 0.0
    past = sort_errors(error, weight, np.ones(50), 2.0)
    for probability in (0.001, 0.025, 0.1, 0.5, 0.9, 0.999):
        np.testing.assert_allclose(find_probability(past, find_quantile(past, probability)), probability, atol=2e-3)


def test_with_many_days_the_probability_is_their_share_and_beyond_them_the_tails() -> None:
    error = np.linspace(-1, 1, 201)[None]
    past = sort_errors(error, np.ones((1, 201)), np.array([0.6]), 2.0)
    assert find_probability(past, np.array([0.5]))[0] == pytest.approx(0.75, abs=0.01)
    lowest = (0.5 + 2.0 * t.cdf(-1 / 0.6, 4)) / 203
    assert find_probability(past, np.array([-1.0]))[0] == pytest.approx(lowest)
    assert find_probability(past, np.array([-3.0]))[0] == pytest.approx(lowest * t.cdf(-5.0, 4) / t.cdf(-1 / 0.6, 4))


def test_without_days_only_the_spread_speaks_and_without_it_nothing() -> None:
    past = sort_errors(np.zeros((2, 0)), np.zeros((2, 0)), np.array([1.0, np.nan]), 2.0)
    found = find_probability(past, np.array([0.0, 0.0]))
    assert found[0] == pytest.approx(0.5)
    assert np.isnan(found[1])


def lay_checks(events: Dispatches, observed: np.ndarray[tuple[int], np.dtype[np.float64]]) -> EventChecks:
    """Checks with one spread, all assessable."""
    blank, none = np.full(len(observed), np.nan), np.zeros(len(observed), dtype=np.int64)
    yes = np.ones(len(observed), dtype=np.bool_)
    return EventChecks(
        events.declared_kwh, blank, blank, blank, blank, blank, np.ones(len(observed)), observed, blank, blank, blank, yes, yes, none, none
    )


def test_shares_of_several_assets_are_those_of_a_plain_solver() -> None:
    rows = 60
    asset = RNG.integers(0, 3, rows)
    start = RNG.integers(0, 40, rows) * 2
    declared = RNG.uniform(1, 5, rows)
    events = Dispatches(np.zeros(rows, dtype=np.int64), asset, start, start + 4, start, np.ones(rows, dtype=np.bool_), declared)
    truth = np.array([1.0, 0.5, 0.0])
    one, two, share = pair_overlaps(events)
    design = np.zeros((rows, 3))
    design[np.arange(rows), asset] = declared
    np.add.at(design, (one, asset[two]), share * declared[two])
    observed = design @ truth + 0.3 * RNG.normal(size=rows)
    _, first = np.unique(start, return_index=True)
    wanted, _ = nnls(design[first], observed[first])
    found = fit_shares(events, lay_checks(events, observed), 4)
    np.testing.assert_allclose(found.share[:3], wanted, atol=1e-3)
    assert np.isnan(found.share[3])
    assert found.is_separable[:3].all()


def test_a_sign_must_be_sustained() -> None:
    found = combine_signals(np.array([9.0, 0.0, 0.0, 0.0, 2.0, 2.0, 2.0, 2.0, np.nan]), np.array([0, 0, 0, 0, 1, 1, 1, 1, 2]), 3)
    assert found[:2].tolist() == [1.5, 4.0]
    assert np.isnan(found[2])


def test_load_raised_before_an_event_and_recovered_after_it_is_seen() -> None:
    net = 1.0 + 0.1 * RNG.normal(size=(2, 80, 48))
    start = np.array([70 * 48 + 34] * 2)
    events = Dispatches(np.arange(2), np.arange(2), start, start + 4, start - 9, np.array([True, False]), np.ones(2))
    flat = net.reshape(2, -1)
    flat[0, start[0] - 8 : start[0] - 2] += 0.5
    flat[0, start[0] + 4 : start[0] + 12] += 0.25
    found = find_signals(net, np.ones_like(net), np.zeros(net.shape, dtype=np.bool_), events)
    assert found.raised_before_kwh[0] == pytest.approx(3.0, abs=0.7)
    assert found.rebound_kwh[0] == pytest.approx(2.0, abs=0.9)
    assert found.raised_before_z[0] > 4 > abs(found.raised_before_z[1])
    assert abs(found.rinse_z[0]) < 4


def test_a_step_at_enrolment_is_seen_and_unknown_without_history() -> None:
    error = 0.1 * RNG.normal(size=(1, 80, 48))
    error[:, 60:] += 0.2
    nothing = np.zeros(error.shape, dtype=np.bool_)
    step = measure_step(error, nothing, np.array([0, 0, 0]), np.array([60, 40, 3]))
    assert step[0] > 10
    assert abs(step[1]) < 4
    assert np.isnan(step[2])


def test_more_than_an_asset_was_ever_seen_to_do_is_too_much() -> None:
    found = is_above_maximum(np.array([10.0, 10.0, 10.0]), np.full(3, 2.0), np.array([4.0, 4.9, np.nan]))
    assert found.tolist() == [True, False, False]


def test_an_interval_that_is_looked_at_after_every_event_keeps_its_promise() -> None:
    """Honest assets whose share is looked at daily: one in a hundred may ever be named, and a phantom still is."""
    assets, count = 1000, 40
    rng = np.random.default_rng(11)
    ever: dict[str, list[float]] = {}
    for name, delivered in (("honest", 1.0), ("phantom", 0.0)):
        observed = delivered + rng.normal(size=(assets, count))
        once, always = np.zeros(assets, dtype=np.bool_), np.zeros(assets, dtype=np.bool_)
        for seen in range(2, count + 1, 2):
            meter, event = np.repeat(np.arange(assets), seen), np.tile(np.arange(seen), assets)
            start, one = event * 48 + 34, np.ones(len(meter))
            events = Dispatches(meter, meter, start, start + 4, start - 2, one == 1, one)
            found = fit_shares(events, lay_checks(events, observed[:, :seen].ravel()), assets)
            once |= found.upper < 1.0
            always |= found.always_upper < 1.0
        ever[name] = [float(once.mean()), float(always.mean())]
    assert ever["honest"][0] > 0.05
    assert ever["honest"][1] <= 0.01
    assert ever["phantom"][1] > 0.95
