"""MLflow's model registry and the store: the evaluations of a model version, and the way back.

An evaluation is of a version when its run says so: the version's logged model is an input of the
run; or the run names no model, and is the one that the version came from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import mlflow

import velour_plugin as velour
from velour_plugin import Candidate, Store
from velour_plugin.errors import InvalidInput, NotFound, UnknownName

SCHEME, LOGGED = "models:/", "models:/m-"
"""How URIs of the registry begin, and those of logged models."""


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version of a registered model.

    Args:
        model: the registered model's name.
        number: of the version, counted from 1.
        run_id: of the run that it came from; ``None`` when none is known.
        model_id: of the logged model that it is; ``None`` for what MLflow 2 logged.
        aliases: names that people gave it, such as ``champion``.
    """

    model: str
    number: int
    run_id: str | None = None
    model_id: str | None = None
    aliases: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What people call it: ``fires/3``, as in ``models:/fires/3``."""
        return f"{self.model}/{self.number}"


def versions(model: str) -> list[ModelVersion]:
    """Return every version of a registered model, the newest first.

    Raises:
        UnknownName: no registered model has that name.
        NotFound: it has no version yet.
    """
    client = mlflow.MlflowClient()
    registered = _registered(model)
    named: dict[int, list[str]] = {}
    for alias, number in registered.aliases.items():
        named.setdefault(int(number), []).append(alias)
    quote = '"' if "'" in model else "'"
    query = f"name={quote}{model}{quote}"
    listed = _pages(lambda token: client.search_model_versions(query, page_token=token))
    known = [_version(entity, named.get(int(entity.version), ())) for entity in listed]
    if not known:
        raise NotFound(f"registered model {model!r} has no version yet: mlflow.register_model.")
    return sorted(known, key=lambda candidate: -candidate.number)


def version(model: str, which: int | str) -> ModelVersion:
    """Return one version of a registered model, by its number, an alias or ``latest``.

    Raises:
        UnknownName: there is no such model, or it has no such version.
    """
    known = versions(model)
    if which == "latest":
        return known[0]
    for candidate in known:
        if str(which) == str(candidate.number) or which in candidate.aliases:
            return candidate
    names = [name for candidate in known for name in (str(candidate.number), *candidate.aliases)]
    raise UnknownName(f"version of {model!r}", which, names)


def named(uri: str) -> list[ModelVersion]:
    """Return the versions behind ``models:/NAME``, ``models:/NAME/3``, ``models:/NAME@champion``.

    A logged model, ``models:/m-…``, is the versions that were registered from it.

    Raises:
        UnknownName: there is no such model or version.
    """
    name_and_version = uri.removeprefix(SCHEME)
    if uri.startswith(LOGGED):
        return _versions_like(f"source_path='{uri}'")
    name, at, alias = name_and_version.partition("@")
    if at:
        return [version(name, alias)]
    name, slash, number = name_and_version.rpartition("/")
    return [version(name, number)] if slash else versions(name_and_version)


def evaluations_of(
    model: str, which: int | str, dataset: str | None = None, store: Store | None = None
) -> list[Candidate]:
    """Return the evaluations of a model version, the newest first.

    Args:
        model: the registered model's name.
        which: the version, by number or alias.
        dataset: only those on this dataset.
        store: an open store; ``None`` opens the default one.

    Raises:
        UnknownName: there is no such model or version.
    """
    with _opened(store) as opened:
        return evaluations_of_version(version(model, which), dataset, opened)


def evaluations_of_version(
    version: ModelVersion, dataset: str | None, store: Store
) -> list[Candidate]:
    """Return the evaluations of a version, on one dataset or any; newest first."""
    evaluations: list[Candidate] = []
    for run_id in _runs(version.run_id, version.model_id):
        with suppress(UnknownName):  # a run without an evaluation
            evaluations += [
                candidate
                for candidate in store.evaluations_of(run_id)
                if _is_of(candidate, run_id, dataset)
            ]
    return sorted(evaluations, key=lambda item: item.created_at, reverse=True)


def versions_of(evaluation: str, store: Store | None = None) -> list[ModelVersion]:
    """Return the model versions that an evaluation is of; empty where it is of none.

    Args:
        evaluation: its id, or an id or name of its run.
        store: an open store; ``None`` opens the default one.

    Raises:
        UnknownName: the store has no such evaluation.
    """
    with _opened(store) as opened:
        candidates = opened.evaluations_of(evaluation)
    versions_by_name: dict[str, ModelVersion] = {}
    for run_id in {candidate.run.run_id for candidate in candidates if candidate.run is not None}:
        models = _models_of(run_id)
        queries = [f"source_path='{SCHEME}{model}'" for model in models] or [f"run_id='{run_id}'"]
        versions_by_name.update(
            {version.name: version for query in queries for version in _versions_like(query)}
        )
    return sorted(versions_by_name.values(), key=lambda version: (version.model, -version.number))


def runs_of(uri: str) -> list[str]:
    """Return ids of the runs in which the models behind a URI were evaluated, or may have been."""
    if uri.startswith(LOGGED):
        return sorted(_runs(None, uri.removeprefix(SCHEME)))
    return sorted(
        {run for version in named(uri) for run in _runs(version.run_id, version.model_id)}
    )


def _is_of(item: Candidate, run_id: str, dataset: str | None) -> bool:
    known = item.run is not None and item.run.run_id == run_id
    return known and dataset in (None, item.certificate.dataset)


def _runs(run_id: str | None, model_id: str | None) -> set[str]:
    """Runs that are about a model: where it is from, and where its metrics are from."""
    run_ids = {run_id}
    if model_id is not None:
        with suppress(mlflow.MlflowException):  # it was deleted; its version is still there
            logged = mlflow.get_logged_model(model_id)
            run_ids |= {logged.source_run_id, *(metric.run_id for metric in logged.metrics or ())}
    models_by_run = {run: _models_of(run) for run in run_ids if run}
    return {run for run, models in models_by_run.items() if not models or model_id in models}


def _models_of(run_id: str) -> set[str]:
    """Logged models that a run was given; none when it names none, or is gone."""
    try:
        inputs = mlflow.MlflowClient().get_run(run_id).inputs
    except mlflow.MlflowException:
        return set()
    return {entity.model_id for entity in inputs.model_inputs} if inputs else set()


def _versions_like(query: str) -> list[ModelVersion]:
    client = mlflow.MlflowClient()
    listed = _pages(lambda token: client.search_model_versions(query, page_token=token))
    models = {entity.name: client.get_registered_model(entity.name).aliases for entity in listed}
    return [
        _version(
            entity,
            [a for a, number in models[entity.name].items() if int(number) == entity.version],
        )
        for entity in listed
    ]


def _registered(model: str) -> Any:
    client = mlflow.MlflowClient()
    try:
        return client.get_registered_model(model)
    except mlflow.MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise InvalidInput(f"registered model {model!r}: {error.message}") from error
        known = _pages(lambda token: client.search_registered_models(page_token=token))
        raise UnknownName("registered model", model, (entity.name for entity in known)) from error


def _version(entity: Any, aliases: Iterable[str]) -> ModelVersion:
    """Read MLflow's own; a search leaves the logged model's id to the source."""
    logged = entity.source.removeprefix(SCHEME) if entity.source.startswith(LOGGED) else None
    number, run_id = int(entity.version), entity.run_id or None
    return ModelVersion(
        entity.name, number, run_id, entity.model_id or logged, tuple(sorted(aliases))
    )


def _pages(ask: Callable[[str | None], Any]) -> list[Any]:
    page = ask(None)
    entities = list(page)
    while page.token:
        page = ask(page.token)
        entities += page
    return entities


@contextmanager
def _opened(store: Store | None) -> Iterator[Store]:
    if store is not None:
        yield store
        return
    with velour.open_store(create=False) as opened:
        yield opened
