"""Half-hours of episodes against the truth, counted by hand."""

import numpy as np
import pytest

from fmar_spark.learning.event_scores import Episodes, HalfHours, count_half_hours, join_episodes, score_half_hours, take_episodes
from fmar_spark.learning.resampling import DrawRules

FIRST = 1000
ALL = np.ones((2, 20), dtype=bool)


def episodes(*rows: tuple[int, int, int, float, bool]) -> Episodes:
    """Meter, first and last slot counted from ``FIRST``, energy, and whether it draws."""
    meter, start, end, energy, is_import = (np.array(column) for column in zip(*rows, strict=True))
    return Episodes(meter, FIRST + start, FIRST + end, energy.astype(float), is_import.astype(bool))


TRUTH = episodes((0, 2, 6, 4.0, True), (0, 10, 12, 1.0, True), (1, 5, 7, 3.0, True))
FOUND = episodes((0, 4, 8, 8.0, True), (1, 15, 16, 0.5, True))


def test_hits_false_ones_and_misses_are_what_a_hand_counts() -> None:
    counts = count_half_hours(TRUTH, FOUND, ALL, FIRST)
    np.testing.assert_array_equal(counts.hit, [2, 0])
    np.testing.assert_array_equal(counts.false, [2, 1])
    np.testing.assert_array_equal(counts.missed, [4, 2])
    np.testing.assert_allclose(counts.true_kwh, [5, 3])
    np.testing.assert_allclose(counts.found_kwh, [8, 0.5])


def test_half_hours_that_were_not_read_count_neither_way() -> None:
    compared = ALL.copy()
    compared[0, 2:5] = False
    counts = count_half_hours(TRUTH, FOUND, compared, FIRST)
    assert (counts.hit[0], counts.false[0], counts.missed[0]) == (1, 2, 2)
    np.testing.assert_allclose([counts.true_kwh[0], counts.found_kwh[0]], [2, 6])


def test_drawing_is_not_found_by_giving() -> None:
    giving = FOUND._replace(is_import=np.zeros(2, dtype=bool))
    counts = count_half_hours(TRUTH, giving, ALL, FIRST)
    assert (counts.hit.sum(), counts.false.sum(), counts.missed.sum()) == (0, 5, 8)


def test_an_episode_that_reaches_over_the_edge_counts_inside_only() -> None:
    counts = count_half_hours(episodes((0, -4, 2, 6.0, True)), episodes((0, 18, 30, 12.0, True)), ALL, FIRST)
    assert (counts.missed[0], counts.false[0]) == (2, 2)
    np.testing.assert_allclose([counts.true_kwh[0], counts.found_kwh[0]], [2, 2])


def test_a_truth_without_energy_has_no_energy_ratio() -> None:
    unmeasured = TRUTH._replace(energy_kwh=np.full(3, np.nan))
    counts = count_half_hours(unmeasured, FOUND, ALL, FIRST)
    assert np.isnan(counts.true_kwh).all()
    assert score_half_hours(counts, np.array([True, True]), DrawRules())["all"]["pooled"]["energy_ratio"] is None


def test_f1_is_of_the_sums_over_all_meters_and_of_those_found() -> None:
    counts = HalfHours(*(np.tile(field, 6) for field in count_half_hours(TRUTH, FOUND, ALL, FIRST)))
    figures = score_half_hours(counts, np.arange(12) % 2 == 0, DrawRules())
    assert figures["all"]["f1"]["value"] == pytest.approx(2 * 2 / (2 * 2 + 3 + 6))
    assert figures["all"]["precision"]["value"] == pytest.approx(2 / 5)
    assert figures["all"]["recall"]["value"] == pytest.approx(2 / 8)
    assert figures["all"]["energy_ratio"]["value"] == pytest.approx(8.5 / 8)
    assert figures["found"]["meters"] == 6
    assert figures["found"]["f1"]["value"] is None
    assert figures["found"]["pooled"]["f1"] == pytest.approx(2 * 2 / (2 * 2 + 2 + 4))


def test_episodes_are_joined_and_taken_in_order() -> None:
    joined = join_episodes([TRUTH, FOUND])
    np.testing.assert_array_equal(take_episodes(joined, np.array([3, 0])).start_slot, [FIRST + 4, FIRST + 2])
    assert join_episodes([]).meter.size == 0
