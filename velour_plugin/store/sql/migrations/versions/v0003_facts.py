"""Facts about datums, models with metadata, and places of datasets.

``fact`` and ``datum`` become prefixes of their own. Metadata with such names stays reachable as
``metadata.fact…`` and ``metadata.datum…``: the datasets that have it are named, and filters in
stored certificates are spelled that way.
"""

from __future__ import annotations

import json
import warnings
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
JSON = sa.JSON().with_variant(JSONB(), "postgresql")
RESERVED = ("fact", "datum")


def upgrade() -> None:
    """Make the tables; name what is now asked for by a longer name."""
    _tables()
    op.add_column("versions", sa.Column("location", sa.LargeBinary))
    op.drop_index("ix_annotations_datum_id", "annotations")
    op.create_index(
        "ix_annotations_datum_id", "annotations", ["datum_id", "label_id", "annotation"]
    )
    _name_datasets(op.get_bind())
    _spell_filters(op.get_bind())


def _tables() -> None:
    op.create_table(
        "facts",
        sa.Column("id", BIG, primary_key=True, autoincrement=True),
        sa.Column("datum_id", BIG, sa.ForeignKey("datums.id"), nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("source", "revision", "name")),
        sa.Column("listed", sa.Integer, nullable=False),
        sa.Column("number", sa.Float(53)),
        sa.Column("text", sa.Text),
    )
    op.create_index("ix_facts_datum_id", "facts", ["datum_id", "source", "name"])
    op.create_index("ix_facts_source", "facts", ["source", "name", "text"])
    op.create_table(
        "models",
        sa.Column("id", BIG, primary_key=True, autoincrement=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("metadata", JSON, nullable=False),
        sa.Column("location", sa.LargeBinary),
        sa.UniqueConstraint("name"),
    )


def _name_datasets(connection: sa.Connection) -> None:
    """Warn of metadata that a bare name no longer asks for, dataset by dataset."""
    rows = connection.execute(
        sa.text("SELECT name, properties FROM versions JOIN datasets ON datasets.id = dataset_id")
    )
    reserved: dict[str, set[str]] = {}
    for name, properties in rows:
        named = json.loads(properties) if isinstance(properties, str) else properties
        reserved.setdefault(name, set()).update(filter(_is_reserved, named))
    for name, properties in sorted(reserved.items()):
        if properties:
            spelled = ", ".join(f"metadata.{bare}" for bare in sorted(properties))
            warnings.warn(
                f"dataset {name!r}: 'fact' and 'datum' now begin properties of their own; filters "
                f"ask for its metadata as {spelled}.",
                stacklevel=2,
            )


def _spell_filters(connection: sa.Connection) -> None:
    """Spell stored filters on such metadata with ``metadata.``; ids of evaluations stay."""
    evaluations = sa.table("evaluations", sa.column("id"), sa.column("certificate", JSON))
    for number, certificate in connection.execute(sa.select(evaluations)).all():
        tree = json.loads(certificate.get("filter") or "null")
        spelled = _spelled(tree)
        if spelled != tree:
            text = json.dumps(spelled, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            change = sa.update(evaluations).where(evaluations.c.id == number)
            connection.execute(change.values(certificate={**certificate, "filter": text}))


def _is_reserved(name: str) -> bool:
    return name.partition(".")[0] in RESERVED


def _spelled(node: Any) -> Any:
    if isinstance(node, list):
        return [_spelled(item) for item in node]
    if not isinstance(node, dict):
        return node
    name = node.get("property")
    if isinstance(name, str) and "." in name and _is_reserved(name):
        return {"property": f"metadata.{name}"}
    return {key: _spelled(value) for key, value in node.items()}
