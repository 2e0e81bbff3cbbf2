"""Signing in: a token that the service accepts anyway, kept by the browser where no script can read it."""

from collections.abc import Mapping
from typing import Annotated, Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from fastapi import Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from fmar_spark.services.capability.pages.frame import PLACES, is_open, page_router, render
from fmar_spark.services.web.access import Caller, identify, limit_anonymous
from fmar_spark.services.web.problems import ForbiddenError, MediaTypeError, UnauthenticatedError, UnreadableError
from fmar_spark.services.web.signing_keys import DevelopmentIssuer

COOKIE: Final = "fmar_token"
_SECONDS: Final = 8 * 3600
_MOST_FIELDS: Final = 20
router: Final = page_router()


class Guest(NamedTuple):
    """A party of the sample that anyone on this machine may speak for."""

    party_id: str
    client_id: str
    words: str


class Development(NamedTuple):
    """Ready tokens, where the service issues them itself: on one's own machine alone."""

    issuer: DevelopmentIssuer
    audience: str
    guests: tuple[Guest, ...]


async def page_caller(request: Request) -> Caller:
    """The party whose token the browser holds."""
    return await identify(request, request.cookies.get(COOKIE, ""))


Visitor = Annotated[Caller, Depends(page_caller)]


def check_origin(request: Request) -> None:
    """Nothing, if a form was sent from a page of this service.

    Raises:
        ForbiddenError: it came from elsewhere.
    """
    origin = request.headers.get("Origin")
    if origin is not None and origin.partition("://")[2] != (request.headers.get("Host") or None):
        raise ForbiddenError("other-origin", "forms are taken from the pages of this service alone")


async def read_form(request: Request) -> Mapping[str, str]:
    """The fields of a form, the last value of each; FastAPI's own way would ask for a further package.

    Raises:
        MediaTypeError, UnreadableError: it is no form.
    """
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise MediaTypeError("no-form", "a form is required: application/x-www-form-urlencoded")
    try:
        return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError as error:
        raise UnreadableError("no-form", "the form cannot be read") from error


FormOf = Annotated[Mapping[str, str], Depends(read_form)]


@router.get("/")
async def start(request: Request, caller: Visitor) -> Response:
    """The first page that the caller's roles open."""
    return RedirectResponse(landing_of(request, caller), 303)


@router.get("/sign-in")
def sign_in_form(request: Request, following: Annotated[str, Query(alias="next", max_length=2000)] = "/") -> Response:
    """Where a token is given."""
    limit_anonymous(request, "page")
    return render_sign_in(request, following)


@router.post("/sign-in", dependencies=[Depends(check_origin)])
async def sign_in(request: Request, form: FormOf) -> Response:
    """The browser holds the token from now on, if it is one that the service accepts."""
    token, party, following = (form.get(name, "") for name in ("token", "party", "next"))
    development = development_of(request)
    if development is not None and party:
        guest = next((one for one in development.guests if one.party_id == party), None)
        token = development.issuer.sign(guest.client_id, development.audience, _SECONDS) if guest else ""
    try:
        caller = await identify(request, token.strip())
    except (UnauthenticatedError, ForbiddenError) as error:
        request.state.problem = error.name
        return render_sign_in(request, following, error.detail, 401)
    answer = RedirectResponse(local_path(following) or landing_of(request, caller), 303)
    keep_session(request, answer, token.strip())
    return answer


@router.post("/sign-out", dependencies=[Depends(check_origin)])
def sign_out() -> Response:
    """The browser forgets the token."""
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return answer


def keep_session(request: Request, answer: Response, token: str) -> None:
    """The browser sends the token with each later request of these pages, and lets no script read it."""
    is_secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, token, max_age=_SECONDS, httponly=True, samesite="strict", secure=is_secure, path="/")


def render_sign_in(request: Request, following: str, problem: str = "", status: int = 200) -> Response:
    """The page of ways to sign in."""
    client = getattr(request.app.state, "oidc", None)
    host = urlsplit(client.authorize_url).netloc if client else ""
    context = {"following": following, "problem": problem, "has_issuer": client is not None, "issuer_host": host}
    return render(request, "sign_in.html", None, status, development=development_of(request), **context)


def landing_of(request: Request, caller: Caller) -> str:
    """The first page that the caller may see."""
    return next((place.path for place in PLACES if is_open(request, place, caller)), "/sign-in")


def local_path(following: str) -> str:
    """A path of this service; empty for the start, and for anything that leads elsewhere."""
    is_local = following.startswith("/") and not following.startswith(("//", "/\\")) and following.isprintable() and "\\" not in following
    return following if is_local and following != "/" else ""


def development_of(request: Request) -> Development | None:
    """Ready tokens, where there are any."""
    found: Development | None = getattr(request.app.state, "development", None)
    return found
