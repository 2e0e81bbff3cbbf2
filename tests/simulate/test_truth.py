"""What is known of simulated meters because they were made that way."""

import numpy as np
import pytest

from fmar_spark.domain.assets import ASSET_CLASSES, AssetClass
from fmar_spark.simulate.fleet import Fleet, simulate_fleet
from fmar_spark.simulate.plan import FleetPlan, Floats, Mix, mix_from
from fmar_spark.simulate.population import Life
from fmar_spark.simulate.truth import TrueEvents, find_runs, list_assets, typical_held_back_kw

BARE = dict.fromkeys(Mix._fields, 0.0) | {"domestic": 1.0}
IMMERSION_KW = 3.2
"""What a pump's own immersion heater adds to it."""
BELOW_THE_FLOOR = {AssetClass.EV: 0.005, AssetClass.HEAT_PUMP: 0.06, AssetClass.SOLAR_PV: 0.005, AssetClass.BATTERY: 0.17}
"""Share of each class's energy that is too faint to count as an episode: standby, and batteries that follow small loads."""


def test_runs_agree_with_a_naive_loop() -> None:
    rng = np.random.default_rng(1)
    power_kw = np.where(rng.random((4, 60)) < 0.4, rng.random((4, 60)), 0.0).astype(np.float32)
    floor_kw = np.array([0.0, 0.3, 0.9, 2.0])
    found = find_runs(power_kw, floor_kw, AssetClass.BATTERY, False)
    wanted = []
    for meter in range(4):
        slot = 0
        while slot < 60:
            end = slot
            while end < 60 and power_kw[meter, end] > floor_kw[meter]:
                end += 1
            if end > slot:
                run = power_kw[meter, slot:end].astype(np.float64)
                wanted.append((meter, slot, end, pytest.approx(run.sum() / 2), run.max()))
            slot = end + 1
    columns = (found.meter, found.start_slot, found.end_slot, found.energy_kwh, found.peak_kw)
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == wanted
    assert set(found.asset_class.tolist()) == {ASSET_CLASSES.index(AssetClass.BATTERY)}
    assert not found.is_import.any()


@pytest.mark.parametrize("power_kw", [np.zeros((0, 9)), np.zeros((3, 9))])
def test_nothing_running_has_no_run(power_kw: Floats) -> None:
    assert all(column.size == 0 for column in find_runs(power_kw, np.zeros(len(power_kw)), AssetClass.EV, True))


def test_assets_state_their_last_size_and_only_dates_inside_the_plan() -> None:
    life = Life(
        is_ever=np.array([True, False, True]),
        from_slot=np.array([0, 0, 100]),
        to_slot=np.array([900, 1000, 1000]),
        upgrade_slot=np.array([1000, 1000, 500]),
        size_kw=np.array([3.0, 9.0, 4.0]),
        size_after_kw=np.array([3.0, 9.0, 6.0]),
    )
    found = list_assets(AssetClass.BATTERY, life, 1000, ["a", "b", "c"], (np.full(3, np.nan), np.array([5.0, 6.0, 8.0])))
    assert (found.meter.tolist(), found.kind) == ([0, 2], ["a", "c"])
    assert (found.size_kw.tolist(), found.storage_kwh.tolist()) == ([3.0, 6.0], [5.0, 12.0])
    np.testing.assert_array_equal(found.size_before_kw, [np.nan, 4.0])
    assert (found.appeared_slot.tolist(), found.removed_slot.tolist(), found.upgraded_slot.tolist()) == ([-1, 100], [900, -1], [-1, 500])


def test_the_typical_depth_of_responses_is_the_median_and_unknown_without_any() -> None:
    none = np.zeros(4, dtype=np.int64)
    events = TrueEvents(np.array([2, 0, 2, 2]), none, none, none, none * 1.0, np.array([5.0, 1.0, 3.0, 9.0]), none)
    np.testing.assert_array_equal(typical_held_back_kw(events, 4), [1.0, np.nan, 5.0, np.nan])


