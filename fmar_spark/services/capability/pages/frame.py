"""What all pages share: templates, words, a policy that runs no inline script, and errors as pages."""

import hashlib
import math
from collections.abc import Callable, Coroutine
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import plotly
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS, AssetClass
from fmar_spark.domain.figures import write_count, write_number
from fmar_spark.domain.gsp_groups import GROUP_OF_ID
from fmar_spark.domain.markets import Role
from fmar_spark.domain.network import AreaLevel
from fmar_spark.domain.words import Direction
from fmar_spark.errors import read_fault
from fmar_spark.report.provenance import Kind
from fmar_spark.services.capability.access import may_see
from fmar_spark.services.capability.layout import ORIGINS
from fmar_spark.services.capability.reading import reads_of
from fmar_spark.services.capability.resources import (
    CAPABILITY_OF_AREA,
    CHECKED,
    DELIVERED_IN_AREA,
    DISPUTED,
    ENVELOPE,
    HEALTH,
    HELD,
    Resource,
)
from fmar_spark.services.web.access import Caller, limit_anonymous
from fmar_spark.services.web.problems import (
    TITLES,
    BusyError,
    InvalidError,
    MissingError,
    ServiceError,
    UnauthenticatedError,
)

_FOLDER: Final = Path(__file__).parent
STATIC: Final = {
    "pages.css": (_FOLDER / "static" / "pages.css", "text/css"),
    "charts.js": (_FOLDER / "static" / "charts.js", "text/javascript"),
    "plotly.js": (Path(str(plotly.__file__)).parent / "package_data" / "plotly.min.js", "text/javascript"),
}
"""Everything that a page loads beside itself: no other host is asked for anything."""
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_YEAR_SECONDS: Final = 365 * 24 * 3600
LEVEL_WORDS: Final = {
    AreaLevel.GB: "Great Britain",
    AreaLevel.GSP_GROUP: "GSP group",
    AreaLevel.DNO: "Licence area",
    AreaLevel.GSP: "Grid supply point",
    AreaLevel.BSP: "Bulk supply point",
    AreaLevel.PRIMARY: "Primary substation",
    AreaLevel.ZONE: "Constraint zone",
}
DIRECTION_WORDS: Final = {Direction.IMPORT: "import", Direction.EXPORT: "export", "": "no direction"}
REASON_WORDS: Final = {
    "few_meters": "withheld: too few meters",
    "dominance": "withheld: one meter dominates",
    "protects_others": "withheld: it would show another",
    "overlaps": "withheld: it cuts through another area",
    "awaits_changes": "withheld: too few meters changed",
}


class Place(NamedTuple):
    """An entry of the navigation."""

    path: str
    words: str
    resource: Resource | None
    """None: the page of the lake's operation, for administrators alone once something was measured."""


PLACES: Final = (
    Place("/areas", "Areas", CAPABILITY_OF_AREA),
    Place("/portfolio", "Portfolio", HELD),
    Place("/deliveries", "Deliveries", CHECKED),
    Place("/envelopes", "Envelopes", ENVELOPE),
    Place("/health", "System health", HEALTH),
    Place("/area-deliveries", "Deliveries by area", DELIVERED_IN_AREA),
    Place("/disputes", "Disputes", DISPUTED),
    Place("/operations", "Operations", None),
)


class PageRoute(APIRoute):
    """A route whose problems are pages: without a session the way leads to the sign-in."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with errors rendered."""
        plain = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await plain(request)
            except UnauthenticatedError as error:
                request.state.problem = error.name
                wanted = quote(f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path, safe="")
                return RedirectResponse(f"/sign-in?next={wanted}", 303, {"Cache-Control": "no-store"})
            except ServiceError as error:
                return render_problem(request, error)
            except RequestValidationError as error:
                fault = error.errors()[0]
                return render_problem(request, InvalidError("invalid-request", f"{fault['loc'][-1]}: {read_fault(fault)}"))

        return handle


def page_router() -> APIRouter:
    """Routes of pages; OpenAPI does not list them."""
    return APIRouter(include_in_schema=False, route_class=PageRoute)


router: Final = page_router()


@router.get("/static/{name}")
def static(name: str, request: Request) -> Response:
    """A file of the pages, to be kept for good under the version that pages ask for."""
    limit_anonymous(request, "static")
    if name not in STATIC:
        raise MissingError("no-such-file", "there is no such file")
    body, kind = _read_static(name)
    return Response(body, 200, {"Cache-Control": f"public, max-age={_YEAR_SECONDS}, immutable"}, media_type=kind)


def render(request: Request, template: str, caller: Caller | None, status: int = 200, **context: Any) -> HTMLResponse:
    """A page, with the navigation that the caller's roles open and what the data rest on."""
    manifest, origins = None, []
    reads = reads_of(request)
    if caller is not None:
        try:
            model = reads.models.current()
            manifest, origins = model.manifest, model.find(ORIGINS, {})
        except BusyError:
            manifest = None
    places = [place for place in PLACES if caller is not None and is_open(request, place, caller)]
    frame = {"caller": caller, "places": places, "path": request.url.path, "manifest": manifest, "origins": describe_origins(origins)}
    html = _environment().get_template(template).render(frame=frame, **context)
    return HTMLResponse(html, status, HEADERS)


