"""The tables for people say what the document says."""

from typing import Any

import pytest

from fmar_spark.evaluation.tables import CLASS_WORDS, TextTable, is_overview, list_tables, write_figure


def pick(document: dict[str, Any], kind: str, name: str) -> TextTable:
    return next(table for table in list_tables(document) if (table.kind, table.name) == (kind, name))


@pytest.mark.parametrize(
    ("figure", "name", "text"),
    [
        ({"value": 0.8914, "interval": [0.8721, 0.9107], "meters": 40}, "auc", "0.891 (0.872–0.911)"),
        ({"value": 0.5, "interval": [0.25, 0.75], "meters": 40}, "recall", "50 % (25–75)"),
        ({"value": 3.5, "interval": [1.0, 12.0], "meters": 40}, "median_days_off", "3.5 (1.0–12.0)"),
        ({"value": 0.25, "interval": None, "meters": 12}, "ece", "0.250"),
        ({"value": None, "interval": None, "meters": 3}, "auc", "too few (3)"),
        (None, "auc", "–"),
    ],
)
def test_a_figure_is_written_with_its_interval_or_its_number_of_meters(figure: dict[str, Any] | None, name: str, text: str) -> None:
    assert write_figure(figure, name) == text


def test_every_kind_has_its_own_tables_and_none_is_for_all(document: dict[str, Any]) -> None:
    tables = list(list_tables(document))
    assert {table.kind for table in tables} == set(document["kinds"])
    assert all(table.kind in table.title for table in tables)


def test_every_row_has_a_cell_for_each_heading(document: dict[str, Any]) -> None:
    tables = list(list_tables(document))
    assert {table.part for table in tables} == {"overview", "score", "groups", "circumstances", "mistakes", "answers", "transfer"}
    assert [table.name for table in tables for row in table.rows if len(row) != len(table.columns)] == []
    assert [table.name for table in tables if table.links and len(table.links) != len(table.rows)] == []


def test_detection_says_what_the_document_says(document: dict[str, Any]) -> None:
    figures = document["kinds"]["simulated"]["classes"]
    for row in pick(document, "simulated", "detection").rows:
        asset = next(name for name, words in CLASS_WORDS.items() if words == row[0])
        mine = figures[asset][row[1]]
        assert row[2:5] == [str(mine["with"]), str(mine["without"]), f"{mine['right']} of {mine['answered']}"]
        assert row[5] == write_figure(mine["auc"], "auc")
        assert row[-1] == write_figure(mine["unanswered_share"], "unanswered_share")


def test_the_overview_gives_the_number_of_answers_that_its_shares_are_of(document: dict[str, Any]) -> None:
    figures = document["kinds"]["simulated"]["classes"]
    for row in pick(document, "simulated", "overview").rows:
        ever = figures[next(name for name, words in CLASS_WORDS.items() if words == row[0])]["ever"]
        answered = [int(cell.split(" of ")[0].replace(",", "")) for cell in row[1:3]]
        assert sum(answered) == ever["answered"]
        assert answered[0] == ever["recall"]["meters"]
        assert [cell.split(" of ")[1] for cell in row[1:3]] == [f"{ever['with']:,}", f"{ever['without']:,}"]


def test_classes_that_nobody_labelled_and_nows_that_nobody_knows_have_no_row(document: dict[str, Any]) -> None:
    assert [row[:2] for row in pick(document, "real", "detection").rows] == [["EV charging", "ever"], ["solar PV", "ever"]]


def test_an_overview_is_a_line_a_class_and_fits_a_screen(document: dict[str, Any]) -> None:
    shown = [table for table in list_tables(document) if is_overview(table)]
    assert {table.kind for table in shown} == set(document["kinds"])
    simulated = [table for table in shown if table.kind == "simulated"]
    assert [len(table.rows) for table in simulated] == [len(CLASS_WORDS), len(CLASS_WORDS)]
    for row in simulated[0].rows:
        asset = next(name for name, words in CLASS_WORDS.items() if words == row[0])
        ever = document["kinds"]["simulated"]["classes"][asset]["ever"]
        assert row[3] == write_figure(ever["recall"], "recall")
        assert row[6] == write_figure(ever["tiers"]["high"]["right_share"], "right_share")
    assert sum(len(table.rows) + 7 for table in shown) < 60


def test_a_class_without_a_label_is_not_in_the_overview(document: dict[str, Any]) -> None:
    assert [row[0] for row in pick(document, "real", "overview").rows] == ["EV charging", "solar PV"]
