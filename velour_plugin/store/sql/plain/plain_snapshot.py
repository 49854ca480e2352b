"""A snapshot for most queries, in text statements by the database's own driver.

The statements are those of ``records/evaluations.py`` and ``records/datasets.py``; a test compares
the answers. Reads of mutable data that are not here raise :class:`NotPlain`; data that never
change, such as ground truth for another match, are read from the store, which is then opened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from velour_plugin.domain.annotations import Datum
from velour_plugin.domain.evaluation import Certificate, EvaluatedRun
from velour_plugin.domain.inputs.reading import ReadingReport
from velour_plugin.domain.ledger import Columns, LazyTables, Ledger
from velour_plugin.domain.metadata import decode_metadata
from velour_plugin.domain.models import Model
from velour_plugin.errors import DamagedContent, VelourError
from velour_plugin.helpers.libraries import shapely
from velour_plugin.store.ledgers import LeanLedger, details_from_bytes, uids_from_bytes
from velour_plugin.store.spool import Spool
from velour_plugin.store.sql.head import DELETED
from velour_plugin.store.sql.plain.driver import Driver, NotPlain, from_json, moment_of
from velour_plugin.store.values import Candidate, DatumSelection, Version

if TYPE_CHECKING:
    from velour_plugin.domain.labels import Label
    from velour_plugin.filters import Node
    from velour_plugin.store.protocol import Store

FEW = 10_000
"""Datums of a version that are filtered here, which takes less time than importing SQLAlchemy."""


class PlainSnapshot:
    """A store at one moment, read by text statements, until it is released.

    Args:
        driver: of its database.
        opened: returns the store itself, for data that never change.
    """

    def __init__(self, driver: Driver, opened: Callable[[], Store]) -> None:
        self._driver, self._opened = driver, opened
        self._open = ExitStack()
        self.transaction = self._open.enter_context(driver(False))
        self._ledgers: dict[str, LeanLedger] = {}

    def release(self) -> None:
        """End the transaction, so that no writer waits for arithmetic."""
        self._open.close()

    def __getattr__(self, name: str) -> Any:
        if name in _UNCHANGING:
            return getattr(self._opened(), name)
        raise NotPlain(name)

    def cached_answer(self, key: str, datasets: Sequence[str] | None) -> tuple[int, Any | None]:
        """Return the revision of datasets, and the answer cached at it, as JSON, or ``None``."""
        names = () if datasets is None else ("", *datasets)
        which = f" WHERE name IN ({_marks(names)})" if names else ""
        ((revision,),) = self.transaction.rows(f"SELECT sum(value) FROM revisions{which}", names)
        known = self.transaction.rows("SELECT revision, content FROM answers WHERE key = ?", (key,))
        fresh = [from_json(content) for at, content in known if at == (revision or 0)]
        return int(revision or 0), fresh[0] if fresh else None

    def dataset_names(self) -> list[str]:
        """Names of all datasets, sorted."""
        return sorted(name for (name,) in self.transaction.rows("SELECT name FROM datasets"))

    def versions(self, name: str) -> list[Version]:
        """Versions of a dataset, the newest first."""
        rows = list(self.transaction.rows(_VERSIONS, (name,)))
        if not rows:
            raise NotPlain("no such dataset")  # the store's error names those that exist
        return [_version(row) for row in rows]

    def models(self) -> list[Model]:
        """All stored models, by name."""
        rows = self.transaction.rows("SELECT name, metadata, location FROM models")
        known = [
            Model(name, decode_metadata(from_json(metadata)), _geometry(wkb))
            for name, metadata, wkb in rows
        ]
        return sorted(known, key=lambda model: model.name)

    def reading(self, version: Version) -> ReadingReport | None:
        """What the reader of a version noted when it was saved last; ``None`` where none did."""
        return self._report("SELECT reading FROM versions WHERE id = ?", version.id)

    def predictions_reading(self, evaluation_id: str) -> ReadingReport | None:
        """What the reader of an evaluation's predictions noted; ``None`` where none did."""
        return self._report("SELECT reading FROM evaluations WHERE id = ?", evaluation_id)

    def _report(self, statement: str, key: Any) -> ReadingReport | None:
        contents = [content for (content,) in self.transaction.rows(statement, (key,)) if content]
        return ReadingReport.from_dict(from_json(contents[0])) if contents else None

    def candidates(self, dataset: str) -> list[Candidate]:
        """Every evaluation of a dataset, once for each run; the newest first."""
        items = self._candidates("datasets.name = ?", dataset)
        if not items and dataset not in self.dataset_names():
            raise NotPlain("no such dataset")  # the store names what there is
        return items

    def evaluations_of(self, name: str) -> list[Candidate]:
        """Evaluations of a run by its id or name, of a model, or by their own id; newest first."""
        columns = ("run_id = ?", "evaluation_runs.name = ?", "model = ?", "evaluations.id = ?")
        items = self._candidates(" OR ".join(columns), *[name] * len(columns))
        if not items:
            raise NotPlain("nothing of that name")  # the store names what there is
        return items

    def _candidates(self, condition: str, *values: str) -> list[Candidate]:
        versions: dict[int, Version] = {}
        rows = self.transaction.rows(f"{_CANDIDATES} WHERE {condition}", values)
        items = [_candidate(row, versions) for row in rows]
        return sorted(items, key=lambda item: (item.created_at, item.evaluation_id), reverse=True)

    def metric_values(
        self, evaluation_ids: Sequence[str], name: str, label: Label | None = None
    ) -> dict[str, float | None]:
        """Stored values of a metric, by evaluation; those without it are left out."""
        statement = "SELECT evaluation_id, metrics.value FROM metrics"
        where = f"evaluation_id IN ({_marks(evaluation_ids)}) AND name = ?"
        values = [*evaluation_ids, name]
        if label is None:
            where += " AND label_id IS NULL"
        else:
            statement += " JOIN labels ON labels.id = metrics.label_id"
            where += " AND labels.key = ? AND labels.value = ?"
            values += [label.key, label.value]
        return dict(self.transaction.rows(f"{statement} WHERE {where}", values))

    def metric_names(self, evaluation_ids: Sequence[str]) -> set[str]:
        """Names of the metrics that evaluations have."""
        where = f"evaluation_id IN ({_marks(evaluation_ids)})"
        rows = self.transaction.rows(
            f"SELECT DISTINCT name FROM metrics WHERE {where}", evaluation_ids
        )
        return {name for (name,) in rows}

    def ledgers(self, evaluation_ids: Sequence[str]) -> Iterator[Ledger]:
        """Ledgers of evaluations, decoded one at a time, in the order of their ids."""
        missing = [key for key in dict.fromkeys(evaluation_ids) if key not in self._ledgers]
        spool = Spool(self._ledger_bytes(missing) if missing else ())
        if not all(map(spool.__contains__, missing)):
            raise NotPlain("no such evaluation")
        return self._decoded(evaluation_ids, spool)

    def _ledger_bytes(self, keys: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        statement = _LEDGERS.replace("KEYS", _marks(keys))
        for name, content in self.transaction.rows(statement, [*keys, *keys], large=True):
            yield name, bytes(content)

    def _decoded(self, evaluation_ids: Sequence[str], spool: Spool) -> Iterator[Ledger]:
        uids = cache(lambda digest: uids_from_bytes(spool[digest], digest))
        for key in evaluation_ids:
            if key not in self._ledgers:
                self._ledgers[key] = LeanLedger.of(spool[key], uids, key)
            yield self._with_details(key, self._ledgers[key])

    def _with_details(self, key: str, lean: LeanLedger) -> Ledger:
        """The whole ledger, whose details are read when one of them is first used."""
        if not lean.details:
            return lean.ledger
        tables = LazyTables(lean.ledger.tables, lean.details, lambda: self._details(key))
        return replace(lean.ledger, tables=tables)

    def _details(self, key: str) -> Mapping[str, Columns]:
        """Tables of details: stored ones, read in another transaction, else from the open store."""
        with self._driver(False) as transaction:
            for (content,) in transaction.rows(_DETAILS, (key,)):
                with suppress(DamagedContent):  # the store matches them again
                    return {**details_from_bytes(bytes(content), key)}
        (ledger,) = self._opened().ledgers([key])
        return ledger.tables

    def datums(self, version: Version, ends: int | None = None) -> list[Datum]:
        """Datums of a version with their metadata and locations, in order; all, or its ends."""
        columns = f"datums.uid, datums.metadata, {self.transaction.location_sql}"
        return [
            Datum(uid, decode_metadata(from_json(known)), _geometry(wkb))
            for uid, known, wkb in self._members(version, columns, ends)
        ]

    def select_datums(self, version: Version, where: Node | None) -> DatumSelection:
        """Datums of a version that a filter selects, in the version's order."""
        if where is not None:
            return self._filtered(version, where)
        rows = list(self._members(version, "datums.uid, position"))
        positions = np.array([position for _, position in rows], np.int64)
        return DatumSelection([uid for uid, _ in rows], positions)

    def _filtered(self, version: Version, where: Node) -> DatumSelection:
        """Evaluate a filter datum by datum; errors and warnings are left to the store."""
        from velour_plugin.filters.interpret import select
        from velour_plugin.filters.language.tree import properties

        plain = all(prop.path or prop.name in ("uid", "dataset") for prop in properties(where))
        if version.datums > FEW or not plain:
            raise NotPlain("many datums, or more than their metadata")
        rows = self._members(version, "datums.uid, datums.metadata")
        datums = [Datum(uid, decode_metadata(from_json(known))) for uid, known in rows]
        try:
            indices = np.flatnonzero(select(where, datums, version.dataset))
        except VelourError as error:
            raise NotPlain from error
        if not indices.size:
            raise NotPlain("nothing is selected")
        return DatumSelection([datums[row].uid for row in indices], indices.astype(np.int64))

    def _members(
        self, version: Version, columns: str, ends: int | None = None
    ) -> Iterator[tuple[Any, ...]]:
        first = version.datums if ends is None else ends
        statement = f"SELECT {columns} {_MEMBERS}"
        yield from self.transaction.rows(statement, (version.id, first, version.datums - first))


def _candidate(row: Sequence[Any], versions: dict[int, Version]) -> Candidate:
    """Make a candidate; those of one version share it."""
    (key, task, model, certificate, created, run, name, experiment, linked, state, checked,
     known_of_model, known_of_dataset, number, *version) = row  # fmt: skip
    if number not in versions:
        versions[number] = _version((number, *version))
    moment = moment_of(created if linked is None else linked)
    assert moment is not None
    return Candidate(
        key,
        versions[number],
        task,
        model,
        Certificate(**from_json(certificate)),
        None if run is None else EvaluatedRun(run, name, experiment),
        moment,
        from_json(known_of_model) or {},
        from_json(known_of_dataset) or {},
        state == DELETED,
        moment_of(checked),
    )


def _version(row: Sequence[Any]) -> Version:
    number, dataset, count, digest, properties, datums, groups = row
    declared = tuple(from_json(groups) or ())
    return Version(number, dataset, count, digest, from_json(properties), datums, declared)


def _geometry(wkb: Any) -> Any:
    return None if wkb is None else shapely.from_wkb(bytes(wkb))


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))


