"""Evidence for claims, consent references, and which verified right took a term's place; nothing that was recorded before changes."""

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

from fmar_spark.services.web.moments import UtcDateTime

revision = "0003_evidence"
down_revision = "0002_guards"
branch_labels = None
depends_on = None

_CLOSING: Final = "OLD.known_to_at IS NULL AND NEW.known_to_at IS NOT NULL AND NEW.closed_by_seq IS NOT NULL"
_ALWAYS: Final = "version fsp_id mpan_id distributor_id amsid valid_from_at valid_to_at change known_from_at "
_RECORDED: Final = "recorded_by_party_id recorded_by_client_id ledger_seq"
_KEPT: Final = {
    "agreement_versions": f"agreement_id market primacy_tier is_exclusive consent_reference displaced_by_id {_ALWAYS}{_RECORDED}",
    "evidence_versions": f"evidence_id basis reference {_ALWAYS}{_RECORDED}",
}


def upgrade() -> None:
    """The table of evidence stands guarded, and agreements have two fields more, which no rewriting reaches either."""
    op.add_column("agreement_versions", sa.Column("consent_reference", sa.String(100)))
    op.add_column("agreement_versions", sa.Column("displaced_by_id", sa.String(64)))
    _create_evidence()
    op.execute("DROP TRIGGER agreement_versions_only_close" + (" ON agreement_versions" if _is_postgresql() else ""))
    for name in _KEPT:
        _only_close(name)
    _keep_evidence()
    if _is_postgresql():
        _secure_evidence()


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _create_evidence() -> None:
    def column(name: str, kind: Any, nullable: bool = False, unique: bool = False) -> sa.Column[Any]:
        return sa.Column(name, kind, nullable=nullable, unique=unique)

    name = "evidence_versions"
    op.create_table(
        name,
        column("evidence_id", sa.String(128)),
        column("version", sa.Integer()),
        column("fsp_id", sa.String(64)),
        column("mpan_id", sa.String(13)),
        column("distributor_id", sa.String(2)),
        column("amsid", sa.String(40)),
        column("basis", sa.String(16)),
        column("reference", sa.String(200)),
        column("valid_from_at", UtcDateTime()),
        column("valid_to_at", UtcDateTime(), nullable=True),
        column("change", sa.String(16)),
        column("known_from_at", UtcDateTime()),
        column("known_to_at", UtcDateTime(), nullable=True),
        column("recorded_by_party_id", sa.String(64)),
        column("recorded_by_client_id", sa.String(128)),
        column("ledger_seq", sa.BigInteger(), unique=True),
        column("closed_by_seq", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("evidence_id", "version"),
    )
    current = sa.text("known_to_at IS NULL")
    op.create_index(f"{name}_current", name, ["evidence_id"], unique=True, postgresql_where=current, sqlite_where=current)
    op.create_index(f"{name}_closed", name, ["closed_by_seq"])
    op.create_index(f"{name}_asset", name, ["amsid", "mpan_id"])
    op.create_index(f"{name}_place", name, ["mpan_id", "amsid"])


def _only_close(name: str) -> None:
    """A version is only ever closed, once."""
    columns = _KEPT[name].split()
    if _is_postgresql():
        old, new = (", ".join(f"{version}.{column}" for column in columns) for version in ("OLD", "NEW"))
        op.execute(
            f"CREATE TRIGGER {name}_only_close BEFORE UPDATE ON {name} FOR EACH ROW "
            f"WHEN (NOT ({_CLOSING}) OR ROW({old}) IS DISTINCT FROM ROW({new})) EXECUTE FUNCTION fmar_refuse()"
        )
        return
    differs = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in columns)
    op.execute(
        f"CREATE TRIGGER {name}_only_close BEFORE UPDATE ON {name} FOR EACH ROW WHEN NOT ({_CLOSING}) OR {differs} "
        f"BEGIN SELECT RAISE(ABORT, '{name}: UPDATE refused, nothing is rewritten or deleted'); END"
    )


def _keep_evidence() -> None:
    name = "evidence_versions"
    if _is_postgresql():
        op.execute(f"CREATE TRIGGER {name}_refuse BEFORE DELETE ON {name} FOR EACH ROW EXECUTE FUNCTION fmar_refuse()")
        op.execute(f"CREATE TRIGGER {name}_keep BEFORE TRUNCATE ON {name} FOR EACH STATEMENT EXECUTE FUNCTION fmar_refuse()")
        return
    op.execute(
        f"CREATE TRIGGER {name}_refuse BEFORE DELETE ON {name} FOR EACH ROW "
        f"BEGIN SELECT RAISE(ABORT, '{name}: DELETE refused, nothing is rewritten or deleted'); END"
    )


def _secure_evidence() -> None:
    """The administrator reads and writes evidence, the rules read it, and nobody else does either."""
    name = "evidence_versions"
    everything = "current_setting('fmar.scope', true) = 'all'"
    op.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY {name}_seen ON {name} FOR SELECT USING ({everything} OR current_setting('fmar.scope', true) = 'rules')")
    op.execute(f"CREATE POLICY {name}_added ON {name} FOR INSERT WITH CHECK ({everything})")
    op.execute(f"CREATE POLICY {name}_closed ON {name} FOR UPDATE USING ({everything}) WITH CHECK ({everything})")
