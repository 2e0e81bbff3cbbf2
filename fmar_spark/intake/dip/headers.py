"""Checks the common blocks of many messages at once: who sends, of which meter point, when, and by which interface."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmar_spark.domain.figures import write_count
from fmar_spark.domain.mpan import CHECK_WEIGHTS, MPAN_DIGITS, is_mpan
from fmar_spark.intake.dip.rules import DecodeRules, FaultLog, Rule
from fmar_spark.intake.dip.structs import CommonBlock, unmask

CONSUMPTION: Final = frozenset({"IF-021", "PUB-021"})
STANDING: Final = frozenset({"IF-036", "PUB-036", "IF-018", "PUB-018"})
MAX_ID_CHARS: Final = 128
FIRST_SECOND: Final = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())
END_SECOND: Final = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp())
_TIMESTAMP: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[+-][0-9]{2}:[0-9]{2}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)


class Headers(NamedTuple):
    """What the common blocks say, message by message; where a rule is broken the entry means nothing."""

    second: NDArray[np.int64]
    """D0.transactionTimestamp, seconds since 1970."""
    is_consumption: NDArray[np.bool_]
    """Of interface 021; the others carry standing data."""
    has_bad_check: NDArray[np.bool_]
    """The MPAN's check digit fails, and that only warns."""


def check_headers(commons: list[CommonBlock], rules: DecodeRules, faults: FaultLog) -> Headers:
    """The rules of the common block are noted in ``faults``, message by message."""
    interfaces = [common.interface.id for common in commons]
    _check_interfaces(interfaces, faults)
    _check_ids([common.delivery.transaction_id for common in commons], faults)
    return Headers(
        second=_check_timestamps([common.delivery.transaction_timestamp for common in commons], rules.latest_second, faults),
        is_consumption=np.asarray([interface in CONSUMPTION for interface in interfaces], dtype=np.bool_),
        has_bad_check=_check_mpans([common.meter.mpan for common in commons], rules, faults),
    )


INTERFACE_UNKNOWN: Final = Rule("interface_unknown", "The interface is none of IF-021, PUB-021, IF-036, PUB-036, IF-018 and PUB-018.")


def _check_interfaces(interfaces: list[str], faults: FaultLog) -> None:
    for message, interface in enumerate(interfaces):
        if interface not in CONSUMPTION and interface not in STANDING:
            faults.note(message, INTERFACE_UNKNOWN, f"{interface!r} found")


ID_MISSING: Final = Rule(
    "transaction_id_missing",
    "D0.transactionID is empty, masked or no plain text, so that the message cannot be distinguished from its replays.",
)


def _check_ids(ids: list[str], faults: FaultLog) -> None:
    for message, transaction_id in enumerate(ids):
        if plain_id(transaction_id) is None:
            faults.note(message, ID_MISSING, f"{transaction_id!r} found")


def plain_id(text: str | None) -> str | None:
    """The text where it can stand for a transaction: at most 128 printable characters, not masked."""
    if text is None or len(text) > MAX_ID_CHARS or not text.isprintable() or text != text.strip():
        return None
    return unmask(text)


TIMESTAMP_MALFORMED: Final = Rule(
    "timestamp_malformed", "D0.transactionTimestamp is not 25 characters with a numeric offset, or not of 2000 to 2099."
)
TIMESTAMP_IN_FUTURE: Final = Rule(
    "timestamp_in_future",
    "D0.transactionTimestamp lies more than ingest.max_hours_ahead after the message's arrival; it would supersede what is still to come.",
)


def _check_timestamps(texts: list[str], latest_second: int, faults: FaultLog) -> NDArray[np.int64]:
    seconds = [parse_second(text) for text in texts]
    for message, second in enumerate(seconds):
        if second is None:
            faults.note(message, TIMESTAMP_MALFORMED, f"{texts[message]!r} found, e.g. 2026-03-21T19:05:00+00:00 wanted")
        elif second > latest_second:
            latest = datetime.fromtimestamp(latest_second, UTC).isoformat(timespec="seconds")
            faults.note(message, TIMESTAMP_IN_FUTURE, f"{texts[message]} found, {latest} or earlier wanted")
    return np.asarray([second or 0 for second in seconds], dtype=np.int64)


def parse_second(text: str) -> int | None:
    """Seconds since 1970 of ``2026-03-21T19:05:00+00:00``; None for any other text and outside 2000 to 2099."""
    if not _TIMESTAMP.fullmatch(text):
        return None
    try:
        second = (datetime.fromisoformat(text) - _EPOCH) // _SECOND
    except (ValueError, OverflowError):
        return None
    return second if FIRST_SECOND <= second < END_SECOND else None


MPAN_MALFORMED: Final = Rule("mpan_malformed", "The MPAN is not 13 digits, or is masked.")
MPAN_CHECK_DIGIT: Final = Rule(
    "mpan_check_digit", "The MPAN's last digit does not agree with the first twelve; only a warning in a test environment."
)


def _check_mpans(mpans: list[str], rules: DecodeRules, faults: FaultLog) -> NDArray[np.bool_]:
    """Where the check digit fails and only warns."""
    has_digits = np.asarray([is_mpan(mpan) for mpan in mpans], dtype=np.bool_)
    fails = np.zeros(len(mpans), dtype=np.bool_)
    fails[has_digits] = ~fit_check_digits([mpan for mpan in mpans if is_mpan(mpan)])
    for message in np.flatnonzero(~has_digits).tolist():
        faults.note(message, MPAN_MALFORMED, f"{write_count(len(mpans[message]), 'character')} found, 13 digits wanted")
    if rules.is_test:
        return fails
    for message in np.flatnonzero(fails).tolist():
        faults.note(message, MPAN_CHECK_DIGIT, "the last digit is not the one that belongs to the first twelve")
    return np.zeros(len(mpans), dtype=np.bool_)


def fit_check_digits(mpans: list[str]) -> NDArray[np.bool_]:
    """Whether the last of 13 digits agrees with the first twelve, shape (mpans,).

    Args:
        mpans: texts of 13 digits each.
    """
    digits = np.frombuffer("".join(mpans).encode("ascii"), dtype=np.uint8).reshape(-1, MPAN_DIGITS).astype(np.int64) - ord("0")
    fits: NDArray[np.bool_] = digits[:, :-1] @ np.asarray(CHECK_WEIGHTS, dtype=np.int64) % 11 % 10 == digits[:, -1]
    return fits


HEADER_RULES: Final = (INTERFACE_UNKNOWN, ID_MISSING, TIMESTAMP_MALFORMED, TIMESTAMP_IN_FUTURE, MPAN_MALFORMED, MPAN_CHECK_DIGIT)
