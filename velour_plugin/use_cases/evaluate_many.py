"""Evaluate several models at once: prediction files, functions, models of a tracker.

Files are evaluated here, models and functions in runs of a tracker; all of them are then ranked on
one leaderboard. Everything that can be refused is refused before the first evaluation.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from velour_plugin.answers import Leaderboard
from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.evaluation import Evaluation
from velour_plugin.errors import InvalidInput, NotFound
from velour_plugin.helpers.functions import function_named
from velour_plugin.matching.question import Question
from velour_plugin.plugins.installed import installed
from velour_plugin.store import Store, open_store
from velour_plugin.store.opening import is_missing
from velour_plugin.use_cases.ask import rank
from velour_plugin.use_cases.evaluate import (
    compute,
    evaluate_question,
    fixed_filter,
    publish_first,
)
from velour_plugin.use_cases.tracked_evaluation import TrackedEvaluation

_FUNCTION = re.compile(r"[\w.]+:[\w.]+")


@dataclass(frozen=True, slots=True)
class EvaluationInput:
    """One model, or its predictions, to evaluate.

    Args:
        dataset: with predictions when there is no model.
        model: a tracker's URI or a function; ``None`` when predictions are evaluated.
        name: of the model; ``None`` for the tracker's name of it.
    """

    dataset: Dataset
    model: str | Callable[..., Any] | None
    name: str | None


@dataclass(frozen=True, slots=True)
class EvaluationOutput:
    """The evaluation of one input.

    Args:
        evaluation: the outcome.
        run: names it in a ranking: the id of its run, or of the evaluation where there is none.
    """

    evaluation: Evaluation
    run: str


@dataclass(frozen=True, slots=True)
class BatchEvaluation:
    """Task, parameters and filter of several evaluations, and where these are stored.

    Args:
        task: of the evaluations.
        parameters: of the task.
        where: a filter: only its datums are evaluated.
        store: URL of the store; ``None`` for the default one.
        experiment: of a tracker; ``None`` evaluates prediction files without a run.
        keep: whether evaluations are stored; ``False`` opens no store, and evaluates files only.
    """

    task: str
    parameters: Mapping[str, Any]
    where: str | None = None
    store: str | None = None
    experiment: str | None = None
    keep: bool = True

    def evaluate(self, inputs: Sequence[EvaluationInput]) -> list[EvaluationOutput]:
        """Evaluate one input after the other.

        Raises:
            UnknownName, BadFilter: task, parameters or filter are wrong; nothing is evaluated.
            InvalidInput: an input breaks a rule; those before it are evaluated and stored.
        """
        question = Question.of(installed().evaluator(self.task), self.parameters, self.where)
        if not self.keep:
            return [self._evaluate(item, question, None) for item in inputs]
        if self._is_first_of_a_store(inputs):
            (item,) = inputs
            evaluation = compute(item.dataset, question)
            publish_first(evaluation, item.dataset, self.store)
            return [EvaluationOutput(evaluation, evaluation.id)]
        with open_store(self.store) as store:
            return [self._evaluate(item, question, store) for item in inputs]

    def _is_first_of_a_store(self, inputs: Sequence[EvaluationInput]) -> bool:
        """Whether one file is evaluated for a store that is not there yet, the fastest path."""
        models = [item.model for item in inputs]
        return models == [None] and self.where is self.experiment is None and is_missing(self.store)

    def leaderboard(self, outputs: Sequence[EvaluationOutput]) -> Leaderboard:
        """Rank what was evaluated, and nothing else, by the task's first headline metric."""
        (dataset,) = {output.evaluation.certificate.dataset for output in outputs}
        metric = installed().evaluator(self.task).headline[0]
        return rank(metric, dataset, runs=[output.run for output in outputs], store=self.store)

    def _evaluate(
        self, item: EvaluationInput, question: Question, store: Store | None
    ) -> EvaluationOutput:
        if item.model is None and self.experiment is None:
            where = fixed_filter(self.where, item.dataset, store)
            fixed = replace(question, where=where)
            evaluation = (
                compute(item.dataset, fixed)
                if store is None
                else evaluate_question(item.dataset, fixed, store)
            )
        else:
            evaluation = installed().evaluate_tracked(self._request(item))
        run = evaluation.run
        return EvaluationOutput(evaluation, evaluation.id if run is None else run.run_id)

    def _request(self, item: EvaluationInput) -> TrackedEvaluation:
        return TrackedEvaluation(
            item.dataset,
            item.model,
            item.name,
            self.task,
            self.parameters,
            self.where,
            self.store,
            self.experiment,
        )


