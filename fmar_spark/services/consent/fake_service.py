"""A stand-in for the consent service: it answers as docs/consent.md says, or wrongly on request, and revokes by webhook."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import msgspec
from fastapi import FastAPI, Request, Response

from fmar_spark.services.consent.consent_client import DECISIONS_PATH
from fmar_spark.services.consent.revocations import SIGNATURE, STAMP
from fmar_spark.services.outbox.webhooks import sign_body

CLEAR: Final = "clear"
DOWN: Final = "down"
NONSENSE: Final = "nonsense"


@dataclass
class FakeService:
    """What the stand-in knows and how it behaves; tests change it as they go."""

    states: dict[str, str] = field(default_factory=dict)
    """granted, withdrawn or opted_out by MPAN; a meter that is not there is unknown."""
    behaviour: str = CLEAR
    """``clear``, ``down`` (status 503) or ``nonsense`` (text instead of an answer)."""
    life: timedelta = timedelta(days=7)
    """How long its answers may be relied on."""
    asked: list[list[str]] = field(default_factory=list)
    """The meters of each question."""

    def answer(self, mpans: list[str], purpose: str) -> bytes:
        """The body of its answer."""
        self.asked.append(mpans)
        return msgspec.json.encode({"decisions": [self.decide(mpan, purpose) for mpan in mpans]})

    def decide(self, mpan: str, purpose: str) -> dict[str, Any]:
        """One decision."""
        expires = datetime.now(UTC) + self.life
        state = self.states.get(mpan, "none")
        return {"mpan": mpan, "purpose": purpose, "state": state, "reference_id": f"ref-{mpan[-4:]}", "expires_at": expires.isoformat()}


def build_fake(fake: FakeService) -> FastAPI:
    """The stand-in as an application."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.post(DECISIONS_PATH)
    async def decide(request: Request) -> Response:
        if fake.behaviour == DOWN:
            return Response(status_code=503)
        if fake.behaviour == NONSENSE:
            return Response("<html>maintenance</html>", media_type="text/html")
        question = msgspec.json.decode(await request.body())
        return Response(fake.answer(question["mpans"], question["purpose"]), media_type="application/json")

    return app


def revoke(client: httpx.Client, url: str, secret: bytes, revocations: list[dict[str, str]], at: datetime | None = None) -> httpx.Response:
    """Send signed revocations, as the service does."""
    body = msgspec.json.encode({"revocations": revocations})
    stamp = (at or datetime.now(UTC)).isoformat()
    headers = {STAMP: stamp, SIGNATURE: f"v1={sign_body(secret, stamp, body)}", "Content-Type": "application/json"}
    return client.post(url, content=body, headers=headers)