_UNCHANGING = frozenset({"load_version", "load_predictions", "predictions"})
"""Methods whose results never change."""

_CANDIDATES = """
SELECT evaluations.id, task, model, certificate, evaluations.created_at, run_id,
    evaluation_runs.name, experiment_id, evaluation_runs.created_at, state, checked_at,
    models.metadata, versions.metadata, versions.id, datasets.name, number, digest, properties,
    datums, declared_groups
FROM evaluations
JOIN versions ON versions.id = version_id
JOIN datasets ON datasets.id = dataset_id
LEFT JOIN evaluation_runs ON evaluation_id = evaluations.id
LEFT JOIN models ON models.name = model"""

_VERSIONS = """
SELECT versions.id, name, number, digest, properties, datums, declared_groups
FROM versions JOIN datasets ON datasets.id = dataset_id WHERE name = ? ORDER BY number DESC"""

_LEDGERS = """
SELECT evaluation_id, content FROM ledger_contents WHERE evaluation_id IN (KEYS) UNION ALL
SELECT digest, content FROM uid_lists WHERE digest IN (
    SELECT uids FROM ledger_contents WHERE evaluation_id IN (KEYS))"""

_DETAILS = "SELECT content FROM ledger_details WHERE evaluation_id = ?"

_MEMBERS = """
FROM version_datums JOIN datums ON datums.id = datum_id
WHERE version_id = ? AND (position < ? OR position >= ?) ORDER BY position"""
