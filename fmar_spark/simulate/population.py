"""The meters: premises, tariffs, look-alikes, and the lifetime of every asset behind them."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.domain.assets import ASSET_CLASSES, AssetClass
from fmar_spark.simulate.behaviours.behaviour import Timing
from fmar_spark.simulate.behaviours.catalogue import list_behaviours, name_behaviours
from fmar_spark.simulate.behaviours.draws import draw_behaviours, draw_off_peak
from fmar_spark.simulate.plan import (
    BUSINESSES,
    CONFUSERS,
    HOMES,
    Bools,
    FleetPlan,
    Floats,
    Ints,
    Mix,
    open_stream,
)
from fmar_spark.simulate.weather import AREA_WEIGHT, GSP_AREAS, LONDON_GROUP

HOME_WEIGHT: Final = (0.25, 0.50, 0.25)
BUSINESS_WEIGHT: Final = (0.11, 0.10, 0.16, 0.06, 0.08, 0.08, 0.14, 0.08, 0.06, 0.13)
HOME_CONFUSER: Final = {
    "immersion": 0.26,
    "storage_heating": 0.07,
    "electric_shower": 0.28,
    "direct_heating": 0.10,
    "hot_tub": 0.06,
    "air_conditioning": 0.10,
    "oven_heavy": 0.16,
    "vacancy": 0.08,
    "habit_change": 0.10,
    "new_occupants": 0.09,
    "slow_start": 0.04,
    "pool_pump": 0.05,
    "portable_heater": 0.18,
    "grow_lights": 0.04,
    "tumble_dryer": 0.14,
    "empty_home": 0.04,
    "second_home": 0.03,
    "night_load": 0.14,
    "hours_away": 0.09,
    "low_standing_load": 0.07,
    "works_machine": 0.004,
}
OWN_STREAM: Final = ("hours_away", "low_standing_load")
"""Look-alikes at the end of ``CONFUSERS`` that are drawn from a stream each, so that they leave the draws of the others alone."""
BUSINESS_CONFUSER: Final = {
    "immersion": 0.06,
    "storage_heating": 0.04,
    "direct_heating": 0.18,
    "air_conditioning": 0.30,
    "vacancy": 0.08,
    "habit_change": 0.14,
    "new_occupants": 0.08,
    "slow_start": 0.05,
    "works_machine": 0.16,
    "night_load": 0.10,
}
TYPICAL_BUSINESS_KW: Final = {
    "school": 18.0,
    "shop": 6.0,
    "office": 25.0,
    "cold_store": 70.0,
    "workshop": 15.0,
    "farm": 8.0,
    "laboratory": 180.0,
    "hospitality": 14.0,
    "always_on": 12.0,
    "shared_building": 9.0,
}
SHORTEST_STAY_DAYS: Final = 28
DIVERTER_SHARE: Final = 0.14
"""Homes with solar PV whose tank takes what would be exported, beside those of the catalogue. Source: chosen by hand."""

NIGHT_TANK_SHARE: Final = 0.75
"""Homes with storage heating whose tank is heated by the same supply in the same hours. Source: the supply of a two-rate meter with storage
heaters has a water heater's circuit; one of the five recorded homes heats so; the share is chosen by hand."""

FOLLOWING_SHARE: Final = {"ev_solar_divert": 0.2, "ev_solar_only": 0.12}
"""Homes with solar PV whose charge point follows the surplus, beside those of the catalogue. Source: chosen by hand."""


class Life(NamedTuple):
    """When one class of asset is installed behind each meter, and its size; arrays of shape (meters,)."""

    is_ever: Bools
    from_slot: Ints
    """First slot with the asset; 0 where it was there before."""
    to_slot: Ints
    """Slot after its last; the plan's end where it stays."""
    upgrade_slot: Ints
    """First slot of the second size; the plan's end where there is none."""
    size_kw: Floats
    size_after_kw: Floats
    """Equal to ``size_kw`` where there is no upgrade."""


class Population(NamedTuple):
    """The meters of one block; arrays of shape (meters,) unless said."""

    number: Ints
    """Place of the meter in the whole fleet."""
    area: Ints
    premises: Ints
    """Index into ``PREMISES``."""
    is_domestic: Bools
    scale_kw: Floats
    """Typical mean power of the premises before any asset."""
    tariff: Ints
    """Index into ``TARIFFS``."""
    is_lookalike: Bools
    """(meters, len(CONFUSERS))"""
    is_asset: Bools
    """(meters, asset classes) in the order of ``AssetClass``."""
    is_plain: Bools
    charging: Ints
    """How its cars charge: number in ``list_behaviours(AssetClass.EV)``."""
    water: Ints
    """How its tank is heated: number in ``list_behaviours("immersion")``."""
    off_peak: Floats
    """Start by the local clock of the off-peak hours of its storage and water heating, slots."""
    cooling: Ints
    """How its rooms are cooled: number in ``list_behaviours("air_conditioning")``."""
    absence: Ints
    """When nobody is in: number in ``list_behaviours("hours_away")``."""

    def looks_like(self, name: str) -> Bools:
        """Which meters carry the look-alike."""
        return np.asarray(self.is_lookalike[:, CONFUSERS.index(name)])

    def ever(self, asset: AssetClass) -> Bools:
        """Which meters ever have the asset."""
        return np.asarray(self.is_asset[:, ASSET_CLASSES.index(asset)])


