"""Gold tables for each audience: aggregates for operators, portfolios, envelopes, the system's health, and FMAR's own record."""

from typing import Final

from fmar_spark.contracts.network import branch_columns
from fmar_spark.contracts.table import Column, Layer, TableContract, class_column, mpan_column, run_columns
from fmar_spark.domain.fmar import FMAR_ATTRIBUTES, FmarAttribute
from fmar_spark.domain.network import AreaLevel
from fmar_spark.domain.words import Sensitivity

JOB: Final = "build_audiences"
_DIRECTION: Final = Column("direction", "string", "import or export, seen from the boundary.", nullable=False)
_AREA: Final = (
    Column("area_level", "string", f"{', '.join(tuple(AreaLevel)[:-1])} or {tuple(AreaLevel)[-1]}.", nullable=False),
    Column("area_id", "string", "Id of the area on its level.", nullable=False),
)
_SUPPRESSED: Final = (
    Column("is_suppressed", "boolean", "Withheld to protect single meters: figures are then null.", nullable=False),
    Column("suppression_reason", "string", "few_meters, dominance, overlaps, protects_others or awaits_changes; null where published."),
)


def _quantiles(stem: str, doc: str) -> tuple[Column, ...]:
    return (
        Column(f"{stem}_p10", "double", f"{doc} in one half-hour of ten, or more: low end of the 80 % interval.", unit="kW"),
        Column(f"{stem}_p50", "double", f"{doc}, median.", unit="kW"),
        Column(f"{stem}_p90", "double", f"{doc}: high end of the 80 % interval.", unit="kW"),
    )


AREAS: Final = TableContract(
    name="areas",
    layer=Layer.GOLD,
    doc="One row per area that the aggregate tables speak of: its name, its place and the area above it.",
    key=("area_level", "area_id"),
    columns=(
        *_AREA,
        Column("name", "string", "What people call it.", nullable=False),
        Column("parent_level", "string", "Level of the area above; null for Great Britain and for zones."),
        Column("parent_id", "string", "Area above; null for Great Britain and for zones."),
        Column("dno_code", "string", "Distribution network operator; null where several."),
        Column("gsp_group_id", "string", "GSP group; null where several."),
        Column("latitude", "double", "North positive, WGS84.", unit="degree"),
        Column("longitude", "double", "East positive, WGS84.", unit="degree"),
        *run_columns(),
    ),
    job=JOB,
)

PUBLISHED_BLOCKS: Final = TableContract(
    name="published_blocks",
    layer=Layer.SILVER,
    doc="One row per block, the meters of a published area that no smaller published area has, and direction: what their sums rest on.",
    key=("asset_class", "direction", "block_id"),
    columns=(
        Column("block_id", "string", "Level and id of the smallest published area that has the block.", nullable=False),
        class_column(),
        _DIRECTION,
        Column("meters", "bigint", "Connections with the asset.", nullable=False),
        Column("high_tier_meters", "bigint", "Of these, with a detection of high confidence.", nullable=False),
        Column("medium_tier_meters", "bigint", "Of these, with a detection of medium confidence.", nullable=False),
        Column("appeared_meters", "bigint", "Of these, where the asset appeared in the year before; null in blocks of an older version."),
        Column("registered_meters", "bigint", "Of these, with a verified right to the asset; null in blocks of an older version."),
        Column("season_meters", "array<bigint>", "Of these, with an availability, by season from winter on.", nullable=False),
        Column(
            "cumulants",
            "array<float>",
            "Mean, variance and third central moment of the power, 4 seasons x 7 weekdays x 48 half-hours each.",
            nullable=False,
        ),
        Column("sized_meters", "bigint", "Connections with a size in that direction.", nullable=False),
        Column("installed_cumulants", "array<double>", "The same three of the sum of the sizes.", nullable=False),
        Column("energy_kwh_day", "double", "Mean energy a day.", unit="kWh"),
        Column("areas", "array<string>", "Level and id of every published area that has the block.", nullable=False),
        *run_columns(),
    ),
    job=JOB,
)

