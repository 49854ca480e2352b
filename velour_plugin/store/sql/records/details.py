"""Details of stored evaluations: computed from the ledger, read, or matched again.

Metrics of details are computed from the ledger. Its tables of details are read where they are
stored; otherwise the stored predictions are matched with the ground truth again, and the
result is stored. Evaluations of older versions of Velour have all of it stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.evaluation import Certificate, Evaluation, Metric, Metrics
from velour_plugin.domain.ledger import Columns, Ledger
from velour_plugin.errors import StoreUnavailable
from velour_plugin.matching.question import Question
from velour_plugin.plugins.installed import installed


def with_computed_details(evaluation: Evaluation) -> Evaluation:
    """Return an evaluation with stored metrics and those of details, computed when first read."""
    metrics = Metrics(evaluation.metrics, partial(_detail_metrics, evaluation.ledger))
    return replace(evaluation, metrics=metrics)


def match_again(certificate: Certificate, dataset: Dataset, ledger: Ledger) -> Ledger:
    """Match again, and return the stored ledger with the tables of details that it lacked.

    Args:
        certificate: of the evaluation.
        dataset: as it was evaluated, with predictions.
        ledger: as it is stored.

    Raises:
        StoreUnavailable: the installed evaluator makes another ledger.
    """
    evaluator = installed().evaluator(certificate.evaluator)
    # older versions decided some parameters by the data, and only the ledger says how
    parameters = {**certificate.parameters, **ledger.parameters}
    question = Question.certified(evaluator, replace(certificate, parameters=parameters))
    again = question.match(dataset).ledger
    if again is None or not _agree(ledger, again):
        raise StoreUnavailable(
            f"details of {dataset.model!r} on {dataset.name!r} were not stored, and "
            f"{certificate.evaluator} {evaluator.version} now matches differently than version "
            f"{certificate.evaluator_version} did: evaluate it again."
        )
    return again


def _detail_metrics(ledger: Ledger) -> Sequence[Metric]:
    return installed().evaluator(ledger.task).details(ledger)


def _agree(ledger: Ledger, again: Ledger) -> bool:
    """Whether two ledgers are equal to the bit, apart from tables that are not computed yet."""
    if (ledger.datums, ledger.labels) != (again.datums, again.labels):
        return False
    known = [name for name in ledger.tables if name not in ledger.waiting]
    return ledger.tables.keys() == again.tables.keys() and all(
        _same(ledger.tables[name], again.tables[name]) for name in known
    )


def _same(table: Columns, other: Columns) -> bool:
    return table.keys() == other.keys() and all(
        np.array_equal(column, other[name], equal_nan=column.dtype.kind == "f")
        for name, column in table.items()
    )
