"""The evaluation store: an SQLite file by default, PostgreSQL with PostGIS for a team.

This is the only package that knows SQL; within it, ``sqlite.py`` and ``postgis.py``
are the only files that know one database from the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection

from velour_plugin.domain.annotations import Datum
from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.evaluation import Evaluation, Run
from velour_plugin.domain.labels import Label
from velour_plugin.domain.ledger import Ledger
from velour_plugin.domain.table import AnnotationTable
from velour_plugin.errors import NotFound, UnknownName
from velour_plugin.filters.interpret import check_properties
from velour_plugin.filters.swapped import warn_if_swapped
from velour_plugin.filters.tree import Node
from velour_plugin.partitions import PartitionedDataset
from velour_plugin.store.sql import (
    answer_cache,
    datasets,
    evaluations,
    expanded,
    filtering,
    growth,
    migrate,
)
from velour_plugin.store.sql.backend import Backend
from velour_plugin.store.values import Candidate, Version, VersionDiff
from velour_plugin.usage import in_use


class SqlStore:
    """An evaluation store in an SQL database.

    Every method is one transaction: all of what it writes is there afterwards, or none.
    """

    def __init__(self, url: URL, backend: Backend) -> None:
        self.backend = backend
        self.label = url.render_as_string(hide_password=True)
        self.engine = backend.open(url)

    def save_dataset(self, dataset: Dataset) -> Version:
        """Store a dataset's ground truth as a version; equal content is the same version."""
        with self._writing() as connection:
            version = datasets.save_version(connection, self.backend, dataset, dataset.digest)
        in_use.dataset = (version.dataset, version.digest)
        return version

    def load_dataset(self, name: str, version: int | None = None) -> Dataset:
        """Read a dataset version back, the newest by default.

        Raises:
            UnknownName: no dataset has that name.
            NotFound: it has no such version.
        """
        with self._reading() as connection:
            found = datasets.numbered(connection, name, version)
            in_use.dataset = (found.dataset, found.digest)
            return datasets.load_dataset(connection, name, found.number)

    def versions(self, name: str) -> list[Version]:
        """Versions of a dataset, the newest first.

        Raises:
            UnknownName: no dataset has that name.
        """
        with self._reading() as connection:
            datasets.newest_version(connection, name)
            return datasets.find_versions(connection, name)

    def dataset_names(self) -> list[str]:
        """Names of all datasets, sorted."""
        with self._reading() as connection:
            return datasets.dataset_names(connection)

    def save(self, evaluation: Evaluation, dataset: Dataset | PartitionedDataset) -> None:
        """Store an evaluation with the dataset and predictions that it judged.

        Args:
            evaluation: the outcome.
            dataset: the whole dataset, even if a filter narrowed the evaluation.
        """
        digest = evaluation.certificate.dataset_digest
        with self._writing() as connection:
            version = datasets.save_version(connection, self.backend, dataset, digest)
            evaluations.save_evaluation(connection, self.backend, version, dataset, evaluation)
        in_use.dataset = (version.dataset, version.digest)

    def load(self, evaluation_id: str) -> Evaluation:
        """Read an evaluation back.

        Raises:
            NotFound: no evaluation has that id.
        """
        with self._reading() as connection:
            return evaluations.load_evaluation(connection, evaluation_id)

    def link_run(self, evaluation_id: str, run: Run) -> None:
        """Say that a stored evaluation belongs to one more MLflow run."""
        with self._writing() as connection:
            evaluations.link_run(connection, evaluation_id, run)

    def candidates(self, dataset: str) -> list[Candidate]:
        """Every evaluation of a dataset, once for each run; the newest first.

        Raises:
            UnknownName: no dataset has that name.
        """
        with self._reading() as connection:
            datasets.newest_version(connection, dataset)
            return evaluations.candidates(connection, dataset)

    def evaluations_of(self, name: str) -> list[Candidate]:
        """Evaluations of a run by its id or name, of a model, or by their own id; newest first.

        Raises:
            UnknownName: nothing has that name; the nearest is named.
        """
        with self._reading() as connection:
            found = evaluations.candidates_named(connection, name)
            if not found:
                raise UnknownName("run", name, evaluations.run_names(connection))
            return found

    def datums(self, dataset: str, version_id: int) -> list[Datum]:
        """Datums of a version with their metadata and places, in order."""
        with self._reading() as connection:
            return datasets.load_datums(connection, self._version(connection, dataset, version_id))

    def metric_values(
        self, evaluation_ids: Sequence[str], name: str, label: Label | None = None
    ) -> dict[str, float | None]:
        """Stored values of a metric, by evaluation."""
        with self._reading() as connection:
            return evaluations.metric_values(connection, evaluation_ids, name, label)

    def metric_labels(self, evaluation_ids: Sequence[str], name: str) -> set[tuple[str, str]]:
        """Labels, as (key, value), that evaluations have a metric of."""
        with self._reading() as connection:
            return evaluations.metric_labels(connection, evaluation_ids, name)

    def metric_names(self, evaluation_ids: Sequence[str]) -> set[str]:
        """Names of the metrics that evaluations have."""
        with self._reading() as connection:
            return evaluations.metric_names(connection, evaluation_ids)

    def ledgers(self, evaluation_ids: Sequence[str]) -> Iterator[Ledger]:
        """Ledgers of evaluations, one at a time."""
        for number in evaluation_ids:
            with self._reading() as connection:
                ledger = evaluations.load_ledger(connection, number)
            yield ledger  # with the connection given back: nobody may come for the next one

    def load_judged_dataset(self, candidate: Candidate) -> Dataset:
        """Read back the version of the dataset that an evaluation judged, without predictions."""
        with self._reading() as connection:
            name = candidate.certificate.dataset
            version = self._version(connection, name, candidate.version_id)
            return datasets.load_dataset(connection, name, version.number)

    def load_predictions(self, candidate: Candidate) -> AnnotationTable:
        """Read back the predictions that an evaluation judged."""
        with self._reading() as connection:
            return evaluations.load_predictions(connection, candidate.evaluation_id)

    def expand_predictions(self, evaluation_id: str) -> int:
        """Lay predictions out as rows with geometry, for SQL and QGIS; returns how many.

        Raises:
            NotFound: no evaluation has that id.
        """
        with self._writing() as connection:
            return expanded.expand_predictions(connection, self.backend, evaluation_id)

    def drop_expanded(self, evaluation_id: str) -> int:
        """Remove the rows that :meth:`expand_predictions` laid out; returns how many."""
        with self._writing() as connection:
            return expanded.drop_expanded(connection, evaluation_id)

    def matching(self, dataset: str, version_id: int, where: Node | None) -> list[str]:
        """Uids of the datums of a version that a filter selects, in the version's order.

        Raises:
            UnknownName: no datum has a property that the filter names.
        """
        with self._reading() as connection:
            version = self._version(connection, dataset, version_id)
            if where is None:
                return datasets.select_uids(connection, version, None)
            check_properties(where, set(version.properties))

            def selected(node: Node) -> list[str]:
                condition = filtering.condition(node, self.backend, dataset)
                return datasets.select_uids(connection, version, condition)

            found = selected(where)
            if not found:
                warn_if_swapped(where, lambda other: bool(selected(other)))
            return found

    def add_datums(self, addition: Dataset) -> Version:
        """Make the next version of a dataset from its newest one and some more datums.

        Args:
            addition: the new datums with their truth, under the name of the dataset. A datum
                whose uid is there already takes that one's place.

        Raises:
            UnknownName: no dataset has that name.
        """
        with self._writing() as connection:
            return growth.add_datums(connection, self.backend, addition)

    def diff(self, name: str, before: int, after: int) -> VersionDiff:
        """What changed between two versions of a dataset, by their numbers.

        Raises:
            UnknownName: no dataset has that name.
            NotFound: it has no version of that number.
        """
        with self._reading() as connection:
            numbered = [datasets.numbered(connection, name, number) for number in (before, after)]
            return growth.diff_versions(connection, *numbered)

    def datum_digests(self, dataset: str, version_id: int) -> Mapping[str, str]:
        """What names each datum of a version with its ground truth, by uid."""
        with self._reading() as connection:
            version = self._version(connection, dataset, version_id)
            return growth.contents_of(connection, version)

    def _version(self, connection: Connection, dataset: str, version_id: int) -> Version:
        for version in datasets.find_versions(connection, dataset):
            if version.id == version_id:
                return version
        raise NotFound(f"dataset {dataset!r} has no version with the id {version_id!r}.")

    def answer(self, key: str, names: Sequence[str]) -> Any | None:
        """An answer about datasets that is stored and still valid, in one round trip."""
        with self._reading() as connection:
            return answer_cache.find_answer(connection, key, names)

    def keep_answer(self, key: str, names: Sequence[str], content: Any) -> None:
        """Keep an answer about datasets for as long as it is valid."""
        with self._writing() as connection:
            answer_cache.save_answer(connection, key, names, content)

    def close(self) -> None:
        """Close its connections."""
        self.engine.dispose()

    def __enter__(self) -> SqlStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Store {self.label}>"

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with migrate.reachable(self.label), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with migrate.reachable(self.label), self.engine.connect() as connection:
            writer = connection.execution_options(velour_writes=True)
            with writer.begin():
                yield writer
