"""Reads the files that say how the network is built: nodes, members and zones."""

import re
from pathlib import Path
from typing import Final, NamedTuple

import pandas as pd
import pyarrow.parquet as pq

from fmar_spark.errors import InputError
from fmar_spark.intake.intervals.csv_records import read_csv_blocks, read_heading
from fmar_spark.intake.intervals.rows import RULES, describe_columns, write_fault

NODE_COLUMNS: Final = ("node_id", "level", "name", "dno_code", "parent_id", "latitude", "longitude")
MEMBER_COLUMNS: Final = ("mpan_id", "node_id")
MEMBER_TERMS: Final = ("standard", "firmness", "max_import_kw", "max_export_kw")
"""What a file of members may state of a connection as well: no public register has it of homes."""
ZONE_COLUMNS: Final = ("zone_id", "name", "node_id")
NORTHERN_POWERGRID: Final = (
    "licence",
    "substation name",
    "substation type in forecasting model",
    "bulk supply point (bsp)",
    "grid supply point (gsp)",
)
"""Headings of Northern Powergrid's topology (Data Mill North; Northern Powergrid Open Data Licence)."""
_NOT_IN_ID: Final = re.compile(r"[^!-.0-~ ]")
DNO_OF_LICENCE: Final = {"NPgN": "NPG_NE", "NPgY": "NPG_YK"}


class NetworkFiles(NamedTuple):
    """Texts of the files that were given, one row each, with the ``line`` that it stands on; None = not given."""

    nodes: pd.DataFrame | None
    members: pd.DataFrame | None
    zones: pd.DataFrame | None
    names: dict[str, str]
    """File of each kind, for messages and the tables' source."""


def read_network_files(nodes: Path | None, members: Path | None, zones: Path | None) -> NetworkFiles:
    """The files as text.

    Raises:
        InputError: a file cannot be read or lacks a column.
    """
    given = {kind: path for kind, path in (("nodes", nodes), ("members", members), ("zones", zones)) if path is not None}
    return NetworkFiles(
        read_nodes(nodes) if nodes else None,
        read_texts(members, MEMBER_COLUMNS, MEMBER_TERMS) if members else None,
        read_texts(zones, ZONE_COLUMNS) if zones else None,
        {kind: path.name for kind, path in given.items()},
    )


def read_nodes(path: Path) -> pd.DataFrame:
    """Nodes of a file with ``NODE_COLUMNS``, or of Northern Powergrid's topology, which is recognised by its headings."""
    if path.suffix != ".parquet" and set(NORTHERN_POWERGRID) <= set(read_heading(path).names):
        return convert_northern_powergrid(read_texts(path, NORTHERN_POWERGRID))
    return read_texts(path, NODE_COLUMNS)


def read_texts(path: Path, columns: tuple[str, ...], optional: tuple[str, ...] = ()) -> pd.DataFrame:
    """The named columns as trimmed text, '' where empty, and the line of each row; optional ones where the file has them.

    Raises:
        InputError: it cannot be read, a column is missing, or a row has not as many fields as the header.
    """
    if path.suffix == ".parquet":
        found = pq.read_table(path)
        _require(path, columns, found.column_names)
        wanted = [*columns, *(name for name in optional if name in found.column_names)]
        return _trim(found.select(wanted).to_pandas()).assign(line=range(1, found.num_rows + 1))
    heading = read_heading(path)
    _require(path, columns, heading.names)
    wanted = [*columns, *(name for name in optional if name in heading.names)]
    parts = []
    for block in read_csv_blocks(path, heading, wanted):
        if block.broken:
            line, text, rule = block.broken[0]
            raise InputError(f"{path.name} line {line}: {write_fault(repr(text), RULES[rule])}")
        parts.append(_trim(block.columns.to_pandas()).assign(line=block.line))
    if not parts:
        raise InputError(f"{path.name}: no rows below the header; at least one wanted")
    whole = pd.concat(parts, ignore_index=True)
    has_text = (whole[list(columns)] != "").any(axis=1)
    return whole.loc[has_text].reset_index(drop=True)


def convert_northern_powergrid(rows: pd.DataFrame) -> pd.DataFrame:
    """Nodes of that operator's topology.

    It names substations by name alone, so ids are the licence area, the level and the name, with a hyphen for every character that
    no id may have, as in 132/33KV. A primary whose bulk supply point is named
    like a grid supply point is fed by that directly.
    """
    dno = rows["licence"].map(DNO_OF_LICENCE).fillna(rows["licence"])
    level = rows["substation type in forecasting model"].str.lower()
    bsps = set(zip(dno[level == "bsp"], rows.loc[level == "bsp", "substation name"], strict=True))
    has_bsp = [pair in bsps for pair in zip(dno, rows["bulk supply point (bsp)"], strict=True)]
    above = rows["grid supply point (gsp)"].where(
        ~((level == "primary") & pd.Series(has_bsp, index=rows.index)), rows["bulk supply point (bsp)"]
    )
    kind = pd.Series("gsp", index=rows.index).where(~((level == "primary") & pd.Series(has_bsp, index=rows.index)), "bsp")
    return pd.DataFrame(
        {
            "node_id": _derive_ids(dno + ":" + level + ":" + rows["substation name"]),
            "level": level,
            "name": rows["substation name"],
            "dno_code": dno,
            "parent_id": _derive_ids(dno + ":" + kind + ":" + above).where(level != "gsp", ""),
            "latitude": "",
            "longitude": "",
            "line": rows["line"],
        }
    )


def _derive_ids(texts: pd.Series) -> pd.Series:
    return texts.str.replace(_NOT_IN_ID, "-", regex=True)


def _trim(rows: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({name: rows[name].astype("string").fillna("").astype(object).str.strip() for name in rows.columns})


def _require(path: Path, wanted: tuple[str, ...], found: list[str]) -> None:
    missing = [name for name in wanted if name not in found]
    if missing:
        raise InputError(f"{path.name}: {describe_columns(missing)}; {', '.join(wanted)} wanted, {', '.join(found)} found")
