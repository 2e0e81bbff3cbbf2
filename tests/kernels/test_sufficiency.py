"""Whether a history is enough."""

from collections.abc import Callable

import numpy as np
import pytest

from fmar_spark.kernels.sufficiency import NO_READINGS, SUFFICIENT, TOO_FEW_DAYS, TOO_MANY_GAPS, VERDICTS, check_history
from fmar_spark.kernels.window import Floats, MeterWindow

WindowMaker = Callable[..., MeterWindow]


def history(days: int, *seen: range) -> Floats:
    """One meter whose days in the given ranges are read, shape (1, days, 48)."""
    load_kw = np.full((1, days, 48), np.nan)
    for part in seen:
        load_kw[0, part.start : part.stop] = 1.0
    return load_kw


@pytest.mark.parametrize(
    ("seen", "verdict", "days_seen", "first", "last"),
    [
        ((range(5, 70),), SUFFICIENT, 65, 5, 69),
        ((range(5, 50),), TOO_FEW_DAYS, 45, 5, 49),
        ((range(0, 30), range(170, 200)), TOO_MANY_GAPS, 60, 0, 199),
        ((), NO_READINGS, 0, -1, -1),
    ],
)
def test_each_history_has_its_verdict(
    lay_window: WindowMaker, seen: tuple[range, ...], verdict: int, days_seen: int, first: int, last: int
) -> None:
    found = check_history(lay_window(history(200, *seen)), min_days=60, max_missing_share=0.6)
    assert VERDICTS[found.verdict[0]] == VERDICTS[verdict]
    assert (found.days_seen[0], found.first_day[0], found.last_day[0]) == (days_seen, first, last)


def test_a_day_counts_from_half_of_its_slots(lay_window: WindowMaker) -> None:
    load_kw = history(3, range(0, 3))
    load_kw[0, 0, 23:] = np.nan
    load_kw[0, 2, 24:] = np.nan
    found = check_history(lay_window(load_kw), 1, 0.9)
    assert (found.days_seen[0], found.first_day[0], found.last_day[0]) == (2, 1, 2)
    assert found.missing_share[0] == pytest.approx(0.25)


def test_days_and_shares_agree_with_a_naive_loop(lay_window: WindowMaker) -> None:
    rng = np.random.default_rng(1)
    load_kw = np.ones((20, 30, 48))
    load_kw[rng.random((20, 30)) < 0.4] = np.nan
    load_kw[rng.random(load_kw.shape) < rng.uniform(0, 0.6, (20, 1, 1))] = np.nan
    temp_c = np.where(rng.random((30, 48)) < 0.5, np.nan, 10.0)
    temp_c[::4] = np.nan
    found = check_history(lay_window(load_kw, temp_c=temp_c), 5, 0.5)
    for meter, days in enumerate(load_kw):
        seen = [day for day, slots in enumerate(days) if (~np.isnan(slots)).sum() >= 24]
        assert (found.days_seen[meter], found.first_day[meter], found.last_day[meter]) == (len(seen), seen[0], seen[-1])
        assert found.missing_share[meter] == pytest.approx(np.isnan(days[seen[0] : seen[-1] + 1]).mean())
        known = [day for day in seen if not np.isnan(temp_c[day]).all()]
        assert found.weather_share[meter] == pytest.approx(len(known) / len(seen))
        wanted = TOO_FEW_DAYS if len(seen) < 5 else TOO_MANY_GAPS if found.missing_share[meter] > 0.5 else SUFFICIENT
        assert found.verdict[meter] == wanted


@pytest.mark.parametrize("shape", [(0, 10, 48), (3, 0, 48), (3, 10, 48)])
def test_nothing_read_is_no_readings(lay_window: WindowMaker, shape: tuple[int, int, int]) -> None:
    found = check_history(lay_window(np.full(shape, np.nan)), 60, 0.7)
    assert (found.verdict == NO_READINGS).all()
    assert (found.days_seen == 0).all()
    assert (found.first_day == -1).all()
    assert (found.last_day == -1).all()
    assert np.isnan(found.missing_share).all()
    assert (found.weather_share == 0).all()
    assert all(column.shape == shape[:1] for column in found)
