"""Which client a bearer token speaks for, if it can be trusted: signature, issuer, audience and times."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import extract_compact
from joserfc.jwt import JWTClaimsRegistry

from fmar_spark.errors import ConfigError
from fmar_spark.services.web.problems import UnauthenticatedError
from fmar_spark.services.web.signing_keys import PublicKey, SigningKeys
from fmar_spark.settings.sections import ServiceSettings

_MOST_TOKEN_CHARACTERS: Final = 8192
_MOST_CLIENT_CHARACTERS: Final = 128
_MOST_KNOWN: Final = 10_000
_ASYMMETRIC: Final = {
    "RS256": "RSA",
    "RS384": "RSA",
    "RS512": "RSA",
    "PS256": "RSA",
    "PS384": "RSA",
    "PS512": "RSA",
    "ES256": "EC",
    "ES384": "EC",
}


class _Known(NamedTuple):
    """A token that was accepted."""

    client_id: str
    key_id: str
    key: PublicKey
    until: float
    """Seconds since 1970."""


class TokenVerifier:
    """Accepts tokens of one issuer for one audience."""

    def __init__(self, settings: ServiceSettings, keys: SigningKeys, clock: Callable[[], float] = time.time) -> None:
        """Settings are checked at once.

        Raises:
            ConfigError: no issuer, or an algorithm that is not an asymmetric signature.
        """
        section = settings.section_name
        if not settings.issuer or not settings.audience:
            raise ConfigError(f"{section}.issuer and {section}.audience: both wanted")
        rejected = sorted(set(settings.algorithms) - set(_ASYMMETRIC))
        if rejected or not settings.algorithms:
            raise ConfigError(f"{section}.algorithms: {', '.join(rejected) or 'nothing'} found, of {', '.join(_ASYMMETRIC)} wanted")
        self._settings = settings
        self._keys = keys
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def find_client(self, token: str) -> str:
        """The client id of a token that can be trusted.

        Raises:
            UnauthenticatedError: it cannot; the detail says why in general, never what the token held.
            BusyError: the issuer's keys cannot be fetched.
        """
        known = self._known.get(token)
        if known is not None and self._clock() < known.until and await self._keys.find(known.key_id) is known.key:
            self._known.move_to_end(token)
            return known.client_id
        algorithm, key_id = self._read_header(token)
        key = await self._keys.find(key_id)
        if key.key_type != _ASYMMETRIC[algorithm]:
            raise _reject("the token's algorithm does not suit its key")
        try:
            claims = jwt.decode(token, key, algorithms=[algorithm]).claims
            self._claims_registry().validate(claims)
        except (JoseError, ValueError, TypeError) as error:
            raise _reject(f"the token cannot be trusted ({getattr(error, 'error', 'malformed')})") from error
        for name in self._settings.client_claims:
            client = claims.get(name)
            if isinstance(client, str) and 0 < len(client) <= _MOST_CLIENT_CHARACTERS and client.isprintable():
                self._remember(token, _Known(client, key_id, key, claims["exp"]))
                return client
        raise _reject("the token names no client")

    def _remember(self, token: str, known: _Known) -> None:
        """A signature that was checked stays good until the token ends or its key is replaced."""
        self._known[token] = known
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)

    def _read_header(self, token: str) -> tuple[str, str]:
        if len(token) > _MOST_TOKEN_CHARACTERS:
            raise _reject("the token is too long")
        try:
            header = extract_compact(token.encode("ascii")).headers()
        except (JoseError, ValueError, TypeError, AttributeError) as error:
            raise _reject("the token is not a signed JWT") from error
        algorithm, key_id = header.get("alg"), header.get("kid")
        if algorithm not in self._settings.algorithms:
            raise _reject("the token's algorithm is not one that is accepted")
        if not isinstance(key_id, str) or "crit" in header:
            raise _reject("the token's header lacks a key id, or names an extension that is not supported")
        return str(algorithm), key_id

    def _claims_registry(self) -> JWTClaimsRegistry:
        return JWTClaimsRegistry(
            now=int(self._clock()),
            leeway=self._settings.leeway_seconds,
            iss={"essential": True, "value": self._settings.issuer},
            aud={"essential": True, "value": self._settings.audience},
            exp={"essential": True},
        )


def _reject(detail: str) -> UnauthenticatedError:
    return UnauthenticatedError("invalid-token", detail)
