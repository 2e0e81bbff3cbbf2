"""Puts changes that other evidence dates better into a history."""

from collections.abc import Callable

import numpy as np

from fmar_spark.kernels.changes import Changes, History, mark_present
from fmar_spark.kernels.window import Bools


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
        amended = amend(int(meter), changes.take(np.flatnonzero(changes.meter == meter)))
        rows.append(amended)
        level = float(amended.level_before[0]) if amended.day.size else 1.0
        steps = zip(amended.day.tolist(), amended.level_after.tolist(), strict=True)
        present[meter] = mark_present(level, steps, present.shape[1])
    if not rows:
        return history
    return history._replace(changes=join_changes(rows), present=present)


def join_changes(parts: list[Changes]) -> Changes:
    """All changes, in the order of the parts, of which there is one at least."""
    return Changes(*(np.concatenate(fields) for fields in zip(*parts, strict=True)))
