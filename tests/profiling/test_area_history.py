"""A publication renews what it may, keeps the rest, and remembers whom it counted."""

import pandas as pd

from fmar_spark.kernels.disclosure import Rules
from fmar_spark.profiling.area_history import AWAITS_CHANGES, METER_COLUMNS, Continued, History, continue_publication, hold_unanswered
from fmar_spark.profiling.area_plan import ATOM_COLUMNS, plan_publication

RULES = Rules(10, 1.0)
NOTHING = History(
    pd.DataFrame({name: pd.Series(dtype=object) for name in METER_COLUMNS}),
    pd.DataFrame({name: pd.Series(dtype=object) for name in ("asset_class", "block_id", "area_key")}),
)


def publish(primaries: dict[str, list[str]], history: History) -> Continued:
    """A publication of charge points by primary."""
    counts = pd.DataFrame(
        [
            {"atom": name, **dict.fromkeys(ATOM_COLUMNS, ""), "primary_id": name, "asset_class": "ev", "examined": 50, "unanswered": 5}
            | {"meters": len(meters), "kw": 7.0 * len(meters), "largest_kw": 7.0}
            for name, meters in primaries.items()
        ]
    )
    present = pd.DataFrame([("ev", meter, name) for name, meters in primaries.items() for meter in meters])
    present.columns = pd.Index(["asset_class", "meter_digest", "atom"])
    return continue_publication(plan_publication(counts, RULES), present, history, RULES.threshold)


def remember(continued: Continued) -> History:
    """What the next publication reads."""
    return History(continued.meters, continued.publication.areas[["asset_class", "block_id", "area_key"]])


def name_meters(stem: str, count: int) -> list[str]:
    """Digests."""
    return [f"{stem}{number:02d}" for number in range(count)]


def test_the_first_publication_renews_everything() -> None:
    found = publish({"P1": name_meters("a", 20), "P2": name_meters("b", 12), "P3": name_meters("c", 3)}, NOTHING)
    assert set(found.publication.areas["area_key"]) == {"gb/GB", "primary/P1"}
    assert found.publication.withheld.set_index("area_id")["suppression_reason"].to_dict() == {"P2": "protects_others", "P3": "few_meters"}
    assert len(found.kept) == 0
    assert set(found.meters["from_publication"]) == {1}
    assert len(found.meters) == 35


def test_one_meter_more_changes_no_figure_and_ten_more_do() -> None:
    before = publish({"P1": name_meters("a", 20), "P2": name_meters("b", 12)}, NOTHING)
    one_more = publish({"P1": name_meters("a", 21), "P2": name_meters("b", 12)}, remember(before))
    assert one_more.kept["block_id"].tolist() == ["primary/P1"]
    assert set(one_more.publication.areas["area_key"]) == set(before.publication.areas["area_key"])
    assert "a20" not in set(one_more.meters["meter_digest"])
    ten_more = publish({"P1": name_meters("a", 30), "P2": name_meters("b", 12)}, remember(one_more))
    assert len(ten_more.kept) == 0
    assert "a29" in set(ten_more.meters["meter_digest"])


def test_an_area_that_becomes_large_enough_waits_until_enough_have_joined_at_once() -> None:
    before = publish({"P1": name_meters("a", 20), "P2": name_meters("b", 9), "P3": name_meters("c", 9)}, NOTHING)
    found = publish({"P1": name_meters("a", 20), "P2": name_meters("b", 10), "P3": name_meters("c", 10)}, remember(before))
    assert found.publication.withheld.set_index("area_id")["suppression_reason"].to_dict() == {"P2": AWAITS_CHANGES, "P3": AWAITS_CHANGES}
    assert set(found.publication.areas["area_key"]) == {"gb/GB", "primary/P1"}


def test_a_meter_that_left_ends_in_the_history_when_its_block_is_renewed() -> None:
    before = publish({"P1": name_meters("a", 30)}, NOTHING)
    found = publish({"P1": name_meters("a", 18)}, remember(before))
    left = found.meters[found.meters["meter_digest"] == "a29"].iloc[0]
    assert (left["from_publication"], left["to_publication"]) == (1, 2)
    assert found.meters["to_publication"].isna().sum() == 18


def test_the_share_without_an_answer_waits_as_sums_do() -> None:
    found = publish({"P1": name_meters("a", 20)}, NOTHING).publication.examined
    first = hold_unanswered(found, pd.DataFrame(columns=["asset_class", "area_key", "share_unanswered"]), 10, 0.05)
    assert set(first["share_unanswered"]) == {0.1}
    for unanswered, wanted in ((16, 0.1), (17, 0.35)):
        later = hold_unanswered(found.assign(unanswered=unanswered), first, 10, 0.05)
        assert set(later["share_unanswered"]) == {wanted}
