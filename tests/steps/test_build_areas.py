"""From a network's files to what each audience may read, on one small lake."""

import uuid
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from areas_world import DAY, METERS, NODES, UNLAWFUL, fill_lake, write_files
from lake_rows import add_rows, read_frame, replace_rows
from pyspark.sql import SparkSession

from fmar_spark.contracts.audiences import (
    AREA_AVAILABILITY,
    AREA_CAPABILITY,
    AREAS,
    ENVELOPES,
    FMAR_ASSETS,
    PUBLISHED_MEASURES,
    SYSTEM_HEALTH,
)
from fmar_spark.contracts.capability import ASSET_DETECTIONS
from fmar_spark.contracts.network import CONNECTIONS, NETWORK_NODES
from fmar_spark.contracts.operations import QUARANTINE
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.engine.runs import Run, start_run
from fmar_spark.engine.store import TableStore
from fmar_spark.errors import InputError
from fmar_spark.intake.network.ecr import read_register
from fmar_spark.intake.network.files import read_network_files
from fmar_spark.profiling.health_measures import COMPLEMENTS, OF_AREAS
from fmar_spark.settings.sections import AreaSettings
from fmar_spark.steps import build_areas, build_records, build_system_health, load_network
from fmar_spark.transforms.fmar_assets import NAMESPACE

Frame = pd.DataFrame


def start(day: date = DAY) -> Run:
    """A run of that day."""
    return start_run("test", day, "")


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> TableStore:
    """The network loaded, and the tables of every audience built."""
    folder = tmp_path_factory.mktemp("areas")
    store = fill_lake(spark, folder / "lake")
    files = write_files(folder)
    load_network.run(store, start(), load_network.Order(read_network_files(files["nodes"], files["members"], files["zones"])))
    build_areas.run(store, start(), AreaSettings())
    build_records.run(store, start())
    build_system_health.run(store, start(), AreaSettings())
    return store


def test_areas_have_quantiles_of_what_their_assets_do_together(lake: TableStore) -> None:
    found = read_frame(lake, AREA_CAPABILITY).set_index(["area_level", "area_id"])
    whole = found.loc[("gb", "GB")]
    assert whole["meters"] == 45
    assert (whole["busiest_season"], whole["busiest_slot"]) == ("winter", 46)
    assert whole["kw_p10"] < whole["kw_p50"] < whole["kw_p90"] < whole["installed_kw_p50"]
    assert whole["kw_p50"] == pytest.approx(44 * 0.95 * 0.5 * 7.0, rel=0.05)
    assert whole["share_high_tier"] == 1.0
    times = read_frame(lake, AREA_AVAILABILITY)
    at_peak = times[(times["area_id"] == "GB") & (times["slot"] == 46)]
    assert len(at_peak) == 7
    assert set(at_peak["season"]) == {"winter"}


def test_a_small_area_and_the_one_that_would_give_it_away_are_withheld(lake: TableStore) -> None:
    found = read_frame(lake, AREA_CAPABILITY).set_index("area_id")
    assert found.loc["P3", "suppression_reason"] == "few_meters"
    assert found.loc["P2", "suppression_reason"] == "protects_others"
    assert found.loc["Z1", "suppression_reason"] == "protects_others"
    assert found.loc[["P2", "P3"], ["meters", "kw_p50", "share_unanswered"]].isna().all(axis=None)
    assert set(read_frame(lake, AREA_AVAILABILITY)["area_id"]) == set(found.index[~found["is_suppressed"]])


def test_areas_lead_down_from_the_whole_to_a_primary(lake: TableStore) -> None:
    found = read_frame(lake, AREAS).set_index("area_id")
    chain, at = [], "P1"
    while isinstance(at, str):
        chain.append(at)
        at = found.loc[at, "parent_id"]
    assert chain == ["P1", "G1", "_F", "GB"]


def test_a_household_without_a_legal_basis_is_nowhere(lake: TableStore) -> None:
    assert UNLAWFUL not in set(read_frame(lake, FMAR_ASSETS)["mpan_id"])
    assert len(read_frame(lake, FMAR_ASSETS)) == len(read_frame(lake, ENVELOPES)) / 2 == 44


