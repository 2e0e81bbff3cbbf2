"""Measures whether the truth of simulated fleets lies within the p10 to p90 of areas, for areas that are cut at random.

    .venv/bin/python scripts/area_coverage.py LAKE TRUTH [LAKE TRUTH ...]

Each lake has been characterised; TRUTH is the folder _truth of its landing folder. Meters are dealt into areas of 25, 50 and 100
examined meters. *kw*: of the detected assets' power at the area's busiest half-hour, the share of true days of that season within
p10 to p90; *installed*: the share of areas whose true sum of sizes lies within. Sixty per cent of areas of the first kind are not a
success: 80 is what the interval says.
"""

import argparse
import sys
import zlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from fmar_spark.clock import LONDON
from fmar_spark.domain.assets import ASSET_FACTS, AssetClass, TrueSize
from fmar_spark.profiling.area_errors import load_errors
from fmar_spark.profiling.area_sums import AreaPass, BlockPass, CapabilityPass, Rounding, Stamp
from fmar_spark.profiling.shared_days import SEASON_OF_MONTH, SharedFactors, find_shared_factors
from fmar_spark.settings.bounds import whole_from
from fmar_spark.settings.sections import AreaSettings

SIZES: Final = (25, 50, 100)


DETECTION_COLUMNS: Final = ("mpan_id", "asset_class", "is_present", "present_probability", "tier", "as_of_date")
SIZE_COLUMNS: Final = (
    *("mpan_id", "asset_class", "direction", "energy_kwh_day"),
    *(f"rated_kw{end}" for end in ("", "_lower", "_upper", "_p10", "_p90")),
)


class Lake(NamedTuple):
    """What one fleet's lake says, and its truth."""

    assets: pd.DataFrame
    sizes: pd.DataFrame
    seasons: pa.Table
    events: pd.DataFrame
    groups: pd.Series
    true_assets: pd.DataFrame
    true_events: pd.DataFrame
    days: pd.DatetimeIndex


def read_lake(root: Path, truth: Path) -> Lake:
    """The tables that areas rest on, and the truth."""

    def read(name: str, columns: list[str]) -> pd.DataFrame:
        return DeltaTable(str(root / name)).to_pandas(columns=columns)

    detections = read("gold/asset_detections", list(DETECTION_COLUMNS))
    sizes = read("gold/capability", list(SIZE_COLUMNS))
    profiles = DeltaTable(str(root / "silver/meter_profiles")).to_pyarrow_table(columns=["mpan_id", "availabilities", "first_date"])
    lists = profiles["availabilities"].combine_chunks()
    owner = np.repeat(np.arange(len(lists)), lists.value_lengths().to_numpy())
    meter = profiles["mpan_id"].combine_chunks().take(pa.array(owner))
    flat = lists.flatten()
    seasons = pa.table(
        {"mpan_id": meter, **{name: flat.field(name) for name in ("asset_class", "direction", "season", "probability", "kw_p50")}}
    )
    points = read("silver/meter_points", ["mpan_id", "gsp_group_id"]).set_index("mpan_id")["gsp_group_id"]
    last = detections["as_of_date"].max()
    days = pd.date_range(pd.Timestamp(last) - pd.Timedelta(days=364), last)
    return Lake(
        detections,
        sizes,
        seasons,
        read("silver/asset_events", ["mpan_id", "asset_class", "started_at", "energy_kwh", "is_import"]),
        points,
        pq.read_table(truth / "assets").to_pandas(),
        pq.read_table(truth / "events").to_pandas(),
        days,
    )


def find_shared(lake: Lake) -> SharedFactors:
    """What assets of a settlement area share from day to day."""
    events = lake.events.assign(
        day=lake.events["started_at"].dt.date,
        half=lake.events["mpan_id"].map(hash_half),
        gsp_group_id=lake.events["mpan_id"].map(lake.groups),
    )
    keys = ["gsp_group_id", "asset_class", "is_import", "day", "half"]
    return find_shared_factors(events.groupby(keys)["energy_kwh"].sum().rename("kwh").reset_index())


