"""Portfolios that behave in known ways, on simulated loads."""

import numpy as np
import pytest

from fmar_spark.evaluation.delivery_loads import simulate_loads
from fmar_spark.evaluation.delivery_placebos import measure_placebos
from fmar_spark.evaluation.delivery_portfolios import Portfolio, build_portfolio
from fmar_spark.evaluation.delivery_rates import find_flags, rate_false_flags, rate_found
from fmar_spark.evaluation.delivery_scenarios import Pair, act_honestly, claim_phantoms, mix_portfolio, move_load, pair_up, see, turn_after
from fmar_spark.kernels.delivery.verdicts import ONE_OF_SEVERAL, SUSPECT
from fmar_spark.kernels.delivery.verification import VerificationRules

RULES = VerificationRules()


@pytest.fixture(scope="module")
def portfolio() -> Portfolio:
    """Eight loads of nine months, two meters each."""
    return build_portfolio(simulate_loads(8, 270, 3)[0], 2, 1)


def test_honest_assets_are_left_alone_and_phantoms_are_found(portfolio: Portfolio) -> None:
    honest, phantom = (see([portfolio], 5.0, act, RULES).evidence for act in (act_honestly, claim_phantoms(1.0)))
    assert rate_false_flags(find_flags(honest, 100.0)).value <= 0.05
    assert rate_found(find_flags(phantom, 100.0), 10).value >= 0.9


def test_an_asset_that_turns_dishonest_is_found_later(portfolio: Portfolio) -> None:
    flags = find_flags(see([portfolio], 5.0, turn_after(10, 1.0), RULES).evidence, 100.0)
    assert (flags.event > 10).mean() > 0.9


def test_load_raised_after_the_notice_does_not_pass_for_a_delivery(portfolio: Portfolio) -> None:
    raised = move_load([portfolio], 5.0, False, RULES)
    assert rate_found(find_flags(see(raised, 5.0, claim_phantoms(1.0), RULES).evidence, 100.0), 10).value >= 0.9


def test_of_two_fsps_the_one_that_lies_is_named_where_events_differ_and_none_where_they_never_do(portfolio: Portfolio) -> None:
    apart, together = (pair_up([portfolio], Pair(5.0, share, (1.0, 0.0)), 20) for share in (0.5, 0.0))
    assert (apart[:, 1] == SUSPECT).mean() > 0.8
    assert (apart[:, 0] == SUSPECT).mean() < 0.1
    assert (together == ONE_OF_SEVERAL).mean() > 0.8


def test_sums_lie_within_their_intervals_as_often_as_stated() -> None:
    found = measure_placebos(simulate_loads(12, 240, 4), RULES)
    assert np.mean(found.within80) == pytest.approx(0.8, abs=0.06)
    assert np.median(found.nrmse / found.reference_nrmse) < 0.95


def test_a_portfolio_reports_the_dishonest_and_few_of_the_honest(portfolio: Portfolio) -> None:
    mixture = mix_portfolio([portfolio], claim_phantoms(1.0), 5.0, 15, RULES)
    assert mixture.found > 0.9
    assert mixture.wrong <= 0.1
