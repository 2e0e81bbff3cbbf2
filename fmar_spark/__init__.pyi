from fmar_spark.local.frames import Characterisation as Characterisation
from fmar_spark.local.frames import characterise as characterise
from fmar_spark.local.frames import predict_baseline as predict_baseline

__version__: str
__all__ = ["Characterisation", "__version__", "characterise", "predict_baseline"]
