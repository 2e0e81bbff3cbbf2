"""Meters that a classifier has learnt from are found again, and those kept for testing are not."""

import json
from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from fmar_spark.learning.training import split_by_meter
from fmar_spark.learning.training_meters import (
    TrainedOn,
    TrainingFleet,
    describe_plan,
    exclude_days,
    exclude_fleet,
    exclude_names,
    keep_marks,
    mark_days,
    mark_names,
    read_trained_on,
)
from fmar_spark.simulate.plan import FleetPlan, Mix

PLAN = FleetPlan(300, date(2022, 10, 1), date(2024, 3, 31), 11)
FLEET = TrainingFleet(describe_plan(PLAN), 0.25, 0.25, 5)
MPANS = [f"{number:013d}" for number in range(300)]


def days_of(*values: list[float | None] | None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, pa.list_(pa.float32()))])


def plain_day(seed: int) -> list[float | None]:
    return [round(float(value), 3) for value in np.random.default_rng(seed).random(48)]


def test_what_is_written_is_read_again() -> None:
    trained_on = TrainedOn((FLEET,), mark_names(["1", "2"]), keep_marks(mark_days(days_of(plain_day(1)))))
    again = read_trained_on(json.loads(json.dumps(trained_on.as_json())))
    assert again.fleets == trained_on.fleets
    np.testing.assert_array_equal(again.names, trained_on.names)
    np.testing.assert_array_equal(again.days, trained_on.days)


def test_a_meter_is_known_by_its_number_unless_every_simulated_fleet_has_it() -> None:
    trained_on = TrainedOn(names=mark_names(["1", "3"]))
    found = exclude_names(trained_on, ["1", "2", "3"], np.array([False, False, True]))
    assert [(exclusion.place, "training meter" in exclusion.reason) for exclusion in found] == [(0, True)]


def test_a_meter_is_known_by_its_readings_whatever_its_name_and_way_into_the_lake() -> None:
    trained_on = TrainedOn(days=keep_marks(mark_days(days_of(plain_day(1), plain_day(2)))))
    noisy = [value + 1e-5 for value in plain_day(2) if value is not None]
    marks = mark_days(days_of(plain_day(3), noisy, plain_day(2)))
    assert [exclusion.place for exclusion in exclude_days(trained_on, np.array([0, 1, 1]), marks)] == [1]


@pytest.mark.parametrize("day", [[0.0] * 48, [0.1, 0.2] * 24, None, [None, *plain_day(1)[1:]]])
def test_a_day_that_could_be_anybodys_or_has_a_gap_marks_nobody(day: list[float | None] | None) -> None:
    marks = mark_days(days_of(day))
    assert marks.tolist() == [0]
    assert keep_marks(marks).size == 0
    assert exclude_days(TrainedOn(days=np.zeros(1, dtype=np.uint64)), np.array([0]), marks) == []


def test_of_the_training_fleet_itself_only_the_meters_kept_for_testing_may_be_scored() -> None:
    excluded = {exclusion.place for exclusion in exclude_fleet(TrainedOn((FLEET,)), describe_plan(PLAN), MPANS, np.arange(300))}
    kept = split_by_meter(MPANS, 0.25, 0.25, 5).test
    assert 0 < kept.sum() < 150
    assert excluded == set(np.flatnonzero(~kept).tolist())


@pytest.mark.parametrize(
    ("plan", "excluded"),
    [
        (PLAN._replace(seed=12), 0),
        (PLAN._replace(last_date=date(2024, 4, 1)), 300),
        (PLAN._replace(mix=Mix(plain=0.3)), 300),
    ],
)
def test_another_fleet_of_the_same_seed_is_excluded_whole_and_one_of_another_seed_not_at_all(plan: FleetPlan, excluded: int) -> None:
    found = exclude_fleet(TrainedOn((FLEET,)), describe_plan(plan), MPANS, np.arange(300))
    assert len(found) == excluded
    assert all("seed 11" in exclusion.reason for exclusion in found)
