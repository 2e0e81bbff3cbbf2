"""One look at a batch of meters by the detectors of all classes, in the order in which they depend on each other."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType, ModuleType
from typing import Final, NamedTuple

import numpy as np

from fmar_spark.domain.assets import ASSET_FACTS, AssetClass
from fmar_spark.kernels.battery import detector as battery
from fmar_spark.kernels.battery.detector import BatteryRules
from fmar_spark.kernels.demand_response import detector as demand_response
from fmar_spark.kernels.ev import detector as ev
from fmar_spark.kernels.heat_pump import detector as heat_pump
from fmar_spark.kernels.overlap import share_overlap
from fmar_spark.kernels.solar import detector as solar_pv
from fmar_spark.kernels.solar.detector import PvFindings, PvRules
from fmar_spark.kernels.sufficiency import Sufficiency
from fmar_spark.kernels.window import Feature, Findings, Floats, Ints, MeterWindow, Method, name_columns


class SizingRules(NamedTuple):
    """What sizes rest on beside the readings: settings of a user who knows the assets better."""

    pv: PvRules = PvRules()
    battery: BatteryRules = BatteryRules()


class Scene(NamedTuple):
    """What a detector may look at, and the rules of sizes."""

    window: MeterWindow
    sizing: SizingRules
    sun: PvFindings
    load_kw: Floats
    """Import less export plus estimated generation, shape (meters, days, 48), NaN where unread."""


class Detector(NamedTuple):
    """What finds one class: the module that declares and makes its evidence, and how it is called."""

    module: ModuleType
    examine: Callable[[Scene], Findings]
    rival: AssetClass | None = None
    """Class whose episodes may be the same energy: a car and a battery both fill at night, and a car may cycle as a heat pump does."""

    @property
    def features(self) -> tuple[Feature, ...]:
        """The evidence that it declares, and how far its episodes lie on its rival's."""
        declared: tuple[Feature, ...] = self.module.FEATURES
        return declared if self.rival is None else (*declared, describe_overlap(self.module, self.rival))

    @property
    def method(self) -> Method:
        """How it works, for docs/methods.md."""
        method: Method = self.module.METHOD
        return method


def describe_overlap(module: ModuleType, rival: AssetClass) -> Feature:
    """The evidence of how far a class's episodes lie on those of another."""
    own = module.FEATURES[0].name.partition("_")[0]
    return Feature(f"{own}_{rival.value}_overlap", "share", f"Energy of its episodes that runs during those of {ASSET_FACTS[rival].words}.")


DETECTORS: Final[Mapping[AssetClass, Detector]] = MappingProxyType(
    {
        AssetClass.EV: Detector(ev, lambda scene: ev.examine(scene.window, scene.load_kw), AssetClass.BATTERY),
        AssetClass.HEAT_PUMP: Detector(heat_pump, lambda scene: heat_pump.examine(scene.window, scene.load_kw), AssetClass.EV),
        AssetClass.BATTERY: Detector(
            battery,
            lambda scene: battery.examine(scene.window, scene.load_kw, scene.sun.generation_kw, scene.sizing.battery),
            AssetClass.EV,
        ),
        AssetClass.SOLAR_PV: Detector(solar_pv, lambda scene: scene.sun.findings),
        AssetClass.DEMAND_RESPONSE: Detector(demand_response, lambda scene: demand_response.examine(scene.window, scene.load_kw)),
    }
)
CONTEXT_FEATURES: Final = (
    Feature("log_mean_kw", "log10 kW", "Mean import."),
    Feature("load_factor", "ratio", "Mean import over its highest half-hour."),
    Feature("log_days_seen", "log10 days", "Days of which at least half was read."),
    Feature("missing_share", "share", "Half-hours unread between the first and the last day seen."),
    Feature("is_hourly", "1 or 0", "The source's step is an hour."),
    Feature("has_export", "1 or 0", "Some export was read."),
    Feature("weather_share", "share", "Days seen whose temperature is known."),
)
"""The meter's circumstances, beside what the detectors find."""
WEATHER_KNOWN_SHARE: Final = 0.5
"""Share of days with temperatures from which the weather counts as known. Source: definition."""
METERINGS: Final = ("export_weather", "export", "import_only_weather", "import_only")
"""How much of a site a meter can show: whether its export is read, and whether the weather is known of most of its days."""
FEATURE_DIGITS: Final = 4
"""Significant digits of a feature. Processors add in different orders, so that digits beyond differ; a tree that decides on them would
give one meter two answers on two machines."""
FEATURES: Final[tuple[str, ...]] = tuple(
    feature.name for declared in (CONTEXT_FEATURES, *(detector.features for detector in DETECTORS.values())) for feature in declared
)
"""Columns of the evidence that is handed to a classifier and stored with a profile."""


