"""Labelled evidence from a simulated fleet, seen in many circumstances: whole, short, without weather, without export."""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from typing import Final, NamedTuple

import numpy as np

from fmar_spark import clock
from fmar_spark.domain.assets import ASSET_CLASSES, SIZE_LABELS, SIZE_NAMES
from fmar_spark.kernels.assembly import Site, UtcReadings, UtcWeather, assemble_window, round_days
from fmar_spark.kernels.window import Bools, Floats, Ints, MeterWindow
from fmar_spark.learning.examples import Examples, describe_window, hide_unshown, join_examples, take_examples
from fmar_spark.learning.labelled import LEAST_STAY_DAYS
from fmar_spark.pools import end_with_parent
from fmar_spark.profiling.public_holidays import find_holidays
from fmar_spark.simulate.fleet import Fleet, FleetPlan, Setting, prepare_setting, simulate_block
from fmar_spark.simulate.plan import BLOCK_METERS
from fmar_spark.simulate.weather import GSP_AREAS

MIN_DAYS: Final = 55
MAX_MISSING_SHARE: Final = 0.75


class View(NamedTuple):
    """One circumstance in which a meter is seen."""

    name: str
    last_days: int
    """Days kept at the end of the history; 0 = all."""
    has_weather: bool
    has_export: bool
    ends_early_days: int = 0
    """Days cut off at the end of the history."""


VIEWS: Final = (
    View("whole", 0, True, True),
    View("no_weather", 0, False, True),
    View("import_only", 0, True, False),
    View("import_only_no_weather", 0, False, False),
    View("last_60_days", 62, True, True),
    View("last_120_days", 120, True, True),
    View("last_200_days_no_weather", 200, False, True),
    View("last_365_days", 365, True, False),
    View("last_80_days_no_weather", 80, False, False),
    View("one_winter_no_weather", 72, False, True, ends_early_days=38),
    View("one_winter_import_only", 66, False, False, ends_early_days=36),
    View("one_summer", 92, True, True, ends_early_days=213),
)


