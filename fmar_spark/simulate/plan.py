"""The plan of a fleet: size, dates, seed, and the share of everything in it."""

import zlib
from collections.abc import Mapping
from datetime import date
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.errors import ConfigError

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]
Bools = NDArray[np.bool_]

BLOCK_METERS: Final = 128
"""Meters that are drawn together: a fleet is always cut at the same places, so its data do not depend on the chunks asked for."""

HOMES: Final = ("flat", "terrace", "detached")
BUSINESSES: Final = (
    "school",
    "shop",
    "office",
    "cold_store",
    "workshop",
    "farm",
    "laboratory",
    "hospitality",
    "always_on",
    "shared_building",
)
PREMISES: Final = HOMES + BUSINESSES
CONFUSERS: Final = (
    "immersion",
    "storage_heating",
    "electric_shower",
    "direct_heating",
    "hot_tub",
    "air_conditioning",
    "oven_heavy",
    "vacancy",
    "habit_change",
    "new_occupants",
    "slow_start",
    "pool_pump",
    "portable_heater",
    "grow_lights",
    "tumble_dryer",
    "works_machine",
    "empty_home",
    "second_home",
    "night_load",
    "hours_away",
    "low_standing_load",
)
TARIFFS: Final = ("flat", "two_rate", "off_peak_ev", "dynamic", "peak_charge")


class Mix(NamedTuple):
    """Shares from 0 to 1; those of assets (of homes and of businesses, by class) and look-alikes are of the premises that are not plain."""

    domestic: float = 0.74
    """Homes among all meters."""
    plain: float = 0.25
    """Meters with neither an asset nor a look-alike."""
    home_ev: float = 0.36
    home_heat_pump: float = 0.24
    home_solar_pv: float = 0.34
    home_battery: float = 0.20
    home_demand_response: float = 0.10
    business_ev: float = 0.20
    business_heat_pump: float = 0.18
    business_solar_pv: float = 0.38
    business_battery: float = 0.14
    business_demand_response: float = 0.26
    confuser_scale: float = 1.0
    """Multiplies how often each look-alike occurs."""
    appears: float = 0.22
    """Assets that arrive within the dates of the plan."""
    removed: float = 0.07
    """Assets that leave within the dates."""
    upgraded: float = 0.08
    """Assets that change size within the dates."""
    no_export_register: float = 0.35
    """Generating meters of which only import is read."""
    hourly: float = 0.12
    """Meters whose source step is an hour."""
    unread: float = 0.6
    """Meters with some gap."""
    london: float = 1.0
    """Multiplies how many meters stand in London; at 0 its weather is left out too, so that a measured one can stand there."""
    no_half_hourly_consent: float = 0.05
    opted_out: float = 0.04
    """Meters that are opted out for part of the time."""
    no_legal_basis: float = 0.05
    """Domestic meters for which nobody recorded a legal basis."""


class FleetPlan(NamedTuple):
    """Everything that determines a fleet."""

    meters: int
    first_date: date
    """First UTC day."""
    last_date: date
    """Last UTC day, inclusive."""
    seed: int = 1
    mix: Mix = Mix()

    @property
    def days(self) -> int:
        """UTC days in the plan."""
        return (self.last_date - self.first_date).days + 1

    @property
    def slots(self) -> int:
        """Half-hours in the plan."""
        return self.days * SLOTS_PER_DAY


def mix_from(shares: Mapping[str, float]) -> Mix:
    """The default mix with some shares replaced.

    Raises:
        ConfigError: an unknown name, or a share outside 0..1.
    """
    for name, share in shares.items():
        if name not in Mix._fields:
            raise ConfigError(f"mix: {name!r} found, one of {', '.join(Mix._fields)} wanted")
        is_number = isinstance(share, int | float) and not isinstance(share, bool)
        if not is_number or share < 0 or (share > 1 and name != "confuser_scale"):
            raise ConfigError(f"mix: {name} is {share!r}, a share from 0 to 1 wanted")
    return Mix(**{name: float(share) for name, share in shares.items()})


def check_plan(plan: FleetPlan) -> FleetPlan:
    """The same plan.

    Raises:
        ConfigError: no meters, or dates the wrong way round.
    """
    if plan.meters < 1:
        raise ConfigError(f"fleet: {plan.meters} meters found, 1 or more wanted")
    if plan.days < 1:
        raise ConfigError(f"fleet: ends on {plan.last_date} before it starts on {plan.first_date}")
    return plan


def open_stream(seed: int, block: int, subject: str) -> np.random.Generator:
    """A random stream of its own for each subject and block, so that a change to one leaves the others alone."""
    return np.random.default_rng([seed & 0xFFFFFFFF, block, zlib.crc32(subject.encode())])
