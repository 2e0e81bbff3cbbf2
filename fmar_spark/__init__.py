"""Flexible-asset register for Great Britain: derives what every connection can do from its meter.

``characterise`` and ``predict_baseline`` take and give frames and need no Spark. They are imported when they are first used, so
that importing the package costs nothing.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["Characterisation", "__version__", "characterise", "predict_baseline"]
_FRAMES = frozenset({"Characterisation", "characterise", "predict_baseline"})


def __getattr__(name: str) -> Any:
    """What ``local.frames`` offers, at its first use."""
    if name in _FRAMES:
        return getattr(import_module("fmar_spark.local.frames"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
