"""Rows of an upload are rejected, not refused; older uploads and their reports say so too."""

from alembic import op

revision = "0007_rejected_rows"
down_revision = "0006_row_faults"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The guard of the reports is put back within the same transaction; the ledger knows nothing of uploads."""
    op.alter_column("uploads", "rows_refused", new_column_name="rows_rejected")
    op.execute("UPDATE uploads SET state = 'rejected' WHERE state = 'refused'")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE upload_rows DISABLE TRIGGER upload_rows_refuse")
        op.execute("UPDATE upload_rows SET outcome = 'rejected' WHERE outcome = 'refused'")
        op.execute("ALTER TABLE upload_rows ENABLE TRIGGER upload_rows_refuse")
        return
    op.execute("DROP TRIGGER upload_rows_keep")
    op.execute("UPDATE upload_rows SET outcome = 'rejected' WHERE outcome = 'refused'")
    op.execute(
        "CREATE TRIGGER upload_rows_keep BEFORE UPDATE ON upload_rows FOR EACH ROW "
        "BEGIN SELECT RAISE(ABORT, 'upload_rows: UPDATE refused, nothing is rewritten or deleted'); END"
    )
