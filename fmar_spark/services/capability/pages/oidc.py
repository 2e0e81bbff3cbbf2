"""Signing in through the configured issuer: OpenID Connect's code flow with PKCE (RFC 7636), for a public client.

The issuer's access token is the one that the API takes; the browser gets it as its session, as if it had been pasted.
"""

import asyncio
import base64
import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, NamedTuple
from urllib.parse import urlencode

import httpx
from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse

from fmar_spark.errors import ConfigError
from fmar_spark.services.capability.pages.frame import page_router, render
from fmar_spark.services.capability.pages.session import keep_session, landing_of, local_path
from fmar_spark.services.web.access import identify, limit_anonymous
from fmar_spark.services.web.problems import BusyError, MissingError, UnauthenticatedError
from fmar_spark.settings.sections import ReadSettings

FLOW_COOKIE: Final = "fmar_flow"
CALLBACK: Final = "/sign-in/callback"
_FLOW_SECONDS: Final = 600
_TIMEOUT_SECONDS: Final = 5.0
_MOST_BYTES: Final = 2**16
FetchToken = Callable[[dict[str, str]], Awaitable[Any]]
"""Sends a form to the issuer's token endpoint; its JSON answer."""
router: Final = page_router()


class OpenIdClient(NamedTuple):
    """This service as the issuer knows it."""

    client_id: str
    authorize_url: str
    public_url: str
    scope: str
    fetch: FetchToken

    @property
    def redirect_uri(self) -> str:
        """Where the issuer sends the browser back to."""
        return f"{self.public_url.rstrip('/')}{CALLBACK}"


def open_client(settings: ReadSettings, transport: httpx.AsyncBaseTransport | None = None) -> OpenIdClient | None:
    """The client of the settings; None where none is configured.

    Raises:
        ConfigError: some of its settings are missing, or an address is not https.
    """
    wanted = {name: getattr(settings, name) for name in ("oidc_client_id", "oidc_authorize_url", "oidc_token_url", "public_url")}
    if not any(wanted.values()):
        return None
    missing = [name for name, value in wanted.items() if not value]
    if missing:
        raise ConfigError(f"reads.{missing[0]}: empty; all of {', '.join(wanted)} wanted, or none")
    plain = [name for name, value in wanted.items() if name.endswith("_url") and not value.startswith("https://")]
    if plain:
        raise ConfigError(f"reads.{plain[0]}: {wanted[plain[0]]!r} found, an address with https:// wanted")

    async def fetch(form: dict[str, str]) -> Any:
        async with (
            asyncio.timeout(_TIMEOUT_SECONDS),
            httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, follow_redirects=False, transport=transport) as client,
        ):
            answer = await client.post(settings.oidc_token_url, data=form, headers={"Accept": "application/json"})
            answer.raise_for_status()
            return json.loads(answer.content[:_MOST_BYTES])

    return OpenIdClient(settings.oidc_client_id, settings.oidc_authorize_url, settings.public_url, settings.oidc_scope, fetch)


def client_of(request: Request) -> OpenIdClient:
    """The configured client.

    Raises:
        MissingError: none is configured.
    """
    client: OpenIdClient | None = getattr(request.app.state, "oidc", None)
    if client is None:
        raise MissingError("no-issuer", "no issuer is configured for signing in")
    return client


@router.get("/sign-in/issuer")
async def begin(request: Request, following: Annotated[str, Query(alias="next", max_length=500)] = "/") -> Response:
    """Sends the browser to the issuer; what proves that it comes back from there waits in a cookie."""
    limit_anonymous(request, "page")
    client = client_of(request)
    state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    asked = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": client.redirect_uri,
        "scope": client.scope,
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    answer = RedirectResponse(f"{client.authorize_url}?{urlencode(asked)}", 303, {"Cache-Control": "no-store"})
    flow = base64.urlsafe_b64encode(json.dumps([state, verifier, local_path(following)]).encode()).decode()
    answer.set_cookie(FLOW_COOKIE, flow, max_age=_FLOW_SECONDS, httponly=True, secure=True, samesite="lax", path="/sign-in")
    return answer


@router.get(CALLBACK)
async def end(
    request: Request, code: Annotated[str, Query(max_length=2000)] = "", state: Annotated[str, Query(max_length=200)] = ""
) -> Response:
    """The issuer's code becomes a session, if the same browser asked for it."""
    limit_anonymous(request, "page")
    client = client_of(request)
    expected, verifier, following = _read_flow(request.cookies.get(FLOW_COOKIE, ""))
    if not code or not expected or not secrets.compare_digest(state.encode(), expected.encode()):
        raise UnauthenticatedError("sign-in-failed", "the issuer's answer does not belong to a sign-in that began here")
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": client.redirect_uri}
    try:
        granted = await client.fetch({**form, "client_id": client.client_id, "code_verifier": verifier})
    except (httpx.HTTPError, TimeoutError, ValueError) as error:
        raise BusyError("issuer-unreachable", "the issuer did not turn its code into a token; sign in again") from error
    token = granted.get("access_token") if isinstance(granted, dict) else None
    caller = await identify(request, token if isinstance(token, str) else "")
    # A page, not a redirect: a browser that comes from another site sends no strict cookie on the way.
    page = render(request, "signed_in.html", None, following=following or landing_of(request, caller))
    keep_session(request, page, str(token))
    page.delete_cookie(FLOW_COOKIE, path="/sign-in", httponly=True, secure=True, samesite="lax")
    return page


def _read_flow(cookie: str) -> tuple[str, str, str]:
    """State, verifier and path of a sign-in that began; empty where the cookie holds none."""
    try:
        state, verifier, following = flow = json.loads(base64.urlsafe_b64decode(cookie.encode()))
        json.dumps(flow, ensure_ascii=False).encode()
    except (ValueError, TypeError, RecursionError):
        return "", "", ""
    return (state, verifier, local_path(following)) if all(isinstance(one, str) for one in (state, verifier, following)) else ("", "", "")
