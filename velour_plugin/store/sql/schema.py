"""The tables of the store, the same in both databases.

A dataset has versions; a version lists datums; a datum row is content, identified by
its digest and shared by every version that holds it. Nothing is edited in place.
"""

import datetime as dt
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

NAMES = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMES)

BigId = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers INTEGER keys by itself


class Json(TypeDecorator[Any]):
    """Column type: JSON; JSONB on PostgreSQL, whose dialect is imported there only."""

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> TypeEngine[Any]:
        """Return the type for a database."""
        if dialect.name != "postgresql":
            text: TypeEngine[Any] = dialect.type_descriptor(JSON(none_as_null=True))
            return text
        from sqlalchemy.dialects.postgresql import JSONB

        binary: TypeEngine[Any] = dialect.type_descriptor(JSONB(none_as_null=True))
        return binary


class Spatial(TypeDecorator[Any]):
    """Column type: WKB; a type of geoalchemy2 on PostgreSQL, which is imported there only."""

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = LargeBinary
    cache_ok = True

    def __init__(self, kind: str, srid: int = -1) -> None:
        super().__init__()
        self.kind, self.srid = kind, srid

    def load_dialect_impl(self, dialect: Any) -> TypeEngine[Any]:
        """Return the type for a database."""
        if dialect.name != "postgresql":
            wkb: TypeEngine[Any] = dialect.type_descriptor(LargeBinary())
            return wkb
        import geoalchemy2

        kind = getattr(geoalchemy2, self.kind)("GEOMETRY", srid=self.srid, spatial_index=False)
        known: TypeEngine[Any] = dialect.type_descriptor(kind)
        return known


Location = Spatial("Geography", 4326)
"""A location on the Earth."""
Shape = Spatial("Geometry")
"""A region of an image, in pixels."""


class Moment(TypeDecorator[dt.datetime]):
    """Column type: a moment in UTC; SQLite would forget the zone."""

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Any) -> dt.datetime | None:
        """Store moments in UTC."""
        return None if value is None else value.astimezone(dt.UTC)

    def process_result_value(self, value: dt.datetime | None, dialect: Any) -> dt.datetime | None:
        """Return moments with their zone."""
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=dt.UTC)


def _id() -> Column[Any]:
    return Column("id", BigId, primary_key=True, autoincrement=True)


def _to(table: str, **options: Any) -> Column[Any]:
    name = options.pop("name", f"{table.removesuffix('s')}_id")
    options.setdefault("nullable", False)
    return Column(name, BigId, ForeignKey(f"{table}.id"), **options)


def _created() -> Column[Any]:
    return Column("created_at", Moment, nullable=False)


datasets = Table("datasets", metadata, _id(), Column("name", Text, nullable=False, unique=True))

