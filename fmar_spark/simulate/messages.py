"""The fleet's readings and standing data as DIP messages: one meter point, measurement quantity and UTC day a message."""

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.domain.words import Quantity
from fmar_spark.simulate.fleet import DISTRIBUTOR_OF_GROUP, Fleet
from fmar_spark.simulate.permissions import Permissions
from fmar_spark.simulate.plan import FleetPlan, Floats, Ints
from fmar_spark.units import WATT_HOURS_PER_KWH

SCHEMA_VERSION: Final = "011"
UNREAD: Final = -1
DAYS_PER_YEAR: Final = 365
OPTED_OUT: Final = 1
"""DIP estimation reason."""
ESTIMATED: Final = "E"
ACTUAL: Final = "A"
PERIOD_ENDS: Final = tuple(f"{(slot + 1) // 2 % 24:02d}:{(slot + 1) % 2 * 30:02d}" for slot in range(SLOTS_PER_DAY))
"""Name of each UTC slot in a message: its end."""
SENDER: Final = "1000000001"
RECIPIENT: Final = "1000000099"
TEXT_OF_WATT_HOURS: Final = tuple(f"{watt_hours / 1000:.3f}" for watt_hours in range(20_000))

_HEAD: Final = (
    '{"payload":{"CommonBlock":{"S0":{"interfaceID":"%s","schemaVersion":"'
    + SCHEMA_VERSION
    + '","eventCode":"%s"},"S1":{"environmentTag":"%s","subText":null,"senderUniqueReference":"%s",'
    + '"senderTimestamp":"%s","senderDIPID":"'
    + SENDER
    + '","senderRoleID":"%s","senderCorrelationID":null,"DIPConnectionProviderID":null},"A0":{"primaryRecipients":["'
    + RECIPIENT
    + '"],"secondaryRecipients":[],"always":[]},"D0":{"transactionID":"%s","transactionTimestamp":"%s",'
    + '"publicationID":"%s","initialCorrelationID":null,"replayIndicator":%s,"serviceTicketURL":null},'
    + '"M0":{"MPANCore":"%s","distributorDIPID":"%s","GSPGroupID":"%s"}},"CustomBlock":{'
)
_PERIOD: Final = '{"sp":"%s","v":"%s","q":"%s","e":%s,"arc":null}'
_CONSUMPTION: Final = (
    '"B044":{"issuingDataServiceDIPID":"'
    + SENDER
    + '"},"B067":{"connectionTypeIndicator":"%s","connectionTypeEffectiveFromDate":"%s"},"B900":{"MQID":{"measurementQuantityID":"%s"},'
    + '"settlementDayConsumptionPeriods":[{"settlementDay":{"settlementDayDate":"%s","periodDuration":30},'
    + '"consumptionPeriods":[%s]}]}}}}'
)
_STANDING: Final = (
    '"B023":{"connectionTypeIndicator":"%s","energyDirection":"%s"},"B025":{"energisationStatus":"E"},'
    + '"B026":{"marketSegmentIndicator":"%s"},"B027":{"annualConsumption":"%.1f"},"B028":{"domesticPremiseIndicator":%s},'
    + '"B035List":[%s],"B067":{"connectionTypeIndicator":"%s","connectionTypeEffectiveFromDate":"%s"},'
    + '"B068":{"consentGranularity":"%s"}}}}'
)


class PeriodFormat(StrEnum):
    """How the end of a period is written."""

    TIME = "time"
    """``00:30``"""
    TIME_Z = "time_z"
    """``00:30Z``"""
    STAMP = "stamp"
    """``2026-03-01T00:30:00+00:00``; the last period of a day ends on the next day."""


class Origin(NamedTuple):
    """Whose readings a message carries: every id and the environment's tag say so."""

    prefix: str
    """Begins each transactionID."""
    environment: str
    """S1.environmentTag."""


SIMULATED: Final = Origin("SIM", "SIMULATED")


class DayMessage(NamedTuple):
    """What one consumption message says."""

    mpan_id: str
    gsp_group: str
    quantity: str
    utc_date: str
    watt_hours: tuple[int, ...]
    """48 values, ``UNREAD`` where the message says nothing."""
    connection: str
    connected_on: str
    reported_at: str
    """25 characters, UTC."""
    version: int = 0
    """Part of the transaction's id: corrections of the same day count up."""
    estimated: tuple[int, ...] = ()
    """Slots that are estimates, all for the same reason."""
    reason: int | None = None
    is_replay: bool = False
    origin: Origin = SIMULATED

    @property
    def transaction_id(self) -> str:
        """Unique over quantity, day and version, the same whenever the message is made again."""
        return f"{self.origin.prefix}-{self.mpan_id}-{self.quantity}-{self.utc_date}-{self.version}"


