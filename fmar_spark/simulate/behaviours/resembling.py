"""Look-alikes of several behaviours: water heated by electricity, cooled rooms, hours away from home."""

from typing import Final

from fmar_spark.simulate.behaviours.behaviour import HAND, TARIFF_TERMS, Absence, Behaviour, Cooling, WaterHeating

_HEAT: Final = "a heater's 2 to 3.4 kW, energy that is the same every night or follows the cold, and load that is missing nowhere"
_WARM: Final = "runs on warm days alone, below a charger's power; from autumn to spring nothing"
_AWAY: Final = "what is left on still varies with the refrigerator and is never held at zero; no energy comes back elsewhere in the day"

_WATER: Final = (
    Behaviour(
        "immersion_twice_daily",
        "immersion",
        0.34,
        0.4,
        "A timer in the morning and in the afternoon or evening.",
        "BS EN 60335-2-73: 3 kW elements; timers chosen by hand",
        _HEAT,
        WaterHeating((2.7, 3.1), ((10.0, 17.0), (29.0, 39.0)), (0.3, 2.4), (0.05, 0.5), (0.75, 1.0)),
    ),
    Behaviour(
        "immersion_off_peak",
        "immersion",
        0.24,
        0.25,
        "A 3 kW immersion heater at the off-peak start, all year.",
        TARIFF_TERMS,
        _HEAT,
        WaterHeating((2.6, 3.1), (), (0.7, 3.0), (0.05, 0.4)),
    ),
    Behaviour(
        "water_heating_3_6kw",
        "immersion",
        0.12,
        0.0,
        "Stronger water heating, twice a day: the best imitation of a car that was met in recorded homes.",
        "a recorded home",
        "two runs a day, all year, at hours of their own",
        WaterHeating((3.3, 3.8), ((0.0, 16.0), (12.0, 40.0)), (0.4, 2.2), (0.1, 0.5), (0.75, 1.0)),
    ),
    Behaviour(
        "immersion_thermostat",
        "immersion",
        0.12,
        0.2,
        "Left on: heats whenever the tank has cooled.",
        HAND,
        _HEAT,
        WaterHeating((2.6, 3.1), (), (0.15, 0.8), (0.0, 0.0), is_thermostat=True),
    ),
    Behaviour(
        "immersion_by_hand",
        "immersion",
        0.12,
        0.15,
        "Switched on when wanted.",
        HAND,
        "no hour of its own, runs of about one length",
        WaterHeating((2.6, 3.1), ((8.0, 20.0), (30.0, 42.0)), (0.5, 2.0), (0.1, 0.4), (0.2, 0.5), (5.0,)),
    ),
    Behaviour(
        "immersion_solar_divert",
        "immersion",
        0.06,
        0.0,
        "A diverter heats the tank from generation that would be exported; without generation it never runs.",
        HAND,
        "export held back around noon until the tank is hot; nights as without it",
        WaterHeating((2.6, 3.1), (), (1.0, 3.0), (0.1, 0.4), follows_surplus=True),
    ),
)
_COOLING: Final = (
    Behaviour(
        "cooling_by_thermostat",
        "air_conditioning",
        0.5,
        1.0,
        "Follows the temperature while somebody is in.",
        HAND,
        _WARM,
        Cooling((0.6, 3.6), is_thermostat=True),
    ),
    Behaviour(
        "cooling_in_the_evening",
        "air_conditioning",
        0.3,
        0.0,
        "Switched on after work on warm days, at one power, for hours.",
        "a rule of this project's own test on recorded homes that was answered as a car; ranges chosen by hand",
        _WARM,
        Cooling((0.7, 2.8), (31.0, 40.0), (1.5, 7.0), (12.0, 20.0)),
    ),
    Behaviour(
        "cooling_at_night",
        "air_conditioning",
        0.2,
        0.0,
        "A bedroom unit on warm nights.",
        HAND,
        _WARM,
        Cooling((0.5, 1.8), (41.0, 49.0), (3.0, 9.0), (14.0, 21.0)),
    ),
)
_ABSENCE: Final = (
    Behaviour(
        "away_on_workdays",
        "hours_away",
        0.45,
        0.0,
        "Nobody in on working days, and most of what runs is switched off.",
        "a rule of this project's own test on recorded homes that was answered as a battery; ranges chosen by hand",
        _AWAY,
        Absence((13.0, 21.0), (29.0, 40.0), on_rest_days=False),
    ),
    Behaviour(
        "away_every_day",
        "hours_away",
        0.35,
        0.0,
        "Nobody in by day, on any day of the week.",
        "a rule of this project's own test on recorded homes that was answered as a battery; ranges chosen by hand",
        _AWAY,
        Absence((13.0, 21.0), (29.0, 40.0), on_rest_days=True),
    ),
    Behaviour(
        "away_at_night",
        "hours_away",
        0.2,
        0.0,
        "Night shifts: nobody in from the evening to the morning.",
        HAND,
        _AWAY,
        Absence((36.0, 45.0), (58.0, 66.0), on_rest_days=False),
    ),
)
LOOKALIKES: Final = (*_WATER, *_COOLING, *_ABSENCE)
