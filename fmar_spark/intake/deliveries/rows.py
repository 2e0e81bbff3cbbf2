"""Rows of declarations on their way to the lake, and the rows that were rejected."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from fmar_spark.domain.mpan import CHECK_WEIGHTS
from fmar_spark.intake.decimals import parse_column
from fmar_spark.intake.deliveries.rules import RULES
from fmar_spark.intake.intervals.rows import FAULT_SCHEMA, RAW_CHARS, Origin, RawBlock, write_fault

Bools = NDArray[np.bool_]
STAMP: Final = pa.timestamp("us", tz="UTC")
_SHARED: Final = [
    ("mpan_id", pa.string()),
    ("series_id", pa.string()),
    ("amsid", pa.string()),
    ("fsp_id", pa.string()),
    ("version", pa.int32()),
    ("declared_at", STAMP),
    ("notices", pa.list_(pa.string())),
    ("file", pa.string()),
    ("source", pa.string()),
]
EVENT_SCHEMA: Final = pa.schema(
    [
        ("event_id", pa.string()),
        ("market", pa.string()),
        ("product", pa.string()),
        ("start_at", STAMP),
        ("end_at", STAMP),
        ("dispatch_direction", pa.string()),
        ("notice_at", STAMP),
        ("requested_kw", pa.float64()),
        ("unit_id", pa.string()),
        ("zone", pa.string()),
        *_SHARED,
    ]
)
VOLUME_SCHEMA: Final = pa.schema(
    [
        ("slot_start_at", STAMP),
        ("delivered_kwh", pa.float64()),
        ("metered_kwh", pa.float64()),
        ("is_network_sign", pa.bool_()),
        *_SHARED,
    ]
)
NAMES: Final = ("event_id", "series_id", "amsid", "fsp_id", "market", "product", "company_name", "fu_id", "zone")
"""Columns of names and ids; an MPAN has its own rule."""
EARLIEST, LATEST = pd.Timestamp("1990-01-01", tz="UTC"), pd.Timestamp("2100-01-01", tz="UTC")


class DeclarationRules(NamedTuple):
    """The most that is believed of a declaration; the defaults are those of the settings."""

    max_kwh_per_slot: float = 1_000_000.0
    max_event_hours: float = 168.0
    max_name_chars: int = 128


def describe_rules(rules: DeclarationRules, others: Mapping[str, str] | None = None) -> dict[str, str]:
    """What each rule wants, with its limits as numbers.

    Args:
        rules: the limits.
        others: what some rules want of another format than the engine's own columns.
    """
    most = rules.max_kwh_per_slot
    limits = {**rules._asdict(), "max_kw": 2 * most, "max_mw": 2 * most / 1000, "max_mwh": most / 1000}
    shown = {name: f"{limit:,.10g}" for name, limit in limits.items()}
    return {rule: wanted.format(**shown) for rule, wanted in (RULES | dict(others or {})).items()}


class Checked(NamedTuple):
    """A block after its check: kept + faults = rows of the block."""

    kept: pa.Table
    faults: pa.Table
    """Format of ``FAULT_SCHEMA``."""


class Numbers(NamedTuple):
    """A column of numbers; NaN where empty or no number."""

    value: NDArray[np.float64]
    is_bad: Bools


class Stamps(NamedTuple):
    """A column of moments; NaT where empty or unreadable."""

    value: pd.Series
    is_bad: Bools


def read_texts(block: RawBlock, names: tuple[str, ...]) -> pd.DataFrame:
    """The columns as trimmed texts, '' where empty or absent."""
    found = {}
    for name in names:
        if name in block.columns.column_names:
            column = block.columns[name].to_pandas()
            found[name] = column.map(_text_of).astype(object) if len(column) else pd.Series([], dtype=object)
        else:
            found[name] = pd.Series([""] * block.columns.num_rows, dtype=object)
    return pd.DataFrame(found, columns=list(names))


def read_numbers(texts: pd.Series) -> Numbers:
    """Numbers with a decimal point; an infinite one is none."""
    value = parse_column(texts.where(texts != "")).to_numpy(dtype=np.float64)
    value = np.where(np.isfinite(value), value, np.nan)
    return Numbers(value, np.isnan(value) & (texts != "").to_numpy())


def read_stamps(texts: pd.Series) -> Stamps:
    """Moments in ISO 8601; those without an offset are UTC."""
    value = pd.to_datetime(texts.where(texts != ""), format="ISO8601", utc=True, errors="coerce")
    value = value.where((value >= EARLIEST) & (value < LATEST))
    return Stamps(value, (value.isna() & (texts != "")).to_numpy())


def has_wrong_check_digit(texts: pd.Series) -> Bools:
    """Whether 13 digits do not agree with their check digit; other texts do not count."""
    wrong = np.zeros(len(texts), dtype=np.bool_)
    at = np.flatnonzero(texts.str.fullmatch(r"[0-9]{13}").to_numpy(dtype=np.bool_))
    if len(at):
        digits = np.frombuffer("".join(texts.iloc[at]).encode("ascii"), dtype=np.uint8).reshape(len(at), 13).astype(np.int64) - ord("0")
        wrong[at] = digits[:, :12] @ np.asarray(CHECK_WEIGHTS) % 11 % 10 != digits[:, 12]
    return wrong


def find_meter_faults(rows: pd.DataFrame) -> dict[str, Bools]:
    """Rows whose meter or FSP is not named as it must be, by rule."""
    has_mpan = (rows["mpan_id"] != "").to_numpy()
    return {
        "meter_missing": ~has_mpan & (rows["series_id"] == "").to_numpy(),
        "mpan_format": has_mpan & ~rows["mpan_id"].str.fullmatch(r"[0-9]{13}").to_numpy(dtype=np.bool_),
        "fsp_missing": (rows["fsp_id"] == "").to_numpy(),
    }


def find_long_names(rows: pd.DataFrame, rules: DeclarationRules) -> dict[str, Bools]:
    """Rows of which a name or an id is too long, by rule."""
    is_long = [(rows[name].str.len() > rules.max_name_chars).to_numpy(dtype=np.bool_) for name in NAMES if name in rows.columns]
    return {"name_too_long": np.logical_or.reduce(is_long)}


def find_meter_notices(rows: pd.DataFrame) -> dict[str, Bools]:
    """What is odd about the names of meters and assets, by notice."""
    is_named = (rows["amsid"] != "").to_numpy()
    return {
        "mpan_check_digit": has_wrong_check_digit(rows["mpan_id"]),
        "amsid_missing": ~is_named,
        "amsid_format": is_named & ~rows["amsid"].str.fullmatch(r"[0-9]{13}").to_numpy(dtype=np.bool_),
        "amsid_check_digit": has_wrong_check_digit(rows["amsid"]),
    }


def list_notices(found: Mapping[str, Bools], rows: int) -> list[list[str]]:
    """The names of the notices of each row."""
    listed: list[list[str]] = [[] for _ in range(rows)]
    for name, is_set in found.items():
        for at in np.flatnonzero(is_set).tolist():
            listed[at].append(name)
    return listed


def find_first_broken(broken: Mapping[str, Bools], rows: int) -> NDArray[np.object_]:
    """The first rule that each row breaks, '' where it breaks none."""
    first = np.full(rows, "", dtype=object)
    for name, is_broken in broken.items():
        first[(first == "") & is_broken] = name
    return first


def build_faults(
    texts: pd.DataFrame, origin: Origin, lines: NDArray[np.int64], first: NDArray[np.object_], wanted: Mapping[str, str]
) -> pa.Table:
    """The rejected rows, each named by its first broken rule; ``wanted`` says what each rule wants."""
    at = np.flatnonzero(first != "")
    chosen = texts.iloc[at]
    raw = [",".join(row)[:RAW_CHARS] for row in chosen.itertuples(index=False, name=None)]
    series = chosen["series_id"].tolist() if "series_id" in chosen else [None] * len(at)
    return list_faults(
        [origin.place(int(lines[one])) for one in at],
        first[at].tolist(),
        raw,
        [name if name and one != "name_too_long" else None for name, one in zip(series, first[at].tolist(), strict=True)],
        wanted,
    )


def list_faults(
    places: list[str], rules: list[str], raw: list[str], series: list[str | None] | None = None, wanted: Mapping[str, str] = RULES
) -> pa.Table:
    """Faults in the format of ``FAULT_SCHEMA``; ``wanted`` says what each rule wants."""
    reasons = [write_fault(text, wanted[rule]) for text, rule in zip(raw, rules, strict=True)]
    return pa.table([places, rules, reasons, raw, series or [None] * len(places)], schema=FAULT_SCHEMA)


def list_broken(block: RawBlock, origin: Origin) -> pa.Table:
    """Lines that make no row."""
    return list_faults(
        [origin.place(line) for line, _, _ in block.broken],
        [rule for _, _, rule in block.broken],
        [text[:RAW_CHARS] for _, text, _ in block.broken],
    )


def _text_of(value: object) -> str:
    return "" if value is None or value != value else str(value).strip()
