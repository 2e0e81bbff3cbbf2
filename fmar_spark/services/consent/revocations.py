"""Takes the consent service's revocations: signed, on the disk before they are acknowledged, applied by the next refresh."""

import hmac
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse

from fmar_spark.errors import ConfigError
from fmar_spark.intake.consent.decisions import read_revocations
from fmar_spark.services.gateway.landing_writer import LandingWriter, WriterLimits
from fmar_spark.services.outbox.webhooks import sign_body
from fmar_spark.services.web.problems import ForbiddenError, TooLargeError, UnreadableError
from fmar_spark.settings.sections import ConsentSettings

STAMP: Final = "X-Consent-Timestamp"
SIGNATURE: Final = "X-Consent-Signature"
PATH: Final = "/consent/revocations"
MAX_BODY_BYTES: Final = 2**20
LEAST_SECRET: Final = 16
WINDOW: Final = timedelta(minutes=5)
_LIMITS: Final = WriterLimits(batch_bytes=2**20, linger_seconds=0.0, waiting_bytes=16 * 2**20, free_bytes=2**20)


class RevocationInbox:
    """Where revocations wait for the next refresh, and the secret that they are signed with."""

    def __init__(self, folder: Path, secret: bytes) -> None:
        """Make the folder.

        Raises:
            ConfigError: it cannot be written to.
        """
        self.writer = LandingWriter(folder, _LIMITS)
        self.secret = secret


def open_inbox(settings: ConsentSettings) -> RevocationInbox | None:
    """The inbox that the settings name; none where they name no secret.

    Raises:
        ConfigError: the secret cannot be read or is too short, or the folder cannot be written to.
    """
    if not settings.webhook_secret_file:
        return None
    try:
        secret = Path(settings.webhook_secret_file).read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"consent.webhook_secret_file: {settings.webhook_secret_file}: {error.strerror}") from error
    if len(secret) < LEAST_SECRET:
        raise ConfigError(f"consent.webhook_secret_file: {settings.webhook_secret_file}: at least {LEAST_SECRET} characters wanted")
    return RevocationInbox(Path(settings.inbox), secret)


def build_routes(inbox: RevocationInbox) -> APIRouter:
    """The one route, for an application that answers ``ServiceError`` as a problem document."""
    router = APIRouter()

    @router.post(PATH)
    async def take_revocations(request: Request) -> Response:
        """202 once the revocations are on the disk.

        Raises:
            ServiceError: not signed by the service, too large, or not what docs/consent.md describes.
        """
        body = await _read_body(request)
        now = datetime.now(UTC)
        _check_signature(request, body, inbox.secret, now)
        try:
            rows = read_revocations(body, now)
        except ValueError as error:
            raise UnreadableError("revocations", str(error)) from error
        await inbox.writer.write("revocations", body, is_joinable=False)
        return JSONResponse({"accepted": len(rows)}, 202)

    return router


async def _read_body(request: Request) -> bytes:
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > MAX_BODY_BYTES:
            raise TooLargeError("body-too-large", f"at most {MAX_BODY_BYTES} bytes are taken", headers={"Connection": "close"})
        pieces.append(piece)
    return b"".join(pieces)


def _check_signature(request: Request, body: bytes, secret: bytes, now: datetime) -> None:
    """HMAC over time and body, within the window, from exactly one header each."""
    stamps, given = request.headers.getlist(STAMP), request.headers.getlist(SIGNATURE)
    if len(stamps) != 1 or len(given) != 1:
        raise ForbiddenError("signature", f"{STAMP} and {SIGNATURE} are required, once each")
    if not hmac.compare_digest(given[0].encode(), f"v1={sign_body(secret, stamps[0], body)}".encode()):
        raise ForbiddenError("signature", f"{SIGNATURE}: not the signature of this body at this time")
    try:
        stamp = datetime.fromisoformat(stamps[0])
        is_near = stamp.tzinfo is not None and abs(stamp - now) <= WINDOW
    except ValueError:
        is_near = False
    if not is_near:
        raise ForbiddenError("signature-date", f"{STAMP}: a time with its offset, within {WINDOW.seconds} seconds of now, is required")
