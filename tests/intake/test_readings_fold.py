import random
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from fmar_spark.contracts.readings import READING_VERSIONS
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.intake.readings_fold import fold_chunk

SCHEMA = arrow_schema(READING_VERSIONS)
START = datetime(2026, 3, 1, tzinfo=UTC)
Version = dict[str, object]


def version(
    name: str, hour: int, stated: dict[int, float], *, meter: str = "m", day: int = 0, quality: str = "A", reason: int | None = None
) -> Version:
    reasons = None if reason is None else [reason if slot in stated else None for slot in range(48)]
    return {
        "version_id": name,
        "mpan_id": meter,
        "utc_date": date(2026, 3, 1) + timedelta(days=day),
        "quantity": "AI",
        "kwh": [stated.get(slot) for slot in range(48)],
        "quality": [quality if slot in stated else None for slot in range(48)],
        "reason": reasons,
        "reported_at": START + timedelta(hours=hour),
    }


def fold(versions: list[Version]) -> dict[tuple[object, ...], dict[str, object]]:
    chunk = pa.Table.from_pylist(versions, schema=SCHEMA)
    rows = [row for batch in fold_chunk(chunk) for row in batch.to_pylist()]
    found = {(row["mpan_id"], row["utc_date"], row["quantity"]): row for row in rows}
    assert len(found) == len(rows)
    return found


def fold_naively(versions: list[Version]) -> dict[tuple[object, ...], dict[str, object]]:
    found: dict[tuple[object, ...], dict[str, object]] = {}
    for one in sorted(versions, key=lambda each: (each["reported_at"], each["version_id"])):
        key = (one["mpan_id"], one["utc_date"], one["quantity"])
        blank = {
            "mpan_id": key[0],
            "utc_date": key[1],
            "quantity": key[2],
            "kwh": [None] * 48,
            "quality": [None] * 48,
            "opted_out": [False] * 48,
        }
        row = found.setdefault(key, blank)
        for slot in range(48):
            if one["kwh"][slot] is not None:
                row["kwh"][slot] = one["kwh"][slot]
                row["quality"][slot] = one["quality"][slot]
                row["opted_out"][slot] = bool(one["reason"]) and one["reason"][slot] == 1
        row["reported_at"] = one["reported_at"]
    for row in found.values():
        row["opted_out"] = row["opted_out"] if any(row["opted_out"]) else None
    return found


def test_a_half_hour_takes_the_newest_value_and_keeps_it_where_a_newer_version_is_silent() -> None:
    whole = version("t1", 1, dict.fromkeys(range(48), 0.25), quality="E1", reason=2)
    patch = version("t2", 5, {3: 0.5, 4: 0.75})
    row = fold([patch, whole])["m", date(2026, 3, 1), "AI"]
    assert row["kwh"][2:6] == [0.25, 0.5, 0.75, 0.25]
    assert row["quality"][2:6] == ["E1", "A", "A", "E1"]
    assert (row["opted_out"], row["reported_at"]) == (None, START + timedelta(hours=5))


def test_an_opt_out_is_marked_and_a_later_actual_lifts_it() -> None:
    out = version("t1", 1, dict.fromkeys(range(48), 0.25), quality="E", reason=1)
    assert fold([out])["m", date(2026, 3, 1), "AI"]["opted_out"] == [True] * 48
    lifted = fold([out, version("t2", 2, dict.fromkeys(range(10), 0.5))])["m", date(2026, 3, 1), "AI"]
    assert lifted["opted_out"] == [False] * 10 + [True] * 38


def test_nothing_stated_is_nothing_folded() -> None:
    assert fold([]) == {}
    silent = fold([version("t1", 1, {})])["m", date(2026, 3, 1), "AI"]
    assert (silent["kwh"], silent["quality"]) == ([None] * 48, [None] * 48)


def state_some(seed: int) -> dict[int, float]:
    """Up to eight half-hours, eighths of a kilowatt-hour each."""
    chance = random.Random(seed)
    return {slot: chance.randint(0, 64) / 8 for slot in chance.sample(range(48), chance.randint(0, 8))}


VERSIONS = st.lists(
    st.builds(
        version,
        name=st.sampled_from(["a", "b", "c", "d", "e", "f"]),
        hour=st.integers(0, 3),
        stated=st.integers(0, 2**32 - 1).map(state_some),
        meter=st.sampled_from(["m", "n"]),
        day=st.integers(0, 1),
        quality=st.sampled_from(["A", "E1", "ZE"]),
        reason=st.sampled_from([None, 1, 2]),
    ),
    max_size=12,
    unique_by=lambda one: (one["version_id"], one["mpan_id"], one["utc_date"]),
)


@settings(deadline=None, max_examples=150)
@given(VERSIONS, st.randoms(use_true_random=False))
def test_any_order_and_duplication_of_versions_folds_to_what_a_plain_loop_finds(versions: list[Version], chance: object) -> None:
    doubled = versions + [one for one in versions if chance.random() < 0.5]
    chance.shuffle(doubled)
    assert fold(doubled) == fold_naively(versions)


def test_many_meters_fold_at_once_as_each_alone() -> None:
    rng = np.random.default_rng(5)
    versions = [
        version(f"v{number}", int(rng.integers(0, 9)), {int(slot): float(slot) for slot in rng.integers(0, 48, 20)}, meter=f"m{number % 7}")
        for number in range(60)
    ]
    apart = {key: row for meter in range(7) for key, row in fold([one for one in versions if one["mpan_id"] == f"m{meter}"]).items()}
    assert fold(versions) == apart
