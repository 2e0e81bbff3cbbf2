"""When a battery charged and discharged, and how big it must be for that."""

import numpy as np
import pytest

from fmar_spark.kernels.battery.cycles import HIDDEN_SHARE, SUN_HOURS, StorageRules, Traits, Workings, find_episodes
from fmar_spark.kernels.window import Floats

BLOCKS = 2
DAYS = BLOCKS * 28
NIGHT = np.r_[0:12, 36:48]


def lay_traits(net_kw: Floats, may_fill: bool = False) -> Traits:
    """Traits of loads (meters, days, 48): held below 0.1 kW, dark from six to six."""
    blocks_kw = net_kw.reshape(len(net_kw), BLOCKS, 28, 48).astype(np.float32)
    dark = np.zeros((len(net_kw), BLOCKS, 48), dtype=np.bool_)
    dark[..., NIGHT] = True
    return Traits(blocks_kw, blocks_kw, blocks_kw < 0.1, dark, np.full(len(net_kw), may_fill))


def serve_evenings(load_kw: float = 0.6) -> Floats:
    """One meter that draws ``load_kw``, but nothing from eight to eleven on days 2, 4, .. of every four days' first three."""
    net_kw = np.full((1, DAYS, 48), load_kw)
    net_kw[:, np.arange(DAYS) % 4 != 3, 40:46] = 0.0
    return net_kw


def count_slots(found: Workings, is_import: bool) -> int:
    events = found.events
    mine = events.is_import == is_import
    return int((events.end_slot[mine] - events.start_slot[mine]).sum())


def test_an_evening_without_import_is_a_discharge_of_what_the_evening_usually_takes() -> None:
    found = find_episodes(lay_traits(serve_evenings()))
    events = found.events
    evenings = [day for day in range(DAYS) if day % 4 != 3]
    given = ~events.is_import
    assert events.start_slot[given].tolist() == [day * 48 + 40 for day in evenings]
    assert events.end_slot[given].tolist() == [day * 48 + 46 for day in evenings]
    np.testing.assert_allclose(events.energy_kwh[given], 1.8, rtol=1e-4)
    np.testing.assert_allclose(events.peak_kw[given], 0.6, rtol=1e-4)
    np.testing.assert_allclose(found.moved_kwh[0, evenings], 1.8, rtol=1e-4)


