"""Pages by their HTML: who may open which, that they hold the API's figures, and that nothing on them runs or leaks."""

import re
from pathlib import Path
from typing import Any

import pytest
from reads_world import ALPHAS, PUBLISHED, UNPROVEN, ServedReads, claim, list_areas
from register_world import OPERATOR, one_issuer

from fmar_spark.services.capability.pages import portfolio_pages
from fmar_spark.services.capability.pages.frame import describe_origins, format_kw, format_probability
from fmar_spark.services.capability.pages.session import COOKIE, local_path
from fmar_spark.services.register.access import EVERYTHING
from fmar_spark.services.register.records import change_of

PAGES = {
    "/areas": {"SOUTHERN", "NESO", "OFFICE"},
    "/areas/gsp_group/_H": {"SOUTHERN", "NESO", "OFFICE"},
    "/areas/gsp_group/_C": {"NESO", "OFFICE"},
    "/areas/gsp_group.csv": {"SOUTHERN", "NESO", "OFFICE"},
    "/portfolio": {"ALPHA"},
    "/portfolio.csv": {"ALPHA"},
    "/envelopes": {"MARKET", "OFFICE"},
    "/envelopes.json?asset_class=battery": {"MARKET", "OFFICE"},
    "/health": {"SOUTHERN", "NESO", "OFGEM", "OFFICE"},
    "/deliveries": {"ALPHA", "OFFICE"},
    "/deliveries.csv": {"ALPHA", "OFFICE"},
    "/area-deliveries": {"SOUTHERN", "NESO", "OFGEM", "OFFICE"},
    "/disputes": {"ALPHA", "SOUTHERN", "NESO", "OFFICE"},
    f"/assets/{ALPHAS[1].asset_id}": {"ALPHA", "MARKET", "OFFICE"},
}
VISITORS = ("ALPHA", "SOUTHERN", "NESO", "MARKET", "OFGEM", "OFFICE")


def visit(reads: ServedReads, party_id: str, path: str, **given: Any) -> Any:
    headers = {"Cookie": f"{COOKIE}={reads.token(party_id)}", **given.pop("headers", {})}
    return reads.http.request(given.pop("method", "GET"), path, headers=headers, follow_redirects=False, **given)


@pytest.mark.parametrize("party_id", VISITORS)
@pytest.mark.parametrize("path", PAGES)
def test_a_page_opens_for_those_whose_matrix_grants_it(reads: ServedReads, path: str, party_id: str) -> None:
    answer = visit(reads, party_id, path)
    if party_id in PAGES[path]:
        assert answer.status_code == 200, answer.text
    else:
        assert answer.status_code in {403, 404}
        assert "<h1>" in answer.text


@pytest.mark.parametrize("path", [path for path in PAGES if "." not in path])
def test_a_page_runs_nothing_of_its_own_and_loads_nothing_from_elsewhere(reads: ServedReads, path: str) -> None:
    answer = visit(reads, min(PAGES[path]), path)
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "default-src 'none'" in policy
    scripts = re.findall(r"<script([^>]*)>", answer.text)
    assert all('type="application/json"' in one or 'src="/static/' in one for one in scripts)
    assert re.findall(r"\son\w+=|javascript:|style=|https?://", answer.text) == []


def test_without_a_token_every_page_leads_to_the_sign_in_and_back(reads: ServedReads) -> None:
    for path in PAGES:
        answer = reads.http.get(path, follow_redirects=False)
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/sign-in?next=%2F")
    assert reads.http.get("/sign-in").status_code == 200


def test_a_token_that_has_ended_leads_to_the_sign_in_and_opens_no_endpoint(reads: ServedReads) -> None:
    for seconds in (-3600, -60):
        ended = one_issuer().sign("alpha-client", "fmar-register", seconds)
        for path in PAGES:
            answer = reads.http.get(path, headers={"Cookie": f"{COOKIE}={ended}"}, follow_redirects=False)
            assert (answer.status_code, answer.headers["Location"][:8]) == (303, "/sign-in")
        rejected = reads.http.get("/v1/portfolio", headers={"Authorization": f"Bearer {ended}"})
        assert (rejected.status_code, rejected.json()["type"]) == (401, "urn:fmar:problem:invalid-token")
        assert reads.http.post("/sign-in", data={"token": ended}, follow_redirects=False).status_code == 401


