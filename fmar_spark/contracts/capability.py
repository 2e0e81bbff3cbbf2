"""Gold tables: what people and the read API ask for."""

from typing import Final

from fmar_spark.contracts.table import Column, Layer, TableContract, class_column, mpan_column, run_columns
from fmar_spark.domain.words import NO_BL01

_DIRECTION: Final = Column("direction", "string", "import or export, seen from the boundary.", nullable=False)

ASSET_DETECTIONS: Final = TableContract(
    name="asset_detections",
    layer=Layer.GOLD,
    doc="One row per meter that was looked at and asset class, whatever the answer.",
    key=("mpan_id", "asset_class"),
    columns=(
        mpan_column(),
        class_column(),
        Column("probability", "double", "Calibrated: the class was there at some time in the window; null unless characterised."),
        Column("present_probability", "double", "Calibrated: it is there on as_of_date; null unless characterised."),
        Column("is_present", "boolean", "present_probability is 0.5 or more; null unless characterised."),
        Column("tier", "string", "high, medium or low: confidence in is_present, whichever way it goes; null unless characterised."),
        Column("status", "string", "characterised, in_progress or not_observable.", nullable=False),
        Column("status_reason", "string", "Why it is not characterised."),
        Column("appeared_date", "date", "Local day of its first mark; null where it was there from the first day of the readings."),
        Column("appeared_p10_date", "date", "Early end of the 80 % interval."),
        Column("appeared_p90_date", "date", "Late end of the 80 % interval."),
        Column("removed_date", "date", "Local day from which its mark is gone; null where is_present, or where no day can be named."),
        Column("removed_p10_date", "date", "Early end of the 80 % interval."),
        Column("removed_p90_date", "date", "Late end of the 80 % interval."),
        Column("evidence", "string", "One sentence that a reader can check."),
        Column("days_seen", "int", "Local days with readings.", unit="day", nullable=False),
        Column("model_version", "string", "Classifier that scored.", nullable=False),
        *run_columns(),
    ),
    job="characterise",
)

ASSET_CHANGES: Final = TableContract(
    name="asset_changes",
    layer=Layer.GOLD,
    doc="One row per dated change of an asset; the last one of an asset that is_present is no removal.",
    key=("mpan_id", "asset_class", "changed_date"),
    columns=(
        mpan_column(),
        class_column(),
        Column("changed_date", "date", "Local day.", nullable=False),
        Column("kind", "string", "appeared, upgraded, reduced or removed.", nullable=False),
        Column("changed_p10_date", "date", "Early end of the 80 % interval."),
        Column("changed_p90_date", "date", "Late end of the 80 % interval."),
        Column("kw_before", "double", "Size before, on the scale of rated_kw; 0 where absent.", unit="kW"),
        Column("kw_after", "double", "Size after, on the scale of rated_kw; 0 where absent.", unit="kW"),
        *run_columns(),
    ),
    job="characterise",
)

