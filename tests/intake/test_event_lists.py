"""Lists of known events and portfolios: what is read, and what is said of what cannot be."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from fmar_spark.errors import ConfigError, InputError
from fmar_spark.intake.intervals.event_lists import read_event_list, read_portfolios


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_events_have_times_and_a_scope(tmp_path: Path) -> None:
    path = write(
        tmp_path / "events.csv",
        "event_start_utc,event_end_utc,level,gsp_group,portfolio",
        "2024-01-15T17:00Z,2024-01-15T19:00Z,High,_A,",
        "2024-01-16 17:00:00+01:00,2024-01-16 19:00:00+01:00,,,evening",
        "2024-01-17T02:00Z,2024-01-17T05:00Z,Low,,",
    )
    first, second = read_event_list(path)
    assert first == (datetime(2024, 1, 15, 17, tzinfo=UTC), datetime(2024, 1, 15, 19, tzinfo=UTC), "_A", None)
    assert second.start == datetime(2024, 1, 16, 16, tzinfo=UTC)
    assert (second.gsp_group_id, second.portfolio) == (None, "evening")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("2024-01-15T19:00Z,2024-01-15T17:00Z,", "a time after event_start_utc"),
        ("tomorrow,2024-01-15T17:00Z,", "event_start_utc is 'tomorrow'"),
        ("2024-01-15T17:00Z,2024-01-15T19:00Z,Q", "gsp_group is 'Q'"),
    ],
)
def test_a_wrong_field_is_named_with_its_line(tmp_path: Path, row: str, message: str) -> None:
    path = write(tmp_path / "events.csv", "event_start_utc,event_end_utc,gsp_group", row)
    with pytest.raises(ConfigError, match=message) as error:
        read_event_list(path)
    assert "events.csv" in str(error.value)
    assert "2" in str(error.value)


def test_a_file_without_events_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no events found"):
        read_event_list(write(tmp_path / "events.csv", "event_start_utc,event_end_utc"))


def test_a_meter_belongs_to_one_portfolio(tmp_path: Path) -> None:
    path = write(tmp_path / "portfolios.csv", "series_id,portfolio", "home1,evening", "home2,night", "home1,evening")
    assert read_portfolios(path) == {"home1": "evening", "home2": "night"}
    with pytest.raises(ConfigError, match="another portfolio"):
        read_portfolios(write(tmp_path / "portfolios.csv", "mpan_id,portfolio", "1,evening", "1,night"))
    with pytest.raises(ConfigError, match="is empty"):
        read_portfolios(write(tmp_path / "portfolios.csv", "mpan_id,portfolio", "1,"))
