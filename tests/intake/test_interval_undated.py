"""Days that records without a readable date may be of."""

import pytest

from fmar_spark.intake.intervals.undated import find_days_of_undated


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ([2, 3, 4], set()),
        ([], set()),
        ([None, 3, 4], {2}),
        ([None, None, 3, 4], {1, 2}),
        ([2, 3, None], {4}),
        ([2, 3, None, None, None], {4, 5}),
        ([2, None, 4], {3}),
        ([4, 3, None], {2}),
        ([None, 4, 3], {5}),
        ([3, None], {2, 4}),
        ([None, None], {1, 2, 3, 4, 5}),
        ([None, 1, 5, None], set()),
    ],
)
def test_a_record_without_a_date_is_of_a_day_next_to_its_neighbours(order: list[int | None], found: set[int]) -> None:
    assert find_days_of_undated(order, range(1, 6)) == found


def test_days_that_the_meter_does_not_have_are_passed_over() -> None:
    assert find_days_of_undated([3, None], [1, 3, 9]) == {1, 9}
    assert find_days_of_undated([1, 3, None], [1, 3, 9]) == {9}
