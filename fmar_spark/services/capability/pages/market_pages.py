"""Envelopes for market platforms, and the health of the whole for the regulator."""

from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import Query, Request, Response
from pydantic import ValidationError

from fmar_spark.errors import read_fault
from fmar_spark.services.capability.answers import FORMAT_OF_ENDING, FileEnding
from fmar_spark.services.capability.pages.charts import draw_measures
from fmar_spark.services.capability.pages.frame import page_router, render
from fmar_spark.services.capability.pages.session import Visitor
from fmar_spark.services.capability.reading import Asked, ReadsOf, answer_export, filters_of, find_all, find_page
from fmar_spark.services.capability.resources import ENVELOPE, HEALTH
from fmar_spark.services.capability.schemas import EnvelopesQuery
from fmar_spark.services.web.problems import InvalidError

router: Final = page_router()
_SHOWN: Final = 50
_MOST_MEASURES: Final = 5_000
FLEXIBILITY_WORDS: Final = {
    "demand_down": "demand down",
    "demand_up": "demand up",
    "generation_up": "generation up",
    "generation_down": "generation down",
}
Row = dict[str, Any]


@router.get("/envelopes")
def search_envelopes(request: Request, caller: Visitor, reads: ReadsOf) -> Response:
    """Envelopes by what a tender asks, with a file of the same selection."""
    given = {name: value for name, value in request.query_params.items() if value != ""}
    query = _read_form(given)
    found = find_page(reads, caller, Asked(ENVELOPE, filters_of(query), query.cursor, _SHOWN))
    kept = {name: value for name, value in given.items() if name != "cursor"}
    return render(
        request,
        "envelopes.html",
        caller,
        rows=found.rows,
        given=kept,
        selection=urlencode(kept),
        next_link=f"/envelopes?{urlencode({**kept, 'cursor': found.next_cursor})}" if found.next_cursor else "",
        flexibility_words=FLEXIBILITY_WORDS,
    )


@router.get("/envelopes.{ending}")
def export_envelopes(ending: FileEnding, request: Request, caller: Visitor, reads: ReadsOf) -> Response:
    """The selection as a file."""
    query = _read_form({name: value for name, value in request.query_params.items() if value != ""})
    return answer_export(reads, caller, Asked(ENVELOPE, filters_of(query)), FORMAT_OF_ENDING[ending], "envelopes")


@router.get("/health")
def show_health(
    request: Request, caller: Visitor, reads: ReadsOf, metric: Annotated[str | None, Query(max_length=64, pattern="^[a-z0-9_]+$")] = None
) -> Response:
    """The register as a whole: what is detected, how surely, and what nobody has registered."""
    rows = find_all(reads, caller, HEALTH, _MOST_MEASURES)
    whole = [row for row in rows if not row["asset_class"] and not row["gsp_group_id"]]
    by_class = [row for row in rows if row["asset_class"] and not row["gsp_group_id"]]
    names = list(dict.fromkeys(row["metric"] for row in rows))
    charts = [
        {"metric": name, "meaning": own[0]["meaning"], "unit": own[0]["value_unit"], "rows": own, "figure": draw_measures(own)}
        for name in names
        if (own := [row for row in by_class if row["metric"] == name])
    ]
    placed = [row for row in rows if row["gsp_group_id"] and row["metric"] == (metric or (names[0] if names else ""))]
    grouped = {row["metric"]: row["meaning"] for row in rows if row["gsp_group_id"]}
    if not placed and grouped:
        placed = [row for row in rows if row["gsp_group_id"] and row["metric"] == next(iter(grouped))]
    return render(
        request,
        "health.html",
        caller,
        whole=whole,
        charts=charts,
        grouped=grouped,
        chosen=placed[0]["metric"] if placed else "",
        groups_table=_spread(placed),
    )


def _read_form(given: dict[str, str]) -> EnvelopesQuery:
    """The search that a form sends.

    Raises:
        InvalidError: a field that makes no sense.
    """
    try:
        return EnvelopesQuery.model_validate(given)
    except ValidationError as error:
        fault = error.errors()[0]
        raise InvalidError("invalid-request", f"{'.'.join(str(part) for part in fault['loc'])}: {read_fault(fault)}") from error


def _spread(rows: list[Row]) -> Row:
    """A measure as a table of settlement areas by class."""
    classes = list(dict.fromkeys(row["asset_class"] for row in rows))
    groups = sorted({row["gsp_group_id"] for row in rows})
    values = {(row["gsp_group_id"], row["asset_class"]): row for row in rows}
    return {"classes": classes, "lines": [(group, [values.get((group, asset)) for asset in classes]) for group in groups]}
