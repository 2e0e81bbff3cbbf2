"""What counts as charging."""

from typing import NamedTuple


class EvSearch(NamedTuple):
    """What counts as charging."""

    lowest_kw: float = 1.7
    """Below the weakest lead in use (8 A, 1.8 kW). Source: charging leads on sale."""
    highest_kw: float = 30.0
    """Above the strongest domestic charge point (three-phase, 22 kW). Source: charge points on sale, 32 A in three phases."""
    least_step_kw: float = 1.2
    """Lowest step up that may start a session: cooking that ends as the car starts hides part of its step."""
    least_step_share: float = 0.35
    """The same as a share of the charger's power."""
    noise_factor: float = 4.0
    """A step must be this many times the typical half-hourly change."""
    longest_hours: float = 16.0
    """A longer plateau is not a session."""
    lookback_hours: float = 3.0
    """How far before a step the idle level is sought."""
    power_tolerance: float = 0.15
    """How far one session's power may lie from the charger's, relative."""
    short_tolerance: float = 0.09
    """The same for a session of under three whole slots of a weak charger."""
    partial_share: float = 0.15
    """Share of the charger's power from which the first or last slot counts as charging."""
    brief_share: float = 0.5
    """Share of the charger's power that a session too short to fill a slot must reach."""
    brief_kw: float = 4.0
    """Level that such a session must reach: kettles, ovens and showers stay below it over a half-hour. A charger is
    called weak if its own power is below."""
    most_brief: float = 0.75
    """Where more than this many such sessions come to one that fills a half-hour (twice as many for an hour), something
    else makes them."""
    company_kw: float = 2.5
    """What else may run all through a session of a charger that is not weak."""
    doubtful_hours: float = 2.25
    """Blocks of a weak charger up to this long must stand out among short blocks of other powers."""
    doubtful_excess: float = 2.0
    """How many times the number expected from other powers they must reach."""
    most_candidates: int = 5
    """Powers that are compared before one is taken for the charger's."""
    least_recurring_kw: float = 4.5
    """Step up from which one that recurs may be a charger's although no block fills an hour. Source: chosen by hand, above what a home
    switches on for half an hour."""
    least_agreement: float = 0.25
    """Share of the steps up that must have this size. Source: chosen by hand."""
    least_excess: float = 1.25
    """How many times the power of the flat blocks it must be. Source: chosen by hand."""
    fewest_hours_seen: float = 20.0
    """Hours that a day must have been read to say anything of that day."""
