"""A batch's recent days made fit to average: no gaps, no wild values, nothing from the future."""

from typing import Final

import numpy as np

from fmar_spark.kernels.window import Bools, Floats, Ints

RARE_ZERO_SHARE: Final = 0.02
"""A meter that read exactly zero less often than this does not fall to zero for a whole day: the day counts as unread."""
BELIEVED_AFTER_DAYS: Final = 7
"""So many whole days of zero in a row are believed after all."""
VARIANCE_KEEP: Final = 0.97
"""Share of a slot's running error variance that is kept from day to day."""
FLOOR_SHARE: Final = 0.1
"""A slot's variance counts for at least this share of the mean over the day's slots."""
TRUSTED_DAYS: Final = 7
"""Days of errors before a value can be called wild."""


class History:
    """Days as forecasts may use them, shape (meters, days, 48); each is set once it is over, from what was known then."""

    def __init__(self, days: int, meters: int, outlier_spread: float) -> None:
        self.filled_kwh = np.zeros((meters, days, 48), dtype=np.float32)
        self.is_known = np.zeros((meters, 48), dtype=np.bool_)
        self.outlier_spread = outlier_spread
        self.variance = np.zeros((meters, 48))
        self.variance_weight = np.zeros((meters, 48))

    def add(self, day: int, actual_kwh: Floats, expected_kwh: Floats) -> None:
        """Set ``day``: unread slots become what was expected, wild ones are drawn in, first readings also fill the days before.

        Args:
            day: index of the day that is over.
            actual_kwh: what was read, shape (meters, 48), NaN where unread.
            expected_kwh: what was forecast for it, NaN where nothing was known yet.
        """
        is_read = np.isfinite(actual_kwh)
        error_kwh = np.where(is_read & np.isfinite(expected_kwh), actual_kwh - expected_kwh, 0.0)
        limit = self._limit()
        drawn_kwh = np.clip(error_kwh, -limit, limit)
        value = np.where(np.isfinite(expected_kwh), expected_kwh + drawn_kwh, np.where(is_read, actual_kwh, 0.0))
        self.filled_kwh[:, day] = value
        is_first = is_read & ~self.is_known
        if day and is_first.any():
            meter, slot = np.nonzero(is_first)
            self.filled_kwh[meter, :day, slot] = actual_kwh[is_first][:, None]
        self.is_known |= is_read
        counts = is_read & np.isfinite(expected_kwh)
        keep = np.where(counts, VARIANCE_KEEP, 1.0)
        self.variance = keep * self.variance + np.where(counts, drawn_kwh**2, 0.0)
        self.variance_weight = keep * self.variance_weight + counts

    def _limit(self) -> Floats:
        """Largest believable error of each slot, kWh, shape (meters, 48); infinite while too few days were seen."""
        days = np.maximum(self.variance_weight, 1.0)
        variance = self.variance / days
        floor = FLOOR_SHARE * variance.mean(axis=1, keepdims=True)
        limit: Floats = self.outlier_spread * np.sqrt(np.maximum(variance, floor))
        least = (1.0 - VARIANCE_KEEP**TRUSTED_DAYS) / (1.0 - VARIANCE_KEEP)
        limit[self.variance_weight.max(axis=1) < least - 1e-9] = np.inf
        return limit


def drop_dead_days(net_kwh: Floats) -> Floats:
    """The readings with impossible values and implausible whole days of zero unread; judged from earlier days only.

    Args:
        net_kwh: shape (meters, days, 48), NaN where unread.
    """
    kept = np.where(np.isfinite(net_kwh), net_kwh, np.nan).astype(np.float32)
    is_zero = kept == 0
    zeros = is_zero.sum(axis=2)
    reads = np.isfinite(kept).sum(axis=2)
    is_dead = (zeros == reads) & (reads > 0)
    run = _count_run(is_dead)
    live_zeros = np.cumsum(np.where(is_dead, 0, zeros), axis=1)
    live_reads = np.cumsum(np.where(is_dead, 0, reads), axis=1)
    is_rare = (live_reads > 0) & (live_zeros < RARE_ZERO_SHARE * live_reads)
    kept[is_dead & is_rare & (run <= BELIEVED_AFTER_DAYS)] = np.nan
    return kept


def _count_run(is_set: Bools) -> Ints:
    """How many days in a row, this one included, are set; shape as given."""
    steps = np.arange(is_set.shape[1])
    newest_unset = np.maximum.accumulate(np.where(is_set, -1, steps), axis=1)
    run: Ints = (steps - newest_unset) * is_set
    return run
