"""How writes and versions are answered: a body with its ETag, and what conditional requests must name."""

import re
from typing import Annotated, Any, Final, NamedTuple

from fastapi import Header, Response
from pydantic import BaseModel

from fmar_spark.services.web.problems import PROBLEM_MEDIA_TYPE, InvalidError, PreconditionError

_ETAG: Final = re.compile(r'"v([1-9][0-9]{0,8})"', re.ASCII)
IfMatch = Annotated[str | None, Header(alias="If-Match", max_length=200, description='ETag of the version that was seen, or "*".')]


class Reply(NamedTuple):
    """An answer to a write."""

    status: int
    body: str
    """JSON."""
    etag: str | None = None
    location: str | None = None


def respond(reply: Reply) -> Response:
    """The answer as HTTP has it."""
    headers = {"Cache-Control": "no-store"}
    if reply.etag:
        headers["ETag"] = reply.etag
    if reply.location:
        headers["Location"] = reply.location
    return Response(reply.body, reply.status, headers, media_type=PROBLEM_MEDIA_TYPE if reply.status >= 400 else "application/json")


def etag_of(row: dict[str, Any]) -> str:
    """The ETag of a version."""
    return f'"v{row["version"]}"'


def read_if_match(if_match: str | None) -> int | None:
    """The version that the caller has seen; None where any will do.

    Raises:
        PreconditionError: the header is missing.
        InvalidError: it is not an ETag of this service.
    """
    if if_match is None:
        raise PreconditionError("if-match-wanted", "send If-Match with the ETag of the version that you have seen")
    if if_match.strip() == "*":
        return None
    found = _ETAG.fullmatch(if_match.strip())
    if found is None:
        raise InvalidError("bad-etag", "If-Match is not an ETag of this service")
    return int(found.group(1))


def change_values(body: BaseModel) -> dict[str, Any]:
    """What a request says, without what it leaves out."""
    return body.model_dump(exclude_unset=True)
