"""Disputes of records: raised by a party, settled by the administrator, seen by those whom they concern."""

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

from fmar_spark.services.web.moments import UtcDateTime

revision = "0008_disputes"
down_revision = "0007_rejected_rows"
branch_labels = None
depends_on = None

_NAME: Final = "dispute_versions"
_CLOSING: Final = "OLD.known_to_at IS NULL AND NEW.known_to_at IS NOT NULL AND NEW.closed_by_seq IS NOT NULL"
_TEXTS: Final = {
    "fsp_id": 64,
    "mpan_id": 13,
    "distributor_id": 2,
    "amsid": 40,
    "record_kind": 24,
    "record_id": 128,
    "record_run_id": 64,
    "alleged_error": 500,
    "evidence": 500,
    "raised_by_party_id": 64,
    "parties": 500,
}
_OUTCOME: Final = {"outcome": 24, "outcome_reason": 500}
_RECORDED: Final = ("change", "known_from_at", "recorded_by_party_id", "recorded_by_client_id", "ledger_seq")


def upgrade() -> None:
    """The table stands guarded; on PostgreSQL a party sees the disputes that concern it, and adds its own alone."""
    _create()
    kept = ("dispute_id", "version", *_TEXTS, *_OUTCOME, *_RECORDED)
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgresql(kept)
        _secure()
    else:
        _guard_sqlite(kept)


def _create() -> None:
    def column(name: str, kind: Any, nullable: bool = False, unique: bool = False) -> sa.Column[Any]:
        return sa.Column(name, kind, nullable=nullable, unique=unique)

    op.create_table(
        _NAME,
        column("dispute_id", sa.String(128)),
        column("version", sa.Integer()),
        *(column(name, sa.String(length)) for name, length in _TEXTS.items()),
        *(column(name, sa.String(length), nullable=True) for name, length in _OUTCOME.items()),
        column("change", sa.String(16)),
        column("known_from_at", UtcDateTime()),
        column("known_to_at", UtcDateTime(), nullable=True),
        column("recorded_by_party_id", sa.String(64)),
        column("recorded_by_client_id", sa.String(128)),
        column("ledger_seq", sa.BigInteger(), unique=True),
        column("closed_by_seq", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("dispute_id", "version"),
    )
    current = sa.text("known_to_at IS NULL")
    op.create_index(f"{_NAME}_current", _NAME, ["dispute_id"], unique=True, postgresql_where=current, sqlite_where=current)
    op.create_index(f"{_NAME}_closed", _NAME, ["closed_by_seq"])
    op.create_index(f"{_NAME}_asset", _NAME, ["mpan_id", "amsid"])
    op.create_index(f"{_NAME}_raiser", _NAME, ["raised_by_party_id", "dispute_id"])


def _guard_postgresql(kept: tuple[str, ...]) -> None:
    old, new = (", ".join(f"{version}.{column}" for column in kept) for version in ("OLD", "NEW"))
    op.execute(
        f"CREATE TRIGGER {_NAME}_only_close BEFORE UPDATE ON {_NAME} FOR EACH ROW "
        f"WHEN (NOT ({_CLOSING}) OR ROW({old}) IS DISTINCT FROM ROW({new})) EXECUTE FUNCTION fmar_refuse()"
    )
    op.execute(f"CREATE TRIGGER {_NAME}_refuse BEFORE DELETE ON {_NAME} FOR EACH ROW EXECUTE FUNCTION fmar_refuse()")
    op.execute(f"CREATE TRIGGER {_NAME}_keep BEFORE TRUNCATE ON {_NAME} FOR EACH STATEMENT EXECUTE FUNCTION fmar_refuse()")


def _guard_sqlite(kept: tuple[str, ...]) -> None:
    differs = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in kept)
    refused = "refused, nothing is rewritten or deleted"
    op.execute(
        f"CREATE TRIGGER {_NAME}_only_close BEFORE UPDATE ON {_NAME} FOR EACH ROW WHEN NOT ({_CLOSING}) OR {differs} "
        f"BEGIN SELECT RAISE(ABORT, '{_NAME}: UPDATE {refused}'); END"
    )
    op.execute(
        f"CREATE TRIGGER {_NAME}_refuse BEFORE DELETE ON {_NAME} FOR EACH ROW BEGIN SELECT RAISE(ABORT, '{_NAME}: DELETE {refused}'); END"
    )


def _secure() -> None:
    everything = "current_setting('fmar.scope', true) = 'all'"
    party = "current_setting('fmar.party_id', true)"
    concerned = f"({party} <> '' AND {party} = ANY (string_to_array(parties, ',')))"
    raised = f"({party} <> '' AND raised_by_party_id = {party} AND version = 1)"
    op.execute(f"ALTER TABLE {_NAME} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {_NAME} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY {_NAME}_seen ON {_NAME} FOR SELECT USING ({everything} OR {concerned})")
    op.execute(f"CREATE POLICY {_NAME}_added ON {_NAME} FOR INSERT WITH CHECK ({everything} OR {raised})")
    op.execute(f"CREATE POLICY {_NAME}_closed ON {_NAME} FOR UPDATE USING ({everything}) WITH CHECK ({everything})")
