"""Writes fmar_spark/kernels/ev/likeness.json: what sets the power of a charger apart from that of a home's other loads.

    .venv/bin/python scripts/fit_charger_likeness.py

Simulates a fleet that no other figure rests on, sees each meter whole and in one more circumstance, and lists the powers that its
flat blocks have. Where a car stays for most of what is seen, boosted trees learn which of them is its charger's, within 12 %. Printed
is how often the likeliest power is the charger's at meters held out of it: five minutes on two free cores, simulated meters only.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from rebuild_classifier import MIX
from sklearn.ensemble import GradientBoostingClassifier

from fmar_spark.commands.terminal import show_parts
from fmar_spark.domain.assets import ASSET_CLASSES, AssetClass
from fmar_spark.kernels.ev.detector import HOUR_MINUTES, list_candidates
from fmar_spark.kernels.ev.likeness import FILE, LikenessTrees, score_likeness
from fmar_spark.kernels.solar import detector as solar_pv
from fmar_spark.learning.simulated_examples import VIEWS, View, assemble_view, find_slots, read_truth
from fmar_spark.pools import end_with_parent
from fmar_spark.settings.bounds import whole_from
from fmar_spark.simulate.fleet import Fleet, FleetPlan, prepare_setting, simulate_block
from fmar_spark.simulate.plan import BLOCK_METERS

FIRST: Final = date(2022, 10, 1)
LAST: Final = date(2024, 3, 31)
SAME_KW: Final = 0.12
"""Distance from the charger's power, relative, up to which a power is taken for it."""
TREES: Final = {"n_estimators": 40, "max_leaf_nodes": 8, "max_depth": None, "learning_rate": 0.2, "min_samples_leaf": 80, "random_state": 0}
"""So few that a batch is scored in no time; four times as many choose right one or two times more in a hundred."""
HELD_OUT: Final = 4
"""One block of meters in so many is held out of the trees whose figure is printed."""


class Powers(NamedTuple):
    """Powers of meters that have a car; shape (powers,) but for the evidence."""

    evidence: NDArray[np.float64]
    is_charger: NDArray[np.bool_]
    window: NDArray[np.int64]
    """Which meter in which circumstance; unique within a block."""

    def take(self, wanted: NDArray[np.bool_]) -> "Powers":
        """Those that are wanted."""
        return Powers(self.evidence[wanted], self.is_charger[wanted], self.window[wanted])


