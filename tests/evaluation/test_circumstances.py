"""What a circumstance leaves of a meter's rows."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from fmar_spark.evaluation.circumstances import CIRCUMSTANCES, Circumstance, choose_gaps, cut_chunk

FIRST = date(2023, 1, 1)


def chunk(days_of_meter: dict[str, int]) -> pa.Table:
    """Both registers of each meter, every day."""
    rows = [
        (mpan, FIRST + timedelta(days=day), which) for mpan, days in days_of_meter.items() for day in range(days) for which in ("AI", "AE")
    ]
    columns = [pa.array(column) for column in zip(*rows, strict=True)]
    return pa.table(dict(zip(("mpan_id", "utc_date", "quantity"), columns, strict=True)))


def count(table: pa.Table, mpan: str, quantity: str) -> int:
    return sum(row["mpan_id"] == mpan and row["quantity"] == quantity for row in table.to_pylist())


def test_whole_is_whole() -> None:
    assert cut_chunk(chunk({"a": 40, "b": 9}), CIRCUMSTANCES[0]).equals(chunk({"a": 40, "b": 9}))


def test_the_last_days_are_counted_from_each_meters_own_end() -> None:
    kept = cut_chunk(chunk({"a": 40, "b": 25, "c": 5}), Circumstance("last", last_days=10))
    assert [count(kept, mpan, "AI") for mpan in "abc"] == [10, 10, 5]
    assert min(row["utc_date"] for row in kept.to_pylist() if row["mpan_id"] == "b") == FIRST + timedelta(days=15)


def test_without_export_only_import_is_left() -> None:
    kept = cut_chunk(chunk({"a": 12}), Circumstance("import only", has_export=False))
    assert (count(kept, "a", "AI"), count(kept, "a", "AE")) == (12, 0)


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_gaps_take_both_registers_in_blocks_and_always_the_same_days(share: float) -> None:
    whole = chunk({"a": 400, "b": 400})
    kept = cut_chunk(whole, Circumstance("gaps", missing_share=share))
    for mpan in "ab":
        left = count(kept, mpan, "AI")
        assert left == count(kept, mpan, "AE")
        assert share <= 1 - left / 400 < share + 22 / 400
    lost = choose_gaps(np.arange(400), share, "a")
    edges = np.flatnonzero(np.diff(np.concatenate([[False], lost, [False]]).astype(int)))
    assert (edges[1::2] - edges[::2]).min() >= 1
    assert (edges[1::2] - edges[::2]).mean() >= 3
    np.testing.assert_array_equal(lost, choose_gaps(np.arange(400), share, "a"))
    assert (lost != choose_gaps(np.arange(400), share, "b")).any()


def test_nothing_is_left_of_nothing() -> None:
    empty = chunk({"a": 1}).slice(0, 0)
    assert all(cut_chunk(empty, circumstance).num_rows == 0 for circumstance in CIRCUMSTANCES)
