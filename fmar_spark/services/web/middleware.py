"""What happens to every request before and after its route: an id, a bound on its size, a time, a row of audit, no leak on failure."""

import asyncio
import json
import logging
import re
import time
import traceback
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fmar_spark.services.web import health
from fmar_spark.services.web.access import ServiceParts, limit_anonymous
from fmar_spark.services.web.identifiers import new_id
from fmar_spark.services.web.limits import Allowance
from fmar_spark.services.web.problems import (
    OVERLOADED,
    PROBLEM_MEDIA_TYPE,
    BusyError,
    InvalidError,
    MediaTypeError,
    ServiceError,
    TooLargeError,
    TooManyError,
    UnreadableError,
    describe_problem,
)
from fmar_spark.services.web.replies import is_same

_CLOSE: Final = {"Connection": "close"}
_PLAIN: Final = {"Accept-Encoding": "identity", **_CLOSE}
_RETRY: Final = {"Retry-After": "1"}
_SLOWEST_BYTES_PER_SECOND: Final = 16_384
_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
_HOST: Final = re.compile(r"(?P<name>[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?", re.ASCII)
_MOST_FAULTS: Final = 20
_UNKNOWN_ROUTE: Final = "(none)"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_log = logging.getLogger(__name__)


class RequestGuard:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, parts: ServiceParts, large_bodies: Mapping[str, int], hosts: frozenset[str] | None = None) -> None:
        """Wraps the application.

        Args:
            app: the application.
            parts: of the service.
            large_bodies: bytes by path, where a path takes more than others.
            hosts: names in the header Host that are answered, at any port; None = all.
        """
        self._app = app
        self._parts = parts
        self._large_bodies = large_bodies
        self._hosts = hosts
        self._work = _Work(parts.settings.max_requests_at_once)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let HTTP through under watch; anything else as it is."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most_bytes = self._large_bodies.get(scope["path"], self._parts.settings.max_body_bytes)
        turn = _Turn(self._work)
        exchange = _Exchange(self._parts, scope, send)
        if scope["method"] == "HEAD":
            scope["method"] = "GET"
        try:
            exchange.check_head(self._hosts)
            bounded = exchange.bounded(receive, most_bytes, turn)
            if scope["path"] not in health.PATHS and not exchange.has_body:
                turn.begin()
            await self._app(scope, bounded, exchange.send)
        except BusyError as error:
            await exchange.reject(error)
        except ServiceError as error:
            await exchange.reject(exchange.limited(error))
        except Exception as error:
            # Not the message: database errors repeat values, and no MPAN belongs in a log.
            frames = "".join(traceback.format_tb(error.__traceback__))
            _log.error("request %s failed: %s\n%s", exchange.request_id, type(error).__name__, frames)
            await exchange.reject(ServiceError("failed", "the service failed; quote the instance when you report it"))
        finally:
            turn.end()
            exchange.record()


class _Work:
    """How many requests the service works on at the moment."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.count = 0


class _Turn:
    """One request's place among those at work: from the moment when it has arrived whole, so that a slow body keeps no place."""

    def __init__(self, work: _Work) -> None:
        self._work = work
        self._is_at_work = False

    def begin(self) -> None:
        """Take a place.

        Raises:
            BusyError: there is none.
        """
        if self._work.count >= self._work.most:
            raise BusyError(OVERLOADED, "the service is busy with other requests; send it again", headers=_RETRY)
        self._work.count += 1
        self._is_at_work = True

    def end(self) -> None:
        """Leave it, if it was taken."""
        self._work.count -= self._is_at_work
        self._is_at_work = False


