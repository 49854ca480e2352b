"""Who is judged by one ``velour evaluate``: prediction files, functions, models of a tracker.

Files are judged here, models and functions in runs of a tracker; all of them then stand on one
leaderboard. Everything that can be refused is refused before the first is judged.
"""

from __future__ import annotations

import os
import re
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
from velour_plugin.use_cases.ask import rank
from velour_plugin.use_cases.evaluate import compute, evaluate_question, fixed_filter
from velour_plugin.use_cases.tracked_evaluation import TrackedEvaluation

_FUNCTION = re.compile(r"[\w.]+:[\w.]+")


@dataclass(frozen=True, slots=True)
class Contender:
    """One who is judged.

    Args:
        dataset: with predictions when there is no model.
        model: a tracker's URI or a function; ``None`` when predictions are judged.
        name: what people call it; ``None`` for the tracker's own name.
    """

    dataset: Dataset
    model: str | Callable[..., Any] | None
    name: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a contender.

    Args:
        evaluation: the outcome.
        entrant: what a ranking knows it by: its run, or the evaluation where there is none.
    """

    evaluation: Evaluation
    entrant: str


@dataclass(frozen=True, slots=True)
class Trial:
    """What all contenders are asked, and where the answers are kept.

    Args:
        task: what is judged.
        parameters: the task's own.
        where: a filter: only its datums are judged.
        store: URL of the store; ``None`` for the default one.
        experiment: of a tracker; ``None`` judges prediction files without one.
        keep: whether evaluations are stored; ``False`` opens no store, and judges files only.
    """

    task: str
    parameters: Mapping[str, Any]
    where: str | None = None
    store: str | None = None
    experiment: str | None = None
    keep: bool = True

    def judge(self, contenders: Sequence[Contender]) -> list[Verdict]:
        """Judge one after the other.

        Raises:
            UnknownName, BadFilter: the question has no meaning; nobody was judged.
            InvalidInput: a contender breaks a rule; those before it are judged and stored.
        """
        question = Question.of(installed().evaluator(self.task), self.parameters, self.where)
        if not self.keep:
            return [self._verdict(one, question, None) for one in contenders]
        with open_store(self.store) as store:
            return [self._verdict(one, question, store) for one in contenders]

    def leaderboard(self, verdicts: Sequence[Verdict]) -> Leaderboard:
        """Rank those that were judged by the task's first headline metric."""
        (dataset,) = {one.evaluation.certificate.dataset for one in verdicts}
        metric = installed().evaluator(self.task).headline[0]
        return rank(metric, dataset, runs=[one.entrant for one in verdicts], store=self.store)

    def _verdict(self, contender: Contender, question: Question, store: Store | None) -> Verdict:
        if contender.model is None and self.experiment is None:
            where = fixed_filter(self.where, contender.dataset, store)
            fixed = replace(question, where=where)
            evaluation = (
                compute(contender.dataset, fixed)
                if store is None
                else evaluate_question(contender.dataset, fixed, store)
            )
        else:
            evaluation = installed().evaluate_tracked(self._request(contender))
        run = evaluation.run
        return Verdict(evaluation, evaluation.id if run is None else run.run_id)

    def _request(self, contender: Contender) -> TrackedEvaluation:
        return TrackedEvaluation(
            contender.dataset,
            contender.model,
            contender.name,
            self.task,
            self.parameters,
            self.where,
            self.store,
            self.experiment,
        )


def contenders(
    dataset: Dataset, models: Sequence[str], files: Sequence[str], names: Sequence[str] = ()
) -> list[Contender]:
    """Read prediction files and find functions.

    Args:
        dataset: that all are judged on.
        models: URIs of a tracker, or functions as ``module:function``.
        files: of predictions.
        names: of all of them in this order; or none, for their own.

    Raises:
        InvalidInput: there are none, they are not as many as names, or two have one name.
        NotFound, UnknownName: a module or function is not there.
        BadDataset: a file does not fit the dataset.
    """
    count = len(models) + len(files)
    if not count:
        raise InvalidInput(
            "nobody to judge: name models (models:/NAME/VERSION, module:function) or files of "
            "predictions (--predictions)."
        )
    if names and len(names) != count:
        raise InvalidInput(
            f"{len(names)} names (--model) for {count} to judge: one for each, models first, then "
            "files of predictions."
        )
    makers = [_of_model] * len(models) + [_of_file] * len(files)
    called: Sequence[str | None] = names or [None] * count
    asked = zip(makers, [*models, *files], called, strict=True)
    found = [make(dataset, one, name) for make, one, name in asked]
    known = [one.name for one in found if one.name is not None]
    for name in known:
        if known.count(name) > 1:
            raise InvalidInput(f"two are called {name!r}: name each of them with --model.")
    return found


def stored_dataset(name: str, store: str | None = None) -> Dataset:
    """Read a stored dataset, by its name for the newest version, or as NAME@VERSION.

    A version is a number, or the beginning of its digest.

    Raises:
        UnknownName: there is no such dataset.
        NotFound: it has no such version, or there is no store.
    """
    with open_store(store, create=False) as opened:
        base, at, wanted = name.rpartition("@")
        if not at or name in opened.dataset_names():
            return opened.load_dataset(name)
        known = opened.versions(base)
        for version in known:
            if wanted == str(version.number) or (
                len(wanted) >= 6 and version.digest.startswith(wanted)
            ):
                return opened.load_dataset(base, version.number)
    listed = ", ".join(f"{base}@{version.number}" for version in known)
    raise NotFound(f"dataset {base!r} has no version {wanted!r}; known are: {listed}.")


def _of_model(dataset: Dataset, model: str, name: str | None) -> Contender:
    bare = replace(dataset, predictions=None, model=None)
    if ":/" in model:
        return Contender(bare, model, name)
    if not _FUNCTION.fullmatch(model):
        raise InvalidInput(
            f"model {model!r}: expected models:/NAME/VERSION or module:function; a file of "
            "predictions is given with --predictions."
        )
    return Contender(bare, function_named(model), name or model)


def _of_file(dataset: Dataset, path: str, name: str | None) -> Contender:
    stem, extension = os.path.splitext(os.path.basename(os.path.normpath(path)))
    if extension == ".parquet":
        from velour_plugin.helpers.parquet import read_predictions

        said = read_predictions(Path(path), dataset)
        called = name or said.model or stem
        return Contender(said.with_model(called), None, called)
    if dataset.reader is None:
        raise InvalidInput(
            f"predictions {path!r}: their ids of datums and classes are those of a file of ground "
            f"truth: name it with --truth. Over the stored dataset {dataset.name!r} alone, only "
            "Velour's own files are read, such as velour/predictions.parquet of a run."
        )
    return Contender(dataset.with_predictions(path, name or stem), None, name or stem)
