"""The comparison of stated dates with the truth of a simulated fleet."""

from datetime import date

import dates_by_class
import pytest

from fmar_spark.domain.assets import AssetClass

CAR = AssetClass.EV.value


def _asset(mpan: str, **days: date) -> dates_by_class.Row:
    return {"mpan_id": mpan, "asset_class": CAR, "appeared_date": None, "upgraded_date": None, "removed_date": None, **days}


def _detection(mpan: str, probability: float | None, came: date | None = None) -> dates_by_class.Row:
    days = {f"appeared{part}_date": came for part in ("", "_p10", "_p90")} | {f"removed{part}_date": None for part in ("", "_p10", "_p90")}
    return {"series_id": mpan, "asset_class": CAR, "probability": probability, **days}


def _change(mpan: str, day: date, kind: str, width: int) -> dates_by_class.Row:
    ends = {"changed_p10_date": date.fromordinal(day.toordinal() - width), "changed_p90_date": date.fromordinal(day.toordinal() + width)}
    return {"series_id": mpan, "asset_class": CAR, "kind": kind, "changed_date": day, **ends}


def _outcomes() -> list[dates_by_class.Outcome]:
    assets = [
        _asset("a", appeared_date=date(2024, 3, 1), upgraded_date=date(2024, 6, 1)),
        _asset("b", appeared_date=date(2024, 3, 1)),
        _asset("c"),
        _asset("d", appeared_date=date(2024, 3, 1)),
    ]
    detections = [
        _detection("a", 0.9, date(2024, 3, 8)),
        _detection("b", 0.2),
        _detection("c", 0.8, date(2024, 2, 1)),
        _detection("d", None),
    ]
    changes = [
        _change("a", date(2024, 3, 8), "appeared", 1),
        _change("a", date(2024, 4, 1), "upgraded", 3),
        _change("a", date(2024, 6, 9), "reduced", 10),
    ]
    return list(dates_by_class.compare(assets, detections, changes))


def test_each_change_of_an_asset_is_one_outcome_answered_or_not() -> None:
    outcomes = _outcomes()
    assert [(one.change, one.truth, one.is_found) for one in outcomes[:3]] == [
        ("came", date(2024, 3, 1), True),
        ("changed size", date(2024, 6, 1), True),
        ("went", None, True),
    ]
    assert len(outcomes) == 12


def test_of_several_changes_of_size_the_one_nearest_to_the_truth_counts() -> None:
    resized = _outcomes()[1]
    assert resized.stated is not None
    assert resized.stated.day == date(2024, 6, 9)
    assert (resized.is_near, resized.is_held) == (False, True)


@pytest.mark.parametrize(
    ("change", "figures"),
    [
        ("came", ("3", "1", "1", "1 (33%)", "1 (100%)", "0 (0%)", "1", "1 (100%)")),
        ("changed size", ("1", "1", "1", "0 (0%)", "0 (0%)", "1 (100%)", "3", "0 (0%)")),
        ("went", ("0", "0", "0", "-", "-", "-", "4", "0 (0%)")),
    ],
)
def test_figures_count_known_found_dated_near_held_and_false(change: str, figures: tuple[str, ...]) -> None:
    assert dates_by_class.sum_up([one for one in _outcomes() if one.change == change]) == figures


def test_the_table_names_only_changes_that_are_known() -> None:
    table = dates_by_class.tabulate(_outcomes())
    assert list(table.columns[1].cells) == ["came", "changed size"]
