"""Every fault does what its name says, and the ledger says to what."""

import gzip
import json
from collections import Counter
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from fmar_spark.errors import ConfigError
from fmar_spark.simulate.faults import (
    FAULTS,
    FILE_FAULTS,
    NESTING,
    ON_MESSAGES,
    Delivery,
    RawFile,
    check_faults,
    inject_faults,
    make_hostile_files,
    make_malformed_files,
)
from fmar_spark.simulate.messages import DayMessage, shift_reported_at, write_message

COUNT = 900
HUGE = 50_000


@pytest.fixture(scope="module")
def messages() -> list[DayMessage]:
    """Messages of 30 meters and 30 days, every value distinct from every other."""
    return [
        DayMessage(
            mpan_id=f"20000565{meter:05d}",
            gsp_group="_H",
            quantity="AI",
            utc_date=f"2023-03-{day + 1:02d}",
            watt_hours=tuple(range(1000 * meter + day, 1000 * meter + day + 48)),
            connection="W",
            connected_on="2022-01-01",
            reported_at=f"2023-04-{day + 1:02d}T06:00:00+00:00",
        )
        for day in range(30)
        for meter in range(30)
    ]


def inject(messages: list[DayMessage], *faults: str, seed: int = 1) -> Delivery:
    return inject_faults(np.random.default_rng(seed), messages, check_faults(list(faults)))


def days_late(message: DayMessage, original: DayMessage) -> float:
    return (datetime.fromisoformat(message.reported_at) - datetime.fromisoformat(original.reported_at)).total_seconds() / 86400


def test_without_faults_messages_leave_as_they_came(messages: list[DayMessage]) -> None:
    assert inject(messages) == Delivery(messages, [], [])


@pytest.mark.parametrize("fault", list(ON_MESSAGES))
def test_every_fault_strikes_some_messages_and_the_same_again(messages: list[DayMessage], fault: str) -> None:
    found = inject(messages, fault)
    assert found == inject(messages, fault)
    assert {entry.fault for entry in found.ledger} == {fault}
    assert fault == "out_of_order" or 3 <= len(found.ledger) <= 60


def test_duplicates_are_the_same_word_for_word(messages: list[DayMessage]) -> None:
    found = inject(messages, "duplicates")
    twice = [message for message, count in Counter(found.messages).items() if count == 2]
    assert len(found.messages) == COUNT + len(twice)
    assert {message.transaction_id for message in twice} == {entry.transaction_id for entry in found.ledger}


def test_replays_come_in_a_later_file_with_their_own_id_and_time_and_the_mark(messages: list[DayMessage]) -> None:
    found = inject(messages, "replays")
    assert found.messages == messages
    original = {message.transaction_id: message for message in messages}
    assert all(again == original[again.transaction_id]._replace(is_replay=True) for again in found.held_back)
    assert [again.transaction_id for again in found.held_back] == [entry.transaction_id for entry in found.ledger]


def test_late_messages_are_held_back_and_sent_days_later(messages: list[DayMessage]) -> None:
    found = inject(messages, "late")
    original = {message.transaction_id: message for message in messages}
    assert len(found.messages) + len(found.held_back) == COUNT
    assert not {message.transaction_id for message in found.messages} & {message.transaction_id for message in found.held_back}
    for message in found.held_back:
        assert 1 <= days_late(message, original[message.transaction_id]) < 20
        assert message.watt_hours == original[message.transaction_id].watt_hours


def test_out_of_order_messages_are_all_there_in_another_order(messages: list[DayMessage]) -> None:
    found = inject(messages, "out_of_order")
    assert Counter(found.messages) == Counter(messages)
    assert found.messages != messages


def test_estimated_messages_have_an_even_stretch_with_a_reason(messages: list[DayMessage]) -> None:
    found = inject(messages, "estimated")
    struck = {entry.transaction_id for entry in found.ledger}
    for before, after in zip(messages, found.messages, strict=True):
        if after.transaction_id not in struck:
            assert after == before
            continue
        slots = after.estimated
        assert slots == tuple(range(slots[0], slots[-1] + 1))
        assert after.reason in {2, 3, 4, 6}
        assert len({after.watt_hours[slot] for slot in slots}) == 1
        assert all(after.watt_hours[slot] == before.watt_hours[slot] for slot in range(48) if slot not in slots)


