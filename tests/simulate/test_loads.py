"""From switchings to mean power in half-hours."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fmar_spark.simulate.loads import Uses, average_square_wave, build_load, cycle_at_demand, join_uses, select_uses
from fmar_spark.simulate.plan import Floats

SLOTS, METERS = 20, 3


@st.composite
def uses(draw: st.DrawFn) -> Uses:
    rows = draw(st.lists(st.tuples(st.integers(0, METERS - 1), st.floats(-3, 22), st.floats(0, 8), st.floats(0.1, 9)), max_size=12))
    return Uses(*(np.array([row[field] for row in rows], dtype=np.int64 if field == 0 else np.float64) for field in range(4)))


def build_naively(drawn: Uses) -> Floats:
    """Each switching's own overlap with each half-hour; one that starts or ends within a slot counts by its share."""
    power = np.zeros((METERS, SLOTS))
    for meter, start, length, kw in zip(*drawn, strict=True):
        for slot in range(SLOTS):
            power[meter, slot] += kw * max(min(start + length, slot + 1) - max(start, slot), 0.0)
    return power


@settings(max_examples=150, deadline=None)
@given(uses())
def test_power_agrees_with_the_overlap_of_every_use(drawn: Uses) -> None:
    np.testing.assert_allclose(build_load(drawn, METERS, SLOTS), build_naively(drawn), atol=1e-4)


def test_a_use_over_two_half_slots_is_shared_between_them() -> None:
    drawn = Uses(np.array([1]), np.array([2.5]), np.array([1.0]), np.array([4.0]))
    assert build_load(drawn, 2, 6)[1].tolist() == [0.0, 0.0, 2.0, 2.0, 0.0, 0.0]


def test_joined_parts_and_selections_add_up() -> None:
    first, second = (Uses(np.array([meter]), np.array([1.0]), np.array([2.0]), np.array([3.0])) for meter in (0, 1))
    both = join_uses([first, second])
    np.testing.assert_array_equal(build_load(select_uses(both, both.meter == 1), 2, 5), build_load(second, 2, 5))
    assert build_load(join_uses([]), 2, 5).sum() == 0


def test_cycles_deliver_the_demand_on_average() -> None:
    share = np.repeat(np.array([[0.1], [0.5], [0.9]]), 2000, axis=1)
    runs = cycle_at_demand(share, np.array([0.7, 1.3, 2.0]))
    load = build_load(runs, 3, 2000)
    np.testing.assert_allclose(load.mean(axis=1), share[:, 0], rtol=0.02)
    assert cycle_at_demand(np.zeros((2, 50)), np.ones(2)).meter.size == 0


@pytest.mark.parametrize("duty", [0.2, 0.5, 1.0])
def test_a_square_wave_averages_to_its_duty_and_never_passes_one(duty: float) -> None:
    phase = np.arange(5000)[None] * 1.0
    wave = average_square_wave(np.array([3.7]), np.array([duty]), phase)
    assert wave.mean() == pytest.approx(duty, rel=0.01)
    assert (wave >= -1e-9).all()
    assert (wave <= 1 + 1e-9).all()
