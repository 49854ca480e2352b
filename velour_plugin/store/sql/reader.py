"""Read a store: each method in a transaction of its own, or all of a snapshot in one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import fields, replace
from functools import cache
from itertools import count, takewhile
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from velour_plugin.domain.annotations import Datum
from velour_plugin.domain.columns.annotation_table import AnnotationTable
from velour_plugin.domain.dataset_changes import DatasetChanges
from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.encoding.codec import table_from_bytes
from velour_plugin.domain.evaluation import Evaluation
from velour_plugin.domain.facts import TAGS, FactValue
from velour_plugin.domain.inputs.reading import ReadingReport
from velour_plugin.domain.labels import Label
from velour_plugin.domain.ledger import Columns, Ledger
from velour_plugin.domain.models import Model
from velour_plugin.errors import DamagedContent, InvalidInput, NotFound, UnknownName
from velour_plugin.filters.interpret import check_properties
from velour_plugin.filters.language.swapped import warn_if_swapped
from velour_plugin.filters.language.tree import Node, properties
from velour_plugin.helpers.usage import in_use
from velour_plugin.store.ledgers import (
    LeanLedger,
    details_from_bytes,
    details_to_bytes,
    uids_from_bytes,
    undamaged,
)
from velour_plugin.store.memory import BoundedCache
from velour_plugin.store.spool import Spool
from velour_plugin.store.sql.databases.backend import Backend
from velour_plugin.store.sql.filtering import conditions
from velour_plugin.store.sql.records import (
    answer_cache,
    datasets,
    details,
    evaluations,
    facts,
    growth,
    models,
)
from velour_plugin.store.sql.records.revisions import revision_of
from velour_plugin.store.values import Candidate, DatumSelection, Version, VersionDiff

MOST_EXPLAINED = 200_000
"""Datums of a version up to which a difference says what differs: both are read for it."""


class SqlReader(ABC):
    """Reading methods of an SQL store (:class:`velour_plugin.store.Reader`)."""

    backend: Backend
    known_ledgers: BoundedCache[LeanLedger]
    known_versions: BoundedCache[Dataset]

    @abstractmethod
    def _reading(self) -> AbstractContextManager[Connection]:
        """A connection in a transaction."""

    def revision(self, datasets: Sequence[str] | None = None) -> int:
        """Number of writes that can have changed an answer about datasets; it only grows."""
        with self._reading() as connection:
            return int(connection.scalars(select(revision_of(datasets))).one())

    def cached_answer(self, key: str, datasets: Sequence[str] | None) -> tuple[int, Any | None]:
        """Return the revision of datasets, and the answer cached at it, as JSON, or ``None``."""
        with self._reading() as connection:
            return answer_cache.find_answer(connection, key, datasets)

    def dataset_names(self) -> list[str]:
        """Names of all datasets, sorted."""
        with self._reading() as connection:
            return datasets.dataset_names(connection)

    def versions(self, name: str) -> list[Version]:
        """Versions of a dataset, the newest first."""
        with self._reading() as connection:
            return datasets.known_versions(connection, name)

    def load_dataset(self, name: str, version: int | None = None) -> Dataset:
        """Read a dataset version back by its number, the newest by default."""
        with self._reading() as connection:
            selected = datasets.numbered(connection, name, version)
            in_use.dataset = (selected.dataset, selected.digest)
            return datasets.load_dataset(connection, selected)

    def load_version(self, version: Version) -> Dataset:
        """Read a dataset version back: equal content, the same digest.

        It is kept in memory, so its columns cannot be written to.
        """
        name = f"{version.dataset} {version.digest}"
        known = self.known_versions.known([name])
        if known:
            return known[name]
        with self._reading() as connection:
            dataset = _frozen(datasets.load_dataset(connection, version))
        self.known_versions.keep(name, dataset, _nbytes(dataset))
        return dataset

    def datums(self, version: Version, ends: int | None = None) -> list[Datum]:
        """Datums of a version with their metadata and locations, in order; all, or its ends."""
        with self._reading() as connection:
            return datasets.load_datums(connection, version, ends)

    def datum_digests(self, version: Version) -> Mapping[str, str]:
        """Digest of each datum of a version together with its ground truth, by uid."""
        with self._reading() as connection:
            return growth.contents_of(connection, version)

    def select_datums(self, version: Version, where: Node | None) -> DatumSelection:
        """Datums of a version that a filter selects, in the version's order."""
        with self._reading() as connection:
            if where is None:
                return datasets.select_datums(connection, version, None)
            names = {prop.fact for prop in properties(where) if prop.fact is not None}
            known = facts.known_facts(connection, version.dataset, names - {TAGS})
            check_properties(where, {*version.properties, *known})

            def selected(node: Node) -> DatumSelection:
                condition = conditions.condition(node, self.backend, version.dataset)
                return datasets.select_datums(connection, version, condition)

            selection = selected(where)
            if not len(selection):
                warn_if_swapped(where, lambda other: len(selected(other)) > 0)
            return selection

    def facts(
        self, dataset: str | Dataset, version: int | None = None, source: str | None = None
    ) -> dict[str, dict[str, FactValue]]:
        """Facts about datums: by uid, by name such as ``fact.quality.blur`` or ``fact.tags``."""
        with self._reading() as connection:
            if isinstance(dataset, str):
                about = datasets.numbered(connection, dataset, version)
                return facts.facts_of_version(connection, about, source)
            if not isinstance(dataset, Dataset):
                raise InvalidInput(f"dataset {dataset!r}: expected its name, or a velour.Dataset.")
            contents = dict(zip(dataset.uids, dataset.contents, strict=True))
            return facts.facts_of_contents(connection, dataset.name, contents)

    def models(self) -> list[Model]:
        """All stored models, by name."""
        with self._reading() as connection:
            return models.load_models(connection)

    def load_model(self, name: str) -> Model:
        """Read a model back."""
        with self._reading() as connection:
            return models.load_model(connection, name)

    def diff(self, name: str, before: int, after: int) -> VersionDiff:
        """Differences between two versions of a dataset, by their numbers."""
        with self._reading() as connection:
            numbered = [datasets.numbered(connection, name, number) for number in (before, after)]
            difference = growth.diff_versions(connection, *numbered)
        if max(version.datums for version in numbered) > MOST_EXPLAINED:
            return difference
        changes = DatasetChanges.between(*map(self.load_version, numbered))
        return replace(difference, changes=changes)

    def reading(self, version: Version) -> ReadingReport | None:
        """What the reader of a version noted when it was saved last; ``None`` where none did."""
        with self._reading() as connection:
            return datasets.find_reading(connection, version)

    def predictions_reading(self, evaluation_id: str) -> ReadingReport | None:
        """What the reader of an evaluation's predictions noted; ``None`` where none did."""
        with self._reading() as connection:
            return evaluations.find_reading(connection, evaluation_id)

    def candidates(self, dataset: str) -> list[Candidate]:
        """Every evaluation of a dataset, once for each run; the newest first."""
        with self._reading() as connection:
            items = evaluations.candidates(connection, dataset)
            if not items:
                datasets.known_versions(connection, dataset)
            return items

    def evaluations_of(self, name: str) -> list[Candidate]:
        """Evaluations of a run by its id or name, of a model, or by their own id; newest first."""
        with self._reading() as connection:
            items = evaluations.candidates_named(connection, name)
            if not items:
                raise UnknownName("run", name, evaluations.run_names(connection))
            return items

    def load(self, evaluation_id: str) -> Evaluation:
        """Read an evaluation back exactly as it was saved; details when they are first read."""
        ((_, lean),) = self._lean_ledgers([evaluation_id])
        lean.check()
        ledger = self._with_details(evaluation_id, lean)
        with self._reading() as connection:
            evaluation = evaluations.load_evaluation(connection, evaluation_id, ledger)
        return details.with_computed_details(evaluation) if lean.measured_only else evaluation

    def load_predictions(self, evaluation_id: str) -> AnnotationTable:
        """Read back the predictions of an evaluation."""
        with self._reading() as connection:
            return evaluations.load_predictions(connection, evaluation_id)

    def predictions(
        self, subjects: Sequence[tuple[str, Sequence[str]]]
    ) -> Iterator[AnnotationTable]:
        """Predictions of evaluations on some datums each, decoded one at a time, in order."""
        ids = list(dict.fromkeys(number for number, _ in subjects))
        with self._reading() as connection:
            spool = Spool(evaluations.prediction_bytes(connection, ids))
        for number in ids:
            if f"{number} 0" not in spool:
                raise NotFound(f"no evaluation {number!r} in this store.")
        return (_predictions(spool, number, uids) for number, uids in subjects)

    def ledgers(self, evaluation_ids: Sequence[str]) -> Iterator[Ledger]:
        """Ledgers of evaluations, decoded one at a time, in the order of their ids.

        Details are read or computed when they are first used, for each ledger by itself.
        """
        leans = self._lean_ledgers(evaluation_ids)
        return (self._with_details(number, lean) for number, lean in leans)

    def _lean_ledgers(self, evaluation_ids: Sequence[str]) -> Iterator[tuple[str, LeanLedger]]:
        """Ledgers without details, by evaluation; those not in memory are read in one statement."""
        known = self.known_ledgers.known(evaluation_ids)
        missing = [number for number in dict.fromkeys(evaluation_ids) if number not in known]
        spool = Spool()
        if missing:
            with self._reading() as connection:
                spool = Spool(evaluations.ledger_bytes(connection, missing))
        for number in missing:
            if number not in spool:
                raise NotFound(f"no evaluation {number!r} in this store.")
        return self._decoded(evaluation_ids, known, spool)

    def _decoded(
        self, evaluation_ids: Sequence[str], known: dict[str, LeanLedger], spool: Spool
    ) -> Iterator[tuple[str, LeanLedger]]:
        """Decode ledgers that were read, and keep them in memory."""
        uids = cache(lambda digest: uids_from_bytes(spool[digest], digest))
        for number in evaluation_ids:
            lean = known.get(number) or LeanLedger.of(spool[number], uids, number)
            self.known_ledgers.keep(number, lean, lean.nbytes)
            yield number, lean

    def _with_details(self, evaluation_id: str, lean: LeanLedger) -> Ledger:
        """The whole ledger; details are read, or matched again and then stored, when first used."""

        def load() -> Mapping[str, Columns]:
            with self._reading() as connection:
                content = evaluations.details_bytes(connection, evaluation_id)
            if content is not None:
                with suppress(DamagedContent):  # they are matched again, and replace what is there
                    return {**details_from_bytes(content, evaluation_id)}
            again = self._matched_again(evaluation_id, ledger)
            tables = {name: again.tables[name] for name in lean.details}
            self._keep_details({evaluation_id: details_to_bytes(tables)})
            return tables

        ledger = lean.with_details(load)
        return ledger

    def _matched_again(self, evaluation_id: str, ledger: Ledger) -> Ledger:
        with self._reading() as connection:
            known = evaluations.candidates_named(connection, evaluation_id)
        item = next((each for each in known if each.evaluation_id == evaluation_id), None)
        if item is None:
            raise NotFound(f"no evaluation {evaluation_id!r} in this store.")
        truth = self.load_version(item.version)
        dataset = truth.with_predictions(self.load_predictions(evaluation_id), item.model)
        return details.match_again(item.certificate, dataset, ledger)

    @abstractmethod
    def _keep_details(self, contents: Mapping[str, bytes]) -> None:
        """Store tables of details by evaluation, as soon as possible, if possible."""

    def metric_values(
        self, evaluation_ids: Sequence[str], name: str, label: Label | None = None
    ) -> dict[str, float | None]:
        """Stored values of a metric, by evaluation; those without it are left out."""
        with self._reading() as connection:
            return evaluations.metric_values(connection, evaluation_ids, name, label)

    def metric_labels(self, evaluation_ids: Sequence[str], name: str) -> set[tuple[str, str]]:
        """Labels, as (key, value), for which a metric of evaluations is stored."""
        with self._reading() as connection:
            return evaluations.metric_labels(connection, evaluation_ids, name)

    def metric_names(self, evaluation_ids: Sequence[str]) -> set[str]:
        """Names of the stored metrics of evaluations."""
        with self._reading() as connection:
            return evaluations.metric_names(connection, evaluation_ids)


