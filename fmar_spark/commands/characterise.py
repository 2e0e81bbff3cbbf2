"""Characterises every eligible meter: assets, sizes, dates, availability, baseline quality."""

from pathlib import Path

from fmar_spark.app import App
from fmar_spark.errors import InputError
from fmar_spark.intake.intervals.companions import read_meter_names
from fmar_spark.intake.intervals.event_lists import read_event_list, read_portfolios
from fmar_spark.steps import characterise


def run(app: App, meters: Path | None, events: Path | None, portfolios: Path | None, accept_drop: bool) -> None:
    """Run the step.

    Raises:
        InputError: portfolios without events.
    """
    if portfolios and not events:
        raise InputError("--portfolios: found without --events; the events that the portfolios answer wanted")
    names = read_meter_names(meters) if meters else ()
    listed = characterise.ListedEvents(read_event_list(events) if events else [], read_portfolios(portfolios) if portfolios else {})
    app.run_step("characterise", lambda store, run: characterise.run(store, run, app.settings, names, listed, accepts_drop=accept_drop))
