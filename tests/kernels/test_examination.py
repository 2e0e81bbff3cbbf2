"""All five detectors in their order: every meter as if alone, and nothing from nothing."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fmar_spark.domain.assets import ASSET_CLASSES, AssetClass
from fmar_spark.kernels.examination import (
    CONTEXT_FEATURES,
    DETECTORS,
    FEATURES,
    Examination,
    SizingRules,
    examine_meters,
    stack_features,
)
from fmar_spark.kernels.solar.detector import PvRules
from fmar_spark.kernels.sufficiency import check_history
from fmar_spark.kernels.window import Floats, MeterWindow

WindowMaker = Callable[..., MeterWindow]
FleetMaker = Callable[..., Any]
BATCH_WIDE = frozenset({"demand_response_alignment"})
"""The one evidence that looks at the neighbours."""


def examine(window: MeterWindow) -> Examination:
    return examine_meters(window, check_history(window, 20, 0.9))


def take_meters(window: MeterWindow, rows: list[int]) -> MeterWindow:
    return window._replace(
        import_kw=window.import_kw[rows],
        export_kw=window.export_kw[rows],
        has_export=window.has_export[rows],
        interval_minutes=window.interval_minutes[rows],
        area=window.area[rows],
    )


def column(found: Examination, name: str) -> Floats:
    return found.features[:, FEATURES.index(name)]


def test_every_feature_is_declared_with_unit_and_meaning() -> None:
    declared = [*CONTEXT_FEATURES, *(feature for detector in DETECTORS.values() for feature in detector.features)]
    assert [feature.name for feature in declared] == list(FEATURES)
    assert len(set(FEATURES)) == len(FEATURES)
    for feature in declared:
        assert re.fullmatch(r"[a-z][a-z0-9_.]*", feature.name)
        assert feature.unit
        assert re.fullmatch(r"[A-Z9].*[^ ]\.", feature.meaning)


def test_there_is_a_detector_for_every_class() -> None:
    assert tuple(DETECTORS) == ASSET_CLASSES


def test_a_matrix_is_built_by_name() -> None:
    columns = {"a": np.array([1.0, 2.0]), "b": np.array([3.0, np.nan])}
    np.testing.assert_array_equal(stack_features(columns, ["b", "a"]), np.array([[3, 1], [np.nan, 2]], dtype=np.float32))
    with pytest.raises(KeyError, match="c"):
        stack_features(columns, ["a", "c"])


def test_every_feature_has_a_column(lay_window: WindowMaker) -> None:
    found = examine(lay_window(np.full((2, 70, 48), 0.4)))
    assert found.features.shape == (2, len(FEATURES))
    for asset in ASSET_CLASSES:
        assert list(found.findings[asset].features) == [feature.name for feature in DETECTORS[asset].features]


@pytest.mark.parametrize("meters", [0, 3])
def test_meters_without_readings_have_no_evidence_no_episodes_and_no_sizes(lay_window: WindowMaker, meters: int) -> None:
    found = examine(lay_window(np.full((meters, 70, 48), np.nan)))
    assert found.load_kw.shape == (meters, 70, 48)
    for asset in ASSET_CLASSES:
        findings = found.findings[asset]
        assert not findings.events.meter.size
        assert findings.daily.shape == (meters, 70)
        for size in findings.sizes:
            assert np.isnan(size).all()


def test_a_meter_s_findings_do_not_depend_on_its_company(see_fleet: FleetMaker) -> None:
    window = see_fleet(home_solar_pv=0.5, home_battery=0.5, home_ev=0.5, home_heat_pump=0.5).window
    together = examine(take_meters(window, list(range(24))))
    alone = examine(take_meters(window, [17, 20]))
    own = [position for position, name in enumerate(FEATURES) if name not in BATCH_WIDE]
    np.testing.assert_allclose(alone.features[:, own], together.features[[17, 20]][:, own], rtol=1e-3, atol=1e-4)
    for asset in ASSET_CLASSES:
        few, many = alone.findings[asset], together.findings[asset]
        for row, meter in enumerate((17, 20)):
            assert few.events.start_slot[few.events.meter == row].tolist() == many.events.start_slot[many.events.meter == meter].tolist()
        np.testing.assert_allclose(few.sizes.rated_import_kw, many.sizes.rated_import_kw[[17, 20]], rtol=1e-4)


def test_episodes_lie_in_the_window_in_order_and_carry_positive_energy(see_fleet: FleetMaker) -> None:
    window = see_fleet(home_solar_pv=0.5, home_battery=0.5, home_ev=0.5, home_heat_pump=0.5).window
    found = examine(window)
    meters, days = window.import_kw.shape[:2]
    for asset in ASSET_CLASSES:
        events = found.findings[asset].events
        assert events.meter.size
        assert (events.start_slot >= 0).all()
        assert (events.end_slot > events.start_slot).all()
        assert (events.end_slot <= days * 48).all()
        assert (np.diff(events.meter) >= 0).all()
        assert (events.energy_kwh > 0).all()
        assert (events.peak_kw > 0).all()
        assert ((events.probability > 0) & (events.probability <= 1)).all()
        assert events.meter.max() < meters


def test_generation_is_added_back_before_the_others_look(see_fleet: FleetMaker) -> None:
    seen = see_fleet(home_solar_pv=1.0)
    found = examine(seen.window)
    added = np.nansum(found.load_kw - found.net_kw, axis=(1, 2)) / 2
    sun = seen.fleet.events
    mine = sun.asset_class == ASSET_CLASSES.index(AssetClass.SOLAR_PV)
    made = np.bincount(sun.meter[mine], sun.energy_kwh[mine], len(seen.fleet.mpan_id))
    assert np.corrcoef(added, made)[0, 1] > 0.8
    assert np.median(added / made) == pytest.approx(1.0, abs=0.3)


def test_what_sizes_rest_on_changes_no_evidence(see_fleet: FleetMaker) -> None:
    window = take_meters(see_fleet(home_solar_pv=0.9).window, list(range(12)))
    plain = examine(window)
    rules = SizingRules(PvRules(performance_ratio=0.37))
    known = examine_meters(window, check_history(window, 20, 0.9), rules)
    np.testing.assert_array_equal(known.features, plain.features)
    pv, usual = (found.findings[AssetClass.SOLAR_PV].sizes for found in (known, plain))
    np.testing.assert_allclose(pv.peak_kwp, usual.peak_kwp * PvRules().performance_ratio / 0.37)
    assert (usual.peak_kwp > 0).any()
