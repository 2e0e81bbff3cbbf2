"""Labelled evidence from a simulated fleet: the same whoever draws it, whole and in part."""

from datetime import date

import numpy as np
import pytest

from fmar_spark.domain.assets import ASSET_CLASSES, SIZE_NAMES
from fmar_spark.kernels.examination import FEATURES
from fmar_spark.learning.examples import Examples, join_examples, take_examples
from fmar_spark.learning.simulated_examples import VIEWS, describe_view, simulate_examples
from fmar_spark.simulate.fleet import Fleet, FleetPlan, simulate_fleet
from fmar_spark.simulate.plan import mix_from

PLAN = FleetPlan(16, date(2023, 1, 1), date(2023, 12, 31), 8, mix_from({"unread": 0.0, "hourly": 0.0, "removed": 0.3, "appears": 0.3}))


@pytest.fixture(scope="module")
def examples() -> Examples:
    return simulate_examples(PLAN, 3, lambda done: None)


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    """The plan's meters."""
    return simulate_fleet(PLAN)


def view_named(name: str) -> int:
    return [view.name for view in VIEWS].index(name)


def test_every_meter_is_seen_whole_and_most_in_part_as_well(examples: Examples) -> None:
    assert len(set(examples.meter_id)) == PLAN.meters
    assert PLAN.meters < len(examples.meter_id) <= 3 * PLAN.meters
    assert examples.features.shape == (len(examples.meter_id), len(FEATURES))
    assert examples.true_sizes.shape == (len(examples.meter_id), len(ASSET_CLASSES), len(SIZE_NAMES))
    assert set(examples.provenance) == {"simulated"}


def test_progress_is_reported_up_to_the_last_meter() -> None:
    reported: list[int] = []
    simulate_examples(PLAN._replace(meters=6), 1, reported.append)
    assert reported == [6]


def test_the_same_plan_gives_the_same_evidence(examples: Examples) -> None:
    again = simulate_examples(PLAN, 3, lambda done: None, workers=2)
    assert again.meter_id == examples.meter_id
    np.testing.assert_array_equal(again.features, examples.features)
    np.testing.assert_array_equal(again.labels, examples.labels)


def test_a_view_hides_what_it_says_and_nothing_else(fleet: Fleet) -> None:
    rows = np.arange(PLAN.meters)
    whole, blind = (describe_view(fleet, rows, VIEWS[view_named(name)], PLAN) for name in ("whole", "import_only_no_weather"))
    has_export, weather_share = FEATURES.index("has_export"), FEATURES.index("weather_share")
    assert whole.features[:, has_export].any()
    assert (whole.features[:, weather_share] == 1).all()
    assert not blind.features[:, has_export].any()
    assert not blind.features[:, weather_share].any()
    np.testing.assert_array_equal(whole.labels, blind.labels)


def test_an_asset_that_left_before_a_short_view_is_no_part_of_it(fleet: Fleet) -> None:
    rows = np.arange(PLAN.meters)
    view = VIEWS[view_named("last_60_days")]
    part = describe_view(fleet, rows, view, PLAN)
    row_of = {meter: row for row, meter in enumerate(part.meter_id)}
    first_slot = (PLAN.days - view.last_days) * 48
    gone = (fleet.assets.removed_slot >= 0) & (fleet.assets.removed_slot <= first_slot)
    assert gone.any()
    for meter, asset in zip(fleet.assets.meter[gone], fleet.assets.asset_class[gone], strict=True):
        if fleet.mpan_id[meter] in row_of:
            assert part.labels[row_of[fleet.mpan_id[meter]], asset] == 0


def test_nobody_has_at_the_end_what_they_never_had(examples: Examples) -> None:
    assert not np.nan_to_num(examples.present[examples.labels == 0]).any()
    there = examples.present[examples.labels == 1]
    assert set(np.unique(there)) == {0.0, 1.0}


def test_examples_are_taken_and_joined_in_order(examples: Examples) -> None:
    wanted = np.arange(len(examples.meter_id)) % 2 == 0
    halves = join_examples([take_examples(examples, wanted), take_examples(examples, ~wanted)])
    assert sorted(halves.meter_id) == sorted(examples.meter_id)
    assert halves.features.shape == examples.features.shape
    np.testing.assert_array_equal(halves.labels[: wanted.sum()], examples.labels[wanted])
