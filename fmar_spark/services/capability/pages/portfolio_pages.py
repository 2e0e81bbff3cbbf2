"""An FSP's own page: what it holds, what it is asked, what contradicts its declarations; and the page of one asset."""

from collections import Counter
from typing import Annotated, Any, Final, NamedTuple

from fastapi import Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field, ValidationError
from sqlalchemy import and_, func, select

from fmar_spark.domain.fmar import FMAR_ATTRIBUTES
from fmar_spark.domain.words import SEASONS, Direction, Tier
from fmar_spark.errors import read_fault
from fmar_spark.services.capability.answers import FORMAT_OF_ENDING, FileEnding
from fmar_spark.services.capability.pages.charts import WEEKDAYS, draw_week
from fmar_spark.services.capability.pages.frame import page_router, render
from fmar_spark.services.capability.pages.session import FormOf, Visitor, check_origin
from fmar_spark.services.capability.reading import (
    Asked,
    Reads,
    ReadsOf,
    answer_export,
    find_foremost,
    find_one,
    find_page,
    summarise,
)
from fmar_spark.services.capability.resources import ASSET, FLAGGED, HELD, INVITED, Resource
from fmar_spark.services.capability.routes_assets import AssetId
from fmar_spark.services.register.access import reach_of
from fmar_spark.services.register.agreements import actor_of
from fmar_spark.services.register.bodies import NewConfirmation
from fmar_spark.services.register.claims import with_states
from fmar_spark.services.register.confirmations import Answer, find_invited, record_confirmation
from fmar_spark.services.register.records import change_of, known_at, valid_at
from fmar_spark.services.register.service import Service, ServiceOf
from fmar_spark.services.register.tables import AGREEMENT, OVERRIDE
from fmar_spark.services.web.access import Caller
from fmar_spark.services.web.problems import InvalidError

router: Final = page_router()
_SHOWN: Final = 50
_MOST_LISTED: Final = 200
_ASKED_AT_ONCE: Final = 5
_READ_AT_ONCE: Final = 2_000
_TOTALS: Final = """
    asset_class, direction, count(*) AS assets, sum(rated_kw) AS rated_kw, count(*) FILTER (tier = 'high') AS high,
    count(*) FILTER (tier = 'medium') AS medium, count(*) FILTER (tier = 'low') AS low
    FROM (SELECT DISTINCT asset_id, asset_class, direction, tier, rated_kw FROM rows)
    GROUP BY ALL ORDER BY asset_class, direction
"""
_HOLDING: Final = "count(DISTINCT asset_id) AS assets, count(DISTINCT mpan_id) AS meters FROM rows"
OPEN_FIRST: Final = """
    state <> 'open', CASE severity WHEN 'high' THEN 0 WHEN 'medium' THEN 1 ELSE 2 END, opened_at DESC, flag_id
"""
"""Of flags."""
_SUREST_FIRST: Final = "present_probability DESC, mpan_id, amsid, asset_class"
_FLAG: Final = {"true": True, "false": False}
MARKET_WORDS: Final = {
    "dso_local": "DSO local",
    "neso_ancillary": "NESO ancillary",
    "neso_bm": "Balancing mechanism",
    "wholesale": "Wholesale",
}
Row = dict[str, Any]


class PortfolioView(BaseModel):
    """Which part of each list a visitor wants to see."""

    cursor: str | None = Field(None, max_length=256)
    mpan_id: str = Field("", pattern="^([0-9]{13})?$")
    unproven_after: str = Field("", max_length=64)
    declared_after: str = Field("", max_length=64)


class Listed(NamedTuple):
    """A part of a list of the register's rows."""

    rows: list[Row]
    total: int
    after: str
    """Where the next part begins; empty at the end."""


@router.get("/portfolio")
def show_portfolio(
    request: Request, caller: Visitor, reads: ReadsOf, register: ServiceOf, view: Annotated[PortfolioView, Query()]
) -> Response:
    """What is one's own, findings first; of one meter point, where one is named."""
    held = find_page(reads, caller, Asked(HELD, {"mpan_id": view.mpan_id or None}, view.cursor, _SHOWN))
    totals = summarise(reads, caller, HELD, _TOTALS)
    return render(
        request,
        "portfolio.html",
        caller,
        holding=summarise(reads, caller, HELD, _HOLDING)[0],
        totals=totals,
        import_kw=sum(row["rated_kw"] or 0 for row in totals if row["direction"] == Direction.IMPORT),
        export_kw=sum(row["rated_kw"] or 0 for row in totals if row["direction"] == Direction.EXPORT),
        rows=held.rows,
        next_cursor=held.next_cursor,
        is_first=view.cursor is None,
        mpan_id=view.mpan_id,
        view=view,
        invitations=find_foremost(reads, caller, INVITED, _SUREST_FIRST, _MOST_LISTED),
        invitation_count=count_rows(reads, caller, INVITED, "tier").total(),
        at_once=_ASKED_AT_ONCE,
        flags=find_foremost(reads, caller, FLAGGED, OPEN_FIRST, _MOST_LISTED),
        flag_states=count_rows(reads, caller, FLAGGED, "state"),
        unproven=_list_unproven(reads, register, caller, view.unproven_after),
        overrides=_list_declared(register, caller, view.declared_after),
        market_words=MARKET_WORDS,
    )


@router.get("/portfolio.{ending}")
def export_portfolio(ending: FileEnding, caller: Visitor, reads: ReadsOf) -> Response:
    """The whole portfolio as a file (FMAR's use case UC-02.04)."""
    return answer_export(reads, caller, Asked(HELD, {}), FORMAT_OF_ENDING[ending], "portfolio")


