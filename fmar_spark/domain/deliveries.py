"""Words of delivery verification: why an event has the verdict that it has, and what is noticed beside it."""

from typing import Final

ESTIMATED: Final = -1.0
OPTED_OUT: Final = -2.0
"""What stands for an energy that must not be looked at; a reading is never negative."""
RIGHT_UNKNOWN, RIGHT_ENDED = "unknown", "not_in_force"
"""What the register says of an FSP's right to an asset, where it says something."""
NO_EVENT: Final = "no-event"
"""Begins the event_id of volumes that were declared without an event."""

EVENT_RULES: Final = {
    "meter_unknown": "the boundary meter is not known",
    "not_examined": "the boundary meter must not be examined",
    "no_readings": "the boundary meter has no readings before the event",
    "volumes_without_event": "volumes were declared for a day without an event",
    "partial_half_hour": "the event begins or ends within a half-hour",
    "hourly_meter": "the boundary meter is read by the hour, and the event begins or ends within one",
    "clock_change": "the event falls into the hour that the clock shows twice",
    "agreement_not_in_force": "the register has no right of the FSP to the asset at the time of the event",
    "overlapping_events": "an earlier event of the same asset covers part of the same half-hours",
    "sign_suspected": "a negative delivery was declared: the sign may be turned round",
    "missing_declaration": "no volume was declared",
    "half_hours_unread": "half-hours of the event were not read",
    "half_hours_estimated": "half-hours of the event are estimates",
    "half_hours_opted_out": "half-hours of the event were opted out of",
    "no_forecast": "no expectation can be formed for the day",
    "too_few_days": "too few earlier days",
    "asset_too_small": "the declaration is smaller than the error of the expectation",
    "above_connection": "more was declared than the connection can swing: its import and export capacity together",
    "above_observed_maximum": "more was declared than the meter's load was ever seen to range over",
    "shortfall": "the boundary meter shows less than was declared",
}
"""Reasons of verdicts on events, in the order in which they are looked for."""
IMPLAUSIBLE_RULES: Final = frozenset({"above_connection", "above_observed_maximum", "shortfall"})

EVENT_NOTICES: Final = {
    "amsid_unknown": "the register does not know the AMSID at this meter point",
    "partial_declaration": "volumes were declared for some of the event's half-hours only",
    "above_metered_volume": "more was declared than the asset's own meter read: the SVAA caps it",
    "unit_suspected": "declared energy is out by a factor of about 1000: MWh, kWh or Wh",
    "sign_suspected": "the load went the other way by about what was declared",
    "raised_before": "load was raised in the hours that an in-day adjustment looks at",
    "power_rinse": "load was run up in the last hour before the event",
    "rebound": "load rebounded after the event",
}
"""Notices of verification, beside those of the declaration itself."""

ASSET_RULES: Final = {
    "no_assessable_event": "no event could be assessed",
    "asset_too_small": "the declarations are too small beside the error of the expectation",
    "sustained_shortfall": "over its events the asset delivers less than it declares",
    "shortfall_of_the_meter": "the meter shows less than its assets declare together",
    "events_never_differ": "the meter shows less than its assets declare together, and their events never differ in time",
    "below_portfolio_threshold": "the evidence does not suffice among so many assets",
}
"""Reasons of verdicts on assets."""
