"""What services reject, each with the status and the problem type (RFC 9457) that its caller gets."""

from typing import Any, Final

from fmar_spark.errors import FmarError

PROBLEM_TYPE_PREFIX: Final = "urn:fmar:problem:"
PROBLEM_MEDIA_TYPE: Final = "application/problem+json"
NO_TOKEN: Final = "no-token"
OVERLOADED: Final = "overloaded"
TITLES: Final = {
    400: "The request cannot be read",
    401: "A valid token is required",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "No format on offer is acceptable",
    408: "The request did not arrive in time",
    409: "In conflict with what stands",
    412: "Changed in the meantime",
    413: "Too large",
    415: "Media type not supported",
    422: "The request is not valid",
    428: "If-Match is required",
    429: "Too many requests",
    500: "The service failed",
    503: "Not available at the moment",
}


class ServiceError(FmarError):
    """A rejection that a caller can act upon.

    Args:
        name: what kind of problem, as in ``urn:fmar:problem:<name>``.
        detail: one sentence for a reader; never holds an MPAN or a token.
        members: further members of the problem document.
        headers: headers that the answer needs.
    """

    status: int = 500

    def __init__(self, name: str, detail: str, members: dict[str, Any] | None = None, headers: dict[str, str] | None = None) -> None:
        """Keep what the answer is made of."""
        super().__init__(detail)
        self.name = name
        self.detail = detail
        self.members = members or {}
        self.headers = headers or {}


class UnreadableError(ServiceError):
    """The request is not in the format that was announced."""

    status = 400


class UnauthenticatedError(ServiceError):
    """No token that can be trusted."""

    status = 401

    def __init__(self, name: str, detail: str) -> None:
        """Add the challenge that HTTP requires."""
        challenge = "Bearer" if name == NO_TOKEN else 'Bearer error="invalid_token"'
        super().__init__(name, detail, headers={"WWW-Authenticate": challenge})


class ForbiddenError(ServiceError):
    """The caller is known, and may not."""

    status = 403


class MissingError(ServiceError):
    """There is none, or none that the caller may know of."""

    status = 404


class NotAcceptableError(ServiceError):
    """The caller accepts none of the formats that there are."""

    status = 406


class ConflictError(ServiceError):
    """A rule between records forbids it."""

    status = 409


class StaleError(ServiceError):
    """The caller's version is not the newest."""

    status = 412


class TooLargeError(ServiceError):
    """More than settings allow at once."""

    status = 413


class MediaTypeError(ServiceError):
    """Another media type is required."""

    status = 415


class InvalidError(ServiceError):
    """A value breaks a rule of its own."""

    status = 422


class PreconditionError(ServiceError):
    """If-Match is missing."""

    status = 428


class TooManyError(ServiceError):
    """The caller asks too often."""

    status = 429


class BusyError(ServiceError):
    """The database or the issuer cannot be reached in time; the same request may work later."""

    status = 503


def describe_problem(error: ServiceError, request_id: str) -> dict[str, Any]:
    """The members of the problem document."""
    return {
        "type": f"{PROBLEM_TYPE_PREFIX}{error.name}",
        "title": TITLES[error.status],
        "status": error.status,
        "detail": error.detail,
        "instance": f"urn:fmar:request:{request_id}",
        **error.members,
    }
