import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fmar_spark.intake.dip.alike import LABELS
from fmar_spark.intake.dip.faults import FaultLog
from fmar_spark.intake.dip.half_hours import QUALITIES, HalfHours, decode_half_hours, find_template, parse_decimals, read_half_hours

LABEL_TEXTS = st.sampled_from(LABELS) | st.sampled_from(["24:00", "00:17", "", "0:30", "00:3\u0660", 'x"y'])
VALUE_TEXTS = st.integers(0, 20_000_000).map(lambda watt_hours: f"{watt_hours / 1000:.3f}") | st.sampled_from(
    ["0", "-1.000", "1e5", "a lot", "", "0.1234", "00000.000", "12345.6789", "0.00:", "0/0.000", "nan", "0.0000", ".500"]
)
QUALITY_TEXTS = st.sampled_from(["A", "A", "A", "E", "E1", "ZE", "QQ"])
REASONS = st.sampled_from([None, None, None, 1, 2, "3", "", 99])
AMENDMENTS = st.sampled_from([None, None, None, "X", 4])


@st.composite
def period_texts(draw: st.DrawFn) -> str:
    """One half-hour as JSON: mostly in the common form, at times with other keys, another order or a repeated key."""
    fields: dict[str, Any] = {
        "sp": draw(LABEL_TEXTS),
        "v": draw(VALUE_TEXTS),
        "q": draw(QUALITY_TEXTS),
        "e": draw(REASONS),
        "arc": draw(AMENDMENTS),
    }
    odd = draw(st.integers(0, 30))
    if odd == 0:
        fields = dict(reversed(fields.items()))
    elif odd == 1:
        fields["note"] = "{}"
    elif odd == 2:
        del fields[draw(st.sampled_from(["sp", "v", "q", "e", "arc"]))]
    elif odd == 3:
        fields["sp"] = 7
    text = json.dumps(fields, separators=(",", ":") if draw(st.booleans()) else None)
    return text.replace('"v"', '"sp":"05:00","v"', 1) if odd == 4 else text


blocks = st.lists(st.lists(period_texts(), max_size=6), max_size=8).flatmap(
    lambda texts: st.sampled_from([",", ", ", " , "]).map(lambda gap: [f"[{gap.join(block)}]".encode() for block in texts])
)


def compare(found: HalfHours, expected: HalfHours) -> None:
    for mine, other in zip(found[:5], expected[:5], strict=True):
        np.testing.assert_array_equal(mine, other)
    assert found.amendment == expected.amendment


@settings(max_examples=400)
@given(blocks)
def test_what_is_read_by_its_place_is_what_the_decoder_reads(texts: list[bytes]) -> None:
    numbered = list(enumerate(texts))
    quick, slow = FaultLog(), FaultLog()
    compare(read_half_hours(numbered, quick), decode_half_hours(numbered, slow))
    assert quick.found == slow.found


@given(blocks, blocks)
def test_a_block_is_read_the_same_whatever_stands_around_it(some: list[bytes], others: list[bytes]) -> None:
    faults = FaultLog()
    together = read_half_hours(list(enumerate(some + others)), faults)
    alone = FaultLog()
    first = read_half_hours(list(enumerate(some)), alone)
    compare(HalfHours(*(part[: len(first[at])] for at, part in enumerate(together[:5])), first.amendment), first)
    assert {message: fault for message, fault in faults.found.items() if message < len(some)} == alone.found


def test_common_half_hours_are_read_without_the_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []
    monkeypatch.setattr("fmar_spark.intake.dip.half_hours._decode_block", lambda message, text, faults: decoded.append(message) or [])
    form = '{"sp":"%s","v":"%s","q":"%s","e":%s,"arc":null}'
    plain = [form % (label, "1.250", "A", "null") for label in LABELS]
    mixed = [form % (label, "13.050", "E", "2") if slot % 3 else plain[slot] for slot, label in enumerate(LABELS)]
    spaced = [text.replace(",", ", ").replace('":', '": ') for text in plain]
    found = read_half_hours(
        [(0, f"[{','.join(plain)}]".encode()), (1, f"[{','.join(mixed)}]".encode()), (2, f"[{', '.join(spaced)}]".encode())], FaultLog()
    )
    assert decoded == []
    assert found.length.tolist() == [48, 48, 48]
    assert found.place.tolist() == list(range(48)) * 3
    assert found.kwh[:48].tolist() == [1.25] * 48
    assert found.kwh[48:52].tolist() == [1.25, 13.05, 13.05, 1.25]
    assert found.reason[48:52].tolist() == [-1, 2, 2, -1]
    assert [QUALITIES[code] for code in found.quality[48:52]] == ["A", "E", "E", "A"]


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
        b'{"sp":"00:30"}',
    ],
)
def test_an_odd_half_hour_is_no_template(text: bytes) -> None:
    assert find_template(text) is None
    assert find_template(b'{"sp":"00:30","v":"0.100","q":"A"}') is not None
