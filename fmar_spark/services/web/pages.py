"""Pages by key: a cursor names the last row seen, so that rows added meanwhile neither repeat nor hide others."""

import base64
import binascii
import re
from typing import Any, Final

from fmar_spark.services.web.problems import InvalidError

_KEY: Final = re.compile(r"[A-Za-z0-9_.:@/-]{1,128}", re.ASCII)


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
        raise InvalidError("bad-cursor", "the cursor was not given by this register") from error
    if not _KEY.fullmatch(key):
        raise InvalidError("bad-cursor", "the cursor was not given by this register")
    return key


def write_cursor(key: object) -> str:
    """A cursor that goes on after a key."""
    return base64.urlsafe_b64encode(str(key).encode("ascii")).decode("ascii")


def page_of(rows: list[dict[str, Any]], size: int, key_name: str) -> tuple[list[dict[str, Any]], str | None]:
    """The rows of a page out of one more than its size, and the cursor of the next one if there is."""
    shown = rows[:size]
    return shown, write_cursor(shown[-1][key_name]) if len(rows) > size else None