PUBLISHED_METERS: Final = TableContract(
    name="published_meters",
    layer=Layer.SILVER,
    doc="One row per connection with an asset that is counted in a published sum, and stretch of publications; the memory of the rules.",
    key=("asset_class", "meter_digest", "from_publication"),
    columns=(
        class_column(),
        Column("meter_digest", "string", "SHA-256 of the meter point.", nullable=False, sensitivity=Sensitivity.PERSONAL),
        Column("block_id", "string", "Block that counts it (silver.published_blocks).", nullable=False),
        Column("from_publication", "int", "First publication that counts it there; the first of all is 1.", nullable=False),
        Column("to_publication", "int", "First publication that no longer does; null = still counted."),
    ),
    job=JOB,
)

AREA_CAPABILITY: Final = TableContract(
    name="area_capability",
    layer=Layer.GOLD,
    doc="What the assets of an area can do together, by class and direction; rounded, and withheld where single meters would show.",
    key=("area_level", "area_id", "asset_class", "direction"),
    columns=(
        *_AREA,
        class_column(),
        _DIRECTION,
        Column("meters", "bigint", "Connections with the asset, rounded; null where withheld."),
        *_quantiles("kw", "Power that all of them together draw, give or hold back at their busiest time of day (busiest_*)"),
        *_quantiles(
            "installed_kw",
            "Rated power of all of them, as if all ran at once: an estimate of what is there, not the sum of gold.capability. "
            "Each asset counts by its probability, one without a size like the others; "
            "corrected by the errors of such sums in simulated fleets",
        ),
        Column("busiest_season", "string", "Season in which they are busiest together."),
        Column("busiest_slot", "int", "Half-hour 0..47 of the local clock at which they are busiest together."),
        Column("energy_kwh_day", "double", "Mean energy a day.", unit="kWh"),
        Column("share_high_tier", "double", "Share of these connections whose detection is of high confidence, rounded."),
        Column("share_medium_tier", "double", "Share of medium confidence, rounded; the others are low."),
        Column("share_appeared", "double", "Share whose asset appeared in the year before, rounded: growth."),
        Column("share_registered", "double", "Share with a verified right to the asset, rounded; the others nobody has registered."),
        Column("share_unanswered", "double", "Share of the area's examined connections without an answer for this class, rounded."),
        *_SUPPRESSED,
        *run_columns(),
    ),
    job=JOB,
)

AREA_AVAILABILITY: Final = TableContract(
    name="area_availability",
    layer=Layer.GOLD,
    doc="Power of an area's assets together by season, weekday and clock slot; a row only where gold.area_capability is published.",
    key=("area_level", "area_id", "asset_class", "direction", "season", "weekday", "slot"),
    columns=(
        *_AREA,
        class_column(),
        _DIRECTION,
        Column("season", "string", "winter, spring, summer or autumn of the meter's own hemisphere.", nullable=False),
        Column("weekday", "int", "1 = Monday .. 7 = Sunday.", nullable=False),
        Column("slot", "int", "Half-hour 0..47 of the local clock.", nullable=False),
        *_quantiles("kw", "Power of all of them together in such a half-hour"),
        *run_columns(),
    ),
    job=JOB,
)

