"""Where classifiers live: the MLflow registry, and the one that the package carries. The only file that imports mlflow."""

import json
import logging
import os
import tempfile
from importlib import resources
from pathlib import Path
from typing import Final, NamedTuple

import mlflow
import mlflow.sklearn
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models.signature import infer_signature
from mlflow.tracking import MlflowClient

from fmar_spark.errors import ModelError
from fmar_spark.kernels.examination import FEATURES
from fmar_spark.learning.classifier import TRUSTED_TYPES, AssetClassifier, check_features, digest_classifier, store_classifier
from fmar_spark.learning.evaluation import Report
from fmar_spark.learning.scoring import StoredScorer
from fmar_spark.settings.sections import LearningSettings

BUNDLED_MODEL: Final = "asset_classifier.skops"
BUNDLED_CARD: Final = "asset_classifier.json"
EXPERIMENT: Final = "asset_classifier"
_log = logging.getLogger(__name__)


class Registered(NamedTuple):
    """What became of a trained classifier."""

    version: str
    run_id: str
    is_champion: bool
    failed_gates: list[str]


def choose_scorer(settings: LearningSettings) -> StoredScorer:
    """The classifier that a run scores with: the registry's champion, or the one that the package carries.

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


def load_bundled() -> StoredScorer:
    """The classifier that the package carries.

    Raises:
        ModelError: the file is not there.
    """
    file = resources.files("fmar_spark.learning").joinpath("bundled", BUNDLED_MODEL)
    if not file.is_file():
        raise ModelError("classifier: none in the package; run scripts/rebuild_classifier.py")
    stored = file.read_bytes()
    return StoredScorer(stored, f"bundled-{digest_classifier(stored)}")


def save_bundled(classifier: AssetClassifier, card: dict[str, object], folder: Path) -> str:
    """Write the classifier and its card where the package carries them; its version."""
    folder.mkdir(parents=True, exist_ok=True)
    stored = store_classifier(classifier)
    version = f"bundled-{digest_classifier(stored)}"
    (folder / BUNDLED_MODEL).write_bytes(stored)
    (folder / BUNDLED_CARD).write_text(json.dumps({"version": version, **card}, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return version


def register_classifier(
    classifier: AssetClassifier, report: Report, data_version: dict[str, str], settings: LearningSettings, failed_gates: list[str]
) -> Registered:
    """Log the run and register the classifier; it becomes champion only if no gate failed.

    Args:
        classifier: trained and calibrated.
        report: its metrics on the test meters, by class and by confuser.
        data_version: names and versions of what it was trained on.
        settings: tracking server, names.
        failed_gates: sentences; empty means that all gates were passed.
    """
    _use_server(settings.tracking_uri)
    mlflow.set_experiment(EXPERIMENT)
    sample = pd.DataFrame(np.zeros((2, len(FEATURES)), dtype=np.float64), columns=list(FEATURES))
    with mlflow.start_run() as run:
        mlflow.log_params({"features": len(FEATURES), **data_version})
        mlflow.log_metrics(report.metrics)
        mlflow.log_dict(report.tables, "report.json")
        with tempfile.TemporaryDirectory() as folder:
            for name, figure in report.draw_reliability().items():
                figure.write_html(str(Path(folder) / name), include_plotlyjs="directory")
            mlflow.log_artifacts(folder, "reliability")
        logged = mlflow.sklearn.log_model(
            classifier,
            name="classifier",
            signature=infer_signature(sample, classifier.predict(sample.to_numpy())),
            pip_requirements=_requirements(),
            serialization_format="skops",
            skops_trusted_types=list(TRUSTED_TYPES),
            registered_model_name=settings.registry_model,
        )
    client = MlflowClient()
    version = str(logged.registered_model_version)
    client.set_model_version_tag(settings.registry_model, version, "gates", "; ".join(failed_gates) or "passed")
    if not failed_gates:
        client.set_registered_model_alias(settings.registry_model, settings.alias, version)
    return Registered(version, run.info.run_id, not failed_gates, failed_gates)


def _load_champion(settings: LearningSettings) -> StoredScorer | None:
    if settings.tracking_uri.startswith("sqlite:///") and not Path(settings.tracking_uri.removeprefix("sqlite:///")).exists():
        return None
    _use_server(settings.tracking_uri)
    try:
        version = MlflowClient().get_model_version_by_alias(settings.registry_model, settings.alias).version
        classifier = mlflow.sklearn.load_model(f"models:/{settings.registry_model}/{version}")
    except MlflowException as error:
        if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            return None
        raise ModelError(f"classifier: {settings.tracking_uri}: {str(error).splitlines()[0]}") from error
    check_features(classifier)
    return StoredScorer(store_classifier(classifier), f"{settings.registry_model}/{version}")


def _use_server(uri: str) -> None:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    if uri.startswith("sqlite:///"):
        Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)


def _requirements() -> list[str]:
    import_names = {"scikit-learn": "sklearn", "numpy": "numpy", "skops": "skops"}
    return [f"{package}=={__import__(name).__version__}" for package, name in import_names.items()]
