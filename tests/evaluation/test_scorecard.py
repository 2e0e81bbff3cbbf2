"""A lake scored end to end: kinds apart, training meters left out by name, the engine asked again in other circumstances."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation_world import HOMES, PLAN

from fmar_spark.engine.lake_sql import LakeRows
from fmar_spark.errors import ConfigError, InputError, ModelError
from fmar_spark.evaluation import scorecard
from fmar_spark.evaluation.circumstances import CIRCUMSTANCES
from fmar_spark.evaluation.scorecard import Order, evaluate_lake, flatten_metrics
from fmar_spark.learning.resampling import DrawRules
from fmar_spark.learning.training_meters import TrainedOn, TrainingFleet, describe_plan, mark_days, mark_names
from fmar_spark.settings.sections import Settings

QUICK = DrawRules(draws=2, least_meters=1)


def evaluate(world: Path, *labels: Path) -> dict[str, Any]:
    return evaluate_lake(world, Order(labels=labels, rules=QUICK), Settings(), lambda stage: None)


def test_kinds_are_never_counted_together(document: dict[str, Any]) -> None:
    meters = {kind: figures["meters"] for kind, figures in document["kinds"].items()}
    assert meters == {"real": 3, "semi-synthetic": 1, "simulated": PLAN.meters - 4}
    ev = {kind: figures["classes"]["ev"]["ever"] for kind, figures in document["kinds"].items()}
    assert [(ev[kind]["with"], ev[kind]["without"]) for kind in ("real", "semi-synthetic")] == [(1, 1), (1, 0)]
    assert document["labels"][1]["meters"] == 4
    assert document["labels"][1]["unknown"] == 1


def test_the_document_is_json_and_names_what_it_rests_on(document: dict[str, Any]) -> None:
    again = json.loads(json.dumps(document, allow_nan=False))
    assert again["model_version"].startswith("bundled-")
    assert again["tables"]["gold.asset_detections"] == 0
    assert again["training"] == {"is_known": True, "left_out": [], "warnings": []}


def test_counts_are_those_of_the_tables(document: dict[str, Any], world: Path) -> None:
    lake = LakeRows(world)
    truth = "read_parquet($truth)"
    wanted = lake.rows(
        f"""SELECT count(*) FILTER (has_pv) AS yes, count(*) FILTER (has_pv = (probability >= 0.5)) AS right_ones
        FROM {truth} t JOIN gold.asset_detections d USING (mpan_id)
        WHERE asset_class = 'solar_pv' AND mpan_id NOT IN (SELECT mpan_id FROM silver.series WHERE series_id <> 'home4')""",
        truth=str(world.parent / "landing" / "_truth" / "labels" / "b00000.parquet"),
    )[0]
    found = document["kinds"]["simulated"]["classes"]["solar_pv"]["ever"]
    assert (found["with"], found["right"]) == (wanted["yes"], wanted["right_ones"])


def test_the_engine_asked_again_about_whole_histories_says_the_same(document: dict[str, Any]) -> None:
    assert document["circumstances_differ_by"] < 1e-9
    mine = document["kinds"]["simulated"]
    assert list(mine["circumstances"]) == [circumstance.name for circumstance in CIRCUMSTANCES]
    for asset, whole in mine["circumstances"]["whole"].items():
        assert {name: mine["classes"][asset]["ever"][name] for name in ("auc", "recall", "right")} == {
            name: whole[name] for name in ("auc", "recall", "right")
        }
        assert mine["classes"][asset]["sizes"] == whole["sizes"]


def test_other_circumstances_answer_otherwise(document: dict[str, Any]) -> None:
    seen = document["kinds"]["simulated"]["circumstances"]
    errors = {name: [one["ece"]["value"] for one in classes.values()] for name, classes in seen.items()}
    assert all(
        errors[name] != errors["whole"] for name in ("last 60 days", "30 % of days missing", "without weather", "without export register")
    )
    assert errors["last 365 days"] == errors["whole"]
    cars = {name: seen[name]["ev"] for name in ("whole", "last 60 days")}
    assert cars["whole"]["answered"] > cars["last 60 days"]["answered"]
    for one in cars.values():
        assert one["answered"] + one["unanswered_share"]["value"] * (PLAN.meters - 4) == pytest.approx(PLAN.meters - 4)


def test_episodes_are_scored_for_classes_with_a_truth_only(document: dict[str, Any]) -> None:
    sun = document["kinds"]["simulated"]["classes"]["solar_pv"]["events"]["all"]
    assert 0.5 < sun["pooled"]["f1"] <= 1
    assert 0.5 < sun["pooled"]["energy_ratio"] < 2
    assert document["kinds"]["real"]["classes"]["ev"]["events"] is None


def test_mistakes_are_the_surest_first_and_few_meters_have_all_their_answers(document: dict[str, Any]) -> None:
    for found in document["kinds"]["simulated"]["mistakes"].values():
        sure = [max(one["probability"], 1 - one["probability"]) for one in found]
        assert sure == sorted(sure, reverse=True)
        assert len(found) <= 2
        assert all((one["probability"] >= 0.5) != (one["true_ever"] == 1) for one in found)
    given = [(one["name"], one["asset_class"]) for one in document["kinds"]["real"]["answers"]]
    assert given == [("home0", "ev"), ("home0", "solar_pv"), ("home1", "ev"), ("home1", "solar_pv")]


def test_metrics_have_flat_names_and_only_what_was_measured(document: dict[str, Any]) -> None:
    metrics = flatten_metrics(document)
    assert metrics["simulated.solar_pv.ever.with"] == document["kinds"]["simulated"]["classes"]["solar_pv"]["ever"]["with"]
    assert "real.ev.ever.auc" not in metrics
    assert all(np.isfinite(value) for value in metrics.values())


def test_measured_meters_are_held_against_simulated_ones(world: Path, home_labels: Path) -> None:
    found = evaluate_lake(world, Order(labels=(home_labels,), against=world, rules=QUICK), Settings(), lambda stage: None)["transfer"]
    assert found["reference_meters"] == PLAN.meters - HOMES
    assert list(found["kinds"]) == ["real"]
    assert found["kinds"]["real"]["meters"] == 3
    features = found["kinds"]["real"]["features"]
    ranks = [one["rank"] for one in features]
    assert ranks == sorted(ranks, reverse=True)
    assert "log_mean_kw" in {one["feature"] for one in features}


@pytest.mark.parametrize("kept_seed", [PLAN.seed, PLAN.seed + 1])
def test_the_fleet_that_was_trained_on_is_left_out_by_name(world: Path, kept_seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = describe_plan(PLAN._replace(seed=kept_seed))
    trained_on = TrainedOn((TrainingFleet(plan, 0.2, 0.4, 3),))
    monkeypatch.setattr(scorecard, "find_trained_on", lambda settings, version: trained_on)
    found = evaluate(world, world.parent / "landing")
    scored = found["kinds"]["simulated"]["meters"]
    left_out = found["training"]["left_out"]
    assert scored + len(left_out) == PLAN.meters
    assert (len(left_out) > 0) == (kept_seed == PLAN.seed)
    wanted = {mpan for mpan, has in zip(mpans_of(world), trained_on.fleets[0].has_trained(mpans_of(world)), strict=True) if has}
    assert {one["mpan_id"] for one in left_out} == (wanted if kept_seed == PLAN.seed else set())
    assert all(one["reason"].endswith(f"(seed {PLAN.seed})") for one in left_out)


def test_a_training_meter_is_left_out_by_its_number_or_by_its_readings(
    world: Path, home_labels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = LakeRows(world)
    series = {row["series_id"]: row["mpan_id"] for row in lake.rows("SELECT series_id, mpan_id FROM silver.series")}
    kwh = lake.read(
        "SELECT kwh FROM eligible_readings WHERE mpan_id = $mpan AND quantity = 'AI' AND day(utc_date) = 1", mpan=series["home1"]
    )
    days = np.unique(mark_days(kwh["kwh"]))
    trained_on = TrainedOn(names=mark_names([series["home0"]]), days=days[days > 0])
    monkeypatch.setattr(scorecard, "find_trained_on", lambda settings, version: trained_on)
    found = evaluate(world, home_labels)
    left_out = {one["name"]: one["reason"] for one in found["training"]["left_out"]}
    assert left_out == {"home0": "its MPAN is that of a training meter", "home1": "its readings are those of a training meter"}
    assert found["kinds"]["real"]["meters"] == 1


def test_where_only_training_meters_are_labelled_nothing_is_scored(world: Path, home_labels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained_on = TrainedOn(names=mark_names(mpans_of(world)))
    monkeypatch.setattr(scorecard, "find_trained_on", lambda settings, version: trained_on)
    with pytest.raises(InputError, match=r"trained on all 4 labelled meters \(home0, home1, home2, home3"):
        evaluate(world, home_labels)


def test_a_classifier_that_does_not_say_is_warned_of(world: Path, home_labels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorecard, "find_trained_on", lambda settings, version: None)
    training = evaluate(world, home_labels)["training"]
    assert not training["is_known"]
    assert training["warnings"][0].startswith("training meters unknown")


def test_simulated_meters_without_their_plan_are_warned_of(world: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text(f"mpan_id,has_ev,provenance\n{mpans_of(world)[0]},1,simulated\n")
    warnings = evaluate(world, labels)["training"]["warnings"]
    assert len(warnings) == 1
    assert "unknown seed" in warnings[0]


def test_what_cannot_be_scored_is_one_line(world: Path, home_labels: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no lake there"):
        evaluate(tmp_path / "nowhere", home_labels)
    wrong = {
        "series_id,has_car\na,1\n": (ConfigError, "none of has_ev, .* found"),
        "meter,has_ev\na,1\n": (ConfigError, "column series_id or mpan_id is missing; found meter, has_ev"),
        "series_id,has_ev\nsomebody,1\n": (InputError, "1 labelled meter, none that is in the lake"),
        "series_id,has_ev\nhome0,perhaps\n": (ConfigError, "labels.csv:2: has_ev is 'perhaps'"),
    }
    for text, (error, message) in wrong.items():
        path = tmp_path / "labels.csv"
        path.write_text(text)
        with pytest.raises(error, match=message):
            evaluate(world, path)
    with pytest.raises(InputError, match="no such file or folder"):
        evaluate(world, tmp_path / "missing.csv")


def test_a_lake_without_labels_says_what_to_name(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world, tmp_path / "lake", ignore=shutil.ignore_patterns("labels"))
    with pytest.raises(InputError, match=r"no labels in silver\.labels; name a file with --labels"):
        evaluate(tmp_path / "lake")


def test_a_lake_that_nobody_characterised_names_the_job(world: Path, home_labels: Path, tmp_path: Path) -> None:
    shutil.copytree(world, tmp_path / "lake", ignore=shutil.ignore_patterns("gold"))
    with pytest.raises(ConfigError, match=r"no gold\.asset_detections yet; run jobs/characterise\.py first"):
        evaluate(tmp_path / "lake", home_labels)


def test_other_circumstances_need_the_classifier_that_scored(world: Path, home_labels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorecard, "find_version", lambda lake: "bundled-00000000")
    with pytest.raises(ModelError, match=r"run jobs/characterise\.py again"):
        evaluate_lake(world, Order(labels=(home_labels,), has_circumstances=True, rules=QUICK), Settings(), lambda stage: None)


def mpans_of(world: Path) -> list[str]:
    return [row["mpan_id"] for row in LakeRows(world).rows("SELECT DISTINCT mpan_id FROM gold.asset_detections ORDER BY 1")]