class _Exchange:
    """One request and its answer."""

    def __init__(self, parts: ServiceParts, scope: Scope, send: Send) -> None:
        self.request_id = new_id()
        self._parts = parts
        self._scope = scope
        self._send = send
        self._began = time.perf_counter()
        self._began_at = datetime.now(UTC)
        self._method = scope["method"]
        self._has_content = self._method != "HEAD"
        self._status = 0
        self._is_answered = False
        scope.setdefault("state", {})["request_id"] = self.request_id

    @property
    def has_body(self) -> bool:
        """Whether a body follows the head."""
        headers = Headers(scope=self._scope)
        return headers.get("content-length", "0").strip("0") != "" or "transfer-encoding" in headers

    def check_head(self, hosts: frozenset[str] | None) -> None:
        """Nothing, if the request names a host that is answered, and each parameter of its query once.

        Raises:
            UnreadableError: the header Host names no host, or none that is answered: a page elsewhere can give this machine a name.
            InvalidError: a parameter is given more than once.
        """
        host = Headers(scope=self._scope).get("host", "")
        named = _HOST.fullmatch(host)
        if (named is None and host) or (hosts is not None and (named is None or named["name"].lower() not in hosts)):
            raise UnreadableError("unknown-host", "the header Host names none that this service answers for", headers=_CLOSE)
        names = Counter(name for name, _ in parse_qsl(self._scope["query_string"].decode("latin-1"), keep_blank_values=True))
        errors = [{"pointer": f"/query/{name}", "detail": "one value is required"} for name, times in names.items() if times > 1]
        if errors:
            raise InvalidError("invalid-request", "a parameter is given more than once", {"errors": errors[:_MOST_FAULTS]})

    def bounded(self, receive: Receive, most: int, turn: _Turn) -> Receive:
        """The request's body, up to so many bytes; with its end the request takes its turn."""
        too_large = TooLargeError("body-too-large", f"at most {most} bytes are taken", headers=_CLOSE)
        headers = Headers(scope=self._scope)
        declared = headers.get("content-length", "0")
        if "content-length" in headers and "transfer-encoding" in headers:
            raise UnreadableError("two-lengths", "Content-Length beside Transfer-Encoding: one of them is required", headers=_CLOSE)
        if not declared.isascii() or not declared.isdigit() or int(declared[:18]) > most:
            raise too_large
        if self.has_body and headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise MediaTypeError("encoded-body", "a body without Content-Encoding is required", headers=_PLAIN)
        received = 0
        seconds = self._parts.settings.request_body_seconds
        is_whole = not self.has_body

        async def receive_some() -> Message:
            nonlocal received, is_whole
            if is_whole:
                return await receive()
            left = self._began + seconds + received / _SLOWEST_BYTES_PER_SECOND - time.perf_counter()
            try:
                message = await asyncio.wait_for(receive(), max(left, 0.001))
            except TimeoutError as error:
                raise HTTPException(408, headers=_CLOSE) from error
            received += len(message.get("body", b""))
            is_whole = not message.get("more_body", False)
            if received > most:
                # FastAPI turns any other exception while it reads a body into a 400.
                raise HTTPException(too_large.status, too_large.detail, _CLOSE)
            if is_whole:
                try:
                    turn.begin()
                except BusyError as error:
                    raise HTTPException(error.status, headers=error.headers) from error
            return message

        return receive_some

    def limited(self, error: ServiceError) -> ServiceError:
        """The rejection, or that its address asks too often."""
        try:
            limit_anonymous(Request(self._scope))
        except TooManyError as too_many:
            return too_many
        return error

    async def send(self, message: Message) -> None:
        """The answer, with its id, what is left of the caller's rate, and headers that keep browsers out; 304 where it is known."""
        if message["type"] == "http.response.start":
            self._is_answered = True
            headers = MutableHeaders(scope=message)
            if self._is_known(message["status"], headers):
                message["status"] = 304
                self._has_content = False
                for name in ("content-length", "content-type"):
                    del headers[name]
            self._status = message["status"]
            headers["X-Request-ID"] = self.request_id
            headers["X-Content-Type-Options"] = "nosniff"
            headers.setdefault("Cache-Control", "no-store")
            headers.setdefault("Content-Security-Policy", _POLICY)
            allowance: Allowance | None = self._scope["state"].get("allowance")
            for name, value in (allowance.describe() if allowance else {}).items():
                headers.setdefault(name, value)
        elif message["type"] == "http.response.body" and not self._has_content:
            message = {**message, "body": b""}
        await self._send(message)

    def _is_known(self, status: int, headers: MutableHeaders) -> bool:
        is_read = self._method in {"GET", "HEAD"} and status == 200 and "etag" in headers
        return is_read and is_same(Headers(scope=self._scope).get("if-none-match"), headers["etag"])

    async def reject(self, error: ServiceError) -> None:
        """A problem document, unless the answer has begun."""
        if self._is_answered:
            return
        self._scope["state"]["problem"] = error.name
        body = json.dumps(describe_problem(error, self.request_id)).encode()
        named = {"content-type": PROBLEM_MEDIA_TYPE, "content-length": str(len(body)), **error.headers}
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in named.items()]
        await self.send({"type": "http.response.start", "status": error.status, "headers": raw})
        await self.send({"type": "http.response.body", "body": body})

    def record(self) -> None:
        """Count, log and audit."""
        state: dict[str, Any] = self._scope["state"]
        seconds = time.perf_counter() - self._began
        method = self._method if self._method in _METHODS else "OTHER"
        route = getattr(self._scope.get("route"), "path", _UNKNOWN_ROUTE)
        metrics = self._parts.metrics
        metrics.requests.labels(method, route, str(self._status)).inc()
        metrics.seconds.labels(method, route).observe(seconds)
        if state.get("problem"):
            metrics.problems.labels(state["problem"]).inc()
        _log.info("request %s %s %s %s %.1f ms", self.request_id, method, route, self._status, seconds * 1000)
        if self._scope["path"] in health.PATHS:
            return
        self._parts.audit.add(
            {
                "request_id": self.request_id,
                "requested_at": self._began_at,
                "party_id": state.get("party_id"),
                "client_id": state.get("client_id"),
                "method": method,
                "route": route,
                "status": self._status,
                "problem": state.get("problem"),
                "seconds": seconds,
            }
        )
