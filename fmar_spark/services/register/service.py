"""What every route works with: the database, who is asking, and how writes and versions are answered."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from fmar_spark.domain.mpan import has_valid_check_digit
from fmar_spark.services.register.access import NOTHING, Action, Caller
from fmar_spark.services.register.agreements import actor_of
from fmar_spark.services.register.bodies import Told, VersionTold
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.register.derived import Derived
from fmar_spark.services.register.idempotency import Intent, Reply, digest_of, find_reply, keep_reply
from fmar_spark.services.register.parties import find_caller
from fmar_spark.services.register.records import Change, Row, change_of
from fmar_spark.services.register.request_audit import RequestAudit
from fmar_spark.services.web.limits import RateLimit
from fmar_spark.services.web.metrics import Metrics
from fmar_spark.services.web.pages import page_of
from fmar_spark.services.web.problems import NO_TOKEN, ForbiddenError, InvalidError, PreconditionError, UnauthenticatedError
from fmar_spark.services.web.tokens import TokenJudge
from fmar_spark.settings.sections import RegisterSettings

_ETAG: Final = re.compile(r'"v([1-9][0-9]{0,8})"', re.ASCII)
IDEMPOTENCY_PATTERN: Final = r"^[!-~]{1,128}$"
IdempotencyKey = Annotated[
    str | None, Header(alias="Idempotency-Key", pattern=IDEMPOTENCY_PATTERN, description="The same key answers a repeated request alike.")
]
IfMatch = Annotated[str | None, Header(alias="If-Match", max_length=200, description='ETag of the version that was seen, or "*".')]


@dataclass(frozen=True)
class Service:
    """One running register."""

    settings: RegisterSettings
    database: RegisterDatabase
    judge: TokenJudge
    limit: RateLimit
    derived: Derived
    metrics: Metrics
    audit: RequestAudit

    def page_size(self, asked: int | None) -> int:
        """How many rows a page has.

        Raises:
            InvalidError: more than settings allow.
        """
        if asked is not None and asked > self.settings.max_page_size:
            raise InvalidError("page-too-large", f"limit: at most {self.settings.max_page_size} wanted")
        return asked or self.settings.page_size

    def check_mpan(self, mpan_id: str) -> None:
        """Nothing, if the MPAN may be one.

        Raises:
            InvalidError: its check digit is wrong.
        """
        if self.settings.is_check_digit_enforced and not has_valid_check_digit(mpan_id):
            raise InvalidError("mpan-check-digit", "mpan_id: the check digit is wrong")


def service_of(request: Request) -> Service:
    """The register that the request came to."""
    service: Service = request.app.state.service
    return service


async def authenticate(request: Request) -> Caller:
    """The party behind the bearer token.

    Raises:
        UnauthenticatedError, ForbiddenError: no token that can be believed, or a client that speaks for nobody.
        TooManyError: the client, or for bad tokens the peer, asks too often.
    """
    service = service_of(request)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    peer = request.client.host if request.client else "unknown"
    try:
        if scheme.lower() != "bearer" or not token:
            raise UnauthenticatedError(NO_TOKEN, "a bearer token is wanted")
        client_id = await service.judge.find_client(token.strip())
    except UnauthenticatedError:
        service.limit.take(f"peer {peer}")
        raise
    request.state.client_id = client_id
    service.limit.take(f"client {client_id}")
    caller = await run_in_threadpool(_look_up, service, client_id)
    if caller is None:
        raise ForbiddenError("unknown-client", "the token's client speaks for no party of this register")
    request.state.party_id = caller.party_id
    return caller


def _look_up(service: Service, client_id: str) -> Caller | None:
    with service.database.reading(NOTHING) as connection:
        return find_caller(connection, client_id)


def allowed(action: Action) -> Callable[[Caller], Caller]:
    """A dependency that lets callers through whose roles allow the action."""

    def check(caller: Annotated[Caller, Depends(authenticate)]) -> Caller:
        caller.require(action)
        return caller

    return check


ServiceOf = Annotated[Service, Depends(service_of)]


def intent_of(request: Request, caller: Caller, key: str | None, body: BaseModel | None) -> Intent:
    """The write as its caller identifies it."""
    told = body.model_dump_json(exclude_unset=True) if body else ""
    return Intent(caller.client_id, key, digest_of(request.method, request.url.path, request.headers.get("If-Match", ""), told))


def answer_write(service: Service, caller: Caller, intent: Intent, act: Callable[[Change], Reply]) -> Response:
    """Do it once: the change, its ledger entries and the remembered answer are stored together."""
    with change_of(service.database, caller.reach, actor_of(caller)) as change:
        not_before = change.now - timedelta(hours=service.settings.idempotency_hours)
        reply = find_reply(change.connection, intent, not_before)
        if reply is None:
            reply = act(change)
            keep_reply(change.connection, intent, reply, change.now, service.settings.idempotency_hours)
    return respond(reply)


def respond(reply: Reply) -> Response:
    """The answer as HTTP has it."""
    headers = {"Cache-Control": "no-store"}
    if reply.etag:
        headers["ETag"] = reply.etag
    if reply.location:
        headers["Location"] = reply.location
    return Response(reply.body, reply.status, headers, media_type="application/json")


def tell(form: type[VersionTold], caller: Caller, row: Row) -> VersionTold:
    """A version as the caller may see it."""
    return form.model_validate(caller.visible(row))


def reply_with(status: int, form: type[VersionTold], caller: Caller, row: Row, location: str | None = None) -> Reply:
    """One version with its ETag."""
    return Reply(status, dump(tell(form, caller, row)), etag_of(row), location)


def dump(told: Told) -> str:
    """JSON without the fields that were held back."""
    held_back = {"recorded_by_client_id"} if getattr(told, "recorded_by_client_id", None) == "" else set()
    return told.model_dump_json(exclude=held_back)


def answer_page(form: type[VersionTold], caller: Caller, rows: list[Row], size: int, key_name: str) -> Response:
    """Versions out of one more than a page holds, with the cursor of the next page."""
    shown, cursor = page_of(rows, size, key_name)
    items = ",".join(dump(tell(form, caller, row)) for row in shown)
    return respond(Reply(200, f'{{"items":[{items}],"next_cursor":{json.dumps(cursor)}}}'))


def etag_of(row: Row) -> str:
    """The ETag of a version."""
    return f'"v{row["version"]}"'


def read_if_match(if_match: str | None) -> int | None:
    """The version that the caller has seen; None where any will do.

    Raises:
        PreconditionError: the header is missing.
        InvalidError: it is not an ETag of this register.
    """
    if if_match is None:
        raise PreconditionError("if-match-wanted", "send If-Match with the ETag of the version that you have seen")
    if if_match.strip() == "*":
        return None
    found = _ETAG.fullmatch(if_match.strip())
    if found is None:
        raise InvalidError("bad-etag", "If-Match is not an ETag of this register")
    return int(found.group(1))


def change_values(body: BaseModel) -> dict[str, Any]:
    """What a request says, without what it leaves out."""
    return body.model_dump(exclude_unset=True)
