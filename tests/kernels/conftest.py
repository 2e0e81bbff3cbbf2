"""What kernel tests share: ways to build a window from plain arrays and to see a simulated fleet as one."""

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pytest

from fmar_spark import clock
from fmar_spark.kernels.assembly import Site, UtcReadings, UtcWeather, assemble_window, build_calendar, trace_clear_sky
from fmar_spark.kernels.window import Floats, MeterWindow
from fmar_spark.simulate.fleet import Fleet, simulate_fleet
from fmar_spark.simulate.plan import FleetPlan, Mix, mix_from
from fmar_spark.simulate.weather import GSP_AREAS

LONDON = Site(51.5, -0.1)
BARE = dict.fromkeys(Mix._fields, 0.0) | {"domestic": 1.0}


class SeenFleet(NamedTuple):
    """A simulated fleet and the window that its readings make."""

    plan: FleetPlan
    fleet: Fleet
    window: MeterWindow


@pytest.fixture
def lay_window() -> Callable[..., MeterWindow]:
    """A function from powers (meters, days, 48) to a window; temperature may be (days,) or (days, 48), else it is unknown."""

    def lay(
        import_kw: Floats, export_kw: Floats | None = None, temp_c: Floats | None = None, first_date: date = date(2023, 1, 2)
    ) -> MeterWindow:
        meters, days, slots = import_kw.shape
        unread = np.full(import_kw.shape, np.nan, dtype=np.float32)
        given = unread if export_kw is None else export_kw.astype(np.float32)
        felt = np.full((days, slots), np.nan) if temp_c is None else temp_c
        sky = trace_clear_sky(LONDON, first_date, days, clock.LONDON)
        return MeterWindow(
            import_kw=import_kw.astype(np.float32),
            export_kw=given,
            has_export=(np.nan_to_num(given) > 0).any(axis=(1, 2)),
            interval_minutes=np.full(meters, 30),
            area=np.zeros(meters, dtype=np.int64),
            temp_c=np.broadcast_to(felt if felt.ndim == 2 else felt[:, None], (1, days, slots)).astype(np.float32),
            ghi_w_m2=np.full((1, days, slots), np.nan, dtype=np.float32),
            clear_w_m2=sky.clear_w_m2[None],
            cos_zenith=sky.cos_zenith[None],
            azimuth_rad=sky.azimuth_rad[None],
            latitude_deg=np.array([LONDON.latitude_deg]),
            calendar=build_calendar(first_date, days, frozenset(), southern=False),
        )

    return lay


@pytest.fixture(scope="session")
def see_fleet() -> Callable[..., SeenFleet]:
    """A function from shares of assets to a year of forty homes with those and nothing else, every half-hour of them read."""

    @lru_cache(maxsize=8)
    def see(seed: int = 2, **shares: float) -> SeenFleet:
        plan = FleetPlan(40, date(2022, 7, 1), date(2023, 6, 30), seed, mix_from(BARE | shares))
        fleet = simulate_fleet(plan)
        readings = UtcReadings(fleet.import_kwh, fleet.export_kwh, fleet.interval_minutes, fleet.area)
        weather = UtcWeather(fleet.weather.temp_c, fleet.weather.ghi_w_m2)
        sites = tuple(Site(*GSP_AREAS[group][1:]) for group in fleet.weather.gsp_group)
        return SeenFleet(plan, fleet, assemble_window(readings, weather, sites, plan.first_date, clock.LONDON, frozenset()))

    return see
