"""The consent service through a lake: what it grants is admitted, what it revokes or no longer confirms is not."""

import json
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from consent_world import HOME, SHOP, meter
from lake_rows import add_rows, read_rows, replace_rows

from fmar_spark.contracts.operations import QUARANTINE
from fmar_spark.contracts.readings import LEGAL_BASES, METER_POINTS
from fmar_spark.domain.consent import ADMITS_HOUSEHOLDS, Purpose
from fmar_spark.engine.runs import Run, Written, start_run
from fmar_spark.engine.store import TableStore
from fmar_spark.intake.consent.decisions import BASIS_SCHEMA, Decisions, read_revocations
from fmar_spark.services.consent.consent_client import UnavailableError
from fmar_spark.services.consent.fake_service import CLEAR, DOWN, NONSENSE, FakeService
from fmar_spark.settings.sections import ConsentSettings
from fmar_spark.steps import ask_consent, record_legal_basis
from fmar_spark.transforms.eligibility import check_meters

ONE, TWO, THREE, BUSINESS = "2000056535971", "1900012374324", "1200023305967", "1000000000018"
SETTINGS = ConsentSettings(service_url="http://localhost", batch_meters=2, renew_hours=24)


class Service:
    """The stand-in without a network between."""

    def __init__(self, fake: FakeService) -> None:
        self.fake = fake

    def ask(self, mpans: list[str], purpose: Purpose) -> bytes:
        if self.fake.behaviour == DOWN:
            raise UnavailableError("consent service: status 503")
        return b"<html>maintenance</html>" if self.fake.behaviour == NONSENSE else self.fake.answer(mpans, purpose)


def refresh(store: TableStore, fake: FakeService, revoked: pa.Table | None = None, at: datetime | None = None) -> Written:
    run: Run = start_run("ask_consent", None, "")._replace(started_at=at or datetime.now(UTC))
    answers: list[Decisions] = []
    written = ask_consent.run(store, run, SETTINGS, Service(fake), answers)
    rows = pa.Table.from_pylist([row for one in answers for row in one.rows], schema=BASIS_SCHEMA)
    rows = pa.concat_tables([rows, revoked]) if revoked else rows
    record_legal_basis.run_for_decisions(store, run, rows, [mpan for one in answers for mpan, _ in one.unknown])
    return written


def refused(store: TableStore, days_ahead: int = 0) -> dict[str, str | None]:
    day = (datetime.now(UTC) + timedelta(days=days_ahead)).date()
    return {row["mpan_id"]: row["rejection"] for row in check_meters(store.read(METER_POINTS), store.read(LEGAL_BASES), day).collect()}


def expire(store: TableStore, at: datetime) -> None:
    """Every basis that expires has expired."""
    rows = read_rows(store, LEGAL_BASES)
    replace_rows(store, LEGAL_BASES, [row | ({"expires_at": at} if row["expires_at"] else {}) for row in rows])


@pytest.fixture
def homes(store: TableStore) -> TableStore:
    """Three homes and a business."""
    points = [*(meter(mpan, HOME) for mpan in (ONE, TWO, THREE)), meter(BUSINESS, SHOP)]
    add_rows(store, METER_POINTS, points)
    return store


def test_what_the_service_says_is_what_is_admitted_until_it_expires(homes: TableStore) -> None:
    fake = FakeService({ONE: "granted", TWO: "opted_out"})
    assert refresh(homes, fake).counts == {"due": 3, "granted": 1, "objected": 1, "unknown": 1, "unanswered": 0}
    wanted = {ONE: None, TWO: "objected", THREE: "no_legal_basis", BUSINESS: None}
    assert refused(homes) == wanted
    assert refresh(homes, fake).counts["due"] == 1  # only whoever is unknown is asked for again
    fake.behaviour = DOWN
    assert refresh(homes, fake).counts["unanswered"] == 1
    assert refused(homes) == wanted
    expire(homes, datetime.now(UTC) - timedelta(seconds=1))
    assert refused(homes) == wanted | {ONE: "basis_not_confirmed"}
    fake.behaviour = CLEAR
    assert refresh(homes, fake).counts["granted"] == 1
    assert refused(homes) == wanted


