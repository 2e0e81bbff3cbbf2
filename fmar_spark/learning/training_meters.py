"""Which meters a classifier has learnt from, in little space, so that none of them is ever used to say how good it is."""

import base64
import hashlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fmar_spark.learning.training import split_by_meter
from fmar_spark.simulate.plan import FleetPlan
from fmar_spark.units import WATT_HOURS_PER_KWH

Marks = NDArray[np.uint64]
"""Sorted digests of eight bytes."""
LEAST_VALUES_OF_A_DAY: Final = 8
"""A day of fewer different values could be another meter's as well."""
CARD_KEY: Final = "trained_on"
_NO_MARKS: Final[Marks] = np.zeros(0, dtype=np.uint64)


class TrainingFleet(NamedTuple):
    """A simulated fleet that a classifier was trained on; its readings never were in a lake."""

    plan: dict[str, Any]
    """Of ``describe_plan``."""
    calibration_share: float
    test_share: float
    split_seed: int

    def has_trained(self, mpan_ids: list[str]) -> NDArray[np.bool_]:
        """Which meters of this very fleet trained or calibrated, shape (meters,); the others were kept for testing."""
        return ~split_by_meter(mpan_ids, self.calibration_share, self.test_share, self.split_seed).test


class TrainedOn(NamedTuple):
    """Meters that trained or calibrated; those that a training run kept for testing are not among them."""

    fleets: tuple[TrainingFleet, ...] = ()
    names: Marks = _NO_MARKS
    """Of MPANs; simulated ones are left out, since every simulated fleet numbers its meters alike."""
    days: Marks = _NO_MARKS
    """Of what the meters read on the first day of each month: they are the same under another name."""

    def as_json(self) -> dict[str, Any]:
        """What ``read_trained_on`` reads."""
        return {
            "fleets": [fleet._asdict() for fleet in self.fleets],
            "names": _pack(self.names),
            "days": _pack(self.days),
        }


class Exclusion(NamedTuple):
    """A meter that must not be scored, and why."""

    place: int
    reason: str


def read_trained_on(stored: dict[str, Any]) -> TrainedOn:
    """The meters that ``TrainedOn.as_json`` wrote."""
    fleets = tuple(TrainingFleet(**fleet) for fleet in stored["fleets"])
    return TrainedOn(fleets, _unpack(stored["names"]), _unpack(stored["days"]))


def describe_plan(plan: FleetPlan) -> dict[str, Any]:
    """What a simulated fleet is drawn from; how many meters are drawn changes none of them."""
    return {"seed": plan.seed, "first_date": str(plan.first_date), "last_date": str(plan.last_date), "mix": plan.mix._asdict()}


def mark_names(names: Sequence[str]) -> Marks:
    """Digests of MPANs, sorted, each once."""
    return np.unique(np.array([_digest(name.encode()) for name in names], dtype=np.uint64))


def mark_days(kwh: pa.ChunkedArray) -> Marks:
    """A digest for each day of 48 energies, in their order; 0 for a day with a gap, or of too few different values to be one meter's own.

    Energies count in whole watt-hours, so that it does not matter by which way they came into the lake.
    """
    found = np.zeros(len(kwh), dtype=np.uint64)
    for row, day in enumerate(kwh.to_pylist()):
        if day is None or any(value is None or value != value for value in day):
            continue
        watt_hours = np.rint(np.array(day) * WATT_HOURS_PER_KWH).astype(np.int64)
        if len(np.unique(watt_hours)) >= LEAST_VALUES_OF_A_DAY:
            found[row] = _digest(watt_hours.tobytes())
    return found


def keep_marks(marks: Marks) -> Marks:
    """The digests without the zeros, sorted, each once."""
    return np.unique(marks[marks > 0])


def exclude_names(trained_on: TrainedOn, mpan_ids: list[str], is_simulated: NDArray[np.bool_]) -> list[Exclusion]:
    """Meters whose MPAN is that of a training meter."""
    marks = np.array([_digest(mpan.encode()) for mpan in mpan_ids], dtype=np.uint64)
    found = np.isin(marks, trained_on.names) & ~is_simulated
    return [Exclusion(int(place), "its MPAN is that of a training meter") for place in np.flatnonzero(found)]


def exclude_days(trained_on: TrainedOn, place: NDArray[np.int64], marks: Marks) -> list[Exclusion]:
    """Meters with a day that a training meter had.

    Args:
        trained_on: marks of the training meters.
        place: meter of each day.
        marks: of ``mark_days``, in parallel.
    """
    found = np.unique(place[np.isin(marks, trained_on.days) & (marks > 0)])
    return [Exclusion(int(meter), "its readings are those of a training meter") for meter in found]


def exclude_fleet(trained_on: TrainedOn, plan: dict[str, Any], mpan_ids: list[str], place: NDArray[np.int64]) -> list[Exclusion]:
    """Meters of a simulated fleet that is drawn from the seed of a training fleet.

    The same seed draws the same people and assets. Where dates and mix agree as well it is the training fleet itself, and
    the meters that it kept for testing may be scored; else it is unknown, and none may.

    Args:
        trained_on: fleets that trained.
        plan: of ``describe_plan``, of the fleet that the meters belong to.
        mpan_ids: of the fleet's meters.
        place: of the same meters, in parallel.
    """
    excluded: list[Exclusion] = []
    for fleet in trained_on.fleets:
        if fleet.plan["seed"] != plan["seed"]:
            continue
        is_same = all(fleet.plan[name] == plan[name] for name in ("first_date", "last_date", "mix"))
        has_trained = fleet.has_trained(mpan_ids) if is_same else np.ones(len(mpan_ids), dtype=np.bool_)
        what = "its fleet is the training fleet" if is_same else "its fleet is drawn from the seed of the training fleet"
        excluded += [Exclusion(int(place[row]), f"{what} (seed {plan['seed']})") for row in np.flatnonzero(has_trained)]
    return excluded


def _digest(content: bytes) -> int:
    """Never 0, which stands for no mark."""
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "big") | 1


def _pack(marks: Marks) -> str:
    return base64.b64encode(marks.astype(">u8").tobytes()).decode()


def _unpack(packed: str) -> Marks:
    return np.frombuffer(base64.b64decode(packed), dtype=">u8").astype(np.uint64)