def _write_kwh(watt_hours: int) -> str:
    if watt_hours < len(TEXT_OF_WATT_HOURS):
        return TEXT_OF_WATT_HOURS[watt_hours]
    return f"{watt_hours / WATT_HOURS_PER_KWH:.3f}"


@lru_cache(maxsize=16)
def _actual_day(utc_date: str, written: PeriodFormat) -> str:
    """48 actual half-hours of the day, each with a place for its value."""
    return ",".join(_PERIOD % (end, "%s", ACTUAL, "null") for end in _name_ends(utc_date, written))


def _write_periods(message: DayMessage, written: PeriodFormat) -> str:
    if not message.estimated and min(message.watt_hours) >= 0:
        is_usual = max(message.watt_hours) < len(TEXT_OF_WATT_HOURS)
        values = map(TEXT_OF_WATT_HOURS.__getitem__ if is_usual else _write_kwh, message.watt_hours)
        return _actual_day(message.utc_date, written) % tuple(values)
    estimated = set(message.estimated)
    reason = "null" if message.reason is None else str(message.reason)
    ends = _name_ends(message.utc_date, written)
    return ",".join(
        _PERIOD % (end, _write_kwh(value), *((ESTIMATED, reason) if slot in estimated else (ACTUAL, "null")))
        for slot, (end, value) in enumerate(zip(ends, message.watt_hours, strict=True))
        if value >= 0
    )


class StandingMessage(NamedTuple):
    """What one message of standing data says of a meter point."""

    mpan_id: str
    gsp_group: str
    direction: str
    """I import or E export."""
    is_domestic: bool
    annual_kwh: float
    partner_mpan_id: str
    """The other direction's MPAN at the same boundary, '' where there is none."""
    consent_granularity: str
    connection: str
    connected_on: str
    reported_at: str
    origin: Origin = SIMULATED

    @property
    def transaction_id(self) -> str:
        """One a meter point."""
        return f"{self.origin.prefix}-{self.mpan_id}-STANDING-0"


def _write_head(interface: tuple[str, str, str], message: DayMessage | StandingMessage, is_replay: bool) -> str:
    """Common block: interface is (id, event code, sender's role)."""
    mpan_id, group, transaction_id, reported_at = message.mpan_id, message.gsp_group, message.transaction_id, message.reported_at
    replay = "true" if is_replay else "false"
    publication = f"PUB-{transaction_id.partition('-')[2]}"
    interface_id, event, role = interface
    return _HEAD % (
        interface_id,
        event,
        message.origin.environment,
        transaction_id,
        reported_at,
        role,
        transaction_id,
        reported_at,
        publication,
        replay,
        mpan_id,
        DISTRIBUTOR_OF_GROUP[group],
        group,
    )


def _name_ends(utc_date: str, written: PeriodFormat) -> tuple[str, ...]:
    """The ends of the day's periods, by slot."""
    if written is PeriodFormat.STAMP:
        next_date = (date.fromisoformat(utc_date) + timedelta(days=1)).isoformat()
        return tuple(f"{next_date if end == '00:00' else utc_date}T{end}:00+00:00" for end in PERIOD_ENDS)
    return tuple(f"{end}Z" for end in PERIOD_ENDS) if written is PeriodFormat.TIME_Z else PERIOD_ENDS


def write_message(message: DayMessage, written: PeriodFormat = PeriodFormat.TIME) -> str:
    """The message as JSON text, its periods in the given format."""
    head = _write_head(("PUB-021", "[ActivePower]", "SDS"), message, message.is_replay)
    return head + _CONSUMPTION % (
        message.connection,
        message.connected_on,
        message.quantity,
        message.utc_date,
        _write_periods(message, written),
    )


def write_standing_message(message: StandingMessage) -> str:
    """The message as JSON text."""
    head = _write_head(("IF-036", "[Appointment]", "SUP"), message, is_replay=False)
    link = f'{{"linkedMPANCore":"{message.partner_mpan_id}"}}' if message.partner_mpan_id else ""
    return head + _STANDING % (
        message.connection,
        message.direction,
        "S" if message.is_domestic else "A",
        message.annual_kwh,
        "true" if message.is_domestic else "false",
        link,
        message.connection,
        message.connected_on,
        message.consent_granularity,
    )


def _connection(is_domestic: bool, annual_kwh: float) -> str:
    """W whole current, L low voltage with transformers, H high voltage; by size."""
    if is_domestic or annual_kwh < 150_000:
        return "W"
    return "L" if annual_kwh < 2_000_000 else "H"


def connected_on(plan: FleetPlan) -> str:
    """Date from which every simulated connection counts: well before the plan."""
    return (plan.first_date - timedelta(days=400)).isoformat()


