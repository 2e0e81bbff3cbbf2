"""DIP messages by the letter of the schema."""

import json
import re
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fmar_spark.domain.mpan import has_valid_check_digit
from fmar_spark.simulate.fleet import Fleet
from fmar_spark.simulate.messages import (
    PERIOD_ENDS,
    UNREAD,
    DayMessage,
    estimate_annual_kwh,
    list_connections,
    list_day_messages,
    shift_reported_at,
    write_message,
    write_standing_messages,
)
from fmar_spark.simulate.permissions import Permissions
from fmar_spark.simulate.plan import FleetPlan

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
S1 = {
    "environmentTag",
    "subText",
    "senderUniqueReference",
    "senderTimestamp",
    "senderDIPID",
    "senderRoleID",
    "senderCorrelationID",
    "DIPConnectionProviderID",
}
D0 = {"transactionID", "transactionTimestamp", "publicationID", "initialCorrelationID", "replayIndicator", "serviceTicketURL"}
DAY = DayMessage(
    mpan_id="2000056535971",
    gsp_group="_H",
    quantity="AI",
    utc_date="2023-03-21",
    watt_hours=tuple(range(0, 48_000, 1000)),
    connection="W",
    connected_on="2022-01-01",
    reported_at="2023-03-22T06:07:13+00:00",
)
Json = dict[str, Any]


def read_periods(text: str) -> list[Json]:
    periods: list[Json] = read_day(text)["consumptionPeriods"]
    return periods


def read_day(text: str) -> Json:
    days = json.loads(text)["payload"]["CustomBlock"]["B900"]["settlementDayConsumptionPeriods"]
    assert len(days) == 1
    day: Json = days[0]
    return day


@pytest.fixture(scope="module")
def day_messages(plan: FleetPlan, fleet: Fleet, permissions: Permissions) -> list[DayMessage]:
    return list_day_messages(plan, fleet, permissions, range(plan.days), list_connections(fleet))


@pytest.fixture(scope="module")
def standing(plan: FleetPlan, fleet: Fleet, permissions: Permissions) -> list[Json]:
    return [json.loads(text)["payload"] for text in write_standing_messages(plan, fleet, permissions)]


def check_common(common: Json) -> None:
    assert set(common) == {"S0", "S1", "A0", "D0", "M0"}
    assert common["S0"]["schemaVersion"] == "011"
    assert re.fullmatch(r"\[\w+\]", common["S0"]["eventCode"])
    assert set(common["S1"]) == S1
    assert set(common["D0"]) == D0
    assert set(common["A0"]) == {"primaryRecipients", "secondaryRecipients", "always"}
    assert set(common["M0"]) == {"MPANCore", "distributorDIPID", "GSPGroupID"}
    assert TIMESTAMP.fullmatch(common["S1"]["senderTimestamp"])
    assert TIMESTAMP.fullmatch(common["D0"]["transactionTimestamp"])
    assert has_valid_check_digit(common["M0"]["MPANCore"])
    assert isinstance(common["D0"]["replayIndicator"], bool)


def test_a_day_of_readings_is_written_in_the_form_of_pub_021() -> None:
    payload = json.loads(write_message(DAY))["payload"]
    assert set(payload) == {"CommonBlock", "CustomBlock"}
    check_common(payload["CommonBlock"])
    assert payload["CommonBlock"]["S0"]["interfaceID"] == "PUB-021"
    custom = payload["CustomBlock"]
    assert set(custom) == {"B044", "B067", "B900"}
    assert custom["B067"] == {"connectionTypeIndicator": "W", "connectionTypeEffectiveFromDate": "2022-01-01"}
    assert custom["B900"]["MQID"] == {"measurementQuantityID": "AI"}
    assert read_day(write_message(DAY))["settlementDay"] == {"settlementDayDate": "2023-03-21", "periodDuration": 30}


def test_periods_are_named_by_their_utc_end_from_half_past_midnight_to_midnight() -> None:
    periods = read_periods(write_message(DAY))
    start = datetime(2023, 3, 21)
    assert [period["sp"] for period in periods] == [(start + timedelta(minutes=30 * (slot + 1))).strftime("%H:%M") for slot in range(48)]
    assert (PERIOD_ENDS[0], PERIOD_ENDS[47]) == ("00:30", "00:00")


def test_values_have_three_decimals_and_actual_ones_no_reason() -> None:
    periods = read_periods(write_message(DAY))
    assert [period["v"] for period in periods] == [f"{slot}.000" for slot in range(48)]
    assert all(set(period) == {"sp", "v", "q", "e", "arc"} for period in periods)
    assert {(period["q"], period["e"], period["arc"]) for period in periods} == {("A", None, None)}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.just(UNREAD), st.integers(0, 60_000_000)), min_size=48, max_size=48),
    st.sets(st.integers(0, 47)),
    st.integers(2, 6),
)
def test_every_value_comes_back_unread_slots_stay_away_and_estimates_say_so(values: list[int], estimated: set[int], reason: int) -> None:
    message = DAY._replace(watt_hours=tuple(values), estimated=tuple(estimated), reason=reason if estimated else None)
    if max(values) == UNREAD:
        return
    found = {PERIOD_ENDS.index(period["sp"]): period for period in read_periods(write_message(message))}
    assert {slot for slot, value in enumerate(values) if value != UNREAD} == set(found)
    for slot, period in found.items():
        assert re.fullmatch(r"\d+\.\d{3}", period["v"])
        assert round(float(period["v"]) * 1000) == values[slot]
        assert (period["q"], period["e"]) == (("E", reason) if slot in estimated else ("A", None))


