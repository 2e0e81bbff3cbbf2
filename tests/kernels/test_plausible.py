"""What no meter can have measured, however much of it there is."""

import numpy as np
import pytest

from fmar_spark.kernels.plausible import ERROR_CODE, LUMP, PLAUSIBLE, SPIKE, Energies, find_implausible, is_error_code, screen_matrix

HALF_HOUR = 30
YEAR = 365 * 48


def home(seed: int = 1, slots: int = YEAR) -> np.ndarray:
    """A home's half-hours with evening cars: 0.05 to about 3.7 kWh."""
    rng = np.random.default_rng(seed)
    kwh = rng.gamma(1.2, 0.2, slots) + 0.05
    kwh[np.arange(slots) % 48 >= 42] += rng.choice([0.0, 3.5])
    return np.round(kwh, 3)


def verdicts(kwh: np.ndarray, minutes: int = HALF_HOUR, start_minute: np.ndarray | None = None) -> np.ndarray:
    start = np.arange(len(kwh)) * minutes if start_minute is None else start_minute
    return find_implausible(Energies(np.zeros(len(kwh), dtype=np.int64), start, np.full(len(kwh), minutes), kwh))


@pytest.mark.parametrize("code", [4294.967, 4294.967296, 16777.215, 16777.216, 2147.483647, 8388.607])
def test_full_scale_of_a_counter_is_a_code_for_certain(code: float) -> None:
    assert is_error_code(np.asarray([code, code + 1.0, np.nan, 0.2])).tolist() == [True, False, False, False]
    assert is_error_code(np.asarray([np.float32(code)])).all()


@pytest.mark.parametrize("code", [4294.967, 16777.215, 65.535, 9999.999, 655.35, 32.767])
@pytest.mark.parametrize("share", [0.0002, 0.004, 0.02, 0.2, 0.6])
def test_codes_are_found_whatever_their_share(code: float, share: float) -> None:
    kwh = home()
    is_code = np.random.default_rng(2).random(YEAR) < share
    kwh[is_code] = code
    assert (verdicts(kwh) == np.where(is_code, ERROR_CODE, PLAUSIBLE)).all()


def test_two_codes_in_a_hundred_half_hours_are_found() -> None:
    kwh = np.full(100, 0.2)
    kwh[40:42] = 4294.967
    assert np.flatnonzero(verdicts(kwh)).tolist() == [40, 41]


@pytest.mark.parametrize("share", [0.0003, 0.03, 0.3])
def test_garbage_above_a_gap_is_found_whatever_its_share(share: float) -> None:
    rng = np.random.default_rng(3)
    kwh = home()
    is_bad = rng.random(YEAR) < share
    kwh[is_bad] = rng.uniform(300, 45_000, int(is_bad.sum()))
    assert (verdicts(kwh) == np.where(is_bad, SPIKE, PLAUSIBLE)).all()


def test_loads_that_are_large_in_earnest_stay() -> None:
    rng = np.random.default_rng(4)
    factory = np.round(rng.uniform(400, 5200, YEAR), 3)
    switched = np.full(YEAR, 0.5)
    for start in rng.integers(0, YEAR - 40, 300):
        length = int(rng.integers(2, 20))
        switched[start : start + length] = 400 + rng.normal(0, 2, length)
        switched[start] *= rng.uniform(0.02, 1)
        switched[start + length] = 400 * rng.uniform(0.02, 1)
    tenant = home()
    tenant[YEAR // 2 :] = rng.uniform(150, 260, YEAR - YEAR // 2)
    for kwh in (home(), factory, np.round(switched, 2), tenant):
        assert not verdicts(kwh).any()


def test_what_was_counted_up_over_an_outage_is_found_with_and_without_zeros() -> None:
    kwh = home()
    outage = slice(5000, 5000 + 5 * 48)
    lump = float(kwh[outage].sum())
    gone, zeros = np.delete(kwh, np.arange(5000, 5000 + 5 * 48)), kwh.copy()
    minutes = np.delete(np.arange(YEAR) * HALF_HOUR, np.arange(5000, 5000 + 5 * 48))
    gone[5000] += lump
    zeros[outage] = 0.0
    zeros[outage.stop] += lump
    assert np.flatnonzero(verdicts(gone, start_minute=minutes) == LUMP).tolist() == [5000]
    assert np.flatnonzero(verdicts(zeros) == LUMP).tolist() == [outage.stop]


def test_an_ordinary_evening_after_a_gap_stays() -> None:
    kwh = np.delete(home(), np.arange(5000, 5042))
    minutes = np.delete(np.arange(YEAR) * HALF_HOUR, np.arange(5000, 5042))
    kwh[kwh > 2] += 6
    assert not verdicts(kwh, start_minute=minutes).any()


def test_many_meters_are_screened_as_each_alone() -> None:
    kwh = np.stack([home(seed) for seed in range(6)]).astype(np.float32)
    kwh[1, 100:110] = 4294.967
    kwh[2, 7000:7300] = np.nan
    kwh[2, 7300] = 110.0
    kwh[4, ::50] = 16777.215
    kwh[5] = np.nan
    found = screen_matrix(kwh)
    for row, own in enumerate(kwh):
        read = np.flatnonzero(~np.isnan(own))
        alone = verdicts(own[read].astype(np.float64), start_minute=read * HALF_HOUR) != PLAUSIBLE
        assert np.flatnonzero(found[row] != PLAUSIBLE).tolist() == read[alone].tolist()
    assert (found != PLAUSIBLE).sum(axis=1).tolist() == [0, 10, 1, 0, len(range(0, YEAR, 50)), 0]
    assert [set(row.tolist()) for row in found[[1, 2, 4]]] == [{PLAUSIBLE, ERROR_CODE}, {PLAUSIBLE, SPIKE}, {PLAUSIBLE, ERROR_CODE}]
    assert screen_matrix(np.zeros((0, 48), dtype=np.float32)).shape == (0, 48)
