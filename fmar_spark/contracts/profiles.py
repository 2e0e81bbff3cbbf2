"""Tables that the characterisation pass writes about each meter."""

from typing import Final

from fmar_spark.contracts.table import Column, Layer, TableContract, class_column, mpan_column, run_columns
from fmar_spark.domain.words import Sensitivity

DETECTION_STRUCT: Final = (
    "struct<asset_class:string,probability:double,present_probability:double,is_present:boolean,tier:string,status:string,"
    "status_reason:string,appeared_date:date,appeared_p10_date:date,appeared_p90_date:date,removed_date:date,"
    "removed_p10_date:date,removed_p90_date:date,evidence:string>"
)
CHANGE_STRUCT: Final = (
    "struct<asset_class:string,changed_date:date,kind:string,changed_p10_date:date,changed_p90_date:date,kw_before:double,kw_after:double>"
)
CAPABILITY_STRUCT: Final = (
    "struct<asset_class:string,direction:string,rated_kw:double,rated_kw_lower:double,rated_kw_upper:double,"
    "rated_kw_p10:double,rated_kw_p50:double,rated_kw_p90:double,rated_kw_max:double,duration_minutes_min:double,"
    "duration_minutes_p10:double,duration_minutes_p50:double,duration_minutes_p90:double,duration_minutes_max:double,"
    "ramp_kw_per_min_lower_bound:double,energy_kwh_day:double,storage_kwh:double,peak_kwp:double,peak_kwp_lower:double,"
    "peak_kwp_upper:double,confidence:double,tier:string,events_seen:int>"
)
AVAILABILITY_STRUCT: Final = (
    "struct<asset_class:string,direction:string,season:string,weeks_observed:array<int>,probability:array<float>,kw_p50:array<float>>"
)
EVENT_STRUCT: Final = (
    "struct<asset_class:string,started_at:timestamp,ended_at:timestamp,energy_kwh:double,peak_kw:double,"
    "is_import:boolean,probability:double>"
)
BASELINE_STRUCT: Final = (
    "struct<model:string,trained_from_date:date,trained_to_date:date,days_used:int,cv_rmse:double,bl01_cv_rmse:double,nmbe:double,"
    "interval_coverage:double>"
)

METER_PROFILES: Final = TableContract(
    name="meter_profiles",
    layer=Layer.SILVER,
    doc="One wide row per meter point: everything that one pass over its history derived.",
    key=("mpan_id",),
    columns=(
        mpan_column(),
        Column("gsp_group_id", "string", "Settlement area."),
        Column("is_domestic", "boolean", "Household or not; null where not told."),
        Column("verdict", "string", "sufficient, or why the history is not.", nullable=False),
        Column("first_date", "date", "First local day with readings in the window."),
        Column("days_seen", "int", "Local days with readings.", unit="day", nullable=False),
        Column("missing_share", "double", "Share of half-hours unread between first and last day."),
        Column("has_export", "boolean", "Some positive export was read.", nullable=False),
        Column("has_weather", "boolean", "Temperature was known for most of the window.", nullable=False),
        Column("interval_minutes", "int", "Finest step of the readings.", unit="minutes", nullable=False),
        Column(
            "features", "array<float>", "Evidence in the order of the feature list of the model version.", sensitivity=Sensitivity.PERSONAL
        ),
        Column("detections", f"array<{DETECTION_STRUCT}>", "Five answers, one a class.", nullable=False),
        Column("changes", f"array<{CHANGE_STRUCT}>", "Dated changes of assets.", nullable=False),
        Column("capabilities", f"array<{CAPABILITY_STRUCT}>", "Parameters by class and direction.", nullable=False),
        Column("availabilities", f"array<{AVAILABILITY_STRUCT}>", "7 x 48 matrices by class, direction and season.", nullable=False),
        Column("events", f"array<{EVENT_STRUCT}>", "Operating episodes.", nullable=False, sensitivity=Sensitivity.PERSONAL),
        Column("baseline", BASELINE_STRUCT, "How the day-ahead baseline did on the last 30 days, out of sample."),
        Column("model_version", "string", "Classifier that scored: registry version, or bundled and its digest.", nullable=False),
        *run_columns(),
    ),
    job="characterise",
)

ASSET_EVENTS: Final = TableContract(
    name="asset_events",
    layer=Layer.SILVER,
    doc="One row per operating episode of an asset that the engine holds to be there.",
    key=("mpan_id", "asset_class", "started_at"),
    columns=(
        mpan_column(),
        class_column(),
        Column("started_at", "timestamp", "Start of the first half-hour.", nullable=False),
        Column("ended_at", "timestamp", "End of the last half-hour (exclusive); null = still going on."),
        Column("energy_kwh", "double", "Energy of the asset alone; for demand response the energy held back, positive.", unit="kWh"),
        Column("peak_kw", "double", "Highest mean power of the asset alone in a half-hour.", unit="kW"),
        Column("is_import", "boolean", "True while the asset draws, false while it gives."),
        Column("probability", "double", "That this episode is the asset's."),
    ),
    job="characterise",
)
