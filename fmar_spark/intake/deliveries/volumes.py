"""Checks declared volumes of the engine's own CSV columns."""

from functools import lru_cache
from typing import Final

import holidays
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from fmar_spark.clock import LONDON
from fmar_spark.intake.deliveries.rows import (
    VOLUME_SCHEMA,
    Bools,
    Checked,
    DeclarationRules,
    build_faults,
    describe_rules,
    find_first_broken,
    find_long_names,
    find_meter_faults,
    find_meter_notices,
    list_broken,
    list_notices,
    read_numbers,
    read_stamps,
    read_texts,
)
from fmar_spark.intake.intervals.rows import Origin, RawBlock

WANTED: Final = ("fsp_id", "period_start_utc", "delivered_kwh")
OPTIONAL: Final = ("mpan_id", "series_id", "amsid", "metered_kwh", "declared_at_utc", "version")


def check_volumes(block: RawBlock, origin: Origin, rules: DeclarationRules) -> Checked:
    """Split a block into volumes that can be used and rows that break a rule; a row is named by the first rule that it breaks."""
    texts = read_texts(block, (*WANTED, *OPTIONAL))
    start, declared = read_stamps(texts["period_start_utc"]), read_stamps(texts["declared_at_utc"])
    delivered, metered, version = (read_numbers(texts[name]) for name in ("delivered_kwh", "metered_kwh", "version"))
    broken = {
        **find_meter_faults(texts),
        **find_long_names(texts, rules),
        "period_unreadable": start.value.isna().to_numpy(),
        "period_misaligned": ((start.value - start.value.dt.floor("1800s")).dt.total_seconds() > 0).to_numpy(),
        "delivered_not_a_number": np.isnan(delivered.value),
        "delivered_beyond_limit": np.abs(delivered.value) > rules.max_kwh_per_slot,
        "metered_not_a_number": metered.is_bad,
        "metered_beyond_limit": np.abs(metered.value) > rules.max_kwh_per_slot,
        "declared_unreadable": declared.is_bad,
        "version_not_a_number": version.is_bad | (version.value % 1 > 0) | (np.abs(version.value) > np.iinfo(np.int32).max),
    }
    first = find_first_broken(broken, len(texts))
    columns = {
        "slot_start_at": start.value,
        "delivered_kwh": delivered.value,
        "metered_kwh": metered.value,
        "is_network_sign": [False] * len(texts),
        "mpan_id": texts["mpan_id"].tolist(),
        "series_id": texts["series_id"].tolist(),
        "amsid": texts["amsid"].tolist(),
        "fsp_id": texts["fsp_id"].tolist(),
        "version": pa.array(version.value, from_pandas=True).cast(pa.int32(), safe=False),
        "declared_at": declared.value,
        "notices": list_notices(find_meter_notices(texts) | find_timing_notices(start.value, declared.value, delivered.value), len(texts)),
        "file": [origin.name] * len(texts),
        "source": [origin.place(line) for line in block.line.tolist()],
    }
    kept = pa.table([pa.array(columns[field.name], field.type, from_pandas=True) for field in VOLUME_SCHEMA], schema=VOLUME_SCHEMA)
    faults = pa.concat_tables([build_faults(texts, origin, block.line, first, describe_rules(rules)), list_broken(block, origin)])
    return Checked(kept.filter(pa.array(first == "")), faults)


def find_timing_notices(start: pd.Series, declared: pd.Series, delivered_kwh: NDArray[np.float64]) -> dict[str, Bools]:
    """When volumes were declared, and which way, by notice; a volume is due one working day after its settlement day (P0282)."""
    known = (start.notna() & declared.notna()).to_numpy()
    is_late = np.zeros(len(start), dtype=np.bool_)
    local_day, said_day = (
        stamps[known].dt.tz_convert(LONDON).dt.tz_localize(None).to_numpy().astype("datetime64[D]") for stamps in (start, declared)
    )
    is_late[known] = said_day > np.busday_offset(local_day, 1, "backward", holidays=_list_holidays())
    is_early = known & (declared < start + pd.Timedelta(minutes=30)).to_numpy()
    return {"early_declaration": is_early, "late_declaration": is_late, "delivered_negative": delivered_kwh < 0}


@lru_cache(maxsize=1)
def _list_holidays() -> NDArray[np.datetime64]:
    known = holidays.country_holidays("GB", subdiv="ENG", years=range(2000, 2051))
    return np.asarray(sorted(known), dtype="datetime64[D]")
