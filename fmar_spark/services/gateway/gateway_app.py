"""The gateway over HTTP: one URL a channel, to which the DIP posts arrays of messages."""

import asyncio
import hashlib
import hmac
import ipaddress
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from fmar_spark import __version__
from fmar_spark.intake.dip.rules import DecodeRules
from fmar_spark.services.gateway.receipts import Received, receive
from fmar_spark.services.gateway.signatures import SIGNED_HEADERS, SignatureCheck, SignedRequest
from fmar_spark.services.gateway.sink import Sink
from fmar_spark.services.web.identifiers import new_id
from fmar_spark.services.web.metrics import Metrics
from fmar_spark.services.web.problems import (
    PROBLEM_MEDIA_TYPE,
    TITLES,
    ForbiddenError,
    MediaTypeError,
    MissingError,
    ServiceError,
    TooLargeError,
    UnreadableError,
    describe_problem,
)
from fmar_spark.settings.sections import GatewaySettings

API_KEY: Final = "x-api-key"
PROXY_VERIFIED: Final = "x-client-verify"
"""Set by a proxy that checks client certificates; ``SUCCESS`` as nginx writes it."""
_SINGLE: Final = (*SIGNED_HEADERS, API_KEY, PROXY_VERIFIED, "content-type", "content-length", "host")
_INLINE_BYTES: Final = 65_536
"""A larger body is read in a thread, so that it holds up nobody else."""
_SLOWEST_BYTES_PER_SECOND: Final = 16_384
_CLOSE: Final = {"Connection": "close"}
_log = logging.getLogger(__name__)
router = APIRouter()


class GatewayMetrics(Metrics):
    """What the gateway counts."""

    def __init__(self) -> None:
        """All at zero."""
        super().__init__("gateway")
        self.messages = self.count("messages", "Messages by channel and what became of them.", "channel", "outcome")
        self.bytes = self.count("bytes", "Bytes of bodies that became durable.", "channel")


class Answers:
    """Answers to requests of the last minutes, by signature: the same request again is answered as before and stored once."""

    def __init__(self, seconds: float, most_bytes: int) -> None:
        """Remember answers for so long, and no more than so many bytes of them."""
        self._seconds, self._most_bytes = seconds, most_bytes
        self._kept: OrderedDict[bytes, tuple[float, Response]] = OrderedDict()
        self._bytes = 0

    def find(self, key: bytes) -> Response | None:
        """The earlier answer, if there is one."""
        self._forget()
        kept = self._kept.get(key)
        return kept[1] if kept else None

    def keep(self, key: bytes, answer: Response) -> None:
        """Remember an answer."""
        self._kept[key] = (time.monotonic(), answer)
        self._bytes += len(answer.body)
        self._forget()

    def _forget(self) -> None:
        oldest = time.monotonic() - self._seconds
        while self._kept and (self._bytes > self._most_bytes or next(iter(self._kept.values()))[0] < oldest):
            _, (_, answer) = self._kept.popitem(last=False)
            self._bytes -= len(answer.body)


@dataclass(frozen=True)
class GatewayParts:
    """What a running gateway works with."""

    settings: GatewaySettings
    rules: DecodeRules
    writer: Sink
    signatures: SignatureCheck
    metrics: GatewayMetrics
    answers: Answers