def size_track(life: Life, slots: int) -> Floats:
    """Size of each meter's asset in each slot, kW, 0 where it is not there; shape (meters, slots), float32."""
    slot = np.arange(slots)[None]
    size = np.where(slot < life.upgrade_slot[:, None], life.size_kw[:, None], life.size_after_kw[:, None])
    there = life.is_ever[:, None] & (slot >= life.from_slot[:, None]) & (slot < life.to_slot[:, None])
    return np.where(there, size, 0.0).astype(np.float32)


def _draw_assets(rng: np.random.Generator, mix: Mix, is_domestic: Bools, is_plain: Bools) -> Bools:
    classes = list(ASSET_CLASSES)
    homes, firms = ([getattr(mix, f"{where}_{asset.value}") for asset in classes] for where in ("home", "business"))
    chance = np.where(is_domestic[:, None], np.array(homes), np.array(firms))
    has = rng.random(chance.shape) < chance
    sunny, stored = classes.index(AssetClass.SOLAR_PV), classes.index(AssetClass.BATTERY)
    again = rng.random(len(has))
    lifted = np.clip(chance[:, stored] * np.where(has[:, sunny], 1.7, 0.6), 0, 1)
    has[:, stored] = again < lifted
    return np.asarray(has & ~is_plain[:, None])


def _draw_lookalikes(rng: np.random.Generator, plan: FleetPlan, block: int, is_domestic: Bools, is_plain: Bools) -> Bools:
    home = np.array([HOME_CONFUSER.get(name, 0.0) for name in CONFUSERS])
    firm = np.array([BUSINESS_CONFUSER.get(name, 0.0) for name in CONFUSERS])
    chance = np.where(is_domestic[:, None], home, firm) * plan.mix.confuser_scale
    meters = len(is_domestic)
    own = [open_stream(plan.seed, block, name).random((meters, 1)) for name in OWN_STREAM]
    drawn = np.concatenate([rng.random((meters, len(CONFUSERS) - len(own))), *own], axis=1)
    return np.asarray((drawn < chance) & ~is_plain[:, None])


def _draw_tariff(rng: np.random.Generator, is_domestic: Bools, has_ev: Bools, has_storage_heat: Bools, charging: Ints) -> Ints:
    """Tariffs that suit the site: a car that waits for off-peak hours or for its supplier is on a tariff that rewards it."""
    pick = rng.random(len(is_domestic))
    plain = np.select([pick < 0.74, pick < 0.84, pick < 0.90], [0, 1, 3], default=0)
    timing = np.array([getattr(one.how, "timing", None) for one in list_behaviours(AssetClass.EV)])[charging]
    waits = np.where(pick < 0.85, 2, 1)
    motorist = np.select([timing == Timing.OFF_PEAK, timing == Timing.PIECES], [waits, np.where(pick < 0.7, 2, 3)], default=0)
    firm = np.select([pick < 0.62, pick < 0.72, pick < 0.80], [0, 1, 3], default=4)
    home = np.where(has_ev, motorist, plain)
    home = np.where(has_storage_heat, 1, home)
    return np.where(is_domestic, home, firm)


def _follow_the_sun(rng: np.random.Generator, charging: Ints, at_home: Bools) -> Ints:
    """How cars charge, where homes with solar PV follow its surplus more often than others could."""
    names = name_behaviours(AssetClass.EV)
    has_sun = at_home[:, ASSET_CLASSES.index(AssetClass.SOLAR_PV)]
    pick, below = rng.random(len(charging)), 0.0
    for name, share in FOLLOWING_SHARE.items():
        follows = has_sun & (pick >= below) & (pick < below + share)
        charging = np.where(follows, names.index(name), charging)
        below += share
    return charging


