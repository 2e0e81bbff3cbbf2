"""Asks the consent service about meters, as docs/consent.md describes it."""

import os
import time
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
import msgspec

from fmar_spark.domain.consent import Purpose
from fmar_spark.errors import ConfigError, FmarError
from fmar_spark.settings.sections import ConsentSettings

LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})
TOKEN_VARIABLE: Final = "FMAR_CONSENT_TOKEN"
"""Environment variable that holds the token where no file is named: what a secret scope fills."""
DECISIONS_PATH: Final = "/v1/decisions"
MAX_ANSWER_BYTES: Final = 16 * 2**20
BUSY: Final = frozenset({408, 425, 429})


class UnavailableError(FmarError):
    """The consent service gives no answer now."""


class ConsentClient:
    """One consent service; answers come back as bytes, and what they say is checked elsewhere."""

    def __init__(self, settings: ConsentSettings, transport: httpx.BaseTransport | None = None, pause_seconds: float = 1.0) -> None:
        """Nothing is asked yet.

        Args:
            settings: where the service is and how it is asked.
            transport: in place of the network, for tests.
            pause_seconds: after the first failed attempt; doubles with each further one.

        Raises:
            ConfigError: the address is not https, or the token cannot be read.
        """
        parts = urlsplit(settings.service_url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOCAL_HOSTS):
            raise ConfigError(f"consent.service_url: {settings.service_url} found, an https address wanted")
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        token = _read_secret(settings.token_file, "consent.token_file") if settings.token_file else os.environ.get(TOKEN_VARIABLE, "")
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._settings = settings
        self._pause_seconds = pause_seconds
        self._url = settings.service_url.rstrip("/") + DECISIONS_PATH
        self._client = httpx.Client(headers=headers, timeout=settings.timeout_seconds, transport=transport, follow_redirects=False)

    def ask(self, mpans: list[str], purpose: Purpose) -> bytes:
        """The body of the service's answer about some meters.

        Raises:
            UnavailableError: no answer, an answer that asks for patience, or one of another status than 200, after all attempts.
        """
        question = msgspec.json.encode({"purpose": purpose, "mpans": mpans})
        problem = ""
        for attempt in range(self._settings.attempts):
            if attempt:
                time.sleep(self._pause_seconds * 2 ** (attempt - 1))
            try:
                body, problem = self._post(question)
            except httpx.HTTPError as error:
                problem = f"{type(error).__name__}: {error}"
                continue
            if not problem:
                return body
        raise UnavailableError(f"consent service: {problem}")

    def close(self) -> None:
        """End its connections."""
        self._client.close()

    def _post(self, question: bytes) -> tuple[bytes, str]:
        """Body, and why it does not count; '' where it does."""
        with self._client.stream("POST", self._url, content=question) as answer:
            if answer.status_code in BUSY or answer.status_code >= 500:
                return b"", f"status {answer.status_code}"
            if answer.status_code != 200:
                raise UnavailableError(
                    f"consent service: status {answer.status_code} found, 200 wanted; look at consent.service_url and token_file"
                )
            pieces, size = [], 0
            for piece in answer.iter_bytes():
                size += len(piece)
                if size > MAX_ANSWER_BYTES:
                    return b"", f"an answer of more than {MAX_ANSWER_BYTES} bytes"
                pieces.append(piece)
        return b"".join(pieces), ""


def _read_secret(path: str, name: str) -> str:
    try:
        secret = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name}: {path}: cannot be read") from error
    if not secret:
        raise ConfigError(f"{name}: {path}: empty")
    return secret
