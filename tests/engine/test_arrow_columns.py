"""Numpy columns to nested Arrow arrays."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fmar_spark.engine.arrow_columns import (
    Values,
    build_column,
    build_structs,
    cut_whole_keys,
    day_arrays,
    group_by_meter,
    list_rows,
    number_keys,
    to_dates,
)

PAIR = pa.struct([("name", pa.string()), ("kw", pa.float64())])


@pytest.mark.parametrize(
    ("values", "kind", "wanted"),
    [
        (np.array([1.5, np.nan]), pa.float64(), [1.5, None]),
        (np.array([1.5, np.nan], dtype=np.float32), pa.float64(), [1.5, None]),
        (np.array([3.0, np.nan, -2.0]), pa.int32(), [3, None, -2]),
        (np.array([3, 4]), pa.float32(), [3.0, 4.0]),
        (np.array([True, False]), pa.bool_(), [True, False]),
        (np.array(["high", None], dtype=object), pa.string(), ["high", None]),
        (["a", None], pa.string(), ["a", None]),
        (pa.array([1, None], pa.int64()), pa.int32(), [1, None]),
        (np.array(["2023-01-02", "NaT"], dtype="datetime64[D]"), pa.date32(), [np.datetime64("2023-01-02").item(), None]),
        (np.zeros(0), pa.int32(), []),
    ],
)
def test_a_column_has_the_wanted_type_and_nothing_known_is_null(values: Values, kind: pa.DataType, wanted: list[object]) -> None:
    found = build_column(values, kind)
    assert found.type == kind
    assert found.to_pylist() == wanted


def test_structs_take_their_fields_by_name_and_leave_the_rest() -> None:
    found = build_structs({"kw": np.array([1.0, np.nan]), "other": [9, 9], "name": ["a", "b"]}, PAIR)
    assert found.type == PAIR
    assert found.to_pylist() == [{"name": "a", "kw": 1.0}, {"name": "b", "kw": None}]


def test_a_missing_field_is_an_error_not_a_null() -> None:
    with pytest.raises(KeyError, match="name"):
        build_structs({"kw": np.zeros(1)}, PAIR)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=25))
def test_values_are_grouped_meter_by_meter_and_a_meter_without_any_has_an_empty_list(owners: list[int]) -> None:
    meter = np.array(sorted(owners), dtype=np.int64)
    values = np.arange(meter.size)
    kind = pa.list_(pa.int64())
    found = group_by_meter(pa.array(values), meter, 6, kind)
    assert found.type == kind
    assert found.to_pylist() == [values[meter == one].tolist() for one in range(6)]


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.list_(pa.float64())])
def test_rows_of_a_matrix_become_lists(kind: pa.ListType) -> None:
    found = list_rows(np.array([[1.0, np.nan], [3.0, 4.0]]), kind)
    assert found.type == kind
    assert found.to_pylist() == [[1.0, None], [3.0, 4.0]]


@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (0, 0)])
def test_an_empty_matrix_has_as_many_lists_as_rows(shape: tuple[int, int]) -> None:
    assert list_rows(np.zeros(shape), pa.list_(pa.float32())).to_pylist() == [[]] * shape[0]


def test_day_indices_become_dates_and_unknown_ones_none() -> None:
    found = to_dates(np.array([0.0, 30.0, np.nan, 5.0]), np.datetime64("2023-01-31"), np.array([True, True, False, False]))
    assert found.dtype == np.dtype("datetime64[D]")
    assert [str(one) for one in found] == ["2023-01-31", "2023-03-02", "NaT", "NaT"]
    assert build_column(found, pa.date32()).null_count == 2


@given(st.lists(st.integers(1, 8), min_size=1, max_size=12), st.lists(st.integers(0, 60), max_size=6), st.integers(1, 5))
def test_keys_stay_whole_wherever_batches_are_cut(lengths: list[int], cuts: list[int], keys_per_chunk: int) -> None:
    keys = [f"{key:03d}" for key, length in enumerate(lengths) for _ in range(length)]
    table = pa.table({"key": keys, "row": range(len(keys))})
    bounds = sorted({0, len(keys), *(cut for cut in cuts if cut < len(keys))})
    batches = [batch for low, high in pairwise(bounds) for batch in table.slice(low, high - low).to_batches()]
    chunks = list(cut_whole_keys(batches, "key", keys_per_chunk))
    assert [row for chunk in chunks for row in chunk["row"].to_pylist()] == list(range(len(keys)))
    found = [sorted(set(chunk["key"].to_pylist())) for chunk in chunks]
    assert sorted(key for chunk in found for key in chunk) == sorted(set(keys))
    assert all(len(chunk) == keys_per_chunk for chunk in found[:-1])


def test_nothing_in_gives_nothing_out() -> None:
    assert list(cut_whole_keys(iter([]), "key", 3)) == []


def test_null_slots_become_nan_and_short_days_are_rejected() -> None:
    column = pa.chunked_array([pa.array([[1.0, None], [3.0, 4.0]], pa.list_(pa.float32()))])
    np.testing.assert_array_equal(day_arrays(column, 2), np.array([[1, np.nan], [3, 4]], dtype=np.float32))
    with pytest.raises(ValueError, match="3 a row wanted"):
        day_arrays(column, 3)


def test_keys_are_numbered_in_order_of_appearance() -> None:
    names, place = number_keys(pa.chunked_array([["b", "b"], ["a"]]))
    assert names == ["b", "a"]
    assert place.tolist() == [0, 0, 1]
