"""A lake of a small simulated fleet that the engine itself characterised, written without Spark, with its truth beside it."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as arrow_parquet
from deltalake import write_deltalake
from plain_columns import plain_schema

from fmar_spark.contracts.capability import ASSET_DETECTIONS, CAPABILITY
from fmar_spark.contracts.profiles import ASSET_EVENTS, METER_PROFILES
from fmar_spark.contracts.readings import LABELS, LEGAL_BASES, METER_POINTS, READINGS, SERIES, WEATHER
from fmar_spark.contracts.table import TableContract
from fmar_spark.evaluation.scorecard import Order, evaluate_lake
from fmar_spark.learning.bundled_classifier import load_bundled
from fmar_spark.learning.resampling import DrawRules
from fmar_spark.profiling.baselines import ScoreRules
from fmar_spark.profiling.profiles import ProfilePass, read_profile_rules
from fmar_spark.profiling.windows import WeatherBook, build_weather_book
from fmar_spark.settings.sections import Settings
from fmar_spark.simulate.fleet import Fleet, FleetPlan, prepare_setting, simulate_block
from fmar_spark.simulate.permissions import draw_permissions
from fmar_spark.simulate.truth_tables import tabulate_assets, tabulate_events, tabulate_labels, tabulate_meters, tabulate_weather

PLAN: Final = FleetPlan(24, date(2023, 1, 1), date(2023, 5, 31), 5)
MOMENT: Final = datetime(2023, 6, 1, tzinfo=UTC)
HOMES: Final = 5
"""The last meters of the fleet stand in the lake as a user's own series ``home0`` .. ."""


@cache
def simulate(plan: FleetPlan) -> Fleet:
    """The fleet of a plan of one block, once in a test run."""
    return simulate_block(prepare_setting(plan), 0)


def write_table(root: Path, contract: TableContract, columns: Mapping[str, Any]) -> None:
    """The columns as the table; what they leave out is null."""
    rows = len(next(iter(columns.values())))
    filled = {}
    for field in plain_schema(contract):
        given = columns.get(field.name)
        filled[field.name] = pa.nulls(rows, field.type) if given is None else _cast(given, field.type)
    write_deltalake(str(root / contract.layer / contract.name), pa.table(filled))


def write_world(folder: Path) -> Path:
    """The lake ``folder/lake`` and the fleet's truth in ``folder/landing``."""
    lake, readings, points, weather = write_readings(folder)
    characterise(lake, readings, points, weather)
    return lake


def write_readings(folder: Path) -> tuple[Path, pa.Table, dict[str, Any], WeatherBook]:
    """The same lake before anything is found in it; its readings, the columns of its meters and its weather."""
    fleet = simulate(PLAN)
    lake = folder / "lake"
    write_truth(folder / "landing" / "_truth", fleet, PLAN)
    meters = tabulate_meters(PLAN, fleet, draw_permissions(PLAN, 0, fleet)).to_pydict()
    readings = lay_readings(fleet)
    weather = tabulate_weather(PLAN, fleet)
    weather_area = fleet.gsp_group
    count = len(fleet.mpan_id)
    points = {
        "mpan_id": fleet.mpan_id,
        "source": ["dip"] * (count - HOMES) + ["import"] * HOMES,
        "boundary_mpan_id": fleet.mpan_id,
        "gsp_group_id": fleet.gsp_group,
        "is_domestic": meters["is_domestic"],
        "interval_minutes": meters["interval_minutes"],
        "time_zone": ["Europe/London"] * count,
        "latitude": [52.0] * count,
        "longitude": [-1.0] * count,
        "weather_area": weather_area,
        "consent_granularity": ["H"] * count,
        "reported_at": [MOMENT] * count,
    }
    bases = {
        "mpan_id": fleet.mpan_id,
        "purpose": ["any"] * count,
        "basis": ["public task"] * count,
        "source": ["a test"] * count,
        "recorded_at": [MOMENT] * count,
    }
    write_table(lake, LEGAL_BASES, bases)
    write_table(lake, METER_POINTS, points)
    write_table(
        lake,
        READINGS,
        {**readings, "quality": [["A"] * 48] * len(readings["mpan_id"]), "reported_at": [MOMENT] * len(readings["mpan_id"])},
    )
    write_table(lake, WEATHER, weather.to_pydict())
    homes = fleet.mpan_id[-HOMES:]
    write_table(lake, SERIES, {"series_id": [f"home{place}" for place in range(HOMES)], "mpan_id": homes, "imported_at": [MOMENT] * HOMES})
    labels = {name: values[: count - HOMES] for name, values in tabulate_labels(fleet).to_pydict().items()}
    write_table(lake, LABELS, labels)
    return lake, pa.table(readings), points, build_weather_book(weather)


