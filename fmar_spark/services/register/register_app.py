"""Puts the register together as one ASGI application."""

import threading
from collections import OrderedDict
from collections.abc import Collection
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
_MOST_CALLERS: Final = 10_000
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
    callers = _Callers(database)
    parts = ServiceParts(
        settings=agreements,
        tokens=TokenVerifier(agreements, SigningKeys(fetch, agreements)),
        clients=RateLimit(agreements.requests_per_minute, agreements.request_burst),
        anonymous=RateLimit(agreements.anonymous_requests_per_minute, agreements.anonymous_request_burst),
        metrics=metrics,
        audit=RequestAudit(AuditRows(REQUEST_AUDIT, lambda: database.writing(NOTHING)), metrics, agreements),
        find_caller=callers.find,
        recall_caller=callers.recall,
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


class _Callers:
    """Finds the party that a client speaks for, and knows it until anything is committed to the register."""

    def __init__(self, database: RegisterDatabase) -> None:
        """Nobody is known yet."""
        self._database = database
        self._known: OrderedDict[str, tuple[int, Caller]] = OrderedDict()
        self._turn = threading.Lock()

    def find(self, client_id: str) -> Caller | None:
        """From the register."""
        mark = self._database.mark_state()
        with self._database.reading(NOTHING) as connection:
            caller = find_caller(connection, client_id)
        if caller is not None and mark is not None:
            with self._turn:
                self._known[client_id] = (mark, caller)
                if len(self._known) > _MOST_CALLERS:
                    self._known.popitem(last=False)
        return caller

    def recall(self, client_id: str) -> Caller | None:
        """From memory, where the register is as it was then."""
        known = self._known.get(client_id)
        return known[1] if known is not None and known[0] == self._database.mark_state() else None


def _close(*databases: RegisterDatabase) -> None:
    for database in databases:
        database.close()
