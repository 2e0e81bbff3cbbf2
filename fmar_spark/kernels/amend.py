"""Puts changes that other evidence dates better into a history."""

from collections.abc import Callable

import numpy as np

from fmar_spark.kernels.changes import Changes, History
from fmar_spark.kernels.window import Bools, Ints


def amend_history(history: History, candidates: Bools, amend: Callable[[int, Changes], Changes]) -> History:
    """The history with the changes of each candidate meter as ``amend`` gives them back.

    Args:
        history: of one class.
        candidates: shape (meters,).
        amend: given a meter and its changes, what they are in truth, ordered by day.
    """
    changes, present = history.changes, history.present.copy()
    rows: list[Changes] = []
    for meter in np.flatnonzero(candidates):
        amended = amend(int(meter), take_changes(changes, np.flatnonzero(changes.meter == meter)))
        rows.append(amended)
        present[meter] = _mark_present(amended, present.shape[1])
    if not rows:
        return history
    return history._replace(changes=join_changes(rows), present=present)


def join_changes(parts: list[Changes]) -> Changes:
    """All changes, in the order of the parts, of which there is one at least."""
    return Changes(
        np.concatenate([part.meter for part in parts]),
        np.concatenate([part.day for part in parts]),
        np.concatenate([part.p10_day for part in parts]),
        np.concatenate([part.p90_day for part in parts]),
        np.concatenate([part.level_before for part in parts]),
        np.concatenate([part.level_after for part in parts]),
        np.concatenate([part.kind for part in parts]),
    )


def take_changes(changes: Changes, rows: Ints) -> Changes:
    """The changes of these rows, in their order."""
    return Changes(
        changes.meter[rows],
        changes.day[rows],
        changes.p10_day[rows],
        changes.p90_day[rows],
        changes.level_before[rows],
        changes.level_after[rows],
        changes.kind[rows],
    )


def _mark_present(rows: Changes, days: int) -> Bools:
    """Days on which the asset is there, shape (days,)."""
    present: Bools = np.full(days, not rows.day.size or rows.level_before[0] > 0)
    for day, after in zip(rows.day.astype(np.int64).tolist(), rows.level_after.tolist(), strict=True):
        present[day:] = after > 0
    return present
