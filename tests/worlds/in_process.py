"""A client whose requests run in the test's own thread: a test that asks one thing at a time waits for no other thread.

What a service builds once in its life, routes, the text of its statements and its connections to PostgreSQL, is built once for
all services of a test run.
"""

import asyncio
import contextvars
import os
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any, Self

import httpx
import psycopg
from fastapi import FastAPI
from httpx._transports import asgi
from sqlalchemy import Connection, Dialect, Engine, event
from starlette import concurrency

from fmar_spark.services.register import database

_hand_over = concurrency.anyio.to_thread.run_sync
_OURS: set[int] = set()
"""Event loops of clients of this kind, by identity."""
_first: dict[tuple[str, int], FastAPI] = {}
"""The first application of each kind, by its title and number of routes."""


async def _run_where_it_stands(work: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """What a service hands to a thread, done at once where the loop is ours: to wake two threads costs more than most requests."""
    if id(asyncio.get_running_loop()) in _OURS:
        return contextvars.copy_context().run(work, *arguments)
    return await _hand_over(work, *arguments, **options)


concurrency.anyio.to_thread.run_sync = _run_where_it_stands
asgi.is_running_trio = lambda: False
"""Without Trio httpx looks through all of Python's path for it at each request, a fifth of what a small one takes."""

_create_engine = database.create_engine
_statements: dict[str, tuple[Dialect, Any]] = {}
_idle: dict[tuple[int, str], list[psycopg.Connection]] = {}
"""Connections that a service gave back, by process and database: PostgreSQL starts a process of its own for each new one."""


def _share_statements(connection: Connection) -> None:
    """Use the compiled statements of the first engine of this kind; they are kept by the dialect that compiled them."""
    engine = connection.engine
    engine.dialect, engine._compiled_cache = _statements.setdefault(engine.dialect.name, (engine.dialect, engine._compiled_cache))
    connection.dialect = engine.dialect


def _is_usable(connection: psycopg.Connection) -> bool:
    return not connection.closed and connection.info.transaction_status is psycopg.pq.TransactionStatus.IDLE


def _share_connections(engine: Engine) -> None:
    """Of an engine for PostgreSQL: what one gives back when it is closed the next one takes."""
    idle = _idle.setdefault((os.getpid(), engine.url.render_as_string()), [])

    def take(*_: Any) -> psycopg.Connection | None:
        while idle:
            connection = idle.pop()
            if _is_usable(connection):
                return connection
        return None

    def give_back(connection: psycopg.Connection) -> None:
        if _is_usable(connection):
            idle.append(connection)
        else:
            connection.close()

    event.listen(engine, "do_connect", take)
    engine.dialect.do_close = give_back


def _create_engine_that_shares(*given: Any, **options: Any) -> Engine:
    engine = _create_engine(*given, **options)
    if engine.dialect.name in _statements:
        engine.dialect.initialize = lambda connection: None
    if engine.dialect.name == database.POSTGRESQL:
        _share_connections(engine)
    event.listen(engine, "engine_connect", _share_statements)
    return engine


database.create_engine = _create_engine_that_shares


class _Chunks(httpx.AsyncByteStream):
    """The chunks of a body as the test gives them."""

    def __init__(self, body: Iterable[bytes]) -> None:
        """A body that is read once."""
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._body:
            yield chunk


class _InThisThread(httpx.BaseTransport):
    """Hands a request to the application on a loop that runs for no longer than the request."""

    def __init__(self, app: FastAPI, loop: asyncio.AbstractEventLoop) -> None:
        """Errors of the application are answers of status 500, as a server makes them."""
        self._inner = httpx.ASGITransport(app, raise_app_exceptions=False, client=("testclient", 50000))
        self._loop = loop

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, Iterable)
        request.stream = _Chunks(request.stream)
        return self._loop.run_until_complete(self._answer(request))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        found = await self._inner.handle_async_request(request)
        return httpx.Response(found.status_code, headers=found.headers.raw, stream=httpx.ByteStream(await found.aread()))


class OneAtATime(httpx.Client):
    """As ``TestClient``, for tests that never ask twice at once; as a context it runs what the service does at its start and end."""

    def __init__(self, app: FastAPI) -> None:
        """Nothing runs yet."""
        self.app = app
        self._loop = asyncio.new_event_loop()
        _OURS.add(id(self._loop))
        self._life: AbstractAsyncContextManager[Any] | None = None
        super().__init__(transport=_InThisThread(app, self._loop), base_url="http://testserver", follow_redirects=True)
        self.headers["user-agent"] = "testclient"

    def __enter__(self) -> Self:
        self._life = self.app.router.lifespan_context(self.app)
        self._loop.run_until_complete(self._life.__aenter__())
        return self

    def __exit__(self, *_: Any) -> None:
        assert self._life is not None
        self._loop.run_until_complete(self._life.__aexit__(None, None, None))
        self.close()

    def close(self) -> None:
        super().close()
        _OURS.discard(id(self._loop))
        self._loop.close()


def share_routes(app: FastAPI) -> FastAPI:
    """The same application with the routes of the first of its kind, whose models are built, and with the document that describes them.

    To build them again took most of a test.
    """
    first = _first.setdefault((app.title, len(app.router.routes)), app)
    app.router.routes = first.router.routes
    app.openapi = first.openapi  # type: ignore[method-assign]  # as FastAPI documents it
    return app
