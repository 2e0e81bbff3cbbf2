"""Adds one behaviour of an asset, or one look-alike, by rule to recorded homes that have none, and says how each is answered.

    behaviour_homes.py add --homes readings.parquet --series HOME,HOME --out DIR
    fmar import --lake LAKE --input DIR/readings.parquet && fmar characterise --lake LAKE
    behaviour_homes.py score --lake LAKE --labels DIR/labels.csv

Semi-synthetic: the homes are recorded, what is added is not. The rules share no code with the detectors or with the simulator.
"""

import argparse
import sys
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from blend_sessions import HOME_COLUMNS, read_columns, take_home
from deltalake import DeltaTable
from home_scenarios import FIRST_SCENARIOS, Home, Outcome
from later_scenarios import LATER_SCENARIOS
from newest_scenarios import NEWEST_SCENARIOS
from numpy.typing import NDArray

from fmar_spark.clock import LONDON
from fmar_spark.domain.assets import LABEL_OF_CLASS, AssetClass
from fmar_spark.domain.words import PRESENT_FROM, Tier
from fmar_spark.settings.bounds import whole_from
from fmar_spark.units import HOURS_PER_SLOT

PROVENANCE: Final = "semi-synthetic: recorded home, load added by rule"
WHOLE_DAY_HOURS: Final = 24.0


DATED_WITHIN_DAYS: Final = 7
SCENARIOS: Final = (*FIRST_SCENARIOS, *LATER_SCENARIOS, *NEWEST_SCENARIOS)


class Behaviour(NamedTuple):
    """Runs of constant power that are added to a home."""

    name: str
    has_ev: bool
    kw: float
    """Power, drawn within 3 % for each meter."""
    day_share: float
    """Days on which it runs."""
    start_hours: tuple[float, ...]
    """Local hours at which it starts, each on every day that it runs."""
    start_spread_hours: float
    kwh: tuple[float, float]
    """Range of a meter's mean energy a run."""
    spread: float
    """Spread of the energy from run to run, as the standard deviation of its logarithm."""
    follows_cold: bool = False
    """Energy follows the season, and hardly varies from day to day."""


BEHAVIOURS: Final = (
    Behaviour("nothing added", False, 0.0, 0.0, (0.5,), 0.0, (1.0, 1.0), 0.0),
    Behaviour("7.2 kW every night from 00:30", True, 7.2, 0.97, (0.5,), 0.0, (6.0, 14.0), 0.4),
    Behaviour("7.2 kW every night from 23:30", True, 7.2, 0.97, (23.5,), 0.0, (6.0, 14.0), 0.4),
    Behaviour("7.2 kW every night from 02:00", True, 7.2, 0.97, (2.0,), 0.0, (6.0, 14.0), 0.4),
    Behaviour("7.2 kW five nights a week", True, 7.2, 0.7, (0.5,), 0.0, (6.0, 14.0), 0.4),
    Behaviour("7.2 kW three nights a week", True, 7.2, 0.43, (0.5,), 0.0, (8.0, 20.0), 0.4),
    Behaviour("7.2 kW two nights a week", True, 7.2, 0.28, (0.5,), 0.0, (10.0, 26.0), 0.4),
    Behaviour("3.6 kW every night from 00:30", True, 3.6, 0.97, (0.5,), 0.0, (5.0, 12.0), 0.4),
    Behaviour("3.6 kW five nights a week", True, 3.6, 0.7, (0.5,), 0.0, (5.0, 12.0), 0.4),
    Behaviour("3.6 kW three nights a week", True, 3.6, 0.43, (0.5,), 0.0, (5.0, 14.0), 0.4),
    Behaviour("2.3 kW five nights a week", True, 2.3, 0.7, (0.5,), 0.0, (4.0, 9.0), 0.4),
    Behaviour("7.2 kW evenings", True, 7.2, 0.45, (18.0,), 1.5, (7.0, 15.0), 0.5),
    Behaviour("3.6 kW evenings", True, 3.6, 0.45, (18.0,), 1.5, (5.0, 12.0), 0.5),
    Behaviour("11 kW once a week", True, 11.0, 0.16, (19.0,), 2.0, (25.0, 45.0), 0.3),
    Behaviour("7.2 kW in half-hours through the night", True, 7.2, 0.6, (23.0, 1.5, 4.0), 0.7, (3.4, 3.8), 0.05),
    Behaviour("immersion heater, 3 kW, morning and evening", False, 3.0, 1.0, (6.0, 17.0), 0.1, (2.0, 4.5), 0.25),
    Behaviour("immersion heater, 3 kW, at night", False, 3.0, 1.0, (0.5,), 0.0, (4.0, 8.0), 0.2),
    Behaviour("water heating, 3.6 kW, twice a day, energy varies", False, 3.6, 1.0, (1.0, 7.0), 0.1, (3.5, 6.5), 0.35),
    Behaviour("storage heating, 2.6 kW", False, 2.55, 1.0, (0.5,), 0.0, (8.0, 16.0), 0.03, follows_cold=True),
    Behaviour("storage heating, 3.4 kW", False, 3.4, 1.0, (0.5,), 0.0, (10.0, 20.0), 0.03, follows_cold=True),
    Behaviour("storage heating, 6.8 kW", False, 6.8, 1.0, (0.5,), 0.0, (20.0, 40.0), 0.03, follows_cold=True),
)


