"""Opens a gateway as its settings say, and serves it until it is stopped."""

import re
import ssl
import threading
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import uvicorn
from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import JSONResponse

from fmar_spark.errors import ConfigError
from fmar_spark.intake.dip.rules import DecodeRules, read_rules
from fmar_spark.services.consent.revocations import RevocationInbox, build_routes
from fmar_spark.services.gateway.gateway_app import Answers, GatewayMetrics, GatewayParts, build_gateway, describe_health
from fmar_spark.services.gateway.landing_writer import LandingWriter, WriterLimits
from fmar_spark.services.gateway.signatures import SignatureCheck, load_certificates
from fmar_spark.services.gateway.sink import Sink
from fmar_spark.services.web.server import protocol_with
from fmar_spark.settings.client_files import read_client
from fmar_spark.settings.sections import GatewaySettings, Settings

_UNTRUSTING: Final = frozenset({"local", "test"})
_CHANNEL: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_KEY_HASH: Final = re.compile(r"[0-9a-fA-F]{64}")
_GRACE_SECONDS: Final = 30


def open_gateway(settings: Settings, env: str) -> GatewayParts:
    """Everything that a gateway works with.

    Raises:
        ConfigError: settings that contradict each other or name what is not there.
    """
    own = settings.gateway
    check_settings(own, env)
    window = timedelta(seconds=own.signature_window_seconds)
    issuers = load_certificates(own.signature_issuers, "gateway.signature_issuers")
    return GatewayParts(
        own,
        read_rules(settings.ingest),
        _open_sink(own, read_rules(settings.ingest)),
        SignatureCheck(issuers, window),
        GatewayMetrics(),
        Answers(2 * own.signature_window_seconds, own.answers_bytes),
    )


def _open_sink(own: GatewaySettings, rules: DecodeRules) -> Sink:
    """The topic that is named, else the landing folder."""
    if not own.kafka:
        return LandingWriter(
            Path(own.landing), WriterLimits(own.batch_bytes, own.linger_seconds, own.max_waiting_bytes, own.least_free_bytes)
        )
    topics = import_module("fmar_spark.services.gateway.topic_writer")
    client = read_client(own.kafka_config, "gateway.kafka_config") if own.kafka_config else {}
    limits = topics.TopicLimits(own.record_bytes, own.delivery_seconds, own.linger_seconds, own.max_waiting_bytes)
    sink: Sink = topics.TopicWriter(topics.Topic(own.kafka, own.topic, client), limits, rules)
    return sink


def check_settings(own: GatewaySettings, env: str) -> None:
    """Nothing, if the settings fit together.

    Raises:
        ConfigError: they do not.
    """
    if not own.channels:
        raise ConfigError("gateway.channels: at least one channel and the SHA-256 of its API key wanted")
    for channel, key in own.channels.items():
        if not _CHANNEL.fullmatch(channel) or not _KEY_HASH.fullmatch(key):
            raise ConfigError(f"gateway.channels: {channel!r}: a name of a-z, 0-9 and -, and 64 hex digits wanted")
    if bool(own.kafka) != bool(own.topic) or (own.kafka_config and not own.kafka):
        raise ConfigError("gateway.kafka, gateway.topic: both or neither wanted, and kafka_config with them alone")
    files = (own.tls_certificate, own.tls_key, own.tls_client_issuers)
    if own.tls == "none" and env not in _UNTRUSTING:
        raise ConfigError(f"gateway.tls: none found, own or proxy wanted in the environment {env}")
    if own.tls == "own" and not all(files):
        raise ConfigError("gateway.tls: own needs tls_certificate, tls_key and tls_client_issuers")
    if own.tls == "proxy" and not own.proxies:
        raise ConfigError("gateway.tls: proxy needs gateway.proxies: the addresses whose word is taken")
    if (own.tls != "own" and any(files)) or (own.tls != "proxy" and own.proxies):
        raise ConfigError(f"gateway.tls: {own.tls} found beside settings of another way to check client certificates")


def configure(app: FastAPI, own: GatewaySettings, host: str, port: int) -> uvicorn.Config:
    """The server's settings; the client's address is always that of its connection.

    Raises:
        ConfigError: the files of the certificates are not usable.
    """
    secure: dict[str, Any] = {}
    if own.tls == "own":
        secure = {
            "ssl_certfile": own.tls_certificate,
            "ssl_keyfile": own.tls_key,
            "ssl_ca_certs": own.tls_client_issuers,
            "ssl_cert_reqs": ssl.CERT_REQUIRED,
        }
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        access_log=False,
        log_level="warning",
        server_header=False,
        ws="none",
        http=protocol_with(own.head_seconds, own.body_seconds),
        proxy_headers=False,
        limit_concurrency=own.max_connections,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        **secure,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise ConfigError("gateway.tls_certificate, tls_key, tls_client_issuers: readable PEM files that fit together wanted") from error
    return config


def run_gateway(parts: GatewayParts, host: str, port: int, inbox: RevocationInbox | None = None) -> None:
    """Serve until stopped; what arrived is stored when this returns. With an inbox the consent service may revoke here too."""
    app = build_gateway(parts)
    if inbox is not None:
        app.include_router(build_routes(inbox))
    server = uvicorn.Server(configure(app, parts.settings, host, port))
    watch = _start_watch(parts)
    try:
        server.run()
    finally:
        if inbox is not None:
            inbox.writer.stop()
        if watch is not None:
            watch.should_exit = True


def build_watch(parts: GatewayParts) -> FastAPI:
    """Health and metrics, for this machine: probes have no client certificate."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/health/live")
    def live() -> dict[str, str]:
        return {"status": "live"}

    @app.get("/health/ready")
    def ready() -> Response:
        health = describe_health(parts)
        return JSONResponse(health, 200 if health["ready"] else 503)

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(parts.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return app


def _start_watch(parts: GatewayParts) -> uvicorn.Server | None:
    """A server of its own in a thread, so that a busy gateway still says how it is."""
    if not parts.settings.watch_port:
        return None
    port = parts.settings.watch_port
    config = uvicorn.Config(build_watch(parts), host="127.0.0.1", port=port, log_level="warning", access_log=False, ws="none")
    watch = uvicorn.Server(config)
    threading.Thread(target=watch.run, name="watch", daemon=True).start()
    return watch
