"""Puts the register together as one ASGI application."""

import threading
from collections.abc import Callable, Collection
from functools import partial
from typing import Final

from fastapi import FastAPI

from fmar_spark.services.register import (
    routes_agreements,
    routes_confirmations,
    routes_disputes,
    routes_evidence,
    routes_overrides,
    routes_parties,
    routes_uploads,
)
from fmar_spark.services.register.access import NOTHING
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.register.derived import Derived, LakeDerived
from fmar_spark.services.register.examples import EXAMPLES
from fmar_spark.services.register.parties import find_caller
from fmar_spark.services.register.service import Service
from fmar_spark.services.register.tables import IDEMPOTENCY_KEYS, REQUEST_AUDIT
from fmar_spark.services.web.access import Caller, ServiceParts
from fmar_spark.services.web.idempotency import Memory
from fmar_spark.services.web.limits import RateLimit
from fmar_spark.services.web.metrics import Metrics
from fmar_spark.services.web.readiness import Readiness
from fmar_spark.services.web.request_audit import AuditRows, RequestAudit
from fmar_spark.services.web.service import Api, build_service
from fmar_spark.services.web.signing_keys import DEVELOPMENT_ISSUER, DevelopmentIssuer, SigningKeys, fetch_from
from fmar_spark.services.web.tokens import TokenVerifier
from fmar_spark.settings.sections import Settings

_ROUTES = (routes_agreements, routes_uploads, routes_overrides, routes_confirmations, routes_evidence, routes_disputes, routes_parties)
_LOCAL_HOSTS: Final = ("localhost", "127.0.0.1", "[::1]")


def build_app(
    settings: Settings,
    environment: str,
    issuer: DevelopmentIssuer | None = None,
    derived: Derived | None = None,
    hosts: Collection[str] = (),
) -> FastAPI:
    """The register over HTTP.

    Args:
        settings: section ``agreements``, and ``lake.root`` for derived values.
        environment: ``local``, ``test`` or a deployment's name.
        issuer: trusted instead of the configured one; exists in ``local`` alone.
        derived: where derived values come from, if not from the lake.
        hosts: further names of this machine that are answered with ``issuer``, whose tokens anyone may take who reaches it.

    Raises:
        ConfigError: settings that cannot be served with.
    """
    agreements = settings.agreements
    if issuer is not None:
        agreements = agreements.model_copy(update={"issuer": DEVELOPMENT_ISSUER})
    fetch = issuer.fetch if issuer is not None else fetch_from(agreements, environment)
    database = RegisterDatabase(agreements)
    watched = RegisterDatabase(agreements.model_copy(update={"pool_size": 1}))
    metrics = Metrics("register")

    parts = ServiceParts(
        settings=agreements,
        tokens=TokenVerifier(agreements, SigningKeys(fetch, agreements)),
        clients=RateLimit(agreements.requests_per_minute, agreements.request_burst),
        anonymous=RateLimit(agreements.anonymous_requests_per_minute, agreements.anonymous_request_burst),
        metrics=metrics,
        audit=RequestAudit(AuditRows(REQUEST_AUDIT, lambda: database.writing(NOTHING)), metrics, agreements),
        find_caller=_find_in(database),
        readiness=Readiness(watched.is_ready),
    )
    app = build_service(
        parts,
        Api(
            title="Register of commercial agreements",
            summary="Who holds dispatch rights on which asset, when, and who knew it when.",
            routers=tuple(module.router for module in _ROUTES),
            large_bodies={routes_uploads.PATH: agreements.max_upload_bytes},
            close=partial(_close, database, watched),
            examples=EXAMPLES,
            hosts=frozenset((*_LOCAL_HOSTS, *hosts)) if issuer is not None else None,
        ),
    )
    app.state.service = Service(
        settings=agreements,
        database=database,
        derived=derived or LakeDerived(settings.lake.root),
        parts=parts,
        memory=Memory(IDEMPOTENCY_KEYS, agreements.idempotency_hours),
        uploads=threading.BoundedSemaphore(agreements.max_uploads_at_once),
        upload_rows=metrics.count("upload_rows", "Rows of uploads by outcome.", "outcome"),
    )
    return app


def _find_in(database: RegisterDatabase) -> Callable[[str], Caller | None]:
    """Finds the party that a client speaks for."""

    def find(client_id: str) -> Caller | None:
        with database.reading(NOTHING) as connection:
            return find_caller(connection, client_id)

    return find


def _close(*databases: RegisterDatabase) -> None:
    for database in databases:
        database.close()