def test_missing_messages_never_come_or_lack_periods(messages: list[DayMessage]) -> None:
    found = inject(messages, "missing")
    whole = {entry.transaction_id for entry in found.ledger if entry.detail == "whole day"}
    thinned = {entry.transaction_id for entry in found.ledger} - whole
    assert whole
    assert thinned
    assert {message.transaction_id for message in messages} - {message.transaction_id for message in found.messages} == whole
    for message in found.messages:
        assert (min(message.watt_hours) < 0) == (message.transaction_id in thinned)


def test_a_correction_supersedes_an_estimate_days_later_under_a_new_id(messages: list[DayMessage]) -> None:
    found = inject(messages, "corrections")
    original = {message.transaction_id: message for message in messages}
    wrong = {message.transaction_id: message for message in found.messages if message.estimated}
    assert len(wrong) == len(found.held_back) == len(found.ledger)
    for corrected, entry in zip(found.held_back, found.ledger, strict=True):
        true_id = entry.detail.removeprefix("supersedes ")
        assert corrected.transaction_id == entry.transaction_id != true_id
        assert corrected.watt_hours == original[true_id].watt_hours != wrong[true_id].watt_hours
        assert 2 <= days_late(corrected, wrong[true_id]) < 15


@pytest.mark.parametrize("seed", range(5))
def test_with_all_faults_at_once_the_last_word_on_a_corrected_day_is_still_the_truth(messages: list[DayMessage], seed: int) -> None:
    found = inject(messages, *FAULTS, seed=seed)
    true = {(message.mpan_id, message.utc_date): message.watt_hours for message in messages}
    newest: dict[tuple[str, str], DayMessage] = {}
    for message in sorted(found.messages + found.held_back, key=lambda one: one.reported_at):
        newest[message.mpan_id, message.utc_date] = message
    corrected = [entry.transaction_id for entry in found.ledger if entry.fault == "corrections"]
    last = {message.transaction_id: key for key, message in newest.items()}
    assert corrected
    for transaction_id in corrected:
        given, wanted = newest[last[transaction_id]].watt_hours, true[last[transaction_id]]
        assert all(one in (-1, other) for one, other in zip(given, wanted, strict=True))


def test_an_unknown_fault_is_named_and_known_ones_are_put_in_order() -> None:
    with pytest.raises(ConfigError, match="'gremlins' found"):
        check_faults(["late", "gremlins"])
    assert check_faults(["hostile", "late", "late", "estimated"]) == ("estimated", "late", "hostile")
    assert set(FAULTS) == {*ON_MESSAGES, *FILE_FAULTS}


