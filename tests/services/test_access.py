"""Every endpoint with every role: what is allowed, what is seen, and that whatever is not listed is rejected."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from register_world import LONDON_MPAN, MPAN, Served, agreement, caller_of, copy_rows, empty_postgres, one_issuer, restore_rows
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from fmar_spark.services.register.access import EVERYTHING, NOTHING, Reach, reach_of
from fmar_spark.services.register.database import POSTGRESQL, RegisterDatabase
from fmar_spark.services.register.tables import AGREEMENTS

EVERYONE = ("ALPHA", "BRAVO", "SOUTHERN", "NESO", "OFFICE")
OVERRIDE = {
    "mpan_id": MPAN,
    "amsid": "AMS-1",
    "asset_class": "ev",
    "direction": "import",
    "parameter": "rated_kw",
    "value": 11.0,
    "unit": "kW",
    "reason": "new charger",
    "valid_from_at": "2026-02-01T00:00:00Z",
}
EVIDENCE = {"basis": "allocation", "fsp_id": "BRAVO", "mpan_id": MPAN, "amsid": "AMS-2", "reference": "register 7"}
CONFIRMATION = {"mpan_id": MPAN, "amsid": "AMS-1", "asset_class": "ev", "is_present": True}


DISPUTE = {
    "record_kind": "flag",
    "record_id": "flag-1",
    "mpan_id": MPAN,
    "amsid": "AMS-1",
    "alleged_error": "delivered in full",
    "evidence": "readings of the asset meter",
}
SETTLEMENT = {"outcome": "no_action_required", "outcome_reason": "the boundary meter was read"}


class World(NamedTuple):
    """What ALPHA has in the register: two agreements, an override, a confirmation, a dispute, an upload."""

    ids: dict[str, str]


class Endpoint(NamedTuple):
    """One endpoint and the status that each party gets, in the order of EVERYONE."""

    method: str
    path: str
    statuses: tuple[int, int, int, int, int]
    given: dict[str, Any]


def match() -> dict[str, str]:
    return {"If-Match": "*"}


# ALPHA owns everything that the paths name; BRAVO is another FSP; the network sees dso_local in area 20; NESO sees neso_bm.
ENDPOINTS = [
    Endpoint("POST", "/v1/agreements", (201, 201, 403, 403, 403), {"json": agreement(amsid="NEW", mpan_id=LONDON_MPAN)}),
    Endpoint("GET", "/v1/agreements", (200, 200, 200, 200, 200), {}),
    Endpoint("GET", "/v1/agreements/{local}", (200, 404, 200, 404, 200), {}),
    Endpoint("GET", "/v1/agreements/{balancing}", (200, 404, 404, 200, 200), {}),
    Endpoint("GET", "/v1/agreements/{elsewhere}", (200, 404, 404, 404, 200), {}),
    Endpoint("GET", "/v1/agreements/{local}/history", (200, 404, 200, 404, 200), {}),
    Endpoint("PATCH", "/v1/agreements/{local}", (200, 404, 403, 403, 403), {"json": {"primacy_tier": 3}, "headers": match()}),
    Endpoint("POST", "/v1/agreements/{local}/end", (200, 404, 403, 403, 403), {"json": {}, "headers": match()}),
    Endpoint(
        "POST",
        "/v1/uploads",
        (201, 201, 403, 403, 403),
        {"content": "mpan_id,amsid,market,primacy_tier,is_exclusive,valid_from_at\n", "headers": {"Content-Type": "text/csv"}},
    ),
    Endpoint("GET", "/v1/uploads", (200, 200, 403, 403, 403), {}),
    Endpoint("GET", "/v1/uploads/{upload}", (200, 404, 403, 403, 403), {}),
    Endpoint("GET", "/v1/uploads/{upload}/rows", (200, 404, 403, 403, 403), {}),
    Endpoint("POST", "/v1/overrides", (201, 403, 403, 403, 403), {"json": OVERRIDE}),
    Endpoint("GET", "/v1/overrides", (200, 200, 200, 200, 200), {}),
    Endpoint("GET", "/v1/overrides/{override}", (200, 404, 200, 404, 200), {}),
    Endpoint("GET", "/v1/overrides/{override}/history", (200, 404, 200, 404, 200), {}),
    Endpoint("POST", "/v1/overrides/{override}/end", (200, 404, 403, 403, 403), {"json": {}, "headers": match()}),
    Endpoint("GET", "/v1/capability", (200, 200, 200, 200, 200), {"params": {"mpan_id": MPAN, "amsid": "AMS-1"}}),
    Endpoint("POST", "/v1/confirmations", (200, 403, 403, 403, 403), {"json": CONFIRMATION}),
    Endpoint("GET", "/v1/confirmations", (200, 200, 403, 403, 200), {}),
    Endpoint("GET", "/v1/confirmations/{confirmation}", (200, 404, 403, 403, 200), {}),
    Endpoint("GET", "/v1/confirmations/{confirmation}/history", (200, 404, 403, 403, 200), {}),
    Endpoint("POST", "/v1/evidence", (403, 403, 403, 403, 201), {"json": EVIDENCE}),
    Endpoint("GET", "/v1/evidence", (403, 403, 403, 403, 200), {}),
    Endpoint("GET", "/v1/evidence/{evidence}", (403, 403, 403, 403, 200), {}),
    Endpoint("GET", "/v1/evidence/{evidence}/history", (403, 403, 403, 403, 200), {}),
    Endpoint("POST", "/v1/evidence/{evidence}/end", (403, 403, 403, 403, 200), {"json": {}, "headers": match()}),
    Endpoint("POST", "/v1/disputes", (409, 403, 201, 403, 403), {"json": DISPUTE}),
    Endpoint("GET", "/v1/disputes/{dispute}", (200, 404, 200, 404, 200), {}),
    Endpoint("GET", "/v1/disputes/{dispute}/history", (200, 404, 200, 404, 200), {}),
    Endpoint("POST", "/v1/disputes/{dispute}/settle", (403, 403, 403, 403, 200), {"json": SETTLEMENT, "headers": match()}),
    Endpoint("POST", "/v1/parties", (403, 403, 403, 403, 201), {"json": {"party_id": "NEW", "name": "New", "roles": ["fsp"]}}),
    Endpoint("GET", "/v1/parties", (403, 403, 403, 403, 200), {}),
    Endpoint("GET", "/v1/parties/ALPHA", (403, 403, 403, 403, 200), {}),
    Endpoint("GET", "/v1/parties/ALPHA/history", (403, 403, 403, 403, 200), {}),
    Endpoint("PATCH", "/v1/parties/BRAVO", (403, 403, 403, 403, 200), {"json": {"name": "B"}, "headers": match()}),
    Endpoint("GET", "/v1/parties/ALPHA/clients", (403, 403, 403, 403, 200), {}),
    Endpoint("PUT", "/v1/parties/BRAVO/clients/second", (403, 403, 403, 403, 200), {"json": {"is_active": True}}),
]
OPEN_ROUTES = {("GET", "/health/live"), ("GET", "/health/ready"), ("GET", "/metrics")}
# What a list shows of ALPHA's three agreements, one override and one confirmation.
ROWS_SEEN = {
    "/v1/agreements": {"ALPHA": 3, "BRAVO": 0, "SOUTHERN": 1, "NESO": 1, "OFFICE": 3},
    "/v1/overrides": {"ALPHA": 1, "BRAVO": 0, "SOUTHERN": 1, "NESO": 0, "OFFICE": 1},
    "/v1/confirmations": {"ALPHA": 1, "BRAVO": 0, "OFFICE": 1},
}
DISPUTES_SEEN = {"ALPHA": 1, "SOUTHERN": 1, "OFFICE": 1}
HIDDEN_FROM_BUYERS = {"recorded_by_client_id", "consent_reference"}


@pytest.fixture(scope="module")
def worlds() -> dict[str, tuple[World, Any]]:
    """The world of each kind of database, as it was made first, with the rows that make it."""
    return {}


@pytest.fixture
def world(served: Served, url: str, worlds: dict[str, tuple[World, Any]], request: pytest.FixtureRequest, quick_folder: Path) -> World:
    kind = served.database.dialect
    file, copy = url.removeprefix("sqlite:///"), str(quick_folder / "world.db")
    owner = request.getfixturevalue("postgres_owner") if kind == POSTGRESQL else None
    if kind not in worlds:
        made = make_world(served)
        worlds[kind] = (made, copy_file(file, copy) if owner is None else copy_rows(owner))
    elif owner is None:
        copy_file(copy, file)
    else:
        empty_postgres(owner)
        restore_rows(owner, worlds[kind][1])
    return worlds[kind][0]


def copy_file(source: str, target: str) -> None:
    """SQLite's own copy, whoever has the files open."""
    with closing(sqlite3.connect(source)) as known, closing(sqlite3.connect(target)) as copy:
        known.backup(copy)


