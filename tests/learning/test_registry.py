"""Where classifiers live: logged, registered, promoted through the gates, and found again."""

import json
import pickle
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import mlflow
import numpy as np
import pytest
from mlflow.tracking import MlflowClient
from sklearn.base import BaseEstimator

from fmar_spark.errors import ModelError
from fmar_spark.kernels.examination import FEATURES
from fmar_spark.learning import registry
from fmar_spark.learning.bundled_classifier import load_bundled
from fmar_spark.learning.classifier import AssetClassifier, StoredScorer, store_classifier
from fmar_spark.learning.evaluation import Report
from fmar_spark.learning.examples import Examples
from fmar_spark.learning.registry import (
    EVALUATIONS,
    Registered,
    choose_scorer,
    find_trained_on,
    load_version,
    log_evaluation,
    register_classifier,
)
from fmar_spark.learning.training_meters import TrainedOn, mark_names
from fmar_spark.settings.sections import LearningSettings

TRAINED_ON = TrainedOn(names=mark_names(["1012345678901", "1012345678902"]))
DATA_VERSION = {"labels": "silver.labels", "version silver.readings": "7"}


class Server(NamedTuple):
    """A registry in which one classifier failed its gates, and two passed them one after the other."""

    settings: LearningSettings
    rejected: Registered
    scorer_after_rejection: StoredScorer
    first: Registered
    second: Registered
    report: Report


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, classifier: AssetClassifier, report: Report) -> Iterator[Server]:
    """One database for all tests of the module: MLflow takes seconds to build one."""
    folder = tmp_path_factory.mktemp("registry")
    settings = LearningSettings(tracking_uri=f"sqlite:///{folder}/var/mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(registry, "load_bundled", lambda: StoredScorer(b"bundled", "bundled-0"))
        rejected = register_classifier(classifier, TRAINED_ON, report, DATA_VERSION, settings, ["ev_auc: 0.5 found, at least 0.9 wanted"])
        after = choose_scorer(settings)
        first, second = (register_classifier(classifier, TRAINED_ON, report, DATA_VERSION, settings, []) for _ in range(2))
        yield Server(settings, rejected, after, first, second, report)
    mlflow.set_tracking_uri("")
    mlflow.set_registry_uri("")


def test_a_classifier_that_fails_a_gate_is_registered_and_scores_nothing(server: Server) -> None:
    assert (server.rejected.version, server.rejected.is_champion) == ("1", False)
    assert server.rejected.failed_gates == ["ev_auc: 0.5 found, at least 0.9 wanted"]
    assert server.scorer_after_rejection.version == "bundled-0"


def test_one_that_passes_every_gate_becomes_champion_in_place_of_the_last(server: Server) -> None:
    assert (server.first.version, server.first.is_champion) == ("2", True)
    assert (server.second.version, server.second.is_champion) == ("3", True)
    client = MlflowClient()
    assert client.get_model_version_by_alias(server.settings.registry_model, "champion").version == 3
    gates = [client.get_model_version(server.settings.registry_model, version).tags["gates"] for version in ("1", "2", "3")]
    assert gates == ["ev_auc: 0.5 found, at least 0.9 wanted", "passed", "passed"]


def test_the_champion_is_resolved_to_a_version_that_rows_can_state(server: Server, classifier: AssetClassifier, examples: Examples) -> None:
    scorer = choose_scorer(server.settings)
    assert scorer.version == f"{server.settings.registry_model}/3"
    np.testing.assert_array_equal(scorer.predict(examples.features), classifier.predict(examples.features))


def test_a_run_keeps_metrics_data_version_report_and_curves(server: Server) -> None:
    client = MlflowClient()
    run = client.get_run(server.second.run_id)
    assert run.data.metrics == pytest.approx(server.report.metrics)
    assert run.data.params == {"features": str(len(FEATURES)), **DATA_VERSION}
    files = {item.path for item in client.list_artifacts(server.second.run_id)}
    assert {"report.json", "reliability"} <= files
    curves = {Path(item.path).name for item in client.list_artifacts(server.second.run_id, "reliability")}
    assert {"ev.html", "heat_pump.html", "battery.html", "solar_pv.html", "demand_response.html"} <= curves
    report = mlflow.artifacts.load_dict(f"runs:/{server.second.run_id}/report.json")
    assert report["ev"]["false_alarms_by_confuser"].keys() == {"none", "immersion", "hot_tub"}


def test_a_registered_model_states_its_signature_and_its_requirements(server: Server) -> None:
    uri = f"models:/{server.settings.registry_model}/3"
    info = mlflow.models.get_model_info(uri)
    assert info.signature.inputs.input_names() == list(FEATURES)
    requirements = Path(mlflow.pyfunc.get_model_dependencies(uri)).read_text(encoding="utf-8")
    assert {line.partition("==")[0] for line in requirements.split()} >= {"scikit-learn", "numpy", "skops"}


def test_everything_lies_below_the_folder_of_the_run(server: Server) -> None:
    assert (Path.cwd() / "var" / "mlflow.db").is_file()


def test_a_registered_classifier_says_which_meters_it_has_learnt_from(server: Server) -> None:
    found = find_trained_on(server.settings, f"{server.settings.registry_model}/2")
    assert found is not None
    np.testing.assert_array_equal(found.names, TRAINED_ON.names)
    assert find_trained_on(server.settings, f"{server.settings.registry_model}/77") is None
    assert find_trained_on(server.settings, "bundled-00000000") is None


def test_the_bundled_classifier_says_from_which_fleet_it_was_drawn() -> None:
    found = find_trained_on(LearningSettings(), load_bundled().version)
    assert found is not None
    assert [set(fleet.plan) for fleet in found.fleets] == [{"seed", "first_date", "last_date", "mix"}]


def test_an_evaluation_is_logged_beside_the_version_that_it_is_of(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "evaluation.json"
    file.write_text("{}")
    version = f"{server.settings.registry_model}/2"
    run_id = log_evaluation(server.settings, version, {"real.ev.auc": 0.9}, {"lake": "homes"}, [file])
    client = MlflowClient()
    run = client.get_run(run_id)
    assert run.data.metrics == {"real.ev.auc": 0.9}
    assert (run.data.tags["model_version"], run.data.tags["lake"]) == (version, "homes")
    assert client.get_experiment(run.info.experiment_id).name == EVALUATIONS
    assert [item.path for item in client.list_artifacts(run_id)] == ["evaluation.json"]
    assert client.get_model_version(server.settings.registry_model, "2").tags["evaluation.homes"] == run_id
    bundled = log_evaluation(server.settings, "bundled-0", {}, {"lake": "homes"}, [])
    assert client.get_run(bundled).data.tags["model_version"] == "bundled-0"


def test_a_version_is_found_again_or_said_to_be_another(server: Server, classifier: AssetClassifier, examples: Examples) -> None:
    scorer = load_version(server.settings, f"{server.settings.registry_model}/2")
    np.testing.assert_array_equal(scorer.predict(examples.features[:5]), classifier.predict(examples.features[:5]))
    with pytest.raises(ModelError, match=r"rows are of bundled-77, the bundled classifier is bundled-0; run jobs/characterise\.py"):
        load_version(server.settings, "bundled-77")


def register_artifact(settings: LearningSettings, name: str, files: dict[str, bytes]) -> LearningSettings:
    """A registered champion whose artifact is made of any files."""
    client = MlflowClient(settings.tracking_uri)
    with mlflow.start_run() as run:
        for path, content in files.items():
            log_bytes(content, path)
    client.create_registered_model(name)
    version = client.create_model_version(name, f"{run.info.artifact_uri}/model", run.info.run_id).version
    client.set_registered_model_alias(name, settings.alias, version)
    return settings.model_copy(update={"registry_model": name})


def log_bytes(content: bytes, path: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / path
        file.write_bytes(content)
        mlflow.log_artifact(str(file), "model")


class Hostile(BaseEstimator):
    """Touches a file when it is unpickled."""

    def __init__(self, marker: str) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (self.marker, "w")


def note(serialization_format: str) -> bytes:
    flavour = {"pickled_model": "model.skops", "serialization_format": serialization_format, "sklearn_version": "1.9.1", "code": None}
    loader = {"loader_module": "mlflow.sklearn", "model_path": "model.skops", "predict_fn": "predict", "env": {}}
    return json.dumps({"flavors": {"sklearn": flavour, "python_function": loader}}).encode()


@pytest.mark.parametrize("serialization_format", ["pickle", "cloudpickle", "skops"])
def test_a_champion_that_is_a_pickle_runs_nothing_whatever_format_it_names(
    server: Server, tmp_path: Path, serialization_format: str
) -> None:
    marker = tmp_path / "touched"
    hostile = pickle.dumps(Hostile(str(marker)))
    settings = register_artifact(
        server.settings, f"hostile_{serialization_format}", {"MLmodel": note(serialization_format), "model.skops": hostile}
    )
    wanted = "cannot be loaded" if serialization_format == "skops" else f"is stored as {serialization_format}, which is not opened"
    for load in (lambda: choose_scorer(settings), lambda: load_version(settings, f"{settings.registry_model}/1")):
        with pytest.raises(ModelError, match=wanted) as rejection:
            load()
        assert "\n" not in str(rejection.value)
    assert not marker.exists()
    pickle.loads(hostile).close()
    assert marker.exists()


def test_a_pickled_model_that_mlflow_itself_logged_is_rejected_by_name(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "touched"
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true")
    with mlflow.start_run():
        mlflow.sklearn.log_model(
            Hostile(str(marker)),
            name="classifier",
            serialization_format="cloudpickle",
            pip_requirements=["scikit-learn"],
            registered_model_name="hostile_logged",
        )
    MlflowClient().set_registered_model_alias("hostile_logged", "champion", "1")
    with pytest.raises(ModelError, match="hostile_logged/1 is stored as cloudpickle"):
        choose_scorer(server.settings.model_copy(update={"registry_model": "hostile_logged"}))
    assert not marker.exists()


def test_another_flavour_is_rejected_by_name_and_so_is_an_artifact_without_a_model(server: Server) -> None:
    flavoured = json.dumps({"flavors": {"pytorch": {"model_data": "data"}, "python_function": {"loader_module": "mlflow.pytorch"}}})
    settings = register_artifact(server.settings, "another_flavour", {"MLmodel": flavoured.encode()})
    with pytest.raises(ModelError, match="is stored as python_function and pytorch, which is not opened"):
        choose_scorer(settings)
    settings = register_artifact(server.settings, "no_note", {"MLmodel": b"flavors: [", "model.skops": b"x"})
    with pytest.raises(ModelError, match="without a readable note"):
        choose_scorer(settings)
    settings = register_artifact(server.settings, "no_model", {"MLmodel": note("skops")})
    with pytest.raises(ModelError, match=r"has no model\.skops"):
        choose_scorer(settings)


def test_a_champion_of_foreign_features_is_rejected(server: Server, classifier: AssetClassifier) -> None:
    foreign = AssetClassifier(classifier.models, classifier.calibration, classifier.presence, classifier.size_quantiles, ["another"])
    settings = register_artifact(server.settings, "foreign_features", {"MLmodel": note("skops"), "model.skops": store_classifier(foreign)})
    with pytest.raises(ModelError, match="other features"):
        choose_scorer(settings)


@pytest.mark.parametrize("alias", ["nobody", "challenger"])
def test_without_a_champion_the_bundled_classifier_scores_unless_the_registry_is_demanded(server: Server, alias: str) -> None:
    settings = server.settings.model_copy(update={"alias": alias})
    assert choose_scorer(settings).version == "bundled-0"
    with pytest.raises(ModelError, match=f"no alias '{alias}'"):
        choose_scorer(settings.model_copy(update={"source": "registry"}))


def test_the_bundled_classifier_can_be_chosen_although_there_is_a_champion(server: Server) -> None:
    assert choose_scorer(server.settings.model_copy(update={"source": "bundled"})).version == "bundled-0"


def test_looking_for_a_champion_creates_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "load_bundled", lambda: StoredScorer(b"bundled", "bundled-0"))
    settings = LearningSettings(tracking_uri=f"sqlite:///{tmp_path}/none.db")
    assert choose_scorer(settings).version == "bundled-0"
    assert list(tmp_path.iterdir()) == []
