"""Checks dispatch events of the engine's own CSV columns."""

from typing import Final

import numpy as np
import pyarrow as pa

from fmar_spark.intake.deliveries.rows import (
    EVENT_SCHEMA,
    Bools,
    Checked,
    DeclarationRules,
    Stamps,
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

WANTED: Final = ("event_id", "fsp_id", "start_utc", "end_utc", "direction")
OPTIONAL: Final = ("mpan_id", "series_id", "amsid", "market", "product", "notice_utc", "requested_kw", "declared_at_utc", "version")
DIRECTIONS: Final = ("down", "up")


def check_events(block: RawBlock, origin: Origin, rules: DeclarationRules) -> Checked:
    """Split a block into events that can be used and rows that break a rule; a row is named by the first rule that it breaks."""
    texts = read_texts(block, (*WANTED, *OPTIONAL))
    start, end, notice, declared = (read_stamps(texts[name]) for name in ("start_utc", "end_utc", "notice_utc", "declared_at_utc"))
    requested, version = read_numbers(texts["requested_kw"]), read_numbers(texts["version"])
    direction = texts["direction"].str.lower()
    broken = {
        "event_id_missing": (texts["event_id"] == "").to_numpy(),
        **find_meter_faults(texts),
        **find_long_names(texts, rules),
        **find_time_faults(start, end, rules),
        "notice_unreadable": notice.is_bad,
        "direction_unknown": ~direction.isin(DIRECTIONS).to_numpy(),
        "requested_not_a_number": requested.is_bad,
        "requested_beyond_limit": np.abs(requested.value) > 2 * rules.max_kwh_per_slot,
        "declared_unreadable": declared.is_bad,
        "version_not_a_number": version.is_bad | (version.value % 1 > 0) | (np.abs(version.value) > np.iinfo(np.int32).max),
    }
    notices = {
        **find_meter_notices(texts),
        "partial_half_hour": is_partial(start, end),
        "notice_after_start": (notice.value > start.value).to_numpy(),
        "requested_negative": requested.value < 0,
    }
    first = find_first_broken(broken, len(texts))
    columns = {
        "event_id": texts["event_id"].tolist(),
        "market": texts["market"].tolist(),
        "product": texts["product"].tolist(),
        "start_at": start.value,
        "end_at": end.value,
        "dispatch_direction": direction.tolist(),
        "notice_at": notice.value,
        "requested_kw": pa.array(requested.value, from_pandas=True),
        "unit_id": [None] * len(texts),
        "zone": [None] * len(texts),
        "mpan_id": texts["mpan_id"].tolist(),
        "series_id": texts["series_id"].tolist(),
        "amsid": texts["amsid"].tolist(),
        "fsp_id": texts["fsp_id"].tolist(),
        "version": pa.array(version.value, from_pandas=True).cast(pa.int32(), safe=False),
        "declared_at": declared.value,
        "notices": list_notices(notices, len(texts)),
        "file": [origin.name] * len(texts),
        "source": [origin.place(line) for line in block.line.tolist()],
    }
    kept = pa.table([pa.array(columns[field.name], field.type, from_pandas=True) for field in EVENT_SCHEMA], schema=EVENT_SCHEMA)
    faults = pa.concat_tables([build_faults(texts, origin, block.line, first, describe_rules(rules)), list_broken(block, origin)])
    return Checked(kept.filter(pa.array(first == "")), faults)


def find_time_faults(start: Stamps, end: Stamps, rules: DeclarationRules) -> dict[str, Bools]:
    """Events whose times cannot be used, by rule."""
    hours = (end.value - start.value).dt.total_seconds().to_numpy() / 3600
    return {
        "start_unreadable": start.value.isna().to_numpy(),
        "end_unreadable": end.value.isna().to_numpy(),
        "event_order": hours <= 0,
        "event_too_long": hours > rules.max_event_hours,
    }


def is_partial(start: Stamps, end: Stamps) -> Bools:
    """Events that begin or end within a half-hour."""
    rest = [(one.value - one.value.dt.floor("1800s")).dt.total_seconds().to_numpy() for one in (start, end)]
    found: Bools = (rest[0] > 0) | (rest[1] > 0)
    return found
