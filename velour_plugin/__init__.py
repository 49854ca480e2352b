"""Velour: the evaluation store for MLflow.

Which of all our models is best for this need, on data like this, and how sure are we?
Names below load when they are first used, so that importing Velour is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from velour_plugin.answers import Comparison as Comparison
    from velour_plugin.answers import Leaderboard as Leaderboard
    from velour_plugin.answers import Matches as Matches
    from velour_plugin.answers import Matrix as Matrix
    from velour_plugin.answers import Plan as Plan
    from velour_plugin.answers import Recommendation as Recommendation
    from velour_plugin.answers import Slices as Slices
    from velour_plugin.answers import Thresholds as Thresholds
    from velour_plugin.answers import Worst as Worst
    from velour_plugin.contracts.autologger import Autologger as Autologger
    from velour_plugin.contracts.formats import Format as Format
    from velour_plugin.domain.annotations import Annotation as Annotation
    from velour_plugin.domain.annotations import Datum as Datum
    from velour_plugin.domain.annotations import GroundTruth as GroundTruth
    from velour_plugin.domain.annotations import Prediction as Prediction
    from velour_plugin.domain.columns.annotation_table import AnnotationTable as AnnotationTable
    from velour_plugin.domain.columns.label_images import (
        annotations_of_label_image as annotations_of_label_image,
    )
    from velour_plugin.domain.dataset_builder import DatasetBuilder as DatasetBuilder
    from velour_plugin.domain.dataset_builder import build_dataset as build_dataset
    from velour_plugin.domain.datasets import Dataset as Dataset
    from velour_plugin.domain.embedding import Embedding as Embedding
    from velour_plugin.domain.evaluation import Certificate as Certificate
    from velour_plugin.domain.evaluation import EvaluatedRun as EvaluatedRun
    from velour_plugin.domain.evaluation import Evaluation as Evaluation
    from velour_plugin.domain.evaluation import Metric as Metric
    from velour_plugin.domain.facts import Facts as Facts
    from velour_plugin.domain.geometry import BoundingBox as BoundingBox
    from velour_plugin.domain.geometry import MultiPolygon as MultiPolygon
    from velour_plugin.domain.geometry import Polygon as Polygon
    from velour_plugin.domain.geometry import Raster as Raster
    from velour_plugin.domain.inputs.reading import ReadingReport as ReadingReport
    from velour_plugin.domain.inputs.reading import ReadingWarning as ReadingWarning
    from velour_plugin.domain.inputs.reading import reading as reading
    from velour_plugin.domain.labels import Label as Label
    from velour_plugin.domain.ledger import Ledger as Ledger
    from velour_plugin.domain.metadata import ImageMetadata as ImageMetadata
    from velour_plugin.domain.metadata import VideoFrameMetadata as VideoFrameMetadata
    from velour_plugin.domain.models import Model as Model
    from velour_plugin.evaluator import Evaluator as Evaluator
    from velour_plugin.filters.language.builder import field as field
    from velour_plugin.hookspecs import hookimpl as hookimpl
    from velour_plugin.partitions import PartitionedDataset as PartitionedDataset
    from velour_plugin.queries.query import CompareQuery as CompareQuery
    from velour_plugin.queries.query import MatchesQuery as MatchesQuery
    from velour_plugin.queries.query import MatrixQuery as MatrixQuery
    from velour_plugin.queries.query import PlanQuery as PlanQuery
    from velour_plugin.queries.query import Query as Query
    from velour_plugin.queries.query import RankQuery as RankQuery
    from velour_plugin.queries.query import RecommendQuery as RecommendQuery
    from velour_plugin.queries.query import SliceQuery as SliceQuery
    from velour_plugin.queries.query import ThresholdQuery as ThresholdQuery
    from velour_plugin.queries.query import WorstQuery as WorstQuery
    from velour_plugin.store import Candidate as Candidate
    from velour_plugin.store import Store as Store
    from velour_plugin.store import Version as Version
    from velour_plugin.store import VersionDiff as VersionDiff
    from velour_plugin.store import open_store as open_store
    from velour_plugin.use_cases.ask import compare as compare
    from velour_plugin.use_cases.ask import matches as matches
    from velour_plugin.use_cases.ask import matrix as matrix
    from velour_plugin.use_cases.ask import plan as plan
    from velour_plugin.use_cases.ask import rank as rank
    from velour_plugin.use_cases.ask import recommend as recommend
    from velour_plugin.use_cases.ask import slices as slices
    from velour_plugin.use_cases.ask import threshold as threshold
    from velour_plugin.use_cases.ask import worst as worst
    from velour_plugin.use_cases.autologging import autolog as autolog
    from velour_plugin.use_cases.evaluate import evaluate as evaluate
    from velour_plugin.use_cases.read_datasets import read_dataset as read_dataset

_HOME = {
    "Annotation": "domain.annotations",
    "AnnotationTable": "domain.columns.annotation_table",
    "Autologger": "contracts.autologger",
    "BoundingBox": "domain.geometry",
    "Candidate": "store",
    "Certificate": "domain.evaluation",
    "CompareQuery": "queries.query",
    "Comparison": "answers",
    "Dataset": "domain.datasets",
    "DatasetBuilder": "domain.dataset_builder",
    "Datum": "domain.annotations",
    "Embedding": "domain.embedding",
    "EvaluatedRun": "domain.evaluation",
    "Evaluation": "domain.evaluation",
    "Evaluator": "evaluator",
    "Facts": "domain.facts",
    "Format": "contracts.formats",
    "GroundTruth": "domain.annotations",
    "ImageMetadata": "domain.metadata",
    "Label": "domain.labels",
    "Leaderboard": "answers",
    "Ledger": "domain.ledger",
    "Matches": "answers",
    "MatchesQuery": "queries.query",
    "Matrix": "answers",
    "MatrixQuery": "queries.query",
    "Metric": "domain.evaluation",
    "Model": "domain.models",
    "MultiPolygon": "domain.geometry",
    "PartitionedDataset": "partitions",
    "Plan": "answers",
    "PlanQuery": "queries.query",
    "Polygon": "domain.geometry",
    "Prediction": "domain.annotations",
    "Query": "queries.query",
    "RankQuery": "queries.query",
    "Raster": "domain.geometry",
    "ReadingReport": "domain.inputs.reading",
    "ReadingWarning": "domain.inputs.reading",
    "RecommendQuery": "queries.query",
    "Recommendation": "answers",
    "SliceQuery": "queries.query",
    "Slices": "answers",
    "Store": "store",
    "ThresholdQuery": "queries.query",
    "Thresholds": "answers",
    "Version": "store",
    "VersionDiff": "store",
    "VideoFrameMetadata": "domain.metadata",
    "Worst": "answers",
    "WorstQuery": "queries.query",
    "annotations_of_label_image": "domain.columns.label_images",
    "autolog": "use_cases.autologging",
    "build_dataset": "domain.dataset_builder",
    "compare": "use_cases.ask",
    "evaluate": "use_cases.evaluate",
    "field": "filters.language.builder",
    "hookimpl": "hookspecs",
    "matches": "use_cases.ask",
    "matrix": "use_cases.ask",
    "open_store": "store",
    "plan": "use_cases.ask",
    "rank": "use_cases.ask",
    "read_dataset": "use_cases.read_datasets",
    "reading": "domain.inputs.reading",
    "recommend": "use_cases.ask",
    "slices": "use_cases.ask",
    "threshold": "use_cases.ask",
    "worst": "use_cases.ask",
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
    return sorted(__all__)
