"""The issuer's public keys: fetched when needed, kept, and fetched again for an unknown key id at most once an interval.

On one's own machine the service may issue tokens itself, with a key that lives as long as the process.
"""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey, import_key

from fmar_spark.errors import ConfigError
from fmar_spark.services.web.problems import BusyError, UnauthenticatedError
from fmar_spark.settings.sections import ServiceSettings

PublicKey = RSAKey | ECKey
FetchKeys = Callable[[], Awaitable[object]]
"""The issuer's answer, whatever JSON it is."""
_log = logging.getLogger(__name__)
_FETCH_TIMEOUT_SECONDS: Final = 5.0
_FIRST_PAUSE_SECONDS: Final = 1.0
_MOST_KEYS: Final = 100
_MOST_BYTES: Final = 2**20
DEVELOPMENT_ISSUER: Final = "urn:fmar:development-issuer"
LOCAL: Final = "local"
_DEVELOPMENT_KEY_ID: Final = "development"


class SigningKeys:
    """Keys by their id."""

    def __init__(self, fetch: FetchKeys, settings: ServiceSettings, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is fetched before the first question."""
        self._fetch = fetch
        self._refetch_seconds = settings.jwks_refetch_seconds
        self._max_age_seconds = settings.jwks_max_age_seconds
        self._clock = clock
        self._keys: dict[str, PublicKey] = {}
        self._tried_at = float("-inf")
        self._fetched_at = float("-inf")
        self._turn = asyncio.Lock()

    async def find(self, key_id: str) -> PublicKey:
        """The issuer's key of that id.

        Raises:
            UnauthenticatedError: the issuer publishes no such key.
            BusyError: no key at all could be fetched so far.
        """
        if self._is_due(key_id):
            async with self._turn:
                if self._is_due(key_id):
                    await self._refresh()
        if not self._keys:
            raise BusyError("issuer-unreachable", "the issuer's keys cannot be fetched at the moment", headers={"Retry-After": "5"})
        if key_id not in self._keys:
            raise UnauthenticatedError("invalid-token", "the token is signed by a key that the issuer does not publish")
        return self._keys[key_id]

    def _is_due(self, key_id: str) -> bool:
        now = self._clock()
        is_stale = key_id not in self._keys or now - self._fetched_at > self._max_age_seconds
        pause = self._refetch_seconds if self._keys else min(_FIRST_PAUSE_SECONDS, self._refetch_seconds)
        return is_stale and now - self._tried_at >= pause

    async def _refresh(self) -> None:
        """Replace the keys; those that were there stay until the issuer gives a good answer: one with a key that can be used."""
        self._tried_at = self._clock()
        try:
            keys = _import_keys(await self._fetch())
        except (httpx.HTTPError, TimeoutError, ValueError) as error:
            _log.warning("the issuer's keys cannot be fetched: %s", type(error).__name__)
            return
        if not keys:
            _log.warning("the issuer's answer holds no key that can be used; %d known keys stay", len(self._keys))
            return
        self._keys = keys
        self._fetched_at = self._clock()


class DevelopmentIssuer:
    """Signs tokens for whoever starts the service on their own machine."""

    def __init__(self, environment: str) -> None:
        """A new key.

        Raises:
            ConfigError: the environment is not local.
        """
        if environment != LOCAL:
            raise ConfigError(f"development issuer: rejected in environment {environment!r}; it is for {LOCAL} alone")
        self._key = RSAKey.generate_key(2048, parameters={"kid": _DEVELOPMENT_KEY_ID, "use": "sig", "alg": "RS256"})

    async def fetch(self) -> dict[str, Any]:
        """The JWKS document."""
        return {"keys": [self._key.as_dict(private=False)]}

    def sign(self, client_id: str, audience: str, seconds: int = 8 * 3600, **claims: object) -> str:
        """A token for a client; further claims replace those that are there."""
        now = int(time.time())
        content: dict[str, Any] = {
            "iss": DEVELOPMENT_ISSUER,
            "aud": audience,
            "client_id": client_id,
            "iat": now,
            "exp": now + seconds,
            **claims,
        }
        return jwt.encode({"alg": "RS256", "kid": _DEVELOPMENT_KEY_ID}, content, self._key, algorithms=["RS256"])


def fetch_from(settings: ServiceSettings, environment: str, transport: httpx.AsyncBaseTransport | None = None) -> FetchKeys:
    """Fetches the JWKS document of the configured issuer.

    Raises:
        ConfigError: the URL is missing, or not https outside local and test.
    """
    url, name = settings.jwks_url, f"{settings.section_name}.jwks_url"
    if not url:
        raise ConfigError(f"{name}: the URL of the issuer's keys wanted")
    if not url.startswith("https://") and environment not in {LOCAL, "test"}:
        raise ConfigError(f"{name}: https wanted in environment {environment}")

    async def fetch() -> object:
        body = bytearray()
        async with (
            asyncio.timeout(_FETCH_TIMEOUT_SECONDS),
            httpx.AsyncClient(timeout=_FETCH_TIMEOUT_SECONDS, follow_redirects=False, transport=transport) as client,
            client.stream("GET", url) as answer,
        ):
            answer.raise_for_status()
            async for block in answer.aiter_bytes():
                body += block
                if len(body) > _MOST_BYTES:
                    raise ValueError("the issuer's answer is too large")
        return json.loads(body)

    return fetch


def _import_keys(document: object) -> dict[str, PublicKey]:
    """Public RSA and EC keys for signatures; anything else in the document is passed over."""
    keys: dict[str, PublicKey] = {}
    published = document.get("keys") if isinstance(document, dict) else None
    for entry in published[:_MOST_KEYS] if isinstance(published, list) else ():
        key_id = entry.get("kid") if isinstance(entry, dict) else None
        if not isinstance(key_id, str) or entry.get("kty") not in {"RSA", "EC"} or entry.get("use", "sig") != "sig":
            continue
        try:
            key = import_key({name: value for name, value in entry.items() if name not in {"d", "p", "q", "dp", "dq", "qi"}})
        except (JoseError, ValueError, TypeError):
            _log.warning("a key of the issuer cannot be read and is passed over")
            continue
        if isinstance(key, RSAKey | ECKey):
            keys[key_id] = key
    return keys
