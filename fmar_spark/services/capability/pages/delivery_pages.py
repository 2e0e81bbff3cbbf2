"""Deliveries as pages: an FSP's own assets with what the meters say of each event, and sums by area for those who may see no asset."""

from collections import Counter
from typing import Annotated, Any, Final

from fastapi import Query, Request, Response

from fmar_spark.services.capability.answers import FORMAT_OF_ENDING, FileEnding
from fmar_spark.services.capability.pages.frame import page_router, render
from fmar_spark.services.capability.pages.portfolio_pages import MARKET_WORDS
from fmar_spark.services.capability.pages.session import Visitor
from fmar_spark.services.capability.reading import Asked, ReadsOf, answer_export, find_all, find_page
from fmar_spark.services.capability.resources import CHECKED, DELIVERED_IN_AREA, FLAGGED, PROVEN, SENT

router: Final = page_router()
_MOST_LISTED: Final = 200
_SHOWN: Final = 50
VERDICT_WORDS: Final = {
    "consistent": "consistent",
    "implausible": "implausible",
    "not_assessable": "not assessable",
    "suspect": "suspect",
    "one_of_several_suspect": "one of several is suspect",
}
Row = dict[str, Any]


@router.get("/deliveries")
def show_deliveries(
    request: Request,
    caller: Visitor,
    reads: ReadsOf,
    cursor: Annotated[str | None, Query(max_length=512)] = None,
    mpan_id: Annotated[str, Query(pattern="^([0-9]{13})?$")] = "",
    verdict: Annotated[str, Query(pattern="^(consistent|implausible|not_assessable)?$")] = "",
) -> Response:
    """Assets with what all their events say, flags, and every event; findings first."""
    assets = find_all(reads, caller, PROVEN, _MOST_LISTED)
    flags = find_all(reads, caller, FLAGGED, _MOST_LISTED, kind="delivery")
    notices = find_all(reads, caller, SENT, _MOST_LISTED)
    checks = find_page(reads, caller, Asked(CHECKED, {"mpan_id": mpan_id or None, "verdict": verdict or None}, cursor, _SHOWN))
    return render(
        request,
        "deliveries.html",
        caller,
        assets=assets,
        verdicts=Counter(row["verdict"] for row in assets),
        flags=flags,
        open_flags=[row for row in flags if row["state"] == "open"],
        undelivered=[row for row in notices if row["state"] != "delivered"],
        notices=notices,
        checks=checks.rows,
        next_cursor=checks.next_cursor,
        is_first=cursor is None,
        mpan_id=mpan_id,
        verdict=verdict,
        verdict_words=VERDICT_WORDS,
        market_words=MARKET_WORDS,
    )


@router.get("/deliveries.{ending}")
def export_deliveries(ending: FileEnding, caller: Visitor, reads: ReadsOf) -> Response:
    """All checks as a file."""
    return answer_export(reads, caller, Asked(CHECKED, {}), FORMAT_OF_ENDING[ending], "delivery-checks")


@router.get("/area-deliveries")
def show_areas(request: Request, caller: Visitor, reads: ReadsOf) -> Response:
    """Months and markets by area, the newest month first; flags that the caller is to hear of."""
    rows = find_all(reads, caller, DELIVERED_IN_AREA, _MOST_LISTED * 10)
    rows.sort(key=lambda row: (row["month_date"], row["area_level"] == "gb"), reverse=True)
    has_flags = bool(caller.roles & reads.matrix.endpoints[FLAGGED.name].roles.keys())
    flags = find_all(reads, caller, FLAGGED, _MOST_LISTED, kind="delivery") if has_flags else []
    return render(request, "area_deliveries.html", caller, rows=rows, flags=flags, market_words=MARKET_WORDS)
