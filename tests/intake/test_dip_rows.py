import gzip
import json
import random
import time
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fmar_spark.intake.dip.files import UNREAD_RULES, read_units
from fmar_spark.intake.dip.rows import CHUNK, FileDecoder, decode_units
from fmar_spark.intake.dip.rules import DecodeRules
from fmar_spark.simulate.messages import DayMessage, write_message

Json = dict[str, Any]
MESSAGE = DayMessage("2000056535971", "_H", "AI", "2023-01-10", tuple(range(48)), "W", "2020-01-01", "2023-01-11T06:00:00+00:00")
ESTIMATED = MESSAGE._replace(version=1, estimated=(3, 4), reason=2, is_replay=True)
GAPPED = MESSAGE._replace(version=2, watt_hours=(-1, *range(1, 48)))


def as_bytes(message: DayMessage) -> Json:
    stated: Json = json.loads(write_message(message))
    return stated


def decode(*messages: Json, rules: DecodeRules | None = None) -> list[Json]:
    rules = rules or DecodeRules()
    units = list(read_units("f", json.dumps(messages).encode(), rules))
    rows = [row for batch in decode_units(units, rules) for row in batch.to_pylist()]
    return sorted(rows, key=lambda row: int(row["source"].split("#")[1]))


def custom(message: Json) -> Json:
    block: Json = message["payload"]["CustomBlock"]
    return block


def test_a_message_is_a_row_with_all_that_it_says() -> None:
    (row,) = decode(as_bytes(MESSAGE))
    assert row["transaction_id"] == MESSAGE.transaction_id
    assert row["transaction_at"] == datetime(2023, 1, 11, 6, tzinfo=UTC)
    assert (row["interface_id"], row["event_code"], row["quantity"]) == ("PUB-021", "[ActivePower]", "AI")
    assert (row["mpan_id"], row["gsp_group_id"], row["distributor_dip_id"]) == ("2000056535971", "_H", "20")
    assert (row["sender_dip_id"], row["is_replay"], row["source"]) == ("1000000001", False, "f#0")
    assert (row["standing"], row["warnings"], row["rule"], row["days"]) == (None, None, None, None)
    assert row["day"]["utc_date"] == date(2023, 1, 10)
    assert row["day"]["kwh"] == [np.float32(watt_hours / 1000) for watt_hours in range(48)]
    assert (row["day"]["quality"], row["day"]["reason"]) == (None, None)


def test_qualities_and_reasons_are_spelt_out_where_a_slot_is_not_plain_or_not_stated() -> None:
    estimated, gapped = decode(as_bytes(ESTIMATED), as_bytes(GAPPED))
    assert estimated["day"]["quality"][2:6] == ["A", "E", "E", "A"]
    assert estimated["day"]["reason"][2:6] == [None, 2, 2, None]
    assert gapped["day"]["quality"][:2] == [None, "A"]
    assert gapped["day"]["kwh"][:2] == [None, np.float32(0.001)]
    assert gapped["day"]["reason"] is None


def test_several_days_stand_in_a_list_in_their_order() -> None:
    several = as_bytes(MESSAGE)
    blocks = custom(several)["B900"]["settlementDayConsumptionPeriods"]
    blocks.append(json.loads(json.dumps(blocks[0]).replace("2023-01-10", "2023-01-09")))
    one, row, other = decode(as_bytes(ESTIMATED), several, as_bytes(MESSAGE))
    assert row["day"] is None
    assert [day["utc_date"] for day in row["days"]] == [date(2023, 1, 9), date(2023, 1, 10)]
    assert row["days"][0]["quality"] == ["A"] * 48
    assert row["days"][1]["kwh"] == other["day"]["kwh"]
    assert one["days"] is None


def test_both_forms_of_the_message_say_the_same() -> None:
    forms = [as_bytes(MESSAGE) for _ in range(4)]
    custom(forms[1])["B900List"] = [custom(forms[1]).pop("B900")]
    custom(forms[2])["B900List"] = custom(forms[2]).pop("B900")
    forms[3]["payload"]["CommonBlock"]["S1"] = {"senderID": "other keys"}
    rows = decode(*forms)
    assert [row["rule"] for row in rows] == [None] * 4
    assert len({row["content_hash"] for row in rows}) == 1
    assert all(row["day"] == rows[0]["day"] for row in rows)


