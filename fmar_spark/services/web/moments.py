"""Moments as requests, answers, ledgers and databases write them: always with a zone, always in UTC."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, WithJsonSchema
from sqlalchemy import DateTime, Dialect, String, TypeDecorator
from sqlalchemy.types import TypeEngine

EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
_RFC_3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(:\d\d(\.\d{1,6})?)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def parse_moment(value: object) -> datetime:
    """A moment with a UTC offset, between 1990 and 2200, in UTC.

    Raises:
        ValueError: any other format; bare numbers and local times too.
    """
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, str) and _RFC_3339.fullmatch(value):
        moment = datetime.fromisoformat(value.upper())
    else:
        raise ValueError("a date and time with a UTC offset is required, such as 2026-01-31T17:30:00Z")
    if moment.tzinfo is None or not EARLIEST.year < moment.year < LATEST.year:
        raise ValueError("a moment with a UTC offset between the years 1990 and 2200 is required")
    return moment.astimezone(UTC)


def format_moment(moment: datetime) -> str:
    """UTC to the microsecond, always 27 characters: ``2026-01-31T17:30:00.000000Z``."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


Moment = Annotated[datetime, BeforeValidator(parse_moment), WithJsonSchema({"type": "string", "format": "date-time"})]


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC: timestamptz in PostgreSQL, sortable text of fixed width in SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Text where the database has no time zones."""
        return dialect.type_descriptor(String(27) if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Reject moments without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"moment: {value} has no time zone")
        return format_moment(value) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Always aware, always UTC."""
        if value is None:
            return None
        return datetime.fromisoformat(value) if isinstance(value, str) else value.astimezone(UTC)
