"""Answers that were given before, ahead of all other routes: to the same token, for the same rows by the same rights."""

from typing import Final

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from fmar_spark.services.capability.answers import Kept, name_question
from fmar_spark.services.capability.reading import reads_of
from fmar_spark.services.web.access import Caller, authenticate

_KEPT: Final = "kept_answer"
_READS: Final = "/v1/"


class KeptRoute(BaseRoute):
    """Gives an answer again, a fifth of what working it out costs; the token, the rate and the audit are as with any other request."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the very question was answered before; whether the answer still holds is seen when its caller is known."""
        is_read = scope["type"] == "http" and scope["method"] == "GET" and scope["path"].startswith(_READS)
        if not is_read or _KEPT in scope:
            return Match.NONE, {}
        kept = reads_of(Request(scope)).answers.find(name_question(scope))
        return (Match.NONE, {}) if kept is None else (Match.FULL, {_KEPT: kept})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The kept answer, or where it no longer holds what the other routes say."""
        kept: Kept = scope[_KEPT]
        request = Request(scope)
        if await _holds(request, kept, await authenticate(request)):
            scope["route"] = kept.route
            await send({"type": "http.response.start", "status": 200, "headers": kept.headers})
            await send({"type": "http.response.body", "body": kept.body})
        else:
            await scope["router"](scope, receive, send)


async def _holds(request: Request, kept: Kept, caller: Caller) -> bool:
    """Whether the file, the caller and what the register grants them are what they were."""
    reads = reads_of(request)
    if caller != kept.caller or reads.models.current().manifest.model_id != kept.model_id:
        return False
    if kept.rights_mark is None:
        return True
    rights = reads.rights.recall(caller)
    if rights is None:
        rights = await run_in_threadpool(reads.rights.of, caller)
    return rights.mark == kept.rights_mark
