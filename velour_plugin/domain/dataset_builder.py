"""Build a dataset step by step, from annotations that come one datum at a time.

Bad items are refused when they are added, not at the end.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any

from velour_plugin.domain.annotations import GroundTruth, Prediction, check_kind
from velour_plugin.domain.datasets import Dataset, check_dataset_name
from velour_plugin.domain.inputs.group_names import group_names
from velour_plugin.domain.metadata import encode_metadata
from velour_plugin.errors import BadDataset


def build_dataset(
    name: str, metadata: Mapping[str, Any] | None = None, groups: str | Iterable[str] = ()
) -> DatasetBuilder:
    """Begin a dataset to which ground truths and predictions are added one at a time.

    Args:
        name: of the dataset; its versions share it.
        metadata: of the dataset as a whole.
        groups: which datums belong together, such as ``video``; see :meth:`Dataset.with_groups`.

    Raises:
        BadDataset: the name is empty or no text.
        BadMetadata: a key or value cannot be stored.

    >>> from velour_plugin import Annotation, Datum, GroundTruth, Label, Prediction
    >>> builder, image = build_dataset("fires"), Datum("1")
    >>> builder.add_groundtruth(GroundTruth(image, [Annotation([Label("class", "fire")])]))
    >>> builder.add_prediction(Prediction(image, [Annotation([Label("class", "fire", 0.9)])]))
    >>> builder.finalize(model="yolo").model
    'yolo'
    """
    return DatasetBuilder(name, metadata, groups)


class DatasetBuilder:
    """A dataset that is still being made; :func:`build_dataset` begins one.

    Args:
        name: of the dataset.
        metadata: of the dataset as a whole.
        groups: which datums belong together.
    """

    def __init__(
        self, name: str, metadata: Mapping[str, Any] | None = None, groups: str | Iterable[str] = ()
    ) -> None:
        check_dataset_name(name)
        encode_metadata({} if metadata is None else metadata)
        self.name = name
        self.metadata = dict(metadata or {})
        self.groups = group_names(groups) if groups != () else ()
        self._groundtruths: dict[str, GroundTruth] = {}
        self._predictions: dict[str, Prediction] = {}
        self._finalized = False

    def add_groundtruth(self, groundtruth: GroundTruth) -> None:
        """Add a datum with all of its true annotations.

        Raises:
            BadDataset: the datum is there already, or the dataset is finalized.
        """
        self._check_new(groundtruth, GroundTruth, self._groundtruths)
        self._groundtruths[groundtruth.datum.uid] = groundtruth

    def add_prediction(self, prediction: Prediction) -> None:
        """Add all that the model predicts for a datum whose ground truth is there.

        Raises:
            BadDataset: the datum has no ground truth or is predicted already, or the dataset is
                finalized.
        """
        self._check_new(prediction, Prediction, self._predictions)
        uid = prediction.datum.uid
        if uid not in self._groundtruths:
            raise BadDataset(
                f"prediction for datum {uid!r}, which is not in dataset {self.name!r}: add its "
                "ground truth first, without annotations if it has none."
            )
        self._predictions[uid] = prediction

    def finalize(self, model: str | None = None) -> Dataset:
        """Return the finished dataset; nothing can be added afterwards.

        ``store.save_dataset(dataset)`` saves it as a numbered version.

        Args:
            model: name of the model whose predictions were added; a datum without a prediction
                counts as one on which it found nothing.

        Raises:
            BadDataset: there is no ground truth, or predictions have no model.
            UnknownName: no datum has a property that the groups are by.
        """
        if self._predictions and model is None:
            raise BadDataset(
                f"dataset {self.name!r} has predictions of a model without a name: "
                "builder.finalize(model='name')."
            )
        dataset = Dataset.from_groundtruths(
            self._groundtruths.values(), self.name, self.metadata, groups=self.groups
        )
        if model is not None:
            dataset = dataset.with_predictions(self._predictions.values(), model)
        self._finalized = True
        return dataset

    def _check_new(self, item: GroundTruth | Prediction, kind: type, uids: Container[str]) -> None:
        check_kind(item, kind)
        uid = item.datum.uid
        if self._finalized:
            raise BadDataset(
                f"dataset {self.name!r} is finalized: nothing is added to a version. Build the "
                "next one with velour.build_dataset, or extend a stored one with store.add_datums."
            )
        if uid in uids:
            raise BadDataset(
                f"datum {uid!r} of dataset {self.name!r} has a velour.{kind.__name__} already: put "
                "all annotations into one."
            )

    def __repr__(self) -> str:
        return (
            f"<DatasetBuilder {self.name!r}: {len(self._groundtruths):,} ground truths, "
            f"{len(self._predictions):,} predictions>"
        )
