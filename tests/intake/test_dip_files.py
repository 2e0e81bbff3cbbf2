import gzip
import json
import random
import time

import pytest

from fmar_spark.intake.dip.files import Unit, read_loosely, read_units, show_raw
from fmar_spark.intake.dip.rules import DecodeRules
from fmar_spark.simulate.messages import DayMessage, write_message

RULES = DecodeRules()


def write(*numbers: int) -> list[str]:
    base = DayMessage("2000056535971", "_H", "AI", "2023-01-10", (250,) * 48, "W", "2020-01-01", "2023-01-11T06:00:00+00:00")
    return [write_message(base._replace(version=number)) for number in numbers]


def array(*texts: str) -> bytes:
    return f"[{','.join(texts)}]".encode()


def outcome(unit: Unit) -> str:
    if unit.fault is not None:
        return unit.fault.rule.name
    assert unit.message is not None
    return unit.message.payload.common.delivery.transaction_id[-1]


def outcomes(content: bytes) -> dict[str, str]:
    return {unit.source: outcome(unit) for unit in read_units("f", content, RULES)}


@pytest.mark.parametrize(
    "content",
    [
        array(*write(1, 2)),
        b"\xef\xbb\xbf \n" + array(*write(1, 2)) + b"\n",
        gzip.compress(array(*write(1, 2)), mtime=0),
        gzip.compress(array(*write(1, 2))[:900], mtime=0) + gzip.compress(array(*write(1, 2))[900:], mtime=0) + b"\x00" * 512,
        json.dumps([json.loads(text) for text in write(1, 2)], indent=3, sort_keys=True).encode(),
    ],
    ids=["plain", "byte order mark", "gzip", "gzip of two members with padding", "indented"],
)
def test_messages_are_named_by_their_place_however_the_array_is_written(content: bytes) -> None:
    assert outcomes(content) == {"f#0": "1", "f#1": "2"}


def test_a_single_message_needs_no_array() -> None:
    assert outcomes(write(3)[0].encode()) == {"f#0": "3"}


def test_an_array_that_ends_early_keeps_the_messages_before_the_cut() -> None:
    assert outcomes(array(*write(1, 2, 3))[:-300]) == {"f#0": "1", "f#1": "2", "f#2": "file_truncated"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (array(write(1)[0], "NaN", write(2)[0]), ["1", "message_malformed", "2"]),
        (array(write(1)[0], '{"payload":nul}', write(2)[0]), ["1", "message_malformed", "2"]),
        (array(write(1)[0], '{"a":"tab\there"}', write(2)[0]), ["1", "message_malformed", "2"]),
        (array(write(1)[0], "[" * 3000 + "]" * 3000, write(2)[0]), ["1", "message_malformed", "2"]),
        (array(write(1)[0], '{"payload":{"CustomBlock":{"other":' + "[" * 3000 + "]" * 3000 + "}}}"), ["1", "message_too_deep"]),
        (array(*write(1, 2)) + b"[]", ["1", "2", "file_truncated"]),
        (array(*write(1), ""), ["1", "message_malformed"]),
        (array(*write(1), '{"a":"never ends'), ["1", "file_truncated"]),
    ],
)
def test_what_is_broken_stands_alone(content: bytes, expected: list[str]) -> None:
    assert list(outcomes(content).values()) == expected


def test_brackets_and_quotes_inside_strings_part_nothing() -> None:
    odd = write(1)[0].replace('"SIMULATED"', '"]},{[\\"\\\\"')
    assert list(outcomes(array(odd, "NaN", *write(2))).values()) == ["1", "message_malformed", "2"]


