"""What a dataset's annotations are refused for: another datum, another class, a score on truth."""

from __future__ import annotations

import numpy as np

from velour_plugin.domain.columns.annotation_table import AnnotationTable, LabelName, is_absent
from velour_plugin.domain.columns.datum_columns import DatumColumns
from velour_plugin.domain.labels import class_in_words
from velour_plugin.errors import BadDataset, UnknownName


def check_vocabulary(
    table: AnnotationTable, vocabulary: frozenset[LabelName] | None, side: str
) -> None:
    """Refuse an annotation whose class is not in a vocabulary that somebody closed."""
    if vocabulary is None or vocabulary.issuperset(table.labels):
        return
    for name in table.used_labels:
        if name not in vocabulary:
            known = [class_in_words(known) for known in vocabulary]
            raise UnknownName(f"class of the {side}", class_in_words(name), known)


def check_unscored(truth: AnnotationTable, datums: DatumColumns) -> None:
    """Refuse a score on ground truth, naming its datum."""
    scored = [] if is_absent(truth.score) else np.flatnonzero(~np.isnan(truth.score)).tolist()
    if scored:
        row = scored[0]
        value = class_in_words(truth.labels[truth.label[row]])
        raise BadDataset(
            f"ground truth of datum {datums.uids[truth.datum[row]]!r}: {value} has the score "
            f"{truth.score[row]:g}: truths have no score; leave out what is not true."
        )


def check_places(table: AnnotationTable, datums: int) -> None:
    """Refuse an annotation of a datum that is not there."""
    if len(table) and not 0 <= table.datum[0] <= table.datum[-1] < datums:
        wrong = table.datum[0] if table.datum[0] < 0 else table.datum[-1]
        raise BadDataset(
            f"an annotation is of datum number {wrong}: expected 0 to {datums - 1}, the index "
            "of one of the dataset's datums."
        )
