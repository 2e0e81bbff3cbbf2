"""How answers are found: kept ones, and those of a portfolio without reading the country."""

from datetime import UTC, datetime

import duckdb
import pytest
from reads_world import ALPHAS, ServedReads
from test_capability_pages import visit

from fmar_spark.domain.markets import Role
from fmar_spark.engine.model_file import FOLDER
from fmar_spark.services.capability import reading, resources
from fmar_spark.services.capability.answers import AnswerMemory, Kept
from fmar_spark.services.capability.rights import NO_RIGHTS, LiveRights
from fmar_spark.services.capability.served_model import ModelSource
from fmar_spark.services.register.access import EVERYTHING
from fmar_spark.services.register.tables import REQUEST_AUDIT
from fmar_spark.services.web.access import Caller
from fmar_spark.services.web.request_audit import AuditRows


def test_answers_asked_for_least_recently_go_first() -> None:
    memory = AnswerMemory(20_000)
    for name in "abcd":
        memory.keep(name, Kept(b"x" * 900, None))
    assert memory.find("a") == Kept(b"x" * 900, None)
    for place in range(14):
        memory.keep(f"more {place}", Kept(b"x" * 900, None))
    assert [name for name in "abcd" if memory.find(name)] == ["a", "d"]
    memory.keep("large", Kept(b"x" * 1_001, None))
    assert memory.find("large") is None


def test_nothing_is_kept_where_no_memory_is_given() -> None:
    memory = AnswerMemory(0)
    memory.keep("a", Kept(b"", None))
    assert memory.find("a") is None


def test_an_answer_that_is_kept_is_the_same_answer(reads: ServedReads) -> None:
    for path in ("/v1/portfolio?limit=3", "/v1/assets?limit=3", f"/v1/assets/{ALPHAS[1].asset_id}"):
        first, again = reads.get("ALPHA", path), reads.get("ALPHA", path)
        assert (again.content, again.headers["ETag"], again.headers.get("Link")) == (
            first.content,
            first.headers["ETag"],
            first.headers.get("Link"),
        )
        assert reads.get("BRAVO", path).content != first.content


def test_two_parties_of_a_role_share_no_answer_since_its_cursor_is_one_partys_own(reads: ServedReads) -> None:
    resource = next(one for one in resources.RESOURCES if one.name == "assets")
    callers = [Caller(party_id, "client", frozenset({Role.PLATFORM}), ()) for party_id in ("MARKET", "RIVAL", "MARKET")]
    names = [reading._look(reads.http.app.state.reads, caller, resource).name_answer("page") for caller in callers]
    assert names[0] == names[2] != names[1]


def test_an_fsps_assets_are_looked_up_by_their_ids(reads: ServedReads) -> None:
    folder = reads.lake / FOLDER
    rights = LiveRights(reads.database, 0).of(Caller("ALPHA", "alpha-client", frozenset({Role.FSP}), ()))
    model = ModelSource(folder, 0).current()
    assert model.find_asset_ids(rights) == sorted(meter.asset_id for meter in ALPHAS)
    shown = [row["asset_id"] for row in reads.get("ALPHA", "/v1/assets?limit=1000").json()["items"]]
    assert shown == sorted(meter.asset_id for meter in ALPHAS if meter.tier != "low")


def test_a_query_reads_no_relation_that_it_was_not_given(reads: ServedReads) -> None:
    model = reads.http.app.state.reads.models.current()
    held = LiveRights(reads.database, 3600).of(Caller("ALPHA", "alpha", frozenset({Role.FSP}), ()))
    count = "SELECT count(*) AS claims FROM verified_claims"
    assert model.find(count, {}, held.relations)[0]["claims"] > 0
    assert model.find(count, {}, NO_RIGHTS.relations) == [{"claims": 0}]
    with pytest.raises(duckdb.Error, match="verified_claims"):
        model.find(count, {})
    assert model.find(count, {}, held.relations)[0]["claims"] > 0


def test_a_commit_of_anyone_changes_the_mark_of_the_register(reads: ServedReads) -> None:
    mark = reads.database.mark_state()
    with reads.database.reading(EVERYTHING):
        assert reads.database.mark_state() == mark
    row = {
        "request_id": "mark",
        "requested_at": datetime(2026, 1, 1, tzinfo=UTC),
        "method": "GET",
        "route": "/",
        "status": 200,
        "seconds": 0.1,
    }
    AuditRows(REQUEST_AUDIT, lambda: reads.database.writing(EVERYTHING)).add([row])
    assert reads.database.mark_state() != mark


def test_an_asset_says_what_of_its_meters_readings_is_left_out_to_those_alone_who_see_its_history(reads: ServedReads) -> None:
    path = f"/v1/assets/{ALPHAS[1].asset_id}"
    assert reads.get("ALPHA", path).json()["spike_slots"] == 3
    assert "spike_slots" not in reads.get("MARKET", path).json()
    assert "3 half-hours of the meter: 3 far beyond the rest" in visit(reads, "ALPHA", f"/assets/{ALPHAS[1].asset_id}").text
    assert "half-hours of the meter" not in visit(reads, "MARKET", f"/assets/{ALPHAS[1].asset_id}").text
