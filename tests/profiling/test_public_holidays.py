"""Public holidays where meters stand."""

from datetime import date

import pytest

from fmar_spark.domain.gsp_groups import GSP_GROUPS
from fmar_spark.profiling.public_holidays import find_holidays, holiday_region

LONDON = "Europe/London"


@pytest.mark.parametrize(
    ("zone", "group", "is_holiday", "is_not"),
    [
        (LONDON, "_C", date(2023, 4, 10), date(2023, 1, 3)),
        (LONDON, "_N", date(2023, 1, 2), date(2023, 4, 10)),
        (LONDON, "_P", date(2023, 11, 30), date(2023, 8, 28)),
        (LONDON, None, date(2023, 8, 28), date(2023, 11, 30)),
        ("Europe/Oslo", None, date(2023, 5, 17), date(2023, 5, 8)),
        ("Australia/Sydney", None, date(2023, 1, 26), date(2023, 12, 31)),
    ],
)
def test_meters_keep_the_holidays_of_their_place(zone: str, group: str | None, is_holiday: date, is_not: date) -> None:
    found = find_holidays(holiday_region(zone, group))
    assert is_holiday in found
    assert is_not not in found


def test_a_place_of_which_no_calendar_is_known_has_no_holidays() -> None:
    assert find_holidays(holiday_region("Antarctica/Troll", None)) == frozenset()


def test_scotland_is_the_only_area_of_another_calendar() -> None:
    regions = {group.gsp_group_id: holiday_region(LONDON, group.gsp_group_id) for group in GSP_GROUPS}
    assert {group for group, region in regions.items() if region != LONDON} == {"_N", "_P"}


def test_single_bank_holidays_of_coronations_and_funerals_are_known_and_every_year_has_some() -> None:
    found = find_holidays(LONDON)
    assert {date(2022, 9, 19), date(2023, 5, 8)} <= found
    assert all(sum(day.year == year for day in found) >= 8 for year in range(2000, 2051))
