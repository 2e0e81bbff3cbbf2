"""Flags, their rates and delays, and the CUSUM beside the evidence."""

import numpy as np
import pytest

from fmar_spark.evaluation.delivery_rates import (
    NEVER,
    Traces,
    find_flags,
    find_threshold,
    join_traces,
    median_delay,
    rate_false_flags,
    rate_found,
    trace_cusum,
)


def trace(values: list[list[float]]) -> Traces:
    """One asset a row, one event every three days, each asset on a load of its own."""
    assets, events = np.shape(values)
    asset = np.repeat(np.arange(assets), events)
    order = np.tile(np.arange(events), assets)
    return Traces(asset, asset, order, 3 * order, np.asarray(values).reshape(-1))


def test_an_asset_is_flagged_by_the_first_event_that_reaches_the_level() -> None:
    flags = find_flags(trace([[1, 5, 2, 9], [0, 0, 0, 0], [np.nan, np.nan, 7, 0]]), 5.0)
    assert flags.event.tolist() == [2, NEVER, 3]
    assert flags.months.tolist() == pytest.approx([4 / 30, 10 / 30, 7 / 30])
    assert rate_found(flags, 2).value == pytest.approx(1 / 3)
    assert rate_false_flags(flags).value == pytest.approx(2 / (21 / 30))
    assert median_delay(flags) == 3


def test_the_level_of_a_rate_is_the_lowest_that_keeps_it() -> None:
    honest = trace([[1, 1, 1, 1], [1, 2, 1, 1], [1, 1, 3, 1]])
    assert find_threshold(honest, 0.0, np.array([1.0, 2.0, 3.0, 4.0])) == 4.0
    assert find_threshold(honest, 1e9, np.array([1.0, 2.0])) == 1.0
    assert find_threshold(honest, 0.0, np.array([1.0])) == np.inf


def test_a_cusum_adds_what_lies_above_its_allowance_and_never_falls_below_nothing() -> None:
    assert trace_cusum(trace([[1.0, 1.0, -9.0, 1.0, np.nan]]), 0.5).value.tolist() == [0.5, 1.0, 0.0, 0.5, 0.5]


def test_joined_portfolios_keep_their_assets_and_loads_apart() -> None:
    joined = join_traces([trace([[1.0], [2.0]]), trace([[3.0]])])
    assert joined.asset.tolist() == joined.load.tolist() == [0, 1, 2]


def test_an_interval_over_loads_holds_its_value() -> None:
    rate = rate_found(find_flags(trace([[9.0]] * 5 + [[0.0]] * 5), 5.0), 1)
    assert rate.lower < rate.value == 0.5 < rate.upper
    assert rate.show(1).startswith("0.5 (")
