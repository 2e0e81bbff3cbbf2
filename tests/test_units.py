"""Energy and power."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmar_spark.units import HOURS_PER_SLOT, SLOT_MINUTES, kw_from_kwh, kwh_from_kw


def test_a_half_hour_of_one_kilowatt_is_half_a_kilowatt_hour() -> None:
    assert (SLOT_MINUTES, HOURS_PER_SLOT) == (30, 0.5)
    assert kwh_from_kw(1.0) == 0.5
    assert kw_from_kwh(3.5) == 7.0


@given(st.floats(-1e6, 1e6))
def test_energy_and_power_undo_each_other(power_kw: float) -> None:
    assert kw_from_kwh(kwh_from_kw(power_kw)) == pytest.approx(power_kw)


def test_arrays_convert_value_by_value_keep_their_type_and_their_gaps() -> None:
    energy_kwh = np.array([[0.5, np.nan], [-1.0, 0.0]], dtype=np.float32)
    power_kw = kw_from_kwh(energy_kwh)
    np.testing.assert_array_equal(power_kw, np.array([[1.0, np.nan], [-2.0, 0.0]], dtype=np.float32))
    assert power_kw.dtype == np.float32
    np.testing.assert_array_equal(kwh_from_kw(power_kw), energy_kwh)
