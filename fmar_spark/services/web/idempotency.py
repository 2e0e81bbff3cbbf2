"""Answers a repeated request as the first time: the answer is stored with the change itself, under the caller's key."""

import hashlib
from datetime import datetime, timedelta
from typing import Annotated, Final, NamedTuple

from fastapi import Header, Request
from pydantic import BaseModel
from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, Text, delete, insert, select

from fmar_spark.services.web.access import Caller
from fmar_spark.services.web.moments import UtcDateTime
from fmar_spark.services.web.problems import InvalidError
from fmar_spark.services.web.replies import Reply

_PATTERN: Final = r"^[!-~]{1,128}$"
IdempotencyKey = Annotated[
    str | None, Header(alias="Idempotency-Key", pattern=_PATTERN, description="The same key answers a repeated request alike.")
]


IN_PROGRESS: Final = 0
"""Status of an answer that is not there yet."""


class Intent(NamedTuple):
    """One write as its caller identifies it."""

    client_id: str
    key: str | None
    """The Idempotency-Key; None = every request stands for itself."""
    digest: str
    """Of method, path, If-Match and body."""


def intent_of(request: Request, caller: Caller, key: str | None, body: BaseModel) -> Intent:
    """What makes the request the same as another one."""
    if_match = request.headers.get("If-Match", "")
    return Intent(caller.client_id, key, digest_of(request.method, request.url.path, if_match, body.model_dump_json(exclude_unset=True)))


def digest_of(*parts: str | bytes) -> str:
    """SHA-256 over parts whose borders count."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(raw).to_bytes(8, "big"))
        digest.update(raw)
    return digest.hexdigest()


def idempotency_table(metadata: MetaData) -> Table:
    """Where a service remembers its answers."""
    return Table(
        "idempotency_keys",
        metadata,
        Column("client_id", String(128), primary_key=True),
        Column("idempotency_key", String(128), primary_key=True),
        Column("request_digest", String(64), nullable=False),
        Column("status", Integer, nullable=False),
        Column("etag", String(32)),
        Column("location", String(200)),
        Column("body", Text, nullable=False),
        Column("created_at", UtcDateTime, nullable=False, index=True),
    )


class Memory(NamedTuple):
    """A service's table of answers, and for how long it keeps them."""

    table: Table
    hours: int

    def claim(self, connection: Connection, intent: Intent, location: str, now: datetime) -> None:
        """Say that the request is being worked on, and where its progress shows."""
        self.keep(connection, intent, Reply(IN_PROGRESS, "", location=location), now)

    def forget(self, connection: Connection, intent: Intent) -> None:
        """The request may be made anew."""
        same = (self.table.c.client_id == intent.client_id, self.table.c.idempotency_key == intent.key)
        connection.execute(delete(self.table).where(*same))

    def find(self, connection: Connection, intent: Intent, now: datetime) -> Reply | None:
        """What was answered to the same request under the same key; its status may be ``IN_PROGRESS``.

        Raises:
            InvalidError: the key was used for another request.
        """
        if intent.key is None:
            return None
        table = self.table
        wanted = select(table).where(
            table.c.client_id == intent.client_id,
            table.c.idempotency_key == intent.key,
            table.c.created_at >= now - timedelta(hours=self.hours),
        )
        found = connection.execute(wanted).mappings().first()
        if found is None:
            return None
        if found["request_digest"] != intent.digest:
            raise InvalidError("idempotency-key-reused", "the Idempotency-Key was used for another request")
        return Reply(found["status"], found["body"], found["etag"], found["location"])

    def keep(self, connection: Connection, intent: Intent, reply: Reply, now: datetime) -> None:
        """Remember an answer, and forget those that are too old."""
        if intent.key is None:
            return
        connection.execute(delete(self.table).where(self.table.c.created_at < now - timedelta(hours=self.hours)))
        self.forget(connection, intent)
        row = {
            "client_id": intent.client_id,
            "idempotency_key": intent.key,
            "request_digest": intent.digest,
            "created_at": now,
            **reply._asdict(),
        }
        connection.execute(insert(self.table), row)
