"""Dispatch events and declared deliveries as parties report them, what the boundary meter says of each, and the flags that follow."""

from typing import Final

from fmar_spark.contracts.table import Column, Layer, TableContract, mpan_column, run_columns
from fmar_spark.domain.words import Sensitivity

_FSP: Final = Column("fsp_id", "string", "Market participant that declares.", nullable=False, sensitivity=Sensitivity.COMMERCIAL)
_AMSID: Final = Column(
    "amsid", "string", "Asset metering system id; empty where none was named.", nullable=False, sensitivity=Sensitivity.COMMERCIAL
)
_METER: Final = mpan_column("Boundary meter point (13 digits); empty where a unit or zone was instructed without naming meters.")
_REPORTED: Final = (
    Column("declaration_id", "string", "Digest of everything that was declared: the same words have the same id.", nullable=False),
    Column("version", "int", "Version that the declaration gives itself; null = none."),
    Column("declared_at", "timestamp", "When the FSP says that it declared; null = not said."),
    Column("repeats", "int", "Further times that the same row stood in its file.", nullable=False, check="repeats >= 0"),
    Column("notices", "array<string>", "What was noticed and kept all the same, by the names of the rules.", nullable=False),
    Column("is_newest", "boolean", "No other declaration of the same key supersedes it.", nullable=False),
    Column("source", "string", "Where it came from: file name and line.", nullable=False),
    Column("run_id", "string", "Run that wrote the row (ops.run_journal).", nullable=False),
    Column("loaded_at", "timestamp", "When the row came to the lake.", nullable=False),
)
_EVENT: Final = (
    Column("market", "string", "Market of the dispatch."),
    Column("product", "string", "Product of the dispatch, as the instruction names it."),
    Column("start_at", "timestamp", "Start of the event.", nullable=False),
    Column("end_at", "timestamp", "First moment after the event.", nullable=False),
)
_DISPATCHED: Final = Column(
    "dispatch_direction",
    "string",
    "down: less import or more export; up: the contrary.",
    nullable=False,
    check="dispatch_direction IN ('down', 'up')",
)

_SIGNS: Final = (
    Column(
        "raised_before_z", "double", "Load raised from four hours to one hour before, so as to flatter a delivery; standard deviations."
    ),
    Column("rinse_z", "double", "The same in the last hour before; standard deviations of ordinary days."),
    Column("rebound_z", "double", "Energy recovered in the four hours after; standard deviations of ordinary days."),
    Column(
        "enrolment_step_z",
        "double",
        "Step of the load over its forecasts in the week from the asset's first event on, seen 7 to 30 days later; standard deviations.",
    ),
)
"""Where to look; they decide no verdict. Null where they cannot be measured."""

DISPATCH_EVENTS: Final = TableContract(
    name="dispatch_events",
    layer=Layer.SILVER,
    doc="Every version of every dispatch instruction: which asset, unit or zone was to change its load, when, which way and by how much.",
    key=("event_id", "mpan_id", "amsid", "declaration_id"),
    columns=(
        Column("event_id", "string", "Id of the instruction; derived from its contents where the sender gives none.", nullable=False),
        _METER,
        _AMSID,
        _FSP,
        *_EVENT,
        _DISPATCHED,
        Column("notice_at", "timestamp", "When the FSP came to know of the event; null = not said."),
        Column("requested_kw", "double", "Requested power, positive in the event's direction.", unit="kW"),
        Column("unit_id", "string", "Unit or portfolio that was instructed, where no meter was.", sensitivity=Sensitivity.COMMERCIAL),
        Column("zone", "string", "Constraint zone of the instruction."),
        *_REPORTED,
    ),
    job="load_deliveries",
)

ASSET_VOLUMES: Final = TableContract(
    name="asset_volumes",
    layer=Layer.SILVER,
    doc="Every version of every delivered volume that an FSP declared for a half-hour of an asset.",
    key=("mpan_id", "amsid", "fsp_id", "slot_start_at", "declaration_id"),
    columns=(
        mpan_column(),
        _AMSID,
        _FSP,
        Column("slot_start_at", "timestamp", "Start of the half-hour.", nullable=False),
        Column("delivered_kwh", "double", "Declared delivery.", unit="kWh", nullable=False),
        Column(
            "is_network_sign",
            "boolean",
            "Positive is less import or more export (P0282); else positive is the event's direction.",
            nullable=False,
        ),
        Column("metered_kwh", "double", "Metered by the asset's own meter, import positive; null = not said.", unit="kWh"),
        *_REPORTED,
    ),
    job="load_deliveries",
)

