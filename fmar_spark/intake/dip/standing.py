"""Checks the standing data of a meter point against their closed lists and brings them into one format."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from fmar_spark.domain.figures import write_count
from fmar_spark.domain.mpan import is_mpan
from fmar_spark.intake.decimals import parse_decimal
from fmar_spark.intake.dip.consumption import BLOCK_MISSING, DAY_MALFORMED, parse_settlement_day
from fmar_spark.intake.dip.headers import Headers
from fmar_spark.intake.dip.rules import FaultLog, Rule
from fmar_spark.intake.dip.structs import (
    AnnualConsumption,
    Connection,
    Consent,
    CustomBlock,
    Energisation,
    Message,
    Premise,
    Segment,
    unmask,
)

CONNECTION_TYPES: Final = frozenset("WLHEU")
ENERGY_DIRECTIONS: Final = frozenset("IE")
ENERGISED: Final = {"E": True, "D": False}
MARKET_SEGMENTS: Final = frozenset("SAU")
CONSENTS: Final = frozenset("HDMN")
MPAN_KEY: Final = "mpan"
"""Part of every spelling of the key under which B035List names a linked meter point."""


STANDING_UNKNOWN: Final = Rule(
    "standing_value_unknown",
    "A value of the standing data is not on its closed list, or is no date, number or MPAN where it should be.",
)


class UnknownValueError(Exception):
    """A value is not on its list; the message says which."""


def check_standing(messages: list[Message], headers: Headers, faults: FaultLog) -> list[dict[str, object] | None]:
    """Standing data message by message, None for consumption; broken rules are noted in ``faults``."""
    found: list[dict[str, object] | None] = [None] * len(messages)
    for place in np.flatnonzero(~headers.is_consumption).tolist():
        payload = messages[place].payload
        if not has_standing(payload.custom):
            faults.note(place, BLOCK_MISSING, "none of B023, B025, B026, B027, B028, B035List and B068 found")
            continue
        try:
            found[place] = read_standing(payload.custom, payload.common.meter.mpan)
        except UnknownValueError as error:
            faults.note(place, STANDING_UNKNOWN, str(error))
    return found


def has_standing(custom: CustomBlock) -> bool:
    """Whether the message carries any block of standing data."""
    blocks = (custom.connection, custom.energisation, custom.segment, custom.annual, custom.premise, custom.links, custom.consent)
    return any(block is not None for block in blocks)


def read_standing(custom: CustomBlock, mpan_id: str) -> dict[str, object]:
    """The fields of ``bronze.dip_messages.standing``; what is masked or not said is None.

    Raises:
        UnknownValueError: a value is not on its closed list, or is no number, date or MPAN.
    """
    connection, connected = custom.connection or Connection(), custom.connected or Connection()
    energisation, consent = custom.energisation or Energisation(), custom.consent or Consent()
    status = _pick("energisationStatus", energisation.status, frozenset(ENERGISED))
    return {
        "connection_type": _pick("connectionTypeIndicator", unmask(connection.type) or connected.type, CONNECTION_TYPES),
        "energy_direction": _pick("energyDirection", connection.direction, ENERGY_DIRECTIONS),
        "is_energised": ENERGISED[status] if status else None,
        "market_segment": _pick("marketSegmentIndicator", (custom.segment or Segment()).indicator, MARKET_SEGMENTS),
        "annual_kwh": _read_energy((custom.annual or AnnualConsumption()).kwh),
        "is_domestic": _read_flag((custom.premise or Premise()).is_domestic),
        "linked_mpan_id": _read_link(custom.links, mpan_id),
        "consent_granularity": _pick("consentGranularity", consent.granularity, CONSENTS),
        "effective_from_date": _read_date(connection.from_date, connected.from_date, energisation.from_date),
    }


def _pick(name: str, said: str | None, known: frozenset[str]) -> str | None:
    value = unmask(said)
    if value is not None and value not in known:
        raise UnknownValueError(f"{name} {value!r} found, one of {', '.join(sorted(known))} wanted")
    return value


def _read_energy(said: str | float | None) -> float | None:
    """Kilowatt-hours a year; an old estimate may be below zero."""
    text = unmask(said) if isinstance(said, str) else said
    if text is None:
        return None
    energy = parse_decimal(text.strip()) if isinstance(text, str) else float(text)
    if not math.isfinite(energy):
        raise UnknownValueError(f"annualConsumption {text!r} found, a number wanted")
    return energy


def _read_flag(said: bool | str | None) -> bool | None:
    if isinstance(said, str) and unmask(said) is not None:
        raise UnknownValueError(f"domesticPremiseIndicator {said!r} found, true or false wanted")
    return said if isinstance(said, bool) else None


def _read_link(links: Any, mpan_id: str) -> str | None:
    """The first meter point that is named and is not the own one."""
    for text in _find_mpans(links):
        if not is_mpan(text):
            raise UnknownValueError(f"B035List: {write_count(len(text), 'character')} found, an MPAN of 13 digits wanted")
        if text != mpan_id:
            return text
    return None


def _find_mpans(links: Any) -> Iterator[str]:
    """Texts under any key that speaks of an MPAN, in a list or alone, not masked."""
    for link in links if isinstance(links, list) else [links]:
        named = [value for key, value in link.items() if MPAN_KEY in key.lower()] if isinstance(link, Mapping) else [link]
        for value in named:
            if value is not None and not isinstance(value, str):
                raise UnknownValueError(f"B035List: {type(value).__name__} found, the text of an MPAN wanted")
            if unmask(value) is not None:
                yield str(value)


def _read_date(*said: str | None) -> int | None:
    """Days since 1970-01-01 of the first date that is given."""
    for text in map(unmask, said):
        if text is not None:
            day, broken = parse_settlement_day(text)
            if broken is DAY_MALFORMED:
                raise UnknownValueError(f"effective date {text!r} found, YYYY-MM-DD wanted")
            return day
    return None
