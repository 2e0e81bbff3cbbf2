"""Draws from the catalogue: which behaviour each meter has, and what its ranges leave open."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmar_spark.domain.assets import AssetClass
from fmar_spark.simulate.behaviours.behaviour import OFF_PEAK
from fmar_spark.simulate.behaviours.catalogue import list_behaviours
from fmar_spark.simulate.plan import Bools, Floats, Ints


def draw_behaviours(rng: np.random.Generator, subject: AssetClass | str, is_elsewhere: Bools) -> Ints:
    """Number of each meter's behaviour in ``list_behaviours``, by its share.

    Args:
        rng: the stream.
        subject: class or look-alike.
        is_elsewhere: meters that take the other share, shape (meters,).
    """
    behaviours = list_behaviours(subject)
    shares = np.array([[one.share, one.elsewhere] for one in behaviours]).T
    bounds = np.cumsum(shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-9), axis=1)[is_elsewhere.astype(int)]
    pick = rng.random(len(is_elsewhere))
    return np.asarray(np.minimum((pick[:, None] >= bounds).sum(axis=1), len(behaviours) - 1))


def read_ranges(subject: AssetClass | str, number: Ints, read: Callable[[Any], tuple[float, float]]) -> Floats:
    """Ends of a range of each meter's behaviour, shape (2, meters)."""
    ends = np.array([read(one.how) for one in list_behaviours(subject)])
    return np.asarray(ends[number].T)


def read_each(subject: AssetClass | str, number: Ints, read: Callable[[Any], Any]) -> NDArray[Any]:
    """A fact of each meter's behaviour, shape (meters,)."""
    return np.array([read(one.how) for one in list_behaviours(subject)])[number]


def draw_choices(rng: np.random.Generator, subject: AssetClass | str, number: Ints, read: Callable[[Any], tuple[float, ...]]) -> Floats:
    """One of the values that each meter's behaviour allows, shape (meters,)."""
    options = [read(one.how) for one in list_behaviours(subject)]
    count = np.array([len(values) for values in options])
    widest = np.array([[*values, *[values[-1]] * (count.max() - len(values))] for values in options])
    return np.asarray(widest[number, (rng.random(len(number)) * count[number]).astype(int)])


def draw_within(rng: np.random.Generator, ends: Floats) -> Floats:
    """Even between both ends, shape (meters,)."""
    return np.asarray(ends[0] + (ends[1] - ends[0]) * rng.random(ends.shape[1]))


def draw_between(rng: np.random.Generator, ends: Floats) -> Floats:
    """Even in the logarithm between both ends, shape (meters,)."""
    return np.asarray(np.exp(draw_within(rng, np.log(ends))))


def draw_off_peak(rng: np.random.Generator, meters: int) -> tuple[Floats, Floats]:
    """Start by the local clock and length of each meter's off-peak hours, slots, shape (meters,) each."""
    share = np.array([one.share for one in OFF_PEAK])
    pick = rng.choice(len(OFF_PEAK), meters, p=share / share.sum())
    return np.array([one.start_slot for one in OFF_PEAK])[pick], 2 * np.array([one.hours for one in OFF_PEAK])[pick]
