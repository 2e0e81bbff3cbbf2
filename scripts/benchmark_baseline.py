"""Measures the day-ahead baseline on simulated businesses: processor time, and error beside the industry's baselines.

One thread, kernels alone: what Spark and Delta cost beside them is the same whatever the baseline. The reference for speed and
error is BL01 in this process, in the same run. Each case is timed several times and the quickest run counts, since others on
the machine can only slow a run down.
"""

import argparse
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from fmar_spark.kernels.assembly import Site, UtcReadings, UtcWeather, assemble_window
from fmar_spark.kernels.baseline.days import is_plain_working
from fmar_spark.kernels.baseline.reference import reference_bl01, reference_mid8of10
from fmar_spark.kernels.baseline.years import predict_by_year
from fmar_spark.kernels.sufficiency import check_history
from fmar_spark.kernels.window import Bools, Floats, Ints, MeterWindow
from fmar_spark.profiling.baselines import read_rules, score_baselines
from fmar_spark.profiling.public_holidays import find_holidays
from fmar_spark.settings.bounds import whole_from
from fmar_spark.settings.sections import BaselineSettings, CharacteriseSettings
from fmar_spark.simulate.fleet import simulate_fleet
from fmar_spark.simulate.plan import FleetPlan, mix_from
from fmar_spark.simulate.weather import GSP_AREAS
from fmar_spark.units import kwh_from_kw

FIRST_DATE = date(2023, 1, 1)
ASKED_DAYS = 40
LEAST_HISTORY_DAYS = 90
RUNS = 5
EVENT_HOURS = range(6, 22)
"""Placebo events of two hours begin at any of these."""


class Case(NamedTuple):
    """Something that is predicted for some days of every meter."""

    name: str
    predict: Callable[[Ints], tuple[Floats, ...]]
    """Gives predicted, and where there is one the interval, shape (meters, targets, 48)."""


class Fleet(NamedTuple):
    """Simulated businesses."""

    window: MeterWindow
    net_kwh: Floats
    asked: Bools
    """Days asked for, shape (meters, days)."""


