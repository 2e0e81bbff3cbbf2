"""The parts of a DIP message that are read, as msgspec decodes them; everything else in the JSON is skipped.

Fields that may be masked for a recipient are optional: a masked value is null, empty or one character repeated.
"""

from typing import Any, Final

import msgspec
from msgspec import field

MASKS: Final = "*#Xx.-_?"


def unmask(text: str | None) -> str | None:
    """The text, or None where it is empty or one character that stands for a hidden value, repeated."""
    if not text or (text[0] in MASKS and not text.strip(text[0])):
        return None
    return text


class Period(msgspec.Struct, gc=False):
    """One half-hour: UTC label, energy, quality, estimation reason, amendment code."""

    sp: str
    v: str
    q: str
    e: str | int | None = None
    arc: str | int | None = None


class SettlementDay(msgspec.Struct, gc=False):
    """Which day, in which steps."""

    date: str = field(name="settlementDayDate")
    duration_minutes: int | float = field(name="periodDuration")


class DayBlock(msgspec.Struct, gc=False):
    """The periods of one day."""

    day: SettlementDay = field(name="settlementDay")
    periods: msgspec.Raw = field(name="consumptionPeriods")
    """An array of ``Period``, not decoded yet: most are read without (see ``fast_half_hours``)."""


class MeasurementQuantity(msgspec.Struct, gc=False):
    """AI, AE, RI or RE."""

    id: str = field(name="measurementQuantityID")


class Consumption(msgspec.Struct, gc=False):
    """B900."""

    quantity: MeasurementQuantity = field(name="MQID")
    blocks: list[DayBlock] = field(name="settlementDayConsumptionPeriods")


class Connection(msgspec.Struct, gc=False):
    """B023 or B067."""

    type: str | None = field(name="connectionTypeIndicator", default=None)
    direction: str | None = field(name="energyDirection", default=None)
    from_date: str | None = field(name="connectionTypeEffectiveFromDate", default=None)


class Energisation(msgspec.Struct, gc=False):
    """B025."""

    status: str | None = field(name="energisationStatus", default=None)
    from_date: str | None = field(name="energisationStatusEffectiveFromDate", default=None)


class Segment(msgspec.Struct, gc=False):
    """B026."""

    indicator: str | None = field(name="marketSegmentIndicator", default=None)


class AnnualConsumption(msgspec.Struct, gc=False):
    """B027."""

    kwh: str | float | None = field(name="annualConsumption", default=None)


class Premise(msgspec.Struct, gc=False):
    """B028."""

    is_domestic: bool | str | None = field(name="domesticPremiseIndicator", default=None)


class Consent(msgspec.Struct, gc=False):
    """B068."""

    granularity: str | None = field(name="consentGranularity", default=None)


class CustomBlock(msgspec.Struct, gc=False):
    """The blocks of all interfaces that are read."""

    consumption: Consumption | None = field(name="B900", default=None)
    stale_consumption: Consumption | list[Consumption] | None = field(name="B900List", default=None)
    connected: Connection | None = field(name="B067", default=None)
    connection: Connection | None = field(name="B023", default=None)
    energisation: Energisation | None = field(name="B025", default=None)
    segment: Segment | None = field(name="B026", default=None)
    annual: AnnualConsumption | None = field(name="B027", default=None)
    premise: Premise | None = field(name="B028", default=None)
    links: Any = field(name="B035List", default=None)
    consent: Consent | None = field(name="B068", default=None)


class Interface(msgspec.Struct, gc=False):
    """S0."""

    id: str = field(name="interfaceID")
    event_code: str | None = field(name="eventCode", default=None)


class Sender(msgspec.Struct, gc=False):
    """S1; the stale example names other keys, so none is required."""

    unique_reference: str | None = field(name="senderUniqueReference", default=None)
    dip_id: str | None = field(name="senderDIPID", default=None)


class Delivery(msgspec.Struct, gc=False):
    """D0."""

    transaction_id: str = field(name="transactionID")
    transaction_timestamp: str = field(name="transactionTimestamp")
    publication_id: str | None = field(name="publicationID", default=None)
    replay: bool | str | None = field(name="replayIndicator", default=None)


class MeterPoint(msgspec.Struct, gc=False):
    """M0."""

    mpan: str = field(name="MPANCore")
    distributor_dip_id: str | None = field(name="distributorDIPID", default=None)
    gsp_group_id: str | None = field(name="GSPGroupID", default=None)


class CommonBlock(msgspec.Struct, gc=False):
    """What every message carries."""

    interface: Interface = field(name="S0")
    delivery: Delivery = field(name="D0")
    meter: MeterPoint = field(name="M0")
    sender: Sender | None = field(name="S1", default=None)


class Payload(msgspec.Struct, gc=False):
    """Header and body."""

    common: CommonBlock = field(name="CommonBlock")
    custom: CustomBlock = field(name="CustomBlock")


class Message(msgspec.Struct, gc=False):
    """One element of a delivered array."""

    payload: Payload


class _LooseId(msgspec.Struct):
    transaction_id: object = field(name="transactionID", default=None)


class _LooseMeter(msgspec.Struct):
    mpan: object = field(name="MPANCore", default=None)


class _LooseCommon(msgspec.Struct):
    delivery: _LooseId | None = field(name="D0", default=None)
    meter: _LooseMeter | None = field(name="M0", default=None)


class _LoosePayload(msgspec.Struct):
    common: _LooseCommon | None = field(name="CommonBlock", default=None)


class LooseMessage(msgspec.Struct):
    """As much of a broken message as says whose it is."""

    payload: _LoosePayload | None = None

    @property
    def transaction_id(self) -> str | None:
        """D0.transactionID, where there is one."""
        common = self.payload and self.payload.common
        found = common.delivery.transaction_id if common and common.delivery else None
        return found if isinstance(found, str) else None

    @property
    def mpan(self) -> str | None:
        """M0.MPANCore, where there is one."""
        common = self.payload and self.payload.common
        found = common.meter.mpan if common and common.meter else None
        return found if isinstance(found, str) else None
