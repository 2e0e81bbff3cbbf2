"""Areas for network and system operators: a map of GSP groups, and each area down to its primary substations."""

import math
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from fmar_spark.domain.assets import ASSET_FACTS, AssetClass
from fmar_spark.domain.gsp_groups import GROUP_OF_ID
from fmar_spark.domain.network import AreaLevel
from fmar_spark.domain.words import Direction, Season
from fmar_spark.services.capability.access import may_see
from fmar_spark.services.capability.answers import Format
from fmar_spark.services.capability.pages.boundaries import HEIGHT, WIDTH
from fmar_spark.services.capability.pages.charts import WEEKDAYS, draw_classes, draw_day
from fmar_spark.services.capability.pages.frame import name_assets, page_router, render
from fmar_spark.services.capability.pages.session import Visitor
from fmar_spark.services.capability.reading import Asked, Reads, ReadsOf, answer_export, find_all, find_one
from fmar_spark.services.capability.resources import AREA, AVAILABILITY_OF_AREA, CAPABILITY_OF_AREA, HEALTH
from fmar_spark.services.capability.schemas import NodeId
from fmar_spark.services.web.access import Caller

router: Final = page_router()
TILES: Final = {
    "_P": (2, 1),
    "_N": (2, 2),
    "_G": (2, 3),
    "_F": (3, 3),
    "_D": (2, 4),
    "_M": (3, 4),
    "_E": (2, 5),
    "_B": (3, 5),
    "_A": (4, 5),
    "_K": (1, 6),
    "_H": (2, 6),
    "_C": (3, 6),
    "_L": (1, 7),
    "_J": (3, 7),
}
"""Column and row of each settlement area on a map of equal tiles."""
_SHADES: Final = 5
_MOST_AREAS: Final = 20_000
_MOST_FOUND: Final = 200
_MOST_ROWS: Final = 10_000
Level = Annotated[AreaLevel, Path()]
Row = dict[str, Any]


@router.get("/areas")
def map_areas(
    request: Request,
    caller: Visitor,
    reads: ReadsOf,
    asset_class: Annotated[AssetClass | None, Query()] = None,
    direction: Annotated[Direction | None, Query()] = None,
) -> Response:
    """What the connected assets can do, GSP group by GSP group."""
    rows = find_all(reads, caller, CAPABILITY_OF_AREA, _MOST_ROWS, area_level=AreaLevel.GSP_GROUP.value)
    chosen, flow = _choose(rows, asset_class, direction)
    shown = {row["area_id"]: row for row in rows if (row["asset_class"], row["direction"]) == (chosen, flow)}
    names = {row["area_id"] for row in find_all(reads, caller, AREA, _MOST_AREAS, area_level=AreaLevel.GSP_GROUP.value)}
    whole = find_all(reads, caller, CAPABILITY_OF_AREA, 100, area_level=AreaLevel.GB.value)
    return render(
        request,
        "areas.html",
        caller,
        tiles=[_draw_tile(gsp_group_id, shown, names) for gsp_group_id in TILES],
        shapes=request.app.state.shapes or {},
        map_size=(WIDTH, HEIGHT),
        rows=sorted(shown.values(), key=lambda row: (row["is_suppressed"], -(row["kw_p50"] or 0))),
        chosen=chosen,
        flow=flow,
        finding=_find_finding(rows, whole, chosen, flow),
        whole=whole,
        whole_figure=draw_classes(whole),
        measures=_find_measures(reads, caller),
    )


@router.get("/areas/search")
def search_areas(
    request: Request, caller: Visitor, reads: ReadsOf, words: Annotated[str, Query(alias="q", max_length=100)] = ""
) -> Response:
    """Areas whose name or id holds the words; the area itself where there is one."""
    wanted = words.strip().casefold()
    areas = find_all(reads, caller, AREA, _MOST_AREAS)
    exact = [area for area in areas if wanted in (area["name"].casefold(), area["area_id"].casefold())]
    found = exact or [area for area in areas if wanted and wanted in f"{area['name']} {area['area_id']}".casefold()]
    if len(found) == 1:
        return RedirectResponse(f"/areas/{found[0]['area_level']}/{quote(found[0]['area_id'], safe='')}", 303)
    return render(request, "search.html", caller, words=words, found=found[:_MOST_FOUND], count=len(found))


@router.get("/areas/{level}.csv")
def export_level(level: Level, caller: Visitor, reads: ReadsOf) -> Response:
    """The rows of a level as a file."""
    asked = Asked(CAPABILITY_OF_AREA, {"area_level": level.value})
    return answer_export(reads, caller, asked, Format.CSV, f"areas-{level.value}")