def test_a_token_signs_in_and_out(reads: ServedReads) -> None:
    rejected = reads.http.post("/sign-in", data={"token": "x.y.z", "next": "/portfolio"}, follow_redirects=False)
    assert (rejected.status_code, "Not signed in" in rejected.text) == (401, True)
    answer = reads.http.post("/sign-in", data={"token": reads.token("ALPHA"), "next": "/portfolio"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/portfolio")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    reads.http.cookies.clear()
    gone = reads.http.post("/sign-out", follow_redirects=False)
    assert "Max-Age=0" in gone.headers["Set-Cookie"]
    assert visit(reads, "OFGEM", "/").headers["Location"] == "/health"
    assert visit(reads, "SOUTHERN", "/").headers["Location"] == "/areas"


@pytest.mark.parametrize("following", ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:1", "/\r\nX: y", "/"])
def test_a_sign_in_leads_nowhere_else(following: str) -> None:
    assert local_path(following) == ""


def test_a_form_of_another_site_is_rejected(reads: ServedReads) -> None:
    for path in ("/sign-in", "/sign-out", "/portfolio/answers"):
        for origin in ("https://evil.example", "http://[", "null", "testserver", "http://testserver@evil.example"):
            answer = visit(reads, "ALPHA", path, method="POST", headers={"Origin": origin}, data={"party": "NESO"})
            assert answer.status_code == 403
    assert visit(reads, "ALPHA", "/portfolio/answers", method="POST", json={}).status_code == 415
    assert visit(reads, "ALPHA", "/portfolio/answers", method="POST", data={"mpan_id": "1"}).status_code == 422


@pytest.mark.parametrize("host", ["evil.example:8000", "[", "a b", "testserver.evil.example", ""])
def test_a_page_elsewhere_cannot_reach_this_machine_under_a_name_of_its_own(reads: ServedReads, host: str) -> None:
    headers = {"Host": host, "Origin": f"http://{host}"}
    answer = visit(reads, "ALPHA", "/sign-in", method="POST", headers=headers, data={"party": "NESO"})
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:fmar:problem:unknown-host")


@pytest.mark.parametrize("own", ["testserver", "TESTSERVER:80", "localhost:8000", "127.0.0.1:9", "[::1]:8000"])
def test_a_page_opens_under_every_name_of_this_machine(reads: ServedReads, own: str) -> None:
    assert visit(reads, "ALPHA", "/portfolio", headers={"Host": own}).status_code == 200


def test_the_portfolio_page_has_the_figures_of_the_api(reads: ServedReads) -> None:
    page = visit(reads, "ALPHA", "/portfolio").text
    rows = reads.get("ALPHA", "/v1/portfolio?limit=1000").json()["items"]
    invited = reads.get("ALPHA", "/v1/invitations?limit=1000").json()["items"]
    imported = sum(row["rated_kw"] or 0 for row in rows if row["direction"] == "import")
    assert f"<strong>{len({row['asset_id'] for row in rows})} assets</strong>" in page
    assert f"<strong>{format_kw(imported)}</strong> of import" in page
    assert f"{len(invited)} detections wait for your answer" in page
    assert page.count("It is there</button>") == len(invited)
    assert UNPROVEN.mpan_id in page.partition("Agreements that show nothing yet")[2]
    assert UNPROVEN.mpan_id not in page.partition("Agreements that show nothing yet")[0]
    assert "50 kW declared, never more than 15 kW seen" in page


def test_an_invitation_is_answered_from_the_page(own: ServedReads) -> None:
    invited = own.get("ALPHA", "/v1/invitations?limit=1000").json()["items"]
    asked = invited[0]
    form = {name: asked[name] for name in ("mpan_id", "amsid", "asset_class")} | {"is_present": "true"}
    answer = visit(own, "ALPHA", "/portfolio/answers", method="POST", data=form)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/portfolio#invitations")
    left = own.get("ALPHA", "/v1/invitations?limit=1000").json()["items"]
    assert len(left) == len(invited) - 1
    other = next(meter for meter in PUBLISHED if meter not in ALPHAS and meter.tier == "medium")
    foreign = {"mpan_id": other.mpan_id, "amsid": f"AMS-{other.place}", "asset_class": other.asset_class.value, "is_present": "true"}
    assert visit(own, "ALPHA", "/portfolio/answers", method="POST", data=foreign).status_code == 403


def test_agreements_without_a_claim_and_declarations_are_paged_with_their_totals(own: ServedReads, monkeypatch: pytest.MonkeyPatch) -> None:
    others = [meter for meter in PUBLISHED if meter not in ALPHAS][:3]
    with change_of(own.database, EVERYTHING, OPERATOR) as change:
        for meter in others:
            claim(change, "ALPHA", meter, is_verified=False)
    for meter in others:
        declared = {"asset_class": "ev", "direction": "import", "parameter": "rated_kw", "value": 11.0, "reason": "nameplate"}
        asset = {"mpan_id": meter.mpan_id, "amsid": f"AMS-{meter.place}-X", "unit": "kW", "valid_from_at": "2026-01-01T00:00:00Z"}
        headers = {"Authorization": f"Bearer {own.token('ALPHA')}"}
        assert own.http.post("/v1/overrides", headers=headers, json={**asset, **declared}).status_code == 201
    monkeypatch.setattr(portfolio_pages, "_SHOWN", 2)
    monkeypatch.setattr(portfolio_pages, "_READ_AT_ONCE", 7)
    for place, title, meters in (
        ("unproven", "Agreements that show nothing yet: 4", [*others, UNPROVEN]),
        ("declared", "Your declarations in force: 3", others),
    ):
        seen: list[str] = []
        following = "/portfolio"
        while following:
            page = visit(own, "ALPHA", following).text
            part = page.partition(f'id="{place}"')[2].partition("</section>")[0]
            assert title in part
            seen += re.findall(r"[0-9]{13}", part.partition("<tbody>")[2].partition("</tbody>")[0])
            links = re.findall(r'rel="next" href="([^"#]+)', part)
            following = links[0] if links else ""
        assert sorted(seen) == sorted(meter.mpan_id for meter in meters)


def test_the_health_page_has_the_measures_of_gsp_groups_that_the_api_has(reads: ServedReads) -> None:
    for party_id, heading in (("SOUTHERN", "The register in your GSP groups"), ("OFGEM", "The register as a whole")):
        body = visit(reads, party_id, "/health").text
        rows = [row for row in reads.get(party_id, "/v1/system-health?limit=1000").json()["items"] if row["gsp_group_id"]]
        assert heading in body
        assert "No measures" not in body
        table = body[body.index("By GSP group") :]
        shown = re.findall(r'<td class="number">([0-9,]+) <span', table)
        assert sorted(int(value) for value in shown) == sorted(row["value"] for row in rows)


def test_the_map_shows_the_figures_of_the_api_and_closes_what_is_not_ones_own(reads: ServedReads) -> None:
    rows = reads.get("NESO", "/v1/areas/gsp_group/capability?asset_class=battery&direction=export&limit=1000").json()["items"]
    page = visit(reads, "NESO", "/areas?asset_class=battery&direction=export").text
    for row in rows:
        assert f"<b>{format_kw(row['kw_p50'])}</b>" in page
    own = visit(reads, "SOUTHERN", "/areas?asset_class=battery&direction=export").text
    assert own.count("not yours") == 13


def test_an_area_leads_down_to_its_primary_substations(reads: ServedReads) -> None:
    page = visit(reads, "SOUTHERN", "/areas/gsp_group/_H?asset_class=battery&direction=export&season=winter").text
    below = [area for area in list_areas() if area.get("parent_id") == "_H"]
    assert below
    for area in below:
        assert f'href="/areas/primary/{area["area_id"]}?' in page
    primary = visit(reads, "SOUTHERN", "/areas/primary/P_H-0").text
    assert "withheld: too few meters" in primary
    assert 'href="/areas/gsp_group/_H?' in primary


def test_areas_are_found_by_name_or_id_among_those_that_are_seen(reads: ServedReads) -> None:
    assert visit(reads, "NESO", "/areas/search?q=southern").headers["Location"] == "/areas/gsp_group/_H"
    assert visit(reads, "NESO", "/areas/search?q=P_H-0").headers["Location"] == "/areas/primary/P_H-0"
    assert "2 found" in visit(reads, "SOUTHERN", "/areas/search?q=primary").text
    for words in ("london", "", "<script>"):
        assert "None among the areas that you see" in visit(reads, "SOUTHERN", f"/areas/search?q={words}").text


def test_a_meter_has_a_link_to_its_assets(reads: ServedReads) -> None:
    page = visit(reads, "ALPHA", f"/portfolio?mpan_id={ALPHAS[1].mpan_id}").text
    rows = page.partition('id="assets"')[2]
    assert f"/assets/{ALPHAS[1].asset_id}" in rows
    assert ALPHAS[2].mpan_id not in rows.partition("</section>")[0]
    assert "No asset is shown at" in visit(reads, "ALPHA", f"/portfolio?mpan_id={UNPROVEN.mpan_id}").text


def test_the_search_of_a_platform_is_that_of_the_api_and_downloads_it(reads: ServedReads) -> None:
    asked = "asset_class=battery&gsp_group_id=_H&rated_kw_min=5"
    rows = reads.get("MARKET", f"/v1/envelopes?{asked}&limit=1000").json()["items"]
    page = visit(reads, "MARKET", f"/envelopes?{asked}&tier=&duration_minutes_max_min=").text
    assert {row["asset_id"] for row in rows} == set(re.findall(r'href="/assets/([0-9a-f-]{36})"', page))
    file = visit(reads, "MARKET", f"/envelopes.csv?{asked}")
    assert len(file.text.splitlines()) == len(rows) + 1
    assert "No asset fits this search" in visit(reads, "MARKET", "/envelopes?rated_kw_min=9999").text
    assert visit(reads, "MARKET", "/envelopes?rated_kw_min=lots").status_code == 422


def test_an_asset_is_shown_with_what_its_viewer_may_know(reads: ServedReads) -> None:
    meter = ALPHAS[1]
    own = visit(reads, "ALPHA", f"/assets/{meter.asset_id}").text
    foreign = visit(reads, "MARKET", f"/assets/{meter.asset_id}").text
    assert meter.mpan_id in own
    assert meter.mpan_id not in foreign
    assert "ALPHA" not in foreign
    assert "data-charts" not in own
    assert own.count('class="chart-area"') >= 1


def test_files_of_the_pages_are_served_from_here(reads: ServedReads) -> None:
    page = visit(reads, "NESO", "/areas").text
    for path in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
        answer = reads.http.get(path)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
    assert reads.http.get("/static/../access.yaml").status_code == 404
    assert reads.http.get("/static/other.js").status_code == 404


def test_what_is_simulated_is_said_in_one_line() -> None:
    rows = [{"origin": "simulated", "meters": 949}, {"origin": "real", "meters": 2}]
    assert describe_origins(rows) == "Of 951 examined meters, 949 are simulated."
    assert describe_origins([{"origin": "real", "meters": 2}]) == ""


@pytest.mark.parametrize(("value", "text"), [(None, "–"), (0, "0 kW"), (3.456, "3.46 kW"), (1234.4, "1,234 kW"), (12345, "12.3 MW")])
def test_a_power_has_three_figures(value: float | None, text: str) -> None:
    assert format_kw(value) == text


def test_only_an_administrator_sees_how_the_lake_is_run(reads: ServedReads, reads_lake: Path) -> None:
    assert visit(reads, "OFFICE", "/operations").status_code == 404
    (reads_lake / "_operations").mkdir()
    (reads_lake / "_operations" / "operations.html").write_text("<h1>Operation of a lake</h1>", encoding="utf-8")
    for party_id in VISITORS:
        answer = visit(reads, party_id, "/operations")
        assert answer.status_code == (200 if party_id == "OFFICE" else 403)
        assert "Content-Security-Policy" in answer.headers
    assert "Operation of a lake" in visit(reads, "OFFICE", "/operations").text
    listed = {party_id: 'href="/operations"' in visit(reads, party_id, "/areas").text for party_id in ("OFFICE", "NESO")}
    assert listed == {"OFFICE": True, "NESO": False}


@pytest.mark.parametrize(
    ("probability", "text"), [(0.8996, "89 %"), (0.9, "90 %"), (0.29, "29 %"), (0.101, "11 %"), (0.1, "10 %"), (None, "–")]
)
def test_a_probability_is_rounded_towards_the_middle(probability: float | None, text: str) -> None:
    assert format_probability(probability) == text
