"""What a tracker knows of runs, and what readers noted, beside versions and evaluations."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"

JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Add the columns; nothing is known of older rows."""
    op.add_column("evaluation_runs", sa.Column("state", sa.Text))
    op.add_column("evaluation_runs", sa.Column("checked_at", sa.DateTime(timezone=True)))
    op.add_column("versions", sa.Column("reading", JSON))
    op.add_column("evaluations", sa.Column("reading", JSON))
