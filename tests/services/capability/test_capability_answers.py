"""Formats, pages, conditions and bad requests."""

import base64
import csv
import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reads_world import ALPHAS, PUBLISHED, ServedReads, serve_reads
from register_world import OPERATOR

from fmar_spark.services.capability.answers import Format, choose_format
from fmar_spark.services.register.access import EVERYTHING
from fmar_spark.services.register.parties import add_party, appoint_client
from fmar_spark.services.register.records import change_of
from fmar_spark.services.web.problems import NotAcceptableError
from fmar_spark.services.web.replies import is_same

ARROW = "application/vnd.apache.arrow.stream"


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_all_batteries_of_a_gsp_group_are_one_question(reads: ServedReads) -> None:
    rows = reads.get("MARKET", "/v1/assets?asset_category=BESS&gsp_group_id=_C&limit=1000").json()["items"]
    wanted = [meter for meter in PUBLISHED if meter.asset_class == "battery" and meter.gsp_group_id == "_C" and meter.tier != "low"]
    assert {row["asset_id"] for row in rows} == {meter.asset_id for meter in wanted}
    assert {row["asset_category"] for row in rows} == {"BESS"}


def test_json_csv_and_arrow_say_the_same(reads: ServedReads) -> None:
    path = "/v1/portfolio?limit=1000"
    rows = reads.get("ALPHA", path).json()["items"]
    text = reads.get("ALPHA", path, Accept="text/csv").text
    table = pa.ipc.open_stream(reads.get("ALPHA", path, Accept=ARROW).content).read_all()
    assert table.num_rows == len(rows) == len(ALPHAS) + sum(meter.asset_class == "battery" for meter in ALPHAS)
    assert table.column("rated_kw").to_pylist() == [row["rated_kw"] for row in rows]
    assert [line["mpan_id"] for line in read_csv(text)] == [row["mpan_id"] for row in rows]
    assert [float(line["rated_kw"] or "nan") for line in read_csv(text) if line["rated_kw"]] == [
        row["rated_kw"] for row in rows if row["rated_kw"] is not None
    ]


def test_an_export_is_the_whole_portfolio_as_a_file(reads: ServedReads) -> None:
    rows = reads.get("ALPHA", "/v1/portfolio?limit=1000").json()["items"]
    answer = reads.get("ALPHA", "/v1/portfolio/export", Accept="text/csv")
    assert [line["mpan_id"] for line in read_csv(answer.text)] == [row["mpan_id"] for row in rows]
    assert answer.headers["Content-Disposition"] == 'attachment; filename="portfolio-2026-01-31.csv"'
    assert reads.get("ALPHA", "/v1/portfolio/export").json()["items"] == rows
    assert pa.ipc.open_stream(reads.get("ALPHA", "/v1/portfolio/export", Accept=ARROW).content).read_all().num_rows == len(rows)


@pytest.mark.parametrize(
    ("party_id", "path"), [("MARKET", "/v1/assets"), ("ALPHA", "/v1/portfolio"), ("NESO", "/v1/areas/primary/capability")]
)
def test_pages_hold_every_row_once(reads: ServedReads, party_id: str, path: str) -> None:
    whole = reads.get(party_id, f"{path}?limit=1000").json()["items"]
    rows: list[dict[str, Any]] = []
    following = f"{path}?limit=7"
    while following:
        answer = reads.get(party_id, following)
        rows += answer.json()["items"]
        link = answer.headers.get("Link", "")
        assert bool(link) == (answer.json()["next_cursor"] is not None)
        following = link.partition(">")[0].removeprefix("<")
    assert rows == whole


@pytest.mark.parametrize("path", ["/v1/envelopes?limit=3", "/v1/assets/export"])
def test_every_answer_says_what_it_rests_on(reads: ServedReads, path: str) -> None:
    answer = reads.get("MARKET", path)
    assert answer.json()["as_of"]["as_of_date"] == "2026-01-31"
    assert answer.headers["X-As-Of-Date"] == "2026-01-31"
    assert answer.headers["X-Model-Id"] == answer.json()["as_of"]["model_id"]


