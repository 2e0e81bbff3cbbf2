"""The simulated fleet as a whole."""

import ast
from datetime import date
from pathlib import Path

import numpy as np
import pytest

import fmar_spark
from fmar_spark.domain.mpan import GSP_GROUP_OF_DISTRIBUTOR, has_valid_check_digit
from fmar_spark.simulate.fleet import Fleet, join_fleets, simulate_chunks, simulate_fleet
from fmar_spark.simulate.plan import BLOCK_METERS, FleetPlan, mix_from

PACKAGE = Path(fmar_spark.__file__).parent
SHORT = FleetPlan(BLOCK_METERS + 6, date(2023, 1, 1), date(2023, 1, 14), seed=3)


def assert_same(found: Fleet, wanted: Fleet) -> None:
    for name in Fleet._fields:
        left, right = getattr(found, name), getattr(wanted, name)
        if name in {"confusers", "behaviours"}:
            assert left == right
        elif isinstance(left, tuple):
            for one, other in zip(left, right, strict=True):
                np.testing.assert_array_equal(one, other, err_msg=name)
        else:
            np.testing.assert_array_equal(left, right, err_msg=name)


@pytest.fixture(scope="module")
def short_fleet() -> Fleet:
    return simulate_fleet(SHORT)


def test_the_same_plan_gives_the_same_fleet(short_fleet: Fleet) -> None:
    assert_same(simulate_fleet(SHORT), short_fleet)


def test_the_fleet_is_its_blocks_one_after_the_other(short_fleet: Fleet) -> None:
    chunks = list(simulate_chunks(SHORT))
    assert [len(chunk.mpan_id) for chunk in chunks] == [BLOCK_METERS, 6]
    assert_same(join_fleets(chunks), short_fleet)


def test_more_meters_leave_whole_blocks_as_they_were(short_fleet: Fleet) -> None:
    fewer = simulate_fleet(SHORT._replace(meters=BLOCK_METERS))
    np.testing.assert_array_equal(fewer.import_kwh, short_fleet.import_kwh[:BLOCK_METERS])
    assert fewer.mpan_id == short_fleet.mpan_id[:BLOCK_METERS]


def test_another_seed_gives_another_fleet(short_fleet: Fleet) -> None:
    other = simulate_fleet(SHORT._replace(seed=4, meters=BLOCK_METERS))
    same = other.import_kwh == short_fleet.import_kwh[:BLOCK_METERS]
    assert (same & (other.import_kwh > 0)).mean() < 0.05


def test_a_share_of_one_asset_leaves_the_other_meters_readings_alone() -> None:
    plan = SHORT._replace(
        meters=30, mix=mix_from({"home_heat_pump": 0.0, "business_heat_pump": 0.0, "home_battery": 0.0, "business_battery": 0.0})
    )
    without, having = (simulate_fleet(plan._replace(mix=plan.mix._replace(home_heat_pump=share))) for share in (0.0, 0.5))
    changed = np.unique(having.assets.meter[having.assets.asset_class == 1])
    same = np.setdiff1d(np.arange(30), changed)
    assert 0 < changed.size < 30
    np.testing.assert_array_equal(having.import_kwh[same], without.import_kwh[same])


def test_every_mpan_is_valid_and_given_once_and_lies_in_its_own_area(short_fleet: Fleet) -> None:
    exports = [mpan for mpan in short_fleet.export_mpan_id if mpan]
    everyone = short_fleet.mpan_id + exports
    assert len(exports) > 10
    assert all(map(has_valid_check_digit, everyone))
    assert len(set(everyone)) == len(everyone)
    for mpan, group in zip(short_fleet.mpan_id, short_fleet.gsp_group, strict=True):
        assert GSP_GROUP_OF_DISTRIBUTOR[mpan[:2]] == group


def test_a_meter_has_an_export_mpan_exactly_where_export_is_read(short_fleet: Fleet) -> None:
    is_read = ~np.isnan(short_fleet.export_kwh).all(axis=1)
    assert is_read.tolist() == [bool(mpan) for mpan in short_fleet.export_mpan_id]


def test_readings_are_never_negative_and_of_the_plans_length(fleet: Fleet, plan: FleetPlan) -> None:
    for kwh in (fleet.import_kwh, fleet.export_kwh):
        assert kwh.shape == (plan.meters, plan.slots)
        assert kwh.dtype == np.float32
        assert (kwh[~np.isnan(kwh)] >= 0).all()


def test_homes_use_what_homes_use_and_businesses_range_wider() -> None:
    plan = FleetPlan(128, date(2023, 4, 1), date(2023, 4, 30), seed=2, mix=mix_from({"plain": 1.0, "unread": 0.0}))
    fleet = simulate_fleet(plan)
    day_kwh = fleet.import_kwh.sum(axis=1) / plan.days
    homes, firms = day_kwh[fleet.is_domestic], day_kwh[~fleet.is_domestic]
    assert 4 < np.median(homes) < 12
    assert np.quantile(firms, 0.9) / np.quantile(firms, 0.1) > 10


def imported_modules(path: Path) -> set[str]:
    """Modules of the package that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.startswith("fmar_spark")}


def reach(folder: str) -> set[str]:
    """Every module that the modules of a folder import, directly or through others."""
    seen: set[str] = set()
    waiting = {f"fmar_spark.{folder}.{path.stem}" for path in (PACKAGE / folder).glob("*.py") if path.stem != "__init__"}
    while waiting:
        name = waiting.pop()
        path = PACKAGE.parent / (name.replace(".", "/") + ".py")
        if name not in seen and path.is_file():
            seen.add(name)
            waiting |= imported_modules(path)
    return seen


@pytest.mark.parametrize(("mine", "other"), [("simulate", "kernels"), ("kernels", "simulate")])
def test_simulation_and_kernels_share_no_code_even_through_others(mine: str, other: str) -> None:
    reached = reach(mine)
    assert any(name.startswith(f"fmar_spark.{mine}.") for name in reached)
    assert not {name for name in reached if name.startswith(f"fmar_spark.{other}.")}
