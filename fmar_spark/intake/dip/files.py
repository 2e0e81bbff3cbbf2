"""Splits what was delivered, a landing file or a Kafka value, into messages, and decodes each by itself."""

import re
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from fmar_spark.domain.figures import write_count
from fmar_spark.intake.dip.rules import DecodeRules, Fault, Rule
from fmar_spark.intake.dip.structs import LooseMessage, Message

GZIP_MAGIC: Final = b"\x1f\x8b"
GZIP_WINDOW: Final = 31
MAX_GZIP_MEMBERS: Final = 100
"""Each costs a copy of what follows it."""
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
MAX_COMMAS: Final = 2_000_000
"""A text with more is split piece by piece: every element of an array costs memory, however short it is."""
_BEGIN: Final = re.compile(rb'\{\s*"payload"\s*:')
"""How a message begins; nothing else in a message is written so."""
_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)
"""Strings and punctuation. A string that never ends runs to the end of the text, so that no input takes quadratic time."""
_read_elements: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_read_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_read_message: Final = msgspec.json.Decoder(Message).decode
_read_loosely: Final = msgspec.json.Decoder(LooseMessage).decode
_check_json: Final = msgspec.json.Decoder(msgspec.Raw).decode


class Unit(NamedTuple):
    """One message as it lay in its file, or a whole file that cannot be split; exactly one of ``message`` and ``fault`` is None."""

    source: str
    raw: bytes | memoryview
    message: Message | None
    fault: Fault | None
    messages: int = 1
    """How many it stands for: many where the rest of a file is only counted."""

    @property
    def file(self) -> str:
        """The file that it lay in."""
        return self.source.rpartition("#")[0] or self.source


class _RejectedError(Exception):
    """Carries a fault to the place that knows the name of the file."""

    def __init__(self, rule: Rule, reason: str) -> None:
        super().__init__(reason)
        self.fault = Fault(rule, reason)


class _Piece(NamedTuple):
    """An element of the top-level array, or what stands in its place."""

    text: bytes | memoryview
    rule: Rule | None = None
    """The rule that it breaks, where that is known before it is decoded."""


FILE_TOO_MANY_MESSAGES: Final = Rule(
    "file_too_many_messages", "The file has more messages than ingest.max_messages_per_file; one row counts those that follow."
)


def read_units(name: str, content: bytes, rules: DecodeRules) -> Iterator[Unit]:
    """Every message of one file by its place, ``name#0`` first; a file that cannot be split is one rejected unit."""
    text = content
    try:
        text = unpack(content, rules.max_file_bytes)
        pieces = _split(text)
        is_ascii = text.isascii()
        for place, piece in enumerate(pieces):
            if place == rules.max_messages_per_file:
                left = 1 + sum(1 for _ in pieces)
                reason = f"{write_count(left, 'more message')} after the first {place} found"
                yield Unit(f"{name}#{place}", piece.text, None, Fault(FILE_TOO_MANY_MESSAGES, reason), left)
                return
            source = f"{name}#{place}"
            if piece.rule is None:
                yield decode_unit(source, piece.text, rules, is_ascii=is_ascii)
            else:
                found = f"{write_count(len(piece.text), 'byte')} found, no whole message"
                yield Unit(source, piece.text, None, Fault(piece.rule, found))
    except _RejectedError as rejected:
        yield Unit(name, text, None, rejected.fault)


MESSAGE_TOO_LARGE: Final = Rule("message_too_large", "The message is larger than ingest.max_message_bytes.")
MESSAGE_TOO_DEEP: Final = Rule("message_too_deep", "The message nests brackets deeper than any message does.")
MESSAGE_MALFORMED: Final = Rule(
    "message_malformed", "The message is no JSON in UTF-8, or a required field is missing or has the wrong type."
)


