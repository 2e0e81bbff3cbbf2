from pathlib import Path

import pytest
from report_world import BOTH, CAR, HOSTILE, HOSTILE_NAME, ROOF, SHORT

from fmar_spark.engine.lake_sql import LakeRows
from fmar_spark.errors import InputError
from fmar_spark.report.meters import choose_meters, define_meters, rank_meters


def test_everyone_is_chosen_where_there_is_room(lake: LakeRows) -> None:
    assert len(choose_meters(lake, (), 1000)) == 6


def test_the_surest_and_the_closest_calls_of_each_kind_come_first(lake: LakeRows) -> None:
    assert {CAR, ROOF, BOTH, HOSTILE} <= set(choose_meters(lake, (), 5))


def test_named_meters_come_first_and_count_whatever_the_limit(lake: LakeRows) -> None:
    assert choose_meters(lake, (SHORT, HOSTILE_NAME), 0) == [SHORT, HOSTILE]
    assert choose_meters(lake, (SHORT, "stranger"), 3)[0] == SHORT


def test_only_strangers_are_reported_by_name(lake: LakeRows) -> None:
    with pytest.raises(InputError, match="stranger"):
        choose_meters(lake, ("stranger",), 10)


def test_the_meter_that_shows_most_and_contradicts_no_label_comes_first(small_lake: Path) -> None:
    lake = LakeRows(small_lake)
    define_meters(lake)
    assert rank_meters(lake)[:3] == [ROOF, CAR, HOSTILE]
    lake.define("meters", f"SELECT * REPLACE (CASE WHEN mpan_id = '{ROOF}' THEN FALSE ELSE has_pv END AS has_pv) FROM meters")
    assert rank_meters(lake)[0] == CAR
    assert rank_meters(lake)[-1] == ROOF
    lake.define("meters", f"SELECT * REPLACE (CASE WHEN mpan_id = '{CAR}' THEN 3.6 ELSE ev_kw END AS ev_kw) FROM meters")
    assert rank_meters(lake)[0] == HOSTILE
    assert set(rank_meters(lake)[-2:]) == {ROOF, CAR}
