import shutil
from pathlib import Path

import pytest
from report_world import BOTH, CAR, HOSTILE, HOSTILE_NAME, ROOF, SHORT, at, write_table

from fmar_spark.contracts.operations import QUARANTINE
from fmar_spark.contracts.readings import DIP_MESSAGES
from fmar_spark.engine.lake_sql import LakeRows
from fmar_spark.errors import InputError
from fmar_spark.report.meters import choose_meters, define_meters, describe_meters, list_meters, rank_meters


def test_everyone_is_chosen_where_there_is_room(lake: LakeRows) -> None:
    assert len(choose_meters(lake, (), 1000)) == 6


def test_the_surest_and_the_closest_calls_of_each_kind_come_first(lake: LakeRows) -> None:
    assert {CAR, ROOF, BOTH, HOSTILE} <= set(choose_meters(lake, (), 5))


def test_named_meters_come_first_and_count_whatever_the_limit(lake: LakeRows, caplog: pytest.LogCaptureFixture) -> None:
    assert choose_meters(lake, (SHORT, HOSTILE_NAME), 0) == [SHORT, HOSTILE]
    with caplog.at_level("WARNING"):
        assert choose_meters(lake, (SHORT, "stranger"), 3)[0] == SHORT
    assert [record.getMessage() for record in caplog.records] == [
        f"--meters: stranger: not characterised in {lake.root}, so not on the page"
    ]


def test_only_strangers_are_reported_by_name(lake: LakeRows) -> None:
    with pytest.raises(InputError, match="stranger"):
        choose_meters(lake, ("stranger",), 10)


def test_what_no_answer_rests_on_is_counted_whichever_way_it_came(small_lake: Path, tmp_path: Path) -> None:
    root = tmp_path / "lake"
    shutil.copytree(small_lake, root)
    shutil.rmtree(root / "bronze")
    rejected = {"reason": "r", "raw": "", "run_id": "r", "quarantined_at": at(0), "mpan_id": ROOF}
    rules = ("kwh_lump", "kwh_error_code", "kwh_negative")
    write_table(root, QUARANTINE, [{**rejected, "quarantine_id": rule, "source": rule, "rule": rule} for rule in rules])
    message = {"transaction_at": at(0), "content_hash": "h", "interface_id": "i", "event_code": "e", "mpan_id": ROOF, "ingested_at": at(0)}
    coded = {"A": ["value_error_code"], "B": [], "C": None}
    write_table(
        root, DIP_MESSAGES, [{**message, "transaction_id": name, "source": name, "warnings": found} for name, found in coded.items()]
    )
    lake = LakeRows(root)
    define_meters(lake)
    described = describe_meters(lake, list_meters(lake, 100))
    found = dict(zip(described["mpan_id"], described["implausible"], strict=True))
    assert (found[CAR], found[ROOF], found[SHORT]) == ({"error_code": 22, "spike": 1}, {"message": 1, "row": 2}, None)


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
