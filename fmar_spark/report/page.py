"""Writes the report: one file with everything in it, that opens without a network."""

import html
from collections.abc import Callable, Container, Sequence
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Any, Final, NamedTuple

from fmar_spark import __version__
from fmar_spark.contracts.capability import ASSET_DETECTIONS
from fmar_spark.domain.assets import ASSET_CLASSES
from fmar_spark.domain.figures import write_count
from fmar_spark.domain.gsp_groups import GROUP_OF_ID
from fmar_spark.domain.words import SEASONS
from fmar_spark.engine.lake_sql import LakeRows, Row
from fmar_spark.errors import ConfigError
from fmar_spark.report.evidence import Derived, EvidenceRules, derive_evidence, describe_place
from fmar_spark.report.fleet import ANSWERS, MAIN_DIRECTION, describe_fleet, describe_intake
from fmar_spark.report.frame import encode_power, list_class_words, pack, read_page_file, render_frame, write_json
from fmar_spark.report.histories import read_histories, read_places
from fmar_spark.report.meters import (
    DIRECTIONS,
    SIZE_FIGURES,
    STATUSES,
    TIERS,
    choose_meters,
    define_meters,
    describe_answers,
    describe_meters,
    list_meters,
    rank_meters,
)
from fmar_spark.report.provenance import KINDS

SCRIPTS: Final = ("page.js", "charts.js", "fleet.js", "evidence.js", "verdicts.js", "meters.js", "start.js")
Progress = Callable[[str], None]
"""Called with the next stage, in words for the user."""


class Order(NamedTuple):
    """Options of a page."""

    named: tuple[str, ...] = ()
    """Meters, by MPAN or series id, that must have their evidence on the page."""
    evidence_meters: int = 1000
    """Meters with evidence, unless more are named: about 20 kB of the page each."""
    listed_meters: int = 5000
    """Meters in the list."""
    examples_per_rule: int = 3
    """Rejected rows that are quoted for each rule."""
    rules: EvidenceRules = EvidenceRules()


def write_report(root: Path, out: Path, order: Order, say: Progress) -> dict[str, int]:
    """Write the page about the lake below ``root``; meters examined, listed and with evidence.

    Raises:
        ConfigError: no lake there, or nothing in it was characterised.
        InputError: none of the named meters is in the lake.
    """
    lake = LakeRows(root)
    if not lake.has(ASSET_DETECTIONS):
        raise ConfigError(f"{root}: no {ASSET_DETECTIONS.full_name} yet; run jobs/{ASSET_DETECTIONS.job}.py first")
    say("the fleet")
    define_meters(lake)
    fleet = describe_fleet(lake)
    chosen = choose_meters(lake, order.named, order.evidence_meters)
    listed = _list_with_chosen(lake, chosen, order.listed_meters)
    say(f"evidence of {write_count(len(chosen), 'meter')}")
    evidence, places = _pack_evidence(lake, [row for row in listed if row["mpan_id"] in set(chosen)], order.rules)
    data = {
        "made_at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "lake": root.name,
        "version": __version__,
        "words": _list_words(),
        "rules": order.rules._asdict(),
        "fleet": fleet,
        "fleet_kinds": [kind.value for kind in KINDS],
        "intake": describe_intake(lake, order.examples_per_rule),
        "meters": describe_meters(lake, listed),
        "meters_examined": sum(kind["meters"] for kind in fleet),
        "places": places,
        "evidence": [position for position, row in enumerate(listed) if row["mpan_id"] in evidence],
        "opens_on": _choose_first(lake, listed, evidence),
        **describe_answers(lake, listed),
    }
    say("the page")
    packs = [evidence[row["mpan_id"]] for row in listed if row["mpan_id"] in evidence]
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(render_page(data, packs), encoding="utf-8")
    return {"examined": data["meters_examined"], "listed": len(listed), "with_evidence": len(packs)}


def render_page(data: dict[str, Any], packs: Sequence[str]) -> str:
    """The page as text. Data stand in script elements that hold no script; only the page's own files are script."""
    packed = "\n".join(f'<script type="text/plain" id="evidence-{place}">{pack}</script>' for place, pack in enumerate(packs))
    body = Template(read_page_file("page.html")).substitute(
        lake=html.escape(data["lake"]), made_at=html.escape(data["made_at"]), data=write_json(data), evidence=packed
    )
    return render_frame(f"Fleet report: {data['lake']}", body, [read_page_file(name) for name in SCRIPTS])


def _list_with_chosen(lake: LakeRows, chosen: Sequence[str], most: int) -> list[Row]:
    listed = list_meters(lake, most)
    missing = set(chosen) - {row["mpan_id"] for row in listed}
    if missing:
        listed += [row for row in lake.rows("SELECT * FROM meters") if row["mpan_id"] in missing]
    return listed


def _choose_first(lake: LakeRows, listed: Sequence[Row], evidence: Container[str]) -> int | None:
    """Place in the list of the meter that the page opens on: the first by rank that has its evidence on the page."""
    position = {row["mpan_id"]: place for place, row in enumerate(listed)}
    return next((position[mpan_id] for mpan_id in rank_meters(lake) if mpan_id in position and mpan_id in evidence), None)


def _pack_evidence(lake: LakeRows, meters: Sequence[Row], rules: EvidenceRules) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """The packs by MPAN, and the places that they refer to."""
    histories = list(read_histories(lake, meters))
    places, place_of = read_places(lake, histories)
    derived = Derived(lake, len(meters), rules.baseline_days)
    position = {row["mpan_id"]: number for number, row in enumerate(meters)}
    packed = {}
    for history, place in zip(histories, place_of, strict=True):
        mpan_id = history.meter["mpan_id"]
        codes, largest = encode_power(history.net_kw)
        header = derive_evidence(history, places[place], rules) | derived.describe(position[mpan_id], history)
        packed[mpan_id] = pack(header | {"largest_kw": largest, "place": place}, codes)
    return packed, [describe_place(place, rules) for place in places]


def _list_words() -> dict[str, Any]:
    """Closed lists that the data refer to by place."""
    return {
        **list_class_words(),
        "directions": [direction.value for direction in DIRECTIONS],
        "statuses": [status.value for status in STATUSES],
        "tiers": [tier.value for tier in TIERS],
        "seasons": [season.value for season in SEASONS],
        "answers": list(ANSWERS),
        "size_figures": list(SIZE_FIGURES),
        "groups": {group.gsp_group_id: group.name for group in GROUP_OF_ID.values()},
        "main_directions": [MAIN_DIRECTION[asset].value for asset in ASSET_CLASSES],
    }
