"""The public functions that query a store: each makes a query and returns its answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from velour_plugin.queries.fields import Cut, LabelName, OnMismatch
from velour_plugin.queries.query import (
    CompareQuery,
    MatchesQuery,
    MatrixQuery,
    PlanQuery,
    Query,
    RankQuery,
    RecommendQuery,
    SliceQuery,
    ThresholdQuery,
    WorstQuery,
)
from velour_plugin.ranking import cache_key, read_answer
from velour_plugin.store.opening import known_answer, opened, quick_answer
from velour_plugin.store.protocol import Store
from velour_plugin.use_cases.run_states import refresh_runs

if TYPE_CHECKING:
    from velour_plugin.answers import (
        Comparison,
        Leaderboard,
        Matches,
        Matrix,
        Plan,
        Recommendation,
        Slices,
        Thresholds,
        Worst,
    )
    from velour_plugin.domain.evaluation import Evaluation
    from velour_plugin.filters import Where

Answer = TypeVar("Answer")


def rank(
    metric: str | None = None,
    dataset: str | Sequence[str] | None = None,
    *,
    where: Where = None,
    label: LabelName | None = None,
    runs: str | Iterable[str] | None = None,
    experiments: Iterable[str] | None = None,
    all_runs: bool = False,
    parameters: Mapping[str, Any] | None = None,
    columns: Sequence[str] = (),
    having: Where = None,
    on_mismatch: OnMismatch = "refuse",
    groups: str | Sequence[str] | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    refresh: bool | None = None,
    store: Store | str | None = None,
) -> Leaderboard:
    """Rank the models that were evaluated on a dataset, and say how sure that is.

    Each model has one row, its newest run; a note counts the older ones. A model is a registered
    name with its version, or a logged model, or a name within an experiment. Of each run, the
    newest evaluation of a kind counts. A filter on datums, labels or higher scores is answered
    from the ledgers; what these cannot answer is matched again from the stored annotations, and
    the leaderboard says so. Intervals, rank intervals and probabilities are from resamples of the
    selected datums, the same for every run.

    Args:
        metric: a headline metric such as ``mAP``, or with ``label`` one of a label such as ``AP``;
            the first of the task's headline metrics when left out.
        dataset: name of the dataset; the store's only one when left out. Of several datasets,
            models are ranked over the datums of all together: each by its newest evaluation on
            each.
        where: only these datums, labels, scores, annotations and runs count (see
            :mod:`velour_plugin.filters`).
        label: a class, by its value or as (key, value).
        runs: an MLflow filter string such as ``"params.backbone = 'swin'"``; or ids or names of
            runs or models, each of which has a row; ``None`` for all models.
        experiments: ids of MLflow experiments; ``None`` for all.
        all_runs: a row for every run of a model, not only for its newest.
        parameters: of the task, ``label_map`` or ``label_keys``, in place of those that the
            evaluations were made with; the others stay.
        columns: further metrics, measured over the same datums, and what MLflow knows of the runs:
            ``mlflow.metrics.latency_ms``, ``mlflow.params.backbone``, ``mlflow.tags.team``.
        having: a condition on the metric and on columns, such as ``"mAP_50 >= 0.5"``; rows for
            which it is not true, or not known, are left out and named.
        on_mismatch: when evaluations answer different questions: ``refuse``, or
            ``intersect`` to compare them over the datums that they share.
        groups: a property whose values tell which datums belong together, as the frames of a
            video: ``video``, ``location:0.5``; or several. Whole groups are resampled; ``"none"``
            takes datums for independent, ``None`` as their dataset declares.
        confidence: of the intervals, in (0, 1).
        resamples: how many to draw, at most 100,000; 0 for no intervals.
        seed: of the resamples; the same seed gives the same leaderboard.
        refresh: whether to ask MLflow first for the names of runs and for those that are deleted,
            which are left out; by default only where this process evaluates in its runs.
        store: an open store or its URL; ``None`` for the default store.

    Raises:
        UnknownName: there is no such dataset, metric, label, run, property, parameter or column.
        NotComparable: the evaluations do not answer one question; the fields are named.
        BadFilter: the filter has no meaning.
        InvalidInput: confidence or resamples are out of range, no run has a value of a column, or
            no dataset is named and the store has several.
        NotFound: there is no store, or no evaluation in it.
    """
    query = RankQuery(
        metric=metric,
        datasets=dataset,
        where=where,
        label=label,
        runs=_listed(runs),
        experiments=_listed(experiments),
        all_runs=all_runs,
        parameters=parameters,
        columns=columns,
        having=having,
        on_mismatch=on_mismatch,
        groups=groups,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
    )
    refresh_runs(store, query.read_datasets, refresh)
    return _ask(query, store)


def matrix(
    metric: str | None = None,
    *,
    where: Where = None,
    label: LabelName | None = None,
    dataset: str | Sequence[str] | None = None,
    models: Sequence[str] | None = None,
    by: Sequence[Cut] | Cut = (),
    all_runs: bool = False,
    on_mismatch: OnMismatch = "refuse",
    groups: str | Sequence[str] | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    refresh: bool | None = None,
    store: Store | str | None = None,
) -> Matrix:
    """Measure every model on every dataset; cells without an evaluation stay empty.

    Of each model, the newest evaluation on a dataset counts, for each task that has the metric.
    An empty cell has the command that fills it.

    Args:
        metric: a headline metric such as ``mAP``, or with ``label`` one of a label such as ``AP``;
            the first of the task's headline metrics when left out.
        where: only these datums, labels, scores and annotations count.
        label: a class, by its value or as (key, value).
        dataset: one name or several; ``None`` for all in the store.
        models: names; ``None`` for all.
        by: slices: each dataset becomes a column a slice (see
            :mod:`velour_plugin.ranking.slicing`).
        all_runs: a row for every run of a model, not only for its newest.
        on_mismatch: when evaluations on one dataset answer different questions: ``refuse``, which
            leaves its column empty and says why, or ``intersect``.
        groups: a property whose values tell which datums belong together, as the frames of a
            video: ``video``, ``location:0.5``; or several. Whole groups are resampled; ``"none"``
            takes datums for independent, ``None`` as their dataset declares.
        confidence: of the intervals, in (0, 1).
        resamples: how many to draw, at most 100,000; 0 for no intervals.
        seed: of the resamples.
        refresh: whether to ask MLflow first for the names of runs and for those that are deleted,
            which are left out; by default only where this process evaluates in its runs.
        store: an open store or its URL; ``None`` for the default store.

    Raises:
        NotFound: no dataset has evaluations with the metric; the reasons are given.
        NotComparable: evaluations on different datasets differ in more than their datums.
        UnknownName: there is no such dataset or model.
    """
    query = MatrixQuery(
        metric=metric,
        where=where,
        label=label,
        datasets=dataset,
        models=models,
        by=by,  # type: ignore[arg-type]  # one cut is a list of one
        all_runs=all_runs,
        on_mismatch=on_mismatch,
        groups=groups,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
    )
    refresh_runs(store, query.read_datasets, refresh)
    return _ask(query, store)


def slices(
    run: str,
    by: Sequence[Cut] | Cut,
    *,
    metric: str | None = None,
    where: Where = None,
    label: LabelName | None = None,
    dataset: str | None = None,
    groups: str | Sequence[str] | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    store: Store | str | None = None,
) -> Slices:
    """Measure a run on slices of its data, from its ledger.

    Args:
        run: a run's id or name, a model's name, or an evaluation's id.
        by: how to cut (see :mod:`velour_plugin.ranking.slicing`).
        metric: its name; the first of the task's headline metrics when left out.
        where: only these datums are cut.
        label: the class that the metric is about.
        dataset: that it was evaluated on; the one of its newest evaluation when left out.
        groups: a property whose values tell which datums belong together, as the frames of a
            video: ``video``, ``location:0.5``; or several. Whole groups are resampled; ``"none"``
            takes datums for independent, ``None`` as their dataset declares.
        confidence: of the intervals, in (0, 1).
        resamples: how many to draw, at most 100,000; 0 for no intervals.
        seed: of the resamples.
        store: an open store or its URL; ``None`` for the default store.

    Raises:
        UnknownName: there is no such run, property or metric.
        InvalidInput: a property cannot be cut that way.
    """
    query = SliceQuery(
        run=run,
        by=by,  # type: ignore[arg-type]  # one cut is a list of one
        metric=metric,
        where=where,
        label=label,
        dataset=dataset,
        groups=groups,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
    )
    return _ask(query, store)


def compare(
    run_a: str,
    run_b: str,
    *,
    metric: str | None = None,
    where: Where = None,
    label: LabelName | None = None,
    by: Sequence[Cut] | Cut = (),
    dataset: str | None = None,
    groups: str | Sequence[str] | None = None,
    no_worse: float | None = None,
    min_lead: float | None = None,
    confidence: float = 0.95,
    permutations: int = 1000,
    seed: int = 0,
    store: Store | str | None = None,
) -> Comparison:
    """Compare two runs on the datums that a filter selects, from their ledgers.

    Args:
        run_a: the baseline: an id or name, a model's name, or an evaluation's id.
        run_b: the candidate.
        metric: a headline metric; the task's first when left out. Labels are compared by the
            metric of labels that belongs to it, such as ``AP`` to ``mAP``.
        where: only these datums count.
        label: a class: only the metric of this label is compared, such as its ``AP``.
        by: slices to compare as well (see :mod:`velour_plugin.ranking.slicing`).
        dataset: that both were evaluated on; that of the first run's newest evaluation when left
            out.
        groups: a property whose values tell which datums belong together, as the frames of a
            video: ``video``, ``location:0.5``; or several. Whole groups are exchanged; ``"none"``
            takes datums for independent, ``None`` as their dataset declares.
        no_worse: a margin >= 0 in the units of the metric: whether the candidate is shown to be
            worse by no more than this is said as well, by a one-sided test.
        min_lead: a margin >= 0: whether it is shown to be better by more than this.
        confidence: of intervals; the tests of margins have the level 1 less this.
        permutations: how many to draw at most, up to 100,000; the smallest p is
            1 / (permutations + 1). Fewer are drawn where p is clear. 0 for no p and no intervals.
        seed: of the permutations.
        store: an open store or its URL; ``None`` for the default store.

    Raises:
        NotComparable: the two do not answer the same question; the fields are named.
        UnknownName: there is no such run, metric or property.
        InvalidInput: a margin is below 0, or no two values of the metric are as far apart.
    """
    query = CompareQuery(
        baseline=run_a,
        candidate=run_b,
        metric=metric,
        where=where,
        label=label,
        by=by,  # type: ignore[arg-type]  # one cut is a list of one
        dataset=dataset,
        groups=groups,
        no_worse=no_worse,
        min_lead=min_lead,
        confidence=confidence,
        permutations=permutations,
        seed=seed,
    )
    return _ask(query, store)


def plan(
    run: str,
    *,
    against: str | None = None,
    width: float | None = None,
    detect: float | None = None,
    metric: str | None = None,
    where: Where = None,
    label: LabelName | None = None,
    by: Sequence[Cut] | Cut = (),
    dataset: str | None = None,
    groups: str | Sequence[str] | None = None,
    confidence: float = 0.95,
    power: float = 0.8,
    resamples: int = 1000,
    seed: int = 0,
    store: Store | str | None = None,
) -> Plan:
    """Say how many datums to collect, from a pilot: what a run was evaluated on.

    The standard error over the pilot's datums falls as one over the root of their number. How many
    are needed is a range as well, as a pilot knows its own standard error only so well.

    Args:
        run: the pilot: a run's id or name, a model's name, or an evaluation's id.
        against: another run, on the same datums: the plan is for the difference of both, in which
            cancels what they have in common.
        width: of the interval, from its low to its high end; 0.05 where no goal is named.
        detect: in place of a width, a difference that a test of two runs is to find. Without
            ``against`` the other run is assumed to be as good a pilot as this one, with errors of
            its own: two runs on the same datums need fewer.
        metric: a headline metric; the task's first when left out.
        where: only these datums are the pilot.
        label: the class that the metric is about.
        by: slices to plan for as well (see :mod:`velour_plugin.ranking.slicing`).
        dataset: that it was evaluated on; the one of its newest evaluation when left out.
        groups: a property whose values tell which datums belong together, as the frames of a
            video: ``video``, ``location:0.5``; or several. Then groups are counted, of as many
            datums each as the pilot's; ``"none"`` takes datums for independent, ``None`` as their
            dataset declares.
        confidence: of the interval, in (0, 1); the level of the test is 1 less this.
        power: probability with which the test is to find the difference.
        resamples: how many to draw, 1 to 100,000.
        seed: of the resamples.
        store: an open store or its URL; ``None`` for the default store.

    Raises:
        InvalidInput: the metric cannot differ so much, or a property cannot be cut that way.
        NotComparable: the two runs do not answer the same question; the fields are named.
        UnknownName: there is no such run, metric or property.
    """
    query = PlanQuery(
        run=run,
        against=against,
        width=width,
        detect=detect,
        metric=metric,
        where=where,
        label=label,
        by=by,  # type: ignore[arg-type]  # one cut is a list of one
        dataset=dataset,
        groups=groups,
        confidence=confidence,
        power=power,
        resamples=resamples,
        seed=seed,
    )
    return _ask(query, store)


def worst(
    run: str,
    n: int = 10,
    *,
    metric: str | None = None,
    where: Where = None,
    label: LabelName | None = None,
    dataset: str | None = None,
    groups: str | Sequence[str] | None = None,
    store: Store | str | None = None,
) -> Worst:
    """Find the datums without which a run would do best: those that cost most.

    The cost of a datum is what the metric gains when it is left out; where groups are named, whole
    groups are left out, such as all frames of a video. Groups that a dataset declares are not
    taken: they tell what is chance, and no cost is.

    Args:
        run: a run's id or name, a model's name, or an evaluation's id.
        n: how many to name.
        metric: its name; the first of the task's headline metrics when left out.
        where: only these datums are looked at.
        label: the class that the metric is about.
        dataset: that it was evaluated on; the one of its newest evaluation when left out.
        groups: a property such as ``video``, or several, whose values make the rows.
        store: an open store or its URL; ``None`` for the default store.

    Raises:
        UnknownName: there is no such run, property or metric.
        InvalidInput: all selected datums are one group.
    """
    query = WorstQuery(
        run=run, metric=metric, where=where, label=label, n=n, dataset=dataset, groups=groups
    )
    return _ask(query, store)


def matches(
    run: str | Evaluation,
    n: int | None = 20,
    *,
    outcome: str | None = None,
    label: LabelName | None = None,
    where: Where = None,
    dataset: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    store: Store | str | None = None,
) -> Matches:
    """List detections with the truths that they match, and what is left of either.

    Each true and false positive and each false negative is a row, at the parameters
    ``iou_threshold`` and ``score_threshold``: those that precision and recall count, with the
    kinds of error of TIDE. A false positive has the truth that it lies on, if any. The highest
    scores come first, then missed truths, the largest first. Detections that do not count, as on
    crowds, are not listed.

    Args:
        run: a run's id or name, a model's name, or an evaluation's id; or an evaluation itself,
            stored or not.
        n: how many rows at most; ``None`` for all. The answer's ``counts`` are of all,
            of whatever outcome.
        outcome: only ``true positive``, ``false positive`` or ``false negative``; or only a kind
            of error: ``classification``, ``localisation``, ``both``, ``duplicate``,
            ``background``, ``missed``, ``low score``.
        label: only predictions and missed truths of this class.
        where: only these datums, labels, scores and annotations count.
        dataset: that it was evaluated on; the one of its newest evaluation when left out.
        parameters: of the task, in place of those that it was evaluated with, such as
            ``{"iou_threshold": 0.75, "score_threshold": 0.3}``.
        store: an open store or its URL; ``None`` for the default store.

    Raises:
        UnknownName: there is no such run, outcome, label, property or parameter.
        InvalidInput: the task compares no pairs, or the evaluation keeps no overlaps.
    """
    from velour_plugin.domain.evaluation import Evaluation  # kept answers do without its libraries

    query = MatchesQuery(
        run=run.model if isinstance(run, Evaluation) else run,
        n=n,
        outcome=outcome,
        label=label,
        where=where,
        dataset=dataset,
        parameters=parameters,
    )
    if isinstance(run, Evaluation):
        from velour_plugin.ranking.match_rows import matches_in_memory

        return matches_in_memory(run, query)
    return _ask(query, store)


def threshold(
    run: str,
    *,
    precision: float | None = None,
    recall: float | None = None,
    f1: bool = False,
    where: Where = None,
    label: LabelName | None = None,
    dataset: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    groups: str | Sequence[str] | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    store: Store | str | None = None,
) -> Thresholds:
    """Choose the score from which on predictions are taken, for each class.

    A threshold is chosen on all selected datums, and looks better on them than it is. So its
    precision, recall and F1 are those of tenths of the datums, each at the threshold that the
    other nine choose, and the intervals allow for the choice. Of detections, the score decides
    whether they count; in classification, whether a datum has the class, against the rest.

    Args:
        run: a run's id or name, a model's name, or an evaluation's id.
        precision: take the lowest threshold with this precision or more, in (0, 1].
        recall: take the highest threshold with this recall or more, in (0, 1].
        f1: take the threshold with the best F1. One of the three is given.
        where: only these datums, labels, scores and annotations count.
        label: only this class.
        dataset: that it was evaluated on; the one of its newest evaluation when left out.
        parameters: of the task, in place of those that it was evaluated with, such as
            ``{"iou_threshold": 0.75}``.
        groups: a property whose values tell which datums belong together, as the frames of a
            video: ``video``, ``location:0.5``; or several. Whole groups are in one tenth;
            ``"none"`` takes datums for independent, ``None`` as their dataset declares.
        confidence: of the intervals.
        seed: of the tenths.
        store: an open store or its URL; ``None`` for the default store.

    Raises:
        UnknownName: there is no such run, label, property or parameter.
        InvalidInput: the predictions have no scores, or not one of ``precision``, ``recall`` and
            ``f1`` is given.
    """
    query = ThresholdQuery(
        run=run,
        precision=precision,
        recall=recall,
        f1=f1,
        where=where,
        label=label,
        dataset=dataset,
        parameters=parameters,
        groups=groups,
        confidence=confidence,
        seed=seed,
    )
    return _ask(query, store)


def recommend(
    metric: str | None = None,
    *,
    where: Where = None,
    dataset: str | Sequence[str] | None = None,
    all_runs: bool = False,
    groups: str | Sequence[str] | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    refresh: bool | None = None,
    store: Store | str | None = None,
) -> Recommendation:
    """Name the best-supported model for a need, with the evidence.

    Datasets that models connect are put together. Every two models are compared over the datums of
    the datasets that both were evaluated on, as far as the filter selects them, and their
    differences are combined: a probability is about models that met, or that others connect, and
    there is none where a model met no other. A dataset without such datums, without the filter's
    properties, or whose runs cannot be compared, is left out and named.

    Args:
        metric: to rank by; the first of the task's headline metrics when left out.
        where: the need.
        dataset: one name or several; ``None`` for all in the store.
        all_runs: every run of a model is a candidate, not only its newest; datasets are then not
            put together.
        groups: a property whose values tell which datums belong together, as the frames of a
            video: ``video``, ``location:0.5``; or several. Whole groups are resampled; ``"none"``
            takes datums for independent, ``None`` as their dataset declares.
        confidence: of the leaderboards' intervals, and that all that may be best are named so.
        resamples: of each dataset's datums, the same for all models; >= 1: without resamples there
            are no chances.
        seed: of the resamples.
        refresh: whether to ask MLflow first for the names of runs and for those that are deleted,
            which are left out; by default only where this process evaluates in its runs.
        store: an open store or its URL; ``None`` for the default store.

    Raises:
        NotFound: no dataset has anything to say; the reasons are given.
    """
    query = RecommendQuery(
        metric=metric,
        where=where,
        datasets=dataset,
        all_runs=all_runs,
        groups=groups,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
    )
    refresh_runs(store, query.read_datasets, refresh)
    return _ask(query, store)


def _listed(names: Any) -> Any:
    """An iterable of names as a list; other values are left for the query to check."""
    return list(names) if isinstance(names, Iterable) and not isinstance(names, str) else names


def _ask(query: Query[Answer], store: Store | str | None) -> Answer:
    """Answer from the cache or by the database's driver alone, else open the store."""
    if store is None or isinstance(store, str):
        kept = _kept(query, store)
        answer: Answer | None = quick_answer(store, query) if kept is None else kept
        if answer is not None:
            return answer
    with opened(store) as reader:
        return reader.ask(query)


def _kept(query: Query[Answer], store: str | None) -> Answer | None:
    key = cache_key(query)
    known = None if key is None else known_answer(store, key, query.read_datasets)
    return None if known is None else read_answer(query, known)
