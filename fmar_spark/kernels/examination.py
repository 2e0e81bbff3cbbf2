"""One look at a batch of meters by all five detectors, in the order in which they depend on each other."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.domain.assets import AssetClass
from fmar_spark.kernels.battery import detector as battery
from fmar_spark.kernels.demand_response import detector as demand_response
from fmar_spark.kernels.ev import detector as ev
from fmar_spark.kernels.heat_pump import detector as heat_pump
from fmar_spark.kernels.solar import detector as solar_pv
from fmar_spark.kernels.sufficiency import Sufficiency
from fmar_spark.kernels.window import Findings, Floats, MeterWindow

CONTEXT_FEATURES: Final = ("log_mean_kw", "load_factor", "log_days_seen", "missing_share", "is_hourly", "has_export", "weather_share")
FEATURES_OF_CLASS: Final[dict[AssetClass, tuple[str, ...]]] = {
    AssetClass.EV: ev.FEATURES,
    AssetClass.HEAT_PUMP: heat_pump.FEATURES,
    AssetClass.BATTERY: battery.FEATURES,
    AssetClass.SOLAR_PV: solar_pv.FEATURES,
    AssetClass.DEMAND_RESPONSE: demand_response.FEATURES,
}
FEATURES: Final[tuple[str, ...]] = CONTEXT_FEATURES + tuple(name for names in FEATURES_OF_CLASS.values() for name in names)


class Examination(NamedTuple):
    """What all detectors found, before any classifier has judged it."""

    features: Floats
    """Shape (meters, features), in the order of ``FEATURES``."""
    findings: dict[AssetClass, Findings]
    load_kw: Floats
    """Import less export plus estimated generation, shape (meters, days, 48), NaN where unread."""
    net_kw: Floats
    """Import less export, same shape."""


def examine_meters(window: MeterWindow, sufficiency: Sufficiency) -> Examination:
    """Take PV out first, then look for the other four classes in what is left.

    Args:
        window: meters by local day and slot.
        sufficiency: of the same meters.
    """
    net_kw = window.net_kw
    sun = solar_pv.examine(window)
    load_kw = net_kw + sun.generation_kw
    findings = {
        AssetClass.EV: ev.examine(window, load_kw),
        AssetClass.HEAT_PUMP: heat_pump.examine(window, load_kw),
        AssetClass.BATTERY: battery.examine(window, load_kw, sun.generation_kw),
        AssetClass.SOLAR_PV: sun.findings,
        AssetClass.DEMAND_RESPONSE: demand_response.examine(window, load_kw),
    }
    parts = [_context_features(window, sufficiency), *(findings[asset].features for asset in FEATURES_OF_CLASS)]
    return Examination(np.concatenate(parts, axis=1).astype(np.float32), findings, load_kw, net_kw)


def _context_features(window: MeterWindow, sufficiency: Sufficiency) -> Floats:
    read = ~np.isnan(window.import_kw)
    filled = np.where(read, window.import_kw, np.float32(0.0))
    mean_kw = filled.sum(axis=(1, 2), dtype=np.float64) / np.maximum(read.sum(axis=(1, 2)), 1)
    peak_kw = filled.max(axis=(1, 2), initial=0.0)
    return np.stack(
        [
            np.log10(np.maximum(mean_kw, 1e-3)),
            mean_kw / np.maximum(peak_kw, 1e-6),
            np.log10(np.maximum(sufficiency.days_seen, 1)),
            sufficiency.missing_share,
            window.interval_minutes > 30,
            window.has_export,
            sufficiency.weather_share,
        ],
        axis=1,
    )
