"""Finds a car charger's power in a batch of loads, then the sessions of that power."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.kernels.episodes import Rises, SlotGrid, drop_overlaps, find_rises
from fmar_spark.kernels.ev.likeness import COLUMNS, gather_evidence, score_likeness
from fmar_spark.kernels.ev.replacement import Rivals, find_replaced
from fmar_spark.kernels.ev.search import EvSearch
from fmar_spark.kernels.ev.sessions import (
    BESIDE_FROM_LOG,
    BESIDE_TO_LOG,
    NEAR_LOG,
    average,
    find_flat_blocks,
    find_sessions,
    refine_charger,
    trust_short_blocks,
)
from fmar_spark.kernels.ev.steps import Steps, describe_steps
from fmar_spark.kernels.exchange import Powers
from fmar_spark.kernels.usage_patterns import Blocks, describe_usage
from fmar_spark.kernels.window import Bools, Floats

POWER_BINS: Final = 120
"""Bins of the histogram of power, in equal ratios."""
SHARP_SHARE: Final = 0.05
"""Relative distance up to which a block has exactly the power."""
STEP_LIKENESS: Final = -0.6
"""Likeness, log odds, of a charger that its steps alone show. Source: of 29 such powers of cars in three simulated fleets (seeds 21, 23 and
9101) 10 are the charger's, most others an electric shower's or a heater's."""


class Charging(NamedTuple):
    """A charger and its sessions as if every meter had one; arrays of shape (meters,) but for the sessions."""

    rated_kw: Floats
    """NaN where no power stands out."""
    spread: Floats
    """Relative standard deviation of the sessions' power."""
    concentration: Floats
    """Share of the energy of all flat blocks that has the charger's power."""
    likeness: Floats
    """Log odds that the power is the charger's if there is one; NaN where it has no blocks."""
    second_kw: Floats
    """Power that comes second; NaN where there is no other."""
    sharpness: Floats
    """Share of the blocks' energy whose power lies within 5 % of the charger's: a heater's follows the voltage, a cooker's its rings."""
    prominence: Floats
    """Log of the hours of blocks at the charger's power over those that powers beside it lead to expect."""
    steps: Steps
    """Steps up of any kind, sessions or not."""
    sessions: Blocks
    """Of that power, on all days."""
    powers: Powers
    """Of the charger by day: where it was replaced there are two, and ``rated_kw`` is one of them."""
    last_spread: Floats
    """As ``spread``, of the later power."""
    charged: Blocks
    """Sessions of each day's power."""


def find_charging(grid: SlotGrid, typical_kw: Floats, seen: Bools, search: EvSearch) -> Charging:
    """Find the power that looks most like a charger's in each meter, and its sessions.

    Args:
        grid: the load.
        typical_kw: typical change from slot to slot, shape (meters,); NaN leaves a meter out.
        seen: days that were read well enough, shape (meters, days).
        search: what counts as charging.
    """
    rises, flat = find_loads(grid, typical_kw, search)
    choice = _choose_charger(find_candidates(flat, seen, grid.slots_per_day, search), seen, grid.slots_per_day)
    trusted = trust_short_blocks(flat, choice.power_kw, search)
    sessions = find_sessions(grid, rises, choice.power_kw, trusted, search)
    steps = describe_steps(grid, rises, seen)
    choice, sessions = _prefer_steps(grid, rises, choice, sessions, (steps, search))
    rated_kw, spread = refine_charger(sessions, choice.power_kw, search.power_tolerance)
    powers, last_spread, charged = _add_replaced(grid, rises, flat, (choice.powers, rated_kw, spread, sessions), search)
    return Charging(
        rated_kw,
        spread,
        choice.share,
        choice.likeness,
        choice.second_kw,
        choice.sharpness,
        choice.prominence,
        steps,
        sessions,
        powers,
        last_spread,
        charged,
    )


def find_loads(grid: SlotGrid, typical_kw: Floats, search: EvSearch) -> tuple[Rises, Blocks]:
    """Steps up that stand out of each meter's usual changes, and the flat blocks that follow them.

    Args:
        grid: the load.
        typical_kw: typical change from slot to slot, shape (meters,); NaN leaves a meter out.
        search: what counts as charging.
    """
    floor_kw = np.maximum(search.least_step_kw, search.noise_factor * typical_kw)
    rises = find_rises(grid, np.where(np.isnan(floor_kw), np.inf, floor_kw))
    return rises, find_flat_blocks(grid, rises, search)


class _Choice(NamedTuple):
    """Shape (meters,) each."""

    power_kw: Floats
    share: Floats
    likeness: Floats
    second_kw: Floats
    sharpness: Floats
    prominence: Floats
    powers: Powers


