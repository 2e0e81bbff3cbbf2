"""Answers a repeated request as the first time: the answer is stored with the change itself, under the caller's key."""

import hashlib
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select

from fmar_spark.services.register.tables import IDEMPOTENCY_KEYS
from fmar_spark.services.web.problems import InvalidError


class Reply(NamedTuple):
    """An answer to a write."""

    status: int
    body: str
    """JSON."""
    etag: str | None = None
    location: str | None = None


class Intent(NamedTuple):
    """One write as its caller identifies it."""

    client_id: str
    key: str | None
    """The Idempotency-Key; None = every request stands for itself."""
    digest: str
    """Of method, path, If-Match and body."""


def digest_of(*parts: str | bytes) -> str:
    """SHA-256 over parts whose borders count."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(raw).to_bytes(8, "big"))
        digest.update(raw)
    return digest.hexdigest()


def find_reply(connection: Connection, intent: Intent, not_before: datetime) -> Reply | None:
    """What was answered to the same request under the same key.

    Raises:
        InvalidError: the key was used for another request.
    """
    if intent.key is None:
        return None
    table = IDEMPOTENCY_KEYS
    wanted = select(table).where(
        table.c.client_id == intent.client_id, table.c.idempotency_key == intent.key, table.c.created_at >= not_before
    )
    found = connection.execute(wanted).mappings().first()
    if found is None:
        return None
    if found["request_digest"] != intent.digest:
        raise InvalidError("idempotency-key-reused", "the Idempotency-Key was used for another request")
    return Reply(found["status"], found["body"], found["etag"], found["location"])


def keep_reply(connection: Connection, intent: Intent, reply: Reply, now: datetime, hours: int) -> None:
    """Remember an answer, and forget those that are too old."""
    if intent.key is None:
        return
    table = IDEMPOTENCY_KEYS
    connection.execute(delete(table).where(table.c.created_at < now - timedelta(hours=hours)))
    row = {
        "client_id": intent.client_id,
        "idempotency_key": intent.key,
        "request_digest": intent.digest,
        "created_at": now,
        **reply._asdict(),
    }
    connection.execute(insert(table), row)
