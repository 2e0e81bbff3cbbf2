"""What the engine derived, read from the lake's gold tables where there is a lake; the register works without one."""

import logging
from datetime import date
from typing import Any, Final, NamedTuple, Protocol

import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from fmar_spark.contracts.capability import ASSET_DETECTIONS, CAPABILITY
from fmar_spark.contracts.deliveries import DELIVERY_CHECKS, DELIVERY_EVIDENCE, DISCREPANCIES
from fmar_spark.contracts.table import TableContract
from fmar_spark.domain.markets import RecordKind
from fmar_spark.engine.lake_files import open_rows

_log = logging.getLogger(__name__)
_DETECTION_COLUMNS: Final = ("mpan_id", "asset_class", "present_probability", "is_present", "tier", "status", "model_version", "as_of_date")

RECORDS: Final[dict[str, tuple[TableContract, str]]] = {
    RecordKind.DETECTION: (ASSET_DETECTIONS, "asset_class"),
    RecordKind.CAPABILITY: (CAPABILITY, "asset_class"),
    RecordKind.DELIVERY_CHECK: (DELIVERY_CHECKS, "event_id"),
    RecordKind.DELIVERY_EVIDENCE: (DELIVERY_EVIDENCE, "amsid"),
    RecordKind.FLAG: (DISCREPANCIES, "flag_id"),
}
"""Derived records that can be disputed: their table, and the column that distinguishes those of one meter point."""


class Record(NamedTuple):
    """A derived record that somebody names."""

    amsid: str
    """Empty where it is of the meter point."""
    fsp_id: str
    """Whose declaration it speaks of; empty where of none."""
    run_id: str
    """Run that wrote it."""
    mpan_id: str
    asset_class: str = ""
    """Empty where it is of no class."""
    tier: str | None = None
    """Of a detection, and of what rests on one."""
    recipients: tuple[str, ...] = ()
    """Of a flag: who is notified."""


class Detection(NamedTuple):
    """Whether a class is behind a meter, as the engine answered last."""

    asset_class: str
    is_present: bool | None
    present_probability: float | None
    tier: str | None
    status: str
    model_version: str
    as_of_date: date


class Derived(Protocol):
    """Where derived values come from."""

    def find_capability(self, mpan_id: str) -> list[dict[str, Any]]:
        """Rows of gold.capability for a meter point; none where nothing was derived."""

    def find_detections(self, mpan_id: str) -> list[Detection]:
        """The answers of gold.asset_detections for a meter point; none where it was not looked at."""

    def find_records(self, kind: str, mpan_id: str, record_id: str) -> list[Record]:
        """The derived records of a kind and id at a meter point."""


class LakeDerived:
    """Reads the newest version of the gold tables at every question."""

    def __init__(self, root: str) -> None:
        """Nothing is read before the first question."""
        self._root = root.rstrip("/")

    def find_capability(self, mpan_id: str) -> list[dict[str, Any]]:
        """Rows of gold.capability for a meter point."""
        return self._rows(CAPABILITY, mpan_id, CAPABILITY.names)

    def find_detections(self, mpan_id: str) -> list[Detection]:
        """The answers of gold.asset_detections for a meter point."""
        rows = self._rows(ASSET_DETECTIONS, mpan_id, _DETECTION_COLUMNS)
        return [
            Detection(
                row["asset_class"],
                row["is_present"],
                row["present_probability"],
                row["tier"],
                row["status"],
                str(row["model_version"]),
                row["as_of_date"],
            )
            for row in rows
        ]

    def find_records(self, kind: str, mpan_id: str, record_id: str) -> list[Record]:
        """The derived records of a kind and id at a meter point."""
        contract, name = RECORDS[kind]
        rows = self._rows(contract, mpan_id, contract.names)
        return [
            Record(
                amsid=row.get("amsid", ""),
                fsp_id=row.get("fsp_id", ""),
                run_id=str(row["run_id"]),
                mpan_id=mpan_id,
                asset_class=row.get("asset_class", ""),
                tier=row.get("tier"),
                recipients=tuple(row.get("recipients") or ()),
            )
            for row in rows
            if row[name] == record_id
        ]

    def _rows(self, contract: TableContract, mpan_id: str, names: tuple[str, ...]) -> list[dict[str, Any]]:
        try:
            table = DeltaTable(f"{self._root}/{contract.layer}/{contract.name}")
        except TableNotFoundError:
            return []
        except (DeltaError, OSError):
            _log.exception("%s: cannot be read; answering without derived values", contract.full_name)
            return []
        present = {field.name for field in table.schema().fields}
        wanted = [name for name in names if name in present]
        rows = open_rows(table).to_table(columns=wanted, filter=pc.field("mpan_id") == mpan_id).to_pylist()
        return [{**dict.fromkeys(names), **row} for row in rows]
