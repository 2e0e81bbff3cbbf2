"""The truth of a simulated block as tables, with the names that labels and gold tables use."""

from datetime import timedelta
from typing import Final

import numpy as np
import pyarrow as pa

from fmar_spark.clock import SLOTS_PER_DAY, utc_slot_starts
from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS
from fmar_spark.domain.words import ChangeKind
from fmar_spark.simulate.fleet import Fleet
from fmar_spark.simulate.permissions import Permissions
from fmar_spark.simulate.plan import FleetPlan, Floats, Ints
from fmar_spark.simulate.weather import LONDON_GROUP

SOURCE: Final = "simulated"
CLASS_NAMES: Final = np.array([asset.value for asset in ASSET_CLASSES])


def _dates_of(plan: FleetPlan, slots: Ints) -> pa.Array:
    """Calendar dates of slots, null where the slot is -1; asset dates fall in daytime, so UTC and London agree."""
    days = np.datetime64(plan.first_date, "D") + np.maximum(slots, 0) // SLOTS_PER_DAY
    return pa.array(days, mask=slots < 0)


def _names(fleet: Fleet, rows: Ints) -> pa.Array:
    return pa.array(fleet.mpan_id).take(pa.array(rows.astype(np.int64)))


def tabulate_assets(plan: FleetPlan, fleet: Fleet) -> pa.Table:
    """One row a meter and asset class that was ever there; sizes in kW (kWp for PV), null where they do not apply."""
    assets = fleet.assets
    return pa.table(
        {
            "mpan_id": _names(fleet, assets.meter),
            "asset_class": pa.array(CLASS_NAMES[assets.asset_class]),
            "size_kw": pa.array(assets.size_kw, from_pandas=True),
            "size_before_kw": pa.array(assets.size_before_kw, from_pandas=True),
            "ac_kw": pa.array(assets.ac_kw, from_pandas=True),
            "storage_kwh": pa.array(assets.storage_kwh, from_pandas=True),
            "appeared_date": _dates_of(plan, assets.appeared_slot),
            "removed_date": _dates_of(plan, assets.removed_slot),
            "upgraded_date": _dates_of(plan, assets.upgraded_slot),
            "kind": pa.array(assets.kind, pa.string()),
        }
    )


def tabulate_events(plan: FleetPlan, fleet: Fleet) -> pa.Table:
    """One row an operating episode of an asset; ``ended_at`` is exclusive."""
    events = fleet.events
    starts = utc_slot_starts(plan.first_date, plan.slots + 1)
    utc = pa.timestamp("us", tz="UTC")
    return pa.table(
        {
            "mpan_id": _names(fleet, events.meter),
            "asset_class": pa.array(CLASS_NAMES[events.asset_class]),
            "started_at": pa.array(starts[events.start_slot]).cast(utc),
            "ended_at": pa.array(starts[events.end_slot]).cast(utc),
            "energy_kwh": pa.array(events.energy_kwh),
            "peak_kw": pa.array(events.peak_kw),
            "is_import": pa.array(events.is_import.astype(bool)),
        }
    )


def tabulate_changes(plan: FleetPlan, fleet: Fleet) -> pa.Table:
    """One row an appearance, upgrade, reduction or removal."""
    assets = fleet.assets
    first = np.where(np.isnan(assets.size_before_kw), assets.size_kw, assets.size_before_kw)
    grew = np.where(assets.size_kw >= first, ChangeKind.UPGRADED.value, ChangeKind.REDUCED.value)
    steps: list[tuple[Ints, object, Floats, Floats]] = [
        (assets.appeared_slot, ChangeKind.APPEARED.value, np.zeros(len(first)), first),
        (assets.upgraded_slot, grew, first, assets.size_kw),
        (assets.removed_slot, ChangeKind.REMOVED.value, assets.size_kw, np.zeros(len(first))),
    ]
    parts = []
    for slots, kind, before, after in steps:
        rows = np.flatnonzero(slots >= 0)
        parts.append(
            pa.table(
                {
                    "mpan_id": _names(fleet, assets.meter[rows]),
                    "asset_class": pa.array(CLASS_NAMES[assets.asset_class[rows]]),
                    "changed_date": _dates_of(plan, slots[rows]),
                    "kind": pa.array(np.broadcast_to(np.asarray(kind), len(first))[rows].astype(str), pa.string()),
                    "kw_before": pa.array(before[rows], from_pandas=True),
                    "kw_after": pa.array(after[rows], from_pandas=True),
                }
            )
        )
    return pa.concat_tables(parts)


