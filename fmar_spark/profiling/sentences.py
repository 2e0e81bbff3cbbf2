"""The sentence of each answer: what was seen of the class, and the evidence that moved its probability most."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark import clock
from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS, AssetClass
from fmar_spark.domain.figures import write_count, write_number
from fmar_spark.kernels.examination import DETECTORS, FEATURES
from fmar_spark.kernels.parameters import group_quantiles
from fmar_spark.kernels.window import Bools, Events, Floats, Ints
from fmar_spark.profiling.parts import Scored, find_affirmed, find_in_stay
from fmar_spark.profiling.verdicts import Scorer
from fmar_spark.units import HOURS_PER_SLOT, SLOT_MINUTES

REASONS: Final = 2
"""Pieces of evidence that a sentence names at most."""
LEAST_PART: Final = 0.1
"""Log odds below which a piece of evidence moved nothing worth naming."""
_FIRST_DAY_SLOT, _FIRST_NIGHT_SLOT = 12, 42
"""06:00 and 21:00 by the local clock."""


class _Routines(NamedTuple):
    """What the episodes of one class have in common, arrays of shape (meters,)."""

    days: Ints
    """Days on which one began, at most the days seen."""
    start_slot: Ints
    """Clock slot in which most begin."""
    length_slots: Floats
    """Middle length; NaN without an episode."""
    peak_kw: Floats
    """Middle peak; NaN without an episode."""


class _Routine(NamedTuple):
    """The same of one meter."""

    days: int
    start_slot: int
    length_slots: float
    peak_kw: float


def describe_evidence(scored: Scored, scorer: Scorer, days_seen: Ints) -> list[str | None]:
    """One sentence for each answer, flattened meter by meter.

    Args:
        scored: the batch.
        scorer: says which evidence moved each probability.
        days_seen: shape (meters,).
    """
    meters = len(days_seen)
    sentences: list[list[str | None]] = [[None] * len(ASSET_CLASSES) for _ in range(meters)]
    features = scored.examination.features
    for position, asset in enumerate(ASSET_CLASSES):
        affirmed = find_affirmed(scored, position)
        routine = _sum_up(_take_events(scored, position, affirmed), days_seen)
        is_least = scored.examination.findings[asset].sizes.is_least
        answered = np.flatnonzero(~np.isnan(scored.probability[:, position]))
        reasons = name_reasons(asset, scorer.explain(asset, features[answered]), features[answered], affirmed[answered])
        for meter, is_affirmed, reason in zip(answered.tolist(), affirmed[answered].tolist(), reasons, strict=True):
            mine = _Routine(*(column[meter].item() for column in routine))
            seen = _describe(asset, mine, int(days_seen[meter]), is_affirmed=is_affirmed)
            side = "for" if is_affirmed else "against"
            bound = f"; {ASSET_FACTS[asset].bound}" if is_affirmed and is_least[meter] == 1 else ""
            sentences[meter][position] = (f"{seen}; most {side} it: {reason}" if reason else seen) + bound
    return [sentence for row in sentences for sentence in row]


def name_reasons(asset: AssetClass, parts: Floats, features: Floats, affirmed: Bools) -> list[str]:
    """The evidence that moved each answer most in its own direction, "" where none did.

    Args:
        asset: which class; only what its own detector found is named, not the circumstances of the meter.
        parts: what each column of ``FEATURES`` adds to the log odds, shape (meters, features).
        features: the evidence itself, same shape.
        affirmed: of ``find_affirmed``, shape (meters,).
    """
    own = [(FEATURES.index(feature.name), shorten_meaning(feature.meaning)) for feature in DETECTORS[asset].features]
    columns = np.array([column for column, _ in own])
    words = [word for _, word in own]
    helps = parts[:, columns] * np.where(affirmed, 1.0, -1.0)[:, None]
    best = np.argsort(-helps, axis=1, kind="stable")[:, :REASONS]
    texts = []
    for row, places in enumerate(best.tolist()):
        named = [place for place in places if helps[row, place] >= LEAST_PART]
        texts.append(" and ".join(f"{words[place]} ({_write_value(features[row, columns[place]])})" for place in named))
    return texts


def shorten_meaning(meaning: str) -> str:
    """What a piece of evidence is, without the explanation after it, as part of a sentence."""
    words = meaning.partition(": ")[0].partition("; ")[0].rstrip(".")
    return words if words[1:2].isupper() or words[1:2].isdigit() else words[:1].lower() + words[1:]


def _write_value(value: float) -> str:
    return "not seen" if np.isnan(value) else write_number(value, 2)


def _take_events(scored: Scored, position: int, affirmed: Bools) -> Events:
    """Episodes of a class: of a meter whose answer affirms it those of its stay, of another one all that look like it."""
    events = scored.examination.findings[ASSET_CLASSES[position]].events
    return events.take(~affirmed[events.meter] | find_in_stay(scored, position))


def _sum_up(events: Events, days_seen: Ints) -> _Routines:
    """What the episodes of each meter have in common."""
    meters = len(days_seen)
    day = events.start_slot // clock.SLOTS_PER_DAY
    has_begun = np.zeros((meters, int(day.max(initial=0)) + 1), dtype=np.bool_)
    has_begun[events.meter, day] = True
    cell = events.meter * clock.SLOTS_PER_DAY + events.start_slot % clock.SLOTS_PER_DAY
    starts = np.bincount(cell, minlength=meters * clock.SLOTS_PER_DAY).reshape(meters, clock.SLOTS_PER_DAY)
    return _Routines(
        # A day of which too little was read to count as seen may still show an episode.
        days=np.minimum(np.count_nonzero(has_begun, axis=1), days_seen),
        start_slot=starts.argmax(axis=1),
        length_slots=group_quantiles((events.end_slot - events.start_slot).astype(np.float64), events.meter, meters, (0.5,))[:, 0],
        peak_kw=group_quantiles(events.peak_kw, events.meter, meters, (0.5,))[:, 0],
    )


def _describe(asset: AssetClass, routine: _Routine, days_seen: int, *, is_affirmed: bool) -> str:
    if np.isnan(routine.length_slots):
        return f"no single episode stands out of the load in {write_count(days_seen, 'day')}"
    facts = ASSET_FACTS[asset]
    start = routine.start_slot
    when = f"in runs of {routine.length_slots * HOURS_PER_SLOT:.1f} h, most often from {_write_clock(start)}"
    unit = "night" if facts.is_nightly and not _FIRST_DAY_SLOT <= start < _FIRST_NIGHT_SLOT else "day"
    seen = f"{routine.peak_kw:.1f} kW {facts.sight}, {when}, on {routine.days} of {write_count(days_seen, unit)}"
    return seen if is_affirmed else f"what looks most like it: {seen}"


def _write_clock(slot: int) -> str:
    """Local time at which a clock slot begins."""
    return f"{slot // 2:02d}:{slot % 2 * SLOT_MINUTES:02d}"
