"""What the weather says of days, against the same reckoned hour by hour."""

import numpy as np

from fmar_spark.kernels.baseline.days import find_states, load_temperature, sort_days
from fmar_spark.kernels.baseline.sky import COOLING_ABOVE_CELSIUS, HEATING_BELOW_CELSIUS, UNIT_CELSIUS, USUAL_DAYS, lay_skies
from fmar_spark.kernels.window import Floats, LocalCalendar

DAYS = 20
KINDS = sort_days(
    LocalCalendar(np.datetime64("2025-06-02"), np.arange(DAYS) % 7 + 1, np.zeros(DAYS, dtype=bool), np.zeros(DAYS, dtype=int))
)


def compare_slowly(temp_c: Floats, day: int, hour: int) -> tuple[float, float]:
    """Heating and cooling degrees of one hour beyond what the hours of the days before had."""
    pairs = temp_c.reshape(len(temp_c), 24, 2)[:, hour]
    hours = [np.nanmean(pair) if np.isfinite(pair).any() else np.nan for pair in pairs]
    known = [(np.exp(-(day - past) / USUAL_DAYS), hours[past]) for past in range(day) if np.isfinite(hours[past])]
    if not known or np.isnan(hours[day]):
        return 0.0, 0.0
    usual = sum(weight * value for weight, value in known) / sum(weight for weight, _ in known)
    heating = max(HEATING_BELOW_CELSIUS - hours[day], 0) - max(HEATING_BELOW_CELSIUS - usual, 0)
    cooling = max(hours[day] - COOLING_ABOVE_CELSIUS, 0) - max(usual - COOLING_ABOVE_CELSIUS, 0)
    return heating / UNIT_CELSIUS, cooling / UNIT_CELSIUS


def test_weather_beyond_the_usual_agrees_with_a_loop_over_hours() -> None:
    rng = np.random.default_rng(1)
    temp_c = rng.normal(16, 6, (1, DAYS, 48))
    temp_c[rng.random(temp_c.shape) < 0.3] = np.nan
    temp_c[0, 5:8] = np.nan
    weather = lay_skies(np.zeros(2, dtype=int), np.zeros(2, dtype=int), temp_c, KINDS).weather
    wanted = np.array([[compare_slowly(temp_c[0], day, hour) for hour in range(24)] for day in range(DAYS)])
    assert np.allclose(weather[:, 0], wanted.transpose(2, 0, 1), atol=1e-5)


def test_the_newest_known_day_stands_for_one_without_temperature() -> None:
    temp_c = np.full((1, DAYS, 48), np.nan)
    temp_c[0, 3], temp_c[0, 6, :10] = 9.0, 15.0
    loadings = lay_skies(np.zeros(1, dtype=int), np.zeros(1, dtype=int), temp_c, KINDS).loadings[0, :, find_states("temperature")]
    assert not loadings[:3].any()
    assert np.allclose(loadings[3:6], load_temperature(np.array([9.0])))
    assert np.allclose(loadings[6:], load_temperature(np.array([15.0])))


def test_meters_of_one_place_and_first_day_share_a_sky_and_weather_before_it_is_not_looked_at() -> None:
    temp_c = np.stack([np.full((DAYS, 48), 3.0), np.full((DAYS, 48), 12.0)])
    skies = lay_skies(np.array([1, 0, 1, 1]), np.array([0, 0, 4, 0]), temp_c, KINDS)
    assert skies.of_meter[0] == skies.of_meter[3]
    assert len(skies.first_day) == 3
    late = skies.loadings[skies.of_meter[2], :, find_states("temperature")]
    assert not late[:4].any()
    assert late[4:].any(axis=1).all()


def test_no_meters_have_no_sky() -> None:
    skies = lay_skies(np.zeros(0, dtype=int), np.zeros(0, dtype=int), np.full((1, DAYS, 48), np.nan), KINDS)
    assert skies.weather.shape == (2, 0, DAYS, 24)
