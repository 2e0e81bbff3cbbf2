import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, cast

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from register_world import Served, settings_of

from fmar_spark.errors import ConfigError
from fmar_spark.services.web.problems import BusyError, UnauthenticatedError
from fmar_spark.services.web.signing_keys import DEVELOPMENT_ISSUER, DevelopmentIssuer, SigningKeys, fetch_from
from fmar_spark.services.web.tokens import TokenVerifier
from fmar_spark.settings.sections import RegisterSettings

NOW = 1_780_000_000
RSA, OTHER_RSA = (RSAKey.generate_key(2048, parameters={"kid": "rsa"}) for _ in range(2))
EC = ECKey.generate_key("P-256", parameters={"kid": "ec"})
SETTINGS = settings_of("sqlite:///unused.db", issuer="https://issuer.example", leeway_seconds=30)


def claims(**changes: object) -> dict[str, Any]:
    content = {
        "iss": "https://issuer.example",
        "aud": "fmar-register",
        "client_id": "alpha-client",
        "iat": NOW,
        "exp": NOW + 300,
        **changes,
    }
    return {name: value for name, value in content.items() if value is not None}


def sign(content: dict[str, Any], key: Any = RSA, **header: object) -> str:
    named = {"alg": "RS256", "kid": "rsa", **header}
    return jwt.encode({name: value for name, value in named.items() if value is not None}, content, key, algorithms=[str(named["alg"])])


def unsigned(header: dict[str, object], signature: str = "") -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims())]
    return ".".join([*parts, signature])


def signed_with_public_key() -> str:
    """The classic confusion: HMAC with the published key as its secret."""
    token = unsigned({"alg": "HS256", "kid": "rsa"}).rstrip(".")
    digest = hmac.new(RSA.as_pem(private=False), token.encode(), hashlib.sha256).digest()
    return f"{token}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def altered(token: str) -> str:
    head, body, signature = token.split(".")
    content = json.loads(base64.urlsafe_b64decode(body + "=="))
    changed = base64.urlsafe_b64encode(json.dumps({**content, "client_id": "office-client"}).encode()).rstrip(b"=").decode()
    return ".".join([head, changed, signature])


class Published:
    """An issuer's JWKS document, how often it was fetched, and whether it can be."""

    def __init__(self, *keys: Any) -> None:
        self.keys = list(keys)
        self.fetched = 0
        self.is_down = False

    async def fetch(self) -> dict[str, Any]:
        self.fetched += 1
        if self.is_down:
            raise httpx.ConnectError("down")
        return {"keys": [key.as_dict(private=False) for key in self.keys]}


def verifier(published: Published, settings: RegisterSettings = SETTINGS, clock: Callable[[], float] = time.monotonic) -> TokenVerifier:
    return TokenVerifier(settings, SigningKeys(published.fetch, settings, clock), lambda: float(NOW))


def accepted(token: str) -> str:
    return asyncio.run(verifier(Published(RSA, EC)).find_client(token))


def test_good_tokens_are_accepted() -> None:
    assert accepted(sign(claims())) == "alpha-client"
    assert accepted(sign(claims(), EC, alg="ES256", kid="ec")) == "alpha-client"
    assert accepted(sign(claims(aud=["other", "fmar-register"]))) == "alpha-client"
    assert accepted(sign(claims(client_id=None, azp="azp-client"))) == "azp-client"


@pytest.mark.parametrize(("changes"), [{"exp": NOW - 29}, {"nbf": NOW + 29}, {"iat": NOW + 29}])
def test_a_little_clock_skew_is_forgiven(changes: dict[str, object]) -> None:
    assert accepted(sign(claims(**changes))) == "alpha-client"


FORGERIES = {
    "expired": sign(claims(exp=NOW - 31)),
    "not yet valid": sign(claims(nbf=NOW + 31)),
    "issued in the future": sign(claims(iat=NOW + 31)),
    "without expiry": sign(claims(exp=None)),
    "expiry as text": sign(claims(exp="tomorrow")),
    "expiry not a number": sign(claims(exp=[NOW + 300])),
    "expiry NaN": sign(claims(exp=float("nan"))),
    "expiry without end": sign(claims(exp=float("inf"))),
    "wrong audience": sign(claims(aud="other")),
    "without audience": sign(claims(aud=None)),
    "audience a prefix": sign(claims(aud="fmar-register-2")),
    "wrong issuer": sign(claims(iss="https://issuer.example.evil")),
    "without issuer": sign(claims(iss=None)),
    "without client": sign(claims(client_id=None)),
    "client a list": sign(claims(client_id=["alpha-client"])),
    "client with a control character": sign(claims(client_id="alpha\nclient")),
    "altered payload": altered(sign(claims())),
    "signed by another key under the same id": sign(claims(), OTHER_RSA),
    "unknown key id": sign(claims(), OTHER_RSA, kid="mine"),
    "without key id": sign(claims(), RSA, kid=None),
    "no algorithm": unsigned({"alg": "none", "kid": "rsa"}),
    "no algorithm, odd case": unsigned({"alg": "nOnE", "kid": "rsa"}),
    "algorithm a list": unsigned({"alg": ["RS256"], "kid": "rsa"}),
    "empty signature": unsigned({"alg": "RS256", "kid": "rsa"}),
    "public key as a shared secret": signed_with_public_key(),
    "algorithm of the other key": sign(claims(), EC, alg="ES256", kid="rsa"),
    "algorithm not on the list": sign(claims(), RSA, alg="RS512"),
    "a key of its own in the header": sign(claims(), OTHER_RSA, jwk=OTHER_RSA.as_dict(private=False)),
    "critical extension": unsigned({"alg": "RS256", "kid": "rsa", "crit": ["b64"], "b64": False}),
    "not a token": "abc",
    "five parts": "a.b.c.d.e",
    "not ASCII": "é.é.é",
    "not base64": "!.!.!",
    "header a list": base64.urlsafe_b64encode(b"[1]").decode() + ".e30.x",
    "much too long": "a" * 9000,
    "empty": "",
}


