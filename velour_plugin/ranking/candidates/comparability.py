"""Refuse unfair comparisons: evaluations whose certificates differ are not ranked together."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from velour_plugin.domain.encoding.canonical import canonical_json
from velour_plugin.errors import NotComparable, VelourError
from velour_plugin.filters import Node, parse_filter, split_filter
from velour_plugin.filters.language.tree import conjunction, conjuncts, to_json
from velour_plugin.plugins.installed import installed
from velour_plugin.ranking.candidates.ledger_access import LedgerAccess
from velour_plugin.ranking.candidates.refusal import refuse
from velour_plugin.store.values import Candidate

ABOUT_DATUMS = frozenset({"dataset_digest", "datums_digest", "groundtruth_digest", "filter"})
"""Fields that may differ when evaluations are re-aggregated over the datums that they share."""

OF_ANNOTATIONS = "filter of labels, scores and annotations"
"""Conditions of a filter on anything but datums: runs that differ in them are not comparable."""


def differences(
    candidates: Sequence[Candidate], access: LedgerAccess | None = None
) -> dict[str, dict[str, list[str]]]:
    """Find the fields of their certificates in which evaluations differ.

    Args:
        candidates: the evaluations.
        access: the query that all answer; ``None`` for what they were evaluated with.

    Returns:
        For each such field, the runs by the value that they have.
    """
    runs_by_value: dict[str, dict[str, list[str]]] = {}
    for candidate, name in zip(candidates, unique_names(candidates), strict=True):
        decorative = installed().evaluator(candidate.task).decorative
        certificate = access.certificate(candidate) if access else candidate.certificate
        for field, value in _flat(certificate.compared, decorative).items():
            by_value = runs_by_value.setdefault(field, {})
            by_value.setdefault(canonical_json(value), []).append(name)
    total = len(candidates)
    return {
        field: values
        for field, values in runs_by_value.items()
        if len(values) > 1 or sum(map(len, values.values())) < total
    }


def refuse_other_questions(candidates: Sequence[Candidate], access: LedgerAccess) -> None:
    """Refuse to pool evaluations on several datasets that differ in more than their datums.

    Raises:
        NotComparable: they differ in more than their datasets and datums.
    """
    of_datasets = {*ABOUT_DATUMS, "dataset"}
    differing = differences(candidates, access)
    others = {field: by for field, by in differing.items() if field not in of_datasets}
    if others:
        refuse(access.reader, candidates, others, may_intersect=False)


def in_one_line(error: VelourError) -> str:
    """Return an error as one line of a note: with the differing fields, without the suggestion."""
    first, *others = str(error).splitlines()
    fields = "; ".join(line.strip() for line in others[:-1])
    return f"{first} {fields}" if isinstance(error, NotComparable) else first


def name_of(candidate: Candidate) -> str:
    """Return an evaluation's name for people: its run's name or id, else its model."""
    if candidate.run is None:
        return candidate.model
    return candidate.run.name or candidate.run.run_id


def unique_names(candidates: Sequence[Candidate]) -> list[str]:
    """Return display names of evaluations, with the id where two have the same."""
    names = [name_of(item) for item in candidates]
    times = Counter(names)
    return [
        name if times[name] == 1 else f"{name} (evaluation {item.evaluation_id})"
        for name, item in zip(names, candidates, strict=True)
    ]


def _flat(certificate: Mapping[str, Any], decorative: Collection[str]) -> dict[str, Any]:
    """Flatten a certificate into fields that are compared one by one."""
    flat = {key: value for key, value in certificate.items() if key != "parameters"}
    for key, value in certificate["parameters"].items():
        if key not in decorative:
            flat[f"parameters.{key}"] = value
    flat["filter"], flat[OF_ANNOTATIONS] = _parts(certificate["filter"])
    return flat


def _parts(filter_json: str | None) -> tuple[Any, Any]:
    """Split a filter into conditions on datums and all others, in JSON; ``None`` where empty."""
    if filter_json is None:
        return None, None
    of_datums: list[Node] = []
    others: list[Node] = []
    for part in conjuncts(parse_filter(json.loads(filter_json))):
        (of_datums if split_filter(part).datums is not None else others).append(part)
    parts = (conjunction(of_datums), conjunction(others))
    datums, rest = (None if part is None else to_json(part) for part in parts)
    return datums, rest
