"""Which datums of a dataset belong together, beside its versions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"

JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Add the column; nothing was declared of older versions."""
    op.add_column("versions", sa.Column("declared_groups", JSON))
