"""A day's work of several parties with a client that was generated from the service's OpenAPI document; run by try_client.py.

    python client_day.py URL PACKAGE PARTY=TOKEN ...

PACKAGE is what openapi-python-client wrote, on the path of this interpreter, which needs nothing of this project.
"""

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, Final

PAGE: Final = 25
Connection = Any
"""An AuthenticatedClient of the generated package."""


class Api:
    """The generated package, and a connection for each party."""

    def __init__(self, url: str, package: str, tokens: dict[str, str]) -> None:
        """Nothing is asked yet."""
        self._package = package
        client = import_module(f"{package}.client").AuthenticatedClient
        self.of = {party: client(base_url=url, token=token) for party, token in tokens.items()}
        self.models = import_module(f"{package}.models")

    def ask(self, tag: str, operation: str, party: str, status: int = 200, *path: Any, **given: Any) -> Any:
        """The parsed answer of an operation, whose status must be the one that is expected."""
        module = import_module(f"{self._package}.api.{tag}.{operation}")
        answer = module.sync_detailed(*path, client=self.of[party], **given)
        if int(answer.status_code) != status:
            raise SystemExit(f"{operation} of {party}: {int(answer.status_code)} found, {status} wanted: {answer.content[:300]!r}")
        return answer.parsed

    def pages(self, tag: str, operation: str, party: str, *path: Any, **given: Any) -> Iterator[Any]:
        """Every row of a list, page by page."""
        cursor: dict[str, Any] = {}
        while True:
            page = self.ask(tag, operation, party, 200, *path, limit=PAGE, **given, **cursor)
            yield from page.items
            if not isinstance(page.next_cursor, str):
                return
            cursor = {"cursor": page.next_cursor}


def work_as_fsp(api: Api) -> str:
    """Portfolio page by page and whole, one asset with its evidence, an invitation answered, an agreement made and ended."""
    rows = list(api.pages("portfolio", "list_portfolio", "ALPHA"))
    whole = api.ask("portfolio", "export_portfolio", "ALPHA")
    assert len(rows) == len(whole.items) > 0
    usable = next(row for row in rows if row.market_status != "characterisation_in_progress")
    asset = api.ask("assets", "get_asset", "ALPHA", 200, usable.asset_id)
    assert (asset.mpan_id, asset.asset_class) == (usable.mpan_id, usable.asset_class)
    own = list(api.pages("assets", "list_assets", "ALPHA"))
    assert {row.asset_id for row in own} == {row.asset_id for row in rows if row.market_status != "characterisation_in_progress"}
    invited = list(api.pages("portfolio", "list_invitations", "ALPHA"))
    for row in invited[:1]:
        said = api.models.NewConfirmation(row.mpan_id, row.amsid, api.models.AssetClass(row.asset_class), bool(row.is_present))
        api.ask("confirmations", "confirm_detection", "ALPHA", 201, body=said)
        left = list(api.pages("portfolio", "list_invitations", "ALPHA"))
        assert (row.mpan_id, row.asset_class) not in {(one.mpan_id, one.asset_class) for one in left}
    now = datetime.now(UTC)
    term = {"market": api.models.Market.WHOLESALE, "primacy_tier": 2, "is_exclusive": False, "valid_from_at": now}
    made = api.ask(
        "agreements",
        "create_agreement",
        "ALPHA",
        201,
        body=api.models.NewAgreement(mpan_id=usable.mpan_id, amsid=f"AMS-{now:%H%M%S%f}", **term),
    )
    read = api.ask("agreements", "get_agreement", "ALPHA", 200, made.agreement_id)
    assert (read.agreement_id, read.fsp_id) == (made.agreement_id, "ALPHA")
    missing = api.ask("assets", "get_asset", "ALPHA", 404, "00000000-0000-5000-8000-000000000000")
    assert missing.type_.endswith("no-such-row")
    api.ask("assets", "list_envelopes", "ALPHA", 403)
    return f"{len(rows)} rows of a portfolio, {len(own)} assets, {len(invited)} invitations, one agreement"


def work_as_platform(api: Api) -> str:
    """FMAR's own question, and envelopes for a tender."""
    category = api.models.AssetCategory.BESS
    batteries = [
        row
        for group in "ABCDEFGHJKLMNP"
        for row in api.pages("assets", "list_assets", "MARKET", asset_category=category, gsp_group_id=f"_{group}")
    ]
    everywhere = list(api.pages("assets", "list_assets", "MARKET", asset_category=category))
    assert sorted(row.asset_id for row in batteries) == sorted(row.asset_id for row in everywhere)
    envelopes = list(api.pages("assets", "list_envelopes", "MARKET", rated_kw_min=5.0))
    assert all(row.rated_kw >= 5 for row in envelopes)
    api.ask("portfolio", "list_portfolio", "MARKET", 403)
    return f"{len(everywhere)} batteries by GSP group, {len(envelopes)} envelopes"


def work_as_operators(api: Api) -> str:
    """Areas, their figures and a day of one."""
    level = api.models.AreaLevel.GSP_GROUP
    groups = list(api.pages("areas", "list_areas", "NESO", area_level=level))
    figures = [row for area in groups for row in api.pages("areas", "get_area_capability", "NESO", level, area.area_id)]
    published = [row for row in figures if not row.is_suppressed]
    for row in published[:3]:
        season = api.models.Season(row.busiest_season)
        cells = api.ask(
            "areas",
            "get_area_availability",
            "NESO",
            200,
            level,
            row.area_id,
            asset_class=api.models.AssetClass(row.asset_class),
            direction=api.models.Direction(row.direction),
            season=season,
            weekday=3,
            limit=48,
        )
        assert len(cells.items) == 48
    own = list(api.pages("areas", "list_areas", "SOUTHERN", area_level=level))
    assert {area.area_id for area in own} <= {"_H"}
    measures = list(api.pages("system_health", "list_system_health", "OFGEM"))
    parties = api.ask("parties", "list_parties", "OFFICE")
    return f"{len(groups)} GSP groups with {len(published)} published figures, {len(measures)} measures, {len(parties.items)} parties"


def main(argv: list[str]) -> int:
    """Work, and say what was done."""
    url, package, *given = argv
    api = Api(url, package, dict(one.split("=", 1) for one in given))
    parts: tuple[Callable[[Api], str], ...] = (work_as_fsp, work_as_platform, work_as_operators)
    for work in parts:
        print(f"{work.__name__}: {work(api)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