def main() -> int:
    """Add or score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    adding = verbs.add_parser("add", help="write readings.parquet and labels.csv")
    adding.add_argument("--homes", type=Path, required=True, metavar="FILE", help="half-hourly readings, Parquet")
    adding.add_argument("--series", required=True, metavar="ID[,ID]", help="homes to use: those that are known to have no car")
    adding.add_argument("--out", type=Path, required=True, metavar="DIR")
    adding.add_argument("--each", type=whole_from(1), default=12, help="meters of each behaviour on each home (default: 12)")
    adding.add_argument("--days", type=whole_from(1), default=400, help="of each home, its last (default: 400)")
    adding.add_argument("--seed", type=whole_from(0), default=1, help="(default: 1)")
    scoring = verbs.add_parser("score", help="say how many are found, by behaviour")
    scoring.add_argument("--lake", type=Path, required=True, metavar="PATH")
    scoring.add_argument("--labels", type=Path, required=True, metavar="FILE", help="labels.csv of add")
    arguments = parser.parse_args()
    return add_behaviours(arguments) if arguments.verb == "add" else score_lake(arguments.lake, arguments.labels)


def add_behaviours(arguments: argparse.Namespace) -> int:
    """Write the homes with every behaviour, and what was added to each."""
    recorded = read_columns(arguments.homes, HOME_COLUMNS)
    readings, labels = [], []
    for place, home in enumerate(take_home(arguments.homes, recorded, name, arguments.days) for name in arguments.series.split(",")):
        local = pd.DatetimeIndex(home.index).tz_convert(LONDON)
        for number, behaviour in enumerate(BEHAVIOURS):
            for copy in range(arguments.each if behaviour.kw else 1):
                rng = np.random.default_rng((arguments.seed, place, number, copy))
                name = f"{home.name}__{number:02d}_{copy:02d}"
                readings.append(frame_readings(name, home.index, Outcome(home.to_numpy() + draw_load(rng, behaviour, local))))
                labels.append(label_meter(name, behaviour.name, (AssetClass.EV,) if behaviour.has_ev else ()))
                labels[-1]["ev_kw"] = round(behaviour.kw, 1) if behaviour.has_ev else None
        for number, scenario in enumerate(SCENARIOS, start=len(BEHAVIOURS)):
            for copy in range(arguments.each):
                rng = np.random.default_rng((arguments.seed, place, number, copy))
                name = f"{home.name}__{number:02d}_{copy:02d}"
                outcome = scenario.add(rng, Home(home.to_numpy(dtype=np.float64), pd.DatetimeIndex(home.index)))
                readings.append(frame_readings(name, home.index, outcome))
                labels.append(label_meter(name, scenario.name, scenario.has))
                labels[-1] |= {"ev_appeared_date": write_day(outcome.appeared), "ev_removed_date": write_day(outcome.removed)}
                labels[-1] |= {size: round(value, 2) for size, value in outcome.sizes.items()}
    arguments.out.mkdir(parents=True, exist_ok=True)
    pd.concat(readings).to_parquet(arguments.out / "readings.parquet", index=False)
    pd.DataFrame(labels).to_csv(arguments.out / "labels.csv", index=False)
    print(f"{len(labels)} meters of {len(BEHAVIOURS) + len(SCENARIOS)} behaviours in {arguments.out}")
    return 0


def draw_load(rng: np.random.Generator, behaviour: Behaviour, local: pd.DatetimeIndex) -> NDArray[np.float64]:
    """Energy added in each half-hour, kWh, shape (slots,): runs of constant power, each in the order of its day."""
    edges = np.arange(len(local) + 1)
    drawn = np.zeros(len(edges))
    if not behaviour.kw:
        return np.diff(drawn)
    kw = behaviour.kw * rng.uniform(0.97, 1.03)
    mean_kwh = rng.uniform(*behaviour.kwh)
    midnights = np.flatnonzero((local.hour == 0) & (local.minute == 0))
    for midnight in midnights[rng.random(midnights.size) < behaviour.day_share]:
        cold = 1.0
        if behaviour.follows_cold:
            cold = max(0.0, 0.55 + 0.6 * np.cos(2 * np.pi * (local[midnight].dayofyear - 20) / 365))
        for hour in behaviour.start_hours:
            kwh = mean_kwh * cold * np.exp(behaviour.spread * rng.standard_normal())
            start = midnight + (hour + behaviour.start_spread_hours * rng.standard_normal()) / HOURS_PER_SLOT
            slots = min(kwh / kw / HOURS_PER_SLOT, WHOLE_DAY_HOURS / HOURS_PER_SLOT / 2)
            if slots > 0:
                drawn += kw * slots * HOURS_PER_SLOT * np.clip((edges - start) / slots, 0.0, 1.0)
    return np.diff(drawn)


def label_meter(name: str, behaviour: str, classes: tuple[AssetClass, ...]) -> dict[str, object]:
    """The row of labels of one meter."""
    has = {label: int(asset in classes) for asset, label in LABEL_OF_CLASS.items()}
    return {"series_id": name, **has, "provenance": PROVENANCE, "behaviour": behaviour}


def frame_readings(name: str, index: pd.Index, outcome: Outcome) -> pd.DataFrame:
    """The delivered half-hours of one meter."""
    export_kwh = np.full(len(index), np.nan) if outcome.export_kwh is None else outcome.export_kwh
    columns = {"series_id": name, "timestamp_utc": index, "kwh_import": outcome.import_kwh, "kwh_export": export_kwh}
    return pd.DataFrame(columns)[outcome.kept].dropna(subset="kwh_import")


def write_day(moment: pd.Timestamp | None) -> str | None:
    """A local day as labels have it."""
    return None if moment is None else str(moment.date())


def score_lake(lake: Path, labels: Path) -> int:
    """Print, by behaviour, how the classes that are there are answered, and how many are said to have each class.

    ``found`` and ``denied`` (in the high tier) are of the classes that are there. ``on time``: of cars that come or go, those that are
    dated within a week.
    """
    known = pd.read_csv(labels)
    series = DeltaTable(str(lake / "silver" / "series")).to_pandas(columns=["series_id", "mpan_id"])
    columns = ["mpan_id", "asset_class", "probability", "present_probability", "tier", "appeared_date", "removed_date"]
    answers = DeltaTable(str(lake / "gold" / "asset_detections")).to_pandas(columns=columns)
    rows = known.merge(series, on="series_id").merge(answers, on="mpan_id")
    if rows.empty:
        print(f"{lake}: none of the series of {labels} is answered there", file=sys.stderr)
        return 1
    label_of = {asset.value: label for asset, label in LABEL_OF_CLASS.items()}
    rows["is_there"] = [row[label_of[row["asset_class"]]] == 1 for _, row in rows.iterrows()]
    rows["is_found"] = rows["probability"] >= PRESENT_FROM
    rows["is_denied"] = (rows["tier"] == Tier.HIGH.value) & (rows["present_probability"] < PRESENT_FROM) & ~rows["is_found"]
    print(pd.DataFrame([sum_up(name, meters) for name, meters in rows.groupby("behaviour", sort=False)]).to_string(index=False))
    return 0


def sum_up(name: object, answers: pd.DataFrame) -> dict[str, object]:
    """One line of the table."""
    there = answers[answers["is_there"]]
    line = {"behaviour": name, "meters": answers["mpan_id"].nunique()}
    line |= {title: write_share(there[column]) for title, column in (("found", "is_found"), ("denied", "is_denied"))}
    line |= {asset.value: write_share(answers.loc[answers["asset_class"] == asset.value, "is_found"]) for asset in AssetClass}
    cars = there[there["asset_class"] == AssetClass.EV.value]
    late = [
        (pd.to_datetime(cars[f"{kind}_date"]) - pd.to_datetime(cars[f"ev_{kind}_date"])).abs()[cars[f"ev_{kind}_date"].notna()]
        for kind in ("appeared", "removed")
    ]
    return line | {"on time": write_share(pd.concat(late) <= pd.Timedelta(days=DATED_WITHIN_DAYS))}


def write_share(answers: pd.Series) -> str:
    """A share as a percentage; a dash where there is none."""
    return f"{answers.mean():.0%}" if len(answers) else "-"


if __name__ == "__main__":
    sys.exit(main())
