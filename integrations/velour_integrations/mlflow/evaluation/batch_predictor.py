"""Runs a model on a dataset in batches and parses its output into columns.

Of a batch, only columns are kept: masks become RLE, boxes numbers, so memory is that of one
batch and of what is stored. The model does not see datums that the filter leaves out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_integrations.mlflow.datasets.cell_rules import CellRules
from velour_integrations.mlflow.datasets.columns import scores_table
from velour_integrations.mlflow.evaluation.endpoints import Endpoint, endpoint_behind
from velour_integrations.mlflow.evaluation.model_outputs import cells_of, cells_table, classes_of
from velour_plugin import AnnotationTable, Dataset
from velour_plugin.errors import BadDataset, UnknownName
from velour_plugin.plugin import parse_filter, select, split_filter, track

BATCH, BATCH_OF_A_TABLE = 256, 10_000
"""Rows of a batch: images are large, rows of a table are not."""

_logger = logging.getLogger("velour")


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
    disagreements: int = 0

    def table(self) -> AnnotationTable:
        """Run the model on all selected rows, and return its predictions.

        Raises:
            BadDataset: an output cannot be read, or there are not as many as rows.
        """
        count = -(-len(self.rows) // self.batch_size)
        parts = list(track(self._parts(), count, "running the model"))
        if self.disagreements:
            _logger.warning(
                "The classifier's labels are not those of the highest probability in %d of %d "
                "rows. Probabilities are evaluated; evaluator_config={'probabilities': False} "
                "takes its labels.",
                self.disagreements,
                len(self.rows),
            )
        return AnnotationTable.joined(parts, self.dataset.truth.labels)

    def _parts(self) -> Iterator[AnnotationTable]:
        classifier = classifier_behind(self.model)
        scores = self.probabilities and hasattr(classifier, "predict_proba")
        for first in range(0, len(self.rows), self.batch_size):
            rows = self.rows[first : first + self.batch_size]
            batch = self.frame.iloc[rows] if hasattr(self.frame, "iloc") else self.frame[rows]
            if classifier is None:
                yield self._read(self.model.predict(batch), rows)
            elif scores:
                yield self._probable(classifier, _features_of(classifier, batch), rows)
            else:
                labels = classifier.predict(_features_of(classifier, batch))
                yield self._read(np.asarray(labels), rows)

    def _probable(self, classifier: Any, batch: Any, rows: NDArray[np.int64]) -> AnnotationTable:
        """A classifier's probabilities; counts the rows whose label is not the most probable."""
        scores = np.asarray(classifier.predict_proba(batch))
        table = scores_table(scores, classifier.classes_, self._indices(rows))
        labels = np.asarray(classifier.predict(batch))
        likely = np.asarray(classifier.classes_)[scores.argmax(axis=1)]
        self.disagreements += int((labels != likely).sum())
        if self.keep:
            self.outputs.extend(labels)
        return table

    def _read(self, outputs: Any, rows: NDArray[np.int64]) -> AnnotationTable:
        classes = None if self.column else classes_of(outputs, self.dataset.truth.labels)
        if classes is not None:
            scores = np.asarray(outputs)
            self._check_count(len(scores), len(rows))
            self._keep(scores)
            return scores_table(scores, classes, self._indices(rows))
        cells = cells_of(outputs, self.column)
        self._check_count(len(cells), len(rows))
        self._keep(cells)
        uids = [self.uids[row] for row in rows]
        return cells_table(cells, uids, self._indices(rows), self.rules)

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


def classifier_behind(model: Any) -> Any:
    """Return the classifier in a model of scikit-learn, XGBoost and the like; ``None`` if none.

    MLflow's own evaluator uses it too, as predictions of such models are labels only.
    """
    try:
        raw = model.get_raw_model()
    except (AttributeError, NotImplementedError):
        return None
    classes: Any = getattr(raw, "classes_", None)
    return raw if np.ndim(classes) == 1 else None  # 2: several outputs a row


def _features_of(classifier: Any, batch: Any) -> Any:
    """The columns that a classifier was fitted with, so that a frame may have more."""
    fitted = getattr(classifier, "feature_names_in_", None)
    if fitted is None or not hasattr(batch, "columns"):
        return batch
    return batch[list(fitted)] if set(fitted) <= set(batch.columns) else batch