def change(path: str, value: object) -> Json:
    message = as_bytes(MESSAGE)
    *parents, last = path.split(".")
    part: Any = message["payload"]
    for key in parents:
        part = part[int(key)] if key.isdigit() else part[key]
    part[last] = value
    return message


PERIOD = "CustomBlock.B900.settlementDayConsumptionPeriods.0.consumptionPeriods.7"


@pytest.mark.parametrize(
    ("path", "value", "is_same"),
    [
        ("CommonBlock.D0.replayIndicator", True, True),
        ("CommonBlock.D0.publicationID", "PUB-2", True),
        ("CommonBlock.D0.serviceTicketURL", "https://x", True),
        ("CommonBlock.D0.transactionID", "OTHER", True),
        ("CommonBlock.S1.senderUniqueReference", "other", True),
        (f"{PERIOD}.v", "0.0070", True),
        (f"{PERIOD}.v", "0.008", False),
        (f"{PERIOD}.q", "A1", False),
        (f"{PERIOD}.e", 7, False),
        (f"{PERIOD}.arc", "C1", False),
        ("CommonBlock.D0.transactionTimestamp", "2023-01-11T06:00:01+00:00", False),
        ("CommonBlock.D0.transactionTimestamp", "2023-01-11T07:00:00+01:00", True),
        ("CommonBlock.M0.MPANCore", "1900012374324", False),
        ("CommonBlock.M0.GSPGroupID", "_A", False),
        ("CommonBlock.S0.interfaceID", "IF-021", True),
        ("CustomBlock.B900.MQID.measurementQuantityID", "AE", False),
    ],
)
def test_the_digest_covers_what_is_said_and_not_how_it_was_delivered(path: str, value: object, is_same: bool) -> None:
    first, second = decode(as_bytes(MESSAGE), change(path, value))
    assert second["rule"] is None
    assert (first["content_hash"] == second["content_hash"]) is is_same


@pytest.mark.parametrize(
    ("path", "column"),
    [
        ("CommonBlock.S0.eventCode", "event_code"),
        ("CommonBlock.S1.senderDIPID", "sender_dip_id"),
        ("CommonBlock.S1.senderUniqueReference", "sender_unique_reference"),
        ("CommonBlock.D0.publicationID", "publication_id"),
        ("CommonBlock.D0.replayIndicator", "is_replay"),
        ("CommonBlock.M0.distributorDIPID", "distributor_dip_id"),
        ("CommonBlock.M0.GSPGroupID", "gsp_group_id"),
    ],
)
@pytest.mark.parametrize("masked", ["*****", "", None, "XXXX"])
def test_a_masked_value_is_not_stated(path: str, column: str, masked: str | None) -> None:
    (row,) = decode(change(path, masked))
    assert (row["rule"], row[column]) == (None, None)


STANDING = {
    "B023": {"connectionTypeIndicator": "W", "energyDirection": "I"},
    "B025": {"energisationStatus": "D"},
    "B026": {"marketSegmentIndicator": "S"},
    "B027": {"annualConsumption": "3100.5"},
    "B028": {"domesticPremiseIndicator": True},
    "B035List": [{"linkedMPANCore": "1900012374324"}],
    "B067": {"connectionTypeIndicator": "H", "connectionTypeEffectiveFromDate": "2020-02-03"},
    "B068": {"consentGranularity": "H"},
}
REPORTED = {
    "connection_type": "W",
    "energy_direction": "I",
    "is_energised": False,
    "market_segment": "S",
    "annual_kwh": 3100.5,
    "is_domestic": True,
    "linked_mpan_id": "1900012374324",
    "consent_granularity": "H",
    "effective_from_date": date(2020, 2, 3),
}


def standing_message(interface: str = "IF-036", **blocks: object) -> Json:
    message = as_bytes(MESSAGE)
    message["payload"]["CommonBlock"]["S0"] |= {"interfaceID": interface, "eventCode": "[Appointment]"}
    message["payload"]["CustomBlock"] = STANDING | blocks
    return message


