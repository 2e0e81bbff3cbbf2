"""Puts recorded charging sessions on recorded homes without a car: semi-synthetic meters whose every charging half-hour is known.

Homes:    series_id, timestamp_utc (start of the half-hour), kwh_import
Sessions: user_id, plugin_utc, plugout_utc, energy_kwh, charging_power_kw_est
Writes readings.parquet (for jobs/import_intervals.py), labels.csv and truth.parquet (for scripts/evaluate --labels, --truth).

Each driver drives one home, the homes in turn. The last session is moved by whole weeks to the end of the home's readings, so
days of the week stay. Every third driver plugs in as recorded but charges from 00:30, where the session leaves time for that.
"""

import argparse
import sys
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.domain.assets import LABEL_OF_CLASS, AssetClass
from fmar_spark.domain.figures import write_count
from fmar_spark.intake.intervals.companions import DATES
from fmar_spark.settings.bounds import whole_from
from fmar_spark.units import HOURS_PER_SLOT, SLOT_MINUTES

HOME_COLUMNS: Final = ("series_id", "timestamp_utc", "kwh_import")
SESSION_COLUMNS: Final = ("user_id", "plugin_utc", "plugout_utc", "energy_kwh", "charging_power_kw_est")
SLOT: Final = pd.Timedelta(minutes=SLOT_MINUTES)
NIGHT_START: Final = pd.Timedelta(minutes=30)
LEAST_SLOTS: Final = 60
"""Half-hours of charging below which a driver is left out: hardly a car."""
NEW_FROM: Final = 40 * SLOTS_PER_DAY
"""Half-hours without a car at the start from which it is said to have come; before, it may have been there."""
PROVENANCE: Final = "semi-synthetic: recorded home, recorded charging of somebody else"


class Rules(NamedTuple):
    """Which drivers are taken, and how much of each home."""

    least_sessions: int
    least_days: int
    days: int
    seed: int


