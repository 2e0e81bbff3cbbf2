"""From the power at the boundary to the registers of a meter, with the errors of real meters."""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.simulate.plan import Bools, Floats, Ints, Mix
from fmar_spark.simulate.population import Population
from fmar_spark.units import HOURS_PER_SLOT, WATT_HOURS_PER_KWH


class Registers(NamedTuple):
    """Half-hourly energy, kWh, (meters, slots), float32; NaN where never read, all NaN where there is no export register."""

    import_kwh: Floats
    export_kwh: Floats
    interval_minutes: Ints
    has_export_register: Bools


def split_directions(net_kw: Floats, swing_kw: Floats) -> tuple[Floats, Floats]:
    """Mean import and export of half-hours whose net power varies about its mean by a standard deviation.

    A half-hour near balance both imports and exports: the expected positive and negative parts of a normal distribution.
    """
    swing = np.maximum(swing_kw, 1e-6)
    ratio = np.clip(net_kw / swing, -30, 30)
    density = np.exp(-0.5 * ratio**2) / np.sqrt(2 * np.pi)
    drawn = np.maximum(net_kw * ndtr(ratio) + swing * density, 0.0)
    drawn = np.where(ratio <= -4, 0.0, drawn)
    return drawn, np.maximum(drawn - net_kw, 0.0)


def _distort(rng: np.random.Generator, kwh: Floats, population: Population) -> Floats:
    """Supply interruptions, single half-hours read 1.5 times too high, and rare spikes."""
    meters, slots = kwh.shape
    slot = np.arange(slots)[None]
    for _ in range(2):
        start = rng.integers(0, slots, (meters, 1))
        dead = (rng.random((meters, 1)) < 0.15) & (slot >= start) & (slot < start + rng.gamma(0.8, 14.0, (meters, 1)))
        kwh = np.where(dead, 0.0, kwh)
    high = (rng.random((meters, 1)) < 0.05) & (rng.random((meters, slots), np.float32) < 0.004)
    kwh = np.where(high, kwh * 1.5, kwh)
    spike = (rng.random((meters, 1)) < 0.04) & (rng.random((meters, slots), np.float32) < 3e-5)
    return np.where(spike, kwh * rng.uniform(3, 12, (meters, 1)), kwh)


def _lose_readings(rng: np.random.Generator, meters: int, slots: int, unread: float) -> Bools:
    """Which half-hours were never read: single ones, days, and weeks on end."""
    lost = np.zeros((meters, slots), bool)
    slot = np.arange(slots)[None]
    has_gaps = rng.random((meters, 1)) < unread
    for chance, mean_slots in ((0.5, 10.0), (0.35, 60.0), (0.25, 4 * 48.0), (0.10, 21 * 48.0)):
        start = rng.integers(0, slots, (meters, 1))
        length = 1 + rng.exponential(mean_slots, (meters, 1))
        lost |= has_gaps & (rng.random((meters, 1)) < chance) & (slot >= start) & (slot < start + length)
    rate = np.where(has_gaps, rng.beta(0.4, 60.0, (meters, 1)), 0.0)
    return lost | (rng.random((meters, slots), np.float32) < rate)


def _register(kwh: Floats, step_kwh: Floats, is_hourly: Bools) -> Floats:
    """Energy as differences of a register that counts whole steps; an hourly meter's halves are equal."""
    meters, slots = kwh.shape
    hourly = is_hourly[:, None]
    count = np.floor(np.cumsum(kwh, axis=1, dtype=np.float64) / step_kwh[:, None] + 1e-6)
    half = np.diff(count, axis=1, prepend=0.0) * step_kwh[:, None]
    hours = kwh.reshape(meters, slots // 2, 2).sum(axis=2)
    double = 2 * step_kwh[:, None]
    whole = np.diff(np.floor(np.cumsum(hours, axis=1, dtype=np.float64) / double + 1e-6), axis=1, prepend=0.0) * double
    return np.where(hourly, np.repeat(whole / 2, 2, axis=1), half).astype(np.float32)


def read_registers(
    rng: np.random.Generator, population: Population, mix: Mix, boundary: tuple[Floats, Floats], generates: Bools
) -> Registers:
    """What is read of each meter.

    Args:
        rng: stream of the meters.
        population: the meters.
        mix: shares of hourly, unread and export-less meters.
        boundary: net power and its swing within the half-hour, (meters, slots) kW each.
        generates: meters with something that can export, (meters,).
    """
    net_kw, swing_kw = boundary
    meters, slots = net_kw.shape
    imported, exported = split_directions(net_kw, swing_kw)
    passive = ~generates[:, None]
    imported = np.where(passive, np.maximum(net_kw, 0.0), imported)
    exported = np.where(passive, 0.0, exported)
    is_hourly = rng.random(meters) < np.where(population.is_domestic, mix.hourly, 2 * mix.hourly)
    watt_hour = 1 / WATT_HOURS_PER_KWH
    coarse = rng.choice([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 10.0, 100.0], meters)
    step = np.where(population.is_domestic, watt_hour * np.minimum(coarse, 10.0), watt_hour * coarse)
    import_kwh = _register(_distort(rng, imported * HOURS_PER_SLOT, population), step, is_hourly)
    export_kwh = _register(exported * HOURS_PER_SLOT, step, is_hourly)
    has_export = generates & (rng.random(meters) >= mix.no_export_register)
    lost = _lose_readings(rng, meters, slots, mix.unread)
    lost = np.where(is_hourly[:, None], np.repeat(lost[:, ::2], 2, axis=1), lost)
    import_kwh[lost] = np.nan
    export_kwh[lost | ~has_export[:, None]] = np.nan
    return Registers(import_kwh, export_kwh, np.where(is_hourly, 60, 30), has_export)


def slow_start_track(rng: np.random.Generator, population: Population, days: int) -> Floats:
    """Factor of each UTC day's load: about a tenth in the first weeks, for meters of premises not yet occupied; (meters, slots)."""
    meters = len(population.area)
    until = rng.integers(20, 150, meters)
    level = rng.uniform(0.03, 0.2, meters)
    early = population.looks_like("slow_start")[:, None] & (np.arange(days)[None] < until[:, None])
    return np.repeat(np.where(early, level[:, None], 1.0), SLOTS_PER_DAY, axis=1)