def read_inputs(
    dataset: Dataset, models: Sequence[str], files: Sequence[str], names: Sequence[str] = ()
) -> list[EvaluationInput]:
    """Read prediction files and find functions.

    Args:
        dataset: that all are evaluated on.
        models: URIs of a tracker, or functions as ``module:function``.
        files: of predictions.
        names: of all of them in this order; empty for the names that they have.

    Raises:
        InvalidInput: there are none, they are not as many as names, or two have one name.
        NotFound, UnknownName: a module or function is not there.
        BadDataset: a file does not fit the dataset.
    """
    count = len(models) + len(files)
    if not count:
        raise InvalidInput(
            "nothing to evaluate: pass a MODEL (models:/NAME/VERSION, module:function) or "
            "--predictions FILE."
        )
    if names and len(names) != count:
        raise InvalidInput(
            f"{len(names)} names (--model) for {count} models and files: pass a name for each, "
            "models first, then files of predictions."
        )
    makers = [_of_model] * len(models) + [_of_file] * len(files)
    called: Sequence[str | None] = names or [None] * count
    sources = zip(makers, [*models, *files], called, strict=True)
    inputs = [make(dataset, source, name) for make, source, name in sources]
    known = Counter(item.name for item in inputs if item.name is not None)
    for name, times in known.items():
        if times > 1:
            raise InvalidInput(f"two inputs are named {name!r}: name each with --model.")
    return inputs


def stored_dataset(name: str, store: str | None = None) -> Dataset:
    """Read a stored dataset, by its name for the newest version, or as NAME@VERSION.

    A version is a number, or the beginning of its digest.

    Raises:
        UnknownName: there is no such dataset.
        NotFound: it has no such version, or there is no store.
    """
    with open_store(store, create=False) as opened:
        base, at, number = name.rpartition("@")
        if not at or name in opened.dataset_names():
            return opened.load_dataset(name)
        known = opened.versions(base)
        for version in known:
            if number == str(version.number) or (
                len(number) >= 6 and version.digest.startswith(number)
            ):
                return opened.load_dataset(base, version.number)
    listed = ", ".join(f"{base}@{version.number}" for version in known)
    raise NotFound(f"dataset {base!r} has no version {number!r}; known are: {listed}.")


def _of_model(dataset: Dataset, model: str, name: str | None) -> EvaluationInput:
    bare = replace(dataset, predictions=None, model=None)
    if ":/" in model:
        return EvaluationInput(bare, model, name)
    if not _FUNCTION.fullmatch(model):
        raise InvalidInput(
            f"model {model!r}: expected models:/NAME/VERSION or module:function; a file of "
            "predictions is given with --predictions."
        )
    return EvaluationInput(bare, function_named(model), name or model)


def _of_file(dataset: Dataset, path: str, name: str | None) -> EvaluationInput:
    stem, extension = os.path.splitext(os.path.basename(os.path.normpath(path)))
    if extension == ".parquet":
        from velour_plugin.helpers.parquet import read_predictions

        predicted = read_predictions(Path(path), dataset)
        called = name or predicted.model or stem
        return EvaluationInput(predicted.with_model(called), None, called)
    if dataset.reader is None:
        raise InvalidInput(
            f"predictions {path!r}: their ids of datums and classes are those of a file of ground "
            f"truth: name it with --truth. Over the stored dataset {dataset.name!r} alone, only "
            "Velour's own files are read, such as velour/predictions.parquet of a run."
        )
    return EvaluationInput(dataset.with_predictions(path, name or stem), None, name or stem)
