"""The simulated fleet: readings of every meter and the assets behind them, block by block."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from fmar_spark.domain.assets import AssetClass
from fmar_spark.domain.mpan import GSP_GROUP_OF_DISTRIBUTOR, number_mpans
from fmar_spark.simulate.batteries import MODES, simulate_batteries
from fmar_spark.simulate.behaviours.catalogue import name_behaviours
from fmar_spark.simulate.businesses import simulate_businesses
from fmar_spark.simulate.calendars import Calendar, build_calendar
from fmar_spark.simulate.heat_pumps import KINDS, simulate_heat_pumps
from fmar_spark.simulate.homes import awake_at_home, draw_occupancy, simulate_homes
from fmar_spark.simulate.lookalikes import divert_surplus, follow_absence, simulate_lookalikes
from fmar_spark.simulate.metering import read_registers, slow_start_track
from fmar_spark.simulate.plan import (
    BLOCK_METERS,
    CONFUSERS,
    PREMISES,
    TARIFFS,
    Bools,
    FleetPlan,
    Floats,
    Ints,
    Mix,
    check_plan,
    mix_from,
    open_stream,
)
from fmar_spark.simulate.population import Population, draw_population
from fmar_spark.simulate.response import SCHEMES, price_index, simulate_response
from fmar_spark.simulate.solar import simulate_solar
from fmar_spark.simulate.truth import TrueAssets, TrueEvents, find_runs, list_assets, typical_held_back_kw
from fmar_spark.simulate.vehicles import simulate_vehicles
from fmar_spark.simulate.weather import Weather, make_weather

__all__ = ["Fleet", "FleetPlan", "Mix", "mix_from", "simulate_chunks", "simulate_fleet"]

DISTRIBUTOR_OF_GROUP = {group: int(number) for number, group in GSP_GROUP_OF_DISTRIBUTOR.items()}


class Fleet(NamedTuple):
    """Meters on axis 0, UTC half-hours on axis 1."""

    mpan_id: list[str]
    export_mpan_id: list[str]
    """'' where no export is metered."""
    gsp_group: list[str]
    area: Ints
    """(meters,) row of the weather arrays."""
    is_domestic: Bools
    premises_kind: list[str]
    tariff: list[str]
    import_kwh: Floats
    """(meters, slots), float32, NaN where never read."""
    export_kwh: Floats
    """Same, all NaN where no export is metered."""
    interval_minutes: Ints
    assets: TrueAssets
    events: TrueEvents
    confusers: list[list[str]]
    """Names of each meter's look-alikes."""
    behaviours: list[list[str]]
    """Names of the behaviours of each meter's assets and look-alikes."""
    is_plain: Bools
    weather: Weather


class Setting(NamedTuple):
    """What all blocks share."""

    plan: FleetPlan
    calendar: Calendar
    weather: Weather
    price: Floats


class _Behind(NamedTuple):
    """What lies behind the boundary of a block."""

    net_kw: Floats
    swing_kw: Floats
    generates: Bools
    assets: list[TrueAssets]
    events: list[TrueEvents]


def prepare_setting(plan: FleetPlan) -> Setting:
    """Calendar, weather and prices of a plan."""
    check_plan(plan)
    calendar = build_calendar(plan)
    weather = make_weather(plan)
    return Setting(plan, calendar, weather, price_index(plan, calendar, weather))


