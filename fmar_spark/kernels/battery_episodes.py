"""When a battery charged and discharged, and how big it must be for that."""

from typing import NamedTuple

from fmar_spark.kernels.window import Bools, Events, Floats, Sizes, no_events, unknown_sizes


class Traits(NamedTuple):
    """What the detector already knows of a few meters; arrays (meters, blocks, 28, 48) unless said otherwise."""

    load_kw: Floats
    net_kw: Floats
    dark_near: Bools
    mean_kw: Floats
    """Shape (meters,)."""
    has_export: Bools
    """Shape (meters,)."""


def find_episodes(traits: Traits) -> tuple[Events, Sizes]:
    """Episodes and sizes as if there were a battery."""
    return no_events(), unknown_sizes(len(traits.mean_kw))
