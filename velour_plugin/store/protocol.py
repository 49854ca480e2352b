"""The protocol of a store: reading, writing, and answering queries; SQL stores implement it.

``velour_plugin.testing.stores.StoreContract`` tests a store for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from velour_plugin.domain.annotations import Datum
    from velour_plugin.domain.columns.annotation_table import AnnotationTable
    from velour_plugin.domain.datasets import Dataset
    from velour_plugin.domain.evaluation import EvaluatedRun, Evaluation
    from velour_plugin.domain.facts import Facts, FactValue
    from velour_plugin.domain.inputs.reading import ReadingReport
    from velour_plugin.domain.labels import Label
    from velour_plugin.domain.ledger import Ledger
    from velour_plugin.domain.models import Model
    from velour_plugin.filters import Node, Where
    from velour_plugin.partitions import PartitionedDataset
    from velour_plugin.queries.query import Query
    from velour_plugin.store.values import (
        Candidate,
        DatumSelection,
        RunState,
        Version,
        VersionDiff,
    )


Answer = TypeVar("Answer")


class Reader(Protocol):
    """The reading methods of a store."""

    def revision(self, datasets: Sequence[str] | None = None) -> int:
        """Return how many writes can have changed an answer about datasets; it only grows.

        Args:
            datasets: their names; ``None`` for the whole store.
        """

    def cached_answer(self, key: str, datasets: Sequence[str] | None) -> tuple[int, Any | None]:
        """Return the revision of datasets, and the answer cached at it, as JSON, or ``None``."""

    def dataset_names(self) -> list[str]:
        """Return the names of all datasets, sorted."""

    def versions(self, name: str) -> list[Version]:
        """Return the versions of a dataset, the newest first.

        Raises:
            UnknownName: no dataset has that name.
        """

    def load_dataset(self, name: str, version: int | None = None) -> Dataset:
        """Read a dataset version back by its number, the newest by default.

        Raises:
            UnknownName: no dataset has that name.
            NotFound: it has no such version.
        """

    def load_version(self, version: Version) -> Dataset:
        """Read a dataset version back: equal content, the same digest.

        Many queries may share it: its columns cannot be written to.
        """

    def datums(self, version: Version, ends: int | None = None) -> list[Datum]:
        """Return the datums of a version with their metadata and locations, in order.

        Args:
            version: of a dataset.
            ends: only so many from its beginning and its end; ``None`` for all.
        """

    def datum_digests(self, version: Version) -> Mapping[str, str]:
        """Return the digest of each datum of a version together with its ground truth, by uid."""

    def select_datums(self, version: Version, where: Node | None) -> DatumSelection:
        """Return the datums of a version that a filter selects, in the version's order.

        Raises:
            UnknownName: no datum has a property that the filter names.
        """

    def facts(
        self, dataset: str | Dataset, version: int | None = None, source: str | None = None
    ) -> dict[str, dict[str, FactValue]]:
        """Return facts about datums: by uid, then by name, ``fact.quality.blur`` or ``fact.tags``.

        Args:
            dataset: its name; or a dataset in memory, whose datums are found by their content.
            version: number of the version; the newest when left out.
            source: only facts of this source; ``None`` for all.

        Raises:
            UnknownName: there is no dataset of that name.
        """

    def models(self) -> list[Model]:
        """Return all stored models, sorted by name."""

    def load_model(self, name: str) -> Model:
        """Read a model back, by its name.

        Raises:
            UnknownName: no model has that name; the nearest is named.
        """

    def diff(self, name: str, before: int, after: int) -> VersionDiff:
        """Compare two versions of a dataset, by their numbers.

        Raises:
            UnknownName: no dataset has that name.
            NotFound: it has no version of that number.
        """

    def reading(self, version: Version) -> ReadingReport | None:
        """What the reader of a version noted when it was saved last; ``None`` where none did."""

    def predictions_reading(self, evaluation_id: str) -> ReadingReport | None:
        """What the reader of an evaluation's predictions noted; ``None`` where none did."""

    def candidates(self, dataset: str) -> list[Candidate]:
        """Return every evaluation of a dataset, once for each run; the newest first.

        Raises:
            UnknownName: no dataset has that name.
        """

    def evaluations_of(self, name: str) -> list[Candidate]:
        """Return evaluations of a run (id or name), of a model, or of that id; the newest first.

        Raises:
            UnknownName: nothing has that name; the nearest is named.
        """

    def load(self, evaluation_id: str) -> Evaluation:
        """Read an evaluation back exactly as it was saved; details when they are first read.

        Raises:
            NotFound: no evaluation has that id.
        """

    def load_predictions(self, evaluation_id: str) -> AnnotationTable:
        """Read back the predictions of an evaluation, by its id, on the datums of its version."""

    def predictions(
        self, subjects: Sequence[tuple[str, Sequence[str]]]
    ) -> Iterator[AnnotationTable]:
        """Yield the predictions of evaluations on some of their datums, decoded one at a time.

        All are read when this is called; the iterator works after the reader was released.

        Args:
            subjects: the id of each evaluation, and uids of the datums, in the version's order:
                rows of others are left out, and the rest refers to these by their index.

        Raises:
            NotFound: there is no evaluation of one of the ids.
        """

    def ledgers(self, evaluation_ids: Sequence[str]) -> Iterator[Ledger]:
        """Yield the ledgers of evaluations, decoded one at a time, in the order of the ids.

        All are read when this is called; the iterator works after the reader was released.

        Raises:
            NotFound: there is no ledger of one of them.
        """

    def metric_values(
        self, evaluation_ids: Sequence[str], name: str, label: Label | None = None
    ) -> dict[str, float | None]:
        """Return stored values of a metric, by evaluation id; evaluations without it are left out.

        Measured metrics are stored; details are computed from ledgers.
        """

    def metric_labels(self, evaluation_ids: Sequence[str], name: str) -> set[tuple[str, str]]:
        """Return the labels, as (key, value), for which any of the evaluations has a metric."""

    def metric_names(self, evaluation_ids: Sequence[str]) -> set[str]:
        """Return the names of the metrics that are stored of any of the evaluations."""


