"""Says in a few lines what was understood of a user's readings, what is unusual, and what would put it right."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from fmar_spark.domain.figures import write_count
from fmar_spark.intake.intervals.anomalies import ANOMALIES
from fmar_spark.intake.intervals.companions import SiteRow, find_misplaced
from fmar_spark.intake.intervals.options import ReadingOptions
from fmar_spark.intake.intervals.tables import Intake, SeriesFacts
from fmar_spark.intake.intervals.weather import WeatherFile, known_share
from fmar_spark.kernels.annual_energy import describe_annual_energy
from fmar_spark.settings.sections import ImportSettings

NAMES_SHOWN: Final = 3
SERIES_SHOWN: Final = 20
_ROW_WORDS: Final = (("kept", "kept"), ("quarantined", "rejected"), ("duplicate", "repeated"), ("unread", "without a reading"))


def describe_intake(
    intake: Intake,
    sites: Mapping[str, SiteRow],
    weather: WeatherFile | None,
    labels: tuple[str, ...],
    defaults: ImportSettings,
    options: ReadingOptions | None = None,
) -> list[str]:
    """Lines for the user: files, rows, series, surroundings, then a line for everything that looks odd.

    Args:
        intake: what was understood.
        sites: where series are.
        weather: what is known of it.
        labels: series with labels.
        defaults: of series without a site.
        options: what the user stated; None where there are none to state, as for frames.
    """
    lines = [*_describe_rows(intake), *_describe_series(intake)]
    own = {fact.series_id for fact in intake.series}
    located = len(own & set(sites))
    place = f"{defaults.time_zone} ({defaults.latitude:g}, {defaults.longitude:g})"
    lines.append(f"sites      {located} series located; {len(own) - located} taken to be in {place}")
    lines.append(f"weather    {_describe_weather(weather, own)}")
    lines.append(f"labels     {len(own & set(labels))} series labelled" if labels else "labels     none")
    lines += [f"rejected   {fault}" for fault in intake.first_faults[:NAMES_SHOWN]]
    more = sum(intake.faults_by_rule.values()) - min(len(intake.first_faults), NAMES_SHOWN)
    if more > 0:
        lines.append(f"rejected   {more:,} more")
    for rule, count in sorted(intake.faults_by_rule.items()):
        lines.append(f"warning    {count} rejected by {rule}: once imported, bronze.quarantine names each by file and line")
    if intake.counts.get("rows_naive"):
        cure = "--time-zone says which it is" if options is not None else "times with their zone say which it is"
        lines.append(f"warning    {write_count(intake.counts['rows_naive'], 'time')} without a zone, taken as UTC: {cure}")
    lines += [f"warning    {notice}" for notice in intake.notices[:NAMES_SHOWN]]
    if len(intake.notices) > NAMES_SHOWN:
        lines.append(
            f"warning    {write_count(len(intake.notices) - NAMES_SHOWN, 'more meter point')} with registers of which there is no record"
        )
    lines += _describe_anomalies(intake, sites, defaults.time_zone, options)
    lines += [f"warning    site of {name}: {found}" for name, found in find_misplaced(sites, defaults.time_zone).items()]
    for what, names in (("site", set(sites) - own), ("label", set(labels) - own)):
        if names:
            verb = "names" if len(names) == 1 else "name"
            lines.append(
                f"warning    {write_count(len(names), f'{what} row')} {verb} no series of these files: {_name_some(tuple(sorted(names)))}"
            )
    return lines


def describe_formats(formats: Mapping[tuple[str, ...], int]) -> list[str]:
    """A line for each format that files were read as, with what was taken for granted of them."""
    return [
        f"format     {found[0]}, {write_count(count, 'file')}" + "".join(f"; {note}" for note in found[1:])
        for found, count in sorted(formats.items())
    ]


def describe_energy(series: Iterable[SeriesFacts], min_days: int) -> list[str]:
    """A line for each series, the fewest days first: its energy a year and whether its days are enough for an answer.

    Args:
        series: of an intake.
        min_days: fewest days of which a meter is characterised.
    """
    facts = sorted(series, key=lambda fact: (fact.days, fact.series_id))
    lines = []
    for fact in facts[:SERIES_SHOWN]:
        given = f", {fact.kwh_export:,.0f} kWh exported" if fact.has_export else ""
        enough = "enough for an answer" if fact.days >= min_days else f"{min_days} wanted for an answer"
        is_unread = math.isnan(fact.annual.kwh_per_day)
        taken = "no import read" if is_unread else f"{fact.kwh_import:,.0f} kWh imported, {describe_annual_energy(fact.annual)}"
        lines.append(f"series     {fact.series_id}: {write_count(fact.days, 'day')} ({enough}); {taken}{given}")
    if len(facts) > SERIES_SHOWN:
        answered = sum(fact.days >= min_days for fact in facts)
        lines.append(f"series     {len(facts) - SERIES_SHOWN} more; of all, {answered} have the {min_days} days that an answer needs")
    return lines


def _describe_rows(intake: Intake) -> list[str]:
    counts = intake.counts
    rejected_files = counts.get("files_rejected", 0)
    parts = [f"{counts.get('rows_' + kind, 0):,} {word}" for kind, word in _ROW_WORDS]
    files = f"files      {counts.get('files_read', 0)} read" + (f", {rejected_files} rejected" if rejected_files else "")
    energies = " + ".join(f"{intake.kwh[kind]:,.1f} {kind}" for kind in ("held", "rejected", "repeated"))
    return [
        files,
        f"rows       {counts.get('rows_read', 0):,} read = {' + '.join(parts)}",
        f"energy     {intake.kwh['read']:,.1f} kWh read = {energies}",
    ]


def _describe_series(intake: Intake) -> list[str]:
    steps = Counter(fact.interval_minutes for fact in intake.series)
    first = min(fact.first_at for fact in intake.series)
    last = max(fact.last_at for fact in intake.series)
    exporting = sum(fact.has_export for fact in intake.series)
    by_step = ", ".join(f"{count} of {minutes} minutes" for minutes, count in sorted(steps.items()))
    return [
        f"series     {len(intake.series)}: {by_step}; {exporting} with export",
        f"period     {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC (interval starts)",
    ]


def _describe_weather(weather: WeatherFile | None, own: set[str]) -> str:
    if weather is None:
        return "none: answers rest on the readings alone"
    covered = sum(weather.area_of(name) is not None for name in own)
    shares = f"temperature known {known_share(weather.days, 'temp_c'):.0%}, irradiance {known_share(weather.days, 'ghi_w_m2'):.0%}"
    ignored = f"; {write_count(weather.ignored, 'row')} ignored" if weather.ignored else ""
    ignored += f"; {write_count(weather.naive, 'time')} without a zone, taken as UTC" if weather.naive else ""
    return f"{write_count(weather.days.num_rows, 'day')}, {shares}; for {covered} of {len(own)} series{ignored}"


def _describe_anomalies(intake: Intake, sites: Mapping[str, SiteRow], default_zone: str, options: ReadingOptions | None) -> list[str]:
    lines = []
    for name, found in intake.anomalies.items():
        if not found:
            continue
        anomaly = ANOMALIES[name]
        zone = next((site.time_zone for one in found if (site := sites.get(one)) and site.time_zone), default_zone)
        cure = _describe_cure(anomaly.option.format(zone=zone), options, intake.settled)
        lines.append(f"warning    {name}: {_name_some(found)}: {anomaly.sentence}{cure}")
    return lines


def _describe_cure(option: str, options: ReadingOptions | None, settled: frozenset[str]) -> str:
    """How readings that look odd were read, and the option that reads them otherwise, where it was not stated already and is used."""
    if not option:
        return ""
    if options is None:
        return "; read as they stand"
    flag, value = option.split()
    name = flag.removeprefix("--").replace("-", "_")
    if name in settled:
        return f"; read as the file says itself, {flag} does not change it"
    stated = options._asdict()[name]
    if stated is None:
        return f"; read as they stand, {option} reads them as such"
    return f"; read as {flag} {stated} says" + (f", {option} reads them as such" if stated != value else ": see whether that is right")


def _name_some(names: tuple[str, ...]) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
