"""Who is calling, and what their roles allow: the machinery that every service's rules run on."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import Annotated, Final, NamedTuple

from fastapi import Depends, Request, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPBearer

from fmar_spark.domain.markets import Role
from fmar_spark.services.web.limits import RateLimit
from fmar_spark.services.web.metrics import Metrics
from fmar_spark.services.web.problems import NO_TOKEN, ForbiddenError, InvalidError, UnauthenticatedError
from fmar_spark.services.web.readiness import Readiness
from fmar_spark.services.web.request_audit import RequestAudit
from fmar_spark.services.web.tokens import TokenVerifier
from fmar_spark.settings.sections import ServiceSettings

_BEARER: Final = HTTPBearer(
    scheme_name="bearer", bearerFormat="JWT", description="An access token of the issuer that the service trusts.", auto_error=False
)


class Caller(NamedTuple):
    """A party behind a token that was accepted."""

    party_id: str
    client_id: str
    roles: frozenset[Role]
    distributor_ids: tuple[str, ...]


ActionsOfRole = Mapping[Role, frozenset[StrEnum]]
"""What each role may do in one service; what is not listed is denied."""


@dataclass(frozen=True)
class ServiceParts:
    """What the machinery of a running service works with."""

    settings: ServiceSettings
    tokens: TokenVerifier
    clients: RateLimit
    """How often an accepted client may ask."""
    anonymous: RateLimit
    """How often an address may ask without an accepted token."""
    metrics: Metrics
    audit: RequestAudit
    find_caller: Callable[[str], Caller | None]
    """The party that a client speaks for; None for anyone else. May block."""
    recall_caller: Callable[[str], Caller | None]
    """The same at once, if it is known that nothing has changed since it was found; else None."""
    readiness: Readiness

    def page_size(self, requested: int | None) -> int:
        """How many rows a page has.

        Raises:
            InvalidError: more than settings allow.
        """
        if requested is not None and requested > self.settings.max_page_size:
            raise InvalidError("page-too-large", f"limit: at most {self.settings.max_page_size} rows a page")
        return requested or self.settings.page_size


def parts_of(request: Request) -> ServiceParts:
    """The machinery of the service that the request came to."""
    parts: ServiceParts = request.app.state.parts
    return parts


def limit_anonymous(request: Request, purpose: str = "") -> None:
    """Count a request without an accepted token; health probes have a purpose of their own, so that nobody else uses up theirs.

    Raises:
        TooManyError: its address asks too often.
    """
    request.state.allowance = parts_of(request).anonymous.take(f"{purpose} {_network_of(request.client.host if request.client else '')}")


def _network_of(address: str) -> str:
    """What one caller has of an address: all of IPv4, the first half of IPv6, since whoever has one address there has 2^64."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"
    if parsed.version == 4:
        return str(parsed)
    return str(parsed.ipv4_mapped or ip_network((int(parsed) >> 64 << 64, 64)))


async def authenticate(request: Request, _: Annotated[object, Security(_BEARER)] = None) -> Caller:
    """The party behind the bearer token, looked up and counted once a request.

    Raises:
        UnauthenticatedError, ForbiddenError: no token that can be trusted, or a client that speaks for nobody.
        TooManyError: the client, or without an accepted token its address, asks too often.
    """
    known: Caller | None = getattr(request.state, "caller", None)
    if known is not None:
        return known
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    caller = await identify(request, token.strip() if scheme.lower() == "bearer" else "")
    request.state.caller = caller
    return caller


async def identify(request: Request, token: str) -> Caller:
    """The party behind a token, however it came; empty = none came. Raises what ``authenticate`` does."""
    parts = parts_of(request)
    try:
        if not token:
            raise UnauthenticatedError(NO_TOKEN, "a bearer token is required")
        client_id = await parts.tokens.find_client(token)
    except UnauthenticatedError:
        limit_anonymous(request)
        raise
    request.state.client_id = client_id
    request.state.allowance = parts.clients.take(client_id)
    caller = parts.recall_caller(client_id) or await run_in_threadpool(parts.find_caller, client_id)
    if caller is None:
        raise ForbiddenError("unknown-client", "the token's client speaks for no party")
    request.state.party_id = caller.party_id
    return caller


def require(caller: Caller, action: StrEnum, rules: ActionsOfRole) -> None:
    """Nothing, if one of the caller's roles allows the action.

    Raises:
        ForbiddenError: none does.
    """
    if not any(action in rules[role] for role in caller.roles):
        raise ForbiddenError("role-not-allowed", f"none of the party's roles allows {action}")


def allow(action: StrEnum, rules: ActionsOfRole) -> Callable[..., Awaitable[Caller]]:
    """A dependency of routes: the caller, if the rules let it do that."""

    async def check(caller: Annotated[Caller, Depends(authenticate)]) -> Caller:
        require(caller, action, rules)
        return caller

    return check
