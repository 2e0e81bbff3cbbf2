"""Writes fmar_spark/profiling/area_errors.json: how far sums over areas lie from the truth, read off simulated fleets.

    .venv/bin/python scripts/fit_area_errors.py

Simulates fleets of different seeds and mixes, examines their meters with the carried classifier, and deals them into areas. Of each
class and direction, p10, p50 and p90 get a factor each: quantiles of the ratio of truth to estimate over the areas of all fleets, so far
out that 80 % of days (of sizes: of areas) lie between p10 and p90 when each fleet is answered with the factors of the others. They thus
hold what one fleet differs from the next as well. What is printed as the result is stricter: each fleet is left out in turn of all that,
and answered with the factors of the others. Simulated meters only; about ten minutes on two free cores.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
from area_coverage import DETECTION_COLUMNS, SIZE_COLUMNS, SIZES, Lake, deal, find_shared, join_members, true_power
from numpy.typing import NDArray

from fmar_spark.clock import LONDON, SLOTS_PER_DAY
from fmar_spark.commands.terminal import follow
from fmar_spark.contracts.capability import ASSET_DETECTIONS, CAPABILITY
from fmar_spark.contracts.profiles import ASSET_EVENTS
from fmar_spark.domain.assets import ASSET_FACTS, AssetClass, TrueSize
from fmar_spark.domain.words import SEASONS, Quantity
from fmar_spark.kernels.portfolio import Cumulants, Floats, find_quantiles
from fmar_spark.learning.bundled_classifier import load_bundled
from fmar_spark.local.meter_days import describe_days
from fmar_spark.local.passes import Histories, profile_meters
from fmar_spark.pools import end_with_parent
from fmar_spark.profiling.area_errors import FILE, AreaErrors, ErrorOfClass, SumError
from fmar_spark.profiling.area_sums import AreaPass, BlockPass, Rounding, Stamp, find_busiest, sum_areas
from fmar_spark.profiling.projections import PROJECTIONS
from fmar_spark.profiling.windows import build_weather_book
from fmar_spark.settings.bounds import whole_from
from fmar_spark.settings.sections import AreaSettings, Settings
from fmar_spark.simulate.fleet import Fleet, FleetPlan, Mix, prepare_setting, simulate_block
from fmar_spark.simulate.plan import BLOCK_METERS
from fmar_spark.simulate.truth_tables import tabulate_assets, tabulate_events, tabulate_weather
from fmar_spark.simulate.weather import GSP_AREAS

FIRST: Final = date(2024, 5, 1)
LAST: Final = date(2025, 5, 31)
MIXES: Final = (
    Mix(),
    Mix(domestic=0.82, plain=0.3, home_ev=0.28, home_heat_pump=0.18, home_solar_pv=0.3, home_battery=0.16, confuser_scale=1.4),
    Mix(domestic=0.65, home_ev=0.5, home_heat_pump=0.35, home_battery=0.3, confuser_scale=0.7),
    Mix(plain=0.1, home_solar_pv=0.5, home_battery=0.35, no_export_register=0.6, hourly=0.3),
    Mix(domestic=0.9, home_ev=0.25, home_heat_pump=0.4, home_demand_response=0.2, appears=0.4, removed=0.15),
    Mix(domestic=0.5, business_ev=0.35, business_solar_pv=0.5, business_battery=0.3, no_export_register=0.1),
)
"""What fleets may differ in: how many assets and look-alikes there are, whose, and how well they are metered."""
WITHIN: Final = 0.8
BEYOND: Final = (0.005, 0.15)
"""Least and greatest share of truths that may lie beyond each end in the fleets that factors are read off."""
HALVINGS: Final = 8
LEAST_KW: Final = 1e-6
LEAST_AREAS: Final = 12
LEAST_FLEETS: Final = 4
Factors = tuple[float, float, float]
STAMP: Final = Stamp("", date(2000, 1, 1))


class Part(NamedTuple):
    """What a block of meters gives."""

    profiles: pa.Table
    assets: pd.DataFrame
    events: pd.DataFrame
    groups: dict[str, str]


class Seen(NamedTuple):
    """One area's class and direction: what its meters say together, and what is true."""

    fleet: int
    power: Cumulants
    """At its busiest half-hour, without common errors."""
    true_kw: Floats
    """At that half-hour on every day of the season."""
    installed: Cumulants
    true_installed: float


