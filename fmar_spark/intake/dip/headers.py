"""Judges the common blocks of many messages at once: who speaks, of which meter point, when, and by which interface."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmar_spark.domain.mpan import CHECK_WEIGHTS, MPAN_DIGITS, is_mpan
from fmar_spark.intake.dip.faults import FaultLog
from fmar_spark.intake.dip.rules import DecodeRules
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
    """What is told apart by header, message by message; where a rule is broken the entry means nothing."""

    second: NDArray[np.int64]
    """D0.transactionTimestamp, seconds since 1970."""
    is_consumption: NDArray[np.bool_]
    """Of interface 021; the others carry standing data."""
    has_bad_check: NDArray[np.bool_]
    """The MPAN's check digit fails, and that only warns."""


def judge_headers(commons: list[CommonBlock], rules: DecodeRules, faults: FaultLog) -> Headers:
    """The rules of the common block are noted in ``faults``, message by message."""
    interfaces = [common.interface.id for common in commons]
    for message, interface in enumerate(interfaces):
        if interface not in CONSUMPTION and interface not in STANDING:
            faults.note(message, "interface_unknown", f"{interface!r} found")
    for message, common in enumerate(commons):
        if plain_id(common.delivery.transaction_id) is None:
            faults.note(message, "transaction_id_missing", f"{common.delivery.transaction_id!r} found")
    return Headers(
        second=_read_timestamps([common.delivery.transaction_timestamp for common in commons], faults),
        is_consumption=np.asarray([interface in CONSUMPTION for interface in interfaces], dtype=np.bool_),
        has_bad_check=_judge_mpans([common.meter.mpan for common in commons], rules, faults),
    )


def plain_id(text: str | None) -> str | None:
    """The text where it can stand for a transaction: at most 128 printable characters, not masked."""
    if text is None or len(text) > MAX_ID_CHARS or not text.isprintable() or text != text.strip():
        return None
    return unmask(text)


def parse_second(text: str) -> int | None:
    """Seconds since 1970 of ``2026-03-21T19:05:00+00:00``; None for any other form and outside 2000 to 2099."""
    if not _TIMESTAMP.fullmatch(text):
        return None
    try:
        second = (datetime.fromisoformat(text) - _EPOCH) // _SECOND
    except (ValueError, OverflowError):
        return None
    return second if FIRST_SECOND <= second < END_SECOND else None


def fit_check_digits(mpans: list[str]) -> NDArray[np.bool_]:
    """Whether the last of 13 digits agrees with the first twelve, shape (mpans,).

    Args:
        mpans: texts of 13 digits each.
    """
    digits = np.frombuffer("".join(mpans).encode("ascii"), dtype=np.uint8).reshape(-1, MPAN_DIGITS).astype(np.int64) - ord("0")
    fits: NDArray[np.bool_] = digits[:, :-1] @ np.asarray(CHECK_WEIGHTS, dtype=np.int64) % 11 % 10 == digits[:, -1]
    return fits


def _read_timestamps(texts: list[str], faults: FaultLog) -> NDArray[np.int64]:
    seconds = [parse_second(text) for text in texts]
    for message, second in enumerate(seconds):
        if second is None:
            faults.note(message, "timestamp_malformed", f"{texts[message]!r} found, e.g. 2026-03-21T19:05:00+00:00 wanted")
    return np.asarray([second or 0 for second in seconds], dtype=np.int64)


def _judge_mpans(mpans: list[str], rules: DecodeRules, faults: FaultLog) -> NDArray[np.bool_]:
    """Where the check digit fails and only warns."""
    has_digits = np.asarray([is_mpan(mpan) for mpan in mpans], dtype=np.bool_)
    fails = np.zeros(len(mpans), dtype=np.bool_)
    fails[has_digits] = ~fit_check_digits([mpan for mpan in mpans if is_mpan(mpan)])
    for message in np.flatnonzero(~has_digits).tolist():
        faults.note(message, "mpan_malformed", f"{len(mpans[message])} characters found, 13 digits wanted")
    if rules.is_test:
        return fails
    for message in np.flatnonzero(fails).tolist():
        faults.note(message, "mpan_check_digit", "the last digit is not the one that belongs to the first twelve")
    return np.zeros(len(mpans), dtype=np.bool_)
