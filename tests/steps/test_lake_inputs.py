"""What steps over whole histories are asked for: days and meters."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from consent_world import EXPORT, HOME, meter
from lake_rows import add_rows

from fmar_spark.contracts.readings import METER_POINTS, READINGS, SERIES
from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.runs import Run
from fmar_spark.engine.store import TableStore
from fmar_spark.errors import ConfigError, InputError
from fmar_spark.steps.lake_inputs import choose_days, name_meters
from fmar_spark.transforms.eligibility import RunDays

TODAY = datetime(2026, 4, 20, 9, tzinfo=UTC)
IMPORT_MPAN, EXPORT_MPAN, STRANGER = "2000056535971", "1900012374324", "1200023305967"


def fill(store: TableStore, contract: TableContract, rows: list[dict[str, Any]]) -> None:
    blank = dict.fromkeys(contract.names)
    add_rows(store, contract, [blank | row for row in rows])


def start(run_date: date | None = None) -> Run:
    return Run("r", "a step", run_date, "", TODAY)


def test_a_run_stands_for_the_newest_possible_readings_and_never_for_a_day_to_come(store: TableStore) -> None:
    days = [TODAY.date() - timedelta(days=4), date(1, 1, 1), TODAY.date() + timedelta(days=1), date(2099, 12, 31)]
    plain = {"mpan_id": IMPORT_MPAN, "quantity": "AI", "kwh": [0.5] * 48, "quality": ["A"] * 48, "reported_at": TODAY}
    fill(store, READINGS, [plain | {"utc_date": day} for day in days[1:]])
    with pytest.raises(ConfigError, match="no readings yet"):
        choose_days(store, start())
    fill(store, READINGS, [plain | {"utc_date": days[0]}])
    assert choose_days(store, start()) == RunDays(date(2026, 4, 16), date(2026, 4, 20))
    assert choose_days(store, start(date(2026, 4, 2))) == RunDays(date(2026, 4, 2), date(2026, 4, 2))
    assert choose_days(store, start(TODAY.date())).until_date == TODAY.date()
    with pytest.raises(ConfigError, match="--run-date: 2026-04-21 found, 2026-04-20 or earlier wanted"):
        choose_days(store, start(date(2026, 4, 21)))


def test_meters_are_named_by_either_mpan_or_by_series_and_unknown_ones_are_reported(
    store: TableStore, caplog: pytest.LogCaptureFixture
) -> None:
    fill(store, METER_POINTS, [meter(IMPORT_MPAN, HOME), meter(EXPORT_MPAN, EXPORT, IMPORT_MPAN)])
    assert name_meters(store, ()) == ""
    with pytest.raises(InputError, match=r"2 meters named, none in silver.meter_points"):
        name_meters(store, (STRANGER, "no such series"))
    condition = f"mpan_id IN ('{IMPORT_MPAN}')"
    assert name_meters(store, (EXPORT_MPAN,)) == condition
    assert not caplog.messages
    fill(store, SERIES, [{"series_id": "home", "mpan_id": IMPORT_MPAN, "interval_minutes": 30, "imported_at": TODAY}])
    assert name_meters(store, ("home", IMPORT_MPAN)) == condition
    assert not caplog.messages
    assert name_meters(store, ("home", STRANGER, "it's")) == condition
    assert caplog.messages == ["--meters: 3 meters named, of which 2 not in silver.meter_points"]