def main(argv: list[str]) -> int:
    """Simulate, fit, write and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--meters", type=whole_from(1), default=768, help="of each fleet (default: 768)")
    parser.add_argument("--fleets", type=whole_from(1, len(MIXES)), default=len(MIXES), help=f"how many (default: {len(MIXES)})")
    parser.add_argument("--seed", type=whole_from(0), default=701, help="of the first fleet; each has the next one (default: 701)")
    parser.add_argument("--workers", type=whole_from(1), default=2, help="processes (default: 2)")
    parser.add_argument("--out", type=Path, default=FILE)
    arguments = parser.parse_args(argv)
    plans = [
        FleetPlan(arguments.meters, FIRST, LAST, arguments.seed + place, MIXES[place % len(MIXES)]) for place in range(arguments.fleets)
    ]
    seen = collect(plans, arguments.workers)
    classes = [found for key, rows in sorted(seen.items()) if (found := fit_class(key, rows))]
    fleets = tuple(f"{plan.meters} meters, seed {plan.seed}, {plan.mix}" for plan in plans)
    document = AreaErrors(load_bundled().version, fleets, tuple(classes))
    arguments.out.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n")
    for one in classes:
        power, installed = f"{one.kw_within:.0%}", f"{one.installed_within:.0%}"
        print(f"{one.asset_class:16s}{one.direction:8s}{one.areas:5d} areas  {one.error}  kW within {power}, installed {installed}")
    weights = np.array([one.areas for one in classes], dtype=float)
    kw, size = (np.average([getattr(one, name) for one in classes], weights=weights) for name in ("kw_within", "installed_within"))
    print(f"all classes, fleets left out in turn: kW {kw:.1%}, installed {size:.1%}, {document.classifier}")
    return 0


def no_errors() -> dict[tuple[str, str], SumError]:
    """Every class and direction as its meters say."""
    return {
        (asset, direction): SumError((1.0, 1.0, 1.0), (1.0, 1.0, 1.0))
        for asset in AssetClass
        for direction in ASSET_FACTS[asset].directions
    }


def collect(plans: list[FleetPlan], workers: int) -> dict[tuple[str, str], list[Seen]]:
    """What is seen of each class and direction in the areas of all fleets."""
    seen: dict[tuple[str, str], list[Seen]] = {}
    blocks = [(plan, block) for plan in plans for block in range(-(-plan.meters // BLOCK_METERS))]
    with ProcessPoolExecutor(workers, initializer=end_with_parent) as pool:
        parts = list(
            follow("fit_area_errors", "blocks of meters examined", pool.map(examine_block, *zip(*blocks, strict=True)), len(blocks))
        )
    for number, plan in enumerate(plans):
        lake = join_parts([part for (own, _), part in zip(blocks, parts, strict=True) if own is plan])
        shared = find_shared(lake)
        for size in SIZES:
            area_of = deal(lake, size, size)
            for key, one in compare(lake, area_of, AreaPass(STAMP, Rounding(1, 0.01), shared, no_errors()), number):
                seen.setdefault(key, []).append(one)
    return seen


def examine_block(plan: FleetPlan, block: int) -> Part:
    """Simulate a block and examine its meters as the job does, without Spark."""
    fleet = simulate_block(prepare_setting(plan), block)
    weather = build_weather_book(tabulate_weather(plan, fleet))
    days = describe_days(list_days(plan, fleet), list_sites(fleet))
    profiles = profile_meters(Histories(days, weather), load_bundled(), Settings(), "", plan.last_date)
    truth = (tabulate_assets(plan, fleet).to_pandas(), tabulate_events(plan, fleet).to_pandas())
    return Part(profiles, *truth, dict(zip(fleet.mpan_id, fleet.gsp_group, strict=True)))


def list_days(plan: FleetPlan, fleet: Fleet) -> pa.Table:
    """A row a meter, UTC day and quantity with a reading."""
    parts = []
    for quantity, values in ((Quantity.AI, fleet.import_kwh), (Quantity.AE, fleet.export_kwh)):
        kwh = values[:, : plan.slots].reshape(len(fleet.mpan_id), plan.days, SLOTS_PER_DAY)
        meter, day = np.nonzero(np.isfinite(kwh).any(axis=2))
        flat = pa.array(kwh[meter, day].astype(np.float32).ravel(), from_pandas=True)
        offsets = pa.array(np.arange(0, len(meter) * SLOTS_PER_DAY + 1, SLOTS_PER_DAY, dtype=np.int32))
        columns = {
            "mpan_id": pa.array(fleet.mpan_id).take(pa.array(meter)),
            "utc_date": pa.array(np.datetime64(plan.first_date, "D") + day),
            "quantity": pa.repeat(pa.scalar(quantity.value), len(meter)),
            "kwh": pa.ListArray.from_arrays(offsets, flat),
        }
        parts.append(pa.table(columns))
    return pa.concat_tables(parts)


def list_sites(fleet: Fleet) -> pa.Table:
    """What is known of each meter beside its readings."""
    places = [GSP_AREAS[group][1:] for group in fleet.gsp_group]
    return pa.table(
        {
            "mpan_id": fleet.mpan_id,
            "interval_minutes": fleet.interval_minutes,
            "time_zone": [str(LONDON)] * len(places),
            "latitude": [place[0] for place in places],
            "longitude": [place[1] for place in places],
            "weather_area": fleet.gsp_group,
            "gsp_group_id": fleet.gsp_group,
            "is_domestic": fleet.is_domestic,
        }
    )


def join_parts(parts: list[Part]) -> Lake:
    """The blocks of one fleet as area_coverage reads them from a lake."""
    profiles = pa.concat_tables([part.profiles for part in parts])
    project = dict(PROJECTIONS)
    detections, sizes, events = (project[table](profiles).to_pandas() for table in (ASSET_DETECTIONS, CAPABILITY, ASSET_EVENTS))
    detections["is_present"] = detections["is_present"].eq(True)
    groups: dict[str, str] = {}
    for part in parts:
        groups |= part.groups
    days = pd.date_range(pd.Timestamp(LAST) - pd.Timedelta(days=364), pd.Timestamp(LAST))
    assets, true_events = (pd.concat([getattr(part, name) for part in parts], ignore_index=True) for name in ("assets", "events"))
    return Lake(
        detections[list(DETECTION_COLUMNS)],
        sizes[list(SIZE_COLUMNS)],
        list_seasons(profiles),
        events,
        pd.Series(groups),
        assets,
        true_events,
        days,
    )


def list_seasons(profiles: pa.Table) -> pa.Table:
    """A row a meter, class, direction and season, with its 336 half-hours."""
    lists = profiles["availabilities"].combine_chunks()
    owner = pa.array(np.repeat(np.arange(len(lists)), lists.value_lengths().fill_null(0).to_numpy()))
    flat = lists.flatten()
    names = ("asset_class", "direction", "season", "probability", "kw_p50")
    return pa.table({"mpan_id": profiles["mpan_id"].combine_chunks().take(owner), **{name: flat.field(name) for name in names}})


def compare(lake: Lake, area_of: pd.Series, areas: AreaPass, fleet: int) -> Iterator[tuple[tuple[str, str], Seen]]:
    """Every area with enough assets of a class, beside its truth."""
    blocks = pa.Table.from_batches(list(BlockPass(STAMP)(join_members(lake, area_of)))).drop_columns(["run_id", "as_of_date"])
    given = {"area_level": ["gsp"] * blocks.num_rows, "area_id": blocks["block_id"], "share_unanswered": [0.0] * blocks.num_rows}
    for name, values in given.items():
        blocks = blocks.append_column(name, pa.array(values) if isinstance(values, list) else values)
    sums = sum_areas(blocks)
    power, busiest = find_busiest(areas.describe_any_day(sums))
    present = lake.assets[lake.assets["is_present"].fillna(False).astype(bool)]
    keys = sums.keys.assign(busiest=busiest, row=np.arange(len(busiest)))
    enough = keys[(keys["meters"] >= AreaSettings().min_meters) & (keys["busiest"] >= 0)]
    for key, rows in enough.groupby(["asset_class", "direction", "busiest"]):
        (asset, direction), place = map(str, key[:2]), int(str(key[2]))
        season = SEASONS[place // SLOTS_PER_DAY].value
        truth = lake.true_events
        events = truth[(truth["asset_class"] == asset) & (truth["is_import"] == (direction == "import"))]
        meters, kw = true_power(lake, events, season, place % SLOTS_PER_DAY, asset)
        detected = present.loc[present["asset_class"] == asset, "mpan_id"]
        installed = sum_installed(lake, asset, detected, area_of)
        in_area, is_counted = meters.map(area_of.to_dict()), meters.isin(list(detected))
        for row, area_id in zip(rows["row"], rows["area_id"], strict=True):
            own = Cumulants(*(one[row] for one in power))
            true_kw = kw[(in_area == area_id) & is_counted].sum(axis=0)
            sizes = Cumulants(*(one[row] for one in sums.installed))
            yield (asset, direction), Seen(fleet, own, true_kw, sizes, installed[area_id])


def sum_installed(lake: Lake, asset: str, detected: pd.Series, area_of: pd.Series) -> dict[str, float]:
    """True size of the detected assets of each area that are still there."""
    size = str(TrueSize(ASSET_FACTS[AssetClass(asset)].sizes[-1 if asset == AssetClass.SOLAR_PV else 0].truth))
    owned = lake.true_assets[(lake.true_assets["asset_class"] == asset) & lake.true_assets["mpan_id"].isin(detected)]
    owned = owned[owned["removed_date"].isna() | (owned["removed_date"] > LAST)]
    found = owned.groupby(owned["mpan_id"].map(area_of))[size].sum()
    return {area: float(found.get(area, 0.0)) for area in area_of.unique()}


class Answers(NamedTuple):
    """One quantity of the areas of a class: truths as shares of the estimated p10, p50 and p90, and what each of them counts."""

    fleet: NDArray[np.int64]
    """Of each truth."""
    ratios: Floats
    """(quantiles, truths)"""
    weight: Floats
    """Every fleet counts as much as another, and every area of a fleet."""

    def fit(self, rows: NDArray[np.bool_]) -> Factors:
        """Factors of some fleets: beyond each end lies as much as leaves 80 % within when each of them is left out in turn."""

        def holds_too_few(beyond: float) -> bool:
            within = []
            for fleet in np.unique(self.fleet[rows]):
                own = rows & (self.fleet == fleet)
                within.append(np.average(self.is_within(own, self.find_factors(rows & ~own, beyond)), weights=self.weight[own]))
            return bool(np.mean(within) < WITHIN)

        beyond = BEYOND[1] - halve(0.0, BEYOND[1] - BEYOND[0], lambda less: holds_too_few(BEYOND[1] - less))
        return self.find_factors(rows, beyond)

    def find_factors(self, rows: NDArray[np.bool_], beyond: float) -> Factors:
        """Factors that leave so large a share of some fleets' truths beyond each end."""
        low, middle, high = (
            float(np.quantile(one[rows], share, weights=self.weight[rows], method="inverted_cdf"))
            for one, share in zip(self.ratios, (beyond, 0.5, 1.0 - beyond), strict=True)
        )
        return low, middle, high

    def is_within(self, rows: NDArray[np.bool_], factors: Factors) -> NDArray[np.bool_]:
        """Whether each truth lies within p10 to p90."""
        return np.asarray((self.ratios[0, rows] >= factors[0]) & (self.ratios[2, rows] <= factors[2]))

    def leave_out(self) -> float:
        """Share of areas' truths within when each fleet is answered with the factors of the others."""
        within = np.zeros(len(self.fleet))
        for fleet in np.unique(self.fleet):
            own = self.fleet == fleet
            within[own] = self.is_within(own, self.fit(~own))
        return float(within.mean())


