"""Leaves each behaviour of the simulator's catalogue out of training in turn, and says how many of its meters are then answered right.

What a classifier has learnt from meters like those that it is tested on says little of a way of use that nobody thought of. Here all
meters with one behaviour of a class (or one look-alike) are kept out of training and calibration, the class is learnt from the others,
and the meters that were left out are answered. The worst behaviour is the headline. Simulated meters only.

The meters are the first of the bundled classifier's own training fleet. --keep FILE stores their evidence, so that another run with the
same FILE, code and meters needs no simulation.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rebuild_classifier import MIX
from rich.console import Console
from rich.table import Table

from fmar_spark.commands.terminal import show_parts
from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS, AssetClass
from fmar_spark.learning.classifier import average_members, columns_of
from fmar_spark.learning.examples import Examples
from fmar_spark.learning.simulated_examples import simulate_examples
from fmar_spark.learning.training import Split, TreeShape, fit_class, split_by_meter
from fmar_spark.settings.bounds import whole_from
from fmar_spark.simulate.behaviours.catalogue import BY_NAME
from fmar_spark.simulate.fleet import FleetPlan

SHAPE: Final = TreeShape(rounds=120, learning_rate=0.1, leaves=16, min_samples_leaf=40, members=1, blur=0.05)
CALIBRATION_SHARE: Final = 0.2
FOUND: Final = 0.5
SURE: Final = 0.1
SEED: Final = 20260101
VIEWS: Final = 3
"""Circumstances in which each meter is seen, as in the training of the bundled classifier."""


class Score(NamedTuple):
    """Answers about the meters of one behaviour by a classifier that never saw it."""

    behaviour: str
    asset: AssetClass
    has_asset: bool
    """Whether the behaviour is a way of using the class, or a look-alike that should not be taken for it."""
    meters: int
    right: float
    """Share of windows answered right."""
    sure_and_wrong: float
    """Share answered wrong in the high tier."""

    @property
    def wrong(self) -> float:
        """Share answered wrong."""
        return 1.0 - self.right


def main() -> int:
    """Simulate, leave out, train and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--meters", type=whole_from(1), default=4096, help="meters to simulate (default: 4096)")
    parser.add_argument("--seed", type=whole_from(0), default=11, help="seed of the fleet (default: 11)")
    parser.add_argument("--workers", type=whole_from(1), default=2, help="processes; the result does not depend on it (default: 2)")
    parser.add_argument("--least", type=whole_from(1), default=20, help="meters of a behaviour below which it is passed over (default: 20)")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="evidence: read where it is there, else stored; .npz")
    parser.add_argument("--subjects", default="", metavar="NAME,...", help="classes or look-alikes to leave out (default: all)")
    arguments = parser.parse_args()
    examples = simulate(arguments.meters, arguments.seed, arguments.workers, arguments.keep)
    print_scores(leave_each_out(examples, arguments.least, set(filter(None, arguments.subjects.split(",")))))
    return 0


def simulate(meters: int, seed: int, workers: int, keep: Path | None) -> Examples:
    """Evidence and truth of the fleet, from the file where there is one."""
    if keep is not None and keep.exists():
        stored = np.load(keep)
        return Examples(*(stored[name].tolist() if stored[name].dtype.kind == "U" else stored[name] for name in Examples._fields))
    plan = FleetPlan(meters, date(2022, 10, 1), date(2024, 3, 31), seed, MIX)
    with show_parts("leave_behaviours_out", "meters simulated and examined", meters) as show:
        examples = simulate_examples(plan, VIEWS, show, workers)
    if keep is not None:
        columns: dict[str, Any] = {name: np.asarray(value) for name, value in examples._asdict().items()}
        np.savez_compressed(keep, **columns)
    return examples


def leave_each_out(examples: Examples, least: int, subjects: set[str]) -> list[Score]:
    """One score for each behaviour of a class, and for each look-alike and the class that it is most often taken for; worst first."""
    known = [set(text.split(",")) - {""} for text in examples.behaviours]
    ids = np.array(examples.meter_id)
    scores = []
    for behaviour in sorted(set().union(*known)):
        has_it = np.array([behaviour in names for names in known])
        subject = BY_NAME[behaviour].subject if behaviour in BY_NAME else behaviour
        # Without the only behaviour of its class there is nothing to learn from.
        if len(set(ids[has_it])) < least or subject == AssetClass.SOLAR_PV or (subjects and str(subject) not in subjects):
            continue
        classes = [subject] if isinstance(subject, AssetClass) else list(ASSET_CLASSES)
        mine = [score for asset in classes if (score := score_behaviour(examples, has_it, (behaviour, asset), ids))]
        scores += mine if isinstance(subject, AssetClass) else [max(mine, key=lambda score: score.wrong)] if mine else []
    return sorted(scores, key=lambda score: -score.wrong)


def score_behaviour(examples: Examples, rows: NDArray[np.bool_], what: tuple[str, AssetClass], ids: NDArray[np.str_]) -> Score | None:
    """Score of one class on the meters of a behaviour; of a look-alike on those that lack the class. None without any."""
    name, asset = what
    position = ASSET_CLASSES.index(asset)
    has_asset = name in BY_NAME and BY_NAME[name].subject == asset
    wanted = rows & (examples.labels[:, position] == (1.0 if has_asset else 0.0))
    if not wanted.any():
        return None
    split = split_by_meter(examples.meter_id, CALIBRATION_SHARE, 0.0, SEED)
    answer = answer_rows(examples, Split(split.train & ~rows, split.calibrate & ~rows, wanted), asset, has_asset=has_asset)
    return Score(name, asset, has_asset, len(set(ids[wanted])), float((answer > FOUND).mean()), float((answer <= SURE).mean()))


def answer_rows(examples: Examples, split: Split, asset: AssetClass, *, has_asset: bool) -> NDArray[np.float64]:
    """Probability of the right answer for the rows to be tested."""
    trees, (slope, intercept) = fit_class(examples, split, asset, SHAPE, SEED % 2**31)
    raw = average_members(trees, examples.features[split.test][:, columns_of(asset)])
    probability = 1 / (1 + np.exp(-(slope * raw + intercept)))
    return np.asarray(probability if has_asset else 1.0 - probability)


def print_scores(scores: Sequence[Score]) -> None:
    """The worst behaviour, and a table of all."""
    console = Console(width=150)
    table = Table(title="Simulated meters of a behaviour that training never saw")
    for heading in ("behaviour", "class", "meters", "answered right", "wrong in the high tier"):
        table.add_column(heading, justify="left" if heading in {"behaviour", "class"} else "right")
    for score in scores:
        said = ASSET_FACTS[score.asset].words if score.has_asset else f"not {ASSET_FACTS[score.asset].words}"
        table.add_row(score.behaviour, said, str(score.meters), f"{score.right:.0%}", f"{score.sure_and_wrong:.0%}")
    if scores:
        worst = scores[0]
        console.print(f"Worst: {worst.behaviour}, {worst.right:.0%} of {worst.meters} meters answered right")
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