versions = Table(
    "versions",
    metadata,
    _id(),
    _to("datasets"),
    Column("number", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("metadata", Json, nullable=False),
    Column("labels", Json, nullable=False),
    Column("properties", Json, nullable=False),
    Column("datums", Integer, nullable=False),
    _created(),
    Column("location", LargeBinary),  # WKB: of the whole dataset, so no query uses it
    Column("reading", Json),  # what its reader noted; no part of the digest
    Column("declared_groups", Json),  # names of properties; no part of the digest either
    UniqueConstraint("dataset_id", "number"),
    UniqueConstraint("dataset_id", "digest"),
)

datums = Table(
    "datums",
    metadata,
    _id(),
    _to("datasets"),
    Column("digest", String(64), nullable=False),
    Column("uid", Text, nullable=False),
    Column("metadata", Json, nullable=False),
    Column("location", Location),
    UniqueConstraint("dataset_id", "digest"),
    Index("ix_datums_uid", "dataset_id", "uid"),
)

version_datums = Table(
    "version_datums",
    metadata,
    _to("versions", primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    _to("datums", index=True),
)

labels = Table(
    "labels",
    metadata,
    _id(),
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),
    UniqueConstraint("key", "value"),
)

annotations = Table(
    "annotations",
    metadata,
    _to("datums"),
    Column("row", Integer, nullable=False),
    Column("annotation", Integer, nullable=False),
    _to("labels"),
    *(Column(name, Float(53)) for name in ("x", "y", "width", "height", "area")),
    Column("crowd", Integer, nullable=False),
    Column("shape", Shape),
    Column("raster", LargeBinary),
    Column("metadata", Json),
    Column("embedding", LargeBinary),
    # covers the filters on a datum's ground truth: its labels, its number of annotations
    Index("ix_annotations_datum_id", "datum_id", "label_id", "annotation"),
)
"""Ground truth: a row is one label of one annotation; a box is x, y, width, height in pixels."""

facts = Table(
    "facts",
    metadata,
    _id(),
    _to("datums"),
    Column("source", Text, nullable=False),
    Column("revision", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("listed", Integer, nullable=False),  # 1 for an item of a list, 0 for the only value
    Column("number", Float(53)),
    Column("text", Text),
    Index("ix_facts_datum_id", "datum_id", "source", "name"),
    Index("ix_facts_source", "source", "name", "text"),
)

models = Table(
    "models",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    Column("metadata", Json, nullable=False),
    Column("location", LargeBinary),  # WKB
)

prediction_sets = Table(
    "prediction_sets",
    metadata,
    _id(),
    _to("versions"),
    Column("model", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    _created(),
    UniqueConstraint("version_id", "model", "digest"),
)

prediction_contents = Table(
    "prediction_contents",
    metadata,
    _to("prediction_sets", name="set_id", primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
)
"""Columns of a set as ``domain/encoding/codec.py`` writes them: one blob, or one for each part
of a partitioned dataset. In a table of their own, so that listing sets reads no blobs."""

evaluations = Table(
    "evaluations",
    metadata,
    Column("id", String(32), primary_key=True),
    _to("versions", index=True),
    _to("prediction_sets", name="set_id"),
    Column("task", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("certificate", Json, nullable=False),
    _created(),
    Column("reading", Json),  # what the reader of its predictions noted
)


def _evaluation() -> Column[Any]:
    return Column("evaluation_id", String(32), ForeignKey("evaluations.id"), primary_key=True)


evaluation_runs = Table(
    "evaluation_runs",
    metadata,
    _evaluation(),
    Column("run_id", String(64), primary_key=True),
    Column("name", Text),
    Column("experiment_id", Text),
    _created(),
    Column("state", Text),
    Column("checked_at", Moment),
    Index("ix_evaluation_runs_run_id", "run_id"),
)
"""Links to runs of a tracker. Name and state are what it said at ``checked_at``; a state is
``active`` or ``deleted``, NULL where nobody has asked yet."""

metrics = Table(
    "metrics",
    metadata,
    _evaluation(),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    _to("labels", nullable=True),
    Column("value", Float(53)),
    Column("content", Json),
    Column("parameters", Json, nullable=False),
    Column("packed", LargeBinary),
)
"""A number is a value for SQL to compare; other JSON is content, or where it is long packed by
zlib."""

uid_lists = Table(
    "uid_lists",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)
"""Lists of datums, each stored once for all ledgers of the same datums."""

ledger_contents = Table(
    "ledger_contents",
    metadata,
    _evaluation(),
    Column("uids", String(64), ForeignKey("uid_lists.digest"), nullable=False),
    Column("content", LargeBinary, nullable=False),
)
"""The ledger of each evaluation without details, see :mod:`velour_plugin.store.ledgers`."""

ledger_details = Table(
    "ledger_details",
    metadata,
    _evaluation(),
    Column("content", LargeBinary, nullable=False),
)
"""Tables of details of ledgers, kept apart: rankings do not read them."""

expanded_predictions = Table(
    "expanded_predictions",
    metadata,
    _evaluation(),
    Column("row", Integer, primary_key=True, autoincrement=False),
    Column("uid", Text, nullable=False),
    Column("annotation", Integer, nullable=False),
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("score", Float(53)),
    Column("box", Shape),
    Column("area", Float(53)),
    Column("crowd", Integer, nullable=False),
    Column("shape", Shape),
    Column("metadata", Json),
)
"""Predictions as rows, for SQL and QGIS (``velour db expand``); Velour never reads them."""

answers = Table(
    "answers",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("content", Json, nullable=False),
    _created(),
    Column("revision", BigInteger, nullable=False),
)

revisions = Table(
    "revisions",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
