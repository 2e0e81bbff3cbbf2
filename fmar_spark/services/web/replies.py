"""How writes and versions are answered: a body with its ETag, and what conditional requests must name."""

import hashlib
import re
from collections.abc import Collection
from typing import Annotated, Any, Final, NamedTuple

from fastapi import Header, Response
from pydantic import BaseModel

from fmar_spark.services.web.problems import PROBLEM_MEDIA_TYPE, InvalidError, PreconditionError

_ETAG: Final = re.compile(r'[ \t]*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*(?:,|$)')
_VERSION: Final = re.compile(r"v([1-9][0-9]{0,8})(-[a-z]{1,20})?", re.ASCII)
_MOST_CHARACTERS: Final = 1000
IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", max_length=_MOST_CHARACTERS, description='ETag of the version that was seen, or "*".', examples=['"v1"']),
]
Expected = Collection[int] | None
"""Versions that a change may follow; None where any will do."""


class Reply(NamedTuple):
    """An answer to a write."""

    status: int
    body: str
    """JSON."""
    etag: str | None = None
    location: str | None = None


def respond(reply: Reply) -> Response:
    """The answer as HTTP has it; one that is no version has a weak ETag of its content."""
    headers = {"Cache-Control": "no-store"}
    etag = reply.etag or (f'W/"{hashlib.sha256(reply.body.encode()).hexdigest()[:32]}"' if reply.status == 200 else None)
    if etag:
        headers["ETag"] = etag
    if reply.location:
        headers["Location"] = reply.location
    return Response(reply.body, reply.status, headers, media_type=PROBLEM_MEDIA_TYPE if reply.status >= 400 else "application/json")


def etag_of(row: dict[str, Any]) -> str:
    """The ETag of a version, and of the state of its claim where it shows one."""
    state = f"-{row['claim_state']}" if row.get("claim_state") else ""
    return f'"v{row["version"]}{state}"'


def parse_etags(header: str) -> list[tuple[bool, str]]:
    """The ETags that a conditional header lists (RFC 9110, 8.8.3): whether each is weak, and what stands between its quotes.

    Raises:
        ValueError: it is no list of ETags.
    """
    found: list[tuple[bool, str]] = []
    place = 0
    while place < len(header):
        match = _ETAG.match(header, place)
        if match is None:
            raise ValueError("no list of ETags")
        found.append((match.group(1) is not None, match.group(2)))
        place = match.end()
    return found


def is_same(if_none_match: str | None, etag: str) -> bool:
    """Whether the caller has the answer already (RFC 9110, 13.1.2: compared weakly); a header that cannot be read says nothing."""
    if if_none_match is None or if_none_match.strip() == "*":
        return if_none_match is not None
    try:
        known = {name for _, name in parse_etags(if_none_match[:_MOST_CHARACTERS])}
    except ValueError:
        return False
    return etag.removeprefix("W/").strip('"') in known


def read_if_match(if_match: str | None) -> Expected:
    """The versions that the caller has seen; None where any will do. Weak ETags and those of others match none (RFC 9110, 13.1.1).

    Raises:
        PreconditionError: the header is missing.
        InvalidError: it is no list of ETags.
    """
    if if_match is None:
        raise PreconditionError("if-match-wanted", "send If-Match with the ETag of the version that you have seen")
    if if_match.strip() == "*":
        return None
    try:
        listed = parse_etags(if_match)
    except ValueError as error:
        raise InvalidError("bad-etag", 'If-Match: ETags in quotes, separated by commas, or "*" wanted') from error
    versions = (_VERSION.fullmatch(name) for is_weak, name in listed if not is_weak)
    return frozenset(int(version.group(1)) for version in versions if version)


def change_values(body: BaseModel) -> dict[str, Any]:
    """What a request says, without what it leaves out."""
    return body.model_dump(exclude_unset=True)
