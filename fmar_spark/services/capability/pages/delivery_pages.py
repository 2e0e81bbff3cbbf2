"""Deliveries as pages: an FSP's own assets with what the meters say of each event, and sums by area for those who may see no asset."""

from typing import Annotated, Final

from fastapi import Query, Request, Response

from fmar_spark.services.capability.access import may_see
from fmar_spark.services.capability.answers import FORMAT_OF_ENDING, FileEnding
from fmar_spark.services.capability.pages.frame import page_router, render
from fmar_spark.services.capability.pages.portfolio_pages import MARKET_WORDS, OPEN_FIRST, count_rows
from fmar_spark.services.capability.pages.session import Visitor
from fmar_spark.services.capability.reading import Asked, ReadsOf, answer_export, find_foremost, find_page
from fmar_spark.services.capability.resources import CHECKED, DELIVERED_IN_AREA, FLAGGED, PROVEN, SENT

router: Final = page_router()
_MOST_LISTED: Final = 200
_SHOWN: Final = 50
VERDICT_WORDS: Final = {
    "consistent": "not contradicted",
    "implausible": "implausible",
    "not_assessable": "not assessable",
    "suspect": "suspect",
    "one_of_several_suspect": "one of several is suspect",
}
_SUSPECT_FIRST: Final = """
    CASE verdict WHEN 'suspect' THEN 0 WHEN 'one_of_several_suspect' THEN 1 WHEN 'not_assessable' THEN 2 ELSE 3 END,
    declared_kwh DESC NULLS LAST, mpan_id, amsid, fsp_id
"""
_UNDELIVERED_FIRST: Final = "state = 'delivered', state <> 'dead', created_at DESC, notice_id"
_NEWEST_FIRST: Final = "month_date DESC, area_level <> 'gb', area_id, market"


@router.get("/deliveries")
def show_deliveries(
    request: Request,
    caller: Visitor,
    reads: ReadsOf,
    cursor: Annotated[str | None, Query(max_length=512)] = None,
    mpan_id: Annotated[str, Query(pattern="^([0-9]{13})?$")] = "",
    verdict: Annotated[str, Query(pattern="^(consistent|implausible|not_assessable)?$")] = "",
) -> Response:
    """Assets with what all their events say, flags, and every event; findings first, totals of all rows and not of those shown."""
    verdicts = count_rows(reads, caller, PROVEN, "verdict")
    flag_states = count_rows(reads, caller, FLAGGED, "state", kind="delivery")
    notice_states = count_rows(reads, caller, SENT, "state")
    checks = find_page(reads, caller, Asked(CHECKED, {"mpan_id": mpan_id or None, "verdict": verdict or None}, cursor, _SHOWN))
    return render(
        request,
        "deliveries.html",
        caller,
        assets=find_foremost(reads, caller, PROVEN, _SUSPECT_FIRST, _MOST_LISTED),
        asset_count=verdicts.total(),
        verdicts=verdicts,
        flags=find_foremost(reads, caller, FLAGGED, OPEN_FIRST, _MOST_LISTED, kind="delivery"),
        flag_states=flag_states,
        undelivered=find_foremost(reads, caller, SENT, _UNDELIVERED_FIRST, _MOST_LISTED),
        notice_states=notice_states,
        checks=checks.rows,
        check_verdicts=count_rows(reads, caller, CHECKED, "verdict"),
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
    has_flags = may_see(reads.matrix, FLAGGED, caller)
    return render(
        request,
        "area_deliveries.html",
        caller,
        rows=find_foremost(reads, caller, DELIVERED_IN_AREA, _NEWEST_FIRST, _MOST_LISTED * 10),
        row_count=count_rows(reads, caller, DELIVERED_IN_AREA, "is_suppressed").total(),
        flags=find_foremost(reads, caller, FLAGGED, OPEN_FIRST, _MOST_LISTED, kind="delivery") if has_flags else [],
        flag_states=count_rows(reads, caller, FLAGGED, "state", kind="delivery") if has_flags else {},
        market_words=MARKET_WORDS,
    )