def _predictions(spool: Spool, evaluation_id: str, uids: Sequence[str]) -> AnnotationTable:
    """Predictions on some datums, of one blob, or of one for each part of a dataset."""
    index_of = {uid: index for index, uid in enumerate(uids)}
    names = takewhile(spool.__contains__, (f"{evaluation_id} {part}" for part in count()))
    with undamaged(f"the prediction set of evaluation {evaluation_id}", is_replaced=False):
        parts = [table_from_bytes(spool[name], index_of, some=True)[0] for name in names]
    return parts[0] if len(parts) == 1 else AnnotationTable.joined(parts)


def _frozen(dataset: Dataset) -> Dataset:
    """Make a dataset's columns read-only, as many queries share it."""
    for each in fields(dataset.truth):
        column = getattr(dataset.truth, each.name)
        if isinstance(column, np.ndarray):
            column.flags.writeable = False
    return dataset


def _nbytes(dataset: Dataset) -> int:
    """About how many bytes a dataset takes in memory."""
    rows = len(dataset.truth)
    return _DATUM * len(dataset) + (_ROW if dataset.truth.shape is None else _SHAPE) * rows


_DATUM, _ROW, _SHAPE = 2_000, 100, 2_000
"""Bytes of a datum with its metadata, of a row of numbers, of a row with a polygon or mask."""


class SqlSnapshot(SqlReader):
    """A store at one moment, until it is released.

    Args:
        store: opens connections once this is released.
        transaction: for all reads.
    """

    def __init__(self, store: SqlReader, transaction: AbstractContextManager[Connection]) -> None:
        self.backend = store.backend
        self.known_ledgers, self.known_versions = store.known_ledgers, store.known_versions
        self._store = store
        self._details_to_keep: dict[str, bytes] = {}
        self._open = ExitStack()
        self._connection: Connection | None = self._open.enter_context(transaction)

    def release(self) -> None:
        """End the transaction, so that no writer waits for arithmetic."""
        self._connection = None
        self._open.close()
        kept, self._details_to_keep = self._details_to_keep, {}
        if kept:
            self._store._keep_details(kept)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        if self._connection is not None:
            yield self._connection
        else:
            with self._store._reading() as connection:
                yield connection

    def _keep_details(self, contents: Mapping[str, bytes]) -> None:
        """Store details once the transaction has ended, as a writer to a file waits for it."""
        if self._connection is None:
            self._store._keep_details(contents)
        else:
            self._details_to_keep.update(contents)
