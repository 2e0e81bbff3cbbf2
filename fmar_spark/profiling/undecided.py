"""A car is neither found nor denied where another load of the home may have made what speaks for it."""

from typing import Final

import numpy as np

from fmar_spark.domain.assets import ASSET_CLASSES, AssetClass
from fmar_spark.domain.words import PRESENT_FROM
from fmar_spark.kernels.window import Findings, Floats
from fmar_spark.profiling.verdicts import TierRules, Undecided, find_drowned

BY_A_HEATER: Final = "blocks that a water heater and a car on a weak lead both draw"
BY_A_BATTERY: Final = "blocks of the power at which the battery fills, which a car may draw as well"
IN_THE_SUN: Final = "surplus generation is taken whole for hours, by a car or by another load that waits for it"
"""Why a car is neither found nor denied."""
HEATER_KW: Final = (2.0, 3.2)
"""Power of immersion heaters, whose blocks a car on a weak lead has as well. Source: GB elements are of 2.2 to 3 kW at 230 V."""
SOCKET_KW: Final = 2.6
"""What a lead on a socket draws at most. Source: such leads are limited to 10 A, at up to 253 V."""
REGULAR_DAYS: Final = 0.4
REGULAR_STARTS: Final = 0.3
HEATER_HOURS: Final = 8.0
HEATER_ENERGY: Final = 0.7
SUMMER_TOO: Final = 0.5
"""A block of a heater's power is a tank's or a car's where it begins on this share of days at least, with no more starts than this outside
the busiest hour and a half, for no longer than this, holds this share of the energy of all blocks and is not a winter's alone.
Source: chosen by hand on rules added to two recorded homes, whose own loads have none such."""
SAME_POWER: Final = 0.1
"""How far a car's power lies from a battery's, as a share of it, where their blocks are the same."""
SUNNY_DAYS: Final = 0.05
SUNNY_HOURS: Final = 2.0
"""Surplus is taken as by a car from this share of the days with export, for this long at a time, where no battery is found.
Source: chosen by hand; arrays and hot water diverters added by rule to three recorded homes take none so."""


def find_undecided(probability: Floats, findings: dict[AssetClass, Findings], rules: TierRules) -> list[Undecided]:
    """Where a car is neither found nor denied, since another load may have made what speaks for it.

    A block of a heater's power that is regular as a tank's decides nothing below the medium tier, and any block of that power nothing
    below the high one where the load itself changes by as much as a car; nor does one of the power of a battery that is sure. Surplus
    that a car may have taken is no heater's, and where it was taken no car is denied.

    Args:
        probability: tempered, shape (meters, classes).
        findings: of the same meters.
        rules: the tiers.
    """
    seen, battery = findings[AssetClass.EV].features, findings[AssetClass.BATTERY].sizes.rated_import_kw
    car, store = (probability[:, ASSET_CLASSES.index(asset)] for asset in (AssetClass.EV, AssetClass.BATTERY))
    power_kw = seen["ev_power_kw"]
    is_low = (car >= PRESENT_FROM) & (car < rules.medium)
    is_regular = (seen["ev_day_share"] >= REGULAR_DAYS) & (seen["ev_start_spread"] <= REGULAR_STARTS)
    is_tank = is_regular & (seen["ev_hours_mean"] <= HEATER_HOURS) & (seen["ev_concentration"] >= HEATER_ENERGY)
    is_heaters = (power_kw >= HEATER_KW[0]) & (power_kw <= HEATER_KW[1])
    is_tank &= is_heaters & ~(seen["ev_season_contrast"] >= SUMMER_TOO)
    is_sunny = (seen["ev_held_day_share"] >= SUNNY_DAYS) & (seen["ev_held_hours"] >= SUNNY_HOURS) & (store < PRESENT_FROM)
    is_drowned = find_drowned(findings[AssetClass.EV]) & ~is_sunny
    is_unsure = (car >= PRESENT_FROM) & (car < rules.high)
    is_filling = (store >= rules.high) & (np.abs(power_kw / battery - 1) <= SAME_POWER)
    return [
        Undecided(AssetClass.EV, is_tank & (is_low | ((car < PRESENT_FROM) & (power_kw <= SOCKET_KW))), BY_A_HEATER),
        Undecided(AssetClass.EV, is_filling & is_unsure, BY_A_BATTERY),
        Undecided(AssetClass.EV, is_heaters & is_drowned & is_unsure, BY_A_HEATER),
        Undecided(AssetClass.EV, is_sunny & (car < PRESENT_FROM), IN_THE_SUN),
    ]
