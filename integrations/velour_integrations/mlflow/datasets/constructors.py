"""Constructors of ``mlflow.data``: ``from_velour``, ``from_coco``, ``from_label_images`` and so on.

Each gives a dataset for ``mlflow.models.evaluate(data=...)`` and ``mlflow.log_input``. Its source
is its version in the Velour store, where an evaluation puts it; of files it remembers, too, where
they are and how they are read.

No postponed annotations here: MLflow reads the return type of a constructor as a class.
"""

import os
from typing import Any

from mlflow.data.dataset_source import DatasetSource

from velour_integrations.mlflow.datasets.data import Features, VelourDataset
from velour_integrations.mlflow.datasets.source import SCHEME, Files, VelourDatasetSource


def from_velour(
    dataset: Any,
    source: Any = None,
    name: str | None = None,
    digest: str | None = None,
    predictions: Any = None,
    model: str | None = None,
    **columns: Any,
) -> VelourDataset:
    """Make an MLflow dataset of a Velour dataset, with or without predictions.

    Args:
        dataset: a ``velour.Dataset``; the name of a stored one, or ``velour://name@digest``; or a
            pandas frame with a row a datum, of which MLflow then infers no schema.
        source: where it is from; its version in the Velour store when left out.
        name: what people call it; the dataset's own name when left out. A frame is then named
            after the file or table in ``source``, or after the MLflow experiment.
        digest: what names its content; computed from all of it when left out.
        predictions: ``velour.Prediction`` objects, a file in the dataset's format, or the column
            of a frame; those that the dataset has when left out.
        model: the name of the model that predicted; that of the run when left out.
        columns: of a frame: ``targets`` holds the ground truth, ``uid``, ``latitude`` and
            ``longitude`` may be named. Where cells are label images, ``labels`` names the
            classes in the order of their numbers.
    """
    if hasattr(dataset, "columns"):
        return _of_frame(
            dataset, columns, predictions, model, source=source, name=name, digest=digest
        )
    known = _known(dataset, predictions, model, columns)
    return _made(known, source or VelourDatasetSource.of(known), name, digest)


def from_coco(
    path: Any,
    predictions: Any = None,
    model: str | None = None,
    metadata: Any = None,
    name: str | None = None,
    digest: str | None = None,
    source: Any = None,
) -> VelourDataset:
    """Make an MLflow dataset of COCO instances, and maybe a model's results.

    Args:
        path: the instances file.
        predictions: a results file, or ``velour.Prediction`` objects; leave them out to
            evaluate a model.
        model: the name of the model that predicted; that of the run when left out.
        metadata: a CSV or JSON file with one record an image, as in ``velour.read_dataset``.
        name: what people call the dataset; the file's name when left out.
        digest: what names its content; computed from all of it when left out.
        source: where it is from; the stored version, else the files, when left out.
    """
    files = Files.at("coco", path, metadata)
    return _read(files, predictions, model, name=name, digest=digest, source=source)


def from_geojson(
    path: Any,
    predictions: Any = None,
    model: str | None = None,
    metadata: Any = None,
    name: str | None = None,
    digest: str | None = None,
    source: Any = None,
) -> VelourDataset:
    """Make an MLflow dataset of GeoJSON: a folder with a file an image, or one file of all.

    The other arguments are those of ``mlflow.data.from_coco``; predictions are GeoJSON with scores.
    """
    files = Files.at("geojson", path, metadata)
    return _read(files, predictions, model, name=name, digest=digest, source=source)


def from_label_images(
    truth: Any,
    predictions: Any = None,
    model: str | None = None,
    metadata: Any = None,
    name: str | None = None,
    digest: str | None = None,
    source: Any = None,
    *,
    labels: Any = None,
    uids: Any = None,
) -> VelourDataset:
    """Make an MLflow dataset of label images, and maybe a model's.

    Args:
        truth: a folder of PNG files; or of each datum an array, a volume of one-hot, or the path
            of a PNG file, as ``velour.Dataset.from_label_images`` takes them.
        predictions: likewise; leave them out to evaluate a model.
        model: the name of the model that predicted; that of the run when left out.
        metadata: of a folder a CSV or JSON file with one record an image; else one mapping a datum.
        name: what people call the dataset; when left out, that of the folder or the experiment.
        digest: what names its content; computed from all of it when left out.
        source: where it is from; the stored version, else the folder, when left out.
        labels: names of the classes in the order of their numbers, a mapping of numbers to names,
            or a file of either; of a folder, the file ``classes.txt`` beside it when left out.
        uids: names of the datums, which are numbered from 0 when left out; files have names.
    """
    if isinstance(truth, (str, os.PathLike)):
        _refuse_uids(uids)
        files = Files.at("label-images", truth, metadata, labels)
        return _read(files, predictions, model, name=name, digest=digest, source=source)
    dataset = _of_label_images(
        truth, predictions, model, name=name, labels=labels, uids=uids, metadata=metadata
    )
    return _made(dataset, source or VelourDatasetSource.of(dataset), name, digest)


