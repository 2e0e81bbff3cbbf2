"""Rows of the request audit may be deleted once they are a month old, and not before; a setting says when they are."""

from alembic import op

revision = "0005_audit_retention"
down_revision = "0004_uploads"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Young rows stay guarded as before, and no row is ever changed."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER request_audit_refuse ON request_audit")
        op.execute("CREATE TRIGGER request_audit_fixed BEFORE UPDATE ON request_audit FOR EACH ROW EXECUTE FUNCTION fmar_refuse()")
        op.execute(
            "CREATE TRIGGER request_audit_refuse BEFORE DELETE ON request_audit FOR EACH ROW "
            "WHEN (OLD.requested_at > now() - interval '30 days') EXECUTE FUNCTION fmar_refuse()"
        )
        return
    op.execute("DROP TRIGGER request_audit_refuse")
    op.execute(
        "CREATE TRIGGER request_audit_refuse BEFORE DELETE ON request_audit FOR EACH ROW "
        "WHEN OLD.requested_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-30 days') "
        "BEGIN SELECT RAISE(ABORT, 'request_audit: DELETE refused, nothing is rewritten or deleted'); END"
    )
