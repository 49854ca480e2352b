"""What every evaluator must keep, ours or a plugin's.

Subclass it in a test module, say which evaluator and what data, and pytest runs it all::

    from velour_plugin.testing.evaluators import EvaluatorContract

    class TestMyEvaluator(EvaluatorContract):
        evaluator = MyEvaluator()

        def dataset(self, seed):
            return a_dataset_with_predictions(numpy.random.default_rng(seed))
"""

# ruff: noqa: D102 - the name of a test is its sentence
from __future__ import annotations

import json
import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import joblib
import numpy as np
import pytest
from numpy.typing import NDArray

import velour_plugin as velour
from velour_plugin.domain.encoding.canonical import canonical_json
from velour_plugin.domain.evaluation import Metric
from velour_plugin.domain.ledger import Ledger
from velour_plugin.errors import UnknownName
from velour_plugin.evaluator import Evaluator, ScoredOutcomes
from velour_plugin.filters import parse_filter, split_filter
from velour_plugin.filters.reduce import reduced
from velour_plugin.filters.row_filter import matching_labels
from velour_plugin.store.ledgers import ledger_from_bytes, ledger_to_bytes

SEEDS = range(6)

seeds = pytest.mark.parametrize("seed", SEEDS)


class EvaluatorContract:
    """Tests that every evaluator must pass: subclass it, name the ``evaluator``, make a dataset."""

    evaluator: ClassVar[Evaluator]
    given: ClassVar[dict[str, Any]] = {}
    names_datums: ClassVar[frozenset[str]] = frozenset({"confusion_matrix"})
    """Metrics that give datums as examples: a copy of a datum may be named or not."""

    @abstractmethod
    def dataset(self, seed: int) -> velour.Dataset:
        """Make a dataset with predictions: at least four datums, no two equal scores."""

    def match(self, dataset: velour.Dataset) -> Ledger:
        """Match a dataset with the parameters ``given`` to this contract, and return the ledger."""
        return self.evaluator.match(dataset, self.evaluator.parameters(self.given))

    def answers(self, ledger: Ledger, **selection: Any) -> list[dict[str, Any]]:
        """Return all metrics and details of a ledger as JSON; NaN and infinity are refused."""
        metrics = [
            *self.evaluator.measure(ledger, **selection),
            *self.evaluator.details(ledger, **selection),
        ]
        return [as_json(metric) for metric in metrics]

    def test_parameters_are_complete_json_and_completing_them_again_changes_nothing(self) -> None:
        parameters = self.evaluator.parameters(self.given)
        assert set(parameters) == set(self.evaluator.defaults)
        assert json.loads(canonical_json(parameters)) == parameters
        assert self.evaluator.parameters(parameters) == parameters

    def test_what_is_stated_and_what_a_dataset_decides_are_parameters(self) -> None:
        ledger = self.match(self.dataset(0))
        assert set(self.evaluator.stated_parameters(ledger)) <= set(self.evaluator.defaults)
        assert set(self.evaluator.defaults_for({})) <= set(self.evaluator.defaults)

    def test_an_unknown_parameter_is_refused(self) -> None:
        with pytest.raises(UnknownName):
            self.evaluator.parameters({"no such parameter": 1})

    @seeds
    def test_headline_metrics_come_first(self, seed: int) -> None:
        metrics = self.evaluator.measure(self.match(self.dataset(seed)))
        first = metrics[: len(self.evaluator.headline)]
        assert [item.name for item in first] == list(self.evaluator.headline)
        assert all(item.label is None for item in first)

    def test_what_is_better_when_lower_is_a_metric(self) -> None:
        ledger = self.evaluator.match(self.dataset(0), self.evaluator.parameters({}))
        names = {item["name"].rpartition("/")[2] for item in self.answers(ledger)}
        assert self.evaluator.lower_is_better <= names

    @seeds
    def test_metrics_are_json_and_undefined_is_none(self, seed: int) -> None:
        ledger = self.match(self.dataset(seed))
        for metric in self.evaluator.measure(ledger) + self.evaluator.details(ledger):
            spelled = json.loads(json.dumps(metric.to_dict(), allow_nan=False))
            assert spelled == json.loads(json.dumps(metric.to_dict()))

    @seeds
    def test_metrics_are_within_their_bounds(self, seed: int) -> None:
        """Intervals are cut there: a value outside would lie outside its own interval."""
        for metric in self.evaluator.measure(self.match(self.dataset(seed))):
            low, high = self.evaluator.bounds(metric.name)
            if metric.value is not None:
                assert low is None or low <= metric.value, metric
                assert high is None or metric.value <= high, metric

    @seeds
    def test_no_datum_is_an_answer_too(self, seed: int) -> None:
        ledger = self.match(self.dataset(seed))
        answers = self.answers(ledger, datums=np.zeros(len(ledger.datums), bool))
        headline = answers[: len(self.evaluator.headline)]
        assert all(item["value"] is None or not math.isnan(item["value"]) for item in headline)

    @seeds
    def test_measuring_changes_nothing(self, seed: int) -> None:
        ledger = self.match(self.dataset(seed))
        before = ledger_to_bytes(ledger)
        assert self.answers(ledger) == self.answers(ledger)
        assert ledger_to_bytes(ledger) == before

    @seeds
    def test_a_ledger_survives_the_store(self, seed: int) -> None:
        ledger = self.match(self.dataset(seed))
        again = ledger_from_bytes(ledger_to_bytes(ledger))
        assert same_ledgers(again, ledger)
        assert self.answers(again) == self.answers(ledger)

    @seeds
    def test_what_is_measured_reads_no_details(self, seed: int) -> None:
        """Stores keep these tables apart, and rankings leave them there."""
        ledger = self.match(self.dataset(seed))
        own = self.evaluator
        lean = replace(
            ledger,
            tables={
                name: table
                for name, table in ledger.tables.items()
                if name not in own.detail_tables
            },
        )
        assert own.measure(lean) == own.measure(ledger)
        assert own.by_datum(lean).keys() == own.by_datum(ledger).keys()
        assert own.support(lean).keys() == own.support(ledger).keys()

    @seeds
    def test_columns_by_datum_stay_when_other_datums_go(self, seed: int) -> None:
        """A column has a row a datum, and a datum's row is about that datum alone."""
        dataset = self.dataset(seed)
        chosen = np.arange(len(dataset)) % 2 == 0
        ledger = self.match(dataset)
        whole = self.evaluator.by_datum(ledger)
        alone = self.evaluator.by_datum(self.match(dataset.subset(chosen)))
        assert set(whole) == set(alone)
        assert not whole or {"score", "errors"} <= set(whole)
        for name, column in whole.items():
            assert len(column) == len(ledger.datums)
            assert np.array_equal(column[chosen], alone[name], equal_nan=True)
        score = whole.get("score", np.empty(0))
        assert (np.isnan(score) | ((score >= 0) & (score <= 1))).all()

    @seeds
    def test_a_subset_by_ledger_is_the_subset_by_data(self, seed: int) -> None:
        dataset = self.dataset(seed)
        chosen = np.random.default_rng(seed).random(len(dataset)) < 0.6
        chosen[0] = True
        by_ledger = self.answers(self.match(dataset), datums=chosen)
        assert by_ledger == self.answers(self.match(dataset.subset(chosen)))

    @seeds
    def test_fewer_labels_and_scores_by_ledger_are_those_by_data(self, seed: int) -> None:
        dataset = self.dataset(seed)
        ledger = self.match(dataset)
        first = ledger.labels[0]
        for where, limit in (
            (f"label.key = '{first[0]}' AND label.value = '{first[1]}'", None),
            ("score >= 0.5", 0.5),
        ):
            split = split_filter(parse_filter(where))
            labels = matching_labels(split.labels, ledger.labels)
            by_ledger = self.evaluator.reduce(ledger, labels, limit)
            if by_ledger is not None:
                assert same_ledgers(by_ledger, self.match(reduced(dataset, split)))

    @seeds
    def test_a_ledger_answers_its_own_parameters(self, seed: int) -> None:
        ledger = self.match(self.dataset(seed))
        assert self.evaluator.supports(ledger, ledger.parameters)
        assert same_ledgers(self.evaluator.narrow(ledger, ledger.parameters), ledger)

    @seeds
    def test_a_mask_is_weights_of_0_and_1(self, seed: int) -> None:
        ledger = self.match(self.dataset(seed))
        chosen = np.random.default_rng(seed).random(len(ledger.datums)) < 0.6
        by_mask = self.answers(ledger, datums=chosen)
        assert by_mask == self.answers(ledger, weights=chosen.astype(np.int64))

    @seeds
    def test_values_are_those_of_measure_under_every_weighting(self, seed: int) -> None:
        """All, none, some, and some several times; together, and each key alone."""
        ledger, rng = self.match(self.dataset(seed)), np.random.default_rng(seed)
        count = len(ledger.datums)
        weights = np.stack(
            [
                np.ones(count, np.int64),
                np.zeros(count, np.int64),
                rng.integers(0, 2, count),
                rng.integers(0, 5, count),
            ]
        )
        measured = [self.evaluator.measure(ledger, weights=row) for row in weights]
        keys = [(metric.name, metric.label) for metric in measured[0]]
        expected = np.array([[as_float(m.value) for m in metrics] for metrics in measured])
        values = self.evaluator.values(ledger, keys, weights)
        assert values.dtype == np.float64
        assert np.array_equal(values, expected, equal_nan=True)
        for column in rng.permutation(len(keys))[:20]:
            alone = self.evaluator.values(ledger, [keys[column]], weights)
            assert np.array_equal(alone, expected[:, [column]], equal_nan=True)

    @seeds
    def test_a_datum_left_out_is_a_weight_of_0(self, seed: int) -> None:
        """Each of the selected datums in turn, also under metrics that only some tasks know."""
        ledger, rng = self.match(self.dataset(seed)), np.random.default_rng(seed)
        selected = rng.random(len(ledger.datums)) < 0.8
        omitted = np.flatnonzero(selected)
        weights = np.repeat(selected[None].astype(np.int64), len(omitted), axis=0)
        weights[np.arange(len(omitted)), omitted] = 0
        measured = self.evaluator.measure(ledger)
        keys = [(metric.name, metric.label) for metric in measured]
        for some in (keys, keys[:1]):
            without = self.evaluator.leave_one_out(ledger, some, selected, omitted)
            expected = self.evaluator.values(ledger, some, weights)
            assert np.array_equal(without, expected, equal_nan=True)

    @seeds
    def test_a_restricted_ledger_answers_as_the_whole(self, seed: int) -> None:
        """Resamples of some datums, where the task can leave out the rows of the others."""
        ledger, rng = self.match(self.dataset(seed)), np.random.default_rng(seed)
        for share in (0.0, 0.4, 1.0):
            chosen = rng.random(len(ledger.datums)) < share
            keys = [(m.name, m.label) for m in self.evaluator.measure(ledger, chosen)]
            part = self.evaluator.restrict(ledger, chosen, [name for name, _ in keys[:3]])
            if part is None:
                continue
            weights = np.zeros((3, len(chosen)), np.int64)
            weights[:, chosen] = rng.integers(0, 4, (3, int(chosen.sum())))
            answer = self.evaluator.values(part, keys[:3], weights[:, chosen])
            expected = self.evaluator.values(ledger, keys[:3], weights)
            assert np.array_equal(answer, expected, equal_nan=True)
            assert part.datums == tuple(np.array(ledger.datums, object)[chosen])

    def test_values_of_details_of_nothing_and_of_no_weighting(self) -> None:
        ledger = self.match(self.dataset(0))
        ones = np.ones((1, len(ledger.datums)), np.int64)
        keys = [(self.evaluator.headline[0], None), ("no such metric", None)]
        values = self.evaluator.values(ledger, keys, ones)
        assert values[0, 0] == as_float(self.evaluator.measure(ledger)[0].value)
        assert np.isnan(values[0, 1])
        assert self.evaluator.values(ledger, keys, ones[:0]).shape == (0, 2)
        for detail in self.evaluator.details(ledger):
            if isinstance(detail.value, float):
                values = self.evaluator.values(ledger, [(detail.name, detail.label)], ones)
                assert values[0, 0] == detail.value
                break

    @seeds
    def test_a_share_of_datums_is_the_right_ones_among_those_tried(self, seed: int) -> None:
        ledger = self.match(self.dataset(seed))
        chosen = np.random.default_rng(seed).random(len(ledger.datums)) < 0.6
        for metric in self.evaluator.measure(ledger, chosen):
            outcomes = self.evaluator.outcomes(ledger, metric.name, metric.label)
            if outcomes is None:
                continue
            right, tried = outcomes
            assert not (right & ~tried).any()
            number = int((tried & chosen).sum())
            share = int((right & chosen).sum()) / number if number else None
            assert metric.value == (None if share is None else pytest.approx(share))

    @seeds
    def test_decisions_stay_when_other_datums_go(self, seed: int) -> None:
        dataset = self.dataset(seed)
        ledger = self.match(dataset)
        chosen = np.random.default_rng(seed).random(len(dataset)) < 0.6
        chosen[0] = True
        whole = self.evaluator.scored_outcomes(ledger)
        alone = self.match(dataset.subset(chosen))
        part = self.evaluator.scored_outcomes(alone)
        if whole is not None and part is not None:
            assert (whole.score > 0).all()
            assert _named(whole, ledger, chosen) == _named(part, alone, np.ones(chosen.sum(), bool))

    @seeds
    def test_weights_are_copies_of_datums(self, seed: int) -> None:
        dataset = self.dataset(seed)
        weights = np.random.default_rng(seed).integers(0, 4, len(dataset))
        weights[0] = 2
        weighted = self.answers(self.match(dataset), weights=weights)
        copied = self.answers(self.match(repeated(dataset, weights)))
        assert self._nameless(weighted) == self._nameless(copied)

    @seeds
    def test_the_order_of_datums_and_annotations_changes_nothing(self, seed: int) -> None:
        dataset = self.dataset(seed)
        other = shuffled(dataset, np.random.default_rng(seed))
        assert self.answers(self.match(other)) == self.answers(self.match(dataset))

    @seeds
    def test_ledgers_of_partitions_are_the_ledger_of_all(self, seed: int) -> None:
        dataset, rng = self.dataset(seed), np.random.default_rng(seed)
        part = rng.integers(0, 3, len(dataset))
        part[:3] = rng.permutation(3)
        ledgers = [self.match(dataset.subset(part == number)) for number in range(3)]
        whole = self.match(dataset)
        together = self.evaluator.concatenate(ledgers)
        assert same_ledgers(together, whole)
        assert self.answers(together) == self.answers(whole)

    def test_parallel_is_serial(self) -> None:
        """Parts matched by two workers, through the same door as a user's call."""
        dataset, task = self.dataset(0), self.evaluator.task
        here = velour.evaluate(dataset, task, parameters=self.given)
        with joblib.parallel_config(backend="threading", n_jobs=2):
            there = velour.evaluate(dataset, task, parameters=self.given)
        assert there.id == here.id
        assert same_ledgers(there.ledger, here.ledger)
        assert list(map(as_json, there.metrics)) == list(map(as_json, here.metrics))

    def _nameless(self, answers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {**item, "value": without_examples(item["value"])}
            if item["name"].rpartition("/")[2] in self.names_datums
            else item
            for item in answers
        ]


