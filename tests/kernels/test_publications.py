"""An attacker who kept every publication works out nothing about fewer meters than the threshold."""

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fmar_spark.kernels.disclosure import NOT_IN_A_BLOCK, Area, Atoms, Rules, plan_areas
from fmar_spark.kernels.publications import NOBODY, hold_count, hold_shares, settle

RULES = Rules(10, 1.0)
METERS = 70
ATOMS = 5


def publish(present: np.ndarray, atom: np.ndarray, past: list[np.ndarray], names: dict[Area, int]) -> np.ndarray:
    """One publication: blocks chosen, and settled against those before."""
    counts = np.bincount(atom[present], minlength=ATOMS).astype(np.int64)
    areas: dict[Area, np.ndarray] = {("gb", "GB"): np.arange(ATOMS), ("gsp", "A"): np.arange(3), ("gsp", "B"): np.arange(3, ATOMS)}
    areas |= {("primary", str(one)): np.array([one]) for one in range(ATOMS)}
    plan = plan_areas(Atoms(counts, counts * 1.0, np.minimum(counts, 1) * 1.0), areas, ("gb", "gsp", "primary"), RULES)
    number = np.array([names.setdefault(owner, len(names)) for owner in plan.owner] or [NOBODY], dtype=np.int64)
    block = plan.block[atom]
    wanted = np.where(present & (block != NOT_IN_A_BLOCK), number[np.maximum(block, 0)], NOBODY)
    return settle(past, wanted, RULES.threshold).block


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), churn=st.sampled_from([0.01, 0.05, 0.2, 0.5]))
def test_no_two_publications_differ_by_few_meters(seed: int, churn: float) -> None:
    rng = np.random.default_rng(seed)
    atom = rng.choice(ATOMS, METERS, p=[0.35, 0.25, 0.1, 0.2, 0.1])
    present = rng.random(METERS) < 0.7
    past: list[np.ndarray] = []
    names: dict[Area, int] = {}
    for _ in range(6):
        past.append(publish(present, atom, past, names))
        present = present ^ (rng.random(METERS) < churn)
    wholes = [[frozenset(np.flatnonzero(one == block).tolist()) for block in np.unique(one[one != NOBODY])] for one in past]
    assert all(len(rows) >= RULES.threshold for one in wholes for rows in one)
    chosen = [some for rows in wholes for size in (1, 2, 3) for some in combinations(rows, size)]
    unions = [frozenset[int]().union(*some) for some in chosen]
    for one, two in combinations(unions, 2):
        if one & two and one != two:
            assert len(one ^ two) >= RULES.threshold


def test_one_meter_more_leaves_the_sum_as_it_was_until_ten_have_come() -> None:
    before = np.array([0] * 12 + [NOBODY] * 12)
    one_more, ten_more = before.copy(), before.copy()
    one_more[12] = 0
    ten_more[12:22] = 0
    kept = settle([before], one_more, 10)
    assert kept.block.tolist() == before.tolist()
    assert kept.is_kept.tolist() == [True]
    assert settle([before], ten_more, 10).block.tolist() == ten_more.tolist()
    assert settle([before], before, 10).is_kept.tolist() == [False]


def test_ten_that_join_and_leave_again_do_not_uncover_an_eleventh() -> None:
    first = np.array([0] * 12 + [NOBODY] * 11)
    second = np.array([0] * 22 + [NOBODY])
    third = np.array([0] * 12 + [NOBODY] * 10 + [0])
    assert settle([first], second, 10).block.tolist() == second.tolist()
    assert settle([first, second], third, 10).block.tolist() == second.tolist()


def test_a_block_is_split_only_where_nobody_joins_or_leaves_alone() -> None:
    whole = np.array([0] * 24 + [NOBODY])
    halves = np.array([1] * 12 + [2] * 12 + [NOBODY])
    with_one = halves.copy()
    with_one[24] = 1
    assert settle([whole], halves, 10).block.tolist() == halves.tolist()
    assert settle([whole], with_one, 10).block.tolist() == whole.tolist()


def test_the_first_publication_stands_as_it_is() -> None:
    assert settle([], np.array([0, NOBODY]), 10).block.tolist() == [0, NOBODY]


@settings(max_examples=100)
@given(seed=st.integers(0, 10_000), churn=st.sampled_from([0.01, 0.05, 0.2, 0.5]), chance=st.sampled_from([0.2, 0.6]))
def test_two_published_counts_are_the_same_or_of_sets_that_differ_by_many(seed: int, churn: float, chance: float) -> None:
    rng = np.random.default_rng(seed)
    present = rng.random(METERS) < chance
    published: list[float | None] = []
    counted: list[np.ndarray] = []
    for _ in range(12):
        value = hold_count(published[-1] if published else None, int(present.sum()), RULES.threshold)
        if not published or value != published[-1]:
            counted.append(present.copy())
        published.append(value)
        present = present ^ (rng.random(METERS) < churn)
    figures = [value for value in published if value is not None]
    assert all(one == two or abs(one - two) >= RULES.threshold for one, two in combinations(figures, 2))
    assert all(value >= 2 * RULES.threshold for value in figures)
    changed = [value for place, value in enumerate(published) if place == 0 or value != published[place - 1]]
    for before, after, one, two in zip(changed, changed[1:], counted, counted[1:], strict=False):
        if before is not None and after is not None:
            assert (one ^ two).sum() >= RULES.threshold


@settings(max_examples=100)
@given(seed=st.integers(0, 10_000), churn=st.sampled_from([0.01, 0.05, 0.2, 0.5]))
def test_a_share_moves_only_when_many_have_come_gone_or_changed(seed: int, churn: float) -> None:
    rng = np.random.default_rng(seed)
    state = rng.integers(0, 3, 200)
    value, at_last = np.array([np.nan]), state.copy()
    for _ in range(12):
        part, whole = np.array([(state == 2).sum()]), np.array([(state > 0).sum()])
        now = hold_shares(value, part, whole, RULES.threshold, 0.05)
        if now[0] != value[0]:
            assert np.isnan(value[0]) or (state != at_last).sum() >= RULES.threshold
            assert abs(now[0] - part[0] / whole[0]) <= 0.025 + 1e-9
            at_last = state.copy()
        value = now
        state = np.where(rng.random(200) < churn, rng.integers(0, 3, 200), state)


def test_a_count_waits_until_ten_have_come_or_gone() -> None:
    assert hold_count(None, 19, 10) is None
    assert hold_count(None, 104, 10) == 100
    assert hold_count(100, 114, 10) == 100
    assert hold_count(100, 115, 10) == 120
    assert hold_count(20, 6, 10) == 20
    assert hold_count(20, 5, 10) is None