@router.get("/areas/{level}/{area_id:path}")
def show_area(
    level: Level,
    area_id: Annotated[NodeId, Path()],
    request: Request,
    caller: Visitor,
    reads: ReadsOf,
    asset_class: Annotated[AssetClass | None, Query()] = None,
    direction: Annotated[Direction | None, Query()] = None,
    season: Annotated[Season | None, Query()] = None,
    weekday: Annotated[int, Query(ge=1, le=7)] = 3,
) -> Response:
    """One area: kW by class, a day of each season, and the areas below."""
    key = {"area_level": level.value, "area_id": area_id}
    area = find_one(reads, caller, AREA, **key)
    rows = find_all(reads, caller, CAPABILITY_OF_AREA, 100, **key)
    chosen, flow = _choose(rows, asset_class, direction)
    own = next((row for row in rows if (row["asset_class"], row["direction"]) == (chosen, flow)), None)
    period = season or Season((own or {}).get("busiest_season") or Season.WINTER)
    cells = find_all(
        reads, caller, AVAILABILITY_OF_AREA, 48, **key, asset_class=chosen, direction=flow, season=period.value, weekday=weekday
    )
    below = find_all(reads, caller, AREA, _MOST_AREAS, parent_id=area_id, parent_level=level.value)
    return render(
        request,
        "area.html",
        caller,
        area=area,
        trail=_trace(reads, caller, area),
        rows=rows,
        chosen=chosen,
        flow=flow,
        season=period,
        seasons=list(Season),
        weekday=weekday,
        weekdays=list(enumerate(WEEKDAYS, 1)),
        cells=cells,
        below=_add_figures(reads, caller, below, chosen, flow),
        class_figure=draw_classes(rows),
        day_figure=draw_day(cells, chosen),
        finding=_find_finding(rows, rows, chosen, flow),
    )


def _choose(rows: list[Row], asset_class: AssetClass | None, direction: Direction | None) -> tuple[str, str]:
    """The class and direction that were asked for; else those with the most power."""
    totals: dict[str, float] = {}
    for row in rows:
        totals[row["asset_class"]] = totals.get(row["asset_class"], 0.0) + (row["kw_p50"] or 0.0)
    chosen = asset_class or AssetClass(max(totals, key=lambda name: totals[name], default=AssetClass.BATTERY))
    ways = ASSET_FACTS[chosen].directions
    return str(chosen), str(direction if direction in ways else ways[-1])


def _draw_tile(gsp_group_id: str, shown: dict[str, Row], visible: set[str]) -> Row:
    """One tile of the map: its figure, and how dark it is among the others."""
    largest = max((row["kw_p50"] or 0.0 for row in shown.values()), default=0.0)
    row = shown.get(gsp_group_id)
    value = None if row is None else row["kw_p50"]
    shade = 0 if value is None or not largest else 1 + min(_SHADES - 1, int(_SHADES * math.sqrt(value / largest)))
    column, line = TILES[gsp_group_id]
    return {
        "gsp_group_id": gsp_group_id,
        "name": GROUP_OF_ID[gsp_group_id].name,
        "column": column,
        "line": line,
        "shade": shade,
        "kw": value,
        "is_visible": gsp_group_id in visible,
        "is_withheld": row is not None and row["is_suppressed"],
    }


def _find_finding(rows: list[Row], whole: list[Row], chosen: str, flow: str) -> Row | None:
    """The figures of the first sentence: of the whole where it is seen, else of the largest area."""
    fitting = [row for row in whole or rows if (row["asset_class"], row["direction"]) == (chosen, flow) and not row["is_suppressed"]]
    if not fitting:
        return None
    best = max(fitting, key=lambda row: row["kw_p50"] or 0.0)
    verb = "hold back" if ASSET_FACTS[AssetClass(chosen)].holds_back else "give" if flow == Direction.EXPORT else "draw"
    return {**best, "verb": verb, "words": name_assets(chosen)}


def _trace(reads: Reads, caller: Caller, area: Row) -> list[Row]:
    """The areas above, highest first, as far as the caller sees them."""
    trail: list[Row] = []
    level, area_id = area["parent_level"], area["parent_id"]
    while area_id is not None and len(trail) < len(AreaLevel):
        found = find_all(reads, caller, AREA, 1, area_level=level, area_id=area_id)
        if not found:
            break
        trail.insert(0, found[0])
        level, area_id = found[0]["parent_level"], found[0]["parent_id"]
    return trail


def _add_figures(reads: Reads, caller: Caller, below: list[Row], chosen: str, flow: str) -> list[Row]:
    """The areas below with their figures of one class and direction."""
    figures: dict[tuple[str, str], Row] = {}
    for level in {area["area_level"] for area in below}:
        found = find_all(reads, caller, CAPABILITY_OF_AREA, _MOST_ROWS, area_level=level, asset_class=chosen, direction=flow)
        figures |= {(row["area_level"], row["area_id"]): row for row in found}
    return [{**area, "figures": figures.get((area["area_level"], area["area_id"]))} for area in below]


def _find_measures(reads: Reads, caller: Caller) -> Row:
    """Measures of the whole: what is detected against what is registered."""
    if not may_see(reads.matrix, HEALTH, caller):
        return spread_measures([])
    return spread_measures(find_all(reads, caller, HEALTH, 500, gsp_group_id=""))


def spread_measures(rows: list[Row]) -> Row:
    """Measures as a table: a line each, a column for each class."""
    classes = list(dict.fromkeys(row["asset_class"] for row in rows))
    meanings = list(dict.fromkeys(row["meaning"] for row in rows))
    values = {(row["meaning"], row["asset_class"]): row for row in rows}
    return {"classes": classes, "lines": [(meaning, [values.get((meaning, asset)) for asset in classes]) for meaning in meanings]}
