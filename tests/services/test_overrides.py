from typing import Any

import pytest
from register_world import LONDON_MPAN, MPAN, Served

from fmar_spark.domain.assets import ASSET_FACTS
from fmar_spark.domain.markets import RANGE_OF_PARAMETER, Parameter
from fmar_spark.services.register.ledger import verify_ledger


def override(**changes: Any) -> dict[str, Any]:
    body = {
        "mpan_id": MPAN,
        "amsid": "AMS-1",
        "asset_class": "ev",
        "direction": "import",
        "parameter": "rated_kw",
        "value": 11.0,
        "unit": "kW",
        "reason": "a larger charger since February",
        "valid_from_at": "2026-02-01T00:00:00Z",
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


def compared(served: Served, party_id: str = "ALPHA") -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = served.call(party_id, "GET", "/v1/capability", params={"mpan_id": MPAN, "amsid": "AMS-1"}).json()["items"]
    return items


def test_a_declaration_shows_at_once_beside_the_derived_value(served: Served) -> None:
    served.create("ALPHA")
    served.record()
    made = served.call("ALPHA", "POST", "/v1/overrides", json=override())
    assert (made.status_code, made.json()["source"]) == (201, "fsp_declared")
    shown = compared(served)
    assert [(row["value"], row["derived_value"], row["derived_as_of_date"]) for row in shown] == [(11.0, 7.1, "2026-01-05")]
    served.derived.capability[0]["rated_kw"] = 7.3
    assert [(row["value"], row["derived_value"]) for row in compared(served)] == [(11.0, 7.3)]
    served.derived.capability.clear()
    assert [(row["value"], row["derived_value"]) for row in compared(served)] == [(11.0, None)]


def test_a_later_declaration_supersedes_and_the_history_stays(served: Served) -> None:
    served.create("ALPHA", valid_to_at=None)
    first = served.call("ALPHA", "POST", "/v1/overrides", json=override()).json()
    second = served.call("ALPHA", "POST", "/v1/overrides", json=override(value=22.0, valid_from_at="2026-03-01T00:00:00Z")).json()
    other = served.call("ALPHA", "POST", "/v1/overrides", json=override(parameter="energy_kwh_day", value=9.0, unit="kWh"))
    assert other.status_code == 201
    history = served.call("ALPHA", "GET", f"/v1/overrides/{first['override_id']}/history").json()["items"]
    assert [(row["change"], row["valid_to_at"], row["superseded_by_id"]) for row in history] == [
        ("created", None, None),
        ("superseded", "2026-03-01T00:00:00Z", second["override_id"]),
    ]
    asked = {"valid_at": "2026-04-01T00:00:00Z", "known_at": first["known_from_at"]}
    known = served.call("ALPHA", "GET", "/v1/overrides", params=asked).json()
    assert [row["value"] for row in known["items"]] == [11.0]
    assert sorted(row["value"] for row in compared(served)) == [9.0, 22.0]
    assert verify_ledger(served.database).breaks == ()


def test_an_ended_declaration_stays_to_be_seen(served: Served) -> None:
    served.create("ALPHA")
    made = served.call("ALPHA", "POST", "/v1/overrides", json=override()).json()
    path = f"/v1/overrides/{made['override_id']}"
    assert served.call("ALPHA", "POST", f"{path}/end", json={}).status_code == 428
    assert served.call("ALPHA", "POST", f"{path}/end", json={}, headers={"If-Match": '"v2"'}).status_code == 412
    ended = served.call("ALPHA", "POST", f"{path}/end", json={}, headers={"If-Match": '"v1"'})
    assert (ended.status_code, ended.json()["change"]) == (200, "ended")
    assert compared(served) == []
    assert served.call("ALPHA", "GET", path).json()["valid_to_at"] is not None
    assert served.call("ALPHA", "DELETE", path).status_code == 405


@pytest.mark.parametrize(
    ("party_id", "changes"),
    [
        ("BRAVO", {}),
        ("ALPHA", {"amsid": "AMS-2"}),
        ("ALPHA", {"mpan_id": LONDON_MPAN}),
        ("ALPHA", {"valid_from_at": "2027-01-01T00:00:00Z"}),
        ("ALPHA", {"valid_from_at": "2025-01-01T00:00:00Z", "valid_to_at": "2026-01-01T00:00:00Z"}),
    ],
)
def test_only_ones_own_portfolio_can_be_declared(served: Served, party_id: str, changes: dict[str, Any]) -> None:
    served.create("ALPHA")
    answer = served.call(party_id, "POST", "/v1/overrides", json=override(**changes))
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:fmar:problem:not-in-portfolio")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"unit": "MW"}, "invalid-request"),
        ({"unit": "kWh"}, "wrong-unit"),
        ({"value": 2e6}, "value-out-of-range"),
        ({"value": -1}, "invalid-request"),
        ({"reason": " "}, "invalid-request"),
        ({"reason": "a\u0000b"}, "invalid-request"),
        ({"reason": "x" * 501}, "invalid-request"),
        ({"valid_to_at": "2026-02-01T00:00:00Z"}, "term-backwards"),
        ({"parameter": "response_seconds"}, "invalid-request"),
        ({"parameter": "peak_kwp", "unit": "kWp"}, "wrong-parameter"),
        ({"parameter": "storage_kwh", "unit": "kWh"}, "wrong-parameter"),
        ({"parameter": "peak_kwp", "unit": "kWp", "asset_class": "solar_pv"}, "wrong-direction"),
        ({"asset_class": "solar_pv"}, "wrong-direction"),
        ({"asset_class": "heat_pump", "direction": "export"}, "wrong-direction"),
        ({"direction": "export"}, "wrong-direction"),
        ({"asset_class": "battery", "parameter": "peak_kwp", "unit": "kWp", "direction": "export"}, "wrong-parameter"),
        ({"mpan_id": "2000056535972"}, "mpan-check-digit"),
    ],
)
def test_impossible_declarations_are_rejected(served: Served, changes: dict[str, Any], problem: str) -> None:
    served.create("ALPHA")
    answer = served.call("ALPHA", "POST", "/v1/overrides", json=override(**changes))
    assert (answer.status_code, answer.json()["type"]) == (422, f"urn:fmar:problem:{problem}")