def decode_unit(source: str, element: bytes | memoryview, rules: DecodeRules, *, is_ascii: bool = False) -> Unit:
    """The message, or the fault that says why there is none."""
    if len(element) > rules.max_message_bytes:
        reason = f"{len(element)} bytes found, at most {rules.max_message_bytes} wanted"
        return Unit(source, element, None, Fault(MESSAGE_TOO_LARGE, reason))
    try:
        if not is_ascii:
            str(element, "utf-8")
        return Unit(source, element, _read_message(element), None)
    except RecursionError:
        return Unit(source, element, None, Fault(MESSAGE_TOO_DEEP, "brackets nested too deep to decode"))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Unit(source, element, None, Fault(MESSAGE_MALFORMED, str(error)))


FILE_EMPTY: Final = Rule("file_empty", "The file or record has no content.")
FILE_TOO_LARGE: Final = Rule("file_too_large", "The file, or what it unpacks to, is larger than ingest.max_file_bytes.")


def unpack(content: bytes, max_bytes: int) -> bytes:
    """The JSON text, unzipped if need be, never more than ``max_bytes`` of it."""
    if not content:
        raise _RejectedError(FILE_EMPTY, "no bytes found")
    if len(content) > max_bytes:
        raise _RejectedError(FILE_TOO_LARGE, f"{len(content)} bytes found, at most {max_bytes} wanted")
    text = _gunzip(content, max_bytes) if content.startswith(GZIP_MAGIC) else content
    text = text.removeprefix(BYTE_ORDER_MARK).strip()
    if not text:
        raise _RejectedError(FILE_EMPTY, "nothing but white space found")
    return text


FILE_TRUNCATED: Final = Rule(
    "file_truncated", "The file ends before its gzip stream or its last message does, or the gzip stream is damaged."
)


def _gunzip(content: bytes, max_bytes: int) -> bytes:
    """All members of a gzip file, rejected as soon as they unpack to more than ``max_bytes``."""
    parts: list[bytes] = []
    left, budget = content, max_bytes
    while left:
        if len(parts) == MAX_GZIP_MEMBERS:
            raise _RejectedError(FILE_TRUNCATED, f"damaged gzip: more than {MAX_GZIP_MEMBERS} members found")
        unzip = zlib.decompressobj(GZIP_WINDOW)
        try:
            parts.append(unzip.decompress(left, budget + 1))
        except zlib.error as error:
            raise _RejectedError(FILE_TRUNCATED, f"damaged gzip: {error}") from error
        budget -= len(parts[-1])
        if budget < 0:
            raise _RejectedError(FILE_TOO_LARGE, f"unpacks to more than {max_bytes} bytes")
        if not unzip.eof:
            raise _RejectedError(FILE_TRUNCATED, "gzip ends early")
        left = unzip.unused_data.lstrip(b"\x00")
    return b"".join(parts)


FILE_NOT_JSON: Final = Rule("file_not_json", "The file is no JSON, so that no message can be distinguished from the next.")
FILE_NOT_MESSAGES: Final = Rule("file_not_messages", "The file's JSON is neither a message nor an array of messages.")
ARRAY_EMPTY: Final = Rule("array_empty", "The array has no message; the DIP sends at least one.")
MESSAGE_UNBALANCED: Final = Rule(
    "message_unbalanced", "The brackets or quotes of the message do not match; it ends where the next message begins."
)


def _split(text: bytes) -> Iterator[_Piece]:
    """The elements of the top-level array, or the one top-level object, undecoded.

    Where the text is no valid JSON as a whole, or has so many elements that they are better not listed at once, it is split
    where messages begin, and between these by brackets: one broken message takes no other with it.
    """
    if not text.startswith((b"[", b"{")):
        raise _RejectedError(FILE_NOT_MESSAGES if _is_json(text) else FILE_NOT_JSON, "an array of messages wanted")
    try:
        if text.startswith(b"{"):
            _read_object(text)
            return iter([_Piece(text)])
        if text.count(b",") <= MAX_COMMAS:
            elements = _read_elements(text)
            if not elements:
                raise _RejectedError(ARRAY_EMPTY, "an array of at least one message wanted")
            return (_Piece(memoryview(raw)) for raw in elements)
    except RecursionError:
        if text.startswith(b"{"):
            return iter([_Piece(text)])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if text.startswith(b"{") or not _has_whole_element(text):
            raise _RejectedError(FILE_NOT_JSON, str(error)) from error
    return _split_where_messages_begin(text)


