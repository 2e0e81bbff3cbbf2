"""Tables that the characterisation pass writes about each meter."""

from typing import Final

from fmar_spark.contracts import capability
from fmar_spark.contracts.table import Column, Layer, TableContract, class_column, mpan_column, run_columns
from fmar_spark.domain.words import Sensitivity

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

_OF_THE_METER: Final = ("mpan_id", "days_seen", "model_version", *(column.name for column in run_columns()))
"""Columns of the gold tables that a profile states once, not in each nested row."""


def nest_rows(contract: TableContract, **other_types: str) -> str:
    """The struct type of a table's rows inside a meter's profile.

    Args:
        contract: the table that the nested rows become.
        other_types: columns that a profile holds otherwise, with their types there, after the others; "" leaves one out.
    """
    own = {column.name: column.type for column in contract.columns if column.name not in (*_OF_THE_METER, *other_types)} | other_types
    return f"struct<{','.join(f'{name}:{kind}' for name, kind in own.items() if kind)}>"


_MATRIX: Final = {"weekday": "", "slot": "", "weeks_observed": "array<int>", "probability": "array<float>", "kw_p50": "array<float>"}
"""Inside a profile the 7 x 48 cells of a season stand in one row."""

_IMPLAUSIBLE: Final = {
    "error_code": "the full scale of a counter",
    "spike": "far beyond what the rest of the meter's readings carries",
    "lump": "what was counted up while nothing was read",
}
"""Quality verdicts of kernels/plausible.py."""

METER_PROFILES: Final = TableContract(
    name="meter_profiles",
    layer=Layer.SILVER,
    doc="One wide row per meter point: everything that one pass over its history derived.",
    key=("mpan_id",),
    columns=(
        mpan_column(),
        Column("gsp_group_id", "string", "Settlement area."),
        Column("is_domestic", "boolean", "Household or not; null where not known."),
        Column("verdict", "string", "sufficient, or why the history is not.", nullable=False),
        Column("first_date", "date", "First local day with readings in the window."),
        Column("days_seen", "int", "Local days with readings.", unit="day", nullable=False),
        Column("missing_share", "double", "Share of half-hours unread between first and last day."),
        *(
            Column(f"{name}_slots", "int", f"Half-hours in silver.readings that count as unread: {doc}.", unit="slot")
            for name, doc in _IMPLAUSIBLE.items()
        ),
        Column("has_export", "boolean", "Some positive export was read.", nullable=False),
        Column("has_weather", "boolean", "Temperature was known for most of the window.", nullable=False),
        Column("interval_minutes", "int", "Finest step of the readings.", unit="minutes", nullable=False),
        Column(
            "features", "array<float>", "Evidence in the order of the feature list of the model version.", sensitivity=Sensitivity.PERSONAL
        ),
        Column("detections", f"array<{nest_rows(capability.ASSET_DETECTIONS)}>", "An answer for each class.", nullable=False),
        Column("changes", f"array<{nest_rows(capability.ASSET_CHANGES)}>", "Dated changes of assets.", nullable=False),
        Column("capabilities", f"array<{nest_rows(capability.CAPABILITY)}>", "Parameters by class and direction.", nullable=False),
        Column(
            "availabilities",
            f"array<{nest_rows(capability.AVAILABILITY, **_MATRIX)}>",
            "7 x 48 matrices by class, direction and season.",
            nullable=False,
        ),
        Column("events", f"array<{nest_rows(ASSET_EVENTS)}>", "Operating episodes.", nullable=False, sensitivity=Sensitivity.PERSONAL),
        Column("baseline", nest_rows(capability.BASELINES), "How the day-ahead baseline did on the last 30 days, out of sample."),
        Column("model_version", "string", "Classifier that scored: registry version, or bundled and its digest.", nullable=False),
        *run_columns(),
    ),
    job="characterise",
)
