"""Posts notices to webhooks, signed so that a receiver can verify who sent them and that nothing was changed."""

import hashlib
import hmac
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import httpx
import yaml

from fmar_spark.errors import ConfigError

LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})
KEYS: Final = frozenset({"recipient", "url", "secret_file"})
MAX_ERROR_CHARS: Final = 200


class Webhook(NamedTuple):
    """Where the notices of a recipient go."""

    url: str
    secret: bytes


class Answer(NamedTuple):
    """How a receiver answered."""

    http_status: int | None
    error: str | None
    """Why it does not count as received; None where it does."""


def read_webhooks(path: Path) -> dict[str, Webhook]:
    """The webhooks by recipient.

    Raises:
        ConfigError: the file or a secret cannot be read, a key is misspelt or missing, or an address is not https.
    """
    try:
        listed = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(listed, list):
        raise ConfigError(f"{path}: a list of {', '.join(sorted(KEYS))} wanted")
    found: dict[str, Webhook] = {}
    for number, entry in enumerate(listed, start=1):
        if not isinstance(entry, dict) or set(entry) != KEYS:
            raise ConfigError(f"{path}: entry {number}: {', '.join(sorted(KEYS))} wanted")
        recipient, url = str(entry["recipient"]), str(entry["url"])
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOCAL_HOSTS):
            raise ConfigError(f"{path}: entry {number}: {url} found, an https address wanted")
        found[recipient] = Webhook(url, _read_secret(path, number, Path(str(entry["secret_file"]))))
    return found


def sign_body(secret: bytes, stamp: str, body: bytes) -> str:
    """Signature of a body at a time: HMAC-SHA256 over ``stamp.body``, as hexadecimal digits."""
    return hmac.new(secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class Sender:
    """Sends notices over one connection pool; redirects are not followed."""

    def __init__(self, webhooks: dict[str, Webhook], timeout_seconds: float, transport: httpx.BaseTransport | None = None) -> None:
        """Nothing is sent yet."""
        self.webhooks = webhooks
        self._client = httpx.Client(timeout=timeout_seconds, follow_redirects=False, transport=transport)

    @property
    def recipients(self) -> tuple[str, ...]:
        """Who has a webhook."""
        return tuple(self.webhooks)

    def send(self, notice_id: str, recipient: str, body: str) -> Answer:
        """Post one notice; any answer of the 200s counts as received."""
        webhook = self.webhooks[recipient]
        stamp = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        content = body.encode()
        headers = {
            "Content-Type": "application/json",
            "X-FMAR-Notice-Id": notice_id,
            "X-FMAR-Timestamp": stamp,
            "X-FMAR-Signature": f"v1={sign_body(webhook.secret, stamp, content)}",
        }
        try:
            answer = self._client.post(webhook.url, content=content, headers=headers)
        except httpx.HTTPError as error:
            return Answer(None, f"{type(error).__name__}: {error}"[:MAX_ERROR_CHARS])
        return Answer(answer.status_code, None if answer.is_success else f"status {answer.status_code} found, 200 to 299 wanted")


def _read_secret(path: Path, number: int, secret_file: Path) -> bytes:
    try:
        secret = secret_file.read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"{path}: entry {number}: {secret_file}: {error.strerror}") from error
    if len(secret) < 16:
        raise ConfigError(f"{path}: entry {number}: {secret_file}: at least 16 characters wanted")
    return secret