def test_not_a_number_is_rejected(served: Served) -> None:
    served.create("ALPHA")
    for number in ("NaN", "Infinity", "1e999"):
        body = f'{{"value": {number}}}'
        answer = served.call("ALPHA", "POST", "/v1/overrides", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in {400, 422}


def test_every_class_takes_the_sizes_that_it_has(served: Served) -> None:
    units = {"rated_kw": "kW", "storage_kwh": "kWh", "peak_kwp": "kWp"}
    for asset_class, facts in ASSET_FACTS.items():
        served.create("ALPHA", amsid=f"AMS-{asset_class}")
        for column in {name.column for size in facts.sizes for name in size.names} | {"rated_kw"}:
            for direction in facts.directions:
                named = {"amsid": f"AMS-{asset_class}", "asset_class": asset_class, "direction": direction}
                answer = served.call("ALPHA", "POST", "/v1/overrides", json=override(**named, parameter=column, unit=units[column]))
                assert answer.status_code == 201, answer.text


def test_an_amsid_is_of_one_class(served: Served) -> None:
    served.create("ALPHA", valid_to_at=None)
    served.record()
    first = served.call("ALPHA", "POST", "/v1/overrides", json=override()).json()
    battery = override(asset_class="battery", direction="export")
    other = served.call("ALPHA", "POST", "/v1/overrides", json=battery)
    assert (other.status_code, other.json()["type"]) == (409, "urn:fmar:problem:class-differs")
    served.derived.detections[1] = (MPAN, served.derived.detections[0][1]._replace(asset_class="heat_pump"))
    pump = {"mpan_id": MPAN, "amsid": "AMS-1", "asset_class": "heat_pump", "is_present": True}
    assert served.call("ALPHA", "POST", "/v1/confirmations", json=pump).json()["type"] == "urn:fmar:problem:class-differs"
    assert served.call("ALPHA", "POST", "/v1/confirmations", json={**pump, "is_present": False}).status_code == 201
    ended = {"valid_to_at": first["valid_from_at"]}
    path = f"/v1/overrides/{first['override_id']}/end"
    assert served.call("ALPHA", "POST", path, json=ended, headers={"If-Match": "*"}).status_code == 200
    assert served.call("ALPHA", "POST", "/v1/confirmations", json=pump).status_code == 200
    assert served.call("ALPHA", "POST", "/v1/overrides", json=battery).json()["type"] == "urn:fmar:problem:class-differs"


def test_every_parameter_has_its_unit() -> None:
    assert set(RANGE_OF_PARAMETER) == set(Parameter)


def test_a_medium_detection_can_be_confirmed_or_corrected_as_a_label(served: Served) -> None:
    served.create("ALPHA", valid_to_at=None)
    served.record()
    body = {"mpan_id": MPAN, "amsid": "AMS-1", "asset_class": "ev", "is_present": True}
    first = served.call("ALPHA", "POST", "/v1/confirmations", json=body).json()
    assert (first["verdict"], first["tier"], first["model_version"], first["detected_probability"], first["provenance"]) == (
        "confirmed",
        "medium",
        "model-3",
        0.78,
        "fsp_confirmation",
    )
    second = served.call("ALPHA", "POST", "/v1/confirmations", json={**body, "is_present": False}).json()
    assert (second["confirmation_id"], second["version"], second["verdict"]) == (first["confirmation_id"], 2, "corrected")
    history = served.call("ALPHA", "GET", f"/v1/confirmations/{first['confirmation_id']}/history").json()["items"]
    assert [row["is_present"] for row in history] == [True, False]
    high = served.call("ALPHA", "POST", "/v1/confirmations", json={**body, "asset_class": "heat_pump"})
    assert (high.status_code, high.json()["type"]) == (409, "urn:fmar:problem:not-invited")
    stranger = served.call("BRAVO", "POST", "/v1/confirmations", json=body)
    assert (stranger.status_code, stranger.json()["type"]) == (403, "urn:fmar:problem:not-in-portfolio")
    assert verify_ledger(served.database).breaks == ()


def test_a_portfolio_that_ended_answers_no_more(served: Served) -> None:
    served.create("ALPHA", valid_from_at="2020-01-01T00:00:00Z", valid_to_at="2021-01-01T00:00:00Z")
    body = {"mpan_id": MPAN, "amsid": "AMS-1", "asset_class": "ev", "is_present": True}
    assert served.call("ALPHA", "POST", "/v1/confirmations", json=body).status_code == 403
