"""Where a dataset is from: ``velour://name@digest``, a version in a store, and maybe files.

The digest names the content, so whatever leads to it leads to the same dataset: the version
that an evaluation stored, or else the files that it was read from, if they have not changed.
Every ``import mlflow`` loads this module: it imports nothing heavy.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlflow.data.dataset_source import DatasetSource

if TYPE_CHECKING:
    from velour_plugin import Dataset

SCHEME = "velour://"
DIGEST_LENGTH = 32  # MLflow stores at most 36


@dataclass(frozen=True)
class Files:
    """How a dataset was read: format, path, path of the metadata, names of numbered classes.

    Paths are absolute. ``labels`` is a path, or names by number; ``None`` if none were passed.
    """

    format: str
    path: str
    metadata: str | None = None
    labels: Any = None

    @classmethod
    def at(cls, format: str, path: Any, metadata: Any = None, labels: Any = None) -> Files:
        """Make the paths absolute, so that they hold in any working directory."""
        return cls(
            format, os.path.abspath(path), metadata and os.path.abspath(metadata), _kept(labels)
        )

    def read(self, name: str | None) -> Dataset:
        """Read and return the dataset."""
        import velour_plugin as velour

        return velour.read_dataset(
            self.path, self.format, name=name, metadata=self.metadata, labels=self.labels
        )

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON, without what is ``None``."""
        return {key: value for key, value in vars(self).items() if value is not None}


def _kept(labels: Any) -> Any:
    """Names of classes as JSON can hold them: a file's absolute path, or names by number."""
    if labels is None or isinstance(labels, (str, os.PathLike)):
        return labels and os.path.abspath(labels)
    from velour_plugin.plugin import numbered_names

    return {str(number): name for number, name in numbered_names(labels).items()}


class VelourDatasetSource(DatasetSource):
    """A version of a dataset, and the files that it was read from, if any."""

    def __init__(self, uri: str, files: Files | None = None):
        self.uri = uri
        self.files = files

    @classmethod
    def of(cls, dataset: Dataset, files: Files | None = None) -> VelourDatasetSource:
        """Make the source of a dataset, which names its content by digest."""
        return cls(f"{SCHEME}{dataset.name}@{dataset.digest[:DIGEST_LENGTH]}", files)

    @staticmethod
    def _get_source_type() -> str:
        return "velour"

    def load(self, store: str | None = None) -> Dataset:
        """Read the dataset back from the store; when it is not there, from its files.

        Args:
            store: URL of the store; ``VELOUR_STORE_URI`` or ``sqlite:///velour.db`` when left out.

        Raises:
            NotFound: the store has no version of that digest, and no files are known.
            BadDataset: it is not in the store, and the files have changed.
        """
        from velour_plugin.errors import NotFound, StoreUnavailable, UnknownName

        name, _, digest = self.uri.removeprefix(SCHEME).rpartition("@")
        try:
            return _stored(name, digest, store)
        except (NotFound, UnknownName, StoreUnavailable) as absent:
            if self.files is not None:
                return _unchanged(self.files, name, digest)
            if isinstance(absent, StoreUnavailable):
                raise
            raise NotFound(
                f"{self.uri} is not to be had ({absent}) Set VELOUR_STORE_URI to the store that "
                "the run was evaluated with."
            ) from absent

    @staticmethod
    def _can_resolve(raw_source: Any) -> bool:
        return isinstance(raw_source, str) and raw_source.startswith(SCHEME)

    @classmethod
    def _resolve(cls, raw_source: Any) -> VelourDatasetSource:
        return cls(raw_source)

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON; :meth:`from_dict` undoes it."""
        return {"uri": self.uri, **(self.files.to_dict() if self.files else {})}

    @classmethod
    def from_dict(cls, source_dict: Mapping[Any, Any]) -> VelourDatasetSource:
        """Undo :meth:`to_dict`."""
        fields = dict(source_dict)
        uri = fields.pop("uri")
        return cls(uri, Files(**fields) if fields else None)


def _stored(name: str, digest: str, url: str | None) -> Dataset:
    import velour_plugin as velour

    with velour.open_store(url, create=False) as store:
        for version in store.versions(name):
            if version.digest.startswith(digest):
                return store.load_dataset(name, version.number)
        raise velour.errors.NotFound(
            f"the store {store.display_url} has {name!r}, but no version {digest}."
        )


def _unchanged(files: Files, name: str, digest: str) -> Dataset:
    from velour_plugin.errors import BadDataset

    dataset = files.read(name)
    if not dataset.digest.startswith(digest):
        raise BadDataset(
            f"{files.path!r} has changed: its content is now {dataset.digest[:DIGEST_LENGTH]}, and "
            f"{digest} is asked for. Bring the files of then back, or set VELOUR_STORE_URI to the "
            "store that the run was evaluated with."
        )
    return dataset