CAPABILITY: Final = TableContract(
    name="capability",
    layer=Layer.GOLD,
    doc="What each present asset can do, by direction. An asset for which neither a size nor an episode was found has no row.",
    key=("mpan_id", "asset_class", "direction"),
    columns=(
        mpan_column(),
        class_column(),
        _DIRECTION,
        Column(
            "rated_kw",
            "double",
            "Best estimate of the asset's size in that direction, AC. Of batteries and demand response it is not the highest of the event "
            "peaks and may lie below their median: a peak also holds what the home did at the same time.",
            unit="kW",
        ),
        Column("rated_kw_lower", "double", "Low end of the 80 % interval.", unit="kW"),
        Column("rated_kw_upper", "double", "High end of the 80 % interval.", unit="kW"),
        Column(
            "rated_kw_p10",
            "double",
            "Event peaks of the last 12 months, 10th percentile: the most power ascribed to the asset in an event. "
            "Of EV charging and heat pumps they are capped at the estimated size.",
            unit="kW",
        ),
        Column("rated_kw_p50", "double", "Median of the event peaks.", unit="kW"),
        Column("rated_kw_p90", "double", "90th percentile of the event peaks.", unit="kW"),
        Column(
            "rated_kw_max",
            "double",
            "Highest event peak. Of EV charging and heat pumps, whose peaks are capped, it is mostly the size itself.",
            unit="kW",
        ),
        Column("duration_minutes_min", "double", "Shortest episode.", unit="minutes"),
        Column("duration_minutes_p10", "double", "10th percentile of the episodes' lengths.", unit="minutes"),
        Column("duration_minutes_p50", "double", "Median length.", unit="minutes"),
        Column("duration_minutes_p90", "double", "90th percentile of the lengths.", unit="minutes"),
        Column("duration_minutes_max", "double", "Longest episode that was seen to end.", unit="minutes"),
        Column("ramp_kw_per_min_lower_bound", "double", "Change over one half-hour: the true ramp is at least this.", unit="kW/min"),
        Column("energy_kwh_day", "double", "Mean energy a day that the asset was there.", unit="kWh"),
        Column("storage_kwh", "double", "Usable storage; batteries only.", unit="kWh"),
        Column("storage_kwh_lower", "double", "Low end of the 80 % interval.", unit="kWh"),
        Column("storage_kwh_upper", "double", "High end of the 80 % interval.", unit="kWh"),
        Column("peak_kwp", "double", "DC peak; PV only, null where the orientation cannot be estimated.", unit="kWp"),
        Column("peak_kwp_lower", "double", "Low end of the 80 % interval.", unit="kWp"),
        Column("peak_kwp_upper", "double", "High end of the 80 % interval.", unit="kWp"),
        Column(
            "confidence",
            "double",
            "Confidence in rated_kw: present_probability, less what few episodes and a wide estimate take from it, so never above it.",
        ),
        Column(
            "tier",
            "string",
            "high, medium or low, by confidence: how sure the size is. Never above the asset's own tier in gold.asset_detections.",
        ),
        Column("events_seen", "int", "Episodes that the figures rest on."),
        *run_columns(),
    ),
    job="characterise",
)

AVAILABILITY: Final = TableContract(
    name="availability",
    layer=Layer.GOLD,
    doc="Share of observed weeks in which the asset was operating, by season, weekday and clock slot.",
    key=("mpan_id", "asset_class", "direction", "season", "weekday", "slot"),
    columns=(
        mpan_column(),
        class_column(),
        _DIRECTION,
        Column("season", "string", "winter, spring, summer or autumn of the meter's own hemisphere.", nullable=False),
        Column("weekday", "int", "1 = Monday .. 7 = Sunday.", nullable=False),
        Column("slot", "int", "Half-hour 0..47 of the local clock.", nullable=False),
        Column("probability", "double", "Share of observed weeks with the asset operating."),
        Column("weeks_observed", "int", "Weeks of that season with the weekday read.", unit="week"),
        Column("kw_p50", "double", "Typical power while operating.", unit="kW"),
        *run_columns(),
    ),
    job="characterise",
)

BASELINES: Final = TableContract(
    name="baselines",
    layer=Layer.GOLD,
    doc="How the day-ahead baseline of each meter did on its last 30 days, out of sample.",
    key=("mpan_id",),
    columns=(
        mpan_column(),
        Column("model", "string", "Model with the most weight."),
        Column("trained_from_date", "date", "First local day used."),
        Column("trained_to_date", "date", "Last local day used, inclusive."),
        Column("days_used", "int", "Local days with readings that were used.", unit="day"),
        Column("cv_rmse", "double", "Root mean square error over mean load, day ahead."),
        Column("bl01_cv_rmse", "double", f"The same for BL01 on the same half-hours; null where it has none: {NO_BL01}."),
        Column("nmbe", "double", "Mean error over mean load."),
        Column("interval_coverage", "double", "Share of half-hours inside the 80 % interval."),
        *run_columns(),
    ),
    job="characterise",
)

BASELINE_PREDICTIONS: Final = TableContract(
    name="baseline_predictions",
    layer=Layer.GOLD,
    doc="What was expected of a half-hour from readings before its local day only.",
    key=("mpan_id", "slot_start_at"),
    columns=(
        mpan_column(),
        Column("slot_start_at", "timestamp", "Start of the half-hour.", nullable=False),
        Column("predicted_kwh", "double", "Expected net energy, import - export.", unit="kWh"),
        Column("p10_kwh", "double", "Low end of the 80 % interval of that half-hour.", unit="kWh"),
        Column("p90_kwh", "double", "High end of the 80 % interval of that half-hour.", unit="kWh"),
        Column("model", "string", "Model with the most weight, or why there is no prediction."),
        Column("trained_to_date", "date", "Last local date used, inclusive, before the day."),
        *run_columns(),
    ),
    job="predict_baseline",
)
