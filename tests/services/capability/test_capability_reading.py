"""How answers are found: kept ones, and those of a portfolio without reading the country."""

import duckdb
import pytest
from reads_world import ALPHAS, ServedReads
from sqlalchemy import func, select
from test_capability_pages import visit

from fmar_spark.domain.markets import Role
from fmar_spark.engine.model_file import FOLDER
from fmar_spark.services.capability import reading, resources
from fmar_spark.services.capability.answers import AnswerMemory, Kept, name_question
from fmar_spark.services.capability.rights import NO_RIGHTS, LiveRights
from fmar_spark.services.capability.served_model import ModelSource
from fmar_spark.services.register.access import EVERYTHING
from fmar_spark.services.register.agreements import actor_of
from fmar_spark.services.register.parties import change_party, find_party
from fmar_spark.services.register.records import change_of
from fmar_spark.services.register.tables import REQUEST_AUDIT
from fmar_spark.services.web.access import Caller

MARKET = Caller("MARKET", "market", frozenset({Role.PLATFORM}), ())


def kept(characters: int) -> Kept:
    return Kept(b"x" * characters, (), None, MARKET, "model", None)


def test_answers_asked_for_least_recently_go_first() -> None:
    memory = AnswerMemory(48_000)
    for name in (b"a", b"b", b"c", b"d"):
        memory.keep(name, kept(900))
    assert memory.find(b"a") == kept(900)
    for place in range(18):
        memory.keep(b"more %d" % place, kept(900))
    assert [name for name in (b"a", b"b", b"c", b"d") if memory.find(name)] == [b"a", b"d"]
    memory.keep(b"large", kept(2_401))
    assert memory.find(b"large") is None


def test_nothing_is_kept_where_no_memory_is_given() -> None:
    memory = AnswerMemory(0)
    memory.keep(b"a", kept(0))
    assert memory.find(b"a") is None


def test_questions_differ_by_path_query_token_and_format() -> None:
    def name(path: str = "/v1/assets", query: bytes = b"", **headers: str) -> bytes:
        said = [(name.encode(), value.encode()) for name, value in headers.items()]
        return name_question({"path": path, "query_string": query, "headers": said})

    names = [name(), name(path="/v1"), name(query=b"limit=1"), name(authorization="Bearer a"), name(accept="text/csv")]
    assert len({*names, name(authorization="Bearer b")}) == 6
    assert name(host="here", authorization="Bearer a") == name(authorization="Bearer a")


def test_an_answer_that_is_kept_is_the_same_answer(reads: ServedReads) -> None:
    for path in ("/v1/portfolio?limit=3", "/v1/assets?limit=3", f"/v1/assets/{ALPHAS[1].asset_id}"):
        first, again = reads.get("ALPHA", path), reads.get("ALPHA", path)
        assert (again.content, again.headers["ETag"], again.headers.get("Link")) == (
            first.content,
            first.headers["ETag"],
            first.headers.get("Link"),
        )
        assert reads.get("BRAVO", path).content != first.content


def test_a_kept_answer_is_counted_audited_and_bounded_as_any_other(own: ServedReads, monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"/v1/assets/{ALPHAS[1].asset_id}"
    clients = own.http.app.state.parts.clients
    counted: list[str] = []
    monkeypatch.setattr(clients, "take", lambda client_id, take=clients.take: (counted.append(client_id), take(client_id))[1])
    answers = [own.get("ALPHA", path) for _ in range(3)]
    assert len({answer.headers["X-Request-ID"] for answer in answers}) == 3
    assert len(counted) == 3
    assert all("RateLimit" in answer.headers for answer in answers)
    assert {answer.headers["Content-Security-Policy"] for answer in answers} == {"default-src 'none'; frame-ancestors 'none'"}
    assert own.get("ALPHA", path, **{"If-None-Match": answers[0].headers["ETag"]}).status_code == 304
    headers = {"Authorization": f"Bearer {own.token('ALPHA')}"}
    assert own.http.head(path, headers=headers).headers["Content-Length"] == str(len(answers[0].content))
    assert own.http.request("DELETE", path, headers=headers).headers["Allow"] == "GET, HEAD"
    own.http.app.state.parts.audit.stop()
    with own.database.reading(EVERYTHING) as connection:
        rows = connection.execute(select(REQUEST_AUDIT.c.route, REQUEST_AUDIT.c.party_id).where(REQUEST_AUDIT.c.status == 200)).all()
    assert rows == [("/v1/assets/{asset_id}", "ALPHA")] * 4


def test_a_kept_answer_ends_with_the_token_the_role_the_right_and_the_file(own: ServedReads) -> None:
    path = f"/v1/assets/{ALPHAS[1].asset_id}"
    reads = own.http.app.state.reads
    assert own.get("ALPHA", path).status_code == 200
    assert own.get("ALPHA", path, Authorization="Bearer of-nobody").status_code == 401
    assert own.get("MARKET", path).json() != own.get("ALPHA", path).json()
    question = next(iter(reads.answers._kept))
    for changed in ({"model_id": "another"}, {"rights_mark": "another"}, {"caller": MARKET}):
        reads.answers.keep(question, reads.answers.find(question)._replace(body=b"stale", **changed))
        assert own.get("ALPHA", path).json()["asset_id"] == ALPHAS[1].asset_id
    caller = Caller("OFFICE", "office", frozenset({Role.ADMINISTRATOR}), ())
    with change_of(own.database, EVERYTHING, actor_of(caller)) as change:
        change_party(change, find_party(change.connection, "ALPHA"), {"is_active": False})
    assert own.get("ALPHA", path).status_code == 403
    assert own.get("MARKET", path).status_code == 200


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


def test_a_change_of_anyone_moves_the_mark_of_the_register_and_an_audit_row_does_not(own: ServedReads) -> None:
    mark = own.database.mark_state()
    own.get("ALPHA", "/v1/portfolio")
    own.http.app.state.parts.audit.stop()
    with own.database.reading(EVERYTHING) as connection:
        assert connection.execute(select(func.count()).select_from(REQUEST_AUDIT)).scalar_one() == 1
    assert own.database.mark_state() == mark
    with change_of(own.database, EVERYTHING, actor_of(MARKET)) as change:
        change_party(change, find_party(change.connection, "ALPHA"), {"name": "Alpha & Sons"})
    assert own.database.mark_state() != mark


def test_an_asset_says_what_of_its_meters_readings_is_left_out_to_those_alone_who_see_its_history(reads: ServedReads) -> None:
    path = f"/v1/assets/{ALPHAS[1].asset_id}"
    assert reads.get("ALPHA", path).json()["spike_slots"] == 3
    assert "spike_slots" not in reads.get("MARKET", path).json()
    assert "3 half-hours of the meter: 3 far beyond the rest" in visit(reads, "ALPHA", f"/assets/{ALPHAS[1].asset_id}").text
    assert "half-hours of the meter" not in visit(reads, "MARKET", f"/assets/{ALPHAS[1].asset_id}").text
