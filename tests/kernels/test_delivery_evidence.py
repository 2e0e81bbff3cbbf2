"""Evidence over events: an honest asset is seldom flagged however often it is looked at, a dishonest one soon is."""

import numpy as np
import pytest
from scipy.special import ndtr

from fmar_spark.kernels.delivery.evidence import (
    NO_EVENT,
    EvidenceRules,
    Scores,
    control_false_discoveries,
    trace_evidence,
    weigh_evidence,
)
from fmar_spark.kernels.window import Floats


def lay_scores(p_value: Floats, spreads: float = 3.0, every_days: int = 3) -> Scores:
    """One asset a row, an event every so many days."""
    assets, events = p_value.shape
    day = np.tile(np.arange(events) * every_days, assets)
    return Scores(np.repeat(np.arange(assets), events), day, p_value.reshape(-1), np.full(p_value.size, spreads))


def test_honest_assets_are_flagged_at_most_at_the_stated_rate() -> None:
    p_value = np.random.default_rng(1).random((2000, 60))
    found = weigh_evidence(lay_scores(p_value), 2000, EvidenceRules(drift=0.0))
    assert (found.months == 6).all()
    assert (found.peak >= 100).mean() <= 6 * 0.01
    assert found.e_value.mean() <= 1.5


@pytest.mark.parametrize("spreads", [0.5, 3.0])
def test_small_assets_weigh_little(spreads: float) -> None:
    shifted = 1.0 - ndtr(np.random.default_rng(2).normal(size=(300, 10)) + 0.45 * spreads)
    found = weigh_evidence(lay_scores(shifted, spreads), 300)
    assert found.is_suspect.mean() > 0.75 if spreads > 1 else found.is_suspect.mean() < 0.05


def test_an_asset_that_turns_dishonest_after_a_year_is_found_within_a_month() -> None:
    rng = np.random.default_rng(3)
    p_value = rng.random((200, 130))
    p_value[:, 120:] = 1.0 - ndtr(rng.normal(size=(200, 10)) + 2.5)
    found = weigh_evidence(lay_scores(p_value), 200)
    turned = found.suspect_event - np.arange(200) * 130
    assert ((turned >= 120) & (found.suspect_event != NO_EVENT)).mean() > 0.85


def test_events_of_one_day_count_as_one_and_order_does_not_matter() -> None:
    one = Scores(np.zeros(3, dtype=np.int64), np.array([5, 5, 5]), np.array([0.01, 0.01, 0.01]), np.full(3, 3.0))
    alone = weigh_evidence(Scores(*(column[:1] for column in one)), 1)
    assert weigh_evidence(one, 1).level[0] == pytest.approx(alone.level[0])
    scores = lay_scores(np.random.default_rng(4).random((5, 20)))
    shuffled = np.random.default_rng(5).permutation(100)
    mixed = weigh_evidence(Scores(*(column[shuffled] for column in scores)), 5)
    np.testing.assert_allclose(mixed.level, weigh_evidence(scores, 5).level)


def test_a_suspect_is_cleared_once_the_evidence_is_gone() -> None:
    p_value = np.concatenate([np.full((1, 8), 1e-4), np.full((1, 40), 0.9)], axis=1)
    trace = trace_evidence(lay_scores(p_value), 1)
    found = weigh_evidence(lay_scores(p_value), 1)
    assert trace.max() == found.peak[0] >= 100
    assert not found.is_suspect[0]


def test_what_cannot_be_assessed_is_no_evidence() -> None:
    found = weigh_evidence(lay_scores(np.full((2, 5), np.nan)), 3)
    assert found.days.tolist() == [0, 0, 0]
    assert np.isnan(found.e_value).all()
    assert not found.is_suspect.any()


def test_a_portfolio_reports_no_more_than_its_share_of_honest_assets() -> None:
    e_value = np.array([50.0, 30.0, 1.0, 0.5, np.nan, 1.0])
    assert control_false_discoveries(e_value, 0.1).tolist() == [True, True, False, False, False, False]
    assert not control_false_discoveries(np.array([1.0, 1.0]), 0.05).any()
    rng = np.random.default_rng(6)
    wrong = []
    for _ in range(200):
        score = rng.normal(size=100)
        score[:20] += 4.0
        reported = control_false_discoveries(np.exp(3.0 * score - 4.5), 0.1)
        wrong.append(reported[20:].sum() / max(reported.sum(), 1))
    assert np.mean(wrong) <= 0.1