def hash_half(mpan: str) -> int:
    """One of two halves, by the meter's number."""
    return zlib.crc32(mpan.encode()) % 2


def deal(lake: Lake, size: int, seed: int) -> pd.Series:
    """Area of each examined meter."""
    meters = np.sort(lake.assets["mpan_id"].unique())
    order = np.random.default_rng(seed).permutation(len(meters))
    return pd.Series([f"a{place // size:04d}" for place in np.argsort(order)], index=meters)


def join_members(lake: Lake, area_of: pd.Series) -> pa.Table:
    """The present assets of each area with their sizes and seasons, as ``BlockPass`` takes them."""
    present = lake.assets[lake.assets["is_present"].eq(True)].drop(columns=["as_of_date"])
    members = present.assign(block_id=present["mpan_id"].map(area_of)).merge(lake.sizes, on=["mpan_id", "asset_class"], how="left")
    key = ["mpan_id", "asset_class", "direction"]
    timed = lake.seasons.append_column("row", pa.array(np.arange(lake.seasons.num_rows)))
    joined = members.merge(timed.select([*key, "season", "row"]).to_pandas(), on=key, how="left").sort_values("block_id", ignore_index=True)
    place = pa.array(joined.pop("row").astype("Int64"))
    rows = pa.Table.from_pandas(joined.assign(is_appeared=False, is_registered=False), preserve_index=False)
    for name in ("probability", "kw_p50"):
        rows = rows.append_column(name, timed[name].combine_chunks().take(place))
    return rows


def describe(lake: Lake, area_of: pd.Series, shared: SharedFactors) -> pd.DataFrame:
    """Figures of every area, class and direction, as gold.area_capability has them."""
    stamp = Stamp("", date(2000, 1, 1))
    blocks = pa.Table.from_batches(list(BlockPass(stamp)(join_members(lake, area_of)))).drop_columns(["run_id", "as_of_date"])
    columns = {
        "area_level": pa.array(["gsp"] * blocks.num_rows),
        "area_id": blocks["block_id"],
        "share_unanswered": pa.array([0.0] * blocks.num_rows),
    }
    for name, values in columns.items():
        blocks = blocks.append_column(name, values)
    areas = AreaPass(stamp, Rounding(1, 0.01), shared, load_errors())
    figures: pd.DataFrame = pa.Table.from_batches(list(CapabilityPass(areas)(blocks))).to_pandas()
    return figures


def true_power(lake: Lake, events: pd.DataFrame, season: str, slot: int, asset: str) -> tuple[pd.Index, np.ndarray]:
    """True power of each meter on every day of the season at that local half-hour, (meters, days), kW."""
    days = lake.days[SEASON_OF_MONTH[lake.days.month.to_numpy() - 1] == season]
    local = (days + pd.Timedelta(minutes=30 * slot + 15)).tz_localize(LONDON, ambiguous=True, nonexistent="shift_forward")
    moment = local.tz_convert("UTC").tz_localize(None).to_numpy("datetime64[s]").astype(np.int64)
    meters = pd.Index(events["mpan_id"].unique())
    start, end = (events[name].dt.tz_localize(None).to_numpy("datetime64[s]").astype(np.int64) for name in ("started_at", "ended_at"))
    found = np.zeros((len(meters), len(days)))
    row = meters.get_indexer(events["mpan_id"])
    mean = events["energy_kwh"].to_numpy() / ((end - start) / 3600)
    first = np.searchsorted(moment, start)
    for ahead in range(3):
        at = np.minimum(first + ahead, len(moment) - 1)
        inside = (first + ahead < len(moment)) & (moment[at] < end) & (moment[at] >= start)
        elapsed = (moment[at] - start) / np.maximum(end - start, 1)
        shape = 2 * np.sin(np.pi * elapsed) ** 2 if asset == AssetClass.SOLAR_PV else 1.0
        np.add.at(found, (row[inside], at[inside]), (mean * shape)[inside])
    return meters, found


