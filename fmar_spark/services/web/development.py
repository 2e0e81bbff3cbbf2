"""An issuer of tokens for one laptop: its key lives as long as the process, and it is refused anywhere else."""

import time
from typing import Any, Final

from joserfc import jwt
from joserfc.jwk import RSAKey

from fmar_spark.errors import ConfigError

DEVELOPMENT_ISSUER: Final = "urn:fmar:development-issuer"
LOCAL: Final = "local"
_KEY_ID: Final = "development"


class DevelopmentIssuer:
    """Signs tokens for whoever starts the service on their own machine."""

    def __init__(self, environment: str) -> None:
        """A new key.

        Raises:
            ConfigError: the environment is not local.
        """
        if environment != LOCAL:
            raise ConfigError(f"development issuer: refused in environment {environment!r}; it is for {LOCAL} alone")
        self._key = RSAKey.generate_key(2048, parameters={"kid": _KEY_ID, "use": "sig", "alg": "RS256"})

    async def fetch(self) -> dict[str, Any]:
        """The JWKS document."""
        return {"keys": [self._key.as_dict(private=False)]}

    def sign(self, client_id: str, audience: str, seconds: int = 8 * 3600, **claims: object) -> str:
        """A token for a client; further claims replace those that are there."""
        now = int(time.time())
        told: dict[str, Any] = {
            "iss": DEVELOPMENT_ISSUER,
            "aud": audience,
            "client_id": client_id,
            "iat": now,
            "exp": now + seconds,
            **claims,
        }
        return jwt.encode({"alg": "RS256", "kid": _KEY_ID}, told, self._key, algorithms=["RS256"])