@pytest.mark.parametrize("token", FORGERIES.values(), ids=FORGERIES.keys())
def test_forgeries_are_rejected(token: str) -> None:
    with pytest.raises(UnauthenticatedError) as rejected:
        accepted(token)
    assert "alpha" not in rejected.value.detail


def test_an_unknown_key_id_fetches_once_an_interval_and_a_new_key_is_found_then() -> None:
    moment = [0.0]
    published = Published(RSA)
    verify = verifier(published, clock=lambda: moment[0])

    async def story() -> None:
        assert await verify.find_client(sign(claims())) == "alpha-client"
        published.keys.append(EC)
        for _ in range(50):
            with pytest.raises(UnauthenticatedError):
                await verify.find_client(sign(claims(), EC, alg="ES256", kid="ec"))
        assert published.fetched == 1
        moment[0] = SETTINGS.jwks_refetch_seconds
        assert await verify.find_client(sign(claims(), EC, alg="ES256", kid="ec")) == "alpha-client"
        assert published.fetched == 2
        moment[0] += SETTINGS.jwks_max_age_seconds + 1
        published.keys.remove(RSA)
        with pytest.raises(UnauthenticatedError):
            await verify.find_client(sign(claims()))
        assert published.fetched == 3

    asyncio.run(story())


def test_an_issuer_that_is_down_stops_nobody_whose_key_is_known() -> None:
    moment = [0.0]
    published = Published(RSA)
    published.is_down = True
    verify = verifier(published, clock=lambda: moment[0])

    async def story() -> None:
        with pytest.raises(BusyError):
            await verify.find_client(sign(claims()))
        published.is_down = False
        moment[0] = 2.0
        assert await verify.find_client(sign(claims())) == "alpha-client"
        published.is_down = True
        moment[0] = SETTINGS.jwks_max_age_seconds * 2
        assert await verify.find_client(sign(claims())) == "alpha-client"

    asyncio.run(story())


BAD_ANSWERS: dict[str, object] = {
    "no keys": {"keys": []},
    "an object without keys": {},
    "a null entry": {"keys": [None]},
    "keys that are no list": {"keys": {"rsa": {}}},
    "keys that are null": {"keys": None},
    "a list": [],
    "null": None,
    "text": "maintenance",
    "keys that cannot be used": {"keys": [{"kty": "oct", "kid": "rsa", "k": "c2VjcmV0"}, {"kty": "RSA", "kid": "rsa", "n": 7, "e": None}]},
}


@pytest.mark.parametrize("bad", BAD_ANSWERS.values(), ids=BAD_ANSWERS.keys())
def test_a_bad_answer_of_the_issuer_shuts_nobody_out(bad: object) -> None:
    moment = [0.0]
    answers: list[object] = [{"keys": [RSA.as_dict(private=False)]}]

    async def fetch() -> object:
        return answers[-1]

    verify = TokenVerifier(SETTINGS, SigningKeys(fetch, SETTINGS, lambda: moment[0]), lambda: float(NOW))

    async def story() -> None:
        assert await verify.find_client(sign(claims())) == "alpha-client"
        answers.append(bad)
        moment[0] = SETTINGS.jwks_max_age_seconds * 2
        assert await verify.find_client(sign(claims())) == "alpha-client"
        with pytest.raises(UnauthenticatedError):
            await verify.find_client(sign(claims(), EC, alg="ES256", kid="ec"))
        answers.append({"keys": [None, EC.as_dict(private=False)]})
        moment[0] += SETTINGS.jwks_refetch_seconds
        assert await verify.find_client(sign(claims(), EC, alg="ES256", kid="ec")) == "alpha-client"
        with pytest.raises(UnauthenticatedError):
            await verify.find_client(sign(claims()))

    asyncio.run(story())