def draw_population(plan: FleetPlan, block: int, meters: int) -> Population:
    """The meters of a block, drawn from the plan's mix."""
    rng = open_stream(plan.seed, block, "population")
    mix = plan.mix
    is_domestic = rng.random(meters) < mix.domestic
    is_plain = rng.random(meters) < mix.plain
    home = rng.choice(len(HOMES), meters, p=HOME_WEIGHT)
    business = rng.choice(len(BUSINESSES), meters, p=BUSINESS_WEIGHT)
    premises = np.where(is_domestic, home, len(HOMES) + business)
    typical = np.array([0.20, 0.28, 0.40] + [TYPICAL_BUSINESS_KW[kind] for kind in BUSINESSES])
    spread = np.where(is_domestic, 0.58, 1.25)
    scale_kw = typical[premises] * np.exp(np.clip(rng.standard_normal(meters), -2.6, 2.6) * spread)
    is_asset = _draw_assets(rng, mix, is_domestic, is_plain)
    is_lookalike = _draw_lookalikes(rng, plan, block, is_domestic, is_plain)
    has_ev = is_asset[:, ASSET_CLASSES.index(AssetClass.EV)]
    charging = draw_behaviours(open_stream(plan.seed, block, "charging"), AssetClass.EV, ~is_domestic)
    charging = _follow_the_sun(open_stream(plan.seed, block, "following"), charging, is_asset & is_domestic[:, None])
    water = draw_behaviours(open_stream(plan.seed, block, "water"), "immersion", ~is_domestic)
    has_sun = is_asset[:, ASSET_CLASSES.index(AssetClass.SOLAR_PV)]
    diverts = is_domestic & has_sun & (open_stream(plan.seed, block, "diverting").random(meters) < DIVERTER_SHARE)
    is_lookalike[:, CONFUSERS.index("immersion")] |= diverts
    water = np.where(diverts, name_behaviours("immersion").index("immersion_solar_divert"), water)
    heats_at_night = is_domestic & is_lookalike[:, CONFUSERS.index("storage_heating")]
    heats_at_night &= open_stream(plan.seed, block, "night_tank").random(meters) < NIGHT_TANK_SHARE
    is_lookalike[:, CONFUSERS.index("immersion")] |= heats_at_night
    water = np.where(heats_at_night & ~diverts, name_behaviours("immersion").index("immersion_off_peak"), water)
    weights = np.array(AREA_WEIGHT, dtype=np.float64)
    weights[list(GSP_AREAS).index(LONDON_GROUP)] *= mix.london
    return Population(
        number=np.arange(meters),
        area=rng.choice(len(AREA_WEIGHT), meters, p=weights / weights.sum()),
        premises=premises,
        is_domestic=is_domestic,
        scale_kw=scale_kw,
        tariff=_draw_tariff(rng, is_domestic, has_ev, is_lookalike[:, CONFUSERS.index("storage_heating")], charging),
        is_lookalike=is_lookalike,
        is_asset=is_asset,
        is_plain=is_plain,
        charging=charging,
        water=water,
        off_peak=draw_off_peak(open_stream(plan.seed, block, "off_peak"), meters)[0],
        cooling=draw_behaviours(open_stream(plan.seed, block, "cooling"), "air_conditioning", ~is_domestic),
        absence=draw_behaviours(open_stream(plan.seed, block, "absence"), "hours_away", ~is_domestic),
    )


def draw_life(rng: np.random.Generator, is_ever: Bools, plan: FleetPlan, size_kw: Floats, growth: Floats) -> Life:
    """Dates and sizes of one class of asset.

    Args:
        rng: stream of the asset class.
        is_ever: meters that ever have it.
        plan: gives the dates and the shares that appear, leave and are upgraded.
        size_kw: first size of each.
        growth: what an upgrade multiplies the size by.
    """
    meters, mix = len(is_ever), plan.mix
    last = plan.days - SHORTEST_STAY_DAYS
    can_change = last > SHORTEST_STAY_DAYS
    fate = rng.random(meters)
    day = rng.uniform(SHORTEST_STAY_DAYS, max(last, SHORTEST_STAY_DAYS + 1), (3, meters)).astype(np.int64)
    hour = rng.integers(18, 36, meters)
    appears = is_ever & can_change & (fate < mix.appears)
    leaves = is_ever & can_change & (rng.random(meters) < mix.removed)
    grows = is_ever & can_change & (rng.random(meters) < mix.upgraded)
    start = np.where(appears, day[0] * SLOTS_PER_DAY + hour, 0)
    room = plan.days - start // SLOTS_PER_DAY
    leaves &= room > 2 * SHORTEST_STAY_DAYS
    stay = SHORTEST_STAY_DAYS + (rng.random(meters) * np.maximum(room - 2 * SHORTEST_STAY_DAYS, 1)).astype(np.int64)
    end = np.where(leaves, start + stay * SLOTS_PER_DAY, plan.slots)
    between = (end - start) // SLOTS_PER_DAY
    grows &= between > 2 * SHORTEST_STAY_DAYS
    upgrade = (
        start + (SHORTEST_STAY_DAYS + rng.random(meters) * np.maximum(between - 2 * SHORTEST_STAY_DAYS, 1)).astype(np.int64) * SLOTS_PER_DAY
    )
    return Life(
        is_ever=is_ever,
        from_slot=start,
        to_slot=end,
        upgrade_slot=np.where(grows, upgrade, plan.slots),
        size_kw=size_kw,
        size_after_kw=np.where(grows, size_kw * growth, size_kw),
    )
