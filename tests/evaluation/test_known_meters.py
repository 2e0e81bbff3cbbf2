"""Labels from the lake, from files and from simulated fleets: whose they are, and what they say."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from deltalake import DeltaTable
from evaluation_world import HOMES, PLAN, simulate, write_truth

from fmar_spark.domain.assets import ASSET_CLASSES, AssetClass
from fmar_spark.engine.lake_sql import LakeRows
from fmar_spark.errors import ConfigError, InputError
from fmar_spark.evaluation.known_meters import gather_labels, read_plan


@pytest.fixture(scope="module")
def lake(world: Path) -> LakeRows:
    return LakeRows(world)


def test_without_a_file_the_lakes_own_labels_and_the_truth_beside_it_count(lake: LakeRows, world: Path) -> None:
    known = gather_labels(lake, ())
    assert [source.name for source in known.sources] == ["silver.labels", str(world.parent / "landing" / "_truth")]
    assert [source.meters for source in known.sources] == [PLAN.meters - HOMES, PLAN.meters]
    assert known.labels.is_dated.all()
    assert set(known.fleet_of) == set(known.labels.mpan_id)


def test_a_fleet_says_when_its_assets_came_and_what_looks_like_them(lake: LakeRows, world: Path) -> None:
    labels = gather_labels(lake, (world.parent / "landing",)).labels
    fleet = simulate(PLAN)
    row_of = {mpan: row for row, mpan in enumerate(labels.mpan_id)}
    first = np.datetime64(PLAN.first_date).astype(int)
    for number, (meter, asset) in enumerate(zip(fleet.assets.meter, fleet.assets.asset_class, strict=True)):
        row = row_of[fleet.mpan_id[meter]]
        assert labels.has[row, asset] == 1
        slot = fleet.assets.appeared_slot[number]
        found = labels.appeared_day[row, asset]
        assert np.isnan(found) if slot < 0 else found == first + slot // 48
        if ASSET_CLASSES[asset] is AssetClass.BATTERY:
            assert labels.sizes["battery_kwh"][row] == pytest.approx(fleet.assets.storage_kwh[number])
    assert [labels.confusers[row_of[mpan]] for mpan in fleet.mpan_id] == [tuple(names) for names in fleet.confusers]


def test_a_file_names_series_or_meters_and_leaves_empty_what_is_unknown(lake: LakeRows, home_labels: Path, tmp_path: Path) -> None:
    labels = gather_labels(lake, (home_labels,)).labels
    assert labels.name == ["home0", "home1", "home2", "home3"]
    np.testing.assert_array_equal(labels.has[0], [1, np.nan, np.nan, 0, np.nan])
    assert np.isnan(labels.has[2]).all()
    assert not labels.is_dated.any()
    assert labels.confusers == [None] * 4
    assert labels.kind == ["real", "real", "real", "semi-synthetic"]
    by_number = tmp_path / "numbers.csv"
    by_number.write_text(f"mpan_id,has_ev,ev_kw\n{labels.mpan_id[0]},1,7.4\n")
    again = gather_labels(lake, (by_number,)).labels
    assert (again.name, again.mpan_id, again.sizes["ev_kw"].tolist()) == (["home0"], [labels.mpan_id[0]], [7.4])
    assert again.kind == ["imported, origin not stated"]


def test_a_later_source_counts_for_the_meters_that_it_names(lake: LakeRows, world: Path, home_labels: Path) -> None:
    known = gather_labels(lake, (world.parent / "landing", home_labels))
    kinds = dict(zip(known.labels.name, known.labels.kind, strict=True))
    assert (kinds["home0"], kinds["home3"], kinds["home4"]) == ("real", "semi-synthetic", "simulated")
    assert len(known.fleet_of) == PLAN.meters - 4


def test_the_truth_of_another_fleet_is_rejected_though_its_meters_are_numbered_alike(lake: LakeRows, tmp_path: Path) -> None:
    other = PLAN._replace(seed=PLAN.seed + 1)
    fleet = simulate(other)
    mine = LakeRows(lake.root).rows("SELECT DISTINCT mpan_id FROM silver.labels")
    renamed = fleet._replace(mpan_id=[*(row["mpan_id"] for row in mine), *fleet.mpan_id[len(mine) :]])
    write_truth(tmp_path / "_truth", renamed, other)
    with pytest.raises(InputError, match="truth of another fleet"):
        gather_labels(lake, (tmp_path,))


def test_another_fleets_truth_beside_the_lake_is_not_taken_for_its_own(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world, tmp_path / "lake")
    other = PLAN._replace(seed=PLAN.seed + 1)
    write_truth(tmp_path / "landing" / "_truth", simulate(other), other)
    assert [source.name for source in gather_labels(LakeRows(tmp_path / "lake"), ()).sources] == ["silver.labels"]


def test_a_plan_is_read_without_running_what_is_written(world: Path, tmp_path: Path) -> None:
    folder = world.parent / "landing" / "_truth"
    plan = read_plan(folder)
    assert plan == {"seed": 5, "first_date": "2023-01-01", "last_date": "2023-05-31", "mix": PLAN.mix._asdict()}
    assert read_plan(tmp_path) is None
    (tmp_path / "plan.txt").write_text("FleetPlan(seed=__import__('os').getpid()) faults=\n")
    with pytest.raises(InputError, match="cannot be understood"):
        read_plan(tmp_path)


def test_a_file_may_say_when_an_asset_came_and_went(lake: LakeRows, tmp_path: Path) -> None:
    file = tmp_path / "dated.csv"
    file.write_text("series_id,has_ev,has_pv,ev_appeared_date,ev_removed_date\nhome0,1,1,2023-03-04,\nhome1,1,,,2023-05-06\nhome2,0,1,,\n")
    labels = gather_labels(lake, (file,)).labels
    ev, pv = ASSET_CLASSES.index(AssetClass.EV), ASSET_CLASSES.index(AssetClass.SOLAR_PV)
    assert labels.is_dated[:, ev].all()
    assert not labels.is_dated[:, pv].any()
    days = np.array(["2023-03-04", "2023-05-06"], dtype="datetime64[D]").astype(float)
    np.testing.assert_array_equal(labels.appeared_day[:, ev], [days[0], np.nan, np.nan])
    np.testing.assert_array_equal(labels.removed_day[:, ev], [np.nan, days[1], np.nan])


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("2023-13-04,", "dated.csv:2: ev_appeared_date is '2023-13-04', YYYY-MM-DD wanted"),
        ("2023-03-04 or so,", "dated.csv:2: ev_appeared_date is '2023-03-04 or so', YYYY-MM-DD wanted"),
        ("2023-03-04,2023-03-04", "dated.csv:2: ev_removed_date is 2023-03-04, a later day than ev_appeared_date"),
    ],
)
def test_a_wrong_date_is_named_by_line(lake: LakeRows, tmp_path: Path, given: str, complaint: str) -> None:
    file = tmp_path / "dated.csv"
    file.write_text(f"series_id,has_ev,ev_appeared_date,ev_removed_date\nhome0,1,{given}\n")
    with pytest.raises(ConfigError, match=complaint):
        gather_labels(lake, (file,))


def test_a_meter_that_does_not_pass_the_consent_check_is_not_scored(world: Path, home_labels: Path, tmp_path: Path) -> None:
    shutil.copytree(world, tmp_path / "lake")
    points = DeltaTable(str(tmp_path / "lake" / "silver" / "meter_points"))
    home = LakeRows(world).rows("SELECT mpan_id FROM silver.series WHERE series_id = 'home0'")[0]["mpan_id"]
    points.update({"is_energised": "false"}, predicate=f"mpan_id = '{home}'")
    known = gather_labels(LakeRows(tmp_path / "lake"), (home_labels,))
    assert known.labels.name == ["home1", "home2", "home3"]
    assert [(source.meters, source.unknown, source.withheld) for source in known.sources] == [(4, 1, 1)]