class SizeEstimate(NamedTuple):
    """A size of many meters, with what its interval rests on; shape (meters,) each."""

    value: Floats
    spread: Floats
    """Rough relative error that the detector states, NaN unknown."""
    metering: Ints
    """Position in ``METERINGS``."""


def find_meterings(features: Floats) -> Ints:
    """Position in ``METERINGS`` of each meter, shape (meters,).

    Args:
        features: shape (meters, features), in the order of ``FEATURES``.
    """
    has_export, weather_share = (features[:, FEATURES.index(name)] for name in ("has_export", "weather_share"))
    return np.where(has_export > 0, 0, 2) + np.where(weather_share >= WEATHER_KNOWN_SHARE, 0, 1)


class Examination(NamedTuple):
    """What all detectors found, before any classifier has scored it."""

    features: Floats
    """Shape (meters, features), float32, in the order of ``FEATURES``."""
    findings: dict[AssetClass, Findings]
    load_kw: Floats
    """Import less export plus estimated generation, shape (meters, days, 48), NaN where unread."""
    net_kw: Floats
    """Import less export, same shape."""


def examine_meters(window: MeterWindow, sufficiency: Sufficiency, sizing: SizingRules | None = None) -> Examination:
    """Take PV out first, then look for the other classes in what is left.

    Args:
        window: meters by local day and slot.
        sufficiency: of the same meters.
        sizing: what sizes rest on; None = the defaults.
    """
    sizing = sizing or SizingRules()
    net_kw = window.net_kw
    sun = solar_pv.examine(window, sizing.pv)
    load_kw = net_kw + sun.generation_kw
    scene = Scene(window, sizing, sun, load_kw)
    findings = {asset: detector.examine(scene) for asset, detector in DETECTORS.items()}
    meters, days, slots_per_day = load_kw.shape
    for asset, detector in DETECTORS.items():
        if detector.rival is not None:
            own, rival = findings[asset], findings[detector.rival]
            overlap = share_overlap(own.events, rival.events, meters, days * slots_per_day)
            findings[asset] = own._replace(features={**own.features, detector.features[-1].name: overlap})
    columns = describe_context(window, sufficiency)
    for found in findings.values():
        columns |= found.features
    return Examination(stack_features(columns, FEATURES), findings, load_kw, net_kw)


def stack_features(columns: Mapping[str, Floats], names: Sequence[str]) -> Floats:
    """The named columns as one matrix, shape (meters, names), float32, to ``FEATURE_DIGITS`` significant digits."""
    return round_digits(np.stack([columns[name] for name in names], axis=1).astype(np.float64), FEATURE_DIGITS).astype(np.float32)


def round_digits(values: Floats, digits: int) -> Floats:
    """The same values to so many significant digits; zero, NaN and infinity stay."""
    is_plain = np.isfinite(values) & (values != 0)
    exponent = np.floor(np.log10(np.abs(np.where(is_plain, values, 1.0))))
    scale = 10.0 ** (digits - 1 - exponent)
    return np.where(is_plain, np.round(np.where(is_plain, values, 0.0) * scale) / scale, values)


def describe_context(window: MeterWindow, sufficiency: Sufficiency) -> dict[str, Floats]:
    """The meter's circumstances, by the names of ``CONTEXT_FEATURES``."""
    read = ~np.isnan(window.import_kw)
    filled = np.where(read, window.import_kw, np.float32(0.0))
    mean_kw = filled.sum(axis=(1, 2), dtype=np.float64) / np.maximum(read.sum(axis=(1, 2)), 1)
    peak_kw = filled.max(axis=(1, 2), initial=0.0)
    columns = {
        "log_mean_kw": np.log10(np.maximum(mean_kw, 1e-3)),
        "load_factor": mean_kw / np.maximum(peak_kw, 1e-6),
        "log_days_seen": np.log10(np.maximum(sufficiency.days_seen, 1)),
        "missing_share": sufficiency.missing_share,
        "is_hourly": window.interval_minutes > 30,
        "has_export": window.has_export,
        "weather_share": sufficiency.weather_share,
    }
    return name_columns(CONTEXT_FEATURES, columns)