def main(argv: list[str]) -> int:
    """Simulate, fit, write and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--meters", type=whole_from(1), default=10240, help="meters to simulate (default: 10240)")
    parser.add_argument("--seed", type=whole_from(0), default=5001, help="seed of the fleet (default: 5001)")
    parser.add_argument("--workers", type=whole_from(1), default=2, help="processes; the result does not depend on it (default: 2)")
    parser.add_argument("--out", type=Path, default=FILE)
    arguments = parser.parse_args(argv)
    plan = FleetPlan(arguments.meters, FIRST, LAST, arguments.seed, MIX)
    blocks = range(-(-plan.meters // BLOCK_METERS))
    parts = []
    with (
        show_parts("fit_charger_likeness", "meters simulated and examined", plan.meters) as show,
        ProcessPoolExecutor(arguments.workers, initializer=end_with_parent) as pool,
    ):
        for block, part in enumerate(pool.map(collect, [plan] * len(blocks), blocks)):
            parts.append(part)
            show(min((block + 1) * BLOCK_METERS, plan.meters))
    held_out = parts[::HELD_OUT]
    others = fit([part for place, part in enumerate(parts) if place % HELD_OUT], "")
    right, possible, windows = np.sum([count_right(part, others) for part in held_out], axis=0)
    source = f"{plan.meters} meters of seed {plan.seed}, {windows} windows with a car of a quarter of the blocks held out: "
    source += f"the likeliest power is the charger's in {right / windows:.1%}, it is among the powers in {possible / windows:.1%}"
    trees = fit(parts, source)
    arguments.out.write_bytes(msgspec.json.encode(trees) + b"\n")
    print(source)
    return 0


def collect(plan: FleetPlan, block: int) -> Powers:
    """The powers of a block of meters, each meter whole and in one more circumstance."""
    fleet = simulate_block(prepare_setting(plan), block)
    meters = len(fleet.mpan_id)
    other = np.random.default_rng((plan.seed, block)).integers(1, len(VIEWS), meters)
    parts = []
    for place, view in enumerate(VIEWS):
        rows = np.flatnonzero(other == place) if place else np.arange(meters)
        if rows.size:
            part = list_powers(fleet, rows, view, plan)
            parts.append(part._replace(window=part.window + place * meters))
    return join(parts)


def list_powers(fleet: Fleet, rows: NDArray[np.int64], view: View, plan: FleetPlan) -> Powers:
    """The powers of some meters of a block in one circumstance; only of those that have a car."""
    window = assemble_view(fleet, rows, view, plan)
    load_kw = window.net_kw + solar_pv.examine(window).generation_kw
    is_hourly = window.interval_minutes >= HOUR_MINUTES
    seen = find_slots(view, plan)
    labels = read_truth(fleet, rows, seen.start, seen.stop)[0][:, ASSET_CLASSES.index(AssetClass.EV)]
    true_kw = np.full((2, len(fleet.mpan_id)), np.nan)
    cars = fleet.assets.asset_class == ASSET_CLASSES.index(AssetClass.EV)
    true_kw[:, fleet.assets.meter[cars]] = fleet.assets.size_kw[cars], fleet.assets.size_before_kw[cars]
    parts = []
    for step, wanted in ((1, ~is_hourly), (2, is_hourly)):
        mine = np.flatnonzero(wanted)
        if not mine.size:
            continue
        candidates = list_candidates(load_kw[mine][:, :, ::step], window.calendar)
        kinds = len(candidates.power_kw)
        row = np.tile(mine, kinds)
        is_charger = (np.abs(candidates.power_kw.ravel() / true_kw[:, rows[row]] - 1.0) <= SAME_KW).any(axis=0)
        known = (labels[row] == 1) & ~np.isnan(candidates.evidence).any(axis=1)
        parts.append(Powers(np.asarray(candidates.evidence, dtype=np.float64), is_charger, rows[row]).take(known))
    return join(parts)


def join(parts: list[Powers]) -> Powers:
    """All of them."""
    return Powers(
        np.concatenate([part.evidence for part in parts]),
        np.concatenate([part.is_charger for part in parts]),
        np.concatenate([part.window for part in parts]),
    )


def fit(parts: list[Powers], source: str) -> LikenessTrees:
    """Trees for the powers of all parts."""
    evidence, is_charger, _ = join(parts)
    forest = GradientBoostingClassifier(**TREES).fit(evidence, is_charger)
    grown = [stage[0].tree_ for stage in forest.estimators_]
    return LikenessTrees(
        source=source,
        base=float(np.log(is_charger.mean() / (1.0 - is_charger.mean()))),
        column=[np.maximum(tree.feature, 0).tolist() for tree in grown],
        threshold=[tree.threshold.tolist() for tree in grown],
        left=[_point(tree.children_left) for tree in grown],
        right=[_point(tree.children_right) for tree in grown],
        value=[np.round(TREES["learning_rate"] * tree.value[:, 0, 0], 6).tolist() for tree in grown],
    )


def _point(children: NDArray[np.int64]) -> list[int]:
    """Successors of each node; of a leaf the leaf."""
    return [int(node) for node in np.where(children < 0, np.arange(children.size), children)]


def count_right(part: Powers, trees: LikenessTrees) -> tuple[int, int, int]:
    """Windows whose likeliest power is the charger's, windows of which any is, and windows."""
    likeness = score_likeness(part.evidence, trees)
    order = np.lexsort((likeness, part.window))
    window, is_charger = part.window[order], part.is_charger[order]
    is_last = np.append(window[1:] != window[:-1], True)
    return int(is_charger[is_last].sum()), np.unique(window[is_charger]).size, int(is_last.sum())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
