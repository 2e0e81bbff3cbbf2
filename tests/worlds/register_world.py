"""An empty register on each database and the service over it, with tokens for five parties."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import psycopg
from fastapi import FastAPI
from fastapi.testclient import TestClient
from in_process import OneAtATime, share_routes

from fmar_spark.domain.markets import Role
from fmar_spark.services.register.access import EVERYTHING
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.register.derived import Detection, Record
from fmar_spark.services.register.ledger import Actor
from fmar_spark.services.register.parties import add_party, appoint_client, join_list
from fmar_spark.services.register.records import change_of
from fmar_spark.services.register.register_app import build_app
from fmar_spark.services.register.tables import METADATA
from fmar_spark.services.web.access import Caller
from fmar_spark.services.web.signing_keys import DevelopmentIssuer
from fmar_spark.settings.sections import RegisterSettings, Settings

ROOT = Path(__file__).resolve().parents[2]
MPAN = "2000056535971"
LONDON_MPAN = "1200023305967"
OPERATOR = Actor("operator", "tests")
PARTIES = {
    "ALPHA": ("Alpha Flex", [Role.FSP], []),
    "BRAVO": ("Bravo Flex", [Role.FSP], []),
    "SOUTHERN": ("Southern networks", [Role.DNO], ["20"]),
    "NESO": ("System operator", [Role.NESO], []),
    "OFFICE": ("Register office", [Role.ADMINISTRATOR], []),
}


def settings_of(url: str, **changes: Any) -> RegisterSettings:
    plain = {
        "database_url": url,
        "requests_per_minute": 10**6,
        "request_burst": 10**6,
        "anonymous_requests_per_minute": 10**6,
        "anonymous_request_burst": 10**6,
        "jwks_url": "http://127.0.0.1:9/keys",
        "issuer": "x",
    }
    return RegisterSettings(**{**plain, **changes})


def as_owner(url: str) -> str:
    """The same database as its superuser, whom neither row security nor disabled triggers hold back."""
    return url.replace("fmar_register@", "fmar_owner@")


def empty_postgres(owner: psycopg.Connection) -> None:
    """Row by row: a table that is truncated gets new files, which takes ten times as long where hardly a row is in it."""
    owner.execute("SET session_replication_role = replica")
    names = [name for name in METADATA.tables if name != "ledger_head"]
    owner.execute("; ".join(f"DELETE FROM {name}" for name in names).encode())
    owner.execute("UPDATE ledger_head SET seq = 0, hash = repeat('0', 64), recorded_at = '2000-01-01T00:00:00Z'")
    owner.commit()


def copy_rows(owner: psycopg.Connection) -> dict[str, bytes]:
    """All that is in the tables that have rows."""
    found = {}
    for name in METADATA.tables:
        with owner.cursor() as cursor, cursor.copy(f"COPY {name} TO STDOUT".encode()) as copy:
            found[name] = b"".join(bytes(block) for block in copy)
    owner.commit()
    return {name: rows for name, rows in found.items() if rows}


def restore_rows(owner: psycopg.Connection, rows: dict[str, bytes]) -> None:
    """What ``copy_rows`` found, into empty tables."""
    owner.execute("DELETE FROM ledger_head")
    for name, block in rows.items():
        with owner.cursor() as cursor, cursor.copy(f"COPY {name} FROM STDIN".encode()) as copy:
            copy.write(block)
    owner.commit()


def appoint_parties(database: RegisterDatabase) -> None:
    with change_of(database, EVERYTHING, OPERATOR) as change:
        for party_id, (name, roles, areas) in PARTIES.items():
            values = {"name": name, "roles": join_list([str(role) for role in roles]), "distributor_ids": join_list(areas)}
            add_party(change, party_id, values)
            appoint_client(change, f"{party_id.lower()}-client", party_id, True)


def caller_of(party_id: str) -> Caller:
    _, roles, areas = PARTIES[party_id]
    return Caller(party_id, f"{party_id.lower()}-client", frozenset(roles), tuple(areas))


class FixedDerived:
    """What the engine would have derived."""

    def __init__(self) -> None:
        self.capability: list[dict[str, Any]] = [
            {"mpan_id": MPAN, "asset_class": "ev", "direction": "import", "rated_kw": 7.1, "as_of_date": date(2026, 1, 5)}
        ]
        self.detections: list[tuple[str, Detection]] = [
            (MPAN, Detection("ev", True, 0.78, "medium", "characterised", "model-3", date(2026, 1, 5))),
            (MPAN, Detection("heat_pump", False, 0.04, "high", "characterised", "model-3", date(2026, 1, 5))),
        ]
        self.records: dict[tuple[str, str, str], list[Record]] = {
            ("detection", MPAN, "ev"): [Record("", "", "run-1", MPAN, "ev", "medium")],
            ("detection", MPAN, "battery"): [Record("", "", "run-1", MPAN, "battery", "low")],
            ("flag", MPAN, "flag-1"): [Record("AMS-1", "ALPHA", "run-1", MPAN, recipients=("dno:20",))],
            ("delivery_check", MPAN, "event-1"): [
                Record("AMS-1", "ALPHA", "run-1", MPAN),
                Record("AMS-2", "BRAVO", "run-1", MPAN),
            ],
        }

    def find_capability(self, mpan_id: str) -> list[dict[str, Any]]:
        return [row for row in self.capability if row["mpan_id"] == mpan_id]

    def find_detections(self, mpan_id: str) -> list[Detection]:
        return [detection for place, detection in self.detections if place == mpan_id]

    def find_records(self, kind: str, mpan_id: str, record_id: str) -> list[Record]:
        return self.records.get((kind, mpan_id, record_id), [])


@dataclass
class Served:
    """The service under test and who may call it."""

    http: OneAtATime | TestClient
    issuer: DevelopmentIssuer
    database: RegisterDatabase
    derived: FixedDerived

    def headers(self, party_id: str, **more: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token_of(party_id)}", **more}

    def call(self, party_id: str, method: str, path: str, **given: Any) -> Any:
        headers = self.headers(party_id, **given.pop("headers", {}))
        return self.http.request(method, path, headers=headers, **given)

    def record(self, basis: str = "approval", **changes: Any) -> dict[str, Any]:
        """Evidence as the administrator records it; by default the approval of ALPHA's claim."""
        body = {"basis": basis, "fsp_id": "ALPHA", "mpan_id": MPAN, "amsid": "AMS-1", "reference": "checked", **changes}
        answer = self.call("OFFICE", "POST", "/v1/evidence", json={name: value for name, value in body.items() if value is not None})
        assert answer.status_code in {200, 201}, answer.text
        recorded: dict[str, Any] = answer.json()
        return recorded

    def create(self, party_id: str = "ALPHA", **changes: Any) -> dict[str, Any]:
        answer = self.call(party_id, "POST", "/v1/agreements", json=agreement(**changes))
        assert answer.status_code == 201, answer.text
        created: dict[str, Any] = answer.json()
        return created


