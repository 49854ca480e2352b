"""A store that is no SQL database: a plugin's, in memory, behind ``memory://NAME``.

It imports what every plugin may, so that tests see whether that is enough for a store.
"""

# ruff: noqa: D102 - what each method does, Store says
from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

import velour_plugin as velour
from velour_plugin.errors import InvalidInput, NotFound, UnknownName
from velour_plugin.plugin import (
    DatumSelection,
    FactValue,
    Node,
    RunState,
    StoreOpener,
    Where,
    answer,
    installed,
    parse_filter,
    select,
)

Contents = dict[str, dict[str, dict[str, FactValue]]]
"""Facts by content of the datum, by source, by name."""


class MemoryStore:
    """Dictionaries with the methods of :class:`velour_plugin.Store`; no test writes meanwhile."""

    def __init__(self, url: str = "memory://") -> None:
        self.display_url = url
        self._datasets: dict[str, list[tuple[velour.Version, velour.Dataset]]] = {}
        self._evaluations: dict[str, tuple[velour.Evaluation, velour.Version, Any]] = {}
        self._links: list[tuple[str, velour.EvaluatedRun | None, dt.datetime]] = []
        self._facts: Contents = {}
        self._models: dict[str, velour.Model] = {}
        self._answers: dict[str, tuple[int, Any]] = {}
        self._states: dict[str, RunState] = {}
        self._readings: dict[str, velour.ReadingReport | None] = {}
        self._revision = 0

    # Reading

    def revision(self, datasets: Sequence[str] | None = None) -> int:
        return self._revision

    def cached_answer(self, key: str, datasets: Sequence[str] | None) -> tuple[int, Any | None]:
        revision, content = self._answers.get(key, (-1, None))
        return self._revision, content if revision == self._revision else None

    def dataset_names(self) -> list[str]:
        return sorted(self._datasets)

    def versions(self, name: str) -> list[velour.Version]:
        return [version for version, _ in reversed(self._known(name))]

    def load_dataset(self, name: str, version: int | None = None) -> velour.Dataset:
        return self._numbered(name, version)[1]

    def load_version(self, version: velour.Version) -> velour.Dataset:
        return self.load_dataset(version.dataset, version.number)

    def datums(self, version: velour.Version, ends: int | None = None) -> list[velour.Datum]:
        datums = list(self.load_version(version).datums)
        return datums if ends is None else [*datums[:ends], *datums[ends:][-ends:]]

    def datum_digests(self, version: velour.Version) -> Mapping[str, str]:
        dataset = self.load_version(version)
        return dict(zip(dataset.uids, dataset.contents, strict=True))

    def select_datums(self, version: velour.Version, where: Node | None) -> DatumSelection:
        dataset = self.load_version(version)
        facts = self.facts(version.dataset, version.number)
        chosen = select(where, dataset.datums, dataset.name, truth=dataset.truth, facts=facts)
        positions = np.flatnonzero(chosen)
        return DatumSelection([dataset.uids[at] for at in positions], positions)

    def facts(
        self,
        dataset: str | velour.Dataset,
        version: int | None = None,
        source: str | None = None,
    ) -> dict[str, dict[str, FactValue]]:
        about = self.load_dataset(dataset, version) if isinstance(dataset, str) else dataset
        known = {
            uid: {
                "fact.tags" if said_by == "tags" else f"fact.{said_by}.{name}": value
                for said_by, values in self._facts.get(content, {}).items()
                if source in (None, said_by)
                for name, value in values.items()
            }
            for uid, content in zip(about.uids, about.contents, strict=True)
        }
        return {uid: values for uid, values in known.items() if values}

    def models(self) -> list[velour.Model]:
        return [self._models[name] for name in sorted(self._models)]

    def load_model(self, name: str) -> velour.Model:
        if name not in self._models:
            raise UnknownName("model", name, self._models)
        return self._models[name]

    def diff(self, name: str, before: int, after: int) -> velour.VersionDiff:
        old, new = (
            self.datum_digests(self._numbered(name, number)[0]) for number in (before, after)
        )
        both = [uid for uid in new if uid in old]
        changed = tuple(uid for uid in both if old[uid] != new[uid])
        added, removed = ([*(left.keys() - right)] for left, right in ((new, old), (old, new)))
        unchanged = len(both) - len(changed)
        return velour.VersionDiff(
            name, before, after, tuple(sorted(added)), tuple(sorted(removed)), changed, unchanged
        )

    def reading(self, version: velour.Version) -> velour.ReadingReport | None:
        return self._readings.get(version.digest)

    def predictions_reading(self, evaluation_id: str) -> velour.ReadingReport | None:
        return self._readings.get(evaluation_id)

    def candidates(self, dataset: str) -> list[velour.Candidate]:
        self._known(dataset)
        return [each for each in self._candidates() if each.version.dataset == dataset]

    def evaluations_of(self, name: str) -> list[velour.Candidate]:
        known = [(each, _names(each)) for each in self._candidates()]
        if not any(name in names for _, names in known):
            raise UnknownName("run", name, {each for _, names in known for each in names})
        return [each for each, names in known if name in names]

    def load(self, evaluation_id: str) -> velour.Evaluation:
        return self._evaluation(evaluation_id)[0]

    def load_predictions(self, evaluation_id: str) -> velour.AnnotationTable:
        predictions: velour.AnnotationTable = self._evaluation(evaluation_id)[2]
        return predictions

    def predictions(
        self, subjects: Sequence[tuple[str, Sequence[str]]]
    ) -> Iterator[velour.AnnotationTable]:
        known = [(self._evaluation(number), frozenset(uids)) for number, uids in subjects]
        return (
            table.on_datums(np.array([uid in uids for uid in self.load_version(version).uids]))
            for (_, version, table), uids in known
        )

    def ledgers(self, evaluation_ids: Sequence[str]) -> Iterator[velour.Ledger]:
        return iter([self.load(each).ledger for each in evaluation_ids])

    def metric_values(
        self, evaluation_ids: Sequence[str], name: str, label: velour.Label | None = None
    ) -> dict[str, float | None]:
        key = label and label.name
        return {
            each: metric.value
            for each in evaluation_ids
            for metric in self.load(each).measured
            if (metric.name, metric.label and metric.label.name) == (name, key)
        }

    def metric_labels(self, evaluation_ids: Sequence[str], name: str) -> set[tuple[str, str]]:
        return {
            metric.label.name
            for metric in self._metrics(evaluation_ids)
            if metric.name == name and metric.label is not None
        }

    def metric_names(self, evaluation_ids: Sequence[str]) -> set[str]:
        return {metric.name for metric in self._metrics(evaluation_ids)}

    @contextmanager
    def snapshot(self) -> Iterator[MemoryStore]:
        yield self

    def release(self) -> None:
        pass

    # Writing

    def save_dataset(self, dataset: velour.Dataset) -> velour.Version:
        known = self._datasets.setdefault(dataset.name, [])
        if dataset.reading is not None:
            self._readings[dataset.digest] = dataset.reading
        for at, (version, content) in enumerate(known):
            if version.digest == dataset.digest:
                groups = dataset.groups or version.groups
                version = replace(version, is_new=False, groups=groups)
                known[at] = (version, replace(content, groups=groups))
                self._revision += 1
                return version
        properties = sorted({key for datum in dataset.datums for key in datum.metadata})
        version = velour.Version(
            id=sum(map(len, self._datasets.values())) + 1,
            dataset=dataset.name,
            number=len(known) + 1,
            digest=dataset.digest,
            properties=properties,
            datums=len(dataset),
            groups=dataset.groups,
            is_new=True,
        )
        known.append((version, replace(dataset, predictions=None, model=None)))
        self._revision += 1
        installed().announce_dataset(version, self)
        return version

    def add_datums(self, addition: velour.Dataset) -> velour.Version:
        base = self._known(addition.name)[-1][1]
        truths = {truth.datum.uid: truth for truth in (*base.groundtruths, *addition.groundtruths)}
        return self.save_dataset(
            velour.Dataset.from_groundtruths(
                truths.values(),
                base.name,
                base.metadata,
                base.labels,
                base.location,
                addition.groups or base.groups,
            )
        )

    def save(
        self, evaluation: velour.Evaluation, dataset: velour.Dataset | velour.PartitionedDataset
    ) -> velour.Version:
        if isinstance(dataset, velour.PartitionedDataset):
            raise InvalidInput("memory holds no partitions: use an SQL store.")
        version = self.save_dataset(dataset)
        self._readings[evaluation.id] = dataset.predictions_reading
        if evaluation.id not in self._evaluations:
            self._evaluations[evaluation.id] = (evaluation, version, dataset.predictions)
            if evaluation.run is None:
                self._links.append((evaluation.id, None, evaluation.created_at))
        if evaluation.run is not None:
            self.link_run(evaluation.id, evaluation.run)
        self._revision += 1
        return version

    def link_run(self, evaluation_id: str, run: velour.EvaluatedRun) -> None:
        self.load(evaluation_id)  # or it is refused
        self._links.append((evaluation_id, run, dt.datetime.now(dt.UTC)))
        self._revision += 1

    def save_run_states(self, states: Iterable[RunState]) -> None:
        self._states |= {state.run_id: state for state in states}
        self._revision += 1

    def write_facts(self, dataset: str, content: velour.Facts, version: int | None = None) -> int:
        about = self._numbered(dataset, version)[0]
        digests = self._digests(about, {uid for uids in content.values.values() for uid in uids})
        self._forget(dataset, content.source)
        for name, column in content.values.items():
            for uid, value in column.items():
                known = self._facts.setdefault(digests[uid], {}).setdefault(content.source, {})
                known[name] = value
        self._revision += 1
        return sum(map(len, content.values.values()))

    def delete_facts(self, dataset: str, source: str) -> int:
        known = {each for by_source in self._facts_of(dataset) for each in by_source}
        if source not in known:
            raise UnknownName(f"source of facts about {dataset!r}", source, known)
        deleted = self._forget(dataset, source)
        self._revision += 1
        return deleted

    def tag(
        self,
        dataset: str,
        tag: str,
        *,
        uids: Iterable[str] | None = None,
        where: Where = None,
        version: int | None = None,
    ) -> int:
        return self._retag(dataset, tag, True, uids, where, version)

    def untag(
        self,
        dataset: str,
        tag: str,
        *,
        uids: Iterable[str] | None = None,
        where: Where = None,
        version: int | None = None,
    ) -> int:
        return self._retag(dataset, tag, False, uids, where, version)

    def save_model(self, model: velour.Model) -> None:
        self._models[model.name] = model
        self._revision += 1

    def keep_answer(self, key: str, revision: int, content: Any) -> None:
        self._answers[key] = (revision, content)

    def ask(self, query: velour.Query[Any]) -> Any:
        return answer(self, query)

    def close(self) -> None:
        pass

    def __enter__(self) -> MemoryStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _known(self, name: str) -> list[tuple[velour.Version, velour.Dataset]]:
        if name not in self._datasets:
            raise UnknownName("dataset", name, self._datasets)
        return self._datasets[name]

    def _numbered(self, name: str, number: int | None) -> tuple[velour.Version, velour.Dataset]:
        known = self._known(name)
        if number is None:
            return known[-1]
        if not 1 <= number <= len(known):
            raise NotFound(f"dataset {name!r} has versions 1 to {len(known)}, not {number}.")
        return known[number - 1]

    def _evaluation(self, evaluation_id: str) -> tuple[velour.Evaluation, velour.Version, Any]:
        if evaluation_id not in self._evaluations:
            raise NotFound(f"no evaluation {evaluation_id!r} in this store.")
        return self._evaluations[evaluation_id]

    def _metrics(self, evaluation_ids: Sequence[str]) -> list[velour.Metric]:
        return [metric for each in evaluation_ids for metric in self.load(each).measured]

    def _candidates(self) -> list[velour.Candidate]:
        return [self._candidate(*link) for link in reversed(self._links)]

    def _candidate(
        self, evaluation_id: str, run: velour.EvaluatedRun | None, created_at: dt.datetime
    ) -> velour.Candidate:
        evaluation, version, _ = self._evaluations[evaluation_id]
        state = None if run is None else self._states.get(run.run_id)
        if run is not None and state is not None:
            run = replace(run, name=state.name)
        model = self._models.get(evaluation.model)
        return velour.Candidate(
            evaluation_id=evaluation_id,
            version=self._numbered(version.dataset, version.number)[0],
            task=evaluation.task,
            model=evaluation.model,
            certificate=evaluation.certificate,
            run=run,
            created_at=created_at,
            model_metadata={} if model is None else model.metadata,
            dataset_metadata=self.load_version(version).metadata,
            run_is_deleted=state is not None and state.is_deleted,
            run_checked_at=None if state is None else state.checked_at,
        )

    def _forget(self, dataset: str, source: str) -> int:
        return sum(len(by_source.pop(source, {})) for by_source in self._facts_of(dataset))

    def _facts_of(self, dataset: str) -> list[dict[str, dict[str, FactValue]]]:
        contents = {content for _, known in self._known(dataset) for content in known.contents}
        return [self._facts[content] for content in contents if content in self._facts]

    def _digests(self, version: velour.Version, uids: Iterable[str]) -> Mapping[str, str]:
        """Contents by uid, once these uids are known to be the version's."""
        digests = self.datum_digests(version)
        for uid in uids:
            if uid not in digests:
                raise UnknownName(f"datum of {version.dataset} v{version.number}", uid, digests)
        return digests

    def _retag(
        self,
        dataset: str,
        tag: str,
        on: bool,
        uids: Iterable[str] | None,
        where: Where,
        version: int | None,
    ) -> int:
        about, changed = self._numbered(dataset, version)[0], 0
        chosen = self.select_datums(about, parse_filter(where)).uids if uids is None else uids
        digests = self._digests(about, chosen)
        for uid in chosen:
            known = self._facts.setdefault(digests[uid], {}).setdefault("tags", {})
            listed = known.get("tags", ())
            assert not isinstance(listed, float)
            tags = set(listed)
            changed += (tag in tags) != on
            known["tags"] = sorted(tags | {tag} if on else tags - {tag})
        self._revision += 1
        return changed


def _names(each: velour.Candidate) -> set[str]:
    run = () if each.run is None else (each.run.run_id, each.run.name)
    return {each.evaluation_id, each.model, *filter(None, run)}


_STORES: dict[str, MemoryStore] = {}


@velour.hookimpl
def velour_stores() -> Mapping[str, StoreOpener]:
    """One store for each name, for as long as the process lives."""

    def open_memory(url: str, *, create: bool) -> MemoryStore:
        if url not in _STORES and not create:
            raise NotFound(f"there is no store {url!r}: evaluate a model to make one.")
        return _STORES.setdefault(url, MemoryStore(url))

    return {"memory": open_memory}
