"""Everything that goes wrong on the way, made on request, with a ledger of what was done to which message."""

import gzip
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from fmar_spark.errors import ConfigError
from fmar_spark.simulate.messages import DayMessage, shift_reported_at, write_message

SHARE: Final = 0.02
"""Messages that each kind of fault strikes."""
HUGE_MESSAGE_BYTES: Final = 100_000_000
NESTING: Final = 5_000


class Injection(NamedTuple):
    """One thing that was done."""

    fault: str
    transaction_id: str
    """'' where a whole file is at fault."""
    detail: str


class Delivery(NamedTuple):
    """Messages of one file as they leave, those that are held back for a later file, and what was done to them."""

    messages: list[DayMessage]
    held_back: list[DayMessage]
    ledger: list[Injection]


class RawFile(NamedTuple):
    """A file that is not an array of good messages."""

    name: str
    content: bytes
    ledger: list[Injection]


def _pick(rng: np.random.Generator, messages: list[DayMessage], share: float = SHARE) -> list[int]:
    return np.flatnonzero(rng.random(len(messages)) < share).tolist()


def _duplicate(rng: np.random.Generator, delivery: Delivery) -> Delivery:
    """The same message twice, word for word."""
    again = [delivery.messages[at] for at in _pick(rng, delivery.messages)]
    ledger = [Injection("duplicates", message.transaction_id, "delivered twice") for message in again]
    return Delivery(delivery.messages + again, delivery.held_back, delivery.ledger + ledger)


def _replay(rng: np.random.Generator, delivery: Delivery) -> Delivery:
    """An old message again in a later file, with its own id and the replay mark."""
    again = [delivery.messages[at]._replace(is_replay=True) for at in _pick(rng, delivery.messages)]
    ledger = [Injection("replays", message.transaction_id, "replayed in a later file") for message in again]
    return Delivery(delivery.messages, delivery.held_back + again, delivery.ledger + ledger)


def _delay(rng: np.random.Generator, delivery: Delivery) -> Delivery:
    """A message that comes days late."""
    late = set(_pick(rng, delivery.messages))
    kept = [message for at, message in enumerate(delivery.messages) if at not in late]
    slow = [shift_reported_at(delivery.messages[at], float(rng.integers(1, 20))) for at in sorted(late)]
    ledger = [Injection("late", message.transaction_id, f"reported at {message.reported_at}") for message in slow]
    return Delivery(kept, delivery.held_back + slow, delivery.ledger + ledger)


def _shuffle(rng: np.random.Generator, delivery: Delivery) -> Delivery:
    """Messages in no order."""
    order = rng.permutation(len(delivery.messages)).tolist()
    note = [Injection("out_of_order", "", f"{len(order)} messages shuffled")]
    return Delivery([delivery.messages[at] for at in order], delivery.held_back, delivery.ledger + note)


def _estimate(rng: np.random.Generator, delivery: Delivery) -> Delivery:
    """Part of a day reported as estimates, with a reason from 2 to 6, and never corrected."""
    messages, ledger = list(delivery.messages), list(delivery.ledger)
    for at in _pick(rng, messages):
        first, length = int(rng.integers(0, 40)), int(rng.integers(2, 48))
        slots = tuple(range(first, min(first + length, 48)))
        values = list(messages[at].watt_hours)
        usual = sum(max(value, 0) for value in values) // 48
        for slot in slots:
            values[slot] = usual
        reason = int(rng.choice([2, 3, 4, 6]))
        messages[at] = messages[at]._replace(watt_hours=tuple(values), estimated=slots, reason=reason)
        ledger.append(Injection("estimated", messages[at].transaction_id, f"{len(slots)} slots, reason {reason}"))
    return Delivery(messages, delivery.held_back, ledger)


def _lose(rng: np.random.Generator, delivery: Delivery) -> Delivery:
    """Whole days that never come, and days with periods left out."""
    lost = set(_pick(rng, delivery.messages, SHARE / 2))
    kept, ledger = [], list(delivery.ledger)
    thinned = set(_pick(rng, delivery.messages, SHARE / 2))
    for at, message in enumerate(delivery.messages):
        if at in lost:
            ledger.append(Injection("missing", message.transaction_id, "whole day"))
            continue
        if at in thinned:
            gone = set(rng.integers(0, 48, 12).tolist())
            values = tuple(-1 if slot in gone else value for slot, value in enumerate(message.watt_hours))
            if max(values) >= 0:
                ledger.append(Injection("missing", message.transaction_id, f"{len(gone)} periods"))
                kept.append(message._replace(watt_hours=values))
                continue
        kept.append(message)
    return Delivery(kept, delivery.held_back, ledger)


