"""The first schema.

It is what ``velour_plugin.store.sql.schema`` described when this was written; a test
compares the two, so a change of the schema comes with a migration of its own.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geography, Geometry
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
JSON = sa.JSON().with_variant(JSONB(), "postgresql")
PLACE = sa.LargeBinary().with_variant(
    Geography("GEOMETRY", srid=4326, spatial_index=False), "postgresql"
)
SHAPE = sa.LargeBinary().with_variant(Geometry("GEOMETRY", spatial_index=False), "postgresql")
MOMENT = sa.DateTime(timezone=True)
INDEXES = {
    "postgresql": (
        "CREATE INDEX ix_datums_location ON datums USING gist (location)",
        "CREATE INDEX ix_datums_place ON datums USING gist ((location::geometry))",
        "CREATE INDEX ix_datums_metadata ON datums USING gin (metadata jsonb_path_ops)",
        "CREATE INDEX ix_annotations_shape ON annotations USING gist (shape)",
        "CREATE INDEX ix_predictions_shape ON predictions USING gist (shape)",
    ),
    "sqlite": (
        "CREATE VIRTUAL TABLE datum_places USING rtree(id, west, east, south, north)",
        "ANALYZE",
        "INSERT INTO sqlite_stat1 VALUES "
        "('version_datums', 'sqlite_autoindex_version_datums_1', '1000000 100000 1'), "
        "('version_datums', 'ix_version_datums_datum_id', '1000000 2')",
        "ANALYZE sqlite_schema",
    ),
}
"""Each database's own; the statistics tell SQLite's planner to begin at a datum's place."""


def upgrade() -> None:
    """Make every table."""
    database = op.get_bind().dialect.name
    if database == "postgresql":
        op.execute("CREATE EXTENSION IF NOT EXISTS postgis")
    _datasets()
    _datums()
    _annotations()
    _evaluations()
    for statement in INDEXES[database]:
        op.execute(statement)


def _id() -> sa.Column[Any]:
    return sa.Column("id", BIG, primary_key=True, autoincrement=True)


def _to(table: str, name: str, nullable: bool = False, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, BIG, sa.ForeignKey(f"{table}.id"), nullable=nullable, **options)


def _text(name: str, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=nullable)


def _digest() -> sa.Column[Any]:
    return sa.Column("digest", sa.String(64), nullable=False)


def _created() -> sa.Column[Any]:
    return sa.Column("created_at", MOMENT, nullable=False)


def _json(name: str) -> sa.Column[Any]:
    return sa.Column(name, JSON, nullable=False)


def _datasets() -> None:
    op.create_table("datasets", _id(), _text("name"), sa.UniqueConstraint("name"))
    op.create_table(
        "versions",
        _id(),
        _to("datasets", "dataset_id"),
        sa.Column("number", sa.Integer, nullable=False),
        _digest(),
        *map(_json, ("metadata", "labels", "properties")),
        sa.Column("datums", sa.Integer, nullable=False),
        _created(),
        sa.UniqueConstraint("dataset_id", "number"),
        sa.UniqueConstraint("dataset_id", "digest"),
    )


def _datums() -> None:
    op.create_table(
        "datums",
        _id(),
        _to("datasets", "dataset_id"),
        _digest(),
        _text("uid"),
        _json("metadata"),
        sa.Column("location", PLACE),
        sa.UniqueConstraint("dataset_id", "digest"),
    )
    op.create_index("ix_datums_uid", "datums", ["dataset_id", "uid"])
    op.create_table(
        "version_datums",
        _to("versions", "version_id", primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        _to("datums", "datum_id"),
    )
    op.create_index("ix_version_datums_datum_id", "version_datums", ["datum_id"])


def _region() -> list[sa.Column[Any]]:
    return [
        sa.Column("row", sa.Integer, nullable=False),
        sa.Column("annotation", sa.Integer, nullable=False),
        _to("labels", "label_id"),
        *(sa.Column(name, sa.Float(53)) for name in ("x", "y", "width", "height", "area")),
        sa.Column("crowd", sa.Integer, nullable=False),
        sa.Column("shape", SHAPE),
        sa.Column("raster", sa.LargeBinary),
        sa.Column("metadata", JSON),
        sa.Column("embedding", sa.LargeBinary),
    ]


def _annotations() -> None:
    op.create_table(
        "labels", _id(), _text("key"), _text("value"), sa.UniqueConstraint("key", "value")
    )
    op.create_table("annotations", _to("datums", "datum_id"), *_region())
    op.create_index("ix_annotations_datum_id", "annotations", ["datum_id"])
    op.create_table(
        "prediction_sets",
        _id(),
        _to("versions", "version_id"),
        _text("model"),
        _digest(),
        _created(),
        sa.UniqueConstraint("version_id", "model", "digest"),
    )
    op.create_table(
        "predictions",
        _to("prediction_sets", "set_id"),
        _to("datums", "datum_id"),
        sa.Column("score", sa.Float(53)),
        *_region(),
    )
    op.create_index("ix_predictions_set_id", "predictions", ["set_id"])


def _evaluation() -> sa.Column[Any]:
    return sa.Column(
        "evaluation_id", sa.String(32), sa.ForeignKey("evaluations.id"), primary_key=True
    )


def _evaluations() -> None:
    op.create_table(
        "evaluations",
        sa.Column("id", sa.String(32), primary_key=True),
        _to("versions", "version_id"),
        _to("prediction_sets", "set_id"),
        _text("task"),
        _text("model"),
        _json("certificate"),
        _created(),
    )
    op.create_index("ix_evaluations_version_id", "evaluations", ["version_id"])
    op.create_table(
        "evaluation_runs",
        _evaluation(),
        sa.Column("run_id", sa.String(64), primary_key=True),
        _text("name", nullable=True),
        _text("experiment_id", nullable=True),
        _created(),
    )
    op.create_index("ix_evaluation_runs_run_id", "evaluation_runs", ["run_id"])
    op.create_table(
        "metrics",
        _evaluation(),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        _text("name"),
        _to("labels", "label_id", nullable=True),
        sa.Column("value", sa.Float(53)),
        sa.Column("content", JSON),
        _json("parameters"),
    )
    op.create_table("ledgers", _evaluation(), sa.Column("content", sa.LargeBinary, nullable=False))
    op.create_table(
        "answers",
        sa.Column("key", sa.String(64), primary_key=True),
        _text("stamp"),
        _json("content"),
        _created(),
    )
