"""The page on which a browser shows every endpoint, under a policy that lets it load and send nothing else."""

import base64
import hashlib
import re
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse

from fmar_spark.services.web.access import limit_anonymous

router = APIRouter(include_in_schema=False)
_ASSETS: Final = "https://cdn.jsdelivr.net"
_INLINE: Final = re.compile(r"<script>(.*?)</script>", re.DOTALL)


@router.get("/docs")
async def docs(request: Request) -> Response:
    """Every endpoint, to read and to try."""
    limit_anonymous(request)
    page = get_swagger_ui_html(openapi_url="/openapi.json", title=request.app.title, swagger_favicon_url="data:,")
    html = bytes(page.body).decode()
    return HTMLResponse(html, headers={"Content-Security-Policy": policy_of(html)})


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """The schema of every endpoint."""
    limit_anonymous(request)
    return JSONResponse(request.app.openapi())


def policy_of(html: str) -> str:
    """Scripts are the page's own, by their digest, and Swagger's; requests go to this service alone."""
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in _INLINE.findall(html))
    own = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {_ASSETS} {own}; style-src {_ASSETS} 'unsafe-inline'; img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