def main() -> int:
    """Print what every case costs and how well it does."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--meters", type=whole_from(1), default=128, help="businesses, one chunk of them (default: 128)")
    parser.add_argument("--days", type=whole_from(1), default=365, help="days of history (default: 365)")
    parser.add_argument("--seed", type=whole_from(0), default=1, help="seed of the fleet (default: 1)")
    arguments = parser.parse_args()
    with threadpool_limits(1):
        fleet = simulate(arguments.meters, arguments.days, arguments.seed)
        report_score(fleet)
        report_requests(fleet)
    return 0


def simulate(meters: int, days: int, seed: int) -> Fleet:
    """Businesses with and without assets, their weather, and scattered days with readings to ask for."""
    plan = FleetPlan(meters, FIRST_DATE, FIRST_DATE + timedelta(days=days - 1), seed, mix_from({"domestic": 0.0}))
    fleet = simulate_fleet(plan)
    window = assemble_window(
        UtcReadings(fleet.import_kwh, fleet.export_kwh, fleet.interval_minutes, fleet.area),
        UtcWeather(fleet.weather.temp_c, fleet.weather.ghi_w_m2),
        tuple(Site(north, east) for _, north, east in GSP_AREAS.values()),
        FIRST_DATE,
        "Europe/London",
        find_holidays("Europe/London"),
    )
    net_kwh = np.ascontiguousarray(kwh_from_kw(window.net_kw))
    rng = np.random.default_rng(seed)
    is_whole = np.isfinite(net_kwh).all(axis=2) & (np.arange(net_kwh.shape[1]) >= LEAST_HISTORY_DAYS)
    rank = np.argsort(np.argsort(np.where(is_whole, rng.random(is_whole.shape), 2.0), axis=1), axis=1)
    return Fleet(window, net_kwh, is_whole & (rank < ASKED_DAYS))


def report_score(fleet: Fleet) -> None:
    """What the standing of every baseline costs within characterise."""
    sufficiency = check_history(fleet.window, 60, 0.5)
    net_kw, rules = fleet.window.net_kw, read_rules(BaselineSettings())
    chunk = CharacteriseSettings().meters_per_chunk
    seconds = time_quickest(lambda: score_baselines(fleet.window, net_kw, sufficiency, rules)) / len(net_kw)
    print(f"standing of the last {rules.score_days} days, BL01 included, {len(net_kw)} meters at once (characterise takes {chunk})")
    print(f"  {1e3 * seconds:.3f} ms a meter = {1 / seconds:,.0f} meter-years a core-second")


def report_requests(fleet: Fleet) -> None:
    """What scattered days and one single day cost, and how good the scattered ones are."""
    window, net_kwh = fleet.window, fleet.net_kwh
    is_working = is_plain_working(window.calendar)
    unknown_c = np.full_like(window.temp_c, np.nan)
    cases = [
        Case("BL01", lambda days: (reference_bl01(net_kwh, is_working, days),)),
        Case("mid-8-of-10", lambda days: (reference_mid8of10(net_kwh, is_working, days),)),
        Case("day filter", lambda days: predict_by_year(net_kwh, window.temp_c, window.area, window.calendar, days)[:3]),
        Case("the same without weather", lambda days: predict_by_year(net_kwh, unknown_c, window.area, window.calendar, days)[:3]),
    ]
    every_day = np.flatnonzero(fleet.asked.any(axis=0))
    newest = np.array([net_kwh.shape[1] - 1])
    asked = int(fleet.asked.sum())
    base = base_scores = None
    print(f"\n{len(net_kwh)} meters, {asked / len(net_kwh):.0f} scattered days each; medians over meters, ratios to BL01's")
    print(f"{'':26s}us/meter-day  to BL01  ms/meter, one day  CV(RMSE)  to BL01  NRMSE 2 h  to BL01  better   NMBE  within 80 %")
    for case in cases:
        seconds = time_quickest(lambda case=case: case.predict(every_day)) / asked  # type: ignore[misc]  # bound at once
        single = time_quickest(lambda case=case: case.predict(newest)) / len(net_kwh)  # type: ignore[misc]  # bound at once
        scores = score_forecast(fleet, every_day, case.predict(every_day))
        base, base_scores = base or seconds, scores if base_scores is None else base_scores
        cv, event, bias, within = scores
        cv_ratio, event_ratio = (np.nanmedian(scores[row] / base_scores[row]) for row in (0, 1))
        print(
            f"{case.name:26s}{1e6 * seconds:12.1f}  {seconds / base:7.1f}  {1e3 * single:17.3f}"
            f"  {np.nanmedian(cv):8.3f}  {cv_ratio:7.3f}  {np.nanmedian(event):9.3f}  {event_ratio:7.3f}"
            f"  {np.nanmean(event < base_scores[1]):6.2f}  {np.nanmean(bias):+.3f}  {np.nanmean(within):11.3f}"
        )


def score_forecast(fleet: Fleet, days: Ints, found: tuple[Floats, ...]) -> Floats:
    """CV(RMSE), NRMSE of two-hour placebo events, NMBE and share within the interval of each meter, shape (4, meters)."""
    actual = fleet.net_kwh[:, days]
    asked = fleet.asked[:, days, None] & np.isfinite(found[0])
    error = np.where(asked, found[0] - actual, np.nan)
    load = np.nanmean(np.where(asked, np.abs(actual), np.nan), axis=(1, 2))
    hourly = error.reshape(*error.shape[:2], 24, 2).sum(axis=3)
    event = (hourly[:, :, :-1] + hourly[:, :, 1:])[:, :, list(EVENT_HOURS)]
    within = np.full(len(load), np.nan)
    if len(found) > 1:
        within = np.nanmean(np.where(asked & np.isfinite(found[1]), (actual >= found[1]) & (actual <= found[2]), np.nan), axis=(1, 2))
    rmse = np.sqrt(np.nanmean(hourly**2, axis=(1, 2))) / (2 * load)
    return np.stack([rmse, np.sqrt(np.nanmean(event**2, axis=(1, 2))) / (4 * load), np.nanmean(error, axis=(1, 2)) / load, within])


def time_quickest(work: Callable[[], object]) -> float:
    """Processor seconds of the quickest of several runs."""
    spent = []
    for _ in range(RUNS):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return min(spent)


if __name__ == "__main__":
    sys.exit(main())