def test_a_replay_says_so_and_keeps_its_id() -> None:
    first, again = (json.loads(write_message(DAY._replace(is_replay=flag)))["payload"]["CommonBlock"]["D0"] for flag in (False, True))
    assert (first["replayIndicator"], again["replayIndicator"]) == (False, True)
    assert first["transactionID"] == again["transactionID"]


@pytest.mark.parametrize("other", [{"quantity": "AE"}, {"utc_date": "2023-03-22"}, {"version": 1}, {"mpan_id": "1900012374324"}])
def test_no_two_messages_share_an_id(other: dict[str, Any]) -> None:
    assert DAY._replace(**other).transaction_id != DAY.transaction_id


@pytest.mark.parametrize("days", [0.5, 3.0, 19.0])
def test_a_message_sent_later_keeps_its_form(days: float) -> None:
    late = shift_reported_at(DAY, days)
    assert TIMESTAMP.fullmatch(late.reported_at)
    assert datetime.fromisoformat(late.reported_at) - datetime.fromisoformat(DAY.reported_at) == timedelta(days=days)


def test_each_meter_quantity_and_day_with_readings_has_one_message(
    plan: FleetPlan, fleet: Fleet, permissions: Permissions, day_messages: list[DayMessage]
) -> None:
    counted = Counter((message.mpan_id, message.quantity, message.utc_date) for message in day_messages)
    wanted = {}
    for mpans, quantity, kwh in ((fleet.mpan_id, "AI", fleet.import_kwh), (fleet.export_mpan_id, "AE", fleet.export_kwh)):
        for row, day in zip(*np.nonzero((~np.isnan(kwh)).reshape(plan.meters, -1, 48).any(axis=2)), strict=True):
            wanted[mpans[row], quantity, (plan.first_date + timedelta(days=int(day))).isoformat()] = 1
    assert counted == wanted
    assert all(message.reported_at[:10] > message.utc_date for message in day_messages)


def test_messages_carry_the_fleets_readings_to_the_watt_hour(
    plan: FleetPlan, fleet: Fleet, permissions: Permissions, day_messages: list[DayMessage]
) -> None:
    row_of = {mpan: row for row, mpan in enumerate(fleet.mpan_id)} | {mpan: row for row, mpan in enumerate(fleet.export_mpan_id) if mpan}
    opted_out = 0
    for message in day_messages[::7]:
        row, day = row_of[message.mpan_id], (datetime.fromisoformat(message.utc_date).date() - plan.first_date).days
        kwh = (fleet.import_kwh if message.quantity == "AI" else fleet.export_kwh)[row, day * 48 : day * 48 + 48]
        if permissions.opted_out_from_day[row] <= day < permissions.opted_out_to_day[row]:
            opted_out += 1
            assert message.reason == 1
            assert message.estimated == tuple(range(48))
            assert len(set(message.watt_hours)) == 1
            assert sum(message.watt_hours) / 1000 == pytest.approx(np.nansum(kwh), abs=0.05)
            continue
        stated = np.array(message.watt_hours)
        np.testing.assert_array_equal(stated == UNREAD, np.isnan(kwh))
        np.testing.assert_allclose(stated[stated != UNREAD] / 1000, kwh[stated != UNREAD], atol=6e-4)
    assert opted_out > 0


def test_import_and_export_are_separate_meter_points_that_name_each_other(fleet: Fleet, standing: list[Json]) -> None:
    direction, link = {}, {}
    for payload in standing:
        check_common(payload["CommonBlock"])
        mpan, custom = payload["CommonBlock"]["M0"]["MPANCore"], payload["CustomBlock"]
        assert payload["CommonBlock"]["S0"]["interfaceID"] == "IF-036"
        assert set(custom) == {"B023", "B025", "B026", "B027", "B028", "B035List", "B067", "B068"}
        direction[mpan] = custom["B023"]["energyDirection"]
        link[mpan] = [one["linkedMPANCore"] for one in custom["B035List"]]
    assert {mpan for mpan, way in direction.items() if way == "I"} == set(fleet.mpan_id)
    assert {mpan for mpan, way in direction.items() if way == "E"} == {mpan for mpan in fleet.export_mpan_id if mpan}
    for own, partner in zip(fleet.mpan_id, fleet.export_mpan_id, strict=True):
        assert link[own] == ([partner] if partner else [])
        assert not partner or link[partner] == [own]


def test_standing_data_say_what_the_premises_are_and_what_was_allowed(fleet: Fleet, permissions: Permissions, standing: list[Json]) -> None:
    row_of = {mpan: row for row, mpan in enumerate(fleet.mpan_id)} | {mpan: row for row, mpan in enumerate(fleet.export_mpan_id) if mpan}
    for payload in standing:
        row, custom = row_of[payload["CommonBlock"]["M0"]["MPANCore"]], payload["CustomBlock"]
        home = bool(fleet.is_domestic[row])
        assert custom["B028"]["domesticPremiseIndicator"] is home
        assert custom["B026"]["marketSegmentIndicator"] == ("S" if home else "A")
        assert custom["B025"]["energisationStatus"] == "E"
        assert custom["B068"]["consentGranularity"] == permissions.consent_granularity[row]
        assert custom["B023"]["connectionTypeIndicator"] in ("W" if home else "WLH")
        assert re.fullmatch(r"\d+\.\d", custom["B027"]["annualConsumption"])


def test_a_year_is_estimated_from_what_was_read_in_both_directions() -> None:
    kwh = np.full((3, 96), 0.5)
    kwh[1, :48], kwh[2] = np.nan, np.nan
    assert estimate_annual_kwh(kwh).tolist() == [8760.0, 8760.0, 0.0]
