"""Evidence of labelled meters, before and after it is joined with their labels."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from fmar_spark.domain.assets import ASSET_CLASSES, LABEL_OF_CLASS, SIZE_NAMES, AssetClass, SizeName
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.errors import InputError
from fmar_spark.kernels.dating import PRESENCE_EVIDENCE
from fmar_spark.kernels.examination import FEATURES, SizingRules
from fmar_spark.learning.training import split_by_meter, train_classifier
from fmar_spark.profiling.windows import empty_weather
from fmar_spark.steps.train_classifier import EVIDENCE, EvidencePass, join_labels

LABELS = list(LABEL_OF_CLASS.values())


def meter_days(days_of_meter: dict[str, int]) -> pa.Table:
    first = date(2023, 1, 1)
    rng = np.random.default_rng(1)
    days = [(mpan, first + timedelta(days=day)) for mpan, count in days_of_meter.items() for day in range(count)]
    count = len(days)
    return pa.table(
        {
            "mpan_id": pa.array([mpan for mpan, _ in days], pa.string()),
            "utc_date": pa.array([day for _, day in days], pa.date32()),
            "quantity": pa.array(["AI"] * count, pa.string()),
            "kwh": pa.array([rng.gamma(1.0, 0.3, 48).tolist() for _ in days], pa.list_(pa.float32())),
            "interval_minutes": pa.array([30] * count, pa.int32()),
            "time_zone": pa.array(["Europe/London"] * count),
            "latitude": pa.array([51.5] * count),
            "longitude": pa.array([-0.1] * count),
            "weather_area": pa.array(["_C"] * count),
            "gsp_group_id": pa.array(["_C"] * count),
            "is_domestic": pa.array([True] * count),
        }
    )


def evidence_of(days_of_meter: dict[str, int]) -> pa.Table:
    evidence_pass = EvidencePass(empty_weather(), min_days=60, max_missing_share=0.7, window_months=24, sizing=SizingRules())
    return pa.Table.from_batches(list(evidence_pass(meter_days(days_of_meter))), arrow_schema(EVIDENCE))


def test_meters_with_enough_history_give_evidence_and_the_others_none() -> None:
    found = evidence_of({"a": 80, "b": 20, "c": 70})
    assert sorted(found["mpan_id"].to_pylist()) == ["a", "c"]
    assert set(map(len, found["features"].to_pylist())) == {len(FEATURES)}
    assert set(map(len, found["presence"].to_pylist())) == {len(ASSET_CLASSES) * len(PRESENCE_EVIDENCE)}
    assert set(map(len, found["sizes"].to_pylist())) == {len(ASSET_CLASSES) * (len(SIZE_NAMES) + 1)}


@pytest.mark.parametrize("days_of_meter", [{"a": 20}, {"a": 20, "b": 3}])
def test_where_no_meter_has_enough_history_the_answer_is_empty_and_training_says_what_is_wanted(days_of_meter: dict[str, int]) -> None:
    evidence = evidence_of(days_of_meter)
    assert evidence.num_rows == 0
    labels = pd.DataFrame({name: [True] * len(days_of_meter) for name in LABELS}, index=list(days_of_meter))
    examples = join_labels(evidence, labels)
    assert examples.features.shape == (0, len(FEATURES))
    with pytest.raises(InputError, match="label more meters"):
        train_classifier(examples, split_by_meter(examples.meter_id, 0.25, 0.25, 1))


def test_labels_find_their_meter_and_empty_ones_are_unknown() -> None:
    evidence = evidence_of({"a": 70, "b": 70})
    labels = pd.DataFrame(None, index=["b", "a"], columns=LABELS, dtype=object)
    labels[LABEL_OF_CLASS[AssetClass.EV]] = [True, None]
    labels[LABEL_OF_CLASS[AssetClass.SOLAR_PV]] = [False, True]
    labels["ev_kw"], labels["confusers"] = [7.2, None], ["immersion", None]
    examples = join_labels(evidence, labels)
    row = {mpan: place for place, mpan in enumerate(examples.meter_id)}
    wanted = {"a": [np.nan, np.nan, np.nan, 1.0, np.nan], "b": [1.0, np.nan, np.nan, 0.0, np.nan]}
    for mpan, answers in wanted.items():
        np.testing.assert_array_equal(examples.labels[row[mpan]], answers)
    assert examples.true_sizes[row["b"], 0, SIZE_NAMES.index(SizeName.RATED_IMPORT_KW)] == 7.2
    assert np.isnan(examples.true_sizes[row["a"]]).all()
    assert [examples.confusers[row[mpan]] for mpan in "ab"] == ["", "immersion"]