def tabulate_confusers(fleet: Fleet) -> pa.Table:
    """One row a meter and look-alike."""
    rows = [(mpan, name) for mpan, names in zip(fleet.mpan_id, fleet.confusers, strict=True) for name in names]
    mpans, confusers = [row[0] for row in rows], [row[1] for row in rows]
    return pa.table({"mpan_id": pa.array(mpans, pa.string()), "confuser": pa.array(confusers, pa.string())})


def tabulate_labels(fleet: Fleet) -> pa.Table:
    """One row a meter: the assets that are there at some time and their sizes, as a label file has them."""
    meters = len(fleet.mpan_id)
    columns: dict[str, object] = {"series_id": fleet.mpan_id, "mpan_id": fleet.mpan_id, "source": [SOURCE] * meters}
    sizes: dict[str, Floats] = {}
    for number, asset in enumerate(ASSET_CLASSES):
        mine = fleet.assets.asset_class == number
        rows = fleet.assets.meter[mine]
        has = np.zeros(meters, bool)
        has[rows] = True
        columns[ASSET_FACTS[asset].label] = has
        for size in ASSET_FACTS[asset].sizes:
            sizes[size.label] = np.full(meters, np.nan)
            sizes[size.label][rows] = getattr(fleet.assets, size.truth)[mine]
    columns |= {name: pa.array(size, from_pandas=True) for name, size in sizes.items()}
    columns["confusers"] = [",".join(names) for names in fleet.confusers]
    columns["provenance"] = [SOURCE] * meters
    columns["label_source"] = ["the simulation that made the readings"] * meters
    columns["notes"] = [f"{kind}, {tariff} tariff" for kind, tariff in zip(fleet.premises_kind, fleet.tariff, strict=True)]
    return pa.table(columns)


def tabulate_meters(plan: FleetPlan, fleet: Fleet, permissions: Permissions) -> pa.Table:
    """One row a meter: premises, tariff and permissions."""
    opted = permissions.opted_out_to_day > permissions.opted_out_from_day
    start = np.where(opted, permissions.opted_out_from_day * SLOTS_PER_DAY, -1)
    end = np.where(opted, permissions.opted_out_to_day * SLOTS_PER_DAY, -1)
    return pa.table(
        {
            "mpan_id": pa.array(fleet.mpan_id),
            "export_mpan_id": pa.array([mpan or None for mpan in fleet.export_mpan_id], pa.string()),
            "gsp_group_id": pa.array(fleet.gsp_group),
            "is_domestic": pa.array(fleet.is_domestic),
            "premises_kind": pa.array(fleet.premises_kind),
            "tariff": pa.array(fleet.tariff),
            "interval_minutes": pa.array(fleet.interval_minutes.astype(np.int32)),
            "is_plain": pa.array(fleet.is_plain),
            "consent_granularity": pa.array(permissions.consent_granularity),
            "opted_out_from": _dates_of(plan, start),
            "opted_out_to": _dates_of(plan, end),
        }
    )


def tabulate_legal_bases(plan: FleetPlan, fleet: Fleet, permissions: Permissions) -> pa.Table:
    """One row a domestic meter with a basis on record; import meters only, since an export meter follows its boundary."""
    rows = [row for row, basis in enumerate(permissions.legal_basis) if basis]
    since = plan.first_date - timedelta(days=400)
    return pa.table(
        {
            "mpan_id": pa.array([fleet.mpan_id[row] for row in rows], pa.string()),
            "basis": pa.array([permissions.legal_basis[row] for row in rows], pa.string()),
            "source": pa.array([SOURCE] * len(rows), pa.string()),
            "valid_from_date": pa.array([since] * len(rows), pa.date32()),
        }
    )


def tabulate_weather(plan: FleetPlan, fleet: Fleet) -> pa.Table:
    """One row a GSP group that meters can stand in and UTC day: 48 temperatures and irradiances."""
    weather = fleet.weather
    wanted = [row for row, group in enumerate(weather.gsp_group) if group != LONDON_GROUP or plan.mix.london > 0]
    areas = len(wanted)
    dates = np.datetime64(plan.first_date, "D") + np.arange(plan.days)

    def by_day(values: Floats) -> pa.Array:
        flat = pa.array(values[wanted, : plan.slots].astype(np.float32).ravel())
        offsets = pa.array(np.arange(0, areas * plan.slots + 1, SLOTS_PER_DAY, dtype=np.int32))
        return pa.ListArray.from_arrays(offsets, flat)

    return pa.table(
        {
            "weather_area": pa.array([weather.gsp_group[row] for row in wanted for _ in range(plan.days)]),
            "utc_date": pa.array(np.tile(dates, areas)),
            "temp_c": by_day(weather.temp_c),
            "ghi_w_m2": by_day(weather.ghi_w_m2),
            "source": pa.array([SOURCE] * (areas * plan.days)),
        }
    )