@pytest.mark.parametrize(("party_id", "path"), [("MARKET", "/v1/assets?limit=2"), ("ALPHA", "/v1/portfolio"), ("ALPHA", "asset")])
def test_what_a_caller_has_already_is_not_sent_again(reads: ServedReads, party_id: str, path: str) -> None:
    path = f"/v1/assets/{ALPHAS[1].asset_id}" if path == "asset" else path
    etag = reads.get(party_id, path).headers["ETag"]
    for condition in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = reads.get(party_id, path, **{"If-None-Match": condition})
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", etag)
    assert reads.get(party_id, path, **{"If-None-Match": '"other"'}).status_code == 200


def test_an_etag_is_of_one_format_and_one_party(reads: ServedReads) -> None:
    etags = {reads.get(party_id, "/v1/assets?limit=2", Accept=kind).headers["ETag"] for party_id in ("MARKET", "OFFICE") for kind in Format}
    assert len(etags) == 6


def test_the_evidence_of_an_asset_is_in_its_answer(reads: ServedReads) -> None:
    meter = next(one for one in ALPHAS if one.place < 12 and one.tier == "high")
    found = reads.get("ALPHA", f"/v1/assets/{meter.asset_id}").json()
    assert [row["rated_kw"] for row in found["capability"]] == [meter.rated_kw] * len(found["capability"])
    assert [len(season["probability"]) for season in found["availability"]] == [336]
    assert found["availability"][0]["probability"][:3] == pytest.approx([0, 0.01, 0.02])
    assert [change["kind"] for change in found["changes"]] == ["appeared"]
    assert found["evidence"] == f"evidence of {meter.asset_class}"


def cursor_of(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


HOSTILE_CURSORS = [
    "",
    "a",
    "%00",
    "é",
    "=" * 200,
    cursor_of("[]"),
    cursor_of("0" * 16 + '["x"]'),
    cursor_of("0" * 16 + "[" * 150),
    "A" * 256,
]


@pytest.mark.parametrize("cursor", HOSTILE_CURSORS)
def test_a_cursor_that_was_not_given_here_is_rejected(reads: ServedReads, cursor: str) -> None:
    answer = reads.http.get("/v1/assets", params={"cursor": cursor}, headers={"Authorization": f"Bearer {reads.token('MARKET')}"})
    assert answer.status_code == 422


def test_a_cursor_of_another_party_or_question_is_rejected(reads: ServedReads) -> None:
    cursor = reads.get("MARKET", "/v1/assets?limit=2").json()["next_cursor"]
    assert reads.get("MARKET", f"/v1/assets?limit=5&cursor={cursor}").status_code == 200
    assert reads.get("OFFICE", f"/v1/assets?limit=2&cursor={cursor}").status_code == 422
    assert reads.get("MARKET", f"/v1/assets?limit=2&tier=high&cursor={cursor}").status_code == 422
    assert reads.get("MARKET", f"/v1/envelopes?limit=2&cursor={cursor}").status_code == 422
    mark = base64.urlsafe_b64decode(cursor).decode()[:16]
    for key in ("[1]", '["a","b"]', "{}", "null", '["' + "x" * 201 + '"]', "[[]]", "[true]", r'["\ud800"]'):
        assert reads.get("MARKET", f"/v1/assets?limit=2&cursor={cursor_of(mark + key)}").status_code == 422


@pytest.mark.parametrize(
    "path",
    [
        "/v1/assets?limit=0",
        "/v1/assets?limit=1&limit=2",
        "/v1/assets?tier=&tier=high",
        "/v1/assets?limit=1001",
        "/v1/assets?limit=1e3",
        "/v1/assets?gsp_group_id=_C'--",
        "/v1/assets?asset_class=dragon",
        "/v1/assets?nothing=1",
        "/v1/assets?rated_capacity_kw_min=nan",
        "/v1/assets?rated_capacity_kw_min=inf",
        "/v1/assets/not-a-uuid",
        "/v1/areas/kingdom/X/capability",
        "/v1/areas/gsp/%00/capability",
        "/v1/areas/gsp_group/_H/availability?weekday=8",
        "/v1/envelopes?flexibility=sideways",
    ],
)
def test_a_request_that_makes_no_sense_is_named(reads: ServedReads, path: str) -> None:
    answer = reads.get("OFFICE", path)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "Bearer", "é"])
