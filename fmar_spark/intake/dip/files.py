"""Cuts what was delivered, a landing file or a Kafka value, into messages, and decodes each by itself."""

import re
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from fmar_spark.intake.dip.rules import DecodeRules
from fmar_spark.intake.dip.structs import LooseMessage, Message

GZIP_MAGIC: Final = b"\x1f\x8b"
GZIP_WINDOW: Final = 31
MAX_GZIP_MEMBERS: Final = 100
"""Each costs a copy of what follows it."""
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)
"""Strings and punctuation. A string that never ends runs to the end of the text, so that no input takes quadratic time."""
_read_elements: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_read_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_read_message: Final = msgspec.json.Decoder(Message).decode
_read_loosely: Final = msgspec.json.Decoder(LooseMessage).decode


class Refusal(NamedTuple):
    """Something that cannot be accepted, and the rule that it broke."""

    rule: str
    reason: str


class Unit(NamedTuple):
    """One message as it lay in its file, or a whole file that cannot be cut; exactly one of the last two is None."""

    source: str
    raw: bytes | memoryview
    message: Message | None
    refusal: Refusal | None


class _RefusedError(Exception):
    """Carries a refusal, and the text that it speaks of, to the place that knows the name of the file."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.refusal = Refusal(rule, reason)


class _Cut(NamedTuple):
    """Elements of an array, and what is left that is no element: empty unless the text ends early or goes on too long."""

    elements: list[bytes | memoryview]
    rest: bytes = b""


def read_units(name: str, content: bytes, rules: DecodeRules) -> Iterator[Unit]:
    """Every message of one file by its place, ``name#0`` first; a file that cannot be cut is one refused unit."""
    text = content
    try:
        text = unpack(content, rules.max_file_bytes)
        cut = _cut_elements(text)
    except _RefusedError as refused:
        yield Unit(name, text, None, refused.refusal)
        return
    is_ascii = text.isascii()
    for place, element in enumerate(cut.elements):
        yield decode_unit(f"{name}#{place}", element, rules, is_ascii=is_ascii)
    if cut.rest:
        refusal = Refusal("file_truncated", f"{len(cut.rest)} bytes found that are no whole message")
        yield Unit(f"{name}#{len(cut.elements)}", cut.rest, None, refusal)


def decode_unit(source: str, element: bytes | memoryview, rules: DecodeRules, *, is_ascii: bool = False) -> Unit:
    """The message, or the refusal that says why there is none."""
    if len(element) > rules.max_message_bytes:
        reason = f"{len(element)} bytes found, at most {rules.max_message_bytes} wanted"
        return Unit(source, element, None, Refusal("message_too_large", reason))
    try:
        if not is_ascii:
            str(element, "utf-8")
        return Unit(source, element, _read_message(element), None)
    except RecursionError:
        return Unit(source, element, None, Refusal("message_too_deep", "brackets nested too deep to decode"))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Unit(source, element, None, Refusal("message_malformed", str(error)))


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


def refuse_unread(name: str, length: int, rules: DecodeRules) -> Unit:
    """The refusal of a file that is too large to be read at all."""
    return Unit(name, b"", None, Refusal("file_too_large", f"{length} bytes found, at most {rules.max_file_bytes} wanted"))


def read_loosely(element: bytes | memoryview) -> LooseMessage:
    """As much of a broken message as tells whose it is; nothing of what is no JSON."""
    try:
        return _read_loosely(element)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return LooseMessage()


def show_raw(content: bytes | memoryview, max_chars: int) -> str:
    """The beginning of what was refused, as text that any table can hold."""
    return bytes(content[: max_chars * 4]).decode("utf-8", "replace").replace("\x00", "\ufffd")[:max_chars]


def _cut_elements(text: bytes) -> _Cut:
    """The elements of the top-level array, or the one top-level object, undecoded.

    Where the text is no valid JSON as a whole, its elements are told apart by their brackets: one broken message takes
    no other with it.
    """
    try:
        if text.startswith(b"{"):
            _read_object(text)
            return _Cut([text])
        if not text.startswith(b"["):
            raise _RefusedError("file_not_json" if not _is_json(text) else "file_not_messages", "an array of messages wanted")
        cut = _Cut([memoryview(raw) for raw in _read_elements(text)])
    except RecursionError:
        cut = _Cut([text]) if text.startswith(b"{") else _cut_by_brackets(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        cut = _cut_by_brackets(text) if text.startswith(b"[") else _Cut([])
        if not cut.elements:
            raise _RefusedError("file_not_json", str(error)) from error
    if not cut.elements and not cut.rest:
        raise _RefusedError("array_empty", "an array of at least one message wanted")
    return cut


def _gunzip(content: bytes, max_bytes: int) -> bytes:
    """All members of a gzip file, refused as soon as they unpack to more than ``max_bytes``."""
    parts: list[bytes] = []
    left, budget = content, max_bytes
    while left:
        if len(parts) == MAX_GZIP_MEMBERS:
            raise _RefusedError("file_truncated", f"damaged gzip: more than {MAX_GZIP_MEMBERS} members found")
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


def _cut_by_brackets(text: bytes) -> _Cut:
    """Elements of a top-level array by counting brackets, for files that are no JSON or in which something nests too deep."""
    depth, start = 0, 1
    elements: list[bytes | memoryview] = []
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
    return _Cut(elements, text[start:].strip())


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
