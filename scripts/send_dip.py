"""Sends messages to a gateway as the DIP does, signed, with faults on request.

send_dip.py keys DIR                          makes an issuer, a signing certificate, TLS certificates and an API key for trials
send_dip.py send URL --keys DIR FILE...       posts the messages of landing files and prints a line for every answer
"""

import argparse
import base64
import gzip
import hashlib
import secrets
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final, NamedTuple

import httpx
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from fmar_spark.services.gateway.signatures import CERTIFICATE, CONTENT_HASH, DATE, SIGNATURE, hash_content, signed_text
from fmar_spark.settings.bounds import whole_from

FAULTS: Final = ("changed-body", "old-date", "foreign-certificate", "wrong-key", "unsigned", "bad-message")
DAYS: Final = 30


class Keys(NamedTuple):
    """A folder of keys and certificates for trials."""

    folder: Path

    @property
    def api_key(self) -> str:
        """Sent as X-API-Key."""
        return (self.folder / "api_key.txt").read_text(encoding="utf-8").strip()


class Signer(NamedTuple):
    """Signs as the DIP does."""

    key: RSAPrivateKey
    certificate: bytes
    """PEM."""

    def sign(self, url: str, body: bytes, at: datetime) -> dict[str, str]:
        """The headers of a signed request."""
        date, content_hash = at.isoformat(timespec="seconds"), hash_content(body)
        signature = self.key.sign(signed_text("POST", url, date, content_hash), PKCS1v15(), SHA256())
        return {
            SIGNATURE: base64.b64encode(signature).decode(),
            DATE: date,
            CONTENT_HASH: content_hash,
            CERTIFICATE: base64.b64encode(self.certificate).decode(),
        }


def main() -> int:
    """Make keys, or send."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    keys = actions.add_parser("keys", help="make keys and certificates for trials")
    keys.add_argument("folder", type=Path)
    send = actions.add_parser("send", help="post messages")
    send.add_argument("url", help="https://HOST:PORT/dip/CHANNEL")
    send.add_argument("--keys", type=Path, required=True, help="folder that `keys` made")
    send.add_argument("--batch", type=whole_from(1), default=100, help="messages of a request (default 100)")
    send.add_argument("--most", type=whole_from(1), help="messages in all (default: every one)")
    send.add_argument("--fault", choices=FAULTS, help="what is wrong with every request")
    send.add_argument("files", type=Path, nargs="+", help="landing files or folders of them")
    options = parser.parse_args()
    if options.action == "keys":
        make_keys(options.folder)
        print_settings(options.folder)
        return 0
    return post_all(options)


def make_keys(folder: Path) -> None:
    """An issuer; a signing, a server's and a client's certificate that it issued; an API key."""
    folder.mkdir(parents=True, exist_ok=True)
    issuer_key, issuer = make_certificate("FMAR trial issuer", None)
    write_pair(folder, "issuer", issuer_key, issuer)
    for name in ("signer", "server", "client"):
        write_pair(folder, name, *make_certificate(f"FMAR trial {name}", (issuer_key, issuer)))
    write_pair(folder, "foreign", *make_certificate("FMAR trial stranger", None))
    (folder / "api_key.txt").write_text(secrets.token_hex(16), encoding="utf-8")


def make_certificate(
    name: str, issuer: tuple[RSAPrivateKey, x509.Certificate] | None, now: datetime | None = None
) -> tuple[RSAPrivateKey, x509.Certificate]:
    """A key and its certificate, by an issuer or by itself, valid for a month."""
    key = generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = now or datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[1].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=DAYS))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if issuer:
        known = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer[0].public_key())
        builder = builder.add_extension(known, critical=False)
    return key, builder.sign(issuer[0] if issuer else key, SHA256())


def write_pair(folder: Path, name: str, key: RSAPrivateKey, certificate: x509.Certificate) -> None:
    """NAME.key and NAME.pem."""
    plain = serialization.NoEncryption()
    path = folder / f"{name}.key"
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def print_settings(folder: Path) -> None:
    """What a gateway needs to trust these keys."""
    given = {
        "channels": "{pub-021: " + hashlib.sha256(Keys(folder).api_key.encode()).hexdigest() + "}",
        "signature_issuers": folder / "issuer.pem",
        "tls_certificate": folder / "server.pem",
        "tls_key": folder / "server.key",
        "tls_client_issuers": folder / "issuer.pem",
    }
    print("fmar gateway " + " ".join(f"--set 'gateway.{name}={value}'" for name, value in given.items()))


def load_signer(folder: Path, name: str = "signer") -> Signer:
    """A signing key of a folder."""
    key = serialization.load_pem_private_key((folder / f"{name}.key").read_bytes(), None)
    if not isinstance(key, RSAPrivateKey):
        raise SystemExit(f"{folder / name}.key: an RSA key wanted")
    return Signer(key, (folder / f"{name}.pem").read_bytes())


def read_batches(files: list[Path], size: int, most: int | None) -> Iterator[list[bytes]]:
    """The messages of landing files, so many at a time."""
    batch: list[bytes] = []
    left = most if most is not None else sys.maxsize
    for path in (inner for file in files for inner in (sorted(file.rglob("[!_.]*.json*")) if file.is_dir() else [file])):
        content = path.read_bytes()
        for raw in msgspec.json.decode(gzip.decompress(content) if path.suffix == ".gz" else content, type=list[msgspec.Raw]):
            if left == 0:
                break
            left -= 1
            batch.append(bytes(raw))
            if len(batch) == size:
                yield batch
                batch = []
    if batch:
        yield batch


def join(batch: list[bytes]) -> bytes:
    """A body."""
    return b"[" + b",".join(batch) + b"]"


def post_all(options: argparse.Namespace) -> int:
    """Post every batch; a line an answer. 0 if all was accepted."""
    keys, fault = Keys(options.keys), options.fault
    signer = load_signer(options.keys, "foreign" if fault == "foreign-certificate" else "signer")
    at_worst = 0
    context = httpx.create_ssl_context(verify=str(options.keys / "issuer.pem"))
    context.load_cert_chain(options.keys / "client.pem", options.keys / "client.key")
    with httpx.Client(verify=context, timeout=60) as client:
        for batch in read_batches(options.files, options.batch, options.most):
            body = join([*batch, b'{"payload":{}}'] if fault == "bad-message" else batch)
            headers = signer.sign(options.url, body, datetime.now(UTC) - timedelta(hours=fault == "old-date"))
            headers |= {"X-API-Key": "wrong" if fault == "wrong-key" else keys.api_key, "Content-Type": "application/json"}
            if fault == "unsigned":
                del headers[SIGNATURE]
            began = time.perf_counter()
            answer = client.post(options.url, content=body + b" " if fault == "changed-body" else body, headers=headers)
            print(f"{answer.status_code}  {len(batch)} messages  {(time.perf_counter() - began) * 1000:.1f} ms  {summarise(answer)}")
            at_worst = max(at_worst, answer.status_code)
    return 0 if at_worst == 201 else 1


def summarise(answer: httpx.Response) -> str:
    """What an answer says, in a few words."""
    found = answer.json()
    if "messageArray" not in found:
        return str(found.get("detail"))
    words = [row["message"].split(":")[0] for row in found["messageArray"]]
    return ", ".join(f"{words.count(word)} x {word}" for word in sorted(set(words)))


if __name__ == "__main__":
    sys.exit(main())
