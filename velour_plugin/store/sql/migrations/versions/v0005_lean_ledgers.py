"""Ledgers in pieces: what is measured, details beside it, and each list of datums once.

The tables in a ledger are moved as they are, byte for byte; only headers are written anew. Metrics
that were stored stay as they are; those that are long are packed from now on.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

MAGIC = b"VLD1"
DETAILS = {
    "object-detection": ("pairs", "truth_boxes", "detection_boxes"),
    "instance-segmentation": ("pairs", "truth_boxes", "detection_boxes"),
}
"""Tables of ledgers that only details read, by task."""

LEDGERS = sa.table("ledgers", *map(sa.column, ("evaluation_id", "content")))
LISTS = sa.table("uid_lists", *map(sa.column, ("digest", "content")))
CONTENTS = sa.table("ledger_contents", *map(sa.column, ("evaluation_id", "uids", "content")))
APART = sa.table("ledger_details", *map(sa.column, ("evaluation_id", "content")))


def upgrade() -> None:
    """Make the new tables, take every ledger apart, drop the old table."""
    _tables()
    op.add_column("metrics", sa.Column("packed", sa.LargeBinary))
    connection = op.get_bind()
    known: set[str] = set()
    # one at a time: all ledgers together may not fit into memory
    for number in connection.scalars(sa.select(LEDGERS.c.evaluation_id)).all():
        query = sa.select(LEDGERS.c.content).where(LEDGERS.c.evaluation_id == number)
        uids, content, details = _pieces(bytes(connection.scalars(query).one()))
        digest = hashlib.sha256(uids).hexdigest()
        if digest not in known:
            connection.execute(sa.insert(LISTS).values(digest=digest, content=uids))
            known.add(digest)
        row = {"evaluation_id": number, "uids": digest, "content": content}
        connection.execute(sa.insert(CONTENTS).values(row))
        if details is not None:
            connection.execute(sa.insert(APART).values(evaluation_id=number, content=details))
    op.drop_table("ledgers")


def _tables() -> None:
    op.create_table(
        "uid_lists",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    for name, columns in (
        (
            "ledger_contents",
            [sa.Column("uids", sa.String(64), sa.ForeignKey("uid_lists.digest"), nullable=False)],
        ),
        ("ledger_details", []),
    ):
        op.create_table(
            name,
            sa.Column(
                "evaluation_id", sa.String(32), sa.ForeignKey("evaluations.id"), primary_key=True
            ),
            *columns,
            sa.Column("content", sa.LargeBinary, nullable=False),
        )


def _pieces(content: bytes) -> tuple[bytes, bytes, bytes | None]:
    """The list of datums, what is measured, and the details, of a ledger in one piece."""
    at = 8 + int.from_bytes(content[4:8], "little")
    header = json.loads(content[8:at])
    tables: dict[str, bytes] = {}
    for name, size in header.pop("tables"):
        tables[name] = content[at : at + size]
        at += size
    uids = tables.pop("")
    apart = [name for name in tables if name in DETAILS.get(header["task"], ())]
    details = {name: tables.pop(name) for name in apart}
    head = {**header, "uids": hashlib.sha256(uids).hexdigest(), "details": apart}
    return uids, _packed(head, tables), _packed({}, details) if apart else None


def _packed(head: dict[str, Any], tables: dict[str, bytes]) -> bytes:
    sizes = [[name, len(content)] for name, content in tables.items()]
    header = json.dumps({**head, "tables": sizes}, sort_keys=True, separators=(",", ":")).encode()
    return b"".join((MAGIC, len(header).to_bytes(4, "little"), header, *tables.values()))
