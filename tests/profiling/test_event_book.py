"""Listed events in the pass over whole meters: for whom they are, and what they say of each."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from fmar_spark.contracts.profiles import METER_PROFILES
from fmar_spark.domain.assets import AssetClass
from fmar_spark.domain.listed_events import ListedEvent
from fmar_spark.domain.words import Status
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.intake.intervals.rows import ReadingRules
from fmar_spark.intake.intervals.tables import import_table
from fmar_spark.kernels.demand_response.known_events import Answering
from fmar_spark.learning.bundled_classifier import load_bundled
from fmar_spark.local.meter_days import describe_days
from fmar_spark.profiling.event_book import EVERYONE, EventBook, build_event_book
from fmar_spark.profiling.profiles import ProfilePass, read_profile_rules
from fmar_spark.profiling.windows import empty_weather, group_meters
from fmar_spark.settings.sections import Settings

LONDON, UTC = ZoneInfo("Europe/London"), ZoneInfo("UTC")
DAYS, MEMBERS = 100, 10
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
EVENT_DAYS = range(4, DAYS, 5)
ANSWERING, SILENT, ERRATIC = "answering", "silent", "erratic"


def list_events(portfolio: str | None = None, gsp_group_id: str | None = None) -> list[ListedEvent]:
    """Two hours from 17:00 by the clock of London on every fifth day, on both sides of the change of clocks."""
    starts = [datetime(2024, 1, 1, 17, tzinfo=LONDON) + timedelta(days=day) for day in EVENT_DAYS]
    return [ListedEvent(start.astimezone(UTC), (start + timedelta(hours=2)).astimezone(UTC), gsp_group_id, portfolio) for start in starts]


@pytest.fixture(scope="module")
def meter_days() -> pa.Table:
    """Ten homes, six of which hold half of their load back in the events, one silent and one that is all over the place."""
    rng = np.random.default_rng(7)
    hours = pd.date_range(FIRST, periods=DAYS * 48, freq="30min")
    called = np.zeros(len(hours), bool)
    for event in list_events():
        called |= (hours >= event.start) & (hours < event.end)
    frames = []
    for number in range(MEMBERS):
        name = f"{ANSWERING}{number}" if number < 6 else f"{ERRATIC}{number}" if number == 9 else f"{SILENT}{number}"
        noise = 12.0 if name.startswith(ERRATIC) else 0.35
        kwh = 0.3 * np.exp(noise * rng.standard_normal(len(hours)) - noise**2 / 2) if noise < 1 else rng.gamma(0.01, 30.0, len(hours))
        kwh = kwh * np.where(called & name.startswith(ANSWERING), 0.5, 1.0)
        frames.append(pd.DataFrame({"series_id": name, "timestamp_utc": hours, "kwh_import": np.minimum(kwh, 8.0)}))
    days = import_table(pa.Table.from_pandas(pd.concat(frames), preserve_index=False), ReadingRules()).days
    names = pc.unique(days["series_id"])
    count = len(names)
    meters = pa.table(
        {
            "mpan_id": names,
            "interval_minutes": pa.array([30] * count, pa.int32()),
            "time_zone": ["Europe/London"] * count,
            "latitude": [51.5] * count,
            "longitude": [-0.1] * count,
            "weather_area": pa.nulls(count, pa.string()),
            "gsp_group_id": ["_C"] * count,
            "is_domestic": pa.nulls(count, pa.bool_()),
        }
    )
    return describe_days(days.rename_columns(["mpan_id", *days.column_names[1:]]), meters)


def test_a_meter_is_in_the_narrowest_group_that_has_events() -> None:
    book = build_event_book([*list_events("evening"), *list_events(gsp_group_id="_C"), *list_events()], {"1": "evening", "2": "none"})
    assert [book.name_group(*one) for one in (("1", "_C"), ("2", "_C"), ("3", "_A"))] == ["evening", "_C", EVERYONE]
    assert build_event_book(list_events("evening"), {}).name_group("3", "_A") == ""
    assert EventBook().is_empty


def test_events_lie_in_the_local_slots_of_the_window(meter_days: pa.Table) -> None:
    (group,) = group_meters(meter_days, empty_weather(), 24)
    known = build_event_book(list_events(), {}).find_events(group)
    assert len(known.meter) == MEMBERS * len(EVENT_DAYS)
    assert set(known.start_slot % 48) == {34}
    assert set(known.end_slot - known.start_slot) == {4}


def test_a_group_teaches_how_many_answer_and_the_pass_says_who(meter_days: pa.Table) -> None:
    book = build_event_book(list_events("evening"), dict.fromkeys(pc.unique(meter_days["mpan_id"]).to_pylist(), "evening"))
    learnt = book.learn_groups([meter_days], empty_weather(), 24)
    assert 0.4 < learnt.groups["evening"].share < 0.8
    profile_pass = ProfilePass(load_bundled(), empty_weather(), read_profile_rules(Settings()), "run 1", date(2024, 4, 9), learnt)
    rows = pa.Table.from_batches(profile_pass(meter_days), schema=arrow_schema(METER_PROFILES)).to_pylist()
    for row in rows:
        (answer,) = (one for one in row["detections"] if one["asset_class"] == AssetClass.DEMAND_RESPONSE)
        events = [one for one in row["events"] if one["asset_class"] == AssetClass.DEMAND_RESPONSE]
        if row["mpan_id"].startswith(ERRATIC):
            assert answer["status"] == Status.NOT_OBSERVABLE
            assert "it takes more events or a steadier load" in answer["status_reason"]
        elif row["mpan_id"].startswith(ANSWERING):
            assert answer["probability"] > 0.9
            assert "kW less than on other days in" in answer["evidence"]
            assert f"of {learnt.groups['evening'].members} meters of evening answered" in answer["evidence"]
            assert len(events) > 0.8 * len(EVENT_DAYS)
        else:
            assert answer["probability"] < 0.3
            assert not events


def test_meters_without_events_are_answered_as_ever(meter_days: pa.Table) -> None:
    rules = read_profile_rules(Settings())
    book = EventBook(build_event_book(list_events("evening"), {}).times, {}, {"evening": Answering(0.5, 3.0, 1.0, 9)})
    with_book, without = (
        list(ProfilePass(load_bundled(), empty_weather(), rules, "run 1", date(2024, 4, 9), one)(meter_days)) for one in (book, EventBook())
    )
    assert with_book == without