@pytest.mark.parametrize("interface", ["IF-036", "PUB-036", "IF-018", "PUB-018"])
def test_standing_data_come_by_four_interfaces(interface: str) -> None:
    (row,) = decode(standing_message(interface))
    assert row["standing"] == REPORTED
    assert (row["quantity"], row["day"], row["days"]) == (None, None, None)


@pytest.mark.parametrize(
    "links",
    [
        [{"linkedMPANCore": "1900012374324"}],
        [{"importExportMPAN": "1900012374324"}, {"importExportMPAN": "1200023305967"}],
        [{"MPANCore": "2000056535971"}, {"MPANCore": "1900012374324"}],
        {"linkedMPANCore": "1900012374324"},
        ["1900012374324"],
    ],
)
def test_the_linked_meter_point_is_found_under_any_likely_key(links: object) -> None:
    assert decode(standing_message(B035List=links))[0]["standing"]["linked_mpan_id"] == "1900012374324"


@pytest.mark.parametrize("masked", ["*****", None])
def test_masked_standing_data_are_not_stated(masked: str | None) -> None:
    row, *_ = decode(
        standing_message(
            B023={"connectionTypeIndicator": masked, "energyDirection": masked},
            B025={"energisationStatus": masked},
            B026={"marketSegmentIndicator": masked},
            B027={"annualConsumption": masked},
            B028={"domesticPremiseIndicator": masked},
            B035List=[{"linkedMPANCore": masked}],
            B067={"connectionTypeEffectiveFromDate": masked},
            B068={"consentGranularity": masked},
        )
    )
    assert row["rule"] is None
    assert set(row["standing"].values()) == {None}


def test_consumption_and_standing_data_keep_their_rows_apart() -> None:
    rows = decode(standing_message(), as_bytes(MESSAGE), standing_message(B028={"domesticPremiseIndicator": False}), as_bytes(ESTIMATED))
    assert [row["standing"] and row["standing"]["is_domestic"] for row in rows] == [True, None, False, None]
    assert [row["day"] is not None for row in rows] == [False, True, False, True]
    assert [row["days"] for row in rows] == [None] * 4


def as_batch(files: list[tuple[str, list[str]]]) -> pa.RecordBatch:
    contents = [f"[{','.join(texts)}]".encode() for _, texts in files]
    return pa.RecordBatch.from_pydict(
        {
            "source": [name for name, _ in files],
            "length": [len(content) for content in contents],
            "problem": pa.nulls(len(files), pa.string()),
            "content": contents,
        }
    )


def outcomes(batches: list[pa.RecordBatch]) -> list[str]:
    """What became of every message, without its place."""
    rows = (row for batch in FileDecoder(DecodeRules())(batches) for row in batch.to_pylist())
    return sorted(json.dumps({**row, "source": None}, default=str, sort_keys=True) for row in rows)


@st.composite
def message_sets(draw: st.DrawFn) -> list[str]:
    """Messages of every kind, good and broken, some of them twice."""
    good = [write_message(MESSAGE._replace(version=version, quantity=draw(st.sampled_from(["AI", "AE"])))) for version in range(4)]
    odd = [
        write_message(ESTIMATED),
        write_message(GAPPED),
        json.dumps(standing_message()),
        json.dumps(change(f"{PERIOD}.v", draw(st.sampled_from(["-1.000", "1e5", "x", "60000.000"])))),
        json.dumps(change("CommonBlock.M0.MPANCore", "2000056535972")),
        '{"payload":[1]}',
        "12",
    ]
    return draw(st.lists(st.sampled_from(good + odd), min_size=1, max_size=12))


