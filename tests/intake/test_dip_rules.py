"""Every rule is broken here by name, by a message or file that breaks no earlier one."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fmar_spark.intake.dip.files import FILE_TOO_MANY_MESSAGES, MESSAGE_UNBALANCED, UNREAD_RULES, read_units
from fmar_spark.intake.dip.rows import FILE_TOO_MANY_FAULTS, RULES, decode_units
from fmar_spark.intake.dip.rules import DecodeRules
from fmar_spark.simulate.messages import DayMessage, write_message

Json = dict[str, Any]
GOOD = DayMessage("2000056535971", "_H", "AI", "2023-01-10", (250,) * 48, "W", "2020-01-01", "2023-01-11T06:00:00+00:00")
STANDING = {
    "B023": {"connectionTypeIndicator": "W", "energyDirection": "I"},
    "B025": {"energisationStatus": "E"},
    "B027": {"annualConsumption": "3100.5"},
    "B028": {"domesticPremiseIndicator": True},
    "B035List": [{"linkedMPANCore": "1900012374324"}],
    "B068": {"consentGranularity": "H"},
}


def say(**paths: object) -> Json:
    """The good message with the values at some paths replaced; ``__`` parts the keys."""
    message: Json = json.loads(write_message(GOOD))
    for path, value in paths.items():
        *parents, last = path.split("__")
        part = message["payload"]
        for key in parents:
            part = part[int(key) if key.isdigit() else key]
        part[int(last) if last.isdigit() else last] = value
    return message


def say_period(slot: int = 0, **values: object) -> Json:
    """The good message with values of one half-hour replaced."""
    message = say()
    message["payload"]["CustomBlock"]["B900"]["settlementDayConsumptionPeriods"][0]["consumptionPeriods"][slot].update(values)
    return message


def say_periods(change: Callable[[list[Json]], list[Json]]) -> Json:
    """The good message with other half-hours."""
    message = say()
    block = message["payload"]["CustomBlock"]["B900"]["settlementDayConsumptionPeriods"][0]
    block["consumptionPeriods"] = change(block["consumptionPeriods"])
    return message


def say_day(**values: object) -> Json:
    """The good message with another settlement day."""
    message = say()
    message["payload"]["CustomBlock"]["B900"]["settlementDayConsumptionPeriods"][0]["settlementDay"].update(values)
    return message


def say_twice() -> Json:
    """The good message with its day block twice."""
    message = say()
    message["payload"]["CustomBlock"]["B900"]["settlementDayConsumptionPeriods"] *= 2
    return message


def say_standing(**blocks: object) -> Json:
    """A standing data message, with some blocks replaced."""
    return say(CommonBlock__S0={"interfaceID": "IF-036", "eventCode": "[Appointment]"}, CustomBlock=STANDING | blocks)


def array(*messages: Json) -> bytes:
    """The messages as they are delivered."""
    return json.dumps(messages).encode()


def decoded(content: bytes, rules: DecodeRules | None = None) -> list[Json]:
    """One row for every message of a file, as it leaves the decoder."""
    rules = rules or DecodeRules()
    return [row for batch in decode_units(list(read_units("f.json", content, rules)), rules) for row in batch.to_pylist()]


def swap_label(periods: list[Json]) -> list[Json]:
    """The half-hours under the names of their starts."""
    return [{**period, "sp": f"{slot // 2:02d}:{slot % 2 * 30:02d}"} for slot, period in enumerate(periods)]


def stamp_ends(day: str) -> Callable[[list[Json]], list[Json]]:
    """The half-hours but the last under full stamps of a day."""
    return lambda periods: [{**period, "sp": f"{day}T{period['sp']}:00+00:00"} for period in periods[:-1]]


def later(**ahead: float) -> datetime:
    """A time after now."""
    return datetime.now(UTC).replace(microsecond=0) + timedelta(**ahead)


MPAN, DELIVERY, B900 = "CommonBlock__M0__MPANCore", "CommonBlock__D0__", "CustomBlock__B900"
DEEP = b"[" * 2000 + b"]" * 2000
CASES: dict[str, list[bytes | tuple[bytes, DecodeRules]]] = {
    "file_empty": [b"", b" \n", b"\xef\xbb\xbf", gzip.compress(b"", mtime=0)],
    "file_truncated": [
        gzip.compress(array(say()), mtime=0)[:-9],
        gzip.compress(array(say()), mtime=0) + b"more",
        b"".join([gzip.compress(b" ", mtime=0)] * 101),
        gzip.compress(array(say()), mtime=0)[:20] + b"\x00" * 400,
    ],
    "file_too_large": [
        (array(say()), DecodeRules(max_file_bytes=3000)),
        (gzip.compress(array(*[say()] * 9), mtime=0), DecodeRules(max_file_bytes=3000)),
    ],
    "file_not_json": [b"settlement,period", b"[", b'{"payload":', b"[{]", "[1]".encode("utf-16")],
    "file_not_messages": [b'"text"', b"12", b"null"],
    "array_empty": [b"[]", b" [ ] "],
    "message_too_large": [(array(say()), DecodeRules(max_message_bytes=2000))],
    "message_too_deep": [
        array(say()).replace(b'"B044"', b'"other":' + DEEP + b',"B044"'),
        array(say_standing()).replace(b'[{"linkedMPANCore": "1900012374324"}]', DEEP),
    ],
    "message_malformed": [
        b'[{"payload":[1,2]}]',
        b"[12]",
        b'{"payload":{}}',
        array(say(**{MPAN: 2000056535971})),
        array(say(CustomBlock=None)),
        array(say_period(v=0.25)),
        array(say_period(v={"kwh": 1})),
        array(say_period(sp=None)),
        array(say_periods(lambda periods: [*periods[:-1], "00:00"])),
        array(say_day(periodDuration=True)),
        array(say()).replace(b'"v": "0.250"', b'"v": NaN', 1),
        array(say()).replace(b'"v": "0.250"', b'"v": Infinity', 1),
        array(say()).replace(b'"v": "0.250"', b'"v": ' + b"9" * 5000, 1),
        array(say()).replace(b'"v": "0.250"', b'"v": "\xff"', 1),
        array(say()).replace(b'"SIMULATED"', b'"\xe9"', 1),
        array(say()).replace(b'"SIMULATED"', b'"\\ud800"', 1),
    ],
    "interface_unknown": [array(say(CommonBlock__S0__interfaceID="IF-999"))],
    "transaction_id_missing": [
        array(say(**{DELIVERY + "transactionID": text})) for text in ("", "*****", " padded", "nul\x00", "x" * 129, "line\nbreak")
    ],
    "timestamp_malformed": [
        array(say(**{DELIVERY + "transactionTimestamp": text}))
        for text in (
            "2023-01-11T06:00:00Z",
            "2023-01-11T06:00:00.000000",
            "2023-02-31T06:00:00+00:00",
            "1999-12-31T23:59:59+00:00",
            "2100-01-01T00:00:00+00:00",
            "9999-12-31T23:59:59-14:00",
            "\u0662\u0660\u0662\u0663-01-11T06:00:00+00:00",
            "2023-W02-3T06:00:00+00:000",
            "",
        )
    ],
    "timestamp_in_future": [
        array(say(**{DELIVERY + "transactionTimestamp": text})) for text in ("2099-12-31T23:59:59+00:00", later(hours=25).isoformat())
    ],
    "mpan_malformed": [array(say(**{MPAN: text})) for text in ("12345", "*************", "\u0662000056535971", "200005653597\u0661", "")],
    "mpan_check_digit": [array(say(**{MPAN: "2000056535972"}))],
    "block_missing": [
        array(say(CustomBlock={})),
        array(say(CustomBlock={"B900List": []})),
        array(say(CommonBlock__S0__interfaceID="IF-018")),
    ],
    "ecs_1002_quantity": [
        array(say(**{B900 + "__MQID__measurementQuantityID": "XX"})),
        array(say(**{B900 + "__MQID__measurementQuantityID": "RI"})),
        array(say(CommonBlock__S0__eventCode="[ReactivePower]")),
        array(
            say(
                CustomBlock={
                    "B900List": [
                        say()["payload"]["CustomBlock"]["B900"],
                        say(**{B900 + "__MQID__measurementQuantityID": "AE"})["payload"]["CustomBlock"]["B900"],
                    ]
                }
            )
        ),
    ],
    "day_malformed": [
        array(say_day(settlementDayDate=text)) for text in ("2023-02-31", "10/01/2023", "20230110", "2023-W02-2", "2023-01-10 x", "")
    ],
    "ecs_1014_day_not_midnight": [array(say_day(settlementDayDate="2023-01-10T01:00:00+00:00"))],
    "day_too_early": [array(say_day(settlementDayDate=text)) for text in ("0001-01-01", "1999-12-31")],
    "day_in_future": [
        (array(say_day(settlementDayDate=later(hours=49).date().isoformat())), DecodeRules(max_days_ahead=4000)),
        array(say_day(settlementDayDate="2023-01-13")),
        array(say_day(settlementDayDate="9999-12-31")),
    ],
    "ecs_1003_after_final_run": [
        (array(say(**{DELIVERY + "transactionTimestamp": "2023-03-11T06:00:00+00:00"})), DecodeRules(final_run_days=59))
    ],
    "ecs_1013_before_connection": [array(say(CustomBlock__B067__connectionTypeEffectiveFromDate="2023-01-11"))],
    "ecs_1004_duration": [array(say_day(periodDuration=minutes)) for minutes in (15, 60, 29.5, 10**30)],
    "period_count": [
        array(say_periods(lambda periods: [])),
        array(say_periods(lambda periods: periods + periods[:2])),
        array(say(**{B900 + "__settlementDayConsumptionPeriods": []})),
        array(
            say(
                **{
                    B900 + "__settlementDayConsumptionPeriods": say_twice()["payload"]["CustomBlock"]["B900"][
                        "settlementDayConsumptionPeriods"
                    ]
                    * 101
                }
            )
        ),
    ],
    "ecs_1005_period_misaligned": [
        array(say_period(sp=text)) for text in ("00:17", "00:17Z", "2023-01-10T00:17:00+00:00", "2023-01-10T00:30:01+00:00")
    ],
    "period_outside_day": [
        array(say_period(sp=text))
        for text in (
            "24:30",
            "24:00",
            "24:00Z",
            "00:30z",
            "0:30",
            "\u0660\u0660:30",
            "",
            "00:30:00",
            "-1:30",
            "2023-01-10T24:00:00+00:00",
            "2023-01-10T00:30:00Z",
            "2023-01-10 00:30:00+00:00",
            "2023-02-30T00:30:00+00:00",
            "2023-01-10T00:30:00+00:00 ",
            "2023-01-1\u0660T00:30:00+00:00",
            "0001-01-01T00:00:00+14:00",
        )
    ],
    "period_label_mixed": [array(say_periods(swap_label)), (array(say()), DecodeRules(period_label="start"))],
    "period_against_day": [array(say_periods(stamp_ends("2023-01-11"))), array(say_periods(stamp_ends("2022-01-10")))],
    "period_format_mixed": [array(say_period(sp="00:30Z")), array(say_period(sp="2023-01-10T00:30:00+00:00"))],
    "ecs_1006_period_twice": [array(say_period(1, sp="00:30"))],
    "ecs_1007_overlap": [array(say_twice())],
    "value_malformed": [
        array(say_period(v=text))
        for text in (
            "",
            "a lot",
            "1e5",
            "1e400",
            "nan",
            "inf",
            "-inf",
            "0x10",
            "1_000",
            "1,5",
            " 1.0",
            "+1",
            "1.2.3",
            "-",
            ".",
            "\u0661.\u0660",
            "0.1\x00",
            "9" * 400,
        )
    ],
    "ecs_1010_negative": [array(say_period(v="-0.001"))],
    "ecs_1012_above_maximum": [array(say_period(v="50000.001")), (array(say_period(v="9.001")), DecodeRules(max_kwh_per_slot=9.0))],
    "quality_unknown": [array(say_period(q=text)) for text in ("QQ", "a", "", "E10", "EA14")],
    "reason_unknown": [array(say_period(e=reason)) for reason in (0, 11, "1.0", "x", 10**20)],
    "ecs_1011_zero_not_zero": [array(say_period(q="ZE1", e=2))],
    "ecs_1008_estimated_de_energised": [array(say_period(q="E", e=7)), array(say_period(q="EA3", e="8"))],
    "ecs_1009_mpan_status": [array(say_period(e=8))],
    "ecs_1015_reason_missing": [array(say_period(q="E")), array(say_period(q="ZE", v="0.000", e=""))],
    "ecs_1016_amendment_missing": [array(say_period(e=9)), array(say_period(q="E5", e="9", arc=""))],
    "standing_value_unknown": [
        array(say_standing(B023={"connectionTypeIndicator": "Q"})),
        array(say_standing(B023={"energyDirection": "X1"})),
        array(say_standing(B025={"energisationStatus": "on"})),
        array(say_standing(B026={"marketSegmentIndicator": "Z"})),
        array(say_standing(B027={"annualConsumption": "plenty"})),
        array(say_standing(B027={"annualConsumption": "nan"})),
        array(say_standing(B028={"domesticPremiseIndicator": "true"})),
        array(say_standing(B035List=[{"linkedMPANCore": "123"}])),
        array(say_standing(B035List=[{"linkedMPANCore": 1900012374324}])),
        array(say_standing(B068={"consentGranularity": "HH"})),
        array(say_standing(B067={"connectionTypeEffectiveFromDate": "yesterday"})),
    ],
}


BROKEN_ELSEWHERE = {rule.name for rule in (FILE_TOO_MANY_MESSAGES, FILE_TOO_MANY_FAULTS, MESSAGE_UNBALANCED, *UNREAD_RULES.values())}
"""Rules of which test_dip_files and test_dip_rows have the cases: there is more than one row."""
EVERY_CASE = [(rule, *(case if isinstance(case, tuple) else (case, DecodeRules()))) for rule, cases in CASES.items() for case in cases]
IN_AN_ARRAY = [case for case in EVERY_CASE if case[1].startswith(b"[{") and case[1].endswith(b"}]") and not case[0].endswith("_too_large")]


@pytest.mark.parametrize(("rule", "content", "rules"), EVERY_CASE)
def test_what_breaks_a_rule_is_rejected_by_its_name(rule: str, content: bytes, rules: DecodeRules) -> None:
    rows = decoded(content, rules)
    assert [(row["rule"], bool(row["reason"])) for row in rows] == [(rule, True)]


@pytest.mark.parametrize(
    ("rule", "limits"),
    [
        ("day_in_future", "(ingest.max_days_ahead = 4,000, ingest.max_hours_ahead = 24)"),
        ("ecs_1003_after_final_run", "(ingest.final_run_days = 59)"),
        ("ecs_1012_above_maximum", "(ingest.max_kwh_per_slot = 9)"),
    ],
)
def test_a_message_beyond_a_limit_is_rejected_with_the_limit(rule: str, limits: str) -> None:
    content, rules = next(case for case in CASES[rule] if isinstance(case, tuple))
    (row,) = decoded(content, rules)
    assert row["reason"].endswith(f" found {limits}")


def test_every_rule_is_broken_by_some_case() -> None:
    assert set(CASES) | BROKEN_ELSEWHERE == {rule.name for rule in RULES}
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.sentence.endswith(".") and rule.ecs in rule.name for rule in RULES)


@pytest.mark.parametrize(("rule", "content", "rules"), IN_AN_ARRAY)
def test_a_rejected_message_takes_none_of_its_neighbours_with_it(rule: str, content: bytes, rules: DecodeRules) -> None:
    alone = decoded(array(say()), rules)
    between = decoded(b"[" + array(say())[1:-1] + b"," + content[1:-1] + b"," + array(say())[1:-1] + b"]", rules)
    good = [row for row in between if row["rule"] is None]
    assert [{**row, "source": None} for row in good] == [{**row, "source": None} for row in alone * 2 if row["rule"] is None]
    assert rule in [row["rule"] for row in between]


def test_the_first_broken_rule_in_the_order_of_the_rules_is_named() -> None:
    message = say_period(v="-1.000", q="QQ", sp="00:17")
    assert [row["rule"] for row in decoded(array(message))] == ["ecs_1005_period_misaligned"]
    message["payload"]["CommonBlock"]["M0"]["MPANCore"] = "1"
    assert [row["rule"] for row in decoded(array(message))] == ["mpan_malformed"]


def test_a_failing_check_digit_only_warns_in_a_test_environment() -> None:
    rows = decoded(array(say(**{MPAN: "2000056535972"}), say()), DecodeRules(is_test=True))
    assert [(row["rule"], row["warnings"]) for row in rows] == [(None, ["mpan_check_digit"]), (None, None)]


def test_a_rejection_says_whose_it_was_and_how_it_began() -> None:
    found = decoded(array(say_period(v="a lot"), say(**{MPAN: "12345"})), DecodeRules(max_raw_chars=64))
    assert [(row["mpan_id"], row["transaction_id"]) for row in found] == [(GOOD.mpan_id, GOOD.transaction_id), (None, GOOD.transaction_id)]
    assert found[0]["raw"] == json.dumps(say_period(v="a lot"))[:64]
    assert [row["source"] for row in found] == ["f.json#0", "f.json#1"]
    loose = decoded(array(say(CustomBlock=None)))[0]
    assert (loose["mpan_id"], loose["transaction_id"]) == (GOOD.mpan_id, GOOD.transaction_id)


def test_an_error_code_leaves_its_half_hour_unread_and_the_rest_of_the_day_as_it_is() -> None:
    row = decoded(array(say_period(3, v="4294.967")))[0]
    assert (row["rule"], row["warnings"]) == (None, ["value_error_code"])
    assert row["day"]["kwh"] == [0.25] * 3 + [None] + [0.25] * 44
    assert row["day"]["quality"] == ["A"] * 3 + [None] + ["A"] * 44
