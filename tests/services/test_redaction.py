"""A meter point that the register names no more: when that may be, that nothing names it then, and that the chain still proves the rest."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from register_world import LONDON_MPAN, MPAN, OPERATOR, Served, settings_of
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from fmar_spark.errors import InputError
from fmar_spark.services.register.access import EVERYTHING
from fmar_spark.services.register.changes import RegisterChanges
from fmar_spark.services.register.ledger import verify_ledger
from fmar_spark.services.register.redaction import describe_kept, find_kept, redact_meter
from fmar_spark.services.register.tables import LEDGER, METADATA
from fmar_spark.settings.sections import RegisterSettings

ENDED = date(2090, 1, 1)
AFTER = ENDED + timedelta(days=2193)
"""The first day that lies six whole years after the end of the agreement."""


@pytest.fixture
def settings(url: str) -> RegisterSettings:
    return settings_of(url)


@pytest.fixture
def filled(served: Served) -> Served:
    """An amended agreement, evidence, a declaration, an answer and a settled dispute of one meter point; an agreement of another."""
    first = served.create("ALPHA", amsid="AMS-1", consent_reference=f"C {MPAN}", valid_to_at=f"{ENDED}T00:00:00Z")
    served.record(reference=f"seen at {MPAN}")
    path = f"/v1/agreements/{first['agreement_id']}"
    assert served.call("ALPHA", "PATCH", path, json={"primacy_tier": 2}, headers={"If-Match": '"v1"'}).status_code == 200
    served.create("BRAVO", amsid="AMS-9", mpan_id=LONDON_MPAN)
    place = {"mpan_id": MPAN, "amsid": "AMS-1", "asset_class": "ev"}
    declared = {**place, "parameter": "rated_kw", "direction": "import", "value": 7.4, "unit": "kW", "reason": f"plate at {MPAN}"}
    declared["valid_from_at"] = "2026-02-01T00:00:00Z"
    assert served.call("ALPHA", "POST", "/v1/overrides", json=declared).status_code == 201
    assert served.call("ALPHA", "POST", "/v1/confirmations", json={**place, "is_present": True}).status_code == 201
    complaint = {"record_kind": "delivery_check", "record_id": "event-1", "mpan_id": MPAN, "amsid": "AMS-1"}
    raised = served.call("ALPHA", "POST", "/v1/disputes", json={**complaint, "alleged_error": f"of {MPAN}", "evidence": f"at {MPAN}"})
    settled = {"outcome": "corrected", "outcome_reason": f"{MPAN} was loaded again"}
    path = f"{raised.headers['Location']}/settle"
    assert served.call("OFFICE", "POST", path, json=settled, headers={"If-Match": raised.headers["ETag"]}).status_code == 200
    return served


def texts_of(served: Served) -> str:
    """Everything that stands in any table, but for answers that are remembered for a day."""
    with served.database.reading(EVERYTHING) as connection:
        tables = [table for table in METADATA.tables.values() if table.name != "idempotency_keys"]
        return "\n".join(str(tuple(row)) for table in tables for row in connection.execute(select(table)))


def test_while_claims_can_rest_on_it_an_agreement_is_kept_with_its_reason(filled: Served, settings: RegisterSettings) -> None:
    kept = find_kept(filled.database, settings, MPAN)
    assert (kept.versions, kept.until_date) == (7, AFTER)
    assert describe_kept(kept, settings) == f"7 versions name it; kept until {kept.until_date} for {settings.retention_basis}"
    assert describe_kept(kept._replace(versions=1), settings).startswith("1 version names it; kept until ")
    with pytest.raises(InputError, match=r"^7 versions name it; kept until 2096-01-03 for .*17\(3\)\(e\)\)$"):
        redact_meter(filled.database, settings, MPAN, kept.until_date - timedelta(days=1), OPERATOR)
    with pytest.raises(InputError, match="no version"):
        redact_meter(filled.database, settings, "2000000000000", AFTER, OPERATOR)
    endless = filled.create("BRAVO", amsid="AMS-3", market="neso_bm", valid_to_at=None)
    assert find_kept(filled.database, settings, MPAN).until_date is None
    path = f"/v1/agreements/{endless['agreement_id']}/end"
    assert filled.call("BRAVO", "POST", path, json={}, headers={"If-Match": '"v1"'}).status_code == 200
    assert find_kept(filled.database, settings, MPAN).until_date == kept.until_date


def test_afterwards_nothing_names_it_and_the_chain_is_whole(filled: Served, settings: RegisterSettings, url: str) -> None:
    before = verify_ledger(filled.database)
    assert {name for name in (MPAN, "AMS-1") if name in texts_of(filled)} == {MPAN, "AMS-1"}
    versions = find_kept(filled.database, settings, MPAN).versions
    assert redact_meter(filled.database, settings, MPAN, AFTER, OPERATOR) == versions
    left = texts_of(filled)
    assert [name for name in (MPAN, "AMS-1") if name in left] == []
    assert {name for name in (LONDON_MPAN, "AMS-9") if name in left} == {LONDON_MPAN, "AMS-9"}
    found = verify_ledger(filled.database, (before.head,))
    assert (found.breaks, found.redacted, found.entries) == ((), versions, before.entries + 1)
    assert find_kept(filled.database, settings, MPAN).versions == 0
    if url.startswith("sqlite"):
        file = Path(url.removeprefix("sqlite:///"))
        assert not any(MPAN.encode() in path.read_bytes() for path in (file, file.with_name(f"{file.name}-wal")) if path.exists())
    (mirrored,) = list(RegisterChanges(filled.database).changes("agreements", 0))
    assert {name[:2] for name in mirrored["mpan_id"].to_pylist()} == {"20", "12"}
    filled.create("ALPHA", amsid="AMS-1")
    assert verify_ledger(filled.database).breaks == ()


def test_the_database_lets_nothing_be_rewritten_that_no_redaction_names(filled: Served, settings: RegisterSettings) -> None:
    redact_meter(filled.database, settings, MPAN, AFTER, OPERATOR)
    with filled.database.reading(EVERYTHING) as connection:
        rows = connection.execute(select(LEDGER.c.seq, LEDGER.c.kind, LEDGER.c.body).order_by(LEDGER.c.seq)).all()
    agreements = [seq for seq, kind, body in rows if kind == "agreement" and "redacted-" in body]
    other = next(seq for seq, kind, body in rows if kind == "agreement" and LONDON_MPAN in body)
    for statement in (
        f"UPDATE ledger SET body = '{{}}' WHERE seq = {other}",
        f"UPDATE ledger SET hash = 'x' WHERE seq = {agreements[0]}",
        f"DELETE FROM ledger WHERE seq = {agreements[0]}",
        f"UPDATE agreement_versions SET mpan_id = '12-x' WHERE ledger_seq = {other}",
        f"UPDATE agreement_versions SET primacy_tier = 9 WHERE ledger_seq = {agreements[0]}",
        f"UPDATE agreement_versions SET known_to_at = NULL, closed_by_seq = NULL WHERE ledger_seq = {agreements[0]}",
    ):
        with pytest.raises(DBAPIError, match="nothing is rewritten"), filled.database.writing(EVERYTHING) as connection:
            connection.execute(text(statement))


def test_what_a_redacted_entry_reads_is_proven_too(filled: Served, settings: RegisterSettings) -> None:
    redact_meter(filled.database, settings, MPAN, AFTER, OPERATOR)
    with filled.database.writing(EVERYTHING) as connection:
        found = connection.execute(select(LEDGER.c.seq, LEDGER.c.body).where(LEDGER.c.body.contains("redacted-"))).first()
        assert found is not None
        altered: dict[str, Any] = {"body": found.body.replace('"fsp_id":"ALPHA"', '"fsp_id":"BRAVO"'), "seq": found.seq}
        connection.execute(text("UPDATE ledger SET body = :body WHERE seq = :seq"), altered)
    breaks = verify_ledger(filled.database).breaks
    assert [(one.table, one.row) for one in breaks][:1] == [("ledger", f"seq {found.seq}")]
    assert "redaction" in breaks[0].reason


def test_the_end_of_the_term_counts_by_the_day(filled: Served, settings: RegisterSettings) -> None:
    """``retention_days`` whole days lie between the moment of the end and the first day on which it may go."""
    brief = settings.model_copy(update={"retention_days": 0})
    assert find_kept(filled.database, brief, MPAN).until_date == ENDED + timedelta(days=1)