def test_a_record_says_of_every_attribute_where_it_comes_from(lake: TableStore) -> None:
    row = read_frame(lake, FMAR_ASSETS).set_index("mpan_id").loc[METERS[1]]
    assert row["asset_id"] == str(uuid.uuid5(NAMESPACE, f"{METERS[1]}|ev|2023-06-01"))
    assert (row["rated_capacity_kw"], row["rated_capacity_kw_source"], row["rated_capacity_kw_lower"]) == (7.0, "meter", 6.5)
    assert (row["asset_category"], row["demand_tech_type"], row["dno_code"]) == ("EV_CHARGER", "EV", "NPG_NE")
    assert (row["connection_status"], row["connection_status_source"]) == ("CONNECTED", "network")
    assert set(row[["manufacturer_source", "organisation_id_source", "gen_capacity_kw_source"]]) == {"unknown"}
    assert row["primary_id"] == "P1"


def test_health_withholds_small_counts_and_rounds_the_others(lake: TableStore) -> None:
    found = read_frame(lake, SYSTEM_HEALTH).set_index(["metric", "asset_class", "gsp_group_id"])
    assert found.loc[("connections_detected", "ev", ""), "value"] == 45.0
    assert found.loc[("share_high_tier", "ev", ""), "value"] == 1.0
    assert found.loc[("connections_known", "", ""), "value"] % 10 == 0
    assert (found["value"].isna() == found["is_suppressed"]).all()


def test_health_is_what_is_published_of_areas_and_nothing_more(lake: TableStore) -> None:
    areas = read_frame(lake, AREA_CAPABILITY).query("area_level in ('gb', 'gsp_group')").replace({"area_id": {"GB": ""}})
    areas = areas.set_index(["area_id", "asset_class"]).sort_index()
    found = read_frame(lake, SYSTEM_HEALTH).query("asset_class != ''").set_index(["gsp_group_id", "asset_class", "metric"]).sort_index()
    assert len(found) == len(areas) * len(OF_AREAS) > 0
    for metric, column, *_ in OF_AREAS:
        values = found["value"].xs(metric, level="metric")
        wanted = 1.0 - areas[column] if metric in COMPLEMENTS else areas[column].astype(float)
        pd.testing.assert_series_equal(values, wanted, check_names=False)
        assert (values.isna() >= areas["is_suppressed"]).all()


def test_health_says_how_it_differs_from_what_was_published_a_quarter_ago(lake: TableStore) -> None:
    published = read_frame(lake, PUBLISHED_MEASURES)
    early = published.assign(as_of_date=published["as_of_date"] - timedelta(days=91), value=published["value"] - 5)
    add_rows(lake, PUBLISHED_MEASURES, pa.Table.from_pandas(early, arrow_schema(PUBLISHED_MEASURES), preserve_index=False))
    build_system_health.run(lake, start(), AreaSettings())
    found = read_frame(lake, SYSTEM_HEALTH).query("gsp_group_id == ''").set_index("metric")
    assert found.loc["connections_detected_change_90_days", "value"] == 5.0
    assert "connections_detected_change_365_days" not in found.index
    assert len(read_frame(lake, PUBLISHED_MEASURES)) == 2 * len(published)


def test_an_asset_keeps_its_id_and_one_that_left_keeps_its_record(lake: TableStore) -> None:
    before = read_frame(lake, FMAR_ASSETS).set_index("mpan_id")["asset_id"]
    detections = read_frame(lake, ASSET_DETECTIONS)
    gone, unanswered = METERS[2:4]
    detections.loc[detections["mpan_id"] == gone, "is_present"] = False
    detections.loc[detections["mpan_id"] == unanswered, ["is_present", "tier"]] = None
    detections["appeared_date"] = date(2023, 7, 1)
    replace_rows(lake, ASSET_DETECTIONS, pa.Table.from_pandas(detections, arrow_schema(ASSET_DETECTIONS), preserve_index=False))
    build_records.run(lake, start())
    after = read_frame(lake, FMAR_ASSETS).set_index("mpan_id")
    assert after["asset_id"].to_dict() == before.to_dict()
    assert not after.loc[gone, "is_present"]
    assert after.loc[gone, "connection_status"] == "DISCONNECTED"
    assert not after.loc[unanswered, "is_present"]
    assert after.loc[unanswered, "connection_status"] == "CONNECTED"
    assert after.loc[unanswered, ["tier", "evidence"]].isna().all()


