"""Flexibility service providers, honest and not, over a small fleet of their own: dispatch events, declared volumes, and the truth.

The meters are a block of the plan that no plan reaches by itself, so that the fleet without deliveries stays as it is. What an
asset truly delivers is taken off (or put on) the load of its meter before the meter is read; what its FSP declares may differ.
"""

from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fmar_spark import clock
from fmar_spark.domain.markets import Market
from fmar_spark.domain.mpan import number_mpans
from fmar_spark.simulate.fleet import Fleet, prepare_setting, simulate_block
from fmar_spark.simulate.plan import BLOCK_METERS, Bools, FleetPlan, Floats, Ints, open_stream

BLOCK: Final = 100_000
"""Its meters come after 12.8 million others."""
PROFILES: Final = (
    "honest",
    "phantom_100",
    "honest_rebound",
    "phantom_50",
    "honest_turn_up",
    "inflated_baseline",
    "honest_pair",
    "lying_pair",
)
"""Behaviours of FSPs in the order in which meters get them; the last two share the meters of ``honest_pair``."""
SHARE_OF_DECLARED: Final = {"phantom_100": 0.0, "phantom_50": 0.5, "inflated_baseline": 0.25, "lying_pair": 0.0}
"""What dishonest FSPs deliver of what they declare; the others deliver all of it."""
EVENT_DAYS: Final = 84
"""Last days of the plan, on which there are events."""
ASSET_NOISE: Final = 0.03
"""Relative error of an asset meter, one standard deviation."""
EVENING: Final = slice(30, 46)
"""UTC half-hours in which assets run, and within which they are dispatched."""
LEAST_SHARE: Final = 0.15
"""A meter's load is never cut below this share of it."""
AMSID_DISTRIBUTOR: Final = 98
DECLARED_SLOT: Final = 18
"""UTC half-hour of the next day in which volumes are declared."""
NOTICE_SLOTS: Final = 8
Moments = NDArray[np.datetime64]


class Dispatched(NamedTuple):
    """Parallel arrays, one entry for each event of one asset."""

    meter: Ints
    profile: list[str]
    amsid: list[str]
    start_slot: Ints
    """UTC half-hours of the plan."""
    slots: Ints
    is_down: Bools
    size_kw: Floats
    """Power that was requested."""


class Delivered(NamedTuple):
    """What the events do to the meters, and what is declared of them."""

    change_kwh: Floats
    """To be added to the import of each meter, shape (meters, slots)."""
    true_kwh: list[Floats]
    """Delivered in each half-hour of each event, positive in its direction."""
    declared_kwh: list[Floats]


class DeliveryFleet(NamedTuple):
    """Meters whose readings show what their assets truly delivered, with declarations and truth."""

    plan: FleetPlan
    fleet: Fleet
    events: pa.Table
    """Columns of an events file."""
    volumes: pa.Table
    """Columns of a volumes file."""
    truth: pa.Table
    """One row for each event of each asset."""


def simulate_deliveries(plan: FleetPlan, meters: int) -> DeliveryFleet:
    """Meters beside a plan's own, on the same dates and under the same weather, with a year's last twelve weeks of events.

    Args:
        plan: of the fleet that they stand beside.
        meters: how many; at most one block.
    """
    calm = plan.mix._replace(unread=0.1, hourly=0.0, no_half_hourly_consent=0.0, opted_out=0.0, no_legal_basis=0.0)
    own = plan._replace(meters=BLOCK * BLOCK_METERS + min(meters, BLOCK_METERS), mix=calm)
    fleet = simulate_block(prepare_setting(own), BLOCK)
    rng = open_stream(plan.seed, BLOCK, "deliveries")
    size_kw = _draw_sizes(rng, fleet)
    fleet = _run_assets(rng, fleet, size_kw)
    dispatched = _draw_events(rng, own, size_kw)
    delivered = _deliver(rng, fleet, dispatched)
    read = np.maximum(fleet.import_kwh + delivered.change_kwh, 0.0)
    fleet = fleet._replace(import_kwh=np.round(read, 3).astype(np.float32))
    return DeliveryFleet(own, fleet, *_tabulate(own, fleet, dispatched, delivered))


def _draw_sizes(rng: np.random.Generator, fleet: Fleet) -> Floats:
    """Power of each meter's flexible asset, kW, shape (meters,): about as much as the rest of its evening load."""
    evening = fleet.import_kwh.reshape(len(fleet.mpan_id), -1, clock.SLOTS_PER_DAY)[:, :, EVENING]
    usual = np.asarray([np.nanmedian(kwh) if np.isfinite(kwh).any() else 0.5 for kwh in evening])
    return np.round(np.maximum(2 * usual * rng.uniform(0.7, 2.0, len(usual)), 0.5), 2)


def _run_assets(rng: np.random.Generator, fleet: Fleet, size_kw: Floats) -> Fleet:
    """The meters with their assets, which run every evening where they are not dispatched."""
    evening = np.zeros(clock.SLOTS_PER_DAY)
    evening[EVENING] = 1.0
    days = fleet.import_kwh.shape[1] // clock.SLOTS_PER_DAY
    run = np.tile(evening, days) * size_kw[:, None] / 2 * (1 + rng.normal(0, 0.05, fleet.import_kwh.shape))
    return fleet._replace(import_kwh=fleet.import_kwh + run)


