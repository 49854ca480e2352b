"""How often content is digested: it is the costly part of naming a dataset."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from velour_plugin.domain import datasets
from velour_plugin.domain.columns.annotation_table import AnnotationTable
from velour_plugin.domain.encoding.digests import Digests


class Digested(list[int]):
    """Rows of each annotation table that was spelled for a digest, in turn."""

    @property
    def of_annotations(self) -> list[int]:
        """Without tables that have no rows."""
        return [rows for rows in self if rows]


def count_digests(monkeypatch: pytest.MonkeyPatch) -> Digested:
    """Watch every digest from now on."""
    digested, original = Digested(), datasets.annotation_digests

    def watched(table: AnnotationTable, uids: Sequence[str]) -> Digests:
        digested.append(len(table))
        return original(table, uids)

    monkeypatch.setattr(datasets, "annotation_digests", watched)
    return digested
