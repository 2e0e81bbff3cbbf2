"""What of labels held in the window that was examined."""

import numpy as np
import pytest

from fmar_spark.learning.labelled import LEAST_STAY_DAYS, SIZE_NAMES, Labels, derive_truth

NAN = float("nan")


def label(has: float, appeared: float = NAN, removed: float = NAN, *, is_dated: bool = True) -> Labels:
    """One meter of which one class is known."""
    values = np.full((1, 5), NAN)
    rows = [values.copy() for _ in range(3)]
    for row, value in zip(rows, (has, appeared, removed), strict=True):
        row[0, 0] = value
    sizes = {name: np.array([NAN]) for name in SIZE_NAMES}
    return Labels(["1"], ["a"], ["real"], rows[0], sizes, rows[1], rows[2], np.full((1, 5), is_dated), [None])


@pytest.mark.parametrize(
    ("labels", "ever", "present"),
    [
        (label(1), 1, 1),
        (label(0), 0, 0),
        (label(NAN), NAN, NAN),
        (label(1, appeared=150), 1, 1),
        (label(1, appeared=250), 0, 0),
        (label(1, appeared=200 - LEAST_STAY_DAYS + 2), NAN, NAN),
        (label(1, removed=150), 1, 0),
        (label(1, removed=100), 0, 0),
        (label(1, removed=100 + LEAST_STAY_DAYS - 1), NAN, NAN),
        (label(1, removed=201), 1, 1),
        (label(1, is_dated=False), 1, NAN),
        (label(0, is_dated=False), 0, 0),
    ],
)
def test_a_label_holds_as_far_as_its_asset_was_there_from_day_100_to_200(labels: Labels, ever: float, present: float) -> None:
    truth = derive_truth(labels, np.array([100.0]), np.array([200.0]))
    np.testing.assert_array_equal([truth.ever[0, 0], truth.present[0, 0]], [ever, present])
    assert np.isnan(truth.ever[0, 1:]).all()


def test_only_what_happened_in_the_window_is_a_date() -> None:
    inside = derive_truth(label(1, appeared=150, removed=190), np.array([100.0]), np.array([200.0]))
    assert (inside.appeared_day[0, 0], inside.removed_day[0, 0]) == (150, 190)
    before = derive_truth(label(1, appeared=90, removed=300), np.array([100.0]), np.array([200.0]))
    assert np.isnan([before.appeared_day[0, 0], before.removed_day[0, 0]]).all()


def test_a_meter_that_was_not_looked_at_keeps_its_label() -> None:
    truth = derive_truth(label(1, appeared=150), np.array([NAN]), np.array([NAN]))
    assert truth.ever[0, 0] == 1
