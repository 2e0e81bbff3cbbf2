"""The register's tables. Facts are versioned and never deleted; the ledger records how each version came about.

Every versioned table has the same columns of its own: which version, what kind of change, when it was known from and to
(transaction time), who recorded it, and the ledger rows that opened and closed it.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)

from fmar_spark.services.web.idempotency import idempotency_table
from fmar_spark.services.web.moments import UtcDateTime
from fmar_spark.services.web.request_audit import audit_table

METADATA: Final = MetaData()
_IS_CURRENT: Final = text("known_to_at IS NULL")


@dataclass(frozen=True, slots=True)
class Subject:
    """A kind of fact that the register keeps in versions."""

    kind: str
    """As the ledger calls it."""
    table: Table
    id_name: str
    fields: tuple[str, ...]
    """What a version says, in the ledger too."""
    optional: tuple[str, ...] = ()
    """Further fields, which the ledger names only where they are not null: entries from before they existed stay as they are."""

    @property
    def all_fields(self) -> tuple[str, ...]:
        """Everything that a version says."""
        return self.fields + self.optional


def _versioned(name: str, id_name: str, *fields: Column[Any]) -> Table:
    return Table(
        name,
        METADATA,
        Column(id_name, String(128), primary_key=True),
        Column("version", Integer, primary_key=True),
        *fields,
        Column("change", String(16), nullable=False),
        Column("known_from_at", UtcDateTime, nullable=False),
        Column("known_to_at", UtcDateTime),
        Column("recorded_by_party_id", String(64), nullable=False),
        Column("recorded_by_client_id", String(128), nullable=False),
        Column("ledger_seq", BigInteger, nullable=False, unique=True),
        Column("closed_by_seq", BigInteger),
        Index(f"{name}_current", id_name, unique=True, postgresql_where=_IS_CURRENT, sqlite_where=_IS_CURRENT),
        Index(f"{name}_closed", "closed_by_seq"),
    )


def _place() -> tuple[Column[Any], ...]:
    return (
        Column("fsp_id", String(64), nullable=False),
        Column("mpan_id", String(13), nullable=False),
        Column("distributor_id", String(2), nullable=False),
        Column("amsid", String(40), nullable=False),
    )


AGREEMENTS: Final = _versioned(
    "agreement_versions",
    "agreement_id",
    *_place(),
    Column("market", String(16), nullable=False),
    Column("primacy_tier", Integer, nullable=False),
    Column("is_exclusive", Boolean, nullable=False),
    Column("valid_from_at", UtcDateTime, nullable=False),
    Column("valid_to_at", UtcDateTime),
    Column("consent_reference", String(100)),
    Column("displaced_by_id", String(64)),
)
Index("agreement_versions_amsid", AGREEMENTS.c.amsid)
Index("agreement_versions_asset", AGREEMENTS.c.mpan_id, AGREEMENTS.c.amsid)
Index("agreement_versions_fsp", AGREEMENTS.c.fsp_id, AGREEMENTS.c.agreement_id)
Index("agreement_versions_area", AGREEMENTS.c.market, AGREEMENTS.c.distributor_id, AGREEMENTS.c.agreement_id)

OVERRIDES: Final = _versioned(
    "override_versions",
    "override_id",
    *_place(),
    Column("asset_class", String(16), nullable=False),
    Column("direction", String(8), nullable=False),
    Column("parameter", String(32), nullable=False),
    Column("value", Float(53), nullable=False),
    Column("unit", String(8), nullable=False),
    Column("reason", String(500), nullable=False),
    Column("valid_from_at", UtcDateTime, nullable=False),
    Column("valid_to_at", UtcDateTime),
    Column("superseded_by_id", String(64)),
)
Index("override_versions_asset", OVERRIDES.c.mpan_id, OVERRIDES.c.amsid)
Index("override_versions_fsp", OVERRIDES.c.fsp_id, OVERRIDES.c.override_id)

CONFIRMATIONS: Final = _versioned(
    "confirmation_versions",
    "confirmation_id",
    *_place(),
    Column("asset_class", String(16), nullable=False),
    Column("is_present", Boolean, nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("is_detected", Boolean, nullable=False),
    Column("detected_probability", Float(53), nullable=False),
    Column("tier", String(8), nullable=False),
    Column("model_version", String(128), nullable=False),
    Column("as_of_date", String(10), nullable=False),
    Column("provenance", String(32), nullable=False),
)
Index("confirmation_versions_asset", CONFIRMATIONS.c.mpan_id, CONFIRMATIONS.c.amsid)
Index("confirmation_versions_fsp", CONFIRMATIONS.c.fsp_id, CONFIRMATIONS.c.confirmation_id)

EVIDENCE_ROWS: Final = _versioned(
    "evidence_versions",
    "evidence_id",
    *_place(),
    Column("basis", String(16), nullable=False),
    Column("reference", String(200), nullable=False),
    Column("valid_from_at", UtcDateTime, nullable=False),
    Column("valid_to_at", UtcDateTime),
)
Index("evidence_versions_asset", EVIDENCE_ROWS.c.amsid, EVIDENCE_ROWS.c.mpan_id)
Index("evidence_versions_place", EVIDENCE_ROWS.c.mpan_id, EVIDENCE_ROWS.c.amsid)

DISPUTES: Final = _versioned(
    "dispute_versions",
    "dispute_id",
    *_place(),
    Column("record_kind", String(24), nullable=False),
    Column("record_id", String(128), nullable=False),
    Column("record_run_id", String(64), nullable=False),
    Column("alleged_error", String(500), nullable=False),
    Column("evidence", String(500), nullable=False),
    Column("raised_by_party_id", String(64), nullable=False),
    Column("parties", String(500), nullable=False),
    Column("outcome", String(24)),
    Column("outcome_reason", String(500)),
)
Index("dispute_versions_asset", DISPUTES.c.mpan_id, DISPUTES.c.amsid)
Index("dispute_versions_raiser", DISPUTES.c.raised_by_party_id, DISPUTES.c.dispute_id)

PARTIES: Final = _versioned(
    "party_versions",
    "party_id",
    Column("name", String(200), nullable=False),
    Column("roles", String(100), nullable=False),
    Column("distributor_ids", String(500), nullable=False),
    Column("is_active", Boolean, nullable=False),
)

CLIENTS: Final = _versioned(
    "client_versions",
    "client_id",
    Column("party_id", String(64), nullable=False),
    Column("is_active", Boolean, nullable=False),
)

LEDGER: Final = Table(
    "ledger",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("party_id", String(64), nullable=False),
    Column("client_id", String(128), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("subject_id", String(128), nullable=False),
    Column("version", Integer, nullable=False),
    Column("change", String(16), nullable=False),
    Column("body", Text, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

LEDGER_HEAD: Final = Table(
    "ledger_head",
    METADATA,
    Column("only_row", Integer, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
)

IDEMPOTENCY_KEYS: Final = idempotency_table(METADATA)
REQUEST_AUDIT: Final = audit_table(METADATA)

UPLOADS: Final = Table(
    "uploads",
    METADATA,
    Column("upload_id", String(64), primary_key=True),
    Column("fsp_id", String(64), nullable=False),
    Column("client_id", String(128), nullable=False),
    Column("mode", String(16), nullable=False),
    Column("is_dry_run", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("rows_read", Integer, nullable=False),
    Column("rows_accepted", Integer, nullable=False),
    Column("rows_unchanged", Integer, nullable=False),
    Column("rows_valid", Integer, nullable=False),
    Column("rows_rejected", Integer, nullable=False),
    Column("problem", String(500)),
    Column("started_at", UtcDateTime, nullable=False),
    Column("touched_at", UtcDateTime, nullable=False),
)
Index("uploads_fsp", UPLOADS.c.fsp_id, UPLOADS.c.upload_id)

UPLOAD_ROWS: Final = Table(
    "upload_rows",
    METADATA,
    Column("upload_id", String(64), ForeignKey("uploads.upload_id"), primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("outcome", String(16), nullable=False),
    Column("agreement_id", String(64)),
    Column("rule", String(64)),
    Column("detail", String(500)),
    Column("faults", Text),
)

_PLACE_FIELDS: Final = ("fsp_id", "mpan_id", "amsid")
AGREEMENT: Final = Subject(
    "agreement",
    AGREEMENTS,
    "agreement_id",
    (*_PLACE_FIELDS, "market", "primacy_tier", "is_exclusive", "valid_from_at", "valid_to_at"),
    optional=("consent_reference", "displaced_by_id"),
)
OVERRIDE: Final = Subject(
    "override",
    OVERRIDES,
    "override_id",
    (
        *_PLACE_FIELDS,
        "asset_class",
        "direction",
        "parameter",
        "value",
        "unit",
        "reason",
        "valid_from_at",
        "valid_to_at",
        "superseded_by_id",
    ),
)
CONFIRMATION: Final = Subject(
    "confirmation",
    CONFIRMATIONS,
    "confirmation_id",
    (
        *_PLACE_FIELDS,
        "asset_class",
        "is_present",
        "verdict",
        "is_detected",
        "detected_probability",
        "tier",
        "model_version",
        "as_of_date",
        "provenance",
    ),
)
PARTY: Final = Subject("party", PARTIES, "party_id", ("name", "roles", "distributor_ids", "is_active"))
CLIENT: Final = Subject("client", CLIENTS, "client_id", ("party_id", "is_active"))
EVIDENCE: Final = Subject("evidence", EVIDENCE_ROWS, "evidence_id", (*_PLACE_FIELDS, "basis", "reference", "valid_from_at", "valid_to_at"))
DISPUTE: Final = Subject(
    "dispute",
    DISPUTES,
    "dispute_id",
    (
        *_PLACE_FIELDS,
        "record_kind",
        "record_id",
        "record_run_id",
        "alleged_error",
        "evidence",
        "raised_by_party_id",
        "parties",
        "outcome",
        "outcome_reason",
    ),
)
SUBJECTS: Final = (AGREEMENT, OVERRIDE, CONFIRMATION, PARTY, CLIENT, EVIDENCE, DISPUTE)
MIRRORED: Final = (AGREEMENT, OVERRIDE, CONFIRMATION, DISPUTE)
"""What the lake has a copy of."""