DELIVERY_CHECKS: Final = TableContract(
    name="delivery_checks",
    layer=Layer.GOLD,
    doc="One row for every event and asset: the delivery that was declared beside the one that the boundary meter shows.",
    key=("event_id", "mpan_id", "amsid"),
    columns=(
        Column("event_id", "string", "Dispatch event.", nullable=False),
        mpan_column(),
        _AMSID,
        _FSP,
        *_EVENT,
        _DISPATCHED,
        Column("event_date", "date", "Local day on which the event began.", nullable=False),
        Column("half_hours", "int", "Half-hours of the event.", nullable=False),
        Column("declared_kwh", "double", "Declared delivery over the event; null = none declared.", unit="kWh"),
        Column("declared_others_kwh", "double", "Declared by other assets of the same meter in these half-hours.", unit="kWh"),
        Column("baseline_kwh", "double", "Expected net import over the event without any delivery.", unit="kWh"),
        Column("net_kwh", "double", "Net import over the event that the boundary meter read.", unit="kWh"),
        Column(
            "observed_kwh",
            "double",
            "Delivery that the boundary meter shows: expected less read, positive in the event's direction.",
            unit="kWh",
        ),
        Column("observed_lower_kwh", "double", "Low end of its 80 % interval.", unit="kWh"),
        Column("observed_upper_kwh", "double", "High end of its 80 % interval.", unit="kWh"),
        Column("p_value", "double", "Probability of so little observed delivery, were all declared deliveries true."),
        Column("spread_kwh", "double", "Root mean squared error of the expectation over such half-hours of earlier days.", unit="kWh"),
        Column("meter_p_value", "double", "The same of all assets of the meter together; equal to p_value where no other declared."),
        Column("is_assessable", "boolean", "It counts as evidence, be it too small for a verdict of its own.", nullable=False),
        Column("is_shared", "boolean", "Another asset of the meter declared something in these half-hours.", nullable=False),
        *_SIGNS,
        Column(
            "verdict", "string", "consistent (not contradicted: not a proof of delivery), implausible or not_assessable.", nullable=False
        ),
        Column("rule", "string", "Name of the reason of a verdict that is not consistent; null for one that is."),
        Column("reason", "string", "Why, with the numbers.", nullable=False),
        Column("notices", "array<string>", "What was noticed beside the verdict, by the names of the rules.", nullable=False),
        Column("checked_at", "timestamp", "When it was checked: declarations loaded later have it checked again.", nullable=False),
        *run_columns(),
    ),
    job="verify_delivery",
    cluster_by=("event_date",),
)

DELIVERY_EVIDENCE: Final = TableContract(
    name="delivery_evidence",
    layer=Layer.GOLD,
    doc="One row for every asset and FSP: what all its events together say of its declarations, at a stated false discovery rate.",
    key=("mpan_id", "amsid", "fsp_id"),
    columns=(
        mpan_column(),
        _AMSID,
        _FSP,
        Column("events", "int", "Events with a check.", nullable=False),
        Column("assessable_events", "int", "Of them those that could be assessed.", nullable=False),
        Column("declared_kwh", "double", "Declared over the assessable events.", unit="kWh"),
        Column("observed_kwh", "double", "Delivery that the boundary meter shows over the assessable events.", unit="kWh"),
        Column(
            "share_delivered",
            "double",
            "Share of the declared delivery that the boundary meter shows: of a regression that weighs each event by how precise its "
            "expectation is and is never negative, so it differs from observed_kwh over declared_kwh; near 1 for an honest declaration.",
        ),
        Column("share_lower", "double", "Low end of its 95 % interval."),
        Column("share_upper", "double", "High end of its 95 % interval."),
        Column(
            "e_value",
            "double",
            "Evidence against the declarations so far; 1 / e_value bounds the probability of a false flag, whenever it is looked at.",
        ),
        Column(
            "verdict",
            "string",
            "consistent (not contradicted at the stated rate: no proof of delivery, for which share_lower and share_upper "
            "stand), suspect, one_of_several_suspect or not_assessable.",
            nullable=False,
        ),
        Column("size_spreads", "double", "Declared energy over the spread of the expectation: below 0.5 hardly anything can be concluded."),
        *_SIGNS,
        Column("suspect_since_date", "date", "Local day of the event with which the evidence first sufficed."),
        Column("suspect_with", "array<string>", "AMSIDs of the meter among which at least one is suspect.", nullable=False),
        Column(
            "false_discovery_rate", "double", "Bound on the expected share of honest ones among all suspects of the run.", nullable=False
        ),
        Column("rule", "string", "Name of the reason of a verdict that is not consistent; null for one that is."),
        Column("reason", "string", "Why, with the numbers.", nullable=False),
        *run_columns(),
    ),
    job="verify_delivery",
)

