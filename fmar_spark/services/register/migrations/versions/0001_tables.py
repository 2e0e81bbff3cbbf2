"""The tables, alike on PostgreSQL and SQLite."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from fmar_spark.services.web.moments import UtcDateTime

revision = "0001_tables"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """An empty register stands, its ledger at zero."""
    _create_ledger()
    _create_agreements()
    _create_overrides()
    _create_confirmations()
    _create_directory()
    _create_uploads()
    _create_request_marks()


def _text(name: str, length: int, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), nullable=nullable)


def _moment(name: str, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, UtcDateTime(), nullable=nullable)


def _yes_no(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _number(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _create_versioned(name: str, id_name: str, *fields: sa.Column[Any]) -> None:
    op.create_table(
        name,
        _text(id_name, 128),
        _number("version"),
        *fields,
        _text("change", 16),
        _moment("known_from_at"),
        _moment("known_to_at", nullable=True),
        _text("recorded_by_party_id", 64),
        _text("recorded_by_client_id", 128),
        sa.Column("ledger_seq", sa.BigInteger(), nullable=False, unique=True),
        sa.Column("closed_by_seq", sa.BigInteger()),
        sa.PrimaryKeyConstraint(id_name, "version"),
    )
    current = sa.text("known_to_at IS NULL")
    op.create_index(f"{name}_current", name, [id_name], unique=True, postgresql_where=current, sqlite_where=current)
    op.create_index(f"{name}_closed", name, ["closed_by_seq"])


def _place() -> tuple[sa.Column[Any], ...]:
    return _text("fsp_id", 64), _text("mpan_id", 13), _text("distributor_id", 2), _text("amsid", 40)


def _create_ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, primary_key=True),
        _moment("recorded_at"),
        _text("party_id", 64),
        _text("client_id", 128),
        _text("kind", 16),
        _text("subject_id", 128),
        _number("version"),
        _text("change", 16),
        sa.Column("body", sa.Text(), nullable=False),
        _text("previous_hash", 64),
        _text("hash", 64),
    )
    op.create_table(
        "ledger_head",
        sa.Column("only_row", sa.Integer(), primary_key=True),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        _text("hash", 64),
        _moment("recorded_at"),
    )
    op.execute(f"INSERT INTO ledger_head (only_row, seq, hash, recorded_at) VALUES (1, 0, '{'0' * 64}', '2000-01-01T00:00:00.000000Z')")


def _create_agreements() -> None:
    name = "agreement_versions"
    _create_versioned(
        name,
        "agreement_id",
        *_place(),
        _text("market", 16),
        _number("primacy_tier"),
        _yes_no("is_exclusive"),
        _moment("valid_from_at"),
        _moment("valid_to_at", nullable=True),
    )
    op.create_index(f"{name}_amsid", name, ["amsid"])
    op.create_index(f"{name}_asset", name, ["mpan_id", "amsid"])
    op.create_index(f"{name}_fsp", name, ["fsp_id", "agreement_id"])
    op.create_index(f"{name}_area", name, ["market", "distributor_id", "agreement_id"])


def _create_overrides() -> None:
    name = "override_versions"
    _create_versioned(
        name,
        "override_id",
        *_place(),
        _text("asset_class", 16),
        _text("direction", 8),
        _text("parameter", 32),
        sa.Column("value", sa.Float(53), nullable=False),
        _text("unit", 8),
        _text("reason", 500),
        _moment("valid_from_at"),
        _moment("valid_to_at", nullable=True),
        _text("superseded_by_id", 64, nullable=True),
    )
    op.create_index(f"{name}_asset", name, ["mpan_id", "amsid"])
    op.create_index(f"{name}_fsp", name, ["fsp_id", "override_id"])


def _create_confirmations() -> None:
    name = "confirmation_versions"
    _create_versioned(
        name,
        "confirmation_id",
        *_place(),
        _text("asset_class", 16),
        _yes_no("is_present"),
        _text("verdict", 16),
        _yes_no("is_detected"),
        sa.Column("detected_probability", sa.Float(53), nullable=False),
        _text("tier", 8),
        _text("model_version", 128),
        _text("as_of_date", 10),
        _text("provenance", 32),
    )
    op.create_index(f"{name}_asset", name, ["mpan_id", "amsid"])
    op.create_index(f"{name}_fsp", name, ["fsp_id", "confirmation_id"])


def _create_directory() -> None:
    _create_versioned(
        "party_versions", "party_id", _text("name", 200), _text("roles", 100), _text("distributor_ids", 500), _yes_no("is_active")
    )
    _create_versioned("client_versions", "client_id", _text("party_id", 64), _yes_no("is_active"))


def _create_uploads() -> None:
    op.create_table(
        "uploads",
        sa.Column("upload_id", sa.String(64), primary_key=True),
        _text("fsp_id", 64),
        _text("client_id", 128),
        _text("mode", 16),
        _yes_no("is_dry_run"),
        _text("state", 16),
        _number("rows_read"),
        _number("rows_accepted"),
        _number("rows_unchanged"),
        _number("rows_refused"),
        _text("problem", 500, nullable=True),
        _moment("started_at"),
        _moment("touched_at"),
    )
    op.create_index("uploads_fsp", "uploads", ["fsp_id", "upload_id"])
    op.create_table(
        "upload_rows",
        sa.Column("upload_id", sa.String(64), sa.ForeignKey("uploads.upload_id"), primary_key=True),
        sa.Column("line", sa.Integer(), primary_key=True),
        _text("outcome", 16),
        _text("agreement_id", 64, nullable=True),
        _text("rule", 64, nullable=True),
        _text("detail", 500, nullable=True),
    )


def _create_request_marks() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("client_id", sa.String(128), primary_key=True),
        sa.Column("idempotency_key", sa.String(128), primary_key=True),
        _text("request_digest", 64),
        _number("status"),
        _text("etag", 32, nullable=True),
        _text("location", 200, nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        _moment("created_at"),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    op.create_table(
        "request_audit",
        sa.Column("request_id", sa.String(64), primary_key=True),
        _moment("requested_at"),
        _text("party_id", 64, nullable=True),
        _text("client_id", 128, nullable=True),
        _text("method", 16),
        _text("route", 200),
        _number("status"),
        _text("problem", 64, nullable=True),
        sa.Column("seconds", sa.Float(53), nullable=False),
    )
    op.create_index("ix_request_audit_requested_at", "request_audit", ["requested_at"])