def _named(
    outcomes: ScoredOutcomes, ledger: Ledger, chosen: NDArray[np.bool_]
) -> tuple[list[Any], list[Any]]:
    """Decisions and truths on some datums, by the names of datums and labels, sorted."""
    made, true = chosen[outcomes.datum], chosen[outcomes.truth_datum]
    decisions = zip(
        (ledger.datums[datum] for datum in outcomes.datum[made]),
        (ledger.labels[label] for label in outcomes.label[made]),
        outcomes.score[made].tolist(),
        outcomes.right[made].tolist(),
        strict=True,
    )
    truths = zip(
        (ledger.datums[datum] for datum in outcomes.truth_datum[true]),
        (ledger.labels[label] for label in outcomes.truth_label[true]),
        strict=True,
    )
    return sorted(decisions), sorted(truths)


def as_json(metric: Metric) -> dict[str, Any]:
    """Return a metric as another process reads it: through JSON and back."""
    spelled: dict[str, Any] = json.loads(json.dumps(metric.to_dict(), allow_nan=False))
    return spelled


def as_float(value: float | None) -> float:
    """Return a value as a float; NaN for ``None``."""
    return np.nan if value is None else float(value)


def without_examples(value: Any) -> Any:
    """Return JSON without the values of every key ``examples``."""
    if isinstance(value, list):
        return [without_examples(item) for item in value]
    if isinstance(value, dict):
        return {key: without_examples(item) for key, item in value.items() if key != "examples"}
    return value


