"""Which areas there are, and what of each class may be published of them."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from fmar_spark.domain.gsp_groups import GROUP_OF_ID, MIDDLE
from fmar_spark.domain.network import DNO_OF_GSP_GROUP, WHOLE_AREA, AreaLevel
from fmar_spark.kernels.disclosure import NOT_IN_A_BLOCK, Area, Atoms, Plan, Rules, plan_areas

COLUMN_OF_LEVEL: Final = {
    AreaLevel.GSP_GROUP: "gsp_group_id",
    AreaLevel.DNO: "dno_code",
    AreaLevel.GSP: "gsp_id",
    AreaLevel.BSP: "bsp_id",
    AreaLevel.PRIMARY: "primary_id",
}
ATOM_COLUMNS: Final = (*COLUMN_OF_LEVEL.values(), "zone_ids")
GROUP_OF_DNO: Final = {dno.value: group for group, dno in DNO_OF_GSP_GROUP.items()}
_AREA: Final = ("area_level", "area_id")


class Publication(NamedTuple):
    """What is published of all classes; frames with one row each."""

    blocks: pd.DataFrame
    """atom, asset_class, block_id."""
    areas: pd.DataFrame
    """asset_class, block_id, area_level, area_id, area_key: a row for each published area that has the block."""
    withheld: pd.DataFrame
    """area_level, area_id, asset_class, suppression_reason."""
    examined: pd.DataFrame
    """asset_class, area_key, examined, unanswered: connections of every area."""


def list_areas_of(atoms: pd.DataFrame) -> dict[Area, list[int]]:
    """Rows of the atoms that lie in each area.

    Args:
        atoms: one row an atom with ``ATOM_COLUMNS``; ``zone_ids`` separated by spaces.
    """
    areas: dict[Area, list[int]] = {(AreaLevel.GB.value, WHOLE_AREA): list(range(len(atoms)))}
    for level, column in COLUMN_OF_LEVEL.items():
        for row, name in enumerate(atoms[column]):
            if isinstance(name, str) and name:
                areas.setdefault((level.value, name), []).append(row)
    for row, names in enumerate(atoms["zone_ids"]):
        for name in names.split("\x1f") if names else ():
            areas.setdefault((AreaLevel.ZONE.value, name), []).append(row)
    return areas


def plan_publication(counts: pd.DataFrame, rules: Rules) -> Publication:
    """Choose blocks and areas of every class.

    Args:
        counts: one row an atom and class: atom, ``ATOM_COLUMNS``, asset_class, examined, unanswered, meters, kw, largest_kw.
        rules: threshold and dominance.
    """
    atoms = counts.drop_duplicates("atom").reset_index(drop=True)
    areas = {area: np.array(rows, dtype=np.int64) for area, rows in list_areas_of(atoms).items()}
    parts = [_plan_class(str(asset), rows, atoms, areas, rules) for asset, rows in counts.groupby("asset_class")]
    return Publication(*(pd.concat([part[place] for part in parts], ignore_index=True) for place in range(4)))


def _plan_class(
    asset: str, counts: pd.DataFrame, atoms: pd.DataFrame, areas: Mapping[Area, np.ndarray[tuple[int], np.dtype[np.int64]]], rules: Rules
) -> Publication:
    of_atom = counts.set_index("atom").reindex(atoms["atom"])
    numbers = {name: of_atom[name].fillna(0).to_numpy() for name in ("meters", "kw", "largest_kw", "examined", "unanswered")}
    sums = Atoms(numbers["meters"].astype(np.int64), numbers["kw"].astype(np.float64), numbers["largest_kw"].astype(np.float64))
    plan = plan_areas(sums, areas, tuple(AreaLevel), rules)
    in_block = np.flatnonzero((plan.block != NOT_IN_A_BLOCK) & (sums.meters > 0))
    names = np.array([name_area(owner) for owner in plan.owner], dtype=object)
    examined = [
        (asset, name_area(area), *(int(numbers[name][rows].sum()) for name in ("examined", "unanswered"))) for area, rows in areas.items()
    ]
    withheld = [(*area, asset, reason) for area, reason in plan.reason.items() if reason is not None]
    return Publication(
        pd.DataFrame({"atom": atoms["atom"].to_numpy()[in_block], "asset_class": asset, "block_id": names[plan.block[in_block]]}),
        pd.DataFrame(
            [(asset, names[block], *area, name_area(area)) for area, block in _list_pairs(plan)],
            columns=["asset_class", "block_id", *_AREA, "area_key"],
        ),
        pd.DataFrame(withheld, columns=[*_AREA, "asset_class", "suppression_reason"]),
        pd.DataFrame(examined, columns=["asset_class", "area_key", "examined", "unanswered"]),
    )


def _list_pairs(plan: Plan) -> Iterator[tuple[Area, int]]:
    for area, blocks in plan.blocks_of_area.items():
        for block in blocks:
            yield area, block


def name_area(area: Area) -> str:
    """Level and id as one text."""
    return f"{area[0]}/{area[1]}"


def describe_areas(known: list[Area], nodes: pd.DataFrame, zone_names: Mapping[str, str]) -> pd.DataFrame:
    """Names, places and parents: area_level, area_id, name, parent_level, parent_id, dno_code, gsp_group_id, latitude, longitude.

    Args:
        known: areas that have meters.
        nodes: current nodes of the network.
        zone_names: of each zone.
    """
    by_id = {str(row["node_id"]): {str(name): value for name, value in row.items()} for row in nodes.to_dict("records")}
    return pd.DataFrame([_describe_area(area, by_id, zone_names) for area in sorted(known)])


def _describe_area(area: Area, nodes: Mapping[str, Mapping[str, object]], zone_names: Mapping[str, str]) -> dict[str, object]:
    level, name = area
    row: dict[str, object] = dict.fromkeys(("parent_level", "parent_id", "dno_code", "gsp_group_id", "latitude", "longitude"))
    row |= {"area_level": level, "area_id": name, "name": name}
    if level == AreaLevel.GB:
        return row | {"name": MIDDLE.name, "latitude": MIDDLE.latitude, "longitude": MIDDLE.longitude}
    if level == AreaLevel.ZONE:
        return row | {"name": zone_names.get(name, name)}
    group = GROUP_OF_ID.get(name if level == AreaLevel.GSP_GROUP else GROUP_OF_DNO.get(name, ""))
    if level in (AreaLevel.GSP_GROUP, AreaLevel.DNO):
        place = {"latitude": group.latitude, "longitude": group.longitude, "gsp_group_id": group.gsp_group_id} if group else {}
        dno = name if level == AreaLevel.DNO else DNO_OF_GSP_GROUP.get(name)
        said = {"name": group.name if level == AreaLevel.GSP_GROUP else f"{group.name} ({name})"} if group else {}
        return row | place | said | {"dno_code": dno and str(dno), "parent_level": AreaLevel.GB.value, "parent_id": WHOLE_AREA}
    node = nodes.get(name, {})
    dno_code = node.get("dno_code")
    group_id = GROUP_OF_DNO.get(str(dno_code))
    above = nodes.get(str(node.get("parent_id")), {})
    parent = (above["level"], node.get("parent_id")) if above else (AreaLevel.GSP_GROUP.value, group_id) if group_id else (None, None)
    return row | {
        "name": node.get("name", name),
        "parent_level": parent[0],
        "parent_id": parent[1],
        "dno_code": dno_code,
        "gsp_group_id": group_id,
        "latitude": node.get("latitude"),
        "longitude": node.get("longitude"),
    }