PORTFOLIO: Final = TableContract(
    name="portfolio",
    layer=Layer.GOLD,
    doc="One row per detected asset, direction and dispatch right in force whose claim is verified: what an FSP may ask of its assets.",
    key=("fsp_id", "mpan_id", "amsid", "asset_class", "direction", "agreement_id"),
    columns=(
        Column("fsp_id", "string", "FSP that holds the right.", nullable=False, sensitivity=Sensitivity.COMMERCIAL),
        mpan_column(),
        Column("amsid", "string", "Asset metering system id.", nullable=False, sensitivity=Sensitivity.COMMERCIAL),
        class_column(),
        Column("direction", "string", "import or export; empty where no capability was derived.", nullable=False),
        Column("agreement_id", "string", "Agreement in force.", nullable=False),
        Column("asset_id", "string", "UUID in gold.fmar_assets."),
        Column("link", "string", "asset: the FSP said which class the AMSID is; meter_point: only the place matches.", nullable=False),
        Column("market", "string", "Market of the right."),
        Column("primacy_tier", "int", "Rank among the rights to one asset."),
        Column("is_exclusive", "boolean", "Exclusive in its market."),
        Column("valid_from_at", "timestamp", "First moment of the right."),
        Column("valid_to_at", "timestamp", "First moment after the right; null = open."),
        Column("present_probability", "double", "Calibrated: the asset is there on as_of_date."),
        Column("tier", "string", "Confidence in the detection."),
        Column("is_unconfirmed", "boolean", "Detected with medium confidence and not yet confirmed or corrected.", nullable=False),
        Column("rated_kw", "double", "Derived size.", unit="kW"),
        Column("rated_kw_lower", "double", "Low end of the 80 % interval.", unit="kW"),
        Column("rated_kw_upper", "double", "High end of the 80 % interval.", unit="kW"),
        Column("declared_kw", "double", "Size that the FSP declares, in force; beside the derived one.", unit="kW"),
        Column("duration_minutes_min", "double", "Shortest episode.", unit="minutes"),
        Column("duration_minutes_p50", "double", "Median length.", unit="minutes"),
        Column("duration_minutes_max", "double", "Longest episode that was seen to end.", unit="minutes"),
        Column("energy_kwh_day", "double", "Mean energy a day that the asset was there.", unit="kWh"),
        Column("storage_kwh", "double", "Usable storage; batteries only.", unit="kWh"),
        Column("gsp_group_id", "string", "Settlement area."),
        Column("gsp_id", "string", "Grid supply point that feeds it; null where it is not known."),
        Column(
            "is_over_export_limit",
            "boolean",
            "Export above the agreed capacity was seen: a matter of safety; null where no limit is known.",
        ),
        *run_columns(),
    ),
    job=JOB,
)

ENVELOPES: Final = TableContract(
    name="envelopes",
    layer=Layer.GOLD,
    doc="What a market platform asks of a detected asset; who may dispatch it, and where exactly it is, is left out.",
    key=("asset_id", "flexibility"),
    columns=(
        Column("asset_id", "string", "UUID in gold.fmar_assets.", nullable=False),
        Column("flexibility", "string", "demand_up, demand_down, generation_up or generation_down.", nullable=False),
        class_column(),
        Column("asset_category", "string", "FMAR's category of the asset class."),
        *_quantiles("kw", "Power in the asset's episodes of the last 12 months"),
        Column("rated_kw", "double", "Best estimate of the asset's size in that direction, AC.", unit="kW"),
        Column("duration_minutes_min", "double", "Shortest episode.", unit="minutes"),
        Column("duration_minutes_p50", "double", "Median length.", unit="minutes"),
        Column("duration_minutes_max", "double", "Longest episode that was seen to end.", unit="minutes"),
        Column("energy_kwh_day", "double", "Mean energy a day that the asset was there.", unit="kWh"),
        Column("storage_kwh", "double", "Usable storage; batteries only.", unit="kWh"),
        Column("ramp_kw_per_min_lower_bound", "double", "Change over one half-hour: the true ramp is at least this.", unit="kW/min"),
        Column("availability_winter", "array<float>", "336 probabilities of operating, Monday 00:00 first, local clock; null = not seen."),
        Column("availability_spring", "array<float>", "The same for spring."),
        Column("availability_summer", "array<float>", "The same for summer."),
        Column("availability_autumn", "array<float>", "The same for autumn."),
        Column("response_time", "string", "not_observable: half-hours cannot show it; only a declaration can.", nullable=False),
        Column("voltage_response", "string", "not_observable: energy meters do not show it.", nullable=False),
        Column("evidence_class", "string", "detected, or declared where an FSP's declared size is in force.", nullable=False),
        Column("tier", "string", "Confidence in the detection."),
        Column("present_probability", "double", "Calibrated: the asset is there on as_of_date."),
        Column("gsp_group_id", "string", "Settlement area."),
        Column("gsp_id", "string", "Grid supply point that feeds it; null where it is not known."),
        Column("bsp_id", "string", "Bulk supply point that feeds it; null where it is not known."),
        Column("primary_id", "string", "Primary substation that feeds it; null where it is not known."),
        Column("poc_voltage_kv", "double", "Voltage at the point of connection.", unit="kV"),
        *run_columns(),
    ),
    job=JOB,
)

