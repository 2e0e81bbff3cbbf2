"""The catalogue: every behaviour once, with its share, where the knowledge comes from, and what separates it from its look-alikes.

Shares are assumptions within the class or the look-alike: they say how often a behaviour is drawn, not how common it is in Great Britain.
Off-peak hours and the share of nights come from the same ranges for a class and for its look-alikes, so that regularity alone never
distinguishes the two.
"""

from typing import Final

from fmar_spark.domain.assets import AssetClass
from fmar_spark.simulate.behaviours.behaviour import HAND, REGULAR_NIGHTS, SESSIONS, TARIFF_TERMS, Behaviour, Charging, Timing
from fmar_spark.simulate.behaviours.resembling import LOOKALIKES

_STEADY: Final = "constant power above a heater's, energy and end that vary from night to night, summer nights as full as winter's"
_CYCLE: Final = "what is charged comes back: load falls below what the site uses at other times"
_COLD: Final = "load that follows the cold all day and night, in proportion"
_EVENTS: Final = "drops with sharp edges on days that other meters share; in one home hardly any"

_CARS: Final = (
    Behaviour(
        "ev_off_peak_nightly_7kw",
        AssetClass.EV,
        0.11,
        0.2,
        "A 7 kW car that charges at the off-peak start nearly every night: GB's commonest pattern on such a tariff.",
        TARIFF_TERMS,
        _STEADY,
        Charging(Timing.OFF_PEAK, (7.0, 7.2, 7.4), REGULAR_NIGHTS, (4.0, 14.0), is_steady=True),
    ),
    Behaviour(
        "ev_off_peak_nightly_3_6kw",
        AssetClass.EV,
        0.08,
        0.0,
        "A 3.6 kW lead or plug-in hybrid at the off-peak start nearly every night.",
        TARIFF_TERMS,
        _STEADY,
        Charging(Timing.OFF_PEAK, (3.3, 3.6, 3.7), REGULAR_NIGHTS, (4.0, 12.0), is_steady=True),
    ),
    Behaviour(
        "ev_off_peak_some_nights",
        AssetClass.EV,
        0.09,
        0.0,
        "A car that charges at the off-peak start now and then, up to four nights a week.",
        TARIFF_TERMS,
        _STEADY,
        Charging(Timing.OFF_PEAK, (3.6, 7.0, 7.2, 7.4), (0.05, 0.6), (4.0, 30.0), (0.2, 0.85)),
    ),
    Behaviour(
        "ev_same_each_night",
        AssetClass.EV,
        0.09,
        0.0,
        "The same drive each day: at the off-peak start nearly every night, for nearly the same time.",
        f"{TARIFF_TERMS}; a rule of this project's own test on recorded homes that was missed; ranges chosen by hand",
        "one power above a heater's, and a part of a half-hour at the end that is not the same two nights running",
        Charging(Timing.OFF_PEAK, (3.6, 7.0, 7.2, 7.4), REGULAR_NIGHTS, (3.0, 14.0), (0.03, 0.22), is_steady=True),
    ),
    Behaviour(
        "ev_after_work",
        AssetClass.EV,
        0.07,
        0.0,
        "Plugged in on return from work, for what the same drive took.",
        f"{HAND}; a rule of this project's own test on recorded homes that was missed",
        "one power above an oven's on working days, for a little less or more than an hour",
        Charging(
            Timing.ON_ARRIVAL,
            (3.6, 7.0, 7.2, 7.4),
            (0.6, 0.98),
            (3.0, 10.0),
            (0.08, 0.35),
            arrives=(33.0, 40.0),
            start_spread=(0.3, 2.0),
            is_steady=True,
            on_working_days=True,
        ),
    ),
    Behaviour(
        "ev_weekly_fill",
        AssetClass.EV,
        0.04,
        0.0,
        "One long session a week, at a three-phase 11 or 22 kW charge point or a 7 kW one.",
        SESSIONS,
        "a block of one power for hours on one day a week",
        Charging(Timing.ON_ARRIVAL, (7.2, 11.0, 22.0), (0.14, 0.14), (22.0, 60.0), (0.1, 0.4), is_weekly=True),
    ),
    Behaviour(
        "ev_daily_top_up",
        AssetClass.EV,
        0.08,
        0.0,
        "Plugged in on arrival nearly every day, to replace what the day took.",
        SESSIONS,
        "constant power after arrival, with energy that varies and no link to cold",
        Charging(Timing.ON_ARRIVAL, (3.3, 3.6, 7.2), (0.4, 0.97), (2.0, 12.0), (0.1, 0.8), start_spread=(0.8, 7.0)),
    ),
    Behaviour(
        "ev_plug_in_hybrid",
        AssetClass.EV,
        0.08,
        0.0,
        "A plug-in hybrid or a small battery on a weak lead: short sessions, on many days twice.",
        SESSIONS,
        "one power between a heater's and 3.7 kW at hours that are never the same two",
        Charging(
            Timing.ON_ARRIVAL,
            (2.6, 2.9, 3.3, 3.4, 3.5, 3.6, 3.7),
            (0.3, 0.95),
            (2.5, 9.0),
            (0.25, 0.65),
            arrives=(26.0, 41.0),
            most_again=1.0,
        ),
    ),
    Behaviour(
        "ev_by_day",
        AssetClass.EV,
        0.05,
        0.0,
        "At home by day: plugged in between the errands of the morning and the afternoon.",
        SESSIONS,
        "constant power by day, dull days as bright ones, with starts that scatter over hours",
        Charging(Timing.ON_ARRIVAL, (2.3, 3.0, 3.4, 3.6, 3.7, 7.2), (0.1, 0.8), (3.0, 16.0), (0.25, 0.7), arrives=(16.0, 31.0)),
    ),
    Behaviour(
        "ev_evening",
        AssetClass.EV,
        0.13,
        0.0,
        "Plugged in on arrival on some days of the week.",
        SESSIONS,
        "constant power after arrival, longer than a shower or an oven",
        Charging(Timing.ON_ARRIVAL, (2.8, 3.3, 3.6, 3.6, 5.5, 7.0, 7.2, 7.4), (0.04, 0.6), (3.0, 30.0), (0.2, 0.9)),
    ),
    Behaviour(
        "ev_two_cars",
        AssetClass.EV,
        0.04,
        0.0,
        "Two cars on one off-peak tariff, each on its own nights.",
        TARIFF_TERMS,
        "two powers that add up, each constant, with ends of their own",
        Charging(Timing.OFF_PEAK, (3.6, 7.2), (0.35, 0.9), (5.0, 16.0), cars=2),
    ),
    Behaviour(
        "ev_smart_pieces",
        AssetClass.EV,
        0.06,
        0.0,
        "Charged in half-hours that a supplier chooses, at night and sometimes by day.",
        TARIFF_TERMS,
        "one power in pieces whose number and place vary",
        Charging(Timing.PIECES, (7.0, 7.2, 7.4), (0.3, 0.95), (5.0, 22.0)),
    ),
    Behaviour(
        "ev_solar_divert",
        AssetClass.EV,
        0.02,
        0.0,
        "A charge point that follows surplus generation from 1.4 kW (6 A) on; at night what is then missing.",
        "EN 61851: least current of 6 A",
        "net power near zero on bright days in place of export, from 1.4 kW on",
        Charging(Timing.SURPLUS, (7.2,), (0.3, 0.8), (5.0, 18.0)),
    ),
    Behaviour(
        "ev_solar_only",
        AssetClass.EV,
        0.01,
        0.0,
        "A charge point that takes surplus generation and nothing else: what is missing is charged elsewhere.",
        "EN 61851: least current of 6 A; a rule of this project's own test on recorded homes that was missed",
        "net power near zero on some bright days in place of export, from 1.4 kW on, with evenings as ever",
        Charging(Timing.SURPLUS, (7.2,), (0.3, 0.8), (5.0, 18.0), only_surplus=True),
    ),
    Behaviour(
        "ev_socket_2_3kw",
        AssetClass.EV,
        0.05,
        0.0,
        "A 2.3 kW lead at a socket, for hours.",
        "10 A limit of leads for domestic sockets",
        "one power for two hours and more, on nights of any temperature",
        Charging(Timing.OFF_PEAK, (2.2, 2.3), (0.3, 0.95), (4.0, 14.0), (0.08, 0.75)),
    ),
    Behaviour(
        "ev_workplace",
        AssetClass.EV,
        0.0,
        0.8,
        "Cars of staff and visitors, charged during working hours.",
        HAND,
        "blocks of one power or its multiples on working days",
        Charging(Timing.WORK, (3.7, 7.4, 7.4, 11.0, 22.0), (0.3, 0.95), (6.0, 30.0)),
    ),
)
_BATTERIES: Final = (
    Behaviour(
        "battery_self_use",
        AssetClass.BATTERY,
        0.48,
        0.0,
        "Charged from surplus generation and discharged to the load.",
        HAND,
        "net power held near zero in the evening after bright days",
    ),
    Behaviour(
        "battery_arbitrage",
        AssetClass.BATTERY,
        0.10,
        0.70,
        "Charged off-peak and discharged to the load, or at full power at the evening peak.",
        TARIFF_TERMS,
        _CYCLE,
    ),
    Behaviour(
        "battery_both",
        AssetClass.BATTERY,
        0.30,
        0.0,
        "Charged from surplus and off-peak, in six of ten off-peak in winter only.",
        TARIFF_TERMS,
        _CYCLE,
    ),
    Behaviour("battery_peak_shaving", AssetClass.BATTERY, 0.0, 0.12, "Discharged at a site's peaks only.", HAND, _CYCLE),
    Behaviour("battery_dynamic", AssetClass.BATTERY, 0.12, 0.18, "Charged and discharged by half-hourly prices.", TARIFF_TERMS, _CYCLE),
)
_HEAT_PUMPS: Final = (
    Behaviour("heat_pump_inverter", AssetClass.HEAT_PUMP, 0.56, 0.56, "Modulates with weather compensation.", HAND, _COLD),
    Behaviour("heat_pump_on_off", AssetClass.HEAT_PUMP, 0.20, 0.20, "Cycles at one power.", HAND, _COLD),
    Behaviour("heat_pump_hybrid", AssetClass.HEAT_PUMP, 0.09, 0.09, "Leaves cold hours to a boiler.", HAND, _COLD),
    Behaviour("heat_pump_air_to_air", AssetClass.HEAT_PUMP, 0.15, 0.15, "Heats rooms while used, cools some in summer.", HAND, _COLD),
)
_RESPONSE: Final = (
    Behaviour("response_winter_peak", AssetClass.DEMAND_RESPONSE, 0.0, 0.20, "On the dearest winter peaks.", HAND, _EVENTS),
    Behaviour("response_timetable", AssetClass.DEMAND_RESPONSE, 0.10, 0.18, "Every winter working day at one hour.", HAND, _EVENTS),
    Behaviour("response_price", AssetClass.DEMAND_RESPONSE, 0.45, 0.18, "On days of high prices.", HAND, _EVENTS),
    Behaviour("response_dispatch", AssetClass.DEMAND_RESPONSE, 0.15, 0.24, "On request on some working days.", HAND, _EVENTS),
    Behaviour("response_daytime_peak", AssetClass.DEMAND_RESPONSE, 0.0, 0.10, "On working days outside winter.", HAND, _EVENTS),
    Behaviour(
        "response_dynamic_tariff",
        AssetClass.DEMAND_RESPONSE,
        0.30,
        0.10,
        "Dear hours of a tariff of changing prices, and more use in cheap ones.",
        "price events of the Low Carbon London trial",
        _EVENTS,
    ),
)
_ROOFS: Final = (
    Behaviour(
        "solar_roof",
        AssetClass.SOLAR_PV,
        1.0,
        1.0,
        "Modules on one or two planes, with inverter limits, shade and outages.",
        HAND,
        "load that falls with the height and the season of the sun",
    ),
)
CATALOGUE: Final = (*_CARS, *_BATTERIES, *_HEAT_PUMPS, *_RESPONSE, *_ROOFS, *LOOKALIKES)
BY_NAME: Final = {behaviour.name: behaviour for behaviour in CATALOGUE}


def list_behaviours(subject: AssetClass | str) -> tuple[Behaviour, ...]:
    """The behaviours of a class or of a look-alike, in the order of their numbers."""
    return tuple(behaviour for behaviour in CATALOGUE if behaviour.subject == subject)


def name_behaviours(subject: AssetClass | str) -> tuple[str, ...]:
    """Their names."""
    return tuple(behaviour.name for behaviour in list_behaviours(subject))