def test_an_issuer_that_never_ends_its_answer_is_given_up() -> None:
    def endless(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Endless())

    fetch = fetch_from(SETTINGS, "local", httpx.MockTransport(endless))
    with pytest.raises(ValueError, match="too large"):
        asyncio.run(cast("Coroutine[None, None, object]", fetch()))


class Endless(httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            yield b" " * 2**16


def test_symmetric_and_unreadable_keys_of_a_document_are_passed_over() -> None:
    async def fetch() -> dict[str, Any]:
        secret = {"kty": "oct", "kid": "secret", "k": "c2VjcmV0"}
        return {"keys": [secret, {"kty": "RSA", "kid": "broken", "n": "!", "e": "!"}, {"kty": "EC"}, RSA.as_dict(private=False)]}

    keys = SigningKeys(fetch, SETTINGS)
    assert asyncio.run(keys.find("rsa")).key_type == "RSA"
    for name in ("secret", "broken"):
        with pytest.raises(UnauthenticatedError):
            asyncio.run(keys.find(name))


def test_settings_that_would_accept_anyone_are_rejected() -> None:
    keys = SigningKeys(Published().fetch, SETTINGS)
    with pytest.raises(ConfigError, match="HS256"):
        TokenVerifier(SETTINGS.model_copy(update={"algorithms": ("RS256", "HS256")}), keys)
    with pytest.raises(ConfigError, match="issuer"):
        TokenVerifier(SETTINGS.model_copy(update={"issuer": ""}), keys)
    with pytest.raises(ConfigError, match="https wanted"):
        fetch_from(SETTINGS.model_copy(update={"jwks_url": "http://issuer.example/keys"}), "azure")
    with pytest.raises(ConfigError, match="jwks_url"):
        fetch_from(SETTINGS.model_copy(update={"jwks_url": ""}), "azure")


@pytest.mark.parametrize("environment", ["azure", "test", "production", ""])
def test_the_development_issuer_is_rejected_outside_local(environment: str) -> None:
    with pytest.raises(ConfigError, match="development issuer"):
        DevelopmentIssuer(environment)


def test_what_a_caller_without_a_token_gets(served: Served) -> None:
    bare = served.http.get("/v1/agreements")
    assert (bare.status_code, bare.headers["WWW-Authenticate"], bare.json()["type"]) == (401, "Bearer", "urn:fmar:problem:no-token")
    assert bare.headers["Content-Type"] == "application/problem+json"
    forged = served.http.get("/v1/agreements", headers={"Authorization": f"Bearer {sign(claims(iss=DEVELOPMENT_ISSUER))}"})
    assert (forged.status_code, "invalid_token" in forged.headers["WWW-Authenticate"]) == (401, True)
    basic = served.http.get("/v1/agreements", headers={"Authorization": "Basic YTpi"})
    assert basic.status_code == 401
    stranger = served.issuer.sign("stranger", "fmar-register")
    unknown = served.http.get("/v1/agreements", headers={"Authorization": f"Bearer {stranger}"})
    assert (unknown.status_code, unknown.json()["type"]) == (403, "urn:fmar:problem:unknown-client")


def test_an_accepted_token_is_remembered_until_it_ends_or_its_key_is_replaced() -> None:
    published = Published(RSA)
    moment = [0.0, float(NOW)]
    tokens = TokenVerifier(SETTINGS, SigningKeys(published.fetch, SETTINGS, lambda: moment[0]), lambda: moment[1])
    token = sign(claims())
    assert [asyncio.run(tokens.find_client(token)) for _ in range(2)] == ["alpha-client"] * 2
    moment[1] = NOW + 331.0
    with pytest.raises(UnauthenticatedError):
        asyncio.run(tokens.find_client(token))
    moment[1] = float(NOW)
    assert asyncio.run(tokens.find_client(token)) == "alpha-client"
    replaced = RSAKey.generate_key(2048, parameters={"kid": "rsa"})
    published.keys = [replaced]
    moment[0] += SETTINGS.jwks_max_age_seconds + 1
    with pytest.raises(UnauthenticatedError):
        asyncio.run(tokens.find_client(token))


def test_a_token_that_was_accepted_ends_when_it_says() -> None:
    moment = [float(NOW)]
    verify = TokenVerifier(SETTINGS, SigningKeys(Published(RSA).fetch, SETTINGS), lambda: moment[0])
    token = sign(claims(exp=NOW + 60))

    async def story() -> None:
        for seconds in (0, 59, 60 + SETTINGS.leeway_seconds - 1):
            moment[0] = NOW + seconds
            assert await verify.find_client(token) == "alpha-client"
        moment[0] = NOW + 60 + SETTINGS.leeway_seconds + 1
        for _ in range(2):
            with pytest.raises(UnauthenticatedError, match="expired"):
                await verify.find_client(token)

    asyncio.run(story())
