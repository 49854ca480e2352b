"""How often content is digested: it is the costly part of naming a dataset."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from velour_plugin.domain.table import AnnotationTable


class Digested(list[int]):
    """Rows of each annotation table that was spelled for a digest, in turn."""

    @property
    def of_annotations(self) -> list[int]:
        """Without tables that have no rows."""
        return [rows for rows in self if rows]


def count_digests(monkeypatch: pytest.MonkeyPatch) -> Digested:
    """Watch every digest from now on."""
    digested, original = Digested(), AnnotationTable.datum_bytes

    def watched(table: AnnotationTable, datums: int) -> Iterable[bytes]:
        digested.append(len(table))
        return original(table, datums)

    monkeypatch.setattr(AnnotationTable, "datum_bytes", watched)
    return digested