def _has_whole_element(text: bytes) -> bool:
    """Whether anything in a damaged array can be distinguished from the rest."""
    return any(piece.rule is None for piece in _split_where_messages_begin(text))


def _split_where_messages_begin(text: bytes) -> Iterator[_Piece]:
    """The elements of a top-level array, in stretches from one beginning of a message to the next."""
    begins = (found.start() for found in _BEGIN.finditer(text))
    start = 1
    for begin in begins:
        if begin > start:
            yield from _split_by_brackets(text[start:begin], MESSAGE_UNBALANCED)
        start = begin
    yield from _split_by_brackets(text[start:], FILE_TRUNCATED)


def _split_by_brackets(text: bytes, rule: Rule) -> Iterator[_Piece]:
    """The elements of a stretch of a top-level array by counting brackets; what is left that is no element breaks the rule."""
    whole = text.strip().removesuffix(b",").rstrip()
    if _is_json(whole):
        yield _Piece(whole)
        return
    depth, start = 1, 0
    for token in _TOKEN.finditer(text):
        letter = text[token.start()]
        if letter in b"[{":
            depth += 1
        elif letter in b"]}":
            depth -= 1
        if (letter in b"," and depth == 1) or (letter in b"]}" and depth == 0):
            yield _Piece(text[start : token.start()].strip())
            start = token.end()
        if depth == 0:
            break
    if rest := text[start:].strip().strip(b",").strip():
        yield _Piece(rest, rule)


def _is_json(text: bytes) -> bool:
    try:
        _check_json(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


FILE_NAME_UNUSABLE: Final = Rule(
    "file_name_unusable", "The file's name is no UTF-8 text, or has a colon, a backslash or a control character in it."
)
FILE_IS_LINK: Final = Rule("file_is_link", "The file is a symbolic link, or lies below one; links are not followed.")
FILE_NOT_REGULAR: Final = Rule("file_not_regular", "It is neither a file nor a folder, but a pipe, a socket or a device.")
FILE_UNREADABLE: Final = Rule("file_unreadable", "The file or folder cannot be read: it is not permitted, or it has gone.")
UNREAD_RULES: Final = {"name": FILE_NAME_UNUSABLE, "link": FILE_IS_LINK, "kind": FILE_NOT_REGULAR, "unreadable": FILE_UNREADABLE}
"""The rule of every problem for which a file is not read."""


def reject_unread(name: str, length: int, problem: str | None, rules: DecodeRules) -> Unit:
    """The rejection of a file that was not read, or is too large to be read at all."""
    if problem is not None:
        return Unit(name, b"", None, Fault(UNREAD_RULES[problem], "not read"))
    return Unit(name, b"", None, Fault(FILE_TOO_LARGE, f"{length} bytes found, at most {rules.max_file_bytes} wanted"))


def read_loosely(element: bytes | memoryview) -> LooseMessage:
    """As much of a broken message as says whose it is; nothing of what is no JSON."""
    try:
        return _read_loosely(element)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return LooseMessage()


def show_raw(content: bytes | memoryview, max_chars: int) -> str:
    """The beginning of what was rejected, as text that any table can hold."""
    return bytes(content[: max_chars * 4]).decode("utf-8", "replace").replace("\x00", "\ufffd")[:max_chars]


FILE_RULES: Final = (
    *UNREAD_RULES.values(),
    FILE_EMPTY,
    FILE_TRUNCATED,
    FILE_TOO_LARGE,
    FILE_NOT_JSON,
    FILE_NOT_MESSAGES,
    ARRAY_EMPTY,
    FILE_TOO_MANY_MESSAGES,
    MESSAGE_UNBALANCED,
)
MESSAGE_RULES: Final = (MESSAGE_TOO_LARGE, MESSAGE_TOO_DEEP, MESSAGE_MALFORMED)