def make_world(served: Served) -> World:
    made = {
        "local": served.create("ALPHA", amsid="AMS-1")["agreement_id"],
        "balancing": served.create("ALPHA", amsid="AMS-2", market="neso_bm")["agreement_id"],
        "elsewhere": served.create("ALPHA", amsid="AMS-3", mpan_id=LONDON_MPAN)["agreement_id"],
        "evidence": served.record()["evidence_id"],
        "override": served.call("ALPHA", "POST", "/v1/overrides", json=OVERRIDE).json()["override_id"],
        "confirmation": served.call("ALPHA", "POST", "/v1/confirmations", json=CONFIRMATION).json()["confirmation_id"],
        "dispute": served.call("ALPHA", "POST", "/v1/disputes", json=DISPUTE).json()["dispute_id"],
    }
    sent = served.call("ALPHA", "POST", "/v1/uploads", content=ENDPOINTS[8].given["content"], headers={"Content-Type": "text/csv"})
    return World({**made, "upload": sent.json()["upload_id"]})


@pytest.mark.parametrize("party_id", EVERYONE)
def test_each_role_at_each_endpoint(served: Served, world: World, party_id: str) -> None:
    for endpoint in ENDPOINTS:
        if party_id == "ALPHA" and endpoint.method != "GET" and "{" in endpoint.path:
            continue  # changes what the next rows look at: covered by the tests of amending and ending
        answer = served.call(party_id, endpoint.method, endpoint.path.format(**world.ids), **endpoint.given)
        assert answer.status_code == endpoint.statuses[EVERYONE.index(party_id)], (party_id, endpoint.method, endpoint.path, answer.text)