def main() -> int:
    """Write the blended meters and say how many."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--homes", type=Path, required=True, metavar="FILE", help="half-hourly readings, Parquet")
    parser.add_argument("--series", required=True, metavar="ID[,ID]", help="homes to use: those that are known to have no car")
    parser.add_argument("--sessions", type=Path, required=True, metavar="FILE", help="charging sessions, Parquet")
    parser.add_argument("--without", default="", metavar="SITE[,SITE]", help="leave out drivers whose user_id begins so")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--least-sessions", type=whole_from(1), default=15, help="of a driver (default: 15)")
    parser.add_argument("--least-days", type=whole_from(1), default=60, help="from a driver's first session to the last (default: 60)")
    parser.add_argument("--days", type=whole_from(1), default=400, help="of each home, its last (default: 400)")
    parser.add_argument("--seed", type=whole_from(0), default=1, help="of the order of drivers (default: 1)")
    options = parser.parse_args()
    rules = Rules(options.least_sessions, options.least_days, options.days, options.seed)
    readings_of = read_columns(options.homes, HOME_COLUMNS)
    homes = [take_home(options.homes, readings_of, name, rules.days) for name in options.series.split(",")]
    drivers = read_drivers(options.sessions, tuple(filter(None, options.without.split(","))), rules)
    labels, readings, truth = [], [], []
    for number, (user, sessions) in enumerate(drivers):
        home = homes[number % len(homes)]
        charged = charge_home(pd.DatetimeIndex(home.index), sessions, is_delayed=number % 3 == 2)
        active = np.flatnonzero(charged > 0)
        if active.size < LEAST_SLOTS:
            continue
        name = f"{home.name}__{user}"
        frame = pd.DataFrame({"series_id": name, "timestamp_utc": home.index})
        readings.append(frame.assign(kwh_import=home.to_numpy() + charged).dropna())
        truth.append(frame.assign(ev_kwh=charged))
        is_new = active[0] >= NEW_FROM
        labels.append(label_home(name, home.index[active[0]] if is_new else None, float(sessions["charging_power_kw_est"].median())))
    if not labels:
        parser.error("no driver has so many sessions over so many days")
    options.out.mkdir(parents=True, exist_ok=True)
    pd.concat(readings).to_parquet(options.out / "readings.parquet", index=False)
    pd.concat(truth).to_parquet(options.out / "truth.parquet", index=False)
    pd.DataFrame(labels).to_csv(options.out / "labels.csv", index=False)
    print(f"{write_count(len(labels), 'meter')} on {write_count(len(homes), 'home')} in {options.out}")
    return 0


def read_columns(path: Path, names: tuple[str, ...]) -> pd.DataFrame:
    """The named columns of a Parquet file."""
    if not path.is_file():
        raise SystemExit(f"{path}: no such file")
    try:
        missing = set(names) - set(pq.read_schema(path).names)
    except pa.ArrowInvalid as error:
        raise SystemExit(f"{path}: not Parquet") from error
    if missing:
        raise SystemExit(f"{path}: no column {', '.join(sorted(missing))}; {', '.join(names)} wanted")
    return pd.read_parquet(path, columns=list(names))


def take_home(path: Path, rows: pd.DataFrame, name: str, days: int) -> pd.Series:
    """Import of a home by UTC half-hour, kWh, NaN where unread."""
    rows = rows[rows["series_id"] == name].drop_duplicates("timestamp_utc").set_index("timestamp_utc").sort_index()
    if rows.empty:
        raise SystemExit(f"{path}: no series {name}")
    end = rows.index[-1].normalize()
    slots = pd.date_range(
        max(rows.index[0].normalize() + pd.Timedelta(days=1), end - pd.Timedelta(days=days)), end, freq=SLOT, inclusive="left"
    )
    return rows["kwh_import"].reindex(slots).rename(name)


def read_drivers(path: Path, without: tuple[str, ...], rules: Rules) -> list[tuple[str, pd.DataFrame]]:
    """Sessions with a known power, by driver, in an order that the seed sets."""
    sessions = read_columns(path, SESSION_COLUMNS)
    sessions = sessions[(sessions["charging_power_kw_est"] > 0) & (sessions["energy_kwh"] > 0)]
    found = []
    for user, mine in sessions.groupby("user_id"):
        span = mine["plugin_utc"].max() - mine["plugin_utc"].min()
        if len(mine) >= rules.least_sessions and span.days >= rules.least_days and not str(user).startswith(without or ("\0",)):
            found.append((str(user), mine))
    order = np.random.default_rng(rules.seed).permutation(len(found))
    return [found[place] for place in order]


def charge_home(slots: pd.DatetimeIndex, sessions: pd.DataFrame, *, is_delayed: bool) -> NDArray[np.float64]:
    """Energy charged in each half-hour of the home, kWh, at each session's constant power."""
    weeks = (slots[-1] - sessions["plugin_utc"].max()).days // 7
    start = sessions["plugin_utc"] + pd.Timedelta(weeks=weeks)
    until = sessions["plugout_utc"] + pd.Timedelta(weeks=weeks)
    hours = sessions["energy_kwh"] / sessions["charging_power_kw_est"]
    if is_delayed:
        night = (start + pd.Timedelta(hours=8)).dt.normalize() + NIGHT_START
        start = start.where((night < start) | (night + pd.to_timedelta(hours, unit="h") > until), night)
    begin = ((start - slots[0]) / SLOT).to_numpy()
    end = begin + hours.to_numpy() / HOURS_PER_SLOT
    edges = np.arange(len(slots) + 1)
    # Energy up to each edge of a half-hour, summed over sessions: of one it grows evenly from its begin to its end.
    passed = np.zeros(len(edges))
    for first, last, energy in zip(begin, end, sessions["energy_kwh"], strict=True):
        passed += energy * np.clip((edges - first) / (last - first), 0.0, 1.0)
    return np.diff(passed).round(9)


def label_home(name: str, first: pd.Timestamp | None, power_kw: float) -> dict[str, object]:
    """A row of a labels file."""
    has = {label: int(asset is AssetClass.EV) for asset, label in LABEL_OF_CLASS.items()}
    days = dict(zip(DATES[AssetClass.EV], (first and first.date(), None), strict=True))
    return {"series_id": name, **has, "ev_kw": round(power_kw, 3), "provenance": PROVENANCE, **days}


if __name__ == "__main__":
    sys.exit(main())
