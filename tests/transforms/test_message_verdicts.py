from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from fmar_spark.intake.dip.rows import DECODED
from fmar_spark.transforms.message_verdicts import MAX_RANGES, accept, is_near, list_losers, reject

DAY = Row(utc_date=date(2023, 1, 10), kwh=[0.5] * 48, quality=None, reason=None)
KNOWN = "transaction_id string, transaction_at timestamp, content_hash string"


def message(source: str, transaction_id: str, content_hash: str, second: int = 0, **values: object) -> Row:
    stated = dict.fromkeys(DECODED.names) | {
        "source": source,
        "transaction_id": transaction_id,
        "content_hash": content_hash,
        "transaction_at": datetime(2023, 1, 11, 6, 0, second, tzinfo=UTC),
        "mpan_id": "2000056535971",
        "day": DAY,
    }
    return Row(**(stated | values))


def frame(spark: SparkSession, *rows: Row) -> DataFrame:
    return spark.createDataFrame([tuple(row[name] for name in DECODED.names) for row in rows], DECODED)


def verdicts(spark: SparkSession, decoded: DataFrame, *known: tuple[str, str]) -> dict[str, tuple[str, str]]:
    accepted = spark.createDataFrame([(name, datetime(2023, 1, 11, tzinfo=UTC), digest) for name, digest in known], KNOWN)
    return {row["source"]: (row["verdict"], row["first_hash"]) for row in list_losers(decoded, accepted).collect()}


def test_the_first_of_an_id_is_accepted_and_the_others_are_checked_against_it(spark: SparkSession) -> None:
    decoded = frame(
        spark,
        message("f#0", "a", "one"),
        message("f#1", "a", "one", is_replay=True),
        message("e#0", "a", "two", second=1),
        message("f#2", "b", "one"),
        message("f#3", "c", "new"),
        message("f#4", "d", "other"),
        message("f#5", "d", "other"),
        message("f#6", "b", "one", rule="ecs_1010_negative"),
    )
    found = verdicts(spark, decoded, ("c", "old"), ("d", "other"))
    assert found == {
        "f#1": ("duplicate", "one"),
        "e#0": ("transaction_id_reused", "one"),
        "f#3": ("transaction_id_reused", "old"),
        "f#4": ("duplicate", "other"),
        "f#5": ("duplicate", "other"),
    }


def test_accepted_rejected_and_duplicates_are_all_and_accepted_days_are_spelt_out(spark: SparkSession) -> None:
    day = DAY.asDict() | {"quality": ["E"] * 48}
    decoded = frame(
        spark,
        message("f#0", "a", "one"),
        message("f#1", "a", "one"),
        message("f#2", "a", "two"),
        message("f#3", "b", "one", day=None, days=[Row(**day), Row(**day)]),
        message("f#4", "c", "one", day=Row(**day)),
        message("f#5", "d", "one", day=None, standing=Row(*["W", *[None] * 8])),
        message("f#6", "e", "", rule="value_malformed", reason="'x' found", raw="{}", day=None),
    )
    losers = list_losers(decoded, spark.createDataFrame([], KNOWN)).persist()
    kept = {row["source"]: row for row in accept(decoded, losers).collect()}
    assert sorted(kept) == ["f#0", "f#3", "f#4", "f#5"]
    assert kept["f#0"]["days"] == [Row(utc_date=DAY["utc_date"], kwh=DAY["kwh"], quality=["A"] * 48, reason=None)]
    assert len(kept["f#3"]["days"]) == 2
    assert kept["f#4"]["days"][0]["quality"] == ["E"] * 48
    assert (kept["f#5"]["days"], kept["f#5"]["standing"]["connection_type"]) == (None, "W")
    rejected = {row["source"]: row for row in reject(decoded, losers, 30).collect()}
    assert {source: row["rule"] for source, row in rejected.items()} == {"f#2": "transaction_id_reused", "f#6": "value_malformed"}
    assert rejected["f#2"]["raw"].startswith('{"transaction_id":"a"')
    assert len(rejected["f#2"]["raw"]) == 30
    assert rejected["f#2"]["reason"] == "content two found, accepted before as one"
    assert len({row["quarantine_id"] for row in rejected.values()}) == 2


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(0, 3000), min_size=1, max_size=90, unique=True), st.integers(1, 5))
def test_what_is_looked_through_holds_every_day_of_a_batch(spark: SparkSession, offsets: list[int], reach: int) -> None:
    days = [date(2020, 1, 1) + timedelta(days=offset) for offset in offsets]
    edges = [
        moment
        for day in days
        for moment in (datetime(day.year, day.month, day.day, tzinfo=UTC), datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC))
    ]
    reached = [moment + timedelta(days=sign * reach) for moment, sign in zip(edges, [-1, 1] * len(days), strict=True)]
    rows = spark.createDataFrame([(moment,) for moment in [*edges, *reached]], "transaction_at timestamp")
    condition = is_near(days, reach)
    assert rows.where(condition).count() == len(edges) * 2
    assert condition._jc.toString().count(">=") <= MAX_RANGES


def test_what_is_far_from_every_day_is_not_looked_through(spark: SparkSession) -> None:
    rows = spark.createDataFrame([(datetime(2023, 1, day, tzinfo=UTC),) for day in range(1, 29)], "transaction_at timestamp")
    found = rows.where(is_near([date(2023, 1, 10), date(2023, 1, 11), date(2023, 1, 20)], 1)).select(F.dayofmonth("transaction_at"))
    assert sorted(row[0] for row in found.collect()) == [9, 10, 11, 12, 19, 20, 21]


def test_a_batch_without_messages_looks_through_nothing(spark: SparkSession) -> None:
    rows = spark.createDataFrame([(datetime(2023, 1, 1, tzinfo=UTC),)], "transaction_at timestamp")
    assert rows.where(is_near([], 1)).isEmpty()