def differences(found: Any, wanted: Any, path: str = "") -> dict[str, tuple[Any, Any]]:
    """Places where two JSON values differ, each with both values."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        keys = found.keys() | wanted.keys()
        return {k: v for key in keys for k, v in differences(found.get(key), wanted.get(key), f"{path}/{key}").items()}
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        pairs = enumerate(zip(found, wanted, strict=True))
        return {k: v for at, (one, other) in pairs for k, v in differences(one, other, f"{path}/{at}").items()}
    return {} if found == wanted else {path: (found, wanted)}


BROKEN = {
    "negative value": ("v", "-1.500"),
    "absurd value": ("v", "98765432.000"),
    "value is not a number": ("v", "a lot"),
    "value of the wrong type": ("v", {"kwh": 1}),
    "unknown quality": ("q", "QQ"),
    "period outside its day": ("sp", "24:30"),
    "period off the half-hour": ("sp", "00:17"),
    "period named twice": ("sp", "00:30"),
    "day is no date": ("settlementDayDate", "2023-02-31"),
    "unknown quantity": ("measurementQuantityID", "XX"),
    "unknown interface": ("interfaceID", "IF-999"),
    "check digit fails": ("MPANCore", None),
    "MPAN too short": ("MPANCore", "12345"),
    "masked sender": ("senderDIPID", "**********"),
    "masked MPAN": ("MPANCore", "*************"),
    "timestamp with a Z": ("transactionTimestamp", "2023-04-01T06:00:00Z"),
    "no custom block": ("CustomBlock", None),
    "payload is a list": ("payload", [1, 2, 3]),
}


@pytest.fixture(scope="module")
def malformed(messages: list[DayMessage]) -> dict[str, RawFile]:
    return {file.name.removeprefix("malformed-"): file for file in make_malformed_files(messages, "malformed")}


@pytest.mark.parametrize("what", list(BROKEN))
def test_each_malformed_message_is_broken_in_the_one_way_that_the_ledger_names(
    messages: list[DayMessage], malformed: dict[str, RawFile], what: str
) -> None:
    file = malformed["messages.json"]
    texts, ledger = json.loads(file.content), {entry.detail: at for at, entry in enumerate(file.ledger)}
    assert set(ledger) == set(BROKEN)
    found, entry = texts[ledger[what]], file.ledger[ledger[what]]
    good = json.loads(write_message(messages[0]).replace(messages[0].transaction_id, entry.transaction_id or "none"))
    changed = {path: pair for path, pair in differences(found, good).items() if pair[0] != pair[1]}
    field, value = BROKEN[what]
    mine = {path: pair for path, pair in changed.items() if path.endswith(f"/{field}")}
    assert len(mine) == 1
    broken, original = next(iter(mine.values()))
    assert broken != original
    assert value is None or broken == value
    others = {path.rsplit("/", 1)[1] for path in changed} - {field}
    assert others <= ({"senderTimestamp"} if field == "transactionTimestamp" else set())


def test_malformed_messages_have_ids_of_their_own(malformed: dict[str, RawFile]) -> None:
    ids = [entry.transaction_id for entry in malformed["messages.json"].ledger if entry.transaction_id]
    assert len(set(ids)) == len(ids) == len(BROKEN) - 1


@pytest.mark.parametrize(
    ("name", "error"),
    [("empty.json", ValueError), ("not-json.json", ValueError), ("cut.json", ValueError), ("latin.json", UnicodeDecodeError)],
)
def test_malformed_files_cannot_be_read_as_json(malformed: dict[str, RawFile], name: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        json.loads(malformed[name].content.decode("utf-8"))


def test_malformed_files_that_can_be_read_are_no_arrays_of_messages(malformed: dict[str, RawFile]) -> None:
    assert json.loads(malformed["no-items.json"].content) == []
    assert isinstance(json.loads(malformed["object.json"].content), dict)
    with pytest.raises(EOFError):
        gzip.decompress(malformed["cut.json.gz"].content)


def test_hostile_files_are_deep_huge_forged_and_full_of_code(messages: list[DayMessage]) -> None:
    files = {file.name.removeprefix("hostile-"): file for file in make_hostile_files(messages, "hostile", HUGE)}
    assert files["deep.json"].content.count(b"[" * NESTING) == 1
    huge = gzip.decompress(files["huge.json.gz"].content)
    assert HUGE < len(huge) < HUGE + 20_000
    assert len(json.loads(huge)) == 1
    first, second = json.loads(files["forged.json"].content)
    assert first["payload"]["CommonBlock"] == second["payload"]["CommonBlock"]
    assert first != second
    assert "DROP TABLE" in json.loads(files["code.json"].content)[0]["payload"]["CommonBlock"]["S1"]["environmentTag"]
    assert all(entry.fault == "hostile" for file in files.values() for entry in file.ledger)


def test_a_good_message_is_picked_to_be_broken_even_if_the_first_ones_have_gaps(messages: list[DayMessage]) -> None:
    gappy = [messages[0]._replace(watt_hours=(-1, *messages[0].watt_hours[1:])), shift_reported_at(messages[1], 1.0)]
    ledger = make_malformed_files(gappy, "malformed")[0].ledger
    assert ledger[0].transaction_id.startswith(gappy[1].transaction_id)
