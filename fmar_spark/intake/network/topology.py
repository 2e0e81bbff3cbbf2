"""Checks that nodes, members and zones make one tree, and finds what stands above every node."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from fmar_spark.domain.coast import is_in_britain
from fmar_spark.domain.fmar import Firmness
from fmar_spark.domain.mpan import has_valid_check_digit
from fmar_spark.domain.network import LEVELS, MOST_KW, DnoCode, Level, is_area_id
from fmar_spark.errors import InputError
from fmar_spark.intake.decimals import parse_decimal
from fmar_spark.intake.network.files import MEMBER_TERMS, NetworkFiles

KNOWN_COLUMNS: Final = ("node_id", "level", "name", "dno_code", "parent_id", "latitude", "longitude")
RANK: Final = {level.value: rank for rank, level in enumerate(LEVELS)}
WORDS: Final = {"standard": ("G98", "G99", "G100"), "firmness": tuple(Firmness)}
INDEPENDENT: Final = "IDNO_"
MOST_SHOWN: Final = 10
MOST_CHARS: Final = 300
"""Of a contradiction in a message."""
ID_WANTED: Final = "an id of at most 100 printable ASCII characters without a slash wanted"


class Topology(NamedTuple):
    """What the files say, checked; frames with one row each."""

    nodes: pd.DataFrame
    """Every current node, those that the lake already had included: ``KNOWN_COLUMNS``."""
    is_new: pd.Series
    """Which of them stand in the file."""
    members: pd.DataFrame
    """mpan_id and node_id of the file, and those of ``MEMBER_TERMS`` that it has."""
    zones: pd.DataFrame
    """zone_id, name and node_id of the file."""


def check_topology(files: NetworkFiles, known: pd.DataFrame, known_members: pd.Series) -> Topology:
    """The files' nodes over those that are known, members and zones.

    Args:
        files: texts as read.
        known: current nodes of the lake, ``KNOWN_COLUMNS``.
        known_members: node_id of every connection that the lake has.

    Raises:
        InputError: names every contradiction by file and line, the first ten in full: nothing of the files may be applied.
    """
    faults: list[str] = []
    nodes = _merge_nodes(files, known, faults)
    faults += _check_tree(nodes)
    members = _check_members(files, nodes, faults)
    zones = _check_zones(files, nodes, pd.concat([members["node_id"], known_members]), faults)
    if faults:
        more = f"; and {len(faults) - MOST_SHOWN:,} more" if len(faults) > MOST_SHOWN else ""
        raise InputError(f"nothing was loaded: {'; '.join(map(_show, faults[:MOST_SHOWN]))}{more}")
    return Topology(nodes[list(KNOWN_COLUMNS)], nodes["line"] > 0, members, zones)


def find_branches(nodes: pd.DataFrame) -> pd.DataFrame:
    """Every node with the nodes above it and itself: ``gsp_id`` .. ``lv_feeder_id``, None where a level is passed over.

    Args:
        nodes: a tree, as ``check_topology`` gives it.
    """
    place = pd.Series(np.arange(len(nodes)), index=nodes["node_id"])
    parent = nodes["parent_id"].map(place).fillna(-1).to_numpy(dtype=np.int64)
    ids = nodes["node_id"].to_numpy(dtype=object)
    rank = nodes["level"].map(RANK).to_numpy(dtype=np.int64)
    branch = np.full((len(nodes), len(LEVELS)), None, dtype=object)
    at = np.arange(len(nodes))
    for _ in LEVELS:
        rows = np.flatnonzero(at >= 0)
        branch[rows, rank[at[rows]]] = ids[at[rows]]
        at = np.where(at >= 0, parent[np.maximum(at, 0)], -1)
    return pd.DataFrame(branch, columns=[f"{level}_id" for level in LEVELS]).assign(node_id=ids, dno_code=nodes["dno_code"].to_numpy())


def _show(fault: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in fault[:MOST_CHARS])


def _merge_nodes(files: NetworkFiles, known: pd.DataFrame, faults: list[str]) -> pd.DataFrame:
    old = known[list(KNOWN_COLUMNS)].assign(line=0).astype({"latitude": np.float64, "longitude": np.float64})
    if files.nodes is None:
        return old.reset_index(drop=True)
    name = files.names["nodes"]
    new = files.nodes.copy()
    new["level"] = new["level"].str.lower()
    for column in ("dno_code", "parent_id"):
        new[column] = new[column].where(new[column] != "", None)
    faults += [f"{name} line {row.line}: {row.node_id or 'no node_id'} {what}" for row, what in _odd_nodes(new)]
    twice = new[new.duplicated("node_id", keep=False)]
    for node_id, rows in twice.groupby("node_id", sort=False):
        faults += _describe_twice(name, str(node_id), rows)
    for axis in ("latitude", "longitude"):
        given = new[axis]
        new[axis] = given.map(parse_decimal).astype(np.float64)
        unread = (new[axis].isna() & (given != "")).to_numpy()
        lines = zip(new.loc[unread, "line"], given[unread], strict=True)
        faults += [f"{name} line {line}: {axis} {text!r} found, a number of degrees wanted" for line, text in lines]
    is_off = (new["latitude"].notna() | new["longitude"].notna()) & ~is_in_britain(
        new["latitude"].to_numpy(np.float64), new["longitude"].to_numpy(np.float64)
    )
    faults += [
        f"{name} line {row.line}: {row.node_id} at latitude {row.latitude:g}, longitude {row.longitude:g} is in the sea or abroad"
        for row in new[is_off].itertuples()
    ]
    kept = new.drop_duplicates("node_id")
    others = old[~old["node_id"].isin(kept["node_id"])]
    return pd.concat([kept, others], ignore_index=True) if len(others) else kept.reset_index(drop=True)


def _odd_nodes(nodes: pd.DataFrame) -> Iterator[tuple[Any, str]]:
    operators = set(DnoCode)
    for row in nodes.itertuples():
        if not row.node_id or not row.name:
            yield row, "has no id or no name"
        elif not is_area_id(str(row.node_id)):
            yield row, f"found, {ID_WANTED}"
        elif row.level not in RANK:
            yield row, f"is of level {row.level!r}, one of {', '.join(LEVELS)} wanted"
        elif row.dno_code and row.dno_code not in operators and not str(row.dno_code).startswith(INDEPENDENT):
            yield row, f"is of operator {row.dno_code!r}, one of {', '.join(DnoCode)} or {INDEPENDENT}... wanted"


def _describe_twice(name: str, node_id: str, rows: pd.DataFrame) -> list[str]:
    lines = " and ".join(str(line) for line in rows["line"])
    if rows["dno_code"].nunique(dropna=False) > 1:
        owners = ", ".join(str(code) for code in rows["dno_code"].unique())
        return [f"{name} lines {lines}: {node_id} is a substation of {owners}; ids unique in Great Britain wanted, such as DNO:{node_id}"]
    if rows["parent_id"].nunique(dropna=False) > 1:
        return [f"{name} lines {lines}: {node_id} has two parents, {' and '.join(str(one) for one in rows['parent_id'].unique())}"]
    same = rows.drop(columns="line").drop_duplicates()
    return [f"{name} lines {lines}: {node_id} is described in two ways"] if len(same) > 1 else []


def _check_tree(nodes: pd.DataFrame) -> list[str]:
    level = nodes.set_index("node_id")["level"].map(RANK)
    above = nodes["parent_id"].map(level)
    own = nodes["level"].map(RANK)
    has_parent = nodes["parent_id"].notna()
    faults = []
    for rows, what in (
        (nodes[has_parent & above.isna() & ~nodes["parent_id"].isin(nodes["node_id"])], "is not a known node"),
        (nodes[has_parent & (nodes["parent_id"] == nodes["node_id"])], "is the node itself"),
    ):
        faults += [f"{row.node_id}: its parent {row.parent_id} {what}" for row in rows.itertuples()]
    loops = _find_loops(nodes)
    faults += [f"{' > '.join(loop)}: nodes that feed each other in a loop" for loop in loops]
    in_loop = {node for loop in loops for node in loop}
    low = nodes[has_parent & (above >= own) & ~nodes["node_id"].isin(in_loop) & (nodes["parent_id"] != nodes["node_id"])]
    faults += [f"{row.node_id}: its parent {row.parent_id} is not of a higher level than {row.level}" for row in low.itertuples()]
    orphans = nodes[~has_parent & (own > RANK[Level.GSP])]
    return faults + [f"{row.node_id}: no parent; only a gsp has none" for row in orphans.itertuples()]


def _find_loops(nodes: pd.DataFrame) -> list[list[str]]:
    parent = dict(zip(nodes["node_id"], nodes["parent_id"], strict=True))
    done: set[str] = set()
    loops = []
    for start in parent:
        trail: dict[str, None] = {}
        at: str | None = start
        while at is not None and at in parent and at not in done and at not in trail:
            trail[at] = None
            at = parent[at]
        if at in trail:
            names = list(trail)
            loop = names[names.index(at) :]
            loops += [[*loop, at]] if len(loop) > 1 else []
        done |= trail.keys()
    return loops


def _check_members(files: NetworkFiles, nodes: pd.DataFrame, faults: list[str]) -> pd.DataFrame:
    if files.members is None:
        return pd.DataFrame({"mpan_id": [], "node_id": []}, dtype=object)
    name = files.names["members"]
    rows = files.members
    is_valid = rows["mpan_id"].map(has_valid_check_digit).astype(bool)
    faults += [
        f"{name} line {row.line}: mpan_id {row.mpan_id!r} found, 13 digits with a right check digit wanted"
        for row in rows[~is_valid].itertuples()
    ]
    unknown = rows[~rows["node_id"].isin(nodes["node_id"])]
    faults += [f"{name} line {row.line}: node {row.node_id!r} is not a known node" for row in unknown.itertuples()]
    terms = [column for column in MEMBER_TERMS if column in rows.columns]
    for column in terms:
        odd = ~rows[column].isin([*WORDS[column], ""]) if column in WORDS else (rows[column] != "") & ~_is_capacity(rows[column])
        wanted = f"one of {', '.join(WORDS[column])}" if column in WORDS else f"a number of kW from 0 to {MOST_KW:,.0f}"
        faults += [
            f"{name} line {line}: {column} {text!r} found, {wanted} wanted" for line, text in rows.loc[odd, ["line", column]].to_numpy()
        ]
    faults += [f"{name} {what}" for what in _describe_repeats(rows, terms)]
    return rows.drop_duplicates("mpan_id")[["mpan_id", "node_id", *terms]].reset_index(drop=True)


def _describe_repeats(rows: pd.DataFrame, terms: list[str]) -> Iterator[str]:
    """Meter points that stand at several nodes, or at one with different terms; the same row again says nothing new."""
    said = rows[["mpan_id", "node_id", "line"]].copy()
    for column in terms:
        said[column] = rows[column] if column in WORDS else rows[column].map(parse_decimal).astype(np.float64)
    once = said.drop_duplicates(["mpan_id", "node_id", *terms])
    twice = once[once.duplicated("mpan_id", keep=False)]
    for mpan_id, two in twice.groupby("mpan_id", sort=False):
        lines = f"lines {' and '.join(map(str, two['line']))}"
        nodes = two["node_id"].unique()
        if len(nodes) > 1:
            yield f"{lines}: one meter point at two nodes, {' and '.join(nodes)}"
            continue
        stated = [f"{column} {' and '.join(rows.loc[two.index, column])}" for column in terms if two[column].nunique(dropna=False) > 1]
        yield f"{lines}: meter point {mpan_id} with different terms, {', '.join(stated)}"


def _is_capacity(texts: pd.Series) -> pd.Series:
    return texts.map(parse_decimal).between(0, MOST_KW)


def _check_zones(files: NetworkFiles, nodes: pd.DataFrame, members: pd.Series, faults: list[str]) -> pd.DataFrame:
    if files.zones is None:
        return pd.DataFrame({"zone_id": [], "name": [], "node_id": []}, dtype=object)
    name = files.names["zones"]
    rows = files.zones
    unknown = rows[~rows["node_id"].isin(nodes["node_id"])]
    faults += [f"{name} line {row.line}: node {row.node_id!r} is not a known node" for row in unknown.itertuples()]
    nameless = rows[(rows["zone_id"] == "") | (rows["name"] == "")]
    faults += [f"{name} line {row.line}: zone_id or name is empty, both wanted" for row in nameless.itertuples()]
    unnamed = rows[(rows["zone_id"] != "") & ~rows["zone_id"].map(is_area_id).astype(bool)]
    faults += [f"{name} line {row.line}: zone {row.zone_id} found, {ID_WANTED}" for row in unnamed.itertuples()]
    fed = _nodes_with_meters(nodes, members)
    for zone_id, of_zone in rows.groupby("zone_id", sort=False):
        if of_zone["name"].nunique() > 1:
            faults.append(f"{name}: zone {zone_id} has two names, {' and '.join(of_zone['name'].unique())}")
        if not of_zone["node_id"].isin(fed).any():
            faults.append(f"{name} line {of_zone['line'].iloc[0]}: zone {zone_id} has no meter points; load its members first or with it")
    return rows[["zone_id", "name", "node_id"]].drop_duplicates(["zone_id", "node_id"]).reset_index(drop=True)


def _nodes_with_meters(nodes: pd.DataFrame, members: pd.Series) -> set[str]:
    parent = dict(zip(nodes["node_id"], nodes["parent_id"], strict=True))
    fed: set[str] = set()
    for start in members.dropna().unique():
        at = start
        while at is not None and at in parent and at not in fed:
            fed.add(at)
            at = parent[at]
    return fed
