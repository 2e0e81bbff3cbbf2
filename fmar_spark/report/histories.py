"""Readings of chosen meters and the weather of their places, as local days by clock slot."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fmar_spark import clock
from fmar_spark.domain.words import Quantity
from fmar_spark.engine.lake_sql import LakeRows, Row
from fmar_spark.kernels.assembly import Site, trace_clear_sky
from fmar_spark.kernels.window import Floats, Ints
from fmar_spark.report.frame import EPOCH
from fmar_spark.units import kw_from_kwh

LONGEST_DAYS: Final = 731
"""Local days that are shown, counted back from a meter's last."""


class History(NamedTuple):
    """One meter's readings; NaN where unread or opted out."""

    meter: Row
    first_date: date
    """Local day 0, and the UTC day of UTC slot 0."""
    import_kw: Floats
    """Shape (days, 48), local clock."""
    export_kw: Floats
    """Same shape; all NaN without an export register."""
    net_kw: Floats
    """Import - export, same shape; an unread export counts as none."""
    net_kwh: Floats
    """The same as energies by UTC slot, shape (days * 48,)."""


class Place(NamedTuple):
    """Weather and sun of one place on its own run of local days."""

    name: str
    first_date: date
    temp_c: Floats
    """Shape (days, 48); NaN where unknown."""
    sun_w_m2: Floats
    """Same shape: measured irradiance, or that of a clear sky where none was."""
    is_measured: bool


def read_histories(lake: LakeRows, meters: Sequence[Row]) -> Iterator[History]:
    """The histories of the meters, in their order; a meter without readings, or that does not pass the consent check, is left out.

    Export meter points that pass count for the boundary that they belong to.
    """
    lake.add("chosen", pa.table({"mpan_id": pa.array([row["mpan_id"] for row in meters], pa.string()), "meter": np.arange(len(meters))}))
    found = lake.read(
        f"""SELECT c.meter, CAST(r.utc_date - DATE '1970-01-01' AS INTEGER) AS day, r.quantity = '{Quantity.AE}' AS is_export, r.kwh
        FROM eligible_readings r JOIN chosen c USING (mpan_id) ORDER BY c.meter"""
    )
    meter, day = found["meter"].to_numpy(), found["day"].to_numpy()
    is_export = found["is_export"].to_numpy()
    kwh: Floats = pc.list_flatten(found["kwh"]).to_numpy(zero_copy_only=False).astype(np.float32).reshape(-1, clock.SLOTS_PER_DAY)
    bounds = np.searchsorted(meter, np.arange(len(meters) + 1))
    for place, row in enumerate(meters):
        mine = slice(bounds[place], bounds[place + 1])
        if mine.stop > mine.start:
            yield _build_history(row, day[mine], is_export[mine], kwh[mine])


def read_places(lake: LakeRows, histories: Sequence[History]) -> tuple[list[Place], list[int]]:
    """The places of the histories, and the place of each history."""
    keys = [_name_place(history.meter) for history in histories]
    places = []
    for key in dict.fromkeys(keys):
        members = [history for history, mine in zip(histories, keys, strict=True) if mine == key]
        first = min(history.first_date for history in members)
        last = max(history.first_date + timedelta(days=len(history.import_kw)) for history in members)
        places.append(_read_place(lake, members[0].meter, first, (last - first).days))
    order = list(dict.fromkeys(keys))
    return places, [order.index(key) for key in keys]


def to_local_days(utc_values: Floats, first_date: date, time_zone: str) -> Floats:
    """UTC half-hours, shape (days, 48) from ``first_date``, as local days by clock slot, same shape.

    NaN where the clock skipped a slot or it lies outside; of an hour that happened twice the first is kept.
    """
    days = len(utc_values)
    index = clock.local_slot_index(first_date, days, time_zone, first_date)
    known = (index >= 0) & (index < days * clock.SLOTS_PER_DAY)
    return np.where(known, utc_values.reshape(-1)[np.where(known, index, 0)], np.nan)


def _build_history(meter: Row, day: Ints, is_export: np.ndarray[tuple[int], np.dtype[np.bool_]], kwh: Floats) -> History:
    last = int(day.max())
    first = max(int(day.min()), last - LONGEST_DAYS + 1)
    energies = np.full((2, last - first + 1, clock.SLOTS_PER_DAY), np.nan)
    for target, wanted in zip(energies, (~is_export & (day >= first), is_export & (day >= first)), strict=True):
        target[day[wanted] - first] = kwh[wanted]
    first_date = EPOCH + timedelta(days=first)
    zone = meter["time_zone"] or clock.LONDON
    imports, exports = (kw_from_kwh(to_local_days(values, first_date, zone)) for values in energies)
    net_kwh = energies[0] - np.nan_to_num(energies[1])
    return History(meter, first_date, imports, exports, imports - np.nan_to_num(exports), net_kwh.reshape(-1))


def _name_place(meter: Row) -> tuple[object, ...]:
    return tuple(meter[name] for name in ("weather_area", "latitude", "longitude", "time_zone"))


def _read_place(lake: LakeRows, meter: Row, first_date: date, days: int) -> Place:
    zone = meter["time_zone"] or clock.LONDON
    found = lake.read(
        """SELECT CAST(utc_date - $first AS INTEGER) AS day, temp_c, ghi_w_m2 FROM silver.weather
        WHERE weather_area = $area AND utc_date >= $first AND utc_date < $first + $days""",
        area=meter["weather_area"],
        first=first_date,
        days=days,
    )
    weather = np.full((2, days, clock.SLOTS_PER_DAY), np.nan)
    if found.num_rows:
        for target, name in zip(weather, ("temp_c", "ghi_w_m2"), strict=True):
            target[found["day"].to_numpy()] = pc.list_flatten(found[name]).to_numpy().reshape(-1, clock.SLOTS_PER_DAY)
    temp_c, sun_w_m2 = (to_local_days(values, first_date, zone) for values in weather)
    is_measured = bool(np.isfinite(sun_w_m2).mean() > 0.5)
    if not is_measured:
        sun_w_m2 = np.asarray(trace_clear_sky(Site(meter["latitude"], meter["longitude"]), first_date, days, zone).clear_w_m2)
    return Place(meter["weather_area"] or "", first_date, temp_c, sun_w_m2, is_measured)
