"""Velour datasets as MLflow datasets, for evaluation and as inputs of runs.

The digest is that of the whole content, and the schema is written down, not inferred:
MLflow's inference walks every cell and takes the better part of a minute on boxes.
Every ``import mlflow`` loads this module: it imports nothing that MLflow does not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlflow.data.dataset import Dataset as MlflowDataset
from mlflow.data.dataset_source import DatasetSource
from mlflow.data.evaluation_dataset import EvaluationDataset
from mlflow.data.pyfunc_dataset_mixin import PyFuncConvertibleDatasetMixin, PyFuncInputsOutputs

from velour_integrations.mlflow.datasets.source import DIGEST_LENGTH

if TYPE_CHECKING:
    import pandas as pd

    from velour_plugin import Dataset

TARGETS, PREDICTIONS = "ground_truth", "prediction"


@dataclass(frozen=True)
class Features:
    """The frame that a dataset was made of.

    Args:
        frame: what a model is given: rows in the order of the datums, columns as they were.
        targets: name of the column of ground truth, which is not in it.
        predictions: name of the column of predictions, which is not in it either.
    """

    frame: pd.DataFrame
    targets: str
    predictions: str | None = None


class VelourDataset(MlflowDataset, PyFuncConvertibleDatasetMixin):
    """A Velour dataset for ``mlflow.models.evaluate(data=...)`` and ``mlflow.log_input``."""

    def __init__(
        self,
        velour: Dataset,
        source: DatasetSource,
        name: str | None = None,
        digest: str | None = None,
        features: Features | None = None,
    ):
        self.velour = velour
        self._features = features
        super().__init__(source, name=name or velour.name, digest=digest)

    def __repr__(self) -> str:
        return f"<VelourDataset {self.name!r} for MLflow, of {self.velour!r}>"

    def _compute_digest(self) -> str:
        return self.velour.digest[:DIGEST_LENGTH]

    @property
    def targets(self) -> str:
        """Name of the column of ground truths."""
        return TARGETS if self._features is None else self._features.targets

    @property
    def predictions(self) -> str | None:
        """Name of the column of predictions; ``None`` when a model is still to make them."""
        if self.velour.predictions is None:
            return None
        return PREDICTIONS if self._features is None else self._features.predictions

    @property
    def features(self) -> pd.DataFrame:
        """What a model is given, a row a datum: the columns of the frame that it was made of."""
        return datum_frame(self.velour) if self._features is None else self._features.frame.copy()

    @property
    def schema(self) -> dict[str, Any]:
        """Columns of a row, with names and types, as MLflow's JSON."""
        described = [("uid", "string"), ("metadata", "object"), (self.targets, "object")]
        described += [(self.predictions, "object")] if self.predictions else []
        columns = [{"name": name, "type": kind, "required": True} for name, kind in described]
        return {"mlflow_colspec": columns}

    @property
    def profile(self) -> dict[str, Any]:
        """Numbers of datums, annotations and labels."""
        truth, predictions = self.velour.truth, self.velour.predictions
        counts = {"datums": len(self.velour), "annotations": len(truth)}
        if predictions is not None:
            counts["predictions"] = len(predictions)
        return {**counts, "labels": len(truth.labels), "content_digest": self.velour.digest}

    def to_dict(self) -> dict[str, str]:
        """Convert to the JSON that MLflow keeps of a dataset."""
        base: dict[str, str] = super().to_dict()
        return {**base, "schema": json.dumps(self.schema), "profile": json.dumps(self.profile)}

    def to_pyfunc(self) -> PyFuncInputsOutputs:
        """Return the model's input and the ground truth, as MLflow's ``PyFuncInputsOutputs``."""
        return PyFuncInputsOutputs(self.features, truth_cells(self.velour))

    def to_evaluation_dataset(
        self, path: str | None = None, feature_names: list[str] | None = None
    ) -> EvaluationDataset:
        """Return the dataset that MLflow gives to evaluators."""
        return VelourEvaluationDataset(self, path, feature_names)


class VelourEvaluationDataset(EvaluationDataset):
    """MLflow's evaluation dataset, with the Velour dataset that it came from.

    Its cells are made at their first use: Velour itself reads the columns behind them.
    """

    def __init__(self, dataset: VelourDataset, path: str | None, feature_names: list[str] | None):
        self.velour = dataset.velour
        frame = dataset.features
        columns = feature_names or list(frame.columns)
        frame[dataset.targets] = 0
        if dataset.predictions:
            frame[dataset.predictions] = 0
        super().__init__(
            data=frame,
            targets=dataset.targets,
            predictions=dataset.predictions,
            name=dataset.name,
            path=path,
            feature_names=columns,
            digest=dataset.digest,
        )

    @cached_property
    def labels_data(self) -> Any:
        """``(datums,)`` lists of true annotations."""
        return truth_cells(self.velour)

    @cached_property
    def predictions_data(self) -> Any:
        """``(datums,)`` lists of predicted annotations."""
        if self.velour.predictions is None:
            return None
        return _cells(list(prediction.annotations) for prediction in self.velour.predicted)


def datum_frame(dataset: Dataset) -> pd.DataFrame:
    """Make the frame that a model is given: a row a datum, with uid, place and plain metadata."""
    import pandas as pd

    rows = []
    for datum in dataset.datums:
        centre = None if datum.location is None else datum.location.centroid
        plain = {k: v for k, v in datum.metadata.items() if isinstance(v, (str, int, float))}
        rows.append(
            {
                "uid": datum.uid,
                **({} if centre is None else {"latitude": centre.y, "longitude": centre.x}),
                **plain,
            }
        )
    return pd.DataFrame(rows)


def truth_cells(dataset: Dataset) -> Any:
    """Return ``(datums,)`` lists of true annotations, as objects."""
    return _cells(list(truth.annotations) for truth in dataset.groundtruths)


def _cells(lists: Iterable[Any]) -> Any:
    import numpy as np

    rows = list(lists)
    cells = np.empty(len(rows), dtype=object)
    for row, cell in enumerate(rows):  # assigned at once, lists of one length become an axis
        cells[row] = cell
    return cells
