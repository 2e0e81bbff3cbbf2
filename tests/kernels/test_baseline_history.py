"""Zeros that are readings, and zeros that are none."""

import numpy as np

from fmar_spark.kernels.baseline.history import BELIEVED_AFTER_SLOTS, RARE_ZERO_SHARE, SHORTEST_RUN_SLOTS, ZeroWatch
from fmar_spark.kernels.window import Floats


def screen_days(net_kwh: Floats) -> Floats:
    """Days (meters, days, 48) as the watch lets them through."""
    watch = ZeroWatch(len(net_kwh))
    return np.stack([watch.screen(net_kwh[:, day]) for day in range(net_kwh.shape[1])], axis=1)


def screen_slowly(loads: Floats) -> Floats:
    """One meter's days (days, 48), slot by slot."""
    kept = loads.copy()
    run_before, zeros, reads = 0, 0, 0
    for day in range(len(loads)):
        is_rare = zeros < RARE_ZERO_SHARE * reads
        so_far, run = np.zeros(48, dtype=int), run_before
        for slot in range(48):
            run = run + 1 if loads[day, slot] == 0 else 0
            so_far[slot] = run
        length, ahead = np.zeros(48, dtype=int), 0
        for slot in range(47, -1, -1):
            ahead = ahead + 1 if loads[day, slot] == 0 else 0
            length[slot] = so_far[slot] + ahead - 1
        is_doubtful = (loads[day] == 0) & (length >= SHORTEST_RUN_SLOTS) & (so_far <= BELIEVED_AFTER_SLOTS) & is_rare
        kept[day, is_doubtful] = np.nan
        run_before = so_far[-1] if is_rare and (loads[day] == 0).any() else 0
        zeros += int((kept[day] == 0).sum())
        reads += int(np.isfinite(kept[day]).sum())
    return kept


def test_long_zeros_are_unread_only_where_zero_is_rare() -> None:
    net_kwh = np.ones((2, 12, 48), dtype=np.float32)
    net_kwh[1, :10, :4] = 0.0
    net_kwh[:, 10, 5:9] = 0.0
    net_kwh[:, 11, 20:40] = 0.0
    kept = screen_days(net_kwh)
    assert np.isnan(kept[0, 11, 20:40]).all()
    assert np.isfinite(kept[0, 10]).all()
    assert np.array_equal(kept[1], net_kwh[1])


def test_a_week_of_zeros_is_believed_in_the_end() -> None:
    net_kwh = np.ones((1, 30, 48), dtype=np.float32)
    net_kwh[0, 10:] = 0.0
    kept = screen_days(net_kwh)
    assert np.isnan(kept[0, 10:17]).all()
    assert (kept[0, 17:] == 0).all()


def test_the_watch_agrees_with_a_loop_over_slots() -> None:
    rng = np.random.default_rng(1)
    net_kwh = rng.random((6, 40, 48)).astype(np.float32)
    for meter in range(6):
        for _ in range(meter + 1):
            start = rng.integers(0, 40 * 48 - 600)
            net_kwh[meter].reshape(-1)[start : start + rng.integers(1, 500)] = 0.0
    net_kwh[rng.random(net_kwh.shape) < 0.01] = np.nan
    net_kwh[5, :, ::9] = 0.0
    assert np.array_equal(screen_days(net_kwh), np.stack([screen_slowly(loads) for loads in net_kwh]), equal_nan=True)


def test_what_no_meter_can_read_is_unread() -> None:
    kept = screen_days(np.full((1, 1, 48), np.inf, dtype=np.float32))
    assert np.isnan(kept).all()
    assert screen_days(np.zeros((0, 2, 48), dtype=np.float32)).shape == (0, 2, 48)
