"""The frame of all requests and answers: their base models, problem documents, and pages by key.

A cursor names the last row seen, so that rows added meanwhile neither repeat nor hide others.
"""

import base64
import binascii
import math
import re
from typing import Annotated, Any, ClassVar, Final, Generic, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from fmar_spark.services.web.problems import InvalidError

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_KEY: Final = re.compile(r"[A-Za-z0-9_.:@/-]{1,128}", re.ASCII)
ID_PATTERN: Final = r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"


def _read_digits(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"0|[1-9][0-9]{0,17}", value, re.ASCII):
        raise ValueError("a whole number in plain digits is required")
    return value


def _read_flag(value: object) -> object:
    if isinstance(value, str) and value not in {"true", "false"}:
        raise ValueError("true or false is required")
    return value


QueryFlag = Annotated[bool, BeforeValidator(_read_flag, json_schema_input_type=bool)]
"""As JSON writes it: true or false."""
Limit = Annotated[
    int | None, BeforeValidator(_read_digits, json_schema_input_type=int | None), Field(ge=1, le=10_000, description="Rows of a page.")
]
Cursor = Annotated[str | None, Field(max_length=256, description="next_cursor of the page before.")]


def check_text(value: str) -> str:
    """Text that can be shown and stored anywhere.

    Raises:
        ValueError: it has control characters or nothing but blanks.
    """
    if _CONTROL.search(value) or not value.strip():
        raise ValueError("printable text is required")
    return value.strip()


def check_finite(value: float) -> float:
    """A number.

    Raises:
        ValueError: infinite or not a number.
    """
    if not math.isfinite(value):
        raise ValueError("a finite number is required")
    return value


class RequestModel(BaseModel):
    """Base of all requests: a field too many is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PageQuery(RequestModel):
    """Which page."""

    cursor: Cursor = None
    limit: Limit = None


class Amendment(RequestModel):
    """What holds from now on; what is left out stays."""

    nullable: ClassVar[frozenset[str]] = frozenset()
    """Fields whose null says something."""

    @model_validator(mode="after")
    def says_something(self) -> Self:
        """An empty amendment is a mistake, and so is null where it says nothing."""
        if not self.model_fields_set:
            raise ValueError("at least one field is required")
        for name in self.model_fields_set - self.nullable:
            if getattr(self, name) is None:
                raise ValueError(f"{name}: leave it out instead of null")
        return self


class AnswerModel(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(from_attributes=False, extra="ignore")


class Fault(AnswerModel):
    """One fault of a request."""

    pointer: str
    detail: str


class Problem(AnswerModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[Fault] | None = None
    conflict: dict[str, Any] | None = None


T = TypeVar("T", bound=AnswerModel)


class Page(AnswerModel, Generic[T]):
    """Some rows, and where the next ones begin."""

    items: list[T]
    next_cursor: str | None = Field(None, description="Give it as cursor to see the rows after these; null at the end.")


def read_cursor(cursor: str | None) -> str:
    """The key that a cursor names; empty at the beginning.

    Raises:
        InvalidError: it was not made here.
    """
    if cursor is None:
        return ""
    try:
        key = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True).decode("ascii")
    except (ValueError, binascii.Error) as error:
        raise bad_cursor() from error
    if not _KEY.fullmatch(key):
        raise bad_cursor()
    return key


def bad_cursor() -> InvalidError:
    """The rejection of a cursor that was not made here."""
    return InvalidError("bad-cursor", "the cursor was not given by this service")


def write_cursor(key: object) -> str:
    """A cursor that goes on after a key."""
    return base64.urlsafe_b64encode(str(key).encode("ascii")).decode("ascii")


def page_of(rows: list[dict[str, Any]], size: int, key_name: str) -> tuple[list[dict[str, Any]], str | None]:
    """The rows of a page out of one more than its size, and the cursor of the next one if there is."""
    shown = rows[:size]
    return shown, write_cursor(shown[-1][key_name]) if len(rows) > size else None
