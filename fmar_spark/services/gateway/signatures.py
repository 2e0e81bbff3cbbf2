"""Whether a request really comes from the DIP: content hash, signature, certificate and date, over the bytes as they arrived.

The format is that of Elexon's API: the signed text is ``METHOD;lower-cased URL;date;content hash``, the signature RSA with
SHA-256 and PKCS#1 v1.5 padding, all in base64; the certificate's header is the base64 of its PEM.
"""

import base64
import binascii
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from fmar_spark.errors import ConfigError
from fmar_spark.services.web.problems import ForbiddenError, UnreadableError

SIGNATURE: Final = "x-dip-signature"
DATE: Final = "x-dip-signature-date"
CONTENT_HASH: Final = "x-dip-content-hash"
CERTIFICATE: Final = "x-dip-signature-certificate"
SIGNED_HEADERS: Final = (SIGNATURE, DATE, CONTENT_HASH, CERTIFICATE)
_LEAST_KEY_BITS: Final = 2048
_MOST_CERTIFICATES: Final = 64
_MOST_HEADER_CHARS: Final = 16_384


class SignedRequest(NamedTuple):
    """What the signature is about."""

    method: str
    url: str
    """As the DIP addressed it, query included."""
    headers: dict[str, str]
    """``SIGNED_HEADERS``, each once."""
    body: bytes


class _Signer(NamedTuple):
    key: RSAPublicKey
    valid_from: datetime
    valid_until: datetime


def signed_text(method: str, url: str, date: str, content_hash: str) -> bytes:
    """The text that a sender signs."""
    return f"{method.upper()};{url.lower()};{date};{content_hash}".encode()


def hash_content(body: bytes) -> str:
    """The content hash of a body."""
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


class SignatureCheck:
    """Accepts requests that a certificate of a trusted issuer signed within the date window."""

    def __init__(self, issuers: Iterable[x509.Certificate], window: timedelta, now: Callable[[], datetime] = lambda: datetime.now(UTC)):
        """``window`` is how far the signature's date may lie from ``now``, either way."""
        self._issuers = tuple(issuers)
        self._window = window
        self._now = now
        self._signers: OrderedDict[str, _Signer] = OrderedDict()

    def check(self, request: SignedRequest) -> bytes:
        """The signature, if the request is signed as it must be.

        Raises:
            UnreadableError: a header is missing or is not what its format wants.
            ForbiddenError: the request is not from a trusted sender, was changed on its way, or is out of date.
        """
        missing = [name for name in SIGNED_HEADERS if not request.headers.get(name)]
        if missing:
            raise UnreadableError("unsigned", f"{missing[0]}: no such header found")
        if any(len(value) > _MOST_HEADER_CHARS for value in request.headers.values()):
            raise UnreadableError("unsigned", "a header of the signature is longer than any signature's")
        self._check_date(request.headers[DATE])
        if not hmac.compare_digest(hash_content(request.body).encode(), request.headers[CONTENT_HASH].encode()):
            raise ForbiddenError("content-changed", f"{CONTENT_HASH}: not the hash of the body that arrived")
        signer = self._find_signer(request.headers[CERTIFICATE])
        text = signed_text(request.method, request.url, request.headers[DATE], request.headers[CONTENT_HASH])
        signature = _decode(SIGNATURE, request.headers[SIGNATURE])
        try:
            signer.key.verify(signature, text, PKCS1v15(), SHA256())
        except InvalidSignature as error:
            raise ForbiddenError("signature-wrong", f"{SIGNATURE}: does not fit method, URL, date, content hash and certificate") from error
        return signature

    def _check_date(self, text: str) -> None:
        try:
            distance = abs(parse_date(text) - self._now())
        except (ValueError, OverflowError) as error:
            raise UnreadableError("unsigned", f"{DATE}: an ISO 8601 or HTTP date with its zone wanted") from error
        if distance > self._window:
            raise ForbiddenError("out-of-date", f"{DATE}: more than {int(self._window.total_seconds())} s from this machine's clock")

    def _find_signer(self, header: str) -> _Signer:
        """The key of a certificate that is valid now; looked up once a certificate."""
        signer = self._signers.get(header) or self._read_signer(header)
        if not signer.valid_from <= self._now() <= signer.valid_until:
            raise ForbiddenError("certificate-expired", f"{CERTIFICATE}: not valid on this day")
        self._signers[header] = signer
        while len(self._signers) > _MOST_CERTIFICATES:
            self._signers.popitem(last=False)
        return signer

    def _read_signer(self, header: str) -> _Signer:
        try:
            certificate = x509.load_pem_x509_certificate(_decode(CERTIFICATE, header))
            key = certificate.public_key()
        except ValueError as error:
            raise UnreadableError("unsigned", f"{CERTIFICATE}: the base64 of a PEM certificate wanted") from error
        if not isinstance(key, RSAPublicKey) or key.key_size < _LEAST_KEY_BITS:
            raise ForbiddenError("certificate-untrusted", f"{CERTIFICATE}: an RSA key of {_LEAST_KEY_BITS} bits or more wanted")
        if not any(_is_issued_by(certificate, issuer, self._now()) for issuer in self._issuers):
            raise ForbiddenError("certificate-untrusted", f"{CERTIFICATE}: not issued by an issuer of gateway.signature_issuers")
        return _Signer(key, certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def parse_date(text: str) -> datetime:
    """The moment that a signature's date names.

    Raises:
        ValueError: neither an ISO 8601 nor an HTTP date, or one without a zone.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = parsedate_to_datetime(text)
    if at.tzinfo is None:
        raise ValueError("a zone is wanted")
    return at


def load_certificates(path: str, setting: str) -> list[x509.Certificate]:
    """The certificates of a PEM file.

    Raises:
        ConfigError: no such file, or none in it.
    """
    try:
        return x509.load_pem_x509_certificates(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{setting}: a file of PEM certificates wanted, {path!r} found") from error


def _is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> bool:
    """Whether an issuer that is valid now signed the certificate, or is that certificate."""
    if not issuer.not_valid_before_utc <= now <= issuer.not_valid_after_utc:
        return False
    if certificate == issuer:
        return True
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return _may_sign(issuer)


def _may_sign(issuer: x509.Certificate) -> bool:
    """Whether the issuer's own certificate lets it issue others."""
    try:
        return bool(issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except (x509.ExtensionNotFound, ValueError):
        return False


def _decode(name: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnreadableError("unsigned", f"{name}: base64 wanted") from error