def from_voc(
    path: Any,
    predictions: Any = None,
    model: str | None = None,
    metadata: Any = None,
    name: str | None = None,
    digest: str | None = None,
    source: Any = None,
) -> VelourDataset:
    """Make an MLflow dataset of Pascal VOC: a folder with Annotations, or a list in ImageSets.

    The other arguments are those of ``mlflow.data.from_coco``; predictions are a folder of XML
    files with confidences, or of the devkit's lists.
    """
    files = Files.at("voc", path, metadata)
    return _read(files, predictions, model, name=name, digest=digest, source=source)


def from_yolo(
    path: Any,
    predictions: Any = None,
    model: str | None = None,
    metadata: Any = None,
    name: str | None = None,
    digest: str | None = None,
    source: Any = None,
) -> VelourDataset:
    """Make an MLflow dataset of YOLO: a data.yaml, or a folder of labels or images.

    The other arguments are those of ``mlflow.data.from_coco``; predictions are a folder of label
    files with confidences, and ``metadata`` may tell ``width`` and ``height``.
    """
    files = Files.at("yolo", path, metadata)
    return _read(files, predictions, model, name=name, digest=digest, source=source)


_ROLES = ("targets", "uid", "latitude", "longitude", "labels")
"""Arguments of :func:`from_velour` that are about columns of a frame."""


def _of_frame(
    frame: Any,
    columns: dict[str, Any],
    predictions: Any,
    model: str | None,
    *,
    source: Any,
    name: str | None,
    digest: str | None,
) -> VelourDataset:
    """An MLflow dataset that hands a model the frame's columns as they are."""
    from velour_integrations.mlflow.datasets.frame_names import frame_name
    from velour_integrations.mlflow.datasets.frames import dataset_of_frame

    _check_roles(columns)
    resolved = None if source is None else _resolved(source)
    known = name or frame_name(None if resolved is None else resolved.to_dict())
    targets = columns.pop("targets", None)
    dataset, features = dataset_of_frame(frame, targets, predictions, model or "", known, columns)
    given = resolved or VelourDatasetSource.of(dataset)
    return VelourDataset(dataset, given, name, digest, Features(features, targets, predictions))


def _check_roles(columns: dict[str, Any]) -> None:
    from velour_plugin.errors import UnknownName

    for key in columns:
        if key not in _ROLES:
            raise UnknownName("argument of from_velour", key, _ROLES)


def _refuse_uids(uids: Any) -> None:
    from velour_plugin.errors import InvalidInput

    if uids is not None:
        raise InvalidInput("uids: images in a folder are named by their files: leave uids out.")


def _of_label_images(
    truth: Any, predictions: Any, model: str | None, *, name: str | None, **options: Any
) -> Any:
    """The Velour dataset of label images in memory, or of the paths of single files."""
    import velour_plugin as velour
    from velour_integrations.mlflow.datasets.frame_names import experiment_name

    dataset = velour.Dataset.from_label_images(
        name or experiment_name(), truth, predictions, model=model or "", **options
    )
    return dataset if predictions is not None else _with_predictions(dataset, None, model)


def _known(dataset: Any, predictions: Any, model: str | None, columns: dict[str, Any]) -> Any:
    """The Velour dataset: the one passed, or the stored one of that name."""
    import velour_plugin as velour

    _check_roles(columns)
    if columns:
        raise velour.errors.InvalidInput(
            f"{', '.join(columns)}: columns of a pandas frame, and this is a "
            f"{type(dataset).__name__}."
        )
    if isinstance(dataset, str):
        dataset = _loaded(dataset)
    if not isinstance(dataset, velour.Dataset):
        raise velour.errors.InvalidInput(
            f"{dataset!r}: expected a velour.Dataset, the name of a stored one, or a pandas frame."
        )
    return _with_predictions(dataset, predictions, model)


def _loaded(name: str) -> Any:
    import velour_plugin as velour

    if name.startswith(SCHEME):
        return VelourDatasetSource(name).load()
    with velour.open_store(create=False) as store:
        return store.load_dataset(name)


def _with_predictions(dataset: Any, predictions: Any, model: str | None) -> Any:
    from velour_plugin.errors import InvalidInput

    if predictions is not None:
        return dataset.with_predictions(predictions, model or "")
    if model is not None:
        raise InvalidInput(
            f"model {model!r}: it names who made the predictions given beside it, and there are "
            "none; a model to ask is given to mlflow.models.evaluate."
        )
    return dataset


def _read(
    files: Files,
    predictions: Any,
    model: str | None,
    *,
    name: str | None,
    digest: str | None,
    source: Any,
) -> VelourDataset:
    dataset = _with_predictions(files.read(name), predictions, model)
    return _made(dataset, source or VelourDatasetSource.of(dataset, files), name, digest)


def _made(dataset: Any, source: Any, name: str | None, digest: str | None) -> VelourDataset:
    return VelourDataset(dataset, _resolved(source), name, digest)


def _resolved(source: Any) -> DatasetSource:
    from mlflow.data.dataset_source_registry import resolve_dataset_source

    return source if isinstance(source, DatasetSource) else resolve_dataset_source(source)
