"""Who sees what: every cell of the matrix, granted and not."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from reads_world import (
    ALPHAS,
    DELIVERING,
    METERS_OF_WORLD,
    NETWORKS,
    PARTIES,
    PUBLISHED,
    UNPROVEN,
    ServedReads,
    list_area_cells,
    list_area_rows,
    list_areas,
    list_health,
)
from register_world import ROOT

from fmar_spark.domain.markets import Role
from fmar_spark.errors import ConfigError
from fmar_spark.services.capability.access import Matrix, load_matrix, view_of
from fmar_spark.services.capability.resources import RESOURCES
from fmar_spark.services.web.access import Caller
from fmar_spark.services.web.problems import ForbiddenError

MATRIX = load_matrix(ROOT / "conf", RESOURCES)
PARTY_OF_ROLE = {
    Role.FSP: "ALPHA",
    Role.DNO: "SOUTHERN",
    Role.NESO: "NESO",
    Role.PLATFORM: "MARKET",
    Role.OFGEM: "OFGEM",
    Role.ADMINISTRATOR: "OFFICE",
}
SEEN = ALPHAS[1]
PATHS = {
    "areas": "/v1/areas",
    "area_capability": "/v1/areas/primary/capability",
    "area_availability": "/v1/areas/gsp_group/_H/availability",
    "assets": "/v1/assets",
    "asset": f"/v1/assets/{SEEN.asset_id}",
    "portfolio": "/v1/portfolio",
    "invitations": "/v1/invitations",
    "discrepancies": "/v1/discrepancies",
    "envelopes": "/v1/envelopes",
    "system_health": "/v1/system-health",
    "deliveries": "/v1/deliveries",
    "delivery_checks": "/v1/delivery-checks",
    "delivery_evidence": "/v1/delivery-evidence",
    "area_deliveries": "/v1/area-deliveries",
    "notices": "/v1/notices",
    "disputes": "/v1/disputes",
}
CELLS = list(itertools.product(MATRIX.endpoints, Role))
FACING = [meter for meter in PUBLISHED if meter.tier != "low"]
AREA_ROWS = [row for area in list_areas() if area["area_level"] == "primary" for row in list_area_rows(area)]


def rows_of(reads: ServedReads, role: Role, endpoint: str) -> list[dict[str, Any]]:
    """All rows that a role gets, page by page."""
    path, rows = PATHS[endpoint], []
    cursor = ""
    while True:
        answer = reads.get(PARTY_OF_ROLE[role], f"{path}?limit=1000{cursor}" if endpoint != "asset" else path)
        assert answer.status_code == 200, answer.text
        document = answer.json()
        if endpoint == "asset":
            return [{name: value for name, value in document.items() if name != "as_of"}]
        rows += document["items"]
        if document["next_cursor"] is None:
            return rows
        cursor = f"&cursor={document['next_cursor']}"


def identify(rows: list[dict[str, Any]], *names: str) -> set[tuple[Any, ...]]:
    return {tuple(row[name] for name in names) for row in rows}


NOTICES_OF = {Role.FSP: ("n-dead",), Role.DNO: ("n-sent",), Role.NESO: ("n-new",)}


def flags_of(role: Role) -> tuple[int, ...]:
    """Places whose flags a role hears of."""
    own = (ALPHAS[0].place, NETWORKS.place)
    seen = {Role.FSP: own, Role.NESO: own[:1], Role.DNO: own[1:], Role.ADMINISTRATOR: (*own, PUBLISHED[-2].place)}
    return seen.get(role, ())


def expected_of(endpoint: str, role: Role) -> set[tuple[Any, ...]]:
    """Keys that the role sees, by the world alone."""
    is_dno, is_fsp = role is Role.DNO, role is Role.FSP
    facing = [meter for meter in FACING if not is_fsp or meter in ALPHAS]
    assets = {(meter.asset_id,) for meter in (PUBLISHED if role is Role.ADMINISTRATOR else facing)}
    areas = [area for area in list_areas() if not is_dno or area.get("gsp_group_id") == "_H"]
    area_rows = [row for row in AREA_ROWS if not is_dno or "_H" in row["area_id"]]
    checked = {(meter.mpan_id,) for meter in DELIVERING if meter.is_published and (not is_fsp or meter in ALPHAS)}
    expected: dict[str, set[tuple[Any, ...]]] = {
        "areas": identify(areas, "area_level", "area_id"),
        "area_capability": identify(area_rows, "area_id", "asset_class", "direction"),
        "area_availability": identify(list_area_cells(), "season", "weekday", "slot"),
        "assets": assets,
        "envelopes": assets,
        "asset": {(SEEN.asset_id,)},
        "portfolio": {(meter.mpan_id, meter.asset_class.value) for meter in ALPHAS},
        "invitations": {(meter.mpan_id, meter.asset_class.value) for meter in ALPHAS if meter.tier == "medium"},
        "discrepancies": {(f"flag-{place}",) for place in flags_of(role)},
        "deliveries": {(meter.mpan_id,) for meter in DELIVERING if meter.is_published and (not is_fsp or meter in (*ALPHAS, UNPROVEN))},
        "delivery_checks": checked,
        "delivery_evidence": checked,
        "area_deliveries": {("gsp_group", "_H")} if is_dno else {("gb", "GB"), ("gsp_group", "_H"), ("gsp_group", "_C")},
        "notices": {(name,) for name in NOTICES_OF.get(role, ("n-dead", "n-sent", "n-new", "n-other"))},
        "disputes": {(f"dispute-{meter.place}",) for meter in ((NETWORKS, PUBLISHED[-2]) if role is Role.ADMINISTRATOR else (NETWORKS,))},
        "system_health": identify(
            [row for row in list_health() if not is_dno or row["gsp_group_id"] == "_H"], "metric", "asset_class", "gsp_group_id"
        ),
    }
    return expected[endpoint]


KEY = {
    "areas": ("area_level", "area_id"),
    "area_capability": ("area_id", "asset_class", "direction"),
    "area_availability": ("season", "weekday", "slot"),
    "portfolio": ("mpan_id", "asset_class"),
    "invitations": ("mpan_id", "asset_class"),
    "discrepancies": ("flag_id",),
    "deliveries": ("mpan_id",),
    "delivery_checks": ("mpan_id",),
    "delivery_evidence": ("mpan_id",),
    "area_deliveries": ("area_level", "area_id"),
    "notices": ("notice_id",),
    "disputes": ("dispute_id",),
    "system_health": ("metric", "asset_class", "gsp_group_id"),
}


@pytest.mark.parametrize(("endpoint", "role"), CELLS, ids=[f"{endpoint}-{role}" for endpoint, role in CELLS])
def test_a_cell_of_the_matrix_holds(reads: ServedReads, endpoint: str, role: Role) -> None:
    rules = MATRIX.endpoints[endpoint]
    if role not in rules.roles:
        answer = reads.get(PARTY_OF_ROLE[role], PATHS[endpoint])
        assert answer.status_code == 403
        assert answer.json()["type"] == "urn:fmar:problem:role-not-allowed"
        return
    granted = set(rules.fields_of(role))
    denied = {field for fields in rules.groups.values() for field in fields} - granted
    rows = rows_of(reads, role, endpoint)
    assert rows
    assert all(set(row) == granted for row in rows)
    assert not denied & set().union(*rows)
    assert identify(rows, *KEY.get(endpoint, ("asset_id",))) == expected_of(endpoint, role)


@pytest.mark.parametrize("role", list(Role))
def test_a_field_that_is_held_back_cannot_be_searched_by(reads: ServedReads, role: Role) -> None:
    rules = MATRIX.endpoints["assets"]
    if role not in rules.roles:
        return
    answer = reads.get(PARTY_OF_ROLE[role], f"/v1/assets?mpan_id={SEEN.mpan_id}")
    assert answer.status_code == (200 if "mpan_id" in rules.fields_of(role) else 403)


def test_the_object_of_another_party_is_as_one_that_does_not_exist(reads: ServedReads) -> None:
    other = next(meter for meter in FACING if meter not in ALPHAS)
    held_back = next(meter for meter in ALPHAS if meter.tier == "low")
    unknown = "00000000-0000-5000-8000-000000000000"
    answers = [reads.get("ALPHA", f"/v1/assets/{asset_id}") for asset_id in (other.asset_id, held_back.asset_id, unknown)]
    assert {answer.status_code for answer in answers} == {404}
    assert len({(answer.json()["detail"], answer.json()["type"]) for answer in answers}) == 1
    areas = [reads.get("SOUTHERN", f"/v1/areas/gsp_group/{area}/capability") for area in ("_C", "_Z")]
    assert [answer.status_code for answer in areas] == [404, 404]
    assert len({answer.json()["detail"] for answer in areas}) == 1


def test_a_claim_that_is_not_verified_gives_no_derived_value(reads: ServedReads) -> None:
    text = reads.get("ALPHA", "/v1/portfolio?limit=1000").text + reads.get("ALPHA", "/v1/assets?limit=1000").text
    assert UNPROVEN.mpan_id not in text
    assert reads.get("ALPHA", f"/v1/portfolio?mpan_id={UNPROVEN.mpan_id}").json()["items"] == []
    assert UNPROVEN.mpan_id in reads.get("BRAVO", "/v1/portfolio?limit=1000").text


def test_what_a_meter_measured_of_a_declaration_goes_to_verified_claims_alone(reads: ServedReads) -> None:
    """An FSP could declare for any meter point: it would learn of its load from the checks."""
    assert UNPROVEN.mpan_id in reads.get("ALPHA", "/v1/deliveries").text
    for path in ("/v1/delivery-checks", "/v1/delivery-evidence", "/v1/discrepancies"):
        assert UNPROVEN.mpan_id not in reads.get("ALPHA", path).text


def test_notices_that_were_given_up_are_listed_with_the_last_error(reads: ServedReads) -> None:
    dead = reads.get("ALPHA", "/v1/notices?state=dead").json()["items"]
    assert [(row["notice_id"], row["attempts"], row["last_error"]) for row in dead] == [("n-dead", 1, "status 503")]
    sent = reads.get("SOUTHERN", "/v1/notices").json()["items"]
    assert [(row["state"], row["attempts"], row["last_error"]) for row in sent] == [("delivered", 2, None)]


@pytest.mark.parametrize(("endpoint", "role"), [cell for cell in CELLS if cell[0] in PATHS and cell[0] != "asset"])
def test_pages_of_one_row_come_to_the_whole(reads: ServedReads, endpoint: str, role: Role) -> None:
    whole = reads.get(PARTY_OF_ROLE[role], PATHS[endpoint])
    if whole.status_code != 200:
        return
    rows, cursor = [], ""
    for _ in whole.json()["items"][:4]:
        page = reads.get(PARTY_OF_ROLE[role], f"{PATHS[endpoint]}?limit=1{cursor}").json()
        rows += page["items"]
        cursor = f"&cursor={page['next_cursor']}"
    assert rows == whole.json()["items"][:4]


def test_deliveries_are_read_page_by_page(reads: ServedReads) -> None:
    first = reads.get("ALPHA", "/v1/deliveries?limit=2").json()
    second = reads.get("ALPHA", f"/v1/deliveries?limit=2&cursor={first['next_cursor']}").json()
    assert [row["mpan_id"] for row in (*first["items"], *second["items"])] == sorted(
        row["mpan_id"] for row in reads.get("ALPHA", "/v1/deliveries").json()["items"]
    )[:4]
    late = reads.get("ALPHA", "/v1/deliveries?slot_start_at_min=2026-01-11T00:00:00Z").json()
    assert late["items"] == []


def test_figures_of_low_confidence_are_held_back_in_a_portfolio(reads: ServedReads) -> None:
    rows = reads.get("ALPHA", "/v1/portfolio?limit=1000").json()["items"]
    assert {row["market_status"] for row in rows} == {"usable", "usable_flagged", "characterisation_in_progress"}
    assert all((row["rated_kw"] is None) == (row["tier"] == "low") for row in rows)


def test_households_without_a_legal_basis_appear_nowhere(reads: ServedReads) -> None:
    withheld = [meter for meter in METERS_OF_WORLD if not meter.is_published]
    assert withheld
    for party_id in PARTIES:
        answered = "".join(
            reads.get(party_id, path if "/assets/" in path else f"{path}?limit=1000").text
            for path in (*PATHS.values(), "/v1/assets/export")
        )
        assert not [meter for meter in withheld if meter.mpan_id in answered or meter.asset_id in answered]
    for meter in withheld[:3]:
        assert reads.get("OFFICE", f"/v1/assets/{meter.asset_id}").status_code == 404


def test_a_party_with_two_roles_sees_a_field_only_in_rows_of_the_role_that_grants_it(reads: ServedReads) -> None:
    rows = reads.get("BOTH", "/v1/assets?limit=1000").json()["items"]
    own = [row for row in rows if row["mpan_id"] is not None]
    assert {row["asset_id"] for row in rows} == {meter.asset_id for meter in FACING}
    assert [row["mpan_id"] for row in own] == [PUBLISHED[5].mpan_id]
    assert reads.get("BOTH", f"/v1/assets?mpan_id={PUBLISHED[4].mpan_id}").json()["items"] == []


def test_a_party_without_a_role_that_reads_sees_nothing() -> None:
    for resource in RESOURCES:
        with pytest.raises(ForbiddenError):
            view_of(MATRIX, resource, Caller("NOBODY", "nobody", frozenset(), ()))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rules: rules["assets"]["groups"]["asset"].remove("tier"), "assets: fields: tier: on one side only"),
        (lambda rules: rules["assets"]["groups"]["asset"].append("mpan_id"), "assets: in two groups: mpan_id"),
        (lambda rules: rules["assets"]["roles"]["fsp"].update(rows="own_networks"), "fsp: rows: own_networks found"),
        (lambda rules: rules["assets"]["roles"]["fsp"].update(fields=["sizes"]), "pages are kept apart by asset_id"),
        (lambda rules: rules["assets"]["roles"]["fsp"].update(fields=["all", "everything"]), "no group everything"),
        (lambda rules: rules["assets"]["roles"].update(king={"rows": "all", "fields": ["all"]}), r"roles\.king"),
        (lambda rules: rules.pop("assets"), "endpoints: assets: on one side only"),
    ],
)
def test_a_matrix_that_leaves_something_open_is_rejected(tmp_path: Path, change: Any, said: str) -> None:
    content = json.loads(json.dumps(yaml.safe_load((ROOT / "conf" / "access.yaml").read_text(encoding="utf-8"))))
    change(content["endpoints"])
    (tmp_path / "access.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        load_matrix(tmp_path, RESOURCES)


def test_a_matrix_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"access\.yaml: cannot be read: No such file"):
        load_matrix(tmp_path, RESOURCES)
    (tmp_path / "access.yaml").write_text("endpoints: [", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"access\.yaml: not YAML"):
        load_matrix(tmp_path, RESOURCES)
    assert isinstance(MATRIX, Matrix)
