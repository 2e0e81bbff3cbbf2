"""What fleet is wanted, and what cannot be."""

from datetime import date

import numpy as np
import pytest

from fmar_spark.errors import ConfigError
from fmar_spark.simulate.plan import FleetPlan, Mix, check_plan, mix_from, open_stream


def test_a_plan_counts_both_its_first_and_its_last_day() -> None:
    plan = FleetPlan(5, date(2024, 2, 28), date(2024, 3, 1))
    assert (plan.days, plan.slots) == (3, 144)
    assert check_plan(plan) is plan


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (FleetPlan(0, date(2023, 1, 1), date(2023, 1, 2)), "0 meters found"),
        (FleetPlan(3, date(2023, 1, 2), date(2023, 1, 1)), "ends on 2023-01-01 before"),
    ],
)
def test_a_plan_of_nothing_is_rejected(plan: FleetPlan, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        check_plan(plan)


def test_shares_replace_those_of_the_default_mix() -> None:
    mix = mix_from({"home_ev": 1, "confuser_scale": 2.5})
    assert (mix.home_ev, mix.confuser_scale) == (1.0, 2.5)
    assert mix._replace(home_ev=Mix().home_ev, confuser_scale=1.0) == Mix()


@pytest.mark.parametrize("shares", [{"home_evs": 0.1}, {"home_ev": 1.5}, {"home_ev": -0.1}, {"plain": True}, {"plain": "half"}])
def test_a_misspelt_or_impossible_share_is_named(shares: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(shares))):
        mix_from(shares)


def test_each_subject_and_block_has_a_stream_of_its_own_and_always_the_same() -> None:
    drawn = {key: open_stream(*key).random(4).tobytes() for key in [(1, 0, "solar"), (2, 0, "solar"), (1, 1, "solar"), (1, 0, "homes")]}
    assert len(set(drawn.values())) == 4
    assert np.frombuffer(drawn[1, 0, "solar"]).tolist() == open_stream(1, 0, "solar").random(4).tolist()