def test_nobody_reads_without_a_token(reads: ServedReads, token: str) -> None:
    for path in ("/v1/assets", "/v1/portfolio/export", "/v1/areas", "/v1/system-health"):
        answer = reads.http.get(path, headers={"Authorization": f"Bearer {token}".encode()})
        assert answer.status_code == 401


def test_a_token_of_a_client_that_speaks_for_nobody_reads_nothing(reads: ServedReads) -> None:
    stranger = reads.issuer.sign("stranger", "fmar-register")
    assert reads.http.get("/v1/assets", headers={"Authorization": f"Bearer {stranger}"}).status_code == 403


def test_a_token_that_claims_a_role_gives_none(reads: ServedReads) -> None:
    for role in ("administrator", "king"):
        token = reads.issuer.sign("market-client", "fmar-register", role=role, roles=[role], scope=role)
        headers = {"Authorization": f"Bearer {token}"}
        assert reads.http.get("/v1/envelopes?limit=1", headers=headers).status_code == 200
        assert reads.http.get("/v1/portfolio", headers=headers).status_code == 403
        assert reads.http.get("/v1/parties", headers=headers).status_code == 403


def test_a_party_whose_role_does_not_exist_sees_nothing(tmp_path: Path, reads_lake: Path) -> None:
    made = serve_reads(reads_lake, tmp_path / "register.db")
    with made.http:
        with change_of(made.database, EVERYTHING, OPERATOR) as change:
            add_party(change, "KING", {"name": "King", "roles": "king", "distributor_ids": ""})
            appoint_client(change, "king-client", "KING", True)
        for path in ("/v1/assets", "/v1/areas", "/v1/portfolio", "/v1/envelopes", "/v1/system-health", "/v1/parties"):
            answer = made.get("KING", path)
            assert answer.status_code == 403, (path, answer.text)
            assert "king" not in answer.text.lower()
    made.database.close()


def test_an_area_whose_id_has_a_slash_is_looked_for(reads: ServedReads) -> None:
    for path in ("/v1/areas/primary/25%2F1/capability", "/v1/areas/primary/25%2F1/availability"):
        answer = reads.get("NESO", path)
        assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (404, "no-such-row"), answer.text


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (None, Format.JSON),
        ("*/*", Format.JSON),
        ("text/*", Format.CSV),
        ("text/csv;q=0.4, application/json;q=0.5", Format.JSON),
        ("application/json;q=0, */*", Format.CSV),
        (f"text/html, {ARROW};q=0.1", Format.ARROW),
    ],
)
def test_the_format_is_the_one_that_is_wanted_most(accept: str | None, wanted: Format) -> None:
    assert choose_format(accept) is wanted


@given(st.text(max_size=60))
def test_no_accept_header_breaks_the_choice(accept: str) -> None:
    try:
        assert choose_format(accept) in Format
    except NotAcceptableError:
        assert accept.strip()


@given(st.text(max_size=60))
def test_no_condition_is_taken_for_an_etag_by_accident(condition: str) -> None:
    is_named = any(one.strip() in {'"abc"', 'W/"abc"'} for one in condition.split(","))
    assert is_named or condition.strip() == "*" or not is_same(condition, '"abc"')
