"""The page of the lake's operation, for whoever runs the register."""

from typing import Final

from fastapi import Request, Response
from fastapi.responses import HTMLResponse

from fmar_spark.domain.markets import Role
from fmar_spark.services.capability.pages.frame import HEADERS, page_router
from fmar_spark.services.capability.pages.session import Visitor
from fmar_spark.services.web.problems import ForbiddenError, MissingError

router: Final = page_router()


@router.get("/operations")
def show_operations(request: Request, caller: Visitor) -> Response:
    """The page that jobs/measure_operation.py wrote last, for administrators alone.

    Raises:
        ServiceError: another caller, or nothing was measured yet.
    """
    if Role.ADMINISTRATOR not in caller.roles:
        raise ForbiddenError("role", "an administrator is required")
    path = request.app.state.operations_page
    if not path.is_file():
        raise MissingError("no-operations-page", "nothing was measured yet: jobs/measure_operation.py writes this page")
    return HTMLResponse(path.read_text(encoding="utf-8"), headers=HEADERS)
