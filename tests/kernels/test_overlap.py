"""How far the episodes of one class lie on those of another."""

import numpy as np
import pytest

from fmar_spark.kernels.overlap import share_overlap
from fmar_spark.kernels.window import Events

METERS, SLOTS = 3, 200


def events_of(*rows: tuple[int, int, int, float, bool]) -> Events:
    """Rows of meter, first slot, slot after the last, kWh, and whether it draws."""
    meter, start, end, energy, is_import = (
        (np.array(column) for column in zip(*rows, strict=True)) if rows else (np.zeros(0, kind) for kind in (int, int, int, float, bool))
    )
    return Events(meter, start, end, energy, energy, is_import, np.ones(len(meter)))


def test_energy_is_shared_by_the_slots_that_both_run() -> None:
    own = events_of((0, 10, 20, 10.0, True), (0, 50, 60, 30.0, True), (1, 10, 20, 5.0, True))
    other = events_of((0, 15, 25, 1.0, True), (0, 18, 22, 1.0, True), (2, 0, 200, 1.0, True))
    found = share_overlap(own, other, METERS, SLOTS)
    assert found[:2] == pytest.approx([5.0 / 40.0, 0.0])
    assert np.isnan(found[2])


def test_what_is_given_is_not_what_is_drawn() -> None:
    own = events_of((0, 10, 20, 10.0, True), (0, 30, 40, 90.0, False))
    assert share_overlap(own, events_of((0, 10, 40, 9.0, True)), METERS, SLOTS)[0] == 1.0
    assert share_overlap(own, events_of((0, 10, 40, 9.0, False)), METERS, SLOTS)[0] == 0.0


def test_it_agrees_with_a_loop_over_slots() -> None:
    rng = np.random.default_rng(8)

    def draw() -> Events:
        start = rng.integers(0, SLOTS - 1, 60)
        end = np.minimum(start + rng.integers(1, 30, 60), SLOTS + 5)
        return Events(
            rng.integers(0, METERS, 60), start, end, rng.uniform(0, 9, 60), rng.uniform(1, 9, 60), rng.random(60) < 0.7, np.ones(60)
        )

    own, other = draw(), draw()
    running = np.zeros((METERS, SLOTS), dtype=bool)
    for meter, start, end, is_import in zip(other.meter, other.start_slot, other.end_slot, other.is_import, strict=True):
        running[meter, start:end] |= is_import
    shared, whole = np.zeros(METERS), np.zeros(METERS)
    for meter, start, end, energy, is_import in zip(own.meter, own.start_slot, own.end_slot, own.energy_kwh, own.is_import, strict=True):
        if is_import:
            whole[meter] += energy
            shared[meter] += energy * running[meter, start:end].mean()
    assert share_overlap(own, other, METERS, SLOTS) == pytest.approx(shared / whole)


@pytest.mark.parametrize("meters", [0, 2])
def test_without_episodes_nothing_is_shared(meters: int) -> None:
    found = share_overlap(events_of(), events_of(), meters, SLOTS)
    assert found.shape == (meters,)
    assert np.isnan(found).all()
