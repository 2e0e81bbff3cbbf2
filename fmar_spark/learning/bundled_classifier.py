"""The bundled classifier, its card and the distribution of its features: no registry is needed to score with it."""

import json
from importlib import resources
from pathlib import Path
from typing import Any, Final

from fmar_spark.errors import ModelError
from fmar_spark.learning.classifier import AssetClassifier, StoredScorer, digest_classifier, store_classifier
from fmar_spark.learning.feature_reference import FeatureReference, read_reference

BUNDLED_MODEL: Final = "asset_classifier.skops"
BUNDLED_CARD: Final = "asset_classifier.json"
BUNDLED_REFERENCE: Final = "feature_reference.json"
BUNDLED_PREFIX: Final = "bundled-"


def load_bundled() -> StoredScorer:
    """The classifier that is part of the package.

    Raises:
        ModelError: the file is not there.
    """
    file = resources.files("fmar_spark.learning").joinpath("bundled", BUNDLED_MODEL)
    if not file.is_file():
        raise ModelError("classifier: none in the package; run scripts/rebuild_classifier.py")
    stored = file.read_bytes()
    return StoredScorer(stored, f"{BUNDLED_PREFIX}{digest_classifier(stored)}")


def read_card() -> dict[str, Any]:
    """What was written about the bundled classifier when it was trained; empty where there is no card."""
    return _read_json(BUNDLED_CARD)


def load_reference() -> FeatureReference | None:
    """How the evidence is distributed over the meters that the bundled classifier was trained on; none where none fits this code's."""
    stored = _read_json(BUNDLED_REFERENCE)
    return read_reference(stored) if stored else None


def save_bundled(classifier: AssetClassifier, card: dict[str, object], folder: Path) -> str:
    """Write the classifier and its card as the bundled ones; the version."""
    folder.mkdir(parents=True, exist_ok=True)
    stored = store_classifier(classifier)
    version = f"{BUNDLED_PREFIX}{digest_classifier(stored)}"
    (folder / BUNDLED_MODEL).write_bytes(stored)
    (folder / BUNDLED_CARD).write_text(json.dumps({"version": version, **card}, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return version


def save_reference(reference: FeatureReference, folder: Path) -> None:
    """Write how the evidence is distributed beside the bundled classifier."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / BUNDLED_REFERENCE).write_text(json.dumps(reference.as_json(), separators=(",", ":")) + "\n", encoding="utf-8")


def _read_json(name: str) -> dict[str, Any]:
    """A JSON file beside the bundled classifier; empty where there is none."""
    file = resources.files("fmar_spark.learning").joinpath("bundled", name)
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return found
