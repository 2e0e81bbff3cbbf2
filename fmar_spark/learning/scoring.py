"""The classifier as the characterisation pass uses it: small to ship, loaded once a worker."""

from dataclasses import dataclass
from functools import lru_cache

from fmar_spark.domain.words import AssetClass
from fmar_spark.kernels.window import Floats
from fmar_spark.learning.classifier import AssetClassifier, load_classifier


@dataclass(frozen=True)
class StoredScorer:
    """A stored classifier and the name that every row states."""

    stored: bytes
    version: str

    def predict(self, features: Floats) -> Floats:
        """Calibrated probability that each class was there at some time, shape (meters, 5)."""
        return self._loaded().predict(features)

    def predict_present(self, asset: AssetClass, probability: Floats, evidence: Floats) -> Floats:
        """Probability that it is there at the end, shape (meters,)."""
        return self._loaded().predict_present(asset, probability, evidence)

    def bound_size(self, asset: AssetClass, size_name: str, size: Floats, spread: Floats) -> tuple[Floats, Floats]:
        """Both ends of the 80 % interval of a size, shape (meters,) each."""
        return self._loaded().bound_size(asset, size_name, size, spread)

    def _loaded(self) -> AssetClassifier:
        return _load_once(self.stored)


@lru_cache(maxsize=2)
def _load_once(stored: bytes) -> AssetClassifier:
    return load_classifier(stored)