AREA_DELIVERIES: Final = TableContract(
    name="area_deliveries",
    layer=Layer.GOLD,
    doc="Deliveries of a month and market in an area: what was declared, what the boundary meters show, how the checks came out.",
    key=("area_level", "area_id", "market", "month_date"),
    columns=(
        Column("area_level", "string", "gb or gsp_group.", nullable=False),
        Column("area_id", "string", "GB, or the GSP group.", nullable=False),
        Column("market", "string", "Market of the dispatches; empty where none was named.", nullable=False),
        Column("month_date", "date", "First local day of the month; only months that are over.", nullable=False),
        Column("assets", "int", "Assets with a check; null where withheld, rounded otherwise."),
        Column("checks", "int", "Events of assets that were checked."),
        Column("share_consistent", "double", "Share of the checks that are consistent: not contradicted."),
        Column("share_implausible", "double", "Share of the checks that are implausible."),
        Column("share_not_assessable", "double", "Share of the checks that are not assessable."),
        Column("declared_kwh", "double", "Declared over the events that could be assessed.", unit="kWh"),
        Column("observed_kwh", "double", "Delivery that the boundary meters show over these events.", unit="kWh"),
        Column("is_suppressed", "boolean", "Figures are withheld.", nullable=False),
        Column("suppression_reason", "string", "few_meters, dominance or protects_others; null where figures are given."),
        *run_columns(),
    ),
    job="verify_delivery",
)

DISCREPANCIES: Final = TableContract(
    name="discrepancies",
    layer=Layer.GOLD,
    doc="Flags: declarations that observation contradicts, opened, updated and cleared with their evidence. A flag corrects nothing.",
    key=("flag_id",),
    columns=(
        Column("flag_id", "string", "Digest of what is flagged and of the day on which it was.", nullable=False),
        mpan_column(),
        _AMSID,
        _FSP,
        Column("kind", "string", "delivery: declared deliveries; override: a declared capability parameter.", nullable=False),
        Column("asset_class", "string", "Asset class that an override speaks of; empty for deliveries.", nullable=False),
        Column("direction", "string", "import or export, of an override; empty for deliveries.", nullable=False),
        Column("parameter", "string", "Parameter of an override; delivered_kwh for deliveries.", nullable=False),
        Column("severity", "string", "low, medium or high.", nullable=False),
        Column("state", "string", "open or cleared.", nullable=False),
        Column("declared", "double", "What is declared, in the parameter's unit."),
        Column("observed", "double", "What is observed, in the parameter's unit."),
        Column("observed_upper", "double", "High end of what observation allows."),
        Column("is_sustained", "boolean", "It has lasted as long as settings ask.", nullable=False),
        Column("is_material", "boolean", "It is as large as settings ask.", nullable=False),
        Column("recipients", "array<string>", "Parties and roles that hear of it.", nullable=False, sensitivity=Sensitivity.COMMERCIAL),
        Column("evidence", "string", "The numbers that it rests on, as a sentence.", nullable=False),
        Column("opened_at", "timestamp", "When it was first flagged.", nullable=False),
        Column("updated_at", "timestamp", "When its severity, duration or size last changed.", nullable=False),
        Column(
            "cleared_at",
            "timestamp",
            "When observation no longer contradicted it, or its declaration, asset or events were gone; null = open.",
        ),
        *run_columns(),
    ),
    job="flag_discrepancies",
)

NOTICES: Final = TableContract(
    name="notices",
    layer=Layer.OPS,
    doc="Outbox: what is to be sent to whom about a flag or a dispute. A notice is written once and never changed.",
    key=("notice_id",),
    columns=(
        Column(
            "notice_id",
            "string",
            "Digest of flag or dispute, change and recipient: a receiver drops what it has already seen.",
            nullable=False,
        ),
        Column("flag_id", "string", "Flag (gold.discrepancies) or dispute (silver.disputes).", nullable=False),
        mpan_column(),
        Column(
            "recipient",
            "string",
            "Party or role: fsp:ID, dno:DISTRIBUTOR, neso; of disputes party:ID.",
            nullable=False,
            sensitivity=Sensitivity.COMMERCIAL,
        ),
        Column("change", "string", "opened, updated or cleared; of a dispute raised or settled.", nullable=False),
        Column("body", "string", "JSON that is sent.", nullable=False, sensitivity=Sensitivity.PERSONAL),
        Column("created_at", "timestamp", "When it was written.", nullable=False),
        Column("run_id", "string", "Run that wrote the row (ops.run_journal).", nullable=False),
    ),
    job="flag_discrepancies",
)

NOTICE_ATTEMPTS: Final = TableContract(
    name="notice_attempts",
    layer=Layer.OPS,
    doc="Every attempt to send a notice. A notice without a delivered or dead attempt is still to be sent.",
    key=("notice_id", "attempt"),
    columns=(
        Column("notice_id", "string", "Notice (ops.notices).", nullable=False),
        Column("attempt", "int", "Counts from 1.", nullable=False),
        Column("outcome", "string", "delivered, failed (tried again later) or dead (given up).", nullable=False),
        Column("http_status", "int", "Status of the receiver's answer; null where it gave none."),
        Column("error", "string", "What went wrong; null where it was delivered."),
        Column("attempted_at", "timestamp", "When.", nullable=False),
        Column("next_attempt_at", "timestamp", "When it is tried again; null where it is not."),
        Column("run_id", "string", "Run that wrote the row (ops.run_journal).", nullable=False),
    ),
    job="flag_discrepancies",
)
