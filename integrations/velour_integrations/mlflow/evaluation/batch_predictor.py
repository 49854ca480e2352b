"""Ask a model about a dataset, batch by batch, and read its answers into columns.

Of a batch, only columns are kept: masks become runs of pixels, boxes numbers, so memory is that
of one batch and of what is stored. Nobody is asked about datums that the filter leaves out.
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
"""Rows asked about at once: images are large, rows of a table are not."""

_logger = logging.getLogger("velour")


@dataclass
class Interview:
    """Who is asked, about what, and how the answers are read.

    Args:
        dataset: whose datums the rows are.
        uids: the datum of each row.
        rows: ``(asked,)`` positions of the rows that are asked about.
        frame: what the model is given: a frame or array of all rows.
        model: has ``predict``.
        column: of the model's output, when it has several.
        batch_size: rows asked about at once.
        probabilities: judge a classifier's probabilities when it has them.
        keep: keep the answers as they were given, in ``answers``; memory grows with them.
        rules: how answers that are cells are read.
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
    answers: list[Any] = field(default_factory=list)
    other_mind: int = 0

    def table(self) -> AnnotationTable:
        """Ask, and read.

        Raises:
            BadDataset: an answer cannot be read, or there are not as many as rows.
        """
        count = -(-len(self.rows) // self.batch_size)
        parts = list(track(self._parts(), count, "asking the model"))
        if self.other_mind:
            _logger.warning(
                "The classifier's labels are not those of the highest probability in %d of %d "
                "rows. Probabilities are judged; evaluator_config={'probabilities': False} judges "
                "its labels.",
                self.other_mind,
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
                said = classifier.predict(_features_of(classifier, batch))
                yield self._read(np.asarray(said), rows)

    def _probable(self, classifier: Any, batch: Any, rows: NDArray[np.int64]) -> AnnotationTable:
        """A classifier's probabilities, and whether its labels say the same."""
        scores = np.asarray(classifier.predict_proba(batch))
        table = scores_table(scores, classifier.classes_, self._places(rows))
        said = np.asarray(classifier.predict(batch))
        likely = np.asarray(classifier.classes_)[scores.argmax(axis=1)]
        self.other_mind += int((said != likely).sum())
        if self.keep:
            self.answers.extend(said)
        return table

    def _read(self, said: Any, rows: NDArray[np.int64]) -> AnnotationTable:
        classes = None if self.column else classes_of(said, self.dataset.truth.labels)
        if classes is not None:
            scores = np.asarray(said)
            self._check_count(len(scores), len(rows))
            self._keep(scores)
            return scores_table(scores, classes, self._places(rows))
        cells = cells_of(said, self.column)
        self._check_count(len(cells), len(rows))
        self._keep(cells)
        uids = [self.uids[row] for row in rows]
        return cells_table(cells, uids, self._places(rows), self.rules)

    def _places(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        place = self.dataset.index_of
        return np.array([place[self.uids[row]] for row in rows], np.int32)

    def _keep(self, said: Sequence[Any] | NDArray[Any]) -> None:
        if self.keep:
            self.answers.extend(said)

    def _check_count(self, answers: int, rows: int) -> None:
        if answers == rows:
            return
        at_once = (
            f" evaluator_config={{'batch_size': {len(self.rows)}}} asks about all rows at once."
        )
        raise BadDataset(
            f"the model gave {answers} answers for {rows} rows: one for each, in order; [] where "
            f"nothing was found.{at_once if rows < len(self.rows) else ''}"
        )


def interview(
    dataset: Dataset,
    uids: Sequence[str],
    frame: Any,
    model: Any,
    column: str | None,
    task: str,
    config: Mapping[str, Any],
    keep: bool,
) -> Interview:
    """Prepare to ask a model what the configuration wants to know.

    Raises:
        UnknownName: ``features`` names a column that is not there.
        BadFilter: ``where`` has no meaning.
    """
    endpoint = endpoint_behind(model)
    usual = BATCH_OF_A_TABLE if task == "tabular-classification" else BATCH
    return Interview(
        dataset,
        uids,
        selected_rows(dataset, uids, config.get("where")),
        _columns(frame, config.get("features")),
        model if endpoint is None else Endpoint(model),
        column,
        config.get("batch_size", usual),
        config.get("probabilities", True),
        keep,
        CellRules.of({**config, "task": task}),
    )


def _columns(frame: Any, wanted: str | Sequence[str] | None) -> Any:
    if wanted is None:
        return frame
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    for name in names:
        if name not in getattr(frame, "columns", ()):
            raise UnknownName("column of features", name, map(str, getattr(frame, "columns", ())))
    return frame[names]


def selected_rows(dataset: Dataset, uids: Sequence[str], where: Any) -> NDArray[np.int64]:
    """Positions of the rows whose datums a filter selects.

    A property that no datum has selects none: the evaluation refuses it by name.
    """
    datums = split_filter(parse_filter(where)).datums
    chosen = select(datums, dataset.datums, dataset.name, strict=False, truth=dataset.truth)
    return np.flatnonzero([chosen[dataset.index_of[uid]] for uid in uids])


def classifier_behind(model: Any) -> Any:
    """The classifier in a model of the flavour of scikit-learn, XGBoost and the like, or ``None``.

    MLflow's own evaluator asks it too, as predictions of such models are labels only.
    """
    try:
        raw = model.get_raw_model()
    except (AttributeError, NotImplementedError):
        return None
    classes: Any = getattr(raw, "classes_", None)
    return raw if np.ndim(classes) == 1 else None  # 2: several answers a row


def _features_of(classifier: Any, batch: Any) -> Any:
    """The columns that a classifier was fitted with, so that a frame may have more."""
    fitted = getattr(classifier, "feature_names_in_", None)
    if fitted is None or not hasattr(batch, "columns"):
        return batch
    return batch[list(fitted)] if set(fitted) <= set(batch.columns) else batch
