"""Signing in through an issuer: only a browser that began it ends it, with the issuer's code and its own secret."""

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from reads_world import ServedReads

from fmar_spark.errors import ConfigError
from fmar_spark.services.capability.pages.oidc import FLOW_COOKIE, OpenIdClient, open_client
from fmar_spark.services.capability.pages.session import COOKIE
from fmar_spark.settings.sections import ReadSettings

SETTINGS = ReadSettings(
    public_url="https://register.example",
    oidc_client_id="pages",
    oidc_authorize_url="https://issuer.example/authorize",
    oidc_token_url="https://issuer.example/token",
)


class Issuer:
    """Turns the code ``good`` into ALPHA's token, if the secret fits the challenge that it was shown."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.challenge = ""

    def answer(self, request: httpx.Request) -> httpx.Response:
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        shown = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
        if form["code"] != "good" or shown != self.challenge or form["client_id"] != "pages":
            return httpx.Response(400, json={"error": "invalid_grant"})
        return httpx.Response(200, json={"access_token": self.token, "token_type": "Bearer"})


@pytest.fixture
def issuer(reads: ServedReads) -> Any:
    """Configured for one test."""
    made = Issuer(reads.token("ALPHA"))
    state = reads.http.app.state  # type: ignore[attr-defined]  # the client's application is a FastAPI
    state.oidc = open_client(SETTINGS, httpx.MockTransport(made.answer))
    yield made
    state.oidc = None
    reads.http.cookies.clear()


def begin(reads: ServedReads, issuer: Issuer, following: str = "/portfolio") -> tuple[str, str]:
    """State and flow cookie of a sign-in that begins."""
    answer = reads.http.get("/sign-in/issuer", params={"next": following}, follow_redirects=False)
    assert answer.status_code == 303
    asked = {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}
    assert asked["redirect_uri"] == "https://register.example/sign-in/callback"
    assert asked["code_challenge_method"] == "S256"
    issuer.challenge = asked["code_challenge"]
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "Secure" in cookie
    reads.http.cookies.clear()
    return asked["state"], cookie.partition(";")[0]


def end(reads: ServedReads, cookie: str, **query: str) -> httpx.Response:
    answer: Any = reads.http.get("/sign-in/callback", params=query, headers={"Cookie": cookie}, follow_redirects=False)
    reads.http.cookies.clear()
    found: httpx.Response = answer
    return found


def test_the_issuer_s_code_becomes_a_session(reads: ServedReads, issuer: Issuer) -> None:
    state, cookie = begin(reads, issuer)
    answer = end(reads, cookie, code="good", state=state)
    assert answer.status_code == 200, answer.text
    assert 'content="0; url=/portfolio"' in answer.text
    assert any(one.startswith(f"{COOKIE}={issuer.token}") for one in answer.headers.get_list("set-cookie"))
    assert "issuer.example" in reads.http.get("/sign-in").text


@pytest.mark.parametrize("case", ["other-state", "no-cookie", "no-code", "spoilt-cookie"])
def test_an_answer_that_no_browser_of_ours_asked_for_is_rejected(reads: ServedReads, issuer: Issuer, case: str) -> None:
    state, cookie = begin(reads, issuer)
    query = {"code": "" if case == "no-code" else "good", "state": "other" if case == "other-state" else state}
    given = {"no-cookie": "x=y", "spoilt-cookie": f"{FLOW_COOKIE}=W10"}.get(case, cookie)
    answer = end(reads, given, **query)
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/sign-in?next=")
    assert COOKIE not in str(answer.headers.get_list("set-cookie"))


def test_a_code_that_the_issuer_does_not_know_is_no_session(reads: ServedReads, issuer: Issuer) -> None:
    state, cookie = begin(reads, issuer)
    assert end(reads, cookie, code="bad", state=state).status_code == 503
    issuer.token = "not.a.token"
    state, cookie = begin(reads, issuer)
    assert end(reads, cookie, code="good", state=state).status_code == 303


def test_without_an_issuer_there_is_no_such_way(reads: ServedReads) -> None:
    assert reads.http.get("/sign-in/issuer").status_code == 404
    assert open_client(ReadSettings()) is None
    assert isinstance(open_client(SETTINGS), OpenIdClient)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"oidc_token_url": ""}, "reads.oidc_token_url: empty"), ({"public_url": "http://x"}, "reads.public_url: 'http://x' found")],
)
def test_half_a_configuration_is_rejected(change: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        open_client(SETTINGS.model_copy(update=change))
