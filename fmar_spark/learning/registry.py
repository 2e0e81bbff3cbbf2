"""The MLflow registry of classifiers, and the choice between its champion and the bundled one. The only file that imports mlflow."""

import logging
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import mlflow
import mlflow.sklearn
import numpy as np
import pandas as pd
import yaml
from mlflow.exceptions import MlflowException
from mlflow.models.signature import infer_signature
from mlflow.tracking import MlflowClient

from fmar_spark.errors import ModelError
from fmar_spark.kernels.examination import FEATURES
from fmar_spark.learning.bundled_classifier import BUNDLED_PREFIX, load_bundled, read_card
from fmar_spark.learning.classifier import TRUSTED_TYPES, AssetClassifier, StoredScorer
from fmar_spark.learning.evaluation import Report
from fmar_spark.learning.training_meters import CARD_KEY, TrainedOn, read_trained_on
from fmar_spark.settings.sections import LearningSettings

EXPERIMENT: Final = "asset_classifier"
EVALUATIONS: Final = "asset_classifier_evaluation"
MODEL_NOTE: Final = "MLmodel"
MODEL_FILE: Final = "model.skops"
MODEL_FORMAT: Final = "skops"
LONGEST_NAME: Final = 60
"""Characters of what an artifact calls its format that a message repeats."""
TRAINED_ON_FILE: Final = f"{CARD_KEY}.json"
_log = logging.getLogger(__name__)


class Registered(NamedTuple):
    """What became of a trained classifier."""

    version: str
    run_id: str
    is_champion: bool
    failed_gates: list[str]


def choose_scorer(settings: LearningSettings) -> StoredScorer:
    """The classifier that a run scores with: the registry's champion, or the bundled one.

    The alias is resolved to a version once, here, so that all rows of a run name the same one.

    Raises:
        ModelError: the wanted source has none.
    """
    if settings.source == "bundled":
        return load_bundled()
    champion = _load_champion(settings)
    if champion is not None:
        return champion
    if settings.source == "registry":
        raise ModelError(
            f"classifier: {settings.registry_model} has no alias {settings.alias!r} at {settings.tracking_uri}; "
            "run jobs/train_classifier.py first, or --set learning.source=bundled"
        )
    return load_bundled()


def load_version(settings: LearningSettings, version: str) -> StoredScorer:
    """The classifier that rows of that version were scored by.

    Raises:
        ModelError: it is not the bundled one, and the registry has none of that name and number.
    """
    if version.startswith(BUNDLED_PREFIX):
        bundled = load_bundled()
        if bundled.version != version:
            raise ModelError(
                f"classifier: rows are of {version}, the bundled classifier is {bundled.version}; run jobs/characterise.py again"
            )
        return bundled
    _use_server(settings)
    try:
        return _fetch(version)
    except MlflowException as error:
        raise ModelError(f"classifier: {version} at {settings.tracking_uri}: {str(error).splitlines()[0]}") from error


def find_trained_on(settings: LearningSettings, version: str) -> TrainedOn | None:
    """The meters that a version was trained on; none where it was stored without, or is no longer at hand."""
    if version.startswith(BUNDLED_PREFIX):
        card = read_card()
        return read_trained_on(card[CARD_KEY]) if card.get("version") == version and CARD_KEY in card else None
    if not _has_server(settings.tracking_uri):
        return None
    _use_server(settings)
    name, _, number = version.rpartition("/")
    try:
        run_id = MlflowClient().get_model_version(name, number).run_id
        return read_trained_on(mlflow.artifacts.load_dict(f"runs:/{run_id}/{TRAINED_ON_FILE}"))
    except (MlflowException, OSError):
        return None


