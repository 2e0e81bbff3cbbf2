import json
import math
import random
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fmar_spark.intake.dip.fast_half_hours import LABELS, NO_DAY, Format
from fmar_spark.intake.dip.half_hours import QUALITIES, HalfHours, decode_half_hours, find_template, parse_decimals, read_half_hours
from fmar_spark.intake.dip.rows import ORDER_OF_RULE
from fmar_spark.intake.dip.rules import FaultLog
from fmar_spark.intake.dip.structs import Period

ODD_LABELS = [
    "24:00",
    "00:17",
    "",
    "0:30",
    "00:3\u0660",
    'x"y',
    "00:17Z",
    "00:30z",
    "2023-01-10T00:30:00+01:00",
    "2023-02-30T00:30:00+00:00",
]
ODD_STAMPS = ["2023-01-1xT00:30:00+00:00", "2023-01-10 00:30:00+00:00", "2023-01-10T00:30:00-00:00"]
ODD_VALUES = ["0", "-1.000", "1e5", "a lot", "", "0.1234", "00000.000", "12345.6789", "0.00:", "0/0.000", "nan", "0.0000", ".500"]
VALUE_TEXTS = st.integers(0, 20_000_000).map(lambda watt_hours: f"{watt_hours / 1000:.3f}") | st.sampled_from(ODD_VALUES)
QUALITY_TEXTS = ["A", "A", "A", "E", "E1", "ZE", "QQ"]
REASONS = [None, None, None, 1, 2, "3", "", 99]
AMENDMENTS = [None, None, None, "X", 4]
WIDEST_WATT_HOURS = (0, 1, 999, 1_000, 9_999_999, 10_000_000, 20_000_000)


def write_label(chance: random.Random) -> str:
    forms = [
        lambda: chance.choice(LABELS),
        lambda: f"{chance.choice(LABELS)}Z",
        lambda: f"{chance.choice(['2023-01-10', '2023-01-11', '2024-02-29'])}T{chance.choice(LABELS)}:00+00:00",
        lambda: chance.choice([*ODD_LABELS, *ODD_STAMPS]),
    ]
    return chance.choice(forms)()


def write_value(chance: random.Random) -> str:
    if chance.random() < 0.5:
        return chance.choice(ODD_VALUES)
    watt_hours = chance.choice(WIDEST_WATT_HOURS) if chance.random() < 0.2 else chance.randint(0, 20_000_000)
    return f"{watt_hours / 1000:.3f}"


def write_period(seed: int) -> str:
    """One half-hour as JSON: mostly in the common form, at times with other keys, another order or a repeated key.

    Of one number: ten draws for each of fifty half-hours took longer than all that is tested.
    """
    chance = random.Random(seed)
    fields: dict[str, Any] = {
        "sp": write_label(chance),
        "v": write_value(chance),
        "q": chance.choice(QUALITY_TEXTS),
        "e": chance.choice(REASONS),
        "arc": chance.choice(AMENDMENTS),
    }
    odd = chance.randint(0, 30)
    if odd == 0:
        fields = dict(reversed(fields.items()))
    elif odd == 1:
        fields["note"] = "{}"
    elif odd == 2:
        del fields[chance.choice(list(fields))]
    elif odd == 3:
        fields["sp"] = 7
    text = json.dumps(fields, separators=chance.choice([(",", ":"), None]))
    return text.replace('"v"', '"sp":"05:00","v"', 1) if odd == 4 else text


periods = st.integers(0, 2**32 - 1).map(write_period)
blocks = st.tuples(st.sampled_from([",", ", ", " , "]), st.lists(st.lists(periods, max_size=6), max_size=8)).map(
    lambda drawn: [f"[{drawn[0].join(block)}]".encode() for block in drawn[1]]
)


def compare(found: HalfHours, expected: HalfHours) -> None:
    for mine, other in zip(found[:-1], expected[:-1], strict=True):
        np.testing.assert_array_equal(mine, other)
    assert found.amendment == expected.amendment


@settings(max_examples=400)
@given(blocks)
def test_what_is_read_by_its_place_is_what_the_decoder_reads(texts: list[bytes]) -> None:
    numbered = list(enumerate(texts))
    quick, slow = FaultLog(), FaultLog()
    compare(read_half_hours(numbered, quick), decode_half_hours(numbered, slow))
    assert quick.list_first(ORDER_OF_RULE) == slow.list_first(ORDER_OF_RULE)


