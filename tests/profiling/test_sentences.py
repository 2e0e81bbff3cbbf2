"""The sentence of each answer."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS, AssetClass
from fmar_spark.kernels.changes import REMOVED, build_changes
from fmar_spark.kernels.examination import FEATURES, SizeEstimate
from fmar_spark.kernels.window import Events, Floats, unknown_sizes
from fmar_spark.profiling.parts import Scored
from fmar_spark.profiling.sentences import describe_evidence, shorten_meaning


@dataclass(frozen=True)
class Indifferent:
    """A scorer whose evidence moves nothing but what it is given."""

    moved: dict[str, float] = field(default_factory=dict)
    version: str = "indifferent/1"

    def explain(self, asset: AssetClass, features: Floats) -> Floats:
        """The same for every meter."""
        parts = np.zeros(features.shape)
        for name, part in self.moved.items():
            parts[:, FEATURES.index(name)] = part
        return parts

    def predict(self, features: Floats) -> Floats:
        """Not asked for."""
        raise AssertionError

    def predict_present(self, asset: AssetClass, probability: Floats, evidence: Floats) -> Floats:
        """Not asked for."""
        raise AssertionError

    def bound_size(self, asset: AssetClass, size_name: str, size: SizeEstimate) -> tuple[Floats, Floats]:
        """Not asked for."""
        raise AssertionError


def build_events(starts: list[int], slots: int, peak_kw: float) -> Events:
    start, count = np.array(starts, dtype=np.int64), len(starts)
    whole = np.ones(count)
    return Events(np.zeros(count, np.int64), start, start + slots, whole, peak_kw * whole, np.ones(count, bool), whole)


def score(asset: AssetClass, events: Events, *, is_affirmed: bool, is_removed: bool = False) -> Any:
    """A batch of one meter, on which every class was there at some time more likely than not."""
    none = build_events([], 1, 1.0)
    findings = {one: SimpleNamespace(events=events if one is asset else none, sizes=unknown_sizes(1)) for one in ASSET_CLASSES}
    probability = np.full((1, len(ASSET_CLASSES)), 0.9)
    probability[0, ASSET_CLASSES.index(AssetClass.DEMAND_RESPONSE)] = np.nan if asset is not AssetClass.DEMAND_RESPONSE else 0.9
    present = np.where(np.isnan(probability), np.nan, 0.9 if is_affirmed else 0.4)
    examination: Any = SimpleNamespace(findings=findings, features=np.full((1, len(FEATURES)), 0.5))
    nothing: Any = None
    changes = build_changes([(0.0, 399.0, 399.0, 399.0, 1.0, 0.0, REMOVED)] * is_removed)
    histories: Any = {one: SimpleNamespace(present=np.ones((1, 400), dtype=np.bool_), changes=changes) for one in ASSET_CLASSES}
    return Scored(nothing, examination, probability, present, probability >= 0.5, histories, nothing, nothing)


@pytest.mark.parametrize(
    ("asset", "first_slot", "slots", "sentence"),
    [
        (AssetClass.EV, 1, 8, "7.2 kW block, in runs of 4.0 h, most often from 00:30, on 3 of 5 nights"),
        (AssetClass.EV, 46, 5, "7.2 kW block, in runs of 2.5 h, most often from 23:00, on 3 of 5 nights"),
        (AssetClass.EV, 26, 4, "7.2 kW block, in runs of 2.0 h, most often from 13:00, on 3 of 5 days"),
        (AssetClass.HEAT_PUMP, 9, 3, "7.2 kW of heating, in runs of 1.5 h, most often from 04:30, on 3 of 5 days"),
        (AssetClass.BATTERY, 42, 4, "7.2 kW drawn or given, in runs of 2.0 h, most often from 21:00, on 3 of 5 days"),
        (AssetClass.SOLAR_PV, 12, 20, "7.2 kW of generation, in runs of 10.0 h, most often from 06:00, on 3 of 5 days"),
        (AssetClass.DEMAND_RESPONSE, 32, 2, "7.2 kW held back, in runs of 1.0 h, most often from 16:00, on 3 of 5 days"),
    ],
)
def test_a_verdict_is_a_sentence_that_a_person_can_check(asset: AssetClass, first_slot: int, slots: int, sentence: str) -> None:
    scored = score(asset, build_events([first_slot + 48 * day for day in (0, 1, 3)], slots, 7.2), is_affirmed=True)
    assert describe_evidence(scored, Indifferent(), np.array([5]))[ASSET_CLASSES.index(asset)] == sentence


def test_no_answer_has_no_sentence_and_no_episode_is_said_so() -> None:
    scored = score(AssetClass.EV, build_events([30], 1, 2.0), is_affirmed=False)
    ev, heat_pump, _, _, demand_response = describe_evidence(scored, Indifferent(), np.array([70]))
    assert ev == "what looks most like it: 2.0 kW block, in runs of 0.5 h, most often from 15:00, on 1 of 70 days"
    assert heat_pump == "no single episode stands out of the load in 70 days"
    assert demand_response is None


@pytest.mark.parametrize(
    ("is_affirmed", "reason"),
    [
        (True, "most for it: charger's power over the median change from slot to slot (0.5)"),
        (False, "most against it: sessions a day with one (not seen) and difference of the step up and the step down over the power"),
    ],
)
def test_a_sentence_names_what_moved_the_answer_its_own_way(is_affirmed: bool, reason: str) -> None:
    moved = {"ev_visibility": 2.0, "ev_per_active_day": -3.0, "ev_edge_mismatch": -1.0, "log_mean_kw": 9.0, "ev_second_kw": 0.05}
    scored = score(AssetClass.EV, build_events([30], 1, 2.0), is_affirmed=is_affirmed)
    scored.examination.features[0, FEATURES.index("ev_per_active_day")] = np.nan
    assert reason in str(describe_evidence(scored, Indifferent(moved), np.array([70]))[0])


@pytest.mark.parametrize("asset", [AssetClass.SOLAR_PV, AssetClass.BATTERY])
@pytest.mark.parametrize(("is_affirmed", "is_least", "is_said"), [(True, 1.0, True), (True, 0.0, False), (False, 1.0, False)])
def test_a_size_that_is_a_lower_bound_says_so_and_why(asset: AssetClass, is_affirmed: bool, is_least: float, is_said: bool) -> None:
    scored = score(asset, build_events([24], 4, 1.0), is_affirmed=is_affirmed)
    scored.examination.findings[asset].sizes.is_least[0] = is_least
    sentence = str(describe_evidence(scored, Indifferent(), np.array([70]))[ASSET_CLASSES.index(asset)])
    assert sentence.endswith(f"; {ASSET_FACTS[asset].bound}") is is_said
    assert ("may be larger" in sentence) is is_said


def test_never_more_days_than_were_seen() -> None:
    scored = score(AssetClass.SOLAR_PV, build_events([24 + 48 * day for day in range(4)], 2, 1.0), is_affirmed=True)
    assert "on 3 of 3 days" in str(describe_evidence(scored, Indifferent(), np.array([3]))[ASSET_CLASSES.index(AssetClass.SOLAR_PV)])


def test_a_meaning_loses_its_explanation_and_its_capital() -> None:
    assert shorten_meaning("Share of days from 16:30 on: many.") == "share of days from 16:30 on"
    assert shorten_meaning("R2 of load; NaN without") == "R2 of load"


def test_days_outside_its_stay_are_not_counted_where_the_class_is_there() -> None:
    events = build_events([12 + 48 * day for day in range(6)], 20, 3.0)
    for is_affirmed, days in ((True, 2), (False, 6)):
        scored = score(AssetClass.SOLAR_PV, events, is_affirmed=is_affirmed)
        scored.histories[AssetClass.SOLAR_PV].present[0, :4] = False
        sentence = str(describe_evidence(scored, Indifferent(), np.array([6]))[ASSET_CLASSES.index(AssetClass.SOLAR_PV)])
        assert sentence.endswith(f"on {days} of 6 days")


def test_the_sentence_is_on_the_side_of_the_answer() -> None:
    events = build_events([2 + 48 * day for day in range(6)], 8, 6.8)
    for is_affirmed, is_removed, side in ((True, False, "for"), (False, False, "against"), (False, True, "for")):
        scored = score(AssetClass.EV, events, is_affirmed=is_affirmed, is_removed=is_removed)
        sentence = str(describe_evidence(scored, Indifferent({"ev_visibility": 2.0, "ev_per_active_day": -2.0}), np.array([6]))[0])
        assert f"; most {side} it: " in sentence
        assert sentence.startswith("what looks most like it: ") is (side == "against")
