"""Listens: HTTP as all services want it, with time limits for slow connections and proxies that are named."""

import asyncio
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from fmar_spark.settings.sections import ServiceSettings


def run_server(app: ASGIApp, settings: ServiceSettings, host: str, port: int) -> None:
    """Serve until stopped."""
    uvicorn.Server(configure(app, settings, host, port)).run()


def configure(app: ASGIApp, settings: ServiceSettings, host: str, port: int) -> uvicorn.Config:
    """The server's settings.

    Our own line a request holds the route alone; uvicorn's would hold the query, and an MPAN with it. Forwarded addresses are
    read from the proxies of the setting alone: uvicorn by itself would believe any caller on the same machine.
    """
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        access_log=False,
        log_level="warning",
        server_header=False,
        ws="none",
        http=protocol_with(settings.request_head_seconds, settings.answer_read_seconds),
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        limit_concurrency=settings.max_connections,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=10,
    )


class _PatientProtocol(H11Protocol):
    """HTTP/1.1 whose connections end when no whole request head arrives in time, or when nobody reads what is left to send.

    Own code: uvicorn limits how long a connection may be idle between requests, and neither the first request nor a slow one.
    """

    head_seconds = 10.0
    read_seconds = 30.0

    _head_timer: asyncio.TimerHandle | None = None
    _read_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_timer()
        self._forget_reader()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_idle() and self._head_timer is None:
            self._await_head()
        super().data_received(data)
        if not self._is_idle():
            self._forget_timer()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._read_timer = self.loop.call_later(self.read_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        self._forget_reader()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self.loop.call_later(self.read_seconds, self.transport.abort)

    def _is_idle(self) -> bool:
        cycle: Any = self.cycle
        return cycle is None or cycle.response_complete

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_seconds, self._give_up)

    def _forget_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _forget_reader(self) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        if self._is_idle() and not self.transport.is_closing():
            self.transport.abort()


def protocol_with(head_seconds: float, read_seconds: float) -> type[asyncio.Protocol]:
    """The protocol with its two times: for a request's head to arrive, and for an answer to be read."""
    return type("PatientProtocol", (_PatientProtocol,), {"head_seconds": head_seconds, "read_seconds": read_seconds})