class Candidates(NamedTuple):
    """The powers of each meter that may be a charger's, and their blocks."""

    power_kw: Floats
    """Shape (kinds, meters)."""
    blocks: Blocks
    """Of the powers; ``meter`` is kind x meters + row."""
    evidence: Floats
    """What is known of each power, shape (kinds x meters, ``likeness.COLUMNS``)."""

    def column(self, name: str) -> Floats:
        """One column of the evidence, shape (kinds, meters)."""
        return np.asarray(self.evidence[:, COLUMNS.index(name)].reshape(self.power_kw.shape))


def find_candidates(flat: Blocks, seen: Bools, slots_per_day: int, search: EvSearch) -> Candidates:
    """The powers with most energy in flat blocks, strongest first.

    Args:
        flat: flat blocks of any power.
        seen: days that were read well enough, shape (meters, days).
        slots_per_day: 48, or 24 for hourly meters.
        search: what counts as charging.
    """
    meters = seen.shape[0]
    weight = flat.energy_kwh / (1.0 + 4.0 * np.minimum(np.nan_to_num(flat.mismatch, nan=0.5), 2.0))
    peaks = find_power_peaks(flat, weight, meters, search)
    kinds = len(peaks)
    near = [np.flatnonzero(np.abs(flat.power_kw / peak[flat.meter] - 1.0) <= search.power_tolerance) for peak in peaks]
    picked = np.concatenate(near)
    blocks, weight = flat.take(picked), weight[picked]
    blocks = blocks._replace(meter=blocks.meter + np.repeat(np.arange(kinds) * meters, [rows.size for rows in near]))
    power_kw = average(blocks.power_kw, weight, blocks.meter, meters * kinds)
    total = np.tile(np.bincount(flat.meter, flat.energy_kwh, meters), kinds)
    share = np.bincount(blocks.meter, blocks.energy_kwh, meters * kinds) / np.maximum(total, 1e-9)
    is_sharp = np.abs(blocks.power_kw / power_kw[blocks.meter] - 1.0) <= SHARP_SHARE
    sharpness = average(is_sharp.astype(np.float64), weight, blocks.meter, meters * kinds)
    prominence = _measure_prominence(flat, power_kw.reshape(kinds, meters))
    pattern = describe_usage(blocks, seen, slots_per_day, kinds)
    evidence = gather_evidence(pattern, power_kw, share, sharpness, prominence)
    return Candidates(power_kw.reshape(kinds, meters), blocks, evidence)


def _choose_charger(candidates: Candidates, seen: Bools, slots_per_day: int) -> _Choice:
    """Among the powers the one most like a charger's, and its share of all flat blocks' energy."""
    power_kw = candidates.power_kw
    likeness = score_likeness(candidates.evidence).reshape(power_kw.shape)
    second, best = np.argsort(np.where(np.isnan(likeness), -np.inf, likeness), axis=0, kind="stable")[-2:]
    row = np.arange(power_kw.shape[1])
    rivals = Rivals(power_kw, likeness, candidates.column("prominence"))
    return _Choice(
        power_kw=power_kw[best, row],
        share=candidates.column("share")[best, row],
        likeness=likeness[best, row],
        second_kw=power_kw[second, row],
        sharpness=candidates.column("sharpness")[best, row],
        prominence=candidates.column("prominence")[best, row],
        powers=find_replaced(candidates.blocks, rivals, best, seen, slots_per_day),
    )


def _prefer_steps(grid: SlotGrid, rises: Rises, choice: _Choice, sessions: Blocks, known: tuple[Steps, EvSearch]) -> tuple[_Choice, Blocks]:
    """Charger and sessions of each meter, by the step up that recurs most where sessions of that power hold more energy.

    Who drives little charges for less than an hour a day: no block of the charger's power fills two slots, and the flat blocks are another
    load's.

    Args:
        grid: the load.
        rises: its steps up.
        choice: by flat blocks.
        sessions: of its power.
        known: the steps, and what counts as charging.
    """
    steps, search = known
    is_step = (steps.agreement >= search.least_agreement) & (steps.usual_kw >= search.least_recurring_kw)
    is_step &= ~(steps.usual_kw <= search.least_excess * choice.power_kw) & ~(choice.likeness >= STEP_LIKENESS)
    mine = _take_rises(grid, rises, is_step)
    if not mine.place.size:
        return choice, sessions
    meters = grid.meters
    others = find_sessions(grid, mine, steps.usual_kw, np.ones(meters, dtype=np.bool_), search)
    own_kwh, other_kwh = (np.bincount(blocks.meter, blocks.energy_kwh, meters) for blocks in (sessions, others))
    is_step &= other_kwh > own_kwh
    power_kw = np.where(is_step, steps.usual_kw, choice.power_kw)
    unshown = [np.where(is_step, np.nan, column) for column in (choice.share, choice.sharpness, choice.prominence)]
    chosen = choice._replace(
        power_kw=power_kw,
        share=unshown[0],
        likeness=np.where(is_step, STEP_LIKENESS, choice.likeness),
        second_kw=np.where(is_step, choice.power_kw, choice.second_kw),
        sharpness=unshown[1],
        prominence=unshown[2],
        powers=Powers(
            np.where(is_step, power_kw, choice.powers.before_kw),
            np.where(is_step, power_kw, choice.powers.after_kw),
            np.where(is_step, 0, choice.powers.changed_day),
        ),
    )
    return chosen, _join(sessions.take(~is_step[sessions.meter]), others.take(is_step[others.meter]))


