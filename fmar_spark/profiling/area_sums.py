"""What the assets of an area do together, in Arrow: sums over the meters of a block, then quantiles of the areas that blocks make up."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from fmar_spark.clock import DAYS_PER_WEEK, SLOTS_PER_DAY
from fmar_spark.contracts.audiences import AREA_AVAILABILITY, AREA_CAPABILITY, PUBLISHED_BLOCKS
from fmar_spark.domain.assets import ASSET_FACTS, AssetClass
from fmar_spark.domain.words import SEASONS, Tier
from fmar_spark.engine.arrow_columns import day_arrays, list_rows
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.kernels.portfolio import (
    Cumulants,
    Floats,
    describe_contributions,
    describe_error,
    find_quantiles,
    mix_evenly,
    shape_generation,
    share_factor,
    spread_of_interval,
    sum_groups,
)
from fmar_spark.profiling.area_errors import UNKNOWN_ERROR, SumError, SumErrors
from fmar_spark.profiling.shared_days import SharedFactors

CELLS: Final = DAYS_PER_WEEK * SLOTS_PER_DAY
WEEKS: Final = (len(SEASONS), DAYS_PER_WEEK, SLOTS_PER_DAY)
MOST_SPREAD: Final = 0.6
"""Relative spread of a power or size whose interval is not known."""
SIGNIFICANT_DIGITS: Final = 3
LATER_COUNTS: Final = ("appeared_meters", "registered_meters")
"""Of a block that an older version published it is not known."""


class Stamp(NamedTuple):
    """Which run and day the rows stand for."""

    run_id: str
    as_of_date: date


class Rounding(NamedTuple):
    """How published figures are rounded."""

    meters: int
    """Counts to the nearest multiple."""
    share: float
    """Shares to the nearest multiple."""


@dataclass(frozen=True)
class BlockPass:
    """Sums over the meters of whole blocks; rows of ``silver.published_blocks``.

    Takes a row an asset, direction and season: block_id, mpan_id, asset_class, direction, tier, is_appeared, is_registered,
    present_probability, rated_kw,
    rated_kw_lower, rated_kw_upper, rated_kw_p10, rated_kw_p90, energy_kwh_day, season, probability and kw_p50 (336 each).
    """

    stamp: Stamp

    def __call__(self, rows: pa.Table) -> Iterator[pa.RecordBatch]:
        """One row a block, class and direction of the class."""
        plain = rows.drop_columns(["probability", "kw_p50"]).to_pandas()
        keys = [
            (block, asset, direction.value)
            for block, asset in plain[["block_id", "asset_class"]].drop_duplicates().itertuples(index=False)
            for direction in ASSET_FACTS[AssetClass(asset)].directions
        ]
        place = {key: number for number, key in enumerate(keys)}
        own = ["block_id", "asset_class", "direction"]
        plain["group"] = [place.get(key, -1) for key in plain[own].itertuples(index=False, name=None)]
        assets = plain.drop_duplicates(["block_id", "asset_class", "mpan_id"])
        sizes = plain[plain["group"] >= 0].drop_duplicates([*own, "mpan_id"]).dropna(subset=["rated_kw"])
        power, seasons = _sum_power(rows, plain, len(keys))
        installed = _sum_sizes(sizes, len(keys))
        by_block = assets.groupby(["block_id", "asset_class"])
        counts = [
            by_block.size(),
            *(by_block["tier"].agg(lambda tiers, t=tier: (tiers == t).sum()) for tier in (Tier.HIGH, Tier.MEDIUM)),
            *(by_block[name].sum() for name in ("is_appeared", "is_registered")),
        ]
        found = [[int(one[key[:2]]) for key in keys] for one in counts]
        schema = arrow_schema(PUBLISHED_BLOCKS)
        columns: dict[str, object] = {
            "block_id": [key[0] for key in keys],
            "asset_class": [key[1] for key in keys],
            "direction": [key[2] for key in keys],
            "meters": found[0],
            "high_tier_meters": found[1],
            "medium_tier_meters": found[2],
            "appeared_meters": found[3],
            "registered_meters": found[4],
            "season_meters": list_rows(seasons, schema.field("season_meters").type),
            "cumulants": list_rows(np.concatenate(power, axis=1), schema.field("cumulants").type),
            "sized_meters": np.bincount(sizes["group"], minlength=len(keys)),
            "installed_cumulants": list_rows(np.concatenate(installed, axis=1), schema.field("installed_cumulants").type),
            "energy_kwh_day": np.bincount(sizes["group"], sizes["energy_kwh_day"].fillna(0.0), len(keys)),
            "areas": [[]] * len(keys),
            "run_id": [self.stamp.run_id] * len(keys),
            "as_of_date": [self.stamp.as_of_date] * len(keys),
        }
        yield pa.RecordBatch.from_pydict(columns, schema=schema)


def _sum_power(rows: pa.Table, plain: pd.DataFrame, groups: int) -> tuple[Cumulants, np.ndarray[tuple[int, int], np.dtype[np.int64]]]:
    """Cumulants (groups, 4 x 336) of the power, and how many assets each season of a group rests on."""
    is_known = (plain["season"].notna() & (plain["group"] >= 0)).to_numpy()
    known = plain[is_known]
    timed = rows.filter(pa.array(is_known))
    season = known["season"].map({name.value: place for place, name in enumerate(SEASONS)}).to_numpy(dtype=np.int64)
    group = np.asarray(known["group"], dtype=np.int64) * len(SEASONS) + season
    operating = np.nan_to_num(day_arrays(timed["probability"], CELLS).astype(np.float64))
    kw = np.nan_to_num(day_arrays(timed["kw_p50"], CELLS).astype(np.float64))
    generates = known["asset_class"].isin([asset.value for asset in AssetClass if not ASSET_FACTS[asset].is_part_of_load]).to_numpy()
    shape = shape_generation(operating[generates].reshape(-1, DAYS_PER_WEEK, SLOTS_PER_DAY))
    kw[generates] *= shape.reshape(-1, CELLS)
    chance = operating * known["present_probability"].to_numpy(dtype=np.float64)[:, None]
    spread = spread_of_interval(known["rated_kw_p10"].to_numpy(np.float64), known["rated_kw_p90"].to_numpy(np.float64), MOST_SPREAD)
    summed = sum_groups(describe_contributions(chance, kw, spread[:, None]), group, groups * len(SEASONS))
    counted = np.bincount(group, minlength=groups * len(SEASONS)).reshape(groups, len(SEASONS))
    return Cumulants(*(one.reshape(groups, -1) for one in summed)), counted


def _sum_sizes(sizes: pd.DataFrame, groups: int) -> Cumulants:
    columns = ("rated_kw_lower", "rated_kw_upper", "present_probability", "rated_kw")
    lower, upper, chance, kw = (sizes[name].to_numpy(np.float64) for name in columns)
    parts = describe_contributions(chance, kw, spread_of_interval(lower, upper, MOST_SPREAD))
    return sum_groups(Cumulants(*(one[:, None] for one in parts)), np.asarray(sizes["group"], dtype=np.int64), groups)


class AreaSums(NamedTuple):
    """Sums of whole areas; arrays with one entry an area, class and direction."""

    keys: pd.DataFrame
    """area_level, area_id, asset_class, direction, meters, high_tier_meters, medium_tier_meters, appeared_meters,
    registered_meters, sized_meters, energy_kwh_day and share_unanswered."""
    power: Cumulants
    """(areas, seasons, weekdays, slots); NaN in a season that nobody was seen in."""
    installed: Cumulants
    """(areas,)"""


@dataclass(frozen=True)
class AreaPass:
    """Quantiles of whole areas from the blocks that make them up.

    Takes rows of ``silver.published_blocks``, one for each area that has the block, with area_key, area_level, area_id and
    share_unanswered.
    """

    stamp: Stamp
    rounding: Rounding
    shared: SharedFactors
    errors: SumErrors

    def factor_of(self, keys: pd.DataFrame) -> Cumulants:
        """What the days of each area's assets share, (areas, seasons)."""
        pairs = list(zip(keys["asset_class"], keys["direction"], strict=True))
        own = [[self.shared.get((*pair, season.value), describe_error(1.0, 0.0)) for season in SEASONS] for pair in pairs]
        shape = (len(keys), len(SEASONS))
        return Cumulants(*(np.array([[float(one[place]) for one in row] for row in own]).reshape(shape) for place in range(3)))

    def describe_any_day(self, sums: AreaSums) -> Cumulants:
        """Power of a day picked evenly in each season, (areas, seasons, slots)."""
        return share_factor(mix_evenly(sums.power, axis=2), _widen(self.factor_of(sums.keys), 1))

    def find_power(self, power: Cumulants, keys: pd.DataFrame, size: Floats) -> Floats:
        """p10, p50 and p90 of powers, (3, areas, ...), none above the same quantile of the sizes, (3, areas).

        Assets never give more together than their sizes, so neither does any quantile; both are estimates with errors of their own.
        NaN, where a season was not seen, stays NaN.
        """
        found = _correct(find_quantiles(power), [one.power for one in self._errors_of(keys)])
        most = size.reshape(*size.shape, *(1,) * (found.ndim - size.ndim))
        return np.where(most < found, most, found)

    def find_size(self, installed: Cumulants, keys: pd.DataFrame) -> Floats:
        """p10, p50 and p90 of sizes, (3, areas)."""
        return _correct(find_quantiles(installed), [one.size for one in self._errors_of(keys)])

    def _errors_of(self, keys: pd.DataFrame) -> list[SumError]:
        return [self.errors.get(pair, UNKNOWN_ERROR) for pair in zip(keys["asset_class"], keys["direction"], strict=True)]