def same_ledgers(left: Ledger, right: Ledger) -> bool:
    """Whether two ledgers are equal in every column, to the bit."""
    same_heads = (left.task, left.datums, left.labels, canonical_json(dict(left.parameters))) == (
        right.task,
        right.datums,
        right.labels,
        canonical_json(dict(right.parameters)),
    )
    names = {(table, column) for table in left.tables for column in left.tables[table]}
    others = {(table, column) for table in right.tables for column in right.tables[table]}
    return (
        same_heads
        and names == others
        and all(_same_columns(left.tables[t][c], right.tables[t][c]) for t, c in names)
    )


def _same_columns(left: NDArray[Any], right: NDArray[Any]) -> bool:
    numbers = left.dtype.kind == "f"
    return left.dtype == right.dtype and np.array_equal(left, right, equal_nan=numbers)


def repeated(dataset: velour.Dataset, times: NDArray[np.int64]) -> velour.Dataset:
    """Return a dataset with each datum ``times`` times, renamed, copies one after another."""
    assert dataset.predictions is not None
    truths: list[velour.GroundTruth] = []
    predictions: list[velour.Prediction] = []
    pairs = zip(dataset.groundtruths, dataset.predicted, strict=True)
    for (truth, prediction), often in zip(pairs, times.tolist(), strict=True):
        for _ in range(often):
            datum = replace(truth.datum, uid=str(len(truths)))
            truths.append(velour.GroundTruth(datum, truth.annotations))
            predictions.append(velour.Prediction(datum, prediction.annotations))
    return _with_labels_of(dataset, truths, predictions)


