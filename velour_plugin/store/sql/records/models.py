"""Save and find models by name, with the metadata and location that filters use.

Functions take an open connection and never commit.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select, update

from velour_plugin.domain.metadata import decode_metadata, encode_metadata
from velour_plugin.domain.models import Model
from velour_plugin.errors import UnknownName
from velour_plugin.store.sql import schema
from velour_plugin.store.sql.databases.backend import Backend
from velour_plugin.store.sql.records.annotation_rows import geometry_of
from velour_plugin.store.sql.records.columns import wkb_of


def save_model(connection: Connection, backend: Backend, model: Model) -> None:
    """Store a model, replacing the one of its name."""
    content = {"metadata": encode_metadata(model.metadata), "location": wkb_of(model.location)}
    row = {"name": model.name, **content}
    backend.insert_missing(connection, schema.models, [row])
    columns = schema.models.c
    connection.execute(update(schema.models).where(columns.name == model.name).values(content))


def load_model(connection: Connection, name: str) -> Model:
    """Read a model back.

    Raises:
        UnknownName: no model of that name is stored; the nearest is named.
    """
    row = connection.execute(select(schema.models).filter_by(name=name)).one_or_none()
    if row is None:
        raise UnknownName("model", name, connection.scalars(select(schema.models.c.name)))
    return _model(row)


def load_models(connection: Connection) -> list[Model]:
    """Return all stored models, sorted by name."""
    rows = connection.execute(select(schema.models)).all()
    return sorted(map(_model, rows), key=lambda model: model.name)


def _model(row: Row[Any]) -> Model:
    return Model(row.name, decode_metadata(row.metadata), geometry_of(row.location))
