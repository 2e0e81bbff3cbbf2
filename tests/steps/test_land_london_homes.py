import json
from datetime import date
from pathlib import Path

import numpy as np

from fmar_spark.intake.london_homes import Home, Repairs
from fmar_spark.simulate.messages import UNREAD
from fmar_spark.steps import land_london_homes

WATT_HOURS = np.arange(250 * 48).reshape(250, 48) % 700
HOME = Home(1, "1200000000011", date(2013, 1, 1), np.where(WATT_HOURS == 5, UNREAD, WATT_HOURS), Repairs(12000, 0, 2, 3, 4))


def read_messages(folder: Path) -> list[dict[str, dict[str, dict[str, object]]]]:
    """All messages of a landing folder, in the order of its files."""
    return [message["payload"] for path in sorted(folder.glob("*.json")) for message in json.loads(path.read_text(encoding="utf-8"))]


def test_every_day_lands_once_after_the_standing_data(tmp_path: Path) -> None:
    written = land_london_homes.run(land_london_homes.Order((HOME,), tmp_path / "landing"))
    messages = read_messages(tmp_path / "landing")
    assert [message["CommonBlock"]["S0"]["interfaceID"] for message in messages] == ["IF-036", *["PUB-021"] * 250]
    assert written.counts["messages"] == 251
    assert written.counts["files"] == len(list((tmp_path / "landing").iterdir())) == 2
    assert written.counts["home_1_rows_repeated"] == 2
    periods = messages[1]["CustomBlock"]["B900"]["settlementDayConsumptionPeriods"][0]["consumptionPeriods"]
    assert [period["sp"] for period in periods[:7]] == ["00:30", "01:00", "01:30", "02:00", "02:30", "03:30", "04:00"]
    assert [period["v"] for period in periods[:3]] == ["0.000", "0.001", "0.002"]


def test_landing_twice_is_as_once(tmp_path: Path) -> None:
    order = land_london_homes.Order((HOME,), tmp_path)
    land_london_homes.run(order)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    land_london_homes.run(order)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_other_messages_in_the_folder_stay(tmp_path: Path) -> None:
    (tmp_path / "consumption.json").write_text("[]", encoding="utf-8")
    land_london_homes.run(land_london_homes.Order((HOME,), tmp_path))
    assert (tmp_path / "consumption.json").read_text(encoding="utf-8") == "[]"


def test_the_homes_are_on_record_as_real_and_nothing_else_is_claimed_of_them() -> None:
    labels = land_london_homes.build_labels((HOME,)).to_pylist()[0]
    assert {name: value for name, value in labels.items() if value is not None} == {"series_id": HOME.mpan_id, "provenance": "real"}
    assert land_london_homes.build_legal_bases((HOME,)).to_pylist()[0]["basis"] == "published data"


def test_what_was_corrected_is_said() -> None:
    assert land_london_homes.describe_repairs(HOME) == (
        "12,000 rows, 2 repeated rows left out, 3 zeros before the first reading left out, 4 half-hours never read, left empty"
    )