def _correct(rng: np.random.Generator, delivery: Delivery) -> Delivery:
    """First an estimate or a wrong value, then days later the true one under a new transaction."""
    messages, held, ledger = list(delivery.messages), list(delivery.held_back), list(delivery.ledger)
    for at in _pick(rng, messages):
        true = messages[at]
        if max(true.watt_hours) < 0 or true.estimated:
            continue
        wrong = tuple(value if value < 0 else int(value * rng.uniform(0.3, 1.7)) for value in true.watt_hours)
        messages[at] = true._replace(watt_hours=wrong, estimated=tuple(range(48)), reason=2)
        held.append(shift_reported_at(true._replace(version=true.version + 1), float(rng.integers(2, 15))))
        ledger.append(Injection("corrections", held[-1].transaction_id, f"supersedes {true.transaction_id}"))
    return Delivery(messages, held, ledger)


ON_MESSAGES: Final[dict[str, Callable[[np.random.Generator, Delivery], Delivery]]] = {
    "estimated": _estimate,
    "missing": _lose,
    "late": _delay,
    "corrections": _correct,
    "replays": _replay,
    "duplicates": _duplicate,
    "out_of_order": _shuffle,
}
"""In the order in which they are applied: what is late is not corrected, so a correction is always the last word."""


def _spoil_texts(message: DayMessage) -> list[tuple[str, str]]:
    """Ways to break one message, each with what is wrong."""
    text = write_message(message)
    first = text.index('"v":"') + 5
    value = text[first : text.index('"', first)]
    mpan = message.mpan_id
    broken_check = mpan[:-1] + str((int(mpan[-1]) + 1) % 10)
    return [
        ("negative value", text.replace(f'"v":"{value}"', '"v":"-1.500"', 1)),
        ("absurd value", text.replace(f'"v":"{value}"', '"v":"98765432.000"', 1)),
        ("value is not a number", text.replace(f'"v":"{value}"', '"v":"a lot"', 1)),
        ("value of the wrong type", text.replace(f'"v":"{value}"', '"v":{"kwh":1}', 1)),
        ("unknown quality", text.replace('"q":"A"', '"q":"QQ"', 1)),
        ("period outside its day", text.replace('"sp":"00:30"', '"sp":"24:30"', 1)),
        ("period off the half-hour", text.replace('"sp":"00:30"', '"sp":"00:17"', 1)),
        ("period named twice", text.replace('"sp":"01:00"', '"sp":"00:30"', 1)),
        ("day is no date", text.replace(f'"settlementDayDate":"{message.utc_date}"', '"settlementDayDate":"2023-02-31"')),
        ("unknown quantity", text.replace(f'"measurementQuantityID":"{message.quantity}"', '"measurementQuantityID":"XX"')),
        ("unknown interface", text.replace('"interfaceID":"PUB-021"', '"interfaceID":"IF-999"')),
        ("check digit fails", text.replace(f'"MPANCore":"{mpan}"', f'"MPANCore":"{broken_check}"')),
        ("MPAN too short", text.replace(f'"MPANCore":"{mpan}"', '"MPANCore":"12345"')),
        ("masked sender", text.replace('"senderDIPID":"1000000001"', '"senderDIPID":"**********"')),
        ("masked MPAN", text.replace(f'"MPANCore":"{mpan}"', '"MPANCore":"*************"')),
        ("timestamp with a Z", text.replace(message.reported_at, message.reported_at[:19] + "Z")),
        ("no custom block", text[: text.index(',"CustomBlock"')] + "}}"),
        ("payload is a list", '{"payload":[1,2,3]}'),
    ]


