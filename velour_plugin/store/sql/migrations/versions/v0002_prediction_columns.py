"""Predictions rest as columns: a blob for each set takes the place of a row for each label."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from velour_plugin.domain.encoding.codec import table_to_bytes
from velour_plugin.store.sql.migrations.versions.v0001_first import BIG, JSON, SHAPE
from velour_plugin.store.sql.records.annotation_rows import NUMBERS, OBJECTS, table_of_rows

revision = "0002"
down_revision = "0001"

LABELS = sa.table("labels", *map(sa.column, ("id", "key", "value")))
MEMBERS = sa.table("version_datums", *map(sa.column, ("version_id", "position", "datum_id")))
DATUMS = sa.table("datums", *map(sa.column, ("id", "uid")))
SETS = sa.table("prediction_sets", *map(sa.column, ("id", "version_id")))
CONTENTS = sa.table("prediction_contents", *map(sa.column, ("set_id", "part", "content")))
COLUMNS = (*NUMBERS, *OBJECTS)
TYPES: dict[str, Any] = {"shape": SHAPE, "metadata": JSON}
ROWS = sa.table(
    "predictions",
    *(sa.column(name) for name in ("set_id", "datum_id", "row", "score")),
    *(sa.column(name, TYPES.get(name)) for name in COLUMNS),
)


def upgrade() -> None:
    """Make the new tables, move every set of predictions, drop the rows."""
    op.create_table(
        "prediction_contents",
        sa.Column("set_id", BIG, sa.ForeignKey("prediction_sets.id"), primary_key=True),
        sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    _create_expanded()
    connection = op.get_bind()
    labels = {number: (key, value) for number, key, value in connection.execute(sa.select(LABELS))}
    for number, version in connection.execute(sa.select(SETS.c.id, SETS.c.version_id)).all():
        content = _content(connection, number, version, labels)
        row = {"set_id": number, "part": 0, "content": content}
        connection.execute(sa.insert(CONTENTS).values(row))
    op.drop_table("predictions")


def _create_expanded() -> None:
    op.create_table(
        "expanded_predictions",
        sa.Column(
            "evaluation_id", sa.String(32), sa.ForeignKey("evaluations.id"), primary_key=True
        ),
        sa.Column("row", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("uid", sa.Text, nullable=False),
        sa.Column("annotation", sa.Integer, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("score", sa.Float(53)),
        sa.Column("box", SHAPE),
        sa.Column("area", sa.Float(53)),
        sa.Column("crowd", sa.Integer, nullable=False),
        sa.Column("shape", SHAPE),
        sa.Column("metadata", JSON),
    )
    if op.get_bind().dialect.name == "postgresql":
        for name in ("box", "shape"):
            op.execute(
                f"CREATE INDEX ix_expanded_predictions_{name} ON expanded_predictions "
                f"USING gist ({name})"
            )


def _content(
    connection: sa.Connection, number: int, version: int, labels: dict[int, tuple[str, str]]
) -> bytes:
    """One set of predictions as a blob."""
    members = (
        sa.select(DATUMS.c.uid)
        .join(MEMBERS, MEMBERS.c.datum_id == DATUMS.c.id)
        .where(MEMBERS.c.version_id == version)
        .order_by(MEMBERS.c.position)
    )
    rows: Sequence[Any] = connection.execute(
        sa.select(MEMBERS.c.position, ROWS.c.score, *(ROWS.c[name] for name in COLUMNS))
        .join(ROWS, ROWS.c.datum_id == MEMBERS.c.datum_id)
        .where(ROWS.c.set_id == number, MEMBERS.c.version_id == version)
        .order_by(MEMBERS.c.position, ROWS.c.row)
    ).all()
    names = ("datum", "score", *COLUMNS)
    columns = dict(zip(names, zip(*rows, strict=True) if rows else [()] * len(names), strict=True))
    used = {label: labels[label] for label in set(columns["label_id"])}
    return table_to_bytes(table_of_rows(columns, used), list(connection.scalars(members)))
