"""Measures sizes of simulated meters by class and by how the meter sees them: bias, error, and whether the 80 % interval holds.

    .venv/bin/python scripts/size_coverage.py --meters 640 --from 2019-04-01 --to 2020-06-30 --seed 77 --mix scripts/evaluation_mix.yaml

Every meter is seen whole, without weather, without its export register and without both; an asset counts where it is found and still
there. No lake, no Spark.
"""

import argparse
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import yaml

from fmar_spark.commands.terminal import follow
from fmar_spark.domain.assets import ASSET_CLASSES, SIZE_NAMES
from fmar_spark.domain.words import PRESENT_FROM
from fmar_spark.kernels.examination import METERINGS, SizeEstimate, find_meterings
from fmar_spark.learning.bundled_classifier import load_bundled
from fmar_spark.learning.classifier import StoredScorer
from fmar_spark.learning.examples import Examples
from fmar_spark.learning.simulated_examples import VIEWS, describe_view
from fmar_spark.settings.bounds import whole_from
from fmar_spark.simulate.fleet import FleetPlan, Mix, prepare_setting, simulate_block
from fmar_spark.simulate.plan import BLOCK_METERS, mix_from

WHOLE_HISTORIES: Final = VIEWS[:4]


def main(argv: list[str]) -> int:
    """Simulate, size and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--meters", type=whole_from(1), default=640, help="(default: 640)")
    parser.add_argument("--from", dest="first", type=date.fromisoformat, default=date(2019, 4, 1), help="first day (default: 2019-04-01)")
    parser.add_argument("--to", dest="last", type=date.fromisoformat, default=date(2020, 6, 30), help="last day (default: 2020-06-30)")
    parser.add_argument("--seed", type=whole_from(0), default=77, help="(default: 77)")
    parser.add_argument("--mix", type=Path, help="shares of the fleet, YAML; default: those of the demo")
    given = parser.parse_args(argv)
    if given.last < given.first:
        parser.error(f"--to {given.last} found, {given.first} or later wanted")
    mix = mix_from(yaml.safe_load(given.mix.read_text(encoding="utf-8"))) if given.mix else Mix()
    plan = FleetPlan(given.meters, given.first, given.last, given.seed, mix)
    setting, scorer = prepare_setting(plan), load_bundled()
    parts = []
    blocks = range(-(-plan.meters // BLOCK_METERS))
    for block in follow("size_coverage", "blocks of meters", blocks, len(blocks)):
        fleet = simulate_block(setting, block)
        rows = np.unique(fleet.assets.meter)
        parts += [sizes for view in WHOLE_HISTORIES for sizes in list_sizes(describe_view(fleet, rows, view, plan), scorer)]
    sizes = pd.concat(parts)
    print(f"{scorer.version}: {given.meters} simulated meters, seed {given.seed}")
    for keys in (["asset_class", "size"], ["asset_class", "size", "metering"]):
        print(pd.DataFrame({key: sum_up(rows) for key, rows in sizes.groupby(keys)}).T.round(2).to_string())
    return 0


def list_sizes(examples: Examples, scorer: StoredScorer) -> Iterator[pd.DataFrame]:
    """A row for every size of an asset that is there to the end and found: truth, estimate and interval."""
    probability = scorer.predict(examples.features)
    metering = find_meterings(examples.features)
    for place, asset in enumerate(ASSET_CLASSES):
        found = (examples.labels[:, place] == 1) & (examples.present[:, place] != 0) & (probability[:, place] >= PRESENT_FROM)
        for position, name in enumerate(SIZE_NAMES):
            rows = np.flatnonzero(found & (examples.true_sizes[:, place, position] > 0))
            size = SizeEstimate(examples.sizes[rows, place, position], examples.sizes[rows, place, len(SIZE_NAMES)], metering[rows])
            lower, upper = scorer.bound_size(asset, name, size)
            columns = {"truth": examples.true_sizes[rows, place, position], "estimate": size.value, "lower": lower, "upper": upper}
            names = {"asset_class": asset.value, "size": name.value, "metering": np.array(METERINGS)[metering[rows]]}
            yield pd.DataFrame({**names, **columns})


def sum_up(sizes: pd.DataFrame) -> dict[str, float]:
    """Figures of one group."""
    known = sizes[sizes["estimate"] > 0]
    ratio = known["estimate"] / known["truth"]
    return {
        "sizes": float(len(sizes)),
        "stated": len(known) / len(sizes),
        "estimate / true": float(ratio.median()),
        "median error": float((ratio - 1).abs().median()),
        "interval holds": float(known["truth"].between(known["lower"], known["upper"]).mean()),
        "true is above": float((known["truth"] > known["upper"]).mean()),
        "upper / lower": float((known["upper"] / known["lower"]).median()),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
