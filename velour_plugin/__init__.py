"""Velour: the evaluation store for MLflow.

Which of all our models is best for this need, on data like this, and how sure are we?
Names below load when they are first used, so that importing Velour is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from velour_plugin.autologging import autolog as autolog
    from velour_plugin.domain.annotations import Annotation as Annotation
    from velour_plugin.domain.annotations import Datum as Datum
    from velour_plugin.domain.annotations import GroundTruth as GroundTruth
    from velour_plugin.domain.annotations import Prediction as Prediction
    from velour_plugin.domain.datasets import Dataset as Dataset
    from velour_plugin.domain.evaluation import Evaluation as Evaluation
    from velour_plugin.domain.evaluation import Metric as Metric
    from velour_plugin.domain.evaluation import Run as Run
    from velour_plugin.domain.facts import Facts as Facts
    from velour_plugin.domain.geometry import BoundingBox as BoundingBox
    from velour_plugin.domain.geometry import MultiPolygon as MultiPolygon
    from velour_plugin.domain.geometry import Polygon as Polygon
    from velour_plugin.domain.geometry import Raster as Raster
    from velour_plugin.domain.labels import Label as Label
    from velour_plugin.domain.ledger import Ledger as Ledger
    from velour_plugin.domain.metadata import ImageMetadata as ImageMetadata
    from velour_plugin.domain.metadata import VideoFrameMetadata as VideoFrameMetadata
    from velour_plugin.domain.models import Model as Model
    from velour_plugin.evaluation import evaluate as evaluate
    from velour_plugin.evaluator import Evaluator as Evaluator
    from velour_plugin.filters.builder import field as field
    from velour_plugin.hookspecs import hookimpl as hookimpl
    from velour_plugin.partitions import PartitionedDataset as PartitionedDataset
    from velour_plugin.ranking import compare as compare
    from velour_plugin.ranking import rank as rank
    from velour_plugin.ranking import recommend as recommend
    from velour_plugin.ranking import slices as slices
    from velour_plugin.ranking import worst as worst
    from velour_plugin.reading import read_dataset as read_dataset
    from velour_plugin.store import open_store as open_store

_HOME = {
    "Annotation": "domain.annotations",
    "BoundingBox": "domain.geometry",
    "Dataset": "domain.datasets",
    "Datum": "domain.annotations",
    "Evaluation": "domain.evaluation",
    "Evaluator": "evaluator",
    "Facts": "domain.facts",
    "GroundTruth": "domain.annotations",
    "ImageMetadata": "domain.metadata",
    "Label": "domain.labels",
    "Ledger": "domain.ledger",
    "Metric": "domain.evaluation",
    "Model": "domain.models",
    "MultiPolygon": "domain.geometry",
    "PartitionedDataset": "partitions",
    "Polygon": "domain.geometry",
    "Prediction": "domain.annotations",
    "Raster": "domain.geometry",
    "Run": "domain.evaluation",
    "VideoFrameMetadata": "domain.metadata",
    "autolog": "autologging",
    "compare": "ranking",
    "evaluate": "evaluation",
    "field": "filters.builder",
    "hookimpl": "hookspecs",
    "open_store": "store",
    "rank": "ranking",
    "read_dataset": "reading",
    "recommend": "ranking",
    "slices": "ranking",
    "worst": "ranking",
}

__all__ = [*_HOME, "errors", "hookspecs"]


def __getattr__(name: str) -> Any:
    if name in ("errors", "hookspecs"):
        return import_module(f"velour_plugin.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'velour_plugin' has no attribute {name!r}")
    value = getattr(import_module(f"velour_plugin.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