@lru_cache
def one_issuer() -> DevelopmentIssuer:
    return DevelopmentIssuer("local")


@lru_cache
def token_of(party_id: str) -> str:
    """Signed once: it outlasts any test run."""
    return one_issuer().sign(f"{party_id.lower()}-client", "fmar-register")


def serve(
    database: RegisterDatabase, url: str, client: Callable[[FastAPI], OneAtATime | TestClient] = OneAtATime, **changes: Any
) -> Served:
    issuer, derived = one_issuer(), FixedDerived()
    app = share_routes(build_app(Settings(agreements=settings_of(url, **changes)), "local", issuer, derived, ("testserver",)))
    return Served(client(app), issuer, database, derived)


def for_many_threads(app: FastAPI) -> TestClient:
    """A client that may be asked by several threads at once."""
    return TestClient(app, raise_server_exceptions=False)


def agreement(**changes: Any) -> dict[str, Any]:
    """A body that creates one, with changes; None leaves a field out."""
    body = {
        "mpan_id": MPAN,
        "amsid": "AMS-1",
        "market": "dso_local",
        "primacy_tier": 1,
        "is_exclusive": True,
        "valid_from_at": "2026-01-01T00:00:00Z",
        "valid_to_at": "2027-01-01T00:00:00Z",
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}
