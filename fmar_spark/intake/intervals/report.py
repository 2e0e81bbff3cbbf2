"""Says in a few lines what was understood of a user's files."""

from collections import Counter
from collections.abc import Mapping

from fmar_spark.intake.intervals.anomalies import ANOMALIES
from fmar_spark.intake.intervals.companions import SiteRow
from fmar_spark.intake.intervals.importing import Intake
from fmar_spark.intake.intervals.weather import WeatherFile, known_share
from fmar_spark.settings.sections import ImportSettings

NAMES_SHOWN = 3


def describe_intake(
    intake: Intake, sites: Mapping[str, SiteRow], weather: WeatherFile | None, labels: tuple[str, ...], defaults: ImportSettings
) -> list[str]:
    """Lines for the user: files, rows, series, surroundings, then a line for everything that looks odd."""
    lines = [*_describe_rows(intake), *_describe_series(intake)]
    own = {fact.series_id for fact in intake.series}
    located = len(own & set(sites))
    place = f"{defaults.time_zone} ({defaults.latitude:g}, {defaults.longitude:g})"
    lines.append(f"sites      {located} series located; {len(own) - located} taken to be in {place}")
    lines.append(f"weather    {_describe_weather(weather, own)}")
    lines.append(f"labels     {len(own & set(labels))} series labelled" if labels else "labels     none")
    lines += [f"rejected   {fault}" for fault in intake.first_faults[:NAMES_SHOWN]]
    for rule, count in sorted(intake.faults_by_rule.items()):
        lines.append(f"warning    {count} rejected by {rule}: bronze.quarantine names each by file and line")
    if intake.counts.get("rows_naive"):
        lines.append(f"warning    {intake.counts['rows_naive']} times name no zone and are taken as UTC")
    for anomaly, found in intake.anomalies.items():
        if found:
            lines.append(f"warning    {anomaly}: {_name_some(found)}: {ANOMALIES[anomaly]}; read as they stand")
    for what, names in (("site", set(sites) - own), ("label", set(labels) - own)):
        if names:
            lines.append(f"warning    {len(names)} {what} rows name no series of these files: {_name_some(tuple(sorted(names)))}")
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


_ROW_WORDS = (("kept", "kept"), ("quarantined", "rejected"), ("duplicate", "repeated"), ("unread", "without a reading"))


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
    ignored = f"; {weather.ignored} rows ignored" if weather.ignored else ""
    return f"{weather.days.num_rows} days, {shares}; for {covered} of {len(own)} series{ignored}"


def _name_some(names: tuple[str, ...]) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
