"""Reads dispatch instructions as UK Power Networks publishes them: units and zones, no meters, no ids."""

import hashlib
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from fmar_spark.domain.markets import Market
from fmar_spark.intake.deliveries.events import find_time_faults, is_partial
from fmar_spark.intake.deliveries.rows import (
    EVENT_SCHEMA,
    Checked,
    DeclarationRules,
    build_faults,
    describe_rules,
    find_first_broken,
    find_long_names,
    list_broken,
    list_notices,
    read_numbers,
    read_stamps,
    read_texts,
)
from fmar_spark.intake.intervals.rows import Origin, RawBlock

WANTED: Final = ("company_name", "fu_id", "zone", "product", "start_time_utc", "end_time_utc", "dispatch_type", "utilisation_mw_req")
OPTIONAL: Final = ("start_time_local", "end_time_local", "utilisation_mwh_req", "availability_mw_req")
DIRECTION_OF_TYPE: Final = {
    "demand_turn_down": "down",
    "generation_turn_up": "down",
    "demand_turn_up": "up",
    "generation_turn_down": "up",
}
"""Down is less import or more export."""
IDENTITY: Final = ("company_name", "fu_id", "zone", "product", "start_time_utc", "end_time_utc", "dispatch_type")
"""An instruction carries no id: these together stand for it."""
RULES: Final = {
    "fsp_missing": "a name in company_name",
    "start_unreadable": "ISO 8601 in start_time_utc, such as 2026-01-15T17:00:00Z",
    "end_unreadable": "ISO 8601 in end_time_utc, such as 2026-01-15T18:00:00Z",
    "times_disagree": "the same moment in start_time_local and start_time_utc, and in end_time_local and end_time_utc",
    "direction_unknown": f"one of {', '.join(DIRECTION_OF_TYPE)} in dispatch_type",
    "requested_not_a_number": "a number of MW in utilisation_mw_req, or an empty field",
    "requested_beyond_limit": "at most {max_mw} MW in utilisation_mw_req (twice deliveries.max_kwh_per_slot)",
}
"""What rules want that other formats have too, in the columns of this one."""
KW_PER_MW: Final = 1000.0
ROUNDING_MWH: Final = 0.0101
"""Energies are given with two decimals."""


def check_instructions(block: RawBlock, origin: Origin, rules: DeclarationRules) -> Checked:
    """Split a block into instructions that can be used and rows that break a rule."""
    texts = read_texts(block, (*WANTED, *OPTIONAL))
    start, end, local_start, local_end = (
        read_stamps(texts[name]) for name in ("start_time_utc", "end_time_utc", "start_time_local", "end_time_local")
    )
    power, energy, offered = (read_numbers(texts[name]) for name in ("utilisation_mw_req", "utilisation_mwh_req", "availability_mw_req"))
    direction = texts["dispatch_type"].str.lower().map(DIRECTION_OF_TYPE)
    differs = [(one.value.notna() & (one.value != utc.value)).to_numpy() for one, utc in ((local_start, start), (local_end, end))]
    broken = {
        "fsp_missing": (texts["company_name"] == "").to_numpy(),
        **find_long_names(texts, rules),
        **find_time_faults(start, end, rules),
        "times_disagree": differs[0] | differs[1] | local_start.is_bad | local_end.is_bad,
        "direction_unknown": direction.isna().to_numpy(),
        "requested_not_a_number": power.is_bad,
        "energy_not_a_number": energy.is_bad,
        "availability_not_a_number": offered.is_bad,
        "requested_beyond_limit": np.abs(power.value) * KW_PER_MW > 2 * rules.max_kwh_per_slot,
    }
    hours = (end.value - start.value).dt.total_seconds().to_numpy() / 3600
    is_dispatched = power.value != 0
    notices = {
        "partial_half_hour": is_partial(start, end),
        "energy_disagrees": np.abs(energy.value - power.value * hours) > ROUNDING_MWH + 0.005 * hours,
        "availability_only": ~is_dispatched & (offered.value > 0),
        "requested_negative": power.value < 0,
    }
    first = find_first_broken(broken, len(texts))
    columns = {
        "event_id": _derive_ids(texts, start.value, end.value),
        "market": [Market.DSO_LOCAL.value] * len(texts),
        "product": texts["product"].tolist(),
        "start_at": start.value,
        "end_at": end.value,
        "dispatch_direction": direction.tolist(),
        "requested_kw": pa.array(np.where(is_dispatched, power.value * KW_PER_MW, np.nan), from_pandas=True),
        "unit_id": texts["fu_id"].tolist(),
        "zone": texts["zone"].tolist(),
        "fsp_id": texts["company_name"].tolist(),
        "notices": list_notices(notices, len(texts)),
        "file": [origin.name] * len(texts),
        "source": [origin.place(line) for line in block.line.tolist()],
        **{name: [""] * len(texts) for name in ("mpan_id", "series_id", "amsid")},
        **{name: [None] * len(texts) for name in ("notice_at", "version", "declared_at")},
    }
    kept = pa.table([pa.array(columns[field.name], field.type, from_pandas=True) for field in EVENT_SCHEMA], schema=EVENT_SCHEMA)
    faults = pa.concat_tables([build_faults(texts, origin, block.line, first, describe_rules(rules, RULES)), list_broken(block, origin)])
    return Checked(kept.filter(pa.array(first == "")), faults)


def _derive_ids(texts: pd.DataFrame, start: pd.Series, end: pd.Series) -> list[str]:
    named = texts[list(IDENTITY)].assign(start_time_utc=start.astype(str), end_time_utc=end.astype(str))
    return [f"ukpn-{hashlib.sha256(chr(31).join(row).encode()).hexdigest()[:20]}" for row in named.itertuples(index=False, name=None)]
