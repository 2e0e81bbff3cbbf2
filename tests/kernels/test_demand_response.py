"""Demand response: load held back now and then, against what similar days lead one to expect."""

from collections.abc import Callable

import numpy as np
import pytest

from fmar_spark.kernels.demand_response.detector import examine
from fmar_spark.kernels.window import Findings, Floats, MeterWindow

WindowMaker = Callable[..., MeterWindow]
DAYS = 280
EVENT_DAYS = np.arange(40, 260, 13)


def column(found: Findings, name: str) -> Floats:
    return found.features[name]


def lay_loads(depth: float, seed: int = 6) -> Floats:
    """A site of 100 kW by day and 40 kW by night that drops by ``depth`` from five to seven on some days."""
    rng = np.random.default_rng(seed)
    shape = np.where((np.arange(48) >= 16) & (np.arange(48) < 44), 100.0, 40.0)
    load_kw = shape * rng.normal(1.0, 0.03, (1, DAYS, 48))
    load_kw[:, EVENT_DAYS, 34:38] *= 1 - depth
    return load_kw


def test_days_of_held_back_load_are_found_with_their_energy(lay_window: WindowMaker) -> None:
    load_kw = lay_loads(0.4)
    found = examine(lay_window(load_kw), load_kw)
    days = found.events.start_slot // 48
    assert set(EVENT_DAYS) <= set(days.tolist())
    true = np.isin(days, EVENT_DAYS)
    assert np.median(found.events.probability[true]) > np.median(found.events.probability[~true])
    np.testing.assert_allclose(found.events.energy_kwh[true], 80.0, rtol=0.25)
    assert (found.events.probability[true] > 0.5).all()
    assert found.sizes.rated_import_kw[0] == pytest.approx(40.0, rel=0.35)


def test_regular_events_lengthen_the_tail_of_drops_and_not_of_bumps(lay_window: WindowMaker) -> None:
    quiet, called = (examine(lay_window(load_kw), load_kw) for load_kw in (lay_loads(0.0), lay_loads(0.4)))
    for name in ("demand_response_tail", "demand_response_tail_asymmetry", "demand_response_score", "demand_response_start_concentration"):
        assert column(called, name)[0] > column(quiet, name)[0]


def test_cheap_hours_do_not_hide_dear_ones(lay_window: WindowMaker) -> None:
    load_kw = lay_loads(0.4)
    load_kw[:, EVENT_DAYS + 5, 20:26] *= 1.6
    found = examine(lay_window(load_kw), load_kw)
    assert set(EVENT_DAYS) <= set((found.events.start_slot // 48).tolist())


def test_too_few_days_show_nothing(lay_window: WindowMaker) -> None:
    load_kw = lay_loads(0.4)[:, :30]
    assert (examine(lay_window(load_kw), load_kw).missing_share == 1).all()


@pytest.mark.parametrize("load_kw", [np.zeros((0, 90, 48)), np.full((2, 90, 48), np.nan)])
def test_nothing_read_gives_nothing(lay_window: WindowMaker, load_kw: Floats) -> None:
    found = examine(lay_window(load_kw), load_kw)
    assert not found.events.meter.size
    assert (found.missing_share == 1).all()
    assert np.isnan(found.sizes.rated_import_kw).all()


def test_neighbours_that_drop_together_are_aligned(lay_window: WindowMaker) -> None:
    together = np.concatenate([lay_loads(0.4, seed) for seed in range(10)])
    found = examine(lay_window(together), together)
    assert (column(found, "demand_response_alignment") > 0.5).all()
    alone = lay_loads(0.4)
    assert np.isnan(column(examine(lay_window(alone), alone), "demand_response_alignment")).all()
