"""Files of the network: what they contradict is named, and nothing of them is taken."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fmar_spark.domain.coast import is_in_britain
from fmar_spark.domain.gsp_groups import GSP_GROUPS
from fmar_spark.domain.network import is_area_id
from fmar_spark.errors import InputError
from fmar_spark.intake.network.files import read_network_files
from fmar_spark.intake.network.topology import KNOWN_COLUMNS, Topology, check_topology, find_branches
from fmar_spark.simulate.network import write_network

HEADER = "node_id,level,name,dno_code,parent_id,latitude,longitude"
GSP = "G,gsp,Grid,NPG_NE,,54.9,-1.6"
PRIMARY = "P,primary,Prime,NPG_NE,G,54.9,-1.6"
NONE_KNOWN = pd.DataFrame(columns=list(KNOWN_COLUMNS), dtype=object)
NO_MEMBERS = pd.Series([], dtype=object)


def check(folder: Path, nodes: list[str], members: str = "", zones: str = "", known: pd.DataFrame = NONE_KNOWN) -> Topology:
    """The topology of some lines."""
    contents = {
        "nodes": "\n".join([HEADER, *nodes]) if nodes else "",
        "members": f"mpan_id,node_id\n{members}" if members else "",
        "zones": f"zone_id,name,node_id\n{zones}" if zones else "",
    }
    paths: dict[str, Path | None] = {}
    for kind, text in contents.items():
        paths[kind] = folder / f"{kind}.csv" if text else None
        if text:
            (folder / f"{kind}.csv").write_text(text, encoding="utf-8")
    return check_topology(read_network_files(paths["nodes"], paths["members"], paths["zones"]), known, NO_MEMBERS)


def test_a_branch_names_the_node_of_every_level_above(tmp_path: Path) -> None:
    topology = check(tmp_path, [GSP, "B,bsp,Bulk,NPG_NE,G,,", "P,primary,Prime,NPG_NE,B,,", "L,lv_feeder,Street,NPG_NE,P,,"])
    branch = find_branches(topology.nodes).set_index("node_id").loc["L"]
    assert branch[["gsp_id", "bsp_id", "primary_id", "lv_feeder_id"]].tolist() == ["G", "B", "P", "L"]
    assert branch[["hv_feeder_id", "secondary_id"]].isna().all()


CONTRADICTIONS = {
    "a loop": ([GSP, "A,primary,a,NPG_NE,B,,", "B,bsp,b,NPG_NE,A,,"], "", "", "in a loop"),
    "two parents": (
        [GSP, "H,gsp,h,NPG_NE,,,", PRIMARY, "P,primary,Prime,NPG_NE,H,54.9,-1.6"],
        "",
        "",
        r"lines 4 and 5: P has two parents, G and H",
    ),
    "an unknown parent": (["P,primary,p,NPG_NE,X,,"], "", "", "P: its parent X is not a known node"),
    "one id in two DNOs": ([GSP, "G,gsp,Grid,NPG_YK,,,"], "", "", r"G is a substation of NPG_NE, NPG_YK; .* such as DNO:G"),
    "a parent below": ([GSP, PRIMARY, "B,bsp,b,NPG_NE,P,,"], "", "", "not of a higher level than bsp"),
    "no parent": (["P,primary,p,NPG_NE,,,"], "", "", "only a gsp has none"),
    "the sea": (["G,gsp,Grid,NPG_NE,,56.0,1.5"], "", "", r"line 2: G at latitude 56, longitude 1.5 is in the sea"),
    "an unknown level": (["G,substation,Grid,NPG_NE,,,"], "", "", "of level 'substation'"),
    "an unknown operator": (["G,gsp,Grid,XX,,,"], "", "", "of operator 'XX'"),
    "a node that is not there": ([GSP], "2000056535971,Z", "", "members.csv line 2: node 'Z' is not a known node"),
    "no MPAN": ([GSP], "2.00006E+12,G", "", "mpan_id '2.00006E.12' found, 13 digits"),
    "a meter at two nodes": ([GSP, PRIMARY], "2000056535971,G\n2000056535971,P", "", "one meter point at two nodes, G and P"),
    "an id with a slash": (["A/B,gsp,Grid,NPG_NE,,,"], "", "", "nodes.csv line 2: A/B found, an id of at most 100 printable ASCII"),
    "an id with an accent": (["\u0177,gsp,Grid,NPG_NE,,,"], "", "", "nodes.csv line 2: \u0177 found, an id of"),
    "an id that is too long": ([GSP, f"{'L' * 101},gsp,Grid,NPG_NE,,,"], "", "", "nodes.csv line 3: L{101} found, an id of"),
    "an id with a line break": (['"A\nB",gsp,Grid,NPG_NE,,,'], "", "", "nodes.csv line 2: A.B found, an id of"),
    "an id with NUL": (["A\0B,gsp,Grid,NPG_NE,,,"], "", "", "nodes.csv line 2: A.B found, an id of"),
    "an id that a path resolves": (["..,gsp,Grid,NPG_NE,,,"], "", "", r"nodes.csv line 2: \.\. found, an id of"),
    "a zone with a slash": ([GSP], "2000056535971,G", "Z/1,Zone,G", "zones.csv line 2: zone Z/1 found, an id of"),
    "a latitude in words": (["G,gsp,Grid,NPG_NE,,54.9N,-1.6"], "", "", "line 2: latitude '54.9N' found, a number of degrees"),
    "an infinite longitude": (["G,gsp,Grid,NPG_NE,,54.9,inf"], "", "", "line 2: longitude 'inf' found, a number of degrees"),
    "a zone of no meters": ([GSP, PRIMARY], "2000056535971,G", "Z,Zone,P", "zone Z has no meter points"),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_contradiction_is_named_and_nothing_is_loaded(name: str, tmp_path: Path) -> None:
    nodes, members, zones, said = CONTRADICTIONS[name]
    with pytest.raises(InputError, match=rf"^nothing was loaded: .*{said}"):
        check(tmp_path, nodes, members, zones)


def test_nodes_that_are_known_may_be_parents_and_are_replaced_by_what_the_file_says(tmp_path: Path) -> None:
    known = check(tmp_path, [GSP, PRIMARY]).nodes
    topology = check(tmp_path, ["H,gsp,Other,NPG_NE,,,", "P,primary,Prime,NPG_NE,H,,"], "2000056535971,P", "Z,Zone,P", known)
    assert sorted(topology.nodes["node_id"]) == ["G", "H", "P"]
    assert topology.nodes.set_index("node_id").loc["P", "parent_id"] == "H"
    assert topology.nodes.loc[topology.is_new, "node_id"].tolist() == ["H", "P"]


def test_members_may_state_the_terms_of_their_connection(tmp_path: Path) -> None:
    (tmp_path / "nodes.csv").write_text(f"{HEADER}\n{GSP}\n", encoding="utf-8")
    rows = "mpan_id,node_id,standard,max_export_kw\n2000056535971,G,G98,3.68\n"
    (tmp_path / "members.csv").write_text(rows, encoding="utf-8")
    files = read_network_files(tmp_path / "nodes.csv", tmp_path / "members.csv", None)
    assert check_topology(files, NONE_KNOWN, NO_MEMBERS).members.loc[0, ["standard", "max_export_kw"]].tolist() == ["G98", "3.68"]
    (tmp_path / "members.csv").write_text(rows.replace("G98", "G97").replace("3.68", "-1"), encoding="utf-8")
    files = read_network_files(tmp_path / "nodes.csv", tmp_path / "members.csv", None)
    with pytest.raises(InputError, match=r"line 2: standard 'G97' found.*line 2: max_export_kw '-1' found, a number of kW"):
        check_topology(files, NONE_KNOWN, NO_MEMBERS)


def read_members(folder: Path, *rows: str) -> pd.DataFrame:
    """The members that some lines with an import limit make, at one node."""
    (folder / "nodes.csv").write_text(f"{HEADER}\n{GSP}\n", encoding="utf-8")
    (folder / "members.csv").write_text("\n".join(["mpan_id,node_id,max_import_kw", *rows, ""]), encoding="utf-8")
    return check_topology(read_network_files(folder / "nodes.csv", folder / "members.csv", None), NONE_KNOWN, NO_MEMBERS).members


@pytest.mark.parametrize("text", ["inf", "Infinity", "1_0", "nan", "1e10", "\u0661"])
def test_a_limit_that_is_no_finite_decimal_number_is_rejected_by_line(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"members.csv line 2: max_import_kw '{text}' found, a number of kW from 0 to 1,000,000,000"):
        read_members(tmp_path, f"2000056535971,G,{text}")


def test_a_meter_point_with_different_terms_is_a_contradiction_and_the_same_row_again_is_none(tmp_path: Path) -> None:
    same = read_members(tmp_path, "2000056535971,G,5", "2000056535971,G,5.0")
    assert same.to_numpy().tolist() == [["2000056535971", "G", "5"]]
    said = "members.csv lines 2 and 3: meter point 2000056535971 with different terms, max_import_kw 5 and 9"
    with pytest.raises(InputError, match=said):
        read_members(tmp_path, "2000056535971,G,5", "2000056535971,G,9")
    with pytest.raises(InputError, match="lines 2 and 3: meter point 2000056535971 with different terms"):
        read_members(tmp_path, "2000056535971,G,5", "2000056535971,G,")


def test_northern_powergrid_s_topology_is_recognised_by_its_headings(tmp_path: Path) -> None:
    (tmp_path / "npg.csv").write_text(
        "Licence,Substation Name,Substation Type in Forecasting Model,Distribution Information,Bulk Supply point (BSP),"
        "Grid Supply Point (GSP),GSP ID\nNPgN,NORTON,GSP,x,NORTON,NORTON,N1\nNPgN,OLD TOWN,BSP,x,OLD TOWN,NORTON,N1\n"
        "NPgN,ACK,Primary,x,OLD TOWN,NORTON,N1\nNPgN,HART,Primary,x,NORTON,NORTON,N1\n"
        "NPgN,DON B/TH 132/33KV,BSP,x,DON B/TH 132/33KV,NORTON,N1\nNPgN,ELM 33/11KV,Primary,x,DON B/TH 132/33KV,NORTON,N1\n",
        encoding="utf-8-sig",
    )
    topology = check_topology(read_network_files(tmp_path / "npg.csv", None, None), NONE_KNOWN, NO_MEMBERS)
    parents = dict(zip(topology.nodes["name"], topology.nodes["parent_id"], strict=True))
    assert parents["ACK"] == "NPG_NE:bsp:OLD TOWN"
    assert parents["HART"] == "NPG_NE:gsp:NORTON"
    assert parents["ELM 33/11KV"] == "NPG_NE:bsp:DON B-TH 132-33KV"
    assert topology.nodes["node_id"].map(is_area_id).all()


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "nodes.csv").write_text("node_id,level\nG,gsp\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"^nodes.csv: columns name, dno_code, parent_id, latitude, longitude are missing"):
        read_network_files(tmp_path / "nodes.csv", None, None)


def test_every_settlement_area_is_on_land_and_the_north_sea_is_not() -> None:
    north = np.array([*(group.latitude for group in GSP_GROUPS), 60.15, 58.2, 49.92, 56.0, 50.2, 0.0, np.nan])
    east = np.array([*(group.longitude for group in GSP_GROUPS), -1.15, -6.4, -6.3, 1.0, -1.0, 0.0, 0.0])
    assert is_in_britain(north, east).tolist() == [True] * (len(GSP_GROUPS) + 3) + [False] * 4


def test_the_simulated_fleet_stands_on_a_network_without_contradictions(tmp_path: Path) -> None:
    meters = [("2000056535971", "_H"), ("1900012374324", "_J"), ("1200023305967", "_C")]
    files = write_network([(mpan, group.gsp_group_id) for group in GSP_GROUPS for mpan, _ in meters[:1]] + meters[1:])
    assert files == write_network([*meters[1:], *[(meters[0][0], group.gsp_group_id) for group in GSP_GROUPS]])
    (tmp_path / "nodes.csv").write_text(files["nodes.csv"], encoding="utf-8")
    topology = check_topology(read_network_files(tmp_path / "nodes.csv", None, None), NONE_KNOWN, NO_MEMBERS)
    assert topology.nodes["level"].nunique() == 6