def _draw_events(rng: np.random.Generator, plan: FleetPlan, sizes_kw: Floats) -> Dispatched:
    """Two or three evenings a week on which each asset is dispatched; of two assets at one meter at least some evenings differ."""
    days = min(EVENT_DAYS, plan.days // 2)
    first_day = plan.days - days
    parts: list[tuple[int, str, str, Ints, Ints, bool, float]] = []
    behaviours = [name for name in PROFILES if name != "lying_pair"]
    for meter, size_kw in enumerate(sizes_kw.tolist()):
        profile = behaviours[meter % len(behaviours)]
        for number, name in enumerate(("honest_pair", "lying_pair") if profile == "honest_pair" else (profile,)):
            day = first_day + np.flatnonzero(rng.random(days) < 0.35)
            start = day * clock.SLOTS_PER_DAY + rng.integers(32, 38, len(day))
            amsid = number_mpans(np.array([AMSID_DISTRIBUTOR]), np.array([2 * meter + number]))[0]
            share = 0.5 if profile == "honest_pair" else 1.0
            parts.append((meter, name, amsid, start, rng.integers(2, 6, len(day)), profile != "honest_turn_up", size_kw * share))
    counts = [len(part[3]) for part in parts]
    return Dispatched(
        meter=np.repeat([part[0] for part in parts], counts),
        profile=[part[1] for part, count in zip(parts, counts, strict=True) for _ in range(count)],
        amsid=[part[2] for part, count in zip(parts, counts, strict=True) for _ in range(count)],
        start_slot=np.concatenate([part[3] for part in parts]),
        slots=np.concatenate([part[4] for part in parts]),
        is_down=np.repeat([part[5] for part in parts], counts),
        size_kw=np.repeat([part[6] for part in parts], counts),
    )


def _deliver(rng: np.random.Generator, fleet: Fleet, dispatched: Dispatched) -> Delivered:
    """What each event changes at its meter, and what is declared of it."""
    change = np.zeros_like(fleet.import_kwh, dtype=np.float64)
    true_kwh, declared_kwh = [], []
    for meter, profile, start, slots, is_down, size in zip(
        dispatched.meter, dispatched.profile, dispatched.start_slot, dispatched.slots, dispatched.is_down, dispatched.size_kw, strict=True
    ):
        span = slice(start, start + slots)
        load = np.nan_to_num(fleet.import_kwh[meter, span]) + change[meter, span]
        able = np.minimum(size / 2, np.maximum(load * (1 - LEAST_SHARE), 0.0)) if is_down else np.full(len(load), size / 2)
        true = able * SHARE_OF_DECLARED.get(profile, 1.0)
        change[meter, span] += -true if is_down else true
        if profile == "honest_rebound":
            after = slice(start + slots, start + slots + 4)
            change[meter, after] += 0.6 * true.sum() / 4
        if profile == "inflated_baseline":
            change[meter, start - 8 : start - 1] += 0.5 * size / 2
        said = able if profile not in SHARE_OF_DECLARED else np.full(len(load), size / 2)
        true_kwh.append(true)
        declared_kwh.append(np.round(said * (1 + rng.normal(0, ASSET_NOISE, len(load))), 3))
    return Delivered(change, true_kwh, declared_kwh)


def _tabulate(plan: FleetPlan, fleet: Fleet, dispatched: Dispatched, delivered: Delivered) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Events, volumes and truth."""
    starts: Moments = clock.utc_slot_starts(plan.first_date, plan.slots + 2 * clock.SLOTS_PER_DAY).astype("datetime64[s]")
    start, end = starts[dispatched.start_slot], starts[dispatched.start_slot + dispatched.slots]
    notice = starts[dispatched.start_slot - NOTICE_SLOTS]
    count = len(start)
    ids = [f"SIM-{number:06d}" for number in range(count)]
    mpans = [fleet.mpan_id[meter] for meter in dispatched.meter]
    fsps = [f"FSP{PROFILES.index(profile) + 1:02d}" for profile in dispatched.profile]
    events = {
        "event_id": ids,
        "mpan_id": mpans,
        "amsid": dispatched.amsid,
        "fsp_id": fsps,
        "market": [Market.DSO_LOCAL.value] * count,
        "product": ["Scheduled Utilisation"] * count,
        "start_utc": _write_stamps(start),
        "end_utc": _write_stamps(end),
        "notice_utc": _write_stamps(notice),
        "direction": ["down" if is_down else "up" for is_down in dispatched.is_down],
        "requested_kw": dispatched.size_kw,
    }
    row = np.repeat(np.arange(count), dispatched.slots)
    within = np.arange(len(row)) - np.repeat(np.cumsum(dispatched.slots) - dispatched.slots, dispatched.slots)
    period = starts[dispatched.start_slot[row] + within]
    declared_at = starts[(dispatched.start_slot[row] // clock.SLOTS_PER_DAY + 1) * clock.SLOTS_PER_DAY + DECLARED_SLOT]
    volumes = {
        "mpan_id": [mpans[one] for one in row],
        "amsid": [dispatched.amsid[one] for one in row],
        "fsp_id": [fsps[one] for one in row],
        "period_start_utc": _write_stamps(period),
        "delivered_kwh": np.concatenate(delivered.declared_kwh) if count else np.zeros(0),
        "declared_at_utc": _write_stamps(declared_at),
        "version": np.ones(len(row), dtype=np.int64),
    }
    truth = {
        **{name: events[name] for name in ("event_id", "mpan_id", "amsid", "fsp_id")},
        "profile": dispatched.profile,
        "is_honest": [profile not in SHARE_OF_DECLARED for profile in dispatched.profile],
        "delivered_kwh": [float(kwh.sum()) for kwh in delivered.true_kwh],
        "declared_kwh": [float(kwh.sum()) for kwh in delivered.declared_kwh],
    }
    return pa.table(events), pa.table(volumes), pa.table(truth)


def _write_stamps(moments: Moments) -> list[str]:
    return [f"{text}Z" for text in np.datetime_as_string(moments).tolist()]