def simulate_examples(plan: FleetPlan, views_per_meter: int, report: Callable[[int], None], workers: int = 1) -> Examples:
    """Evidence and truth of a simulated fleet: every meter whole, and in ``views_per_meter - 1`` further views.

    The examples are the same whatever the number of workers: every block has streams of its own.

    Args:
        plan: the fleet.
        views_per_meter: at least 1.
        report: called with the meters that are done, after every block.
        workers: processes that share the blocks.
    """
    blocks = range(-(-plan.meters // BLOCK_METERS))
    parts: list[Examples] = []
    done = 0
    with ProcessPoolExecutor(workers, initializer=_prepare, initargs=(plan, views_per_meter)) as pool:
        for part in pool.map(_examine_block, blocks):
            parts.append(part)
            done += BLOCK_METERS
            report(min(done, plan.meters))
    return join_examples(parts)


class _Task(NamedTuple):
    setting: Setting
    views_per_meter: int


_prepared: dict[str, _Task] = {}
"""What all blocks of one worker share, made once: weather, calendar and prices."""


def _prepare(plan: FleetPlan, views_per_meter: int) -> None:
    end_with_parent()
    _prepared["task"] = _Task(prepare_setting(plan), views_per_meter)


def _examine_block(block: int) -> Examples:
    setting, views_per_meter = _prepared["task"]
    fleet = simulate_block(setting, block)
    return join_examples(list(_view_chunk(fleet, setting.plan, block, views_per_meter)))


def _view_chunk(fleet: Fleet, plan: FleetPlan, chunk: int, views_per_meter: int) -> Iterator[Examples]:
    meters = len(fleet.mpan_id)
    rng = np.random.default_rng((plan.seed, chunk))
    seen_as = np.zeros((meters, len(VIEWS)), dtype=bool)
    seen_as[:, 0] = True
    for _ in range(views_per_meter - 1):
        seen_as[np.arange(meters), rng.integers(1, len(VIEWS), meters)] = True
    for position, view in enumerate(VIEWS):
        rows = np.flatnonzero(seen_as[:, position])
        if rows.size:
            yield describe_view(fleet, rows, view, plan)


def describe_view(fleet: Fleet, rows: Ints, view: View, plan: FleetPlan) -> Examples:
    """Evidence and truth of some meters of a chunk, seen in one circumstance, in a window as meters are passed in."""
    description = describe_window(assemble_view(fleet, rows, view, plan), MIN_DAYS, MAX_MISSING_SHARE)
    seen = find_slots(view, plan)
    labels, present, true_sizes = read_truth(fleet, rows, seen.start, seen.stop)
    examples = Examples(
        meter_id=[fleet.mpan_id[row] for row in rows],
        features=description.features,
        labels=hide_unshown(labels, description.features),
        present=present,
        presence=description.presence,
        sizes=description.sizes,
        true_sizes=true_sizes,
        confusers=[",".join(fleet.confusers[row]) for row in rows],
        behaviours=[",".join(fleet.behaviours[row]) for row in rows],
        history_days=description.history_days,
        provenance=["simulated"] * len(rows),
    )
    return take_examples(examples, description.kept)


def assemble_view(fleet: Fleet, rows: Ints, view: View, plan: FleetPlan) -> MeterWindow:
    """The window of some meters of a chunk, seen in one circumstance."""
    seen = find_slots(view, plan)
    epoch_day = (plan.first_date - date(1970, 1, 1)).days
    first_day, after_day = round_days(*(epoch_day + slot // clock.SLOTS_PER_DAY for slot in (seen.start, seen.stop - 1)))
    slots = (after_day - first_day) * clock.SLOTS_PER_DAY
    offset = (epoch_day - first_day) * clock.SLOTS_PER_DAY
    first_date = clock.add_days(plan.first_date, first_day - epoch_day)

    def lay_out(values: Floats, *, is_known: bool) -> Floats:
        arranged = np.full((len(values), slots), np.nan, np.float32)
        if is_known:
            arranged[:, seen.start + offset : seen.stop + offset] = values[:, seen]
        return arranged

    readings = UtcReadings(
        import_kwh=lay_out(fleet.import_kwh[rows], is_known=True),
        export_kwh=lay_out(fleet.export_kwh[rows], is_known=view.has_export),
        interval_minutes=fleet.interval_minutes[rows],
        area=fleet.area[rows],
    )
    weather = UtcWeather(*(lay_out(values, is_known=view.has_weather) for values in (fleet.weather.temp_c, fleet.weather.ghi_w_m2)))
    sites = tuple(Site(*GSP_AREAS[group][1:]) for group in fleet.weather.gsp_group)
    return assemble_window(readings, weather, sites, first_date, clock.LONDON, find_holidays(clock.LONDON))


def find_slots(view: View, plan: FleetPlan) -> slice:
    """Half-hours of the plan that a view shows."""
    days = max(plan.days - view.ends_early_days, 1)
    first_slot = max(days - view.last_days, 0) * clock.SLOTS_PER_DAY if view.last_days else 0
    return slice(first_slot, days * clock.SLOTS_PER_DAY)


def read_truth(fleet: Fleet, rows: Ints, first_slot: int, slots: int) -> tuple[Floats, Floats, Floats]:
    """Labels, presence at the end, and sizes; (rows, classes) twice and (rows, classes, sizes)."""
    place = np.full(len(fleet.mpan_id), -1)
    place[rows] = np.arange(len(rows))
    labels = np.zeros((len(rows), len(ASSET_CLASSES)))
    present = np.full(labels.shape, np.nan)
    true_sizes = np.full((*labels.shape, len(SIZE_NAMES)), np.nan)
    assets = fleet.assets
    mine: Bools = place[assets.meter] >= 0
    row, column = place[assets.meter[mine]], assets.asset_class[mine]
    begins = np.maximum(assets.appeared_slot[mine], first_slot)
    ends = np.where(assets.removed_slot[mine] < 0, slots, np.minimum(assets.removed_slot[mine], slots))
    stay_days = (ends - begins) / clock.SLOTS_PER_DAY
    labels[row, column] = np.where(stay_days >= LEAST_STAY_DAYS, 1.0, np.where(stay_days <= 0, 0.0, np.nan))
    present[row, column] = (ends >= slots) & (begins < slots)
    for asset, size in SIZE_LABELS:
        is_asset = column == ASSET_CLASSES.index(asset)
        truth = getattr(assets, size.truth)[mine][is_asset]
        for name in size.names:
            true_sizes[row[is_asset], column[is_asset], SIZE_NAMES.index(name)] = truth
    return labels, present, true_sizes