def build_gateway(parts: GatewayParts) -> FastAPI:
    """The gateway as an ASGI application."""
    app = FastAPI(title="FMAR DIP gateway", version=__version__, lifespan=_lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.parts = parts
    app.include_router(router)
    app.add_exception_handler(ServiceError, _answer_rejection)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_middleware(_Guard, parts=parts)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.parts.writer.stop()


@router.post("/dip/{channel}")
async def take_messages(channel: str, request: Request) -> Response:
    """Take an array of messages: 201 all accepted, 207 some, 400 none, once they are durable.

    Raises:
        ServiceError: the request is not the DIP's, or cannot be stored now.
    """
    parts: GatewayParts = request.app.state.parts
    _check_heads(request)
    _check_peer(request, parts.settings)
    _check_key(channel, request, parts.settings)
    room = Room(parts.writer)
    try:
        return await _store(channel, request, parts, await _read_body(request, parts, room))
    finally:
        room.release()


class Room:
    """What one request holds of the bytes that may wait."""

    def __init__(self, writer: Sink) -> None:
        """None yet."""
        self._writer = writer
        self._held = 0

    def hold(self, length: int) -> None:
        """Hold so many bytes in all.

        Raises:
            BusyError: there is no room for them.
        """
        more = max(length - self._held, 0)
        self._writer.reserve(more)
        self._held += more

    def release(self) -> None:
        """Give everything back."""
        self._writer.release(self._held)
        self._held = 0


async def _store(channel: str, request: Request, parts: GatewayParts, body: bytes) -> Response:
    """The answer to a body that the DIP signed, once it is durable."""
    is_small = len(body) <= _INLINE_BYTES
    signed = SignedRequest("POST", _signed_url(request, parts.settings), _take_headers(request), body)
    signature = parts.signatures.check(signed) if is_small else await run_in_threadpool(parts.signatures.check, signed)
    key = hashlib.sha256(signature).digest()
    if (earlier := parts.answers.find(key)) is not None:
        parts.metrics.messages.labels(channel, "repeated").inc()
        return earlier
    received = receive(body, parts.rules) if is_small else await run_in_threadpool(receive, body, parts.rules)
    await parts.writer.write(channel, body, is_joinable=received.is_joinable)
    answer = Response(received.answer, received.status, media_type="application/json")
    parts.answers.keep(key, answer)
    _count(parts.metrics, channel, received, len(body))
    return answer


def _check_heads(request: Request) -> None:
    """No header that decides anything may come twice, and a body has one length: a proxy might have read the other one."""
    for name in _SINGLE:
        if len(request.headers.getlist(name)) > 1:
            raise UnreadableError("repeated-header", f"{name}: found more than once", headers=_CLOSE)
    if "content-length" in request.headers and "transfer-encoding" in request.headers:
        raise UnreadableError("two-lengths", "Content-Length beside Transfer-Encoding: one of them is required", headers=_CLOSE)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise MediaTypeError("media-type", "application/json is required")
    if "content-encoding" in request.headers:
        raise MediaTypeError("media-type", "a body without Content-Encoding is required: the signature is over the bytes as they arrive")


def _check_peer(request: Request, settings: GatewaySettings) -> None:
    """Where a proxy checks client certificates, only what such a proxy passes on."""
    if settings.tls != "proxy":
        return
    address = request.client.host if request.client else ""
    try:
        is_proxy = any(ipaddress.ip_address(address) in ipaddress.ip_network(one) for one in settings.proxies)
    except ValueError:
        is_proxy = False
    if not is_proxy or request.headers.get(PROXY_VERIFIED) != "SUCCESS":
        raise ForbiddenError("no-client-certificate", "a client certificate that the proxy verified is required")


def _check_key(channel: str, request: Request, settings: GatewaySettings) -> None:
    """The channel's own key; an unknown channel takes as long as a wrong key."""
    given = hashlib.sha256(request.headers.get(API_KEY, "").encode()).hexdigest()
    wanted = settings.channels.get(channel)
    if not hmac.compare_digest(given, (wanted or "0" * len(given)).lower()):
        raise ForbiddenError("api-key", "X-API-Key: not the key of this channel")
    if wanted is None:
        raise MissingError("no-such-channel", "no such channel")


async def _read_body(request: Request, parts: GatewayParts, room: Room) -> bytes:
    """The bytes as they arrived, as long as there is room for them."""
    most = parts.settings.max_body_bytes
    too_large = TooLargeError("body-too-large", f"at most {most} bytes are taken", headers=_CLOSE)
    declared = request.headers.get("content-length", "0")
    if not (declared.isascii() and declared.isdigit()) or int(declared[:18]) > most:
        raise too_large
    room.hold(int(declared))
    pieces: list[bytes] = []
    size, began = 0, time.monotonic()
    stream = request.stream().__aiter__()
    while True:
        left = began + parts.settings.body_seconds + size / _SLOWEST_BYTES_PER_SECOND - time.monotonic()
        try:
            piece = await asyncio.wait_for(anext(stream), max(left, 0.001))
        except StopAsyncIteration:
            return b"".join(pieces)
        except TimeoutError as error:
            raise HTTPException(408, headers=_CLOSE) from error
        size += len(piece)
        if size > most:
            raise too_large
        room.hold(size)
        pieces.append(piece)


def _signed_url(request: Request, settings: GatewaySettings) -> str:
    """The URL that the DIP addressed, which a proxy may hide from this process."""
    query = f"?{request.url.query}" if request.url.query else ""
    base = settings.public_url.rstrip("/") or f"{request.url.scheme}://{request.headers.get('host', '')}"
    return f"{base}{request.url.path}{query}"


def _take_headers(request: Request) -> dict[str, str]:
    return {name: request.headers.get(name, "") for name in SIGNED_HEADERS}


def _count(metrics: GatewayMetrics, channel: str, received: Received, length: int) -> None:
    metrics.messages.labels(channel, "accepted").inc(received.accepted)
    metrics.messages.labels(channel, "rejected").inc(received.rejected)
    metrics.bytes.labels(channel).inc(length)


async def _answer_rejection(request: Request, error: Exception) -> Response:
    rejection = error if isinstance(error, ServiceError) else ServiceError("failed", "the gateway failed")
    request.app.state.parts.metrics.problems.labels(rejection.name).inc()
    request_id = new_id()
    _log.info("request %s rejected: %s", request_id, rejection.name)
    return JSONResponse(describe_problem(rejection, request_id), rejection.status, rejection.headers, media_type=PROBLEM_MEDIA_TYPE)


async def _answer_http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    names = {404: "no-such-resource", 405: "method-not-allowed", 408: "request-too-slow"}
    rejection = ServiceError(names.get(status, "bad-request"), TITLES.get(status, "The request cannot be read"))
    rejection.status = status if status in TITLES else 400
    rejection.headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    return await _answer_rejection(request, rejection)


class _Guard:
    """Around the whole application: a failure is answered, and its text logged nowhere: it may repeat a message, and an MPAN with it."""

    def __init__(self, app: ASGIApp, parts: GatewayParts) -> None:
        self._app = app
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through; whoever has hung up is answered nothing."""
        try:
            await self._app(scope, receive, send)
        except ClientDisconnect:
            self._parts.metrics.problems.labels("disconnected").inc()
        except Exception as error:
            _log.error("request failed: %s", type(error).__name__)
            self._parts.metrics.problems.labels("failed").inc()
            failed = ServiceError("failed", "the gateway failed; send it again later", headers={"Retry-After": "5"})
            document = describe_problem(failed, new_id())
            await JSONResponse(document, failed.status, failed.headers, media_type=PROBLEM_MEDIA_TYPE)(scope, receive, send)


def describe_health(parts: GatewayParts) -> dict[str, Any]:
    """How the gateway is: whether it can store, and how much waits."""
    return {"ready": parts.writer.is_ready(), "waiting_bytes": parts.writer.waiting_bytes, "stored": parts.writer.stored}
