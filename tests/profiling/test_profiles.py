"""The pass over whole meters: every nested column of a profile, and what must hold between them."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyspark import cloudpickle
from readings_world import CAR, DAYS, FIRST_DAY, PLAIN, ROOF, build_readings

from fmar_spark.contracts.profiles import METER_PROFILES
from fmar_spark.domain.assets import ASSET_CLASSES, AssetClass
from fmar_spark.domain.words import Status, Tier
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.intake.intervals.rows import ReadingRules
from fmar_spark.intake.intervals.tables import import_table
from fmar_spark.kernels.examination import FEATURES, SizeEstimate
from fmar_spark.kernels.window import Floats
from fmar_spark.local.meter_days import describe_days
from fmar_spark.profiling.profiles import ProfilePass, read_profile_rules
from fmar_spark.profiling.windows import empty_weather
from fmar_spark.settings.sections import Settings

SHORT, HOLIDAY, FADED = "short", "holiday", "faded"
LAST_DAY = FIRST_DAY + timedelta(days=DAYS - 1)
TIERS = {None: -1, Tier.LOW.value: 0, Tier.MEDIUM.value: 1, Tier.HIGH.value: 2}


@dataclass(frozen=True)
class SureScorer:
    """Holds every class to have been there, and says of each whether it still is."""

    still_there: float = 0.97
    version: str = "sure/1"

    def predict(self, features: Floats) -> Floats:
        """The same for every class of every meter."""
        return np.full((len(features), len(ASSET_CLASSES)), 0.98)

    def predict_present(self, asset: AssetClass, probability: Floats, evidence: Floats) -> Floats:
        """The same for every meter."""
        return np.full(len(probability), self.still_there)

    def bound_size(self, asset: AssetClass, size_name: str, size: SizeEstimate) -> tuple[Floats, Floats]:
        """Half and double."""
        return size.value * 0.5, size.value * 2.0

    def explain(self, asset: AssetClass, features: Floats) -> Floats:
        """Nothing moved it."""
        return np.zeros(features.shape)


@pytest.fixture(scope="module")
def meter_days() -> pa.Table:
    """The meters of the world, one of them with a month of history only, one whose car rests for the last two months, and one
    whose car is charged on one day in eight from then on."""
    rows = build_readings()
    short = rows[rows["series_id"] == PLAIN].head(30 * 48).assign(series_id=SHORT)
    resting = rows[rows["series_id"] == CAR].assign(series_id=HOLIDAY).reset_index(drop=True)
    resting.loc[70 * 48 :, "kwh_import"] = resting.loc[70 * 48 :, "kwh_import"].clip(upper=0.4)
    own = rows[rows["series_id"] == CAR].assign(series_id=FADED).reset_index(drop=True)
    rests = (own.index >= 70 * 48) & (own.index // 48 % 8 != 0)
    faded = own.assign(kwh_import=own["kwh_import"].where(~rests, own["kwh_import"].clip(upper=0.4)))
    days = pa.concat_tables(
        import_table(pa.Table.from_pandas(frame, preserve_index=False), ReadingRules()).days for frame in (rows, short, resting, faded)
    )
    names = pc.unique(days["series_id"])
    meters = pa.table(
        {
            "mpan_id": names,
            "interval_minutes": pa.array([30] * len(names), pa.int32()),
            "time_zone": ["Europe/London"] * len(names),
            "latitude": [51.5] * len(names),
            "longitude": [-0.1] * len(names),
            "weather_area": pa.nulls(len(names), pa.string()),
            "gsp_group_id": pa.nulls(len(names), pa.string()),
            "is_domestic": pa.nulls(len(names), pa.bool_()),
        }
    )
    return describe_days(days.rename_columns(["mpan_id", *days.column_names[1:]]), meters)


def run_pass(meter_days: pa.Table, scorer: SureScorer | None = None) -> dict[str, dict[str, Any]]:
    rules = read_profile_rules(Settings())
    profile_pass = ProfilePass(scorer or SureScorer(), empty_weather(), rules, "run 1", LAST_DAY)
    table = pa.Table.from_batches(profile_pass(meter_days), schema=arrow_schema(METER_PROFILES))
    return {row["mpan_id"]: row for row in table.to_pylist()}


@pytest.fixture(scope="module")
def profiles(meter_days: pa.Table) -> dict[str, dict[str, Any]]:
    return run_pass(meter_days)


def of_class(rows: list[dict[str, Any]], asset: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["asset_class"] == asset]


def test_every_meter_has_one_profile_and_an_answer_for_each_class(profiles: dict[str, dict[str, Any]]) -> None:
    assert set(profiles) == {CAR, ROOF, PLAIN, SHORT, HOLIDAY, FADED}
    for row in profiles.values():
        assert [one["asset_class"] for one in row["detections"]] == [asset.value for asset in ASSET_CLASSES]
        assert len(row["features"]) == len(FEATURES)
        assert (row["run_id"], row["model_version"], row["interval_minutes"]) == ("run 1", "sure/1", 30)
    assert (profiles[CAR]["first_date"], profiles[CAR]["as_of_date"], profiles[CAR]["days_seen"]) == (FIRST_DAY, LAST_DAY, DAYS)
    assert [profiles[name]["has_export"] for name in (CAR, ROOF)] == [False, True]
    assert not profiles[CAR]["has_weather"]


def test_too_little_history_is_answered_by_its_reason_alone(profiles: dict[str, dict[str, Any]]) -> None:
    row = profiles[SHORT]
    assert (row["verdict"], row["days_seen"]) == ("too_few_days", 30)
    for answer in row["detections"]:
        assert (answer["status"], answer["status_reason"]) == (Status.IN_PROGRESS, "too_few_days: 30 days read")
        assert {answer[name] for name in ("probability", "present_probability", "is_present", "tier", "evidence")} == {None}
    assert row["changes"] == row["capabilities"] == row["availabilities"] == row["events"] == []


def test_an_answer_states_its_probability_and_the_tier_of_it(profiles: dict[str, dict[str, Any]], meter_days: pa.Table) -> None:
    (charger,) = of_class(profiles[CAR]["detections"], "ev")
    assert (charger["probability"], charger["present_probability"], charger["is_present"], charger["tier"]) == (0.98, 0.97, True, "high")
    assert charger["evidence"].startswith("7.2 kW block, in runs of ")
    gone = run_pass(meter_days, SureScorer(still_there=0.2))[CAR]
    (charger,) = of_class(gone["detections"], "ev")
    assert (charger["present_probability"], charger["is_present"], charger["tier"]) == (0.2, False, "medium")


def test_episodes_are_those_of_the_asset_in_order_and_end_unless_they_go_on(profiles: dict[str, dict[str, Any]]) -> None:
    charging = of_class(profiles[CAR]["events"], "ev")
    starts = [event["started_at"] for event in charging]
    assert starts == sorted(starts)
    assert len(charging) > 40
    assert all(event["ended_at"] > event["started_at"] for event in charging)
    assert np.median([event["peak_kw"] for event in charging]) == pytest.approx(7.2, rel=0.05)
    assert all(event["is_import"] and 0 < event["energy_kwh"] < 60 for event in charging)
    assert {FIRST_DAY <= event["started_at"].date() <= LAST_DAY + timedelta(days=1) for event in charging} == {True}
    assert {event["is_import"] for event in of_class(profiles[ROOF]["events"], "solar_pv")} == {False}


def test_a_size_has_its_interval_its_figures_and_a_tier_no_higher_than_the_assets(profiles: dict[str, dict[str, Any]]) -> None:
    (charger,) = of_class(profiles[CAR]["capabilities"], "ev")
    assert charger["direction"] == "import"
    assert charger["rated_kw"] == pytest.approx(7.2, rel=0.05)
    assert (charger["rated_kw_lower"], charger["rated_kw_upper"]) == (charger["rated_kw"] * 0.5, charger["rated_kw"] * 2.0)
    assert charger["rated_kw_p10"] <= charger["rated_kw_p50"] <= charger["rated_kw_p90"] <= charger["rated_kw_max"]
    assert charger["duration_minutes_min"] <= charger["duration_minutes_p50"] <= charger["duration_minutes_max"]
    assert charger["events_seen"] == len(of_class(profiles[CAR]["events"], "ev"))
    assert charger["storage_kwh"] is None
    for row in profiles.values():
        tier_of = {answer["asset_class"]: TIERS[answer["tier"]] for answer in row["detections"]}
        present = {answer["asset_class"]: answer["present_probability"] for answer in row["detections"]}
        for size in row["capabilities"]:
            assert TIERS[size["tier"]] <= tier_of[size["asset_class"]]
            assert size["confidence"] <= present[size["asset_class"]]


def test_a_matrix_holds_a_week_of_half_hours_for_each_season_read(profiles: dict[str, dict[str, Any]]) -> None:
    charging = of_class(profiles[CAR]["availabilities"], "ev")
    assert [matrix["season"] for matrix in charging] == ["winter", "autumn"]
    for matrix in charging:
        shares = np.array(matrix["probability"]).reshape(7, 48)
        assert len(matrix["weeks_observed"]) == 7
        assert shares.min() >= 0
        assert shares.max() <= 1
        assert shares[:, 36:44].mean() > 0.2 > shares[:, 12:30].mean()
        powers = [kw for kw in matrix["kw_p50"] if kw is not None]
        assert max(powers) == pytest.approx(7.2, rel=0.05)


def test_a_car_that_stops_was_removed_and_one_that_is_charged_less_is_still_there(meter_days: pa.Table) -> None:
    gone, there = (run_pass(meter_days.filter(pc.equal(meter_days["mpan_id"], name)), SureScorer(0.45))[name] for name in (HOLIDAY, FADED))
    (answer,) = of_class(gone["detections"], "ev")
    (removal,) = of_class(gone["changes"], "ev")
    assert not answer["is_present"]
    assert removal["kind"] == "removed"
    assert answer["removed_date"] == removal["changed_date"]
    assert abs((removal["changed_date"] - FIRST_DAY).days - 70) < 12
    assert removal["kw_before"] == pytest.approx(7.2, rel=0.05)
    assert removal["kw_after"] == 0.0
    (answer,) = of_class(there["detections"], "ev")
    assert answer["is_present"]
    assert answer["removed_date"] is None
    assert of_class(there["changes"], "ev") == []
    sizes = [of_class(row["capabilities"], "ev")[0] for row in (gone, there)]
    assert sizes[0]["energy_kwh_day"] > 1.5 * sizes[1]["energy_kwh_day"]


def test_the_company_of_a_meter_changes_no_answer(profiles: dict[str, dict[str, Any]], meter_days: pa.Table) -> None:
    for name in (CAR, ROOF):
        alone = run_pass(meter_days.filter(pc.equal(meter_days["mpan_id"], name)))[name]
        for column in ("detections", "changes", "events"):
            assert alone[column] == profiles[name][column]
        for ours, theirs in zip(alone["capabilities"], profiles[name]["capabilities"], strict=True):
            for figure, value in theirs.items():
                assert ours[figure] == (pytest.approx(value, rel=1e-6) if isinstance(value, float) else value), figure


def spoil(meter_days: pa.Table, kwh: dict[int, float | None]) -> pa.Table:
    """The days of the home with a car, with other energies at some half-hours since its first day."""
    own = meter_days.filter(pc.equal(meter_days["mpan_id"], CAR))
    rows = own.to_pylist()
    for row in rows:
        first = (row["utc_date"] - FIRST_DAY).days * 48
        if row["quantity"] == "AI":
            row["kwh"] = [kwh.get(first + slot, value) for slot, value in enumerate(row["kwh"])]
    return pa.Table.from_pylist(rows, schema=own.schema)


@pytest.mark.parametrize(
    ("kwh", "slots"),
    [
        ({100 + 71 * at: 4294.967 for at in range(22)}, (22, 0, 0)),
        ({100 + 71 * at: 16777.215 for at in range(22)}, (22, 0, 0)),
        ({100 + 71 * at: 229_457.0 / 2 + at for at in range(22)}, (0, 22, 0)),
        ({3000: 700.0}, (0, 1, 0)),
        ({**{2000 + slot: None for slot in range(7 * 48)}, 2000 + 7 * 48: 120.0}, (0, 0, 1)),
        ({slot: 0.0 if slot < 2300 else 120.0 for slot in range(2000, 2301)}, (0, 0, 1)),
    ],
    ids=["4294.967", "16777.215", "garbage", "a spike", "a lump after an outage", "a lump after zeros"],
)
def test_what_no_meter_can_have_measured_makes_no_capability_and_is_counted(
    profiles: dict[str, dict[str, Any]], meter_days: pa.Table, kwh: dict[int, float | None], slots: tuple[int, int, int]
) -> None:
    found = run_pass(spoil(meter_days, kwh))[CAR]
    assert (found["error_code_slots"], found["spike_slots"], found["lump_slots"]) == slots
    assert [profiles[CAR][f"{name}_slots"] for name in ("error_code", "spike", "lump")] == [0, 0, 0]
    clean, size = (of_class(one["capabilities"], "ev")[0] for one in (profiles[CAR], found))
    assert size["rated_kw"] == pytest.approx(clean["rated_kw"], rel=0.05)
    assert max(one["rated_kw_max"] or 0 for one in found["capabilities"]) <= 1.1 * max(
        one["rated_kw_max"] or 0 for one in profiles[CAR]["capabilities"]
    )


def test_a_pass_travels_to_a_worker(meter_days: pa.Table) -> None:
    profile_pass = ProfilePass(SureScorer(), empty_weather(), read_profile_rules(Settings()), "run 1", date(2024, 2, 8))
    travelled = cloudpickle.loads(cloudpickle.dumps(profile_pass))
    own = meter_days.filter(pc.equal(meter_days["mpan_id"], PLAIN))
    assert list(travelled(own)) == list(profile_pass(own))
    assert list(profile_pass(own.slice(0, 0))) == []
