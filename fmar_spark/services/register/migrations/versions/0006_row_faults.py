"""A line of an upload's report holds all faults of its row."""

import sqlalchemy as sa
from alembic import op

revision = "0006_row_faults"
down_revision = "0005_audit_retention"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Older reports have the first fault alone."""
    op.add_column("upload_rows", sa.Column("faults", sa.Text()))
