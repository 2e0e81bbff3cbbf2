"""Answers of FSPs become labels where nothing else is known."""

import numpy as np
import pandas as pd

from fmar_spark.domain.assets import LABEL_OF_CLASS
from fmar_spark.learning.confirmed import add_confirmations

LABELS = list(LABEL_OF_CLASS.values())
EV, HEAT_PUMP = LABEL_OF_CLASS["ev"], LABEL_OF_CLASS["heat_pump"]


def labels() -> pd.DataFrame:
    rows = pd.DataFrame({name: [np.nan, np.nan] for name in LABELS}, index=pd.Index(["1", "2"], name="mpan_id"))
    rows.loc["1", EV] = 0.0
    return rows.assign(provenance=["real: survey", "real: survey"])


def answers(*rows: tuple[str, str, bool]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["mpan_id", "asset_class", "is_present"])


def test_an_answer_is_a_label_where_there_is_none() -> None:
    joined = add_confirmations(labels(), answers(("2", "ev", True), ("3", "heat_pump", False)))
    assert joined.loc["2", EV] == 1.0
    assert joined.loc["3", HEAT_PUMP] == 0.0
    assert np.isnan(joined.loc["3", EV])
    assert joined.loc[["2", "3"], "provenance"].tolist() == ["real: survey", "confirmation"]


def test_a_label_from_elsewhere_is_not_replaced() -> None:
    assert add_confirmations(labels(), answers(("1", "ev", True))).loc["1", EV] == 0.0


def test_parties_that_contradict_each_other_say_nothing() -> None:
    joined = add_confirmations(labels(), answers(("2", "ev", True), ("2", "ev", False), ("4", "ev", True)))
    assert np.isnan(joined.loc["2", EV])
    assert joined.loc["4", EV] == 1.0


def test_without_answers_labels_stay_as_they_are() -> None:
    assert add_confirmations(labels(), answers()).equals(labels())
    empty = pd.DataFrame(columns=LABELS, index=pd.Index([], name="mpan_id"))
    assert add_confirmations(empty, answers(("3", "ev", True))).loc["3", EV] == 1.0
