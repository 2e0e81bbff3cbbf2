"""Tables about how the jobs ran and what they rejected."""

from typing import Final

from fmar_spark.contracts.table import Column, Layer, TableContract
from fmar_spark.domain.words import Sensitivity

QUARANTINE: Final = TableContract(
    name="quarantine",
    layer=Layer.BRONZE,
    doc="Everything that was rejected, with the rule that it broke. Nothing is dropped: what raw cannot hold lies in its source.",
    key=("quarantine_id",),
    columns=(
        Column("quarantine_id", "string", "Digest of source, place and rule: the same rejection has the same id.", nullable=False),
        Column("source", "string", "Where it came from: file name, with the message or line number.", nullable=False),
        Column("rule", "string", "Name of the rule that it broke.", nullable=False),
        Column("reason", "string", "What was found and what was wanted.", nullable=False),
        Column("raw", "string", "What was rejected; cut after the length that settings allow.", sensitivity=Sensitivity.PERSONAL),
        Column("raw_bytes", "bigint", "Length of the whole: where raw is shorter, the rest lies in the source; null where raw is whole."),
        Column("messages", "bigint", "Messages or rows that it stands for; null = one."),
        Column("mpan_id", "string", "Meter point, where it could be read.", sensitivity=Sensitivity.PERSONAL),
        Column("transaction_id", "string", "DIP transaction, where it could be read."),
        Column("run_id", "string", "Run that rejected it.", nullable=False),
        Column("quarantined_at", "timestamp", "When it was rejected.", nullable=False),
    ),
    job="ingest_dip or import_intervals or load_deliveries or load_network or refresh_consent",
    is_shared_log=True,
)

LANDING_FILES: Final = TableContract(
    name="landing_files",
    layer=Layer.BRONZE,
    doc="One row for every file that was taken from a landing folder. A file is taken once by its path.",
    key=("stream", "path"),
    columns=(
        Column("stream", "string", "Digests of the folder and of the table that it feeds.", nullable=False),
        Column("path", "string", "Path inside the folder.", nullable=False),
        Column("batch", "bigint", "Batch with which it was taken; 0 = by an earlier version of the program.", nullable=False),
        Column("length", "bigint", "Bytes.", nullable=False),
        Column("modified_at", "timestamp", "When it was last written.", nullable=False),
        Column("problem", "string", "Why it was not read: name, link or kind; null where it was."),
        Column("run_id", "string", "Run that took it (ops.run_journal).", nullable=False),
        Column("taken_at", "timestamp", "When it was taken.", nullable=False),
    ),
    job="ingest_dip",
)

RUN_JOURNAL: Final = TableContract(
    name="run_journal",
    layer=Layer.OPS,
    doc="One row for every run of a step.",
    key=("run_id", "step"),
    columns=(
        Column("run_id", "string", "Unique id of the run, ordered by time.", nullable=False),
        Column("step", "string", "Name of the step.", nullable=False),
        Column("run_date", "date", "Day that the run stands for."),
        Column("status", "string", "done or failed.", nullable=False),
        Column("error", "string", "One line that says what went wrong, null when done."),
        Column("code_version", "string", "Version of the package.", nullable=False),
        Column("settings_hash", "string", "Digest of all settings of the run.", nullable=False),
        Column("tables_read", "map<string,bigint>", "Delta version of each table read.", nullable=False),
        Column("tables_written", "map<string,bigint>", "Delta version of each table after the write.", nullable=False),
        Column("counts", "map<string,bigint>", "What the step counted: rows in, kept, quarantined, duplicates ...", nullable=False),
        Column("rows_kept", "bigint", "Rows that the step kept."),
        Column("rows_quarantined", "bigint", "Rows that the step rejected."),
        Column("started_at", "timestamp", "Start.", nullable=False),
        Column("seconds", "double", "Wall-clock duration.", unit="s", nullable=False),
    ),
    job="any job",
    is_shared_log=True,
)

MEASURES: Final = TableContract(
    name="measures",
    layer=Layer.OPS,
    doc="How the lake was at a time: one row for every measure (docs/operations.md), appended.",
    key=("run_id", "metric", "series"),
    columns=(
        Column("run_id", "string", "Run that measured (ops.run_journal).", nullable=False),
        Column("metric", "string", "Name of the measure, without the prefix that Prometheus knows.", nullable=False),
        Column("series", "string", "Its labels as Prometheus writes them; empty where it has none.", nullable=False),
        Column("value", "double", "Its value, in the unit that its kind has.", nullable=False),
        Column("measured_at", "timestamp", "When it was measured.", nullable=False),
    ),
    job="measure_operation",
)