@dataclass(frozen=True)
class CapabilityPass:
    """Rows of ``gold.area_capability``."""

    areas: AreaPass

    def __call__(self, rows: pa.Table) -> Iterator[pa.RecordBatch]:
        """One row an area, class and direction."""
        sums = sum_areas(rows)
        keys, stamp, rounding = sums.keys, self.areas.stamp, self.areas.rounding
        at_busiest, busiest = find_busiest(self.areas.describe_any_day(sums))
        installed = self.areas.find_size(sums.installed, keys)
        kw = self.areas.find_power(at_busiest, keys, installed)
        is_seen = busiest >= 0
        columns = _quantile_columns("kw", kw) | _quantile_columns("installed_kw", installed)
        season = np.array([season.value for season in SEASONS], dtype=object)[np.maximum(busiest, 0) // SLOTS_PER_DAY]
        columns |= {
            **{name: keys[name] for name in AREA_CAPABILITY.key},
            "meters": (np.round(keys["meters"] / rounding.meters) * rounding.meters).astype(np.int64),
            "busiest_season": np.where(is_seen, season, None),
            "busiest_slot": pa.array((busiest % SLOTS_PER_DAY).astype(np.int32), mask=~is_seen),
            "energy_kwh_day": round_figures(keys["energy_kwh_day"].to_numpy(np.float64)),
            "share_high_tier": _round_share(keys["high_tier_meters"] / keys["meters"], rounding.share),
            "share_medium_tier": _round_share(keys["medium_tier_meters"] / keys["meters"], rounding.share),
            "share_appeared": pa.array(_round_share(keys["appeared_meters"] / keys["meters"], rounding.share), from_pandas=True),
            "share_registered": pa.array(_round_share(keys["registered_meters"] / keys["meters"], rounding.share), from_pandas=True),
            "share_unanswered": _round_share(keys["share_unanswered"], rounding.share),
            "is_suppressed": [False] * len(keys),
            "suppression_reason": [None] * len(keys),
            "run_id": [stamp.run_id] * len(keys),
            "as_of_date": [stamp.as_of_date] * len(keys),
        }
        yield pa.RecordBatch.from_pydict(columns, schema=arrow_schema(AREA_CAPABILITY))


@dataclass(frozen=True)
class AvailabilityPass:
    """Rows of ``gold.area_availability``."""

    areas: AreaPass

    def __call__(self, rows: pa.Table) -> Iterator[pa.RecordBatch]:
        """A row for each season, weekday and slot of each area, class and direction."""
        sums = sum_areas(rows)
        keys, stamp = sums.keys, self.areas.stamp
        power = share_factor(sums.power, _widen(self.areas.factor_of(keys), 2))
        kw = self.areas.find_power(power, keys, self.areas.find_size(sums.installed, keys))
        area, season, weekday, slot = (one.ravel() for one in np.indices((len(keys), *WEEKS)))
        flat = kw.reshape(len(kw), -1)
        kept = np.isfinite(flat[0])
        area, season, weekday, slot = area[kept], season[kept], weekday[kept], slot[kept]
        columns = _quantile_columns("kw", flat[:, kept])
        columns |= {name: keys[name].to_numpy()[area] for name in ("area_level", "area_id", "asset_class", "direction")}
        columns |= {
            "season": np.array([one.value for one in SEASONS], dtype=object)[season],
            "weekday": (weekday + 1).astype(np.int32),
            "slot": slot.astype(np.int32),
            "run_id": np.full(len(area), stamp.run_id, dtype=object),
            "as_of_date": np.full(len(area), stamp.as_of_date, dtype=object),
        }
        yield pa.RecordBatch.from_pydict(columns, schema=arrow_schema(AREA_AVAILABILITY))


def sum_areas(rows: pa.Table) -> AreaSums:
    """Add up the blocks of each area; a season in which only some of an area's assets were seen counts for all of them."""
    plain = rows.drop_columns(["cumulants", "installed_cumulants", "season_meters", "areas"]).to_pandas()
    own = ["area_level", "area_id", "asset_class", "direction"]
    group = plain.groupby(own, sort=True).ngroup().to_numpy(dtype=np.int64)
    summed = ["meters", "high_tier_meters", "medium_tier_meters", "sized_meters", "energy_kwh_day"]
    by_area = plain.groupby(own, sort=True)
    keys = by_area.agg({**dict.fromkeys(summed, "sum"), "share_unanswered": "first"}).reset_index()
    for name in LATER_COUNTS:
        keys[name] = by_area[name].agg(lambda counts: counts.sum(skipna=False)).to_numpy(np.float64)
    areas = len(keys)
    cumulants = day_arrays(rows["cumulants"], 3 * len(SEASONS) * CELLS).astype(np.float64)
    power = sum_groups(Cumulants(*np.split(cumulants, 3, axis=1)), group, areas)
    seen = np.zeros((areas, len(SEASONS)))
    np.add.at(seen, group, day_arrays(rows["season_meters"], len(SEASONS)))
    meters = keys["meters"].to_numpy(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.where(seen > 0, meters[:, None] / seen, np.nan)[:, :, None, None]
        sized = meters / keys["sized_meters"].to_numpy(np.float64)
    installed = sum_groups(Cumulants(*np.split(day_arrays(rows["installed_cumulants"], 3).astype(np.float64), 3, axis=1)), group, areas)
    keys["energy_kwh_day"] = keys["energy_kwh_day"] * np.where(np.isfinite(sized), sized, np.nan)
    return AreaSums(
        keys,
        Cumulants(*(one.reshape(areas, *WEEKS) * scale for one in power)),
        Cumulants(*(one[:, 0] * np.where(np.isfinite(sized), sized, np.nan) for one in installed)),
    )


def find_busiest(any_day: Cumulants) -> tuple[Cumulants, np.ndarray[tuple[int, ...], np.dtype[np.int64]]]:
    """Power at the half-hour of the season in which its mean is largest, and which it is; -1 where nobody was seen.

    Args:
        any_day: of a day picked evenly in each season, shape (areas, seasons, slots).
    """
    areas = len(any_day.first)
    mean = np.nan_to_num(any_day.first, nan=-1.0).reshape(areas, -1)
    busiest = mean.argmax(axis=1)
    rows = np.arange(areas)
    at_busiest = Cumulants(*(one.reshape(areas, -1)[rows, busiest] for one in any_day))
    return at_busiest, np.where(mean[rows, busiest] >= 0, busiest, -1)


def _correct(quantiles: Floats, factors: Sequence[tuple[float, float, float]]) -> Floats:
    """Quantiles (3, areas, ...) times the factors of each area, still in order."""
    by_area = np.array(factors, dtype=np.float64).reshape(-1, len(quantiles)).T
    return np.sort(quantiles * by_area.reshape(*by_area.shape, *(1,) * (quantiles.ndim - 2)), axis=0)


def _widen(factor: Cumulants, axes: int) -> Cumulants:
    return Cumulants(*(one.reshape(*one.shape, *(1,) * axes) for one in factor))


def round_figures(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """To three significant digits."""
    with np.errstate(divide="ignore", invalid="ignore"):
        step = 10.0 ** (np.floor(np.log10(np.abs(values))) - SIGNIFICANT_DIGITS + 1)
        return np.where(values == 0, 0.0, np.round(values / step) * step)


def _round_share(share: pd.Series, step: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.round(np.round(share.to_numpy(np.float64) / step) * step, 6)


def _quantile_columns(stem: str, values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> dict[str, object]:
    return {
        f"{stem}_{name}": pa.array(round_figures(one), from_pandas=True) for name, one in zip(("p10", "p50", "p90"), values, strict=True)
    }
