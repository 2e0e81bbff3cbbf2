"""The truth as tables, row against fleet."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from fmar_spark.clock import utc_slot_starts
from fmar_spark.domain.assets import ASSET_CLASSES, LABEL_OF_CLASS, SIZE_LABELS, AssetClass
from fmar_spark.domain.words import ChangeKind
from fmar_spark.simulate.fleet import Fleet
from fmar_spark.simulate.permissions import Permissions
from fmar_spark.simulate.plan import FleetPlan
from fmar_spark.simulate.truth_tables import (
    tabulate_assets,
    tabulate_changes,
    tabulate_confusers,
    tabulate_events,
    tabulate_labels,
    tabulate_legal_bases,
    tabulate_meters,
    tabulate_weather,
)

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def assets(plan: FleetPlan, fleet: Fleet) -> Rows:
    rows: Rows = tabulate_assets(plan, fleet).to_pylist()
    return rows


@pytest.fixture(scope="module")
def events(plan: FleetPlan, fleet: Fleet) -> Rows:
    rows: Rows = tabulate_events(plan, fleet).to_pylist()
    return rows


def test_every_asset_has_one_row_with_dates_inside_the_plan_and_in_order(plan: FleetPlan, fleet: Fleet, assets: Rows) -> None:
    assert len(assets) == fleet.assets.meter.size > 60
    assert set(Counter((row["mpan_id"], row["asset_class"]) for row in assets).values()) == {1}
    assert {row["asset_class"] for row in assets} == set(ASSET_CLASSES)
    for row in assets:
        dates = [row[name] for name in ("appeared_date", "upgraded_date", "removed_date") if row[name]]
        assert dates == sorted(dates)
        assert all(plan.first_date < day <= plan.last_date for day in dates)
        assert (row["size_before_kw"] is None) == (row["upgraded_date"] is None)
    for name in ("appeared_date", "upgraded_date", "removed_date"):
        assert sum(row[name] is not None for row in assets) >= 3


def test_sizes_are_given_only_where_they_apply(assets: Rows) -> None:
    for row in assets:
        assert (row["ac_kw"] is not None) == (row["asset_class"] == AssetClass.SOLAR_PV)
        assert (row["storage_kwh"] is not None) == (row["asset_class"] == AssetClass.BATTERY)
        assert row["size_kw"] is None or row["size_kw"] > 0


def test_events_are_those_of_assets_that_are_there_at_the_time(plan: FleetPlan, fleet: Fleet, assets: Rows, events: Rows) -> None:
    stays = {(row["mpan_id"], row["asset_class"]): (row["appeared_date"], row["removed_date"]) for row in assets}
    assert len(events) == fleet.events.meter.size > 1000
    for row in events[::11]:
        appeared, removed = stays[row["mpan_id"], row["asset_class"]]
        assert row["started_at"] < row["ended_at"]
        assert appeared is None or row["started_at"].date() >= appeared
        assert removed is None or row["ended_at"].date() <= removed
        assert row["energy_kwh"] > 0
        assert row["started_at"].tzinfo is not None


def test_events_of_one_asset_and_direction_never_overlap_and_start_but_once(events: Rows) -> None:
    reached: dict[tuple[str, str, bool], datetime] = {}
    starts = Counter((row["mpan_id"], row["asset_class"], row["started_at"]) for row in events)
    assert set(starts.values()) == {1}
    for row in sorted(events, key=lambda one: one["started_at"]):
        key = (row["mpan_id"], row["asset_class"], row["is_import"])
        assert row["started_at"] >= reached.get(key, row["started_at"])
        reached[key] = row["ended_at"]


def test_event_times_are_the_starts_of_their_slots(plan: FleetPlan, fleet: Fleet, events: Rows) -> None:
    starts = utc_slot_starts(plan.first_date, plan.slots + 1).astype(datetime)
    for at in range(0, len(events), 97):
        assert events[at]["started_at"] == starts[fleet.events.start_slot[at]].replace(tzinfo=UTC)
        assert events[at]["ended_at"] == starts[fleet.events.end_slot[at]].replace(tzinfo=UTC)


def test_changes_have_the_dates_of_the_assets(plan: FleetPlan, fleet: Fleet, assets: Rows) -> None:
    found = {
        (row["mpan_id"], row["asset_class"], row["changed_date"], row["kind"]): row for row in tabulate_changes(plan, fleet).to_pylist()
    }
    wanted = set()
    for row in assets:
        key = (row["mpan_id"], row["asset_class"])
        first = row["size_kw"] if row["size_before_kw"] is None else row["size_before_kw"]
        for name, kind, before, after in (
            ("appeared_date", ChangeKind.APPEARED, 0.0, first),
            (
                "upgraded_date",
                ChangeKind.UPGRADED if row["size_kw"] is None or row["size_kw"] >= (first or 0) else ChangeKind.REDUCED,
                first,
                row["size_kw"],
            ),
            ("removed_date", ChangeKind.REMOVED, row["size_kw"], 0.0),
        ):
            if row[name]:
                wanted.add((*key, row[name], kind))
                given = found[(*key, row[name], kind)]
                assert (given["kw_before"], given["kw_after"]) == (before, after)
    assert set(found) == wanted
    assert {kind for *_, kind in wanted} >= {ChangeKind.APPEARED, ChangeKind.REMOVED, ChangeKind.UPGRADED}


def test_labels_say_of_every_meter_what_it_ever_had(fleet: Fleet, assets: Rows) -> None:
    labels = {row["mpan_id"]: row for row in tabulate_labels(fleet).to_pylist()}
    assert list(labels) == fleet.mpan_id
    assets_of = {(row["mpan_id"], row["asset_class"]): row for row in assets}
    for mpan, row in labels.items():
        for asset, size in SIZE_LABELS:
            found = assets_of.get((mpan, asset))
            assert row[LABEL_OF_CLASS[asset]] == (found is not None)
            assert row[size.label] == (found and found[size.truth])
        assert row["series_id"] == mpan
        assert row["provenance"] == "simulated"


def test_look_alikes_are_listed_meter_by_meter_and_in_the_labels(fleet: Fleet) -> None:
    found: dict[str, list[str]] = {}
    for row in tabulate_confusers(fleet).to_pylist():
        found.setdefault(row["mpan_id"], []).append(row["confuser"])
    labels = tabulate_labels(fleet)
    for mpan, names, text in zip(fleet.mpan_id, fleet.confusers, labels["confusers"].to_pylist(), strict=True):
        assert found.get(mpan, []) == names == [name for name in text.split(",") if name]


def test_meters_have_their_permissions_and_both_their_mpans(plan: FleetPlan, fleet: Fleet, permissions: Permissions) -> None:
    rows = tabulate_meters(plan, fleet, permissions).to_pylist()
    opted_out = 0
    for at, row in enumerate(rows):
        assert (row["mpan_id"], row["export_mpan_id"] or "") == (fleet.mpan_id[at], fleet.export_mpan_id[at])
        assert row["consent_granularity"] == permissions.consent_granularity[at]
        start, end = int(permissions.opted_out_from_day[at]), int(permissions.opted_out_to_day[at])
        span = (row["opted_out_from"], row["opted_out_to"])
        opted_out += end > start
        assert span == ((plan.first_date + timedelta(days=start), plan.first_date + timedelta(days=end)) if end > start else (None, None))
    assert opted_out >= 3


def test_legal_bases_are_those_of_homes_that_gave_one(plan: FleetPlan, fleet: Fleet, permissions: Permissions) -> None:
    rows = tabulate_legal_bases(plan, fleet, permissions).to_pylist()
    wanted = {mpan: basis for mpan, basis in zip(fleet.mpan_id, permissions.legal_basis, strict=True) if basis}
    assert {row["mpan_id"]: row["basis"] for row in rows} == wanted
    assert all(row["valid_from_date"] < plan.first_date for row in rows)


def test_weather_rows_hold_the_48_values_of_their_area_and_day(plan: FleetPlan, fleet: Fleet) -> None:
    table = tabulate_weather(plan, fleet)
    assert table.num_rows == len(fleet.weather.gsp_group) * plan.days
    place = 3 * plan.days + 11
    row = table.slice(place, 1).to_pylist()[0]
    assert (row["weather_area"], row["utc_date"]) == (fleet.weather.gsp_group[3], plan.first_date + timedelta(days=11))
    np.testing.assert_array_equal(np.array(row["temp_c"], dtype=np.float32), fleet.weather.temp_c[3, 11 * 48 : 12 * 48])


def test_a_fleet_of_plain_meters_has_empty_tables_of_the_same_schema(plan: FleetPlan, fleet: Fleet) -> None:
    nobody = fleet.assets.meter < 0
    plain = fleet._replace(
        assets=type(fleet.assets)(*(column[nobody] for column in fleet.assets[:-1]), kind=[]),
        events=type(fleet.events)(*(column[fleet.events.meter < 0] for column in fleet.events)),
    )
    for tabulate in (tabulate_assets, tabulate_events, tabulate_changes):
        empty, full = tabulate(plan, plain), tabulate(plan, fleet)
        assert empty.num_rows == 0
        assert [field for field in empty.schema if not pa.types.is_null(field.type)] == list(full.schema)