SYSTEM_HEALTH: Final = TableContract(
    name="system_health",
    layer=Layer.GOLD,
    doc="One row per measure of the register as a whole or of a GSP group, for the regulator; counts are rounded and small ones withheld.",
    key=("metric", "asset_class", "gsp_group_id"),
    columns=(
        Column("metric", "string", "Name of the measure.", nullable=False),
        Column("asset_class", "string", "Class that it speaks of; empty where of all.", nullable=False),
        Column("gsp_group_id", "string", "Settlement area; empty where of Great Britain.", nullable=False),
        Column("value", "double", "Measured value; null where withheld."),
        Column("value_unit", "string", "connections, share, kW, rows or days.", nullable=False),
        Column("meaning", "string", "One sentence that says what was counted.", nullable=False),
        *_SUPPRESSED,
        *run_columns(),
    ),
    job=JOB,
)

PUBLISHED_MEASURES: Final = TableContract(
    name="published_measures",
    layer=Layer.SILVER,
    doc="One row per measure of gold.system_health by class, and day for which it was published: with what later ones are compared.",
    key=("metric", "asset_class", "gsp_group_id", "as_of_date"),
    columns=(
        Column("metric", "string", "Name of the measure.", nullable=False),
        class_column(),
        Column("gsp_group_id", "string", "Settlement area; empty where of Great Britain.", nullable=False),
        Column("value", "double", "What was published; null where withheld."),
        Column("suppression_reason", "string", "Why it was withheld; null where published."),
        *run_columns(),
    ),
    job=JOB,
)


def _attribute_columns(attribute: FmarAttribute) -> tuple[Column, ...]:
    sensitivity = Sensitivity.PERSONAL if attribute.is_personal else Sensitivity.OPEN
    name = attribute.column
    is_key = name == "asset_id"
    columns = [
        Column(name, attribute.type, f"{attribute.term}: {attribute.doc}", attribute.unit, nullable=not is_key, sensitivity=sensitivity),
        Column(f"{name}_source", "string", f"Where {attribute.term} comes from: meter, declared, network or unknown.", nullable=False),
    ]
    if attribute.is_measured and attribute.type != "string":
        columns += [
            Column(f"{name}_lower", attribute.type, "Low end of the 80 % interval; null unless measured.", attribute.unit),
            Column(f"{name}_upper", attribute.type, "High end of the 80 % interval; null unless measured.", attribute.unit),
        ]
    if attribute.is_measured:
        columns.append(Column(f"{name}_probability", "double", "Confidence in the value; null unless measured."))
    return tuple(columns)


FMAR_ASSETS: Final = TableContract(
    name="fmar_assets",
    layer=Layer.GOLD,
    doc="FMAR's asset record of every asset that was detected: each attribute with where its value comes from.",
    key=("asset_id",),
    columns=(
        *(column for attribute in FMAR_ATTRIBUTES for column in _attribute_columns(attribute)),
        mpan_column("Boundary meter point (13 digits)."),
        class_column(),
        Column("amsid", "string", "Asset metering system id of a right that is to this class.", sensitivity=Sensitivity.COMMERCIAL),
        Column("first_seen_date", "date", "Day from which the record counts the asset: part of what asset_id is derived from."),
        Column(
            "is_present",
            "boolean",
            "It is there on as_of_date; false keeps the record of an asset that left, or that the meter no longer shows.",
            nullable=False,
        ),
        Column("is_registered", "boolean", "Somebody holds a right that can be to this asset.", nullable=False),
        Column("tier", "string", "high, medium or low: confidence in is_present."),
        Column("evidence", "string", "One sentence that a reader can check."),
        Column("gsp_group_id", "string", "Settlement area."),
        *branch_columns(),
        Column("attributes_filled", "int", "Attributes with a value that nobody had to type: source meter or network.", nullable=False),
        *run_columns(),
    ),
    job=JOB,
)