def make_malformed_files(messages: list[DayMessage], stem: str) -> list[RawFile]:
    """One file of broken messages among good ones, and files that are no arrays of messages at all."""
    good = next(message for message in messages if min(message.watt_hours) >= 0 and not message.estimated)
    ways = _spoil_texts(good)
    renamed, ledger = [], []
    for number, (what, text) in enumerate(ways):
        own_id = f"{good.transaction_id}-BAD{number:02d}"
        renamed.append(text.replace(good.transaction_id, own_id))
        ledger.append(Injection("malformed", own_id if own_id in renamed[-1] else "", what))
    array = "[" + ",".join(renamed) + "]"
    whole = write_message(good)
    packed = gzip.compress(f"[{whole}]".encode(), mtime=0)
    return [
        RawFile(f"{stem}-messages.json", array.encode(), ledger),
        RawFile(f"{stem}-empty.json", b"", [Injection("malformed", "", "empty file")]),
        RawFile(f"{stem}-no-items.json", b"[]", [Injection("malformed", "", "empty array")]),
        RawFile(f"{stem}-not-json.json", b"settlement,period,kwh\n2023,1,0.2\n", [Injection("malformed", "", "no JSON")]),
        RawFile(f"{stem}-cut.json", f"[{whole}"[:-200].encode(), [Injection("malformed", "", "JSON cut short")]),
        RawFile(f"{stem}-cut.json.gz", packed[: len(packed) // 2], [Injection("malformed", "", "gzip cut short")]),
        RawFile(f"{stem}-object.json", b'{"payload":{}}', [Injection("malformed", "", "object instead of array")]),
        RawFile(f"{stem}-latin.json", '[{"payload":"\u00e9"}]'.encode("latin-1"), [Injection("malformed", "", "not UTF-8")]),
    ]


def make_hostile_files(messages: list[DayMessage], stem: str, huge_bytes: int = HUGE_MESSAGE_BYTES) -> list[RawFile]:
    """Deep nesting, a huge message, one id with two contents, and text that means to be code."""
    good = next(message for message in messages if min(message.watt_hours) >= 0 and not message.estimated)
    text = write_message(good)
    forged_id = f"{good.transaction_id}-FORGED"
    forged = text.replace(good.transaction_id, forged_id)
    other = forged.replace('"v":"', '"v":"9', 1)
    deep = b'[{"payload":' + b"[" * NESTING + b"]" * NESTING + b"}]"
    huge = text.replace(good.transaction_id, f"{good.transaction_id}-HUGE")
    huge = huge.replace('"subText":null', '"subText":"' + "A" * huge_bytes + '"')
    code = text.replace('"environmentTag":"SIMULATED"', '"environmentTag":"\'; DROP TABLE readings; --<script>alert(1)</script>"')
    code = code.replace(good.transaction_id, f"{good.transaction_id}-CODE")
    return [
        RawFile(f"{stem}-deep.json", deep, [Injection("hostile", "", f"{NESTING} brackets deep")]),
        RawFile(f"{stem}-huge.json.gz", gzip.compress(f"[{huge}]".encode(), 1, mtime=0), [Injection("hostile", "", f"{huge_bytes} bytes")]),
        RawFile(f"{stem}-forged.json", f"[{forged},{other}]".encode(), [Injection("hostile", forged_id, "one id, two contents")]),
        RawFile(f"{stem}-code.json", f"[{code}]".encode(), [Injection("hostile", f"{good.transaction_id}-CODE", "code in a text field")]),
    ]


FILE_FAULTS: Final = {"malformed": make_malformed_files, "hostile": make_hostile_files}
FAULTS: Final = (*ON_MESSAGES, *FILE_FAULTS)


def check_faults(names: list[str]) -> tuple[str, ...]:
    """The names in the order in which they are applied.

    Raises:
        ConfigError: an unknown name.
    """
    for name in names:
        if name not in FAULTS:
            raise ConfigError(f"faults: {name!r} found, some of {', '.join(FAULTS)} wanted")
    return tuple(name for name in FAULTS if name in names)


def inject_faults(rng: np.random.Generator, messages: list[DayMessage], faults: tuple[str, ...]) -> Delivery:
    """Messages of one file with the named faults done to them."""
    delivery = Delivery(messages, [], [])
    for name in faults:
        if name in ON_MESSAGES:
            delivery = ON_MESSAGES[name](rng, delivery)
    return delivery
