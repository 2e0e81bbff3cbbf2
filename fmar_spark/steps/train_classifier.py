"""Trains the classifiers on labelled meters of the lake, and promotes them if they pass the gates."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import yaml
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fmar_spark.contracts.readings import LABELS, LEGAL_BASES, METER_POINTS, READINGS, SERIES, WEATHER
from fmar_spark.contracts.register import CONFIRMATIONS
from fmar_spark.contracts.table import Column, Layer, TableContract, mpan_column
from fmar_spark.domain.assets import ASSET_CLASSES, LABEL_OF_CLASS, SIZE_LABELS, SIZE_NAMES
from fmar_spark.domain.words import Quantity
from fmar_spark.engine.arrow_columns import build_column, list_rows
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.engine.bridge import map_whole_keys
from fmar_spark.engine.runs import Run, Written
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore
from fmar_spark.errors import ConfigError, InputError
from fmar_spark.intake.intervals import companions
from fmar_spark.intake.intervals.files import InputFile, list_columns
from fmar_spark.kernels.dating import PRESENCE_EVIDENCE
from fmar_spark.kernels.examination import FEATURES, SizingRules
from fmar_spark.kernels.window import Floats
from fmar_spark.learning.confirmed import add_confirmations
from fmar_spark.learning.evaluation import evaluate_classifier, list_failed_gates
from fmar_spark.learning.examples import Examples, describe_window
from fmar_spark.learning.registry import register_classifier
from fmar_spark.learning.training import Split, split_by_meter, train_classifier
from fmar_spark.learning.training_meters import TrainedOn, keep_marks, mark_days, mark_names
from fmar_spark.profiling.profiles import read_sizing
from fmar_spark.profiling.windows import WeatherBook, group_meters
from fmar_spark.settings.overlays import find_shipped
from fmar_spark.settings.sections import Settings
from fmar_spark.steps.lake_inputs import choose_days, collect_weather, read_eligible_days

READS: Final = (READINGS, METER_POINTS, LEGAL_BASES, WEATHER, SERIES, LABELS, CONFIRMATIONS)
WRITES: Final[tuple[TableContract, ...]] = ()
MEMORY_TABLE: Final = "silver.labels"
SIMULATED: Final = "simulated"
"""How the provenance of a simulated meter begins."""
EVIDENCE: Final = TableContract(
    name="_meter_evidence",
    layer=Layer.SILVER,
    doc="Evidence of each meter, handed to training; never stored.",
    key=("mpan_id",),
    columns=(
        mpan_column(),
        Column("features", "array<float>", "In the order of the feature list."),
        Column("presence", "array<float>", "Evidence of presence, class by class."),
        Column("sizes", "array<float>", "Estimates of sizes and their spread, class by class."),
        Column("history_days", "int", "Days seen.", unit="day"),
    ),
    job="train_classifier",
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvidencePass:
    """Turns the rows of whole meters into evidence."""

    weather: WeatherBook
    min_days: int
    max_missing_share: float
    window_months: int
    sizing: SizingRules

    def __call__(self, chunk: pa.Table) -> Iterator[pa.RecordBatch]:
        """One record batch for each group of meters that share a calendar."""
        schema = arrow_schema(EVIDENCE)
        for group in group_meters(chunk, self.weather, self.window_months):
            found = describe_window(group.window, self.min_days, self.max_missing_share, self.sizing)
            rows = np.flatnonzero(found.kept)
            columns = {
                "mpan_id": [group.mpan_ids[row] for row in rows],
                "features": list_rows(found.features[rows], schema.field("features").type),
                "presence": list_rows(_flatten(found.presence[rows]), schema.field("presence").type),
                "sizes": list_rows(_flatten(found.sizes[rows]), schema.field("sizes").type),
                "history_days": found.history_days[rows].astype(np.int32),
            }
            yield pa.RecordBatch.from_arrays([build_column(columns[field.name], field.type) for field in schema], schema=schema)


def _flatten(values: Floats) -> Floats:
    """One row a meter; no meters keep their width."""
    return values.reshape(len(values), int(np.prod(values.shape[1:])))


@limit_tables(READS, WRITES)
def run(store: TableStore, run: Run, settings: Settings, labels_from: str) -> Written:
    """Train on the labelled meters, log to MLflow, register, and set the alias if every gate is passed.

    Raises:
        InputError: no labels, or too few of an answer.
    """
    labels = read_labels(store, labels_from)
    if settings.learning.is_taught_by_answers:
        labels = add_confirmations(labels, read_answers(store))
    days = choose_days(store, run)
    evidence_pass = EvidencePass(
        weather=collect_weather(store, settings.characterise.max_weather_areas),
        min_days=settings.sufficiency.min_days,
        max_missing_share=settings.sufficiency.max_missing_share,
        window_months=settings.sufficiency.window_months,
        sizing=read_sizing(settings.sizing),
    )
    meter_days = read_eligible_days(store, days)
    labelled = store.spark.createDataFrame([(mpan,) for mpan in labels.index], "mpan_id string")
    wanted = meter_days.join(F.broadcast(labelled), "mpan_id", "left_semi")
    chunk, partitions = settings.characterise.meters_per_chunk, settings.characterise.partitions
    evidence = map_whole_keys(wanted, "mpan_id", evidence_pass, EVIDENCE, chunk, partitions).toArrow()
    examples = join_labels(evidence, labels)
    learning = settings.learning
    split = split_by_meter(examples.meter_id, learning.calibration_share, learning.test_share, learning.seed)
    classifier = train_classifier(examples, split, seed=learning.seed % 2**31)
    report = evaluate_classifier(classifier, examples, split.test)
    failed = list_failed_gates(report, read_gates(find_shipped(Path(learning.gates))))
    data_version = {"labels": labels_from, "meters": str(len(examples.meter_id)), "run_id": run.run_id}
    data_version |= {f"version {name}": str(version) for name, version in store.versions_read.items()}
    registered = register_classifier(classifier, mark_training(meter_days, examples, split), report, data_version, learning, failed)
    for sentence in failed:
        _log.warning("train_classifier: gate not passed: %s", sentence)
    _log.info(
        "train_classifier: %s version %s %s",
        learning.registry_model,
        registered.version,
        f"is now {learning.alias}" if registered.is_champion else "is registered, the alias stays where it was",
    )
    counts = {"meters": len(examples.meter_id), "test_meters": int(split.test.sum()), "failed_gates": len(failed)}
    return Written(counts, rows_kept=len(examples.meter_id))


def mark_training(meter_days: DataFrame, examples: Examples, split: Split) -> TrainedOn:
    """The meters that trained or calibrated, by their MPANs and by their readings on the first day of each month.

    Args:
        meter_days: of ``read_eligible_days``.
        examples: of the labelled meters.
        split: which of them trained.
    """
    has_trained = split.train | split.calibrate
    mpan_ids = sorted({examples.meter_id[row] for row in np.flatnonzero(has_trained)})
    simulated = {examples.meter_id[row] for row in np.flatnonzero(has_trained) if examples.provenance[row].startswith(SIMULATED)}
    wanted = meter_days.sparkSession.createDataFrame([(mpan,) for mpan in mpan_ids], "mpan_id string")
    is_first = (F.dayofmonth("utc_date") == 1) & (F.col("quantity") == Quantity.AI.value)
    days = meter_days.where(is_first).join(F.broadcast(wanted), "mpan_id", "left_semi").select("kwh").toArrow()
    return TrainedOn(names=mark_names([mpan for mpan in mpan_ids if mpan not in simulated]), days=keep_marks(mark_days(days["kwh"])))


def read_labels(store: TableStore, labels_from: str) -> pd.DataFrame:
    """Labels by MPAN, from ``silver.labels`` or from a CSV file of series ids or MPANs.

    Raises:
        InputError: the file or the table has no usable label.
        ConfigError: a row of the file cannot be read, or contradicts another; the message names its line.
    """
    if labels_from == MEMORY_TABLE:
        labels = store.read(LABELS).toPandas().set_index("mpan_id")
    else:
        path = Path(labels_from)
        found = list_columns(InputFile(path, path.name)) if path.is_file() else []
        if "series_id" not in found:
            raise InputError(f"{labels_from}: {'column series_id' if found else 'a file of labels'} wanted")
        listed = companions.read_labels(path).to_pandas()
        listed = listed.drop(columns=[name for name in LABEL_OF_CLASS.values() if name not in found])
        known = {row["series_id"]: row["mpan_id"] for row in store.read_or_empty(SERIES).select("series_id", "mpan_id").collect()}
        labels = listed.set_index(listed["series_id"].map(lambda name: known.get(name, name)))
    missing = [name for name in LABEL_OF_CLASS.values() if name not in labels]
    if missing or labels.empty:
        raise InputError(f"{labels_from}: columns {', '.join(missing)} wanted" if missing else f"{labels_from}: no labels")
    return labels


def read_answers(store: TableStore) -> pd.DataFrame:
    """What FSPs answered to detections, as it stands: mpan_id, asset_class, is_present."""
    current = store.read_or_empty(CONFIRMATIONS).where(F.col("known_to_at").isNull())
    return current.select("mpan_id", "asset_class", "is_present").toPandas()


def join_labels(evidence: pa.Table, labels: pd.DataFrame) -> Examples:
    """Examples from evidence and labels; an empty label is unknown."""
    mpan_ids = evidence["mpan_id"].to_pylist()
    mine = labels.loc[mpan_ids]
    classes, names = len(ASSET_CLASSES), len(SIZE_NAMES)
    matrix = {name: np.array(evidence[name].to_pylist(), dtype=float) for name in ("features", "presence", "sizes")}
    true_sizes = np.full((len(mpan_ids), classes, names), np.nan)
    for asset, size in SIZE_LABELS:
        for name in size.names if size.label in mine else ():
            true_sizes[:, ASSET_CLASSES.index(asset), SIZE_NAMES.index(name)] = mine[size.label].astype(float)
    truth = np.stack([mine[LABEL_OF_CLASS[asset]].astype(float).to_numpy() for asset in ASSET_CLASSES], axis=1)
    absent = [""] * len(mpan_ids)
    return Examples(
        meter_id=mpan_ids,
        features=matrix["features"].reshape(len(mpan_ids), len(FEATURES)).astype(np.float32),
        labels=truth,
        present=np.full_like(truth, np.nan),
        presence=matrix["presence"].reshape(-1, classes, len(PRESENCE_EVIDENCE)),
        sizes=matrix["sizes"].reshape(-1, classes, names + 1),
        true_sizes=true_sizes,
        confusers=_list_texts(mine, "confusers"),
        behaviours=absent,
        history_days=np.array(evidence["history_days"].to_pylist(), dtype=np.int64),
        provenance=_list_texts(mine, "provenance"),
    )


def _list_texts(labels: pd.DataFrame, name: str) -> list[str]:
    """A column of texts; empty where there is none."""
    return [text if isinstance(text, str) else "" for text in labels[name]] if name in labels else [""] * len(labels)


def read_gates(path: Path) -> dict[str, dict[str, float]]:
    """What a classifier must reach, by metric.

    Raises:
        ConfigError: no such file, or not a mapping.
    """
    try:
        gates = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"learning.gates: {path}: {error.strerror}") from error
    if not isinstance(gates, dict):
        raise ConfigError(f"learning.gates: {path}: a mapping of metrics wanted")
    return gates
