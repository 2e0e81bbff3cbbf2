"""Cuts what was delivered, a landing file or a Kafka value, into messages, and decodes each by itself."""

import re
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from fmar_spark.transforms.dip_rules import DecodeRules
from fmar_spark.transforms.dip_structs import LooseMessage, Message

GZIP_MAGIC: Final = b"\x1f\x8b"
GZIP_WINDOW: Final = 31
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{},]', re.DOTALL)
_read_elements: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_read_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_read_message: Final = msgspec.json.Decoder(Message).decode
_read_loosely: Final = msgspec.json.Decoder(LooseMessage).decode


class Refusal(NamedTuple):
    """Something that cannot be accepted, and the rule that it broke."""

    source: str
    rule: str
    reason: str
    raw: str
    mpan_id: str | None = None
    transaction_id: str | None = None


class Unit(NamedTuple):
    """One message as it lay in its file; ``message`` is None where it could not be decoded."""

    source: str
    raw: bytes | memoryview
    message: Message | None
    refusal: Refusal | None = None


class _RefusedError(Exception):
    """Carries rule and reason to the place that knows the name of the file."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule
        self.reason = reason


def read_units(name: str, content: bytes, rules: DecodeRules) -> Iterator[Unit]:
    """Every message of one file by its place, ``name#0`` first; a file that cannot be cut is one refused unit."""
    try:
        text = unpack(content, rules.max_file_bytes)
        elements = cut_elements(text)
    except _RefusedError as refused:
        refusal = Refusal(name, refused.rule, refused.reason, show_raw(content, rules.max_raw_chars))
        yield Unit(name, content[: rules.max_raw_chars], None, refusal)
        return
    for place, element in enumerate(elements):
        yield decode_unit(f"{name}#{place}", element, rules)


def decode_unit(source: str, element: bytes | memoryview, rules: DecodeRules) -> Unit:
    """The message, or the refusal that says why there is none."""
    if len(element) > rules.max_message_bytes:
        reason = f"{len(element)} bytes found, at most {rules.max_message_bytes} wanted"
        return Unit(source, element, None, Refusal(source, "message_too_large", reason, show_raw(element, rules.max_raw_chars)))
    try:
        return Unit(source, element, _read_message(element))
    except RecursionError:
        rule, reason = "message_too_deep", "brackets nested too deep to decode"
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        rule, reason = "message_malformed", str(error)
    loose = _read_what_can_be(element)
    raw = show_raw(element, rules.max_raw_chars)
    return Unit(source, element, None, Refusal(source, rule, reason, raw, loose.mpan, loose.transaction_id))


def unpack(content: bytes, max_bytes: int) -> bytes:
    """The JSON text, unzipped if need be, never more than ``max_bytes`` of it."""
    if not content:
        raise _RefusedError("file_empty", "no bytes found")
    if len(content) > max_bytes:
        raise _RefusedError("file_too_large", f"{len(content)} bytes found, at most {max_bytes} wanted")
    text = _gunzip(content, max_bytes) if content.startswith(GZIP_MAGIC) else content
    text = text.removeprefix(BYTE_ORDER_MARK).strip()
    if not text:
        raise _RefusedError("file_empty", "nothing but white space found")
    return text


def cut_elements(text: bytes) -> list[bytes | memoryview]:
    """The elements of the top-level array, or the one top-level object, undecoded."""
    try:
        if text.startswith(b"{"):
            _read_object(text)
            return [text]
        if not text.startswith(b"["):
            raise _RefusedError("file_not_json" if not _is_json(text) else "file_not_messages", "an array of messages wanted")
        elements: list[bytes | memoryview] = [memoryview(raw) for raw in _read_elements(text)]
    except RecursionError:
        elements = _cut_without_recursion(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _RefusedError("file_not_json", str(error)) from error
    if not elements:
        raise _RefusedError("array_empty", "an array of at least one message wanted")
    return elements


def show_raw(content: bytes | memoryview, max_chars: int) -> str:
    """The beginning of what was refused, as text that any table can hold."""
    return bytes(content[: max_chars * 4]).decode("utf-8", "replace").replace("\x00", "\ufffd")[:max_chars]


def _gunzip(content: bytes, max_bytes: int) -> bytes:
    """All members of a gzip file, refused as soon as they unpack to more than ``max_bytes``."""
    parts: list[bytes] = []
    left, budget = content, max_bytes
    while left:
        unzip = zlib.decompressobj(GZIP_WINDOW)
        try:
            parts.append(unzip.decompress(left, budget + 1))
        except zlib.error as error:
            raise _RefusedError("file_truncated", f"damaged gzip: {error}") from error
        budget -= len(parts[-1])
        if budget < 0:
            raise _RefusedError("file_too_large", f"unpacks to more than {max_bytes} bytes")
        if not unzip.eof:
            raise _RefusedError("file_truncated", "gzip ends early")
        left = unzip.unused_data.lstrip(b"\x00")
    return b"".join(parts)


def _cut_without_recursion(text: bytes) -> list[bytes | memoryview]:
    """Elements of a top-level array by counting brackets, for files in which one message nests too deep."""
    depth, start = 0, 1
    elements: list[bytes | memoryview] = []
    if text.startswith(b"{"):
        return [text]
    for token in _TOKEN.finditer(text):
        letter = text[token.start()]
        if letter in b"[{":
            depth += 1
        elif letter in b"]}":
            depth -= 1
        if (letter in b"," and depth == 1) or (letter in b"]}" and depth == 0):
            elements.append(text[start : token.start()].strip())
            start = token.end()
        if depth == 0:
            break
    if depth or text[start:].strip():
        raise _RefusedError("file_not_json", "brackets do not match")
    return elements


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _read_what_can_be(element: bytes | memoryview) -> LooseMessage:
    try:
        return _read_loosely(element)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return LooseMessage()