def compare_truths(fleet: Sequence[int], estimated: Sequence[Cumulants], truths: Sequence[Floats]) -> Answers:
    """Truths of each area beside its quantiles without common errors."""
    own = find_quantiles(Cumulants(*(np.array([float(one[place]) for one in estimated]) for place in range(3))))
    number = np.array([len(one) for one in truths])
    ratios = np.concatenate(truths) / np.maximum(np.repeat(own, number, axis=1), LEAST_KW)
    areas_of_fleet = {one: fleet.count(one) for one in set(fleet)}
    weight = np.repeat([1.0 / areas_of_fleet[one] for one in fleet] / number, number)
    return Answers(np.repeat(np.array(fleet, dtype=np.int64), number), ratios, weight)


def halve(least: float, most: float, is_too_small: Callable[[float], bool]) -> float:
    """The number between two bounds from which on something is no longer too small."""
    for _ in range(HALVINGS):
        middle = (least + most) / 2.0
        least, most = (middle, most) if is_too_small(middle) else (least, middle)
    return (least + most) / 2.0


def fit_class(key: tuple[str, str], rows: list[Seen]) -> ErrorOfClass | None:
    """Errors of a class and direction; None where too few areas or fleets have it."""
    fleet = [one.fleet for one in rows]
    if len(rows) < LEAST_AREAS or len(set(fleet)) < LEAST_FLEETS:
        return None
    power = compare_truths(fleet, [one.power for one in rows], [one.true_kw for one in rows])
    size = compare_truths(fleet, [one.installed for one in rows], [np.array([one.true_installed]) for one in rows])
    factors = (one.fit(np.ones(len(one.fleet), dtype=bool)) for one in (power, size))
    error = SumError(*((round(low, 3), round(middle, 3), round(high, 3)) for low, middle, high in factors))
    return ErrorOfClass(*key, error, len(rows), round(power.leave_out(), 3), round(size.leave_out(), 3))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
