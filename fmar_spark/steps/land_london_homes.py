"""Writes two measured London homes as DIP messages into a landing folder, beside any others there."""

import logging
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa

from fmar_spark.domain.figures import write_count
from fmar_spark.engine.runs import Written
from fmar_spark.intake.intervals.companions import LABEL_SCHEMA
from fmar_spark.intake.intervals.weather import read_weather
from fmar_spark.intake.london_homes import Home, list_messages, write_temperatures
from fmar_spark.simulate.messages import write_message, write_standing_message
from fmar_spark.steps.record_legal_basis import GRANT_SCHEMA

READS = ()
WRITES = ()
MESSAGES_A_FILE: Final = 200
BASIS: Final = "published data"
SOURCE: Final = "Low Carbon London (UK Power Networks, CC BY 4.0), by opendsm 1.2.7"
_log = logging.getLogger(__name__)


class Order(NamedTuple):
    """Homes and where their messages go."""

    homes: tuple[Home, ...]
    out_dir: Path


def run(order: Order) -> Written:
    """Every home's messages stand in the landing folder; the same homes again write the same files."""
    order.out_dir.mkdir(parents=True, exist_ok=True)
    counts = {"homes": len(order.homes), "files": 0, "messages": 0}
    for home in order.homes:
        standing, days = list_messages(home)
        texts = [write_standing_message(standing), *map(write_message, days)]
        for part, first in enumerate(range(0, len(texts), MESSAGES_A_FILE)):
            path = order.out_dir / f"london-home-{home.number}-{part:03d}.json"
            path.write_text("[" + ",\n".join(texts[first : first + MESSAGES_A_FILE]) + "]", encoding="utf-8")
            counts["files"] += 1
        counts["messages"] += len(texts)
        for name, rows in home.repairs._asdict().items():
            counts[f"home_{home.number}_{name}"] = rows
        _log.info("land_london_homes: home %s: %s", home.number, describe_repairs(home))
    return Written(counts, counts["messages"])


def describe_repairs(home: Home) -> str:
    """What was wrong with the file, and what became of it."""
    found = home.repairs
    said = [write_count(found.rows_read, "row")]
    if found.dates_swapped:
        said.append(f"day and month corrected in {found.dates_swapped}")
    said.append(f"{write_count(found.rows_repeated, 'repeated row')} left out")
    if found.rows_before_meter:
        said.append(f"{write_count(found.rows_before_meter, 'zero')} before the first reading left out")
    said.append(f"{write_count(found.half_hours_unread, 'half-hour')} never read, left empty")
    return ", ".join(said)


def build_weather(package: Path) -> pa.Table:
    """The homes' temperatures in the format of ``WEATHER_SCHEMA``."""
    with tempfile.TemporaryDirectory(prefix="fmar_homes_") as folder:
        file = Path(folder) / "temperatures.csv"
        write_temperatures(package, file)
        return read_weather(file, SOURCE).days


def build_legal_bases(homes: tuple[Home, ...]) -> pa.Table:
    """On record for each home: its readings are published, without a name, for anyone's use."""
    rows = [{"mpan_id": home.mpan_id, "basis": BASIS, "source": SOURCE} for home in homes]
    return pa.Table.from_pylist(rows, schema=GRANT_SCHEMA)


def build_labels(homes: tuple[Home, ...]) -> pa.Table:
    """Nothing is known of what the homes have, but that they are real."""
    return pa.Table.from_pylist([{"series_id": home.mpan_id, "provenance": "real"} for home in homes], schema=LABEL_SCHEMA)
