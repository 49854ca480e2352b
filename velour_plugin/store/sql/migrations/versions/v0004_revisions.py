"""Count the writes that can change an answer, in place of reading clocks.

Cached answers are dropped: which writes they had seen was never known.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the counter; answers carry its value."""
    op.create_table(
        "revisions",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.execute("DELETE FROM answers")
    op.drop_column("answers", "stamp")
    op.add_column("answers", sa.Column("revision", sa.BigInteger, nullable=False))