def _number_meters(population: Population, first: int, groups: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Import and export MPANs, unique over the fleet whatever its size."""
    distributor = np.array([DISTRIBUTOR_OF_GROUP[groups[area]] for area in population.area])
    reference = 1_000_000_000 + 2 * (first + population.number.astype(np.int64))
    return number_mpans(distributor, reference), number_mpans(distributor, reference + 1)


def _shift_business_levels(rng: np.random.Generator, population: Population, load_kw: Floats) -> Floats:
    """Business load with vacancy, months of reduced use or a new tenant, by its look-alikes."""
    meters, slots = len(load_kw), int(load_kw.shape[1])
    slot = np.arange(slots)[None]
    for name, low, high, lasts in (
        ("vacancy", 0.02, 0.4, 120),
        ("habit_change", 0.2, 1.3, 110),
        ("new_occupants", 0.4, 2.0, 9999),
    ):
        who = population.looks_like(name) & ~population.is_domestic
        start = (rng.uniform(0.1, 0.85, meters) * slots)[:, None]
        until = start + rng.uniform(0.3, 1.0, meters)[:, None] * lasts * 48
        level = np.where(who, rng.uniform(low, high, meters), 1.0)[:, None]
        load_kw = load_kw * np.where((slot >= start) & (slot < until), level, 1.0)
    return load_kw


def _sum_of_homes(rng: np.random.Generator, population: Population, homes_kw: Floats) -> Floats:
    """Load of buildings with many homes behind one meter: weighted sums of the homes of the block, (meters, slots)."""
    rows = np.flatnonzero(population.premises == PREMISES.index("shared_building"))
    total = np.zeros_like(homes_kw)
    tenants = np.flatnonzero(population.is_domestic)
    if len(rows) and len(tenants):
        weight = rng.gamma(rng.uniform(0.3, 3.0, (len(rows), 1)), 1.0, (len(rows), len(tenants))).astype(np.float32)
        mixed = weight @ homes_kw[tenants]
        mean = np.maximum(mixed.mean(axis=1, keepdims=True), 1e-6)
        total[rows] = rng.uniform(0.6, 0.95, (len(rows), 1)) * population.scale_kw[rows, None] * mixed / mean
    return total


def _simulate_load(setting: Setting, population: Population, block: int) -> tuple[Floats, Floats, Floats]:
    """Power before assets, temperature and irradiance of each meter."""
    plan, calendar = setting.plan, setting.calendar

    def stream(subject: str) -> np.random.Generator:
        return open_stream(plan.seed, block, subject)

    own_place = stream("place").normal(0, 0.7, len(population.area))[:, None].astype(np.float32)
    temp_c = setting.weather.temp_c[population.area] + own_place
    occupancy = draw_occupancy(stream("habits"), population, calendar)  # a stream keeps its name: it seeds the draws
    load = simulate_homes(stream("homes"), population, occupancy, calendar, temp_c)
    load *= follow_absence(stream("absence hours"), population, calendar)
    firms = simulate_businesses(stream("businesses"), population, calendar, temp_c)
    firms += _sum_of_homes(stream("shared"), population, load)
    load += _shift_business_levels(stream("levels"), population, firms)
    busy = awake_at_home(occupancy, calendar)
    level = firms > 0.7 * firms.mean(axis=1, keepdims=True)
    at_work = np.where(population.is_domestic[:, None], busy, level)
    load += simulate_lookalikes(stream("lookalikes"), population, occupancy, (calendar, temp_c), at_work)
    load *= slow_start_track(stream("start"), population, plan.days)
    return load, temp_c, setting.weather.ghi_w_m2[population.area]


def _add_assets(setting: Setting, population: Population, block: int) -> _Behind:
    """Everything behind the boundary of one block, and its truth."""
    plan, calendar, slots = setting.plan, setting.calendar, setting.plan.slots
    load, temp_c, ghi = _simulate_load(setting, population, block)
    meters = len(load)
    none = np.full(meters, np.nan)
    ways = name_behaviours(AssetClass.EV)

    def stream(subject: str) -> np.random.Generator:
        return open_stream(plan.seed, block, subject)

    pumps = simulate_heat_pumps(stream("heat_pumps"), population, calendar, plan, (temp_c, ghi))
    roofs = simulate_solar(stream("solar"), population, plan, setting.weather, temp_c)
    surplus = np.maximum(roofs.power_kw - load - pumps.power_kw, 0.0)
    cars = simulate_vehicles(stream("vehicles"), population, calendar, plan, surplus)
    surplus = np.maximum(surplus - cars.power_kw, 0.0)
    load = load + divert_surplus(stream("diverters"), population, calendar, surplus)
    flexible = load + pumps.power_kw + 0.5 * cars.power_kw
    answer = simulate_response(stream("response"), population, calendar, plan, (flexible, setting.price))
    net = load + cars.power_kw + pumps.power_kw + answer.change_kw - roofs.power_kw
    stores = simulate_batteries(stream("batteries"), population, calendar, plan, (net, setting.price))
    net = net + stores.power_kw
    rng = stream("swing")
    swing = rng.uniform(0.05, 0.5, (meters, 1)) * np.minimum(load, 4 * population.scale_kw[:, None])
    swing = np.hypot(swing, rng.uniform(0.02, 0.16, (meters, 1)) * roofs.power_kw)
    swing = swing * np.where(np.abs(stores.power_kw) > 0, 0.3, 1.0)
    held = find_runs(answer.held_back_kw, 0.01 * population.scale_kw, AssetClass.DEMAND_RESPONSE, True)
    dr_life = answer.life._replace(size_kw=typical_held_back_kw(held, meters))
    dr_life = dr_life._replace(size_after_kw=dr_life.size_kw, upgrade_slot=np.full(meters, slots))
    assets = [
        list_assets(AssetClass.EV, cars.life, slots, [ways[kind] for kind in population.charging], (none, none)),
        list_assets(AssetClass.HEAT_PUMP, pumps.life, slots, [KINDS[kind] for kind in pumps.kind], (none, none)),
        list_assets(AssetClass.BATTERY, stores.life, slots, [MODES[kind] for kind in stores.mode], (none, stores.storage_kwh)),
        list_assets(AssetClass.SOLAR_PV, roofs.life, slots, ["solar_roof"] * meters, (roofs.ac_kw, none)),
        list_assets(AssetClass.DEMAND_RESPONSE, dr_life, slots, [SCHEMES[kind] for kind in answer.scheme], (none, none)),
    ]
    events = [
        find_runs(cars.power_kw, np.full(meters, 0.05), AssetClass.EV, True),
        find_runs(pumps.power_kw, 0.08 * pumps.life.size_kw, AssetClass.HEAT_PUMP, True),
        find_runs(stores.power_kw, 0.03 * stores.life.size_kw, AssetClass.BATTERY, True),
        find_runs(-stores.power_kw, 0.03 * stores.life.size_kw, AssetClass.BATTERY, False),
        find_runs(roofs.power_kw, 0.01 * roofs.life.size_kw, AssetClass.SOLAR_PV, False),
        held,
    ]
    return _Behind(net, swing, roofs.life.is_ever | stores.life.is_ever, assets, events)


def simulate_block(setting: Setting, block: int) -> Fleet:
    """The meters of one block: ``BLOCK_METERS`` of them, fewer in the last."""
    plan = setting.plan
    first = block * BLOCK_METERS
    population = draw_population(plan, block, min(BLOCK_METERS, plan.meters - first))
    behind = _add_assets(setting, population, block)
    rng = open_stream(plan.seed, block, "metering")
    read = read_registers(rng, population, plan.mix, (behind.net_kw, behind.swing_kw), behind.generates)
    mpan_id, export_mpan_id = _number_meters(population, first, setting.weather.gsp_group)
    return Fleet(
        mpan_id=mpan_id,
        export_mpan_id=[mpan if has else "" for mpan, has in zip(export_mpan_id, read.has_export_register, strict=True)],
        gsp_group=[setting.weather.gsp_group[area] for area in population.area],
        area=population.area,
        is_domestic=population.is_domestic,
        premises_kind=[PREMISES[kind] for kind in population.premises],
        tariff=[TARIFFS[kind] for kind in population.tariff],
        import_kwh=read.import_kwh,
        export_kwh=read.export_kwh,
        interval_minutes=read.interval_minutes,
        assets=_join_assets(behind.assets),
        events=TrueEvents(*(np.concatenate(columns) for columns in zip(*behind.events, strict=True))),
        confusers=[[CONFUSERS[name] for name in np.flatnonzero(row)] for row in population.is_lookalike],
        behaviours=_name_behaviours(population, behind.assets),
        is_plain=population.is_plain,
        weather=setting.weather,
    )


def _name_behaviours(population: Population, assets: list[TrueAssets]) -> list[list[str]]:
    """Behaviours of the assets, and of the look-alikes; a look-alike of one behaviour goes by its own name."""
    names: list[list[str]] = [[] for _ in population.area]
    for part in assets:
        for meter, kind in zip(part.meter.tolist(), part.kind, strict=True):
            names[meter].append(kind)
    numbers = {"immersion": population.water, "air_conditioning": population.cooling, "hours_away": population.absence}
    ways = {subject: name_behaviours(subject) for subject in numbers}
    for meter, row in enumerate(population.is_lookalike):
        found = [CONFUSERS[name] for name in np.flatnonzero(row)]
        names[meter] += [ways[name][numbers[name][meter]] if name in numbers else name for name in found]
    return names


def _join_assets(parts: list[TrueAssets]) -> TrueAssets:
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in TrueAssets._fields if name != "kind"
    }
    return TrueAssets(**columns, kind=[kind for part in parts for kind in part.kind])


def join_fleets(parts: list[Fleet]) -> Fleet:
    """One fleet of several blocks; rows of the truth are renumbered."""
    offset = np.cumsum([0] + [len(part.mpan_id) for part in parts])
    assets = [part.assets._replace(meter=part.assets.meter + at) for part, at in zip(parts, offset, strict=False)]
    events = [part.events._replace(meter=part.events.meter + at) for part, at in zip(parts, offset, strict=False)]
    joined: dict[str, Any] = {"weather": parts[0].weather, "assets": _join_assets(assets)}
    joined["events"] = TrueEvents(*(np.concatenate(columns) for columns in zip(*events, strict=True)))
    for name in Fleet._fields:
        if name in joined:
            continue
        columns = [getattr(part, name) for part in parts]
        joined[name] = [item for column in columns for item in column] if isinstance(columns[0], list) else np.concatenate(columns)
    return Fleet(**joined)


def simulate_chunks(plan: FleetPlan) -> Iterator[Fleet]:
    """The fleet in blocks of ``BLOCK_METERS`` meters, so that it need not fit in memory; rows of each start at 0."""
    setting = prepare_setting(plan)
    for block in range(-(-plan.meters // BLOCK_METERS)):
        yield simulate_block(setting, block)


def simulate_fleet(plan: FleetPlan) -> Fleet:
    """The whole fleet in memory: about 0.14 MB a meter and year."""
    return join_fleets(list(simulate_chunks(plan)))