@given(blocks, blocks)
def test_a_block_is_read_the_same_whatever_stands_around_it(some: list[bytes], others: list[bytes]) -> None:
    faults = FaultLog()
    together = read_half_hours(list(enumerate(some + others)), faults)
    alone = FaultLog()
    first = read_half_hours(list(enumerate(some)), alone)
    begun = {name: getattr(together, name)[: len(getattr(first, name))] for name in HalfHours._fields if name != "amendment"}
    compare(together._replace(**begun, amendment=first.amendment), first)
    found = faults.list_first(ORDER_OF_RULE)
    assert {message: fault for message, fault in found.items() if message < len(some)} == alone.list_first(ORDER_OF_RULE)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The messages that are left to the decoder."""
    messages: list[int] = []

    def note(message: int, text: bytes, faults: FaultLog) -> list[Period]:
        messages.append(message)
        return []

    monkeypatch.setattr("fmar_spark.intake.dip.half_hours._decode_block", note)
    return messages


PERIOD = '{"sp":"%s","v":"%s","q":"%s","e":%s,"arc":null}'
PLAIN = [PERIOD % (label, "1.250", "A", "null") for label in LABELS]


def test_common_half_hours_are_read_without_the_decoder(decoded: list[int]) -> None:
    mixed = [PERIOD % (label, "13.050", "E", "2") if slot % 3 else PLAIN[slot] for slot, label in enumerate(LABELS)]
    spaced = [text.replace(",", ", ").replace('":', '": ') for text in PLAIN]
    found = read_half_hours(
        [(0, f"[{','.join(PLAIN)}]".encode()), (1, f"[{','.join(mixed)}]".encode()), (2, f"[{', '.join(spaced)}]".encode())], FaultLog()
    )
    assert decoded == []
    assert found.length.tolist() == [48, 48, 48]
    assert found.place.tolist() == list(range(48)) * 3
    assert found.kwh[:48].tolist() == [1.25] * 48
    assert found.kwh[48:52].tolist() == [1.25, 13.05, 13.05, 1.25]
    assert found.reason[48:52].tolist() == [-1, 2, 2, -1]
    assert [QUALITIES[code] for code in found.quality[48:52]] == ["A", "E", "E", "A"]


def test_half_hours_in_every_format_are_read_without_the_decoder(decoded: list[int]) -> None:
    zoned = [PERIOD % (f"{label}Z", "1.250", "A", "null") for label in LABELS]
    dated = [PERIOD % (f"2023-01-1{1 if label == '00:00' else 0}T{label}:00+00:00", "1.250", "A", "null") for label in LABELS]
    later = [text.replace("2023-01-1", "2024-02-2") for text in dated]
    found = read_half_hours([(at, f"[{','.join(block)}]".encode()) for at, block in enumerate((PLAIN, zoned, dated, later))], FaultLog())
    assert decoded == []
    assert found.place.tolist() == list(range(48)) * 4
    assert found.format.tolist() == [Format.TIME] * 48 + [Format.TIME_Z] * 48 + [Format.STAMP] * 96
    assert (found.day[:96] == NO_DAY).all()
    assert np.diff(found.day[96:99]).tolist() == [-1, 0]
    assert (found.day[144:] - found.day[96:144]).tolist() == [(date(2024, 2, 20) - date(2023, 1, 10)).days] * 48


@given(st.integers(0, 9_999_999))
def test_a_value_read_by_its_digits_is_the_nearest_number(watt_hours: int) -> None:
    text = f"{watt_hours // 1000}.{watt_hours % 1000:03d}"
    block = f'[{{"sp":"00:30","v":"{text}","q":"A","e":null,"arc":null}}]'.encode()
    assert read_half_hours([(0, block)], FaultLog()).kwh.tolist() == [float(text)]


@given(st.lists(VALUE_TEXTS | st.text("0123456789.-", max_size=6), max_size=5))
def test_a_number_is_the_same_alone_and_among_others(texts: list[str]) -> None:
    together = parse_decimals([*texts, "a lot"])[:-1].tolist()
    alone = [float(parse_decimals([text])[0]) for text in texts]
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(parse_decimals(texts), alone)


def test_zero_has_no_sign() -> None:
    assert math.copysign(1, parse_decimals(["-0.000"])[0]) == 1


@pytest.mark.parametrize(
    "text",
    [
        b'{"v":"0.100","sp":"00:30","q":"A"}',
        b'{"sp":"00:30","v":"0.100","q":"QQ"}',
        b'{"sp":"00:30","v":"0.100","q":"A","arc":"C1"}',
        b'{"sp":"00:30","v":"0.100","q":"A","note":"0.100"}',
        b'{"sp":"00\\u003a30","v":"0.100","q":"A"}',
        b'{"sp":"24:00","v":"0.100","q":"A"}',
        b'{"sp":"2023-02-30T00:30:00+00:00","v":"0.100","q":"A"}',
        b'{"sp":"2023-01-10T00:30:00+01:00","v":"0.100","q":"A"}',
        b'{"sp":"00:30"}',
    ],
)
def test_an_odd_half_hour_is_no_template(text: bytes) -> None:
    assert find_template(text) is None
    for label in (b"00:30", b"00:30Z", b"2023-01-10T00:30:00+00:00"):
        assert find_template(b'{"sp":"%s","v":"0.100","q":"A"}' % label) is not None