def _take_rises(grid: SlotGrid, rises: Rises, wanted: Bools) -> Rises:
    """Those of the wanted meters."""
    rows = np.flatnonzero(wanted[grid.meter_of(rises.place)])
    return Rises(rises.place[rows], rises.step_kw[rows])


def _join(*parts: Blocks) -> Blocks:
    """All blocks, ordered by meter then start."""
    joined = Blocks(*(np.concatenate(fields) for fields in zip(*parts, strict=True)))
    return joined.take(np.lexsort((joined.start, joined.meter)))


def _measure_prominence(flat: Blocks, power_kw: Floats) -> Floats:
    """Log of the hours of blocks at each power over those expected from the powers beside it, shape (kinds x meters,)."""
    hours = np.minimum(flat.hours, 4.0)
    meters = power_kw.shape[1]
    ratios = []
    for kind_kw in power_kw:
        apart = np.abs(np.log(flat.power_kw / kind_kw[flat.meter]))
        beside = (apart > BESIDE_FROM_LOG) & (apart <= BESIDE_TO_LOG)
        at_power = np.bincount(flat.meter, hours * (apart <= NEAR_LOG), meters)
        background = np.bincount(flat.meter, hours * beside, meters) * NEAR_LOG / (BESIDE_TO_LOG - BESIDE_FROM_LOG)
        ratios.append(np.log((at_power + 1.0) / (background + 1.0)))
    return np.concatenate(ratios)


def find_power_peaks(flat: Blocks, weight: Floats, meters: int, search: EvSearch) -> list[Floats]:
    """The highest peaks of a smoothed histogram of power in equal ratios, strongest first, shape (meters,) each."""
    scale = POWER_BINS / np.log(search.highest_kw / search.lowest_kw)
    place = np.clip((np.log(flat.power_kw / search.lowest_kw) * scale).astype(np.int64), 0, POWER_BINS - 1)
    mass = np.zeros((meters, POWER_BINS + 4))
    tally = np.bincount(flat.meter * POWER_BINS + place, weight, meters * POWER_BINS)
    mass[:, 2:-2] = tally.reshape(meters, POWER_BINS)
    smooth = mass[:, :-4] + mass[:, 4:] + 2.0 * (mass[:, 1:-3] + mass[:, 3:-1]) + 3.0 * mass[:, 2:-2]
    column = np.arange(POWER_BINS)
    peaks = []
    for _ in range(search.most_candidates):
        peak = smooth.argmax(axis=1)
        peaks.append(search.lowest_kw * np.exp((peak + 0.5) / scale))
        smooth[np.abs(column - peak[:, None]) <= 1.3 * scale * search.power_tolerance] = 0.0
    return peaks


def _add_replaced(
    grid: SlotGrid, rises: Rises, flat: Blocks, own: tuple[Powers, Floats, Floats, Blocks], search: EvSearch
) -> tuple[Powers, Floats, Blocks]:
    """Powers by day, the spread of the later one, and the sessions of each day's power.

    Args:
        grid: the load.
        rises: its steps up.
        flat: its flat blocks.
        own: both powers roughly, then power, spread and sessions of the one that looks most like a charger's.
        search: what counts as charging.
    """
    powers, rated_kw, spread, sessions = own
    is_replaced = powers.changed_day > 0
    is_first = is_replaced & (np.abs(np.log(powers.before_kw / rated_kw)) < np.abs(np.log(powers.after_kw / rated_kw)))
    other_kw = np.where(is_first, powers.after_kw, powers.before_kw)
    mine = _take_rises(grid, rises, is_replaced)
    others = find_sessions(grid, mine, other_kw, trust_short_blocks(flat, other_kw, search), search)
    other_kw, other_spread = refine_charger(others, other_kw, search.power_tolerance)
    before_kw = np.where(is_replaced & ~is_first, other_kw, rated_kw)
    refined = Powers(before_kw, np.where(is_first, other_kw, rated_kw), powers.changed_day)
    parts = []
    for blocks, is_wanted in ((sessions, is_first), (others, ~is_first)):
        is_before = refined.is_before(blocks.meter, blocks.start // grid.slots_per_day)
        parts.append(blocks.take(is_before == is_wanted[blocks.meter]))
    joined = _join(*parts)
    charged = joined.take(drop_overlaps(joined.meter, joined.start, joined.end))
    return refined, np.where(is_first, other_spread, spread), charged
