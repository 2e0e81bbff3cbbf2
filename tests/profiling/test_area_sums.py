"""What an area's assets do together never exceeds their sizes, half-hour by half-hour and quantile by quantile."""

from datetime import date

import numpy as np
import pandas as pd

from fmar_spark.kernels.portfolio import Cumulants
from fmar_spark.profiling.area_errors import SumError
from fmar_spark.profiling.area_sums import AreaPass, Rounding, Stamp

ERRORS = {("battery", "export"): SumError((1.0, 2.0, 4.0), (1.0, 1.0, 1.0))}
KEYS = pd.DataFrame({"asset_class": ["battery", "battery"], "direction": ["export", "export"]})


def test_no_quantile_of_power_is_above_the_same_quantile_of_the_sizes() -> None:
    areas = AreaPass(Stamp("run", date(2026, 1, 31)), Rounding(5, 0.05), {}, ERRORS)
    power = Cumulants(np.full((2, 3), 100.0), np.full((2, 3), 400.0), np.zeros((2, 3)))
    size = np.array([[90.0, np.nan], [150.0, np.nan], [500.0, np.nan]])
    found = areas.find_power(power, KEYS, size)
    assert found[:, 0, 0].round(1).tolist() == [74.4, 150.0, 500.0]
    assert found[:, 1, 0].round(1).tolist() == [74.4, 200.0, 502.5]
    assert (np.diff(found, axis=0) >= 0).all()


def test_a_season_that_was_not_seen_has_no_power_whatever_the_sizes() -> None:
    areas = AreaPass(Stamp("run", date(2026, 1, 31)), Rounding(5, 0.05), {}, ERRORS)
    unseen = np.array([[100.0, np.nan]] * 2)
    found = areas.find_power(Cumulants(unseen, unseen * 4, unseen * 0), KEYS, np.full((3, 2), 90.0))
    assert np.isfinite(found[:, :, 0]).all()
    assert np.isnan(found[:, :, 1]).all()
