"""Checks and evidence of a simulated fleet with honest and dishonest FSPs, without Spark."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from deliveries_world import FIRST, LAST, build_chunk, check, list_events, make_fleet, weigh

from fmar_spark.domain.deliveries import ASSET_RULES, ESTIMATED, EVENT_NOTICES, EVENT_RULES, OPTED_OUT
from fmar_spark.simulate.deliveries import BLOCK, SHARE_OF_DECLARED, DeliveryFleet, simulate_deliveries
from fmar_spark.simulate.fleet import simulate_fleet
from fmar_spark.simulate.plan import FleetPlan

HALF_HOUR = timedelta(minutes=30)


@pytest.fixture(scope="module")
def made() -> DeliveryFleet:
    return make_fleet(14, first=date(2025, 2, 1))


@pytest.fixture(scope="module")
def checks(made: DeliveryFleet) -> pa.Table:
    return check(made, build_chunk(made, list_events(made)))


def test_dishonest_fsps_are_suspect_and_honest_ones_are_not(made: DeliveryFleet, checks: pa.Table) -> None:
    profile = {row["amsid"]: row["profile"] for row in made.truth.to_pylist()}
    found = {row["amsid"]: row for row in weigh(checks).to_pylist()}
    assert found.keys() == profile.keys()
    for amsid, row in found.items():
        assert row["rule"] is None or row["rule"] in ASSET_RULES
        if profile[amsid] not in SHARE_OF_DECLARED:
            assert row["verdict"] != "suspect" or profile[amsid] == "honest_pair"
        elif row["size_spreads"] > 1.5:
            assert row["verdict"] == "suspect"
            assert row["suspect_since_date"] is not None
            assert row["share_upper"] < 0.9


def test_of_two_fsps_at_a_meter_the_honest_one_delivers_the_larger_share(made: DeliveryFleet, checks: pa.Table) -> None:
    profile = {row["amsid"]: row["profile"] for row in made.truth.to_pylist()}
    shares: dict[str, dict[str, float]] = {}
    for row in weigh(checks).to_pylist():
        if profile[row["amsid"]].endswith("_pair"):
            shares.setdefault(row["mpan_id"], {})[profile[row["amsid"]]] = row["share_delivered"]
    assert len(shares) == 2
    assert all(pair["honest_pair"] > pair["lying_pair"] + 0.3 for pair in shares.values())


def test_what_is_observed_is_near_what_was_delivered(made: DeliveryFleet, checks: pa.Table) -> None:
    truth = {row["event_id"]: row["delivered_kwh"] for row in made.truth.to_pylist()}
    others = np.asarray(checks["is_shared"])
    rows = [row for row, shared in zip(checks.to_pylist(), others, strict=True) if row["is_assessable"] and not shared]
    inside = [row["observed_lower_kwh"] <= truth[row["event_id"]] <= row["observed_upper_kwh"] for row in rows]
    assert len(rows) > 200
    assert 0.7 < np.mean(inside) < 0.9


def test_the_numbers_of_a_check_add_up(checks: pa.Table) -> None:
    for row in checks.to_pylist():
        assert row["rule"] is None or row["rule"] in EVENT_RULES
        assert (row["verdict"] == "consistent") == (row["rule"] is None)
        if row["is_assessable"]:
            sign = 1 if row["dispatch_direction"] == "down" else -1
            assert row["observed_kwh"] == pytest.approx(
                sign * (row["baseline_kwh"] - row["net_kwh"]) - row["declared_others_kwh"], abs=2.1e-3
            )


@pytest.mark.parametrize(("mark", "rule"), [(ESTIMATED, "half_hours_estimated"), (OPTED_OUT, "half_hours_opted_out")])
def test_half_hours_that_were_not_measured_are_named(made: DeliveryFleet, mark: float, rule: str) -> None:
    events = [event for event in list_events(made) if event["mpan_id"] == made.fleet.mpan_id[0]][-3:]
    day = events[-1]["start_at"].date()
    found = {row["event_id"]: row for row in check(made, build_chunk(made, events, {(made.fleet.mpan_id[0], day): mark})).to_pylist()}
    row = found[events[-1]["event_id"]]
    assert (row["verdict"], row["rule"], row["is_assessable"]) == ("not_assessable", rule, False)
    assert row["reason"].startswith(f"{row['half_hours']} of {row['half_hours']} half-hours")


def odd_event(made: DeliveryFleet, **other: Any) -> dict[str, Any]:
    return list_events(made)[-1] | {"mpan_id": made.fleet.mpan_id[0]} | other


@pytest.mark.parametrize(
    ("rule", "other"),
    [
        ("missing_declaration", {"declared_kwh": None, "declared_slots": 0}),
        ("sign_suspected", {"declared_kwh": -3.0}),
        ("agreement_not_in_force", {"right": "not_in_force"}),
        ("above_observed_maximum", {"declared_kwh": 1e5}),
        ("above_connection", {"declared_kwh": 1e5, "limit_kw": 23.0}),
    ],
)
def test_a_check_names_the_first_rule_that_applies(made: DeliveryFleet, rule: str, other: dict[str, Any]) -> None:
    (row,) = check(made, build_chunk(made, [odd_event(made, **other)])).to_pylist()
    assert row["rule"] == rule
    assert row["verdict"] == ("implausible" if rule.startswith("above") else "not_assessable")


def test_units_and_partial_declarations_are_noticed(made: DeliveryFleet) -> None:
    event = odd_event(made)
    hours = (event["end_at"] - event["start_at"]).total_seconds() / 3600
    small = event | {"declared_kwh": event["requested_kw"] * hours / 1000, "declared_slots": 1, "right": "unknown"}
    (row,) = check(made, build_chunk(made, [small])).to_pylist()
    assert {"unit_suspected", "partial_declaration", "amsid_unknown"} <= set(row["notices"])
    assert set(row["notices"]) <= set(EVENT_NOTICES)


def test_a_delivery_above_what_the_asset_metered_is_noticed(made: DeliveryFleet) -> None:
    """The cap of the SVAA: no more is settled than the asset meter shows."""
    above, within = (odd_event(made, event_id=name, is_above_metered=is_above) for name, is_above in (("above", True), ("within", False)))
    for event, is_noticed in ((above, True), (within, False)):
        (row,) = check(made, build_chunk(made, [event])).to_pylist()
        assert ("above_metered_volume" in row["notices"]) == is_noticed


def test_load_that_is_run_up_before_an_event_and_recovered_after_it_is_noticed(made: DeliveryFleet) -> None:
    event = odd_event(made)
    begin = datetime.combine(made.plan.first_date, datetime.min.time(), UTC)
    slot = int((event["start_at"] - begin) / HALF_HOUR)
    length = int((event["end_at"] - event["start_at"]) / HALF_HOUR)
    kwh = made.fleet.import_kwh.copy()
    raised = 4 * np.nanmean(kwh[0])
    for span in (slice(slot - 8, slot - 2), slice(slot - 2, slot), slice(slot + length, slot + length + 8)):
        kwh[0, span] += raised
    gamed = made._replace(fleet=made.fleet._replace(import_kwh=kwh))
    (row,) = check(gamed, build_chunk(gamed, [event])).to_pylist()
    assert {"raised_before", "power_rinse", "rebound"} <= set(row["notices"])
    (plain,) = check(made, build_chunk(made, [event])).to_pylist()
    assert not {"raised_before", "power_rinse", "rebound"} & set(plain["notices"])


def test_of_two_overlapping_events_of_an_asset_the_first_counts(made: DeliveryFleet) -> None:
    first = odd_event(made, event_id="a")
    second = first | {"event_id": "b", "start_at": first["start_at"] + timedelta(minutes=30)}
    found = {row["event_id"]: row["rule"] for row in check(made, build_chunk(made, [second, first])).to_pylist()}
    assert found["b"] == "overlapping_events"
    assert found["a"] != "overlapping_events"


def test_an_hour_that_the_clock_shows_twice_is_not_assessed(made: DeliveryFleet) -> None:
    night = datetime.fromisoformat("2025-10-26T00:00:00+00:00")
    event = odd_event(made, start_at=night, end_at=night + timedelta(hours=2), notice_at=None, event_date=date(2025, 10, 26))
    (row,) = check(made, build_chunk(made, [event])).to_pylist()
    assert row["rule"] == "clock_change"


def test_only_wanted_events_come_out(made: DeliveryFleet) -> None:
    wanted_from = LAST - timedelta(days=7)
    found = check(made, build_chunk(made, list_events(made, wanted_from)))
    assert 0 < found.num_rows < made.events.num_rows
    assert min(found["event_date"].to_pylist()) >= wanted_from


def test_the_fleet_without_deliveries_stays_as_it_is() -> None:
    plan = FleetPlan(3, date(2025, 3, 1), date(2025, 5, 30))
    before = simulate_fleet(plan)
    made = simulate_deliveries(plan, 7)
    after = simulate_fleet(plan)
    assert np.array_equal(before.import_kwh, after.import_kwh, equal_nan=True)
    assert not set(made.fleet.mpan_id) & set(before.mpan_id)
    assert made.plan.meters > BLOCK
    again = simulate_deliveries(plan, 7)
    assert made.events.equals(again.events)
    assert made.volumes.equals(again.volumes)


def test_signs_stand_beside_the_evidence_and_show_where_to_look() -> None:
    """A load that is raised from the first event on steps up over its forecasts; an honest asset's does not."""
    made = make_fleet(7)
    events = list_events(made)
    first = min(event["event_date"] for event in events if event["mpan_id"] == made.fleet.mpan_id[0])
    raised = made.fleet.import_kwh.copy()
    raised[0, (first - FIRST).days * 48 :] += 0.6 * np.nanmean(raised[0])
    stepped = made._replace(fleet=made.fleet._replace(import_kwh=raised))
    found = {}
    for name, fleet in (("plain", made), ("raised", stepped)):
        rows = weigh(check(fleet, build_chunk(fleet, events))).to_pylist()
        found[name] = next(row for row in rows if row["mpan_id"] == made.fleet.mpan_id[0])
    assert found["raised"]["enrolment_step_z"] > 4 > abs(found["plain"]["enrolment_step_z"])
    assert all(abs(found["plain"][name]) < 4 for name in ("raised_before_z", "rinse_z", "rebound_z"))
