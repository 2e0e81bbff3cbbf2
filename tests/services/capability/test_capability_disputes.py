"""Deliveries, flags and disputes as pages: from a contradicted declaration to the settled dispute."""

import re
from typing import Any

import pytest
from reads_world import ALPHAS, DELIVERING, NETWORKS, UNPROVEN, ServedReads
from sqlalchemy import select
from test_capability_pages import visit

from fmar_spark.services.capability.pages import delivery_pages, dispute_pages, portfolio_pages
from fmar_spark.services.register.access import EVERYTHING
from fmar_spark.services.register.ledger import verify_ledger
from fmar_spark.services.register.tables import LEDGER

CHECKED = ALPHAS[1]
COMPLAINT = {
    "record_kind": "delivery_check",
    "record_id": f"E-{CHECKED.place}",
    "mpan_id": CHECKED.mpan_id,
    "amsid": f"AMS-{CHECKED.place}",
}
SAID = {"alleged_error": "the event ended <b>early</b>", "evidence": "instruction 4711"}


def raise_one(own: ServedReads, party_id: str = "ALPHA", **changes: str) -> Any:
    return visit(own, party_id, "/disputes", method="POST", data={**COMPLAINT, **SAID, **changes})


def test_an_fsp_sees_what_the_meters_say_of_its_own_assets(reads: ServedReads) -> None:
    page = visit(reads, "ALPHA", "/deliveries").text
    own = [meter for meter in DELIVERING if meter in ALPHAS]
    assert f"<strong>{len(own)} assets</strong>" in page
    assert f"the meters contradict <strong>{len(own)}</strong>" in page
    assert all(meter.mpan_id in page for meter in own)
    assert UNPROVEN.mpan_id not in page
    assert "AMS-OF-OTHERS" not in page
    assert re.search(r"disputes: 0 of 1 delivered.*given up.*status 503", page, re.DOTALL)
    assert f'href="/disputes?record_kind=delivery_check&amp;record_id=E-{CHECKED.place}&amp;mpan_id={CHECKED.mpan_id}' in page
    assert visit(reads, "ALPHA", "/deliveries?verdict=consistent").text.count("No event fits.") == 1
    assert "is no proof of delivery" in visit(reads, "ALPHA", "/deliveries").text
    assert not re.search(r"[>,] *consistent[<,]", visit(reads, "ALPHA", "/deliveries").text.replace("<code>consistent</code>", ""))
    assert visit(reads, "ALPHA", "/deliveries?verdict=wrong").status_code == 422


def test_totals_of_a_page_count_all_rows_and_what_matters_comes_first(own: ServedReads, monkeypatch: pytest.MonkeyPatch) -> None:
    for pages in (delivery_pages, dispute_pages, portfolio_pages):
        monkeypatch.setattr(pages, "_MOST_LISTED", 1)
    alphas = [meter for meter in DELIVERING if meter in ALPHAS]
    page = visit(own, "ALPHA", "/deliveries").text
    assert f"<strong>{len(alphas)} assets</strong> with declared deliveries the meters contradict <strong>{len(alphas)}</strong>" in page
    assert f"The first 1 of {len(alphas)}, contradicted ones first" in page
    assert raise_one(own).status_code == 303
    assert "<strong>2 disputes are open</strong>" in visit(own, "ALPHA", "/disputes").text
    raised = next(row for row in own.get("OFFICE", "/v1/disputes").json()["items"] if row["record_kind"] == "delivery_check")
    decision = {"outcome": "corrected", "outcome_reason": "checked again", "version": "1"}
    assert visit(own, "OFFICE", f"/disputes/{raised['dispute_id']}", method="POST", data=decision).status_code == 303
    page = visit(own, "ALPHA", "/disputes").text
    assert "<strong>1 dispute is open</strong>" in page
    assert '<section class="card" id="open">' in page
    assert "checked again" not in page


def test_networks_see_sums_and_the_flags_that_they_are_to_hear_of(reads: ServedReads) -> None:
    of_network = visit(reads, "SOUTHERN", "/area-deliveries").text
    assert (of_network.count("December 2025"), "withheld: too few meters" in of_network) == (1, False)
    whole = visit(reads, "NESO", "/area-deliveries").text
    assert (whole.count("December 2025"), "withheld: too few meters" in whole) == (3, True)
    assert not [meter for meter in DELIVERING if meter.mpan_id in visit(reads, "OFGEM", "/area-deliveries").text]


def test_a_dispute_is_raised_and_settled_on_pages_and_kept_in_the_ledger(own: ServedReads) -> None:
    assert visit(own, "OFFICE", "/disputes").text.count("<form method") == 2
    answer = raise_one(own)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/disputes")
    page = visit(own, "ALPHA", "/disputes").text
    assert "the event ended &lt;b&gt;early&lt;/b&gt;" in page
    assert "<strong>2 disputes are open</strong>" in page
    raised = next(row for row in own.get("ALPHA", "/v1/disputes").json()["items"] if row["record_kind"] == "delivery_check")
    assert (raised["fsp_id"], raised["record_run_id"], "parties" in raised) == ("ALPHA", "r", False)
    path = f"/disputes/{raised['dispute_id']}"
    assert path in visit(own, "OFFICE", "/disputes").text
    decision = {"outcome": "no_action_required", "outcome_reason": "the instruction says 18:00"}
    assert visit(own, "ALPHA", path, method="POST", data={**decision, "version": "1"}).status_code == 403
    assert visit(own, "OFFICE", path, method="POST", data={**decision, "version": "2"}).status_code == 412
    assert visit(own, "OFFICE", path, method="POST", data=decision).status_code == 422
    assert visit(own, "OFFICE", path, method="POST", data={**decision, "version": "1"}).status_code == 303
    settled = visit(own, "ALPHA", "/disputes").text.partition("Settled</h2>")[2]
    assert re.search(r"no action required.*the instruction says 18:00", settled, re.DOTALL)
    with own.database.reading(EVERYTHING) as connection:
        kept = connection.execute(select(LEDGER.c.party_id).where(LEDGER.c.subject_id == raised["dispute_id"])).scalars().all()
    assert kept == ["ALPHA", "OFFICE"]
    assert verify_ledger(own.database).breaks == ()


def test_a_form_that_names_no_record_or_comes_from_elsewhere_changes_nothing(own: ServedReads) -> None:
    assert raise_one(own, record_id="E-999").status_code == 404
    assert raise_one(own, alleged_error="").status_code == 422
    assert raise_one(own, "OFFICE").status_code == 403
    assert raise_one(own, mpan_id=UNPROVEN.mpan_id, amsid=f"AMS-{UNPROVEN.place}-X", record_id=f"E-{UNPROVEN.place}").status_code == 403
    elsewhere = visit(own, "ALPHA", "/disputes", method="POST", data={**COMPLAINT, **SAID}, headers={"Origin": "https://evil.example"})
    assert elsewhere.status_code == 403
    assert len(own.get("OFFICE", "/v1/disputes").json()["items"]) == 2


def test_a_network_disputes_a_flag_that_it_hears_of(own: ServedReads) -> None:
    flag = {"record_kind": "flag", "record_id": f"flag-{NETWORKS.place}", "mpan_id": NETWORKS.mpan_id, "amsid": f"AMS-{NETWORKS.place}"}
    assert raise_one(own, "SOUTHERN", **flag).status_code == 303
    assert raise_one(own, "SOUTHERN", **flag).status_code == 409
    assert len(own.get("ALPHA", "/v1/disputes?record_kind=flag").json()["items"]) == 2
