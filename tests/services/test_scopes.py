"""One rule of what a party sees of what was derived: as the read API asks for it, as disputes check it, and as the matrix says it."""

import itertools
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import yaml
from register_world import MPAN, PARTIES, ROOT, Served, caller_of
from test_disputes import complain, problem_of

from fmar_spark.domain.markets import RecordKind, Role
from fmar_spark.services.register.access import ACTIONS_OF_ROLE, Action
from fmar_spark.services.register.derived import Record
from fmar_spark.services.register.scopes import CONDITION_OF_SCOPE, ENDPOINT_OF_KIND, RULE_OF_SCOPE, SCOPES_OF_KIND, Scope, list_addresses

ELSEWHERE = "2000056535980"
RECORDS = [
    Record(amsid, fsp_id, "run-1", MPAN, asset_class, tier, recipients)
    for amsid, fsp_id, asset_class, tier, recipients in itertools.product(
        ("", "AMS-1", "AMS-2"),
        ("", "ALPHA", "BRAVO"),
        ("", "ev", "battery"),
        (None, "high", "medium", "low"),
        ((), ("fsp:ALPHA",), ("dno:20", "neso"), ("party:ALPHA",)),
    )
]
CLAIMS: list[list[dict[str, Any]]] = [
    [],
    [{"mpan_id": MPAN, "amsid": "AMS-1", "asset_class": ""}],
    [{"mpan_id": MPAN, "amsid": "AMS-1", "asset_class": "ev"}],
    [{"mpan_id": ELSEWHERE, "amsid": "AMS-1", "asset_class": ""}],
]


@pytest.mark.parametrize("scope", RULE_OF_SCOPE)
@pytest.mark.parametrize("party_id", ["ALPHA", "SOUTHERN", "NESO"])
def test_the_rule_of_one_record_is_the_condition_of_the_queries(scope: Scope, party_id: str) -> None:
    caller = caller_of(party_id)
    columns = {name: [getattr(record, name) for record in RECORDS] for name in Record._fields if name != "recipients"}
    rows = pa.table({**columns, "recipients": pa.array([list(record.recipients) for record in RECORDS], pa.list_(pa.string()))})
    schema = pa.schema([(name, pa.string()) for name in ("mpan_id", "amsid", "asset_class")])
    values = {"party_id": party_id, "addresses": list_addresses(caller)}
    named = {name: value for name, value in values.items() if f"${name}" in CONDITION_OF_SCOPE[scope]}
    for claims in CLAIMS:
        with duckdb.connect() as connection:
            connection.register("t", rows)
            connection.register("verified_claims", pa.Table.from_pylist(claims, schema))
            asked = connection.execute(f"SELECT coalesce({CONDITION_OF_SCOPE[scope]}, FALSE) FROM t", named).fetchall()
        assert [found for (found,) in asked] == [RULE_OF_SCOPE[scope](record, caller, claims) for record in RECORDS]


def test_what_can_be_disputed_is_what_the_matrix_shows() -> None:
    endpoints = yaml.safe_load((ROOT / "conf" / "access.yaml").read_text(encoding="utf-8"))["endpoints"]
    raising = [role for role in Role if Action.RAISE_DISPUTES in ACTIONS_OF_ROLE[role]]
    for kind, endpoint in ENDPOINT_OF_KIND.items():
        shown = {role: endpoints[endpoint]["roles"][role]["rows"] for role in raising if role in endpoints[endpoint]["roles"]}
        assert {role: str(scope) for role, scope in SCOPES_OF_KIND[kind].items()} == shown
    assert {*ENDPOINT_OF_KIND, RecordKind.AGREEMENT} == set(RecordKind)


RECORD_OF_KIND = {
    "detection": ("ev", Record("", "", "run-1", MPAN, "ev", "high")),
    "capability": ("ev", Record("", "", "run-1", MPAN, "ev", "medium")),
    "delivery_check": ("event-1", Record("AMS-1", "ALPHA", "run-1", MPAN)),
    "delivery_evidence": ("AMS-1", Record("AMS-1", "ALPHA", "run-1", MPAN)),
    "flag": ("flag-9", Record("AMS-1", "ALPHA", "run-1", MPAN, "", None, ("fsp:ALPHA", "dno:20"))),
}
STATES = ("verified", "claimed", "ended")
RAISING = [party_id for party_id in PARTIES if party_id != "OFFICE"]


@pytest.mark.parametrize(("kind", "state", "party_id"), itertools.product(RECORD_OF_KIND, STATES, RAISING))
def test_every_kind_in_every_state_for_every_party(served: Served, kind: str, state: str, party_id: str) -> None:
    record_id, record = RECORD_OF_KIND[kind]
    served.derived.records[(kind, MPAN, record_id)] = [record]
    held = served.create("ALPHA")
    if state != "claimed":
        served.record()
    if state == "ended":
        path = f"/v1/agreements/{held['agreement_id']}"
        etag = served.call("ALPHA", "GET", path).headers["ETag"]
        assert served.call("ALPHA", "POST", f"{path}/end", json={}, headers={"If-Match": etag}).status_code == 200
    answer = complain(served, party_id, record_kind=kind, record_id=record_id)
    expected = {"ALPHA": 201 if state == "verified" else 403, "SOUTHERN": 201 if kind == "flag" else 403}
    assert answer.status_code == expected.get(party_id, 403), answer.text


def test_an_answer_of_low_confidence_and_one_of_another_class_cannot_be_disputed(served: Served) -> None:
    served.record()
    served.create("ALPHA")
    assert problem_of(complain(served, record_kind="detection", record_id="battery")) == (404, "no-such-record")
    assert complain(served, record_kind="detection", record_id="ev").status_code == 201
    served.derived.records[("detection", MPAN, "solar_pv")] = [Record("", "", "run-1", MPAN, "solar_pv", "high")]
    said = {"mpan_id": MPAN, "amsid": "AMS-1", "asset_class": "ev", "is_present": True}
    answer = served.call("ALPHA", "POST", "/v1/confirmations", json=said)
    assert answer.status_code in {200, 201}, answer.text
    assert problem_of(complain(served, record_kind="detection", record_id="solar_pv")) == (404, "no-such-record")


def test_a_flag_that_a_network_is_not_to_hear_of_cannot_be_disputed_by_it(served: Served) -> None:
    served.record()
    served.create("ALPHA")
    served.derived.records[("flag", MPAN, "flag-1")] = [Record("AMS-1", "ALPHA", "run-1", MPAN, recipients=("fsp:ALPHA",))]
    assert problem_of(complain(served, "SOUTHERN", record_kind="flag", record_id="flag-1")) == (404, "no-such-record")
