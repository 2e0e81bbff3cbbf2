"""What the assets of a class share from day to day, the weather above all, found from their daily energies."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from fmar_spark.domain.assets import ASSET_FACTS, AssetClass
from fmar_spark.domain.words import SEASONS, Direction
from fmar_spark.kernels.portfolio import Cumulants, Floats, find_shared_factor

SharedFactors = Mapping[tuple[str, str, str], Cumulants]
"""Factor of a usual day, by class, direction and season."""
Halves = tuple[Floats, Floats]
SEASON_OF_MONTH: Final = np.array([SEASONS[(month % 12) // 3].value for month in range(1, 13)])
"""Meteorological seasons of the north."""


def find_shared_factors(daily: pd.DataFrame) -> SharedFactors:
    """Factors of every class, direction and season, averaged over settlement areas by their energy.

    Args:
        daily: energy of half the meters of a settlement area on a day: gsp_group_id, asset_class, is_import, day, half (0 or 1),
            kwh; no row where there was none.
    """
    found: dict[tuple[str, str, str], Cumulants] = {}
    for (asset, is_import), rows in daily.groupby(["asset_class", "is_import"]):
        direction = Direction.IMPORT if is_import else Direction.EXPORT
        if direction not in ASSET_FACTS[AssetClass(str(asset))].directions:
            continue
        wide = rows.pivot_table(index="day", columns=["gsp_group_id", "half"], values="kwh", aggfunc="sum", fill_value=0.0)
        season = SEASON_OF_MONTH[pd.DatetimeIndex(pd.to_datetime(wide.index)).month.to_numpy() - 1]
        groups = [one for one in wide.columns.get_level_values(0).unique() if {0, 1} <= set(wide[one].columns)]
        for name in SEASONS:
            days = wide[season == name.value]
            halves = [(days[one, 0].to_numpy(np.float64), days[one, 1].to_numpy(np.float64)) for one in groups]
            factor = _average(halves, is_of_median=not ASSET_FACTS[AssetClass(str(asset))].is_part_of_load)
            if factor is not None:
                found[str(asset), direction.value, name.value] = factor
    return found


def _average(halves: list[Halves], *, is_of_median: bool) -> Cumulants | None:
    weights = np.array([float(a.sum() * b.sum()) for a, b in halves])
    if not weights.sum() > 0:
        return None
    factors = [find_shared_factor(a, b, is_of_median=is_of_median) for a, b in halves]
    return Cumulants(*(np.asarray(np.average([float(one[place]) for one in factors], weights=weights)) for place in range(3)))