@router.post("/portfolio/answers", dependencies=[Depends(check_origin)])
def answer_invitation(caller: Visitor, register: ServiceOf, form: FormOf) -> Response:
    """An FSP confirms or corrects a detection; the register keeps it as if it had come by its own API."""
    try:
        body = NewConfirmation.model_validate({**form, "is_present": _FLAG.get(form.get("is_present", ""))})
    except ValidationError as error:
        fault = error.errors()[0]
        raise InvalidError("invalid-request", f"{fault['loc'][-1]}: {read_fault(fault)}") from error
    answer = Answer(body.mpan_id, body.amsid, body.asset_class, body.is_present)
    with change_of(register.database, reach_of(caller), actor_of(caller)) as change:
        record_confirmation(change, caller, answer, lambda: find_invited(register.derived, body.mpan_id, body.asset_class))
    return RedirectResponse("/portfolio#invitations", 303)


@router.get("/assets/{asset_id}")
def show_asset(asset_id: AssetId, request: Request, caller: Visitor, reads: ReadsOf) -> Response:
    """One asset: the answer and its evidence, what it can do, when it runs, and FMAR's record with where each attribute comes from."""
    row = find_one(reads, caller, ASSET, asset_id=asset_id)
    order = {str(season): place for place, season in enumerate(SEASONS)}
    seasons = [
        {**season, "figure": draw_week(season["probability"], row["asset_class"]), "best": _find_best(season["probability"])}
        for season in sorted(row.get("availability") or [], key=lambda one: (one["direction"], order.get(one["season"], 0)))
        if len(season["probability"]) == 336
    ]
    attributes = _list_attributes(row)
    answered = [one for one in attributes if one["source"] in {"meter", "network"} and one["value"] is not None]
    return render(
        request,
        "asset.html",
        caller,
        row=row,
        seasons=seasons,
        attributes=attributes,
        filled=len(answered),
        is_medium=row["tier"] == Tier.MEDIUM,
    )


def count_rows(reads: Reads, caller: Caller, resource: Resource, field: str, **filters: object) -> Counter[str]:
    """All rows that the caller sees, by a field: a page that lists some of them states its totals from here."""
    counted = summarise(reads, caller, resource, f"{field}, count(*) AS rows FROM rows GROUP BY ALL", **filters)
    return Counter({row[field]: row["rows"] for row in counted})


def _list_attributes(row: Row) -> list[Row]:
    """FMAR's attributes as far as the caller sees them."""
    return [
        {
            "term": one.term,
            "doc": one.doc,
            "value": row[one.column],
            "unit": one.unit,
            "source": row.get(f"{one.column}_source") or "unknown",
            "lower": row.get(f"{one.column}_lower"),
            "upper": row.get(f"{one.column}_upper"),
            "probability": row.get(f"{one.column}_probability"),
        }
        for one in FMAR_ATTRIBUTES
        if one.column in row
    ]


def _find_best(probability: list[float | None]) -> Row | None:
    """The half-hour of the week in which the asset runs most surely."""
    known = [(value, place) for place, value in enumerate(probability) if value is not None]
    if not known:
        return None
    value, place = max(known, key=lambda one: one[0])
    return {"probability": value, "weekday": WEEKDAYS[place // 48], "slot": place % 48} if value else None


def _list_unproven(reads: Reads, register: Service, caller: Caller, after: str) -> Listed:
    """One's own agreements in force whose claims are not verified."""
    verified = set(reads.rights.of(caller).relations["verified_claims"].column("agreement_id").to_pylist())
    table = AGREEMENT.table
    with register.database.reading(reach_of(caller)) as connection:
        now = register.database.now(connection)
        own = and_(table.c.fsp_id == caller.party_id, known_at(AGREEMENT, None), valid_at(AGREEMENT, now))
        total = connection.execute(select(func.count()).select_from(table).where(own)).scalar_one() - len(verified)
        found: list[Row] = []
        last: str | None = after
        while total > 0 and last is not None and len(found) <= _SHOWN:
            wanted = select(table).where(own, table.c.agreement_id > last).order_by(table.c.agreement_id).limit(_READ_AT_ONCE)
            rows = [dict(row) for row in connection.execute(wanted).mappings()]
            found += [row for row in rows if row["agreement_id"] not in verified]
            last = rows[-1]["agreement_id"] if len(rows) == _READ_AT_ONCE else None
        shown = with_states(register.database, connection, reach_of(caller), found[:_SHOWN], now)
    return Listed(shown, total, shown[-1]["agreement_id"] if len(found) > _SHOWN else "")


def _list_declared(register: Service, caller: Caller, after: str) -> Listed:
    """One's own declarations in force."""
    table = OVERRIDE.table
    with register.database.reading(reach_of(caller)) as connection:
        now = register.database.now(connection)
        own = and_(table.c.fsp_id == caller.party_id, known_at(OVERRIDE, None), valid_at(OVERRIDE, now))
        total = connection.execute(select(func.count()).select_from(table).where(own)).scalar_one()
        wanted = select(table).where(own, table.c.override_id > after).order_by(table.c.override_id).limit(_SHOWN + 1)
        found = [dict(row) for row in connection.execute(wanted).mappings()]
    return Listed(found[:_SHOWN], total, found[_SHOWN - 1]["override_id"] if len(found) > _SHOWN else "")
