"""Says among which behaviours the promises of the tiers hold: high 90 %, medium 70 % right.

A simulated fleet that the bundled classifier has not seen is characterised as users do it, in three circumstances: with weather, without
it, and import only (meters that export). Then the answers are counted by class, circumstance and behaviour: each way of use and each
look-alike of the catalogue that enough meters have. Meters that share a way of using a class all have it: each denial is wrong there.
"""

import argparse
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import cache, partial
from itertools import chain
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from rebuild_classifier import MIX
from rich.console import Console
from rich.table import Table

import fmar_spark as fmar
from fmar_spark.commands.terminal import follow
from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS
from fmar_spark.domain.words import Tier
from fmar_spark.learning.simulated_examples import read_truth
from fmar_spark.pools import end_with_parent
from fmar_spark.settings.bounds import whole_from
from fmar_spark.simulate.fleet import Fleet, FleetPlan, prepare_setting, simulate_block
from fmar_spark.simulate.plan import BLOCK_METERS
from fmar_spark.simulate.weather import GSP_AREAS

PROMISED: Final = {Tier.HIGH.value: 0.9, Tier.MEDIUM.value: 0.7}
VIEWS: Final = ("weather", "no weather", "import only")
EVERY: Final = "all meters"


class Answer(NamedTuple):
    """One answer of a tier that promises something."""

    view: str
    asset: str
    tier: str
    is_right: bool
    behaviours: frozenset[str]
    """Of the meter, whatever class they are of, and ``EVERY``."""


class Group(NamedTuple):
    """Answers of one tier about one class, among meters of one behaviour in one circumstance."""

    view: str
    asset: str
    tier: str
    behaviour: str


def main() -> int:
    """Simulate, characterise, count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--meters", type=whole_from(1), default=4096, help="meters to simulate (default: 4096)")
    parser.add_argument("--seed", type=whole_from(0), default=4242, help="seed of the fleet (default: 4242)")
    parser.add_argument("--workers", type=whole_from(1), default=2, help="processes; the result does not depend on it (default: 2)")
    parser.add_argument("--least", type=whole_from(1), default=50, help="answers of a group below which it is passed over (default: 50)")
    arguments = parser.parse_args()
    plan = FleetPlan(arguments.meters, date(2022, 10, 1), date(2024, 3, 31), arguments.seed, MIX._replace(domestic=0.85))
    groups: dict[Group, list[bool]] = {}
    with ProcessPoolExecutor(arguments.workers, initializer=end_with_parent) as pool:
        blocks = range(-(-plan.meters // BLOCK_METERS))
        answered = follow("tiers_by_behaviour", "blocks of meters", pool.map(partial(answer_block, plan), blocks), len(blocks))
        for answer in chain.from_iterable(answered):
            for behaviour in answer.behaviours:
                groups.setdefault(Group(*answer[:3], behaviour), []).append(answer.is_right)
    print_groups({group: rights for group, rights in groups.items() if len(rights) >= arguments.least})
    return 0


def answer_block(plan: FleetPlan, block: int) -> list[Answer]:
    """Answers about the meters of one block of the fleet, in every circumstance."""
    fleet = simulate_block(_prepare(plan), block)
    labels, _, _ = read_truth(fleet, np.arange(len(fleet.mpan_id)), 0, fleet.import_kwh.shape[1])
    return [answer for view in VIEWS for answer in characterise_view(fleet, plan, view, labels)]


def characterise_view(fleet: Fleet, plan: FleetPlan, view: str, labels: Any) -> Iterator[Answer]:
    """What is answered in one circumstance, beside the truth; stays of under 14 days are neither there nor not."""
    rows = np.flatnonzero([bool(mpan) or view != "import only" for mpan in fleet.export_mpan_id])
    if not rows.size:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        detections = fmar.characterise(*build_frames(fleet, plan, view, rows)).detections
    place = {fleet.mpan_id[row]: row for row in rows}
    names = [asset.value for asset in ASSET_CLASSES]
    for found in detections.select(["series_id", "asset_class", "tier", "probability"]).to_pylist():
        row = place[found["series_id"]]
        label = labels[row, names.index(found["asset_class"])]
        if found["tier"] in PROMISED and found["probability"] is not None and not np.isnan(label):
            behaviours = frozenset({*fleet.behaviours[row], *fleet.confusers[row], EVERY})
            is_right = bool((found["probability"] >= 0.5) == (label == 1.0))
            yield Answer(view, found["asset_class"], found["tier"], is_right, behaviours)


def build_frames(fleet: Fleet, plan: FleetPlan, view: str, rows: Any) -> tuple[pa.Table, pa.Table | None, pa.Table]:
    """Readings, weather and sites of some meters, as ``fmar.characterise`` takes them."""
    slots = fleet.import_kwh.shape[1]
    names = np.array(fleet.mpan_id)[rows]
    times = np.datetime64(plan.first_date, "s") + np.arange(slots) * np.timedelta64(30, "m")
    keys = {"series_id": np.repeat(names, slots), "timestamp_utc": np.tile(times.astype("datetime64[s]"), len(rows))}
    columns = {"kwh_import": fleet.import_kwh[rows].ravel()}
    if view != "import only":
        columns["kwh_export"] = fleet.export_kwh[rows].ravel()
    is_read = ~np.all([np.isnan(values) for values in columns.values()], axis=0)
    readings = pa.table({**keys, **{name: pa.array(values, from_pandas=True) for name, values in columns.items()}}).filter(
        pa.array(is_read)
    )
    sites = pa.table(
        {
            "series_id": names,
            "gsp_group": [fleet.gsp_group[row] for row in rows],
            "is_domestic": [bool(fleet.is_domestic[row]) for row in rows],
            "latitude": [GSP_AREAS[fleet.gsp_group[row]][1] for row in rows],
            "longitude": [GSP_AREAS[fleet.gsp_group[row]][2] for row in rows],
        }
    )
    if view == "no weather":
        return readings, None, sites
    area = fleet.area[rows]
    sky = {"temp_c": fleet.weather.temp_c[area].ravel(), "ghi_w_m2": fleet.weather.ghi_w_m2[area].ravel()}
    return readings, pa.table({**keys, **sky}), sites


_prepare = cache(prepare_setting)


def print_groups(groups: dict[Group, list[bool]]) -> None:
    """How many groups keep the promise, all meters together, and the groups that do not keep it, worst first."""
    console = Console(width=140)
    for title, wanted in (
        ("All meters", {group for group in groups if group.behaviour == EVERY}),
        ("Behaviours among which the promise does not hold", {group for group in groups if share(groups[group]) < PROMISED[group.tier]}),
    ):
        table = Table(title=title)
        for heading in ("tier", "class", "behaviour", "seen", "answers", "right"):
            table.add_column(heading, justify="right" if heading in {"answers", "right"} else "left")
        for group in sorted(wanted, key=lambda group: (group.tier, share(groups[group]), group)):
            words = next(facts.words for asset, facts in ASSET_FACTS.items() if asset.value == group.asset)
            table.add_row(group.tier, words, group.behaviour, group.view, str(len(groups[group])), f"{share(groups[group]):.1%}")
        console.print(table)
    for tier, promised in PROMISED.items():
        mine = [share(rights) >= promised for group, rights in groups.items() if group.tier == tier]
        console.print(f"{tier}: {sum(mine)} of {len(mine)} groups keep {promised:.0%}")


def share(rights: list[bool]) -> float:
    """Share of answers that are right."""
    return sum(rights) / len(rights)


if __name__ == "__main__":
    sys.exit(main())
