"""Uploads count the rows that were good and not stored because others were refused."""

import sqlalchemy as sa
from alembic import op

revision = "0004_uploads"
down_revision = "0003_evidence"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Every upload has the count; in those that were refused as a whole nothing counts as accepted any more."""
    op.add_column("uploads", sa.Column("rows_valid", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE uploads SET rows_valid = rows_accepted, rows_accepted = 0 WHERE state = 'refused'")
