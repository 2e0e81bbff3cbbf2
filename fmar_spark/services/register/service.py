"""What every route of the register works with: the database, who is asking, and how writes and versions are answered."""

import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from prometheus_client import Counter as Metric

from fmar_spark.domain.mpan import has_valid_check_digit
from fmar_spark.services.register.access import ACTIONS_OF_ROLE, PRIVATE_FIELDS, Action, reach_of, visible_to
from fmar_spark.services.register.agreements import actor_of
from fmar_spark.services.register.bodies import Version
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.register.derived import Derived
from fmar_spark.services.register.records import Change, Row, change_of
from fmar_spark.services.web.access import Caller, ServiceParts, allow
from fmar_spark.services.web.idempotency import Intent, Memory
from fmar_spark.services.web.models import page_of
from fmar_spark.services.web.problems import InvalidError
from fmar_spark.services.web.replies import Reply, etag_of, respond
from fmar_spark.settings.sections import RegisterSettings


@dataclass(frozen=True)
class Service:
    """One running register."""

    settings: RegisterSettings
    database: RegisterDatabase
    derived: Derived
    parts: ServiceParts
    memory: Memory
    upload_rows: Metric
    uploads: threading.BoundedSemaphore
    """Files that are taken at once."""
    arriving: Counter[str] = field(default_factory=Counter)
    """Files whose bodies are on their way, by client."""

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


ServiceOf = Annotated[Service, Depends(service_of)]


def allowed(action: Action) -> Callable[..., Any]:
    """A dependency that lets callers through whose roles allow the action."""
    return allow(action, ACTIONS_OF_ROLE)


def answer_write(service: Service, caller: Caller, intent: Intent, act: Callable[[Change], Reply]) -> Response:
    """Do it once: the change, its ledger entries and the remembered answer are stored together."""
    with change_of(service.database, reach_of(caller), actor_of(caller)) as change:
        reply = service.memory.find(change.connection, intent, change.now)
        if reply is None:
            reply = act(change)
            service.memory.keep(change.connection, intent, reply, change.now)
    return respond(reply)


def reply_with(status: int, model: type[Version], caller: Caller, row: Row, location: str | None = None) -> Reply:
    """One version with its ETag."""
    return Reply(status, _dump(model, caller, row), etag_of(row), location)


def answer_page(model: type[Version], caller: Caller, rows: list[Row], size: int, key_name: str) -> Response:
    """Versions out of one more than a page holds, with the cursor of the next page."""
    shown, cursor = page_of(rows, size, key_name)
    items = ",".join(_dump(model, caller, row) for row in shown)
    return respond(Reply(200, f'{{"items":[{items}],"next_cursor":{json.dumps(cursor)}}}'))


def _dump(model: type[Version], caller: Caller, row: Row) -> str:
    """A version as the caller may see it, as JSON without the fields that are held back."""
    shown = visible_to(caller, row)
    version = model.model_validate(shown)
    return version.model_dump_json(exclude=set(PRIVATE_FIELDS - shown.keys()))
