"""Separates readings from what only looks like one: impossible values, and zeros where a meter never reads zero."""

from typing import Final

import numpy as np

from fmar_spark.kernels.window import Bools, Floats, Ints

RARE_ZERO_SHARE: Final = 0.02
"""A meter that read exactly zero less often than this does not stand at zero for hours: the run counts as unread."""
SHORTEST_RUN_SLOTS: Final = 12
"""Zeros of fewer half-hours in a row are readings."""
BELIEVED_AFTER_SLOTS: Final = 336
"""So many zeros in a row are believed after all: a week."""
ONES: Final = np.ones(48, dtype=np.float32)
"""A product with these counts what is set three times faster than counting does."""


class ZeroWatch:
    """Which zeros of a batch to believe, decided day after day from what came before."""

    def __init__(self, meters: int) -> None:
        self.run_slots = np.zeros(meters, dtype=np.int64)
        """Zeros in a row up to the last slot seen."""
        self.zeros = np.zeros(meters)
        self.reads = np.zeros(meters)

    def screen(self, actual_kwh: Floats) -> Floats:
        """The day's readings, NaN where unread, impossible or a doubtful zero; shape (meters, 48).

        A day is assessed once it is over: its forecast is made before.
        """
        kept = np.where(np.isfinite(actual_kwh), actual_kwh, np.float32(np.nan))
        is_zero = kept == 0
        if is_zero.any():
            self._screen_zeros(kept, is_zero)
        else:
            self.run_slots[:] = 0
        self.reads += np.matmul(np.isfinite(kept), ONES)
        return kept

    def _screen_zeros(self, kept: Floats, is_zero: Bools) -> None:
        """Take the doubtful zeros out of ``kept`` and count the others."""
        zeros = np.matmul(is_zero, ONES)
        is_suspect = (self.zeros < RARE_ZERO_SHARE * self.reads) & (zeros > 0)
        self.run_slots[~is_suspect] = 0
        suspects = np.flatnonzero(is_suspect)
        is_doubtful = self._doubt(is_zero[suspects], suspects)
        kept[suspects] = np.where(is_doubtful, np.float32(np.nan), kept[suspects])
        zeros[suspects] -= is_doubtful.sum(axis=1)
        self.zeros += zeros

    def _doubt(self, is_zero: Bools, meters: Ints) -> Bools:
        """Zeros of some meters that belong to a long run, but not to one that has lasted."""
        before, after = _count_runs(is_zero), _count_runs(is_zero[:, ::-1])[:, ::-1]
        reaches_back = before == np.arange(1, is_zero.shape[1] + 1)
        so_far = before + np.where(reaches_back, self.run_slots[meters][:, None], 0)
        self.run_slots[meters] = so_far[:, -1]
        return is_zero & (so_far + after - 1 >= SHORTEST_RUN_SLOTS) & (so_far <= BELIEVED_AFTER_SLOTS)


def _count_runs(is_set: Bools) -> Ints:
    """How many slots in a row, this one included, are set up to each slot; shape as given."""
    steps = np.arange(is_set.shape[1])
    newest_unset = np.maximum.accumulate(np.where(is_set, -1, steps), axis=1)
    run: Ints = (steps - newest_unset) * is_set
    return run
