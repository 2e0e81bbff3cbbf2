"""What the engine derived for chosen meters: episodes, availability and baseline predictions, meter by meter."""

from typing import Any, Final

import numpy as np
import pyarrow as pa

from fmar_spark import clock
from fmar_spark.domain.words import ASSET_CLASSES, SEASONS, Direction
from fmar_spark.kernels.window import Ints
from fmar_spark.report.histories import History
from fmar_spark.report.lake_rows import LakeRows, Row
from fmar_spark.report.packing import count_day, round_values
from fmar_spark.units import SLOT_MINUTES

_CLASS_NAMES: Final = [asset.value for asset in ASSET_CLASSES]
_DIRECTION_NAMES: Final = [direction.value for direction in Direction]
_SEASON_NAMES: Final = [season.value for season in SEASONS]
_UTC_SLOT: Final = f"CAST(epoch_us({{}}) // {SLOT_MINUTES * 60_000_000} AS BIGINT)"
"""Half-hours since 1970."""


class Derived:
    """The rows of the meters that ``read_histories`` made known as ``chosen``, read once and handed out by meter."""

    def __init__(self, lake: LakeRows, meters: int, baseline_days: int) -> None:
        """Reads the three tables."""
        started, ended = _UTC_SLOT.format("started_at"), _UTC_SLOT.format("ended_at")
        self._events = _Bounded(
            lake.read(
                f"""SELECT meter, asset_class, {started} AS slot, {ended} - {started} AS slots, peak_kw, energy_kwh, is_import
                FROM silver.asset_events JOIN chosen USING (mpan_id) ORDER BY meter, started_at, asset_class"""
            ),
            meters,
        )
        self._predictions = _Bounded(
            lake.read(
                f"""SELECT meter, {_UTC_SLOT.format("slot_start_at")} AS slot, predicted_kwh, p10_kwh, p90_kwh, model, trained_to_date
                FROM gold.baseline_predictions JOIN chosen USING (mpan_id)
                QUALIFY slot_start_at > max(slot_start_at) OVER (PARTITION BY meter) - to_days($days) ORDER BY meter, slot_start_at""",
                days=baseline_days,
            ),
            meters,
        )
        self._availability = _Bounded(
            lake.read(
                """SELECT meter, asset_class, direction, season, list(weeks_observed ORDER BY weekday, slot) AS weeks,
                    list(CASE WHEN NOT isnan(probability) THEN round(100 * probability)::INTEGER END ORDER BY weekday, slot) AS percent
                FROM gold.availability JOIN chosen USING (mpan_id) GROUP BY ALL ORDER BY meter, asset_class, direction, season"""
            ),
            meters,
        )

    def describe(self, place: int, history: History) -> dict[str, Any]:
        """Episodes, availability and predictions of the meter at that place of the chosen."""
        return {
            "events": _describe_events(self._events.of(place), history),
            "availability": [_describe_availability(row) for row in self._availability.of(place).to_pylist()],
            "baseline": _describe_predictions(self._predictions.of(place), history),
        }


class _Bounded:
    """Rows ordered by meter."""

    def __init__(self, rows: pa.Table, meters: int) -> None:
        self._rows = rows
        self._bounds = np.searchsorted(rows["meter"].to_numpy(), np.arange(meters + 1))

    def of(self, place: int) -> pa.Table:
        """The rows of one meter."""
        return self._rows.slice(self._bounds[place], self._bounds[place + 1] - self._bounds[place])


def _describe_events(rows: pa.Table, history: History) -> dict[str, list[Any]]:
    """Parallel columns; slots count from local midnight of the history's first day, and an episode that goes on has no length."""
    slot = _to_local(rows["slot"].to_numpy(), history)
    inside = np.flatnonzero(slot >= 0)
    kept = rows.take(pa.array(inside))
    return {
        "class": [_CLASS_NAMES.index(name) for name in kept["asset_class"].to_pylist()],
        "slot": slot[inside].tolist(),
        "slots": kept["slots"].to_pylist(),
        "peak_kw": round_values(kept["peak_kw"].to_numpy(), 2),
        "energy_kwh": round_values(kept["energy_kwh"].to_numpy(), 1),
        "is_import": [int(value) for value in kept["is_import"].to_pylist()],
    }


def _describe_availability(row: Row) -> list[Any]:
    """Class, direction, season, weeks observed by weekday, and percent by weekday and slot."""
    return [
        _CLASS_NAMES.index(row["asset_class"]),
        _DIRECTION_NAMES.index(row["direction"]),
        _SEASON_NAMES.index(row["season"]),
        row["weeks"][:: clock.SLOTS_PER_DAY],
        row["percent"],
    ]


def _describe_predictions(rows: pa.Table, history: History) -> dict[str, Any] | None:
    """Expected and read net energy of each half-hour, kWh; none where nothing was predicted."""
    if rows.num_rows == 0:
        return None
    utc_slot = rows["slot"].to_numpy()
    place = utc_slot - (count_day(history.first_date) or 0) * clock.SLOTS_PER_DAY
    read = (place >= 0) & (place < len(history.net_kwh))
    actual = np.where(read, history.net_kwh[np.where(read, place, 0)], np.nan)
    return {
        "slot": _to_local(utc_slot, history).tolist(),
        "predicted_kwh": round_values(rows["predicted_kwh"].to_numpy(), 3),
        "p10_kwh": round_values(rows["p10_kwh"].to_numpy(), 3),
        "p90_kwh": round_values(rows["p90_kwh"].to_numpy(), 3),
        "actual_kwh": round_values(actual, 3),
        "model": rows["model"][-1].as_py(),
        "trained_to": str(rows["trained_to_date"][-1].as_py()),
    }


def _to_local(utc_slot: Ints, history: History) -> Ints:
    """Local slots counted from midnight of the history's first day, from half-hours since 1970; negative outside of it."""
    days = len(history.import_kw)
    local = clock.local_slot_of_utc(history.first_date, days + 1, history.meter["time_zone"] or clock.LONDON)
    place = utc_slot - (count_day(history.first_date) or 0) * clock.SLOTS_PER_DAY
    inside = (place >= 0) & (place < len(local))
    return np.where(inside, local[np.where(inside, place, 0)], -1)
