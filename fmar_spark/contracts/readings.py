"""Tables of what meters said, from the message to the folded meter-day."""

from typing import Final

from fmar_spark.contracts.table import Column, Layer, TableContract, mpan_column
from fmar_spark.domain.assets import ASSET_FACTS, SIZE_LABELS
from fmar_spark.domain.words import Sensitivity

_DAY_ARRAYS: Final = (
    Column(
        "kwh",
        "array<float>",
        "48 energies by UTC slot start, kWh (kVArh for RI, RE); null = never read.",
        unit="kWh",
        check="cardinality(kwh) = 48",
        nullable=False,
        sensitivity=Sensitivity.PERSONAL,
    ),
    Column("quality", "array<string>", "48 DIP quality codes in parallel (A, E1, ...); null = never read.", nullable=False),
)

DIP_MESSAGES: Final = TableContract(
    name="dip_messages",
    layer=Layer.BRONZE,
    doc="One row per accepted DIP message, decoded without loss, exactly once per transactionID.",
    key=("transaction_id",),
    columns=(
        Column("transaction_id", "string", "D0.transactionID.", nullable=False),
        Column("transaction_at", "timestamp", "D0.transactionTimestamp: orders versions.", nullable=False),
        Column("content_hash", "string", "Digest of what the message says, without delivery marks.", nullable=False),
        Column("interface_id", "string", "S0.interfaceID, e.g. IF-021, PUB-021, IF-036.", nullable=False),
        Column("event_code", "string", "S0.eventCode with its brackets."),
        Column("sender_dip_id", "string", "S1.senderDIPID."),
        Column("sender_unique_reference", "string", "S1.senderUniqueReference."),
        Column("publication_id", "string", "D0.publicationID."),
        Column("is_replay", "boolean", "D0.replayIndicator."),
        mpan_column("M0.MPANCore."),
        Column("distributor_dip_id", "string", "M0.distributorDIPID."),
        Column("gsp_group_id", "string", "M0.GSPGroupID."),
        Column("quantity", "string", "AI, AE, RI or RE; null for standing data."),
        Column(
            "days",
            "array<struct<utc_date:date,kwh:array<float>,quality:array<string>,reason:array<tinyint>>>",
            "UTC days that the message speaks of; reason is DIP's estimation reason e, null where none.",
            sensitivity=Sensitivity.PERSONAL,
        ),
        Column(
            "standing",
            "struct<connection_type:string,energy_direction:string,is_energised:boolean,market_segment:string,"
            "annual_kwh:double,is_domestic:boolean,linked_mpan_id:string,consent_granularity:string,effective_from_date:date>",
            "What an IF-036 or IF-018 says of the meter point; null fields were not said.",
            sensitivity=Sensitivity.PERSONAL,
        ),
        Column("warnings", "array<string>", "Rules that it broke without being rejected: check digit (test environments), error codes."),
        Column("source", "string", "Landing file and position.", nullable=False),
        Column("ingested_at", "timestamp", "When it was accepted.", nullable=False),
    ),
    job="ingest_dip",
)

INTERVAL_IMPORTS: Final = TableContract(
    name="interval_imports",
    layer=Layer.BRONZE,
    doc="One row per meter-day of a user's own intervals, resampled to half-hours, append-only.",
    key=("mpan_id", "utc_date", "quantity", "imported_at"),
    columns=(
        mpan_column("Pseudo-MPAN of the series."),
        Column("utc_date", "date", "UTC day.", nullable=False),
        Column("quantity", "string", "AI or AE.", nullable=False),
        *_DAY_ARRAYS,
        Column("series_id", "string", "Name of the series in the file.", nullable=False, sensitivity=Sensitivity.PERSONAL),
        Column("content_hash", "string", "Digest of the day's values: importing the same file again changes nothing.", nullable=False),
        Column("imported_at", "timestamp", "When it was imported: orders versions.", nullable=False),
    ),
    job="import_intervals",
)

SERIES: Final = TableContract(
    name="series",
    layer=Layer.SILVER,
    doc="One row per series that a user imported.",
    key=("series_id",),
    columns=(
        Column("series_id", "string", "Name in the file.", nullable=False, sensitivity=Sensitivity.PERSONAL),
        mpan_column("Valid pseudo-MPAN given to the series."),
        Column("source", "string", "File that it came from."),
        Column("interval_minutes", "int", "Step of the source.", unit="minutes", check="interval_minutes in (15, 30, 60)"),
        Column("first_at", "timestamp", "First interval start."),
        Column("last_at", "timestamp", "Last interval start."),
        Column("has_export", "boolean", "An export column was given and is not all zero."),
        Column("time_zone", "string", "IANA zone of its local clock."),
        Column("rows_read", "bigint", "Rows of the series in the file."),
        Column("rows_quarantined", "bigint", "Rows of the series that were rejected."),
        Column("gsp_group_id", "string", "GSP group, where known."),
        Column("latitude", "double", "North positive, degrees.", unit="degree"),
        Column("longitude", "double", "East positive, degrees.", unit="degree"),
        Column("weather_area", "string", "Area in silver.weather, null where there is no weather."),
        Column("is_domestic", "boolean", "Household or not; null where not known."),
        Column("imported_at", "timestamp", "When it was imported.", nullable=False),
    ),
    job="import_intervals",
)

