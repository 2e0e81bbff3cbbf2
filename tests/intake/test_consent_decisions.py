"""What the consent service says: believed only where it makes sense."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fmar_spark.domain.consent import Purpose
from fmar_spark.errors import InputError
from fmar_spark.intake.consent.basis_files import read_bases
from fmar_spark.intake.consent.decisions import Decisions, read_decisions, read_revocations

NOW = datetime(2026, 4, 1, 5, tzinfo=UTC)
HOME, OTHER = "2000056535971", "1900012374324"
GRANTED: dict[str, Any] = {"mpan": HOME, "state": "granted", "reference_id": "r1", "expires_at": "2026-04-08T05:00:00+00:00"}


def read(*decisions: Any, asked: tuple[str, ...] = (HOME, OTHER)) -> Decisions:
    return read_decisions(json.dumps({"decisions": decisions}).encode(), asked, Purpose.ANY, NOW)


def test_a_decision_becomes_a_row_that_expires() -> None:
    found = read(
        GRANTED | {"valid_from": "2026-01-01", "further": 1}, {"mpan": OTHER, "state": "none", "expires_at": GRANTED["expires_at"]}
    )
    assert found.faults == []
    assert found.unknown == [(OTHER, "any")]
    (row,) = found.rows
    assert (row["mpan_id"], row["state"], row["basis"], row["reference_id"]) == (HOME, "granted", "explicit consent", "r1")
    assert (row["valid_from_date"], row["expires_at"]) == (date(2026, 1, 1), NOW + timedelta(days=7))


def test_an_objection_needs_no_expiry_and_a_grant_does() -> None:
    found = read({"mpan": HOME, "state": "opted_out", "expires_at": None}, {"mpan": OTHER, "state": "granted", "reference_id": "r"})
    assert [row["state"] for row in found.rows] == ["opted_out"]
    assert [fault.rule for fault in found.faults] == ["consent_answer_expired"]


def test_an_objection_does_not_expire() -> None:
    (row,) = read(GRANTED | {"state": "withdrawn"}).rows
    assert (row["state"], row["expires_at"], row["valid_to_date"]) == ("withdrawn", None, None)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"mpan": "1200023305967"}, "consent_meter_not_asked"),
        ({"state": "maybe"}, "consent_decision_malformed"),
        ({"expires_at": "soon"}, "consent_decision_malformed"),
        ({"expires_at": "2026-04-08T05:00:00"}, "consent_time_without_offset"),
        ({"expires_at": "2026-04-01T04:00:00+00:00"}, "consent_answer_expired"),
        ({"expires_at": "9999-04-01T04:00:00+00:00"}, "consent_expiry_too_late"),
        ({"valid_from": "2026-05-01", "valid_to": "2026-04-01"}, "consent_validity_reversed"),
        ({"reference_id": " "}, "consent_without_reference"),
        ({"basis": ""}, "consent_without_basis"),
        ({"purpose": "verification"}, "consent_purpose_not_asked"),
    ],
)
def test_what_makes_no_sense_is_named_and_changes_nothing(change: dict[str, Any], rule: str) -> None:
    found = read(GRANTED | change)
    assert (found.rows, found.unknown) == ([], [])
    assert [(fault.rule, fault.place) for fault in found.faults] == [(rule, 1)]


@pytest.mark.parametrize(
    ("states", "counts"),
    [
        (("granted", "granted"), []),
        (("granted", "withdrawn"), ["withdrawn"]),
        (("withdrawn", "granted"), ["withdrawn"]),
        (("none", "opted_out"), ["opted_out"]),
        (("granted", "none"), []),
        (("granted", "granted", "opted_out", "granted"), ["opted_out"]),
    ],
)
def test_of_several_decisions_about_one_meter_an_objection_alone_counts(states: tuple[str, ...], counts: list[str]) -> None:
    found = read(*(GRANTED | {"state": state} for state in states))
    assert [row["state"] for row in found.rows] == counts
    assert found.unknown == []
    assert [(fault.rule, fault.place) for fault in found.faults] == [
        ("consent_decision_repeated", place) for place in range(2, len(states) + 1)
    ]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"decisions": 3}', b'{"decision": []}', b"\xff\xfe", b"[" * 100_000])
def test_an_answer_of_another_format_is_one_fault(body: bytes) -> None:
    found = read_decisions(body, (HOME,), Purpose.ANY, NOW)
    assert (found.rows, [fault.rule for fault in found.faults]) == ([], ["consent_answer_unreadable"])


def test_a_revocation_is_an_objection() -> None:
    body = json.dumps({"revocations": [{"mpan": HOME, "effective_at": "2026-04-01T04:00:00Z"}]}).encode()
    (row,) = read_revocations(body, NOW)
    assert (row["mpan_id"], row["state"], row["purpose"], row["expires_at"]) == (HOME, "withdrawn", "any", None)


@pytest.mark.parametrize(
    ("revocations", "wanted"),
    [
        ([], "at least one wanted"),
        ([{"mpan": "1", "effective_at": "2026-04-01T04:00:00Z"}], "13 digits"),
        ([{"mpan": HOME, "effective_at": "2026-04-01T04:00:00"}], "offset"),
        ([{"mpan": HOME, "effective_at": "2027-04-01T04:00:00Z"}], "not later than tomorrow"),
        ([{"mpan": HOME, "state": "granted", "effective_at": "2026-04-01T04:00:00Z"}], "granted"),
    ],
)
def test_a_revocation_that_makes_no_sense_is_rejected_with_its_reason(revocations: list[dict[str, str]], wanted: str) -> None:
    with pytest.raises(ValueError, match=wanted):
        read_revocations(json.dumps({"revocations": revocations}).encode(), NOW)


def test_bases_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "bases.csv"
    path.write_text(
        f"mpan_id,basis,purpose,state,valid_to\n{HOME},public task,,,\n{OTHER},explicit consent,verification,opted_out,2026-09-30\n"
    )
    first, second = read_bases(path).to_pylist()
    assert (first["purpose"], first["state"], first["valid_to_date"]) == ("any", "granted", None)
    assert (second["purpose"], second["state"], second["valid_to_date"]) == ("verification", "opted_out", date(2026, 9, 30))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("mpan_id\n1\n", "columns mpan_id found"),
        ("mpan_id,basis\n", "no row found"),
        ("mpan_id,basis\n123,public task\n", "line 2: mpan_id is '123'"),
        (f"mpan_id,basis\n{HOME},\n", "line 2: basis is empty"),
        (f"mpan_id,basis,state\n{HOME},public task,yes\n", "line 2: state is 'yes'"),
        (f"mpan_id,basis,valid_from\n{HOME},public task,01/02/2026\n", "line 2: valid_from is"),
        (f"mpan_id,basis\n{HOME},public task\n{HOME},own data\n", "line 3: .* found again"),
        (f"mpan_id,basis\n{HOME}\n", "line 2: 2 fields wanted"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_line(tmp_path: Path, text: str, wanted: str) -> None:
    path = tmp_path / "bases.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=wanted):
        read_bases(path)