def test_events_lie_within_the_life_of_their_asset_and_never_pass_its_size(plan: FleetPlan, fleet: Fleet) -> None:
    assets, events = fleet.assets, fleet.events
    row_of = {(meter, kind): row for row, (meter, kind) in enumerate(zip(assets.meter, assets.asset_class, strict=True))}
    rows = np.array([row_of[key] for key in zip(events.meter, events.asset_class, strict=True)])
    assert set(events.asset_class.tolist()) == set(range(5))
    begins = np.maximum(assets.appeared_slot[rows], 0)
    ends = np.where(assets.removed_slot[rows] < 0, plan.slots, assets.removed_slot[rows])
    assert (events.start_slot >= begins).all()
    assert (events.end_slot <= ends).all()
    assert (events.end_slot > events.start_slot).all()
    has_size = events.asset_class != ASSET_CLASSES.index(AssetClass.DEMAND_RESPONSE)
    has_heater = events.asset_class == ASSET_CLASSES.index(AssetClass.HEAT_PUMP)
    largest = np.fmax(assets.size_kw, assets.size_before_kw)[rows]
    assert (events.peak_kw <= 1.03 * largest + IMMERSION_KW * has_heater)[has_size].all()
    assert (events.energy_kwh <= events.peak_kw * (events.end_slot - events.start_slot) / 2 + 1e-6).all()


def test_an_inverter_is_the_ceiling_of_its_roof(fleet: Fleet) -> None:
    sun = ASSET_CLASSES.index(AssetClass.SOLAR_PV)
    assets, events = fleet.assets, fleet.events
    mine = assets.asset_class == sun
    ceiling = dict(zip(assets.meter[mine].tolist(), assets.ac_kw[mine].tolist(), strict=True))
    made = [
        (peak, ceiling[meter])
        for meter, peak in zip(events.meter[events.asset_class == sun], events.peak_kw[events.asset_class == sun], strict=True)
    ]
    assert len(made) > 100
    assert all(peak <= 1.001 * most for peak, most in made)
    assert np.isfinite(assets.ac_kw).sum() == mine.sum()
    assert (np.isfinite(assets.storage_kwh) == (assets.asset_class == ASSET_CLASSES.index(AssetClass.BATTERY))).all()


def net_kwh(fleet: Fleet) -> Floats:
    return fleet.import_kwh.astype(np.float64) - np.nan_to_num(fleet.export_kwh)


@pytest.mark.parametrize("asset", list(BELOW_THE_FLOOR))
def test_readings_with_an_asset_differ_from_those_without_by_what_the_asset_did(plan: FleetPlan, asset: AssetClass) -> None:
    bare, shares = plan._replace(meters=24, mix=mix_from(BARE)), BARE | {f"home_{asset.value}": 1.0, "appears": 0.4}
    having = simulate_fleet(bare._replace(mix=mix_from(shares)))
    found = net_kwh(having) - net_kwh(simulate_fleet(bare))
    assets, events = having.assets, having.events
    assert set(assets.asset_class.tolist()) == {ASSET_CLASSES.index(asset)}
    assert assets.meter.size >= 10
    signed = np.where(events.is_import > 0, events.energy_kwh, -events.energy_kwh)
    given, moved = (np.bincount(events.meter, kwh, 24)[assets.meter] for kwh in (signed, events.energy_kwh))
    off = np.abs(found.sum(axis=1)[assets.meter] - given) / moved
    assert np.quantile(off, 0.8) <= BELOW_THE_FLOOR[asset]
    assert np.median(off) <= BELOW_THE_FLOOR[asset] / 2
    early = np.arange(plan.slots)[None] < assets.appeared_slot[:, None]
    stray = np.abs((found[assets.meter] * early).sum(axis=1))
    assert (assets.appeared_slot > 0).sum() >= 3
    assert (stray < 0.02).all()