def estimate_annual_kwh(kwh: Floats) -> Floats:
    """What each register's readings, shape (meters, slots), come to in a year; 0 where nothing was ever read."""
    known = np.maximum(np.count_nonzero(~np.isnan(kwh), axis=1), 1)
    return np.asarray(np.nansum(kwh, axis=1, dtype=np.float64) / known * SLOTS_PER_DAY * DAYS_PER_YEAR)


def list_connections(fleet: Fleet) -> list[str]:
    """Connection type of each meter."""
    annual = estimate_annual_kwh(fleet.import_kwh).tolist()
    return [_connection(bool(home), kwh) for home, kwh in zip(fleet.is_domestic, annual, strict=True)]


def write_standing_messages(plan: FleetPlan, fleet: Fleet, permissions: Permissions) -> list[str]:
    """An IF-036 message for every import and every export meter point, each naming its partner."""
    reported_at = datetime.combine(plan.first_date, datetime.min.time(), tzinfo=UTC).isoformat()
    since, connections = connected_on(plan), list_connections(fleet)
    bought, sold = (estimate_annual_kwh(kwh).tolist() for kwh in (fleet.import_kwh, fleet.export_kwh))
    texts = []
    for row, mpan in enumerate(fleet.mpan_id):
        partners = [(mpan, "I", bought[row], fleet.export_mpan_id[row])]
        if fleet.export_mpan_id[row]:
            partners.append((fleet.export_mpan_id[row], "E", sold[row], mpan))
        for own, direction, annual_kwh, partner in partners:
            message = StandingMessage(
                mpan_id=own,
                gsp_group=fleet.gsp_group[row],
                direction=direction,
                is_domestic=bool(fleet.is_domestic[row]),
                annual_kwh=annual_kwh,
                partner_mpan_id=partner,
                consent_granularity=permissions.consent_granularity[row],
                connection=connections[row],
                connected_on=since,
                reported_at=reported_at,
            )
            texts.append(write_standing_message(message))
    return texts


def _watt_hours(kwh: np.ndarray[tuple[int, ...], np.dtype[np.floating]]) -> Ints:
    """Whole watt-hours, ``UNREAD`` where never read; shape kept."""
    return np.where(np.isnan(kwh), UNREAD, np.rint(np.nan_to_num(kwh) * WATT_HOURS_PER_KWH)).astype(np.int64)


def list_day_messages(plan: FleetPlan, fleet: Fleet, permissions: Permissions, days: range, connections: list[str]) -> list[DayMessage]:
    """Consumption messages of a run of the plan's days, ordered by day, quantity and meter; a day without a reading has none.

    An opted-out day is reported as an even estimate with reason 1, as a supplier settles it.

    Args:
        plan: the fleet's.
        fleet: one block.
        permissions: of the same meters.
        days: of the plan.
        connections: what ``list_connections`` gave for the block.
    """
    window = slice(days.start * SLOTS_PER_DAY, days.stop * SLOTS_PER_DAY)
    since = connected_on(plan)
    registers = [(fleet.mpan_id, Quantity.AI, _watt_hours(fleet.import_kwh[:, window]))]
    registers.append((fleet.export_mpan_id, Quantity.AE, _watt_hours(fleet.export_kwh[:, window])))
    messages = []
    for position, day in enumerate(days):
        utc_date = (plan.first_date + timedelta(days=day)).isoformat()
        next_date = (plan.first_date + timedelta(days=day + 1)).isoformat()
        for mpans, quantity, table in registers:
            values = table[:, position * SLOTS_PER_DAY : (position + 1) * SLOTS_PER_DAY]
            reported = [row for row in np.flatnonzero((values >= 0).any(axis=1)).tolist() if mpans[row]]
            for row in reported:
                message = DayMessage(
                    mpan_id=mpans[row],
                    gsp_group=fleet.gsp_group[row],
                    quantity=quantity.value,
                    utc_date=utc_date,
                    watt_hours=tuple(values[row].tolist()),
                    connection=connections[row],
                    connected_on=since,
                    reported_at=f"{next_date}T{6 + row % 12:02d}:{row * 7 % 60:02d}:{row * 13 % 60:02d}+00:00",
                )
                is_out = permissions.opted_out_from_day[row] <= day < permissions.opted_out_to_day[row]
                messages.append(_estimate_evenly(message) if is_out else message)
    return messages


def _estimate_evenly(message: DayMessage) -> DayMessage:
    mean = sum(value for value in message.watt_hours if value > 0) // SLOTS_PER_DAY
    return message._replace(watt_hours=(mean,) * SLOTS_PER_DAY, estimated=tuple(range(SLOTS_PER_DAY)), reason=OPTED_OUT)


def shift_reported_at(message: DayMessage, days: float) -> DayMessage:
    """The same message sent that many days later."""
    later = datetime.fromisoformat(message.reported_at) + timedelta(days=days)
    return message._replace(reported_at=later.replace(microsecond=0).isoformat())