class Snapshot(Reader, Protocol):
    """A store at one moment: everything read before :meth:`release` is of one revision."""

    def release(self) -> None:
        """End the transaction, so that no writer waits for arithmetic.

        Later reads see later states. Versions and evaluations never change, so their
        content is the same; one that was deleted meanwhile is :class:`NotFound`.
        """


@runtime_checkable
class Store(Reader, Protocol):
    """An open evaluation store: each method is one transaction.

    Everything that a method writes is stored, or nothing.
    """

    @property
    def display_url(self) -> str:
        """Its URL without the password."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Context manager of a snapshot: reads inside the block are of one moment of the store."""

    def ask(self, query: Query[Answer]) -> Answer:
        """Answer a query, from the cache while nothing has changed."""

    def save_dataset(self, dataset: Dataset) -> Version:
        """Store a dataset's ground truth; return its version, the same for equal content."""

    def add_datums(self, addition: Dataset) -> Version:
        """Make and return the next version of a dataset: its newest one and some more datums.

        Args:
            addition: the new datums with their truth, under the name of the dataset. A datum
                whose uid is there already replaces the old one.

        Raises:
            UnknownName: no dataset has that name.
        """

    def save(self, evaluation: Evaluation, dataset: Dataset | PartitionedDataset) -> Version:
        """Store an evaluation with its dataset and predictions; return the dataset's version.

        Args:
            evaluation: to store.
            dataset: the whole dataset, even if a filter narrowed the evaluation.
        """

    def link_run(self, evaluation_id: str, run: EvaluatedRun) -> None:
        """Link a stored evaluation to one more MLflow run.

        Raises:
            NotFound: no evaluation has that id.
        """

    def save_run_states(self, states: Iterable[RunState]) -> None:
        """Store what a tracker says of runs; runs without an evaluation are passed over."""

    def write_facts(self, dataset: str, content: Facts, version: int | None = None) -> int:
        """Store the facts of a source about datums, replacing its earlier facts about them.

        Facts of older revisions of the source about other versions are deleted as well.

        Args:
            dataset: its name.
            content: the facts; a datum that they do not name has none of this source afterwards.
            version: number of the version whose datums they are about; the newest when left out.

        Returns:
            Number of values written.

        Raises:
            UnknownName: there is no such dataset, or it has no such datum.
        """

    def delete_facts(self, dataset: str, source: str) -> int:
        """Delete all facts of a source about a dataset; return the number of values.

        Raises:
            UnknownName: there is no such dataset, or it has no facts of the source.
        """

    def tag(
        self,
        dataset: str,
        tag: str,
        *,
        uids: Iterable[str] | None = None,
        where: Where = None,
        version: int | None = None,
    ) -> int:
        """Tag datums; filters use the tag as ``'night' IN (fact.tags)``.

        Args:
            dataset: its name.
            tag: any text.
            uids: the datums; ``None`` for all that ``where`` selects.
            where: a filter; ``None`` selects all.
            version: number of the version; the newest when left out.

        Returns:
            Number of datums that did not have the tag before.

        Raises:
            UnknownName: there is no such dataset, datum or property.
            InvalidInput: the tag is empty, or both uids and a filter are passed.
        """

    def untag(
        self,
        dataset: str,
        tag: str,
        *,
        uids: Iterable[str] | None = None,
        where: Where = None,
        version: int | None = None,
    ) -> int:
        """Remove a tag from datums, selected as for :meth:`tag`; return how many had it.

        Raises:
            UnknownName: there is no such dataset, tag, datum or property.
            InvalidInput: the tag is empty, or both uids and a filter are passed.
        """

    def save_model(self, model: Model) -> None:
        """Store a model, replacing the one of its name."""

    def keep_answer(self, key: str, revision: int, content: Any) -> None:
        """Cache an answer that was computed from the store at a revision."""

    def close(self) -> None:
        """Close the store's connections; it cannot be used afterwards."""

    def __enter__(self) -> Store:
        """Close it at the end of a ``with`` block."""

    def __exit__(self, *_: object) -> None:
        """Close it."""