def test_nonsense_changes_nothing_and_is_in_the_quarantine(homes: TableStore) -> None:
    fake = FakeService({ONE: "granted", TWO: "granted", THREE: "granted"}, NONSENSE)
    assert refresh(homes, fake) == Written({"due": 3, "granted": 0, "objected": 0, "unknown": 0, "unanswered": 3}, 0, 2)
    assert [row["rule"] for row in read_rows(homes, QUARANTINE)] == ["consent_answer_unreadable"] * 2
    assert not homes.has(LEGAL_BASES)


def test_a_revocation_counts_above_an_answer_and_a_public_task(homes: TableStore) -> None:
    named = pa.Table.from_pylist([{"mpan_id": TWO, "purpose": "any", "basis": "public task", "source": "operator"}], schema=BASIS_SCHEMA)
    record_legal_basis.run_for_rows(homes, start_run("record_legal_basis", None, ""), named)
    fake = FakeService({ONE: "granted", TWO: "granted", THREE: "granted"})
    refresh(homes, fake)
    assert [row["source"] for row in read_rows(homes, LEGAL_BASES) if row["mpan_id"] == TWO] == ["operator"]
    sent = [{"mpan": mpan, "effective_at": "2026-01-01T00:00:00Z"} for mpan in (ONE, TWO)]
    revoked = pa.Table.from_pylist(read_revocations(json.dumps({"revocations": sent}).encode(), datetime.now(UTC)), schema=BASIS_SCHEMA)
    refresh(homes, fake, revoked)
    assert refused(homes) == {ONE: "objected", TWO: "objected", THREE: None, BUSINESS: None}
    record_legal_basis.run_for_decisions(homes, start_run("record_legal_basis", None, ""), BASIS_SCHEMA.empty_table(), [ONE, TWO])
    assert (refused(homes)[ONE], refused(homes)[TWO]) == ("objected", "objected"), "a service that forgets does not undo an objection"
    homes.spark.conf.set(ADMITS_HOUSEHOLDS, "false")
    try:
        assert refused(homes)[THREE] == "households_not_admitted"
        assert refused(homes)[BUSINESS] is None
    finally:
        homes.spark.conf.unset(ADMITS_HOUSEHOLDS)


def test_what_the_operator_ended_stands_until_the_operator_records_another_basis(homes: TableStore) -> None:
    fake = FakeService({ONE: "granted", TWO: "granted", THREE: "granted"})
    refresh(homes, fake)
    run, day = start_run("record_legal_basis", None, ""), datetime.now(UTC).date()
    assert record_legal_basis.run_for_ending(homes, run, (ONE,), day).counts == {"meters": 1}
    expire(homes, datetime.now(UTC) - timedelta(days=1))
    assert refresh(homes, fake).counts["granted"] == 3
    record_legal_basis.run_for_decisions(homes, run, BASIS_SCHEMA.empty_table(), (), "public task")
    assert refused(homes) == {ONE: "no_legal_basis", TWO: None, THREE: None, BUSINESS: None}
    record_legal_basis.run_for_meters(homes, run, (ONE,), "explicit consent", day)
    assert refused(homes)[ONE] is None


def test_standing_data_of_the_dip_give_a_basis_and_take_it(homes: TableStore) -> None:
    def record() -> None:
        run = start_run("record_legal_basis", None, "")
        record_legal_basis.run_for_decisions(homes, run, BASIS_SCHEMA.empty_table(), (), "public task")

    record()
    assert set(refused(homes).values()) == {None}
    points = read_rows(homes, METER_POINTS)
    changed = [row | ({"consent_granularity": "D"} if row["mpan_id"] == ONE else {}) for row in points]
    replace_rows(homes, METER_POINTS, changed)
    record()
    assert [row["mpan_id"] for row in read_rows(homes, LEGAL_BASES) if row["valid_to_date"] is not None] == [ONE]
