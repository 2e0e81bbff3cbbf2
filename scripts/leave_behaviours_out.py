"""Leaves each behaviour of the simulator's catalogue out of training in turn, and says how many of its meters are then answered right.

What a classifier has learnt from meters like those that it is tested on says little of a way of use that nobody thought of. Here all
meters with one behaviour of a class (or one look-alike) are kept out of training and calibration, the class is learnt from the others,
and the meters that were left out are answered. The worst behaviour is the headline. Simulated meters only.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rebuild_classifier import MIX
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS, AssetClass
from fmar_spark.learning.classifier import AssetClassifier
from fmar_spark.learning.examples import Examples
from fmar_spark.learning.simulated_examples import simulate_examples
from fmar_spark.learning.training import Split, TreeShape, split_by_meter, train_classifier
from fmar_spark.simulate.behaviours.catalogue import BY_NAME
from fmar_spark.simulate.fleet import FleetPlan

SHAPE: Final = TreeShape(rounds=120, learning_rate=0.1, leaves=16, min_samples_leaf=40, members=1, blur=0.05)
CALIBRATION_SHARE: Final = 0.2
FOUND: Final = 0.5
SURE: Final = 0.1
SEED: Final = 20260101


class Score(NamedTuple):
    """Answers about the meters of one behaviour by a classifier that never saw it."""

    behaviour: str
    asset: AssetClass
    has_asset: bool
    """Whether the behaviour is a way of using the class, or a look-alike that should not be taken for it."""
    meters: int
    right: float
    """Share answered right."""
    sure_and_wrong: float
    """Share answered wrong in the high tier."""

    @property
    def wrong(self) -> float:
        """Share answered wrong."""
        return 1.0 - self.right


def main() -> int:
    """Simulate, leave out, train and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--meters", type=int, default=4096, help="meters to simulate (default: 4096)")
    parser.add_argument("--seed", type=int, default=5, help="seed of the fleet (default: 5)")
    parser.add_argument("--workers", type=int, default=2, help="processes; the result does not depend on it (default: 2)")
    parser.add_argument("--least", type=int, default=20, help="meters of a behaviour below which it is passed over (default: 20)")
    arguments = parser.parse_args()
    plan = FleetPlan(arguments.meters, date(2022, 10, 1), date(2024, 3, 31), arguments.seed, MIX)
    with Progress(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"), TimeElapsedColumn()) as bar:
        task = bar.add_task("meters simulated and examined", total=arguments.meters)
        examples = simulate_examples(plan, 2, lambda done: bar.update(task, completed=done), arguments.workers)
    scores = leave_each_out(examples, arguments.least)
    print_scores(scores)
    return 0


def leave_each_out(examples: Examples, least: int) -> list[Score]:
    """One score for each behaviour of a class, and for each look-alike and the class that it is most often taken for; worst first."""
    known = [set(text.split(",")) - {""} for text in examples.behaviours]
    ids = np.array(examples.meter_id)
    scores = []
    for behaviour in sorted(set().union(*known)):
        has_it = np.array([behaviour in names for names in known])
        subject = BY_NAME[behaviour].subject if behaviour in BY_NAME else behaviour
        if len(set(ids[has_it])) < least:
            continue
        split = split_by_meter(examples.meter_id, CALIBRATION_SHARE, 0.0, SEED)
        without = Split(split.train & ~has_it, split.calibrate & ~has_it, has_it)
        if subject == AssetClass.SOLAR_PV:
            continue  # the only behaviour of its class: without it there is nothing to learn from
        classifier = train_classifier(examples, without, SHAPE, seed=SEED % 2**31)
        classes = [subject] if isinstance(subject, AssetClass) else list(ASSET_CLASSES)
        mine = [score for asset in classes if (score := score_behaviour(classifier, examples, has_it, (behaviour, asset), ids))]
        scores += mine if isinstance(subject, AssetClass) else [max(mine, key=lambda score: score.wrong)] if mine else []
    return sorted(scores, key=lambda score: -score.wrong)


def score_behaviour(
    classifier: AssetClassifier, examples: Examples, rows: NDArray[np.bool_], what: tuple[str, AssetClass], ids: NDArray[np.str_]
) -> Score | None:
    """Score of one class on the meters of a behaviour; of a look-alike on those that lack the class. None without any."""
    name, asset = what
    position = ASSET_CLASSES.index(asset)
    has_asset = name in BY_NAME and BY_NAME[name].subject == asset
    wanted = rows & (examples.labels[:, position] == (1.0 if has_asset else 0.0))
    if not wanted.any():
        return None
    probability = classifier.predict(examples.features[wanted])[:, position]
    answer = probability if has_asset else 1.0 - probability
    return Score(name, asset, has_asset, len(set(ids[wanted])), float((answer > FOUND).mean()), float((answer <= SURE).mean()))


def print_scores(scores: Sequence[Score]) -> None:
    """The worst behaviour, and a table of all."""
    console = Console(width=140)
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