def damage(text: str, chance: random.Random) -> str:
    """One character of a message lost, added or changed: brackets and quotes first of all."""
    places = [at for at, letter in enumerate(text) if letter in '{}[]",:'] if chance.random() < 0.7 else range(len(text))
    at = chance.choice(places)
    return text[:at] + chance.choice(["", "{", "}", "[", "]", '"', ",", "\\"]) + text[at + 1 :]


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_message_takes_none_of_those_around_it_with_it(seed: int) -> None:
    chance = random.Random(seed)
    good = dict(enumerate(write(*range(10))))
    hurt = set(chance.sample(range(10), chance.randint(1, 3)))
    content = array(*(damage(text, chance) if number in hurt else text for number, text in good.items()))
    units = list(read_units("f", content, RULES))
    whole = {int(outcome(unit)) for unit in units if unit.message is not None and bytes(unit.raw).decode() in good.values()}
    assert whole >= set(good) - hurt - {9}
    if 9 not in hurt and 8 not in hurt:
        assert 9 in whole
    lost = [bytes(unit.raw).decode() for unit in units if unit.fault is not None]
    assert len(lost) <= 4 * len(hurt)
    assert all(unit.source == f"f#{place}" for place, unit in enumerate(units))


def test_an_unbalanced_message_ends_where_the_next_begins_and_is_kept_whole() -> None:
    first, second, third = write(1, 2, 3)
    open_bracket, open_quote = second.replace("}}", "}", 1), second.replace('"AI"', '"AI', 1)
    for broken in (open_bracket, open_quote, second[:700], second[:40]):
        units = list(read_units("f", array(first, broken, third), RULES))
        assert [outcome(unit) for unit in units] == ["1", "message_unbalanced", "3"]
        assert bytes(units[1].raw).decode().rstrip(",") == broken
    units = list(read_units("f", array(first, second + "}", third), RULES))
    assert [outcome(unit) for unit in units] == ["1", "2", "3"]


def test_arrays_one_after_another_are_read_as_one() -> None:
    assert [rule for rule in outcomes(array(*write(1)) + array(*write(2)) + b"\n" + array(*write(3))).values() if len(rule) == 1] == list(
        "123"
    )


def test_messages_beyond_the_limit_of_a_file_are_counted_in_one_row() -> None:
    for content in (array(*write(*range(10))), array(*write(*range(9)), "NaN")):
        units = list(read_units("f", content, DecodeRules(max_messages_per_file=3)))
        assert [outcome(unit) for unit in units] == ["0", "1", "2", "file_too_many_messages"]
        assert (units[-1].source, units[-1].messages) == ("f#3", 7)


def test_a_large_array_is_split_without_listing_its_elements(monkeypatch: pytest.MonkeyPatch) -> None:
    contents = [array(*write(1, 2, 3)), array(write(1)[0], "12", write(2)[0]), b" [0,0,0] ", array(*write(1, 2)) + b"]"]
    expected = [outcomes(content) for content in contents]
    monkeypatch.setattr("fmar_spark.intake.dip.files.MAX_COMMAS", 0)
    assert [outcomes(content) for content in contents] == expected


@pytest.mark.parametrize("unit", [b'\\"', b'"\\', b"[", b'{"', b"]", b'",', b"\x00", b"[NaN,"])
def test_no_text_takes_more_time_than_its_length(unit: bytes) -> None:
    began = time.process_time()
    units = list(read_units("f", b"[" + unit * (2**21 // len(unit)), RULES))
    assert units
    assert time.process_time() - began < 20


def test_what_was_rejected_is_shown_as_text_that_any_table_can_hold() -> None:
    assert show_raw(b"a\x00\xff\xc3\xa9" * 9, 5) == "a\ufffd\ufffd\u00e9a"


def test_a_rejected_gzip_file_shows_what_it_unpacks_to() -> None:
    (unit,) = read_units("f", gzip.compress(b"settlement,period"), RULES)
    assert bytes(unit.raw) == b"settlement,period"


def test_an_owner_is_read_only_from_where_it_stands() -> None:
    assert read_loosely(b'{"payload":{"CommonBlock":{"D0":{"transactionID":7},"M0":{"MPANCore":"1"}}}}').transaction_id is None
    assert read_loosely(b'{"payload":{"CommonBlock":{"D0":"x","M0":{"MPANCore":"1"}}}}').mpan is None
    assert read_loosely(b'{"payload":').mpan is None