def test_the_matrix_knows_every_route(served: Served) -> None:
    schema = served.http.get("/openapi.json").json()
    routes = {(method.upper(), path) for path, methods in schema["paths"].items() for method in methods}
    named = {(endpoint.method, _template(endpoint.path)) for endpoint in ENDPOINTS}
    assert routes - OPEN_ROUTES == named


def _template(path: str) -> str:
    for name in ("local", "balancing", "elsewhere"):
        path = path.replace(f"{{{name}}}", "{agreement_id}")
    for name in ("upload", "override", "confirmation", "evidence", "dispute"):
        path = path.replace(f"{{{name}}}", f"{{{name}_id}}")
    return path.replace("second", "{client_id}").replace("/ALPHA", "/{party_id}").replace("/BRAVO", "/{party_id}")


@pytest.mark.parametrize("path", ROWS_SEEN)
def test_each_role_sees_the_rows_and_fields_that_concern_it(served: Served, world: World, path: str) -> None:
    full = set(served.call("OFFICE", "GET", path).json()["items"][0])
    for party_id, rows in ROWS_SEEN[path].items():
        items = served.call(party_id, "GET", path).json()["items"]
        assert len(items) == rows, party_id
        for item in items:
            assert full - set(item) == (HIDDEN_FROM_BUYERS & full if party_id in {"SOUTHERN", "NESO"} else set()), party_id


