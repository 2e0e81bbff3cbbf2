"""The same meters seen in other circumstances by the engine itself: shorter, with gaps, without weather, without export."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fmar_spark.domain.assets import ASSET_CLASSES
from fmar_spark.domain.consent import METER_ATTRIBUTES
from fmar_spark.domain.words import PRESENT_FROM, Quantity
from fmar_spark.engine.lake_sql import LakeRows
from fmar_spark.evaluation.lake_answers import FACT_NAMES
from fmar_spark.kernels.window import Bools, Ints
from fmar_spark.learning.answers import Answers, Facts, Scored, build_answers, score_window, to_numbers
from fmar_spark.learning.labelled import SIZES, Labels
from fmar_spark.profiling.baselines import ScoreRules
from fmar_spark.profiling.profiles import ProfilePass, read_profile_rules
from fmar_spark.profiling.verdicts import Scorer
from fmar_spark.profiling.windows import build_weather_book, empty_weather
from fmar_spark.settings.sections import Settings

SHORTEST_GAP, LONGEST_GAP = 3, 21
"""Days of one gap: readings of Great Britain fail for days to weeks."""
RUN_ID: Final = "evaluation"
_CHUNK: Final = f"""
    SELECT mpan_id, utc_date, quantity, kwh, {", ".join(METER_ATTRIBUTES)} FROM eligible_readings
    WHERE mpan_id IN $wanted AND ($until IS NULL OR utc_date <= $until) ORDER BY mpan_id
"""


class Circumstance(NamedTuple):
    """One way to see a meter."""

    name: str
    last_days: int = 0
    """Days kept at the end of the history; 0 = all."""
    missing_share: float = 0.0
    """Days taken away in blocks."""
    has_weather: bool = True
    has_export: bool = True


CIRCUMSTANCES: Final = (
    Circumstance("whole"),
    Circumstance("last 60 days", last_days=61),
    Circumstance("last 90 days", last_days=90),
    Circumstance("last 180 days", last_days=180),
    Circumstance("last 365 days", last_days=365),
    Circumstance("10 % of days missing", missing_share=0.1),
    Circumstance("30 % of days missing", missing_share=0.3),
    Circumstance("without weather", has_weather=False),
    Circumstance("without export register", has_export=False),
)
"""61 days, so that 60 local ones are read where the first or the last is cut by the clock."""


def characterise_again(
    lake: LakeRows, labels: Labels, scorer: Scorer, settings: Settings, say: Callable[[str], None]
) -> Iterator[tuple[Circumstance, Scored]]:
    """The answers about the labelled meters in each of ``CIRCUMSTANCES``, whole first, by the classifier that scored the lake."""
    until = _find_run_date(lake)
    size = settings.characterise.meters_per_chunk
    examined = {row["mpan_id"] for row in lake.rows("SELECT DISTINCT mpan_id FROM gold.asset_detections")}
    mpans = sorted(mpan for mpan in labels.mpan_id if mpan in examined)
    found: dict[str, list[pa.RecordBatch]] = {circumstance.name: [] for circumstance in CIRCUMSTANCES}
    passes = {has_weather: _build_pass(lake, scorer, settings, has_weather) for has_weather in (True, False)}
    for first in range(0, len(mpans), size):
        say(f"other circumstances: meters {first + 1:,} to {min(first + size, len(mpans)):,} of {len(mpans):,}")
        chunk = lake.read(_CHUNK, wanted=mpans[first : first + size], until=until)
        for circumstance in CIRCUMSTANCES:
            part = cut_chunk(chunk, circumstance)
            found[circumstance.name] += [_keep(batch) for batch in passes[circumstance.has_weather](part)] if part.num_rows else []
    for circumstance in CIRCUMSTANCES:
        yield circumstance, _score_profiles(labels, found[circumstance.name])


def cut_chunk(chunk: pa.Table, circumstance: Circumstance) -> pa.Table:
    """The rows of whole meters that a circumstance leaves; the pass decides on weather."""
    kept = np.ones(chunk.num_rows, dtype=np.bool_)
    if not circumstance.has_export:
        kept &= np.asarray(pc.not_equal(chunk["quantity"], Quantity.AE.value))
    encoded = chunk["mpan_id"].combine_chunks().dictionary_encode()
    meter = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    day = chunk["utc_date"].combine_chunks().cast(pa.int32()).to_numpy(zero_copy_only=False).astype(np.int64)
    meters = len(encoded.dictionary)
    if circumstance.last_days and meters:
        last = np.full(meters, -1, dtype=np.int64)
        np.maximum.at(last, meter, day)
        kept &= day > last[meter] - circumstance.last_days
    if circumstance.missing_share:
        for place, mpan in enumerate(encoded.dictionary.to_pylist()):
            rows = np.flatnonzero(meter == place)
            kept[rows] &= ~choose_gaps(day[rows], circumstance.missing_share, mpan)
    return chunk.filter(pa.array(kept))


def choose_gaps(day: Ints, share: float, mpan_id: str) -> Bools:
    """Which rows fall into gaps that take at least that share of a meter's days; the same meter has the same gaps in every run."""
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(mpan_id.encode()).digest()[:8], "big"))
    first = int(day.min())
    days = int(day.max()) - first + 1
    lost = np.zeros(days, dtype=np.bool_)
    while lost.mean() < share:
        start = int(rng.integers(days))
        lost[start : start + int(rng.integers(SHORTEST_GAP, LONGEST_GAP + 1))] = True
    return np.asarray(lost[day - first])


