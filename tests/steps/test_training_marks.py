"""A training run states which meters it has learnt from, and leaves out those kept for testing."""

from datetime import UTC, date, datetime

import numpy as np
from lake_rows import add_rows

from fmar_spark.contracts.readings import READINGS
from fmar_spark.engine.store import TableStore
from fmar_spark.learning.examples import Examples
from fmar_spark.learning.training import Split
from fmar_spark.learning.training_meters import exclude_days, exclude_names, mark_days, mark_names
from fmar_spark.steps.train_classifier import mark_training

MPANS = ["train", "calibrate", "test", "made_up"]


def day_of(place: int) -> list[float]:
    return [round(float(value), 3) for value in np.random.default_rng(place).random(48)]


def test_training_meters_are_marked_by_name_and_by_the_first_of_each_month(store: TableStore) -> None:
    reported_at = datetime(2024, 1, 1, tzinfo=UTC)
    days = [(mpan, date(2023, month, day), quantity) for mpan in MPANS for month, day in ((5, 1), (5, 2)) for quantity in ("AI", "AE")]
    rows = [
        (mpan, day, quantity, day_of(MPANS.index(mpan) + 10 * day.day + (100 if quantity == "AE" else 0)), ["A"] * 48, None, reported_at)
        for mpan, day, quantity in days
    ]
    add_rows(store, READINGS, [dict(zip(READINGS.names, row, strict=True)) for row in rows])
    nothing = np.zeros((4, 0))
    examples = Examples(MPANS, *[nothing] * 6, [""] * 4, [""] * 4, np.zeros(4, dtype=int), [*["real"] * 3, "simulated"])
    split = Split(np.array([True, False, False, True]), np.array([False, True, False, False]), np.array([False, False, True, False]))
    found = mark_training(store.read(READINGS), examples, split)
    np.testing.assert_array_equal(found.names, mark_names(["train", "calibrate"]))
    assert found.days.size == 3
    assert [one.place for one in exclude_names(found, MPANS, np.array([False, False, False, True]))] == [0, 1]
    first_days = store.read(READINGS).where("quantity = 'AI' AND utc_date = '2023-05-01'").orderBy("mpan_id").toArrow()
    from_lake = exclude_days(found, np.arange(4), mark_days(first_days["kwh"]))
    assert [first_days["mpan_id"][one.place].as_py() for one in from_lake] == ["calibrate", "made_up", "train"]