def register_classifier(
    classifier: AssetClassifier,
    trained_on: TrainedOn,
    report: Report,
    data_version: dict[str, str],
    settings: LearningSettings,
    failed_gates: list[str],
) -> Registered:
    """Log the run and register the classifier; it becomes champion only if no gate failed.

    Args:
        classifier: trained and calibrated.
        trained_on: meters that an evaluation must not use.
        report: its metrics on the test meters, by class and by confuser.
        data_version: names and versions of what it was trained on.
        settings: tracking server, names.
        failed_gates: sentences; empty means that all gates were passed.
    """
    _use_server(settings)
    mlflow.set_experiment(EXPERIMENT)
    sample = pd.DataFrame(np.zeros((2, len(FEATURES)), dtype=np.float64), columns=list(FEATURES))
    with mlflow.start_run() as run:
        mlflow.log_params({"features": len(FEATURES), **data_version})
        mlflow.log_metrics(report.metrics)
        mlflow.log_dict(report.tables, "report.json")
        mlflow.log_dict(trained_on.as_json(), TRAINED_ON_FILE)
        with tempfile.TemporaryDirectory() as folder:
            for name, figure in report.draw_reliability().items():
                figure.write_html(str(Path(folder) / name), include_plotlyjs="directory")
            mlflow.log_artifacts(folder, "reliability")
        logged = mlflow.sklearn.log_model(
            classifier,
            name="classifier",
            signature=infer_signature(sample, classifier.predict(sample.to_numpy())),
            pip_requirements=_requirements(),
            serialization_format=MODEL_FORMAT,
            skops_trusted_types=list(TRUSTED_TYPES),
            registered_model_name=settings.registry_model,
        )
    client = MlflowClient()
    version = str(logged.registered_model_version)
    client.set_model_version_tag(settings.registry_model, version, "gates", "; ".join(failed_gates) or "passed")
    if not failed_gates:
        client.set_registered_model_alias(settings.registry_model, settings.alias, version)
    return Registered(version, run.info.run_id, not failed_gates, failed_gates)


def log_evaluation(
    settings: LearningSettings, version: str, metrics: Mapping[str, float], tags: Mapping[str, str], files: list[Path]
) -> str:
    """Log an evaluation of a version; the id of its run. A registered version is tagged with that run as well.

    Args:
        settings: tracking server.
        version: that scored.
        metrics: flat names.
        tags: what was evaluated.
        files: to keep with the run.
    """
    _use_server(settings)
    mlflow.set_experiment(EVALUATIONS)
    with mlflow.start_run(run_name=f"{version} on {tags.get('lake', 'a lake')}") as run:
        mlflow.set_tags({"model_version": version, **tags})
        mlflow.log_metrics(dict(metrics))
        for file in files:
            mlflow.log_artifact(str(file))
    if not version.startswith(BUNDLED_PREFIX):
        name, _, number = version.rpartition("/")
        try:
            MlflowClient().set_model_version_tag(name, number, f"evaluation.{tags.get('lake', 'lake')}", run.info.run_id)
        except MlflowException as error:
            _log.warning("evaluation: %s is not in the registry, only its run is logged: %s", version, str(error).splitlines()[0])
    return str(run.info.run_id)


def _has_server(uri: str) -> bool:
    """Whether asking would not create a database."""
    return not uri.startswith("sqlite:///") or Path(uri.removeprefix("sqlite:///")).exists()


def _load_champion(settings: LearningSettings) -> StoredScorer | None:
    if not _has_server(settings.tracking_uri):
        return None
    _use_server(settings)
    try:
        version = MlflowClient().get_model_version_by_alias(settings.registry_model, settings.alias).version
        return _fetch(f"{settings.registry_model}/{version}")
    except MlflowException as error:
        if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            return None
        raise ModelError(f"classifier: {settings.tracking_uri}: {str(error).splitlines()[0]}") from error


def _fetch(version: str) -> StoredScorer:
    """The registered classifier of that name and number, opened by this package's own loader alone.

    MLflow's loader obeys the format that an artifact itself names, and a pickle runs whatever code its maker put into it.

    Raises:
        ModelError: stored in another format, or not a classifier of this code's evidence.
        MlflowException: not in the registry.
    """
    with tempfile.TemporaryDirectory() as folder:
        found = Path(mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{version}", dst_path=folder))
        stored_as = _read_format(found / MODEL_NOTE)
        if stored_as != MODEL_FORMAT:
            raise ModelError(f"classifier: {version} is stored as {stored_as}, which is not opened; {MODEL_FORMAT} wanted: train it again")
        stored = found / MODEL_FILE
        if not stored.is_file():
            raise ModelError(f"classifier: {version} has no {MODEL_FILE}; train it again")
        scorer = StoredScorer(stored.read_bytes(), version)
    scorer.opened()
    return scorer


def _read_format(note: Path) -> str:
    """The format that an artifact names for its scikit-learn model; without one its flavours."""
    try:
        flavours = yaml.safe_load(note.read_text(encoding="utf-8"))["flavors"]
        named = flavours["sklearn"]["serialization_format"] if "sklearn" in flavours else " and ".join(sorted(flavours))
        return " ".join(str(named).split())[:LONGEST_NAME]
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return "a model without a readable note of its format"


def _use_server(settings: LearningSettings) -> None:
    uri = settings.tracking_uri
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    if uri.startswith("sqlite:///"):
        Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(settings.registry_uri or uri)


def _requirements() -> list[str]:
    import_names = {"scikit-learn": "sklearn", "numpy": "numpy", "skops": "skops"}
    return [f"{package}=={__import__(name).__version__}" for package, name in import_names.items()]