@pytest.mark.parametrize("party_id", EVERYONE)
def test_without_a_token_every_endpoint_is_closed(served: Served, world: World, party_id: str) -> None:
    for endpoint in ENDPOINTS:
        assert served.http.request(endpoint.method, endpoint.path.format(**world.ids), **endpoint.given).status_code == 401


def test_a_token_that_has_ended_opens_nothing(served: Served, world: World) -> None:
    ended = {"Authorization": f"Bearer {one_issuer().sign('alpha-client', 'fmar-register', -60)}"}
    for endpoint in ENDPOINTS:
        given = {**endpoint.given, "headers": {**endpoint.given.get("headers", {}), **ended}}
        answer = served.http.request(endpoint.method, endpoint.path.format(**world.ids), **given)
        assert (answer.status_code, answer.json()["type"]) == (401, "urn:fmar:problem:invalid-token")


def test_a_party_that_was_put_out_is_out_at_once(served: Served) -> None:
    assert served.call("BRAVO", "GET", "/v1/agreements").status_code == 200
    assert served.call("OFFICE", "PATCH", "/v1/parties/BRAVO", json={"is_active": False}, headers=match()).status_code == 200
    assert served.call("BRAVO", "GET", "/v1/agreements").status_code == 403
    served.call("OFFICE", "PUT", "/v1/parties/ALPHA/clients/alpha-client", json={"is_active": False})
    assert served.call("ALPHA", "GET", "/v1/agreements").status_code == 403


def test_the_last_administrator_stays(served: Served) -> None:
    for body in ({"is_active": False}, {"roles": ["fsp"]}):
        answer = served.call("OFFICE", "PATCH", "/v1/parties/OFFICE", json=body, headers=match())
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:fmar:problem:last-administrator")


def test_a_client_speaks_for_one_party_at_a_time(served: Served) -> None:
    taken = served.call("OFFICE", "PUT", "/v1/parties/BRAVO/clients/alpha-client", json={})
    assert (taken.status_code, taken.json()["type"]) == (409, "urn:fmar:problem:client-taken")
    assert served.call("OFFICE", "PUT", "/v1/parties/NOBODY/clients/new", json={}).status_code == 404


def test_the_roles_of_a_party_add_up(served: Served) -> None:
    served.create("ALPHA", market="neso_bm")
    served.call("OFFICE", "PATCH", "/v1/parties/BRAVO", json={"roles": ["fsp", "neso"]}, headers=match())
    served.create("BRAVO", amsid="AMS-9")
    assert len(served.call("BRAVO", "GET", "/v1/agreements").json()["items"]) == 2


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("path", [*ROWS_SEEN, "/v1/disputes"])
def test_postgresql_hides_foreign_rows_even_from_a_query_without_conditions(
    served: Served, world: World, database: RegisterDatabase, path: str
) -> None:
    table = f"{path.removeprefix('/v1/').removesuffix('s')}_versions"

    def seen(reach: Reach) -> int:
        with database.reading(reach) as connection:
            return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())

    assert seen(NOTHING) == 0
    for party_id in EVERYONE:
        assert seen(reach_of(caller_of(party_id))) == {**ROWS_SEEN, "/v1/disputes": DISPUTES_SEEN}[path].get(party_id, 0), party_id


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_postgresql_rejects_rows_written_for_another_party(served: Served, world: World, database: RegisterDatabase) -> None:
    copied = "INSERT INTO override_versions SELECT * FROM override_versions"
    with pytest.raises(DBAPIError, match="row-level security"), database.writing(reach_of(caller_of("SOUTHERN"))) as connection:
        connection.execute(text(copied))


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_postgresql_rejects_an_overlap_even_without_the_rules(served: Served, database: RegisterDatabase) -> None:
    served.create("ALPHA")
    columns = ", ".join(column.name for column in AGREEMENTS.columns if column.name not in {"agreement_id", "ledger_seq"})
    beside = f"INSERT INTO agreement_versions (agreement_id, ledger_seq, {columns}) SELECT 'other', 99, {columns} FROM agreement_versions"
    with pytest.raises(DBAPIError, match="exclusive_alone"), database.writing(EVERYTHING) as connection:
        connection.execute(text(beside))
