"""Which areas may be published, so that no sum, and no difference of sums, speaks of fewer meters than the threshold.

Published areas of a class are kept nested: any two lie one within the other or share no meter. All that can be worked out from
nested sums are the sums of *blocks*, what is left of an area once the published areas within it are taken out, and unions of
blocks. So an area is published only if every block has as many meters as the threshold and no meter that makes up most of it
(secondary suppression in a hierarchy: Hundepool et al., *Statistical Disclosure Control*, Wiley 2012, chapter 4).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Area = tuple[str, str]
"""Level and id."""
FEW_METERS: Final = "few_meters"
DOMINANCE: Final = "dominance"
PROTECTS_OTHERS: Final = "protects_others"
OVERLAPS: Final = "overlaps"
NOT_IN_A_BLOCK: Final = -1


class Rules(NamedTuple):
    """When a sum may be published."""

    threshold: int
    """Fewest meters of a sum, and of the difference of two sums."""
    dominance: float
    """Largest share that one meter may have of a sum."""


class Atoms(NamedTuple):
    """Sets of meters that lie in the same areas; arrays of shape (atoms,)."""

    meters: Ints
    kw: Floats
    """Sum of the meters' sizes."""
    largest_kw: Floats
    """Of one meter."""

    def may_stand(self, rows: Ints, rules: Rules) -> bool:
        """Whether the sum over these atoms speaks of enough meters, none of which makes up most of it."""
        return self.find_fault(rows, rules) is None

    def find_fault(self, rows: Ints, rules: Rules) -> str | None:
        """Why the sum over these atoms may not be published."""
        if int(self.meters[rows].sum()) < rules.threshold:
            return FEW_METERS
        total = float(self.kw[rows].sum())
        return DOMINANCE if total > 0 and float(self.largest_kw[rows].max()) > rules.dominance * total else None


class Plan(NamedTuple):
    """What is published of one class."""

    reason: dict[Area, str | None]
    """Why an area is withheld; None where it is published."""
    block: Ints
    """Block of each atom, numbered from 0; ``NOT_IN_A_BLOCK`` where no published area has it."""
    blocks_of_area: dict[Area, list[int]]
    """Blocks that make up each published area."""
    owner: list[Area]
    """Of each block: the smallest published area that has it."""


def plan_areas(atoms: Atoms, areas: Mapping[Area, Ints], order: Sequence[str], rules: Rules) -> Plan:
    """Choose what may be published of one class.

    Args:
        atoms: the finest sets of meters.
        areas: atoms of every area.
        order: levels, those that matter most first: of two that overlap the later is withheld.
        rules: threshold and dominance.
    """
    reason: dict[Area, str | None] = {}
    filled = {area: rows[atoms.meters[rows] > 0] for area, rows in areas.items()}
    standing = {}
    for area, rows in filled.items():
        reason[area] = atoms.find_fault(rows, rules)
        if reason[area] is None:
            standing[area] = rows
    nested = _keep_nested(standing, order, len(atoms.meters))
    reason |= dict.fromkeys(standing.keys() - nested.keys(), OVERLAPS)
    kept = _protect_remainders(atoms, nested, rules)
    reason |= dict.fromkeys(nested.keys() - kept.keys(), PROTECTS_OTHERS)
    owner_of_atom = _find_owners(kept, len(atoms.meters))
    names = sorted({owner for owner in owner_of_atom if owner is not None})
    number = {area: place for place, area in enumerate(names)}
    block = np.array([NOT_IN_A_BLOCK if owner is None else number[owner] for owner in owner_of_atom], dtype=np.int64)
    return Plan(reason, block, {area: sorted(set(block[rows].tolist())) for area, rows in kept.items()}, names)


def _keep_nested(areas: Mapping[Area, Ints], order: Sequence[str], atoms: int) -> dict[Area, Ints]:
    """The areas without those that cut through one of an earlier level, or through a larger one of their own."""
    rank = {level: place for place, level in enumerate(order)}
    kept: dict[Area, Ints] = {}
    areas_of_atom: list[list[Area]] = [[] for _ in range(atoms)]
    for area in sorted(areas, key=lambda one: (rank[one[0]], -len(areas[one]), one[1])):
        rows = areas[area].tolist()
        shared = Counter(other for row in rows for other in areas_of_atom[row])
        if all(common in (len(rows), len(kept[other])) for other, common in shared.items()):
            kept[area] = areas[area]
            for row in rows:
                areas_of_atom[row].append(area)
    return kept


def _find_owners(areas: Mapping[Area, Ints], atoms: int) -> list[Area | None]:
    """The smallest area of each atom; of two that are equal the one that sorts first."""
    owners: list[Area | None] = [None] * atoms
    for area in sorted(areas, key=lambda one: (-len(areas[one]), *one)):
        for row in areas[area].tolist():
            held = owners[row]
            if held is None or len(areas[held]) > len(areas[area]):
                owners[row] = area
    return owners


def _protect_remainders(atoms: Atoms, nested: Mapping[Area, Ints], rules: Rules) -> dict[Area, Ints]:
    """The areas without those whose publication would leave too few meters in what is left of a larger one."""
    kept = dict(nested)
    for area in sorted(nested, key=lambda one: (len(nested[one]), *one)):
        while area in kept:
            children = _list_children(area, kept)
            covered = np.concatenate([kept[child] for child in children]) if children else np.zeros(0, dtype=np.int64)
            left = np.setdiff1d(kept[area], covered)
            if not children or not len(left) or atoms.may_stand(left, rules):
                break
            smallest = min(children, key=lambda child: (int(atoms.meters[kept[child]].sum()), *child))
            gone = set(kept[smallest].tolist())
            for inner in [one for one in kept if one != area and set(kept[one].tolist()) <= gone]:
                del kept[inner]
    return kept


def _list_children(area: Area, areas: Mapping[Area, Ints]) -> list[Area]:
    """The largest areas strictly within one."""
    whole = set(areas[area].tolist())
    within = [one for one, rows in areas.items() if len(rows) < len(whole) and int(rows[0]) in whole]
    children, covered = [], set[int]()
    for one in sorted(within, key=lambda inner: (-len(areas[inner]), *inner)):
        if int(areas[one][0]) not in covered:
            children.append(one)
            covered.update(areas[one].tolist())
    return children