def score(lake: Lake, figures: pd.DataFrame, area_of: pd.Series, least: int) -> Iterator[dict[str, object]]:
    """One row an area, class and direction with enough meters: is the truth within?"""
    present = lake.assets[lake.assets["is_present"].eq(True)]
    last = pd.Timestamp(lake.days[-1]).date()
    keys = ["asset_class", "direction", "busiest_season", "busiest_slot"]
    for key, rows in figures[figures["meters"] >= least].groupby(keys):
        (asset, direction, season), slot = map(str, key[:3]), int(float(str(key[3])))
        events = lake.true_events[(lake.true_events["asset_class"] == asset) & (lake.true_events["is_import"] == (direction == "import"))]
        meters, power = true_power(lake, events, season, slot, asset)
        detected = set(present.loc[present["asset_class"] == asset, "mpan_id"])
        size = ASSET_FACTS[AssetClass(asset)].sizes[-1 if asset == AssetClass.SOLAR_PV else 0].truth
        owned = lake.true_assets[(lake.true_assets["asset_class"] == asset) & (lake.true_assets["mpan_id"].isin(detected))]
        owned = owned[owned["removed_date"].isna() | (owned["removed_date"] > last)]
        area_of_owned = owned["mpan_id"].map(area_of)
        in_area = meters.map(area_of.to_dict())
        is_counted = meters.isin(list(detected))
        for row in rows.to_dict("records"):
            numbers = {str(name): float(row[name]) for name in row if "kw_" in str(name)}
            true_kw = power[(in_area == row["area_id"]) & is_counted].sum(axis=0)
            installed = float(owned.loc[(area_of_owned == row["area_id"]).to_numpy(), str(TrueSize(size))].sum())
            yield {
                "asset_class": asset,
                "direction": direction,
                "kw": float(((true_kw >= numbers["kw_p10"]) & (true_kw <= numbers["kw_p90"])).mean()),
                "below": float((true_kw < numbers["kw_p10"]).mean()),
                "mean_ratio": float(true_kw.mean() / max(numbers["kw_p50"], 1e-9)),
                "installed": float(numbers["installed_kw_p10"] <= installed <= numbers["installed_kw_p90"]),
                "installed_ratio": float(installed / max(numbers["installed_kw_p50"], 1e-9)),
            }


def main(argv: list[str]) -> int:
    """Print coverage by class and size of area."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="+", type=Path, metavar="LAKE TRUTH")
    parser.add_argument(
        "--least", type=whole_from(1), default=AreaSettings().min_meters, help="fewest detected assets of an area that is scored"
    )
    given = parser.parse_args(argv)
    found = []
    for place in range(0, len(given.pairs), 2):
        lake = read_lake(given.pairs[place], given.pairs[place + 1])
        shared = find_shared(lake)
        for size in SIZES:
            area_of = deal(lake, size, size)
            figures = describe(lake, area_of, shared)
            found += [{"fleet": place // 2, "size": size, **row} for row in score(lake, figures, area_of, given.least)]
    table = pd.DataFrame(found)
    numbers = {"areas": ("kw", "size"), **{name: (name, "mean") for name in ("kw", "below", "installed")}}
    medians = {name: (name, "median") for name in ("mean_ratio", "installed_ratio")}
    sys.stdout.write(table.groupby(["asset_class", "direction"]).agg(**numbers, **medians).round(2).to_string() + "\n")
    sys.stdout.write(table.groupby("size").agg(**numbers, **medians).round(2).to_string() + "\n")
    sys.stdout.write(f"all areas: kw {table['kw'].mean():.1%}, installed {table['installed'].mean():.1%} of {len(table)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
