"""An attacker who has every published sum works out nothing about fewer meters than the threshold."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmar_spark.kernels.disclosure import DOMINANCE, FEW_METERS, OVERLAPS, PROTECTS_OTHERS, Area, Atoms, Plan, Rules, plan_areas

RULES = Rules(10, 0.85)
ORDER = ("gb", "gsp", "primary", "zone")


def make_atoms(meters: list[int], largest: float = 1.0) -> Atoms:
    """Atoms of meters of 1 kW each, one of them larger."""
    counts = np.array(meters, dtype=np.int64)
    return Atoms(counts, counts * 1.0 + (largest - 1.0) * (counts > 0), np.where(counts > 0, largest, 0.0))


def cut_network(primaries: int, zones: list[set[int]]) -> dict[Area, np.ndarray]:
    """Great Britain with a grid supply point for every three primaries, an atom each, and zones that cut as they like."""
    areas = {("gb", "GB"): np.arange(primaries)}
    areas |= {("gsp", f"G{first // 3}"): np.arange(first, min(first + 3, primaries)) for first in range(0, primaries, 3)}
    areas |= {("primary", f"P{one}"): np.array([one]) for one in range(primaries)}
    return areas | {("zone", f"Z{place}"): np.array(sorted(rows)) for place, rows in enumerate(zones) if rows}


def work_out(plan: Plan, atoms: Atoms, areas: dict[Area, np.ndarray]) -> set[frozenset[int]]:
    """Every set of meters of which the attacker can form the sum: published areas, and what is left of one without others."""
    meters = [
        set(np.flatnonzero(atoms.meters[rows] > 0).tolist()) and {int(row) for row in rows if atoms.meters[row] > 0}
        for rows in areas.values()
    ]
    published = [frozenset(rows) for area, rows in zip(areas, meters, strict=True) if plan.reason[area] is None]
    known = set(published)
    for _ in range(3):
        found = {one - two for one, two in combinations(known, 2) if two < one} | {
            two - one for one, two in combinations(known, 2) if one < two
        }
        found |= {one | two for one, two in combinations(known, 2) if not one & two and len(known) < 60}
        if found <= known:
            break
        known |= found
    return known


@given(
    meters=st.lists(st.integers(0, 30), min_size=3, max_size=9),
    zones=st.lists(st.sets(st.integers(0, 8), max_size=5), max_size=3),
)
def test_no_difference_of_published_areas_speaks_of_few_meters(meters: list[int], zones: list[set[int]]) -> None:
    atoms = make_atoms(meters)
    areas = cut_network(len(meters), [{row for row in zone if row < len(meters)} for zone in zones])
    plan = plan_areas(atoms, areas, ORDER, RULES)
    for rows in work_out(plan, atoms, areas):
        assert not 0 < sum(meters[row] for row in rows) < RULES.threshold
    for area, blocks in plan.blocks_of_area.items():
        inside = np.isin(plan.block, blocks)
        assert set(np.flatnonzero(inside & (atoms.meters > 0))) == {row for row in areas[area] if meters[row]}


@given(meters=st.lists(st.integers(0, 30), min_size=3, max_size=9), seed=st.integers(0, 99))
def test_no_meter_makes_up_most_of_what_can_be_worked_out(meters: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = np.array(meters, dtype=np.int64)
    largest = np.where(counts > 0, rng.choice([1.0, 5.0, 500.0], len(counts)), 0.0)
    atoms = Atoms(counts, counts + np.maximum(largest - 1.0, 0.0), largest)
    areas = cut_network(len(meters), [])
    plan = plan_areas(atoms, areas, ORDER, RULES)
    for rows in work_out(plan, atoms, areas):
        chosen = sorted(rows)
        if chosen:
            assert atoms.largest_kw[chosen].max() <= RULES.dominance * atoms.kw[chosen].sum()


def test_a_small_area_is_withheld_and_so_is_one_that_would_give_it_away() -> None:
    areas = cut_network(3, [])
    plan = plan_areas(make_atoms([40, 20, 4]), areas, ORDER, RULES)
    assert plan.reason["primary", "P2"] == FEW_METERS
    assert plan.reason["primary", "P1"] == PROTECTS_OTHERS
    assert plan.reason["primary", "P0"] is None
    assert plan.reason["gb", "GB"] is None


def test_an_area_of_one_large_meter_is_withheld() -> None:
    areas = {("gb", "GB"): np.array([0])}
    plan = plan_areas(Atoms(np.array([12]), np.array([100.0]), np.array([90.0])), areas, ORDER, RULES)
    assert plan.reason == {("gb", "GB"): DOMINANCE}
    assert plan.blocks_of_area == {}


def test_a_zone_that_cuts_through_a_published_area_gives_way_and_one_that_does_not_is_published() -> None:
    areas = cut_network(6, [{0, 1}, {2, 3}])
    plan = plan_areas(make_atoms([20] * 6), areas, ORDER, RULES)
    assert plan.reason["zone", "Z0"] is None
    assert plan.reason["zone", "Z1"] == OVERLAPS


def test_nothing_is_published_where_nobody_is() -> None:
    plan = plan_areas(make_atoms([0, 0, 0]), cut_network(3, []), ORDER, RULES)
    assert set(plan.reason.values()) == {FEW_METERS}


@pytest.mark.parametrize("meters", [[10, 10, 10], [15, 9, 1]])
def test_equal_areas_share_their_block(meters: list[int]) -> None:
    areas = cut_network(3, [])
    plan = plan_areas(make_atoms(meters), areas, ORDER, RULES)
    assert plan.blocks_of_area["gb", "GB"] == plan.blocks_of_area["gsp", "G0"]