def test_a_moved_node_keeps_its_history_and_the_same_files_change_nothing(lake: TableStore, tmp_path: Path) -> None:
    files = write_files(tmp_path)
    again = load_network.run(lake, start(), load_network.Order(read_network_files(files["nodes"], files["members"], files["zones"])))
    assert again.counts["changed_rows"] == 0
    moved = NODES.replace("P3,primary,Three,NPG_NE,G1", "G2,gsp,Other,NPG_NE,,,\nP3,primary,Three,NPG_NE,G2")
    files["nodes"].write_text(moved, encoding="utf-8")
    load_network.run(lake, start(date(2024, 4, 1)), load_network.Order(read_network_files(files["nodes"], None, None)))
    nodes = read_frame(lake, NETWORK_NODES)
    history = nodes.loc[nodes["node_id"] == "P3", ["parent_id", "valid_from_date", "valid_to_date"]].to_numpy().tolist()
    assert history == [["G1", DAY, date(2024, 4, 1)], ["G2", date(2024, 4, 1), None]]
    places = read_frame(lake, CONNECTIONS)
    assert places.loc[places["mpan_id"] == METERS[50], "gsp_id"].tolist() == ["G1", "G2"]
    assert places.loc[places["mpan_id"] == METERS[0], "gsp_id"].tolist() == ["G1"]


def test_nothing_is_written_of_files_that_contradict_the_lake(lake: TableStore, tmp_path: Path) -> None:
    (tmp_path / "nodes.csv").write_text(NODES.replace("P3,primary,Three,NPG_NE,G1", "P3,primary,Three,NPG_NE,P2"), encoding="utf-8")
    version = lake.version(NETWORK_NODES)
    with pytest.raises(InputError, match="P3: its parent P2 is not of a higher level"):
        load_network.run(lake, start(), load_network.Order(read_network_files(tmp_path / "nodes.csv", None, None)))
    assert lake.version(NETWORK_NODES) == version


def test_a_register_states_the_terms_of_connections_and_its_bad_rows_are_kept(lake: TableStore, tmp_path: Path) -> None:
    headings = "Export MPAN / MSID,Import MPAN / MSID,Customer Name,Postcode,Country,Eastings,Licence Area,Grid Supply Point,Primary,"
    headings += "Energy Source 1,Connection Status,Maximum Export Capacity (MW),Maximum Import Capacity (MW),Flexible Connection (Yes/No)\n"
    rows = f",{METERS[0]},x,,,,,,,Solar,Connected,0.1,0.2,No\n,2.00006E+12,x,,,,,,,Solar,Connected,0.1,0.2,No\n"
    (tmp_path / "ecr.csv").write_text(headings + rows, encoding="utf-8")
    stated = load_network.StatedTerms(read_register(tmp_path / "ecr.csv"), "ecr.csv", "NPG_NE")
    written = load_network.run(lake, start(date(2024, 5, 1)), load_network.Order(read_network_files(None, None, None), stated))
    assert (written.counts["register_rows"], written.counts["register_parsed"], written.rows_quarantined) == (2, 1, 1)
    row: Any = read_frame(lake, CONNECTIONS).query(f"mpan_id == '{METERS[0]}'").iloc[-1]
    assert (row["max_export_kw"], row["firmness"], row["primary_id"], row["ecr_source"]) == (100.0, "FIRM", "P1", "ecr.csv line 2")
    assert read_frame(lake, QUARANTINE)["rule"].tolist() == ["mpan_scientific"]