@settings(max_examples=60, deadline=None)
@given(message_sets(), st.randoms(use_true_random=False), st.integers(1, 5))
def test_what_becomes_of_a_message_depends_on_neither_order_nor_file(texts: list[str], chance: random.Random, files: int) -> None:
    expected = outcomes([as_batch([("one", texts)])])
    shuffled = chance.sample(texts, len(texts))
    split = [(f"file{number}", shuffled[number::files]) for number in range(files) if shuffled[number::files]]
    cut = chance.randint(0, len(split))
    batches = [as_batch(part) for part in (split[:cut], split[cut:]) if part]
    assert outcomes(batches) == expected
    assert set(outcomes([*batches, as_batch([("again", texts)])])) == set(expected)


def test_files_larger_than_a_chunk_are_whole() -> None:
    texts = [write_message(MESSAGE._replace(version=version)) for version in range(CHUNK + 5)]
    batches = list(FileDecoder(DecodeRules())([as_batch([("big", texts)])]))
    assert [batch.num_rows for batch in batches] == [CHUNK, 5]
    assert pa.Table.from_batches(batches)["source"].to_pylist() == [f"big#{place}" for place in range(CHUNK + 5)]


def test_a_file_that_was_too_large_to_read_is_rejected_by_its_length() -> None:
    assert reject(None) == ("f", "file_too_large", "1000000000000 bytes found, at most 67108864 wanted")


@pytest.mark.parametrize("problem", UNREAD_RULES)
def test_a_file_that_is_not_read_is_rejected_by_its_problem(problem: str) -> None:
    assert reject(problem) == ("f", UNREAD_RULES[problem].name, "not read")


def reject(problem: str | None) -> tuple[str, str, str]:
    """Source, rule and reason of a file without content."""
    columns = {"source": ["f"], "length": [10**12], "problem": pa.array([problem], pa.string()), "content": pa.array([None], pa.binary())}
    (batch,) = FileDecoder(DecodeRules())([pa.RecordBatch.from_pydict(columns)])
    (row,) = batch.to_pylist()
    return row["source"], row["rule"], row["reason"]


def test_rejected_messages_beyond_the_limit_of_a_file_are_counted_in_one_row() -> None:
    wrong = [write_message(MESSAGE._replace(version=version, watt_hours=(99_999_999,) * 48)) for version in range(4)]
    texts = [write_message(MESSAGE), "12", *wrong, '{"payload":[]}', write_message(ESTIMATED)]
    batches = FileDecoder(DecodeRules(max_faults_per_file=2))([as_batch([("bad", texts), ("good", texts[:2])])])
    rows = [row for batch in batches for row in batch.to_pylist()]
    found = sorted((row["source"], row["rule"] or "accepted", row["messages"]) for row in rows)
    assert [(source, rule) for source, rule, _ in found if source.startswith("good")] == [
        ("good#0", "accepted"),
        ("good#1", "message_malformed"),
    ]
    (summary,) = [row for row in rows if row["rule"] == "file_too_many_faults"]
    assert (summary["source"], summary["messages"]) == ("bad", 4)
    assert summary["reason"] == "4 more messages rejected: ecs_1012_above_maximum 4"
    assert sum(messages for source, _, messages in found if source.startswith("bad")) == len(texts)


def test_a_rejected_message_is_kept_whole_and_says_how_long_it_was_where_it_is_not() -> None:
    text = write_message(MESSAGE._replace(watt_hours=(99_999_999,) * 48))
    for most, kept in ((DecodeRules().max_raw_chars, text), (100, text[:100])):
        (row,) = [row for batch in FileDecoder(DecodeRules(max_raw_chars=most))([as_batch([("f", [text])])]) for row in batch.to_pylist()]
        assert (row["raw"], row["raw_bytes"]) == (kept, len(text))


def test_a_file_of_nothing_but_numbers_costs_little() -> None:
    content = gzip.compress(b"[" + b"0," * 1_000_000 + b"0]")
    batch = pa.RecordBatch.from_pydict(
        {"source": ["zeros"], "length": [len(content)], "problem": pa.nulls(1, pa.string()), "content": [content]}
    )
    began = time.process_time()
    rows = pa.Table.from_batches(FileDecoder(DecodeRules(max_messages_per_file=1000, max_faults_per_file=10))([batch]))
    assert rows.num_rows == 11
    assert sum(rows["messages"].to_pylist()) == 1_000_001
    assert time.process_time() - began < 7
