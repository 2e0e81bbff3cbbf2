"""Load that is held back, and what comes back afterwards."""

from collections.abc import Callable

import numpy as np
import pytest

from fmar_spark.simulate.calendars import Calendar
from fmar_spark.simulate.plan import FleetPlan, Floats
from fmar_spark.simulate.population import Population
from fmar_spark.simulate.response import SCHEMES, Response, price_index, simulate_response
from fmar_spark.simulate.weather import Weather


@pytest.fixture(scope="module")
def price(plan: FleetPlan, calendar: Calendar, weather: Weather) -> Floats:
    return price_index(plan, calendar, weather)


@pytest.fixture(scope="module")
def population(draw_homes: Callable[..., Population]) -> Population:
    return draw_homes(120, domestic=0.5, home_demand_response=0.9, business_demand_response=0.9)


@pytest.fixture(scope="module")
def load_kw(plan: FleetPlan) -> Floats:
    return np.random.default_rng(3).gamma(4.0, 1.0, (120, plan.slots))


@pytest.fixture(scope="module")
def answer(plan: FleetPlan, calendar: Calendar, population: Population, load_kw: Floats, price: Floats) -> Response:
    return simulate_response(np.random.default_rng(1), population, calendar, plan, (load_kw, price))


def test_prices_are_high_on_evenings_and_low_at_night_and_the_same_for_the_same_seed(
    plan: FleetPlan, calendar: Calendar, weather: Weather, price: Floats
) -> None:
    assert price.mean() == pytest.approx(0, abs=1e-9)
    assert price.std() == pytest.approx(1)
    assert price[calendar.local_slot == 35].mean() > 1 > -0.2 > price[calendar.local_slot == 7].mean()
    np.testing.assert_array_equal(price_index(plan, calendar, weather), price)


def test_no_meter_reduces_more_than_its_load_nor_anything_without_a_scheme(answer: Response, load_kw: Floats) -> None:
    assert (answer.held_back_kw >= 0).all()
    assert (answer.held_back_kw <= 0.8 * load_kw + 1e-5).all()
    assert (answer.change_kw[~answer.life.is_ever] == 0).all()
    assert (load_kw + answer.change_kw >= -1e-5).all()


def test_the_reduction_is_the_fall_of_the_load_where_there_is_no_rebound(answer: Response) -> None:
    falls = answer.change_kw < 0
    assert falls.any()
    assert (answer.held_back_kw[falls] >= -answer.change_kw[falls] - 1e-5).all()
    assert (answer.change_kw[answer.held_back_kw == 0] >= -1e-6).all()


def test_some_events_have_a_rebound_and_some_do_not(answer: Response) -> None:
    rebound = np.clip(answer.change_kw, 0, None).sum(axis=1)
    active = answer.held_back_kw.sum(axis=1) > 0
    assert 0.3 < (rebound[active] > 0).mean() < 0.98


def test_events_are_few_except_for_timetables_and_price_followers(answer: Response) -> None:
    days = (answer.held_back_kw.reshape(120, -1, 48).max(axis=2) > 0).mean(axis=1)
    has_event = answer.life.is_ever & (answer.scheme == SCHEMES.index("response_dispatch")) & (days > 0)
    assert has_event.sum() >= 5
    assert np.median(days[has_event]) < 0.35


def test_dispatched_events_never_fall_on_days_of_rest(answer: Response, calendar: Calendar) -> None:
    rest = calendar.spread_days(calendar.is_rest_day[None])[0]
    mine = answer.life.is_ever & (answer.scheme == SCHEMES.index("response_dispatch"))
    assert answer.held_back_kw[mine].sum() > 0
    assert (answer.held_back_kw[mine][:, rest] == 0).all()
