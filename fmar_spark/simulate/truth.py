"""The truth of the simulated meters: assets, their operation and their dates."""

from typing import NamedTuple

import numpy as np

from fmar_spark.domain.assets import AssetClass
from fmar_spark.simulate.plan import Floats, Ints
from fmar_spark.simulate.population import Life
from fmar_spark.units import HOURS_PER_SLOT


class TrueEvents(NamedTuple):
    """Operating episodes: parallel arrays."""

    meter: Ints
    asset_class: Ints
    """Index into ``AssetClass``."""
    start_slot: Ints
    """Since the first UTC slot of the plan."""
    end_slot: Ints
    """Slot after the last."""
    energy_kwh: Floats
    peak_kw: Floats
    is_import: Ints
    """1 where the asset imports (for demand response: reduces import), 0 where it exports."""


class TrueAssets(NamedTuple):
    """One row a meter and asset class: parallel arrays. Slots are UTC; -1 = no such date. Sizes are NaN where they do not apply."""

    meter: Ints
    asset_class: Ints
    size_kw: Floats
    """Size at the end of the asset's stay: charge point kW, electrical kW, kWp, battery kW, typical kW held back."""
    size_before_kw: Floats
    """First size, where it was upgraded."""
    ac_kw: Floats
    """Inverter of a roof."""
    storage_kwh: Floats
    appeared_slot: Ints
    removed_slot: Ints
    upgraded_slot: Ints
    kind: list[str]


def find_runs(power_kw: Floats, floor_kw: Floats, asset: AssetClass, is_import: bool) -> TrueEvents:
    """Every run of half-hours above a meter's floor, with its energy and its highest half-hour.

    Args:
        power_kw: power of the asset alone, (meters, slots), positive while it runs.
        floor_kw: (meters,) above which it counts as running.
        asset: whose runs they are.
        is_import: which way power flows.
    """
    meters, slots = power_kw.shape
    running = np.zeros((meters, slots + 2), np.int8)
    running[:, 1:-1] = power_kw > floor_kw[:, None]
    edge = np.diff(running, axis=1)
    meter, start = np.nonzero(edge == 1)
    end = np.nonzero(edge == -1)[1]
    flat = np.append(power_kw.astype(np.float64).ravel(), 0.0)
    bounds = np.stack([meter * slots + start, meter * slots + end], axis=1).ravel()
    energy = np.add.reduceat(flat, bounds)[::2] * HOURS_PER_SLOT if len(meter) else np.zeros(0)
    peak = np.maximum.reduceat(flat, bounds)[::2] if len(meter) else np.zeros(0)
    return TrueEvents(
        meter=meter,
        asset_class=np.full(len(meter), list(AssetClass).index(asset)),
        start_slot=start,
        end_slot=end,
        energy_kwh=energy,
        peak_kw=peak,
        is_import=np.full(len(meter), int(is_import)),
    )


def list_assets(asset: AssetClass, life: Life, slots: int, kind: list[str], extra: tuple[Floats, Floats]) -> TrueAssets:
    """Rows of one asset class; ``extra`` holds the inverter's kW and the storage, (meters,) each, of the first size."""
    rows = np.flatnonzero(life.is_ever)
    grown = life.upgrade_slot[rows] < slots
    last = np.where(grown, life.size_after_kw[rows], life.size_kw[rows])
    growth = last / life.size_kw[rows]
    return TrueAssets(
        meter=rows,
        asset_class=np.full(len(rows), list(AssetClass).index(asset)),
        size_kw=last,
        size_before_kw=np.where(grown, life.size_kw[rows], np.nan),
        ac_kw=extra[0][rows] * growth,
        storage_kwh=extra[1][rows] * growth,
        appeared_slot=np.where(life.from_slot[rows] > 0, life.from_slot[rows], -1),
        removed_slot=np.where(life.to_slot[rows] < slots, life.to_slot[rows], -1),
        upgraded_slot=np.where(grown, life.upgrade_slot[rows], -1),
        kind=[kind[row] for row in rows],
    )


def typical_held_back_kw(events: TrueEvents, meters: int) -> Floats:
    """Median peak of each meter's demand response events, NaN without any, (meters,)."""
    typical = np.full(meters, np.nan)
    order = np.lexsort((events.peak_kw, events.meter))
    meter, peak = events.meter[order], events.peak_kw[order]
    unique, first, count = np.unique(meter, return_index=True, return_counts=True)
    typical[unique] = peak[first + count // 2]
    return typical
