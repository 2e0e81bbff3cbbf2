"""Classes that draw at once share the load between them."""

import numpy as np
import pytest

from fmar_spark.kernels.sharing import share_load
from fmar_spark.kernels.window import Events, Floats


def events_of(*rows: tuple[int, int, int, float, bool]) -> Events:
    """Episodes as (meter, start, end, kWh, import)."""
    meter, start, end, energy, is_import = (np.array(column) for column in zip(*rows, strict=True))
    return Events(meter, start, end, energy.astype(float), energy / np.maximum(end - start, 1) * 2.0, is_import, np.full(len(meter), 0.8))


def load_of(kw: float, meters: int = 1) -> Floats:
    return np.full((meters, 2, 48), kw, dtype=np.float32)


def test_two_classes_on_one_block_take_no_more_than_its_energy_in_proportion() -> None:
    car, store = events_of((0, 10, 14, 8.0, True)), events_of((0, 12, 16, 4.0, True))
    first, second = share_load([car, store], load_of(4.5))
    assert first.energy_kwh[0] == pytest.approx(4.0 + 4.0 * 4.5 / 6.0)
    assert second.energy_kwh[0] == pytest.approx(2.0 + 2.0 * 4.5 / 6.0)
    in_both = first.energy_kwh[0] - 4.0 + second.energy_kwh[0] - 2.0
    assert in_both == pytest.approx(4.5)


def test_one_class_alone_export_and_what_the_load_bears_are_left_as_they_are() -> None:
    car = events_of((0, 10, 14, 8.0, True), (1, 10, 14, 8.0, True))
    store = events_of((0, 30, 34, 4.0, True), (0, 10, 14, 4.0, False))
    for load_kw in (0.5, 9.0):
        for before, after in zip((car, store), share_load([car, store], load_of(load_kw, 2)), strict=True):
            np.testing.assert_array_equal(before.energy_kwh, after.energy_kwh)


def test_unread_half_hours_reduce_nothing_and_no_episodes_are_no_error() -> None:
    car, store = events_of((0, 10, 14, 8.0, True)), events_of((0, 10, 14, 4.0, True))
    unread = load_of(np.nan)
    assert [part.energy_kwh[0] for part in share_load([car, store], unread)] == [8.0, 4.0]
    none = Events(*(field[:0] for field in car))
    assert share_load([none, none], load_of(1.0))[0].meter.size == 0


def test_sums_never_exceed_the_load_where_classes_run_together() -> None:
    rng = np.random.default_rng(1)
    parts = []
    for _ in range(3):
        start = np.arange(0, 90, 6)
        parts.append(events_of(*((0, int(one), int(one) + 6, float(rng.uniform(0, 9)), True) for one in start)))
    load_kw = rng.uniform(0, 5, (1, 2, 48))
    shared = share_load(parts, load_kw)
    energy = sum(part.energy_kwh for part in shared)
    limit = load_kw.reshape(-1)[:90].reshape(-1, 6).sum(axis=1) * 0.5
    assert (energy <= limit + 1e-9).all()