def largest_difference(lake_answers: Answers, whole: Answers) -> float:
    """How far the answers of the whole histories, made here, lie from the lake's own: 0 where the engine and its settings are the same."""
    difference = np.abs(lake_answers.probability - whole.probability)
    known = ~np.isnan(difference)
    return float(difference[known].max()) if known.any() else float("nan")


def _build_pass(lake: LakeRows, scorer: Scorer, settings: Settings, has_weather: bool) -> ProfilePass:
    weather = lake.read("SELECT weather_area, utc_date, temp_c, ghi_w_m2 FROM silver.weather") if has_weather else None
    newest = lake.rows("SELECT max(as_of_date) AS day FROM gold.asset_detections")[0]["day"]
    rules = read_profile_rules(settings)._replace(baseline=ScoreRules(score_days=1, warm_up_days=14))
    return ProfilePass(scorer, build_weather_book(weather) if weather is not None else empty_weather(), rules, RUN_ID, newest)


def _find_run_date(lake: LakeRows) -> object:
    """Last UTC day that the lake's own characterisation looked at; none where it took all."""
    found = lake.rows(
        """SELECT run_date FROM ops.run_journal WHERE step = 'characterise'
        AND run_id IN (SELECT run_id FROM gold.asset_detections) ORDER BY started_at DESC LIMIT 1"""
    )
    return found[0]["run_date"] if found else None


def _keep(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The columns that are scored; histories of many meters are held at once."""
    names = ("mpan_id", "detections", "capabilities", "days_seen", "missing_share", "has_export", "has_weather", "is_domestic")
    return batch.select([*names, "first_date", "as_of_date"])


def _score_profiles(labels: Labels, batches: list[pa.RecordBatch]) -> Scored:
    meters = len(labels.mpan_id)
    profiles = pa.Table.from_batches(batches)
    places = pa.array(labels.mpan_id, pa.string())
    place = pc.index_in(profiles["mpan_id"], value_set=places).to_numpy().astype(np.int64)
    answers = build_answers(_unfold(profiles["detections"], place), _unfold(profiles["capabilities"], place), meters)
    is_there = np.nan_to_num(answers.present_probability) >= PRESENT_FROM
    asset_of = {size.name: ASSET_CLASSES.index(size.asset) for size in SIZES}
    sizes = {name: np.where(is_there[:, asset_of[name], None], values, np.nan) for name, values in answers.sizes.items()}
    columns = to_numbers(profiles.rename_columns({"first_date": "first_day", "as_of_date": "last_day"}), FACT_NAMES)
    columns["last_day"] = np.where(columns["days_seen"] > 0, columns["last_day"], np.nan)
    facts = {name: np.full(meters, np.nan) for name in FACT_NAMES}
    for name, values in columns.items():
        facts[name][place] = values
    return score_window(labels, answers._replace(sizes=sizes), Facts(**facts))


def _unfold(column: pa.ChunkedArray, place: Ints) -> pa.Table:
    """Rows of the structs in a column of lists, with the place of their meter."""
    lists = column.combine_chunks()
    owner = pc.list_parent_indices(lists).to_numpy().astype(np.int64)
    return pa.Table.from_struct_array(pc.list_flatten(lists)).append_column("place", pa.array(place[owner]))