def shuffled(dataset: velour.Dataset, rng: np.random.Generator) -> velour.Dataset:
    """Return a dataset of the same datums and annotations, given in another order."""

    def mixed(items: Sequence[Any]) -> list[Any]:
        return [items[index] for index in rng.permutation(len(items))]

    truths = [
        velour.GroundTruth(truth.datum, mixed(truth.annotations)) for truth in dataset.groundtruths
    ]
    predictions = [
        velour.Prediction(item.datum, mixed(item.annotations)) for item in dataset.predicted
    ]
    return _with_labels_of(dataset, mixed(truths), mixed(predictions))


def _with_labels_of(
    dataset: velour.Dataset,
    truths: Sequence[velour.GroundTruth],
    predictions: Sequence[velour.Prediction],
) -> velour.Dataset:
    """Labels that no datum shows any more keep their places."""
    assert dataset.predictions is not None
    made = velour.Dataset.from_groundtruths(
        truths, dataset.name, dataset.metadata, dataset.truth.labels
    ).with_predictions(predictions, str(dataset.model))
    assert made.predictions is not None
    labels = dataset.predictions.labels
    indices = np.array([labels.index(name) for name in made.predictions.labels], np.int32)
    return made.with_predictions(made.predictions.relabelled(labels, indices), str(dataset.model))