def evaluate_everything(lake: Path, home_labels: Path) -> dict[str, Any]:
    """All figures of such a lake, in other circumstances as well; labels of the own series from a file."""
    rules = DrawRules(draws=20, least_meters=3)
    order = Order(labels=(lake.parent / "landing", home_labels), has_circumstances=True, mistakes=2, rules=rules)
    return evaluate_lake(lake, order, Settings(), lambda stage: None)


def write_truth(folder: Path, fleet: Fleet, plan: FleetPlan) -> None:
    """Labels, assets and episodes as jobs/simulate_fleet.py leaves them."""
    tables = {"labels": tabulate_labels(fleet), "assets": tabulate_assets(plan, fleet), "events": tabulate_events(plan, fleet)}
    for name, table in tables.items():
        (folder / name).mkdir(parents=True)
        arrow_parquet.write_table(table, folder / name / "b00000.parquet")
    (folder / "plan.txt").write_text(f"{plan!r} faults=\n", encoding="utf-8")


def lay_readings(fleet: Fleet) -> dict[str, Any]:
    """One row a meter, day and register."""
    parts = [(fleet.import_kwh, "AI"), (fleet.export_kwh, "AE")]
    found: dict[str, list[Any]] = {"mpan_id": [], "utc_date": [], "quantity": [], "kwh": []}
    dates = (np.datetime64(PLAN.first_date) + np.arange(PLAN.days)).astype(date).tolist()
    for values, quantity in parts:
        days = values.reshape(len(values), PLAN.days, 48)
        for row, mpan in enumerate(fleet.mpan_id):
            for place in np.flatnonzero(~np.isnan(days[row]).all(axis=1)):
                found["mpan_id"].append(mpan)
                found["utc_date"].append(dates[place])
                found["quantity"].append(quantity)
                found["kwh"].append([None if value != value else float(value) for value in days[row, place]])
    kinds = {"mpan_id": pa.string(), "utc_date": pa.date32(), "quantity": pa.string(), "kwh": pa.list_(pa.float32())}
    return {name: pa.array(values, kinds[name]) for name, values in found.items()}


def characterise(lake: Path, readings: pa.Table, points: dict[str, Any], weather: WeatherBook) -> None:
    """The engine's own pass over the readings, and the tables that are projected from it."""
    settings = Settings()
    rules = read_profile_rules(settings)._replace(baseline=ScoreRules(score_days=1, warm_up_days=14))
    attributes = ("interval_minutes", "time_zone", "latitude", "longitude", "weather_area", "gsp_group_id", "is_domestic")
    place = pc.index_in(readings["mpan_id"], value_set=pa.array(points["mpan_id"])).to_numpy()
    chunk = readings
    for name in attributes:
        chunk = chunk.append_column(name, pa.array([points[name][row] for row in place.tolist()]))
    scorer = load_bundled()
    batches = ProfilePass(scorer, weather, rules, "run", PLAN.last_date)(chunk.sort_by("mpan_id"))
    profiles = pa.Table.from_batches(list(batches))
    write_table(lake, METER_PROFILES, {name: profiles[name].combine_chunks() for name in profiles.column_names})
    run = ("run_id", "as_of_date")
    write_table(lake, ASSET_DETECTIONS, unfold(profiles, "detections", (*run, "days_seen", "model_version")))
    sizes = unfold(profiles, "capabilities", run)
    there = {(one["mpan_id"], found["asset_class"]) for one in profiles.to_pylist() for found in one["detections"] if found["is_present"]}
    kept = pa.array([pair in there for pair in zip(sizes["mpan_id"].to_pylist(), sizes["asset_class"].to_pylist(), strict=True)])
    write_table(lake, CAPABILITY, {name: values.filter(kept) for name, values in sizes.items()})
    write_table(lake, ASSET_EVENTS, unfold(profiles, "events", ()))


def unfold(profiles: pa.Table, column: str, kept: Iterable[str]) -> dict[str, pa.Array]:
    """Rows of the structs in a column of lists, with their meter."""
    lists = profiles[column].combine_chunks()
    owner = pc.list_parent_indices(lists)
    flat = pa.Table.from_struct_array(pc.list_flatten(lists))
    found = {name: flat[name].combine_chunks() for name in flat.column_names}
    return found | {name: profiles[name].combine_chunks().take(owner) for name in ("mpan_id", *kept)}


def _cast(values: Any, kind: pa.DataType) -> pa.Array:
    return values.cast(kind) if isinstance(values, pa.Array) else pa.array(values, kind)