LABELS: Final = TableContract(
    name="labels",
    layer=Layer.SILVER,
    doc="What is known of a meter from elsewhere; empty = unknown. Never read by the engine, only by training and evaluation.",
    key=("series_id",),
    columns=(
        Column("series_id", "string", "Series or MPAN.", nullable=False, sensitivity=Sensitivity.PERSONAL),
        mpan_column("MPAN that the engine uses for it."),
        *(Column(facts.label, "boolean", f"{facts.heading} present at some time.") for facts in ASSET_FACTS.values()),
        *(Column(size.label, "double", size.doc, unit=size.unit) for _, size in SIZE_LABELS),
        Column("confusers", "string", "Comma-separated look-alikes known to be there."),
        Column("provenance", "string", "real, semi-synthetic or simulated.", nullable=False),
    ),
    job="import_intervals",
)

READING_VERSIONS: Final = TableContract(
    name="reading_versions",
    layer=Layer.SILVER,
    doc="Every meter-day as it was ever reported, append-only.",
    key=("version_id", "utc_date", "quantity"),
    columns=(
        Column("version_id", "string", "Transaction or import that reported it.", nullable=False),
        mpan_column(),
        Column("utc_date", "date", "UTC day.", nullable=False),
        Column("quantity", "string", "AI, AE, RI or RE.", nullable=False),
        *_DAY_ARRAYS,
        Column("reason", "array<tinyint>", "48 DIP estimation reasons in parallel; null array where there is none."),
        Column("reported_at", "timestamp", "Newest wins, slot by slot.", nullable=False, formerly="told_at"),
    ),
    job="build_readings",
    cluster_by=("utc_date",),
)

READINGS: Final = TableContract(
    name="readings",
    layer=Layer.SILVER,
    doc="One row per meter, UTC day and quantity: the newest value of every slot.",
    key=("mpan_id", "utc_date", "quantity"),
    columns=(
        mpan_column(),
        Column("utc_date", "date", "UTC day.", nullable=False),
        Column("quantity", "string", "AI, AE, RI or RE.", check="quantity IN ('AI', 'AE', 'RI', 'RE')", nullable=False),
        *_DAY_ARRAYS,
        Column("opted_out", "array<boolean>", "48 marks of slots that the customer opted out of (e = 1); null where none are."),
        Column("reported_at", "timestamp", "Newest message that the day rests on.", nullable=False, formerly="told_at"),
    ),
    job="build_readings",
    cluster_by=("mpan_id",),
)

METER_POINTS: Final = TableContract(
    name="meter_points",
    layer=Layer.SILVER,
    doc="One row per meter point: the newest standing data, from the DIP or from an import.",
    key=("mpan_id",),
    columns=(
        mpan_column(),
        Column("source", "string", "dip or import.", nullable=False),
        Column("gsp_group_id", "string", "Settlement area _A .. _P."),
        Column("connection_type", "string", "W, L, H, E or U."),
        Column("energy_direction", "string", "I import or E export."),
        Column("is_energised", "boolean", "Energisation status."),
        Column("market_segment", "string", "S smart, A advanced, U unmetered."),
        Column("annual_kwh", "double", "Declared annual consumption.", unit="kWh"),
        Column("is_domestic", "boolean", "Household or not; null where not known, then treated as a household."),
        Column(
            "boundary_mpan_id",
            "string",
            "Import MPAN of the same boundary: itself, or the one an export MPAN is linked to.",
            nullable=False,
        ),
        Column("consent_granularity", "string", "H half-hourly, D, M, or N none; null for imports."),
        Column("interval_minutes", "int", "Finest step of its readings.", unit="minutes", nullable=False),
        Column("time_zone", "string", "IANA zone of its local clock.", nullable=False),
        Column("latitude", "double", "North positive.", unit="degree", nullable=False),
        Column("longitude", "double", "East positive.", unit="degree", nullable=False),
        Column("weather_area", "string", "Area in silver.weather, null where there is none."),
        Column("reported_at", "timestamp", "Newest message or import that it rests on.", nullable=False, formerly="told_at"),
    ),
    job="build_readings",
)

LEGAL_BASES: Final = TableContract(
    name="legal_bases",
    layer=Layer.SILVER,
    doc="Legal basis on record for examining a meter for a purpose, or the customer's objection.",
    key=("mpan_id", "purpose"),
    columns=(
        mpan_column(),
        Column("purpose", "string", "any, characterisation or verification.", nullable=False, backfill="any"),
        Column("basis", "string", "public task, explicit consent, published data or own data.", nullable=False),
        Column("state", "string", "granted, withdrawn or opted_out; null = granted."),
        Column("reference_id", "string", "The consent service's reference of the customer's decision.", sensitivity=Sensitivity.PERSONAL),
        Column("source", "string", "Who recorded it: operator, dip, consent service, or the import.", nullable=False),
        Column("valid_from_date", "date", "First day that it covers."),
        Column("valid_to_date", "date", "First day that it no longer covers, null = open."),
        Column("verified_at", "timestamp", "When the consent service last confirmed it; null where it was never asked."),
        Column("expires_at", "timestamp", "Until when that answer may be relied on; null = it need not be confirmed."),
        Column("recorded_at", "timestamp", "When it was recorded.", nullable=False),
    ),
    job="record_legal_basis or simulate_fleet or import_intervals or refresh_consent",
)

WEATHER: Final = TableContract(
    name="weather",
    layer=Layer.SILVER,
    doc="One row per weather area and UTC day.",
    key=("weather_area", "utc_date"),
    columns=(
        Column("weather_area", "string", "GSP group, or a name of an import.", nullable=False),
        Column("utc_date", "date", "UTC day.", nullable=False),
        Column("temp_c", "array<float>", "48 air temperatures; null = unknown.", unit="degree Celsius", nullable=False),
        Column("ghi_w_m2", "array<float>", "48 global horizontal irradiances; null = unknown.", unit="W/m2", nullable=False),
        Column("source", "string", "Where it came from.", nullable=False),
    ),
    job="simulate_fleet or import_intervals",
)