def test_a_lone_spike_within_a_discharge_does_not_end_it() -> None:
    net_kw = serve_evenings()
    net_kw[0, 8, 43] = 3.0
    events = find_episodes(lay_traits(net_kw)).events
    of_day = ~events.is_import & (events.start_slot // 48 == 8)
    assert events.end_slot[of_day].tolist() == [8 * 48 + 46]


def test_an_unread_slot_ends_a_discharge() -> None:
    net_kw = serve_evenings()
    net_kw[0, 8, 43] = np.nan
    events = find_episodes(lay_traits(net_kw)).events
    of_day = ~events.is_import & (events.start_slot // 48 == 8)
    assert events.end_slot[of_day].tolist() == [8 * 48 + 43, 8 * 48 + 46]


def test_free_sun_fills_what_was_given_at_the_rate_of_four_hours() -> None:
    net_kw = serve_evenings()
    net_kw[:, :, 20:34] = 0.0
    found = find_episodes(lay_traits(net_kw))
    events = found.events
    taken = events.is_import & (events.start_slot // 48 == 9)
    assert events.start_slot[taken].tolist() == [9 * 48 + 20]
    assert events.energy_kwh[taken].sum() == pytest.approx(1.8 / StorageRules().round_trip, rel=1e-4)
    assert events.peak_kw[taken].max() == pytest.approx(1.8 / SUN_HOURS, rel=1e-4)


def test_flat_blocks_in_cheap_hours_are_charging_and_give_the_power() -> None:
    net_kw = np.full((1, DAYS, 48), 0.3)
    net_kw[:, :, 4:10] += 3.0
    found = find_episodes(lay_traits(net_kw, may_fill=True))
    assert found.sizes.rated_import_kw[0] == pytest.approx(3.0, rel=1e-3)
    assert found.sizes.storage_kwh[0] == pytest.approx(9.0 * np.sqrt(StorageRules().round_trip), rel=1e-3)
    assert count_slots(found, is_import=True) == 6 * DAYS


def test_without_its_charging_the_storage_lies_between_a_nights_load_and_a_usual_battery_and_is_a_least() -> None:
    for load_kw, usual_kwh, wanted_kwh in ((0.6, 1.8, 1.8), (0.6, 1.8 * 8, 1.8 * 8**HIDDEN_SHARE), (4.0, 5.0, 12.0)):
        sizes = find_episodes(lay_traits(serve_evenings(load_kw)), StorageRules(usual_kwh=usual_kwh)).sizes
        assert sizes.storage_kwh[0] == pytest.approx(wanted_kwh, rel=1e-4)
        assert sizes.is_least[0] == 1
    net_kw = np.full((1, DAYS, 48), 0.3)
    net_kw[:, :, 4:10] += 3.0
    assert find_episodes(lay_traits(net_kw, may_fill=True)).sizes.is_least[0] == 0


def test_what_is_known_of_the_battery_replaces_what_is_assumed() -> None:
    plain = find_episodes(lay_traits(serve_evenings())).sizes
    known = find_episodes(lay_traits(serve_evenings()), StorageRules(usual_hours=2 * StorageRules().usual_hours)).sizes
    np.testing.assert_array_equal(known.storage_kwh, plain.storage_kwh)
    np.testing.assert_allclose(known.rated_export_kw, plain.rated_export_kw / 2)


def test_a_meter_whose_nights_do_not_rise_regularly_is_not_searched_for_charging() -> None:
    net_kw = np.full((1, DAYS, 48), 0.3)
    net_kw[:, :, 4:10] += 3.0
    assert not find_episodes(lay_traits(net_kw)).events.is_import.any()


@pytest.mark.parametrize("net_kw", [np.zeros((0, DAYS, 48)), np.full((2, DAYS, 48), np.nan)])
def test_nothing_read_gives_nothing(net_kw: Floats) -> None:
    found = find_episodes(lay_traits(net_kw, may_fill=True))
    assert not found.events.meter.size
    assert np.isnan(found.sizes.storage_kwh).all()
    assert found.moved_kwh.shape == (len(net_kw), DAYS)
    assert not found.moved_kwh.any()


def test_what_was_given_agrees_with_a_plain_loop_over_dark_slots() -> None:
    rng = np.random.default_rng(5)
    net_kw = rng.uniform(0.2, 1.0, (3, DAYS, 48)) * (rng.random((3, DAYS, 48)) > 0.3)
    net_kw[rng.random(net_kw.shape) < 0.05] = np.nan
    found = find_episodes(lay_traits(net_kw))
    held = (net_kw < 0.1) & np.isin(np.arange(48), NIGHT)
    flat = held.reshape(3, -1)
    for meter in range(3):
        for day in (1, 17, 40):
            first = day // 28 * 28
            wanted = 0.0
            for slot in NIGHT:
                own = net_kw[meter, first : first + 28, slot]
                usual = float(np.nanmean(np.where(own >= 0.1, own, np.nan)))
                place = day * 48 + slot
                two_before, before, after, two_after = (flat[meter, place + shift] for shift in (-2, -1, 1, 2))
                is_inside = (before and (after or two_after)) or (two_before and after)
                if held[meter, day, slot] or (is_inside and not np.isnan(net_kw[meter, day, slot])):
                    wanted += usual / 2
            assert found.moved_kwh[meter, day] == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("changed", [20, 30, 40])
def test_an_extended_battery_has_two_powers_and_the_size_of_the_later_one(changed: int) -> None:
    net_kw = np.full((1, DAYS, 48), 0.3)
    net_kw[:, :changed, 4:10] += 2.4
    net_kw[:, changed:, 4:10] += 4.8
    found = find_episodes(lay_traits(net_kw, may_fill=True))
    charges = found.events.take(found.events.is_import)
    day = charges.start_slot // 48
    np.testing.assert_allclose(charges.peak_kw, np.where(day < changed, 2.4, 4.8), rtol=1e-3)
    assert day.tolist() == list(range(DAYS))
    assert found.sizes.rated_import_kw[0] == pytest.approx(4.8, rel=1e-3)
    assert found.sizes.storage_kwh[0] == pytest.approx(np.sqrt(StorageRules().round_trip) * 14.4, rel=0.02)
