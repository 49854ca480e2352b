import mlflow  # isort: skip  MLflow loads this module while it imports; it must be there first

"""Velour datasets as MLflow datasets: ``mlflow.data.from_velour``, and back from a run's input.

The digest is that of the whole content, and the schema is written down, not inferred:
MLflow's inference walks every cell and takes the better part of a minute on boxes. This module
is loaded by every ``import mlflow``, so it imports nothing else that is heavy.
No postponed annotations here: MLflow reads the return type of a constructor as a class.
"""
# ruff: noqa: D100, E402

import json
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlflow.data.dataset import Dataset as MlflowDataset
from mlflow.data.dataset_source import DatasetSource
from mlflow.data.evaluation_dataset import EvaluationDataset
from mlflow.data.pyfunc_dataset_mixin import PyFuncConvertibleDatasetMixin, PyFuncInputsOutputs

if TYPE_CHECKING:
    import pandas as pd

    from velour_plugin.domain.datasets import Dataset

TARGETS, PREDICTIONS = "ground_truth", "prediction"
_DIGEST_LENGTH = 32  # MLflow stores at most 36


class VelourDatasetSource(DatasetSource):
    """A version of a dataset in a Velour store: ``velour://name@digest``."""

    def __init__(self, uri: str):
        self.uri = uri

    @staticmethod
    def _get_source_type() -> str:
        return "velour"

    def load(self) -> "Dataset":
        """Read the version back from the default store.

        Raises:
            NotFound: the store has no version of that digest.
        """
        import velour_plugin as velour

        name, _, digest = self.uri.removeprefix("velour://").rpartition("@")
        with velour.open_store() as store:
            for version in store.versions(name):
                if version.digest.startswith(digest):
                    return store.load_dataset(name, version.number)
            raise velour.errors.NotFound(
                f"{self.uri}: the store {store.label} has no such version; set VELOUR_STORE_URI to "
                "the store that the run was evaluated with."
            )

    @staticmethod
    def _can_resolve(raw_source: Any) -> bool:
        return isinstance(raw_source, str) and raw_source.startswith("velour://")

    @classmethod
    def _resolve(cls, raw_source: Any) -> "VelourDatasetSource":
        return cls(raw_source)

    def to_dict(self) -> dict[str, Any]:
        """Spell it in JSON."""
        return {"uri": self.uri}

    @classmethod
    def from_dict(cls, source_dict: dict[Any, Any]) -> "VelourDatasetSource":
        """Undo :meth:`to_dict`."""
        return cls(source_dict["uri"])


class VelourDataset(MlflowDataset, PyFuncConvertibleDatasetMixin):
    """A Velour dataset for ``mlflow.models.evaluate(data=...)`` and ``mlflow.log_input``."""

    def __init__(
        self,
        velour: "Dataset",
        source: DatasetSource,
        name: str | None = None,
        digest: str | None = None,
    ):
        self.velour = velour
        super().__init__(source, name=name or velour.name, digest=digest)

    def _compute_digest(self) -> str:
        return self.velour.digest[:_DIGEST_LENGTH]

    @property
    def targets(self) -> str:
        """Name of the column of ground truths."""
        return TARGETS

    @property
    def predictions(self) -> str | None:
        """Name of the column of predictions; ``None`` when a model is still to make them."""
        return None if self.velour.predictions is None else PREDICTIONS

    @property
    def schema(self) -> dict[str, Any]:
        """What each row says of a datum."""
        described = [("uid", "string"), ("metadata", "object"), (TARGETS, "object")]
        described += [(PREDICTIONS, "object")] if self.predictions else []
        columns = [{"name": name, "type": kind, "required": True} for name, kind in described]
        return {"mlflow_colspec": columns}

    @property
    def profile(self) -> dict[str, Any]:
        """How much there is."""
        truth, said = self.velour.truth, self.velour.predictions
        counts = {"datums": len(self.velour), "annotations": len(truth)}
        if said is not None:
            counts["predictions"] = len(said)
        return {**counts, "labels": len(truth.labels), "content_digest": self.velour.digest}

    def to_dict(self) -> dict[str, str]:
        """Spell it in the JSON that MLflow keeps."""
        base: dict[str, str] = super().to_dict()
        return {**base, "schema": json.dumps(self.schema), "profile": json.dumps(self.profile)}

    def to_pyfunc(self) -> PyFuncInputsOutputs:
        """What a model is given, and what is true."""
        return PyFuncInputsOutputs(datum_frame(self.velour), truth_cells(self.velour))

    def to_evaluation_dataset(
        self, path: str | None = None, feature_names: list[str] | None = None
    ) -> EvaluationDataset:
        """What MLflow hands to evaluators."""
        return VelourEvaluationDataset(self, path, feature_names)


class VelourEvaluationDataset(EvaluationDataset):
    """MLflow's evaluation dataset, with the Velour dataset that it came from.

    Its cells are made when somebody asks: Velour itself reads the columns behind them.
    """

    def __init__(self, dataset: VelourDataset, path: str | None, feature_names: list[str] | None):
        self.velour = dataset.velour
        frame = datum_frame(dataset.velour)
        columns = feature_names or [str(name) for name in frame.columns]
        frame[TARGETS] = 0
        if dataset.predictions:
            frame[PREDICTIONS] = 0
        super().__init__(
            data=frame,
            targets=TARGETS,
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
        return _cells(list(said.annotations) for said in self.velour.predicted)


def from_velour(
    dataset: Any, source: Any = None, name: str | None = None, digest: str | None = None
) -> VelourDataset:
    """Make an MLflow dataset of a Velour dataset, with or without predictions.

    Args:
        dataset: a ``velour.Dataset``.
        source: where it is from; its version in the Velour store when left out.
        name: what people call it; the dataset's own name when left out.
        digest: what names its content; computed from all of it when left out.
    """
    from mlflow.data.dataset_source_registry import resolve_dataset_source

    uri = f"velour://{dataset.name}@{dataset.digest[:_DIGEST_LENGTH]}"
    resolved = VelourDatasetSource(uri) if source is None else source
    if not isinstance(resolved, DatasetSource):
        resolved = resolve_dataset_source(resolved)
    return VelourDataset(dataset, resolved, name, digest)


def datum_frame(dataset: "Dataset") -> "pd.DataFrame":
    """What a model is given: one row a datum, with its uid, place and plain metadata."""
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


def truth_cells(dataset: "Dataset") -> Any:
    """``(datums,)`` lists of true annotations."""
    return _cells(list(truth.annotations) for truth in dataset.groundtruths)


def _cells(lists: Iterable[Any]) -> Any:
    import numpy as np

    told = list(lists)
    cells = np.empty(len(told), dtype=object)
    for place, cell in enumerate(told):  # assigned at once, lists of one length become an axis
        cells[place] = cell
    return cells


__all__ = ["VelourDataset", "VelourDatasetSource", "from_velour", "mlflow"]
