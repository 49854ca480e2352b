"""Runs a model on a dataset in batches and parses its output into columns.

Of a batch, only columns are kept: masks become RLE, boxes numbers, so memory is that of one
batch and of what is stored. The model does not see datums that the filter leaves out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_integrations.mlflow.datasets.cell_rules import CellRules
from velour_integrations.mlflow.evaluation.classifiers import (
    ClassifierAnswers,
    answers_of,
    chosen_answers,
    classifier_behind,
)
from velour_integrations.mlflow.evaluation.endpoints import Endpoint, endpoint_behind
from velour_integrations.mlflow.evaluation.model_outputs import (
    ClassOutputs,
    cells_of,
    cells_table,
    class_outputs,
    joined_outputs,
)
from velour_plugin import AnnotationTable, Dataset
from velour_plugin.errors import BadDataset, UnknownName
from velour_plugin.plugin import parse_filter, select, split_filter, track

BATCH, BATCH_OF_A_TABLE = 256, 10_000
"""Rows of a batch: images are large, rows of a table are not."""


@dataclass
class BatchPredictor:
    """Runs the model in batches and parses its output.

    Args:
        dataset: whose datums the rows are.
        uids: the datum of each row.
        rows: ``(selected,)`` positions of the rows that the model is run on.
        frame: the model's input: a frame or array of all rows.
        model: has ``predict``.
        column: of the model's output, when it has several.
        batch_size: rows of a batch.
        probabilities: evaluate a classifier's probabilities when it has them.
        keep: keep the outputs as they are, in ``outputs``; memory grows with them.
        rules: how outputs that are cells are read.
    """

    dataset: Dataset
    uids: Sequence[str]
    rows: NDArray[np.int64]
    frame: Any
    model: Any
    column: str | None
    batch_size: int
    probabilities: bool = True
    keep: bool = False
    rules: CellRules = field(default_factory=CellRules)
    outputs: list[Any] = field(default_factory=list)

    def table(self) -> AnnotationTable:
        """Run the model on all selected rows, and return its predictions.

        Raises:
            BadDataset: an output cannot be read, or there are not as many as rows.
        """
        count = -(-len(self.rows) // self.batch_size)
        batches = list(track(self._batches(), count, "running the model"))
        tables = [part for part, _ in batches if isinstance(part, AnnotationTable)]
        arrays = [(part, rows) for part, rows in batches if isinstance(part, ClassOutputs)]
        known = self.dataset.truth.labels
        if arrays:
            places = self._indices(np.concatenate([rows for _, rows in arrays]))
            outputs = [part for part, _ in arrays]
            tables.append(joined_outputs(outputs, places, known, self.rules))
        return AnnotationTable.joined(tables, known)

    def _batches(self) -> Iterator[tuple[AnnotationTable | ClassOutputs, NDArray[np.int64]]]:
        """Outputs of each batch, and its rows; a classifier's at the end."""
        classifier = classifier_behind(self.model)
        answers: list[ClassifierAnswers] = []
        for first in range(0, len(self.rows), self.batch_size):
            rows = self.rows[first : first + self.batch_size]
            batch = self.frame.iloc[rows] if hasattr(self.frame, "iloc") else self.frame[rows]
            if classifier is None:
                yield self._read(self.model.predict(batch), rows), rows
            else:
                answers.append(answers_of(classifier, batch, self.probabilities))
        if answers:
            self._keep(np.concatenate([answer.labels for answer in answers]))
            yield chosen_answers(answers, classifier.classes_), self.rows

    def _read(self, outputs: Any, rows: NDArray[np.int64]) -> AnnotationTable | ClassOutputs:
        classes = class_outputs(outputs, self.column) if self.rules.is_classification else None
        if classes is not None:
            self._check_count(len(classes.values), len(rows))
            self._keep(classes.values)
            return classes
        cells = cells_of(outputs, self.column)
        self._check_count(len(cells), len(rows))
        self._keep(cells)
        uids = [self.uids[row] for row in rows]
        known = self.dataset.truth.labels
        return cells_table(cells, uids, self._indices(rows), known, self.rules)

    def _indices(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """Position of each row's datum in the dataset."""
        index_of = self.dataset.index_of
        return np.array([index_of[self.uids[row]] for row in rows], np.int32)

    def _keep(self, outputs: Sequence[Any] | NDArray[Any]) -> None:
        if self.keep:
            self.outputs.extend(outputs)

    def _check_count(self, outputs: int, rows: int) -> None:
        if outputs == rows:
            return
        at_once = f" evaluator_config={{'batch_size': {len(self.rows)}}} makes one batch of all."
        raise BadDataset(
            f"the model returned {outputs} outputs for {rows} rows: expected one for each, in "
            f"order; [] for no detections.{at_once if rows < len(self.rows) else ''}"
        )


def batch_predictor(
    dataset: Dataset,
    uids: Sequence[str],
    frame: Any,
    model: Any,
    column: str | None,
    task: str,
    config: Mapping[str, Any],
    keep: bool,
) -> BatchPredictor:
    """Make a predictor for a model, as the configuration says.

    Raises:
        UnknownName: ``features`` names a column that is not there.
        BadFilter: ``where`` has no meaning.
    """
    endpoint = endpoint_behind(model)
    default = BATCH_OF_A_TABLE if task == "tabular-classification" else BATCH
    return BatchPredictor(
        dataset,
        uids,
        selected_rows(dataset, uids, config.get("where")),
        _columns(frame, config.get("features")),
        model if endpoint is None else Endpoint(model),
        column,
        config.get("batch_size", default),
        config.get("probabilities", True),
        keep,
        CellRules.of({**config, "task": task}),
    )


def _columns(frame: Any, features: str | Sequence[str] | None) -> Any:
    if features is None:
        return frame
    names = [features] if isinstance(features, str) else list(features)
    for name in names:
        if name not in getattr(frame, "columns", ()):
            raise UnknownName("column of features", name, map(str, getattr(frame, "columns", ())))
    return frame[names]


def selected_rows(dataset: Dataset, uids: Sequence[str], where: Any) -> NDArray[np.int64]:
    """Return the positions of the rows whose datums a filter selects.

    A property that no datum has selects none: the evaluation refuses it by name.
    """
    datums = split_filter(parse_filter(where)).datums
    chosen = select(datums, dataset.datums, dataset.name, strict=False, truth=dataset.truth)
    return np.flatnonzero([chosen[dataset.index_of[uid]] for uid in uids])
