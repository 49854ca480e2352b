"""An evaluation store in an SQL database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, TypeVar

from sqlalchemy import URL, Connection

from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.evaluation import EvaluatedRun, Evaluation
from velour_plugin.domain.facts import Facts, checked_text
from velour_plugin.domain.models import Model
from velour_plugin.errors import InvalidInput, StoreUnavailable
from velour_plugin.filters import Where, parse_filter
from velour_plugin.helpers.representation import shortened
from velour_plugin.helpers.store_urls import masked_url
from velour_plugin.helpers.usage import in_use
from velour_plugin.partitions import PartitionedDataset
from velour_plugin.plugins.installed import installed
from velour_plugin.queries.query import Query
from velour_plugin.store.memory import LEDGERS_IN_MEMORY, VERSIONS_IN_MEMORY, BoundedCache
from velour_plugin.store.sql.databases.backend import Backend
from velour_plugin.store.sql.databases.driver_errors import reachable, word_values
from velour_plugin.store.sql.reader import SqlReader, SqlSnapshot
from velour_plugin.store.sql.records import (
    answer_cache,
    datasets,
    evaluations,
    expanded,
    facts,
    growth,
    models,
)
from velour_plugin.store.sql.records.revisions import STORE, advance
from velour_plugin.store.values import RunState, Version

Answer = TypeVar("Answer")


class SqlStore(SqlReader):
    """An evaluation store in an SQL database (:class:`velour_plugin.store.Store`).

    Every method is one transaction: everything that it writes is stored, or nothing.
    """

    def __init__(self, url: URL, backend: Backend) -> None:
        self.backend = backend
        self.known_ledgers = BoundedCache(LEDGERS_IN_MEMORY)
        self.known_versions = BoundedCache(VERSIONS_IN_MEMORY)
        self.url = url.render_as_string(hide_password=False)
        self.display_url = masked_url(self.url)
        self.engine = backend.open(url)
        word_values(self.engine)

    @contextmanager
    def snapshot(self) -> Iterator[SqlSnapshot]:
        """Context manager of a snapshot: reads inside the block are of one moment of the store."""
        snapshot = SqlSnapshot(self, self._connected(**self.backend.snapshot_options))
        try:
            yield snapshot
        finally:
            snapshot.release()

    def ask(self, query: Query[Answer]) -> Answer:
        """Answer a query, from the cache while nothing has changed."""
        from velour_plugin.ranking import answer  # it imports the store's protocol

        return answer(self, query)

    def save_dataset(self, dataset: Dataset) -> Version:
        """Store a dataset's ground truth; return its version, the same for equal content."""
        _check_kind(dataset, Dataset)
        with self._writing(dataset.name) as connection:
            version = datasets.save_version(connection, self.backend, dataset, dataset.digest)
        return self._announced(version)

    def add_datums(self, addition: Dataset) -> Version:
        """Make and return the next version of a dataset: its newest one and some more datums."""
        _check_kind(addition, Dataset)
        with self._writing(addition.name) as connection:
            version = growth.add_datums(connection, self.backend, addition)
        return self._announced(version)

    def save(self, evaluation: Evaluation, dataset: Dataset | PartitionedDataset) -> Version:
        """Store an evaluation with its dataset and predictions; return the dataset's version."""
        _check_kind(evaluation, Evaluation)
        _check_kind(dataset, Dataset, PartitionedDataset)
        digest = evaluation.certificate.dataset_digest
        with self._writing(dataset.name) as connection:
            version = datasets.save_version(connection, self.backend, dataset, digest)
            evaluations.save_evaluation(connection, self.backend, version, dataset, evaluation)
        self.known_ledgers.forget(evaluation.id)  # it may have replaced a damaged one
        return self._announced(version)

    def link_run(self, evaluation_id: str, run: EvaluatedRun) -> None:
        """Link a stored evaluation to one more MLflow run."""
        _check_kind(run, EvaluatedRun)
        with self._writing() as connection:
            dataset = evaluations.dataset_of(connection, evaluation_id)
            evaluations.link_run(connection, evaluation_id, run)
            advance(connection, [dataset])

    def save_run_states(self, states: Iterable[RunState]) -> None:
        """Store what a tracker says of runs; runs without an evaluation are passed over."""
        with self._writing() as connection:
            advance(connection, evaluations.save_run_states(connection, states))

    def write_facts(self, dataset: str, content: Facts, version: int | None = None) -> int:
        """Store a source's facts about datums, replacing earlier ones; return how many values."""
        _check_kind(content, Facts)
        with self._writing(dataset) as connection:
            about = datasets.numbered(connection, dataset, version)
            return facts.save_facts(connection, self.backend, about, content)

    def delete_facts(self, dataset: str, source: str) -> int:
        """Delete all facts of a source about a dataset; return the number of values."""
        with self._writing(dataset) as connection:
            datasets.known_versions(connection, dataset)
            return facts.delete_facts(connection, dataset, source)

    def tag(
        self,
        dataset: str,
        tag: str,
        *,
        uids: Iterable[str] | None = None,
        where: Where = None,
        version: int | None = None,
    ) -> int:
        """Tag datums, all of them by default; return how many did not have the tag."""
        about, chosen = self._chosen(dataset, tag, uids, where, version)
        with self._writing(dataset) as connection:
            return facts.tag(connection, self.backend, about, tag, chosen)

    def untag(
        self,
        dataset: str,
        tag: str,
        *,
        uids: Iterable[str] | None = None,
        where: Where = None,
        version: int | None = None,
    ) -> int:
        """Remove a tag from datums, selected as for :meth:`tag`; return how many had it."""
        about, chosen = self._chosen(dataset, tag, uids, where, version)
        with self._writing(dataset) as connection:
            return facts.untag(connection, self.backend, about, tag, chosen)

    def save_model(self, model: Model) -> None:
        """Store a model, replacing the one of its name."""
        _check_kind(model, Model)
        with self._writing(STORE) as connection:
            models.save_model(connection, self.backend, model)

    def expand_predictions(self, evaluation_id: str) -> int:
        """Write predictions as rows with geometry, for SQL and QGIS; return their number.

        Raises:
            NotFound: no evaluation has that id.
        """
        with self._writing() as connection:
            return expanded.expand_predictions(connection, self.backend, evaluation_id)

    def drop_expanded(self, evaluation_id: str) -> int:
        """Remove the rows that :meth:`expand_predictions` wrote; return their number."""
        with self._writing() as connection:
            return expanded.drop_expanded(connection, evaluation_id)

    def keep_answer(self, key: str, revision: int, content: Any) -> None:
        """Cache an answer that was computed from the store at a revision."""
        with self._writing() as connection:
            answer_cache.save_answer(connection, key, revision, content)

    def transaction(self, *changed: str) -> AbstractContextManager[Connection]:
        """Context manager of one writing transaction, for a plugin with tables of its own.

        Args:
            changed: datasets whose answers it can change; ``""`` for all.
        """
        return self._writing(*changed)

    def close(self) -> None:
        """Close the store's connections; it cannot be used afterwards."""
        self.engine.dispose()

    def __enter__(self) -> SqlStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Store {self.display_url}>"

    def _chosen(
        self,
        dataset: str,
        tag: str,
        uids: Iterable[str] | None,
        where: Where,
        version: int | None,
    ) -> tuple[Version, list[str]]:
        """The version and the datums that are tagged or untagged."""
        checked_text("tag", tag)
        if uids is not None and where is not None:
            raise InvalidInput("uids and where: name the datums, or select them, not both.")
        with self._reading() as connection:
            about = datasets.numbered(connection, dataset, version)
        if uids is not None:
            if not isinstance(uids, Iterable):
                raise InvalidInput(f"uids {uids!r}: expected the names of datums.")
            return about, [uids] if isinstance(uids, str) else list(uids)
        return about, list(self.select_datums(about, parse_filter(where)).uids)

    def _announced(self, version: Version) -> Version:
        """Announce a new version to plugins, after the commit."""
        in_use.dataset = (version.dataset, version.digest)
        if version.is_new:
            installed().announce_dataset(version, self)
        return version

    def _keep_details(self, contents: Mapping[str, bytes]) -> None:
        """Store details if possible; a user who may only read gets them all the same."""
        with suppress(StoreUnavailable, InvalidInput), self._writing() as connection:
            for evaluation_id, content in contents.items():
                evaluations.save_details(connection, self.backend, evaluation_id, content)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._connected() as connection:
            yield connection

    @contextmanager
    def _writing(self, *changed: str) -> Iterator[Connection]:
        """A transaction that writes.

        Args:
            changed: datasets whose answers it can change; their revisions advance with it.
        """
        with self._connected(velour_writes=True) as connection, connection.begin():
            yield connection
            advance(connection, changed)

    @contextmanager
    def _connected(self, **options: Any) -> Iterator[Connection]:
        with reachable(self.url), self.engine.connect() as connection:
            yield connection.execution_options(**options)


def _check_kind(item: object, *kinds: type) -> None:
    """Refuse an item that is of none of these classes.

    Raises:
        InvalidInput: it is of another class.
    """
    if not isinstance(item, kinds):
        names = " or ".join(f"velour.{kind.__name__}" for kind in kinds)
        raise InvalidInput(f"{shortened(item)}: expected a {names}.")
