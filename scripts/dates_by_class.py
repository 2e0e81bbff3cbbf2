"""Measures how well the changes of simulated assets are dated, by class and kind of change: came, changed its size, went.

    .venv/bin/python scripts/dates_by_class.py --seed 21 23

The fleets are characterised as users do it, with weather. Known are the changes of all assets, whether they are answered about or not; a
change of size counts where the asset grew or shrank for good. False are dates of that kind about assets that never changed in that way.
No lake, no Spark.
"""

import argparse
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import cache, partial
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import yaml
from rich.console import Console
from rich.table import Table
from tiers_by_behaviour import build_frames

import fmar_spark as fmar
from fmar_spark.commands.terminal import follow
from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS
from fmar_spark.domain.words import PRESENT_FROM, ChangeKind
from fmar_spark.learning.bundled_classifier import load_bundled
from fmar_spark.pools import end_with_parent
from fmar_spark.settings.bounds import whole_from
from fmar_spark.simulate.fleet import FleetPlan, Mix, prepare_setting, simulate_block
from fmar_spark.simulate.plan import BLOCK_METERS, mix_from
from fmar_spark.simulate.truth_tables import tabulate_assets

NEAR_DAYS: Final = 7
SIZE_CHANGES: Final = (ChangeKind.UPGRADED.value, ChangeKind.REDUCED.value)
CHANGES: Final = ("came", "changed size", "went")
Row = dict[str, Any]


class Stated(NamedTuple):
    """A change as it is reported: its date and the ends of its 80 % interval."""

    day: date
    p10: date
    p90: date


class Outcome(NamedTuple):
    """One kind of change of one asset."""

    asset: str
    change: str
    truth: date | None
    is_found: bool
    stated: Stated | None

    @property
    def is_near(self) -> bool:
        """Whether the stated date lies within a week of the true one."""
        return self.truth is not None and self.stated is not None and abs((self.stated.day - self.truth).days) <= NEAR_DAYS

    @property
    def is_held(self) -> bool:
        """Whether the true date lies in the stated interval."""
        return self.truth is not None and self.stated is not None and self.stated.p10 <= self.truth <= self.stated.p90


def main(argv: list[str]) -> int:
    """Simulate, characterise, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--meters", type=whole_from(1), default=1000, help="of each fleet (default: 1000)")
    parser.add_argument("--from", dest="first", type=date.fromisoformat, default=date(2013, 1, 26), help="first day (default: 2013-01-26)")
    parser.add_argument("--to", dest="last", type=date.fromisoformat, default=date(2014, 1, 25), help="last day (default: 2014-01-25)")
    parser.add_argument("--seed", type=whole_from(0), nargs="+", default=[21, 23], help="a fleet each (default: 21 23)")
    parser.add_argument("--mix", type=Path, help="shares of the fleet, YAML; default: those of the demo")
    parser.add_argument("--workers", type=whole_from(1), default=2, help="processes; the result does not depend on it (default: 2)")
    given = parser.parse_args(argv)
    if given.last < given.first:
        parser.error(f"--to {given.last} found, {given.first} or later wanted")
    mix = mix_from(yaml.safe_load(given.mix.read_text(encoding="utf-8"))) if given.mix else Mix()
    outcomes: list[Outcome] = []
    with ProcessPoolExecutor(given.workers, initializer=end_with_parent) as pool:
        for seed in given.seed:
            plan = FleetPlan(given.meters, given.first, given.last, seed, mix)
            blocks = range(-(-plan.meters // BLOCK_METERS))
            dated = follow(f"dates_by_class: seed {seed}", "blocks of meters", pool.map(partial(date_block, plan), blocks), len(blocks))
            outcomes += chain.from_iterable(dated)
    seeds = ", ".join(str(seed) for seed in given.seed)
    print(f"{load_bundled().version}: {given.meters} simulated meters of each fleet, {given.first} to {given.last}, seeds {seeds}")
    Console(width=140).print(tabulate(outcomes))
    return 0


def date_block(plan: FleetPlan, block: int) -> list[Outcome]:
    """What is said of the changes of the assets of one block of a fleet."""
    fleet = simulate_block(_prepare(plan), block)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answers = fmar.characterise(*build_frames(fleet, plan, "weather", np.arange(len(fleet.mpan_id))))
    truth = tabulate_assets(plan, fleet).to_pylist()
    return list(compare(truth, answers.detections.to_pylist(), answers.changes.to_pylist()))


def compare(assets: list[Row], detections: list[Row], changes: list[Row]) -> Iterator[Outcome]:
    """Truth and answer of every asset's changes.

    Args:
        assets: rows of the truth, as the landing folder of a simulated fleet has them.
        detections: rows of gold.asset_detections, by ``series_id``.
        changes: rows of gold.asset_changes, by ``series_id``.
    """
    answers = {(row["series_id"], row["asset_class"]): row for row in detections if (row["probability"] or 0.0) >= PRESENT_FROM}
    resized: dict[tuple[str, str], list[Stated]] = {}
    for row in changes:
        if row["kind"] in SIZE_CHANGES:
            stated = Stated(row["changed_date"], row["changed_p10_date"], row["changed_p90_date"])
            resized.setdefault((row["series_id"], row["asset_class"]), []).append(stated)
    for asset in assets:
        key = (asset["mpan_id"], asset["asset_class"])
        answer = answers.get(key)
        stated_sizes = resized.get(key, [])
        truth = asset["upgraded_date"]
        nearest = min(stated_sizes, key=lambda one: abs((one.day - truth).days) if truth else 0, default=None)
        spoken = (_read_date(answer, "appeared"), nearest, _read_date(answer, "removed"))
        truths = (asset["appeared_date"], truth, asset["removed_date"])
        for change, true_day, said in zip(CHANGES, truths, spoken, strict=True):
            yield Outcome(key[1], change, true_day, answer is not None, said)


def _read_date(answer: Row | None, name: str) -> Stated | None:
    day = answer[f"{name}_date"] if answer else None
    return None if answer is None or day is None else Stated(day, answer[f"{name}_p10_date"], answer[f"{name}_p90_date"])


_prepare = cache(prepare_setting)


def tabulate(outcomes: list[Outcome]) -> Table:
    """A row for each class and kind of change."""
    table = Table()
    for heading in (
        "class",
        "change",
        "known",
        "found",
        "dated",
        "within 7 days",
        "of found",
        "interval holds",
        "unchanged",
        "dated all the same",
    ):
        table.add_column(heading, justify="left" if heading in {"class", "change"} else "right")
    for asset in ASSET_CLASSES:
        for change in CHANGES:
            mine = [one for one in outcomes if (one.asset, one.change) == (asset.value, change)]
            if any(one.truth for one in mine):
                table.add_row(ASSET_FACTS[asset].words, change, *sum_up(mine))
    return table


def sum_up(outcomes: list[Outcome]) -> tuple[str, ...]:
    """Figures of one class and kind of change."""
    known = [one for one in outcomes if one.truth]
    steady = [one for one in outcomes if not one.truth]
    found, dated = [one for one in known if one.is_found], [one for one in known if one.stated]
    near, held = sum(one.is_near for one in known), sum(one.is_held for one in dated)
    false = sum(one.stated is not None for one in steady)
    counts = (str(len(known)), str(len(found)), str(len(dated)))
    shares = (_share(near, len(known)), _share(near, len(found)), _share(held, len(dated)))
    return (*counts, *shares, str(len(steady)), _share(false, len(steady)))


def _share(part: int, whole: int) -> str:
    return f"{part} ({part / whole:.0%})" if whole else "-"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
