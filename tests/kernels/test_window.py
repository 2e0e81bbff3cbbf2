"""The window that every detector looks at, and the empty answers."""

from collections.abc import Callable

import numpy as np
import pytest

from fmar_spark.errors import ContractError
from fmar_spark.kernels.window import (
    Events,
    Feature,
    Findings,
    MeterWindow,
    Sizes,
    blank_columns,
    count_read,
    join_columns,
    name_columns,
    no_events,
    unknown_sizes,
)

WindowMaker = Callable[..., MeterWindow]


def test_net_power_is_import_less_export_and_an_unread_export_counts_as_none(lay_window: WindowMaker) -> None:
    import_kw = np.zeros((1, 1, 48))
    export_kw = np.zeros((1, 1, 48))
    import_kw[0, 0, :4] = 2.0, 0.5, np.nan, np.nan
    export_kw[0, 0, :4] = np.nan, 3.0, 1.0, np.nan
    net_kw = lay_window(import_kw, export_kw).net_kw
    np.testing.assert_array_equal(net_kw[0, 0, :4], [2.0, -2.5, np.nan, np.nan])
    assert (net_kw[0, 0, 4:] == 0).all()


def test_net_power_agrees_with_a_naive_loop(lay_window: WindowMaker) -> None:
    rng = np.random.default_rng(1)
    import_kw, export_kw = rng.random((2, 3, 4, 48)).astype(np.float32)
    import_kw[rng.random(import_kw.shape) < 0.2] = np.nan
    export_kw[rng.random(export_kw.shape) < 0.4] = np.nan
    window = lay_window(import_kw, export_kw)
    for place in np.ndindex(import_kw.shape):
        given = export_kw[place]
        wanted = import_kw[place] - (0.0 if np.isnan(given) else given)
        np.testing.assert_equal(window.net_kw[place], np.float32(wanted))


@pytest.mark.parametrize("shape", [(0, 3, 48), (2, 0, 48), (2, 3, 48)])
def test_net_power_of_nothing_read_is_nothing(lay_window: WindowMaker, shape: tuple[int, int, int]) -> None:
    net_kw = lay_window(np.full(shape, np.nan)).net_kw
    assert net_kw.shape == shape
    assert np.isnan(net_kw).all()


def test_no_events_are_parallel_arrays_of_no_length_that_still_index() -> None:
    none = no_events()
    assert {column.shape for column in none} == {(0,)}
    assert np.zeros((3, 48))[none.meter, none.start_slot].shape == (0,)
    assert Events(*(column[none.is_import] for column in none)).energy_kwh.size == 0


@pytest.mark.parametrize("meters", [0, 3])
def test_unknown_sizes_are_nan_for_every_meter(meters: int) -> None:
    sizes = unknown_sizes(meters)
    assert all(column.shape == (meters,) and np.isnan(column).all() for column in sizes)
    assert len({id(column) for column in sizes}) == len(Sizes._fields)


def test_read_slots_are_counted_day_by_day() -> None:
    power_kw = np.ones((2, 3, 48), dtype=np.float32)
    power_kw[0, 1, 5:9] = np.nan
    power_kw[1, 2] = np.nan
    np.testing.assert_array_equal(count_read(power_kw), [[48, 44, 48], [48, 48, 0]])
    assert count_read(np.zeros((0, 3, 48), dtype=np.float32)).shape == (0, 3)


def test_columns_stand_in_the_order_of_their_declaration_and_none_is_missing_or_unknown() -> None:
    declared = (Feature("first", "kW", "One."), Feature("second", "share", "Two."))
    made = {"second": np.array([2], dtype=np.float32), "first": np.array([1])}
    columns = name_columns(declared, made)
    assert list(columns) == ["first", "second"]
    assert {column.dtype for column in columns.values()} == {np.dtype(np.float64)}
    for wrong in ({"first": made["first"]}, {**made, "third": made["first"]}):
        with pytest.raises(ContractError, match=r"second|third"):
            name_columns(declared, wrong)


def test_columns_of_parts_are_joined_and_blanked_by_meter() -> None:
    joined = join_columns([{"a": np.array([1.0])}, {"a": np.array([2.0, 3.0])}])
    np.testing.assert_array_equal(joined["a"], [1, 2, 3])
    np.testing.assert_array_equal(blank_columns(joined, np.array([False, True, False]))["a"], [1, np.nan, 3])


def test_the_share_of_missing_evidence_counts_features() -> None:
    features = {"a": np.array([1.0, np.nan]), "b": np.array([np.nan, np.nan])}
    found = Findings(features, np.zeros((2, 0)), no_events(), unknown_sizes(2))
    np.testing.assert_array_equal(found.missing_share, [0.5, 1.0])