def is_open(request: Request, place: Place, caller: Caller) -> bool:
    """Whether a place of the navigation has something for the caller."""
    if place.resource is None:
        return Role.ADMINISTRATOR in caller.roles and request.app.state.operations_page.is_file()
    return may_see(reads_of(request).matrix, place.resource, caller)


def render_problem(request: Request, error: ServiceError) -> HTMLResponse:
    """A rejection as a page."""
    request.state.problem = error.name
    page = render(request, "problem.html", None, error.status, title=TITLES[error.status], detail=error.detail, id=request.state.request_id)
    page.headers.update(error.headers)
    return page


def describe_origins(origins: list[dict[str, Any]]) -> str:
    """One line on what is not measured; empty where all is."""
    meters = {row["origin"]: row["meters"] for row in origins}
    total = sum(meters.values())
    named = [(Kind.SIMULATED, "simulated"), (Kind.SEMI_SYNTHETIC, "measured with a simulated asset added")]
    parts = [f"{meters[kind]:,} are {words}" for kind, words in named if meters.get(kind)]
    return f"Of {total:,} examined meters, {' and '.join(parts)}." if parts else ""


def format_kw(value: float | None, unit: str = "kW") -> str:
    """Three figures, with megawatts from ten thousand."""
    if value is None:
        return "–"
    if unit in {"kW", "kWh"} and abs(value) >= 10_000:
        return f"{value / 1000:,.1f} M{unit[1:]}"
    return f"{write_number(value)} {unit}"


def format_range(lower: float | None, upper: float | None, unit: str = "kW") -> str:
    """An interval with its unit once."""
    if lower is None or upper is None:
        return "–"
    first, last = format_kw(lower, unit), format_kw(upper, unit)
    shared = last.rpartition(" ")[2]
    return f"{first.removesuffix(shared).rstrip()} to {last}" if first.endswith(f" {shared}") else f"{first} to {last}"


def format_share(value: float | None) -> str:
    """Percent."""
    return "–" if value is None else f"{value:.0%}".replace("%", " %")


def format_probability(value: float | None) -> str:
    """Percent, rounded towards the middle: never up to the bound of a tier that it does not reach."""
    if value is None:
        return "–"
    percent = round(value * 100, 6)
    return f"{math.floor(percent) if percent >= 50 else math.ceil(percent)} %"


def format_unseen(registered: float | None) -> str:
    """Percent that nobody has registered."""
    return format_share(None if registered is None else 1.0 - registered)


def format_day(value: date | datetime | str | None) -> str:
    """A civil day in words."""
    if value is None:
        return "–"
    day = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{day.day} {day:%B %Y}"


def format_slot(slot: int | None) -> str:
    """The local clock at the start of a half-hour."""
    return "–" if slot is None else f"{slot // 2:02d}:{slot % 2 * 30:02d}"


def name_class(asset_class: str) -> str:
    """What a page calls a class."""
    return ASSET_FACTS[AssetClass(asset_class)].heading if asset_class else "All classes"


def name_assets(asset_class: str) -> str:
    """Several assets of a class, at the beginning of a sentence."""
    words = ASSET_FACTS[AssetClass(asset_class)].plural
    return words[0].upper() + words[1:]


def name_group(gsp_group_id: str | None) -> str:
    """Id and name of a settlement area."""
    group = GROUP_OF_ID.get(gsp_group_id or "")
    return f"{group.name} ({gsp_group_id})" if group else gsp_group_id or "Great Britain"


@lru_cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters |= {
        "number": write_number,
        "counted": write_count,
        "kw": format_kw,
        "range": format_range,
        "share": format_share,
        "chance": format_probability,
        "unseen": format_unseen,
        "day": format_day,
        "clock": format_slot,
        "asset": name_class,
        "group": name_group,
    }
    made.globals |= {
        "classes": [(str(asset), ASSET_FACTS[asset].heading) for asset in ASSET_CLASSES],
        "groups": [(group.gsp_group_id, group.name) for group in GROUP_OF_ID.values()],
        "level_words": {str(level): words for level, words in LEVEL_WORDS.items()},
        "direction_words": {str(direction): words for direction, words in DIRECTION_WORDS.items()},
        "reason_words": REASON_WORDS,
        "static": {name: f"/static/{name}?v={_version_of(name)}" for name in STATIC},
    }
    return made


@lru_cache
def _read_static(name: str) -> tuple[bytes, str]:
    path, kind = STATIC[name]
    return path.read_bytes(), kind


def _version_of(name: str) -> str:
    return hashlib.sha256(_read_static(name)[0]).hexdigest()[:12]
